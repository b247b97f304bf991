"""Scores of a benchmark whose categories count equally, however many items each of them has.

AlignBench's score [1]_ is the mean of two sides (reasoning, language), a side the mean of its
categories, a category the mean of its items: 204 items of reasoning weigh as much as 479 of
language.

References
----------
.. [1] X. Liu et al. (2023), AlignBench: Benchmarking Chinese Alignment of Large Language Models,
   arXiv 2311.18743; ``show_result.py`` of THUDM/AlignBench at 5b79d4a.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]


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
