"""One model asked several times: its nights as one, and how much its answers to an item vary."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from judgebench.columns import marked, taken
from judgebench.metrics.board_kinds import BoardKind, board
from judgebench.metrics.paired import as_numbers
from judgebench.metrics.verdict_table import Columns
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

    Repeats and orders of one answer are averaged first.
    """
    its = _of(board(columns, kind), judge, {model})
    values = as_numbers(its, kind, labels)[0]
    places = list(zip(its["item_id"], its["sample"], its.get("turn", its["sample"]), strict=True))
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
