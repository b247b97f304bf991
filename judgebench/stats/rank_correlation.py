"""How far two scorings put the same things in the same order, or on one line.

All coefficients work along the last axis with leading axes free, so that all bootstrap
replicates are one call. For ranks every pair of things is compared (memory grows with the square
of their number): things are models, of which there are tens.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

NO_INTERVAL_OF_ITEMS = (
    "no interval: draws of items were measured not to hold a correlation over models"
)
"""Where models stay and items are drawn: noise in the models' scores pulls each draw's coefficient
towards 0, so that intervals lie below it where both sides rank alike (`perf/coverage_calibration`).
"""


def average_ranks(scores: ArrayLike) -> Floats:
    """Ranks from 1 (lowest), ties sharing the mean of their ranks.

    Parameters
    ----------
    scores : float array, shape (..., n)

    Returns
    -------
    float array, shape (..., n)
        nan throughout a vector that holds a nan.
    """
    x = np.asarray(scores, dtype=np.float64)
    lower = (x[..., :, np.newaxis] > x[..., np.newaxis, :]).sum(axis=-1)
    equal = (x[..., :, np.newaxis] == x[..., np.newaxis, :]).sum(axis=-1)
    known = ~np.isnan(x).any(axis=-1, keepdims=True)
    return np.where(known, lower + (equal + 1) / 2.0, np.nan)


def spearman(first: ArrayLike, second: ArrayLike) -> Floats:
    """Spearman's rho: Pearson's correlation of average ranks [1]_.

    Parameters
    ----------
    first, second : float array, shape (..., n)

    Returns
    -------
    float array, shape (...)
        In [-1, 1]; nan where a vector is constant, holds a nan, or has fewer than two elements.

    References
    ----------
    .. [1] C. Spearman (1904), The proof and measurement of association between two things,
       American Journal of Psychology 15(1), 72-101.
    """
    x, y = _pair(first, second)
    middle = (x.shape[-1] + 1) / 2.0  # the exact mean of ranks, so a constant gives an exact 0
    a, b = average_ranks(x) - middle, average_ranks(y) - middle
    return _normalised((a * b).sum(axis=-1), (a * a).sum(axis=-1), (b * b).sum(axis=-1))


def pearson(first: ArrayLike, second: ArrayLike) -> Floats:
    """Pearson's correlation along the last axis [1]_.

    Parameters
    ----------
    first, second : float array, shape (..., n)

    Returns
    -------
    float array, shape (...)
        In [-1, 1]; nan where a vector is constant, holds a nan, or has fewer than two elements.

    References
    ----------
    .. [1] K. Pearson (1895), Note on regression and inheritance in the case of two parents,
       Proceedings of the Royal Society of London 58, 240-242.
    """
    x, y = _pair(first, second)
    if x.shape[-1] < 2:
        return np.full(x.shape[:-1], np.nan)
    a, b = x - x.mean(axis=-1, keepdims=True), y - y.mean(axis=-1, keepdims=True)
    # A constant less its mean may leave a rounding error that correlates with anything.
    varies = np.ptp(x, axis=-1).astype(bool) & np.ptp(y, axis=-1).astype(bool)
    found = _normalised((a * b).sum(axis=-1), (a * a).sum(axis=-1), (b * b).sum(axis=-1))
    return np.asarray(np.where(varies, found, np.nan))


def kendall_tau_b(first: ArrayLike, second: ArrayLike) -> Floats:
    """Kendall's tau-b: concordant less discordant pairs, corrected for ties [1]_.

    Parameters
    ----------
    first, second : float array, shape (..., n)

    Returns
    -------
    float array, shape (...)
        In [-1, 1]; nan where a vector is constant, holds a nan, or has fewer than two elements.

    References
    ----------
    .. [1] M. G. Kendall (1945), The treatment of ties in ranking problems, Biometrika 33(3),
       239-251.
    """
    x, y = _pair(first, second)
    i, j = np.triu_indices(x.shape[-1], k=1)
    a, b = np.sign(x[..., i] - x[..., j]), np.sign(y[..., i] - y[..., j])
    return _normalised((a * b).sum(axis=-1), (a * a).sum(axis=-1), (b * b).sum(axis=-1))


def why_undefined(first: ArrayLike, second: ArrayLike) -> str | None:
    """Why two vectors have no rank correlation, in words; None where they have one.

    Parameters
    ----------
    first, second : float array, shape (n,)
    """
    x, y = _pair(first, second)
    if x.shape[-1] < 2:
        return "a ranking needs at least two models"
    if np.isnan(x).any() or np.isnan(y).any():
        return "a model has no score"
    for values, whose in ((x, "the judge"), (y, "the reference")):
        if (values == values[0]).all():
            return f"{whose} gives every model the same score"
    return None


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim < 1:
        raise ValueError(f"two scorings of the same things are needed, not {x.shape} and {y.shape}")
    return x, y


def _normalised(covariance: Floats, first: Floats, second: Floats) -> Floats:
    scale = np.sqrt(first * second)
    quotient = np.full(np.shape(scale), np.nan)
    np.divide(covariance, scale, out=quotient, where=scale > 0)
    # Rounding puts a perfect correlation past its end.
    return np.asarray(np.clip(quotient, -1.0, 1.0))
