"""Comparisons in both orders: how often they agree with each other, and then with a reference."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from judgebench.metrics.comparison import by_scope
from judgebench.metrics.intervals import Floats, Intervals, wilson
from judgebench.metrics.label_board import NO_VERDICT, Codes, LabelBoard
from judgebench.records import Estimate
from judgebench.stats.comparison_quality import comparison_contributions
from judgebench.stats.pair_outcomes import NO_OUTCOME
from judgebench.stats.resample import Resamples

CONSISTENCY = ("consistency", "consistent_agreement")
UPSTREAM = "_upstream"
"""What the names end in where a pair that could not be read is inconsistent and wrong."""

NAMES = (*CONSISTENCY, *(f"{name}{UPSTREAM}" for name in CONSISTENCY))

ONE_ORDER = "no pair was shown in both orders; a suite says orders: both"
NONE_READ = "no pair could be read in both orders"


def order_consistency(
    board: LabelBoard,
    by_order: Codes,
    truth: Codes,
    resamples: Resamples,
    wanted: Intervals,
) -> list[Mapping[str, Estimate]]:
    """Consistency, and agreement of what is consistent, as CritiqueLLM defines them.

    Of the pairs that the reference judged and the judge was shown in both orders: on which its two
    outcomes are one, and on which they are also the reference's. Under the names with `UPSTREAM`
    all those pairs count, else those that were read in both orders. The definitions and their
    source are in `judgebench.stats.comparison_quality`.

    Parameters
    ----------
    board
        Of outcomes: its answers are pairs.
    by_order : int8 array, shape (pairs, 2)
        The judge's outcome in each order.
    truth : int8 array, shape (pairs,)
        The reference's.

    Returns
    -------
    list
        By name: pooled, the unweighted mean over models, and of each model that the reference
        compared.
    """
    known = truth >= 0
    models, model = np.unique(board.model_of[known], return_inverse=True)
    both = (by_order[known] != NO_VERDICT).all(axis=1)
    outcomes = np.where(by_order[known] >= 0, by_order[known], NO_OUTCOME)
    read = comparison_contributions(outcomes, truth[known])
    # What could not be read counts among upstream's pairs, and is neither consistent nor right.
    published = np.stack([read[..., 0], np.ones_like(read[..., 0])], axis=-1)
    added = np.concatenate([read, published], axis=1) * both[:, np.newaxis, np.newaxis]
    n_units, n_models = len(board.units), len(models)
    moments = np.zeros((n_units, n_models, len(NAMES), 2))
    np.add.at(moments, (board.unit_of[board.item_of[known]], model), added)
    (sums,) = resamples.sums([moments])
    together = np.concatenate([sums.sum(axis=1, keepdims=True), sums], axis=1)
    present = moments[..., 2, 1].sum(axis=0) > 0
    values = by_scope(np.moveaxis(_ratios(together), 1, -1), present)
    ends = wanted.ends(values, None)
    pairs = np.bincount(model, minlength=n_models)
    labelled = [int(pairs.sum())] * 2 + pairs.tolist()
    counts = together[0, ..., 1]
    units = _units(moments[..., 1])

    def estimate(name: int, scope: int) -> Estimate:
        at = max(0, scope - 1)  # the mean over models rests on what the pooled value rests on
        n, value = int(counts[at, name]), float(values[0, name, scope])
        low, high, method = math.nan, math.nan, ""
        if not math.isnan(value):
            plain = units[at, name] == n and scope != 1
            proportion = wilson(value, n, level=wanted.level) if plain else None
            alone = (low, high, "no interval, one item")
            drawn = ends.at(name, scope) if units[at, name] > 1 else alone
            low, high, method = proportion or drawn
        return Estimate(
            value=value,
            low=low,
            high=high,
            n=n,
            units=int(units[at, name]),
            missing=labelled[scope] - n,
            level=wanted.level,
            method=method,
            undefined=None if not math.isnan(value) else NONE_READ if counts[at, 2] else ONE_ORDER,
        )

    return [
        {name: estimate(n, scope) for n, name in enumerate(NAMES)} for scope in range(2 + n_models)
    ]


def _units(n: Floats) -> Floats:
    """On how many units pairs count: of all models, and of each, shape (1 + models, names)."""
    return np.concatenate([(n.sum(axis=1) > 0).sum(axis=0)[np.newaxis], (n > 0).sum(axis=0)])


def _ratios(sums: Floats) -> Floats:
    found = np.full(sums.shape[:-1], np.nan)
    np.divide(sums[..., 0], sums[..., 1], out=found, where=sums[..., 1] > 0)
    return found
