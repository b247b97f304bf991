"""What the gate's one test is worth: its errors, its power, and that what is printed decides.

Data sets of n items, on which a candidate is as good as its baseline, or worse by the margin, or by
more. Four kinds of verdicts:

*published*: two models of AlpacaEval 2's table, out of ``tasks/alpaca_eval/figures``, on n of the
805 instructions drawn with replacement; the two verdicts of an item change hands with probability
one half. *U-shaped*: both models' verdicts from Beta(0.15, 0.15), as judges give that are nearly
always sure. *rare losses*: equal on nearly all items, and on 4 % the one or the other has lost all.
*binary*: right or wrong, and 20 % of the items differ.

A candidate that is worse loses all that it had on items drawn at random, so that its mean falls by
so many points in expectation; of rare losses and of binary verdicts more items are lost.

*regression*: called although nothing changed, in families of 1, 3 and 10 independent tests with
Holm's levels. *false pass*: passed although it is worse by just the margin. *contradictions*: a
decision beside a bound that says otherwise. Beside each stands what the gate did before: the signs'
p-value (McNemar's exact one of right and wrong) and Student's t (Tango's bounds).

*covers*: both printed bounds hold the true difference, at 95 % each.

    python perf/gate_decisions.py                    # 2,000 data sets: about 15 minutes of one core
    python perf/gate_decisions.py --sets 200 --draws 499
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # many small products: threads only wait

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import binom, norm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.stats.gate_rule import decide
from judgebench.stats.paired_tests import (
    PairedTest,
    deciding_levels,
    paired_test,
    tango_bounds,
)
from perf.gate_rates import Verdicts, alpaca_eval, exchanged, mcnemar_worse

SEED = 20261128
ALPHA = 0.05
ITEMS = (5, 10, 20, 50, 100, 400, 1000)
MARGINS = (0.02, 0.05)
FAMILIES = (1, 3, 10)
FEW = 100
SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)

Floats = NDArray[np.float64]
Drawn = Callable[[int, float, np.random.Generator], Floats]
"""The differences of n items, for a candidate that is worse by so much."""


@dataclass(frozen=True)
class Published:
    table: Verdicts

    def __call__(self, n: int, drop: float, generator: np.random.Generator) -> Floats:
        while True:
            one, other = self.table.two(generator)
            # of all items, of which those below are a sample: the drop is one of expectation
            mean = float(one.mean() + other.mean()) / 2.0
            if mean > 2.0 * drop:  # a model that wins less has not so much to lose
                break
        items = generator.integers(0, len(one), n)
        baseline, candidate = exchanged(one[items], other[items], generator)
        struck = generator.random(n) < drop / mean
        return np.asarray(np.where(struck, 0.0, candidate) - baseline)


def u_shaped(n: int, drop: float, generator: np.random.Generator) -> Floats:
    baseline, candidate = generator.beta(0.15, 0.15, (2, n))
    struck = generator.random(n) < 2.0 * drop
    return np.asarray(np.where(struck, 0.0, candidate) - baseline)


def rare_losses(n: int, drop: float, generator: np.random.Generator) -> Floats:
    return _won_and_lost(n, 0.02, 0.02 + drop, generator) * 0.9


def binary(n: int, drop: float, generator: np.random.Generator) -> Floats:
    return _won_and_lost(n, 0.1 - drop / 2.0, 0.1 + drop / 2.0, generator)


def _won_and_lost(n: int, won: float, lost: float, generator: np.random.Generator) -> Floats:
    u = generator.random(n)
    return np.asarray((u < won).astype(float) - (u > 1.0 - lost))


def truth(name: str, drop: float) -> float:
    """The true difference."""
    return -drop * (0.9 if name == "rare losses" else 1.0)


@dataclass(frozen=True)
class Before:
    """What the gate made of the same data before."""

    p_worse: float
    low: float
    high: float


def before(d: Floats, test: PairedTest) -> Before:
    if test.binary:
        won, lost = int((d == 1.0).sum()), int((d == -1.0).sum())
        return Before(mcnemar_worse(won, lost), *tango_bounds(won, lost, len(d), alpha=ALPHA))
    half = -float(stdtrit(len(d) - 1, ALPHA)) * test.spread / math.sqrt(len(d))
    return Before(test.p_worse, test.difference - half, test.difference + half)


def data_sets(
    drawn: Drawn, name: str, n: int, drop: float, sets: int, draws: int
) -> list[tuple[PairedTest, Before]]:
    generator = np.random.default_rng([SEED, *name.encode(), n, round(1000 * drop)])
    found = []
    for number in range(sets):
        d = drawn(n, drop, generator)
        test = paired_test(
            d, alpha=ALPHA, width=1.0, seed=number, finest=ALPHA / max(FAMILIES), draws=draws
        )
        found.append((test, before(d, test)))
    return found


def families(tests: list[PairedTest], size: int, margin: float = 2.0) -> tuple[float, int]:
    """How often any of a family is called, and decisions beside a bound that says otherwise."""
    called = against = 0
    groups = len(tests) // size
    for group in range(groups):
        its = tests[group * size : (group + 1) * size]
        levels = deciding_levels([test.p_worse for test in its], alpha=ALPHA)
        said = []
        for test, level in zip(its, levels, strict=True):
            low, high = test.passing(ALPHA), test.bounds(level)[1]
            said.append(decide(low, high, margin=margin, units=test.units))
            # the p-value says the same as the bound at this level
            against += (test.p_worse <= level) != (high < 0.0)
        called += "regression" in said
    return called / groups, against


def lines(drawn: Drawn, name: str, sets: int, draws: int) -> None:
    for n in ITEMS:
        # families of ten need them, and they cost little
        many = sets * (4 if n <= FEW or drawn is binary else 1)
        equal = data_sets(drawn, name, n, 0.0, many, draws)
        tests = [test for test, _ in equal]
        # nothing passes at a margin below every bound, so that all calls are seen
        rates = [families(tests, size, margin=-math.inf) for size in FAMILIES]
        said = " ".join(f"{100 * rate:6.2f}" for rate, _ in rates)
        against = sum(found for _, found in rates)
        old_calls = [one for _, one in equal if one.p_worse <= ALPHA]
        old_against = sum(one.high >= 0.0 for one in old_calls)
        share = 100 * old_against / len(old_calls) if old_calls else math.nan
        covered = np.mean([t.low <= 0.0 <= t.high for t in tests])
        cells = []
        for margin in MARGINS:
            worse = data_sets(drawn, name, n, margin, sets, draws)
            at = -truth(name, margin)
            passed = np.mean(
                [decide(t.low, t.high, margin=at, units=n) == "pass" for t, _ in worse]
            )
            old_passed = np.mean([one.low > -at for _, one in worse])
            power = np.mean([t.high < 0.0 and n >= 10 for t, _ in worse])
            old_power = np.mean([one.p_worse <= ALPHA for _, one in worse])
            held = np.mean([t.low <= -at <= t.high for t, _ in worse])
            cells.append(
                f"{100 * passed:6.2f} ({100 * old_passed:5.1f}) {100 * power:6.1f} "
                f"({100 * old_power:5.1f}) {100 * held:6.1f}"
            )
        print(
            f"{name:12s} {n:5d} {said} ({100 * len(old_calls) / many:5.2f}) {against:4d} "
            f"({share:5.1f} %) {100 * covered:6.1f} | {' | '.join(cells)}",
            flush=True,
        )


def exactly(n: int, share: float, size: int) -> float:
    """How often the score test calls any of a family where nothing changed: over all tables."""
    differing = np.arange(1, n + 1)
    level = ALPHA / size  # of Holm's first step, without which none is called
    fewest = np.ceil((differing + norm.isf(level) * np.sqrt(differing)) / 2.0)
    chance = binom.pmf(differing, n, share) * binom.sf(fewest - 1, differing, 0.5)
    return float(1.0 - (1.0 - chance.sum()) ** size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=4999)
    options = parser.parse_args()
    began = time.process_time()
    kinds: dict[str, Drawn] = {
        "published": Published(alpaca_eval()),
        "U-shaped": u_shaped,
        "rare losses": rare_losses,
        "binary": binary,
    }
    error = 100 * math.sqrt(ALPHA * (1 - ALPHA) / options.sets)
    print(f"The gate's test at alpha {ALPHA}: in %, in brackets what it did before")
    print(f"{options.sets} data sets a cell, {options.draws} draws of signs, seed {SEED}")
    print(f"one standard error of 5 %: {error:.1f}; of families of 10: {error * math.sqrt(10):.1f}")
    print(
        f"to {FEW} items, and of binary, four times as many where nothing changed: {error / 2:.2f}"
    )
    print("nothing changed: called in families of 1, 3 and 10 tests (before: of 1); contradictions")
    print("of p and bound (before: of the calls, those beside a bound of 0 or more); covers 0")
    for margin in MARGINS:
        print(f"then, worse by {100 * margin:g} points: passes at that margin, is called, covers")
    print(f"{'':12s} {'items':>5s} {'1':>6s} {'3':>6s} {'10':>6s}")
    for name, drawn in kinds.items():
        lines(drawn, name, options.sets, options.draws)
    print(
        "\nbinary verdicts, exactly: called in families of 1, 3 and 10, by the share that differs"
    )
    for n in ITEMS[1:]:
        rates = [f"{100 * exactly(n, share, size):6.2f}" for share in SHARES for size in FAMILIES]
        cells = [" ".join(rates[at : at + 3]) for at in range(0, len(rates), 3)]
        print(f"{n:6d} " + " | ".join(f"{s:.0%} {c}" for s, c in zip(SHARES, cells, strict=True)))
    print(f"\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
