"""How far two scorings of the same models agree: three coefficients with intervals over models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.intervals import Floats, Intervals
from judgebench.records import Estimate
from judgebench.stats.board_correlation import board_correlation
from judgebench.stats.rank_correlation import kendall_tau_b, pearson, spearman
from judgebench.stats.resample import (
    content_seed,
    expanded_level,
    multinomial_weights,
    percentile_interval,
)

COEFFICIENTS = {"spearman": spearman, "pearson": pearson, "kendall": kendall_tau_b}
TITLES = {"spearman": "Spearman's rho", "pearson": "Pearson's r", "kendall": "Kendall's tau-b"}

RANKS = ("spearman", "kendall")
"""Coefficients that have intervals."""

FEWEST_DRAWN = 12
"""Models that an interval takes. With 12 to 33 it held in 94 to 97 % on average over kinds of
scores, but in 85 to 93 % where half of the models are all but alike and the others correlate at
0.98; with 8 in 92 % on average and 59 % at worst (`perf/coverage_calibration.py`)."""

_AT_ONCE = 4_000_000
"""Compared pairs of models over all replicates that are in memory together."""

Scores: TypeAlias = Mapping[str, float]
"""Model -> score; nan where it has none."""


def correlations(first: Scores, second: Scores, intervals: Intervals) -> dict[str, Estimate]:
    """The coefficients over the models that both have, with intervals from draws of models.

    An interval says how far a coefficient would move with other models on the board. How sure the
    scores themselves are is not in it: their items are not here. Percentiles are expanded for few
    models. They hold for ranks from `FEWEST_DRAWN` models on; Pearson's coefficient, which a few
    models far from the others decide, has none, and neither has one of which all draws are equal.

    Returns
    -------
    dict
        Of each of `COEFFICIENTS`. Undefined as `board_correlation` is; ``missing`` counts the
        models of which one of the two has no score.
    """
    found = board_correlation(first, second)
    models = found.models
    values = dict(zip(COEFFICIENTS, (found.spearman, found.pearson, found.kendall_b), strict=True))
    ends = dict.fromkeys(COEFFICIENTS, (math.nan, math.nan))
    few, constant = len(models) < FEWEST_DRAWN, set()
    if found.undefined is None and not few:
        x, y = (np.array([scores[model] for model in models]) for scores in (first, second))
        drawn = _drawn(models, intervals)
        level = expanded_level(intervals.level, len(models))
        for name, replicates in _replicates(x, y, drawn).items():
            low, high = percentile_interval(replicates, level=level)
            if low == high:  # one order on both sides, which every draw keeps
                constant.add(name)
            else:
                ends[name] = float(low), float(high)

    def method(name: str) -> str:
        if found.undefined is None and name not in RANKS:
            return "no interval: none was measured to hold where a few models lie far from others"
        if few and found.undefined is None:
            return f"no interval: over {len(models)} models none was measured to hold"
        said = f"percentile bootstrap over models, {intervals.n_replicates} replicates"
        if name in constant:
            return f"{said}; no interval, all of them equal"
        lacking = found.undefined is None and math.isnan(ends[name][0])
        return f"{said}; no interval, too many of them undefined" if lacking else said

    return {
        name: Estimate(
            value=values[name],
            low=ends[name][0],
            high=ends[name][1],
            n=len(models),
            units=len(models),
            missing=len(first.keys() | second.keys()) - len(models),
            level=intervals.level,
            method=method(name),
            undefined=found.undefined,
        )
        for name in COEFFICIENTS
    }


def _replicates(x: Floats, y: Floats, drawn: NDArray[np.int64]) -> dict[str, Floats]:
    """Those of ranks of all draws, some draws at a time: each compares every pair of models."""
    parts = max(1, math.ceil(len(drawn) * len(x) ** 2 / _AT_ONCE))
    pieces = np.array_split(drawn, parts)
    return {
        name: np.concatenate([COEFFICIENTS[name](x[piece], y[piece]) for piece in pieces])
        for name in RANKS
    }


def _drawn(models: Sequence[str], intervals: Intervals) -> NDArray[np.int64]:
    """Places of the models drawn in each replicate, shape (n_replicates, n_models)."""
    n, seed = len(models), content_seed(*models, seed=intervals.seed)
    times = multinomial_weights(n, intervals.n_replicates, seed=seed).astype(np.int64)
    places = np.tile(np.arange(n), intervals.n_replicates)
    return np.repeat(places, times.ravel()).reshape(times.shape)
