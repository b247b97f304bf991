"""The regression gate: has a candidate dropped, beyond what chance and missing verdicts explain?

Each test is decided three times, as observed and with what is missing at its worst and at its best
for the candidate. A policy's p-values are adjusted together. What keeps a question open is said: a
judge that changed, a stack that changed, too few items, too little that could be read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.paired_confidences import CONFIDENCE_METRICS
from judgebench.metrics.paired_models import VIEWS, Compared, PairedModels, View, compare
from judgebench.metrics.win_rate import WIN_RATE
from judgebench.records import Estimate
from judgebench.report.agreement import agreement_report
from judgebench.report.drift import JudgeDrift, day
from judgebench.report.gate_confirm import Confirmation, heard_afresh
from judgebench.report.gate_missing import in_each_view, too_little_read, turned_by_missing
from judgebench.report.gate_policy import GateTest, Policy
from judgebench.report.model_pairs import (
    METRIC_OF,
    METRICS,
    Flip,
    PairData,
    coverage,
    difference,
    drop_found,
    flips,
)
from judgebench.report.pair_confidences import PairConfidences
from judgebench.report.pair_length_control import calibrated, pair_at_equal_length
from judgebench.stats.gate_rule import Deciding, Decision, units_to_decide
from judgebench.stats.paired_tests import PairedTest, benjamini_hochberg, holm
from judgebench.store import Store

A_DAY = 86_400.0
"""Seconds; a judge is asked about its anchors once a day."""

_ADJUST = {"holm": holm, "bh": benjamini_hochberg}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One test and what came of it; figures are in the metric's units.

    candidate, baseline, candidate_id, baseline_id
        The models as they are shown, and their short ids.
    confidence, higher_is_better
        Of what confidence the metric is, None elsewhere; where lower is better, ``max_drop`` and
        ``detectable_drop`` are rises.
    difference
        Candidate minus baseline, its bounds one-sided at 1 - alpha each; ``worst_low`` and
        ``worst_high`` with what is missing at its ends.
    p_value, p_adjusted
        Of a candidate that is no worse; nan where nothing could be tested.
    because
        Why it is inconclusive; None where it is decided.
    detectable_drop
        What these items find with a power of 80 %; nan where that is not known.
    to_decide
        How many items would decide, if the difference stays as it is.
    confirmation
        What came of asking the judge afresh, for a policy that wants that before a regression is
        called; None where it was not in question.
    flips
        The items on which the two differ, those that cost the candidate most first.
    """

    benchmark: str
    version: str
    metric: str
    judge: str
    judge_id: str | None
    candidate: str
    baseline: str
    candidate_id: str
    baseline_id: str
    max_drop: float
    decision: Decision
    because: str | None
    values: tuple[float, float]
    difference: Estimate
    p_value: float
    p_adjusted: float
    detectable_drop: float
    to_decide: Deciding | None
    coverage: tuple[float, float]
    confirmation: Confirmation | None = None
    flips: tuple[Flip, ...] = ()
    confidence: str | None = None
    higher_is_better: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """What changed beside the model, whatever became of the tests."""

    kind: Literal["judge_drift", "served_model"]
    benchmark: str
    judge: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """The tests of a policy, the verdict over all of them, and what else changed."""

    verdict: Decision
    candidate: str
    baseline: str
    alpha: float
    correction: str
    tests: tuple[Decided, ...]
    alarms: tuple[Alarm, ...] = ()
    notes: tuple[str, ...] = ()


def gate_report(
    store: Store, *, candidate: str, baseline: str, policy: Policy, seed: int = 0
) -> GateReport:
    """Carry out a policy.

    Raises
    ------
    UsageError
        For a benchmark, a model, a judge or a metric that the store does not have.
    """
    asked = [_Question(store, test, candidate, baseline, policy, seed) for test in policy.tests]
    adjust = _ADJUST[policy.correction]
    adjusted = {view: adjust([one.test(view).p_worse for one in asked]) for view in VIEWS}
    tests = tuple(
        one.tested({view: adjusted[view][place] for view in VIEWS})
        for place, one in enumerate(asked)
    )
    return GateReport(
        verdict=overall([one.decision for one in tests]),
        candidate=candidate,
        baseline=baseline,
        alpha=policy.level,
        correction=policy.correction,
        tests=tests,
        alarms=tuple(dict.fromkeys(alarm for one in asked for alarm in one.alarms())),
        notes=tuple(dict.fromkeys(note for one in asked for note in one.notes(baseline))),
    )


def overall(decisions: Sequence[Decision]) -> Decision:
    """A pass needs all tests to pass; one regression is one."""
    for verdict in ("regression", "inconclusive"):
        if verdict in decisions:
            return verdict
    return "pass"


def usual_policy(
    store: Store,
    candidate: str,
    baseline: str,
    *,
    share: float,
    alpha: float,
    head_to_head: bool = False,
) -> Policy:
    """A test for each benchmark and judge that both models have, bearing a share of the scale.

    With ``head_to_head`` for each judge that has compared the one with the other.

    Raises
    ------
    UsageError
        Where they have none in common.
    """
    tests = []
    for name, version in store.benchmarks():
        data = PairData(store, f"{name}@{version}")
        try:
            two = data.two(candidate, baseline)
        except UsageError:
            continue
        for kind, judge in data.heads_of(two) if head_to_head else data.judges_of(two):
            width = 1.0 if head_to_head else data.pair(kind, judge, two, None).width
            unit = 100.0 if kind.kind == "preference" else 1.0
            if math.isfinite(width):
                tests.append(
                    GateTest(
                        benchmark=f"{name}@{version}",
                        judge=judge,
                        max_drop=share * width * unit,
                        head_to_head=head_to_head,
                    )
                )
    if not tests:
        raise UsageError(
            f"{store.url} has no benchmark on which one judge has judged both {candidate!r} and "
            f"{baseline!r}; `judgebench leaderboard BENCHMARK` shows whom it has, and `judgebench "
            "baseline list` which baselines have a name"
        )
    return Policy(tests=tests, alpha=alpha)


class _Question:
    """One test of a policy, computed; decided when the others are known."""

    def __init__(
        self,
        store: Store,
        test: GateTest,
        candidate: str,
        baseline: str,
        policy: Policy,
        seed: int,
    ) -> None:
        self._store, self._test, self._alpha = store, test, policy.level
        self._confirm, self._seed = policy.confirm, seed
        self.data = PairData(store, test.benchmark)
        self.two = self.data.two(candidate, baseline)
        metric, _, group = (test.metric or "").partition("/")
        self._fresh: Callable[[], PairedModels] | None = None
        self.judge, self.pair, self.compared = self._computed(metric, group or None, seed)
        self.stacks = self.data.other_stack(self.two, test.stack_tolerance)
        if self.two[0] == self.two[1]:  # what is missing of one is missing of the other, and is it
            self.compared = replace(self.compared, worst=None, best=None, bounded=True)

    def _computed(
        self, metric: str, group: str | None, seed: int
    ) -> tuple[str, PairedModels, Compared]:
        if metric in CONFIDENCE_METRICS:
            asked = PairConfidences(self.data, self.two)
            judge, confidence = asked.judge(self._test.judge), self._test.confidence
            meant = asked.confidence(confidence)
            return judge, *asked.pair(
                metric, judge, meant, group=group, alpha=self._alpha, seed=seed
            )
        kind, judge = self._board(metric)
        if metric == LENGTH_CONTROLLED:
            return judge, *pair_at_equal_length(
                self.data, kind, judge, self.two, alpha=self._alpha, seed=seed
            )
        pair = self.data.pair(kind, judge, self.two, group)
        self._fresh = partial(self.data.pair, kind, judge, self.two, group, afresh=True)
        return judge, pair, compare(pair, alpha=self._alpha, seed=seed)

    def _board(self, metric: str) -> tuple[BoardKind, str]:
        direct = self._test.head_to_head
        boards = self.data.heads_of(self.two) if direct else self.data.judges_of(self.two)
        if metric and metric not in METRICS:
            unknown = unknown_name("metric of a gate", metric, METRICS)
            raise UsageError(f"{self.data.which}: {unknown}")
        controlled = metric == LENGTH_CONTROLLED
        metric = WIN_RATE if controlled else metric
        fitting = [
            (kind, judge)
            for kind, judge in boards
            if (not metric or METRIC_OF[kind.kind] == metric)
            and (self._test.judge is None or judge == self._test.judge)
        ]
        fitting = (calibrated(self.data, fitting) if controlled else []) or fitting
        if len(fitting) == 1:
            return fitting[0]
        if not fitting and not direct and (newer := self._judged_otherwise(metric)) is not None:
            return newer
        said = ", ".join(f"{judge} ({METRIC_OF[kind.kind]})" for kind, judge in boards) or "nobody"
        if not fitting:
            if direct:
                raise UsageError(
                    f"{self.data.which}: {self._test.judge or 'no judge'} has not compared "
                    f"{self.two[0]} with {self.two[1]}; a run with baseline: {self.two[1]} and "
                    f"orders: both does; these have: {said}"
                )
            raise UsageError(
                f"{self.data.which}: {self._test.judge or 'no judge'} has not judged both "
                f"{' and '.join(self.two)}{f' by {metric}' if metric else ''}; these have: {said}"
            )
        raise UsageError(
            f"{self.data.which}: several boards have both {' and '.join(self.two)}; say which "
            f"judge and metric are meant: {said}"
        )

    def _judged_otherwise(self, metric: str) -> tuple[BoardKind, str] | None:
        """The candidate's board by the named judge, where the baseline was judged by an older one.

        A judge that was changed under its name is another judge: the test stays open.
        """
        names = {judge.id: judge.names for judge in self._store.judges()}
        of_name = {
            shown
            for one, shown in self.data.board.judges.items()
            if self._test.judge in names.get(one, ())
        }
        for kind, verdicts in self.data.board.verdicts.items():
            seen = set(zip(verdicts["judge"], verdicts["model"], strict=True))
            both = [[j for j in sorted(of_name) if (j, model) in seen] for model in self.two]
            if all(both) and (not metric or METRIC_OF[kind.kind] == metric):
                return kind, both[0][0]
        return None

    def notes(self, baseline: str) -> list[str]:
        """What a reader has to know of the baseline, and of stacks that were shown to be alike."""
        said = self.data.notes(self.two, baseline)
        if self.stacks is not None and self.stacks.alike:
            said.append(f"{self.data.which}: {self.stacks.said}")
        return said

    def test(self, view: View) -> PairedTest:
        """As observed, or with what is missing at one of its ends."""
        return self.compared.view(view)

    def tested(self, adjusted: Mapping[View, float]) -> Decided:
        pair, compared, unit = self.pair, self.compared, self.pair.unit
        margin = self._test.max_drop / unit
        decisions = in_each_view(compared, adjusted, margin=margin, alpha=self._alpha)
        decision = decisions["observed"]
        because = self._why_open(decisions)
        confirmation: Confirmation | None = None
        if because is None and decision == "regression" and self._confirm:
            confirmation, because = heard_afresh(
                self.data.spec_of(self.judge),
                self._fresh,
                pair,
                floor=self._floor,
                alpha=self._alpha,
                seed=self._seed,
            )
        if because is not None:
            decision = "inconclusive"
        observed = compared.observed
        to_decide = None
        if decision == "inconclusive":
            to_decide = units_to_decide(
                observed.difference,
                observed.spread,
                margin=margin,
                alpha=self._alpha,
                binary=observed.binary,
            )
            because = because or self._what_would_decide(to_decide)
        drop = drop_found(compared, alpha=self._alpha)
        return Decided(
            benchmark=self.data.which.name,
            version=self.data.which.version,
            metric=pair.metric,
            judge=self.judge,
            judge_id=self.data.judge_id(self.judge),
            candidate=self.two[0],
            baseline=self.two[1],
            candidate_id=self.data.board.model_ids[self.two[0]],
            baseline_id=self.data.board.model_ids[self.two[1]],
            max_drop=self._test.max_drop,
            decision=decision,
            because=because,
            values=(compared.candidate * pair.shown, compared.baseline * pair.shown),
            difference=difference(pair, compared, level=1.0 - 2.0 * self._alpha),
            p_value=observed.p_worse,
            p_adjusted=adjusted["observed"],
            detectable_drop=drop * unit,
            to_decide=to_decide,
            coverage=coverage(pair),
            confirmation=confirmation,
            flips=flips(pair),
            confidence=pair.confidence,
            higher_is_better=pair.higher_is_better,
        )

    def _why_open(self, decisions: Mapping[View, Decision]) -> str | None:
        """What keeps the question open whatever the numbers say; None for nothing."""
        observed = self.compared.observed
        if self.pair.why_not is not None:
            known = self.judge in {judge for _, judge in self.data.judges_of(self.two)}
            known = known or self._test.head_to_head or self.pair.confidence is not None
            return self.pair.why_not if known else f"judge changed: {self.pair.why_not}"
        if (changed := self._judge_changed()) is not None:
            return changed
        if self.stacks is not None and not self.stacks.alike:
            return self.stacks.said
        if (unread := too_little_read(self.two, coverage(self.pair), self._floor)) is not None:
            return unread
        if observed.units < self._test.min_n:
            return (
                f"{observed.units} items have a verdict on both, and {self._test.min_n} are asked"
            )
        if (kappa := self._kappa_too_low()) is not None:
            return kappa
        return turned_by_missing(decisions, self.compared)

    @property
    def _floor(self) -> float:
        """The share of verdicts that has to be there."""
        stated = self._test.coverage_floor
        return self.data.which.coverage_floor if stated is None else stated

    def alarms(self) -> Iterator[Alarm]:
        """What its judge's anchors and replies say, for whoever runs the judge."""
        about = {"benchmark": str(self.data.which), "judge": self.judge}
        if (served := self.data.judge_changed(self.judge, self.two)) is not None:
            yield Alarm(kind="served_model", text=served, **about)
        if (drift := self.data.drift(self.judge)) is None:
            return
        if drift.served_alarm is not None:
            yield Alarm(kind="served_model", text=drift.served_alarm, **about)
        if drift.drift_alarm is not None:
            yield Alarm(kind="judge_drift", text=drift.drift_alarm, **about)

    def _judge_changed(self) -> str | None:
        served = [self.data.served(self.judge, model) for model in self.two]
        allowed = set(self._test.served_models)
        strangers = sorted((served[0] | served[1]) - allowed) if allowed else []
        if strangers:
            return f"judge changed: {', '.join(strangers)} served replies, and may not"
        if (changed := self.data.judge_changed(self.judge, self.two)) is not None:
            return changed
        drift = self.data.drift(self.judge)
        if drift is not None and drift.alarm is not None:
            return f"judge changed: {drift.alarm}"
        return self._anchors_not_asked(drift) if self._test.fresh_anchors else None

    def _anchors_not_asked(self, drift: JudgeDrift | None) -> str | None:
        """That nobody knows whether the judge changed, where the policy wants it to be known."""
        if drift is None:
            return f"{self.judge} has no anchors here, and the policy asks for them"
        last = drift.looks[-1].at if drift.looks else drift.anchors.at
        judged = max(self.data.judged_at(self.judge, model) for model in self.two)
        if last >= judged - A_DAY:
            return None
        return (
            f"{self.judge} was asked about its anchors on {day(last)} and has judged on "
            f"{day(judged)}: `judgebench run SUITE --refresh-anchors` asks again"
        )

    def _kappa_too_low(self) -> str | None:
        least = self._test.min_kappa
        if least is None:
            return None
        try:
            report = agreement_report(
                self._store,
                str(self.data.which),
                reference=self._test.reference,
                judges=[self.judge],
            )
        except UsageError as error:
            return f"the judge's kappa is not known: {error}"
        found = [row.metrics["cohen_kappa"] for row in report.rows if row.scope == "pooled"]
        if not found or math.isnan(found[0].value):
            return "the judge's kappa is not known"
        if found[0].value < least:
            return f"the judge's kappa is {found[0].value:.3f}, and {least:g} is asked"
        return None

    def _what_would_decide(self, deciding: Deciding) -> str:
        observed = self.compared.observed
        if math.isnan(observed.difference):
            return "no item has a readable verdict on both"
        if math.isnan(deciding.fewest):
            return "too few items to know how far they differ"
        if math.isinf(deciding.fewest):
            return "no number of items decides a difference of the margin itself"
        more = max(1, math.ceil(deciding.fewest) - observed.units)
        return f"{more:,} more items would decide, if the difference stays as it is"


__all__ = ["Alarm", "Flip", "GateReport", "Decided", "gate_report", "overall", "usual_policy"]
