"""The regression gate: has a candidate dropped, beyond what chance and missing verdicts explain?

Each test is decided three times, as observed and with what is missing at its worst and at its best
for the candidate: only what all three say is said. A policy's p-values are adjusted together. What
keeps a question open is said: a judge that changed, a stack that changed, too few items, too little
that could be read. Where the policy names a fixed baseline, all nights since then are tested
together beside it, and a slide is a regression too.

A regression that rests on the luck of one night's verdicts does not come again when the judge is
asked afresh about the same answers. Where a policy wants that, both times the test is at alpha, so
an unchanged model is called worse no more often than without.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.accuracy import ACCURACY
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.paired import (
    VIEWS,
    PairedModels,
    PairedTests,
    View,
    compare,
    detectable_difference,
    family,
    why_no_difference,
)
from judgebench.metrics.registry import CONFIDENCE_METRICS
from judgebench.metrics.win_rate import LENGTH_CONTROLLED, WEIGHTED, WIN_RATE
from judgebench.plain_text import counted, day
from judgebench.reports import estimates
from judgebench.reports.agreement import agreement_report
from judgebench.reports.board_data import IMPORTED, cut_short
from judgebench.reports.confidence_data import PairConfidences
from judgebench.reports.corrected import corrected_models
from judgebench.reports.drift import DriftOf, JudgeDrift, drifts_of
from judgebench.reports.gate_policy import GateTest, OtherStack, Policy
from judgebench.reports.gate_result import Alarm, Confirmation, GateReport, GateResult
from judgebench.reports.gate_unchanged import (
    Basis,
    basis_of,
    too_little_there,
    unchanged,
)
from judgebench.reports.length_calibrations import calibrated, pair_at_equal_length
from judgebench.reports.model_pairs import (
    BY_TURN,
    METRICS,
    PairData,
)
from judgebench.reports.pair_tests import PairQuestion, Unchanged
from judgebench.reports.slide import SlideReport, policy_slide
from judgebench.reports.versions import OtherNights, other_nights
from judgebench.stats.gate_rule import Deciding, Decision, decide, too_few, units_to_decide
from judgebench.store.store import Store

A_DAY = 86_400.0
"""Seconds; a judge is asked about its anchors once a day."""

PLAIN_WINS = (
    f"its boards rank by {WEIGHTED}, in which clear wins count more, and this is the plain "
    f"{WIN_RATE}; a policy's `metric: {WEIGHTED}` tests that"
)


def gate_report(store: Store, *, candidate: str, baseline: str, policy: Policy) -> GateReport:
    """Carry out a policy.

    Raises
    ------
    UsageError
        For a benchmark, a model, a judge or a metric that the store does not have.
    """
    asked = _questions(store, candidate, baseline, policy)
    known: dict[int, Basis] = {}
    chances, chance = unchanged([one.basis(known) for one in asked], alpha=policy.level)
    decided = decide_tests(asked, policy, chances)
    slides = _slides(asked, policy, candidate)
    tests = tuple(replace(one, slide=its) for one, its in zip(decided, slides, strict=True))
    return GateReport(
        verdict=overall([one.verdict for one in tests]),
        candidate=candidate,
        baseline=baseline,
        alpha=policy.level,
        correction=policy.correction,
        chance_unchanged_passes=chance,
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


def decide_tests(
    asked: Sequence[Question], policy: Policy, chances: Sequence[Unchanged | None] = ()
) -> tuple[GateResult, ...]:
    """The tests of a policy, each at the level that it has among the others.

    ``chances`` says of each how often it passes an unchanged model, where that was worked out.
    """
    p_values = {view: [one.compared.view(view).p_worse for one in asked] for view in VIEWS}
    levels = family(p_values, alpha=policy.level, correction=policy.correction)
    return tuple(
        one.tested(p_adjusted, at, chance)
        for one, (p_adjusted, at), chance in zip(
            asked, levels, chances or [None] * len(asked), strict=True
        )
    )


def _slides(asked: Sequence[Question], policy: Policy, candidate: str) -> list[SlideReport | None]:
    """What all nights say of each test; of tests that differ in their drops alone it is one."""
    found: dict[str, SlideReport | None] = {}
    keys = [
        test.model_dump_json(exclude={"max_drop", "strict_drop", "source"}) for test in policy.tests
    ]
    for place, (key, one) in enumerate(zip(keys, asked, strict=True)):
        if key not in found:
            slide = partial(policy_slide, one.data, policy, place, one.two, candidate)
            board = one.kind, one.pair.judge
            # Labels are of one night.
            found[key] = None if one.asked.corrected else slide(board, one.drift)
    return [found[key] for key in keys]


def _questions(store: Store, candidate: str, baseline: str, policy: Policy) -> list[Question]:
    """The tests, computed; a benchmark is read once, and what is asked twice is computed once."""
    read: dict[str, tuple[PairData, tuple[str, str], DriftOf]] = {}
    computed: dict[tuple[object, ...], Question] = {}
    asked = []
    for test in policy.tests:
        if test.benchmark not in read:
            data = PairData(store, test.benchmark)
            read[test.benchmark] = data, data.two(candidate, baseline), drifts_of(data)
        same = (
            test.benchmark, test.judge, test.metric, test.confidence, test.head_to_head,
            test.opponent, test.stack_tolerance, test.corrected,
        )  # fmt: skip
        if same not in computed:
            computed[same] = question(*read[test.benchmark], test, policy)
        asked.append(computed[same].by(test))
    return asked


def question(
    data: PairData, two: tuple[str, str], drift_of: DriftOf, test: GateTest, policy: Policy
) -> Question:
    """Compute one test of a policy.

    Parameters
    ----------
    data
        Of the benchmark that the test is about.
    two
        Candidate and baseline as its boards show them.
    """
    metric, _, group = (test.metric or "").partition("/")
    asked = partial(
        Question, data=data, two=two, asked=test, policy=policy, drift_of=drift_of,
        stacks=data.other_stack(two, test.stack_tolerance),
    )  # fmt: skip
    kind: BoardKind | None
    if metric in CONFIDENCE_METRICS:
        both = PairConfidences(data, two)
        judge = both.judge(test.judge)
        pair, compared = both.pair(
            metric, judge, both.confidence(test.confidence),
            group=group or None, alpha=policy.level,
        )  # fmt: skip
        found = asked(pair=pair, compared=compared)
    else:
        kind, judge = board_meant(data, two, test, metric)
        if metric == LENGTH_CONTROLLED:
            pair, compared = pair_at_equal_length(data, kind, judge, two, alpha=policy.level)
            found = asked(pair=pair, compared=compared)
        elif test.corrected:
            pair = data.pair(kind, judge, two, None)
            pair, compared = corrected_models(data, kind, pair, two, alpha=policy.level)
            found = asked(pair=pair, compared=compared)
        else:
            nights = other_nights(data, kind, judge, two, most=policy.baseline_nights - 1)
            figure = data.figure(kind, test.metric)
            lined_up = partial(data.pair, kind, judge, two, group or None, figure=figure)
            pair = lined_up(again=nights.models)
            finest = policy.level / len(policy.tests)
            compared = compare(pair, alpha=policy.level, finest=finest)
            found = asked(
                pair=pair, compared=compared, kind=kind, nights=nights,
                fresh=partial(lined_up, afresh=True),
            )  # fmt: skip
    if two[0] == two[1]:  # what is missing of one is missing of the other, and is it
        alike = replace(found.compared, worst=None, best=None, bounded=True)
        return replace(found, compared=alike)
    return found


def board_meant(
    data: PairData, two: tuple[str, str], test: GateTest, metric: str
) -> tuple[BoardKind, str]:
    """The board on which both models stand that a test is about, and its judge.

    Parameters
    ----------
    metric
        As the test names it, without a group; empty where it names none.

    Raises
    ------
    UsageError
        Where there is none, or several, naming those there are.
    """
    direct = test.head_to_head
    boards = data.heads_of(two) if direct else data.judges_of(two)
    if metric in data.which.report.rates:
        metric = ACCURACY  # their board is that of labels
    if metric and metric not in METRICS:
        unknown = unknown_name("metric of a gate", metric, METRICS)
        raise UsageError(f"{data.which}: {unknown}")
    if metric == WEIGHTED and data.which.weighted is None:
        raise UsageError(
            f"{data.which} has no weighted win rate: that is of benchmarks whose judges say how "
            "clear a win is, such as arena_hard"
        )
    controlled = metric == LENGTH_CONTROLLED
    metric = WIN_RATE if metric in (LENGTH_CONTROLLED, WEIGHTED) else metric
    fitting = [
        (kind, judge)
        for kind, judge in boards
        if (not metric or kind.metric.name == metric)
        and (test.judge is None or judge == test.judge)
        and test.opponent in (None, kind.opponent)
    ]
    fitting = (calibrated(data, fitting) if controlled else []) or fitting
    if len(fitting) == 1:
        return fitting[0]
    if (
        not fitting
        and not direct
        and (newer := _judged_otherwise(data, two, test, metric)) is not None
    ):
        return newer
    several = len({kind.opponent for kind, _ in boards}) > 1
    said = ", ".join(_said(kind, judge, several=several) for kind, judge in boards) or "nobody"
    if not fitting:
        who = f"{test.judge} has not" if test.judge else "no judge has"
        if direct:
            raise UsageError(
                f"{data.which}: {who} compared "
                f"{two[0]} with {two[1]}; a run with baseline: {two[1]} and "
                f"orders: both does; these have: {said}"
            )
        raise UsageError(
            f"{data.which}: {who} judged both "
            f"{' and '.join(two)}{f' by {metric}' if metric else ''}"
            f"{f' against {test.opponent}' if test.opponent else ''}; these have: {said}"
        )
    raise UsageError(
        f"{data.which}: several boards have both {' and '.join(two)}; say which "
        f"judge{', opponent' if several else ''} and metric are meant: {said}"
    )


def _said(kind: BoardKind, judge: str, *, several: bool) -> str:
    """A board by its judge and metric, and where others differ in it by its opponent."""
    against = f" against {kind.opponent}" if several and kind.opponent else ""
    return f"{judge} ({kind.metric.name}{against})"


def _judged_otherwise(
    data: PairData, two: tuple[str, str], test: GateTest, metric: str
) -> tuple[BoardKind, str] | None:
    """The candidate's board by the named judge, where the baseline was judged by an older one.

    A judge that was changed under its name is another judge: the test stays open.
    """
    names = {judge.id: judge.names for judge in data.board.store.judges()}
    of_name = {
        shown for one, shown in data.board.judges.items() if test.judge in names.get(one, ())
    }
    for kind, seen in data.seen.items():
        both = [[j for j in sorted(of_name) if (j, model) in seen] for model in two]
        if all(both) and (not metric or kind.metric.name == metric):
            return kind, both[0][0]
    return None


@dataclass(frozen=True, kw_only=True)
class Question(PairQuestion):
    """One test of a policy, computed; decided when the others are known.

    kind, nights
        The board that it is about, and the baseline's other nights there; None, and none, for what
        is not tested by the verdicts of one.
    fresh
        Gives the same pair by fresh verdicts alone; None for a metric that is not made of verdicts
        alone (at equal length, of confidences).
    """

    asked: GateTest
    policy: Policy
    stacks: OtherStack | None
    drift_of: DriftOf
    kind: BoardKind | None = None
    nights: OtherNights = field(default_factory=OtherNights)
    fresh: Callable[[], PairedModels] | None = None

    def by(self, test: GateTest) -> Question:
        """The same question with another allowed drop, or other conditions.

        Raises
        ------
        UsageError
            For a drop of the whole scale, which lets everything pass and is a slip of units.
        """
        whole = self.pair.width * self.pair.unit
        if test.max_drop >= whole:
            raise UsageError(
                f"{self.data.which}: max_drop: {test.max_drop:g} is all there is of "
                f"{self.pair.metric}, so that everything would pass; two points of it are "
                f"{0.02 * whole:g}"
            )
        return replace(self, asked=test)

    def notes(self, baseline: str) -> list[str]:
        """What a reader has to know of both models, and of stacks that were shown to be alike."""
        which, most = self.data.which, self.policy.baseline_nights
        said = [f"{which}: {one}" for one in self.data.suspicious(self.two)]
        said += [*self.data.notes(self.two, baseline), *self.nights.notes]
        short = cut_short(self.data.board, self.data.judge_id(self.pair.judge), self.two)
        said += [f"{which}: {one}" for one in short]
        if len({*self.pair.question}) < len(self.pair.question):
            said.append(f"{which}: {BY_TURN}")
        if (
            self.asked.metric is None
            and self.pair.metric == WIN_RATE
            and which.weighted is not None
        ):
            said.append(f"{which}: {PLAIN_WINS}")
        if self.nights.models:
            said.append(
                f"{which}: the baseline is the mean of {1 + len(self.nights.models)} "
                f"nights: {', '.join((self.two[1], *self.nights.models))}"
            )
        elif most > 1:
            said.append(
                f"{which}: {self.two[1]} was asked on one night only; the policy would "
                f"average {most}"
            )
        if self.stacks is not None and self.stacks.alike:
            said.append(f"{which}: {self.stacks.said}")
        return said

    def basis(self, known: dict[int, Basis]) -> Basis:
        """What the chance rests on that the test passes a model that is as good.

        ``known`` keeps what tests have in common that differ in their conditions alone.
        """
        if (key := id(self.pair)) not in known:
            known[key] = basis_of(
                self.data, self.kind, self.two, self.pair, self.compared, self.nights.models
            )
        asked = self.asked
        return replace(
            known[key],
            max_drop=asked.max_drop, strict_drop=asked.strict_drop, min_n=asked.min_n,
            floor=self.floor,
        )  # fmt: skip

    @property
    def drift(self) -> JudgeDrift | None:
        """What the anchors of its judge say."""
        return self.drift_of(self.pair.judge)

    @cached_property
    def floor(self) -> float:
        """The share of verdicts that has to be there."""
        stated = self.asked.coverage_floor
        return self.data.which.coverage_floor if stated is None else stated

    def tested(
        self,
        p_adjusted: float,
        levels: Mapping[View, float],
        unchanged: Unchanged | None = None,
    ) -> GateResult:
        """What it comes to.

        Parameters
        ----------
        levels
            At which a regression is called in each view, adjusted over the policy as
            ``p_adjusted`` is.
        """
        pair, observed, asked = self.pair, self.compared.observed, self.asked
        alpha, finest = self.policy.level, self.policy.level / len(self.policy.tests)
        strict, margin = asked.strict_drop, asked.max_drop / pair.unit
        decisions = in_each_view(
            self.compared, levels, margin=margin, alpha=alpha,
            strict=None if strict is None else strict / pair.unit,
        )  # fmt: skip
        decision = decisions["observed"]
        because = self._why_open(decisions, margin)
        confirmation: Confirmation | None = None
        if because is None and decision == "regression" and self.policy.confirm:
            confirmation, because = self._heard_afresh()
        if because is not None:
            decision = "inconclusive"
        called_at = levels["observed"]
        ends = observed.passing(alpha), observed.bounds(called_at)[1]
        to_decide = None
        if decision == "inconclusive":
            if observed.low != -margin and ends[1] != 0.0:
                to_decide = units_to_decide(
                    observed.difference, observed.spread,
                    margin=margin, alpha=alpha, called_at=finest,
                )  # fmt: skip
            because = because or self._what_would_decide(to_decide, called_at)
        one_sided = (1.0 - alpha, 1.0 - called_at)
        level_low, level_high = one_sided if pair.higher_is_better else one_sided[::-1]
        return GateResult(
            **self.figures(ends, level=1.0 - alpha - called_at),
            judge_id=self.data.judge_id(pair.judge),
            candidate_id=self.data.board.model_ids[self.two[0]],
            baseline_id=self.data.board.model_ids[self.two[1]],
            max_drop=asked.max_drop,
            margin_source=asked.margin_source,
            opponent=asked.opponent,
            decision=decision,
            because=because,
            level_low=level_low,
            level_high=level_high,
            p_value=observed.p_worse,
            p_adjusted=p_adjusted,
            detectable_difference=detectable_difference(pair, self.compared, alpha=finest),
            to_decide=to_decide,
            confirmation=confirmation,
            strict_drop=strict,
            passes_at_strict=None
            if strict is None
            else decision == "pass" and self._passes(strict),
            by_strict=decision == "regression" and self._passes(asked.max_drop),
            unchanged=unchanged,
        )

    def _passes(self, drop: float) -> bool:
        """Whether it passes at a smaller drop as well, with what is missing at its ends too."""
        return all(self.compared.view(view).low > -drop / self.pair.unit for view in VIEWS)

    def _heard_afresh(self) -> tuple[Confirmation, str | None]:
        """What the judge said of a regression when it was asked afresh, and why it stays open.

        The second is None where the regression is called: confirmed, or no other verdict can be
        had, as of a judge that goes by a rule, or one of elsewhere.
        """
        judge = self.data.spec_of(self.pair.judge)
        if self.fresh is None or judge is None or judge.model is None or judge.kind == IMPORTED:
            return "impossible", None
        again = self.fresh()
        known, wanted = again.readable, self.pair.readable
        if known < self.floor * wanted:
            done = f", of {known} of {wanted} items so far" if known else ""
            return "wanted", (
                "a first regression, to be confirmed: `judgebench run SUITE --confirm GATE.json` "
                f"asks {self.pair.judge} afresh about both models{done}; then the gate again"
            )
        found = compare(again, alpha=self.policy.level).observed
        if found.high < 0.0:
            return "confirmed", None
        return "refuted", (
            f"not confirmed: asked afresh, {self.pair.judge} gives a p of {found.p_worse:.3f} to a "
            "candidate that is no worse"
        )

    # what keeps it open --------------------------------------------------------------------------

    def _why_open(self, decisions: Mapping[View, Decision], margin: float) -> str | None:
        """What keeps the question open whatever the numbers say; None for nothing."""
        observed, asked = self.compared.observed, self.asked
        if self.pair.why_not is not None:
            known = self.pair.judge in {judge for _, judge in self.data.judges_of(self.two)}
            known = known or asked.head_to_head or self.pair.confidence is not None
            return self.pair.why_not if known else f"judge changed: {self.pair.why_not}"
        if (changed := self._judge_changed()) is not None:
            return changed
        if self.stacks is not None and not self.stacks.alike:
            return self.stacks.said
        for side, model in enumerate(self.two):
            if (lacks := too_little_there(self.pair, side, model, self.floor)) is not None:
                return lacks
        if math.isnan(observed.difference):
            return why_no_difference(self.pair)
        if observed.units < asked.min_n:
            return f"{observed.units} items have a verdict on both, and {asked.min_n} are asked"
        would_pass = decisions["observed"] != "regression" and observed.low > -margin
        if observed.units and (few := too_few(observed.units, passing=would_pass)) is not None:
            return few
        if (kappa := self._kappa_too_low()) is not None:
            return kappa
        return self.compared.turned(decisions.values(), "the candidate")

    def alarms(self) -> Iterator[Alarm]:
        """What its judge's anchors and replies say, for whoever runs the judge."""
        about = {"benchmark": str(self.data.which), "judge": self.pair.judge}
        if (served := self.data.judge_changed(self.pair.judge, self.two)) is not None:
            yield Alarm(kind="served_model", text=served, **about)
        if (drift := self.drift) is None:
            return
        if drift.served_alarm is not None:
            yield Alarm(kind="served_model", text=drift.served_alarm, **about)
        if drift.drift_alarm is not None:
            yield Alarm(kind="judge_drift", text=drift.drift_alarm, **about)

    def _judge_changed(self) -> str | None:
        judge, allowed = self.pair.judge, set(self.asked.served_models)
        served = {name for model in self.two for name in self.data.served(judge, model)}
        if allowed and (strangers := sorted(served - allowed)):
            return f"judge changed: {', '.join(strangers)} served replies, and may not"
        if (changed := self.data.judge_changed(judge, self.two)) is not None:
            return changed
        if self.drift is not None and self.drift.alarm is not None:
            return f"judge changed: {self.drift.alarm}"
        return self._anchors_not_asked() if self.asked.fresh_anchors else None

    def _anchors_not_asked(self) -> str | None:
        """That nobody knows whether the judge changed, where the policy wants it to be known."""
        judge, drift = self.pair.judge, self.drift
        if drift is None:
            return f"{judge} has no anchors here, and the policy asks for them"
        last = drift.looks[-1].at if drift.looks else drift.pinned_at
        judged = max(self.data.judged_at(judge, model) for model in self.two)
        if last >= judged - A_DAY:
            return None
        return (
            f"{judge} was asked about its anchors on {day(last)} and has judged on "
            f"{day(judged)}: `judgebench run SUITE --refresh-anchors` asks again"
        )

    def _kappa_too_low(self) -> str | None:
        least = self.asked.min_kappa
        if least is None:
            return None
        reference, judges = self.asked.reference, [self.pair.judge]
        try:
            report = agreement_report(
                self.data.board.store, str(self.data.which), reference=reference, judges=judges
            )
        except UsageError as error:
            return f"the judge's kappa is not known: {error}"
        found = [row.metrics["cohen_kappa"] for row in report.rows if row.scope == "pooled"]
        if not found or math.isnan(found[0].value):
            return "the judge's kappa is not known"
        kappa = found[0]
        if kappa.value >= least:
            return None
        said = f"the judge's kappa is {estimates.text(kappa)}, and {least:g} is asked"
        # The interval narrows with the root of the labels: how many would leave the least outside?
        short = least - kappa.value
        if not kappa.high >= least or not short > 0.0:  # nan: no interval
            return said
        more = math.ceil(kappa.n * (((kappa.high - kappa.value) / short) ** 2 - 1.0))
        return (
            f"{said}; {counted(more, 'more label')} would tell whether it is, if it stays as it is"
        )

    def _what_would_decide(self, deciding: Deciding | None, level: float) -> str:
        observed = self.compared.observed
        if math.isinf(observed.low):
            return "too few items to know how far they differ"
        if deciding is None:
            return "a bound stands at what it decides at"
        high = observed.bounds(level)[1]
        if observed.difference < 0.0 and high >= self.pair.width:
            return (
                f"of so many tests this one is called at {level:.1g}, which no number of draws "
                "can tell: fewer tests, or a larger alpha"
            )
        if not observed.spread > 0.0:
            return f"no item differs, and {observed.units} are too few to rule out that some would"
        return (
            self.compared.more_items(deciding.fewest) or "a bound lies close to what it decides at"
        )


def in_each_view(
    compared: PairedTests,
    levels: Mapping[View, float],
    *,
    margin: float,
    alpha: float,
    strict: float | None = None,
) -> dict[View, Decision]:
    """What a test says as observed, and with what is missing at its ends.

    Parameters
    ----------
    levels
        At which a regression is called in each view, adjusted over the policy.
    margin
        The allowed drop, without the unit.
    alpha
        Of a pass.
    strict
        A smaller drop: what is a regression by it is one.
    """
    found: dict[View, Decision] = {}
    for view, level in levels.items():
        test = compared.view(view)
        low, high = test.passing(alpha), test.bounds(level)[1]
        found[view] = decide(low, high, margin=margin, units=test.units)
        if (
            strict is not None
            and decide(low, high, margin=strict, units=test.units) == "regression"
        ):
            found[view] = "regression"
    return found
