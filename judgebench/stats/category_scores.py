"""Scores of a benchmark whose categories count equally, however many items each of them has.

AlignBench's score [1]_ is the mean of two sides (reasoning, language), a side the mean of its
categories, a category the mean of its items: 204 items of reasoning weigh as much as 479 of
language. Published figures keep the -1 of a reply that could not be read as if it were a score.
Both views are made here of the same scores (`as_published`, `on_scale`), to stand side by side.

Everything is a function of sums over items: bootstrap replicates are weighted sums
(`judgebench.stats.resample`) put through the same function.

References
----------
.. [1] X. Liu et al. (2023), AlignBench: Benchmarking Chinese Alignment of Large Language Models,
   arXiv 2311.18743; ``show_result.py`` and ``dimension_calculate.py`` of THUDM/AlignBench at
   5b79d4a.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

UNPARSED = -1.0
OVERALL = "overall"


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Which categories make up which side.

    Parameters
    ----------
    categories : tuple of str
        In the order of their codes. One that is on no side has a score of its own only.
    sides : mapping of str to tuple of str
        The categories of each side.

    Raises
    ------
    ValueError
        Without a side, for a side without categories, for a category on a side that is none of
        ``categories``, and where two figures would have one name.
    """

    categories: tuple[str, ...]
    sides: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if not self.sides or not all(self.sides.values()):
            raise ValueError("every side needs a category, and an overall score needs a side")
        used = {name for names in self.sides.values() for name in names}
        if unknown := sorted(used - set(self.categories)):
            raise ValueError(
                f"no category called {unknown[0]!r}; known: {', '.join(self.categories)}"
            )
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"two figures have one name: {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The figures in the order of `figures`: each category, each side, the overall score."""
        return (*self.categories, *self.sides, OVERALL)

    @property
    def weights(self) -> Floats:
        """What each category counts in each figure, shape (n_figures, n_categories)."""
        sides = np.array(
            [
                [(name in of_side) / len(of_side) for name in self.categories]
                for of_side in self.sides.values()
            ]
        )
        return np.vstack([np.eye(len(self.categories)), sides, sides.mean(axis=0)])

    def figures(self, sums: ArrayLike) -> Floats:
        """The figures of sums over items.

        Parameters
        ----------
        sums : float array, shape (..., n_categories, 2)
            Sums, weighted or not, of `category_contributions`.

        Returns
        -------
        float array, shape (..., n_figures)
            On the scale of the scores; nan where a category that counts in a figure has no score.
        """
        means = ratios(sums)
        known = ~np.isnan(means)
        weights = self.weights
        found = np.where(known, means, 0.0) @ weights.T
        lacking = (~known).astype(np.float64) @ (weights > 0).T.astype(np.float64)
        return np.asarray(np.where(lacking == 0, found, np.nan))

    def why_undefined(self, sums: ArrayLike) -> dict[str, str]:
        """The figures that have no value, with the reason.

        Parameters
        ----------
        sums : float array, shape (n_categories, 2)
        """
        empty = np.isnan(ratios(sums))
        reasons = {}
        for name, weights in zip(self.names, self.weights, strict=True):
            lacking = np.flatnonzero(empty & (weights > 0))
            if len(lacking):
                without = ", ".join(self.categories[category] for category in lacking)
                reasons[name] = f"no score in {without}"
        return reasons


def as_published(scores: ArrayLike) -> Floats:
    """Scores as upstream's boards count them: `UNPARSED` is a score, and nothing is off the scale.

    Parameters
    ----------
    scores : float array, any shape
        `UNPARSED` where a reply could not be read, nan where there is none.

    Returns
    -------
    float array, same shape
        What counts; nan where nothing does.
    """
    return np.array(scores, dtype=np.float64)


def on_scale(scores: ArrayLike, *, low: float, high: float) -> Floats:
    """The scores that are on the declared scale; a failure never becomes a score.

    Parameters
    ----------
    scores
        As for `as_published`.
    low, high : float
        The ends of the scale.

    Returns
    -------
    float array, same shape
        nan where a reply could not be read, where its score is off the scale, and where there is
        no reply.
    """
    given = np.asarray(scores, dtype=np.float64)
    return np.asarray(np.where((given >= low) & (given <= high), given, np.nan))


def unreadable(scores: ArrayLike, *, low: float, high: float) -> Floats:
    """1 where there is a reply without a score on the scale, 0 where there is one with, else nan.

    Put through `category_contributions` and `Balance.figures` it is the unreadable rate of every
    figure; the first of the sums is how many there are.

    Parameters
    ----------
    scores, low, high
        As for `on_scale`.
    """
    given = np.asarray(scores, dtype=np.float64)
    off = np.isnan(on_scale(given, low=low, high=high))
    return np.where(np.isnan(given), np.nan, off.astype(np.float64))


def category_contributions(
    counted: ArrayLike, category_of: ArrayLike, *, n_categories: int
) -> Floats:
    """What each item adds to the sums of its category.

    Parameters
    ----------
    counted : float array, shape (n_items, ...)
        The scores that count, in one of the two views; nan where none does. Further axes are free
        (models, judges).
    category_of : int array, shape (n_items,)
        Codes in ``0 .. n_categories - 1``.
    n_categories : int

    Returns
    -------
    float array, shape (n_items, ..., n_categories, 2)
        The score and 1 in the item's category, zeros elsewhere and where no score counts.

    Raises
    ------
    ValueError
        Where lengths differ, or for a code out of range.
    """
    values, codes = np.asarray(counted, dtype=np.float64), np.asarray(category_of, dtype=np.int64)
    if codes.ndim != 1 or values.ndim < 1 or len(values) != len(codes):
        raise ValueError(f"one category an item is needed, not {codes.shape} for {values.shape}")
    if codes.size and not (codes.min() >= 0 and codes.max() < n_categories):
        raise ValueError(f"codes of categories lie in 0 .. {n_categories - 1}")
    own = np.zeros((len(codes), n_categories))
    own[np.arange(len(codes)), codes] = 1.0
    own = own.reshape(len(codes), *[1] * (values.ndim - 1), n_categories)
    there = ~np.isnan(values)
    added = np.stack([np.where(there, values, 0.0), there.astype(np.float64)], axis=-1)
    return np.asarray(own[..., np.newaxis] * added[..., np.newaxis, :])


def dimension_contributions(ratings: ArrayLike, scores: ArrayLike) -> Floats:
    """What each item adds to the mean rating of each dimension.

    As published: over the items whose score could be read, whatever their category. The clean view
    takes ratings and scores that went through `on_scale`.

    Parameters
    ----------
    ratings : float array, shape (n_items, ..., n_dimensions)
        nan where a dimension was not rated; few items are rated on all of them.
    scores : float array, shape (n_items, ...)
        The overall scores; `UNPARSED` and nan leave the item out.

    Returns
    -------
    float array, shape (n_items, ..., n_dimensions, 2)
        Sums of these, put through `ratios`, are the mean ratings.

    Raises
    ------
    ValueError
        Where the shapes do not go together.
    """
    rated, whole = np.asarray(ratings, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if rated.shape[:-1] != whole.shape:
        raise ValueError(f"ratings of shape {rated.shape} need scores of {rated.shape[:-1]}")
    read = ~np.isnan(whole) & (whole != UNPARSED)
    there = ~np.isnan(rated) & read[..., np.newaxis]
    return np.stack([np.where(there, rated, 0.0), there.astype(np.float64)], axis=-1)


def ratios(sums: ArrayLike) -> Floats:
    """Means of sums over items.

    Parameters
    ----------
    sums : float array, shape (..., 2)
        Of values, and of how many there are.

    Returns
    -------
    float array, shape (...)
        nan where there is nothing.
    """
    given = np.asarray(sums, dtype=np.float64)
    top, bottom = given[..., 0], given[..., 1]
    found = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=found, where=bottom > 0)
    return found
