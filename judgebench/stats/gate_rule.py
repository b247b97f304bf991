"""When a difference between two models is a regression, when it passes, when nothing is decided.

With a margin m > 0 and one-sided bounds L and U of the difference, candidate minus baseline, at
1 - alpha each: L > -m passes; else a regression, if the candidate is worse (adjusted p <= alpha);
else the question is open. So a candidate that is as good fails with probability alpha at most, and
one that is worse by the margin passes with probability alpha at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Decision = Literal["pass", "regression", "inconclusive"]

POWER = 0.8


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


def detectable(spread: float, units: int, *, alpha: float, power: float = POWER) -> float:
    """The smallest drop that a test of so many units finds with the given power.

    Parameters
    ----------
    spread : float
        Standard error times the root of the number of units (`PairedTest.spread`).

    Returns
    -------
    float
        Above 0, on the scale of the difference; nan where the spread is not known, or is 0.
    """
    if not units or not spread > 0.0:
        return math.nan
    return (_z(alpha) + _z(1.0 - power)) * spread / math.sqrt(units)


def units_to_detect(spread: float, drop: float, *, alpha: float, power: float = POWER) -> float:
    """How many units find a drop with the given power; inf for none, nan where nobody knows."""
    if not spread > 0.0:
        return math.nan
    return ((_z(alpha) + _z(1.0 - power)) * spread / drop) ** 2 if drop > 0.0 else math.inf


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


def units_to_decide(difference: float, spread: float, *, margin: float, alpha: float) -> Deciding:
    """How many units would decide, at the present difference and spread."""
    z2 = (_z(alpha) * spread) ** 2

    def needed(distance: float) -> float:
        return z2 / distance**2 if distance > 0.0 and spread > 0.0 else math.nan

    return Deciding(as_pass=needed(difference + margin), as_regression=needed(-difference))


def _z(alpha: float) -> float:
    from scipy.stats import norm

    return float(norm.isf(alpha))
