"""How often the 95 % intervals of win rates hold the truth: a simulation.

The verdicts of a judge on all instructions are taken as the truth. Instructions are drawn from them
with replacement, as a new benchmark would be, and every draw is given to `win_rates`, which makes
the boards. Real verdicts are those of AlpacaEval 2 in the figures of ``tasks/alpaca_eval``.

    python perf/win_rate_coverage.py                 # about five minutes of one core
    python perf/win_rate_coverage.py --trials 100
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

from judgebench.metrics.intervals import Intervals
from judgebench.metrics.win_rate import win_rates

FIGURES = Path(__file__).resolve().parents[1] / "tasks" / "alpaca_eval" / "figures"
BASELINE = "gpt4_1106_preview"
SEED = 20261126
REPLICATES = 1000
SIZES = (20, 50, 100, 200, 805)
METRICS = ("win_rate", "discrete_win_rate")

Floats = NDArray[np.float64]


def published() -> tuple[list[str], Floats]:
    """Models, and the probability that each wins on each instruction, nan where it is not known."""
    rows = parquet.read_table(FIGURES / "verdicts.parquet").to_pylist()
    models = sorted({row["model"] for row in rows} - {BASELINE})
    table = np.full((len(models), 805), np.nan)
    for row in rows:
        if row["model"] != BASELINE:
            table[models.index(row["model"]), row["index"]] = row["preference"] - 1.0
    return models, table


def columns(models: list[str], drawn: Floats) -> dict[str, list[object]]:
    """One draw of instructions in the long form; each draw is an item of its own."""
    model, item = np.nonzero(~np.isnan(drawn))
    n = len(model)
    return {
        "item_id": [str(i) for i in item],
        "model": [models[m] for m in model],
        "judge": ["judge"] * n,
        "opponent": [BASELINE] * n,
        "sample": [0] * n,
        "kind": ["preference"] * n,
        "value": drawn[model, item].tolist(),
    }


def simulate(models: list[str], table: Floats, n_items: int, trials: int) -> Iterator[str]:
    """A line for each group of models by their win rate."""
    outcomes = np.where(np.isnan(table), np.nan, np.where(table == 0.5, 0.5, table > 0.5))
    truth = {
        "win_rate": 100 * np.nanmean(table, 1),
        "discrete_win_rate": 100 * np.nanmean(outcomes, 1),
    }
    held = {metric: np.zeros(len(models)) for metric in METRICS}
    generator = np.random.default_rng([SEED, n_items])
    for trial in range(trials):
        drawn = table[:, generator.integers(0, table.shape[1], n_items)]
        wanted = Intervals(n_replicates=REPLICATES, seed=trial)
        for row in win_rates(columns(models, drawn), BASELINE, intervals=wanted):
            m = models.index(row.model)
            for metric in METRICS:
                one = row.metrics[metric]
                held[metric][m] += one.low <= truth[metric][m] <= one.high
    ends = (0.0, 4.0, 10.0, 30.0, 100.0)
    for low, high in pairwise(ends):
        of = (truth["win_rate"] >= low) & (truth["win_rate"] < high)
        shares = "".join(f"{100 * held[metric][of].mean() / trials:20.1f}" for metric in METRICS)
        yield f"{n_items:5d}  {f'{low:g} to {high:g} %':12s} {of.sum():6d} {shares}"
    shares = "".join(f"{100 * held[metric].mean() / trials:20.1f}" for metric in METRICS)
    yield f"{n_items:5d}  {'all':12s} {len(models):6d} {shares}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    options = parser.parse_args()
    models, table = published()
    print("Coverage of 95 % intervals of win rates on the published verdicts of AlpacaEval 2, in %")
    print(f"{options.trials} draws of instructions, {REPLICATES} replicates each, seed {SEED}")
    print(
        f"{'items':>5s}  {'win rate':12s} {'models':>6s} " + "".join(f"{m:>20s}" for m in METRICS)
    )
    began = time.process_time()
    for n_items in options.sizes:
        for line in simulate(models, table, n_items, options.trials):
            print(line, flush=True)
    print(f"\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
