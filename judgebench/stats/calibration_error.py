"""Whether answers given with confidence 0.8 are correct 80 times in 100: ECE, reliability bins.

Confidences fall into ten equal bins. A question's contribution to the sums of its bin is all that
is needed, so that every bootstrap replicate is a weighting of contributions.

There are three ways to find the bin, and they differ by more than methods do where confidences are
shares of 20 samples:

``exact``
    ``[0, 0.1), [0.1, 0.2), ..., [0.9, 1]``, the edges being the numbers as written.
``closed``
    The edges are sums of a rounded 0.1, as `numpy.linspace` makes them: 0.30000000000000004 and so
    on, above 0.3, 0.6 and 0.7, which therefore fall into the bin below their own. 1 is in the last
    bin.
``upstream``
    HonestyBench's own code [1]_: the edges of ``closed``, and a confidence of exactly 1 falls into
    an eleventh bin, which adds nothing to the error but is still counted in its denominator.

References
----------
.. [1] S. Ni et al. (2025), Annotation-Efficient Universal Honesty Alignment, arXiv 2510.17509;
   its repository at 1b566b6, honesty_alignment/eval.py.

The error of the bins as they are, the *plug-in*, is biased upwards, since chance leaves a distance
in every bin. `calibration_error` computes it, as published figures do; `corrected_error` takes the
bias out as far as it can be, and gives an interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.confidence import checked
from judgebench.stats.resample import content_seed, quotient

Floats: TypeAlias = NDArray[np.float64]
Binning: TypeAlias = Literal["exact", "closed", "upstream"]

N_BINS = 10


def bin_contributions(confidence: ArrayLike, correct: ArrayLike, *, binning: Binning) -> Floats:
    """What each answer adds to the sums of the bins.

    Parameters
    ----------
    confidence, correct : array, shape (n,)
        As in `confidence.checked`.
    binning : {"exact", "closed", "upstream"}
        As the module says.

    Returns
    -------
    float array, shape (n, N_BINS + 1, 3)
        One answer, its confidence, its correctness, in its bin; the last row is of answers in no
        bin, which only ``upstream`` has.

    Raises
    ------
    ValueError
        As in `confidence.checked`, and for a binning that is none.
    """
    c, y = checked(confidence, correct)
    found = np.searchsorted(_edges(binning), c, side="right") - 1
    if binning != "upstream":
        found = np.minimum(found, N_BINS - 1)
    contributions = np.zeros((len(c), N_BINS + 1, 3))
    contributions[np.arange(len(c)), found] = np.stack([np.ones(len(c)), c, y], axis=-1)
    return contributions


def calibration_error_of(sums: ArrayLike) -> Floats:
    """Expected calibration error of sums of `bin_contributions` [1]_.

    ``sum over bins of share of answers * |mean confidence - accuracy|``, which is the distance of
    the bin's sums over all answers.

    It is biased upwards where calibration is good, since chance leaves a distance in every bin: of
    a perfectly calibrated model it is about 0.056 on 300 answers and 0.022 on 2000 (simulated,
    confidences spread over all ten bins). A bootstrap adds the same once more, so that its
    interval never holds a true error of 0. `corrected_error` has neither.

    Parameters
    ----------
    sums : float array, shape (..., N_BINS + 1, 3)

    Returns
    -------
    float array, shape (...)
        In [0, 1]; nan without answers.

    References
    ----------
    .. [1] M. P. Naeini, G. F. Cooper, M. Hauskrecht (2015), Obtaining well calibrated
       probabilities using Bayesian binning, AAAI, 2901-2907.
    """
    s = np.asarray(sums, dtype=np.float64)
    distance = np.abs(s[..., :N_BINS, 1] - s[..., :N_BINS, 2]).sum(axis=-1)
    n = s[..., 0].sum(axis=-1)
    return quotient(distance, n)


def calibration_error(confidence: ArrayLike, correct: ArrayLike, *, binning: Binning) -> float:
    """Expected calibration error of answers; parameters as in `bin_contributions`.

    Returns
    -------
    float
        In [0, 1]; nan without answers.

    Examples
    --------
    >>> round(calibration_error([1.0, 1.0, 0.25], [1, 0, 0], binning="exact"), 4)
    0.4167
    >>> round(calibration_error([1.0, 1.0, 0.25], [1, 0, 0], binning="upstream"), 4)
    0.0833
    """
    sums = bin_contributions(confidence, correct, binning=binning).sum(axis=0)
    return float(calibration_error_of(sums))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBins:
    """What a reliability diagram shows, one element for each bin.

    Parameters
    ----------
    low, high : float array, shape (N_BINS,)
        The bin's ends.
    n : int array, shape (N_BINS,)
        Answers in it.
    confidence, accuracy : float array, shape (N_BINS,)
        Their mean confidence and the share of correct ones; nan where the bin is empty.
    n_unbinned : int
        Answers in no bin.
    error : float
        `calibration_error` of the same bins: how far they lie from the diagonal, each weighted with
        its n; nan without answers.
    """

    low: Floats
    high: Floats
    n: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats
    n_unbinned: int
    error: float


def reliability_bins(
    confidence: ArrayLike, correct: ArrayLike, *, binning: Binning
) -> ReliabilityBins:
    """The bins of a reliability diagram [1]_; parameters as in `bin_contributions`.

    References
    ----------
    .. [1] M. H. DeGroot, S. E. Fienberg (1983), The comparison and evaluation of forecasters,
       Journal of the Royal Statistical Society D 32(1/2), 12-22.
    """
    sums = bin_contributions(confidence, correct, binning=binning).sum(axis=0)
    n, edges = sums[:N_BINS, 0], np.arange(N_BINS + 1) / N_BINS
    means = quotient(sums[:N_BINS, 1:], n[:, np.newaxis])
    return ReliabilityBins(
        low=edges[:-1],
        high=edges[1:],
        n=n.astype(np.int64),
        confidence=means[:, 0],
        accuracy=means[:, 1],
        n_unbinned=int(sums[N_BINS, 0]),
        error=float(calibration_error_of(sums)),
    )


FEWEST_UNITS = 20
"""Units that a corrected error and its interval take, over all sets: of fewer, chance explains
distances so large that the estimate may be 0 whatever the truth."""

_FEW_RARER = 10
"""Fewer answers of their bin's rarer outcome tell too little of how much the error varies."""

_SPLITS = 10
"""How often the units are halved for the lower end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedError:
    """A calibration error without most of the plug-in's bias, and its interval.

    Parameters
    ----------
    value : float
        In [0, 1]; nan without answers and with fewer than `FEWEST_UNITS` units.
    low, high : float
        ``low <= value <= high``; nan where there is no interval. A ``low`` of 0 says that nothing
        rules out perfect calibration: the error is at most ``high``.
    plug_in : float
        The error of the bins as they are, `calibration_error_of`; of several sets their mean.
    why_no_interval : str or None
        In words; where there is no value, why.
    """

    value: float
    low: float
    high: float
    plug_in: float
    why_no_interval: str | None = None


def unit_sums(
    contributions: ArrayLike, unit_of: ArrayLike | None = None, weights: ArrayLike | None = None
) -> Floats:
    """Sums of `bin_contributions` by unit: answers that share a unit move together.

    Parameters
    ----------
    contributions : float array, shape (n, N_BINS + 1, 3)
    unit_of : int array, shape (n,), optional
        Each answer is one by default.
    weights : float array, shape (n,), optional
        How often each answer counts, not negative; units of no weight are left out.

    Returns
    -------
    float array, shape (units, N_BINS + 1, 3)

    Raises
    ------
    ValueError
        For a negative weight.
    """
    added = np.asarray(contributions, dtype=np.float64)
    w = np.ones(len(added)) if weights is None else np.asarray(weights, dtype=np.float64)
    if (w < 0.0).any():
        place = int(np.flatnonzero(w < 0.0)[0])
        raise ValueError(f"the weight of answer {place} is {w[place]:g}; weights are not negative")
    counted = np.flatnonzero(w)
    units = counted if unit_of is None else np.asarray(unit_of, dtype=np.int64)[counted]
    found, place_of = np.unique(units, return_inverse=True)
    weighted = added[counted] * w[counted, np.newaxis, np.newaxis]
    if len(found) == len(units):  # nothing to add up, which takes long
        return np.asarray(weighted[np.argsort(place_of)])
    sums = np.zeros((len(found), *added.shape[1:]))
    np.add.at(sums, place_of, weighted)
    return sums


def corrected_error(
    sets: Sequence[Floats], shares: ArrayLike | None = None, *, level: float = 0.95, seed: int = 0
) -> CorrectedError:
    """Calibration error with the plug-in's bias taken out, of one set or averaged over several.

    The error is ``L = sum of |d|`` over the bins of all sets, ``d`` being a set's share times the
    expected ``confidence - correctness`` of an answer in the bin; its estimate ``D`` has a standard
    error ``s`` over units. The plug-in ``sum of |D|`` has the expectation ``sum of E|N(d, s)|``.

    *Estimate: a moment-matched soft threshold.* The bins' errors are taken for
    ``max(|D| - x s, 0)``, soft thresholding [1]_, with the one ``x >= 0`` at which the plug-in that
    they would have on average is the plug-in that was seen; ``x`` is what makes all of them 0 where
    not even that is so large. What bias rests was measured (`perf/coverage_calibration.py`): at 0 a
    third of the plug-in's, since nothing that is never negative is right on average there.

    *Upper end*: the largest ``L`` that does not make so small a plug-in too improbable, at the
    errors that give the least plug-in on average for their sum, equally many standard errors in
    every bin (a Lagrange multiplier says so; with another split of ``L`` the plug-in is larger).
    Normal with the skewness of folded normals (Cornish and Fisher), Student's quantile.

    *Lower end*: ``L`` is the largest of the signed sums of ``d``. The bins' signs are learnt on one
    half of the units, their signed sum is taken on the other, and the other way round; the mean of
    ten such splits less the quantile times the standard error of one.

    Both variances have that of ``z^2 / 4`` further units, as Wilson's interval; of ``z^2`` where
    fewer than ten answers are of the rarer outcome of their bin, since what never happened has no
    variance. Where the value lies outside (the ends are computed otherwise), the end is the value.

    Parameters
    ----------
    sets : sequence of float array, shape (units, N_BINS + 1, 3)
        As `unit_sums` gives them, one for each set; the units of different sets are independent.
    shares : float array, shape (n_sets,), optional
        What each set weighs, positive; equal by default. They are normed to a sum of 1.
    level : float
        Coverage aimed at, in (0, 1).
    seed : int
        Of the splits, which follow from the data besides.

    Returns
    -------
    CorrectedError
        nan where a set has no answers, and with fewer than `FEWEST_UNITS` units, which leaves the
        plug-in. No interval where a set has fewer than two.

    Raises
    ------
    ValueError
        For shares that are not one positive number a set.

    References
    ----------
    .. [1] D. L. Donoho, I. M. Johnstone (1994), Ideal spatial adaptation by wavelet shrinkage,
       Biometrika 81(3), 425-455.

    Examples
    --------
    >>> sums = unit_sums(bin_contributions([0.9] * 40, [1, 0] * 20, binning="exact"))
    >>> found = corrected_error([sums])
    >>> [round(one, 3) for one in (found.plug_in, found.value, found.low, found.high)]
    [0.4, 0.4, 0.234, 0.57]
    """
    a = np.ones(len(sets)) if shares is None else np.asarray(shares, dtype=np.float64)
    if a.shape != (len(sets),) or not (a > 0.0).all():
        raise ValueError(f"a positive share for each of {len(sets)} sets is needed, not {a}")
    if not sets or not all(one[..., 0].sum() > 0.0 for one in sets):
        return CorrectedError(
            value=math.nan, low=math.nan, high=math.nan, plug_in=math.nan,
            why_no_interval="no answers",
        )  # fmt: skip
    parts = [_Gaps(one, share) for one, share in zip(sets, a / a.sum(), strict=True)]
    distance = np.abs(np.concatenate([one.mean for one in parts]))
    units, fewest = sum(len(one.gaps) for one in parts), min(len(one.gaps) for one in parts)
    plug_in = float(distance.sum())
    if units < FEWEST_UNITS:
        few = f"{units} question{'s' * (units != 1)}; a calibration error takes {FEWEST_UNITS}"
        return CorrectedError(
            value=math.nan, low=math.nan, high=math.nan, plug_in=plug_in, why_no_interval=few
        )
    if fewest < 2:
        return CorrectedError(
            value=plug_in, low=math.nan, high=math.nan, plug_in=plug_in,
            why_no_interval="a set has a single question",
        )  # fmt: skip
    error = np.concatenate([one.error for one in parts])
    value = min(_matched(distance, error), 1.0)
    z = _student((1.0 + level) / 2.0, units - len(sets))
    further = z * z * sum(one.further for one in parts)
    high = float(_largest(plug_in, error, z, further))
    generator = np.random.default_rng(content_seed(*sets, seed=seed))
    signed = [one.signed_sums(generator) for one in parts]
    estimate = np.sum([one[0] for one in signed], axis=0).mean()
    spread = np.sqrt(np.sum([one[1] for one in signed], axis=0) + further).mean()
    return CorrectedError(
        value=value,
        low=float(np.clip(estimate - z * spread, 0.0, value)),
        high=min(max(high, value), 1.0),
        plug_in=plug_in,
    )


class _Gaps:
    """Confidence less correctness in the bins of one set, times its share.

    mean, error : float array, shape (N_BINS,)
        ``D`` and ``s``; the second is nan with a single unit.
    further
        The variance that one further unit adds, a quarter of it where all is told by many answers.
    """

    def __init__(self, sums: Floats, share: float) -> None:
        bins = sums[:, :N_BINS]
        self.share = share
        self.gaps, self.n = bins[..., 1] - bins[..., 2], sums[..., 0].sum(axis=-1)
        self.mean = share * self.gaps.sum(axis=0) / self.n.sum()
        units = len(self.n)
        rest = share * self.gaps - self.n[:, np.newaxis] * self.mean
        correction = units / (units - 1) if units > 1 else math.nan
        error = np.sqrt(correction * np.square(rest).sum(axis=0)) / self.n.sum()
        self.error = np.where(error <= _ROUNDING, 0.0, error)
        of_bin = bins.sum(axis=0)
        rarer = np.minimum(of_bin[:, 2], of_bin[:, 0] - of_bin[:, 2]).sum()
        n_rarer = rarer * units / self.n.sum()  # in units, however answers are weighted
        self.further = (share / units) ** 2 * (0.25 if n_rarer >= _FEW_RARER else 1.0)

    def signed_sums(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """The signed sum of each split, and its variance, shape (_SPLITS,) each."""
        units = len(self.n)
        first = generator.permuted(
            np.broadcast_to(np.arange(units) < units // 2, (_SPLITS, units)), axis=1
        ).astype(np.float64)
        halves = first, 1.0 - first
        n = [half @ self.n for half in halves]
        means = [half @ self.gaps / m[:, np.newaxis] for half, m in zip(halves, n, strict=True)]
        found, variance = np.zeros(_SPLITS), np.zeros(_SPLITS)
        for this, other in ((0, 1), (1, 0)):
            signs = np.sign(means[other])
            signed = (means[this] * signs).sum(axis=1)
            rest = signs @ self.gaps.T - signed[:, np.newaxis] * self.n
            found += signed / 2.0
            variance += (halves[this] * np.square(rest)).sum(axis=1) / np.square(n[this]) / 4.0
        return self.share * found, self.share**2 * variance


_ROUNDING = 1e-12
"""A standard error that is none."""


def _folded(t: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, variance and third central moment of ``|N(t, 1)|``, for t >= 0."""
    from scipy.special import ndtr

    inside = 2.0 * ndtr(t) - 1.0
    density = np.exp(-t * t / 2.0) / math.sqrt(2.0 * math.pi)
    mean = t * inside + 2.0 * density
    far = t > 6.0  # a normal, of which differences of powers would leave rounding
    near = np.where(far, 0.0, t)
    third = (near**3 + 3.0 * near) * inside + 2.0 * (near * near + 2.0) * density
    mean_near = np.where(far, 0.0, mean)
    third = third - 3.0 * mean_near * (1.0 + near * near) + 2.0 * mean_near**3
    variance = 1.0 + near * near - mean_near**2
    return mean, np.where(far, 1.0, variance), np.where(far, 0.0, third)


def _matched(distance: Floats, error: Floats) -> float:
    """The sum of soft-thresholded distances that have the observed sum on average."""
    varies = error > 0.0
    certain = float(distance[~varies].sum())
    s, z = error[varies], distance[varies] / error[varies]
    seen = float(distance[varies].sum())

    def too_much(x: float) -> float:
        return float((s * _folded(np.maximum(z - x, 0.0))[0]).sum()) - seen

    if not s.size or too_much(float(z.max())) >= 0.0:
        return certain
    if too_much(0.0) <= _ROUNDING:  # all so far from 0 that chance adds nothing
        return certain + seen
    from scipy.optimize import brentq

    x = float(brentq(too_much, 0.0, float(z.max())))
    return certain + float((s * np.maximum(z - x, 0.0)).sum())


def _largest(plug_in: float, error: Floats, z: float, further: float) -> float:
    """The largest error of which the plug-in lies a quantile above the one seen, or less."""
    total, squares, cubes = (float((error**k).sum()) for k in (1, 2, 3))
    most = plug_in + z * math.sqrt(squares + further)
    if total == 0.0:
        return most

    def above(t: Floats) -> Floats:
        mean, variance, third = _folded(t)
        spread = np.sqrt(variance * squares + further)
        quantile = z - (z * z - 1.0) / 6.0 * third * cubes / spread**3
        return np.asarray(total * mean - quantile * spread - plug_in)

    steps = np.linspace(0.0, most / total + 1.0, _STEPS)
    below = np.flatnonzero(above(steps) < 0.0)
    if not below.size:
        return 0.0
    last = int(below[-1])
    if last == _STEPS - 1:
        return float(steps[last]) * total
    from scipy.optimize import brentq

    end = brentq(lambda t: float(above(np.array(t))), steps[last], steps[last + 1])
    return total * float(end)


_STEPS = 64


def _student(share: float, free: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(max(free, 1), share))


def _edges(binning: Binning) -> Floats:
    if binning == "exact":
        return np.arange(N_BINS + 1) / N_BINS
    if binning in ("closed", "upstream"):
        return np.linspace(0.0, 1.0, N_BINS + 1)
    raise ValueError(f"binning is exact, closed or upstream, not {binning!r}")
