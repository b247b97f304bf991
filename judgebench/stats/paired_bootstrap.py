"""Is one of two models worse, by a statistic of all items together: bounds and p-values of draws.

A mean over items has signs that can be flipped. A fit, an area under a curve or an error over bins
has none: its difference is computed anew on items drawn with replacement, the same draw for both
models. The p-value is the level at which the one-sided bound comes to lie at zero, so that test and
bound never say different things.

Two raters differ in a coefficient such as kappa, which is no mean either. Both coefficients are
computed without each unit in turn, the same unit for both, and Student's t is made of the
jackknife's standard error of their difference. Test and interval are one: an interval at level ``1
- alpha`` leaves out zero exactly when ``p <= alpha``. `perf/judge_pairs.py` measures how often such
intervals hold the truth; percentiles of a bootstrap hold it less often.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from judgebench.stats.paired_tests import PairedTest, share_of_none, untested
from judgebench.stats.paired_tests import untested as no_test
from judgebench.stats.resample import (
    MAX_UNDEFINED,
    Floats,
    expanded_level,
    jackknife_se,
    leave_one_out_sums,
    percentile_interval,
)

FEWEST = 10
"""A tail that fewer replicates describe is taken from Student's t: of 2,000 replicates none tells a
chance of 0.001 from one of 0.0001, and a policy of many tests asks for such."""


def bootstrap_test(
    differences: ArrayLike,
    *,
    units: int,
    alpha: float,
    n_parameters: int = 1,
    width: float = math.inf,
    at_stake: int | None = None,
    centred: bool = False,
) -> PairedTest:
    """Compare two models by replicates of their difference, higher being better.

    Bounds are percentiles, expanded for few units as `resample.expanded_level` says, so that they
    are those of the two-sided interval at ``1 - 2 alpha``. Where fewer than `FEWEST` replicates lie
    beyond a bound, or beyond zero, Student's t with the replicates' standard deviation takes their
    place. Where all replicates are equal nothing is known of the spread: the bounds are then those
    of a share of zero (Wilson's), times the largest difference there can be.

    Parameters
    ----------
    differences : float array, shape (1 + n_replicates,)
        Candidate minus baseline: on the items as they are, then on each draw of them; nan where a
        draw has no value.
    units : int
        How many units were drawn from.
    alpha : float
        In (0, 0.5).
    n_parameters : int
        Fitted to the units.
    width : float
        The largest difference there can be.
    at_stake : int, optional
        The units that a share of zero is of, where that is not all of them: an AUROC is moved by
        the rarer class.
    centred : bool
        Move the replicates so that their mean is the difference, for a statistic that every
        drawing biases once more, as it does an ECE where calibration is good.

    Returns
    -------
    PairedTest
        All nan but the difference where it is undefined, on fewer than two units, or where more
        than `MAX_UNDEFINED` of the replicates are undefined. ``spread`` is the replicates' standard
        deviation times the root of the units: what more items would do is read off a normal
        distribution.

    Raises
    ------
    ValueError
        For an alpha out of range.
    """
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha lies between 0 and 0.5, not at {alpha}")
    values = np.asarray(differences, dtype=np.float64)
    difference, drawn = float(values[0]), values[1:]
    known = drawn[~np.isnan(drawn)]
    n = len(drawn)
    method = f"paired bootstrap over items, {n:,} replicates"
    lacking = n - len(known)
    if math.isnan(difference) or units < 2 or not len(known) or lacking > MAX_UNDEFINED * n:
        why = f"{lacking:,} replicates undefined" if lacking else "fewer than two units"
        return untested(
            difference, units=units, alpha=alpha, method=f"{method}; no interval, {why}"
        )
    if lacking:
        method += f", {lacking:,} of them undefined and left out"
    if centred:
        known = known - (known.mean() - difference)
        method += ", centred"
    ends: Callable[[float], tuple[float, float]]
    if (known == known[0]).all():
        stake = units if at_stake is None else at_stake
        error = 0.0
        method += ", all equal: Wilson's bounds of none"

        def ends(level: float) -> tuple[float, float]:
            end = width * share_of_none(stake, level)
            return difference - end, difference + end
    else:
        error = float(known.std(ddof=1))
        ends = partial(_bounds, difference, known, error, units, n_parameters)
        method += ", percentiles expanded"

    def bounds(level: float) -> tuple[float, float]:
        low, high = ends(level)
        return max(low, -width), min(high, width)

    worse, better = _p_values(ends, neither=0.5 if error else 1.0)
    return PairedTest(
        difference=difference,
        alpha=alpha,
        bounds=bounds,
        passing=lambda level: bounds(level)[0],
        p_worse=worse,
        p_better=better,
        spread=error * math.sqrt(units),
        units=units,
        binary=False,
        method=method,
    )


def _bounds(
    difference: float, known: Floats, error: float, units: int, n_parameters: int, alpha: float
) -> tuple[float, float]:
    from scipy.special import stdtrit

    level = expanded_level(1.0 - 2.0 * alpha, units, n_parameters=n_parameters)
    fewest = FEWEST / len(known)
    if (1.0 - level) / 2.0 >= fewest:
        low, high = percentile_interval(known, level=level)
        return float(low), float(high)
    half = -float(stdtrit(max(1, units - n_parameters), alpha)) * error
    # Never inside a bound of a weaker level, so that there is one level at which it reaches zero.
    low, high = percentile_interval(known, level=max(0.0, 1.0 - 2.0 * fewest))
    return min(difference - half, float(low)), max(difference + half, float(high))


def _p_values(
    ends: Callable[[float], tuple[float, float]], *, neither: float
) -> tuple[float, float]:
    """The one-sided levels at which the upper and the lower bound come to lie at zero.

    Parameters
    ----------
    neither
        Of both, where no bound leaves zero out however weak its level.
    """
    worse = _level_where(lambda level: ends(level)[1] < 0.0)
    better = _level_where(lambda level: ends(level)[0] > 0.0)
    if math.isnan(worse):
        return (neither, neither) if math.isnan(better) else (1.0 - better, better)
    return worse, 1.0 - worse if math.isnan(better) else better


def _level_where(leaves_out: Callable[[float], bool]) -> float:
    """The smallest level between `_SMALLEST` and `_LARGEST` at which zero is left out; nan."""
    low, high = _SMALLEST, _LARGEST
    if not leaves_out(high):
        return math.nan
    if leaves_out(low):
        return low
    while high / low > 1.0 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if leaves_out(middle) else (middle, high)
    return high


_SMALLEST, _LARGEST = 1e-12, 0.5


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
