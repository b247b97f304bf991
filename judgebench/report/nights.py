"""The nights of a model: what stood behind its name when, and what a gate says of each.

A night is a version of a model for as long as runs evaluate it: the same name with other weights,
prompting or decoding begins another one. No decision of a gate is kept in a store, so each is made
here from the verdicts, as `judgebench gate` without a policy makes it, of this one board by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from judgebench.errors import UsageError
from judgebench.records import RunManifest
from judgebench.report.drift import JudgeDrift
from judgebench.report.gate import decide_tests
from judgebench.report.gate_outcome import Decided
from judgebench.report.gate_policy import GateTest, Policy
from judgebench.report.gate_question import Question
from judgebench.report.model_pairs import PairData
from judgebench.report.spend import Taken
from judgebench.store import Store
from judgebench.store.evaluated import evaluated

THE_ONE_BEFORE = ""
"""What a night is held against unless a baseline is named."""

MOST = 60
"""Nights that are decided at once, the newest ones."""

ALPHA, SHARE = 0.05, 0.02
"""Of `judgebench gate` without a policy."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Night):
    """A night with what there is to know of it.

    decided
        What a gate says of it; None where there is nothing to hold it against, or nothing to say.
    against
        Whom it was held against, as the board shows it.
    because
        Why there is no decision.
    became
        The baselines that it was made, in time.
    served, stacks
        Who served the judge's replies about it, and what its answers were run on.
    changed
        What is another than the night before: ``judge``, ``stack``.
    taken
        What its answers and its verdicts by this judge took, in its runs.
    """

    decided: Decided | None = None
    against: str | None = None
    because: str | None = None
    became: tuple[str, ...] = ()
    served: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    taken: Taken = field(default_factory=Taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nights:
    """The nights of one name on one board, the first one first.

    against
        The name of the baseline, or `THE_ONE_BEFORE`.
    policy
        What each was tested by; None where nothing could be.
    drift
        What the judge's anchors say; None where it has none here.
    """

    benchmark: str
    version: str
    judge: str
    opponent: str | None
    name: str
    against: str
    policy: Policy | None
    nights: tuple[Told, ...]
    drift: JudgeDrift | None


# which nights there are -------------------------------------------------------------------------


def nights_of(
    store: Store, benchmark: str, version: str, judge_id: str, opponent_id: str | None = None
) -> dict[str, tuple[Night, ...]]:
    """The nights of every name on a board; the name with the most nights first.

    No verdict is read for it. A version goes by every name that it has or had.
    """
    runs = {run.id: run for run in store.runs()}
    models = {model.id: model for model in store.models()}
    seen: dict[str, list[tuple[float, str, str]]] = {}
    for one in evaluated(store, benchmark, version, judge_id, opponent_id):
        when = ran_at(runs[one.run_id])
        for name in models[one.model_id].names:
            seen.setdefault(name, []).append((when, one.run_id, one.model_id))
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


# what there is to know of them ------------------------------------------------------------------


def nights(
    store: Store,
    benchmark: str,
    version: str,
    judge_id: str,
    name: str,
    *,
    opponent_id: str | None = None,
    against: str = THE_ONE_BEFORE,
    share: float = SHARE,
    alpha: float = ALPHA,
    most: int = MOST,
    seed: int = 0,
) -> Nights:
    """The nights of a name on one board, decided.

    Parameters
    ----------
    against
        The one before, or the name of a baseline: each night is held against the model that was
        called so when it was evaluated first.
    share
        The drop that is borne, as a share of the metric's scale.
    alpha
        How often an unchanged model may be called worse, on each night.
    most
        How many nights are told, the newest ones.

    Raises
    ------
    UsageError
        Where the board, or the name on it, is not there.
    """
    every = nights_of(store, benchmark, version, judge_id, opponent_id)
    if name not in every:
        raise UsageError(f"{benchmark}@{version}: this judge has judged no model called {name!r}")
    its = every[name]
    told = its[-most:]
    held = _Held(store, benchmark, version, its, against)
    data = _Then(store, f"{benchmark}@{version}", held.everybody())
    judge = data.board.judges[judge_id]
    gate = _Gate(data, judge, share, alpha, seed)
    spent = _Spent(store, benchmark, version, judge_id)
    found: list[Told] = []
    for place, night in enumerate(told, start=len(its) - len(told)):
        served = data.board.served_about([judge_id], night.model_id)
        model = data.board.models[night.model_id]
        stacks = tuple(sorted(data.stacks(model)))
        before = found[-1] if found else None
        baseline, because = held.against(place)
        decided = None
        if baseline is not None:
            decided, because = gate.decided(night, baseline)
        found.append(
            Told(
                model=model,
                model_id=night.model_id,
                first=night.first,
                last=night.last,
                runs=night.runs,
                decided=decided,
                against=None if baseline is None else data.board.models.get(baseline, baseline),
                because=because,
                became=held.became(place),
                served=served,
                stacks=stacks,
                changed=() if before is None else _changed(before, served, stacks),
                taken=spent.on(night),
            )
        )
    return Nights(
        benchmark=benchmark,
        version=version,
        judge=judge,
        opponent=None if opponent_id is None else data.board.models[opponent_id],
        name=name,
        against=against,
        policy=gate.policy,
        nights=tuple(found),
        drift=data.drift(judge),
    )


def _changed(before: Told, served: Sequence[str], stacks: Sequence[str]) -> tuple[str, ...]:
    """What is known of both nights and is not the same."""
    both = {"judge": (before.served, served), "stack": (before.stacks, stacks)}
    return tuple(
        what for what, (old, new) in both.items() if old and new and tuple(old) != tuple(new)
    )


class _Held:
    """Whom each night is held against, and which baselines it became."""

    def __init__(
        self, store: Store, benchmark: str, version: str, its: Sequence[Night], against: str
    ) -> None:
        self._its, self._against = its, against
        self._set = [
            one for one in store.baselines() if (one.benchmark, one.version) == (benchmark, version)
        ]

    def everybody(self) -> set[str]:
        """The ids of all models that are held against each other."""
        return {one.model_id for one in self._its} | {one.model_id for one in self._set}

    def against(self, place: int) -> tuple[str | None, str | None]:
        """The id of the model; or None, and why there is none."""
        if self._against == THE_ONE_BEFORE:
            if place == 0:
                return None, "the first night: there is none before it"
            return self._its[place - 1].model_id, None
        then = [
            one.model_id
            for one in self._set
            if one.name == self._against and one.at <= self._its[place].first
        ]
        return (then[-1], None) if then else (None, f"{self._against} was not set yet")

    def became(self, place: int) -> tuple[str, ...]:
        night = self._its[place]
        until = self._its[place + 1].first if place + 1 < len(self._its) else math.inf
        return tuple(
            dict.fromkeys(
                one.name
                for one in self._set
                if one.model_id == night.model_id and night.first <= one.at < until
            )
        )


class _Then(PairData):
    """As it was on a night: a judge that drifted later had not drifted yet."""

    now = math.inf

    def drift(self, judge: str) -> JudgeDrift | None:
        found = super().drift(judge)
        if found is None or found.alarm is None:
            return found
        since = found.looks[-1] if found.since is None else found.since
        return found if since.at <= self.now else None


class _Gate:
    """Two models of a board at a time, by the usual policy."""

    def __init__(self, data: _Then, judge: str, share: float, alpha: float, seed: int) -> None:
        self._data, self._judge, self._share = data, judge, share
        self._alpha, self._seed = alpha, seed
        self.policy: Policy | None = None

    def decided(self, night: Night, baseline: str) -> tuple[Decided | None, str | None]:
        """What a gate says; or None, and why it says nothing."""
        self._data.now = night.last
        try:
            return self._decide(night.model_id, baseline), None
        except UsageError as error:
            return None, str(error)
        finally:
            self._data.now = math.inf

    def _decide(self, candidate: str, baseline: str) -> Decided:
        models = self._data.board.models
        if baseline not in models:
            raise UsageError(f"{baseline} has no answers and no verdicts on this benchmark")
        two = models[candidate], models[baseline]
        policy = self.policy or self._usual(two)
        asked = Question(self._data, policy.tests[0], two, policy, self._seed)
        self.policy = policy
        return decide_tests([asked], policy)[0]

    def _usual(self, two: tuple[str, str]) -> Policy:
        boards = [kind for kind, judge in self._data.judges_of(two) if judge == self._judge]
        if not boards:
            raise UsageError(f"{self._judge} has not judged both {' and '.join(two)}")
        width = self._data.pair(boards[0], self._judge, two, None).width
        if not math.isfinite(width):
            raise UsageError("a scale without ends has no share that could be borne")
        unit = 100.0 if boards[0].kind == "preference" else 1.0
        test = GateTest(
            benchmark=str(self._data.which),
            judge=self._judge,
            max_drop=self._share * width * unit,
        )
        return Policy(tests=[test], alpha=self._alpha)


class _Spent:
    """What a model's answers, and its verdicts by one judge, took in some runs."""

    def __init__(self, store: Store, benchmark: str, version: str, judge_id: str) -> None:
        columns = store.spend()
        self._rows: list[Mapping[str, Any]] = [
            row
            for values in zip(*columns.values(), strict=True)
            if (row := dict(zip(columns, values, strict=True)))["benchmark"] == benchmark
            and row["version"] == version
            and row["judge_id"] in (None, judge_id)
        ]

    def on(self, night: Night) -> Taken:
        found = Taken()
        for row in self._rows:
            if row["run_id"] in night.runs and row["model_id"] == night.model_id:
                found.add(row)
        return found
