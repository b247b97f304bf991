"""Which answers people are asked about: how many of each stratum, and what kappa will be known to.

A sample is drawn within strata, each by itself and at random, so that what is in it has a known
probability: those drawn of its stratum over those there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heapreplace

import numpy as np
from numpy.typing import ArrayLike, NDArray


def allocation(sizes: Sequence[int], weights: Sequence[float], n: int) -> list[int]:
    """How many to draw of each stratum: one, and then in proportion to the weights.

    Sainte-Laguë's divisors, so that a larger sample never has fewer of a stratum; one that is
    used up gets no more. Weights ``size * spread`` are Neyman's allocation [1]_.

    Parameters
    ----------
    sizes : sequence of int
        What there is of each, at least one.
    weights : sequence of float
        Above zero.
    n : int

    Raises
    ------
    ValueError
        For fewer than one of each stratum, or more than there are.

    References
    ----------
    .. [1] J. Neyman (1934), On the two different aspects of the representative method, Journal of
       the Royal Statistical Society 97(4), 558-625.

    Examples
    --------
    >>> allocation([100, 10, 5], [1.0, 1.0, 1.0], 21)
    [8, 8, 5]
    """
    if not len(sizes) <= n <= sum(sizes):
        raise ValueError(f"a sample of {len(sizes)} to {sum(sizes)} is needed, not of {n}")
    drawn = [1] * len(sizes)
    waiting = [(3.0 / weight, at) for at, weight in enumerate(weights)]
    heapify(waiting)
    left = n - len(sizes)
    while left:
        _, at = waiting[0]
        full = drawn[at] == sizes[at]
        drawn[at] += not full
        left -= not full
        heapreplace(waiting, (np.inf if full else (2 * drawn[at] + 1) / weights[at], at))
    return drawn


def kappa_standard_error(shares: ArrayLike, distance: ArrayLike, kappa: float, n: float) -> float:
    """The standard error that Cohen's kappa of ``n`` answers will have, weighted or not [1]_.

    Two raters are supposed to use the labels alike, and to agree beyond chance in a share
    ``kappa`` of the answers. Of two labels it is the form of Bloch and Kraemer [2]_.

    Parameters
    ----------
    shares : float array, shape (n_labels,)
        How often each label is given, in all 1.
    distance : float array, shape (n_labels, n_labels)
        Disagreement of two labels, 0 of equal ones; 1 of others for plain kappa.
    kappa : float
        In [0, 1].
    n : float
        Answers that both judge; of a weighted sample, Kish's effective number.

    Returns
    -------
    float
        nan where only one label is used.

    References
    ----------
    .. [1] J. L. Fleiss, J. Cohen, B. S. Everitt (1969), Large sample standard errors of kappa and
       weighted kappa, Psychological Bulletin 72(5), 323-327.
    .. [2] D. A. Bloch, H. C. Kraemer (1989), 2 x 2 kappa coefficients: measures of agreement or
       association, Biometrics 45(1), 269-287.

    Examples
    --------
    >>> round(kappa_standard_error([0.5, 0.5], [[0, 1], [1, 0]], 0.6, 100), 4)
    0.08
    """
    p = np.asarray(shares, dtype=np.float64)
    table = kappa * np.diag(p) + (1.0 - kappa) * np.outer(p, p)
    return kappa_error_of(table, distance, n)


def kappa_error_of(table: ArrayLike, distance: ArrayLike, n: float) -> float:
    """As `kappa_standard_error`, of any table (n_labels, n_labels) of shares, in all 1."""
    t, d = np.asarray(table, dtype=np.float64), np.asarray(distance, dtype=np.float64)
    first, second = t.sum(axis=1), t.sum(axis=0)
    observed, expected = float((t * d).sum()), float(first @ d @ second)
    if not expected > 0.0:
        return float("nan")
    kappa = 1.0 - observed / expected
    # The influence of one answer on observed / expected.
    each: NDArray[np.float64] = d - (1.0 - kappa) * ((d @ second)[:, None] + (first @ d)[None, :])
    mean = float((t * each).sum())
    return float(np.sqrt((t * np.square(each - mean)).sum() / n) / expected)


def effective_number(probabilities: ArrayLike) -> float:
    """Kish's number of answers that a weighted sample is worth: of equal probabilities, all."""
    weights = 1.0 / np.asarray(probabilities, dtype=np.float64)
    return float(np.square(weights.sum()) / np.square(weights).sum())
