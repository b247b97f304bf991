"""Scores of a benchmark whose rows repeat: one item, asked once, counts as often as it occurs.

The published mean is one over rows. The unit of chance is the distinct item: rows that are the same
move together, so that a mean over 1000 rows of 446 items is less certain than its rows suggest.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

OVERALL = "overall"
DECIMALS = 3
"""To which MixEval rounds the means of a split before it combines the splits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Which rows are the same item.

    first : int array, shape (n_items,)
        The row in which each item occurs first.
    times : int array, shape (n_items,)
        How many rows it has.
    item_of : int array, shape (n_rows,)
        The item of each row.
    """

    first: Ints
    times: Ints
    item_of: Ints


def repeats(rows: Sequence[Hashable]) -> Repeats:
    """Find the rows that are equal in all that a row holds; items are in order of appearance."""
    number: dict[Hashable, int] = {}
    first: list[int] = []
    item_of = np.empty(len(rows), dtype=np.int64)
    for at, row in enumerate(rows):
        if row not in number:
            number[row] = len(first)
            first.append(at)
        item_of[at] = number[row]
    return Repeats(
        first=np.asarray(first, dtype=np.int64),
        times=np.bincount(item_of, minlength=len(first)),
        item_of=item_of,
    )


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


# The published scores ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMean:
    """The mean score of some rows, and how many there are."""

    mean: float
    rows: int


def split_means(scores: Sequence[float], datasets: Sequence[str]) -> dict[str, RowMean]:
    """The means of one split over its rows, rounded to `DECIMALS`: of `OVERALL`, and each dataset.

    Parameters
    ----------
    scores : sequence of float, shape (n_rows,)
        In [0, 1]; a nan makes the means that it belongs to nan.
    datasets : sequence of str, shape (n_rows,)
        The source dataset of each row.
    """
    of_name: dict[str, list[float]] = {}
    for score, dataset in zip(scores, datasets, strict=True):
        of_name.setdefault(OVERALL, []).append(score)
        of_name.setdefault(dataset, []).append(score)
    # Added and rounded as upstream does, with Python's own sum and round: with few rows a mean
    # lies between two thousandths, and another order of adding would round it the other way.
    return {
        name: RowMean(mean=round(sum(values) / len(values), DECIMALS), rows=len(values))
        for name, values in of_name.items()
    }


def combined(splits: Sequence[Mapping[str, RowMean]]) -> dict[str, RowMean]:
    """The scores over all splits: the rounded means of each, weighted by its rows, and not rounded.

    A dataset of which several splits have rows gets the mean of them all.
    """
    names = dict.fromkeys(name for split in splits for name in split)
    found: dict[str, RowMean] = {}
    for name in names:
        here = [split[name] for split in splits if name in split]
        rows = sum(one.rows for one in here)
        mean = sum(one.mean * one.rows for one in here) / rows if rows else math.nan
        found[name] = RowMean(mean=mean, rows=rows)
    return found


def at_ends(scores: ArrayLike, worth: ArrayLike) -> Floats:
    """Scores with what is missing at its lowest, at what a random draw is worth, at its highest.

    Parameters
    ----------
    scores : float array, shape (n,)
        In [0, 1]; nan where there is none.
    worth : float array, shape (n,) or ()
        The mean score of the draw that the benchmark makes for a missing score: one over the number
        of options, or a half for a graded score.

    Returns
    -------
    float array, shape (3, n)
        What is there is the same in all three.
    """
    known = np.asarray(scores, dtype=np.float64)
    filling = np.stack(
        [np.zeros_like(known), np.broadcast_to(worth, known.shape), np.ones_like(known)]
    )
    return np.where(np.isnan(known), filling, known)


# As sums over items, for intervals ---------------------------------------------------------------


def contributions(
    scores: ArrayLike, times: ArrayLike, cell_of: ArrayLike, *, n_cells: int
) -> Floats:
    """What each distinct item adds to the sum of scores and to the rows of its cell.

    A bootstrap over items is a weighting of these (`judgebench.stats.resample.weighted_sums`), and
    `cell_means` and `overall_mean` turn the sums into means.

    Parameters
    ----------
    scores : float array, shape (n_items,)
        nan where there is none: then the item adds nothing.
    times : float array, shape (n_items,)
        How many rows each item has.
    cell_of : int array, shape (n_items,)
        The split and dataset of each item, as one number in ``0 .. n_cells - 1``.

    Returns
    -------
    float array, shape (n_items, n_cells, 2)
    """
    values = np.asarray(scores, dtype=np.float64)
    weights = np.where(np.isnan(values), 0.0, np.asarray(times, dtype=np.float64))
    found = np.zeros((len(values), n_cells, 2))
    item, cell = np.arange(len(values)), np.asarray(cell_of, dtype=np.int64)
    found[item, cell, 0] = weights * np.nan_to_num(values)
    found[item, cell, 1] = weights
    return found


def cell_means(sums: Floats) -> Floats:
    """The mean over rows of each cell, not rounded.

    Parameters
    ----------
    sums : float array, shape (..., n_cells, 2)
        Of `contributions`.

    Returns
    -------
    float array, shape (..., n_cells)
        nan for a cell without rows.
    """
    means = np.full(sums.shape[:-1], np.nan)
    np.divide(sums[..., 0], sums[..., 1], out=means, where=sums[..., 1] > 0)
    return means


def overall_mean(sums: Floats, split_of_cell: ArrayLike, split_rows: ArrayLike) -> Floats:
    """The splits' means weighted by the rows that the benchmark has in each, not rounded.

    The weights stay those of the benchmark in every replicate and with every missing score, so that
    a split in which more is missing counts no less.

    Parameters
    ----------
    sums : float array, shape (..., n_cells, 2)
        Of `contributions`.
    split_of_cell : int array, shape (n_cells,)
        In ``0 .. n_splits - 1``.
    split_rows : float array, shape (n_splits,)

    Returns
    -------
    float array, shape (...)
        nan where a split that has rows has no score.
    """
    rows = np.asarray(split_rows, dtype=np.float64)
    split = np.asarray(split_of_cell)
    of_split = np.stack([sums[..., split == s, :].sum(axis=-2) for s in range(len(rows))], axis=-2)
    used = rows > 0
    means = cell_means(of_split)[..., used]
    return np.asarray((means * rows[used]).sum(axis=-1) / rows[used].sum())
