"""Whether a judge may stand in for a person: the alternative annotator test [1]_.

Each person in turn is left out, and judge and person are held against the others. The judge's
disadvantage on an answer is 1, 0 or -1: whether the person alone, both or neither, or the judge
alone agrees with the others at least as well.

References
----------
.. [1] N. Calderon, R. Reichart, R. Dror (2025), The Alternative Annotator Test for LLM-as-a-Judge,
   arXiv 2501.10970.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

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
