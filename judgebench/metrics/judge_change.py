"""One judge in place of another: what becomes of scores, ranks and decisions, from a pilot.

The pilot is a random part of the answers that the old judge has judged, drawn for each model by
itself, and judged by both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import numpy as np

from judgebench.metrics.intervals import Floats, as_estimate
from judgebench.metrics.verdict_table import Ints
from judgebench.records import Estimate
from judgebench.stats.gate_rule import Decision, decide
from judgebench.stats.paired_tests import paired_test, spread_over_units, student_bound

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pilot:
    """What two judges say, each row a question or a turn of one.

    unit_of : int array, shape (rows,)
        Which rows are one and the same question.
    old, new : float array, shape (rows, models)
        All that the old judge has said, and what the new one says of the pilot; nan elsewhere.
    """

    models: tuple[str, ...]
    unit_of: Ints
    old: Floats
    new: Floats

    @property
    def moved(self) -> Floats:
        """By how much the new judge is above the old one, where both have judged."""
        return self.new - self.old

    def offset(self, *, level: float = 0.95) -> Estimate:
        """The mean of that over answers, as two models are compared, with an interval."""
        d, alpha = self.moved, (1.0 - level) / 2.0
        there = ~np.isnan(d)
        unit_of = np.broadcast_to(self.unit_of[:, None], d.shape)[there]
        test = paired_test(np.bincount(unit_of, d[there]), np.bincount(unit_of), alpha=alpha)
        low, high = (end if math.isfinite(end) else math.nan for end in test.bounds(alpha))
        return as_estimate(
            test.difference, (low, high, test.method), why=None,
            n=int(there.sum()), units=test.units, level=level,
        )  # fmt: skip


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


def model_changes(pilot: Pilot, line: Bridge) -> tuple[ModelChange, ...]:
    """What becomes of every model of the pilot, the best of before first."""
    n, n_old = ((~np.isnan(of)).sum(axis=0) for of in (pilot.moved, pilot.old))
    mean = np.nansum(pilot.old, axis=0) / np.maximum(n_old, 1)
    after = mean + np.nansum(pilot.moved, axis=0) / np.maximum(n, 1)
    there = np.flatnonzero(n)
    first, then = (1 + (of[there] > of[:, None]).sum(axis=1) for of in (mean, after))
    return tuple(
        ModelChange(
            model=pilot.models[m],
            old=float(mean[m]),
            old_n=int(n_old[m]),
            old_rank=int(first[m]),
            new=float(after[m]),
            new_rank=int(then[m]),
            bridged=line.of(float(mean[m])),
            n=int(n[m]),
        )
        for m in sorted(there.tolist(), key=lambda m: (first[m], pilot.models[m]))
    )


def decision_changes(pilot: Pilot, width: float) -> tuple[int, tuple[DecisionChange, ...]]:
    """How many gates there are between two models each, and those that would decide otherwise.

    By the gate's rule with Student's bounds at 5 % and a margin of 2 % of the scale: before on all
    answers that the old judge scored of both; after that the same, moved by the pilot, whose chance
    is added.
    """
    moved, changed, n = pilot.moved, [], 0
    for c, b in permutations(sorted(range(len(pilot.models)), key=pilot.models.__getitem__), 2):
        mean, spread, units, answers = _mean(pilot.old[:, c] - pilot.old[:, b], pilot.unit_of)
        shifts = [_mean(moved[:, m], pilot.unit_of) for m in (c, b)]
        if min(answers, *(one[-1] for one in shifts)) < 2:
            continue
        n += 1
        more = sum(spread**2 / units for _, spread, units, _ in shifts)
        before = _decide(mean, spread, units, width)
        shifted, wider = mean + shifts[0][0] - shifts[1][0], math.sqrt(spread**2 + units * more)
        if before != (after := _decide(shifted, wider, units, width)):
            two = {"candidate": pilot.models[c], "baseline": pilot.models[b]}
            changed.append(DecisionChange(**two, before=before, after=after))
    return n, tuple(changed)


def _mean(values: Floats, unit_of: Ints) -> tuple[float, float, int, int]:
    """Over what is not nan, with its spread over units, and how many units and values there are."""
    there = ~np.isnan(values)
    rows = np.bincount(unit_of[there])
    sums = np.bincount(unit_of[there], values[there])[rows > 0]
    rows = rows[rows > 0]
    n = max(1, int(rows.sum()))
    return float(sums.sum()) / n, spread_over_units(sums, rows), len(rows), int(rows.sum())


def _decide(difference: float, spread: float, units: int, width: float) -> Decision:
    low, below = (
        student_bound(one, spread, units, alpha=ALPHA, reach=width)
        for one in (difference, -difference)
    )
    return decide(low, -below, margin=MARGIN * width, units=units)
