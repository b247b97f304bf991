"""One judge in place of another: what becomes of scores, ranks and decisions, from a pilot.

The pilot is a random part of the answers that the old judge has judged, drawn for each model by
itself, and judged by both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.intervals import Intervals, as_estimate
from judgebench.records import Estimate
from judgebench.stats.gate_rule import Decision, decide
from judgebench.stats.paired_tests import spread_over_units, student_bound

Floats: TypeAlias = NDArray[np.float64]

MARGIN = 0.02
"""The allowed drop of the decisions that are compared, as a share of the scale."""

ALPHA = 0.05
"""Of these decisions, one-sided."""

LEAST_MODELS = 3
"""From so many on, the error of a bridge is that of a model which it was not fitted on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """``intercept + slope * old`` is a score of the new judge, with an error.

    error
        Root mean square of what it is off by for the mean of a ``left_out`` model (or item, of few
        models) that it was not fitted on; nan where that cannot be told.
    """

    intercept: float
    slope: float
    error: float
    left_out: Literal["model", "item"]
    n: int

    def of(self, old: float) -> float:
        """An old score, as the new judge would give it."""
        return self.intercept + self.slope * old

    @property
    def words(self) -> str:
        """The line and its error."""
        return f"{self.intercept:.3f} + {self.slope:.3f} × old score, off by {self.error:.3f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChange:
    """What becomes of one model.

    old, old_n
        Its mean before the old judge, over all answers.
    new
        What is expected before the new one: the old mean, moved by what the pilot was moved by.
    bridged
        The old mean over the bridge.
    n
        Of its answers in the pilot.
    """

    model: str
    old: float
    old_n: int
    old_rank: int
    new: float
    new_rank: int
    bridged: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionChange:
    """A gate that would decide otherwise."""

    candidate: str
    baseline: str
    before: Decision
    after: Decision


def score_offset(items: Sequence[str], difference: Floats, wanted: Intervals) -> Estimate:
    """Mean of new less old over the answers of a pilot, with a bootstrap over items.

    Parameters
    ----------
    items, difference : shape (answers,)
    """
    units, unit_of = np.unique(np.asarray(items), return_inverse=True)
    sums = np.zeros((len(units), 2))
    np.add.at(sums, unit_of, np.column_stack([difference, np.ones_like(difference)]))
    (drawn,) = wanted.resamples([str(one) for one in units]).sums([sums])
    means = drawn[:, 0] / drawn[:, 1]
    return as_estimate(
        float(means[0]),
        wanted.ends(means, None).at(),
        n=len(difference),
        units=len(units),
        level=wanted.level,
        why=None,
    )


def bridge(items: Sequence[str], models: Sequence[str], old: Floats, new: Floats) -> Bridge:
    """Least squares of new on old over answers; shapes (answers,).

    Where the old judge always says the same, what it says is moved.
    """
    by: Literal["model", "item"] = "model" if len(set(models)) >= LEAST_MODELS else "item"
    group = np.asarray(models if by == "model" else items)
    off = []
    for one in np.unique(group) if len(np.unique(group)) > 1 else ():
        out = group == one
        intercept, slope = _line(old[~out], new[~out])
        off.append(intercept + slope * old[out].mean() - new[out].mean())
    intercept, slope = _line(old, new)
    error = float(np.sqrt(np.mean(np.square(off)))) if off else math.nan
    return Bridge(intercept=intercept, slope=slope, error=error, left_out=by, n=len(old))


def _line(old: Floats, new: Floats) -> tuple[float, float]:
    spread = float(np.var(old))
    slope = 1.0 if not spread else float(np.mean((old - old.mean()) * (new - new.mean())) / spread)
    return float(new.mean() - slope * old.mean()), slope


def model_changes(
    before: Mapping[str, Mapping[str, float]],
    old: Mapping[str, Mapping[str, float]],
    new: Mapping[str, Mapping[str, float]],
    line: Bridge,
) -> tuple[ModelChange, ...]:
    """What becomes of every model, the best of before first.

    Parameters
    ----------
    before, old, new
        By model and item: the old judge's scores of all answers; both judges' of the pilot.
    """
    mean = {model: _mean(its) for model, its in before.items()}
    after = {
        model: mean[model] + _mean(new[model]) - _mean(old[model])
        for model in before
        if model in new
    }
    places = ({model: sum(one > its for one in of.values()) + 1 for model, its in of.items()}
              for of in ({m: mean[m] for m in after}, after))  # fmt: skip
    first, then = places
    return tuple(
        ModelChange(
            model=model,
            old=mean[model],
            old_n=len(before[model]),
            old_rank=first[model],
            new=after[model],
            new_rank=then[model],
            bridged=line.of(mean[model]),
            n=len(new[model]),
        )
        for model in sorted(after, key=lambda one: (first[one], one))
    )


def decision_changes(
    before: Mapping[str, Mapping[str, float]],
    old: Mapping[str, Mapping[str, float]],
    new: Mapping[str, Mapping[str, float]],
    width: float,
) -> tuple[int, tuple[DecisionChange, ...]]:
    """How many gates there are between two models each, and those that would decide otherwise.

    By the gate's rule with Student's bounds at 5 % and a margin of 2 % of the scale: before on all
    answers that the old judge scored of both; after that the same, moved by the pilot, whose chance
    is added.
    """
    moved = {
        model: np.array([new[model][item] - old[model][item] for item in new[model]])
        for model in new
    }
    changed, n = [], 0
    for candidate in sorted(moved):
        for baseline in sorted(moved):
            both = before[candidate].keys() & before[baseline].keys()
            if (
                candidate == baseline
                or len(both) < 2
                or min(len(moved[candidate]), len(moved[baseline])) < 2
            ):
                continue
            n += 1
            apart = np.array([before[candidate][i] - before[baseline][i] for i in sorted(both)])
            spread = spread_over_units(apart, np.ones_like(apart))
            first = _decide(apart.mean(), spread, len(apart), width)
            shift = moved[candidate].mean() - moved[baseline].mean()
            more = sum(one.var(ddof=1) / len(one) for one in (moved[candidate], moved[baseline]))
            wider = math.sqrt(spread**2 + len(apart) * more)
            then = _decide(apart.mean() + shift, wider, len(apart), width)
            if first != then:
                changed.append(
                    DecisionChange(candidate=candidate, baseline=baseline, before=first, after=then)
                )
    return n, tuple(changed)


def _decide(difference: float, spread: float, units: int, width: float) -> Decision:
    low, below = (
        student_bound(one, spread, units, alpha=ALPHA, reach=width)
        for one in (difference, -difference)
    )
    return decide(low, -below, margin=MARGIN * width, units=units)


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)
