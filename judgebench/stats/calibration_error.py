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
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.confidence import checked

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
    interval does not reach down to 0 there; at a true error of 0.18 it covers as it should.

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
    return np.asarray(np.divide(distance, n, out=np.full(np.shape(n), np.nan), where=n > 0))


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
    there = (n > 0)[:, np.newaxis]
    means = np.full((N_BINS, 2), np.nan)
    np.divide(sums[:N_BINS, 1:], n[:, np.newaxis], out=means, where=there)
    return ReliabilityBins(
        low=edges[:-1],
        high=edges[1:],
        n=n.astype(np.int64),
        confidence=means[:, 0],
        accuracy=means[:, 1],
        n_unbinned=int(sums[N_BINS, 0]),
        error=float(calibration_error_of(sums)),
    )


def _edges(binning: Binning) -> Floats:
    if binning == "exact":
        return np.arange(N_BINS + 1) / N_BINS
    if binning in ("closed", "upstream"):
        return np.linspace(0.0, 1.0, N_BINS + 1)
    raise ValueError(f"binning is exact, closed or upstream, not {binning!r}")
