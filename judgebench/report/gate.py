"""The regression gate: has a candidate dropped, beyond what chance and missing verdicts explain?

Each test is decided three times, as observed and with what is missing at its worst and at its best
for the candidate. A policy's p-values are adjusted together. What keeps a question open is said: a
judge that changed, a stack that changed, too few items, too little that could be read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.balanced import Balance
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.paired_models import Compared, PairedModels, compare, paired_models
from judgebench.records import Estimate
from judgebench.report.agreement import agreement_report
from judgebench.report.board_data import BoardData
from judgebench.report.boards import Columns, meant
from judgebench.report.gate_models import newest_called, the_two
from judgebench.report.gate_policy import GateTest, Policy
from judgebench.stats.gate_rule import Deciding, Decision, decide, detectable, units_to_decide
from judgebench.stats.paired_tests import PairedTest, benjamini_hochberg, holm
from judgebench.store import Store

MISSING_DECIDES = "missing verdicts: at their worst or best for the candidate, it decides otherwise"

_METRIC_OF = {"label": "accuracy", "score": "score", "preference": "win_rate"}
_ADJUST = {"holm": holm, "bh": benjamini_hochberg}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """An item on which the two models differ, in the metric's units."""

    item_id: str
    candidate: float
    baseline: float

    @property
    def difference(self) -> float:
        return self.candidate - self.baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One test and what came of it; figures are in the metric's units.

    candidate, baseline, candidate_id, baseline_id
        The models as they are shown, and their short ids.
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
    flips
        The items on which the two differ, those that cost the candidate most first.
    """

    benchmark: str
    version: str
    metric: str
    judge: str
    candidate: str
    baseline: str
    candidate_id: str
    baseline_id: str
    max_drop: float
    unit: str
    decision: Decision
    because: str | None
    values: tuple[float, float]
    difference: Estimate
    p_value: float
    p_adjusted: float
    detectable_drop: float
    to_decide: Deciding | None
    coverage: tuple[float, float]
    flips: tuple[Flip, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """The tests of a policy, and the verdict over all of them."""

    verdict: Decision
    candidate: str
    baseline: str
    alpha: float
    correction: str
    tests: tuple[Decided, ...]
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
    views = ("observed", "worst", "best")
    adjusted = {view: adjust([one.test(view).p_worse for one in asked]) for view in views}
    tests = tuple(
        one.tested({view: adjusted[view][place] for view in views})
        for place, one in enumerate(asked)
    )
    return GateReport(
        verdict=overall([one.decision for one in tests]),
        candidate=candidate,
        baseline=baseline,
        alpha=policy.level,
        correction=policy.correction,
        tests=tests,
        notes=tuple(
            dict.fromkeys(note for one in asked for note in one.data.notes(one.two, baseline))
        ),
    )


def overall(decisions: Sequence[Decision]) -> Decision:
    """A pass needs all tests to pass; one regression is one."""
    for verdict in ("regression", "inconclusive"):
        if verdict in decisions:
            return verdict
    return "pass"


def usual_policy(
    store: Store, candidate: str, baseline: str, *, share: float, alpha: float
) -> Policy:
    """A test for each benchmark and judge that both models have, bearing a share of the scale.

    Raises
    ------
    UsageError
        Where they have none in common.
    """
    tests = []
    for name, version in store.benchmarks():
        data = _Data(store, f"{name}@{version}")
        try:
            two = data.two(candidate, baseline)
        except UsageError:
            continue
        for kind, judge in data.judges_of(two):
            width = data.pair(kind, judge, two, None).width
            unit = 100.0 if kind.kind == "preference" else 1.0
            if math.isfinite(width):
                tests.append(
                    GateTest(
                        benchmark=f"{name}@{version}",
                        judge=judge,
                        max_drop=share * width * unit,
                    )
                )
    if not tests:
        raise UsageError(
            f"{store.url} has no benchmark on which one judge has judged both {candidate!r} and "
            f"{baseline!r}; `judgebench leaderboard BENCHMARK` shows whom it has, and `judgebench "
            "baseline list` which baselines have a name"
        )
    return Policy(tests=tests, alpha=alpha)


class _Data:
    """A benchmark of the store, with what a gate needs to know of it."""

    def __init__(self, store: Store, benchmark: str) -> None:
        self.which = meant(store, benchmark)
        self.board = BoardData(store, self.which, ())
        self.stored: Columns = store.verdicts(self.which.name, self.which.version)
        self.answers: Columns = store.responses_table(self.which.name, self.which.version)

    def two(self, candidate: str, baseline: str) -> tuple[str, str]:
        return the_two(self.board, self.stored, candidate, baseline, self.held(baseline))

    def held(self, baseline: str) -> str | None:
        """The id of the model that is the baseline of that name here; None where none was set."""
        its = [
            one.model_id
            for one in self.board.store.baselines()
            if (one.name, one.benchmark, one.version)
            == (baseline, self.which.name, self.which.version)
        ]
        return its[-1] if its else None

    def notes(self, two: tuple[str, str], baseline: str) -> list[str]:
        """What a reader has to know of who the baseline is."""
        if (held := self.held(baseline)) is None:
            return []
        said = []
        called = newest_called(self.board, self.stored, baseline)
        if called is not None and self.board.model_ids[called] != held:
            said.append(
                f"{self.which}: {baseline!r} is the baseline that was set, {two[1]} ({held}), and "
                f"also the name of a model, which is not meant"
            )
        if two[0] == two[1]:
            said.append(f"{self.which}: the candidate is the baseline, {two[0]}: nothing changed")
        return said

    def judges_of(self, two: tuple[str, str]) -> list[tuple[BoardKind, str]]:
        """The boards on which both have been judged."""
        found = []
        for kind, verdicts in self.board.verdicts.items():
            seen = set(zip(verdicts["judge"], verdicts["model"], strict=True))
            found += [
                (kind, judge)
                for judge in sorted(set(verdicts["judge"]))
                if all((judge, model) in seen for model in two)
            ]
        return found

    @cached_property
    def balance(self) -> Balance | None:
        if not self.which.sides:
            return None
        return Balance(category_of=self.board.groups("category"), sides=self.which.sides)

    def pair(
        self, kind: BoardKind, judge: str, two: tuple[str, str], group: str | None
    ) -> PairedModels:
        group_of = self._group_of(group) if group is not None else None
        return paired_models(
            self.board.verdicts[kind],
            kind,
            judge,
            *two,
            labels=self.which.labels,
            balance=self.balance if kind.kind == "score" else None,
            group_of=group_of,
            group=group,
        )

    def _group_of(self, group: str) -> Mapping[str, str]:
        known: set[str] = set()
        for way in (*self.which.by, "category", "language"):
            named = self.board.groups(way)
            known |= set(named.values())
            if group in named.values():
                return named
        raise UsageError(f"{self.which}: {unknown_name('group', group, known)}")

    def served(self, judge: str, model: str) -> set[str]:
        """Who served the judge's replies about a model."""
        ids = {one for one, shown in self.board.judges.items() if shown == judge}
        model_id = self.board.model_ids[model]
        columns = (self.stored[name] for name in ("judge_id", "model_id", "served_model"))
        return {
            served
            for one, about, served in zip(*columns, strict=True)
            if one in ids and about == model_id and served
        }

    def stacks(self, model: str) -> set[str]:
        """What a local model's newest answers were run on."""
        model_id = self.board.model_ids[model]
        columns = (self.answers[name] for name in ("model_id", "stack", "newest"))
        return {
            stack
            for about, stack, newest in zip(*columns, strict=True)
            if about == model_id and newest and stack
        }


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
        self.data = _Data(store, test.benchmark)
        self.two = self.data.two(candidate, baseline)
        metric, _, group = (test.metric or "").partition("/")
        self.kind, self.judge = self._board(metric)
        self.pair = self.data.pair(self.kind, self.judge, self.two, group or None)
        self.compared: Compared = compare(self.pair, alpha=self._alpha, seed=seed)
        if self.two[0] == self.two[1]:  # what is missing of one is missing of the other, and is it
            self.compared = replace(self.compared, worst=None, best=None, bounded=True)

    def _board(self, metric: str) -> tuple[BoardKind, str]:
        boards = self.data.judges_of(self.two)
        if metric and metric not in _METRIC_OF.values():
            unknown = unknown_name("metric of a gate", metric, _METRIC_OF.values())
            raise UsageError(f"{self.data.which}: {unknown}")
        fitting = [
            (kind, judge)
            for kind, judge in boards
            if (not metric or _METRIC_OF[kind.kind] == metric)
            and (self._test.judge is None or judge == self._test.judge)
        ]
        if len(fitting) == 1:
            return fitting[0]
        if not fitting and (newer := self._judged_otherwise(metric)) is not None:
            return newer
        said = ", ".join(f"{judge} ({_METRIC_OF[kind.kind]})" for kind, judge in boards) or "nobody"
        if not fitting:
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
            if all(both) and (not metric or _METRIC_OF[kind.kind] == metric):
                return kind, both[0][0]
        return None

    def test(self, view: str) -> PairedTest:
        """As observed, or with what is missing at one of its ends."""
        found: PairedTest | None = getattr(self.compared, view)
        return self.compared.observed if found is None else found

    def tested(self, adjusted: Mapping[str, float]) -> Decided:
        pair, compared, unit = self.pair, self.compared, self.pair.unit
        margin = self._test.max_drop / unit
        decisions = {
            view: decide(self.test(view).low, p, margin=margin, alpha=self._alpha)
            for view, p in adjusted.items()
        }
        decision = decisions["observed"]
        because = self._why_open(decisions)
        if because is not None:
            decision = "inconclusive"
        observed = compared.observed
        to_decide = None
        if decision == "inconclusive":
            to_decide = units_to_decide(
                observed.difference, observed.spread, margin=margin, alpha=self._alpha
            )
            because = because or self._what_would_decide(to_decide)
        drop = detectable(observed.spread, observed.units, alpha=self._alpha)
        return Decided(
            benchmark=self.data.which.name,
            version=self.data.which.version,
            metric=pair.metric,
            judge=self.judge,
            candidate=self.two[0],
            baseline=self.two[1],
            candidate_id=self.data.board.model_ids[self.two[0]],
            baseline_id=self.data.board.model_ids[self.two[1]],
            max_drop=self._test.max_drop,
            unit="%" if unit != 1.0 else "",
            decision=decision,
            because=because,
            values=(compared.candidate * unit, compared.baseline * unit),
            difference=self._difference(),
            p_value=observed.p_worse,
            p_adjusted=adjusted["observed"],
            detectable_drop=drop * unit,
            to_decide=to_decide,
            coverage=self._coverage(),
            flips=self._flips(),
        )

    def _why_open(self, decisions: Mapping[str, Decision]) -> str | None:
        """What keeps the question open whatever the numbers say; None for nothing."""
        observed = self.compared.observed
        if self.pair.why_not is not None:
            known = self.judge in {judge for _, judge in self.data.judges_of(self.two)}
            return self.pair.why_not if known else f"judge changed: {self.pair.why_not}"
        if (changed := self._judge_changed()) is not None:
            return changed
        stacks = [self.data.stacks(model) for model in self.two]
        if all(stacks) and stacks[0] != stacks[1]:
            return "stack changed: the answers were generated by different software or batch sizes"
        floor = self._test.coverage_floor
        floor = self.data.which.coverage_floor if floor is None else floor
        for model, coverage in zip(self.two, self._coverage(), strict=True):
            if coverage < floor:
                return (
                    f"{100 * coverage:.1f} % of the verdicts on {model} could be read, and "
                    f"{100 * floor:g} % have to be"
                )
        if observed.units < self._test.min_n:
            return (
                f"{observed.units} items have a verdict on both, and {self._test.min_n} are asked"
            )
        if (kappa := self._kappa_too_low()) is not None:
            return kappa
        if len(set(decisions.values())) > 1:
            return MISSING_DECIDES
        if not self.compared.bounded:
            return "verdicts are missing, and a scale without ends says nothing of their worst case"
        return None

    def _judge_changed(self) -> str | None:
        served = [self.data.served(self.judge, model) for model in self.two]
        allowed = set(self._test.served_models)
        strangers = sorted((served[0] | served[1]) - allowed) if allowed else []
        if strangers:
            return f"judge changed: {', '.join(strangers)} served replies, and may not"
        if all(served) and served[0] != served[1]:
            said = " and ".join(", ".join(sorted(one)) for one in served)
            return f"judge changed: replies about the two were served by {said}"
        return None

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

    def _difference(self) -> Estimate:
        observed, unit = self.compared.observed, self.pair.unit
        worst, best = self.test("worst"), self.test("best")
        bounded = self.compared.worst is not None
        return Estimate(
            value=observed.difference * unit,
            low=observed.low * unit if math.isfinite(observed.low) else math.nan,
            high=observed.high * unit if math.isfinite(observed.high) else math.nan,
            level=1.0 - 2.0 * self._alpha,
            n=int(self.pair.expected.sum() - self.pair.missing.sum()),
            units=observed.units,
            missing=int(self.pair.missing.sum()),
            method=observed.method,
            undefined="no item has a readable verdict on both"
            if math.isnan(observed.difference)
            else None,
            worst_low=worst.difference * unit if bounded else None,
            worst_high=best.difference * unit if bounded else None,
        )

    def _coverage(self) -> tuple[float, float]:
        expected = self.pair.expected.astype(float)
        shares = [
            1.0 - lacking / of if of else 0.0
            for lacking, of in zip(self.pair.missing.tolist(), expected.tolist(), strict=True)
        ]
        return shares[0], shares[1]

    def _flips(self) -> tuple[Flip, ...]:
        flips = [
            Flip(item_id=item, candidate=mine * self.pair.unit, baseline=theirs * self.pair.unit)
            for item, (mine, theirs) in zip(self.pair.items, self.pair.mean.tolist(), strict=True)
            if mine != theirs and not math.isnan(mine) and not math.isnan(theirs)
        ]
        return tuple(sorted(flips, key=lambda flip: (flip.difference, flip.item_id)))


__all__ = ["Flip", "GateReport", "Decided", "gate_report", "overall", "usual_policy"]
