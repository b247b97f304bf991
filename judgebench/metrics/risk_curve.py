"""What remains wrong where only the surest answers are given: a curve, with intervals on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judgebench.metrics.confidence_board import Figures, Floats
from judgebench.metrics.intervals import Intervals, wilson
from judgebench.records import Estimate
from judgebench.stats.confidence import risk_among_surest, risk_steps
from judgebench.stats.resample import Resamples
from judgebench.stats.weighted_mean import set_average

TENTHS = np.arange(1, 11) / 10
_EDGES = np.linspace(0.0, 1.0, 201)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RiskCurve:
    """Risk against coverage; of several sets the mean of their curves, weighted with their sizes.

    edges : float array, shape (steps + 1,)
        Coverages from 0 to 1.
    risk : float array, shape (steps,)
        Mean risk within each step. The area under them is the AURC that boards print.
    points : tuple of Estimate
        The risk at each of `TENTHS` of coverage, ``n`` being how many answers are given there.
    """

    edges: Floats
    risk: Floats
    points: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetCurve:
    """The curve of one set: shapes (steps,) and (1 + replicates, tenths)."""

    steps: Floats
    at_tenths: Floats


def set_curve(one: Figures, draws: Resamples) -> SetCurve:
    """One confidence of one model on one set.

    Parameters
    ----------
    one
    draws
        Of the units of the set, as its figures were made with.
    """
    answers = one.confidence, one.correct
    replicates = [
        risk_among_surest(*answers, TENTHS, weights=block[:, one.unit_of])
        for block in draws.weights()
    ]
    as_they_are = risk_among_surest(*answers, TENTHS)[np.newaxis]
    return SetCurve(
        steps=risk_steps(*answers, _EDGES),
        at_tenths=np.concatenate([as_they_are, *replicates]),
    )


def risk_curve(
    sets: Sequence[Figures], curves: Sequence[SetCurve], intervals: Intervals
) -> RiskCurve | None:
    """The curve of one confidence of one model over several sets; None where a set has no answer.

    Parameters
    ----------
    sets
        At least one.
    curves
        Of each of them.
    """
    if not all(len(one.correct) for one in sets):
        return None
    sizes = [one.size for one in sets]
    at_tenths = set_average(np.stack([one.at_tenths for one in curves], axis=-1), sizes)
    return RiskCurve(
        edges=_EDGES,
        risk=set_average(np.stack([one.steps for one in curves], axis=-1), sizes),
        points=_estimates(sets, at_tenths, intervals),
    )


def _estimates(
    sets: Sequence[Figures], values: Floats, intervals: Intervals
) -> tuple[Estimate, ...]:
    """As `confidence_board.estimates_of` has those of accuracy: all that is wrong, at the end."""
    ends = intervals.ends(values, None)
    n, units = sum(len(one.correct) for one in sets), sum(one.units for one in sets)
    found = []
    for place, share in enumerate(TENTHS.tolist()):
        value = float(values[0, place])
        interval = ends.at(place)
        if units < 2:
            interval = math.nan, math.nan, "no interval, a single question"
        elif len(sets) == 1 or value in (0.0, 1.0):
            interval = wilson(value, share * units, level=intervals.level) or interval
        low, high, method = interval
        found.append(
            Estimate(
                value=value,
                low=low,
                high=high,
                n=round(share * n),
                units=units,
                missing=sum(one.missing for one in sets),
                level=intervals.level,
                method=method,
                undefined=None,
            )
        )
    return tuple(found)
