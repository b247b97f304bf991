"""Quotients of sums over items, estimated with their intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.intervals import FEWEST_UNITS, Floats, Intervals, wilson
from judgebench.metrics.item_means import ItemMeans, quotient
from judgebench.metrics.verdict_table import Ints
from judgebench.records import Estimate
from judgebench.stats.resample import leave_one_out_sums
from judgebench.stats.weighted_mean import interval_of_share

COUNT = 1
"""Where, among a measure's contributions, it stands how much an item counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A quotient of sums over items, one for each model.

    top, bottom : shape (items, models)
    n : shape (models,)
        Verdicts used.
    missing : shape (models,)
    worst, best : shape (models,), or None
        The quotient with what is missing at its least and at its most favourable value.
    unit
        What the estimate is multiplied with: 100 for percent.
    proportion
        Whether the quotient is a share, whose interval is Wilson's where a bootstrap does not
        serve.
    weighted
        Whether it is a share of weights that differ: its interval is on the logit, and there is
        none with fewer than ``least`` items of either outcome.
    least
        Of either outcome of a share; with fewer a bootstrap does not serve.
    root
        Whether the square root of the quotient is meant.
    always
        Whether it is shown although it rests on nothing.
    few : bool array, shape (models,), or None
        Of whom a part has too few items for an interval of the whole.
    undefined
        Why a quotient of nothing has no value.
    """

    top: Floats
    bottom: Floats
    n: Floats
    missing: Floats
    worst: Floats | None = None
    best: Floats | None = None
    unit: float = 1.0
    proportion: bool = False
    weighted: bool = False
    least: float = 0.0
    root: bool = False
    always: bool = False
    few: NDArray[np.bool_] | None = None
    undefined: str = "no readable verdict"

    @property
    def contributions(self) -> Floats:
        """Of each item to both sums, shape (items, models, 2)."""
        return np.stack([self.top, self.bottom], axis=-1)

    def quotient(self, sums: Floats) -> Floats:
        """Of sums over items, shape (..., models, 2), one number a model."""
        found = quotient(sums[..., 0], sums[..., 1])
        return np.sqrt(found) if self.root else found

    def counted(self, contributions: Floats) -> Floats:
        """How much each unit counts, shape (units, models)."""
        return np.asarray(contributions[..., COUNT])

    def of_units(self, unit_of: Ints, n_units: int) -> Floats:
        """The contributions of units, each the sum over its items."""
        of_items = self.contributions
        if n_units == len(of_items):
            return of_items
        found = np.zeros((n_units, *of_items.shape[1:]))
        np.add.at(found, unit_of, of_items)
        return found


def mean_of(
    means: ItemMeans, *, unit: float = 1.0, proportion: bool = False, least: float = 0.0
) -> Measure:
    """The mean over items of what is there."""
    there = ~np.isnan(means.mean)
    return Measure(
        top=np.where(there, means.mean, 0.0),
        bottom=there.astype(np.float64),
        n=means.readable.sum(axis=0),
        missing=(means.expected - means.readable).sum(axis=0),
        worst=None if means.worst is None else _mean_of_expected(means.worst),
        best=None if means.best is None else _mean_of_expected(means.best),
        unit=unit,
        proportion=proportion,
        least=least,
    )


def _mean_of_expected(values: Floats) -> Floats:
    """Over the items of which a model was expected to have an answer."""
    there = ~np.isnan(values)
    return quotient(np.where(there, values, 0.0).sum(axis=0), there.sum(axis=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """A measure's estimates, one a model, and its value and replicates that ranks are made of."""

    scores: Floats
    estimates: tuple[Estimate, ...]


def estimated(
    measure: Measure, contributions: Floats, sums: Floats, wanted: Intervals
) -> Estimated:
    """Every model's estimate with its interval, over the replicates that all models share.

    Parameters
    ----------
    contributions : float array, shape (units, models, 2)
        The measure's, see `Measure.of_units`.
    sums : float array, shape (1 + n_replicates, models, 2)
        Of the contributions, over the units as they are and resampled.
    """
    scores = measure.quotient(sums)
    bca = wanted.kind == "bca"
    left_out = measure.quotient(leave_one_out_sums(contributions)) if bca else None
    ends = wanted.ends(scores, left_out)
    units = (measure.counted(contributions) > 0).sum(axis=0)

    def one(m: int) -> Estimate:
        value, n_units = float(scores[0, m]), int(units[m])
        found = None
        if measure.proportion:
            found = wilson(value, n_units, level=wanted.level, least=measure.least)
        if measure.weighted:
            of, least = contributions[:, m].T, int(measure.least)
            low, high = interval_of_share(*of, level=wanted.level, least=least)
            few = math.isnan(low)
            found = (
                low,
                high,
                f"no interval: fewer than {least} items of either kind"
                if few
                else ("logit, Student's t over items"),
            )
        if found is None and n_units < 2:  # every replicate is that item
            found = math.nan, math.nan, "no interval, a single item"
        elif found is None and n_units < FEWEST_UNITS:
            why = f"no interval: under {FEWEST_UNITS} items none was measured to hold"
            found = math.nan, math.nan, why
        elif found is None and measure.few is not None and measure.few[m]:
            found = math.nan, math.nan, "no interval: too few items of a part"
        low, high, method = found or ends.at(m)
        known = not math.isnan(value)
        return Estimate(
            value=value * measure.unit,
            low=(low if known else math.nan) * measure.unit,
            high=(high if known else math.nan) * measure.unit,
            n=int(measure.n[m]),
            units=n_units,
            missing=int(measure.missing[m]),
            level=wanted.level,
            method=method if known else "",
            undefined=None if known else measure.undefined,
            worst_low=None if measure.worst is None else float(measure.worst[m]) * measure.unit,
            worst_high=None if measure.best is None else float(measure.best[m]) * measure.unit,
        )

    return Estimated(scores=scores, estimates=tuple(one(m) for m in range(len(units))))
