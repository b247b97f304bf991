"""How much an item's win varies between two models that meet head to head and are alike."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from judgebench.metrics.board_kinds import BoardKind, board
from judgebench.metrics.paired import head_to_head, spread_of
from judgebench.metrics.verdict_table import Columns
from judgebench.stats.head_to_head_power import MOST_SPREAD

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
    taken = board(columns, kind)
    shown: dict[tuple[str, str, str], set[str]] = {}
    rows_of: dict[tuple[str, str], list[int]] = {}
    names = ("judge", "model", "item_id", "order", "kind")
    for row, (judge, model, item, order, said) in enumerate(
        zip(*(taken[name] for name in names), strict=True)
    ):
        if judge in judges and said == "preference":
            shown.setdefault((judge, model, item), set()).add(order)
            rows_of.setdefault((judge, model), []).append(row)
    for (judge, model), read in sorted(rows_of.items()):
        rows = [row for row in read if shown[judge, model, taken["item_id"][row]] >= BOTH]
        if not rows:
            continue
        its_columns = {name: [values[row] for row in rows] for name, values in taken.items()}
        pair = head_to_head(its_columns, kind, judge, model, labels=())
        spread = spread_of(pair)
        if spread.units >= least:
            away = float(np.nanmean(pair.mean[:, 0])) - 0.5
            yield min(math.hypot(spread.spread, away), MOST_SPREAD), judge
