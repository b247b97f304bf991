"""Baselines by name: a model's verdicts are called ``main`` or ``last-green`` from now on.

What a model is differs by benchmark, since how it is prompted is part of it. So a name stands for
one model on each benchmark: the newest that goes by the model's name there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from judgebench.errors import UsageError
from judgebench.metrics.probe_cases import without_probes
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import benchmark_ref
from judgebench.reports.document import Report, Rows, Table, column, json_field, table
from judgebench.reports.gate_policy import GateFile
from judgebench.reports.model_pairs import newest_model
from judgebench.store import Store
from judgebench.store.read import StoredBaseline


def set_baseline(
    store: Store,
    name: str,
    model: str,
    benchmarks: Sequence[str] = (),
    passed: GateFile | None = None,
) -> list[StoredBaseline]:
    """Call the newest model of a name the baseline, on every benchmark it was judged on, or some.

    Parameters
    ----------
    benchmarks
        ``NAME`` or ``NAME@VERSION``; all that the model was judged on, or all of ``passed``.
    passed
        The gate that the model has passed: benchmarks that it did not test stay as they are.

    Raises
    ------
    UsageError
        For a model that was judged nowhere, or not on a benchmark that was named, and for one that
        is not the candidate of the gate. Nothing is stored then.
    """
    if not name.strip():
        raise UsageError("a baseline needs a name, as in `judgebench baseline set main`")
    named = benchmarks or [
        f"{benchmark}@{version}"
        for benchmark, version in (
            passed.candidates if passed else without_probes(store.benchmarks())
        )
    ]
    asked = bool(benchmarks or passed)
    found = []
    for benchmark in named:
        which = benchmark_ref(store, benchmark)
        data = BoardData(store, which, ())
        shown = newest_model(data, model)
        if shown is None:
            if asked:
                raise UsageError(f"{which}: no model called {model!r} was judged on it")
            continue
        model_id = data.model_ids[shown]
        run_id = _newest_run(data, model_id)
        if run_id is None:
            raise UsageError(f"{which}: the newest model called {model!r} was not judged on it yet")
        if passed is not None:
            _check(passed, (which.name, which.version), model, model_id)
        found.append((which, model_id, run_id))
    if not found:
        raise UsageError(
            f"{store.name} has no verdicts on a model called {model!r}; `judgebench leaderboard "
            "BENCHMARK` shows whom it has"
        )
    key_of = {one.id: one.key for one in store.models()}
    with store.transaction():
        return [
            store.put_baseline(
                name, which.name, which.version, model=key_of[model_id], run_id=run_id
            )
            for which, model_id, run_id in found
        ]


def _check(passed: GateFile, benchmark: tuple[str, str], model: str, model_id: str) -> None:
    """What passed is what becomes the baseline: a newer model of its name has not passed."""
    candidate = passed.candidates.get(benchmark)
    if candidate is None:
        raise UsageError(f"{passed.path}: that gate did not test {'@'.join(benchmark)}")
    if candidate != model_id:
        raise UsageError(
            f"{passed.path}: on {'@'.join(benchmark)} the gate was about the model {candidate}, "
            f"and {model!r} is {model_id}; run the gate again"
        )


def _newest_run(data: BoardData, model_id: str) -> str | None:
    """The run that the last of a model's verdicts came from; None without any."""
    its = [(at, one.run_id) for one, at in data.judged_at.items() if one.model_id == model_id]
    return max(its)[1] if its else None


_COLUMNS = ("name", "benchmark", "version", "model", "model_id", "run", "set", "counts")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineList(Report):
    """Which model each baseline is, and which it was; ``set`` is in UTC."""

    ROWS: ClassVar = (Rows(of="baselines", row=_COLUMNS),)

    baselines: tuple[Mapping[str, Any], ...]
    history: bool = json_field(hidden=True)

    def tables(self) -> list[Table]:
        """A row for each benchmark."""
        titles = {"name": "baseline", "set": "set (UTC)", "model_id": "id"}
        shown = [name for name in _COLUMNS if name != "counts" or self.history]
        words = {True: "yes", False: "no longer", None: "–"}

        def cell(name: str) -> Callable[[Mapping[str, Any]], str]:
            return lambda row: str(words.get(row[name], row[name]))

        return [
            table(
                "baselines",
                self.baselines,
                [column(titles.get(one, one), cell(one), wraps=one != "set") for one in shown],
                notes=[]
                if self.baselines
                else ["none yet; `judgebench baseline set NAME --model MODEL`"],
            )
        ]


def baseline_list(store: Store, *, history: bool = False) -> BaselineList:
    """Which model each baseline is; with ``history`` also which it was."""
    baselines, name_of = store.baselines(), {model.id: model.name for model in store.models()}
    last = {(one.name, one.benchmark, one.version): one for one in baselines}
    return BaselineList(
        baselines=tuple(
            {
                "name": one.name,
                "benchmark": one.benchmark,
                "version": one.version,
                "model": name_of[one.model_id],
                "model_id": one.model_id,
                "run": one.run_id,
                "set": datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%d %H:%M:%S"),
                "counts": counts,
            }
            for one in baselines
            for counts in (last[one.name, one.benchmark, one.version] is one,)
            if counts or history
        ),
        history=history,
    )
