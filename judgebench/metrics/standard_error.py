"""The standard error of a mean over items, as a number of its own: AlpacaEval prints it.

Intervals on boards do not use it; it is here because people compare it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from judgebench.metrics.intervals import Floats
from judgebench.metrics.item_means import ItemMeans, quotient
from judgebench.metrics.measure import Measure, mean_of

STANDARD_ERROR = "standard_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardError(Measure):
    """The sample standard deviation over items, over the square root of their number.

    Undefined with fewer than two items. An item of several verdicts counts once, as their mean.
    """

    @property
    def contributions(self) -> Floats:
        """Of each item: value, count, square of the value; shape (items, models, 3)."""
        return np.stack([self.top, self.bottom, np.square(self.top)], axis=-1)

    def quotient(self, sums: Floats) -> Floats:
        """Of sums over items, shape (..., models, 3), one number a model."""
        total, n, squares = sums[..., 0], sums[..., 1], sums[..., 2]
        spread = np.maximum(squares - quotient(np.square(total), n), 0.0)
        return np.sqrt(quotient(spread, np.where(n > 1, n * (n - 1), 0.0)))


def standard_error_of(means: ItemMeans, *, unit: float = 1.0) -> StandardError:
    """That of what is there."""
    mean = mean_of(means)
    return StandardError(
        top=mean.top,
        bottom=mean.bottom,
        n=mean.n,
        missing=mean.missing,
        unit=unit,
        undefined="fewer than two items",
    )
