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
from dataclasses import replace
from functools import cache, partial

from judgebench.errors import UsageError
from judgebench.metrics.paired_models import VIEWS
from judgebench.report.gate_outcome import Decided, GateReport
from judgebench.report.gate_policy import GateTest, Policy
from judgebench.report.gate_question import Question
from judgebench.report.model_pairs import PairData
from judgebench.report.slide import policy_slide
from judgebench.stats.gate_rule import Decision
from judgebench.stats.paired_tests import benjamini_hochberg, deciding_levels, holm
from judgebench.store import Store

_ADJUST = {"holm": holm, "bh": benjamini_hochberg}


def gate_report(
    store: Store, *, candidate: str, baseline: str, policy: Policy, seed: int = 0
) -> GateReport:
    """Carry out a policy.

    Raises
    ------
    UsageError
        For a benchmark, a model, a judge or a metric that the store does not have.
    """
    data_of = cache(partial(PairData, store))
    asked = []
    for test in policy.tests:
        data = data_of(test.benchmark)
        asked.append(Question(data, test, data.two(candidate, baseline), policy, seed))
    tests = tuple(
        replace(one, slide=policy_slide(two.data, policy, place, two.two, candidate))
        for place, (one, two) in enumerate(zip(decide_tests(asked, policy), asked, strict=True))
    )
    return GateReport(
        verdict=overall([one.verdict for one in tests]),
        candidate=candidate,
        baseline=baseline,
        alpha=policy.level,
        correction=policy.correction,
        tests=tests,
        alarms=tuple(dict.fromkeys(alarm for one in asked for alarm in one.alarms())),
        notes=tuple(dict.fromkeys(note for one in asked for note in one.notes(baseline))),
    )


def decide_tests(asked: Sequence[Question], policy: Policy) -> tuple[Decided, ...]:
    """The tests of a policy, each at the level that it has among the others."""
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
        one.tested(adjusted[place], {view: levels[view][place] for view in VIEWS})
        for place, one in enumerate(asked)
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
