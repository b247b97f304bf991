"""What a model's confidences are worth: on one set of questions, and averaged over several.

Sets are not thrown together: a statistic is computed within each, and averages are weighted with
the sizes of the sets. A bootstrap resamples the questions of each set by itself, and all models
and confidences share its draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.intervals import Intervals, wilson
from judgebench.records import Estimate
from judgebench.stats.alignment import alignment, first_fifth, random_fifth
from judgebench.stats.calibration_error import (
    Binning,
    bin_contributions,
    calibration_error_of,
)
from judgebench.stats.confidence import accuracy, aurc, auroc, brier, why_no_auroc
from judgebench.stats.resample import Resamples, content_seed, weighted_sums
from judgebench.stats.set_average import set_average

Floats: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Floats], Floats]
"""Of some answers, from how often each counts: weights (r, n) to values (r,)."""

METRICS = (
    "auroc", "ece", "alignment", "brier", "accuracy", "aurc",
    "ece_upstream", "ece_closed", "alignment_random",
)  # fmt: skip
"""``ece`` bins exactly; ``alignment`` is tuned on the first fifth of the answers, as upstream's
code does it, ``alignment_random`` on a random fifth, as the paper says."""

_BINNING: Mapping[str, Binning] = MappingProxyType(
    {"ece": "exact", "ece_upstream": "upstream", "ece_closed": "closed"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """Questions in upstream's order, on which the first fifth depends.

    name, domain
        ``domain`` is None where sets are not divided.
    size
        How many questions it has in full: its weight in averages.
    items : ids, in order
    unit_of : int array, shape (items,)
        The place of each item's unit in ``units``; one question asked twice is one unit.
    """

    name: str
    domain: str | None
    size: int
    items: tuple[str, ...]
    units: tuple[str, ...]
    unit_of: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The metrics of one confidence of one model on one set.

    values : float array, shape (1 + n_replicates, metrics)
        On the answers as they are, then resampled, in the order of `METRICS`.
    confidence, correct : float array, shape (n,)
        Of the answers that have both.
    unit_of : int array, shape (n,)
        The place of each answer's unit among those that are drawn.
    units, missing
        Questions that these fall into; answers that lack either.
    threshold
        That ``alignment`` was found at; nan without answers.
    undefined
        Why a metric has no value, by name.
    """

    name: str
    size: int
    values: Floats
    confidence: Floats
    correct: Floats
    unit_of: NDArray[np.int64]
    units: int
    missing: int
    threshold: float
    undefined: Mapping[str, str]


def figures(
    questions: QuestionSet,
    *,
    confidence: Floats,
    correct: Floats,
    expected: NDArray[np.bool_],
    resamples: Resamples,
    seed: int,
    why_none: str,
) -> Figures:
    """The metrics on one set.

    Parameters
    ----------
    confidence, correct : float array, shape (items,)
        In [0, 1], and 0 or 1; nan where there is none.
    expected : bool array, shape (items,)
        Which answers should have both.
    resamples
        Over the set's units.
    seed
        Of the random fifth.
    why_none
        Why there is nothing to compute, where no answer has both.
    """
    rows = np.flatnonzero(~np.isnan(confidence) & ~np.isnan(correct))
    c, y = confidence[rows], correct[rows]
    units = questions.unit_of[rows]
    missing = int(expected.sum() - expected[rows].sum())
    if len(rows):
        values, threshold = _values(questions, rows, c, y, resamples, seed)
        reason = why_no_auroc(y)
        undefined = {} if reason is None else {"auroc": reason}
    else:
        values, threshold = np.full((1, len(METRICS)), math.nan), math.nan
        undefined = dict.fromkeys(METRICS, why_none)
    return Figures(
        name=questions.name,
        size=questions.size,
        values=values,
        confidence=c,
        correct=y,
        unit_of=units,
        units=len(set(units.tolist())),
        missing=missing,
        threshold=threshold,
        undefined=undefined,
    )


def _values(
    questions: QuestionSet,
    rows: NDArray[np.int64],
    c: Floats,
    y: Floats,
    resamples: Resamples,
    seed: int,
) -> tuple[Floats, float]:
    drawn = content_seed(*(questions.items[row] for row in rows), seed=seed) % 2**32
    of = statistics(c, y, seed=drawn)

    def weighted(w: Floats) -> Floats:
        return np.stack([of[name](w) for name in METRICS], axis=-1)

    unit_of = questions.unit_of[rows]
    as_they_are = weighted(np.ones((1, len(c))))
    replicates = [weighted(block[:, unit_of]) for block in resamples.weights()]
    threshold = float(alignment(c, y, first_fifth(len(c))).threshold)
    return np.concatenate([as_they_are, *replicates]), threshold


def statistics(c: Floats, y: Floats, *, seed: int = 0) -> dict[str, Statistic]:
    """Each of `METRICS` of some answers.

    Parameters
    ----------
    c, y : float array, shape (n,)
        Confidence in [0, 1], and correctness, 0 or 1, in the order in which the first fifth is cut.
    seed : int
        Of the random fifth.
    """

    def binned(binning: Binning) -> Statistic:
        of_bins = bin_contributions(c, y, binning=binning)
        return lambda w: calibration_error_of(weighted_sums(w, of_bins))

    def tuned(fifth: NDArray[np.bool_]) -> Statistic:
        return lambda w: alignment(c, y, fifth, weights=w).value

    return {
        "auroc": lambda w: auroc(c, y, weights=w),
        "brier": lambda w: brier(c, y, weights=w),
        "accuracy": lambda w: accuracy(y, weights=w),
        "aurc": lambda w: aurc(c, y, weights=w),
        **{name: binned(binning) for name, binning in _BINNING.items()},
        "alignment": tuned(first_fifth(len(c))),
        "alignment_random": tuned(random_fifth(len(c), seed=seed)),
    }


def estimates_of(sets: Sequence[Figures], intervals: Intervals) -> dict[str, Estimate]:
    """The metrics of one set, or their averages over several, each with its interval.

    An average has no value where one of its sets has none.

    Parameters
    ----------
    sets
        Over the same number of replicates; at least one.
    """
    sizes = [one.size for one in sets]
    n_draws = max(len(one.values) for one in sets)
    stacked = np.stack(
        [np.broadcast_to(one.values, (n_draws, len(METRICS))) for one in sets], axis=-1
    )
    values = set_average(stacked, sizes)
    ends = intervals.ends(values, None) if n_draws > 1 else None
    units = sum(one.units for one in sets)
    found = {}
    for place, name in enumerate(METRICS):
        value = float(values[0, place])
        if math.isnan(value):
            interval = math.nan, math.nan, ""
        elif units < 2 or ends is None:
            interval = math.nan, math.nan, "no interval, a single question"
        else:
            interval = ends.at(place)
            if name == "accuracy" and (len(sets) == 1 or value in (0.0, 1.0)):
                interval = wilson(value, units, level=intervals.level) or interval
        low, high, method = interval
        found[name] = Estimate(
            value=value,
            low=low,
            high=high,
            n=sum(len(one.correct) for one in sets),
            units=units,
            missing=sum(one.missing for one in sets),
            level=intervals.level,
            method=method,
            undefined=_why(name, sets) if math.isnan(value) else None,
        )
    return found


def _why(name: str, sets: Sequence[Figures]) -> str:
    if len(sets) == 1:
        return sets[0].undefined[name]
    lacking = [one for one in sets if name in one.undefined]
    more = f", and none on {len(lacking) - 1} more" if len(lacking) > 1 else ""
    return f"no value on {lacking[0].name}: {lacking[0].undefined[name]}{more}"
