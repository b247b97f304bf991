"""How often the 95 % intervals of Arena-Hard's weighted scores hold the truth: a simulation.

The verdicts on all 500 questions of 37 models (``tasks/arena_hard/figures``) are the truth.
Questions are drawn from them with replacement, both games together, and every draw is given to
`win_rates`, which makes the boards, and to `as_upstream`, which has upstream's own interval.

    python perf/arena_hard_coverage.py                 # about ten minutes of one core
    python perf/arena_hard_coverage.py --trials 20
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.paired import compare, paired_models
from judgebench.metrics.win_rate import WEIGHTED, as_upstream, win_rates
from judgebench.reports.reproduce.arena_hard import BASELINE, HOW, JUDGE, verdict_columns
from judgebench.rows import Row, read_rows

FIGURES = Path(__file__).resolve().parents[1] / "tasks" / "arena_hard" / "figures"
SEED, REPLICATES = 20261129, 10
SIZES = (50, 100, 250, 500)
ENDS = (0.0, 4.0, 10.0, 30.0, 100.0)
Games = dict[str, dict[str, Row]]


def published() -> Games:
    """The rows of each model by question."""
    found: Games = {}
    for row in read_rows(FIGURES / "ko_verdicts.parquet", ("model", "uid")):
        if row.text("model") != BASELINE:
            found.setdefault(row.text("model"), {})[row.text("uid")] = row
    return found


def scores(rows: list[Row], **how: object) -> dict[str, tuple[float, float, float]]:
    """Value and interval by model."""
    found = win_rates(verdict_columns(rows), BASELINE, weighted=HOW, **how)  # type: ignore[arg-type]
    return {
        row.model: (one.value, one.low, one.high)
        for row in found
        for one in [row.metrics[WEIGHTED]]
    }


def simulate(games: Games, n_items: int, trials: int) -> Iterator[str]:
    """A line for each group of models by their score."""
    models, questions = sorted(games), sorted(next(iter(games.values())))
    truth = scores([row for its in games.values() for row in its.values()],
                   intervals=Intervals(n_replicates=10))  # fmt: skip
    held, given, upstream = (dict.fromkeys(models, 0) for _ in range(3))
    rng = np.random.default_rng([SEED, n_items])
    for trial in range(trials):
        drawn = rng.integers(0, len(questions), n_items)
        rows = [
            Row("drawn", {**games[model][questions[q]].values, "uid": str(place)})
            for model in models
            for place, q in enumerate(drawn.tolist())
        ]
        wanted = Intervals(n_replicates=REPLICATES, seed=trial)  # the intervals need none
        columns = verdict_columns(rows)
        theirs = as_upstream(columns, BASELINE, HOW)
        for row in win_rates(columns, BASELINE, weighted=HOW, intervals=wanted):
            one, true = row.metrics[WEIGHTED], truth[row.model][0]
            given[row.model] += not np.isnan(one.low)
            held[row.model] += one.low <= true <= one.high
            narrow = theirs[JUDGE, row.model]
            upstream[row.model] += narrow.low <= true <= narrow.high
    for low, high in pairwise(ENDS):
        its = [model for model in models if low <= truth[model][0] < high]
        n = sum(given[model] for model in its)
        of_each = [held[one] / given[one] for one in its if given[one] > trials / 2]
        by_model = f"{min(of_each):.1%} to {max(of_each):.1%}" if of_each else "-"
        yield (
            f"{n_items:9}   {f'{low:g} to {high:g} %':>11}   {len(its):6}   "
            f"{n / len(its) / trials:10.1%}   {sum(held[m] for m in its) / max(n, 1):9.1%}   "
            f"{by_model:>15}   "
            f"{sum(upstream[m] for m in its) / len(its) / trials:10.1%}"
        )


def differences(games: Games, n_items: int, trials: int) -> str:
    """A line: how often paired intervals hold the difference of two models, next by score."""
    questions, kind = sorted(next(iter(games.values()))), BoardKind("preference", BASELINE)
    truth = scores([row for its in games.values() for row in its.values()],
                   intervals=Intervals(n_replicates=10))  # fmt: skip
    ranked = sorted(games, key=lambda model: truth[model][0])
    pairs, held = [*pairwise(ranked)][::6], []
    rng = np.random.default_rng([SEED, n_items])
    for trial in range(trials):
        drawn = rng.integers(0, len(questions), n_items).tolist()
        for first, second in pairs:
            columns = verdict_columns(
                Row("drawn", {**games[model][questions[q]].values, "uid": str(place)})
                for model in (first, second)
                for place, q in enumerate(drawn)
            )
            pair = paired_models(columns, kind, JUDGE, second, first, labels=(), weighted=HOW)
            if pair.why_not is not None:
                held.append(math.nan)
                continue
            low, high = compare(pair, alpha=0.025, seed=trial).observed.bounds(0.025)
            held.append(low <= (truth[second][0] - truth[first][0]) / 100.0 <= high)
    given = np.array(held, dtype=np.float64).reshape(trials, -1)
    tested = (~np.isnan(given)).mean(axis=0)
    shares = np.nanmean(given[:, tested > 0.5], axis=0)
    return (
        f"{n_items:9}   {len(pairs):6}   {tested.mean():10.1%}   {np.nanmean(given):9.1%}   "
        f"{f'{shares.min():.1%} to {shares.max():.1%}':>15}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--differences", action="store_true", help="of two models alone")
    asked = parser.parse_args()
    trials = asked.trials
    games, began = published(), time.monotonic()
    print("95 % intervals of Arena-Hard's weighted scores: how often they hold the truth")
    print(f"{len(games)} models, {trials} draws of each number of questions, seed {SEED}")
    print("share: of scores that have an interval. upstream's: of all scores, by its own way")
    head = ("questions", "true score", "models", "share", "they hold", "by model", "upstream's")
    print("{:>9}   {:>11}   {:>6}   {:>10}   {:>9}   {:>15}   {:>10}".format(*head))
    for n_items in () if asked.differences else SIZES:
        for line in simulate(games, n_items, trials):
            print(line, flush=True)
    print("differences of two models next to each other by score: paired intervals")
    head = ("questions", "pairs", "tested", "they hold", "by pair")
    print("{:>9}   {:>6}   {:>10}   {:>9}   {:>15}".format(*head))
    for n_items in (50, 100, 500):
        print(differences(games, n_items, trials), flush=True)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
