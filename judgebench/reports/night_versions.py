"""Which nights a name has on a board: what stood behind it when. No verdict is read for it.

A night is a version of a model for as long as runs evaluate it: the same name with other weights,
prompting or decoding begins another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from judgebench.records import RunManifest
from judgebench.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """A version of a model, from the run that evaluated it first to the last in a row.

    model, model_id
        As the board shows it, and its id.
    first, last
        When these runs were, in seconds.
    runs
        Their ids, in time.
    """

    model: str
    model_id: str
    first: float
    last: float
    runs: tuple[str, ...]


def nights_of(
    store: Store, benchmark: str, version: str, judge_id: str, opponent_id: str | None = None
) -> dict[str, tuple[Night, ...]]:
    """The nights of every name on a board; the name with the most nights first.

    No verdict is read for it. A version goes by every name that it has or had.
    """
    runs = {run.id: run for run in store.runs()}
    models = {model.id: model for model in store.models()}
    seen: dict[str, list[tuple[float, str, str]]] = {}
    for model_id, run_id in store.evaluated(benchmark, version, [judge_id], opponent_id):
        when = ran_at(runs[run_id])
        for name in models[model_id].names:
            seen.setdefault(name, []).append((when, run_id, model_id))
    found = {name: _in_a_row(sorted(its)) for name, its in seen.items()}
    return dict(sorted(found.items(), key=lambda one: (-len(one[1]), one[0])))


def ran_at(run: RunManifest) -> float:
    """When a run was, in seconds; of an imported one when it was run, where its log says so."""
    said = run.configuration.get("when") if "import" in run.configuration else None
    if isinstance(said, str) and said:
        day, _, time = said.partition("T")
        hour, rest = time[:8].replace("-", ":"), time[8:]
        try:
            when = datetime.fromisoformat(f"{day}T{hour}{rest}")
        except ValueError:
            return run.started
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return run.started


def _in_a_row(seen: Sequence[tuple[float, str, str]]) -> tuple[Night, ...]:
    """One night for runs that follow each other and evaluate the same version."""
    found: list[Night] = []
    for when, run, model in seen:
        if found and found[-1].model_id == model:
            before = found.pop()
            first, runs = before.first, (*before.runs, run)
        else:
            first, runs = when, (run,)
        found.append(Night(model=model, model_id=model, first=first, last=when, runs=runs))
    return tuple(found)
