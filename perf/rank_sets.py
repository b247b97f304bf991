"""How often the sets of ranks of a board hold the ranks of all models at once, and what they say.

Verdicts are drawn anew in each trial; the true ranks are those of the means that they are drawn
from. A trial holds if every model's set has every rank that its true mean may have: of models that
are equal in truth all ranks that they share. Beside the sets stand percentiles of bootstrap ranks,
which boards had before.

- *near-equal*: means evenly between .495 and .505; right or wrong, each model by itself.
- *ties*: all means .5; *ties .97*: all .97, as good models have them.
- *ties, published*: AlpacaEval 2's verdicts (805 instructions), those of each instruction dealt to
  the models anew, so that all are equal and vary together as verdicts do.
- *spread, published*: those verdicts; of 200 models, each is item by item one of two neighbours.
- *missing*: ties, 30 % of each model's verdicts missing, items counting once to five times.
- *length-controlled*: the published models, fitted anew in each trial and replicate.
- *pairs*: Bradley-Terry strengths of models that are equal, all against all, and against one.

*Named first*: how often somebody's set is 1 alone, where all are equal and where one model is 2.5
standard errors beyond the sets' own multiple ahead of each rival, on 400 items; beside it how
often it would be were spreads and multiple known.

*Time*: of a board's numbers, from columns to standings, by the code of today and by the last that
had percentiles, which is taken out of git; each in a process of its own, best of several. One
thread: CPU is what the numbers take, wall what they take beside whatever else the machine does.

    python perf/rank_sets.py > docs/figures/rank_sets.txt    # seven minutes of one core
    python perf/rank_sets.py --share 0.05
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # small matrices: threads only wait

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from judgebench.stats.bradley_terry import compare
from judgebench.stats.length_control import Anchors, LengthControl, exact, replicates
from judgebench.stats.ranking import rank_models, rank_sets
from judgebench.stats.resample import (
    jackknife_covariance,
    multinomial_weights,
    percentile_interval,
    replicate_covariance,
)

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "tasks" / "alpaca_eval" / "figures"
BEFORE = "e6231dc"
"""The last commit whose boards had percentiles of ranks."""

SEED = 20261128
REPLICATES = 1000
ITEMS = (12, 50, 400, 805, 5000)
MODELS = (5, 20, 200)
NAMED, BEYOND = (5, 20, 58, 200), 2.5
BOARDS = ((58, 805), (200, 5000))
WITHIN_S = (1.0, 3.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """Models of known means, and verdicts on some items drawn of them, shape (items, models)."""

    name: str
    truth: Floats
    draw: Callable[[np.random.Generator, int], Floats]


def coins(name: str, truth: Floats) -> Population:
    """Right or wrong, each model by itself."""
    return Population(
        name,
        truth,
        lambda generator, n: (
            generator.random((n, len(truth)), dtype=np.float32) < truth.astype(np.float32)
        ).astype(np.float64),
    )


def published() -> tuple[Floats, Floats, Floats, Anchors]:
    """Verdicts and differences in length (items, models) of models with all of them, the best
    first; the difficulty of items; the anchors."""
    import pandas as pd

    items = pd.read_csv(FIGURES / "instructions.csv")
    gamed = pd.read_csv(FIGURES / "anchors.csv")
    table = pd.read_parquet(FIGURES / "verdicts.parquet")
    wide = table.pivot_table(index="index", columns="model", values=["preference", "length"])
    share = wide["preference"] - 1.0
    kept = [name for name in share if share[name].notna().all() and share[name].std() > 0]
    kept.sort(key=lambda name: -share[name].mean())
    difficulty, theirs = items.difficulty.to_numpy(), items.baseline_length.to_numpy()
    anchors = Anchors(
        std_length=gamed.std_length.to_numpy(),
        difficulty=difficulty[gamed["index"].to_numpy()],
        preference=gamed.pseudo_preference.to_numpy(),
    )
    lengths = theirs[:, np.newaxis] - wide["length"][kept].to_numpy()
    return share[kept].to_numpy(), lengths, difficulty, anchors


def of_published(share: Floats, p: int) -> Floats:
    """So many models from the best to the weakest."""
    n_items, n = share.shape
    place = np.linspace(0.0, n - 1.0, p)
    if p <= n:
        return share[:, np.round(place).astype(int)]
    lower = np.minimum(place.astype(int), n - 2)
    upper = np.random.default_rng([SEED, p]).random((n_items, p)) < place - lower
    return np.take_along_axis(share, lower + upper, axis=1)


def spread(share: Floats, p: int) -> Population:
    of = of_published(share, p)
    return Population(
        "spread, published",
        of.mean(axis=0),
        lambda generator, n: of[generator.integers(0, len(of), n)],
    )


def dealt(share: Floats, p: int) -> Population:
    of = of_published(share, p)
    return Population(
        "ties, published",
        np.full(p, of.mean()),
        lambda generator, n: generator.permuted(of[generator.integers(0, len(of), n)], axis=1),
    )


def true_ranks(truth: Floats) -> Floats:
    """The least and the greatest that a model may have, shape (2, models)."""
    above = np.greater.outer(truth, truth).sum(axis=0)
    below = np.less.outer(truth, truth).sum(axis=0)
    return np.stack([1.0 + above, len(truth) - below])


def hold(sets: Floats, true: Floats) -> NDArray[np.bool_]:
    return np.asarray((sets[0] <= true[0]) & (sets[1] >= true[1]))


def percentiles(scores: Floats) -> Floats:
    """What boards had: percentiles of ranks in replicates, rounded out."""
    rounded = np.round(scores, 12)
    rank = 1.0 + (rounded[:, np.newaxis, :] > rounded[:, :, np.newaxis]).sum(axis=-1)
    low, high = percentile_interval(rank)
    return np.stack([np.floor(low), np.ceil(high)])


def covariance(verdicts: Floats) -> Floats:
    """Of the means; of right or wrong sums are exact in single precision too."""
    n = len(verdicts)
    binary = bool(((verdicts == 0.0) | (verdicts == 1.0)).all())
    table = verdicts.astype(np.float32) if binary else verdicts
    mean = verdicts.mean(axis=0)
    products = (table.T @ table).astype(np.float64) - n * np.outer(mean, mean)
    return np.asarray(products / (n * (n - 1.0)))


@dataclass(slots=True)
class Tally:
    """Trials in which all held, models that did, and how wide sets were."""

    trials: int = 0
    joint: int = 0
    each: float = 0.0
    width: float = 0.0
    first: int = 0

    def add(self, sets: Floats, true: Floats) -> None:
        held = hold(sets, true)
        self.trials += 1
        self.joint += int(held.all())
        self.each += float(held.mean())
        self.width += float((sets[1] - sets[0] + 1.0).mean())
        self.first += int((sets[1] == 1.0).any())

    @property
    def share(self) -> float:
        return self.joint / self.trials

    @property
    def error(self) -> float:
        """One standard error of the share, by Wilson's centre, so that 100 % has one too."""
        p = (self.joint + 2.0) / (self.trials + 4.0)
        return math.sqrt(p * (1.0 - p) / (self.trials + 4.0))

    def __str__(self) -> str:
        return f"{100 * self.share:6.1f} ±{100 * self.error:4.1f} {self.width / self.trials:7.1f}"


@cache
def weights_of(n: int) -> Floats:
    return multinomial_weights(n, REPLICATES, seed=SEED) / n


def covered(population: Population, n: int, trials: int, before: int) -> tuple[Tally, Tally]:
    """Sets, and percentiles in the first trials of these."""
    p, true = len(population.truth), true_ranks(population.truth)
    generator = np.random.default_rng([SEED, p, n])
    new, old = Tally(), Tally()
    for trial in range(trials):
        verdicts = population.draw(generator, n)
        sets = rank_sets(
            verdicts.mean(axis=0), covariance(verdicts), units=n, width=1.0, seed=trial
        )
        new.add(sets, true)
        if trial < before:
            old.add(percentiles(weights_of(n) @ verdicts), true)
    return new, old


def trials_of(name: str, p: int, n: int, share: float) -> tuple[int, int]:
    """Of the sets, more where the error is not far below its share; and of percentiles."""
    new = 1000 if p < 200 else 200 if name.startswith("ties") and n < 5000 else 40
    old = 100 if p < 200 else 5
    return max(2, round(share * new)), max(2, round(share * old))


HEAD = (
    f"{'':24s} {'models':>6s} {'items':>6s} {'trials':>6s} {'sets, joint %':>15s} {'width':>6s} "
    f"{'percentiles, joint %':>21s} {'each %':>6s} {'width':>6s}"
)


def line(name: str, p: int, n: int, new: Tally, old: Tally | None = None) -> str:
    said = f"{name:24s} {p:6d} {n:6d} {new.trials:6d}   {new}"
    if old is None:
        return said
    return (
        f"{said} {100 * old.share:14.1f} ±{100 * old.error:4.1f} {100 * old.each / old.trials:6.1f}"
        f" {old.width / old.trials:6.1f}"
    )


def coverage(share: Floats, part: float) -> Iterator[tuple[str, Tally]]:
    for p in MODELS:
        for population in (
            coins("near-equal", np.linspace(0.495, 0.505, p)),
            coins("ties", np.full(p, 0.5)),
            coins("ties .97", np.full(p, 0.97)),
            dealt(share, p),
            spread(share, p),
        ):
            for n in ITEMS:
                new, old = covered(population, n, *trials_of(population.name, p, n, part))
                yield line(population.name, p, n, new, old), new


def missing(part: float) -> Iterator[tuple[str, Tally]]:
    """Quotients of sums over items that count differently, each model having others."""
    p, truth = 20, np.full(20, 0.5)
    for n in (12, 50, 400):
        generator, tally = np.random.default_rng([SEED, 3, n]), Tally()
        for trial in range(max(2, round(part * 500))):
            times = generator.integers(1, 6, n)[:, np.newaxis] * (generator.random((n, p)) > 0.3)
            right = times * (generator.random((n, p)) < 0.5)
            total = times.sum(axis=0)
            if (total == 0).any():
                continue
            values = right.sum(axis=0) / total
            with np.errstate(invalid="ignore"):
                left_out = (right.sum(axis=0) - right) / (total - times)
            units = total**2 / np.square(times).sum(axis=0)
            spread_of = jackknife_covariance(values, left_out, units=units)
            sets = rank_sets(values, spread_of, units=units, width=1.0, seed=trial)
            tally.add(sets, true_ranks(truth))
        yield line("missing", p, n, tally), tally


def length_controlled(part: float) -> Iterator[tuple[str, Tally]]:
    share, lengths, difficulty, anchors = published()
    n, p = share.shape
    new, old = Tally(), Tally()
    generator = np.random.default_rng([SEED, 4])

    def fits(items: NDArray[np.int64], c: list[float] | None) -> list[LengthControl]:
        return [
            exact(
                share[items, m], lengths[items, m], difficulty[items], anchors=anchors,
                c=None if c is None else c[m],
            )
            for m in range(p)
        ]  # fmt: skip

    whole = fits(np.arange(n), None)
    true = true_ranks(np.array([fit.value for fit in whole]))
    for trial in range(max(2, round(part * 60))):
        items = generator.integers(0, n, size=(n,))
        found = fits(items, [fit.c for fit in whole])
        drawn = replicates(
            share[items].T, lengths[items].T, difficulty[items], fits=found,
            weights=multinomial_weights(n, 400, seed=trial), anchors=anchors,
        )  # fmt: skip
        values = np.array([fit.value for fit in found])
        spread_of = replicate_covariance(drawn) * n / (n - 3.0)
        new.add(rank_sets(values, spread_of, units=n - 3.0, width=100.0, seed=trial), true)
        old.add(percentiles(drawn), true)
    yield line("length-controlled", p, n, new, old), new


def pairs(part: float) -> Iterator[tuple[str, Tally]]:
    """Models that are equal, on prompts that suit one or the other."""
    for p, n, one in ((8, 12, False), (8, 50, False), (8, 200, False), (20, 50, False),
                      (20, 12, True), (20, 50, True), (20, 200, True)):  # fmt: skip
        first, second = np.triu_indices(p, 1)
        if one:
            first, second = np.arange(1, p), np.zeros(p - 1, dtype=np.int64)
        generator, tally = np.random.default_rng([SEED, 5, p, n]), Tally()
        for trial in range(max(2, round(part * 300))):
            suits = 0.5 * generator.normal(size=(n, p))
            gap = suits[:, first] - suits[:, second]
            won = generator.random(gap.shape) < 1.0 / (1.0 + np.exp(-gap))
            made = compare(
                np.repeat(np.arange(n), len(first)), np.tile(first, n), np.tile(second, n),
                won.ravel().astype(float), n_models=p, n_prompts=n,
            )  # fmt: skip
            found = rank_models(made, draws=multinomial_weights(n, 500, seed=trial))
            tally.add(np.stack([found.rank_low, found.rank_high]), true_ranks(np.zeros(p)))
        name = "pairs, against one" if one else "pairs, all against all"
        yield line(name, p, n, tally), tally


def multiple(p: int, n: int) -> float:
    """That of the sets, of models of equal spread that do not vary together."""
    drawn = np.random.default_rng([SEED, 6]).normal(size=(100_000, p))
    largest = np.ptp(drawn, axis=1) / math.sqrt(2.0)
    return float(-stdtrit(n - 1, ndtr(-np.quantile(largest, 0.95))))


def named(part: float) -> Iterator[str]:
    n, rivals = 400, 0.5
    for p in NAMED:
        lead = 0.0
        for _ in range(20):  # the leader's own spread depends on its lead
            spread_of = math.sqrt((rivals * (1 - rivals) + (rivals + lead) * (0.5 - lead)) / n)
            lead = (multiple(p, n) + BEYOND) * spread_of
        trials = max(2, round(part * (2000 if p < 200 else 300)))
        ties, _ = covered(coins("ties", np.full(p, rivals)), n, trials, 0)
        ahead, _ = covered(
            coins("ahead", np.r_[rivals + lead, np.full(p - 1, rivals)]), n, trials, 0
        )
        noise = np.random.default_rng([SEED, 7]).normal(size=(20_000, p)) / math.sqrt(2.0)
        known = float((noise[:, 1:].max(axis=1) - noise[:, 0] < BEYOND).mean())
        chance = ahead.first / ahead.trials
        error = math.sqrt(max(chance * (1 - chance), 1.0 / trials) / trials)
        yield (
            f"{p:6d} {n:6d} {trials:6d} {100 * lead:12.1f} {100 * chance:14.1f} ±{100 * error:4.1f}"
            f" {100 * known:16.1f} {100 * ties.first / ties.trials:14.1f}"
        )


# time -------------------------------------------------------------------------------------------

TIMED = """
import json, sys, time
import numpy as np
from judgebench.columns import Coded, same
from judgebench.metrics.accuracy import accuracies
from judgebench.metrics.scores import scores
from judgebench.metrics.win_rate import win_rates

found = {}
for p, n in json.loads(sys.argv[1]):
    generator = np.random.default_rng(1)
    rows = n * p
    level = np.tile(np.linspace(0.2, 0.8, p), n)
    item = np.repeat(np.arange(n), p)
    soft = np.clip(level + 0.3 * generator.normal(size=rows), 0.0, 1.0)
    columns = {
        "item_id": Coded(item, [f"item {i:05d}" for i in range(n)]),
        "model": Coded(np.tile(np.arange(p), n), [f"model {m:03d}" for m in range(p)]),
        "judge": same("judge", rows), "sample": same(0, rows), "order": same("single", rows),
    }
    label = Coded((soft > 0.5).astype(np.int64), ["incorrect", "correct"])
    for name, work, more in (
        ("labels", lambda c: accuracies(c, labels=("incorrect", "correct")),
         {"kind": same("label", rows), "label": label}),
        ("scores", scores, {"kind": same("score", rows), "value": 1 + 9 * soft,
                            "low": same(1.0, rows), "high": same(10.0, rows)}),
        ("preferences", lambda c: win_rates(c, "baseline"),
         {"kind": same("preference", rows), "value": soft, "opponent": same("baseline", rows)}),
    ):
        best = []
        for _ in range(int(sys.argv[2])):
            start, cpu = time.perf_counter(), time.process_time()
            work(columns | more)
            best.append((time.perf_counter() - start, time.process_time() - cpu))
        found[f"{name} {p} {n}"] = min(best)
print(json.dumps(found))
"""


def timed(where: Path, rounds: int) -> dict[str, tuple[float, float]]:
    done = subprocess.run(
        [sys.executable, "-c", TIMED, json.dumps(BOARDS), str(rounds)],
        check=True, capture_output=True, text=True, cwd=where,
        env=os.environ | {"PYTHONPATH": str(where)},
    )  # fmt: skip
    return {name: (wall, cpu) for name, (wall, cpu) in json.loads(done.stdout).items()}


def timed_before(rounds: int) -> dict[str, tuple[float, float]]:
    """Empty where git or that commit is not at hand."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "old.tar"
        told = subprocess.run(
            ["git", "archive", "-o", str(archive), BEFORE, "judgebench"],
            check=False, capture_output=True, cwd=ROOT,
        )  # fmt: skip
        if told.returncode:
            return {}
        subprocess.run(["tar", "-xf", str(archive), "-C", folder], check=True)
        return timed(Path(folder), rounds)


def speed(rounds: int) -> Iterator[tuple[str, bool]]:
    new, old = timed(ROOT, rounds), timed_before(rounds)
    for (p, n), most in zip(BOARDS, WITHIN_S, strict=True):
        for kind in ("labels", "scores", "preferences"):
            wall, cpu = new[f"{kind} {p} {n}"]
            before = old.get(f"{kind} {p} {n}")
            yield (
                f"{kind:24s} {p:6d} {n:6d} {wall:10.2f} {cpu:10.2f} "
                + (f"{before[0]:10.2f} {before[1]:10.2f}" if before else f"{'–':>10s} {'–':>10s}"),
                cpu <= most,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the trials")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    started = time.process_time()
    share = published()[0]
    print(
        "Sets of ranks at 95 %, 2,000 draws; percentiles of ranks over "
        f"{REPLICATES:,} replicates in the first 100 trials (5 of 200\nmodels); "
        f"seed {SEED}; ± one Monte-Carlo standard error; width: mean number of ranks in a set; "
        f"{share.shape[1]} published\nmodels\n"
    )
    print(HEAD)
    tallies = []
    for text, tally in chain(
        coverage(share, options.share),
        missing(options.share),
        length_controlled(options.share),
        pairs(options.share),
    ):
        print(text, flush=True)
        tallies.append(tally)
    low, far = ([one for one in tallies if one.share + k * one.error < 0.95] for k in (2.0, 3.0))
    print(
        f"\ncells under 95 % by more than two standard errors: {len(low)} of {len(tallies)} "
        f"({0.023 * len(tallies):.0f} by chance were all at 95 %); by more than three: {len(far)}\n"
    )
    print(f"{'models':>6s} {'items':>6s} {'trials':>6s} {'lead, points':>12s} "
          f"{'named first %':>20s} {'all known %':>16s} {'of ties %':>14s}")  # fmt: skip
    for text in named(options.share):
        print(text, flush=True)
    print(f"\n{'seconds':24s} {'models':>6s} {'items':>6s} {'wall':>10s} {'CPU':>10s} "
          f"{'wall before':>10s} {'CPU before':>10s}")  # fmt: skip
    slow = False
    for text, within in speed(options.rounds):
        print(text, flush=True)
        slow |= not within
    print(f"\n{time.process_time() - started:.0f} s of CPU, without the boards'")
    sys.exit(1 if far or slow else 0)


if __name__ == "__main__":
    main()
