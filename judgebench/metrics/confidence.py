"""What a model's confidences are worth: on one set of questions, and averaged over several.

Sets are not thrown together: a statistic is computed within each, and averages are weighted with
the sizes of the sets. A bootstrap resamples the questions of each set by itself, and all models
and confidences share its draws. Besides stands what remains wrong where only the surest answers are
given: a curve, with intervals on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.intervals import LEAST, Interval, Intervals, as_estimate, wilson
from judgebench.records import Estimate
from judgebench.stats.calibration_error import (
    Binning,
    bin_contributions,
    calibration_error_of,
    corrected_error,
    unit_sums,
)
from judgebench.stats.confidence import (
    AurocInterval,
    accuracy,
    alignment,
    aurc,
    auroc,
    auroc_interval,
    brier,
    first_fifth,
    random_fifth,
    risk_among_surest,
    risk_steps,
    why_no_auroc,
)
from judgebench.stats.resample import (
    Resamples,
    content_seed,
    ends_of_average,
    weighted_mean,
    weighted_sums,
)

Floats: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Floats], Floats]
"""Of some answers, from how often each counts: weights (r, n) to values (r,)."""

METRICS = (
    "auroc", "ece", "alignment", "brier", "accuracy", "aurc",
    "ece_plug_in", "ece_upstream", "ece_closed", "alignment_random",
)  # fmt: skip
"""``ece`` is corrected for the bias of its bins, which are exact; ``ece_plug_in`` is not, nor are
``ece_upstream`` and ``ece_closed`` of the other binnings, as no published figure is. ``alignment``
is tuned on the first fifth of the answers, as upstream's code does it, ``alignment_random`` on a
random fifth, as the paper says."""

FEWEST_OF_EITHER = {"brier": 5, "alignment": 12, "alignment_random": 12}
"""Right and wrong answers that an interval takes: with 3 wrong of 30 percentiles held a Brier score
in 88 % and an alignment in 89, with 5 of 100 in 94 and 89 (`perf/coverage_calibration.py`)."""

DRAWN = ("alignment", "brier", "accuracy", "alignment_random")
"""Metrics with intervals from draws of questions."""

_BINNING: Mapping[str, Binning] = MappingProxyType(
    {"ece_plug_in": "exact", "ece_upstream": "upstream", "ece_closed": "closed"}
)

CORRECTED = "corrected for the bias of its bins (moment-matched soft threshold)"
_PLUG_IN = "no interval: this ECE is biased upwards at this n; ece is corrected"
_AURC = (
    "no interval: those tried did not hold where few wrong answers, or sure ones, decide the area"
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Confidences:
    """How sure models are of their answers to a set of questions, and which of them are right.

    confidence, correct : float array, shape (items, models)
        In [0, 1], and 0 or 1; nan where there is none.
    """

    questions: QuestionSet
    confidence: Floats
    correct: Floats

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which answers have both, shape (items, models)."""
        return np.asarray(~(np.isnan(self.confidence) | np.isnan(self.correct)))

    @property
    def of_all(self) -> Confidences:
        """On the questions to which every model has an answer that has both."""
        rows, asked = np.flatnonzero(self.known.all(axis=1)), self.questions
        items = tuple(asked.items[row] for row in rows)
        return Confidences(
            questions=replace(asked, items=items, unit_of=asked.unit_of[rows]),
            confidence=self.confidence[rows],
            correct=self.correct[rows],
        )

    @property
    def n_units(self) -> int:
        """How many units the questions are."""
        return len(set(self.questions.unit_of.tolist()))

    def over_draws(self, statistic: Statistic, draws: Resamples) -> Floats:
        """A statistic of the answers as they are, and then on each draw of the set's units."""
        unit_of = self.questions.unit_of
        weights = chain([np.ones((1, len(unit_of)))], (w[:, unit_of] for w in draws.weights()))
        return np.concatenate([statistic(w) for w in weights])  # one block of them at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The metrics of one confidence of one model on one set.

    answers
        Those that have both, of that model alone.

    values : float array, shape (1 + n_replicates, drawn metrics)
        On the answers as they are, then resampled, in the order of `DRAWN`.
    points
        The others by name, nan where undefined; ``ece`` is not among them, since its estimate over
        several sets is no mean of theirs.
    bins : float array, shape (units, bins, 3)
        As `judgebench.stats.calibration_error.unit_sums` gives them, of exact bins.
    auroc
        The interval of the AUROC; None without answers.
    missing
        Answers that lack either.
    threshold
        That ``alignment`` was found at; nan without answers.
    undefined
        Why a metric has no value, by name.
    """

    answers: Confidences
    values: Floats
    points: Mapping[str, float]
    bins: Floats
    auroc: AurocInterval | None
    missing: int
    threshold: float
    undefined: Mapping[str, str]

    @property
    def correct(self) -> Floats:
        """Which of these answers are right, 0 or 1, shape (n,)."""
        return np.asarray(self.answers.correct[:, 0])


def figures(
    given: Confidences,
    *,
    expected: NDArray[np.bool_],
    resamples: Resamples,
    seed: int,
    why_none: str,
    level: float = 0.95,
) -> Figures:
    """The metrics on one set.

    Parameters
    ----------
    given
        Of one model.
    expected : bool array, shape (items,)
        Which answers should have both.
    resamples
        Over the set's units.
    seed
        Of the random fifth.
    why_none
        Why there is nothing to compute, where no answer has both.
    level
        Of the interval of the AUROC.
    """
    both, known = given.of_all, given.known[:, 0]
    c, y, units = both.confidence[:, 0], both.correct[:, 0], both.questions.unit_of
    drawn = content_seed(*both.questions.items, seed=seed) % 2**32
    of, interval = statistics(c, y, seed=drawn), None
    if len(c):
        values = both.over_draws(lambda w: np.stack([of[one](w) for one in DRAWN], -1), resamples)
        threshold = float(alignment(c, y, first_fifth(len(c))).threshold)
        reason = why_no_auroc(y)
        undefined = {} if reason is None else {"auroc": reason}
        interval = auroc_interval(c, y, unit_of=units, level=level)
    else:
        values, threshold = np.full((1, len(DRAWN)), math.nan), math.nan
        undefined = dict.fromkeys(METRICS, why_none)
    once = np.ones((1, len(c)))
    return Figures(
        answers=both,
        values=values,
        points={
            name: float(of[name](once)[0]) for name in METRICS if name in of and name not in DRAWN
        },
        bins=unit_sums(bin_contributions(c, y, binning="exact"), units),
        auroc=interval,
        missing=int((expected & ~known).sum()),
        threshold=threshold,
        undefined=undefined,
    )


def statistics(c: Floats, y: Floats, *, seed: int = 0) -> dict[str, Statistic]:
    """Each of `METRICS` of some answers, but for ``ece``, which has no weights of answers.

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

    An average has no value where one of its sets has none. The ``ece`` of several sets is estimated
    from all their bins at once: a mean of estimates that are never negative would be biased by what
    each of them is.

    Parameters
    ----------
    sets
        Over the same number of replicates; at least one.
    """
    found = _drawn(sets, intervals) | _fixed(sets, intervals)
    units = sum(one.answers.n_units for one in sets)
    estimates = {}
    for name in METRICS:
        value, interval = found[name]
        estimates[name] = as_estimate(
            value,
            _ALONE if units < 2 else interval,
            n=sum(len(one.correct) for one in sets),
            units=units,
            missing=sum(one.missing for one in sets),
            level=intervals.level,
            why=_why(name, sets) or interval[2],
        )
    return estimates


_ALONE: Interval = math.nan, math.nan, "no interval, a single question"
_Found: TypeAlias = dict[str, tuple[float, Interval]]
"""Value and interval, in which the method is why there is no value where there is none."""


def _drawn(sets: Sequence[Figures], intervals: Intervals) -> _Found:
    """The metrics that have intervals from draws.

    None with fewer right or wrong answers than it took for intervals to hold.
    """
    n_draws = max(len(one.values) for one in sets)
    stacked = np.stack(
        [np.broadcast_to(one.values, (n_draws, len(DRAWN))) for one in sets], axis=-1
    )
    values = weighted_mean(stacked, [one.answers.questions.size for one in sets])
    ends = intervals.ends(values, None) if n_draws > 1 else None
    units = sum(one.answers.n_units for one in sets)
    rarer = int(sum(min(one.correct.sum(), (1.0 - one.correct).sum()) for one in sets))
    found: _Found = {}
    for place, name in enumerate(DRAWN):
        value = float(values[0, place])
        interval = _ALONE
        if ends is not None and not math.isnan(value):
            interval = ends.at(place)
            varies = not math.isnan(interval[0])
            if varies and rarer < (fewest := FEWEST_OF_EITHER.get(name, 0)):
                why = f"no interval: with fewer than {fewest} right or wrong answers none held"
                interval = math.nan, math.nan, why
            if name == "accuracy" and (len(sets) == 1 or value in (0.0, 1.0)):
                interval = wilson(value, units, level=intervals.level, least=LEAST) or interval
        found[name] = value, interval
    return found


def _fixed(sets: Sequence[Figures], intervals: Intervals) -> _Found:
    """The others."""
    sizes = [one.answers.questions.size for one in sets]
    found: _Found = {}
    for name, method in {**dict.fromkeys(_BINNING, _PLUG_IN), "aurc": _AURC}.items():
        value = float(weighted_mean([one.points[name] for one in sets], sizes))
        found[name] = value, (math.nan, math.nan, method)
    error = corrected_error(
        [one.bins for one in sets], sizes, level=intervals.level, seed=intervals.seed
    )
    said = error.why_no_interval or ""
    if not math.isnan(error.value):
        said = f"{CORRECTED}; no interval, {said}" if said else CORRECTED
    found["ece"] = error.value, (error.low, error.high, said)
    areas = [one.points["auroc"] for one in sets]
    value = float(weighted_mean(areas, sizes))
    those = [one.auroc for one in sets if one.auroc is not None]
    low, high, method = math.nan, math.nan, ""
    if not math.isnan(value):
        low, high = ends_of_average(
            areas, [one.low for one in those], [one.high for one in those], sizes
        )
        names = [one.answers.questions.name for one in sets]
        without = dict(zip(names, those, strict=True))
        lacking = [name for name, one in without.items() if math.isnan(one.low)]
        method = (without[lacking[0]] if lacking else those[0]).method
        if len(sets) > 1:
            method += f" on {lacking[0]}" if lacking else " of each set, their squares added"
    found["auroc"] = value, (low, high, method)
    return found


def _why(name: str, sets: Sequence[Figures]) -> str | None:
    """Why a metric has no value on a set; None where it has one on each."""
    lacking = [one for one in sets if name in one.undefined]
    if not lacking or len(sets) == 1:
        return sets[0].undefined.get(name)
    more = f", and none on {len(lacking) - 1} more" if len(lacking) > 1 else ""
    return f"no value on {lacking[0].answers.questions.name}: {lacking[0].undefined[name]}{more}"


# risk by coverage -------------------------------------------------------------------------------

TENTHS = np.arange(1, 11) / 10
_EDGES = np.linspace(0.0, 1.0, 201)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RiskCurve:
    """Risk against coverage; of several sets the mean of their curves, weighted with their sizes.

    edges : float array, shape (steps + 1,)
        Coverages from 0 to 1.
    risk : float array, shape (steps,)
        Mean risk within each step. The area under them is the AURC that boards print.
    points : tuple of Estimate
        The risk at each of `TENTHS` of coverage, ``n`` being how many answers are given there.
    """

    edges: Floats
    risk: Floats
    points: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetCurve:
    """The curve of one set: shapes (steps,) and (1 + replicates, tenths)."""

    steps: Floats
    at_tenths: Floats


def set_curve(one: Figures, draws: Resamples) -> SetCurve:
    """One confidence of one model on one set.

    Parameters
    ----------
    one
    draws
        Of the units of the set, as its figures were made with.
    """
    answers = one.answers.confidence[:, 0], one.correct

    def at_tenths(w: Floats) -> Floats:
        return risk_among_surest(*answers, TENTHS, weights=w)

    return SetCurve(
        steps=risk_steps(*answers, _EDGES), at_tenths=one.answers.over_draws(at_tenths, draws)
    )


def risk_curve(
    sets: Sequence[Figures], curves: Sequence[SetCurve], intervals: Intervals
) -> RiskCurve | None:
    """The curve of one confidence of one model over several sets; None where a set has no answer.

    Parameters
    ----------
    sets
        At least one.
    curves
        Of each of them.
    """
    if not all(len(one.correct) for one in sets):
        return None
    sizes = [one.answers.questions.size for one in sets]
    at_tenths = weighted_mean(np.stack([one.at_tenths for one in curves], axis=-1), sizes)
    return RiskCurve(
        edges=_EDGES,
        risk=weighted_mean(np.stack([one.steps for one in curves], axis=-1), sizes),
        points=_curve_points(sets, at_tenths, intervals),
    )


def _curve_points(
    sets: Sequence[Figures], values: Floats, intervals: Intervals
) -> tuple[Estimate, ...]:
    """As `confidence_board.estimates_of` has those of accuracy: all that is wrong, at the end."""
    ends = intervals.ends(values, None)
    n, units = sum(len(one.correct) for one in sets), sum(one.answers.n_units for one in sets)
    found = []
    for place, share in enumerate(TENTHS.tolist()):
        value = float(values[0, place])
        interval = ends.at(place)
        if units < 2:
            interval = _ALONE
        elif len(sets) == 1 or value in (0.0, 1.0):
            interval = wilson(value, share * units, level=intervals.level) or interval
        found.append(
            as_estimate(
                value,
                interval,
                n=round(share * n),
                units=units,
                missing=sum(one.missing for one in sets),
                level=intervals.level,
                why=None,
            )
        )
    return tuple(found)
