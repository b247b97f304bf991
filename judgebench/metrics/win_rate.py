"""How often each model is preferred to one opponent, in the eyes of each judge."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from operator import eq

import numpy as np

from judgebench.benchmarks.description import Weighted
from judgebench.columns import Bools, Column, marked, numbers, same, taken
from judgebench.metrics.board_kinds import BoardKind, read_board
from judgebench.metrics.intervals import LEAST, Floats, Intervals
from judgebench.metrics.measures import (
    JUDGE_NOISE,
    STANDARD_ERROR,
    Groups,
    ItemMeans,
    Measure,
    by_group,
    item_means,
    judge_noise,
    mean_of,
    standard_error_of,
)
from judgebench.metrics.ranked_rows import Measured, Standing, judge_by_judge
from judgebench.metrics.verdict_table import Columns, Ints, VerdictTable
from judgebench.records import Estimate
from judgebench.stats.resample import content_seed

WIN_RATE = "win_rate"
LENGTH_CONTROLLED = "length_controlled_win_rate"
AS_PUBLISHED = f"{LENGTH_CONTROLLED}/compat"
PUBLISHED_ERROR = "lc_standard_error/compat"
ORDER_FLIPS = "order_flips"
PERCENT = 100.0
WON, TIED, LOST = 1.0, 0.5, 0.0
WEIGHTED = "weighted_win_rate"
AS_UPSTREAM, UPSTREAM_DRAWS = f"{WEIGHTED}/upstream", 100
EACH_GAME, BOTH_GAMES = "each_game", "both_games"
_ORDERS = ("model_first", "opponent_first")
_UNKNOWN = "or the store does not know how clear wins are: import them again"
_ONE_ORDER = "no item was read in both orders (a suite says orders: both)"
NO_WEIGHTS: Mapping[str, str] = {
    EACH_GAME: f"no readable verdict, {_UNKNOWN}",
    BOTH_GAMES: f"{_ONE_ORDER}, {_UNKNOWN}",
}
_CLEAR = re.compile(">>|<<")
NEAR = 1e-9
"""How close to one half a probability is a tie: 1 - 0.9 is not 0.1."""


def win_rates(
    columns: Columns,
    opponent: str,
    *,
    groups: Groups = (),
    intervals: Intervals | None = None,
    ranked: Collection[str] | None = None,
    weighted: Weighted | None = None,
    by_weights: bool = True,
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
        are known ``label`` and those of `read_table`.
    groups
        Ways of grouping items: each group has a win rate of its own.
    intervals
        Percentile bootstrap over items unless asked otherwise; Wilson's under 30 items, and with
        fewer than `LEAST` wins or losses.
    ranked
        As for `judge_by_judge`.
    weighted, by_weights
        Also the mean that counts clear wins more, which ranks unless it is not to.

    Returns
    -------
    tuple of Standing
        With the metrics `win_rate`; `win_rate/<group>` for each group; `discrete_win_rate`, in
        which an item is won, lost or, as a half, tied; `standard_error`, that of the win rate over
        items; where items were judged in both orders `order_flips`, the percentage of them on which
        the orders disagree about the winner; and where judges were asked repeatedly `judge_noise`.
        ``counts`` have the items won, lost and tied.
    """
    share = partial(mean_of, unit=PERCENT, proportion=True, least=LEAST)

    def measured(table: VerdictTable, rows: Ints) -> Measured:
        values, order = table.values, table.columns.get("order", same("single", len(table.values)))
        shown = taken(order, rows)
        means, first, second = (
            item_means(table, its, values, ends=(0.0, 1.0))
            for its in (rows, *(rows[marked(shown, partial(eq, one))] for one in _ORDERS))
        )
        won = outcome(means.mean)
        cells = {}
        if weighted is not None:
            cells = weighted_cells(table, rows, weighted.clear)
        before = weighted_measures(cells, weighted, means)
        noise = {}
        if table.again:
            noise[JUDGE_NOISE] = judge_noise(table, rows, values, unit=PERCENT)
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
                **(before if by_weights else {}),
                WIN_RATE: share(means),
                **before,
                "discrete_win_rate": share(discrete),
                **(by_group(WIN_RATE, table, means, groups, share) if groups else {}),
                STANDARD_ERROR: standard_error_of(means, unit=PERCENT),
                ORDER_FLIPS: _order_flips(first, second),
                **noise,
            },
            counts={
                "n_wins": (won == WON).sum(axis=0),
                "n_losses": (won == LOST).sum(axis=0),
                "n_ties": (won == TIED).sum(axis=0),
                "half": _half(first, second),
            },
        )

    return judge_by_judge(
        read_board(columns, BoardKind("preference", opponent)), measured, intervals or Intervals(),
        ranked=ranked,
    )  # fmt: skip


def outcome(p: Floats) -> Floats:
    """Won, tied or lost, for probabilities of winning; nan stays nan."""
    won = np.where(p > TIED, WON, LOST)
    tied = np.abs(p - TIED) < NEAR
    return np.where(np.isnan(p), np.nan, np.where(tied, TIED, won))


def weights_of(labels: Column, values: Floats, clear: float) -> Floats:
    """What each verdict counts: ``clear`` where its label has the sign twice, else 1.

    nan where nobody knows: of a win or a loss without a label.
    """
    known = numbers(
        labels, lambda said: math.nan if said is None else clear if _CLEAR.search(said) else 1.0
    )
    return np.where(np.isnan(known) & (values == TIED), 1.0, known)


def weighted_cells(
    table: VerdictTable, rows: Ints, clear: float
) -> dict[str, tuple[Floats, Floats]]:
    """In each cell the weights of its readable verdicts, and what of these is won, by either rule.

    Both 0 where nothing counts: for a model of which a weight is not known, and under `BOTH_GAMES`
    where one order alone could be read. Empty where no model's weights are known.

    Parameters
    ----------
    table
        Of preferences, with a column ``label``.
    rows : int array
        The rows of one judge.
    """
    read = rows[~np.isnan(table.values[rows])]
    cells, y = table.cells(read), table.values[read]
    w = weights_of(table.columns["label"], table.values, clear)[read]
    order = table.columns.get("order", same("single", len(table.values)))

    def sums(of_rows: Floats) -> Floats:
        n_cells = table.shape[0] * table.shape[1]
        return np.bincount(cells, of_rows, n_cells).astype(np.float64).reshape(table.shape)

    total, won = sums(w), sums(w * y)
    known = np.asarray(~np.isnan(total).any(axis=0))
    if not known[sums(np.ones_like(w)).any(axis=0)].any():
        return {}
    kept = {EACH_GAME: np.broadcast_to(known, table.shape), BOTH_GAMES: known}
    for shown in _ORDERS:
        of_order = marked(order, partial(eq, shown))[read]
        kept[BOTH_GAMES] = kept[BOTH_GAMES] & (sums(of_order.astype(np.float64)) > 0.0)
    return {
        rule: (np.where(there, total, 0.0), np.where(there, won, 0.0))
        for rule, there in kept.items()
    }


def why_no_weights(cells: Mapping[str, tuple[Floats, Floats]], rule: str, read: Bools) -> str:
    """Why models have no weighted mean by a rule, as far as is known.

    Parameters
    ----------
    cells
        As `weighted_cells` has them.
    read : bool array, shape (models,)
        Which of them have readable verdicts.
    """
    weighed = np.asarray(cells[EACH_GAME][0].any(axis=0)) if cells else np.zeros_like(read)
    known = bool(weighed[read].all())
    return _ONE_ORDER if rule == BOTH_GAMES and known else NO_WEIGHTS[rule]


def weighted_measures(
    cells: Mapping[str, tuple[Floats, Floats]], how: Weighted | None, means: ItemMeans
) -> dict[str, Measure]:
    """By the rule for items of which one order alone could be read; the other rule's beside it."""
    found: dict[str, Measure] = {}
    for rule in sorted(cells, key=lambda one: how is None or one != how.rule):
        bottom, top = cells[rule]
        n = np.where(bottom > 0.0, means.readable, 0.0).sum(axis=0)
        name = f"{WEIGHTED}/{rule}" if found else WEIGHTED
        found[name] = Measure(
            top=top,
            bottom=bottom,
            n=n,
            missing=means.expected.sum(axis=0) - n,
            unit=PERCENT,
            weighted=True,
            least=LEAST,
            undefined=why_no_weights(cells, rule, np.asarray(means.readable.any(axis=0))),
        )
    if found and len({one.bottom.tobytes() for one in found.values()}) == 1:
        return {WEIGHTED: found[WEIGHTED]}
    return found


def as_upstream(
    columns: Columns, opponent: str, weighted: Weighted
) -> dict[tuple[str, str], Estimate]:
    """The weighted mean with Arena-Hard's own interval, by judge and model.

    Upstream draws verdicts, clear ones copied, as if copies and both orders of an item were
    independent: 100 times, and takes percentiles. It is too narrow, 1.7 times at the median of a
    board of 38 models.
    """
    table = read_board(columns, BoardKind("preference", opponent))
    values = table.values
    weights = weights_of(table.columns["label"], values, weighted.clear)
    models, found = table.models_of(np.arange(len(values))), {}
    for (j, judge), (m, model) in product(enumerate(table.judges), enumerate(table.models)):
        rows = np.flatnonzero((table.judge_of == j) & (models == m) & ~np.isnan(values))
        if weighted.rule == BOTH_GAMES:
            rows = rows[np.bincount(table.answer_of[rows])[table.answer_of[rows]] > 1]
        if not len(rows) or np.isnan(weights[rows]).any():
            continue
        y, place = np.unique(values[rows], return_inverse=True)
        copies = np.bincount(place, weights[rows])
        n = copies.sum()
        rng = np.random.default_rng(content_seed(judge, model))
        drawn = rng.multinomial(round(n), copies / n, UPSTREAM_DRAWS) @ y / n
        ends = [(1.0 - weighted.level) / 2.0, (1.0 + weighted.level) / 2.0]
        low, high = (np.quantile(drawn, ends) * PERCENT).tolist()
        found[judge, model] = Estimate(
            value=float(copies @ y / n) * PERCENT, low=low, high=high, n=len(rows),
            units=len(np.unique(table.cells(rows))), missing=0, level=weighted.level,
            method=f"{UPSTREAM_DRAWS} draws of verdicts, clear ones copied, as upstream",
        )  # fmt: skip
    return found


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
