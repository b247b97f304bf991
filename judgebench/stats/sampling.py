"""Which answers people are asked about, what kappa will be known to, and who may stand in for them.

A sample is drawn within strata, each by itself and at random, so that what is in it has a known
probability: those drawn of its stratum over those there are.

Whether a judge may stand in for a person says the alternative annotator test [1]_. Each person in
turn is left out, and judge and person are held against the others. The judge's disadvantage on an
answer is 1, 0 or -1: whether the person alone, both or neither, or the judge alone agrees with the
others at least as well.

References
----------
.. [1] N. Calderon, R. Reichart, R. Dror (2025), The Alternative Annotator Test for LLM-as-a-Judge,
   arXiv 2501.10970.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
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


FEWEST = 30
"""Units that the test of one person takes."""

EPSILON = 0.1
"""By how much a judge may be behind a person, since it costs less: 0.2 beside experts, 0.15 beside
trained people, 0.1 beside anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorTest:
    """What came of it.

    winning_rate
        Share of the people whom the judge is not behind by ``epsilon``, at a false discovery rate
        of 0.05 (Benjamini and Yekutieli); nan where nobody could be tested. From 0.5 on the judge
        may stand in.
    advantage
        How often the judge agrees with the others at least as well as a person, in the mean.
    p_values : tuple of float
        By person, nan where the answers are too few.
    units : tuple of int
        By person.
    epsilon
    """

    winning_rate: float
    advantage: float
    p_values: tuple[float, ...]
    units: tuple[int, ...]
    epsilon: float


def alternative_annotator(
    judge: ArrayLike,
    people: ArrayLike,
    unit_of: ArrayLike,
    *,
    numeric: bool = False,
    epsilon: float = EPSILON,
    q: float = 0.05,
) -> AnnotatorTest:
    """The test over what judge, a person and at least one other have said.

    Parameters
    ----------
    judge : float array, shape (n,)
        Codes or scores; nan where there is none.
    people : float array, shape (at least 3, n)
    unit_of : int array, shape (n,)
        Answers of one unit (a question) count as their mean.
    numeric : bool
        Whether agreement is closeness (minus the root mean square) and not sameness.

    Raises
    ------
    ValueError
        For fewer than three people.
    """
    from scipy.special import stdtr

    j, them, unit = (np.asarray(one, dtype=np.float64) for one in (judge, people, unit_of))
    if them.ndim != 2 or len(them) < 3:
        raise ValueError(f"three people or more are needed, not {len(them)}")
    p_values, units, advantages = [], [], []
    for one in range(len(them)):
        others = np.delete(them, one, axis=0)
        common = ~np.isnan(j) & ~np.isnan(them[one]) & (~np.isnan(others)).any(axis=0)
        machine, person = (
            _with(others[:, common], said[common], numeric) for said in (j, them[one])
        )
        wins = (machine >= person - 1e-12).astype(np.float64)
        behind = (person >= machine - 1e-12) - wins
        _, place = np.unique(unit[common], return_inverse=True)
        n = int(place.max()) + 1 if place.size else 0
        units.append(n)
        if n < FEWEST:
            p_values.append(math.nan)
            continue
        advantages.append(wins.mean())
        each = np.bincount(place, behind) / np.bincount(place)
        error = each.std(ddof=1) / math.sqrt(n)
        distance = each.mean() - epsilon
        t = distance / error if error else math.copysign(math.inf, distance)
        p_values.append(float(stdtr(n - 1, t)))
    known = np.sort([p for p in p_values if not math.isnan(p)])
    m, rate = len(known), math.nan
    if m:
        steps = np.arange(1, m + 1) * q / (m * (1.0 / np.arange(1, m + 1)).sum())
        below = np.flatnonzero(known <= steps)
        rate = (int(below[-1]) + 1) / m if below.size else 0.0
    return AnnotatorTest(
        winning_rate=rate,
        advantage=float(np.mean(advantages)) if advantages else math.nan,
        p_values=tuple(p_values),
        units=tuple(units),
        epsilon=epsilon,
    )


def _with(others: np.ndarray, said: np.ndarray, numeric: bool) -> np.ndarray:
    """How well each answer's verdict goes with those of the others."""
    there = ~np.isnan(others)
    apart = np.where(there, others - said, 0.0)
    n = there.sum(axis=0)
    if numeric:
        return np.asarray(-np.sqrt(np.square(apart).sum(axis=0) / n))
    return np.asarray((there & (apart == 0.0)).sum(axis=0) / n)
