"""Two models side by side: on each benchmark and judge that both have, which is better, if either.

A judge may have judged each of them, or have compared the one with the other directly; either is a
test of its own. The test is two-sided, and p-values are adjusted over all tests together. As in a
gate, what is missing is looked at from both ends: a decision that it could turn is none. A judge
that was served by other models, and answers that other software generated, are said beside the
difference.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any, ClassVar

import numpy as np

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.accuracy import ACCURACY
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.correction import CORRECTED
from judgebench.metrics.measures import group_names
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
from judgebench.metrics.probes import without_probes
from judgebench.metrics.registry import (
    CONFIDENCE_METRICS,
    HEAD_TO_HEAD,
    VERDICT_METRICS,
    metric,
    of_confidence,
    sign_of,
)
from judgebench.metrics.scores import DIMENSION
from judgebench.metrics.sequential import EarlyDecision, SequentialPlan, early_decisions
from judgebench.metrics.win_rate import LENGTH_CONTROLLED, WEIGHTED, WIN_RATE
from judgebench.records import Estimate, is_human
from judgebench.reports import estimates
from judgebench.reports.board_data import cut_short, plans_behind
from judgebench.reports.boards import find_judges
from judgebench.reports.confidence_data import PairConfidences
from judgebench.reports.corrected import corrected_models
from judgebench.reports.cost import judge_costs
from judgebench.reports.document import Report, Rows, Table, column, json_field, table
from judgebench.reports.estimates import p_text
from judgebench.reports.gate_result import in_words
from judgebench.reports.gate_unchanged import basis_of, unchanged
from judgebench.reports.length_calibrations import calibrated, pair_at_equal_length
from judgebench.reports.model_pairs import BY_TURN, METRICS, PairData
from judgebench.reports.pair_tests import (
    DIFFERENCES,
    FIGURES,
    NO_TEXTS,
    Flips,
    PairQuestion,
    PairTest,
    Texts,
    Unchanged,
    drop_words,
    flips_table,
    shared_columns,
    texts_of,
)
from judgebench.stats.gate_rule import Direction, direction, too_few, units_to_differ
from judgebench.store.store import Store

DIRECTLY = (
    "directly: a judge compared their answers with each other; the orders of an item are averaged, "
    "and the first one's win rate is tested against 50 %, a draw"
)
"""What the rows of comparisons with each other are."""

TUNED = "corrected: the difference is estimated by itself, and not that of the two columns"

_NAMES = ("first", "candidate"), ("second", "baseline")

PLUG_IN = "plug-in"
"""What an ``ece`` is tested by: not the corrected error of boards."""

_MANY = 100
"""Of so many tests together even the strictest level has draws enough."""

CORRECTABLE = (*VERDICT_METRICS, HEAD_TO_HEAD)
"""What verdicts make as they are: what is fitted or weighted is corrected by nobody."""

COMPARISON_METRICS = (*METRICS, HEAD_TO_HEAD)
"""What can be asked for; ``win_rate`` is that of comparisons with each other as well."""

PLAIN = (*VERDICT_METRICS, WEIGHTED)
"""What two models are compared by where nothing is asked for."""

GATE_ALPHA = 0.05
"""Of `judgebench gate` without a policy."""


METHOD = "repeated confidence interval"
OPPOSITE: Mapping[str, Any] = {"better": "worse", "worse": "better", "undecided": "undecided"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(EarlyDecision):
    """A decision, and what is not judged for it.

    judgments_saved, usd_saved
        Of both models; nan where they, or the price, are not known.
    """

    judgments_saved: float = math.nan
    usd_saved: float = math.nan

    def estimate(self, of: Estimate) -> Estimate:
        """The difference at the stop, with its interval."""
        return replace(
            of, value=self.difference, low=self.low, high=self.high, level=self.level,
            units=self.items, method=METHOD,
        )  # fmt: skip

    def text(self, name: str) -> str:
        """The difference of a metric at the stop, as everywhere else."""
        none = Estimate(value=math.nan, n=self.items, units=self.items)
        return estimates.text(self.estimate(none), digits=metric(name).digits)

    @property
    def note(self) -> str:
        """What a reader has to know of an estimate after it."""
        how = "stopped early" if self.early else "could have stopped early"
        return (
            f"judging {how}, after {self.items} of {self.of} items: the decision is that of its "
            f"plan, and the difference is that of these items, with a {METHOD}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(PairTest):
    """One test of the first model, the candidate, against the second.

    metric
        ``head_to_head`` where a judge compared the two with each other: the first one's win rate,
        in percent, beside the 50 of a draw.
    estimator
        What an ``ece`` is tested by: not the corrected error of boards.
    opponent
        Whom both were compared with, of win rates; None elsewhere.
    difference
        Its interval is that of the test that decides, at the level that the test has among all
        tests.
    p_value, p_adjusted
        Two-sided.
    group
        The items that are looked at alone; None for all.
    equal
        On how many items both have a readable verdict and do not differ.
    notes
        What has to be known to believe the difference.
    stop
        Where judging stopped that was to stop when it is decided, which is then what decides; or,
        where that was asked, where it would have stopped.
    max_drop
        Two points of the scale, by which it is said how often a gate passes; nan without ends.
    """

    estimator: str | None = json_field(omit_empty=True, default=None)
    opponent: str | None
    decision: Direction
    notes: tuple[str, ...]
    stop: Stop | None = json_field(omit_empty=True, default=None)
    group: str | None = json_field(hidden=True)
    equal: int = json_field(hidden=True)
    max_drop: float = json_field(hidden=True, default=math.nan)

    @property
    def direct(self) -> bool:
        """Whether the two were compared with each other."""
        return is_direct(self.metric)

    @property
    def measured(self) -> str:
        """The metric, of which confidence, and against whom: a judge may compare with several."""
        name = f"ece ({PLUG_IN})" if self.metric == "ece" else self.metric
        if self.direct:
            name = name.replace(HEAD_TO_HEAD, WIN_RATE, 1)
            return f"{name}, {self.candidate} against {self.baseline}, directly"
        name = of_confidence(name, self.confidence)
        return name if self.opponent is None else f"{name} against {self.opponent}"

    @property
    def gate_words(self) -> str | None:
        """How often a gate that allows two points passes an unchanged model; None if not known."""
        if self.unchanged is None or math.isnan(self.unchanged.chance):
            return None
        words, _ = in_words([self], self.unchanged.chance)
        allowed = f"a gate that allows a {self.limit} of {drop_words(self.max_drop, self.metric)}"
        return words.replace("this gate", allowed, 1)

    @property
    def remarks(self) -> list[str]:
        """Why a whole benchmark is undecided, and what has to be known of the difference."""
        because = self.because if self.group is None else None
        return [because, *self.notes] if because else list(self.notes)

    def most_telling(self, most: int) -> Flips:
        """The items that differ most; of equal ones those that speak for the result."""
        apart = self.flips.difference
        against = apart if self.difference.value < 0.0 else -apart
        return self.flips.sorted_by(-np.abs(apart), against)[:most]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Report):
    """Two models on all that both were judged on; the verdict is over whole benchmarks."""

    ROWS: ClassVar = (
        Rows(
            of="tests",
            row=(
                "benchmark", "version", "metric", "estimator", "confidence", "higher_is_better",
                "judge", "opponent", "baseline", "candidate", "baseline_value", "candidate_value",
                "p_value", "p_adjusted", "decision", "because", "detectable_difference",
                "chance_unchanged_passes", "margin_for_80", "notes", ("n_better", "better"),
                ("n_worse", "worse"), *FIGURES,
            ),
        ),
    )  # fmt: skip
    CHART: ClassVar = DIFFERENCES

    verdict: Direction
    candidate: str
    baseline: str
    level: float
    tests: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    def tables(self, texts: Texts = NO_TEXTS, *, most_flips: int = 0) -> list[Table]:
        """The tests, and so many of the items that decided each."""
        whole = [one for one in self.tests if one.group is None and most_flips and one.flips]
        stops = [(t.place, t.judge, t.measured, t.stop) for t in self.tests if t.stop is not None]
        return [
            self._tests(),
            *([stops_table(stops)] if stops else []),
            *(
                flips_table(
                    one,
                    one.most_telling(most_flips),
                    _NAMES,
                    texts,
                    title=f"{one.place}, {one.judge}, {one.measured}: items that decided it",
                    subtitle=f"{len(one.flips)} differ: {one.better} for {one.candidate}, "
                    f"{one.worse} for {one.baseline}",
                )
                for one in whole
            ),
        ]

    def texts(self, store: Store, most: int) -> Texts:
        """The questions of so many of the items that decided each test."""
        return texts_of(store, [(one, one.most_telling(most)) for one in self.tests])

    def _tests(self) -> Table:
        return table(
            f"{self.candidate} against {self.baseline}: {self.verdict}",
            self.tests,
            [
                column("decision", lambda one: one.decision),
                *shared_columns(*_NAMES),
                column("p adjusted", lambda one: p_text(one.p_adjusted), align="right"),
                column("better", lambda one: f"{one.better:,}", align="right"),
                column("worse", lambda one: f"{one.worse:,}", align="right"),
                column("items", lambda one: f"{one.difference.units:,}", align="right", spare=True),
                column("p", lambda one: p_text(one.p_value), align="right", spare=True),
                column(
                    "detectable",
                    lambda one: one.text(one.detectable_difference),
                    align="right",
                    spare=True,
                ),
            ],
            subtitle=self._rule(),
            notes=[*self._notes(), *self.notes],
        )

    def _rule(self) -> str:
        """How sure each decision is, and that what is printed is what decides."""
        level = f"{100 * self.level:g} %"
        how = (
            f"at {level} over all {len(self.tests)} tests: the decision uses the adjusted p value, "
            "and the interval is at its level (Holm)"
            if len(self.tests) > 1
            else f"with its interval at {level}, which decides; p two-sided"
        )
        return f"difference: the first minus the second, {how}; detectable with a chance of 80 %"

    def _notes(self) -> list[str]:
        """Why whole benchmarks are undecided, and what has to be known of any row."""
        return [f"{one.about}: {said}" for one in self.tests for said in one.remarks] + (
            [DIRECTLY] if any(one.direct for one in self.tests) else []
        )


def comparison(
    store: Store,
    first: str,
    second: str,
    *,
    benchmarks: Sequence[str] = (),
    judges: Sequence[str] = (),
    metrics: Sequence[str] = (),
    by: str | None = None,
    level: float = 0.95,
    corrected: bool = False,
    stop_when_decided: bool = False,
) -> Comparison:
    """Compare two models.

    Parameters
    ----------
    benchmarks, judges
        Those to look at; all that both models have if none are named.
    metrics
        Of `COMPARISON_METRICS`; those of plain boards, and of comparisons with each other, if none
        are named. What is fitted, and what confidences are worth, is another question, and tested
        when it is asked.
    by
        A way of grouping items: a further test for each group, of the metrics of plain boards.
    corrected
        As people would compare them, by their labels on a sample of the answers; metrics are then
        called ``METRIC/corrected``.
    stop_when_decided
        Also where judging would have stopped that goes no further than it takes to decide; of whole
        benchmarks and plain boards.

    Raises
    ------
    UsageError
        For a name that the store does not have, and where the two have nothing in common.
    """
    for one in metrics:
        if one not in COMPARISON_METRICS and not one.startswith(DIMENSION):
            raise UsageError(unknown_name("metric of a comparison", one, COMPARISON_METRICS))
        if corrected and one not in CORRECTABLE:
            raise UsageError(f"--corrected is of {', '.join(CORRECTABLE)}, not of {one}")
    if corrected and by is not None:
        raise UsageError("--corrected compares on all items, not by group: leave out --by")
    asked = _Tests(
        store=store, names=(first, second), judges=judges, by=by,
        metrics=metrics or PLAIN, alpha=(1.0 - level) / 2.0,
        corrected=corrected,
        replays=stop_when_decided,
    )  # fmt: skip
    notes = asked.take(benchmarks)
    decided = decide(asked.tests, alpha=1.0 - level)
    return Comparison(
        verdict=overall([one.decision for one in decided if one.group is None]),
        candidate=first,
        baseline=second,
        level=level,
        tests=decided,
        notes=notes,
    )


def decide(
    tests: Sequence[CompareQuestion],
    *,
    alpha: float,
    correction: str = "holm",
    of: int | None = None,
) -> tuple[Difference, ...]:
    """What tests come to that are made together.

    Parameters
    ----------
    alpha, correction, of
        As in `judgebench.metrics.paired.family`.
    """
    p_values = {view: [one.p_value(view) for one in tests] for view in VIEWS}
    decided = family(p_values, alpha=alpha, correction=correction, of=of)
    return tuple(
        one.decided(adjusted, levels, of or len(tests))
        for one, (adjusted, levels) in zip(tests, decided, strict=True)
    )


def is_direct(metric: str) -> bool:
    """Whether a metric, of all items or of a group, is that of comparisons with each other."""
    return metric.partition("/")[0] == HEAD_TO_HEAD


def overall(decisions: Sequence[Direction]) -> Direction:
    """Better where some test says so and none the contrary; worse likewise."""
    said = {one for one in decisions if one != "undecided"}
    return said.pop() if len(said) == 1 else "undecided"


@dataclass(slots=True, kw_only=True)
class _Tests:
    """What is to be tested, benchmark by benchmark."""

    store: Store
    names: tuple[str, str]
    judges: Sequence[str]
    metrics: Sequence[str]
    by: str | None
    alpha: float
    corrected: bool
    replays: bool
    tests: list[CompareQuestion] = field(default_factory=list)

    def take(self, benchmarks: Sequence[str]) -> tuple[str, ...]:
        """The tests of some benchmarks, or of all; what is said is what was left out of these."""
        if benchmarks:
            for one in benchmarks:
                self._take(PairData(self.store, one, self._both()))
            return ()
        faults = []
        for name, version in without_probes(self.store.benchmarks()):
            try:
                self._take(PairData(self.store, f"{name}@{version}", self._both()))
            except UsageError as error:
                faults.append(str(error))
        if not self.tests:
            raise UsageError(self._nothing(faults))
        return tuple(f"left out: {fault}" for fault in faults)

    def _both(self) -> list[str] | None:
        """The ids of the two where they were called by these, and nothing of others is needed."""
        ids = {model.id for model in self.store.models()}
        plain = set(self.metrics) <= {*PLAIN, HEAD_TO_HEAD}
        return [*self.names] if plain and ids.issuperset(self.names) else None

    def _nothing(self, faults: Sequence[str]) -> str:
        known = {name for model in self.store.models() for name in (model.id, *model.names)}
        plain = {model.name for model in self.store.models()}
        for name in self.names:
            if name.partition("@")[0] not in known:
                return f"{self.store.name} has {unknown_name('model', name, plain)}"
        said = "".join(f"\n  {fault}" for fault in faults)
        return f"{self.store.name} has nothing on which {' and '.join(self.names)} meet:{said}"

    def _take(self, data: PairData) -> None:
        two = data.two(*self.names)
        wanted = {
            shown
            for name in self.judges
            for shown in find_judges(name, data.board.judges, self.store, data.which)
        }
        direct = [one for one in data.direct_judges(two) if one in wanted or not self.judges]
        boards = [
            (kind, judge)
            for kind, judge in data.judges_of(two)
            # Against one of the two, both meet head to head: a test of its own.
            if kind.opponent not in two and (judge in wanted or not self.judges)
        ]
        if not boards and not direct:
            raise UsageError(
                f"{data.which}: {' or '.join(self.judges) or 'no judge'} has"
                f"{' not' if self.judges else ''} judged both {' and '.join(two)}"
            )
        if self.by is not None:
            data.board.check_grouping(self.by)
        asked = LENGTH_CONTROLLED in self.metrics
        comparisons = [one for one in boards if asked and one[0].kind == "preference"]
        found = [
            *self._plain(data, two, [*((None, judge) for judge in direct), *boards]),
            *self._at_equal_length(data, two, calibrated(data, comparisons)),
            *self._of_confidences(data, two, {judge for _, judge in boards}),
        ]
        if not found:
            # In the words of a board, where it lacks no more than a calibration.
            list(self._at_equal_length(data, two, comparisons))
            raise UsageError(
                f"{data.which}: nothing gives both {' and '.join(two)} {' or '.join(self.metrics)}"
            )
        self.tests += found

    def _plain(
        self, data: PairData, two: tuple[str, str], ways: Sequence[tuple[BoardKind | None, str]]
    ) -> Iterator[CompareQuestion]:
        """By verdicts on both, or for no board by comparisons of the two with each other."""
        named = {} if self.by is None else data.board.groups(self.by)
        groups = [None, *group_names(named)]
        for kind, judge in ways:
            if self.corrected and is_human(judge):
                continue
            if kind is not None and kind.kind == "score":
                for part in (one for one in self.metrics if one.startswith(DIMENSION)):
                    pair = data.pair(kind, judge, two, part.removeprefix(DIMENSION))
                    yield self._test(data, two, self._compared(pair), kind)
            if kind is not None and data.has_figures(kind):
                wanted = data.board.figures if ACCURACY in self.metrics else ()
                for name in filter(sign_of, wanted):
                    pair = data.pair(kind, judge, two, None, data.which.report.apart, figure=name)
                    yield self._test(data, two, self._compared(pair), kind)
                continue
            if kind is not None and data.ranks_by_weights(kind) and not self.corrected:
                pair = data.pair(kind, judge, two, None, figure=WEIGHTED)
                if WEIGHTED in self.metrics and pair.why_not is None:
                    yield self._test(data, two, self._compared(pair), kind)
            metrics = (WIN_RATE, HEAD_TO_HEAD) if kind is None else (kind.metric.name,)
            for group in groups if set(metrics).intersection(self.metrics) else ():
                if kind is None:
                    pair = data.direct(judge, two, group, self.by)
                else:
                    pair = data.pair(kind, judge, two, group, self.by)
                if self.corrected:
                    board = kind or BoardKind("preference", two[1])
                    tested = corrected_models(data, board, pair, two, alpha=self.alpha)
                    yield self._test(data, two, tested, kind)
                elif group is None or len(pair.items):
                    yield self._test(data, two, self._compared(pair), kind, group)

    def _compared(self, pair: PairedModels) -> tuple[PairedModels, PairedTests]:
        return pair, compare(pair, alpha=self.alpha, finest=self.alpha / _MANY)

    def _test(
        self,
        data: PairData,
        two: tuple[str, str],
        tested: tuple[PairedModels, PairedTests],
        kind: BoardKind | None = None,
        group: str | None = None,
    ) -> CompareQuestion:
        return CompareQuestion(
            data=data, two=two, pair=tested[0], compared=tested[1], group=group, alpha=self.alpha,
            replays=self.replays and tested[0].metric in CORRECTABLE,
            opponent=None if kind is None else kind.opponent,
        )  # fmt: skip

    def _at_equal_length(
        self, data: PairData, two: tuple[str, str], boards: Sequence[tuple[BoardKind, str]]
    ) -> Iterator[CompareQuestion]:
        """Where a calibration holds; a board without has no such metric."""
        for kind, judge in boards:
            fitted = pair_at_equal_length(data, kind, judge, two, alpha=self.alpha)
            yield self._test(data, two, fitted, kind)

    def _of_confidences(
        self, data: PairData, two: tuple[str, str], judges: Collection[str]
    ) -> Iterator[CompareQuestion]:
        """Every confidence of both, against the labels of each judge that has labelled both."""
        wanted = [metric for metric in CONFIDENCE_METRICS if metric in self.metrics]
        if not wanted:
            return
        asked = PairConfidences(data, two)
        for judge, confidence, name in product(asked.judges(), asked.of_both(), wanted):
            if judge in judges:
                tested = asked.pair(name, judge, confidence, alpha=self.alpha)
                yield self._test(data, two, tested)


@dataclass(frozen=True, kw_only=True)
class CompareQuestion(PairQuestion):
    """One comparison."""

    opponent: str | None
    group: str | None
    alpha: float
    replays: bool
    of_gates: bool = True  # whether it is also worked out how often a gate passes

    @cached_property
    def planned(self) -> Stop | None:
        """How the plan ended that its verdicts were judged by; None without one."""
        if self.group is not None or self.pair.metric not in CORRECTABLE:
            return None
        return recorded(self.data, self.pair.judge, self.two)

    def p_value(self, view: View) -> float:
        if self.pair.why_not is not None or self.planned is not None:
            return math.nan
        return self.compared.view(view).p_differs

    def decided(self, p_adjusted: float, levels: Mapping[View, float], n_tests: int) -> Difference:
        """What it comes to; levels are two-sided, at which it is decided in each view."""
        pair, compared = self.pair, self.compared
        found: dict[View, Direction] = {}
        for view, level in levels.items():
            test = compared.view(view)
            found[view] = direction(*test.bounds(level / 2.0), units=test.units)
        decided_at = levels["observed"]
        drop, passes = self._gate()
        because = self._why_open(found, n_tests)
        ends = compared.observed.bounds(decided_at / 2.0)
        its = Difference(
            **self.figures(ends, level=1.0 - decided_at),
            estimator=PLUG_IN if pair.metric == "ece" else None,
            opponent=self.opponent,
            group=self.group,
            decision=found["observed"] if because is None else "undecided",
            because=because,
            p_value=self.p_value("observed"),
            p_adjusted=p_adjusted,
            detectable_difference=detectable_difference(pair, compared, alpha=self.alpha / n_tests),
            equal=int(np.equal(*pair.by_question.of_items.T).sum()),
            notes=tuple(self._notes()),
            max_drop=drop,
            unchanged=passes,
        )
        if (stop := self.planned) is not None:
            return replace(
                its, stop=stop, decision=stop.decision, difference=stop.estimate(its.difference),
                because="its plan has not decided" if stop.decision == "undecided" else None,
                notes=(stop.note, *its.notes),
            )  # fmt: skip
        if self.replays and self.group is None:
            return replace(its, stop=replayed(self.data, pair, alpha=2.0 * self.alpha / n_tests))
        return its

    def _gate(self) -> tuple[float, Unchanged | None]:
        """What a gate that allows two points of the scale makes of an unchanged model."""
        if not (self.of_gates and math.isfinite(self.pair.width)) or self.group is not None:
            return math.nan, None
        whole = 1.0 if is_direct(self.pair.metric) else self.pair.width
        drop = 0.02 * whole * self.pair.unit
        basis = basis_of(self.data, None, self.two, self.pair, self.compared)
        (found,), _ = unchanged([replace(basis, max_drop=drop)], alpha=GATE_ALPHA)
        return drop, found

    def _why_open(self, found: Mapping[View, Direction], n_tests: int) -> str | None:
        observed = self.compared.observed
        if self.pair.why_not is not None:
            return self.pair.why_not
        if math.isnan(observed.difference):
            return why_no_difference(self.pair)
        if (few := too_few(observed.units, passing=False)) is not None:
            return few
        if (turned := self.compared.turned(found.values(), self.two[0])) is not None:
            return turned
        if found["observed"] != "undecided":
            return None
        # Of several tests the hardest case of Holm's: at most so many are asked for.
        alpha = 2.0 * self.alpha / n_tests
        needed = units_to_differ(observed.difference, observed.spread, alpha=alpha)
        if math.isinf(needed):
            return "no difference is seen"
        return self.compared.more_items(needed) or "the interval's end lies close to 0"

    def _notes(self) -> list[str]:
        stacks, about = self.data.other_stack(self.two), (self.pair.judge, self.two)
        direct = is_direct(self.pair.metric)
        told = self.data.direct_notes(*about) if direct else [self.data.judge_changed(*about)]
        said = [one for one in (*told, stacks and stacks.said) if one]
        if self.planned is None:
            said += cut_short(self.data.board, self.data.judge_id(self.pair.judge), self.two)
        floor = self.data.which.coverage_floor
        said += [TUNED] if self.pair.metric.endswith(f"/{CORRECTED}") else []
        said += [BY_TURN] if self.data.which.report.turns and self.group is None else []
        return (
            self.data.suspicious(self.two)
            + said
            + [
                lacks
                for side, model in enumerate(self.two)
                if (lacks := self.pair.too_few(side, model, floor)) is not None
            ]
        )


# where it stopped, or would have ------------------------------------------------------------------


def replayed(data: PairData, pair: PairedModels, *, alpha: float) -> Stop | None:
    """Where a plan over all items of a pair would have stopped; None where none is defined."""
    if pair.why_not is not None or pair.stratum.any():
        return None
    items = tuple(dict.fromkeys(pair.questions))
    n = len(items)
    plan = SequentialPlan(baseline="", candidates=("",), sizes=(n,), alpha=alpha, seed=0)
    (found,) = early_decisions(plan, [pair], items, n)
    saved = round(float(pair.expected.sum()) * (1.0 - found.items / max(1, n)))
    store, which = data.board.store, data.which
    (cost,) = judge_costs(store, which.name, which.version, data.board.judges, [pair.judge])
    usd = saved * cost.usd if saved else 0.0
    return Stop(**asdict(found), judgments_saved=saved, usd_saved=usd)


def recorded(data: PairData, judge: str, two: tuple[str, str]) -> Stop | None:
    """How the plan ended by which a judge judged the two; None without one.

    A run without a plan that judged the rest has taken its place.
    """
    first, second = (data.board.model_ids[model] for model in two)
    for ended, baseline in plans_behind(data.board, data.judge_id(judge), {first}):
        candidate = second if baseline == first else first
        if baseline in (first, second) and candidate in ended:
            told = ended[candidate]
            if baseline == first:
                low, high, decision = -told["high"], -told["low"], OPPOSITE[told["decision"]]
                turned = {"difference": -told["difference"], "low": low, "high": high}
                told = {**told, **turned, "decision": decision}
            return Stop(**told)
    return None


def stops_table(rows: list[tuple[str, str, str, Stop]]) -> Table:
    """Benchmark, judge, metric, and where it stopped."""
    return table(
        "Where it is decided, judged in a random order",
        rows,
        [
            column("decision", lambda one: one[3].decision),
            column("benchmark", lambda one: one[0], wraps=True),
            column("judge", lambda one: one[1], wraps=True),
            column("metric", lambda one: one[2], wraps=True),
            column("after", lambda one: f"{one[3].items:,} of {one[3].of:,}", align="right"),
            column(
                "judgments saved",
                lambda one: estimates.number(one[3].judgments_saved, ",.0f"),
                align="right",
            ),
            column(
                "USD saved", lambda one: estimates.number(one[3].usd_saved, ".2f"), align="right"
            ),
            column("difference then", lambda one: one[3].text(one[2]), align="right"),
        ],
        subtitle="looked at every 2.5 % of the items from 20 on; the error rate is shared by all "
        f"tests (Bonferroni); the interval is a {METHOD}",
    )
