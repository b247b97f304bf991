"""Models on one judge's board: their estimates, and their ranks with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from judgebench.metrics.failed_rows import missing_counts
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.measures import COUNTS, ItemMeans, Measure, estimated
from judgebench.metrics.verdict_table import Ints, VerdictTable
from judgebench.records import Estimate
from judgebench.stats.ranking import rank_sets
from judgebench.stats.resample import (
    Contributions,
    effective_n,
    jackknife_covariance,
    leave_one_out_sums,
)

Places: TypeAlias = tuple[int | None, int | None, int | None]
"""The rank of a model and the ends of its set; None without a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One model on one judge's board.

    ``metrics`` are named, the one that ranks first. ``rank`` is 1 for the best and shared by
    equals; ``rank_low`` and ``rank_high`` are the ends of its set, and the sets of all models of
    the board hold at once at the interval's level (`judgebench.stats.ranking.rank_sets`): a model
    is first where ``rank_high`` is 1. All three are None for a model without a readable verdict.
    ``counts`` tell apart what is missing (see `missing.missing_counts`), and what a kind of board
    counts besides.
    """

    judge: str
    model: str
    metrics: Mapping[str, Estimate]
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    counts: Mapping[str, int]

    @property
    def leading(self) -> Estimate:
        """The estimate that ranks."""
        return next(iter(self.metrics.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was made of one judge's verdicts.

    means
        What the board ranks by; what is missing of it is missing from the board.
    measures
        By name, the one that ranks first. One that rests on nothing, for any model, is not shown.
    width
        From the lowest to the highest value of a verdict; None for a scale without ends.
    counts
        Further counts by name, of shape (models,).
    """

    means: ItemMeans
    measures: Mapping[str, Measure]
    width: float | None
    counts: Mapping[str, Ints] = field(default_factory=dict)


def judge_by_judge(
    table: VerdictTable,
    measured: Callable[[VerdictTable, Ints], Measured],
    intervals: Intervals,
    *,
    ranked: Collection[str] | None = None,
) -> tuple[Standing, ...]:
    """The boards of all judges, over replicates that all of them share.

    Parameters
    ----------
    table
        The verdicts of one kind of board, with their values. Its rows are many: who holds them no
        longer leaves that room to the draws.
    measured
        Makes measures of the rows of one judge.
    ranked
        The models that are ranked, all if None: others have their numbers and no rank, and count
        in nobody's.

    Returns
    -------
    tuple of Standing
        Best model first within each judge, judges in order of name. A model that a judge was not
        asked about is not on its board.
    """
    resamples = intervals.resamples(table.units)
    resamples.begin()
    seats: list[tuple[str, Mapping[str, Measure], float, Mapping[str, Mapping[str, int]]]] = []
    of_units: list[Contributions] = []
    for judge, rows in table.by_judge():
        one = measured(table, rows)
        missing = missing_counts(table, one.means, rows)
        more = {
            model: {name: int(count[m]) for name, count in one.counts.items()}
            for m, model in enumerate(table.models)
        }
        counts = {model: said | more[model] for model, said in missing.items()}
        leading = next(iter(one.measures))
        shown = {  # what ranks, and all else that rests on something
            name: measure
            for name, measure in one.measures.items()
            if name == leading or measure.always or measure.bottom.any()
        }
        if (width := one.width) is None:  # of a scale without ends, as wide as what was seen on it
            seen = one.means.mean[~np.isnan(one.means.mean)]
            width = float(np.ptp(seen)) if len(seen) else 0.0
        del one  # what is of items, and what is not shown
        of_units += [
            Contributions(m.of_units(table.unit_of, len(table.units))) for m in shown.values()
        ]
        of_all = {name: replace(m, top=_GONE, bottom=_GONE) for name, m in shown.items()}
        seats.append((judge, of_all, width, counts))
        del shown
    models = table.models
    del table  # its rows are many, and measures are of items
    # All at once: draws that are too many to be kept are made anew for each call.
    sums = zip(of_units, resamples.sums(of_units), strict=True)
    found: list[Standing] = []
    for judge, measures, width, of_models in seats:
        estimates, places = {}, list[Places]()
        for name, measure in measures.items():
            contributions, replicates = next(sums)
            values = contributions.values
            estimates[name] = estimated(measure, values, replicates, intervals).estimates
            if places:
                continue
            value = measure.quotient(replicates[0])
            counting = np.array([effective_n(of) for of in values[..., COUNTS].sum(axis=-1).T])
            left_out = measure.quotient(leave_one_out_sums(values))
            places = ranks(
                value,
                jackknife_covariance(value, left_out, units=counting),
                units=counting,
                width=width,
                intervals=intervals,
                models=models,
                ranked=ranked,
            )
        board = [
            Standing(
                judge=judge,
                model=model,
                metrics={name: of[m] for name, of in estimates.items()},
                rank=rank,
                rank_low=low,
                rank_high=high,
                counts=of_models[model],
            )
            for m, (model, (rank, low, high)) in enumerate(zip(models, places, strict=True))
            if model in of_models
        ]
        found += sorted(board, key=lambda row: (row.rank or math.inf, row.model))
    return tuple(found)


_GONE: Floats = np.zeros((0, 0))
"""What was of items, when its contributions have been taken."""


def ranks(
    values: Floats,
    covariance: Floats,
    *,
    units: Floats,
    width: float,
    intervals: Intervals,
    models: Sequence[str] = (),
    ranked: Collection[str] | None = None,
) -> list[Places]:
    """The rank of each model with the ends of its set, see `judgebench.stats.ranking.rank_sets`.

    Parameters
    ----------
    values, units : float array, shape (models,)
    covariance : float array, shape (models, models)
    width
        Of the scale that the values are on.
    models, ranked
        All, and those that are ranked, if not all: the others are as if they were not there, and
        have no rank.

    Returns
    -------
    list of (rank, lowest, highest)
        None for a model whose value is nan.
    """
    if ranked is not None:
        values = np.where([model in ranked for model in models], values, np.nan)
    # Equal shares of thirds must tie whatever the order in which they were added up.
    rounded = np.round(values, 12)
    better = np.greater.outer(rounded, rounded).sum(axis=0)
    low, high = rank_sets(
        values, covariance, units=units, width=width, level=intervals.level, seed=intervals.seed
    )
    return [
        (None, None, None) if math.isnan(a) else (1 + int(n), int(a), int(b))
        for n, a, b in zip(better, low, high, strict=True)
    ]
