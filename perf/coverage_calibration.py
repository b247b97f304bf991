"""How often intervals of calibration errors, AUROCs and correlations hold the truth; the bias left.

*ECE*: the truth is the error in ten bins of all that could be drawn. Confidences are spread evenly,
shares of twenty samples, or bunched at 0.8; what is wrong with them is over-confidence everywhere,
a temperature, or over-confidence of the quarter that is surest, of such a size that the error is
the one stated. *Old* is the plug-in with percentiles of draws of answers, *new* what boards show.
A width of 1 is 3.92 standard deviations of the plug-in. Then what is harder: four of five
confidences at 1, all of them, few answers, averages over sets, questions asked three times.

*AUROC*: few wrong answers, whose confidences spread as the right ones', three times as much or a
third, with and without ties; old are percentiles of draws of answers.

*AURC, Brier, alignment, risk*: percentiles of draws. *Correlations*: percentiles of draws of models
and Fisher's z, over models drawn from normal, heavy-tailed, skewed, clumped and bounded scores;
and percentiles of draws of items, over models that stay.

*The gate on an ECE*: how often a candidate passes that is worse by just the margin.

    python perf/coverage_calibration.py                # some minutes of one core; prints a table
    python perf/coverage_calibration.py --trials 40
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # many small products: threads only wait

import argparse
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri
from scipy.stats import beta

from judgebench.metrics.confidence import Confidences, QuestionSet, statistics
from judgebench.metrics.intervals import Intervals, wilson
from judgebench.metrics.paired_confidences import of_confidences
from judgebench.stats.calibration_error import (
    bin_contributions,
    calibration_error_of,
    corrected_error,
    unit_sums,
)
from judgebench.stats.confidence import auroc, auroc_interval, risk_among_surest
from judgebench.stats.paired_bootstrap import bootstrap_test
from judgebench.stats.rank_correlation import kendall_tau_b, pearson, spearman
from judgebench.stats.resample import (
    ends_of_average,
    expanded_level,
    multinomial_weights,
    percentile_interval,
    weighted_sums,
    wilson_interval,
)

SEED = 20261128
REPLICATES = 400
OLD = 4
"""The old way is tried on every so manieth data set: it takes long."""

Floats = NDArray[np.float64]

# confidences, and what is wrong with them --------------------------------------------------------

_GRID = (np.arange(2000) + 0.5) / 2000
_SHARES = np.arange(21) / 20
SHAPES: Mapping[str, tuple[Floats, Floats]] = {
    "even": (_GRID, np.full(2000, 1 / 2000)),
    "shares": (_SHARES, np.exp(2.4 * np.abs(_SHARES - 0.4))),
    "bunched": (beta.ppf(_GRID, 12, 3), np.full(2000, 1 / 2000)),
}
SURE: Mapping[str, tuple[Floats, Floats]] = {
    "4/5 at 1": (np.append(0.5 + _GRID / 2, 1.0), np.append(np.full(2000, 0.2 / 2000), 0.8)),
    "all at 1": (np.ones(1), np.ones(1)),
}
WRONG = ("everywhere", "temperature", "surest quarter")


@dataclass(frozen=True)
class World:
    """Confidences with their probabilities, how often each is right, and the true error."""

    confidence: Floats
    share: Floats
    right: Floats
    error: float

    def drawn(self, n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        at = generator.choice(len(self.confidence), n, p=self.share)
        return self.confidence[at], (generator.random(n) < self.right[at]).astype(float)


def true_error(c: Floats, share: Floats, right: Floats) -> float:
    sums = bin_contributions(c, np.ones(len(c)), binning="exact")
    sums[..., 2] *= right[:, np.newaxis]
    return float(calibration_error_of((share[:, np.newaxis, np.newaxis] * sums).sum(axis=0)))


def world(shape: tuple[Floats, Floats], wrong: str, error: float) -> World | None:
    """Of an error; None where it cannot be so large."""
    c, weight = shape
    share = weight / weight.sum()
    surest = c >= c[np.searchsorted(np.cumsum(share[np.argsort(c)]), 0.75)]

    def right(size: float) -> Floats:
        if size == 0.0:
            return c
        if wrong == "temperature":
            odds = np.log(np.clip(c, 1e-6, None)) - np.log(np.clip(1.0 - c, 1e-6, None))
            return np.asarray(expit((1.0 - size) * odds))
        lower = np.clip(c - size, 0.0, 1.0)
        return np.where(surest, lower, c) if wrong == "surest quarter" else lower

    low, high = 0.0, 1.0
    if true_error(c, share, right(1.0)) < error:
        return None
    for _ in range(40 if error else 0):
        middle = (low + high) / 2.0
        reached = true_error(c, share, right(middle)) >= error
        low, high = (low, middle) if reached else (middle, high)
    found = right(high if error else 0.0)
    return World(c, share, found, true_error(c, share, found))


def worlds(shapes: Mapping[str, tuple[Floats, Floats]], error: float) -> Iterator[World]:
    for shape in shapes.values():
        for wrong in WRONG if error else WRONG[:1]:
            found = world(shape, wrong, error)
            if found is not None:
                yield found


# ECE ---------------------------------------------------------------------------------------------


def old_error(contributions: Floats, seed: int) -> tuple[float, float]:
    weights = multinomial_weights(len(contributions), REPLICATES, seed=seed)
    low, high = percentile_interval(calibration_error_of(weighted_sums(weights, contributions)))
    return float(low), float(high)


@dataclass
class Cell:
    """What was seen of one world at one size, one row a data set."""

    truth: float
    new: Floats  # plug-in, value, low, high
    old: Floats  # low, high

    def numbers(self) -> Floats:
        plug_in, value, low, high = self.new.T
        held = (low <= self.truth + 1e-12) & (self.truth <= high + 1e-12)
        old = [low <= self.truth <= high for low, high in self.old]
        width = float((high - low).mean())
        return np.array(
            [
                1000 * (plug_in.mean() - self.truth),
                1000 * (value.mean() - self.truth),
                100 * float(np.mean(old)) if old else math.nan,
                100 * held.mean(),
                width,
                width / (3.92 * plug_in.std(ddof=1)) if plug_in.std() > 0 else math.nan,
            ]
        )


def cell(made: World, n: int, trials: int, *, sets: int = 1, times: int = 1) -> Cell:
    """``n`` questions in each of so many sets, each asked so many times."""
    generator = np.random.default_rng([SEED, n, round(1000 * made.error), len(made.confidence)])
    new, old = [], []
    unit_of = np.repeat(np.arange(n), times)
    for trial in range(trials):
        sums = []
        for _ in range(sets):
            c, y = made.drawn(n, generator)
            rows = bin_contributions(c[unit_of], y[unit_of], binning="exact")
            sums.append(unit_sums(rows, unit_of))
        found = corrected_error(sums, seed=trial)
        new.append([found.plug_in, found.value, found.low, found.high])
        if trial % OLD == 0 and sets == 1:
            old.append(old_error(sums[0], trial))
    return Cell(made.error, np.array(new), np.array(old).reshape(-1, 2))


def errors(trials: int) -> Iterator[str]:
    yield "ECE: bias x 1000, mean over worlds (largest); 95 % intervals hold in %, mean (worst)"
    yield f"{'n':>5s} {'true':>5s} {'plug-in':>15s} {'corrected':>15s} {'old':>13s} {'new':>13s}"
    yield f"{'':5s} {'':5s} {'bias':>15s} {'bias':>15s} {'covers':>13s} {'covers':>13s}" + (
        f" {'width':>7s} {'/ 3.92 sd':>12s}"
    )
    for n in (100, 300, 1000):
        for error in (0.0, 0.02, 0.05, 0.2):
            yield line(n, error, [cell(one, n, trials) for one in worlds(SHAPES, error)])


def line(n: int, error: float, cells: list[Cell]) -> str:
    plug_in, value, old, new, width, ratio = np.stack([one.numbers() for one in cells], axis=1)

    def biased(bias: Floats) -> str:
        return f"{bias.mean():6.1f} ({bias[np.abs(bias).argmax()]:5.1f})"

    said = f"{n:5d} {error:5.2f} {biased(plug_in):>15s} {biased(value):>15s}"
    before = "-" if np.isnan(old).any() else f"{old.mean():5.1f} ({old.min():5.1f})"
    said += f" {before:>13s} {f'{new.mean():5.1f} ({new.min():5.1f})':>13s} {width.mean():7.3f}"
    wide = "-" if np.isnan(ratio).any() else f"{ratio.mean():4.2f} ({ratio.max():4.2f})"
    return f"{said} {wide:>12s}"


def harder(trials: int) -> Iterator[str]:
    yield "\nECE, harder: the same columns"
    for n in (20, 50, 100, 300, 1000):
        for error in (0.0, 0.02, 0.05, 0.2):
            made = list(worlds({"4/5 at 1": SURE["4/5 at 1"]}, error))
            yield line(n, error, [cell(one, n, trials) for one in made]) + "  4/5 at 1"
    for n in (20, 100, 1000):
        for error in (0.0, 0.01, 0.02, 0.05, 0.2):
            one = world(SURE["all at 1"], "everywhere", error)
            assert one is not None
            yield line(n, error, [cell(one, n, trials)]) + "  all at 1"
    for n in (20, 50):
        for error in (0.0, 0.05, 0.2):
            made = list(worlds(SHAPES, error))
            yield line(n, error, [cell(one, n, trials // 2) for one in made]) + "  few answers"
    for error in (0.0, 0.05, 0.2):
        made = list(worlds(SHAPES, error))
        found = [cell(one, 100, trials // 4, sets=5) for one in made]
        yield line(100, error, found) + "  mean of 5 sets"
        found = [cell(one, 100, trials // 4, times=3) for one in made]
        yield line(100, error, found) + "  asked 3 times"


# AUROC -------------------------------------------------------------------------------------------


def scores(
    kind: str, right: bool, distance: float, n: int, generator: np.random.Generator
) -> Floats:
    spread = {("wrong x3", False): 3.0, ("right x3", True): 3.0}.get((kind, right), 1.0)
    apart = math.sqrt(10.0 if kind in ("wrong x3", "right x3") else 2.0)
    x = spread * generator.normal(size=n) + (distance * apart if right else 0.0)
    steps = {"twentieths": 20, "fifths": 5}.get(kind)
    found = ndtr(0.5 * x - 0.3)
    return np.asarray(found if steps is None else np.round(steps * found) / steps)


def true_auroc(kind: str, distance: float) -> float:
    generator = np.random.default_rng(SEED)
    c = [scores(kind, right, distance, 400_000, generator) for right in (False, True)]
    return float(auroc(np.concatenate(c), np.repeat([0, 1], 400_000)))


def areas(trials: int) -> Iterator[str]:
    yield "\nAUROC: 95 % intervals, coverage in %: mean over worlds (worst), mean width"
    yield f"{'n':>5s} {'wrong':>6s} {'old':>15s} {'new':>15s} {'width':>7s} {'apart':>6s}"
    kinds = ("alike", "wrong x3", "right x3", "twentieths", "fifths")
    truths = {
        (kind, area): true_auroc(kind, float(ndtri(area)))
        for kind in kinds
        for area in (0.5, 0.7, 0.9, 0.97)
    }
    for n, few in (
        (12, (2, 3, 5)),
        (30, (2, 5, 10)),
        (100, (2, 5, 10, 30)),
        (400, (5, 20, 50, 150)),
    ):
        for wrong in few:
            rows = []
            for (kind, area), truth in truths.items():
                rows.append(area_cell(kind, area, truth, n, wrong, trials))
            old, new, width, apart = np.nanmean(rows, axis=0)
            worst = np.nanmin(np.array(rows)[:, :2], axis=0)
            yield (
                f"{n:5d} {wrong:6d} {f'{old:5.1f} ({worst[0]:5.1f})':>15s} "
                f"{f'{new:5.1f} ({worst[1]:5.1f})':>15s} {width:7.3f} {apart:5.0f}%"
            )


def area_cell(
    kind: str, area: float, truth: float, n: int, wrong: int, trials: int
) -> tuple[float, float, float, float]:
    generator = np.random.default_rng([SEED, n, wrong, *kind.encode(), round(100 * area)])
    y = np.repeat([0.0, 1.0], [wrong, n - wrong])
    held, old, width, apart = [], [], [], []
    for trial in range(trials):
        c = np.concatenate(
            [
                scores(kind, False, float(ndtri(area)), wrong, generator),
                scores(kind, True, float(ndtri(area)), n - wrong, generator),
            ]
        )
        found = auroc_interval(c, y)
        held.append(found.low <= truth <= found.high)
        width.append(found.high - found.low)
        apart.append(float(auroc(c, y)) in (0.0, 1.0))
        if trial % (4 * OLD) == 0:
            weights = multinomial_weights(n, REPLICATES, seed=trial)
            low, high = percentile_interval(auroc(c, y, weights=weights))
            old.append(bool(low <= truth <= high))
    coverage_old, coverage, share = (100 * float(np.mean(one)) for one in (old, held, apart))
    return coverage_old, coverage, float(np.mean(width)), share


def averaged_areas(trials: int) -> Iterator[str]:
    yield "\nAUROC averaged over 5 sets of 100, so many wrong in each: coverage in %, width"
    sizes = np.array([100.0, 200.0, 300.0, 400.0, 1000.0])
    for wrong in (2, 5, 20):
        for kind, area in (("alike", 0.7), ("alike", 0.9), ("wrong x3", 0.7), ("twentieths", 0.9)):
            generator = np.random.default_rng([SEED, wrong, *kind.encode()])
            truth, y = true_auroc(kind, float(ndtri(area))), np.repeat([0, 1], [wrong, 100 - wrong])
            held, width = 0, 0.0
            for _ in range(trials // 2):
                found = []
                for _ in sizes:
                    c = np.concatenate(
                        [
                            scores(kind, right, float(ndtri(area)), k, generator)
                            for right, k in ((False, wrong), (True, 100 - wrong))
                        ]
                    )
                    one = auroc_interval(c, y)
                    found.append((float(auroc(c, y)), one.low, one.high))
                value, lows, highs = np.array(found).T
                low, high = ends_of_average(value, lows, highs, sizes)
                held += low <= truth <= high
                width += high - low
            n = trials // 2
            yield f"{wrong:6d} {kind:>11s} {area:5.2f} {100 * held / n:7.1f} {width / n:7.3f}"


# what draws of answers give ----------------------------------------------------------------------


SHARES_GIVEN = (0.2, 0.5)


def drawn_metrics(trials: int) -> Iterator[str]:
    yield "\nDraws of answers, and risk among the surest: coverage in %, mean over worlds (worst)"
    names = ["brier", "alignment", "aurc"]
    names += [f"{how} {share:.0%}" for how in ("risk", "wilson") for share in SHARES_GIVEN]
    yield f"{'n':>5s} {'wrong':>6s}" + "".join(f"{name:>14s}" for name in names)
    for n, rate in ((30, 0.1), (30, 0.4), (100, 0.05), (100, 0.4), (400, 0.05), (400, 0.4)):
        rows = [
            drawn_cell(kind, area, n, rate, trials // 2)
            for kind in ("alike", "wrong x3", "twentieths")
            for area in (0.5, 0.75, 0.95)
        ]
        mean, worst = np.mean(rows, axis=0), np.min(rows, axis=0)
        said = (f"{m:5.1f} ({w:5.1f})" for m, w in zip(mean, worst, strict=True))
        yield f"{n:5d} {n * rate:6.0f}" + "".join(f"{one:>14s}" for one in said)


def drawn_cell(kind: str, area: float, n: int, rate: float, trials: int) -> Floats:
    generator = np.random.default_rng([SEED, n, *kind.encode(), round(100 * area)])

    def drawn(size: int) -> tuple[Floats, Floats]:
        y = (generator.random(size) >= rate).astype(float)
        wrong, right = (
            scores(kind, one, float(ndtri(area)), size, generator) for one in (False, True)
        )
        return np.where(y > 0, right, wrong), y

    def values(c: Floats, y: Floats, weights: Floats) -> Floats:
        of = statistics(c, y)
        risks = risk_among_surest(c, y, SHARES_GIVEN, weights=weights)
        named = [of[name](weights) for name in ("brier", "alignment", "aurc")]
        return np.concatenate([np.stack(named, axis=-1), risks], axis=-1)

    many = [drawn(n) for _ in range(200)]  # alignment's threshold depends on n, so does its truth
    at_n = np.mean([values(*one, np.ones((1, n)))[0] for one in many], axis=0)
    large = values(*drawn(100_000), np.ones((1, 100_000)))[0]
    truth = np.where(np.arange(5) == 1, at_n, large)
    held = np.zeros(7)
    for trial in range(trials):
        c, y = drawn(n)
        seen = values(c, y, np.ones((1, n)))[0]
        replicates = values(c, y, multinomial_weights(n, REPLICATES, seed=trial))
        low, high = percentile_interval(replicates)
        for at, share in enumerate(SHARES_GIVEN, 3):
            few = wilson(float(seen[at]), share * n, level=0.95)
            if few is not None:
                low[at], high[at] = few[:2]
        always = wilson_interval(seen[3:] * n * SHARES_GIVEN, n * np.array(SHARES_GIVEN))
        low, high = np.append(low, always[0]), np.append(high, always[1])
        true = np.append(truth, truth[3:])
        held += (low <= true) & (true <= high)
    return 100 * held / trials


# correlations ------------------------------------------------------------------------------------

RANKS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "spearman": spearman, "kendall": kendall_tau_b, "pearson": pearson,
}  # fmt: skip
KINDS = ("normal", "heavy", "skewed", "clumped", "bounded")


def two_scores(
    kind: str, rho: float, size: tuple[int, ...], generator: np.random.Generator
) -> tuple[Floats, Floats]:
    x = generator.normal(size=size)
    y = rho * x + math.sqrt(1.0 - rho * rho) * generator.normal(size=size)
    if kind == "heavy":
        scale = np.sqrt(3.0 / generator.chisquare(3, size=size))
        return x * scale, y * scale
    if kind == "skewed":
        return np.exp(x), np.exp(0.7 * y)
    if kind == "clumped":  # half of the models are much alike
        scale = np.where(generator.random(size) < 0.5, 0.1, 2.0)
        return x * scale, y * scale
    return (expit(1.5 * x + 1.5), expit(1.5 * y + 1.5)) if kind == "bounded" else (x, y)


@lru_cache
def true_correlations(kind: str, rho: float) -> tuple[float, ...]:
    """Means over large samples: of ranks hardly biased with 200 of them."""
    generator = np.random.default_rng([SEED, *kind.encode(), round(100 * rho)])
    large = two_scores(kind, rho, (100, 200), generator)
    ranks = [float(of(*large).mean()) for of in (spearman, kendall_tau_b)]
    return (*ranks, float(pearson(*two_scores(kind, rho, (1_000_000,), generator))))


def over_models(trials: int) -> Iterator[str]:
    yield "\nCorrelations over models that are drawn: coverage in %, mean over worlds (worst)"
    yield f"{'models':>6s} {'':9s} {'percentiles':>15s} {'expanded':>15s} {'Fisher z':>15s}"
    for m in (4, 6, 8, 12, 20, 33):
        rows = [model_cell(kind, rho, m, trials) for kind in KINDS for rho in (0.0, 0.6, 0.9, 0.98)]
        mean, worst = np.mean(rows, axis=0), np.min(rows, axis=0)
        for at, name in enumerate(RANKS):
            said = (f"{mean[at, how]:5.1f} ({worst[at, how]:5.1f})" for how in range(3))
            yield f"{m:6d} {name:9s}" + "".join(f" {one:>15s}" for one in said)


def model_cell(kind: str, rho: float, m: int, trials: int) -> Floats:
    """Coverage of each coefficient by each interval, shape (3, 3)."""
    generator = np.random.default_rng([SEED, m, *kind.encode(), round(100 * rho)])
    truth = true_correlations(kind, rho)
    levels = 0.95, expanded_level(0.95, m)
    held = np.zeros((3, 3))
    for _ in range(trials):
        x, y = two_scores(kind, rho, (m,), generator)
        drawn = generator.integers(0, m, (REPLICATES // 2, m))
        for at, (name, of) in enumerate(RANKS.items()):
            replicates = of(x[drawn], y[drawn])
            for how, level in enumerate(levels):
                low, high = percentile_interval(replicates, level=level)
                held[at, how] += low <= truth[at] <= high and low < high
            r = float(np.clip(of(x, y), -1 + 1e-9, 1 - 1e-9))
            variance = {
                "spearman": (1.0 + r * r / 2.0) / (m - 3),
                "kendall": 0.437 / (m - 4) if m > 4 else math.nan,
                "pearson": 1.0 / (m - 3),
            }[name]
            held[at, 2] += abs(math.atanh(r) - math.atanh(truth[at])) <= 1.96 * math.sqrt(variance)
    return 100 * held / trials


def over_items(trials: int) -> Iterator[str]:
    yield "\nCorrelations over models that stay, items drawn: coverage of percentiles in %"
    yield f"{'models':>6s} {'items':>6s} {'truth':>8s}" + "".join(f"{one:>10s}" for one in RANKS)
    for m in (5, 9, 30):
        for n in (100, 400, 2000):
            for wrong in (0.0, 0.1):
                yield item_line(m, n, wrong, trials)


def item_line(m: int, n: int, wrong: float, trials: int) -> str:
    generator = np.random.default_rng([SEED, m, n, round(100 * wrong)])
    people = np.linspace(0.5, 0.8, m)
    judge = people + wrong * np.where(np.arange(m) % 2 == 0, 1.0, -1.0)
    truth = [float(of(judge, people)) for of in RANKS.values()]
    held = np.zeros(3)
    for trial in range(trials):
        hard = generator.random((n, m))  # of one item both say much the same
        right = (
            (hard < people).astype(float),
            (
                np.where(generator.random((n, m)) < 0.8, hard, generator.random((n, m))) < judge
            ).astype(float),
        )
        weights = multinomial_weights(n, REPLICATES // 2, seed=trial) / n
        scored = [weights @ one for one in right]
        for at, of in enumerate(RANKS.values()):
            low, high = percentile_interval(of(*scored))
            held[at] += low <= truth[at] <= high
    said = "".join(f"{100 * one / trials:10.1f}" for one in held)
    return f"{m:6d} {n:6d} {truth[0]:8.3f}{said}"


# the gate ----------------------------------------------------------------------------------------


def gates(trials: int) -> Iterator[str]:
    yield "\nThe gate on an ECE, allowed rise 0.05, alpha 0.05, a calibrated baseline: passes in %"
    yield f"{'n':>6s} {'candidate':>12s} {'old':>7s} {'new':>7s}"
    calibrated = world(SHAPES["even"], "everywhere", 0.0)
    rises = [world(SHAPES["even"], wrong, 0.05) for wrong in WRONG]
    for n in (100, 400, 2000):
        for called, others in (("unchanged", [calibrated]), ("0.05 worse", rises)):
            passed = np.zeros(2)
            nights = 0
            for other in others:
                for night in range(trials // 4):
                    assert calibrated is not None
                    assert other is not None
                    passed += passes(calibrated, other, n, night)
                    nights += 1
            yield f"{n:6d} {called:>12s} " + " ".join(
                f"{100 * one / nights:7.1f}" for one in passed
            )


def passes(baseline: World, candidate: World, n: int, seed: int) -> Floats:
    """Whether the gate passes by plug-ins alone, and as it is."""
    generator = np.random.default_rng([SEED, n, seed])
    at = generator.choice(len(baseline.share), n, p=baseline.share)
    luck = generator.random(n)  # of one question both mostly answer alike
    again = np.where(generator.random(n) < 0.7, luck, generator.random(n))
    c = np.repeat(baseline.confidence[at][:, np.newaxis], 2, axis=1)
    y = np.stack([again < candidate.right[at], luck < baseline.right[at]], axis=-1).astype(float)
    names = tuple(map(str, range(n)))
    questions = QuestionSet(
        name="s", domain=None, size=n, items=names, units=names, unit_of=np.arange(n)
    )
    wanted = Intervals(n_replicates=REPLICATES)
    _, found = of_confidences(
        [Confidences(questions=questions, confidence=c, correct=y)],
        metric="ece", confidence="C", judge="J", alpha=0.05, intervals=wanted,
    )  # fmt: skip
    weights = [np.ones((1, n)), *wanted.resamples(names).weights()]
    of = [
        np.concatenate([statistics(c[:, m], y[:, m])["ece_plug_in"](w) for w in weights])
        for m in range(2)
    ]
    old = bootstrap_test(of[1] - of[0], units=n, alpha=0.05, width=1.0, centred=True)
    return np.array([old.low > -0.05, found.observed.low > -0.05], dtype=np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=200)
    trials = parser.parse_args().trials
    began = time.process_time()
    error = 100 * math.sqrt(0.95 * 0.05 / trials)
    print(
        f"{trials} data sets a world (old: {trials // OLD}), {REPLICATES} replicates, seed {SEED}"
    )
    print(f"one Monte-Carlo standard error of 95 % is {error:.1f} points, of old {2 * error:.1f};")
    fewer = max(8, trials // 5)
    print(f"from the correlations on {fewer} a world, of the gate {fewer // 4},", end=" ")
    print(f"of draws {fewer // 2}\n")
    for part in (*PARTS, *LONG):
        for said in part(fewer if part in LONG else trials):
            print(said, flush=True)
    print(f"\n{time.process_time() - began:.0f} s of processor time")


Part = Callable[[int], Iterator[str]]
PARTS: tuple[Part, ...] = errors, harder, areas, averaged_areas
LONG: tuple[Part, ...] = over_models, over_items, gates, drawn_metrics
"""What takes longer."""

if __name__ == "__main__":
    main()
