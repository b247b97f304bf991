"""How often the gate is wrong about an unchanged model, and how often it finds a real drop.

Nights on real verdicts: AlpacaEval 2's preferences (805 instructions) and the labels of TriviaQA
judging (400 questions), out of ``tasks/*/figures``. A night takes two models of each table as
baseline and candidate.

*Nothing changed*: the two verdicts of each item are exchanged with probability one half, so that
both models are as good whatever the verdicts are. A regression is a false alarm; beside the gate
stands the rule of thumb "worse by more than a point".

*A drop*: such a candidate loses all that it had on items drawn at random, so that its mean falls by
so many points in expectation, as the mean of a model that has become worse does. How often that is
called is held against what `judgebench plan` promises, by the same function, from the spread of the
pair before the drop; beside it what a normal distribution would promise.

*Right or wrong*: the score test, which the gate makes, beside McNemar's exact test, which it made
before, and its mid-p variant, on nights without a change and with a drop.

    python perf/gate_rates.py                # 2,000 nights: about five minutes of one core
    python perf/gate_rates.py --nights 200
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet
from scipy.stats import binom

from judgebench.stats.gate_rule import Decision, decide, power_to_detect
from judgebench.stats.paired_tests import (
    PairedTest,
    deciding_levels,
    paired_test,
    score_worse,
)

TASKS = Path(__file__).resolve().parents[1] / "tasks"
SEED = 20261126
ALPHA = 0.05
MARGIN = 0.01
DROPS = (0.01, 0.02, 0.03, 0.04, 0.05)

Floats = NDArray[np.float64]


def mcnemar_worse(won: int, lost: int) -> float:
    """McNemar's exact test, one-sided: the chance of so many losses among what differs [1]_.

    What the gate decided right and wrong by before.

    Parameters
    ----------
    won, lost : int
        Items that only the candidate has right, and only the baseline.

    Returns
    -------
    float
        1 where nothing differs.

    References
    ----------
    .. [1] Q. McNemar (1947), Note on the sampling error of the difference between correlated
       proportions or percentages, Psychometrika 12(2), 153-157.
    """
    return float(binom.sf(lost - 1, won + lost, 0.5))


@dataclass(frozen=True)
class Verdicts:
    """A table of verdicts, models by items, in [0, 1]; nan where there is none."""

    name: str
    of: Floats

    def two(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Two models on the items that both have."""
        first, second = generator.choice(len(self.of), 2, replace=False)
        both = ~np.isnan(self.of[first]) & ~np.isnan(self.of[second])
        return self.of[first][both], self.of[second][both]


def alpaca_eval() -> Verdicts:
    rows = parquet.read_table(TASKS / "alpaca_eval" / "figures" / "verdicts.parquet").to_pylist()
    models = sorted({row["model"] for row in rows})
    table = np.full((len(models), 805), np.nan)
    for row in rows:
        table[models.index(row["model"]), row["index"]] = row["preference"] - 1.0
    constant = np.nanstd(table, axis=1) == 0.0  # the baseline against itself
    return Verdicts("win_rate, 805 instructions", table[~constant])


def trivia_judging() -> Verdicts:
    with (TASKS / "trivia_judging" / "figures" / "verdicts.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    models = sorted({row["exam_taker"] for row in rows})
    table = np.full((len(models), 400), np.nan)
    for row in rows:
        if row["human"] != "":
            table[models.index(row["exam_taker"]), int(row["question_id"])] = float(row["human"])
    return Verdicts("accuracy, 400 questions", table)


def exchanged(one: Floats, other: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Each item's verdicts change hands, or not."""
    swap = generator.random(len(one)) < 0.5
    return np.where(swap, other, one), np.where(swap, one, other)


def lowered(candidate: Floats, drop: float, generator: np.random.Generator) -> Floats:
    """Items drawn at random lose all that they had: in expectation the mean falls by ``drop``."""
    mean = float(candidate.mean())
    struck = generator.random(len(candidate)) < (drop / mean if mean > drop else 1.0)
    return np.where(struck, 0.0, candidate)


def night(tables: list[Verdicts], generator: np.random.Generator) -> list[PairedTest]:
    """The tests of one night."""
    tests = []
    for table in tables:
        baseline, candidate = exchanged(*table.two(generator), generator)
        seed = int(generator.integers(2**32))
        tests.append(paired_test(candidate - baseline, alpha=ALPHA, width=1.0, seed=seed))
    return tests


def decisions(
    tests: list[PairedTest], margin: float = MARGIN, alpha: float = ALPHA
) -> list[Decision]:
    levels = deciding_levels([test.p_worse for test in tests], alpha=alpha)
    return [
        decide(test.passing(alpha), test.bounds(level)[1], margin=margin, units=test.units)
        for test, level in zip(tests, levels, strict=True)
    ]


def unchanged(tables: list[Verdicts], nights: int) -> Iterator[str]:
    """False alarms over the whole policy, and of each table, beside the rule of a point."""
    generator = np.random.default_rng([SEED, 1])
    alarms, naive, passes = 0, 0, 0
    of_one = np.zeros((len(tables), 2))
    for _ in range(nights):
        tests = night(tables, generator)
        said = decisions(tests)
        alarms += "regression" in said
        passes += set(said) == {"pass"}
        points = [test.difference < -0.01 for test in tests]
        naive += any(points)
        of_one += [[s == "regression", p] for s, p in zip(said, points, strict=True)]
    error = math.sqrt(ALPHA * (1 - ALPHA) / nights)
    yield f"{'':34s} {'gate, regression':>18s} {'a point worse':>15s}"
    for table, (ours, theirs) in zip(tables, of_one / nights, strict=True):
        yield f"{table.name:34s} {100 * ours:18.2f} {100 * theirs:15.1f}"
    yield f"{'any of them':34s} {100 * alarms / nights:18.2f} {100 * naive / nights:15.1f}"
    yield (
        f"bound: alpha and two standard errors, {100 * (ALPHA + 2 * error):.2f}; "
        f"passed {100 * passes / nights:.1f}"
    )


def power(table: Verdicts, drop: float, nights: int) -> str:
    """How often a drop is called in a test of its own, and what was promised."""
    generator = np.random.default_rng([SEED, 2, round(1000 * drop)])
    called, promised, normal = 0, 0.0, 0.0
    binary = right_or_wrong(table)
    for _ in range(nights):
        baseline, candidate = exchanged(*table.two(generator), generator)
        worse = lowered(candidate, drop, generator) - baseline
        seed = int(generator.integers(2**32))
        called += paired_test(worse, alpha=ALPHA, width=1.0, seed=seed).high < 0.0
        before, n = float((candidate - baseline).std(ddof=1)), len(worse)
        right = float(candidate.mean() + baseline.mean()) / 2.0 if binary else None
        promised += power_to_detect(before, n, drop, alpha=ALPHA, right=right)
        normal += power_to_detect(before, n, drop, alpha=ALPHA)
    error = math.sqrt(called / nights * (1 - called / nights) / nights)
    return (
        f"{table.name:34s} {100 * drop:6.0f} {nights:7d} {100 * called / nights:10.1f} "
        f"{100 * error:6.1f} {100 * promised / nights:10.1f} {100 * normal / nights:8.1f}"
    )


def right_and_wrong(table: Verdicts, nights: int) -> Iterator[str]:
    """The score test, McNemar's exact test and its mid-p variant, called one-sided at alpha."""
    for drop in (0.0, *DROPS):
        generator = np.random.default_rng([SEED, 3, round(1000 * drop)])
        score = exact = mid = 0
        for _ in range(nights):
            baseline, candidate = exchanged(*table.two(generator), generator)
            d = (lowered(candidate, drop, generator) if drop else candidate) - baseline
            won, lost = int((d == 1.0).sum()), int((d == -1.0).sum())
            score += score_worse(won, lost) <= ALPHA
            p = mcnemar_worse(won, lost)
            exact += p <= ALPHA
            mid += p - 0.5 * binom.pmf(lost, won + lost, 0.5) <= ALPHA
        yield (
            f"{table.name:34s} {100 * drop:6.0f} {nights:7d} {100 * score / nights:10.2f} "
            f"{100 * exact / nights:10.2f} {100 * mid / nights:10.2f}"
        )


def right_or_wrong(table: Verdicts) -> bool:
    return bool(np.isin(table.of[~np.isnan(table.of)], (0.0, 1.0)).all())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=2000)
    options = parser.parse_args()
    tables = [alpaca_eval(), trivia_judging()]
    began = time.process_time()
    print(f"The gate at alpha {ALPHA}, a margin of {MARGIN}, Holm")
    print(f"{options.nights} nights, seed {SEED}")
    print("\nNothing changed: nights in %, on which a candidate is called worse")
    for line in unchanged(tables, options.nights):
        print(line, flush=True)
    print("\nA drop: called in %, beside what plan promises, and what a normal distribution would")
    print(f"{'':34s} {'points':>6s} {'nights':>7s} {'called':>10s} {'error':>6s} "
          f"{'promised':>10s} {'normal':>8s}")  # fmt: skip
    for table in tables:
        cheap = 10 if right_or_wrong(table) else 1
        for drop in DROPS:
            print(power(table, drop, cheap * options.nights), flush=True)
    print("\nRight or wrong, called in %")
    print(f"{'':34s} {'points':>6s} {'nights':>7s} {'score':>10s} {'exact':>10s} {'mid-p':>10s}")
    for table in filter(right_or_wrong, tables):
        for line in right_and_wrong(table, 10 * options.nights):
            print(line, flush=True)
    print(f"\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
