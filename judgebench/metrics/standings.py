"""Models on one judge's board: their estimates, and their ranks with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.item_means import ItemMeans
from judgebench.metrics.measure import Estimated, Measure, estimated
from judgebench.metrics.missing import missing_counts
from judgebench.metrics.verdict_table import Columns, Ints, VerdictTable, read_table
from judgebench.records import Estimate
from judgebench.stats.resample import percentile_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One model on one judge's board.

    ``metrics`` are named, the one that ranks first. ``rank`` is 1 for the best and shared by
    equals; ``rank_low`` and ``rank_high`` hold it in the bootstrap at the interval's level. All
    three are None for a model without a readable verdict. ``counts`` tell apart what is missing
    (see `missing.missing_counts`), and what a kind of board counts besides.
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
    counts
        Further counts by name, of shape (models,).
    """

    means: ItemMeans
    measures: Mapping[str, Measure]
    counts: Mapping[str, Ints] = field(default_factory=dict)


def judge_by_judge(
    columns: Columns,
    readable: NDArray[np.bool_],
    measured: Callable[[VerdictTable, Ints], Measured],
    intervals: Intervals,
    *,
    ranked: Collection[str] | None = None,
) -> tuple[Standing, ...]:
    """The boards of all judges, over replicates that all of them share.

    Parameters
    ----------
    columns
        The verdicts of one kind of board.
    readable : bool array, shape (rows,)
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
    table = read_table(columns)
    seats: list[_Seat] = []
    for j, judge in enumerate(table.judges):
        rows = np.flatnonzero(table.judge_of == j)
        if len(rows):
            one = measured(table, rows)
            missing = missing_counts(table, one.means, rows, columns, readable)
            more = {
                model: {name: int(count[m]) for name, count in one.counts.items()}
                for m, model in enumerate(table.models)
            }
            counts = {model: said | more[model] for model, said in missing.items()}
            seats.append(_Seat(judge, _shown(one.measures), counts))
    # All at once: draws that are too many to be kept are made anew for each call.
    measures = [measure for seat in seats for measure in seat.measures.values()]
    of_units = [one.of_units(table.unit_of, len(table.units)) for one in measures]
    sums = zip(of_units, intervals.resamples(table.units).sums(of_units), strict=True)
    found: list[Standing] = []
    for seat in seats:
        its = {
            name: estimated(measure, *next(sums), intervals)
            for name, measure in seat.measures.items()
        }
        found += _board(seat.judge, table.models, its, seat.counts, intervals, ranked)
    return tuple(found)


class _Seat(NamedTuple):
    """A judge with the measures that are shown and the counts of each model."""

    judge: str
    measures: Mapping[str, Measure]
    counts: Mapping[str, Mapping[str, int]]


def _shown(measures: Mapping[str, Measure]) -> dict[str, Measure]:
    """The measure that ranks, and the others that rest on something."""
    leading = next(iter(measures))
    return {
        name: measure
        for name, measure in measures.items()
        if name == leading or measure.always or measure.bottom.any()
    }


def _board(
    judge: str,
    models: tuple[str, ...],
    found: Mapping[str, Estimated],
    counts: Mapping[str, Mapping[str, int]],
    intervals: Intervals,
    ranked: Collection[str] | None,
) -> list[Standing]:
    leading = next(iter(found))
    placed = ranks(found[leading].scores, intervals.level, ranked=mask_of(models, ranked))
    rows = []
    for m, model in enumerate(models):
        if model not in counts:
            continue
        rank, low, high = (None if math.isnan(end) else int(end) for end in placed[:, m])
        rows.append(
            Standing(
                judge=judge,
                model=model,
                metrics={name: one.estimates[m] for name, one in found.items()},
                rank=rank,
                rank_low=low,
                rank_high=high,
                counts=counts[model],
            )
        )
    return sorted(rows, key=lambda row: (row.rank or math.inf, row.model))


def mask_of(models: Sequence[str], ranked: Collection[str] | None) -> NDArray[np.bool_]:
    """Which of the models are ranked; all if None."""
    return np.array([ranked is None or model in ranked for model in models], dtype=np.bool_)


def ranks(
    scores: Floats, level: float, *, ranked: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Rank, and the ends of its distribution over the replicates, rounded out.

    Parameters
    ----------
    scores : float array, shape (1 + n_replicates, models)
        Higher is better; nan has no rank.
    ranked : bool array, shape (models,), optional
        The others are as if they were not there, and have no rank.

    Returns
    -------
    float array, shape (3, models)
    """
    if ranked is not None:
        scores = np.where(ranked, scores, np.nan)
    # Equal shares of thirds must tie whatever the order in which they were added up.
    rounded = np.round(scores, 12)
    better = (rounded[:, np.newaxis, :] > rounded[:, :, np.newaxis]).sum(axis=-1)
    found = np.where(np.isnan(rounded), np.nan, 1.0 + better)
    low, high = percentile_interval(found[1:], level=level, max_undefined=1.0)
    return np.stack([found[0], np.floor(low), np.ceil(high)])
