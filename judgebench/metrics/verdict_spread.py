"""How much verdicts vary where nothing differs: between a model's answers, and head to head.

One model asked several times is its nights as one, and the spread of its answers to an item. Two
models that meet head to head and are alike vary as much as an item's win does about one half.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import eq

import numpy as np

from judgebench.columns import (
    coded,
    counted,
    marked,
    merge_equal,
    numbers,
    paired,
    select_rows,
    taken,
)
from judgebench.metrics.board_kinds import BoardKind, board
from judgebench.metrics.measures import sums_of
from judgebench.metrics.paired import head_to_head, rows_of, spread_of
from judgebench.metrics.verdict_table import Columns, verdict_values
from judgebench.stats.head_to_head_power import MOST_SPREAD
from judgebench.stats.resample import quotient
from judgebench.stats.unchanged import within_items


def average_nights(
    columns: Columns, judge: str, two: tuple[str, str], again: Sequence[str]
) -> Columns:
    """One judge's rows about two models, with the baseline's other nights as samples of it.

    So each night counts once on each item, beside the baseline's own answers.
    """
    its = rows_of(columns, judge, {*two, *again})
    night = {model: place for place, model in enumerate(again, start=1)}
    sample = numbers(its["sample"], int, int)
    of_night = numbers(its["model"], lambda model: night.get(model, 0), int)
    called = coded(its["model"]).mapped(lambda model: two[1] if model in night else model)
    return its | {
        "sample": sample + of_night * (1 + sample.max(initial=0)),
        "model": called,
    }


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
    its = rows_of(board(columns, kind), judge, {model})
    values = verdict_values(its, kind.kind, labels)
    answers = merge_equal(paired(its["item_id"], its["sample"]))
    means = quotient(*sums_of(values, answers.codes, len(answers.values)))
    item = coded([one for one, _ in answers.values]).codes.astype(np.int64)
    within, items = within_items(means, item)
    each = np.bincount(item[~np.isnan(means)]).astype(np.float64)
    each = each[each > 0]
    n_each = float(len(each) / (1.0 / each).sum()) if len(each) else 0.0
    return RepeatSpread(within=within, items=items, answers=n_each)


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
    who = paired(on_board["judge"], on_board["model"])
    place = merge_equal(paired(who, on_board["item_id"])).codes
    kept = marked(on_board["judge"], lambda one: one in judges)
    kept &= marked(on_board["kind"], lambda one: one == "preference")
    for order in sorted(BOTH):
        shown = place[kept & marked(on_board["order"], partial(eq, order))]
        kept &= np.bincount(shown, minlength=int(place.max(initial=-1)) + 1)[place] > 0
    for judge, model in sorted(counted(taken(who, np.flatnonzero(kept)))):
        rows = np.flatnonzero(kept & marked(who, partial(eq, (judge, model))))
        its_columns = select_rows(on_board, rows)
        pair = head_to_head(its_columns, kind, judge, model, labels=())
        spread = spread_of(pair)
        if spread.units >= least:
            away = float(np.nanmean(pair.mean[:, 0])) - 0.5
            yield min(math.hypot(spread.spread, away), MOST_SPREAD), judge
