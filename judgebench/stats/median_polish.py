"""Which cells of a table of two ways stand out of what its rows and columns explain."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

SWEEPS = 50
_CLOSE = 1e-10
_NORMAL = 1.4826
"""What makes the median of absolute deviations a standard deviation of a normal."""


def median_polish(table: ArrayLike) -> Floats:
    """What is left of a table when the medians of rows and columns are taken out, in turns [1]_.

    Parameters
    ----------
    table : float array, shape (rows, columns)
        nan where there is nothing.

    Returns
    -------
    float array, of that shape
        nan where there was nothing.

    References
    ----------
    .. [1] J. W. Tukey (1977), Exploratory Data Analysis, chapter 11.
    """
    left = np.array(table, dtype=np.float64)
    for _ in range(SWEEPS):
        before = left.copy()
        for axis in (1, 0):
            there = ~np.isnan(left).all(axis=axis, keepdims=True)
            middle = np.nanmedian(np.where(there, left, 0.0), axis=axis, keepdims=True)
            left = left - middle
        if np.nanmax(np.abs(left - before), initial=0.0) < _CLOSE:
            break
    return left


def outlying(rates: ArrayLike, n: ArrayLike, *, fewest: int = 20) -> Floats:
    """How far each cell of a table of shares stands out, in robust standard deviations.

    The logit of each share (with half a success and half a failure added) less what its row and
    its column explain (`median_polish`), over the spread of all that is left: the median of
    absolute deviations [1]_, or what chance alone makes of a median cell, if that is more. So a
    table whose cells hardly differ has no outliers.

    Parameters
    ----------
    rates : float array, shape (rows, columns)
        Shares, in [0, 1]; nan where there is nothing.
    n : int array, of that shape
        On how many each rests; cells with fewer than ``fewest`` are left out.

    Returns
    -------
    float array, of that shape
        nan where a cell is left out, and throughout a table without three rows and three columns.

    References
    ----------
    .. [1] B. Iglewicz, D. C. Hoaglin (1993), How to Detect and Handle Outliers; 3.5 is their limit.
    """
    share, count = np.asarray(rates, dtype=np.float64), np.asarray(n, dtype=np.float64)
    known = (count >= fewest) & ~np.isnan(share)
    found = np.full(share.shape, np.nan)
    rows, columns = known.any(axis=1), known.any(axis=0)
    if min(rows.sum(), columns.sum()) < 3:
        return found
    right = np.where(known, share * count, 0.0) + 0.5
    wrong = np.where(known, (1.0 - share) * count, 0.0) + 0.5
    left = median_polish(np.where(known, np.log(right / wrong), np.nan)[np.ix_(rows, columns)])
    chance = float(np.median(np.sqrt(1.0 / right + 1.0 / wrong)[known]))
    middle = np.nanmedian(left)
    spread = max(_NORMAL * float(np.nanmedian(np.abs(left - middle))), chance)
    found[np.ix_(rows, columns)] = (left - middle) / spread
    return found
