"""How often the gate is wrong about an unchanged model, by metrics that are no mean over items.

Nights as in `gate_rates.py`: what two models have of each item changes hands with probability one
half, so that both are as good whatever the items are, and a candidate that is called worse is a
false alarm.

*Length-controlled win rates*: AlpacaEval 2's verdicts and lengths, out of
``tasks/alpaca_eval/figures``, with the recovered calibration. A verdict and the length of the
answer that it is about change hands together: exchanging verdicts alone would leave each model its
lengths, and a model of long answers would be another model than one of short ones. The plain win
rates of the very same nights, tested by signs, say how much of a rate is the luck of these nights.

*Confidences*: generated. Of an item both models have a difficulty in common; they are as often
right, and state their chance as it is (*calibrated*) or too high (*too sure*), in hundredths or in
twentieths. A confidence and its label change hands together.

Called worse is a p-value of alpha at most, whatever margin a gate bears. Beside it stands how often
the lower bound lies above zero: the same error on the other side.

*Worse by the margin*: the candidate states chances that are too high by 0.05 more than the
baseline's, or with more noise, and the margin is just what that costs in a million answers. A pass
is then an error of the gate, which the lower bound keeps at alpha where it is a bound of what it is
taken for.

    python perf/gate_rates_fitted.py                # 400 nights: some minutes of one core
    python perf/gate_rates_fitted.py --nights 100
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # many small products: threads only wait

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

from judgebench.metrics.confidence import statistics
from judgebench.metrics.length_controlled import PARAMETERS
from judgebench.reports.length_calibrations import read_recovered
from judgebench.stats.length_control import exact, replicates
from judgebench.stats.paired_bootstrap import bootstrap_test
from judgebench.stats.paired_tests import PairedTest, paired_test
from judgebench.stats.resample import multinomial_weights

FIGURES = Path(__file__).resolve().parents[1] / "tasks" / "alpaca_eval" / "figures"
SEED = 20261126
ALPHA = 0.05
NAMES = {"ece": "ece_plug_in"}
"""The statistics that metrics are tested by, where they are called otherwise."""
REPLICATES = 1000

Floats = NDArray[np.float64]
Night = Callable[[np.random.Generator], PairedTest]


def exchanged(one: Floats, other: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """The items' columns change hands, or not; items along the last axis."""
    swap = generator.random(one.shape[-1]) < 0.5
    return np.where(swap, other, one), np.where(swap, one, other)


def alpaca_eval(n_items: int, *, controlled: bool) -> Night:
    """A night of so many of the 805 instructions, at equal length or of plain win rates."""
    calibration = read_recovered(FIGURES)
    rows = parquet.read_table(FIGURES / "verdicts.parquet").to_pylist()
    models = sorted({row["model"] for row in rows})
    table = np.full((len(models), 2, 805), np.nan)
    for row in rows:
        at = row["index"]
        table[models.index(row["model"]), :, at] = (
            row["preference"] - 1.0,
            calibration.baseline_length[at] - row["length"],
        )
    whole = ~np.isnan(table).any(axis=(1, 2)) & (table[:, 0].std(axis=1) > 0.0)
    table = table[whole]

    def night(generator: np.random.Generator) -> PairedTest:
        items = np.sort(generator.choice(805, n_items, replace=False))
        first, second = generator.choice(len(table), 2, replace=False)
        pair = exchanged(table[first][:, items], table[second][:, items], generator)
        y, difference = (np.stack([one[row] for one in pair]) for row in (0, 1))
        seed = int(generator.integers(2**32))
        if not controlled:
            return paired_test(y[0] - y[1], alpha=ALPHA, width=1.0, seed=seed)
        difficulty = calibration.difficulty[items]
        fits = [
            exact(y[m], difference[m], difficulty, anchors=calibration.anchors) for m in range(2)
        ]
        weights = multinomial_weights(n_items, REPLICATES, seed=seed)
        drawn = replicates(
            y, difference, difficulty, fits=fits, weights=weights, anchors=calibration.anchors
        )
        values = np.concatenate([[[fit.value for fit in fits]], drawn]) / 100.0
        return bootstrap_test(
            values[:, 0] - values[:, 1],
            units=n_items,
            alpha=ALPHA,
            n_parameters=PARAMETERS,
            width=1.0,
        )

    return night


@dataclass(frozen=True)
class Sure:
    """How a model states its chance of being right: too high, with noise, in so many steps."""

    too_high: float = 0.0
    noise: float = 0.0
    steps: int = 100

    def answers(self, ease: Floats, generator: np.random.Generator) -> Floats:
        """Confidence and correctness, shape (2, items)."""
        known = ease + generator.normal(0.0, 0.7, len(ease))
        chance = _sigmoid(known)
        stated = _sigmoid(known + self.noise * generator.normal(0.0, 1.0, len(ease)))
        stated = np.round(np.clip(stated + self.too_high, 0.0, 1.0) * self.steps) / self.steps
        return np.stack([stated, (generator.random(len(ease)) < chance).astype(float)])


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def confidences(metric: str, n_items: int, first: Sure, second: Sure | None = None) -> Night:
    """A night of so many questions: two alike that exchange answers, or two that differ."""
    sign = -1.0 if metric in ("ece", "brier") else 1.0

    def night(generator: np.random.Generator) -> PairedTest:
        ease = generator.normal(0.3, 1.0, n_items)
        pair = first.answers(ease, generator), (second or first).answers(ease, generator)
        if second is None:
            pair = exchanged(*pair, generator)
        seed = int(generator.integers(2**32))
        if metric == "brier":
            mine, theirs = (np.square(c - y) for c, y in pair)
            return paired_test(sign * (mine - theirs), alpha=ALPHA, width=1.0, seed=seed)
        of = [statistics(c, y)[NAMES.get(metric, metric)] for c, y in pair]
        weights = np.concatenate(
            [np.ones((1, n_items)), multinomial_weights(n_items, REPLICATES, seed=seed)]
        )
        return bootstrap_test(
            sign * (of[0](weights) - of[1](weights)),
            units=n_items,
            alpha=ALPHA,
            width=1.0,
            centred=metric == "ece",
        )

    return night


def cost(metric: str, candidate: Sure, baseline: Sure) -> float:
    """What the candidate loses, in a million answers."""
    generator = np.random.default_rng(SEED)
    ease = generator.normal(0.3, 1.0, 1_000_000)
    values = [
        float(
            statistics(*one.answers(ease, generator))[NAMES.get(metric, metric)](
                np.ones((1, len(ease)))
            )[0]
        )
        for one in (candidate, baseline)
    ]
    return values[0] - values[1] if metric in ("ece", "brier") else values[1] - values[0]


def worse_by_the_margin(nights: int) -> Iterator[str]:
    """How often a candidate passes that is worse by just the allowed drop, in per cent."""
    for told, metrics, candidate, baseline in (
        ("from calibrated", ("ece", "brier"), Sure(too_high=0.05), Sure()),
        ("from too sure", ("ece", "brier"), Sure(too_high=0.25), Sure(too_high=0.2)),
        ("by noise", ("auroc", "alignment", "brier"), Sure(noise=1.0), Sure()),
    ):
        for metric in metrics:
            margin = cost(metric, candidate, baseline)
            for n in (100, 400):
                name = f"{metric}, {n} items, {told}"
                generator = np.random.default_rng([SEED, *name.encode()])
                night = confidences(metric, n, candidate, baseline)
                tests = [night(generator) for _ in range(nights)]
                passed = sum(test.low > -margin for test in tests) / nights
                seen = float(np.mean([-test.difference for test in tests]))
                yield f"{name:44s} {100 * passed:7.2f} {margin:9.4f} {seen:9.4f}"


def rates(name: str, night: Night, nights: int, drawn: str | None = None) -> str:
    """How often a candidate is called worse, and how often surely better, in per cent.

    The nights are those of a name, its own if no other is given.
    """
    generator = np.random.default_rng([SEED, *(drawn or name).encode()])
    tests = [night(generator) for _ in range(nights)]
    worse = sum(test.high < 0.0 for test in tests) / nights
    better = sum(test.bounds(ALPHA)[0] > 0.0 for test in tests) / nights
    spread = float(np.std([test.difference for test in tests], ddof=1))
    told = math.sqrt(np.mean([test.spread**2 / test.units for test in tests]))
    return f"{name:44s} {100 * worse:7.2f} {100 * better:7.2f} {spread:9.4f} {told:9.4f}"


def made(nights: int) -> Iterator[str]:
    for n in (805, 200):
        name = f"length-controlled win rate, {n} items"
        yield rates(name, alpaca_eval(n, controlled=True), nights)
        yield rates("  win rate, the same nights", alpaca_eval(n, controlled=False), nights, name)
    for n in (100, 400):
        for told, too_high in (("calibrated", 0.0), ("too sure", 0.2)):
            for metric in ("auroc", "ece", "alignment", "brier"):
                night = confidences(metric, n, Sure(too_high=too_high))
                yield rates(f"{metric}, {n} items, {told}", night, nights)
    for metric in ("auroc", "ece", "alignment"):
        night = confidences(metric, 400, Sure(steps=20))
        yield rates(f"{metric}, 400 items, in twentieths", night, nights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=400)
    options = parser.parse_args()
    error = math.sqrt(ALPHA * (1 - ALPHA) / options.nights)
    began = time.process_time()
    print(f"Nothing changed: nights in %, one-sided at alpha {ALPHA}")
    print(
        f"{options.nights} nights, {REPLICATES} replicates, seed {SEED}; alpha and two standard "
        f"errors are {100 * (ALPHA + 2 * error):.2f}"
    )
    print("sd: of the differences over the nights; s.e.: what the tests take it for")
    print(f"\n{'':44s} {'worse':>7s} {'better':>7s} {'sd':>9s} {'s.e.':>9s}")
    for line in made(options.nights):
        print(line, flush=True)
    print("\nWorse by the margin: nights in %, on which the candidate passes")
    print(f"{'':44s} {'passed':>7s} {'margin':>9s} {'seen':>9s}")
    for line in worse_by_the_margin(options.nights):
        print(line, flush=True)
    print(f"\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
