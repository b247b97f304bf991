"""By how much two raters differ in a statistic of the same units: p-value and interval of one test.

A coefficient such as kappa is no mean, so there are no signs to flip. Both raters' coefficients
are computed without each unit in turn, the same unit for both, and Student's t is made of the
jackknife's standard error of their difference. Test and interval are one: an interval at level
``1 - alpha`` leaves out zero exactly when ``p <= alpha``. `perf/judge_pairs.py` measures how often
such intervals hold the truth; percentiles of a bootstrap hold it less often.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from judgebench.stats.resample import Floats, jackknife_se, leave_one_out_sums

FEWEST_UNITS = 30
"""With fewer units there is no test."""

FEWEST_DIFFERING = 6
"""Nor where the two differ on fewer: so few do not tell how far a difference varies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedJackknife:
    """A difference of two raters' statistics, and its test.

    Attributes
    ----------
    difference : float
        The first rater's less the second's; nan where either has none.
    standard_error : float
        Of the difference, by the jackknife [1]_; nan where there is no test.
    units, differing : int
        Units with something of both raters, and those to which they contribute different things.
    p : float
        Two-sided, of no difference; nan where there is no test.
    untested : str or None
        Why there is no test, in words.
    """

    difference: float
    standard_error: float
    units: int
    differing: int
    p: float
    untested: str | None

    @property
    def free(self) -> int:
        """Degrees of freedom: the units on which the two differ, less one.

        The others say the same of both, whatever they say, and tell nothing about how far the
        difference varies.
        """
        return max(1, self.differing - 1)

    def interval(self, alpha: float) -> tuple[float, float]:
        """The two-sided interval at level ``1 - alpha``, in (0, 1); nan where there is no test."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.free, 1.0 - alpha / 2.0)) * self.standard_error
        return self.difference - half, self.difference + half


def paired_jackknife(
    first: ArrayLike,
    second: ArrayLike,
    statistic: Callable[[Floats], Floats],
    *,
    untested: str | None = None,
) -> PairedJackknife:
    """Compare two raters in a statistic of sums over units that both have.

    Parameters
    ----------
    first, second : float array, shape (n_units, ...)
        What each unit adds to the sums of either rater; zeros where it adds nothing.
    statistic : callable
        Of sums (m, ...) the statistic (m,); nan where it is undefined.
    untested : str, optional
        Why this statistic is not tested, where it is not.

    Returns
    -------
    PairedJackknife
        Without a test with fewer than `FEWEST_UNITS` units or `FEWEST_DIFFERING` that differ, and
        where leaving out some unit leaves a statistic undefined.

    Raises
    ------
    ValueError
        Where the two have different shapes.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani (1993), An Introduction to the Bootstrap, chapter 11.
    """
    from scipy.special import stdtr

    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or not a.ndim:
        raise ValueError(f"the same units of two raters are needed, not {a.shape} and {b.shape}")
    within = tuple(range(1, a.ndim))
    there = (np.abs(a) + np.abs(b)).sum(axis=within) > 0
    a, b = a[there], b[there]
    units, differing = len(a), int((a != b).any(axis=within).sum())
    value = [float(statistic(one.sum(axis=0, keepdims=True))[0]) for one in (a, b)]
    error, untested = math.nan, untested or _too_few(units, differing)
    if math.isnan(value[0] - value[1]):
        untested = "undefined"
    elif untested is None:
        left_out = [statistic(leave_one_out_sums(one)) for one in (a, b)]
        error = float(jackknife_se(left_out[0] - left_out[1]))
        if math.isnan(error):
            untested = "without some item it is undefined"
        elif error == 0.0:
            untested, error = "no single item moves it", math.nan
    difference = value[0] - value[1]
    known = not math.isnan(error)
    t = abs(difference) / error if known else math.nan
    return PairedJackknife(
        difference=difference,
        standard_error=error,
        units=units,
        differing=differing,
        p=2.0 * float(stdtr(max(1, differing - 1), -t)) if known else math.nan,
        untested=untested,
    )


def _too_few(units: int, differing: int) -> str | None:
    if differing == 0:
        return "they say the same of every item"
    if units < FEWEST_UNITS:
        return f"{units} items, of the {FEWEST_UNITS} that it takes"
    if differing < FEWEST_DIFFERING:
        return f"they differ on {differing} items, and it takes {FEWEST_DIFFERING}"
    return None
