"""Means over several sets, and what a mean over rows is worth where items repeat.

A set weighs its size, its rounded mean is averaged by its rows, or every category counts equally,
however many items it has. A published mean may be one over rows. The unit of chance is the distinct
item: rows that are the same move together, so that a mean over 1000 rows of 446 items is less
certain than its rows suggest.

MixEval publishes [1]_ the mean of each split over its rows, rounded to three decimals, weighted
with the rows of the split and not rounded again. AlignBench's score [2]_ is the mean of two sides
(reasoning, language), a side the mean of its categories, a category the mean of its items: 204
items of reasoning weigh as much as 479 of language.

References
----------
.. [1] J. Ni et al. (2024), MixEval: Deriving Wisdom of the Crowd from LLM Benchmark Mixtures,
   arXiv 2406.06565; ``compute_metrics.py`` of Psycoy/MixEval at 7c52b41.
.. [2] X. Liu et al. (2023), AlignBench: Benchmarking Chinese Alignment of Large Language Models,
   arXiv 2311.18743; ``show_result.py`` of THUDM/AlignBench at 5b79d4a.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.resample import quotient

Floats: TypeAlias = NDArray[np.float64]


def weighted_mean(values: ArrayLike, sizes: ArrayLike) -> Floats:
    """Mean over sets, weighted with their sizes, as HonestyBench's tables average.

    It is not the statistic of all questions thrown together: an AUROC compares answers within a
    set only.

    Parameters
    ----------
    values : float array, shape (..., n_sets)
        Of one statistic, by set; replicates along leading axes.
    sizes : float array, shape (n_sets,)
        How many questions each set has in full, also where a sample of them was asked. Positive.

    Returns
    -------
    float array, shape (...)
        nan where a set has no value, since the mean of the others is another statistic; nan without
        sets.

    Raises
    ------
    ValueError
        For sizes that are not one positive number a set.

    Examples
    --------
    >>> float(weighted_mean([0.5, 0.8], [300, 100]))
    0.575
    """
    found, n = np.asarray(values, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    if n.ndim != 1 or found.shape[-1:] != n.shape or not (n > 0).all():
        raise ValueError(
            f"one positive size for each set is needed, not {n.tolist()} for {found.shape}"
        )
    if not n.size:
        return np.full(found.shape[:-1], np.nan)
    return np.asarray((found * n).sum(axis=-1) / n.sum())


def error_of_ratio(top: ArrayLike, bottom: ArrayLike) -> float:
    """The standard error of ``sum(top) / sum(bottom)`` over units that were drawn together.

    Linearised, with the sample's variance: of a weighted mean whose weights follow from what was
    drawn, as clear wins that count three times.

    Parameters
    ----------
    top, bottom : float array, shape (n,)
        Of each unit; nan is returned for fewer than two.
    """
    t, b = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    if len(t) < 2 or not b.sum() > 0:
        return float("nan")
    left = t - t.sum() / b.sum() * b
    return float(np.sqrt(np.square(left).sum() * len(t) / (len(t) - 1)) / b.sum())


def interval_of_share(
    top: ArrayLike, bottom: ArrayLike, *, level: float, least: int
) -> tuple[float, float]:
    """An interval of ``sum(top) / sum(bottom)`` where this is a share, by units drawn together.

    On the logit, with `error_of_ratio` and Student's t: percentiles of a bootstrap are too narrow
    for small shares (``perf/arena_hard_coverage.py``).

    Parameters
    ----------
    top, bottom : float array, shape (n,)
        Of each unit, ``0 <= top <= bottom``.
    level : float
    least : int
        Units that have any of the share, and any of the rest: with fewer both ends are nan.
    """
    from scipy.special import stdtrit

    t, b = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    if min((t > 0).sum(), (b > t).sum()) < max(least, 2):
        return float("nan"), float("nan")
    share = t.sum() / b.sum()
    away = error_of_ratio(t[b > 0], b[b > 0]) / (share * (1.0 - share))
    away *= stdtrit((b > 0).sum() - 1, (1.0 + level) / 2.0)
    odds = np.log(share / (1.0 - share)) + np.array([-away, away])
    low, high = 1.0 / (1.0 + np.exp(-odds))
    return float(low), float(high)


def ends_of_average(
    values: ArrayLike, low: ArrayLike, high: ArrayLike, sizes: ArrayLike
) -> tuple[float, float]:
    """An interval of `weighted_mean` from those of independent sets [1]_.

    The squared distances of a set's ends from its value, times its squared share, are added up:
    for normal intervals this is the sum of variances, and it keeps others' skewness.

    Parameters
    ----------
    values, low, high, sizes : float array, shape (n_sets,)

    Returns
    -------
    low, high : float
        nan where a set has none.

    References
    ----------
    .. [1] G. Y. Zou, A. Donner (2008), Construction of confidence limits about effect measures: a
       general approach, Statistics in Medicine 27(10), 1693-1702.

    Examples
    --------
    >>> low, high = ends_of_average([0.5, 0.8], [0.4, 0.7], [0.6, 0.9], [100, 100])
    >>> round(low, 4), round(high, 4)
    (0.5793, 0.7207)
    """
    found = np.asarray(values, dtype=np.float64)
    shares = np.asarray(sizes, dtype=np.float64) / np.sum(sizes)
    middle = float(weighted_mean(found, sizes))
    below, above = (
        float(np.sqrt(np.square(shares * (found - np.asarray(ends, dtype=np.float64))).sum()))
        for ends in (low, high)
    )
    return middle - below, middle + above


def effective_n(times: ArrayLike) -> float:
    """How many items of equal weight would give a mean as certain as these do [1]_.

    Parameters
    ----------
    times : float array, shape (n_items,)
        Weights, such as how often each item occurs; not negative.

    Returns
    -------
    float
        Between 1 and the number of items, which it equals where all weights are the same; 0
        without items.

    References
    ----------
    .. [1] L. Kish (1965), Survey Sampling, section 11.7.
    """
    weights = np.asarray(times, dtype=np.float64)
    squares = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


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
    return quotient(summed, total)


def mean_of_sides(categories: ArrayLike, sides: Sequence[Sequence[int]]) -> Floats:
    """The mean of sides, each the mean of its categories.

    Parameters
    ----------
    categories : float array, shape (..., n_categories)
        The mean of each category; nan for one without a score.
    sides : sequence of sequence of int
        The places of the categories of each side; at least one side, and none without a category.

    Returns
    -------
    float array, shape (...)
        nan where a category that is on a side has no score.
    """
    means = np.asarray(categories, dtype=np.float64)
    return np.asarray(np.mean([means[..., list(side)].mean(axis=-1) for side in sides], axis=0))
