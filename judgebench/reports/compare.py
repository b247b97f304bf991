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
from dataclasses import dataclass, replace

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.paired import (
    HEAD_TO_HEAD,
    METRIC_OF,
    VIEWS,
    Compared,
    PairedModels,
    View,
    compare,
    difference,
)
from judgebench.metrics.paired_confidences import CONFIDENCE_METRICS
from judgebench.metrics.win_rate import WIN_RATE
from judgebench.records import Estimate
from judgebench.reports.boards import judges_called
from judgebench.reports.gate_unchanged import Unchanged, basis_of, unchanged
from judgebench.reports.model_pairs import (
    METRICS,
    Flip,
    PairData,
    drop_found,
    equal,
    flips,
    more_items,
)
from judgebench.reports.pair_confidences import PairConfidences
from judgebench.reports.pair_length_control import calibrated, pair_at_equal_length
from judgebench.stats.gate_rule import Direction, direction, too_few, units_to_differ
from judgebench.stats.paired_tests import deciding_levels, holm
from judgebench.store import Store

_MANY = 100
"""Of so many tests together even the strictest level has draws enough."""

COMPARISON_METRICS = (*METRICS, HEAD_TO_HEAD)
"""What can be asked for; ``win_rate`` is that of comparisons with each other as well."""

GATE_ALPHA = 0.05
"""Of `judgebench gate` without a policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One test of the first model against the second; figures are in the metric's units.

    first, second
        As the benchmark's boards show them; a difference is ``first`` minus ``second``.
    metric
        ``head_to_head`` where a judge compared the two with each other: the first one's win rate,
        in percent, beside the 50 of a draw.
    opponent
        Whom both were compared with, of win rates; None elsewhere.
    confidence, higher_is_better
        Of what confidence the metric is, None elsewhere; a difference is ``first`` minus
        ``second`` in the metric's units also where lower is better, and ``better`` is better.
    group
        The items that are looked at alone; None for all.
    difference
        Its interval is that of the test that decides, at the level that the test has among all
        tests; ``worst_low`` and ``worst_high`` with what is missing at its ends.
    p_value, p_adjusted
        Two-sided; nan where nothing could be tested.
    because
        Why it is undecided; None where it is decided.
    detectable
        The difference that these items find with a power of 80 %, at the strictest level among all
        tests; nan where that is not known.
    flips
        The items on which the two differ, those that cost the first one most first.
    equal
        On how many items both have a readable verdict and do not differ.
    notes
        What has to be known to believe the difference.
    gate_drop, unchanged
        Two points of the scale, in the metric's units, and how often a gate that allows such a drop
        passes an unchanged model by this test alone; None for a scale without ends.
    """

    benchmark: str
    version: str
    metric: str
    judge: str
    first: str
    second: str
    opponent: str | None
    confidence: str | None
    higher_is_better: bool
    group: str | None
    decision: Direction
    because: str | None
    values: tuple[float, float]
    difference: Estimate
    p_value: float
    p_adjusted: float
    detectable: float
    coverage: tuple[float, float]
    flips: tuple[Flip, ...]
    equal: int
    notes: tuple[str, ...]
    gate_drop: float = math.nan
    unchanged: Unchanged | None = None

    @property
    def direct(self) -> bool:
        """Whether the two were compared with each other."""
        return is_direct(self.metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models on all that both were judged on; the verdict is over whole benchmarks."""

    verdict: Direction
    first: str
    second: str
    level: float
    tests: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


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
    seed: int = 0,
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

    Raises
    ------
    UsageError
        For a name that the store does not have, and where the two have nothing in common.
    """
    for one in metrics:
        if one not in COMPARISON_METRICS:
            raise UsageError(unknown_name("metric of a comparison", one, COMPARISON_METRICS))
    asked = _Asked(store, first, second, judges, metrics, by, (1.0 - level) / 2.0, seed)
    notes = asked.take(benchmarks)
    tests = asked.tests
    adjusted = holm([one.p_value("observed") for one in tests])
    levels = {
        view: deciding_levels([one.p_value(view) for one in tests], alpha=1.0 - level)
        for view in VIEWS
    }
    decided = tuple(
        one.decided(adjusted[place], {view: levels[view][place] for view in VIEWS}, len(tests))
        for place, one in enumerate(tests)
    )
    return Comparison(
        verdict=overall([one.decision for one in decided if one.group is None]),
        first=first,
        second=second,
        level=level,
        tests=decided,
        notes=notes,
    )


def is_direct(metric: str) -> bool:
    """Whether a metric, of all items or of a group, is that of comparisons with each other."""
    return metric.partition("/")[0] == HEAD_TO_HEAD


def overall(decisions: Sequence[Direction]) -> Direction:
    """Better where some test says so and none the contrary; worse likewise."""
    said = {one for one in decisions if one != "undecided"}
    return said.pop() if len(said) == 1 else "undecided"


class _Asked:
    """What is to be tested, benchmark by benchmark."""

    def __init__(
        self,
        store: Store,
        first: str,
        second: str,
        judges: Sequence[str],
        metrics: Sequence[str],
        by: str | None,
        alpha: float,
        seed: int,
    ) -> None:
        self.store, self.names, self.judges, self.by = store, (first, second), judges, by
        self.metrics = metrics or tuple(METRIC_OF.values())
        self.alpha, self.seed = alpha, seed
        self.tests: list[_Test] = []

    def take(self, benchmarks: Sequence[str]) -> tuple[str, ...]:
        """The tests of some benchmarks, or of all; what is said is what was left out of these."""
        if benchmarks:
            for one in benchmarks:
                self._take(PairData(self.store, one, self._both()))
            return ()
        faults = []
        for name, version in self.store.benchmarks():
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
        plain = set(self.metrics) <= {*METRIC_OF.values(), HEAD_TO_HEAD}
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
        # Against one of the two, both meet head to head: a test of its own.
        boards = [one for one in data.judges_of(two) if one[0].opponent not in two]
        direct = data.direct_judges(two)
        if self.judges:
            wanted = {
                shown
                for name in self.judges
                for shown in judges_called(name, data.board.judges, self.store, data.which)
            }
            boards = [(kind, judge) for kind, judge in boards if judge in wanted]
            direct = [judge for judge in direct if judge in wanted]
        if not boards and not direct:
            raise UsageError(
                f"{data.which}: {' or '.join(self.judges) or 'no judge'} has"
                f"{' not' if self.judges else ''} judged both {' and '.join(two)}"
            )
        if self.by is not None:
            data.board.check_grouping(self.by)
        found = [
            *self._directly(data, two, direct),
            *self._of_boards(data, two, boards),
            *self._at_equal_length(data, two, boards),
            *self._of_confidences(data, two, {judge for _, judge in boards}),
        ]
        if not found:
            self._refuse(data, two, boards)
            raise UsageError(
                f"{data.which}: nothing gives both {' and '.join(two)} {' or '.join(self.metrics)}"
            )
        self.tests += found

    def _of_boards(
        self, data: PairData, two: tuple[str, str], boards: Sequence[tuple[BoardKind, str]]
    ) -> Iterator[_Test]:
        for kind, judge in boards:
            for group in self._groups(data):
                if METRIC_OF[kind.kind] in self.metrics:
                    pair = data.pair(kind, judge, two, group, self.by)
                    if group is None or len(pair.items):
                        yield self._test(data, kind.opponent, two, group, pair)

    def _directly(
        self, data: PairData, two: tuple[str, str], judges: Sequence[str]
    ) -> Iterator[_Test]:
        """Of each judge that compared the one with the other."""
        if not {WIN_RATE, HEAD_TO_HEAD}.intersection(self.metrics):
            return
        for judge in judges:
            for group in self._groups(data):
                pair = data.direct(judge, two, group, self.by)
                if group is None or len(pair.items):
                    yield self._test(data, None, two, group, pair)

    def _groups(self, data: PairData) -> list[str | None]:
        named = {} if self.by is None else data.board.groups(self.by)
        return [None, *sorted(set(named.values()))]

    def _test(
        self,
        data: PairData,
        opponent: str | None,
        two: tuple[str, str],
        group: str | None,
        pair: PairedModels,
    ) -> _Test:
        compared = compare(pair, alpha=self.alpha, seed=self.seed, finest=self.alpha / _MANY)
        return _Test(data, opponent, two, group, pair, compared, self.alpha)

    def _at_equal_length(
        self, data: PairData, two: tuple[str, str], boards: Sequence[tuple[BoardKind, str]]
    ) -> Iterator[_Test]:
        """Where a calibration holds; a board without has no such metric."""
        if LENGTH_CONTROLLED not in self.metrics:
            return
        comparisons = [one for one in boards if one[0].kind == "preference"]
        for kind, judge in calibrated(data, comparisons):
            pair, compared = pair_at_equal_length(
                data, kind, judge, two, alpha=self.alpha, seed=self.seed
            )
            yield _Test(data, kind.opponent, two, None, pair, compared, self.alpha)

    def _refuse(
        self, data: PairData, two: tuple[str, str], boards: Sequence[tuple[BoardKind, str]]
    ) -> None:
        """In the words of a board, where it lacks no more than a calibration."""
        for kind, judge in boards:
            if LENGTH_CONTROLLED in self.metrics and kind.kind == "preference":
                pair_at_equal_length(data, kind, judge, two, alpha=self.alpha)

    def _of_confidences(
        self, data: PairData, two: tuple[str, str], judges: Collection[str]
    ) -> Iterator[_Test]:
        """Every confidence of both, against the labels of each judge that has labelled both."""
        wanted = [metric for metric in CONFIDENCE_METRICS if metric in self.metrics]
        if not wanted:
            return
        asked = PairConfidences(data, two)
        for judge in asked.judges():
            if judge in judges:
                for confidence in asked.of_both():
                    for metric in wanted:
                        pair, compared = asked.pair(
                            metric, judge, confidence, alpha=self.alpha, seed=self.seed
                        )
                        yield _Test(data, None, two, None, pair, compared, self.alpha)


class _Test:
    """One comparison, computed; decided when the others are known."""

    def __init__(
        self,
        data: PairData,
        opponent: str | None,
        two: tuple[str, str],
        group: str | None,
        pair: PairedModels,
        compared: Compared,
        alpha: float,
    ) -> None:
        self.data, self.opponent, self.two, self.group, self.alpha = (
            data, opponent, two, group, alpha
        )  # fmt: skip
        self.judge, self.pair, self.compared = pair.judge, pair, compared

    def p_value(self, view: View) -> float:
        if self.pair.why_not is not None:
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
        return Difference(
            benchmark=self.data.which.name,
            version=self.data.which.version,
            metric=pair.metric,
            judge=self.judge,
            first=self.two[0],
            second=self.two[1],
            opponent=self.opponent,
            confidence=pair.confidence,
            higher_is_better=pair.higher_is_better,
            group=self.group,
            decision=found["observed"] if because is None else "undecided",
            because=because,
            values=(compared.candidate * pair.shown, compared.baseline * pair.shown),
            difference=difference(
                pair, compared, compared.observed.bounds(decided_at / 2.0), level=1.0 - decided_at
            ),
            p_value=self.p_value("observed"),
            p_adjusted=p_adjusted,
            detectable=drop_found(compared, alpha=self.alpha / n_tests) * pair.unit,
            coverage=pair.coverage,
            flips=flips(pair),
            equal=equal(pair),
            notes=tuple(self._notes()),
            gate_drop=drop,
            unchanged=passes,
        )

    def _gate(self) -> tuple[float, Unchanged | None]:
        """What a gate that allows two points of the scale makes of an unchanged model."""
        if not math.isfinite(self.pair.width) or self.group is not None:
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
            return "no item has a readable verdict on both"
        if (few := too_few(observed.units, passing=False)) is not None:
            return few
        if len(set(found.values())) > 1:
            return (
                f"missing verdicts: at their worst or best for {self.two[0]}, it decides otherwise"
            )
        if not self.compared.bounded:
            return self.compared.why_unbounded
        if found["observed"] != "undecided":
            return None
        # Of several tests the hardest case of Holm's: at most so many are asked for.
        alpha = 2.0 * self.alpha / n_tests
        needed = units_to_differ(observed.difference, observed.spread, alpha=alpha)
        if math.isinf(needed):
            return "no difference is seen"
        return more_items(needed, observed) or "the interval's end lies close to 0"

    def _notes(self) -> list[str]:
        stacks = self.data.other_stack(self.two)
        if is_direct(self.pair.metric):
            said = self.data.direct_notes(self.judge, self.two)
        else:
            changed = self.data.judge_changed(self.judge, self.two)
            said = [] if changed is None else [changed]
        said += [] if stacks is None else [stacks.said]
        floor = self.data.which.coverage_floor
        return (
            self.data.suspicious(self.two)
            + said
            + [
                f"{100 * readable:.1f} % of the verdicts on {model} could be read"
                for model, readable in zip(self.two, self.pair.coverage, strict=True)
                if readable < floor
            ]
        )
