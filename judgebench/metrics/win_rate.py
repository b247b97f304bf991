"""How often each model is preferred to one opponent, in the eyes of each judge."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from operator import eq

import numpy as np

from judgebench.columns import marked
from judgebench.metrics.board_kinds import BoardKind, board
from judgebench.metrics.intervals import LEAST, Floats, Intervals
from judgebench.metrics.item_means import ItemMeans, item_means
from judgebench.metrics.measure import Measure, mean_of
from judgebench.metrics.measures import (
    JUDGE_NOISE,
    STANDARD_ERROR,
    Groups,
    by_group,
    judge_noise,
    standard_error_of,
)
from judgebench.metrics.ranked_rows import Measured, Standing, judge_by_judge
from judgebench.metrics.verdict_table import Columns, Ints, VerdictTable
from judgebench.metrics.verdict_values import preference_values

WIN_RATE = "win_rate"
ORDER_FLIPS = "order_flips"
PERCENT = 100.0
WON, TIED, LOST = 1.0, 0.5, 0.0
NEAR = 1e-9
"""How close to one half a probability is a tie: 1 - 0.9 is not 0.1."""


def win_rates(
    columns: Columns,
    opponent: str,
    *,
    groups: Groups = (),
    intervals: Intervals | None = None,
    ranked: Collection[str] | None = None,
) -> tuple[Standing, ...]:
    """Mean probability that each model's answer beats the opponent's, judge by judge, in percent.

    Repeats, then both orders, then samples of one item are averaged first; items count equally. An
    item of which one order alone could be read counts with that one, and is counted as ``half``.
    The worst-case bounds set all that is missing to lost, then to won.

    Parameters
    ----------
    columns
        ``item_id``, ``model``, ``judge``, ``sample``, ``kind``, ``value`` (probability that
        ``model`` beats ``opponent``; 0.5 is a tie), ``opponent``, of equal length, and where they
        are known those of `read_table`.
    groups
        Ways of grouping items: each group has a win rate of its own.
    intervals
        Percentile bootstrap over items unless asked otherwise; Wilson's under 30 items, and with
        fewer than `LEAST` wins or losses.
    ranked
        As for `judge_by_judge`.

    Returns
    -------
    tuple of Standing
        With the metrics `win_rate`; `win_rate/<group>` for each group; `discrete_win_rate`, in
        which an item is won, lost or, as a half, tied; `standard_error`, that of the win rate over
        items; where items were judged in both orders `order_flips`, the percentage of them on which
        the orders disagree about the winner; and where judges were asked repeatedly `judge_noise`.
        ``counts`` have the items won, lost and tied.
    """
    taken = board(columns, BoardKind("preference", opponent))
    values = preference_values(taken)
    order = taken["order"] if "order" in taken else ["single"] * len(values)
    in_order = [marked(order, partial(eq, shown)) for shown in ("model_first", "opponent_first")]

    def share(some: ItemMeans) -> Measure:
        return mean_of(some, unit=PERCENT, proportion=True, least=LEAST)

    def measured(table: VerdictTable, rows: Ints) -> Measured:
        means = item_means(table, rows, values, ends=(0.0, 1.0))
        first, second = (
            item_means(table, rows[asked[rows]], values, ends=(0.0, 1.0)) for asked in in_order
        )
        won = outcome(means.mean)
        discrete = replace(
            means,
            mean=won,
            worst=None if means.worst is None else outcome(means.worst),
            best=None if means.best is None else outcome(means.best),
        )
        return Measured(
            means=means,
            width=1.0,
            measures={
                WIN_RATE: share(means),
                "discrete_win_rate": share(discrete),
                **by_group(WIN_RATE, table, means, groups, share),
                STANDARD_ERROR: standard_error_of(means, unit=PERCENT),
                ORDER_FLIPS: _order_flips(first, second),
                JUDGE_NOISE: judge_noise(table, rows, values, unit=PERCENT),
            },
            counts={
                "n_wins": (won == WON).sum(axis=0),
                "n_losses": (won == LOST).sum(axis=0),
                "n_ties": (won == TIED).sum(axis=0),
                "half": _half(first, second),
            },
        )

    return judge_by_judge(
        taken, ~np.isnan(values), measured, intervals or Intervals(), ranked=ranked
    )


def outcome(p: Floats) -> Floats:
    """Won, tied or lost, for probabilities of winning; nan stays nan."""
    won = np.where(p > TIED, WON, LOST)
    tied = np.abs(p - TIED) < NEAR
    return np.where(np.isnan(p), np.nan, np.where(tied, TIED, won))


def _order_flips(first: ItemMeans, second: ItemMeans) -> Measure:
    """Of the items judged in both orders, how many have another winner in the second."""
    both = ~np.isnan(first.mean) & ~np.isnan(second.mean)
    flipped = both & (outcome(first.mean) != outcome(second.mean))
    n = np.where(both, first.readable + second.readable, 0.0).sum(axis=0)
    return Measure(
        top=flipped.astype(np.float64),
        bottom=both.astype(np.float64),
        n=n,
        missing=np.zeros_like(n),
        unit=PERCENT,
        proportion=True,
        least=LEAST,
        undefined="no item judged in both orders",
    )


def _half(first: ItemMeans, second: ItemMeans) -> Ints:
    """How many items were asked for in both orders, and could be read in one alone."""
    both = (first.asked > 0) & (second.asked > 0)
    return np.asarray((both & (np.isnan(first.mean) != np.isnan(second.mean))).sum(axis=0))
