"""Scores of a benchmark that averages its splits, rounds each mean, and averages these by rows.

So MixEval publishes its scores [1]_: the mean of each split over its rows, rounded to three
decimals, weighted with the rows of the split and not rounded again.

References
----------
.. [1] J. Ni et al. (2024), MixEval: Deriving Wisdom of the Crowd from LLM Benchmark Mixtures,
   arXiv 2406.06565; ``compute_metrics.py`` of Psycoy/MixEval at 7c52b41.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

DECIMALS = 3


def rounded_mean(means: ArrayLike, rows: ArrayLike, *, decimals: int = DECIMALS) -> Floats:
    """The means of splits, rounded, and averaged by their numbers of rows.

    Parameters
    ----------
    means : float array, shape (..., n_splits)
        nan for a split that has no score.
    rows : float array, shape (..., n_splits)
        How many rows each split has; a split without rows counts nothing, whatever its mean.

    Returns
    -------
    float array, shape (...)
        nan where a split that has rows has no score, and without rows.
    """
    counted = np.asarray(rows, dtype=np.float64)
    # Rounded as upstream does, with Python's own: a mean of few rows may lie between two decimals.
    rounded = np.vectorize(lambda mean: round(mean, decimals), otypes=[np.float64])(means)
    total = counted.sum(axis=-1)
    summed = np.where(counted > 0, rounded * counted, 0.0).sum(axis=-1)
    found = np.full(np.shape(total), np.nan)
    np.divide(summed, total, out=found, where=total > 0)
    return found
