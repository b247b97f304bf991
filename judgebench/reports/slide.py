"""Whether a model has slid over its nights, seen from a baseline that does not move.

Beside the gate of one night stands a sequential test of all nights since the fixed baseline
(`judgebench.stats.slide`). A night that cannot be compared with that baseline, for the reasons for
which a gate would not decide it, is left out and counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.paired import (
    BASELINE,
    CANDIDATE,
    UNBOUNDED,
    PairedModels,
    View,
    compare,
    normalised,
    readable_on_both,
    seen,
)
from judgebench.metrics.registry import metric
from judgebench.plain_text import counted, day
from judgebench.reports.document import json_after, json_field
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.reports.model_pairs import OF_RUN, PairData
from judgebench.reports.runs import run_ref
from judgebench.reports.versions import FixedBaseline, Night, fixed_baseline, nights_of, ran_at
from judgebench.stats.resample import quotient
from judgebench.stats.slide import ALPHA, FEWEST, MOST_NIGHTS, Shape, Slide, slide

if TYPE_CHECKING:
    from judgebench.reports.drift import JudgeDrift

Outcome = Literal["slide", "none", "not tested"]

NO_VALUES = "only an accuracy, a score or a win rate has a value of each item every night"
"""Why no slide is looked for."""


class SlideNight(NamedTuple):
    """A night that took part: its difference to the fixed baseline, and the evidence up to it."""

    model_id: str
    at: float
    difference: float
    e_value: float


class Omission(NamedTuple):
    """Why nights took no part, and how many."""

    because: str
    nights: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideReport:
    """What all nights since a fixed baseline say together; figures are in the metric's units.

    because
        Why nothing was tested, or why a slide is not called although the evidence is there.
    baseline, baseline_id, baseline_value
        What was named, the short id of the model that it stands for, and its figure; nan where
        nothing was tested.
    e_value, threshold
        The evidence up to the last night, and how much of it calls a slide.
    p_value
        Always valid: 1 over the most evidence that there ever was.
    shape, slope
        Whether a step or a slope is more likely; the change a night since then, nan for a step.
    level_before, level_now
        The metric before it began, and on the last night, by least squares; nan where there is no
        evidence at all.
    left_out
        How many nights did not take part, by reason.
    since_s, called_s
        When the slide most likely began, and when the evidence first was enough, in seconds;
        None where there is none.
    evidence
        The nights that took part, in time; without tonight where that is why nothing was tested.
    """

    outcome: Outcome
    because: str | None = None
    baseline: str
    baseline_id: str
    baseline_value: float = math.nan
    e_value: float = 1.0
    threshold: float = math.nan
    p_value: float = math.nan
    shape: Shape | None = None
    slope: float = math.nan
    level_before: float = math.nan
    level_now: float = math.nan
    left_out: tuple[Omission, ...] = ()
    metric: str = json_field(hidden=True)
    since_s: float | None = json_field(hidden=True, default=None)
    called_s: float | None = json_field(hidden=True, default=None)
    evidence: tuple[SlideNight, ...] = json_field(hidden=True, default=())

    @property
    @json_after("p_value")
    def since(self) -> str | None:
        """The day on which it most likely began."""
        return None if self.since_s is None else day(self.since_s)

    @property
    @json_after("since")
    def called(self) -> str | None:
        """The day on which the evidence first was enough."""
        return None if self.called_s is None else day(self.called_s)

    @property
    @json_after("level_now")
    def nights(self) -> int:
        """How many nights took part."""
        return len(self.evidence)

    @property
    def in_words(self) -> str:
        """What the sequential test says, in a sentence."""
        lost = "; ".join(f"{counted(n, 'night')} left out: {why}" for why, n in self.left_out)
        rest = f"; {lost}" if lost else ""
        e_value = f"{self.e_value:.2g}" if self.e_value < 1e4 else "over 10,000"
        evidence = (
            f"evidence {e_value} over {counted(self.nights, 'night')}, "
            f"{self.threshold:g} calls a slide"
        )
        if self.outcome == "not tested":
            so_far = f"; until then {evidence}" if self.nights else ""
            return f"no sequential test against {self.baseline}: {self.because}{so_far}{rest}"
        how = f".{metric(self.metric).digits}f"
        own = f"{self.baseline_value:{how}} (fixed baseline {self.baseline})"
        if self.outcome == "none":
            return f"{self.because or f'no slide against {own}'}; {evidence}{rest}"
        fell = f"{self.metric.replace('_', ' ')} fell from {self.level_before:{how}} to "
        fell += f"{self.level_now:{how}} since {self.since}"
        if self.shape == "slope":
            fell += f", {self.slope:+{how}} a night"
        return f"slide: {fell}, against {own}; {evidence}{rest}"


def slide_report(
    data: PairData,
    kind: BoardKind,
    judge: str,
    fixed: FixedBaseline,
    nights: Sequence[Night],
    test: GateTest,
    *,
    drift: JudgeDrift | None,
    threshold: float,
) -> SlideReport:
    """Test all nights on one board together.

    Parameters
    ----------
    fixed
        The baseline, which boards show.
    nights
        After it, in time; the last one is tonight. The baseline's own model takes no part.
    test
        What is tested: its group, its floor, its fewest items, what it asks of judges and stacks.
    drift
        What the judge's anchors say.
    threshold
        How much evidence calls a slide: the number of tests over alpha.
    """
    made = _Nights(data, kind, judge, data.board.models[fixed.model_id], test, drift)
    for night in nights:
        if night.model_id != fixed.model_id:
            made.add(night)
    base = SlideReport(
        metric=made.base.metric,
        baseline=fixed.name,
        baseline_id=fixed.model_id,
        outcome="not tested",
        because=made.why_not(nights, fixed),
        threshold=threshold,
        left_out=tuple(Omission(*one) for one in made.refused.most_common()),
    )
    if base.because is not None:
        return base
    found = made.found("observed")
    outcome: Outcome = "none"
    because = None
    if made.reason:
        outcome, because = "not tested", f"tonight cannot be compared with it: {made.reason}"
    elif found.called(threshold):
        because = made.turned(threshold)
        outcome = "slide" if because is None else "none"
    elif found.e_value >= threshold:
        because = "the nights fell, and are not below the fixed baseline"
    shown, value, first = made.base.shown, made.baseline_value, found.first_reached(threshold)
    return replace(
        base,
        outcome=outcome,
        because=because,
        baseline_value=value * shown,
        e_value=found.e_value,
        p_value=found.p_value,
        since_s=None if found.since is None else made.pairs[found.since][0].first,
        called_s=None if first is None else made.pairs[first][0].first,
        shape=found.shape,
        slope=found.slope * shown,
        level_before=(value + found.level_before) * shown,
        level_now=(value + found.level_now) * shown,
        evidence=tuple(
            SlideNight(night.model_id, night.first, difference * shown, e_value)
            for (night, _), difference, e_value in zip(
                made.pairs, found.differences, found.e_values, strict=True
            )
        ),
    )


class _Nights:
    """The fixed baseline and the nights that can be compared with it, item by item.

    base
        The baseline beside itself.
    pairs
        The nights that take part, each beside the baseline.
    refused, reason
        How many do not, by reason; why the last one does not, empty where it does.
    """

    def __init__(
        self,
        data: PairData,
        kind: BoardKind,
        judge: str,
        model: str,
        test: GateTest,
        drift: JudgeDrift | None,
    ) -> None:
        self._data, self._test, self._model, self._judge = data, test, model, judge
        self._drift = drift
        self._group = (test.metric or "").partition("/")[2] or None
        stated = test.coverage_floor
        self._floor = data.which.coverage_floor if stated is None else stated
        self._pair = partial(
            data.pair, kind, judge, group=self._group, figure=data.figure(kind, test.metric)
        )
        self.base = self._pair((model, model))
        self.pairs: list[tuple[Night, PairedModels]] = []
        self.refused: Counter[str] = Counter()
        self.reason = ""

    @property
    def baseline_value(self) -> float:
        return compare(self.base, alpha=ALPHA, ends=False).baseline

    def add(self, night: Night) -> None:
        """Take a night in, or count why it cannot be compared with the baseline."""
        reason = self._changed(night)
        if not reason:
            two = self._data.board.models[night.model_id], self._model
            pair = self._pair(two)
            common = len(np.unique(pair.unit_of[readable_on_both(pair)]))
            if pair.why_not is not None:
                reason = pair.why_not
            elif common < (fewest := max(FEWEST, self._test.min_n)):
                reason = f"fewer than {fewest} items in common with the fixed baseline"
            elif pair.coverage[CANDIDATE] < self._floor:
                reason = "too many of its verdicts are missing"
            else:
                self.pairs.append((night, pair))
        self.reason = reason
        if reason:
            self.refused[reason] += 1

    def _changed(self, night: Night) -> str:
        data, judge, test = self._data, self._judge, self._test
        if night.model_id not in data.board.models:
            return "it has no verdicts here"
        two = data.board.models[night.model_id], self._model
        allowed = set(test.served_models)
        strangers = allowed and data.served(judge, two[0]) - allowed
        if strangers or data.judge_changed(judge, two) is not None:
            return "another model served the judge"
        if self._drift is not None and night.first >= self._drift.alarm_since:
            return "the judge had drifted"
        stacks = data.other_stack(two, test.stack_tolerance)
        return "answers from another stack" if stacks is not None and not stacks.alike else ""

    def why_not(self, nights: Sequence[Night], fixed: FixedBaseline) -> str | None:
        """Why there is no test; None where there is one."""
        if self.base.why_not is not None:
            return self.base.why_not
        if self.base.coverage[BASELINE] < self._floor:
            return "too many of the fixed baseline's verdicts are missing"
        if not nights:
            return "no night since then"
        if nights[-1].model_id == fixed.model_id:
            return "the candidate is the fixed baseline"
        if len(self.pairs) > MOST_NIGHTS:
            return (
                f"{len(self.pairs)} nights since then, and {MOST_NIGHTS} are followed: set the "
                "fixed baseline anew"
            )
        return None if self.pairs else f"no night can be compared with it; tonight: {self.reason}"

    def found(self, view: View) -> Slide:
        """The test, as observed or with what is missing best for nights.

        Of each question and night the difference to the baseline, as where the two are compared,
        and what it counts there; nan where one of them has nothing.
        """
        n, place = (
            int(self.base.unit_of.max()) + 1,
            {item: at for at, item in enumerate(self.base.items)},
        )
        values = np.full((1 + len(self.pairs), n), np.nan)
        weight = np.zeros(values.shape)
        values[0] = 0.0
        for row, (_, pair) in enumerate(self.pairs, start=1):
            at = np.array([place.get(item, -1) for item in pair.items], dtype=np.int64)
            d, kept = seen(pair, view)
            kept = kept & (at >= 0)
            question, counts = self.base.unit_of[at[kept]], normalised(pair, kept)
            weight[row] = np.bincount(question, counts, n)
            values[row] = quotient(np.bincount(question, counts * d[kept], n), weight[row])
        return slide(values, weight, width=self.base.width)

    def turned(self, threshold: float) -> str | None:
        """That missing verdicts could explain a slide; None where they could not."""
        every = (self.base, *(pair for _, pair in self.pairs))
        lacking = [pair for pair in every if pair.missing.any()]
        if not lacking:
            return None
        if self.base.worst is None or any(pair.best is None for pair in lacking):
            return UNBOUNDED
        if self.found("best").called(threshold):
            return None
        return "missing verdicts: at their best for the candidate there is no slide"


# of a gate's policy -------------------------------------------------------------------------------


def each_once(its: Sequence[Night], last: str, fixed: FixedBaseline) -> list[Night]:
    """The versions evaluated since a fixed baseline up to one of them, each at its last night.

    A version that comes back says nothing new: its verdicts are the stored ones.
    """
    until = max((at for at, one in enumerate(its) if one.model_id == last), default=-1)
    found: dict[str, Night] = {}
    for one in its[: until + 1]:
        if one.first > fixed.at or one.model_id == last:
            found.pop(one.model_id, None)
            found[one.model_id] = one
    return list(found.values())


def policy_slide(
    data: PairData,
    policy: Policy,
    place: int,
    two: tuple[str, str],
    candidate: str,
    board: tuple[BoardKind | None, str],
    drift: JudgeDrift | None,
) -> SlideReport | None:
    """What all nights of a candidate's name say together of one test of a policy.

    Parameters
    ----------
    place
        Which of the policy's tests.
    two
        Candidate and moving baseline as the boards show them.
    candidate
        As the gate was asked: of the model's names this one, if it is one, has the nights.
    board
        That the test is about, None for what is not tested by the verdicts of one; and its judge.
    drift
        What the judge's anchors say.

    Returns
    -------
    SlideReport or None
        None where the policy names no fixed baseline.

    Raises
    ------
    UsageError
        For a fixed baseline that is not there.
    """
    if policy.fixed_baseline is None:
        return None
    test, read, which = policy.tests[place], data.board, data.which
    kind, judge = board
    tonight = read.model_ids[two[0]]
    names = {model.id: (*model.names, model.name) for model in read.store.models()}
    own = names.get(tonight, ())
    fixed = _fixed(data, policy.fixed_baseline, candidate, own)
    base = (test.metric or "").partition("/")[0]
    if kind is None or test.head_to_head or base in which.report.rates:
        return SlideReport(
            metric=test.metric or base,
            baseline=fixed.name,
            baseline_id=fixed.model_id,
            outcome="not tested",
            because=NO_VALUES,
        )
    judge_id = data.judge_id(judge)
    opponent = None if kind.opponent is None else read.model_ids[kind.opponent]
    every: dict[str, tuple[Night, ...]] = {}
    if judge_id is not None:
        every = nights_of(read.store, which.name, which.version, judge_id, opponent)
    its = next((every[one] for one in (candidate, *own) if one in every), ())
    if math.isinf(fixed.at):  # a model that nobody set: from its first night on
        begun = [
            one.first for each in every.values() for one in each if one.model_id == fixed.model_id
        ]
        fixed = fixed._replace(at=min(begun, default=-math.inf))
    nights = each_once(its, tonight, fixed)
    return slide_report(
        data, kind, judge, fixed, nights, test, drift=drift, threshold=policy.slide_threshold
    )


def _fixed(data: PairData, name: str, candidate: str, own: Sequence[str]) -> FixedBaseline:
    """A policy's fixed baseline; at infinity if it was never set."""
    store = data.board.store
    try:
        if data.baseline_id(name) is None and name in own:
            raise UsageError(
                f"{data.which}: {name!r} is the candidate's own name, which moves every night, and "
                f"no baseline; `judgebench baseline set NAME --model {name}` gives one"
            )
        shown = data.two(candidate, name)[1]
    except UsageError as error:
        raise UsageError(f"the policy's fixed_baseline: {error}") from None
    at = math.inf
    if name.startswith(OF_RUN):
        wanted = name.removeprefix(OF_RUN).partition("/")[0]
        at = ran_at(run_ref(store.runs(), wanted, store.name))
    elif (known := fixed_baseline(store, data.which.name, data.which.version, name)) is not None:
        at = known.at
    return FixedBaseline(name, data.board.model_ids[shown], at)
