"""Scores of benchmarks that average splits, and round the mean of each before they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from judgebench.metrics.intervals import Floats
from judgebench.metrics.item_means import ItemMeans, quotient
from judgebench.metrics.measure import Measure, mean_of
from judgebench.metrics.verdict_table import Ints
from judgebench.stats.rounded_weighted_mean import rounded_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundedMean(Measure):
    """A mean of the rounded means of splits, by their numbers of readable items.

    split : int array, shape (items,)
        The split of each item; negative for one that is in none.
    n_splits
        How many there are.
    """

    split: Ints
    n_splits: int

    @property
    def contributions(self) -> Floats:
        """Sum and count of each split in turn, shape (items, models, 2 * splits)."""
        found = np.zeros((*self.top.shape, 2 * self.n_splits))
        items = np.flatnonzero(self.split >= 0)
        found[items, :, 2 * self.split[items]] = self.top[items]
        found[items, :, 2 * self.split[items] + 1] = self.bottom[items]
        return found

    def counted(self, contributions: Floats) -> Floats:
        """How much each unit counts, shape (units, models)."""
        return np.asarray(contributions[..., 1::2].sum(axis=-1))

    def quotient(self, sums: Floats) -> Floats:
        """Of sums over items, shape (..., models, 2 * splits), one number a model."""
        rows = sums[..., 1::2]
        return rounded_mean(quotient(sums[..., 0::2], rows), rows)


def rounded(means: ItemMeans, items: Sequence[str], split_of: Mapping[str, str]) -> RoundedMean:
    """The mean of the rounded means of splits.

    Parameters
    ----------
    items
        Those of ``means``, in their order.
    split_of
        The split of each item.
    """
    names = sorted(set(split_of.values()))
    code_of = {name: code for code, name in enumerate(names)}
    split = np.array([code_of.get(split_of.get(item, ""), -1) for item in items], dtype=np.int64)
    plain = mean_of(means)
    within = split >= 0
    return RoundedMean(
        top=plain.top,
        bottom=plain.bottom,
        n=means.readable[within].sum(axis=0),
        missing=(means.expected - means.readable)[within].sum(axis=0),
        split=split,
        n_splits=len(names),
    )
