"""Arena-Hard's board by a fork in Korean: scores and errors of verdicts, and style control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from judgebench.benchmarks.description import Weighted
from judgebench.judges.readers.brackets import ARENA_HARD
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.style_controlled import STYLE_CONTROLLED, Style, style_boards
from judgebench.metrics.win_rate import (
    LOST,
    PERCENT,
    TIED,
    WEIGHTED,
    WIN_RATE,
    WON,
    weights_of,
    win_rates,
)
from judgebench.reports.reproduce import (
    FigureTable,
    Recomputation,
    Reproduction,
    each,
    once,
)
from judgebench.rows import Row, read_rows
from judgebench.stats.resample import error_of_ratio

BASELINE, JUDGE = "claude-3.7-sonnet", "three judges"
HOW = Weighted(clear=3.0, rule="each_game")
GAMES = {"game_1": "opponent_first", "game_2": "model_first"}
MARKS = ("token_len", "header", "list", "bold")
CLUSTERED, ALONE = f"{WEIGHTED}/standard_error", f"{WEIGHTED}/standard_error_of_rows"
STYLED = f"{STYLE_CONTROLLED}/v0.1"

ROUNDED = 5e-3 + 1e-9
"""Half a unit of the last decimal of what is published."""
BY_FIAT = "the baseline's own row: 50 by construction there, its verdicts against itself here"
OTHER_SET = "fitted there on 76 models at once, on those of which styles are known here"


def reproduced(folder: Path, intervals: Intervals) -> Reproduction:
    """Scores, their errors by question and as upstream draws, and style-controlled scores."""
    rows = read_rows(folder / "ko_verdicts.parquet", ("model", "uid", *GAMES, *MARKS))
    board = once(read_rows(folder / "ko_board.csv", ("model", "score", "style")), "model")
    columns = verdict_columns(rows)
    standings = win_rates(columns, BASELINE, intervals=intervals, weighted=HOW)
    figures: list[Recomputation] = []
    for one in standings:
        theirs = {WEIGHTED: board[one.model,].number("score")}
        because = BY_FIAT if one.model == BASELINE else ""
        figures += each(one.model, one.metrics, theirs, tolerance=ROUNDED, because=because)
        figures += each(
            one.model, one.metrics, {WIN_RATE: None}, tolerance=0.0,
            because="not published: every verdict counts once",
        )  # fmt: skip
    errors = dict(_errors(columns))
    for model, of in errors.items():
        figures += each(
            model, of, dict.fromkeys(of), n=len(GAMES), tolerance=0.0, because="not published"
        )
    figures += _styled(rows, board)
    wider = np.median([of[CLUSTERED] / of[ALONE] for of in errors.values()])
    narrow = np.median(
        [
            (row.number("high") - row.number("low")) / (3.92 * errors[model][CLUSTERED])
            for (model,), row in board.items()
            if model != BASELINE
        ]
    )
    return Reproduction(
        table="arena_hard",
        title=f"Arena-Hard in Korean, {len(board)} models against {BASELINE}",
        source="qwopqwop200/ko-arena-hard-auto at 9d13932, upstream's code of version 0.1",
        licence="Apache-2.0",
        theirs="the published board, without control and with style control",
        who="model",
        figures=figures,
        shown=[
            FigureTable(title="score, clear wins three times", metric=WEIGHTED, digits=2),
            FigureTable(title="score controlled for style", metric=STYLED, digits=2),
        ],
        notes=[
            "the published fit of strengths is this weighted mean: all battles are with one "
            "baseline",
            f"clustered by question the error of a score is {wider:.2f} times (median) that of "
            "verdicts which are copied and drawn one by one, as upstream draws them",
            f"published intervals are {narrow:.2f} times (median) as wide as clustered ones: they "
            "are also of ratings that upstream anchors on the name gpt-4-0314 alone, so that with "
            "this baseline they float",
            "style-controlled scores belong to a set of models; here it is another one",
        ],
    )


def verdict_columns(rows: list[Row]) -> dict[str, Any]:
    """Verdicts of both games of each row, as boards count them."""
    told = []
    for row, (game, order) in product(rows, GAMES.items()):
        label = row.one_of(game, "label", ARENA_HARD) if row.has(game) else None
        p = np.nan if label is None else ARENA_HARD[label].p_first
        kind = "unreadable" if label is None else "preference"
        value = p if order == "model_first" else 1.0 - p
        told.append((row.text("uid"), row.text("model"), order, kind, value, label))
    names = ("item_id", "model", "order", "kind", "value", "label")
    about = {"judge": JUDGE, "sample": 0, "opponent": BASELINE}
    return {name: [one[place] for one in told] for place, name in enumerate(names)} | {
        name: [said] * len(told) for name, said in about.items()
    }


def _errors(columns: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    """The standard errors of each model's score: clustered by question, and of single rows."""
    y: Floats = np.asarray(columns["value"], dtype=np.float64)
    w = weights_of(columns["label"], y, HOW.clear)
    models, items = np.asarray(columns["model"]), np.asarray(columns["item_id"])
    for model in dict.fromkeys(columns["model"]):
        its = (models == model) & ~np.isnan(y)
        _, of = np.unique(items[its], return_inverse=True)
        sums = np.bincount(of, (w * y)[its]), np.bincount(of, w[its])
        mean = sums[0].sum() / sums[1].sum()
        alone = np.sqrt(sum(w[its & (y == one)].sum() * (one - mean) ** 2
                            for one in (LOST, TIED, WON)))  # fmt: skip
        yield (
            model,
            {
                CLUSTERED: error_of_ratio(*sums) * PERCENT,
                ALONE: float(alone / sums[1].sum()) * PERCENT,
            },
        )


def _styled(rows: list[Row], board: Mapping[tuple[str, ...], Row]) -> Iterator[Recomputation]:
    """Of the models of which every answer's style is known."""
    unknown = {row.text("model") for row in rows if not all(row.has(mark) for mark in MARKS)}
    its = [row for row in rows if row.text("model") not in unknown]
    looks = {
        (row.text("model"), row.text("uid")): Style(*(row.number(mark) for mark in MARKS))
        for row in its
    }
    columns = verdict_columns([row for row in its if row.text("model") != BASELINE])
    found = style_boards(columns, BASELINE, looks, definition="v0.1", clear=HOW.clear)[JUDGE]
    for model, score in found.scores.items():
        theirs = board[model,].number("style")
        yield from each(
            model, {STYLED: score.value}, {STYLED: theirs}, n=score.n, tolerance=ROUNDED,
            because=OTHER_SET if abs(score.value - theirs) > ROUNDED else "",
        )  # fmt: skip
