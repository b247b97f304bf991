"""How estimates get their intervals: the bootstrap over items, and where it does not serve.

One set of draws belongs to one set of items. All models and judges on it share the draws, so that
differences between them are paired by construction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.records import Estimate
from judgebench.stats.resample import (
    Resamples,
    bca_interval,
    content_seed,
    multinomial_weights,
    percentile_interval,
    upper_bound,
    wilson_interval,
)

Floats: TypeAlias = NDArray[np.float64]

Interval: TypeAlias = tuple[float, float, str]
"""Both ends, nan where there is none, and how it came about or why there is none."""

FEW_ITEMS = 30
"""Under so many items a plain proportion has Wilson's interval."""

LEAST = 10
"""Of either outcome of a share, wins or right answers for example: with fewer, percentiles of a
bootstrap are too narrow and Wilson's interval is given (``perf/win_rate_coverage.py`` measures how
often it holds)."""

FEWEST_UNITS = 10
"""Units that percentiles of a mean take. Of scores that are mostly at the ends of their scale they
held the mean in 49 % with 2, 75 with 3, 87 with 5 and 91 with 10; of grades 1, 4 and 5 in 32, 47,
65 and 86 (1,500 draws each; 12 hold in 91 to 92, 30 in 94)."""

ALL_EQUAL = "no interval: all draws are equal"
"""Draws that never differ say nothing of the spread, and a point is no interval."""

_ROUNDING = 1e-12
"""How far, beside a value of 1 or the value itself, draws that are equal may lie apart."""


def all_equal(least: Floats, most: Floats, value: Floats) -> NDArray[np.bool_]:
    """Whether draws from ``least`` to ``most`` of this value differ by rounding alone."""
    with np.errstate(invalid="ignore"):  # of infinite draws
        apart = np.subtract(most, least)
    return np.asarray(apart <= _ROUNDING * np.maximum(1.0, np.abs(value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """What interval is wanted.

    ``seed`` is the user's; the seed drawn with also follows from the item ids, so that a board is
    reproducible and does not flicker while verdicts arrive.
    """

    level: float = 0.95
    n_replicates: int = 2000
    seed: int = 0
    kind: Literal["percentile", "bca"] = "percentile"

    def affordable(self, n_units: int, weights: int, *, fewest: int = 100) -> Intervals:
        """With fewer replicates where these would be more weights of units than so many."""
        most = max(fewest, weights // max(n_units, 1))
        return replace(self, n_replicates=min(self.n_replicates, most))

    def resamples(self, items: Sequence[str]) -> Resamples:
        """The data as they are, and replicates of them, with these items as units."""
        return _resamples(tuple(items), self.n_replicates, self.seed)

    def draws(self, items: Sequence[str]) -> Floats:
        """The weights of all replicates at once, shape (n_replicates, items)."""
        seed = content_seed(*items, seed=self.seed)
        return multinomial_weights(len(items), self.n_replicates, seed=seed)

    def ends(self, values: Floats, leave_one_out: Floats | None) -> Ends:
        """The ends of many intervals at once.

        Parameters
        ----------
        values : float array, shape (1 + n_replicates, ...)
            Of the sums over `resamples`: the value itself, then its replicates.
        leave_one_out : float array, shape (items, ...), optional
            Needed for ``bca``.
        """
        value, replicates = values[0], values[1:]
        if self.kind == "bca" and leave_one_out is not None:
            low, high = bca_interval(value, replicates, leave_one_out, level=self.level)
        else:
            low, high = percentile_interval(replicates, level=self.level)
        return Ends(
            low=low,
            high=high,
            undefined=np.isnan(replicates).sum(axis=0),
            constant=all_equal(np.fmin.reduce(replicates), np.fmax.reduce(replicates), value),
            intervals=self,
        )


@lru_cache(1)  # a board draws the same for its metrics, for lengths and for what is fitted
def _resamples(items: tuple[str, ...], n_replicates: int, seed: int) -> Resamples:
    return Resamples(len(items), n_replicates, seed=content_seed(*items, seed=seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Lower and upper ends, how many replicates were undefined, and whether all were equal."""

    low: Floats
    high: Floats
    undefined: NDArray[np.int64]
    constant: NDArray[np.bool_]
    intervals: Intervals

    def over(self, units: int, *place: int) -> Interval:
        """One interval, which a single unit has none of."""
        return self.at(*place) if units > 1 else (math.nan, math.nan, "no interval, one item")

    def at(self, *place: int) -> Interval:
        """One interval, and how it came about in words."""
        low, high = float(self.low[place]), float(self.high[place])
        n, undefined = self.intervals.n_replicates, int(self.undefined[place])
        method = f"{self.intervals.kind} bootstrap over items, {n} replicates"
        if math.isnan(low) or math.isnan(high):
            because = f"{undefined} replicates undefined" if undefined else "replicates one-sided"
            return math.nan, math.nan, f"{method}; no interval, {because}"
        if undefined:
            method += f", {undefined} of them undefined and left out"
        if self.constant[place]:
            return math.nan, math.nan, f"{method}; {ALL_EQUAL}"
        return low, high, method


def as_estimate(value: float, interval: Interval, *, why: str | None, **counts: Any) -> Estimate:
    """A number with its interval; of nan there is none, and ``why`` says that it has no value."""
    known = not math.isnan(value)
    low, high, method = interval if known else (math.nan, math.nan, "")
    return Estimate(
        value=value, low=low, high=high, method=method, undefined=None if known else why, **counts
    )


def wilson(value: float, units: float, *, level: float, least: float = 0.0) -> Interval | None:
    """Wilson's interval of a plain proportion where the bootstrap does not serve, else None.

    That is with few items, at 0 or 1, where a bootstrap of 40 successes in 40 gives a point, and
    with fewer than ``least`` of either outcome.
    """
    rarer = round(min(value, 1.0 - value) * units, 9)  # 1 - 50/60 of 60 are ten
    if not units or (units >= FEW_ITEMS and 0.0 < value < 1.0 and rarer >= least):
        return None
    low, high = wilson_interval(value * units, units, level=level)
    return float(low), float(high), "wilson"


def share_at_most(found: int, drawn: int, of: int) -> float:
    """How large a share may be, with so many found among those drawn: an upper bound at 95 %.

    The share itself where all were drawn, and nan where none was.
    """
    return found / drawn if drawn and drawn == of else upper_bound(found, drawn)
