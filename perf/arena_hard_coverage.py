"""How often the 95 % intervals of Arena-Hard's weighted scores hold the truth: a simulation.

The verdicts on all 500 questions of 37 models (``tasks/arena_hard/figures``) are the truth.
Questions are drawn from them with replacement, both games together, and every draw is given to
`win_rates`, which makes the boards, and to `as_upstream`, which has upstream's own interval.

*Style-controlled*: of the models of which every answer's style is known, all fitted together, on
the questions that were drawn; the truth is the fit on all 500.

    python perf/arena_hard_coverage.py                 # about a quarter of an hour of one core
    python perf/arena_hard_coverage.py --trials 20
    python perf/arena_hard_coverage.py --style         # style-controlled scores alone: 4 minutes
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np

from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.paired import compare, paired_models
from judgebench.metrics.style_controlled import Games as Styled
from judgebench.metrics.style_controlled import fitted
from judgebench.metrics.verdict_table import read_table
from judgebench.metrics.win_rate import WEIGHTED, as_upstream, weights_of, win_rates
from judgebench.reports.reproduce.arena_hard import BASELINE, HOW, JUDGE, MARKS, verdict_columns
from judgebench.rows import Row, read_rows
from judgebench.stats.style_control import Definition, differences

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


def differences_of_two(games: Games, n_items: int, trials: int) -> str:
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
                [
                    Row("drawn", {**games[model][questions[q]].values, "uid": str(place)})
                    for model in (first, second)
                    for place, q in enumerate(drawn)
                ]
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


def styled_games(definition: Definition) -> tuple[Styled, int]:
    """All games of the models of which every style is known, by question; how many models."""
    rows = read_rows(FIGURES / "ko_verdicts.parquet", ("model", "uid"))
    unknown = {row.text("model") for row in rows if not all(row.has(mark) for mark in MARKS)}
    looks = {
        (row.text("model"), row.text("uid")): [row.number(mark) for mark in MARKS]
        for row in rows
        if row.text("model") not in unknown
    }
    its = [row for row in rows if row.text("model") not in {*unknown, BASELINE}]
    columns = verdict_columns(its)
    table = read_table(columns, kind="preference")
    values = table.values
    read = np.flatnonzero(~np.isnan(values))
    who = list(zip(columns["model"], columns["item_id"], strict=True))
    games = Styled(
        table.models_of(read), values[read],
        weights_of(columns["label"], values, HOW.clear)[read],
        table.cells(read) // len(table.models),
        differences(
            [looks[who[row]] for row in read], [looks[BASELINE, who[row][1]] for row in read],
            definition,
        ),
    )  # fmt: skip
    return games, len(table.models)


def of_style(definition: Definition, n_items: int, trials: int) -> Iterator[str]:
    """A line for each group of models by their score: of all together, and of those shown."""
    games, n_models = styled_games(definition)
    truth = fitted(games, n_models=n_models, definition=definition, level=0.95)[0].scores
    n_questions = int(games.question.max()) + 1
    rows_of = [np.flatnonzero(games.question == q) for q in range(n_questions)]
    given, held = np.zeros(n_models), np.zeros(n_models)
    rng = np.random.default_rng([SEED, n_items])
    fits = 0
    for _ in range(trials):
        drawn = rng.integers(0, n_questions, n_items).tolist()
        rows = np.concatenate([rows_of[q] for q in drawn])
        place = np.repeat(np.arange(n_items), [len(rows_of[q]) for q in drawn])
        some = Styled(*(column[rows] for column in games))._replace(question=place)
        fit, low, high = fitted(
            some, n_models=n_models, definition=definition, level=0.95, fewest=0
        )
        fits += not np.isnan(fit.scores).any()
        given += ~np.isnan(low)
        held += (low <= truth) & (truth <= high)
    for least, most in pairwise(ENDS):
        its = (100 * truth >= least) & (100 * truth < most)
        enough = its & (given > trials / 2)
        of_each = held[enough] / given[enough]
        by_model = f"{of_each.min():.1%} to {of_each.max():.1%}" if len(of_each) else "-"
        yield (
            f"{definition:>10}   {n_items:9}   {f'{least:g} to {most:g} %':>11}   {its.sum():6}   "
            f"{given[its].sum() / its.sum() / trials:10.1%}   "
            f"{held[its].sum() / max(given[its].sum(), 1):9.1%}   {by_model:>15}   "
            f"{fits / trials:6.0%}"
        )


def style_lines(trials: int) -> Iterator[str]:
    yield f"style-controlled scores ({trials} draws)"
    head = ("definition", "questions", "true score", "models", "share", "they hold", "by model",
            "fitted")  # fmt: skip
    yield "{:>10}   {:>9}   {:>11}   {:>6}   {:>10}   {:>9}   {:>15}   {:>6}".format(*head)
    for definition in get_args(Definition):
        for n_items in SIZES:
            yield from of_style(definition, n_items, trials)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--differences", action="store_true", help="of two models alone")
    parser.add_argument("--style", action="store_true", help="style-controlled scores alone")
    asked = parser.parse_args()
    trials, began = asked.trials, time.monotonic()
    if asked.style:
        for line in style_lines(trials):
            print(line, flush=True)
        print(f"{time.monotonic() - began:.0f} s")
        return
    games = published()
    print("95 % intervals of Arena-Hard's weighted scores: how often they hold the truth")
    print(f"{len(games)} models, {trials} draws of each number of questions, seed {SEED}")
    print("share: of scores that have an interval. upstream's: of all scores, by its own way")
    head = ("questions", "true score", "models", "share", "they hold", "by model", "upstream's")
    print("{:>9}   {:>11}   {:>6}   {:>10}   {:>9}   {:>15}   {:>10}".format(*head))
    for n_items in () if asked.differences else SIZES:
        for line in simulate(games, n_items, trials):
            print(line, flush=True)
    print("differences of two models next to each other by score: paired intervals")
    of_two = ("questions", "pairs", "tested", "they hold", "by pair")
    print("{:>9}   {:>6}   {:>10}   {:>9}   {:>15}".format(*of_two))
    for n_items in (50, 100, 500):
        print(differences_of_two(games, n_items, trials), flush=True)
    for line in () if asked.differences else style_lines(trials):
        print(line, flush=True)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
