"""Checkpoints of training runs: models whose names are tagged with a step.

    models:
      - name: apo-1200
        responses: answers/1200.jsonl
        tags: {training_run: apo-november, step: 1200, algorithm: apo, data: mix-3}

Without ``training_run`` those belong together whose other tags are equal.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from judgebench.store import Store
from judgebench.store.read import Tagged

RUN, STEP = "training_run", "step"
NO_OTHER_TAGS = "(no other tags)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model at a step of a training run."""

    model_id: str
    name: str
    step: float
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRuns:
    """The training runs of a store, each with its checkpoints by step; and what has no number.

    faults
        Of names that are tagged with a step that is no number, what is wrong.
    """

    runs: Mapping[str, tuple[Checkpoint, ...]]
    faults: tuple[str, ...] = ()


def training_runs(store: Store, among: Collection[str] | None = None) -> TrainingRuns:
    """The training runs that a store knows of, in the order in which they came.

    A model with several names is what its newest name with a step says.

    Parameters
    ----------
    among
        The ids of the models to look at; all if not given.
    """
    newest: dict[str, Tagged] = {}
    for one in store.tagged():
        if STEP in one.tags and (among is None or one.model_id in among):
            newest.pop(one.model_id, None)
            newest[one.model_id] = one
    found: dict[str, list[Checkpoint]] = {}
    faults = []
    for one in newest.values():
        step = _number(one.tags[STEP])
        if math.isnan(step):
            faults.append(f"{one.name}: the step {one.tags[STEP]!r} is no number")
            continue
        checkpoint = Checkpoint(model_id=one.model_id, name=one.name, step=step, tags=one.tags)
        found.setdefault(_run_of(one.tags), []).append(checkpoint)
    return TrainingRuns(
        runs={
            run: tuple(sorted(its, key=lambda one: (one.step, one.model_id)))
            for run, its in found.items()
        },
        faults=tuple(faults),
    )


def _run_of(tags: Mapping[str, str]) -> str:
    if RUN in tags:
        return tags[RUN]
    others = [f"{name} {value}" for name, value in sorted(tags.items()) if name != STEP]
    return ", ".join(others) or NO_OTHER_TAGS


def _number(said: str) -> float:
    """nan for what is no finite number."""
    try:
        number = float(said)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
