"""How often two judges are told apart that do not differ, and how often intervals hold the truth.

The verdicts published with "Judging the Judges" (arXiv 2406.12624): 11 judges and people on 9
models' answers to 400 questions, out of ``tasks/trivia_judging/figures``. A trial takes two judges
and draws questions with replacement, each with the verdicts of both judges and of people on all
models. `judgebench.stats.paired_bootstrap` then tests the difference of the judges' coefficients.

*Coverage*: the interval holds the difference of all 400 questions. *Size*: on each question drawn
the two judges exchange all their verdicts with probability one half, so that neither is better;
counted is how often p <= alpha. Beside it, of kappa pooled, stand percentiles of a bootstrap, which
agreement's other intervals are.

*Families*: the verdicts of 6 or 11 judges change hands at random on every question, so that no two
differ. With 6 every pair is tested, with 11 each against the one whose kappa is highest; counted is
how often any pair is told apart. Beside Holm's method over all pairs there are stands what would
come of one that counts only the pairs that are shown.

Coefficients: Cohen's kappa of labels pooled over models, its mean over models (macro), and on one
model; kappa of comparisons with ties, made of the labels of two models (the one right and the other
wrong wins); and the mean over questions of Spearman's correlation among the answers to one.

    python perf/judge_pairs.py                 # about four minutes of one core
    python perf/judge_pairs.py --trials 4
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from judgebench.stats.agreement import coefficient
from judgebench.stats.paired_bootstrap import paired_jackknife
from judgebench.stats.paired_tests import PairedTest, holm
from judgebench.stats.rank_correlation import sample_contributions
from judgebench.stats.resample import multinomial_weights, percentile_interval, weighted_sums

VERDICTS = Path(__file__).resolve().parents[1] / "tasks/trivia_judging/figures/verdicts.csv"
SEED = 20261128
SIZES = (30, 50, 100, 200, 400)
ALPHAS = (0.05, 0.01)
REPLICATES = 200
SPEARMAN = 1

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Of = Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class Judges:
    """Labels, judges by questions by models, with those of people; -1 is none."""

    names: tuple[str, ...]
    said: Codes
    people: Codes

    def common(self, *judges: int) -> NDArray[np.bool_]:
        """Answers with a label of all of these and of people."""
        known = np.vstack((self.said[list(judges)], self.people[np.newaxis])) >= 0
        return np.asarray(known.all(axis=0))


def published() -> Judges:
    with VERDICTS.open() as stream:
        rows = list(csv.DictReader(stream))
    names = tuple(n for n in rows[0] if n not in ("exam_taker", "question_id", "human"))
    models = sorted({row["exam_taker"] for row in rows})
    table = np.full((len(names) + 1, 400, len(models)), -1, dtype=np.int64)
    for row in rows:
        at = int(row["question_id"]), models.index(row["exam_taker"])
        for judge, name in enumerate((*names, "human")):
            if row[name] != "":
                table[(judge, *at)] = int(float(row[name]))
    return Judges(names, table[:-1], table[-1])


def tables(first: Codes, second: Codes, known: NDArray[np.bool_], n_labels: int) -> Floats:
    """What each question adds to each model's table: shape (questions, models, labels, labels)."""
    found = np.zeros((*first.shape, n_labels * n_labels))
    at = np.nonzero(known)
    found[(*at, (first * n_labels + second)[known])] = 1.0
    return found.reshape(*first.shape, n_labels, n_labels)


def kappa(sums: Floats) -> Floats:
    return coefficient("cohen_kappa", sums)


def macro(sums: Floats) -> Floats:
    there = sums.sum(axis=(0, 2, 3)) > 0
    return np.asarray(kappa(sums[:, there]).mean(axis=1))


def mean(sums: Floats) -> Floats:
    found = np.full(len(sums), math.nan)
    np.divide(sums[:, 0], sums[:, 1], out=found, where=sums[:, 1] > 0)
    return found


Two = tuple[Floats, Floats]
"""What each question adds to the sums of either judge."""


def pooled(judges: Judges, a: int, b: int) -> list[Two]:
    ((first, second),) = by_model(judges, a, b)
    return [(first.sum(axis=1), second.sum(axis=1))]


def by_model(judges: Judges, a: int, b: int) -> list[Two]:
    known = judges.common(a, b)
    first, second = (tables(judges.said[one], judges.people, known, 2) for one in (a, b))
    return [(first, second)]


def each_model(judges: Judges, a: int, b: int) -> list[Two]:
    ((first, second),) = by_model(judges, a, b)
    return [(first[:, model], second[:, model]) for model in range(first.shape[1])]


def comparisons(judges: Judges, a: int, b: int) -> list[Two]:
    """Each two models that follow each other, right or wrong: lost, tied, won."""
    known, found = judges.common(a, b), []
    for one, other in pairwise(range(known.shape[1])):

        def outcome(said: Codes, one: int = one, other: int = other) -> Codes:
            return 1 + said[:, [one]] - said[:, [other]]

        both = known[:, [one]] & known[:, [other]]
        first, second = (
            tables(outcome(judges.said[j]), outcome(judges.people), both, 3)[:, 0] for j in (a, b)
        )
        found.append((first, second))
    return found


def correlations(judges: Judges, a: int, b: int) -> list[Two]:
    """Of the answers to a question, where both judges and people tell them apart."""
    known = judges.common(a, b)
    question = np.broadcast_to(np.arange(len(known))[:, np.newaxis], known.shape)
    first, second = (
        sample_contributions(
            np.where(known, judges.said[one], math.nan).ravel(),
            np.where(known, judges.people, math.nan).ravel(),
            question.ravel(),
        )[:, SPEARMAN]
        for one in (a, b)
    )
    both = (first[:, 1] > 0) & (second[:, 1] > 0)
    return [(first * both[:, np.newaxis], second * both[:, np.newaxis])]


KINDS: dict[str, tuple[Callable[[Judges, int, int], list[Two]], Of]] = {
    "kappa, pooled": (pooled, kappa),
    "kappa, macro": (by_model, macro),
    "kappa, one model": (each_model, kappa),
    "kappa, comparisons": (comparisons, kappa),
    "Spearman, one question": (correlations, mean),
}


def drawn(two: Two, n: int, generator: np.random.Generator, *, exchange: bool) -> Two:
    """Questions drawn with replacement, perhaps with the judges' verdicts exchanged."""
    at = generator.integers(0, len(two[0]), n)
    first, second = two[0][at], two[1][at]
    if not exchange:
        return first, second
    swap = (generator.random(n) < 0.5).reshape(n, *(1,) * (first.ndim - 1))
    return np.where(swap, second, first), np.where(swap, first, second)


def percentiles(two: Two, of: Of, seed: int) -> tuple[float, float]:
    """The 95 % interval of a paired bootstrap."""
    weights = multinomial_weights(len(two[0]), REPLICATES, seed=seed)
    replicates = of(weighted_sums(weights, two[0])) - of(weighted_sums(weights, two[1]))
    low, high = percentile_interval(replicates)
    return float(low), float(high)


@dataclass
class Tally:
    """Of the trials of one cell."""

    tested: int = 0
    asked: int = 0
    held: NDArray[np.int64] | None = None
    width: float = 0.0
    beside: int = 0
    with_beside: int = 0

    def add(self, one: PairedTest, truth: float) -> None:
        self.asked += 1
        if math.isnan(one.p_worse):
            return
        self.tested += 1
        ends = [one.bounds(alpha / 2.0) for alpha in ALPHAS]
        found = np.array([low <= truth <= high for low, high in ends], dtype=np.int64)
        self.held = found if self.held is None else self.held + found
        self.width += ends[0][1] - ends[0][0]


@cache
def contributions(judges: Judges, kind: str, a: int, b: int) -> list[Two]:
    return KINDS[kind][0](judges, a, b)


def cell(judges: Judges, kind: str, n: int, trials: int, *, exchange: bool) -> dict[str, Tally]:
    """Of all pairs of judges, and of those that each judge has part in."""
    of = KINDS[kind][1]
    generator = np.random.default_rng([SEED, n, int(exchange), len(kind)])
    found = {name: Tally() for name in ("all", *judges.names)}
    for a, b in combinations(range(len(judges.names)), 2):
        populations = contributions(judges, kind, a, b)
        for trial in range(trials):
            two = populations[trial % len(populations)]
            whole = [float(of(one.sum(axis=0, keepdims=True))[0]) for one in two]
            truth = 0.0 if exchange else whole[0] - whole[1]
            if math.isnan(truth):
                continue
            sample = drawn(two, n, generator, exchange=exchange)
            one = paired_jackknife(*sample, of)
            for name in ("all", judges.names[a], judges.names[b]):
                found[name].add(one, truth)
            if kind == "kappa, pooled" and not math.isnan(one.p_worse):
                low, high = percentiles(sample, of, int(generator.integers(2**32)))
                found["all"].beside += low <= truth <= high
                found["all"].with_beside += 1
    return found


def line(kind: str, n: int, found: dict[str, Tally], *, size: bool) -> str:
    whole = found["all"]
    if whole.held is None:
        return f"{kind:24s} {n:5d} {0:7d} {0.0:8.1f}"
    shares = 100.0 * whole.held / whole.tested
    by_judge = [
        100.0 * t.held[0] / t.tested for name, t in found.items()
        if name != "all" and t.held is not None and t.tested >= 0.5 * t.asked
    ]  # fmt: skip
    worst = min(by_judge, default=math.nan)
    if size:
        shares, worst = 100.0 - shares, 100.0 - worst
    beside = ""
    if whole.with_beside:
        share = 100.0 * whole.beside / whole.with_beside
        beside = f"{100.0 - share if size else share:10.1f}"
    error = 100.0 * math.sqrt(0.05 * 0.95 / whole.tested)
    return (
        f"{kind:24s} {n:5d} {whole.tested:7d} {100 * whole.tested / whole.asked:8.1f} "
        f"{shares[0]:8.1f} {error:6.1f} {worst:8.1f} {shares[1]:8.1f} "
        f"{whole.width / whole.tested:8.3f}{beside}"
    )


def families(judges: Judges, n: int, trials: int) -> Iterator[str]:
    """How often any two of several equal judges are told apart, at a family-wise 5 %."""
    full = [j for j in range(len(judges.names)) if (judges.said[j] >= 0).mean() > 0.97]
    generator = np.random.default_rng([SEED, n, 7])
    known = judges.common(*full)
    of_judge = np.stack([tables(judges.said[j], judges.people, known, 2) for j in full])
    together = of_judge.sum(axis=2)  # judges, questions, labels, labels
    alarms = np.zeros((2, 2), dtype=np.int64)
    counts = (6, len(full))
    for _ in range(trials):
        for family, n_judges in enumerate(counts):
            who = generator.permuted(np.tile(np.arange(len(full)), (n, 1)), axis=1)[:, :n_judges]
            at = generator.integers(0, together.shape[1], n)
            said = together[who.T, at]
            best = int(kappa(said.sum(axis=1)).argmax())
            every = list(combinations(range(n_judges), 2))
            pairs = every if family == 0 else [pair for pair in every if best in pair]
            p = [paired_jackknife(said[i], said[j], kappa).p_differs for i, j in pairs]
            for rule, m in enumerate((len(every), None)):
                alarms[family, rule] += any(one <= 0.05 for one in holm(p, of=m))
    for family, n_judges in enumerate(counts):
        said_of = "all pairs" if family == 0 else "against the best"
        shares = 100.0 * alarms[family] / trials
        yield (
            f"{n_judges:3d} judges, {said_of:18s} {n:5d} {trials:7d} {shares[0]:8.1f} "
            f"{shares[1]:12.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40, help="of each two of 11 judges")
    options = parser.parse_args()
    began = time.process_time()
    judges = published()
    print("Two judges against people: the paired jackknife of the difference of their coefficients")
    print(f"{options.trials} trials of each two of {len(judges.names)} judges, seed {SEED}")
    heads = f"{'':24s} {'items':>5s} {'tests':>7s} {'tested %':>8s}"
    for exchange, title, at in (
        (False, "Coverage in %: the interval holds the difference of all 400 questions", "95 %"),
        (True, "Size in %: the judges' verdicts exchanged at random, question by question", "5 %"),
    ):
        other = "1 %" if exchange else "99 %"
        print(f"\n{title}")
        print(f"{heads} {at:>8s} {'error':>6s} {'worst':>8s} {other:>8s} {'width':>8s} percentile")
        for kind in KINDS:
            for n in SIZES:
                found = cell(judges, kind, n, options.trials, exchange=exchange)
                print(line(kind, n, found, size=exchange), flush=True)
    print("\nworst: of the judge whose pairs fare worst; width: of 95 % intervals")
    print("\nFamilies in %: any two of several judges told apart that do not differ, at 5 %")
    print(f"{'':31s} {'items':>5s} {'trials':>7s} {'Holm':>8s} {'shown pairs':>12s}")
    for n in (50, 400):
        for said in families(judges, n, 10 * options.trials):
            print(said, flush=True)
    print(f"\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
