"""Models on one judge's board: their estimates, and their ranks with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.failed_rows import missing_counts
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.item_means import ItemMeans
from judgebench.metrics.measures import Measure, estimated
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
    assignments: list[_Seat] = []
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
        assignments.append(_Seat(judge, of_all, width, counts))
        del shown
    models = table.models
    del table  # its rows are many, and measures are of items
    # All at once: draws that are too many to be kept are made anew for each call.
    sums = zip(of_units, resamples.sums(of_units), strict=True)
    found: list[Standing] = []
    for assignment in assignments:
        its: dict[str, tuple[Measure, Floats, Floats]] = {}
        for name, measure in assignment.measures.items():
            contributions, replicates = next(sums)
            its[name] = measure, contributions.values, replicates
        placed = _ranks_of(
            next(iter(its.values())), assignment.width, intervals, mask_of(models, ranked)
        )
        estimates = {name: estimated(*one, intervals).estimates for name, one in its.items()}
        found += _board(assignment, models, estimates, placed)
    return tuple(found)


class _Seat(NamedTuple):
    """A judge with the measures that are shown and the counts of each model."""

    judge: str
    measures: Mapping[str, Measure]
    width: float
    counts: Mapping[str, Mapping[str, int]]


_GONE: Floats = np.zeros((0, 0))
"""What was of items, when its contributions have been taken."""


def _board(
    assignment: _Seat,
    models: tuple[str, ...],
    estimates: Mapping[str, Sequence[Estimate]],
    placed: Sequence[Places],
) -> list[Standing]:
    rows = [
        Standing(
            judge=assignment.judge,
            model=model,
            metrics={name: of[m] for name, of in estimates.items()},
            rank=placed[m][0],
            rank_low=placed[m][1],
            rank_high=placed[m][2],
            counts=assignment.counts[model],
        )
        for m, model in enumerate(models)
        if model in assignment.counts
    ]
    return sorted(rows, key=lambda row: (row.rank or math.inf, row.model))


def mask_of(models: Sequence[str], ranked: Collection[str] | None) -> NDArray[np.bool_]:
    """Which of the models are ranked; all if None."""
    return np.array([ranked is None or model in ranked for model in models], dtype=np.bool_)


def _ranks_of(
    leading: tuple[Measure, Floats, Floats],
    width: float,
    intervals: Intervals,
    ranked: NDArray[np.bool_],
) -> list[Places]:
    """By a measure, its contributions and the sums of these."""
    measure, contributions, sums = leading
    values = measure.quotient(sums[0])
    counted = measure.counted(contributions)
    units = np.array([effective_n(one) for one in counted.T])
    left_out = measure.quotient(leave_one_out_sums(contributions))
    covariance = jackknife_covariance(values, left_out, units=units)
    return ranks(values, covariance, units=units, width=width, intervals=intervals, ranked=ranked)


def ranks(
    values: Floats,
    covariance: Floats,
    *,
    units: Floats,
    width: float,
    intervals: Intervals,
    ranked: NDArray[np.bool_] | None = None,
) -> list[Places]:
    """The rank of each model with the ends of its set, see `judgebench.stats.ranking.rank_sets`.

    Parameters
    ----------
    values, units : float array, shape (models,)
    covariance : float array, shape (models, models)
    width
        Of the scale that the values are on.
    ranked : bool array, shape (models,), optional
        The others are as if they were not there, and have no rank.

    Returns
    -------
    list of (rank, lowest, highest)
        None for a model whose value is nan.
    """
    if ranked is not None:
        values = np.where(ranked, values, np.nan)
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
