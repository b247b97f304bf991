"""How often the 95 % intervals of MT-Bench's scores hold the truth: a simulation.

The ratings of 80 questions in two turns of 17 models (``tasks/mt_bench/figures/scores.csv``; one
of them is two checkpoints) are the truth. Questions are drawn from them with replacement, both
turns together, and every draw is given to `scores` as the boards do, and once more with each turn
drawn by itself, as if the two turns of a question had nothing in common.

    python perf/mt_bench_coverage.py                 # about two minutes of one core
    python perf/mt_bench_coverage.py --trials 20
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from judgebench.columns import same
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import by_turn
from judgebench.metrics.scores import scores
from judgebench.registry import figures_folder
from judgebench.reports.reproduce.mt_bench import JUDGED_BY, score_columns

SEED, REPLICATES = 20261129, 500
SIZES = (20, 40, 80)
METRICS = ("score", "score/turn 1", "score/turn 2")
Columns = dict[str, Any]


def drawn(columns: Columns, items: list[str], places: np.ndarray) -> Columns:
    """The rows of the questions at these places, each a question of its own."""
    item = np.asarray(columns["item_id"])
    rows = [np.flatnonzero(item == items[place]) for place in places.tolist()]
    at = np.concatenate(rows)
    named = np.repeat([f"q{n}" for n in range(len(rows))], [len(own) for own in rows])
    values = {"model": columns["model"], "turn": columns["turn"], "kind": columns["kind"]}
    found: Columns = {name: np.asarray(of)[at].tolist() for name, of in values.items()}
    found |= {"item_id": named.tolist(), "value": columns["value"][at]}
    ends = {"low": 1.0, "high": 10.0, "sample": 0, "judge": JUDGED_BY}
    return found | {name: same(value, len(at)) for name, value in ends.items()}


def of_models(columns: Columns, *, apart: bool = False, **how: Any) -> dict[str, Any]:
    """Metrics by model; ``apart`` draws each turn by itself."""
    said, groups = by_turn(columns, [])
    if apart:
        said = {name: of for name, of in said.items() if name != "unit"}
    return {one.model: one.metrics for one in scores(said, groups=groups, **how)}


def simulate(columns: Columns, n_items: int, trials: int) -> dict[str, tuple[float, float, float]]:
    """By metric the share that holds the truth, that of the worst model, and with turns apart."""
    items = sorted(set(columns["item_id"]))
    truth = of_models(columns, intervals=Intervals(n_replicates=2))
    models = [model for model in truth if truth[model]["score"].missing < len(items)]
    held = np.zeros((len(METRICS), len(models)))
    naive = np.zeros(len(METRICS))
    rng = np.random.default_rng([SEED, n_items])
    for trial in range(trials):
        sample = drawn(columns, items, rng.integers(0, len(items), n_items))
        wanted = Intervals(n_replicates=REPLICATES, seed=trial)
        for apart in (False, True):
            found = of_models(sample, apart=apart, intervals=wanted)
            hits = np.array(
                [
                    [
                        found[model][name].low
                        <= truth[model][name].value
                        <= found[model][name].high
                        for model in models
                    ]
                    for name in METRICS
                ],
                dtype=np.float64,
            )
            if apart:
                naive += hits.mean(axis=1)
            else:
                held += hits
    shares = held / trials
    return {
        name: (float(shares[n].mean()), float(shares[n].min()), float(naive[n] / trials))
        for n, name in enumerate(METRICS)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=400)
    trials = parser.parse_args().trials
    columns, _ = score_columns(figures_folder("mt_bench") / "scores.csv")
    began = time.monotonic()
    print("95 % intervals of MT-Bench's scores: how often they hold the truth")
    print(f"models with most ratings read, {trials} draws of questions, {REPLICATES} replicates")
    print("turns apart: each turn drawn by itself instead of with its question")
    print(
        f"{'questions':>9}   {'figure':<13}   {'they hold':>9}   {'worst model':>11}   turns apart"
    )
    for n_items in SIZES:
        for name, (mean, worst, naive) in simulate(columns, n_items, trials).items():
            print(
                f"{n_items:9}   {name:<13}   {mean:9.1%}   {worst:11.1%}   {naive:11.1%}",
                flush=True,
            )
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
