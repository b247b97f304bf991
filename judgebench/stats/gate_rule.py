"""When a difference between two models is a regression, when it passes, when nothing is decided.

With a margin m > 0 and one-sided bounds L and U of the difference, candidate minus baseline, at
1 - alpha each: L > -m passes; else a regression, if the candidate is worse (adjusted p <= alpha);
else the question is open. So a candidate that is as good fails with probability alpha at most, and
one that is worse by the margin passes with probability alpha at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from judgebench.stats.paired_tests import mcnemar_worse

Decision = Literal["pass", "regression", "inconclusive"]
Direction = Literal["better", "worse", "undecided"]

POWER = 0.8

_FAR = 8.0  # standard deviations beyond which nothing is counted


def decide(low: float, p_worse: float, *, margin: float, alpha: float) -> Decision:
    """The decision of one test.

    Parameters
    ----------
    low : float
        The lower bound of the difference at 1 - alpha; nan decides nothing.
    p_worse : float
        One-sided, adjusted for all tests of a policy; nan decides nothing.
    margin : float
        The drop that is borne, above 0, on the scale of the difference.
    """
    if low > -margin:
        return "pass"
    return "regression" if p_worse <= alpha else "inconclusive"


def direction(difference: float, p_differs: float, *, alpha: float) -> Direction:
    """Whether one model is better than another, where none of them is the baseline.

    Parameters
    ----------
    difference : float
        Of the first and the second; nan decides nothing.
    p_differs : float
        Two-sided, adjusted for all tests; nan decides nothing.
    """
    if not p_differs <= alpha or not difference:
        return "undecided"
    return "better" if difference > 0.0 else "worse"


def power_to_detect(
    spread: float, units: int, drop: float, *, alpha: float, right: float | None = None
) -> float:
    """How often a test of so many units calls a candidate that is worse by ``drop``.

    Parameters
    ----------
    spread : float
        Standard error times the root of the number of units (`PairedTest.spread`), of two models
        of which neither is better.
    right : float, optional
        For items that are right or wrong, the share that a model has right. The power is then that
        of McNemar's exact test, which is called less often than a normal distribution says. Right
        answers are taken to be lost at random: where both models had them, more items differ than
        before, where only the candidate had them, fewer.

    Returns
    -------
    float
        nan where the spread is not known, or is 0.
    """
    if not units or not spread > 0.0:
        return math.nan
    if right is None:
        from scipy.stats import norm

        return float(norm.sf(_z(alpha) - drop * math.sqrt(units) / spread))
    differing = spread**2
    differing = min(max(differing + drop * (1.0 - differing / right), drop), 1.0) if right else 1.0
    return _mcnemar_power(units, differing, (differing + drop) / (2.0 * differing), alpha)


def detectable(
    spread: float,
    units: int,
    *,
    alpha: float,
    power: float = POWER,
    right: float | None = None,
) -> float:
    """The smallest drop that a test of so many units finds with the given power.

    Parameters
    ----------
    spread, right
        As in `power_to_detect`.

    Returns
    -------
    float
        Above 0, on the scale of the difference; nan where the spread is not known, or is 0, and
        where these units cannot find even the loss of all that is right.
    """
    if not units or not spread > 0.0:
        return math.nan
    if right is None:
        return (_z(alpha) + _z(1.0 - power)) * spread / math.sqrt(units)

    def lacks(drop: float) -> float:
        return power - power_to_detect(spread, units, drop, alpha=alpha, right=right)

    return _crossing(lacks, 0.0, right, within=1e-6)


def units_to_detect(
    spread: float,
    drop: float,
    *,
    alpha: float,
    power: float = POWER,
    right: float | None = None,
) -> float:
    """How many units find a drop with the given power; inf for none, nan where nobody knows.

    Parameters
    ----------
    spread, right
        As in `power_to_detect`.
    """
    if not spread > 0.0 or (right is not None and drop > right):
        return math.nan
    if not drop > 0.0:
        return math.inf
    found = ((_z(alpha) + _z(1.0 - power)) * spread / drop) ** 2
    if right is None:
        return found

    def lacks(units: float) -> float:
        return power - power_to_detect(spread, round(units), drop, alpha=alpha, right=right)

    return float(math.ceil(_crossing(lacks, 1.0, 4.0 * found + 100.0, within=0.5)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """How many units in all would decide an open question if the difference stays as it is.

    ``as_pass`` and ``as_regression`` are nan where the difference points the other way, or lies
    where neither can ever be said.
    """

    as_pass: float
    as_regression: float

    @property
    def fewest(self) -> float:
        known = [n for n in (self.as_pass, self.as_regression) if not math.isnan(n)]
        return min(known, default=math.nan)


def units_to_decide(
    difference: float, spread: float, *, margin: float, alpha: float, binary: bool = False
) -> Deciding:
    """How many units would decide, at the present difference and spread.

    Parameters
    ----------
    binary : bool
        For items that are right or wrong: a regression is then what McNemar's exact test calls, of
        wins and losses in the present shares.
    """
    z2 = (_z(alpha) * spread) ** 2

    def needed(distance: float) -> float:
        return z2 / distance**2 if distance > 0.0 and spread > 0.0 else math.nan

    def lacks(units: float) -> float:
        differing = spread**2 + difference**2
        won, lost = (round(units * (differing + d) / 2.0) for d in (difference, -difference))
        return mcnemar_worse(won, lost) - alpha

    as_regression = needed(-difference)
    if binary and not math.isnan(as_regression):
        as_regression = _crossing(lacks, 1.0, 4.0 * as_regression + 100.0, within=0.5)
    return Deciding(as_pass=needed(difference + margin), as_regression=as_regression)


def units_to_differ(units: int, p_differs: float, *, alpha: float) -> float:
    """How many units would make a two-sided p-value as small as alpha, if all stays as it is.

    Parameters
    ----------
    units : int
        Those that gave ``p_differs``.

    Returns
    -------
    float
        inf where no difference is seen.
    """
    z = _z(p_differs / 2.0)
    return units * (_z(alpha / 2.0) / z) ** 2 if z > 0.0 else math.inf


def _mcnemar_power(units: int, differing: float, lost: float, alpha: float) -> float:
    """How often McNemar's exact test calls a drop.

    Parameters
    ----------
    differing
        The share of items on which the two models differ.
    lost
        Of those, the share that only the baseline has right.
    """
    from scipy.stats import binom

    mean, deviation = units * differing, math.sqrt(units * differing * (1.0 - differing))
    reach = _FAR * deviation + _FAR
    n = np.arange(max(0, math.floor(mean - reach)), min(units, math.ceil(mean + reach)) + 1)
    enough = binom.isf(alpha, n, 0.5)  # losses beyond these are called
    return float((binom.pmf(n, units, differing) * binom.sf(enough, n, lost)).sum())


def _crossing(lacks: Callable[[float], float], low: float, high: float, *, within: float) -> float:
    """Where something that is lacking at ``low`` lacks no more; nan if it does at ``high``."""
    if lacks(high) > 0.0:
        return math.nan
    while high - low > within:
        middle = (low + high) / 2.0
        low, high = (middle, high) if lacks(middle) > 0.0 else (low, middle)
    return high


def _z(alpha: float) -> float:
    from scipy.stats import norm

    return float(norm.isf(alpha))
