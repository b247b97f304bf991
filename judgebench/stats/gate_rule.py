"""When a difference between two models is a regression, when it passes, when nothing is decided.

With a margin m > 0 and one-sided bounds L and U of the difference, candidate minus baseline:
L > -m passes; else U < 0 is a regression; else the question is open. So a candidate that is as good
fails with probability alpha at most, and one that is worse by the margin passes with probability
alpha at most. What decides is what is printed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Decision = Literal["pass", "regression", "inconclusive"]
Direction = Literal["better", "worse", "undecided"]

POWER = 0.8

FEWEST_TO_CALL = 10
"""With fewer items no regression is called, and no model is better: tests are not what they say."""

FEWEST_TO_PASS = 20
"""With fewer items nothing passes: losses that are rare have not been seen yet."""

_FAR = 8.0  # standard deviations beyond which nothing is counted


def decide(low: float, high: float, *, margin: float, units: int) -> Decision:
    """The decision of one test.

    Parameters
    ----------
    low : float
        `PairedTest.passing` at alpha; nan decides nothing.
    high : float
        The upper end of `PairedTest.bounds` at the level that decides among all tests of a policy;
        nan decides nothing.
    margin : float
        The allowed drop, above 0, on the scale of the difference.
    units : int
        That the difference rests on: under `FEWEST_TO_CALL` nothing is decided, under
        `FEWEST_TO_PASS` nothing passes.
    """
    if low > -margin:
        return "pass" if units >= FEWEST_TO_PASS else "inconclusive"
    return "regression" if high < 0.0 and units >= FEWEST_TO_CALL else "inconclusive"


def direction(low: float, high: float, *, units: int) -> Direction:
    """Whether one model is better than another, where none of them is the baseline.

    Parameters
    ----------
    low, high : float
        `PairedTest.bounds` at half of the two-sided level that decides among all tests; nan decides
        nothing.
    units : int
        Under `FEWEST_TO_CALL` nothing is decided.
    """
    if units >= FEWEST_TO_CALL:
        if low > 0.0:
            return "better"
        if high < 0.0:
            return "worse"
    return "undecided"


def too_few(units: int, *, passing: bool = True) -> str | None:
    """That so few items decide nothing, or let nothing pass; None where there are enough."""
    have = f"{units} item{'s' * (units != 1)} {'have' if units != 1 else 'has'} a verdict on both"
    if units < FEWEST_TO_CALL:
        return f"{have}: nothing is decided with fewer than {FEWEST_TO_CALL}"
    if passing and units < FEWEST_TO_PASS:
        return f"{have}: nothing passes with fewer than {FEWEST_TO_PASS}"
    return None


def power_to_detect(
    spread: float,
    units: int,
    drop: float,
    *,
    alpha: float,
    right: float | None = None,
    exact: bool = False,
) -> float:
    """How often a test of so many units calls a candidate that is worse by ``drop``.

    Parameters
    ----------
    spread : float
        Standard error times the root of the number of units (`PairedTest.spread`), of two models
        of which neither is better.
    right : float, optional
        For items that are right or wrong, the share that a model has right. The power is then that
        of the score test of the items that differ. Right answers are taken to be lost at random:
        where both models had them, more items differ than before, where only the candidate had
        them, fewer.
    exact : bool
        The power of McNemar's exact test instead, which calls less often: signs are flipped where
        items are won, lost or tied beside one half.

    Returns
    -------
    float
        nan where the spread is not known, or is 0.
    """
    if not units or not spread > 0.0:
        return math.nan
    if right is None:
        from scipy.special import ndtr

        return float(ndtr(drop * math.sqrt(units) / spread - _z(alpha)))
    differing = spread**2
    differing = min(max(differing + drop * (1.0 - differing / right), drop), 1.0) if right else 1.0
    lost = (differing + drop) / (2.0 * differing)
    return _mcnemar_power(units, differing, lost, alpha, exact)


def detectable(
    spread: float,
    units: int,
    *,
    alpha: float,
    power: float = POWER,
    right: float | None = None,
    exact: bool = False,
) -> float:
    """The smallest drop that a test of so many units finds with the given power.

    Parameters
    ----------
    spread, right, exact
        As in `power_to_detect`.

    Returns
    -------
    float
        Above 0, on the scale of the difference; nan where the spread is not known, or is 0, with
        fewer than `FEWEST_TO_CALL` units, and where these cannot find even the loss of all that is
        right.
    """
    if units < FEWEST_TO_CALL or not spread > 0.0:
        return math.nan
    if right is None:
        return (_z(alpha) + _z(1.0 - power)) * spread / math.sqrt(units)

    def lacks(drop: float) -> float:
        found = power_to_detect(spread, units, drop, alpha=alpha, right=right, exact=exact)
        return power - found

    return crossing(lacks, 0.0, right, within=1e-6)


def units_to_detect(
    spread: float,
    drop: float,
    *,
    alpha: float,
    power: float = POWER,
    right: float | None = None,
    exact: bool = False,
) -> float:
    """How many units find a drop with the given power; inf for none, nan where nobody knows.

    Parameters
    ----------
    spread, right, exact
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
        n = round(units)
        return power - power_to_detect(spread, n, drop, alpha=alpha, right=right, exact=exact)

    return float(math.ceil(crossing(lacks, 1.0, 4.0 * found + 100.0, within=0.5)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """How many units in all give a chance of 80 % of a decision, if the difference is as observed.

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
    difference: float,
    spread: float,
    *,
    margin: float,
    alpha: float,
    called_at: float | None = None,
    power: float = POWER,
) -> Deciding:
    """How many units decide with a chance of 80 %, if the true difference is the one observed.

    Parameters
    ----------
    alpha : float
        Of a pass.
    called_at : float, optional
        Of a regression, where it is another level.
    """

    def needed(distance: float, level: float) -> float:
        if not (distance > 0.0 and spread > 0.0):
            return math.nan
        found = ((_z(level) + _z(1.0 - power)) * spread / distance) ** 2
        return max(found, float(FEWEST_TO_CALL))

    as_pass = needed(difference + margin, alpha)
    return Deciding(
        as_pass=max(as_pass, float(FEWEST_TO_PASS)),  # nan stays nan
        as_regression=needed(-difference, alpha if called_at is None else called_at),
    )


def units_to_differ(
    difference: float, spread: float, *, alpha: float, power: float = POWER
) -> float:
    """How many units show a difference in either direction with a chance of 80 %, if it is true.

    Parameters
    ----------
    difference, spread
        As observed (`PairedTest`).
    alpha : float
        Two-sided.

    Returns
    -------
    float
        inf where no difference is seen; nan where its spread is not known, or is 0.
    """
    if not difference:
        return math.inf
    if not spread > 0.0 or math.isnan(difference):
        return math.nan
    found = ((_z(alpha / 2.0) + _z(1.0 - power)) * spread / difference) ** 2
    return max(found, float(FEWEST_TO_CALL))


def _mcnemar_power(units: int, differing: float, lost: float, alpha: float, exact: bool) -> float:
    """How often McNemar's test calls a drop, by its score or exact.

    Parameters
    ----------
    differing
        The share of items on which the two models differ.
    lost
        Of those, the share that only the baseline has right.
    """
    from scipy.special import bdtrc

    mean, deviation = units * differing, math.sqrt(units * differing * (1.0 - differing))
    reach = _FAR * deviation + _FAR
    n = np.arange(max(0, math.floor(mean - reach)), min(units, math.ceil(mean + reach)) + 1)
    # Losses beyond these are called.
    fewest = np.maximum(np.ceil((n + _z(alpha) * np.sqrt(n)) / 2.0), 1.0)
    enough = np.minimum(fewest - 1.0, n)
    if exact:
        from scipy.stats import binom

        enough = binom.isf(alpha, n, 0.5)
    return -float((np.diff(bdtrc([n[0] - 1, *n], units, differing)) * bdtrc(enough, n, lost)).sum())


def crossing(lacks: Callable[[float], float], low: float, high: float, *, within: float) -> float:
    """Where something that is lacking at ``low`` lacks no more, by halving; nan if it lacks at
    ``high``."""
    if lacks(high) > 0.0:
        return math.nan
    while high - low > within:
        middle = (low + high) / 2.0
        low, high = (middle, high) if lacks(middle) > 0.0 else (low, middle)
    return high


def _z(alpha: float) -> float:
    from scipy.special import ndtri

    return -float(ndtri(alpha))
