"""How well confidences tell correct answers from wrong ones: AUROC, Brier, risk and coverage.

An answer has a confidence in [0, 1] and is correct or not. Every statistic takes weights with free
leading axes: how often each answer counts. A bootstrap replicate over items is a row of weights,
and all replicates are one call, or one call for each block of them.

Answers of the same confidence cannot be told apart: they count half against each other, and no
curve has a point between them.

Alignment is how often "confident enough" and "correct" agree, at a threshold tuned on other rows.

The threshold is the one that agrees best with correctness on a fifth of the answers; the alignment
is the agreement on the rest. The paper says that the fifth is random; its code takes the first rows
of the file [1]_. Both are here, and a report names the one it used.

Also confidences themselves, from a model's probabilities and from further samples. Prob and N-Prob
come from the log-probabilities of the tokens of the greedy answer, Consis-Lex and Consis-Sem from
how far samples drawn at a temperature say the same as the greedy answer [1]_.

ROUGE-L, how much of two texts is the same words in the same order, is two things in HonestyBench.
The paper means the measure of Lin; its code takes the package ``rouge`` 1.0.1, whose "rouge-l" is
the summary-level variant on *sets* of words, as written (``Paris`` and ``paris,`` are two words),
with sentences cut at every full stop.

References
----------
.. [1] S. Ni et al. (2025), Annotation-Efficient Universal Honesty Alignment, arXiv 2510.17509,
   section 4, and its repository at 1b566b6: honesty_alignment/eval.py.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import nan
from types import MappingProxyType
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.resample import quotient

Floats: TypeAlias = NDArray[np.float64]
Number = TypeVar("Number", np.float64, np.int64)


def first_outside(confidence: ArrayLike) -> int | None:
    """The place of the first confidence that is none; None where all lie in [0, 1].

    Parameters
    ----------
    confidence : float array, shape (n,)
        nan is outside too.
    """
    c = np.asarray(confidence, dtype=np.float64)
    outside = np.flatnonzero(~((c >= 0.0) & (c <= 1.0)))
    return int(outside[0]) if outside.size else None


def checked(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    """Confidences and correctness as arrays.

    Parameters
    ----------
    confidence : float array, shape (n,)
        In [0, 1].
    correct : bool or number array, shape (n,)
        Whether each answer is correct: 0 or 1.

    Raises
    ------
    ValueError
        Naming the place, for a confidence outside [0, 1] or a correctness that is not 0 or 1 (nan
        is neither: an answer without one is left out by the caller, and counted there).
    """
    c, y = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if c.shape != y.shape or c.ndim != 1:
        raise ValueError(
            f"one confidence and one correctness for each answer are needed, not {c.shape} and "
            f"{y.shape}"
        )
    place = first_outside(c)
    if place is not None:
        raise ValueError(
            f"the confidence of answer {place} is {c[place]:g}, which is not in [0, 1]; leave out "
            "answers without a confidence, and rescale percentages"
        )
    unclear = np.flatnonzero((y != 0.0) & (y != 1.0))
    if unclear.size:
        raise ValueError(
            f"the correctness of answer {unclear[0]} is {y[unclear[0]]:g}, which is neither 0 nor "
            "1; leave out answers whose correctness is unknown"
        )
    return c, y


def checked_weights(weights: ArrayLike | None, n: int) -> Floats:
    """Weights of ``n`` answers, shape (..., n); one each by default.

    Raises
    ------
    ValueError
        When their number is another.
    """
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.ndim < 1 or w.shape[-1] != n:
        raise ValueError(f"weights of {n} answers are needed, not of shape {w.shape}")
    return w


def sums_by_level(levels: NDArray[Number], values: Floats) -> tuple[NDArray[Number], Floats]:
    """The levels that occur, upwards, and the sums of the values at each.

    Parameters
    ----------
    levels : number array, shape (n,)
    values : float array, shape (..., n)

    Returns
    -------
    levels : number array, shape (n_levels,)
    sums : float array, shape (..., n_levels)
    """
    order = np.argsort(levels, kind="stable")
    found, starts = np.unique(levels[order], return_index=True)
    if not found.size:  # reduceat knows no empty sums
        return found, values
    if found.size == order.size:  # nothing to add up, which reduceat takes long for
        return found, values[..., order]
    return found, np.add.reduceat(values[..., order], starts, axis=-1)


def accuracy(correct: ArrayLike, *, weights: ArrayLike | None = None) -> Floats:
    """Share of correct answers.

    Parameters
    ----------
    correct : bool or number array, shape (n,)
    weights : float array, shape (..., n), optional

    Returns
    -------
    float array, shape (...)
        In [0, 1]; nan without answers.
    """
    y = np.asarray(correct, dtype=np.float64)
    w = checked_weights(weights, len(y))
    return quotient(w @ y, w.sum(axis=-1))


def brier(confidence: ArrayLike, correct: ArrayLike, *, weights: ArrayLike | None = None) -> Floats:
    """Brier score: mean squared distance of the confidence from 0 or 1 [1]_. Lower is better.

    Parameters
    ----------
    confidence, correct : array, shape (n,)
        As in `checked`.
    weights : float array, shape (..., n), optional

    Returns
    -------
    float array, shape (...)
        In [0, 1], half of Brier's sum over both classes; nan without answers.

    References
    ----------
    .. [1] G. W. Brier (1950), Verification of forecasts expressed in terms of probability, Monthly
       Weather Review 78(1), 1-3.

    Examples
    --------
    >>> round(float(brier([0.9, 0.2], [1, 0])), 4)
    0.025
    """
    c, y = checked(confidence, correct)
    w = checked_weights(weights, len(c))
    return quotient(w @ np.square(c - y), w.sum(axis=-1))


def auroc(confidence: ArrayLike, correct: ArrayLike, *, weights: ArrayLike | None = None) -> Floats:
    """Area under the ROC curve: how often a correct answer is the more confident one [1]_.

    ``P(conf+ > conf-) + P(conf+ = conf-) / 2`` over pairs of a correct and a wrong answer.

    Parameters
    ----------
    confidence, correct : array, shape (n,)
        As in `checked`.
    weights : float array, shape (..., n), optional

    Returns
    -------
    float array, shape (...)
        In [0, 1]; nan where all answers are correct, all are wrong, or there are none;
        `why_no_auroc` says which.

    References
    ----------
    .. [1] J. A. Hanley, B. J. McNeil (1982), The meaning and use of the area under a receiver
       operating characteristic (ROC) curve, Radiology 143(1), 29-36.

    Examples
    --------
    >>> float(auroc([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0]))
    0.875
    """
    c, y = checked(confidence, correct)
    w = checked_weights(weights, len(c))
    _, right = sums_by_level(c, w * y)
    _, wrong = sums_by_level(c, w * (1.0 - y))
    below = np.cumsum(wrong, axis=-1) - wrong
    won = (right * (below + wrong / 2.0)).sum(axis=-1)
    return quotient(won, right.sum(axis=-1) * wrong.sum(axis=-1))


def why_no_auroc(correct: ArrayLike) -> str | None:
    """Why these answers have no AUROC, in words; None where they have one.

    Parameters
    ----------
    correct : bool or number array, shape (n,)
    """
    y = np.asarray(correct, dtype=np.float64)
    if y.size == 0:
        return "no answers"
    if (y == 1.0).all():
        return "all answers are correct: there is no wrong one to tell them from"
    if (y == 0.0).all():
        return "all answers are wrong: there is no correct one to tell them from"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AurocInterval:
    """Of an AUROC: ``low <= AUROC <= high``, nan where there is none, and what it is, in words."""

    low: float
    high: float
    method: str


def auroc_interval(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    unit_of: ArrayLike | None = None,
    level: float = 0.95,
) -> AurocInterval:
    """An interval of the AUROC that also holds with few wrong (or few correct) answers.

    The hull of two: Newcombe's method 5 [1]_, a score interval with Hanley and McNeil's variance at
    the value supposed, and DeLong's variance [2]_ on the logit, with Student's quantile and
    Satterthwaite's degrees of freedom. The former is too narrow where the classes spread unequally,
    the latter with few of a class; where confidences never differ within a class it has no width.

    Where the classes lie apart (an AUROC of 0 or 1) no variance is seen. There the interval is
    one-sided: all of ``m`` independent pairs in order have a probability of ``AUROC^m`` at most,
    ``m`` being the size of the smaller class, so that ``AUROC >= alpha^(1/m)`` whatever the
    distributions.

    Parameters
    ----------
    confidence, correct : array, shape (n,)
        As in `checked`.
    unit_of : int array, shape (n,), optional
        Answers that share a unit move together; each is one by default. Placements are then added
        up by unit [3]_, and a class is as large as the units that hold some of it.
    level : float
        Coverage aimed at, in (0, 1).

    Returns
    -------
    AurocInterval
        None with fewer than two (units) of a class.

    References
    ----------
    .. [1] R. G. Newcombe (2006), Confidence intervals for an effect size measure based on the
       Mann-Whitney statistic, part 2, Statistics in Medicine 25(4), 559-573.
    .. [2] E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson (1988), Comparing the areas under two or
       more correlated receiver operating characteristic curves, Biometrics 44(3), 837-845.
    .. [3] N. A. Obuchowski (1997), Nonparametric analysis of clustered ROC curve data, Biometrics
       53(2), 567-578.

    Examples
    --------
    >>> found = auroc_interval([0.9, 0.8, 0.7, 0.2, 0.1], [1, 1, 1, 0, 0])
    >>> round(found.low, 4), found.high
    (0.2236, 1.0)
    """
    c, y = checked(confidence, correct)
    units = np.arange(len(c)) if unit_of is None else np.asarray(unit_of, dtype=np.int64)
    n_right, n_wrong = (len(np.unique(units[y == kind])) for kind in (1.0, 0.0))
    for n, kind in ((n_wrong, "wrong"), (n_right, "correct")):
        if n < 2:
            why = f"no interval, {n or 'no'} {kind} answer{'s' * (n == 0)}; it takes two"
            return AurocInterval(low=math.nan, high=math.nan, method=why)
    value = float(auroc(c, y))
    if value in (0.0, 1.0):
        end = (1.0 - level) ** (1.0 / min(n_right, n_wrong))
        low, high = (end, 1.0) if value == 1.0 else (0.0, 1.0 - end)
        return AurocInterval(
            low=low, high=high, method="one-sided: no wrong and correct answers overlap"
        )
    low, high = _newcombe(value, n_right, n_wrong, level)
    error, free = _delong(c, y, units, value)
    if error > 0.0:
        from scipy.special import expit, logit, stdtrit

        half = stdtrit(free, (1.0 + level) / 2.0) * error / (value * (1.0 - value))
        low, high = min(low, expit(logit(value) - half)), max(high, expit(logit(value) + half))
    return AurocInterval(
        low=float(low), high=float(high), method="hull of Newcombe's method 5 and logit-DeLong"
    )


def _newcombe(value: float, n_right: int, n_wrong: int, level: float) -> tuple[float, float]:
    """The values from which the one seen lies a normal quantile away."""
    from scipy.optimize import brentq
    from scipy.special import ndtri

    z, middle = float(ndtri((1.0 + level) / 2.0)), (n_right + n_wrong) / 2.0

    def error(area: float) -> float:
        rest = (3.0 * middle - 3.0) / ((2.0 - area) * (1.0 + area))
        variance = area * (1.0 - area) * (2.0 * middle - 1.0 - rest) / (n_right * n_wrong)
        return math.sqrt(max(variance, 0.0))

    def beyond(area: float) -> float:
        return abs(value - area) - z * error(area)

    return float(brentq(beyond, 0.0, value)), float(brentq(beyond, value, 1.0))


def _delong(c: Floats, y: Floats, units: NDArray[np.int64], value: float) -> tuple[float, float]:
    """The standard error, and Satterthwaite's degrees of freedom."""
    right, wrong = np.sort(c[y == 1.0]), np.sort(c[y == 0.0])

    def placed(among: Floats, those: Floats) -> Floats:
        """The share of them that lies below each, ties counting half."""
        below, upto = (np.searchsorted(among, those, side=side) for side in ("left", "right"))
        return np.asarray((below + upto) / 2.0 / len(among))

    place = np.where(y == 1.0, placed(wrong, c), 1.0 - placed(right, c)) - value
    _, unit = np.unique(units, return_inverse=True)
    by_unit = [
        np.bincount(unit, np.where(y == kind, place, 0.0) / (y == kind).sum())
        for kind in (1.0, 0.0)
    ]
    variance, free = [], []
    for kind, sums in zip((1.0, 0.0), by_unit, strict=True):
        n = len(np.unique(unit[y == kind]))
        variance.append(n / (n - 1) * float(np.square(sums).sum()))
        free.append(n - 1)
    shared = 2.0 * float((by_unit[0] * by_unit[1]).sum())  # of units that hold both classes
    parts = sum(v * v / f for v, f in zip(variance, free, strict=True))
    total = sum(variance)
    if parts == 0.0:
        return 0.0, 1.0
    return math.sqrt(max(total + shared, 0.0)), total * total / parts


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskCoverage:
    """What remains wrong if only answers of at least some confidence are given.

    One point for each confidence that occurs, the highest first.

    Parameters
    ----------
    threshold : float array, shape (n_levels,)
        Answers of at least this confidence are given.
    coverage : float array, shape (n_levels,)
        Share of answers that are given, in (0, 1].
    risk : float array, shape (n_levels,)
        Share of those that are wrong.
    """

    threshold: Floats
    coverage: Floats
    risk: Floats

    def at(self, coverages: ArrayLike) -> RiskCoverage:
        """The first point with at least each of these coverages; fewer where one is several's.

        Parameters
        ----------
        coverages : float array, shape (m,)
            In (0, 1].
        """
        if not len(self.coverage):
            return self
        wanted = np.asarray(coverages, dtype=np.float64) - 1e-12  # a tenth is no binary fraction
        last = len(self.coverage) - 1
        kept = np.unique(np.minimum(np.searchsorted(self.coverage, wanted), last))
        return RiskCoverage(
            threshold=self.threshold[kept], coverage=self.coverage[kept], risk=self.risk[kept]
        )


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> RiskCoverage:
    """The curve of risk against coverage [1]_.

    Parameters
    ----------
    confidence, correct : array, shape (n,)
        As in `checked`; without answers the curve has no points.

    References
    ----------
    .. [1] R. El-Yaniv, Y. Wiener (2010), On the foundations of noise-free selective
       classification, Journal of Machine Learning Research 11, 1605-1641.
    """
    c, y = checked(confidence, correct)
    levels, given = sums_by_level(-c, np.ones(len(c)))
    _, wrong = sums_by_level(-c, 1.0 - y)
    n_given = np.cumsum(given)
    return RiskCoverage(
        threshold=-levels, coverage=n_given / max(1, len(c)), risk=np.cumsum(wrong) / n_given
    )


def aurc(confidence: ArrayLike, correct: ArrayLike, *, weights: ArrayLike | None = None) -> Floats:
    """Area under the risk-coverage curve: mean risk over all coverages [1]_. Lower is better.

    The mean over k of the risk of the k most confident answers. Among answers of one confidence it
    is the mean over all their orders, so that no order of the data matters. A weight is how often
    an answer is there.

    Parameters
    ----------
    confidence, correct : array, shape (n,)
        As in `checked`.
    weights : float array, shape (..., n), optional

    Returns
    -------
    float array, shape (...)
        In [0, 1]: 0 where all are correct, 1 where all are wrong; nan without answers.

    References
    ----------
    .. [1] Y. Geifman, G. Uziel, R. El-Yaniv (2019), Bias-reduced uncertainty estimation for deep
       neural classifiers, ICLR, arXiv 1805.08206, section 2.
    """
    from scipy.special import digamma

    c, y = checked(confidence, correct)
    w = checked_weights(weights, len(c))
    at = _surest_first(c, y, w)
    # Sum over k of (errors before + rate * answers of this level among the first k) / k; a sum of
    # 1/k is a difference of digammas, also where weights are no whole numbers.
    harmonic = digamma(at.upto + 1.0) - digamma(at.before + 1.0)
    area = ((at.before_wrong - at.rate * at.before) * harmonic + at.rate * at.given).sum(axis=-1)
    return np.asarray(np.clip(quotient(area, w.sum(axis=-1)), 0.0, 1.0))


def risk_among_surest(
    confidence: ArrayLike,
    correct: ArrayLike,
    coverages: ArrayLike,
    *,
    weights: ArrayLike | None = None,
) -> Floats:
    """Share of wrong answers among the most confident ones, at some coverages.

    Among answers of one confidence it is the mean over all their orders, as in `aurc`, which is the
    mean of this over the coverages ``1/n, 2/n, ..., 1``.

    Parameters
    ----------
    confidence, correct : array, shape (n,)
        As in `checked`.
    coverages : float array, shape (m,)
        Shares of the answers that are given, in (0, 1].
    weights : float array, shape (..., n), optional

    Returns
    -------
    float array, shape (..., m)
        In [0, 1]; nan without answers.

    Examples
    --------
    >>> risk_among_surest([0.9, 0.5, 0.5], [1, 1, 0], [1 / 3, 2 / 3, 1]).round(4).tolist()
    [0.0, 0.25, 0.3333]
    """
    c, y = checked(confidence, correct)
    w = checked_weights(weights, len(c))
    at = _surest_first(c, y, w)
    n = w.sum(axis=-1)
    found = [_risk_of(share * n, at) for share in np.asarray(coverages, dtype=np.float64)]
    return np.stack(found, axis=-1) if found else np.zeros((*n.shape, 0))


def risk_steps(confidence: ArrayLike, correct: ArrayLike, edges: ArrayLike) -> Floats:
    """The risk-coverage curve as steps: the mean risk within each stretch of coverage.

    The area under the steps from 0 to 1 is `aurc`, however few of them there are.

    Parameters
    ----------
    confidence, correct : array, shape (n,)
        As in `checked`.
    edges : float array, shape (m + 1,)
        Coverages from 0 to 1, upwards.

    Returns
    -------
    float array, shape (m,)
        In [0, 1]; nan without answers.
    """
    c, y = checked(confidence, correct)
    ends = np.asarray(edges, dtype=np.float64)
    if not len(c):
        return np.full(len(ends) - 1, np.nan)
    shares = np.arange(len(c) + 1) / len(c)
    risks = _risk_of_each(_surest_first(c, y, np.ones(len(c))), len(c))
    area = np.concatenate([[0.0], np.cumsum(risks)]) / len(c)
    return np.asarray(np.diff(np.interp(ends, shares, area)) / np.diff(ends))


@dataclass(frozen=True, slots=True, kw_only=True)
class _SurestFirst:
    """Answers by level of confidence, the highest first, each of shape (..., n_levels).

    ``given`` of a level, ``before`` it and ``upto`` its end; wrong ones ``before_wrong``, and the
    ``rate`` of them within it.
    """

    given: Floats
    before: Floats
    upto: Floats
    before_wrong: Floats
    rate: Floats


def _surest_first(c: Floats, y: Floats, w: Floats) -> _SurestFirst:
    _, given = sums_by_level(-c, w)
    _, wrong = sums_by_level(-c, w * (1.0 - y))
    upto = np.cumsum(given, axis=-1)
    return _SurestFirst(
        given=given,
        before=upto - given,
        upto=upto,
        before_wrong=np.cumsum(wrong, axis=-1) - wrong,
        rate=np.divide(wrong, given, out=np.zeros_like(wrong), where=given > 0),
    )


def _risk_of(k: Floats, at: _SurestFirst) -> Floats:
    """Among the ``k`` most confident answers, shape (...); ``k`` need not be whole."""
    if not at.upto.shape[-1]:
        return np.full(k.shape, np.nan)
    last = at.upto.shape[-1] - 1
    level = np.minimum((at.upto < k[..., np.newaxis] - 1e-9).sum(axis=-1), last)[..., np.newaxis]
    before, wrong, rate = (
        np.take_along_axis(one, level, axis=-1)[..., 0]
        for one in (at.before, at.before_wrong, at.rate)
    )
    return quotient(wrong + rate * (k - before), k)


def _risk_of_each(at: _SurestFirst, n: int) -> Floats:
    """As `_risk_of` for every k from 1 to n, of answers that count once each."""
    k = np.arange(1, n + 1, dtype=np.float64)
    level = np.repeat(np.arange(len(at.given)), at.given.astype(np.int64))
    wrong = at.before_wrong[level] + at.rate[level] * (k - at.before[level])
    return np.asarray(wrong / k)


Mask: TypeAlias = NDArray[np.bool_]

THRESHOLDS: Floats = np.arange(1, 100) / 100
"""What a confidence has to reach: 0.01, 0.02 ... 0.99."""

_FALL_BACK = 49  # the threshold 0.5, where none splits the tuning rows
_N_LEVELS = len(THRESHOLDS) + 1
_TUNING, _REST = 0, 1


def first_fifth(n: int) -> Mask:
    """The first ``int(0.2 * n)`` rows, as upstream's code tunes the threshold on.

    Returns
    -------
    bool array, shape (n,)
    """
    return np.arange(n) < int(0.2 * n)


def random_fifth(n: int, *, seed: int) -> Mask:
    """As many rows at random, as the paper says.

    Returns
    -------
    bool array, shape (n,)
    """
    return np.asarray(np.random.default_rng(seed).permutation(first_fifth(n)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Alignment and the threshold that it was found at.

    Parameters
    ----------
    value : float array, shape (...)
        Share of the rest on which reaching the threshold and being correct agree, in [0, 1]; nan
        where the rest has no answers.
    threshold : float array, shape (...)
        One of `THRESHOLDS`: the lowest of those that agree best. One that all tuning rows reach,
        or none does, is passed over; where all are passed over, or agree nowhere, it is 0.5.
    """

    value: Floats
    threshold: Floats


def alignment(
    confidence: ArrayLike,
    correct: ArrayLike,
    tuning: ArrayLike,
    *,
    weights: ArrayLike | None = None,
) -> Alignment:
    """Alignment of answers.

    Parameters
    ----------
    confidence, correct : array, shape (n,)
        As in `confidence.checked`.
    tuning : bool array, shape (n,)
        Which rows the threshold is tuned on; a resampled row stays on its side.
    weights : float array, shape (..., n), optional
        How often each answer counts: whole numbers, or ties between thresholds are left to
        rounding.

    Examples
    --------
    >>> found = alignment([0.2, 0.9, 0.8, 0.6, 0.1], [0, 1, 1, 0, 0], [1, 1, 0, 0, 0])
    >>> float(found.threshold), round(float(found.value), 4)
    (0.21, 0.6667)
    """
    c, y = checked(confidence, correct)
    tunes = np.asarray(tuning, dtype=np.bool_)
    if tunes.shape != c.shape:
        raise ValueError(f"a side for each of {len(c)} answers is needed, not {tunes.shape}")
    counts = _counts(c, y, tunes, checked_weights(weights, len(c)))
    upto = np.cumsum(counts, axis=-2)
    below, total = upto[..., :-1, :], upto[..., -1:, :]  # below: of each threshold
    reached = total - below
    agreeing = reached[..., 1] + below[..., 0]
    yes, no = reached[..., _TUNING, :, :], below[..., _TUNING, :, :]
    # Two columns are added ten times as fast as numpy sums along an axis of two.
    splits = (yes[..., 0] + yes[..., 1] > 0) & (no[..., 0] + no[..., 1] > 0)
    tuned = np.where(splits, agreeing[..., _TUNING, :], 0.0)
    best = np.where(tuned.max(axis=-1) > 0, tuned.argmax(axis=-1), _FALL_BACK)
    found = np.take_along_axis(agreeing[..., _REST, :], best[..., np.newaxis], axis=-1)[..., 0]
    n = total[..., _REST, 0, :].sum(axis=-1)
    value = quotient(found, n)
    return Alignment(value=value, threshold=THRESHOLDS[best])


def _counts(confidence: Floats, correct: Floats, tunes: Mask, weights: Floats) -> Floats:
    """Answers by side, how many thresholds they reach, and correctness: shape (..., 2, 100, 2).

    Which thresholds a confidence reaches follows from how many it reaches.
    """
    reached = np.searchsorted(THRESHOLDS, confidence, side="right")
    side = np.where(tunes, _TUNING, _REST)
    cells = (side * _N_LEVELS + reached) * 2 + correct.astype(np.int64)
    counts = np.zeros((*weights.shape[:-1], 2 * _N_LEVELS * 2))
    there, sums = sums_by_level(cells, weights)
    counts[..., there] = sums
    return counts.reshape(*weights.shape[:-1], 2, _N_LEVELS, 2)


_WORD = re.compile(r"[^\W_]+")
_EPSILON = 1e-8  # in upstream's denominator, so that equal texts come to 0.999999995


def rouge_l(first: str, second: str) -> float:
    """F1 of the longest common subsequence of words [1]_.

    Words are runs of letters and digits, in lower case; nothing is stemmed. On ASCII texts this is
    what the package ``rouge_score`` computes, which knows no other letters.

    Parameters
    ----------
    first, second : str

    Returns
    -------
    float
        In [0, 1], whichever comes first; nan where neither text has a word.

    References
    ----------
    .. [1] C.-Y. Lin (2004), ROUGE: a package for automatic evaluation of summaries, Text
       Summarization Branches Out, 74-81, section 3.1.

    Examples
    --------
    >>> rouge_l("police killed the gunman", "Police kill the gunman.")
    0.75
    """
    a, b = _words(first), _words(second)
    return 2.0 * _common_length(a, b) / (len(a) + len(b)) if a or b else nan


def rouge_l_upstream(reference: str, candidate: str) -> float:
    """The "rouge-l" of the package ``rouge`` 1.0.1.

    Every sentence of the one is laid beside every sentence of the other; the words of their longest
    common subsequences, each counted once, are what the texts have in common.

    Parameters
    ----------
    reference, candidate : str

    Returns
    -------
    float
        In [0, 1); 0 where one text is empty or only full stops, nan where both are. The package
        stops with an error at either.
    """
    ours, theirs = _sentences(reference), _sentences(candidate)
    if not ours or not theirs:
        return 0.0 if ours or theirs else nan
    common: set[str] = set()
    for one, other in product(ours, theirs):
        common.update(_common_words(one, other))
    recall = len(common) / len({word for sentence in ours for word in sentence})
    precision = len(common) / len({word for sentence in theirs for word in sentence})
    return 2.0 * ((precision * recall) / (precision + recall + _EPSILON))


def _words(text: str) -> list[str]:
    # Composed, or the accent of a letter written as two characters would end the word.
    return _WORD.findall(unicodedata.normalize("NFC", text.lower()))


def _common_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the usual table as the bits of a number.

    After H. Hyyrö (2004), Bit-parallel LCS-length computation revisited, AWOCA, 16-27. A zero bit
    stands where the row goes up by one.
    """
    places: dict[str, int] = {}
    for i, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << i
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        here = row & places.get(word, 0)
        row = ((row + here) | (row - here)) & full
    return len(first) - row.bit_count()


def _sentences(text: str) -> list[list[str]]:
    """Cut at full stops; a blank between two of them is a sentence of one empty word."""
    return [piece.split() or [""] for piece in text.split(".") if piece]


def _common_words(first: list[str], second: list[str]) -> list[str]:
    """The words of one longest common subsequence.

    Of several, the one that is found from the ends by giving up a word of the second wherever that
    costs nothing, since another may have other words.
    """
    if first == second:
        return first
    table = [[0] * (len(second) + 1)]
    for word in first:
        above, row = table[-1], [0]
        for j, other in enumerate(second):
            row.append(above[j] + 1 if word == other else max(above[j + 1], row[j]))
        table.append(row)
    i, j, found = len(first), len(second), []
    while i and j:
        if first[i - 1] == second[j - 1]:
            i, j = i - 1, j - 1
            found.append(first[i])
        elif table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return found


RougeL: TypeAlias = Literal["lin", "upstream"]

ROUGE_L: Mapping[str, Callable[[str, str], float]] = MappingProxyType(
    {"lin": rouge_l, "upstream": rouge_l_upstream}
)

_ROUNDING = 1e-4
"""How far above 0 a log-probability may lie that was computed in low precision."""


def probability(logprobs: Sequence[float]) -> float:
    """Prob: the probability of the whole answer, ``exp(sum of log p)``.

    Parameters
    ----------
    logprobs : sequence of float
        Natural logarithms of the tokens' probabilities, ``-inf`` allowed. Whether the token that
        ends the answer is among them is up to the caller, and has to be the same for all answers.

    Returns
    -------
    float
        In [0, 1]; nan without tokens.

    Raises
    ------
    ValueError
        Naming the place, for a log-probability that is positive or nan.
    """
    total = _total(logprobs)
    return math.exp(total) if logprobs else math.nan


def probability_per_token(logprobs: Sequence[float]) -> float:
    """N-Prob: the geometric mean of the tokens' probabilities, ``exp(mean of log p)``.

    Parameters, returned value and errors as in `probability`.
    """
    total = _total(logprobs)
    return math.exp(total / len(logprobs)) if logprobs else math.nan


def lexical_consistency(greedy: str, samples: Sequence[str], *, rouge: RougeL) -> float:
    """Consis-Lex: mean ROUGE-L F1 of the samples with the greedy answer.

    Parameters
    ----------
    greedy : str
    samples : sequence of str
    rouge : {"lin", "upstream"}
        `rouge_l.rouge_l` or `rouge_l.rouge_l_upstream`.

    Returns
    -------
    float
        In [0, 1], over the samples for which it is defined; nan where it is for none, that is
        without samples, or where neither the greedy answer nor any sample has a word.
    """
    score = ROUGE_L[rouge]
    known: dict[str, float] = {}  # samples repeat each other
    for sample in samples:
        if sample not in known:
            known[sample] = score(greedy, sample)
    defined = [known[sample] for sample in samples if not math.isnan(known[sample])]
    return math.fsum(defined) / len(defined) if defined else math.nan


def _total(logprobs: Sequence[float]) -> float:
    for place, logprob in enumerate(logprobs):
        if not logprob <= _ROUNDING:  # so is nan
            raise ValueError(
                f"the log-probability of token {place} is {logprob:g}; it is at most 0"
            )
    return math.fsum(min(logprob, 0.0) for logprob in logprobs)
