"""Which versions of a model a store has: its nights, its checkpoints, its nights as a baseline.

A *night* is a version of a model for as long as runs evaluate it: the same name with other weights,
prompting or decoding begins another one. A *checkpoint* is a model whose name is tagged with a
step:

    models:
      - name: apo-1200
        responses: answers/1200.jsonl
        tags: {training_run: apo-november, step: 1200, algorithm: apo, data: mix-3}

Without ``training_run`` those belong together whose other tags are equal.

A night of a *baseline* is a version on the same benchmark that is the same model by what it is:
equal weights, prompting and decoding but for the seed, or but for the time of the log that it was
imported from. Of recorded answers nothing but the name is known; they are believed to be one model
asked again, unless the candidate goes by that name too: then versions are its checkpoints. It
counts where the same judge has judged it, served by the same model, and where its answers come from
the same stack. Several answers to an item (samples) need nothing of this: they are one model's, and
their verdicts are averaged everywhere.

Baselines have names: a model's verdicts are called ``main`` or ``last-green`` from now on. What a
model is differs by benchmark, since how it is prompted is part of it. So a name stands for
one model on each benchmark: the newest that goes by the model's name there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from judgebench.columns import grouped
from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.probes import without_probes
from judgebench.records import ModelSpec, RunManifest
from judgebench.reports.board_data import BoardData, newest_first, newest_model
from judgebench.reports.boards import benchmark_ref
from judgebench.reports.document import OfBenchmark, Report, Rows, Table, column, json_field, table
from judgebench.reports.gate_policy import GateFile
from judgebench.store.catalog import StoredModel, distinct_names
from judgebench.store.read import StoredBaseline, Tagged
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.reports.model_pairs import PairData


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
    seen = grouped(
        (name, (ran_at(runs[run_id]), run_id, model_id))
        for model_id, run_id in store.evaluated(benchmark, version, [judge_id], opponent_id)
        for name in models[model_id].names
    )
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


class FixedBaseline(NamedTuple):
    """A baseline that does not move: its name, its model's id, and when that was evaluated."""

    name: str
    model_id: str
    at: float


def fixed_baseline(store: Store, benchmark: str, version: str, name: str) -> FixedBaseline | None:
    """The baseline of a name as it stands now; None for one that was never set."""
    its = store.baselines(benchmark, version, name)
    ran = {run.id: ran_at(run) for run in store.runs()}
    return (
        FixedBaseline(name, its[-1].model_id, ran.get(its[-1].run_id or "", its[-1].at))
        if its
        else None
    )


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


class TrainingBoard(NamedTuple):
    """A judge who has judged checkpoints, and whom it compares them with, by ids.

    ``name`` is what the board is called.
    """

    name: str
    judge: str
    opponent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRun(OfBenchmark):
    """A training run with checkpoints that were judged on a benchmark.

    ``boards`` are those that have any, the one with most first.
    """

    run: str
    checkpoints: tuple[Checkpoint, ...]
    boards: tuple[TrainingBoard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRuns:
    """All of a store; ``faults``: benchmark, version, and what is wrong with a step's tag."""

    runs: tuple[JudgedRun, ...]
    faults: tuple[tuple[str, str, str], ...]


def judged_runs(store: Store) -> JudgedRuns:
    """Who judged which training runs on what; no verdict is read for it."""
    met = store.boards_met()
    judges = distinct_names({one.judge.id: one.judge.name for one in met})
    runs, faults = [], []
    for at in dict.fromkeys((one.benchmark, one.version) for one in met):
        here = [one for one in met if (one.benchmark, one.version) == at]
        found = training_runs(store, {one.model.id for one in here})
        faults += [(*at, fault) for fault in found.faults]
        for run, checkpoints in found.runs.items():
            ids = {one.model_id for one in checkpoints}
            boards = Counter(
                (judges[one.judge.id], one.judge.id, None)
                if one.opponent is None
                else (
                    f"{judges[one.judge.id]} · against {one.opponent.name}",
                    one.judge.id,
                    one.opponent.id,
                )
                for one in here
                if one.model.id in ids
            )
            most_first = sorted(boards.items(), key=lambda one: (-one[1], one[0][0]))
            runs.append(
                JudgedRun(
                    benchmark=at[0],
                    version=at[1],
                    run=run,
                    checkpoints=checkpoints,
                    boards=tuple(TrainingBoard(*board) for board, _ in most_first),
                )
            )
    return JudgedRuns(runs=tuple(runs), faults=tuple(faults))


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


_ANSWERS, _NAME, _RUN = "answers:", "name:", " run:"
"""What the weights of recorded answers and of imported ones begin with, and what tells nights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherNights:
    """Versions that are the baseline asked again, the newest first, as they are shown.

    notes
        What was left out, and why.
    """

    models: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def other_nights(
    data: PairData, kind: BoardKind, judge: str, two: tuple[str, str], *, most: int | None = None
) -> OtherNights:
    """The nights of a baseline beside the one that is its own.

    Parameters
    ----------
    two
        Candidate and baseline as the boards show them.
    most
        How many, the newest ones; all if None.
    """
    models = {model.id: model for model in data.board.store.models()}
    by_name = {shown: models[one] for shown, one in data.board.model_ids.items() if one in models}
    candidate, baseline = by_name.get(two[0]), by_name.get(two[1])
    if baseline is None or most == 0 or kind.opponent == two[1]:
        return OtherNights()
    again = [
        shown
        for shown in newest_first(data.board)
        if shown not in two and shown in by_name and _same_model(by_name[shown], baseline)
    ]
    if (
        again
        and candidate is not None
        and baseline.spec.weights.startswith((_ANSWERS, _NAME))
        and _same_model(candidate, baseline)
    ):
        return OtherNights(
            notes=(
                f"{data.which}: {len(again)} other version{'s' * (len(again) > 1)} of "
                f"{baseline.name} are not averaged: the candidate goes by that name too, so they "
                "are checkpoints of it",
            )
        )
    found, notes = [], []
    judged = data.models_of(kind, judge)
    for shown in again:
        why = None
        if shown not in judged:
            why = f"{judge} has not judged it"
        elif data.served(judge, shown) != data.served(judge, two[1]):
            why = "another model served the judge"
        elif data.stacks(shown) != data.stacks(two[1]):
            why = "its answers come from another stack"
        if why is None:
            found.append(shown)
        elif most is None or len(found) < most:
            notes.append(f"{data.which}: {shown} is not averaged with the baseline: {why}")
    return OtherNights(models=tuple(found[:most]), notes=tuple(notes))


def _same_model(one: StoredModel, other: StoredModel) -> bool:
    if one.spec.weights.startswith(_ANSWERS) and other.spec.weights.startswith(_ANSWERS):
        return bool(set(one.names) & set(other.names))
    return _without_night(one.spec) == _without_night(other.spec)


def _without_night(spec: ModelSpec) -> ModelSpec:
    decoding = {name: value for name, value in spec.decoding.items() if name != "seed"}
    if isinstance(further := decoding.get("further"), Mapping):
        decoding["further"] = {n: value for n, value in further.items() if n != "seed"}
    return replace(spec, weights=spec.weights.partition(_RUN)[0], decoding=decoding)


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
