"""How much verdicts vary where nothing differs: between a model's answers, and head to head.

One model asked several times is its nights as one, and the spread of its answers to an item. Two
models that meet head to head and are alike vary as much as an item's win does about one half.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from judgebench.columns import grouped, marked, taken
from judgebench.metrics.board_kinds import BoardKind, board
from judgebench.metrics.paired import as_numbers, head_to_head, spread_of
from judgebench.metrics.verdict_table import Columns
from judgebench.stats.head_to_head_power import MOST_SPREAD
from judgebench.stats.unchanged import within_items


def average_nights(
    columns: Columns, judge: str, two: tuple[str, str], again: Sequence[str]
) -> Mapping[str, Any]:
    """One judge's rows about two models, with the baseline's other nights as samples of it.

    So each night counts once on each item, beside the baseline's own answers.
    """
    its = _of(columns, judge, {*two, *again})
    step = 1 + max(its["sample"], default=0)
    night = {model: place for place, model in enumerate(again, start=1)}
    its["sample"] = [
        sample + step * night.get(model, 0)
        for model, sample in zip(its["model"], its["sample"], strict=True)
    ]
    its["model"] = [two[1] if model in night else model for model in its["model"]]
    return its


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatSpread:
    """What a model's answers vary from one to the next.

    within
        Standard deviation of the verdict on one answer about its item's expectation, without the
        unit; nan where no item has two answers.
    items
        On how many it rests.
    answers
        How many answers an item has that has any (a harmonic mean, since variances are averaged).
    """

    within: float
    items: int
    answers: float


def repeat_spread(
    columns: Columns, kind: BoardKind, judge: str, model: str, labels: Sequence[str]
) -> RepeatSpread:
    """How a model's answers to the same items vary in the eyes of one judge.

    Repeats, orders and turns of one answer are averaged first.
    """
    its = _of(board(columns, kind), judge, {model})
    values = as_numbers(its, kind, labels)[0]
    places = list(zip(its["item_id"], its["sample"], strict=True))
    order = {place: n for n, place in enumerate(dict.fromkeys(places))}
    answer = np.array([order[place] for place in places], dtype=np.int64)
    there = ~np.isnan(values)
    n = np.bincount(answer[there], minlength=len(order))
    total = np.bincount(answer[there], values[there], minlength=len(order))
    means = np.full(len(order), np.nan)
    np.divide(total, n, out=means, where=n > 0)
    item_of: dict[str, int] = {}
    item = np.array([item_of.setdefault(place[0], len(item_of)) for place in order], dtype=np.int64)
    within, items = within_items(means, item)
    each = np.bincount(item[~np.isnan(means)], minlength=len(item_of)).astype(np.float64)
    each = each[each > 0]
    answers = float(len(each) / (1.0 / each).sum()) if len(each) else 0.0
    return RepeatSpread(within=within, items=items, answers=answers)


def _of(columns: Columns, judge: str, models: Collection[str]) -> dict[str, Any]:
    wanted = marked(columns["judge"], lambda one: one == judge)
    rows = np.flatnonzero(wanted & marked(columns["model"], lambda one: one in models))
    return {name: list(taken(values, rows)) for name, values in columns.items()}


BOTH = {"model_first", "opponent_first"}


def head_spreads(
    columns: Columns, kind: BoardKind, judges: Sequence[str], *, least: int
) -> Iterator[tuple[float, str]]:
    """Of each model that a judge compared with the board's opponent in both orders, and the judge.

    Both orders of an item are averaged, and so it is left out where one of them could not be read.
    The spread is about one half, not about the model's win rate: that is what it would be between
    models that are alike and tie as often. Unlike models tie less often, and so it is rather too
    large for two that are close.

    Parameters
    ----------
    columns
        As for `paired_models`, with ``order``.
    kind
        Comparisons with one opponent.
    judges
        Those to look at.
    least
        Units that a model needs to be counted.
    """
    on_board = board(columns, kind)
    names = ("judge", "model", "item_id", "order", "kind")
    shown = grouped(
        ((judge, model, item), (order, row))
        for row, (judge, model, item, order, said) in enumerate(
            zip(*(on_board[name] for name in names), strict=True)
        )
        if judge in judges and said == "preference"
    )
    rows_of = grouped(
        ((judge, model), row)
        for (judge, model, _), places in shown.items()
        if {order for order, _ in places} >= BOTH
        for _, row in places
    )
    for (judge, model), rows in sorted(rows_of.items()):
        its_columns = {
            name: [values[row] for row in sorted(rows)] for name, values in on_board.items()
        }
        pair = head_to_head(its_columns, kind, judge, model, labels=())
        spread = spread_of(pair)
        if spread.units >= least:
            away = float(np.nanmean(pair.mean[:, 0])) - 0.5
            yield min(math.hypot(spread.spread, away), MOST_SPREAD), judge
