"""The best of n answers, expected from more of them, and where scores of answers vary.

Of N answers to a question, n are drawn without replacement and the one with the highest score is
kept. What it is worth, in the mean over all draws, is a weighted mean of the N values: the r-th
lowest score is the highest of n in C(r - 1, n - 1) of C(N, n) draws. That is unbiased for every
n <= N, whatever the distributions (Nakano et al., WebGPT, 2021, appendix I; with values 0 and 1 it
is pass@k of Chen et al., 2021).

Scores of I questions with S answers each by J judges are a mean and independent effects of the
question, the answer within it, the judge, judge and question, and the rest. Their variances follow
from the mean squares (Brennan, Generalizability Theory, 2001, chapter 3, design (s:i) x j)::

    rest    = MS(sj:i)
    item    = (MS(i) - MS(ij) - MS(s:i) + MS(sj:i)) / (S J)
    sample  = (MS(s:i) - MS(sj:i)) / J
    judge   = (MS(j) - MS(ij)) / (I S)
    item x judge = (MS(ij) - MS(sj:i)) / S
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]


def expected_best(scores: ArrayLike, values: ArrayLike) -> Floats:
    """What the best of 1, 2, … N answers is worth in the mean.

    >>> expected_best([1, 3, 2], [10.0, 0.0, 20.0]).tolist()
    [10.0, 6.666666666666667, 0.0]

    Parameters
    ----------
    scores : array, shape (N,)
        By which the best is chosen; of equal ones each is as likely.
    values : array, shape (N,)
        What is to be had of each answer.

    Returns
    -------
    float array, shape (N,)
        For n = 1 to N; nan throughout where a score or a value is.
    """
    given, value = np.asarray(scores, np.float64), np.asarray(values, np.float64)
    if np.isnan(given).any() or np.isnan(value).any():
        return np.full(len(given), math.nan)
    _, place = np.unique(given, return_inverse=True)
    mean = (np.bincount(place, value) / np.bincount(place))[np.sort(place)]
    found: Floats = _chances(len(given)) @ mean
    return found


@cache
def _chances(size: int) -> Floats:
    """Of so many answers, that the one of each rank is the best of 1, 2, …; (n, rank)."""
    return np.array(
        [[math.comb(rank, n) / math.comb(size, n + 1) for rank in range(size)] for n in range(size)]
    )


def kl_bound(n: int) -> float:
    """The most by which the best of n differs from one answer, in nats: log n - (n - 1) / n.

    Of the Kullback-Leibler divergence of the two policies (Beirami et al., 2024).
    """
    return math.log(n) - (n - 1) / n


def variance_components(values: ArrayLike) -> dict[str, float]:
    """Variances of ``item``, ``sample``, ``judge``, ``item x judge`` and ``rest``, in this order.

    Unbiased, and so below 0 now and then where there is none. With one judge what is his cannot be
    told: ``judge`` and ``item x judge`` are nan, and ``sample`` is all that differs within items.

    Parameters
    ----------
    values : array, shape (items, samples, judges)
        Without nan; at least two items and two samples.
    """
    y = np.asarray(values, np.float64)
    items, samples, judges = y.shape
    of_item, of_judge = y.mean(axis=(1, 2)), y.mean(axis=(0, 1))
    of_sample, of_both = y.mean(axis=2), y.mean(axis=1)
    sample = judges * np.square(of_sample - of_item[:, None]).sum() / (items * (samples - 1))
    item = samples * judges * float(np.var(of_item, ddof=1))
    if judges == 1:
        only = {"item": (item - sample) / samples, "sample": float(sample)}
        return _without_noise(only, y) | dict.fromkeys(("judge", "item x judge", "rest"), math.nan)
    whole = y.mean()
    both = of_both - of_item[:, None] - of_judge + whole
    left = y - of_sample[:, :, None] - of_both[:, None, :] + of_item[:, None, None]
    rest = np.square(left).sum() / (items * (samples - 1) * (judges - 1))
    item_judge = samples * np.square(both).sum() / ((items - 1) * (judges - 1))
    judge = items * samples * float(np.var(of_judge, ddof=1))
    found = {
        "item": (item - item_judge - sample + rest) / (samples * judges),
        "sample": (sample - rest) / judges,
        "judge": (judge - item_judge) / (items * samples),
        "item x judge": (item_judge - rest) / samples,
        "rest": rest,
    }
    return _without_noise(found, y)


def _without_noise(variances: Mapping[str, float], y: Floats) -> dict[str, float]:
    """With 0 for what is nothing but the rounding of floats."""
    least = 1e-12 * float(np.var(y))
    return {name: float(one) if abs(one) > least else 0.0 for name, one in variances.items()}
