"""The nights of a model: what stood behind its name when, and what a gate says of each.

A night is a version of a model for as long as runs evaluate it: the same name with other weights,
prompting or decoding begins another one. No decision of a gate is kept in a store, so each is made
here from the verdicts, of this one board by itself: with the allowed drop of a policy that tests
it, else as `judgebench gate` without a policy makes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.registry import metric
from judgebench.metrics.win_rate import WEIGHTED
from judgebench.plain_text import counted, day
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.board_data import REPLACED, Replacement, replacements
from judgebench.reports.cost import Cost, cost_rows
from judgebench.reports.document import (
    Chart,
    OfBenchmark,
    Report,
    Rows,
    Spread,
    Table,
    column,
    json_after,
    json_field,
    table,
)
from judgebench.reports.drift import JudgeDrift, drifts_of
from judgebench.reports.gate import decide_tests, question
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.reports.gate_result import GateResult
from judgebench.reports.gate_suggest import chosen_test
from judgebench.reports.model_pairs import PairData
from judgebench.reports.pair_tests import drop_words
from judgebench.reports.slide import SlideNight, SlideReport, each_once, slide_report
from judgebench.reports.versions import FixedBaseline, Night, fixed_baseline, nights_of
from judgebench.store.read import StoredBaseline
from judgebench.store.store import Store

THE_ONE_BEFORE = ""
"""What a night is held against unless a baseline is named."""

THE_FIRST = ""
"""What all nights are held against together unless a baseline is named."""

MOST = 60
"""Nights that are decided at once, the newest ones."""

ALPHA = 0.05
"""Of `judgebench gate` without a policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedNight(Night):
    """A night with what there is to know of it.

    decided
        What a gate says of it; None where there is nothing to hold it against, or nothing to say.
    against
        Whom it was held against, as the board shows it.
    because
        Why there is no decision, or why it is open.
    became
        The baselines that it was made, in time.
    served, stacks
        Who served the judge's replies about it, and what its answers were run on.
    changed
        What is another than the night before: ``judge``, ``stack``.
    slide
        Its difference to the fixed baseline and the evidence up to it; None where it has no part.
    spent
        What its answers and its verdicts by this judge took, in its runs.
    """

    decided: GateResult | None = json_field(hidden=True, default=None)
    against: str | None = None
    because: str | None = None
    became: tuple[str, ...] = ()
    served: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    slide: SlideNight | None = None
    spent: Cost = json_field(hidden=True, default_factory=Cost)

    @property
    def night(self) -> str:
        """Its day."""
        return day(self.first)

    @property
    @json_after("runs")
    def decision(self) -> str | None:
        return None if self.decided is None else self.decided.decision

    @property
    @json_after("decision")
    def difference(self) -> Estimate | None:
        return None if self.decided is None else self.decided.difference

    @property
    @json_after("difference")
    def p_value(self) -> float | None:
        return None if self.decided is None else self.decided.p_value

    @property
    @json_after("slide")
    def cost(self) -> dict[str, Any]:
        return self.spent.record()


class Change(NamedTuple):
    """What is another from then on, in seconds, beside the model.

    ``judge`` (who serves it), ``stack``, or ``replaced``: another judge took its place.
    """

    at: float
    what: str
    words: str

    @property
    def line(self) -> str:
        said = {
            "judge": "another model serves the judge",
            "stack": "answers from another stack",
            REPLACED: "the judge was replaced",
        }
        return f"{day(self.at)}: {said[self.what]}: {self.words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nights(OfBenchmark, Report):
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

    ROWS: ClassVar = (
        Rows(
            of="nights",
            shared=("benchmark", "version", "judge", "opponent", "name", "metric"),
            row=(
                *("night", "model", "model_id", "first", "last", "runs", "decision"),
                Spread("difference", ("value", "low", "high", "n", "missing")),
                *("p_value", "against", "because", "became", "served", "changed"),
                ("from_fixed", "slide.difference"),
                ("e_value", "slide.e_value"),
                ("cost_usd", "cost.cost_usd"),
                ("unpriced_calls", "cost.unpriced_calls"),
            ),
        ),
    )
    CHART: ClassVar = Chart(along="night, model")

    judge: str
    opponent: str | None
    name: str
    against: str
    policy: Policy | None = json_field(hidden=True)
    margin_source: str = ""
    nights: tuple[DecidedNight, ...]
    drift: JudgeDrift | None
    slide: SlideReport | None
    replaced: tuple[Replacement, ...] = json_field(omit_empty=True, default=())

    @property
    @json_after("against")
    def metric(self) -> str:
        """What the gate tests on this board; empty where it tested nothing."""
        tested = (one.decided.metric for one in self.nights if one.decided is not None)
        return next(tested, "")

    @property
    @json_after("metric")
    def max_drop(self) -> float | None:
        """The allowed drop, in the metric's units."""
        return None if self.policy is None else self.policy.tests[0].max_drop

    @property
    @json_after("max_drop")
    def alpha(self) -> float | None:
        return None if self.policy is None else self.policy.level

    @property
    def is_first(self) -> bool:
        """Whether this is a first night, which nothing is held against yet."""
        return len(self.nights) == 1 and self.nights[0].against is None

    @property
    def changes(self) -> list[Change]:
        """What is another than the night before, beside the model; and the judge replaced."""
        breaks = [Change(one.at, REPLACED, one.words) for one in self.replaced]
        return breaks + [
            Change(
                night.first,
                what,
                f"{', '.join(before.served)} → {', '.join(night.served)}"
                if what == "judge"
                else _other_stack(before.stacks, night.stacks),
            )
            for before, night in pairwise(self.nights)
            for what in night.changed
        ]

    @property
    def decided_by(self) -> str:
        """By what the nights were decided, in words."""
        if self.is_first:
            return "With the next night there is something to compare this one with."
        if self.policy is None or self.max_drop is None:
            return "Nothing could be decided here; the table says why."
        tested = metric(self.metric)
        allowed = f"{self.max_drop * tested.drawn_times:g}{' points' if tested.in_points else ''}"
        against = f"baseline {self.against}, as it then stood" if self.against else "the one before"
        policy, usual = "as the policy says", self.margin_source.removeprefix("default, ")
        return (
            f"Decided here from the verdicts, each night against {against}: one test of "
            f"{self.metric.replace('_', ' ')} at alpha {100 * self.policy.level:g} %, an allowed "
            f"drop of {allowed} ({policy if self.margin_source == 'policy' else usual}). A gate by "
            "another policy, or with further tests, may have said otherwise."
        )

    @property
    def slide_line(self) -> str | None:
        """What the sequential test of all nights says; None where nothing was tested."""
        if self.slide is None or self.is_first:
            return None
        return f"{'⚠ ' if self.slide.outcome == 'slide' else ''}{self.slide.in_words}"

    @property
    def beside(self) -> list[str]:
        """What the judge's anchors say, and what changed beside the model."""
        said = [] if self.drift is None else [_of_anchors(self.drift)]
        return [*said, *(f"⚠ {one.line}" for one in self.changes)]

    def tables(self) -> list[Table]:
        """A row for each night, the first one first."""
        digits = metric(self.metric).digits

        def difference(night: DecidedNight) -> str:
            found = night.difference
            return "" if found is None else estimates.text(found, digits=digits, signed=True)

        against = (
            f"the baseline {self.against}, as it then was" if self.against else "the one before"
        )
        notes = [] if self.slide is None else [self.slide.in_words]
        if self.drift is not None and self.drift.alarm is not None:
            notes.append(self.drift.alarm)
        notes += [one.line for one in self.replaced]
        if self.policy is not None and self.max_drop is not None:
            notes.append(
                f"allowed drop {drop_words(self.max_drop, self.metric)} ({self.margin_source}), at "
                f"alpha {100 * self.policy.level:g} % on each night; a gate by another policy, or "
                "with further tests, may have said otherwise"
            )
        opponent = "" if self.opponent is None else f" against {self.opponent}"
        return [
            table(
                f"{self.name}: {self.place}, {self.judge}{opponent}",
                self.nights,
                [
                    column("night", lambda night: night.night),
                    column("model", lambda night: night.model, wraps=True),
                    column("runs", lambda night: str(len(night.runs)), align="right", spare=True),
                    column("against", lambda night: night.against or "", wraps=True),
                    column("difference", difference, align="right"),
                    column(
                        "p",
                        lambda night: (
                            "" if night.p_value is None else estimates.p_text(night.p_value)
                        ),
                        align="right",
                    ),
                    column("decision", lambda night: night.decision or estimates.UNDEFINED),
                    column(
                        "e-value",
                        lambda night: "" if night.slide is None else f"{night.slide.e_value:.2g}",
                        align="right",
                        spare=True,
                        optional=True,
                    ),
                    column(
                        "became", lambda night: ", ".join(night.became), spare=True, optional=True
                    ),
                    column(
                        "changed", lambda night: ", ".join(night.changed), spare=True, optional=True
                    ),
                    column("because", lambda night: night.because or "", wraps=True, optional=True),
                ],
                subtitle=f"each night beside {against}: candidate less baseline"
                + (f", {metric(self.metric).title}" if self.metric else ""),
                notes=notes,
            )
        ]


def _of_anchors(drift: JudgeDrift) -> str:
    if drift.alarm is not None:
        return f"⚠ {drift.alarm}"
    if not drift.looks:
        return f"{drift.answers} anchors are pinned for this judge, and were not looked at since."
    return (
        f"{drift.answers} anchors of this judge, looked at {len(drift.looks)} times: no drift "
        f"(always-valid p {drift.p_value:.2g})."
    )


def _other_stack(before: Sequence[str], now: Sequence[str]) -> str:
    """What of the stack is another; of several stacks at once how many there are."""
    if len(before) != 1 or len(now) != 1:
        return f"{counted(len(before), 'stack')} → {counted(len(now), 'stack')}"
    old, new = (
        {**(its := json.loads(one)), **(its.get("versions") or {})} for (one,) in (before, now)
    )
    return ", ".join(
        f"{name} {old.get(name, estimates.UNDEFINED)} → {new.get(name, estimates.UNDEFINED)}"
        for name in sorted({*old, *new} - {"versions"})
        if old.get(name) != new.get(name)
    )


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
    baselines = store.baselines(benchmark, version)
    data = PairData(
        store,
        f"{benchmark}@{version}",
        {one.model_id for one in its} | {one.model_id for one in baselines},
    )
    judge, models = data.board.judges[judge_id], data.board.models
    stated = Policy.model_validate(policy) if isinstance(policy, Mapping) else policy
    gate = _Gate(data, judge, stated, share, alpha)
    first = max(0, len(its) - most)
    beside = [
        (night, *_beside(its, place, baselines, against))
        for place, night in enumerate(its)
        if place >= first
    ]
    gate.choose((night.model_id, other) for night, other, _ in reversed(beside) if other)
    start = (
        FixedBaseline("the first night", its[0].model_id, its[0].first)
        if fixed == THE_FIRST
        else fixed_baseline(store, benchmark, version, fixed)
    )
    slide = gate.slide(its, start)
    of_slide = {one.model_id: one for one in (slide.evidence if slide is not None else ())}
    spent = [
        row
        for row in cost_rows(store.spend())
        if (row["benchmark"], row["version"]) == (benchmark, version)
        and row["judge_id"] in (None, judge_id)
    ]
    found: list[DecidedNight] = []
    for place, (night, other, because) in enumerate(beside, start=first):
        served = data.board.served([judge_id], night.model_id)
        stacks = tuple(sorted(data.stacks(models[night.model_id])))
        decided = None
        if other is not None:
            decided, because = gate.decided(night, other)
        before = found[-1] if found else None
        found.append(
            DecidedNight(
                model=models[night.model_id],
                model_id=night.model_id,
                first=night.first,
                last=night.last,
                runs=night.runs,
                decided=decided,
                against=None if other is None else models.get(other, other),
                because=because if decided is None else decided.because,
                became=_became(its, place, baselines),
                served=served,
                stacks=stacks,
                changed=() if before is None else _changed(before, served, stacks),
                slide=of_slide.get(night.model_id),
                spent=Cost.of(
                    row
                    for row in spent
                    if row["run_id"] in night.runs and row["model_id"] == night.model_id
                ),
            )
        )
    return Nights(
        benchmark=benchmark,
        version=version,
        judge=judge,
        opponent=None if opponent_id is None else models[opponent_id],
        name=name,
        against=against,
        policy=gate.policy,
        nights=tuple(found),
        drift=gate.drift_of(judge),
        slide=slide,
        replaced=tuple(
            one for one in replacements(store.runs(), benchmark, version) if one.concerns(judge_id)
        ),
        margin_source="" if gate.policy is None else gate.margin_source,
    )


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


def _beside(
    its: Sequence[Night], place: int, baselines: Sequence[StoredBaseline], against: str
) -> tuple[str | None, str | None]:
    """The id of whom a night is held against; or None, and why there is nobody."""
    if against == THE_ONE_BEFORE:
        if place == 0:
            return None, "the first night: there is none before it"
        return its[place - 1].model_id, None
    then = [one.model_id for one in baselines if one.name == against and one.at <= its[place].first]
    return (then[-1], None) if then else (None, f"{against} was not set yet")


def _became(
    its: Sequence[Night], place: int, baselines: Sequence[StoredBaseline]
) -> tuple[str, ...]:
    """Which baselines a night was made, until the next one."""
    night = its[place]
    until = its[place + 1].first if place + 1 < len(its) else math.inf
    names = (
        one.name
        for one in baselines
        if one.model_id == night.model_id and night.first <= one.at < until
    )
    return tuple(dict.fromkeys(names))


def _changed(before: DecidedNight, served: Sequence[str], stacks: Sequence[str]) -> tuple[str, ...]:
    """What is known of both nights and is not the same."""
    both = {"judge": (before.served, served), "stack": (before.stacks, stacks)}
    return tuple(
        what for what, (old, new) in both.items() if old and new and tuple(old) != tuple(new)
    )


class _Gate:
    """Two models of a board at a time, by the usual policy."""

    def __init__(
        self,
        data: PairData,
        judge: str,
        stated: Policy | None,
        share: float | None,
        alpha: float,
    ) -> None:
        self._data, self._judge, self._share = data, judge, share
        self._stated, self._alpha = stated, alpha
        self.drift_of, self._now = drifts_of(data), math.inf
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

    def decided(self, night: Night, baseline: str) -> tuple[GateResult | None, str | None]:
        """What a gate says; or None, and why it says nothing."""
        models = self._data.board.models
        self._now = night.last
        try:
            if baseline not in models:
                raise UsageError(f"{baseline} has no answers and no verdicts on this benchmark")
            two = models[night.model_id], models[baseline]
            policy = self.policy or self._usual(two)
            asked = question(self._data, two, self._as_of, policy.tests[0], policy)
            self.policy = policy
            return decide_tests([asked], policy)[0], None
        except UsageError as error:
            return None, str(error)
        finally:
            self._now = math.inf

    def _as_of(self, judge: str) -> JudgeDrift | None:
        """As it was on a night: a judge that drifted later had not drifted yet."""
        found = self.drift_of(judge)
        drifted_later = found is not None and self._now < found.alarm_since < math.inf
        return None if drifted_later else found

    def slide(self, its: Sequence[Night], fixed: FixedBaseline | None) -> SlideReport | None:
        """What all nights since a fixed baseline say together."""
        models = self._data.board.models
        if fixed is None or fixed.model_id not in models:
            return None
        kind = self._board((models[its[-1].model_id], models[fixed.model_id]))
        if kind is None or self._data.has_figures(kind):
            return None
        test = GateTest(benchmark=str(self._data.which), judge=self._judge, max_drop=1.0)
        if self.policy is not None:
            (test,) = self.policy.tests
        since = each_once(its, its[-1].model_id, fixed)
        alpha = self._alpha if self._stated is None else self._stated.alpha
        return slide_report(
            self._data,
            kind,
            self._judge,
            fixed,
            since,
            test,
            drift=self.drift_of(self._judge),
            threshold=1.0 / alpha,
        )

    def _board(self, two: tuple[str, str]) -> BoardKind | None:
        its = (kind for kind, judge in self._data.judges_of(two) if judge == self._judge)
        return next(its, None)

    def _usual(self, two: tuple[str, str]) -> Policy:
        kind, which = self._board(two), self._data.which
        if kind is None:
            raise UsageError(f"{self._judge} has not judged both {' and '.join(two)}")
        stated = None
        if self._stated is not None and self._share is None:
            named = which.name, which.version, self._judge
            ranks = [kind.metric.name, *([WEIGHTED] if which.weighted is not None else [])]
            for metric in self._data.board.figures if self._data.has_figures(kind) else ranks:
                stated = stated or board_test(self._stated, *named, metric)
        about = {"benchmark": str(which), "judge": self._judge}
        if self._stated is not None and stated is not None:
            self.margin_source = stated.margin_source
            return Policy(tests=[stated.model_copy(update=about)], alpha=self._stated.level)
        if self._share is None:
            chosen = chosen_test(self._data, kind, self._judge, two, alpha=self._alpha)
            self.margin_source = chosen.margin_source
            test = GateTest(**chosen.model_dump(exclude={"source"}))  # as JSON brings it back
            return Policy(tests=[test], alpha=self._alpha)
        self.margin_source = "chosen here"
        width = self._data.pair(kind, self._judge, two, None).width
        if not math.isfinite(width):
            raise UsageError("a scale without ends has no share of which a drop could be allowed")
        drop = self._share * width * kind.metric.times
        return Policy(tests=[GateTest(**about, max_drop=drop)], alpha=self._alpha)
