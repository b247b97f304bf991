"""Correlations of two scorings of the same models, beside what others computed of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.errors import unknown_name
from judgebench.metrics.intervals import Intervals
from judgebench.records import Estimate
from judgebench.report.reproduce.board_rows import once
from judgebench.report.reproduce.recomputed import Recomputed, point
from judgebench.rows import Row, read_rows
from judgebench.stats.board_correlation import board_correlation
from judgebench.stats.rank_correlation import kendall_tau_b, pearson, spearman
from judgebench.stats.resample import content_seed, multinomial_weights, percentile_interval

COEFFICIENTS = {"spearman": spearman, "pearson": pearson, "kendall": kendall_tau_b}
TITLES = {"spearman": "Spearman's rho", "pearson": "Pearson's r", "kendall": "Kendall's tau-b"}
COUNT = "models"

Scores: TypeAlias = Mapping[str, float]
"""Model -> score; nan where it has none."""


def correlations(first: Scores, second: Scores, intervals: Intervals) -> dict[str, Estimate]:
    """The coefficients over the models that both have, with intervals from draws of models.

    An interval says how far a coefficient would move with other models on the board. How sure the
    scores themselves are is not in it: their items are not here.

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
    if found.undefined is None:
        drawn = _drawn(models, intervals)
        x, y = (np.array([scores[model] for model in models]) for scores in (first, second))
        for name, coefficient in COEFFICIENTS.items():
            replicates = coefficient(x[drawn], y[drawn])
            low, high = percentile_interval(replicates, level=intervals.level)
            ends[name] = float(low), float(high)
    return {
        name: Estimate(
            value=values[name],
            low=ends[name][0],
            high=ends[name][1],
            n=len(models),
            units=len(models),
            missing=len(first.keys() | second.keys()) - len(models),
            level=intervals.level,
            method=_method(
                intervals, lacking=found.undefined is None and math.isnan(ends[name][0])
            ),
            undefined=found.undefined,
        )
        for name in COEFFICIENTS
    }


def beside(
    path: Path,
    found: Mapping[str, Mapping[str, Estimate]],
    *,
    tolerance: float,
    scope: str = "",
) -> Iterator[Recomputed]:
    """What was found of each column, beside the coefficients in a file.

    Parameters
    ----------
    path
        Has the columns ``column``, ``n`` and those of `COEFFICIENTS`.
    found
        Column -> what `correlations` gives.

    Raises
    ------
    InputError
        For a column that is not there, and whatever else is wrong with the file.
    """
    for (column,), row in rows_by_column(path).items():
        if column not in found:
            raise row.wrong("column", unknown_name("column", column, found))
        ours = found[column]
        for name, estimate in ours.items():
            yield Recomputed(
                who=column,
                scope=scope,
                metric=name,
                ours=estimate,
                theirs=row.number(name),
                tolerance=tolerance,
                because=estimate.undefined or "",
            )
        n = ours["spearman"].n
        yield Recomputed(
            who=column, scope=scope, metric=COUNT, ours=point(float(n), n),
            theirs=float(row.whole("n")), tolerance=0.0,
        )  # fmt: skip


def rows_by_column(path: Path) -> Mapping[tuple[str, ...], Row]:
    return once(read_rows(path, ("column", "n", *COEFFICIENTS)), "column")


def _method(intervals: Intervals, *, lacking: bool) -> str:
    method = f"percentile bootstrap over models, {intervals.n_replicates} replicates"
    return f"{method}; no interval, too many of them undefined" if lacking else method


def _drawn(models: Sequence[str], intervals: Intervals) -> NDArray[np.int64]:
    """Places of the models drawn in each replicate, shape (n_replicates, n_models)."""
    n, seed = len(models), content_seed(*models, seed=intervals.seed)
    times = multinomial_weights(n, intervals.n_replicates, seed=seed).astype(np.int64)
    places = np.tile(np.arange(n), intervals.n_replicates)
    return np.repeat(places, times.ravel()).reshape(times.shape)
