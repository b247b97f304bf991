"""How soon a slow slide is seen from a fixed baseline on; how often an unchanged model is called.

A night is a new model's verdicts on the same items, ``s`` the standard deviation over items of what
two such nights differ by. The standard error of a night's difference to the stored baseline is then
100 s / √n points: 2.29 at s = 0.65 and 805 pairs.

*Slides* of so many points a night, from the first night on. Against the fixed baseline the
sequential test decides as the gate does: evidence of at least 1 / alpha, and a last level below the
baseline's. Beside it, in nights called of all nights, stands the gate of one night (alpha 5 %,
Student's t, which at 805 pairs is as good as signs flipped): against the night before, and against
a baseline that moves on to each night that passes with a drop of 2 or of 5.7 points allowed. Such
a baseline is a night that had luck, so nights after it are called more often than in 5 %.

*No slide*: made-up verdicts, and verdicts of published models, of which each item has that of one
model at random each night. *Kept* are answers that stay what they were the night before with that
probability. Beside the test stand two that are simpler: each night against the equally weighted
mean of all before it, and against the baseline taken for exact.

    python perf/slow_slides.py               # about five minutes of one core
    python perf/slow_slides.py --runs 100
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.stats.gate_rule import decide
from judgebench.stats.slide import ALPHA, Drops, slide, standardised
from perf.gate_rates import alpaca_eval, trivia_judging

SEED = 20261128
NIGHTS = 60
ITEMS, S = 805, 0.65
POINTS = (0.0, 0.033, 0.1, 0.2, 0.5, 1.0)
MARGINS = (0.0, 0.02, 0.057)
WANTED = {0.2: 19, 0.5: 10, 1.0: 7}

Floats = NDArray[np.float64]
Making = Callable[[np.random.Generator], Floats]


def normal(n: int, s: float, points: float = 0.0, after: int = 0) -> Making:
    """Verdicts with normal noise; nights fall by so many points each, after some that do not."""
    fallen = points / 100.0 * np.maximum(np.arange(NIGHTS + 1) - after, 0)[:, None]
    return lambda g: g.standard_normal((NIGHTS + 1, n)) * s / math.sqrt(2.0) - fallen


def right_or_wrong(n: int, a: float, b: float, kept: float = 0.0) -> Making:
    """Each item is right with a probability of its own, drawn from a beta distribution."""

    def make(g: np.random.Generator) -> Floats:
        right = g.beta(a, b, n)
        found = (g.random((NIGHTS + 1, n)) < right).astype(np.float64)
        for night in range(1, NIGHTS + 1):
            found[night] = np.where(g.random(n) < kept, found[night - 1], found[night])
        return found

    return make


def u_shaped(n: int) -> Making:
    """Preferences near 0 and near 1."""

    def make(g: np.random.Generator) -> Floats:
        liked = g.beta(0.5, 0.5, n)
        return g.beta(2.0 * liked + 1e-3, 2.0 * (1.0 - liked) + 1e-3, (NIGHTS + 1, n))

    return make


def apart(n: int) -> Making:
    """Nights that are alike, and a baseline that is another model."""

    def make(g: np.random.Generator) -> Floats:
        found = g.random(n) + 0.1 * g.standard_normal((NIGHTS + 1, n))
        found[0] += 0.5 * g.standard_normal(n)
        return found

    return make


def published(table: Floats, kept: float = 0.0) -> Making:
    """Each item's verdict on one of the models, drawn each night, or kept."""
    table = table[:, ~np.isnan(table).any(axis=0)]

    def make(g: np.random.Generator) -> Floats:
        found = np.take_along_axis(
            table, g.integers(0, len(table), (NIGHTS + 1, table.shape[1])), 0
        )
        for night in range(1, NIGHTS + 1):
            found[night] = np.where(g.random(table.shape[1]) < kept, found[night - 1], found[night])
        return found

    return make


def lacking(make: Making, share: float) -> Making:
    """So many of the nights' verdicts are missing."""

    def lack(g: np.random.Generator) -> Floats:
        found = make(g)
        found[1:][g.random(found[1:].shape) < share] = np.nan
        return found

    return lack


def called(values: Floats) -> int | None:
    """The first night, from 1 on, on which the gate calls a slide; None for none."""
    found = slide(values)
    for night, evidence in enumerate(found.e_values, start=1):
        if evidence >= 1.0 / ALPHA and slide(values[: night + 1]).called(1.0 / ALPHA):
            return night
    return None


def called_simply(values: Floats, *, exact: bool) -> bool:
    """Against the equally weighted mean of all before, or against the baseline taken for exact."""
    drops = Drops(len(values) - 1)
    counts = np.ones(values.shape[1])
    before, n = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for at, night in enumerate(values):
        if at:
            weights = np.append(np.eye(1, at)[0] if exact else np.full(at, 1.0 / at), -1.0)
            reference = values[0] if exact else before / np.maximum(n, 1.0)
            z = standardised(reference - night, counts, 1.0)
            own = np.append(np.zeros(at), 1.0) if exact else -weights
            drops.see(z, own / math.sqrt(float(weights @ weights)))
            if drops.e_value >= 1.0 / ALPHA:
                return True
        there = ~np.isnan(night)
        before += np.where(there, night, 0.0)
        n += there
    return False


def moving(values: Floats, margin: float) -> int:
    """The nights that a gate calls whose baseline is the last that passed, or the night before."""
    baseline, calls = values[0], 0
    n = values.shape[1]
    for night in values[1:]:
        d = night - baseline
        error = float(d.std(ddof=1)) / math.sqrt(n)
        to_either_side = float(stdtrit(n - 1, 1.0 - ALPHA)) * error
        low, high = d.mean() - to_either_side, d.mean() + to_either_side
        said = decide(low, high, margin=margin, units=n) if margin else ""
        calls += said == "regression" or (not margin and bool(high <= 0.0))
        if said == "pass" or not margin:
            baseline = night
    return calls


def percent(found: float, runs: int) -> str:
    return f"{100 * found:.1f}±{100 * math.sqrt(max(found * (1 - found), 0.25 / runs) / runs):.1f}"


def summary(first: list[int | None]) -> tuple[str, str]:
    """The share of runs that were called, and the median night, those never called the last."""
    nights = sorted(math.inf if one is None else one for one in first)
    middle = nights[len(nights) // 2]
    share = sum(one is not None for one in first) / len(first)
    return percent(share, len(first)), "–" if math.isinf(middle) else f"{middle:.0f}"


def slides(runs: int, more: int) -> Iterator[str]:
    yield (
        f"{'':14s} {'fixed baseline':>31s} {'':8s} {'moving baseline, % of nights called':>50s}\n"
        f"{'points a night':>14s} {'runs':>6s} {'called, %':>11s} {'median night':>13s} "
        f"{'wanted':>7s} {'the night before':>17s} {'a pass at 2 points':>19s} {'at 5.7':>8s}"
    )
    for points in POINTS:
        generator = np.random.default_rng([SEED, 1, round(1000 * points)])
        make, n = normal(ITEMS, S, points), runs if points else more
        first, by_moving = [], []
        for run in range(n):
            values = make(generator)
            first.append(called(values))
            if run < runs:
                by_moving.append([moving(values, margin) for margin in MARGINS])
        share, median = summary(first)
        moved = 100 * np.mean(by_moving, axis=0) / NIGHTS
        wanted = f"≤ {WANTED[points]}" if points in WANTED else ""
        yield (
            f"{points:14.3f} {n:6d} {share:>11s} {median:>13s} {wanted:>7s} "
            f"{moved[0]:17.1f} {moved[1]:19.1f} {moved[2]:8.1f}"
        )


def kinds() -> Iterator[tuple[str, Making]]:
    preferences = alpaca_eval().of
    strong = preferences[np.argsort(-np.nanmean(preferences, axis=1))[:5]]
    yield f"normal, s {S}, {ITEMS} pairs", normal(ITEMS, S)
    yield "AlpacaEval, five strong models", published(strong)
    yield "AlpacaEval, all models", published(preferences)
    yield "TriviaQA labels, all models", published(trivia_judging().of)
    yield "U-shaped, 100 items", u_shaped(100)
    yield "U-shaped, 20 items", u_shaped(20)
    yield "right or wrong, 5 % right, 48 items", right_or_wrong(48, 0.5, 9.5)
    yield "right or wrong, 95 % right, 48 items", right_or_wrong(48, 9.5, 0.5)
    yield "right or wrong, 95 % right, 400 items", right_or_wrong(400, 9.5, 0.5)
    yield "a fifth of verdicts missing, 400 items", lacking(right_or_wrong(400, 1, 1), 0.2)
    yield "a baseline that is another model, 400", apart(400)
    for kept in (0.5, 0.9, 0.98):
        yield f"kept {kept}, right or wrong, 400 items", right_or_wrong(400, 1, 1, kept)
    yield "kept 0.9, AlpacaEval, five strong models", published(strong, 0.9)
    yield "kept 0.9, right or wrong, 48 items", right_or_wrong(48, 1, 1, 0.9)


def alarms(runs: int) -> Iterator[str]:
    yield f"{'':42s} {'the test, %':>12s} {'mean of all, %':>15s} {'taken for exact, %':>19s}"
    for number, (name, make) in enumerate(kinds()):
        generator = np.random.default_rng([SEED, 2, number])
        found = np.zeros(3)
        for _ in range(runs):
            values = make(generator)
            found += [
                called(values) is not None,
                called_simply(values, exact=False),
                called_simply(values, exact=True),
            ]
        said = [percent(one, runs) for one in found / runs]
        yield f"{name:42s} {said[0]:>12s} {said[1]:>15s} {said[2]:>19s}"


def late_slides(runs: int) -> Iterator[str]:
    """Slides that begin after some nights without one."""
    yield f"{'quiet nights':>14s} {'points a night':>14s} {'called, %':>12s} {'median night':>13s}"
    for quiet in (10, 30):
        for points in (0.2, 0.5, 1.0):
            generator = np.random.default_rng([SEED, 4, quiet, round(1000 * points)])
            make = normal(ITEMS, S, points, quiet)
            share, median = summary([called(make(generator)) for _ in range(runs)])
            yield f"{quiet:14d} {points:14.1f} {share:>12s} {median:>13s}"


def kept_slides(runs: int) -> Iterator[str]:
    """Items drawn at random are lost for ever; the others are kept as they were, or drawn anew."""
    yield f"{'':20s} {'points a night':>14s} {'called, %':>12s} {'median night':>13s}"
    for kept in (0.5, 0.9, 0.98):
        for points in (0.1, 0.2, 0.5, 1.0):
            generator = np.random.default_rng([SEED, 3, round(100 * kept), round(1000 * points)])
            make = right_or_wrong(ITEMS, 1, 1, kept)
            first = []
            for _ in range(runs):
                values = make(generator)
                lost = points / 100.0 / values.mean() * np.arange(NIGHTS + 1)[:, None]
                first.append(called(np.where(generator.random(ITEMS) < lost, 0.0, values)))
            share, median = summary(first)
            yield f"{f'kept {kept}':20s} {points:14.1f} {share:>12s} {median:>13s}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    runs = options.runs
    began = time.process_time()
    print(f"A slide seen within {NIGHTS} nights, at alpha {ALPHA} over all of them; seed {SEED}")
    print("± one Monte-Carlo standard error")
    print(f"\nSlides: normal noise, s {S}, {ITEMS} pairs, spreads estimated from the items")
    for line in slides(max(1, runs * 2 // 5), 3 * runs):
        print(line, flush=True)
    print(f"\nNo slide: called within {NIGHTS} nights, {runs} runs each")
    for line in alarms(runs):
        print(line, flush=True)
    print(f"\nSlides where answers are kept: right or wrong, {ITEMS} items, {runs // 10} runs each")
    for line in kept_slides(max(1, runs // 10)):
        print(line, flush=True)
    print(f"\nSlides after quiet nights: normal noise, {ITEMS} pairs, {runs // 10} runs each")
    for line in late_slides(max(1, runs // 10)):
        print(line, flush=True)
    print(f"\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
