"""How often the 95 % intervals of the figure of a group of lm-eval tasks hold the truth.

A group is tasks with fixed numbers of items and a share each that a model gets right. Every trial
draws the items' answers anew and gives them to `table_of_group`, as boards do. The truth is what
lm-eval's mean over tasks is of these shares: weighted by their numbers of items, or each once.

    python perf/lm_eval_group_coverage.py               # minutes of one core
    python perf/lm_eval_group_coverage.py --trials 50
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from judgebench.columns import Column
from judgebench.metrics.intervals import Intervals
from judgebench.reports.task_groups import table_of_group

SEED, REPLICATES = 20261130, 500
GROUPS = {
    "2 tasks of 20": ([20, 20], [0.5, 0.8]),
    "5 of 30 to 300, alike": ([30, 60, 100, 200, 300], [0.6] * 5),
    "5 of 30 to 300, small ones hard": ([30, 60, 100, 200, 300], [0.2, 0.35, 0.5, 0.7, 0.9]),
    "12 of 100, from 0.25 to 0.95": ([100] * 12, np.linspace(0.25, 0.95, 12).tolist()),
    "57 of 100 to 1,534, as MMLU": (
        np.geomspace(100, 1534, 57).astype(int).tolist(), np.linspace(0.3, 0.9, 57)[::-1].tolist(),
    ),
}  # fmt: skip


def columns_of(right: np.ndarray) -> dict[str, Column]:
    """The verdicts of a task's metric on one model."""
    n = len(right)
    return {
        "item_id": list(map(str, range(n))), "model": ["m"] * n, "judge": ["lm_eval/acc"] * n,
        "sample": [0] * n, "kind": ["score"] * n, "value": right,
        "low": np.zeros(n), "high": np.ones(n),
    }  # fmt: skip


def covered(sizes: list[int], shares: list[float], *, weighted: bool, trials: int) -> float:
    """In what share of trials the interval holds the truth."""
    generator = np.random.default_rng(SEED)
    weights = np.array(sizes if weighted else [1] * len(sizes), dtype=float)
    truth = float(weights @ np.array(shares) / weights.sum())
    tasks, held = [f"task{i}" for i in range(len(sizes))], 0
    for trial in range(trials):
        read = [
            columns_of((generator.random(n) < p).astype(float))
            for n, p in zip(sizes, shares, strict=True)
        ]
        how = Intervals(n_replicates=REPLICATES, seed=trial)
        (row,) = table_of_group(read, tasks, weighted=weighted, intervals=how)
        low, high = row.leading.low, row.leading.high
        held += low is not None and high is not None and low <= truth <= high
    return held / trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    trials = parser.parse_args().trials
    error = 100 * math.sqrt(0.95 * 0.05 / trials)
    print(f"coverage of 95 % intervals in %, {trials:,} trials, ± {error:.1f}")
    print(f"{'group':<36}{'weighted':>10}{'each once':>11}")
    for name, (sizes, shares) in GROUPS.items():
        both = (
            100 * covered(sizes, shares, weighted=weighted, trials=trials)
            for weighted in (True, False)
        )
        print(
            f"{name:<36}" + "".join(f"{one:>{w}.1f}" for one, w in zip(both, (10, 11), strict=True))
        )


if __name__ == "__main__":
    main()
