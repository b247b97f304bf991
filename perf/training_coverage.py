"""How often bands of checkpoints hold, and what the best of them is worth: a simulation.

Checkpoints answer the same items, rightly or wrongly; how alike they are is a normal part that all
share on an item (``rho`` of its variance). Their true accuracies are equal, or rise along the run.
Every draw of items goes the way of `judgebench.reports.training`: resampled, banded, picked.

    python perf/training_coverage.py                 # about ten minutes of one core
    python perf/training_coverage.py --trials 100 --sizes 800
    python perf/training_coverage.py --weighted      # of wins of which clear ones count three times
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import pseudo_values
from judgebench.metrics.shared_draws import SharedDraws
from judgebench.records import Estimate
from judgebench.stats.paired_tests import paired_test
from judgebench.stats.resample import Resamples, interval_of_share, quotient, wilson_interval
from judgebench.stats.winner import alpha_together

SEED, REPLICATES, LEVEL = 20261126, 1000, 0.95
SIZES, CHECKPOINTS, ALIKE = (50, 200), (5, 20), (0.3, 0.8)
CLEAR, OFTEN, LEAST = 3.0, 0.4, 10
"""What a clear win counts, how often one is clear, and of how many items of either kind a board's
interval takes."""
RISES = {"equal": (0.6, 0.6), "rising": (0.5, 0.65), "high": (0.97, 0.97)}

Floats = NDArray[np.float64]

LEGEND = f"""Checkpoints of a training run, right or wrong on the same items: {{trials}} draws of
items each, {REPLICATES} replicates, seed {SEED}; level {100 * LEVEL:g} %; all in %.

all hold: every checkpoint's interval holds its true accuracy, each alone (Wilson's) or in the band
diff: the interval of how far the last checkpoint is behind the best, one of all that are to hold at
  once, lies above that
best, plain: picked for its accuracy; how often it is said to be better than it is, and its interval
  holds; corrected: the same, then the interval as if accuracies lay on no grid, and how wide it is
  beside the plain one
"""

WEIGHED = f"""
In place of right and wrong: won and lost, in both games of each item, where {OFTEN:.0%} are clear
and count {CLEAR:g} times. Alone: the board's interval on the logit. Below {LEAST} items of either
kind there is none, nor one in the band: nothing is claimed that could be wrong. No grid: here how
often the best one had an interval, which what is said of its intervals is out of.
"""


@dataclass(slots=True)
class Held:
    """Of one setting, how often each thing was so."""

    alone: int = 0
    band: int = 0
    too_high: int = 0
    plain: int = 0
    corrected_too_high: int = 0
    corrected: int = 0
    off_grid: int = 0
    width: float = 0.0
    shown: int = 0
    worse: int = 0
    n: int = 0


def right_or_wrong(
    truth: Floats, n_items: int, rho: float, generator: np.random.Generator
) -> Floats:
    """Who is right on what, shape (items, checkpoints)."""
    bar = np.array([NormalDist().inv_cdf(p) for p in truth])
    shared = generator.standard_normal((n_items, 1))
    own = generator.standard_normal((n_items, len(truth)))
    return (math.sqrt(rho) * shared + math.sqrt(1.0 - rho) * own < bar).astype(np.float64)


def lined_up(right: Floats, seed: int) -> SharedDraws:
    """The checkpoints as a board has them."""
    n, k = right.shape
    (sums,) = Resamples(n, REPLICATES, seed=seed).sums([right])
    draws = sums / n
    ends = Intervals(level=LEVEL).ends(draws, None)
    return SharedDraws(
        metric="accuracy",
        models=tuple(f"{m:03d}" for m in range(k)),
        estimates=tuple(
            Estimate(
                value=float(draws[0, m]), low=float(ends.low[m]), high=float(ends.high[m]),
                n=n, units=n,
            )
            for m in range(k)
        ),
        draws=draws, step=1.0 / n, unit=1.0, shares=True, why_missing=("",) * k,
    )  # fmt: skip


def watch(held: Held, truth: Floats, right: Floats, seed: int) -> None:
    """One draw of items: what was said of it, and whether that was so."""
    line = lined_up(right, seed)
    value = line.draws[0]
    low, high = wilson_interval(value * len(right), len(right), level=LEVEL)
    held.alone += bool(((low <= truth) & (truth <= high)).all())
    _, ends = line.band(level=LEVEL)
    held.band += all(low <= p <= high for (low, high), p in zip(ends, truth, strict=True))
    found = line.best(level=LEVEL)
    p = truth[found.place]
    low, high = low[found.place], high[found.place]
    held.too_high += found.picked > p
    held.plain += low <= p <= high
    held.n += 1
    held.corrected_too_high += found.value > p
    held.corrected += found.low <= p <= found.high
    held.width += (found.high - found.low) / (high - low)
    held.shown += 1
    smooth = replace(line, step=0.0).best(level=LEVEL)
    held.off_grid += smooth.low <= p <= smooth.high
    if found.place < len(truth) - 1:
        differences = line.draws[:, :-1] - line.draws[:, -1:]
        alpha = alpha_together(differences, units=len(right), level=LEVEL)
        test = paired_test(right[:, found.place] - right[:, -1], alpha=alpha)
        held.worse += test.bounds(alpha)[0] > max(0.0, p - truth[-1])


def weighed(truth: Floats, n_items: int, rho: float, generator: np.random.Generator) -> Floats:
    """Won and weight of both games of an item, shape (items, checkpoints, 2).

    What wins by far in the first game often does so in the second.
    """
    bar = np.array([NormalDist().inv_cdf(p) for p in truth])
    shared = generator.standard_normal((n_items, 1))
    own = generator.standard_normal((n_items, len(truth)))
    by = bar - (math.sqrt(rho) * shared + math.sqrt(1.0 - rho) * own)
    found = np.zeros((*by.shape, 2))
    for _ in range(2):
        seen = by + 0.5 * generator.standard_normal(by.shape)
        weight = np.where(np.abs(seen) > NormalDist().inv_cdf(1.0 - OFTEN / 2.0), CLEAR, 1.0)
        found += np.stack([weight * (seen > 0.0), weight], axis=-1)
    return found


def watch_weighed(held: Held, truth: Floats, cells: Floats, seed: int) -> None:
    """As `watch`, of weighted win rates, whose own interval is on the logit."""
    n, k, _ = cells.shape
    (sums,) = Resamples(n, REPLICATES, seed=seed).sums([cells])
    draws = quotient(sums[..., 0], sums[..., 1])
    alone = [interval_of_share(*cells[:, m].T, level=LEVEL, least=LEAST) for m in range(k)]
    line = SharedDraws(
        metric="weighted_win_rate", models=tuple(f"{m:03d}" for m in range(k)),
        estimates=tuple(
            Estimate(value=float(draws[0, m]), low=low, high=high, n=n, units=n)
            for m, (low, high) in enumerate(alone)
        ),
        draws=draws, step=0.0, unit=1.0, shares=True, weighted=True, why_missing=("",) * k,
    )  # fmt: skip
    held.alone += not any(low > p or high < p for (low, high), p in zip(alone, truth, strict=True))
    ends = line.band(level=LEVEL)[1]
    held.band += not any(low > p or high < p for (low, high), p in zip(ends, truth, strict=True))
    found = line.best(level=LEVEL)
    p, (low, high) = truth[found.place], alone[found.place]
    held.too_high += found.picked > p
    held.n += 1
    if high > low:
        held.shown += 1
        held.plain += low <= p <= high
        held.corrected_too_high += found.value > p
        held.corrected += found.low <= p <= found.high
        held.width += (found.high - found.low) / (high - low)
    if found.place < k - 1:
        alpha = alpha_together(draws[:, :-1] - draws[:, -1:], units=n, level=LEVEL)
        values = pseudo_values(quotient(cells[..., 0], cells[..., 1]), cells[..., 1])
        test = paired_test(values[:, found.place] - values[:, -1], alpha=alpha)
        held.worse += test.bounds(alpha)[0] > max(0.0, p - truth[-1])


def simulate_weighed(n_items: int, truth: Floats, rho: float, trials: int) -> Held:
    generator = np.random.default_rng([SEED, 1, n_items, len(truth), round(10 * rho)])
    many = sum(weighed(truth, 200_000, rho, generator).sum(axis=0) for _ in range(10))
    held = Held()
    for trial in range(trials):
        cells = weighed(truth, n_items, rho, generator)
        watch_weighed(held, np.asarray(many[:, 0] / many[:, 1]), cells, trial)
    return held


def simulate(n_items: int, truth: Floats, rho: float, trials: int) -> Held:
    generator = np.random.default_rng([SEED, n_items, len(truth), round(10 * rho)])
    held = Held()
    for trial in range(trials):
        watch(held, truth, right_or_wrong(truth, n_items, rho, generator), trial)
    return held


def line(title: str, held: Held) -> str:
    known = held.shown or math.nan
    shares = (
        held.alone / held.n, held.band / held.n, held.worse / held.n, held.too_high / held.n,
        held.plain / known, held.corrected_too_high / known, held.corrected / known,
        (held.off_grid or held.shown) / held.n,
    )  # fmt: skip
    printed = "".join(f"{100 * share:9.1f}" for share in shares)
    return f"{title}{printed}{held.width / known:9.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="items")
    parser.add_argument("--weighted", action="store_true", help="of weighted win rates")
    options = parser.parse_args(arguments)
    measured = simulate_weighed if options.weighted else simulate
    print(LEGEND.format(trials=options.trials) + (WEIGHED if options.weighted else ""))
    heads = ("alone", "band", "diff", "high", "holds", "high", "holds", "no grid", "width")
    print(f"{'':34s}{'all hold':>18s}{'':9s}{'best, plain':>18s}{'corrected':>18s}")
    print(f"{'items':>5s} {'checkpoints':>11s} {'alike':>6s} {'truth':>8s} "
          + "".join(f"{head:>9s}" for head in heads))  # fmt: skip
    for n_items in options.sizes:
        for k in CHECKPOINTS:
            for rho in ALIKE:
                for name, (first, last) in RISES.items():
                    held = measured(n_items, np.linspace(first, last, k), rho, options.trials)
                    title = f"{n_items:5d} {k:11d} {rho:6.1f} {name:>8s} "
                    print(line(title, held), flush=True)


if __name__ == "__main__":
    main()
