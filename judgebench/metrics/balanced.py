"""Scores of benchmarks whose categories count equally (`judgebench.stats.category_scores`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from judgebench.metrics.intervals import Floats
from judgebench.metrics.item_means import ItemMeans, quotient
from judgebench.metrics.measure import Measure, mean_of
from judgebench.metrics.verdict_table import Ints
from judgebench.stats.category_scores import mean_of_sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How a benchmark's categories make up the whole.

    category_of
        The category of each item.
    sides
        The categories of each side, by its name.
    unparsed
        The score that the official figures give a reply that could not be read; None where they
        leave it out.
    """

    category_of: Mapping[str, str]
    sides: Mapping[str, Sequence[str]]
    unparsed: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancedMean(Measure):
    """A mean of sides, each a mean of categories.

    code : int array, shape (items,)
        The category of each item; negative for one that is on no side.
    sides : tuple of tuple of int
        The codes of the categories of each side.

    Undefined while a category has no readable verdict.
    """

    code: Ints
    sides: tuple[tuple[int, ...], ...]

    @property
    def contributions(self) -> Floats:
        """Sum and count of each category in turn, shape (items, models, 2 * categories)."""
        n = 1 + max(code for side in self.sides for code in side)
        found = np.zeros((*self.top.shape, 2 * n))
        items = np.flatnonzero(self.code >= 0)
        found[items, :, 2 * self.code[items]] = self.top[items]
        found[items, :, 2 * self.code[items] + 1] = self.bottom[items]
        return found

    def counted(self, contributions: Floats) -> Floats:
        """How much each unit counts, shape (units, models)."""
        return np.asarray(contributions[..., 1::2].sum(axis=-1))

    def quotient(self, sums: Floats) -> Floats:
        """Of sums over items, shape (..., models, 2 * categories), one number a model."""
        return mean_of_sides(quotient(sums[..., 0::2], sums[..., 1::2]), self.sides)


def balanced(
    means: ItemMeans, items: Sequence[str], balance: Balance, sides: Sequence[str]
) -> BalancedMean:
    """The balanced mean over some sides; over all of them it is the whole.

    Parameters
    ----------
    items
        Those of ``means``, in their order.
    """
    names = sorted({category for side in sides for category in balance.sides[side]})
    code_of = {name: code for code, name in enumerate(names)}
    code = np.array(
        [code_of.get(balance.category_of.get(item, ""), -1) for item in items], dtype=np.int64
    )
    within = code >= 0
    plain = mean_of(means)
    lacking = sorted(set(names) - {balance.category_of.get(item, "") for item in items})
    some = f"on {', '.join(lacking)}" if lacking else "on a category"
    found = BalancedMean(
        top=plain.top,
        bottom=plain.bottom,
        n=means.readable[within].sum(axis=0),
        missing=(means.expected - means.readable)[within].sum(axis=0),
        undefined=f"no readable verdict {some}, which counts as much as any other",
        always=True,
        code=code,
        sides=tuple(tuple(code_of[name] for name in balance.sides[side]) for side in sides),
    )
    if means.worst is None or means.best is None:
        return found
    worst, best = (
        replace(found, top=end, bottom=np.ones_like(end)) for end in (means.worst, means.best)
    )
    return replace(
        found,
        worst=worst.quotient(worst.contributions.sum(axis=0)),
        best=best.quotient(best.contributions.sum(axis=0)),
    )
