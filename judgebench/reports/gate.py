"""The regression gate: has a candidate dropped, beyond what chance and missing verdicts explain?

Each test is decided three times, as observed and with what is missing at its worst and at its best
for the candidate. A policy's p-values are adjusted together. What keeps a question open is said: a
judge that changed, a stack that changed, too few items, too little that could be read. Where the
policy names a fixed baseline, all nights since then are tested together beside it, and a slide is a
regression too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.paired import METRIC_OF, VIEWS
from judgebench.plain_text import too_few_items
from judgebench.reports.gate_outcome import Decided, GateReport
from judgebench.reports.gate_policy import ChosenTest, Policy
from judgebench.reports.gate_test import Question
from judgebench.reports.gate_unchanged import Basis, Unchanged, unchanged
from judgebench.reports.known_spread import KnownSpread, known_spread
from judgebench.reports.model_pairs import PairData
from judgebench.reports.slide import SlideReport, policy_slide
from judgebench.stats.gate_rule import FEWEST_TO_PASS, Decision
from judgebench.stats.paired_tests import benjamini_hochberg, deciding_levels, holm
from judgebench.stats.unchanged import CHANCE, even_chance
from judgebench.store import Store

_ADJUST = {"holm": holm, "bh": benjamini_hochberg}

LEAST_DROP, MOST_DROP = 2.0, 6.0
"""Points of the scale between which the allowed drop is chosen where nobody states one."""


def gate_report(
    store: Store, *, candidate: str, baseline: str, policy: Policy, seed: int = 0
) -> GateReport:
    """Carry out a policy.

    Raises
    ------
    UsageError
        For a benchmark, a model, a judge or a metric that the store does not have.
    """
    asked = _questions(store, candidate, baseline, policy, seed)
    chances, chance = unchanged(_bases(asked, policy), alpha=policy.level)
    decided = decide_tests(asked, policy, chances)
    slides = _slides(asked, policy, candidate)
    tests = tuple(replace(one, slide=its) for one, its in zip(decided, slides, strict=True))
    return GateReport(
        verdict=overall([one.verdict for one in tests]),
        candidate=candidate,
        baseline=baseline,
        alpha=policy.level,
        correction=policy.correction,
        tests=tests,
        alarms=tuple(dict.fromkeys(alarm for one in asked for alarm in one.alarms())),
        notes=tuple(dict.fromkeys(note for one in asked for note in one.notes(baseline))),
        chance_unchanged=chance,
    )


def _slides(asked: Sequence[Question], policy: Policy, candidate: str) -> list[SlideReport | None]:
    """What all nights say of each test; of tests that differ in their drops alone it is one."""
    found: dict[str, SlideReport | None] = {}
    drops = {"max_drop", "strict_drop", "source"}
    keys = [test.model_dump_json(exclude=drops) for test in policy.tests]
    for place, (key, one) in enumerate(zip(keys, asked, strict=True)):
        if key not in found:
            found[key] = policy_slide(one.data, policy, place, one.two, candidate)
    return [found[key] for key in keys]


def _bases(asked: Sequence[Question], policy: Policy) -> list[Basis]:
    """What each test's chance rests on, by the policy's conditions."""
    return [
        replace(
            basis,
            strict_drop=test.strict_drop,
            floor=basis.floor if test.coverage_floor is None else test.coverage_floor,
        )
        for basis, test in zip((one.basis() for one in asked), policy.tests, strict=True)
    ]


def decide_tests(
    asked: Sequence[Question], policy: Policy, chances: Sequence[Unchanged | None] = ()
) -> tuple[Decided, ...]:
    """The tests of a policy, each at the level that it has among the others.

    ``chances`` says of each how often it passes an unchanged model, where that was worked out.
    """
    known = chances or [None] * len(asked)
    adjusted = _ADJUST[policy.correction]([one.test("observed").p_worse for one in asked])
    levels = {
        view: deciding_levels(
            [one.test(view).p_worse for one in asked],
            alpha=policy.level,
            correction=policy.correction,
        )
        for view in VIEWS
    }
    return tuple(
        one.tested(adjusted[place], {view: levels[view][place] for view in VIEWS}, known[place])
        for place, one in enumerate(asked)
    )


def _questions(
    store: Store, candidate: str, baseline: str, policy: Policy, seed: int
) -> list[Question]:
    """The tests, computed; a benchmark is read once, and what is asked twice is computed once."""
    read: dict[str, tuple[PairData, tuple[str, str]]] = {}
    computed: dict[tuple[object, ...], Question] = {}
    asked = []
    for test in policy.tests:
        if test.benchmark not in read:
            data = PairData(store, test.benchmark)
            read[test.benchmark] = data, data.two(candidate, baseline)
        same = (
            test.benchmark, test.judge, test.metric, test.confidence, test.head_to_head,
            test.stack_tolerance,
        )  # fmt: skip
        if same not in computed:
            data, two = read[test.benchmark]
            computed[same] = Question(data, test, two, policy, seed)
        asked.append(computed[same].by(test))
    return asked


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
    share: float | None = None,
    alpha: float = 0.05,
    head_to_head: bool = False,
) -> Policy:
    """A test for each benchmark and judge that both models have.

    With ``head_to_head`` for each judge that has compared the one with the other.

    Parameters
    ----------
    share
        The allowed drop, as a share of the scale. If None it is chosen before the candidate is
        looked at: that at which an unchanged model passes all tests on 80 % of nights, between
        `LEAST_DROP` and `MOST_DROP` points of the scale.

    Raises
    ------
    UsageError
        Where they have none in common.
    """
    boards = boards_in_common(store, candidate, baseline, head_to_head=head_to_head)
    each = even_chance(len(boards), ())
    tests = [
        _chosen(one, each, alpha, head_to_head=head_to_head)
        if share is None
        else ChosenTest(
            benchmark=one.benchmark,
            judge=one.judge,
            max_drop=share * one.known.scale * one.known.unit,
            head_to_head=head_to_head,
            source="--max-drop",
        )
        for one in boards
    ]
    return Policy(tests=tests, alpha=alpha)


def chosen_test(
    data: PairData, kind: BoardKind, judge: str, two: tuple[str, str], *, alpha: float
) -> ChosenTest:
    """The test of one board by itself, with the drop that a gate chooses where nobody states one.

    Raises
    ------
    UsageError
        For a scale without ends.
    """
    known = known_spread(data, kind, judge, two)
    if not math.isfinite(known.scale):
        raise UsageError("a scale without ends has no share of which a drop could be allowed")
    board = BoardInCommon(
        benchmark=str(data.which), judge=judge, metric=METRIC_OF[kind.kind], known=known
    )
    return _chosen(board, even_chance(1, ()), alpha, head_to_head=False)


def _chosen(one: BoardInCommon, each: float, alpha: float, *, head_to_head: bool) -> ChosenTest:
    """The test of a board with the allowed drop that is chosen where nobody states one."""
    known = one.known
    points = known.points_to_pass(alpha, each)
    drop = min(max(points, LEAST_DROP), MOST_DROP) if math.isfinite(points) else MOST_DROP
    size = known.scale * known.unit / 100.0
    if drop == points:
        how = f"{100 * CHANCE:g} % for an unchanged model by that spread"
    elif drop > points:
        how = f"the least there is: by that spread an unchanged model would need {points:g}"
    elif known.never is not None:
        how = f"the most there is: {known.never}"
    elif known.units < FEWEST_TO_PASS:
        how = f"the most there is: {too_few_items(known.units)} for any pass"
    else:
        needs = f"{points:g} points" if math.isfinite(points) else "more than there are"
        how = (
            f"the most there is: by that spread {100 * CHANCE:g} % for an unchanged model would "
            f"need {needs}"
        )
    return ChosenTest(
        benchmark=one.benchmark,
        judge=one.judge,
        max_drop=drop * size,
        strict_drop=LEAST_DROP * size if drop > LEAST_DROP else None,
        head_to_head=head_to_head,
        source=f"default, {drop:g} points of the scale, chosen from what was known before: {how}; "
        f"the spread is {known.said}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardInCommon:
    """A board on which one judge has judged both models, and what was known before the candidate.

    ``metric`` is what its verdicts make.
    """

    benchmark: str
    judge: str
    metric: str
    known: KnownSpread


def boards_in_common(
    store: Store,
    candidate: str,
    baseline: str,
    *,
    head_to_head: bool = False,
    every_night: bool = False,
) -> list[BoardInCommon]:
    """The boards of a store that could be gated by, but for scales without ends.

    Parameters
    ----------
    every_night
        Whether the drop is one from the mean of all of the baseline's nights.

    Raises
    ------
    UsageError
        Where there is none.
    """
    found, faults = [], []
    for name, version in store.benchmarks():
        data = PairData(store, f"{name}@{version}")
        try:
            two = data.two(candidate, baseline)
        except UsageError as error:
            faults.append(f"\n  {error}")
            continue
        for kind, judge in data.heads_of(two) if head_to_head else data.judges_of(two):
            known = known_spread(
                data, kind, judge, two, head_to_head=head_to_head, every_night=every_night
            )
            if math.isfinite(known.scale):
                found.append(
                    BoardInCommon(
                        benchmark=f"{name}@{version}",
                        judge=judge,
                        metric=METRIC_OF[kind.kind],
                        known=known,
                    )
                )
    if not found:
        raise UsageError(
            f"{store.name} has no benchmark on which one judge has judged both {candidate!r} and "
            f"{baseline!r}; `judgebench leaderboard BENCHMARK` shows whom it has, and `judgebench "
            f"baseline list` which baselines have a name{':' if faults else ''}{''.join(faults)}"
        )
    return found
