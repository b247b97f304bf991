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
from typing import Any, Literal

import numpy as np

from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Floats
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.paired import BASELINE, CANDIDATE, UNBOUNDED, PairedModels
from judgebench.metrics.paired_confidences import CONFIDENCE_METRICS
from judgebench.metrics.registry import metric
from judgebench.plain_text import counted
from judgebench.reports.drift import day
from judgebench.reports.estimates import finite
from judgebench.reports.gate_board import board_meant
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.reports.model_pairs import OF_RUN, PairData
from judgebench.reports.run_ref import run_called
from judgebench.reports.versions import Night, nights_of, ran_at
from judgebench.stats.slide import FEWEST, MOST_NIGHTS, Shape, Slide, slide

Outcome = Literal["slide", "none", "not tested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideNight:
    """A night that took part: its difference to the fixed baseline, and the evidence up to it."""

    model_id: str
    at: float
    difference: float
    e_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideReport:
    """What all nights since a fixed baseline say together; figures are in the metric's units.

    baseline, baseline_id, baseline_value
        What was named, the short id of the model that it stands for, and its figure; nan where
        nothing was tested.
    because
        Why nothing was tested, or why a slide is not called although the evidence is there.
    e_value, threshold
        The evidence up to the last night, and how much of it calls a slide.
    p_value
        Always valid: 1 over the most evidence that there ever was.
    since, called
        When the slide most likely began, and when the evidence first was enough, in seconds;
        None where there is none.
    shape, slope
        Whether a step or a slope is more likely; the change a night since then, nan for a step.
    level_before, level_now
        The metric before it began, and on the last night, by least squares; nan where there is no
        evidence at all.
    nights
        Those that took part, in time; without tonight where that is why nothing was tested.
    left_out
        How many nights did not, by reason.
    """

    metric: str
    baseline: str
    baseline_id: str
    outcome: Outcome
    because: str | None = None
    baseline_value: float = math.nan
    e_value: float = 1.0
    threshold: float = math.nan
    p_value: float = math.nan
    since: float | None = None
    called: float | None = None
    shape: Shape | None = None
    slope: float = math.nan
    level_before: float = math.nan
    level_now: float = math.nan
    nights: tuple[SlideNight, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """A model of a night, by id, and when it was first evaluated, in seconds."""

    model_id: str
    at: float


def slide_report(
    data: PairData,
    kind: BoardKind,
    judge: str,
    fixed: tuple[str, str],
    nights: Sequence[Dated],
    test: GateTest,
    *,
    threshold: float,
) -> SlideReport:
    """Test all nights on one board together.

    Parameters
    ----------
    fixed
        The baseline's name, and the model that it is, as boards show it.
    nights
        After it, in time; the last one is tonight. The baseline's own model takes no part.
    test
        What is tested: its group, its floor, its fewest items, what it asks of judges and stacks.
    threshold
        How much evidence calls a slide: the number of tests over alpha.
    """
    named, model = fixed
    made = _Table(data, kind, judge, model, test)
    refused: Counter[str] = Counter()
    for night in nights:
        if night.model_id != data.board.model_ids[model] and (reason := made.add(night)):
            refused[reason] += 1
    base = SlideReport(
        metric=made.base.metric,
        baseline=named,
        baseline_id=data.board.model_ids[model],
        outcome="not tested",
        threshold=threshold,
        left_out=tuple(refused.most_common()),
    )
    if (because := _why_not(made, nights, data.board.model_ids[model])) is not None:
        return replace(base, because=because)
    found = slide(made.values("observed"), made.weight, width=made.base.width)
    if made.last_reason:
        because = f"tonight cannot be compared with it: {made.last_reason}"
        return _told(base, found, made, because=because, outcome="not tested")
    because = made.turned(threshold) if found.called(threshold) else None
    if because is None and found.e_value >= threshold and not found.called(threshold):
        because = "the nights fell, and are not below the fixed baseline"
    called = found.called(threshold) and because is None
    return _told(base, found, made, because=because, outcome="slide" if called else "none")


def _why_not(made: _Table, nights: Sequence[Dated], fixed: str) -> str | None:
    """Why there is no test; None where there is one."""
    if made.base.why_not is not None:
        return made.base.why_not
    if made.base.coverage[BASELINE] < made.floor:
        return "too few of the fixed baseline's verdicts could be read"
    if not nights or nights[-1].model_id == fixed:
        return "the candidate is the fixed baseline" if nights else "no night since then"
    if len(made.nights) > MOST_NIGHTS:
        return (
            f"{len(made.nights)} nights since then, and {MOST_NIGHTS} are followed: set the fixed "
            "baseline anew"
        )
    if not made.nights:
        return f"no night can be compared with it; tonight: {made.last_reason}"
    return None


def _told(
    base: SlideReport, found: Slide, made: _Table, *, because: str | None, outcome: Outcome
) -> SlideReport:
    shown, value = made.base.shown, made.baseline_value
    first = found.first_reached(base.threshold)
    return replace(
        base,
        outcome=outcome,
        because=because,
        baseline_value=value * shown,
        e_value=found.e_value,
        p_value=found.p_value,
        since=None if found.since is None else made.nights[found.since].at,
        called=None if first is None else made.nights[first].at,
        shape=found.shape,
        slope=found.slope * shown,
        level_before=(value + found.level_before) * shown,
        level_now=(value + found.level_now) * shown,
        nights=tuple(
            SlideNight(model_id=one.model_id, at=one.at, difference=d * shown, e_value=e)
            for one, d, e in zip(made.nights, found.differences, found.e_values, strict=True)
        ),
    )


class _Table:
    """The fixed baseline and the nights that can be compared with it, item by item.

    base
        The baseline beside itself.
    weight : float array, shape (questions,)
        What each counts, categories as on the board.
    floor
        The share of a model's verdicts that has to be readable.
    """

    def __init__(
        self, data: PairData, kind: BoardKind, judge: str, model: str, test: GateTest
    ) -> None:
        self._data, self._kind, self._judge, self._model, self._test = (
            data, kind, judge, model, test,
        )  # fmt: skip
        self._group = (test.metric or "").partition("/")[2] or None
        stated = test.coverage_floor
        self.floor = data.which.coverage_floor if stated is None else stated
        self.base = data.pair(kind, judge, (model, model), self._group)
        self._place = {item: at for at, item in enumerate(self.base.items)}
        self._counts = _counts(self.base)
        self.weight: Floats = np.bincount(self.base.unit_of, self._counts).astype(np.float64)
        self.nights: list[Dated] = []
        self._pairs: list[PairedModels] = []
        self.last_reason = ""

    @property
    def baseline_value(self) -> float:
        values, known = self.base.mean[:, BASELINE], ~np.isnan(self.base.mean[:, BASELINE])
        total = self._counts[known].sum()
        return float((self._counts[known] * values[known]).sum() / total) if total else math.nan

    def add(self, night: Dated) -> str:
        """Take a night in; or say why it cannot be compared with the baseline."""
        pair, self.last_reason = self._compared(night)
        if pair is not None:
            self.nights.append(night)
            self._pairs.append(pair)
        return self.last_reason

    def _compared(self, night: Dated) -> tuple[PairedModels | None, str]:
        data = self._data
        if night.model_id not in data.board.models:
            return None, "it has no verdicts here"
        two = data.board.models[night.model_id], self._model
        if (changed := self._judge_changed(two, night)) is not None:
            return None, changed
        stacks = data.other_stack(two, self._test.stack_tolerance)
        if stacks is not None and not stacks.alike:
            return None, "answers from another stack"
        pair = data.pair(self._kind, self._judge, two, self._group)
        if pair.why_not is not None:
            return None, pair.why_not
        common = int((~np.isnan(pair.mean)).all(axis=1).sum())
        if common < (fewest := max(FEWEST, self._test.min_n)):
            return None, f"fewer than {fewest} items in common with the fixed baseline"
        if pair.coverage[CANDIDATE] < self.floor:
            return None, "too few of its verdicts could be read"
        return pair, ""

    def _judge_changed(self, two: tuple[str, str], night: Dated) -> str | None:
        allowed = set(self._test.served_models)
        served = self._data.served(self._judge, two[0])
        if self._data.judge_changed(self._judge, two) is not None or (allowed and served - allowed):
            return "another model served the judge"
        drift = self._data.drift(self._judge)
        drifted = drift is not None and night.at >= drift.alarm_since
        return "the judge had drifted" if drifted else None

    def values(self, view: Literal["observed", "best"]) -> Floats:
        """The baseline, then nights, by question; the best with what is missing best for nights.

        Shape (1 + nights, questions); nan where there is nothing.
        """
        own = self.base.mean if view == "observed" else self.base.worst
        rows = [(self.base, own, BASELINE)]
        for pair in self._pairs:
            ends = pair.mean if view == "observed" or pair.best is None else pair.best
            rows.append((pair, ends, CANDIDATE))
        found = np.full((len(rows), len(self.weight)), np.nan)
        for at, (pair, values, side) in enumerate(rows):
            assert values is not None
            of_item = np.full(len(self._place), np.nan)
            for item, value in zip(pair.items, values[:, side].tolist(), strict=True):
                if (place := self._place.get(item)) is not None:
                    of_item[place] = value
            found[at] = self._by_question(of_item)
        return found

    def _by_question(self, of_item: Floats) -> Floats:
        """The mean over items that are one and the same question."""
        there = ~np.isnan(of_item)
        n = np.bincount(self.base.unit_of, there, len(self.weight))
        total = np.bincount(self.base.unit_of, np.where(there, of_item, 0.0), len(self.weight))
        return np.asarray(np.where(n > 0, total / np.maximum(n, 1.0), np.nan))

    def turned(self, threshold: float) -> str | None:
        """That missing verdicts could explain a slide; None where they could not."""
        every = (self.base, *self._pairs)
        if not any(pair.missing.any() for pair in every):
            return None
        if any(pair.best is None and pair.missing.any() for pair in every):
            return UNBOUNDED
        if self.base.worst is None:
            return UNBOUNDED
        best = slide(self.values("best"), self.weight, width=self.base.width)
        if best.called(threshold):
            return None
        return "missing verdicts: at their best for the candidate there is no slide"


def _counts(pair: PairedModels) -> Floats:
    """What each item counts: alike, or so that categories keep their weight."""
    found = np.where(pair.stratum >= 0, pair.weight, 0.0)
    known = ~np.isnan(pair.mean[:, BASELINE])
    for one in np.unique(pair.stratum[pair.stratum > 0]):
        inside = pair.stratum == one
        found[inside] /= max(1, int((inside & known).sum()))
    return np.asarray(found)


# of a gate's policy, and of nights ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fixed:
    """A baseline that does not move: its name, its model's id, and when that was evaluated."""

    name: str
    model_id: str
    at: float


def each_once(its: Sequence[Night], last: str, fixed: Fixed) -> list[Dated]:
    """The versions evaluated since a fixed baseline up to one of them, each at its last night.

    A version that comes back says nothing new: its verdicts are the stored ones.
    """
    until = max((at for at, one in enumerate(its) if one.model_id == last), default=-1)
    found: dict[str, Dated] = {}
    for one in its[: until + 1]:
        if one.first > fixed.at or one.model_id == last:
            found.pop(one.model_id, None)
            found[one.model_id] = Dated(model_id=one.model_id, at=one.first)
    return list(found.values())


def policy_slide(
    data: PairData, policy: Policy, place: int, two: tuple[str, str], candidate: str
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
    test, board = policy.tests[place], data.board
    names = {model.id: (*model.names, model.name) for model in board.store.models()}
    own = names.get(board.model_ids[two[0]], ())
    fixed, shown = _fixed_baseline(data, policy.fixed_baseline, candidate, own)
    metric = (test.metric or "").partition("/")[0]
    if test.head_to_head or metric in (LENGTH_CONTROLLED, *CONFIDENCE_METRICS):
        return SlideReport(
            metric=test.metric or metric,
            baseline=fixed.name,
            baseline_id=fixed.model_id,
            outcome="not tested",
            because="only an accuracy, a score or a win rate has a value of each item every night",
        )
    kind, judge = board_meant(data, two, test, metric)
    judge_id = data.judge_id(judge)
    opponent = None if kind.opponent is None else board.model_ids[kind.opponent]
    every = (
        {}
        if judge_id is None
        else nights_of(board.store, data.which.name, data.which.version, judge_id, opponent)
    )
    its = next((every[one] for one in (candidate, *own) if one in every), ())
    if math.isinf(fixed.at):  # a model that nobody set: from its first night on
        begun = [
            one.first for each in every.values() for one in each if one.model_id == fixed.model_id
        ]
        fixed = replace(fixed, at=min(begun, default=-math.inf))
    return slide_report(
        data,
        kind,
        judge,
        (fixed.name, shown),
        each_once(its, board.model_ids[two[0]], fixed),
        test,
        threshold=policy.slide_threshold,
    )


def _fixed_baseline(
    data: PairData, name: str, candidate: str, own: Sequence[str]
) -> tuple[Fixed, str]:
    """A policy's fixed baseline, and how its model is shown; at infinity if it was never set."""
    store = data.board.store
    try:
        held = data.held(name)
        if held is None and name in own:
            raise UsageError(
                f"{data.which}: {name!r} is the candidate's own name, which moves every night, and "
                f"no baseline; `judgebench baseline set NAME --model {name}` gives one"
            )
        shown = data.two(candidate, name)[1]
    except UsageError as error:
        raise UsageError(f"the policy's fixed_baseline: {error}") from None
    model_id = data.board.model_ids[shown]
    if name.startswith(OF_RUN):
        run = run_called(store.runs(), name.removeprefix(OF_RUN).partition("/")[0], store.name)
        return Fixed(name, model_id, ran_at(run)), shown
    ran = {run.id: ran_at(run) for run in store.runs()}
    then = store.baselines(data.which.name, data.which.version, name)
    at = ran.get(then[-1].run_id or "", then[-1].at) if then else math.inf
    return Fixed(name, model_id, at), shown


# for people, and for scripts --------------------------------------------------------------------


def to_json(found: SlideReport) -> dict[str, Any]:
    """As a gate's JSON has it; what is undefined is null."""
    return {
        "outcome": found.outcome,
        "because": found.because,
        "baseline": found.baseline,
        "baseline_id": found.baseline_id,
        "baseline_value": finite(found.baseline_value),
        "e_value": finite(found.e_value),
        "threshold": finite(found.threshold),
        "p_value": finite(found.p_value),
        "since": None if found.since is None else day(found.since),
        "called": None if found.called is None else day(found.called),
        "shape": found.shape,
        "slope": finite(found.slope),
        "level_before": finite(found.level_before),
        "level_now": finite(found.level_now),
        "nights": len(found.nights),
        "left_out": [{"because": why, "nights": n} for why, n in found.left_out],
    }


def in_words(found: SlideReport) -> str:
    """What the sequential test says, in a sentence."""
    lost = "; ".join(f"{counted(n, 'night')} left out: {why}" for why, n in found.left_out)
    rest = f"; {lost}" if lost else ""
    evidence = (
        f"evidence {_evidence(found.e_value)} over {counted(len(found.nights), 'night')}, "
        f"{found.threshold:g} calls a slide"
    )
    if found.outcome == "not tested":
        so_far = f"; until then {evidence}" if found.nights else ""
        return f"no sequential test against {found.baseline}: {found.because}{so_far}{rest}"
    how = f".{metric(found.metric).digits}f"
    own = f"{found.baseline_value:{how}} (fixed baseline {found.baseline})"
    if found.outcome == "none":
        said = found.because or f"no slide against {own}"
        return f"{said}; {evidence}{rest}"
    assert found.since is not None
    fell = f"{found.metric.replace('_', ' ')} fell from {found.level_before:{how}} to "
    fell += f"{found.level_now:{how}} since {day(found.since)}"
    if found.shape == "slope":
        fell += f", {found.slope:+{how}} a night"
    return f"slide: {fell}, against {own}; {evidence}{rest}"


def _evidence(e_value: float) -> str:
    return f"{e_value:.2g}" if e_value < 1e4 else "over 10,000"
