"""The nights of a model: what stood behind its name when, and what a gate says of each.

A night is a version of a model for as long as runs evaluate it: the same name with other weights,
prompting or decoding begins another one. No decision of a gate is kept in a store, so each is made
here from the verdicts, of this one board by itself: with the allowed drop of a policy that tests
it, else as `judgebench gate` without a policy makes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.paired import METRIC_OF
from judgebench.reports.cost import Cost
from judgebench.reports.drift import JudgeDrift
from judgebench.reports.gate import chosen_test, decide_tests
from judgebench.reports.gate_outcome import Decided
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.reports.gate_test import Question
from judgebench.reports.model_pairs import PairData
from judgebench.reports.slide import Fixed, SlideReport, each_once, slide_report
from judgebench.reports.versions import Night, nights_of, ran_at
from judgebench.store import Store

THE_ONE_BEFORE = ""
"""What a night is held against unless a baseline is named."""

THE_FIRST = ""
"""What all nights are held against together unless a baseline is named."""

MOST = 60
"""Nights that are decided at once, the newest ones."""

ALPHA = 0.05
"""Of `judgebench gate` without a policy."""


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
    taken: Cost = field(default_factory=Cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nights:
    """The nights of one name on one board, the first one first.

    against
        The name of the baseline, or `THE_ONE_BEFORE`.
    policy, margin_source
        What each was tested by; None where nothing could be. And who said its allowed drop:
        ``policy``, ``chosen here``, or how a gate chose it.
    drift
        What the judge's anchors say; None where it has none here.
    slide
        What all nights since a fixed baseline say together; None where no judge of this board has
        judged both that and the last night.
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
    slide: SlideReport | None
    margin_source: str = ""


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
    fixed: str = THE_FIRST,
    share: float | None = None,
    policy: Policy | Mapping[str, Any] | None = None,
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
    fixed
        The first night of the name, or the name of a baseline, as it stands now: what all nights
        after it are held against together.
    share
        The allowed drop, as a share of the metric's scale; where none is given that of the policy,
        and without one the drop that a gate of the newest of these nights chooses.
    policy
        Whose test of this board is made, at the alpha of the policy; a ``share`` goes before it.
        A dict is what `Policy.model_dump` gives.
    alpha
        How often an unchanged model may be called worse, on each night; and how often over all
        nights together a slide may be called.
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
    gate = _Gate(data, judge, policy_of(policy), share, alpha, seed)
    gate.choose(
        (night.model_id, baseline)
        for place in reversed(range(len(its) - len(told), len(its)))
        for night, baseline in ((its[place], held.against(place)[0]),)
        if baseline is not None
    )
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
        slide=gate.slide(its, held.fixed(fixed)),
        margin_source="" if gate.policy is None else gate.margin_source,
    )


def policy_of(written: Policy | Mapping[str, Any] | None) -> Policy | None:
    """A policy, which may be written as JSON."""
    if written is None or isinstance(written, Policy):
        return written
    return Policy.model_validate(written)


def board_test(
    policy: Policy, benchmark: str, version: str, judge: str, metric: str
) -> GateTest | None:
    """The first test of a policy that is of a whole board; None where it has none.

    Parameters
    ----------
    judge
        As the board shows it; a test that names none is of any.
    metric
        By which the board is ranked.
    """
    for test in policy.tests:
        if (
            test.benchmark in (benchmark, f"{benchmark}@{version}")
            and test.judge in (None, judge)
            and test.metric in (None, metric)
            and not test.head_to_head
        ):
            return test
    return None


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
        self._set = store.baselines(benchmark, version)
        self._ran = {run.id: ran_at(run) for run in store.runs()}

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

    def fixed(self, name: str) -> Fixed | None:
        """The first night, or a baseline as it stands now; None for one that was never set."""
        if name == THE_FIRST:
            return Fixed("the first night", self._its[0].model_id, self._its[0].first)
        then = [one for one in self._set if one.name == name]
        return (
            Fixed(name, then[-1].model_id, self._ran.get(then[-1].run_id or "", then[-1].at))
            if then
            else None
        )

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
        drifted_later = found is not None and self.now < found.alarm_since < math.inf
        return None if drifted_later else found


class _Gate:
    """Two models of a board at a time, by the usual policy."""

    def __init__(
        self,
        data: _Then,
        judge: str,
        stated: Policy | None,
        share: float | None,
        alpha: float,
        seed: int,
    ) -> None:
        self._data, self._judge, self._share = data, judge, share
        self._stated, self._alpha, self._seed = stated, alpha, seed
        self._slide_alpha = alpha if stated is None else stated.alpha
        self.policy: Policy | None = None
        self.margin_source = ""

    def choose(self, pairs: Iterable[tuple[str, str]]) -> None:
        """By what all nights are tested: of candidates and baselines, by id, the first that can be.

        Where none can, `decided` says why of each.
        """
        models = self._data.board.models
        for candidate, baseline in pairs:
            if baseline in models:
                try:
                    self.policy = self._usual((models[candidate], models[baseline]))
                except UsageError:
                    continue
                return

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

    def slide(self, its: Sequence[Night], fixed: Fixed | None) -> SlideReport | None:
        """What all nights since a fixed baseline say together."""
        models = self._data.board.models
        if fixed is None or fixed.model_id not in models:
            return None
        two = models[its[-1].model_id], models[fixed.model_id]
        boards = [kind for kind, judge in self._data.judges_of(two) if judge == self._judge]
        if not boards:
            return None
        test = GateTest(benchmark=str(self._data.which), judge=self._judge, max_drop=1.0)
        return slide_report(
            self._data,
            boards[0],
            self._judge,
            (fixed.name, two[1]),
            each_once(its, its[-1].model_id, fixed),
            test,
            threshold=1.0 / self._slide_alpha,
        )

    def _usual(self, two: tuple[str, str]) -> Policy:
        boards = [kind for kind, judge in self._data.judges_of(two) if judge == self._judge]
        if not boards:
            raise UsageError(f"{self._judge} has not judged both {' and '.join(two)}")
        which, kind = self._data.which, boards[0]
        about = which.name, which.version, self._judge, METRIC_OF[kind.kind]
        stated = None if self._stated is None else board_test(self._stated, *about)
        if self._share is not None:
            self.margin_source = "chosen here"
            test = self._of_share(kind, two, self._share)
        elif self._stated is not None and stated is not None:
            self.margin_source = stated.margin_source
            test = stated.model_copy(update={"benchmark": str(which), "judge": self._judge})
            return Policy(tests=[test], alpha=self._stated.level)
        else:
            chosen = chosen_test(self._data, kind, self._judge, two, alpha=self._alpha)
            self.margin_source = chosen.margin_source
            test = GateTest(**chosen.model_dump(exclude={"source"}))  # as JSON brings it back
        return Policy(tests=[test], alpha=self._alpha)

    def _of_share(self, kind: BoardKind, two: tuple[str, str], share: float) -> GateTest:
        width = self._data.pair(kind, self._judge, two, None).width
        if not math.isfinite(width):
            raise UsageError("a scale without ends has no share of which a drop could be allowed")
        unit = 100.0 if kind.kind == "preference" else 1.0
        return GateTest(
            benchmark=str(self._data.which), judge=self._judge, max_drop=share * width * unit
        )


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

    def on(self, night: Night) -> Cost:
        return Cost.of(
            row
            for row in self._rows
            if row["run_id"] in night.runs and row["model_id"] == night.model_id
        )
