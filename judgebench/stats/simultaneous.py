"""Bands that hold all of several estimates at once, from replicates that they share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from judgebench.stats.resample import MAX_UNDEFINED, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Of several estimates, intervals that all hold at once.

    critical : float
        Half of each interval in its standard errors; nan where no estimate varies.
    standard_error, low, high : float array, shape (n_estimates,)
        nan for an estimate that is undefined or does not vary over the replicates.
    """

    critical: float
    standard_error: Floats
    low: Floats
    high: Floats


def sup_t_band(replicates: ArrayLike, *, units: int, level: float = 0.95) -> Band:
    """Bootstrap sup-t band [1]_: as wide at every estimate, in its own standard errors.

    The critical value is the quantile over replicates of

        ``max_j |replicate_j - value_j| / standard_error_j``

    so that it lies between that of one interval and Bonferroni's, and the lower the more the
    estimates move together. It is then stretched as a normal's quantile is to Student's with
    ``units - 1`` degrees of freedom, and by ``sqrt(units / (units - 1))``, which a bootstrap's
    spread is short of.

    Parameters
    ----------
    replicates : float array, shape (1 + n_replicates, n_estimates)
        The estimates themselves stand first. All come from the same draws; nan is undefined.
    units : int
        How many units were drawn from.
    level : float
        Probability aimed at that all intervals hold, in (0, 1).

    Returns
    -------
    Band
        nan for an estimate that is undefined, is so in more than `resample.MAX_UNDEFINED` of its
        replicates, or is the same in all of them; those have no part in the critical value. All is
        nan with fewer than two units.

    References
    ----------
    .. [1] J. L. Montiel Olea, M. Plagborg-Moller (2019), Simultaneous confidence bands: Theory,
       implementation, and an application to SVARs, Journal of Applied Econometrics 34(1), 1-17.
    """
    from scipy.special import ndtr, stdtrit

    table = np.asarray(replicates, dtype=np.float64)
    value, drawn = table[0], table[1:]
    spread = np.full(len(value), np.nan)
    defined = ~np.isnan(value) & (np.isnan(drawn).mean(axis=0) <= MAX_UNDEFINED)
    spread[defined] = np.nanstd(drawn[:, defined], axis=0, ddof=1)
    # Equal replicates differ by the rounding of their sums.
    spread[~(spread > 1e-12 * np.maximum(1.0, np.abs(value)))] = np.nan
    varies = ~np.isnan(spread)
    if not varies.any() or units < 2:
        nothing = np.full(len(value), np.nan)
        return Band(critical=math.nan, standard_error=nothing, low=nothing, high=nothing)
    t = np.abs(drawn[:, varies] - value[varies]) / spread[varies]
    normal = float(np.quantile(np.nanmax(t, axis=1, initial=0.0), level))
    critical = float(stdtrit(units - 1, ndtr(normal)))
    error = spread * math.sqrt(units / (units - 1))
    return Band(
        critical=critical,
        standard_error=error,
        low=value - critical * error,
        high=value + critical * error,
    )
