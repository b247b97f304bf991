"""On how many nights a gate passes a model that did not change, before and after.

*Before*: an allowed drop of 2 points, one answer to an item of the candidate, one of the baseline.
*After*: the drop that is chosen where nobody states one (an unchanged model would pass with 80 %,
between 2 and 6 points), and the variance that can be taken out: k nights of the baseline, averaged
item by item, and r answers of the candidate.

*Asked again*: one model answers anew each night. Each item has an expectation of its own, drawn
from a beta distribution, and each verdict is drawn about it: a soft one from a beta distribution, a
binary one by a coin. Parameters are such that the difference of two nights has the spread of the
row. Beside what was seen stands what `judgebench.stats.unchanged` says of it.

*Exchanged*: published verdicts, AlpacaEval 2's preferences (805 instructions) and the labels of
TriviaQA judging (400 questions). A night takes two models; their verdicts change hands at random,
item by item. The drop is chosen from what the baseline's pairs with other models vary (the median
over the five models of the nearest mean, the candidate never among them), or, where nothing earlier
is known, from what the verdicts on the baseline vary over the items.

A pass is what the lower bound says: Student's with two pseudo-items at the ends of the scale, or
Tango's where both sides are right or wrong. Size is how often such a model is called worse at 5 %:
by 999 patterns of signs, or by the score test of the items that differ.

    python perf/unchanged_passes.py                # 4,000 nights: about three minutes of one core
    python perf/unchanged_passes.py --nights 200
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.stats.unchanged import even_chance, margin_to_pass, passes_unchanged, spread_again

if TYPE_CHECKING:
    from perf.gate_rates import Verdicts

SEED = 20261128
ALPHA = 0.05
Z = 1.6448536269514722
POINT = 0.01
LEAST, MOST = 2.0, 6.0
SIZES = (200, 400, 805, 2000)
SOFT = (0.25, 0.40, 0.65)
BINARY = (0.10, 0.20, 0.30)
DESIGNS = ((1, 1), (1, 5), (2, 5), (2, 8))
"""Answers of the candidate, nights of the baseline."""

FEW = (20, 50, 100, 200, 805)
MARGIN = 0.05
"""By which a candidate is worse that should not pass at a drop of 5 points."""

SIGNS = 999
_NIGHTS = 100  # that share their patterns of signs

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A model that answers anew each night.

    spread
        Standard deviation of the difference of two nights; of a binary one its square is the share
        of items that differ.
    mean
        In expectation, over items.
    """

    spread: float
    mean: float
    binary: bool

    @property
    def name(self) -> str:
        if self.binary:
            return f"binary, {100 * self.spread**2:.0f} % differ"
        return f"soft, s = {self.spread:.2f}"

    def night(
        self,
        generator: np.random.Generator,
        shape: tuple[int, int],
        answers: int,
        nights: int,
        drop: float = 0.0,
    ) -> Floats:
        """Differences, candidate minus baseline, of shape (nights, items).

        With a drop the candidate is worse by so much in expectation, by the same share of each
        item's.
        """
        expected = self._expected(generator, shape)
        mine = self._mean(generator, expected * (1.0 - drop / self.mean), answers)
        return mine - self._mean(generator, expected, nights)

    def _expected(self, generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
        c = self._concentration
        return generator.beta(self.mean * c, (1.0 - self.mean) * c, shape)

    @property
    def _concentration(self) -> float:
        """Of items' expectations; E p (1 - p) is m (1 - m) c / (c + 1)."""
        within, most = self.spread**2 / 2.0, self.mean * (1.0 - self.mean)
        if self.binary:
            return within / (most - within)
        return 4.0 if within < 0.7 * most else 20.0

    def _mean(self, generator: np.random.Generator, expected: Floats, n: int) -> Floats:
        if self.binary:
            return generator.binomial(n, expected) / n
        # The variance of a verdict is E p (1 - p) / (v + 1), half of the difference's.
        c = self._concentration
        v = self.mean * (1.0 - self.mean) * c / (c + 1.0) / (self.spread**2 / 2.0) - 1.0
        total = np.zeros(expected.shape)
        for _ in range(n):
            total += generator.beta(expected * v + 1e-9, (1.0 - expected) * v + 1e-9)
        return total / n


def models() -> list[Model]:
    return [
        *(Model(s, 0.5, binary=False) for s in SOFT),
        *(Model(math.sqrt(q), 0.8, binary=True) for q in BINARY),
    ]


def lower_bounds(d: Floats) -> Floats:
    """Of each night, as the gate makes them for soft verdicts on a scale of 1."""
    n = d.shape[1]
    spread2 = ((n - 1) * d.var(axis=1, ddof=1) + 2.0) / (n + 1)
    return np.asarray(d.mean(axis=1) + float(stdtrit(n - 1, ALPHA)) * np.sqrt(spread2 / n))


def tango_passes(d: Floats, margin: float) -> NDArray[np.bool_]:
    """Whether Tango's score test rules a drop of the margin out, for each night."""
    n = d.shape[1]
    won, lost = (d == 1.0).sum(axis=1), (d == -1.0).sum(axis=1)
    b = -won - lost - margin * (2.0 * n - won + lost)
    c = lost * margin * (1.0 + margin)
    p = (np.sqrt(np.maximum(b * b - 8.0 * n * c, 0.0)) - b) / (4.0 * n)
    variance = n * np.maximum(2.0 * p - margin * (1.0 + margin), 0.0)
    return np.asarray(won - lost + n * margin > Z * np.sqrt(variance))


def passed(d: Floats, margin: float, *, binary: bool) -> NDArray[np.bool_]:
    return tango_passes(d, margin) if binary else lower_bounds(d) > -margin


def called_worse(d: Floats, generator: np.random.Generator, *, binary: bool) -> float:
    """The share of nights on which the gate's test is at 5 % or below."""
    if binary:
        won, lost = (d == 1.0).sum(axis=1), (d == -1.0).sum(axis=1)
        return float((lost - won > Z * np.sqrt(won + lost)).mean())
    called = 0
    for start in range(0, len(d), _NIGHTS):
        some = d[start : start + _NIGHTS].astype(np.float32)
        signs = generator.integers(0, 2, (SIGNS, d.shape[1])).astype(np.float32) * 2.0 - 1.0
        sums, seen = signs @ some.T, some.sum(axis=1)
        as_low = (sums <= seen + 1e-4).sum(axis=0)
        called += int(((1 + as_low) / (1 + SIGNS) <= ALPHA).sum())
    return called / len(d)


def chosen(spread: float, n: int, *, binary: bool, tests: int = 1) -> float:
    """The drop that is chosen where nobody states one."""
    each = even_chance(tests, ())
    drop = margin_to_pass(spread, n, alpha=ALPHA, chance=each, binary=binary)
    points = math.ceil(1000.0 * drop - 1e-9) / 10.0 if math.isfinite(drop) else MOST
    return POINT * min(max(points, LEAST), MOST)


@dataclass(frozen=True)
class Cell:
    """What came of one model, size and design; shares of nights, and a drop in points."""

    at_2: float
    said_at_2: float
    drop: float
    at_drop: float
    said_at_drop: float
    size: float


def cell(model: Model, n: int, answers: int, nights: int, repeats: int) -> Cell:
    seeds = [SEED, n, round(1000 * model.spread), model.binary, answers, nights]
    generator = np.random.default_rng(seeds)
    binary = model.binary and answers == nights == 1
    spread = spread_again(model.spread / math.sqrt(2.0), answers, nights)
    drop = chosen(spread, n, binary=binary)
    counts, size = np.zeros(2), 0.0
    for _ in range(0, repeats, 500):
        d = model.night(generator, (min(500, repeats), n), answers, nights)
        counts += [passed(d, m, binary=binary).sum() for m in (LEAST * POINT, drop)]
        size += called_worse(d, generator, binary=binary) * len(d)
    said = [
        passes_unchanged(spread, n, m, alpha=ALPHA, binary=binary) for m in (LEAST * POINT, drop)
    ]
    total = -(-repeats // 500) * min(500, repeats)
    return Cell(counts[0] / total, said[0], drop / POINT, counts[1] / total, said[1], size / total)


def asked_again(repeats: int, sizes: tuple[int, ...] = SIZES) -> Iterator[str]:
    yield (
        f"{'':24s} {'items':>6s} {'answers':>8s} {'nights':>7s} {'at 2':>7s} {'said':>6s} "
        f"{'drop':>6s} {'passes':>7s} {'said':>6s} {'size':>6s}"
    )
    for model in models():
        for n in sizes:
            for answers, nights in DESIGNS:
                found = cell(model, n, answers, nights, repeats)
                yield (
                    f"{model.name:24s} {n:6,d} {answers:8d} {nights:7d} {100 * found.at_2:7.1f} "
                    f"{100 * found.said_at_2:6.1f} {found.drop:6.1f} {100 * found.at_drop:7.1f} "
                    f"{100 * found.said_at_drop:6.1f} {100 * found.size:6.1f}"
                )


def few_items(repeats: int, sizes: tuple[int, ...] = FEW) -> Iterator[str]:
    """Whether averaged nights keep the two error rates, where items are few."""
    yield (f"{'':24s} {'items':>6s}" + "".join(f"{f'{r} against {k}':>18s}" for r, k in DESIGNS))
    for model in models():
        for n in sizes:
            shares = []
            for answers, nights in DESIGNS:
                seeds = [SEED, 1, n, round(1000 * model.spread), model.binary, answers, nights]
                generator = np.random.default_rng(seeds)
                binary = model.binary and answers == nights == 1
                d = model.night(generator, (repeats, n), answers, nights)
                worse = model.night(generator, (repeats, n), answers, nights, MARGIN)
                wrong = passed(worse, MARGIN, binary=binary).mean()
                shares.append((100 * called_worse(d, generator, binary=binary), 100 * wrong))
            cells = "".join(f"{f'{size:.1f}  {wrong:.1f}':>18s}" for size, wrong in shares)
            yield f"{model.name:24s} {n:6,d}{cells}"


def exchanged(table: Verdicts, repeats: int, *, alike: bool) -> Iterator[str]:
    """Published verdicts of two models that change hands: what the chosen drop makes of it.

    ``alike``: the candidate is one of the five models whose mean is nearest to the baseline's.
    """
    generator = np.random.default_rng([SEED, len(table.of), alike])
    means = np.nanmean(table.of, axis=1)
    binary = bool(np.isin(table.of[~np.isnan(table.of)], (0.0, 1.0)).all())
    spreads = np.array([[_spread(a, b) for b in table.of] for a in table.of])
    passes, drops = np.zeros(3), np.zeros((repeats, 2))
    for night in range(repeats):
        other = generator.integers(len(table.of))
        near = np.argsort(np.abs(means - means[other]), kind="stable")
        near = near[near != other]
        one = generator.choice(near[:5] if alike else near)
        both = ~np.isnan(table.of[one]) & ~np.isnan(table.of[other])
        d = table.of[one][both] - table.of[other][both]
        d = np.where(generator.random(len(d)) < 0.5, -d, d)[None, :]
        known = ~np.isnan(table.of[other])
        earlier = float(np.median(spreads[other, near[near != one][:5]]))
        alone = float(table.of[other][known].std(ddof=1))
        drops[night] = [chosen(s, int(known.sum()), binary=binary) for s in (earlier, alone)]
        passes += [passed(d, float(m), binary=binary)[0] for m in (LEAST * POINT, *drops[night])]
    ways = ("2 points", "chosen: earlier pairs", "chosen: the baseline's verdicts")
    for way, share, drop in zip(
        ways, passes / repeats, [np.full(repeats, LEAST * POINT), *drops.T], strict=True
    ):
        low, middle, high = 100 * np.quantile(drop, (0.1, 0.5, 0.9))
        yield (
            f"{table.name:28s} {'alike' if alike else 'any two':8s} {way:32s} "
            f"{100 * share:7.1f} {middle:8.1f} ({low:.1f} to {high:.1f})"
        )


def repeated(table: Verdicts, repeats: int, times: tuple[int, ...] = (1, 3, 5)) -> Iterator[str]:
    """A judge that says yes or no, asked several times about the same answers.

    It says yes with the probability that the published judge states: so much of what a hard verdict
    varies is the judge's own, and averages out. Models are alike, and change hands.
    """
    generator = np.random.default_rng([SEED, 3])
    means = np.nanmean(table.of, axis=1)
    passes = np.zeros(1 + len(times))
    for _ in range(repeats):
        other = generator.integers(len(table.of))
        near = np.argsort(np.abs(means - means[other]), kind="stable")
        one = generator.choice(near[near != other][:5])
        both = ~np.isnan(table.of[one]) & ~np.isnan(table.of[other])
        mine, theirs = np.clip(table.of[[one, other]][:, both], 0.0, 1.0)
        swap = generator.random(len(mine)) < 0.5
        mine, theirs = np.where(swap, theirs, mine), np.where(swap, mine, theirs)
        drawn = [mine - theirs]
        drawn += [(generator.binomial(n, mine) - generator.binomial(n, theirs)) / n for n in times]
        passes += [
            passed(d[None, :], LEAST * POINT, binary=n == 1)[0]
            for n, d in zip((0, *times), drawn, strict=True)
        ]
    shares = 100 * passes / repeats
    yield f"the stated probability {shares[0]:.1f}; yes or no, asked " + "; ".join(
        f"{n} time{'s' * (n > 1)} {share:.1f}" for n, share in zip(times, shares[1:], strict=True)
    )


def _spread(one: Floats, other: Floats) -> float:
    both = ~np.isnan(one) & ~np.isnan(other)
    return float((one[both] - other[both]).std(ddof=1))


def together(repeats: int, tests: tuple[int, ...] = (1, 3, 10)) -> Iterator[str]:
    """Policies of several benchmarks of 805 pairs, all of which have to pass."""
    model, n = Model(0.40, 0.5, binary=False), 805
    for k in tests:
        generator = np.random.default_rng([SEED, k])
        drop = chosen(model.spread, n, binary=False, tests=k)
        all_pass = np.ones((2, repeats), dtype=bool)
        for _ in range(k):
            lows = np.concatenate(
                [
                    lower_bounds(model.night(generator, (min(500, repeats), n), 1, 1))
                    for _ in range(0, repeats, 500)
                ]
            )[:repeats]
            all_pass &= np.stack([lows > -LEAST * POINT, lows > -drop])
        said = [
            passes_unchanged(model.spread, n, m, alpha=ALPHA) ** k for m in (LEAST * POINT, drop)
        ]
        shares = all_pass.mean(axis=1)
        yield (
            f"{k:6d} {100 * shares[0]:8.1f} {100 * said[0]:7.1f} {drop / POINT:7.1f} "
            f"{100 * shares[1]:8.1f} {100 * said[1]:7.1f}"
        )


def main() -> None:
    from perf.gate_rates import alpaca_eval, trivia_judging

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=4000)
    repeats = parser.parse_args().nights
    began = time.process_time()
    error = 100 * math.sqrt(0.25 / repeats)
    print("An unchanged model: nights in %, on which the gate passes it")
    print(
        f"alpha {ALPHA}; {repeats:,} nights a row, seed {SEED}; standard error at most "
        f"{error:.1f} points, of the size {100 * math.sqrt(0.0475 / repeats):.1f}"
    )
    print("\nAsked again: the same model, answering anew. Before is the column 'at 2' of the rows")
    print("with one answer and one night; 'drop' is chosen for 80 %, from 2 to 6 points; 'said' is")
    print("what the formula says; 'size' is how often the model is called worse")
    for line in asked_again(repeats):
        print(line, flush=True)
    print("\nBoth error rates, answers against nights: an unchanged model called worse at 5 %, and")
    print("one that is worse by 5 points passed at an allowed drop of 5 points")
    for line in few_items(repeats):
        print(line, flush=True)
    print("\nExchanged: published verdicts of two models change hands, item by item")
    print(
        f"{'':28s} {'models':8s} {'allowed drop':32s} {'passes':>7s} {'median (10 to 90 %)':>21s}"
    )
    for table in (alpaca_eval(), trivia_judging()):
        for alike in (True, False):
            for line in exchanged(table, repeats, alike=alike):
                print(line, flush=True)
    print("\nA judge asked again about the same answers, models alike, passed at 2 points")
    for line in repeated(alpaca_eval(), repeats):
        print(line, flush=True)
    print("\nSeveral benchmarks of 805 pairs, s = 0.40, asked again, all of which have to pass")
    print(f"{'tests':>6s} {'at 2':>8s} {'said':>7s} {'drop':>7s} {'passes':>8s} {'said':>7s}")
    for line in together(repeats):
        print(line, flush=True)
    print(f"\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
