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

import numpy as np
from numpy.typing import ArrayLike

from judgebench.stats.paired_tests import PairedTest
from judgebench.stats.paired_tests import untested as no_test
from judgebench.stats.resample import Floats, jackknife_se, leave_one_out_sums

FEWEST_UNITS = 30
"""With fewer units there is no test."""

FEWEST_DIFFERING = 6
"""Nor where the two differ on fewer: so few do not tell how far a difference varies."""


def paired_jackknife(
    first: ArrayLike,
    second: ArrayLike,
    statistic: Callable[[Floats], Floats],
    *,
    untested: str | None = None,
    alpha: float = 0.025,
) -> PairedTest:
    """Compare two raters, the first as candidate, in a statistic of sums over units of both.

    Parameters
    ----------
    first, second : float array, shape (n_units, ...)
        What each unit adds to the sums of either rater; zeros where it adds nothing.
    statistic : callable
        Of sums (m, ...) the statistic (m,); nan where it is undefined.
    untested : str, optional
        Why this statistic is not tested, where it is not.
    alpha : float
        Of `PairedTest.low` and `PairedTest.high`; bounds are known at every level.

    Returns
    -------
    PairedTest
        With bounds of Student's t, made of the jackknife's standard error of the difference [1]_.
        Its degrees of freedom are the units on which the two differ, less one: the others say the
        same of both, whatever they say, and tell nothing about how far the difference varies.
        Without a test, and ``method`` says why, with fewer than `FEWEST_UNITS` units or
        `FEWEST_DIFFERING` that differ, and where without some unit a statistic is undefined.

    Raises
    ------
    ValueError
        Where the two have different shapes.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani (1993), An Introduction to the Bootstrap, chapter 11.
    """
    from scipy.special import stdtr, stdtrit

    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or not a.ndim:
        raise ValueError(f"the same units of two raters are needed, not {a.shape} and {b.shape}")
    within = tuple(range(1, a.ndim))
    there = (np.abs(a) + np.abs(b)).sum(axis=within) > 0
    a, b = a[there], b[there]
    units, differing = len(a), int((a != b).any(axis=within).sum())
    value = [float(statistic(one.sum(axis=0, keepdims=True))[0]) for one in (a, b)]
    difference, error = value[0] - value[1], math.nan
    untested = untested or _too_few(units, differing)
    if math.isnan(difference):
        untested = "undefined"
    elif untested is None:
        left_out = [statistic(leave_one_out_sums(one)) for one in (a, b)]
        error = float(jackknife_se(left_out[0] - left_out[1]))
        if math.isnan(error):
            untested = "without some item it is undefined"
        elif error == 0.0:
            untested = "no single item moves it"
    if untested is not None:
        return no_test(difference, units=units, alpha=alpha, method=untested)
    free = max(1, differing - 1)

    def bounds(level: float) -> tuple[float, float]:
        half = float(stdtrit(free, 1.0 - level)) * error
        return difference - half, difference + half

    return PairedTest(
        difference=difference,
        alpha=alpha,
        bounds=bounds,
        passing=lambda level: bounds(level)[0],
        p_worse=float(stdtr(free, difference / error)),
        p_better=float(stdtr(free, -difference / error)),
        spread=error * math.sqrt(units),
        units=units,
        binary=False,
        method="jackknife over items, the same for both; Student's t with "
        f"{free} degrees of freedom",
    )


def _too_few(units: int, differing: int) -> str | None:
    if differing == 0:
        return "they say the same of every item"
    if units < FEWEST_UNITS:
        return f"{units} items, of the {FEWEST_UNITS} that it takes"
    if differing < FEWEST_DIFFERING:
        return f"they differ on {differing} items, and it takes {FEWEST_DIFFERING}"
    return None
