"""One test of a gate: what it is about, what it comes to, and what keeps it open."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import partial

from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.paired import VIEWS, Compared, PairedModels, View, compare, difference
from judgebench.metrics.paired_confidences import CONFIDENCE_METRICS
from judgebench.plain_text import counted
from judgebench.reports import estimates
from judgebench.reports.agreement import agreement_report
from judgebench.reports.drift import JudgeDrift, day
from judgebench.reports.gate_board import board_meant
from judgebench.reports.gate_confirm import Confirmation, heard_afresh
from judgebench.reports.gate_missing import in_each_view, too_little_read, turned_by_missing
from judgebench.reports.gate_outcome import Alarm, Decided
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.reports.gate_unchanged import Basis, Unchanged, basis_of
from judgebench.reports.model_pairs import PairData, drop_found, flips, more_items
from judgebench.reports.pair_confidences import PairConfidences
from judgebench.reports.pair_length_control import pair_at_equal_length
from judgebench.reports.versions import OtherNights, other_nights
from judgebench.stats.gate_rule import Deciding, Decision, too_few, units_to_decide
from judgebench.stats.paired_tests import PairedTest

A_DAY = 86_400.0
"""Seconds; a judge is asked about its anchors once a day."""


class Question:
    """One test of a policy, computed; decided when the others are known.

    Parameters
    ----------
    data
        Of the benchmark that the test is about.
    two
        Candidate and baseline as its boards show them.
    """

    def __init__(
        self,
        data: PairData,
        test: GateTest,
        two: tuple[str, str],
        policy: Policy,
        seed: int,
    ) -> None:
        self.data, self.two = data, two
        self._store, self._test, self._alpha = data.board.store, test, policy.level
        self._finest = policy.level / len(policy.tests)
        self._most_nights = policy.baseline_nights
        self.kind: BoardKind | None = None
        self.nights = OtherNights()
        self._basis: list[Basis] = []  # what askers of the same have in common
        self._confirm, self._seed = policy.confirm, seed
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
        kind, judge = board_meant(self.data, self.two, self._test, metric)
        if metric == LENGTH_CONTROLLED:
            return judge, *pair_at_equal_length(
                self.data, kind, judge, self.two, alpha=self._alpha, seed=seed
            )
        self.kind = kind
        self.nights = other_nights(self.data, kind, judge, self.two, most=self._most_nights - 1)
        pair = self.data.pair(kind, judge, self.two, group, again=self.nights.models)
        self._fresh = partial(self.data.pair, kind, judge, self.two, group, afresh=True)
        return judge, pair, compare(pair, alpha=self._alpha, seed=seed, finest=self._finest)

    def notes(self, baseline: str) -> list[str]:
        """What a reader has to know of both models, and of stacks that were shown to be alike."""
        said = [f"{self.data.which}: {one}" for one in self.data.suspicious(self.two)]
        said += [*self.data.notes(self.two, baseline), *self.nights.notes]
        if self.nights.models:
            said.append(
                f"{self.data.which}: the baseline is the mean of {1 + len(self.nights.models)} "
                f"nights: {', '.join((self.two[1], *self.nights.models))}"
            )
        elif self._most_nights > 1:
            said.append(
                f"{self.data.which}: {self.two[1]} was asked on one night only; the policy would "
                f"average {self._most_nights}"
            )
        if self.stacks is not None and self.stacks.alike:
            said.append(f"{self.data.which}: {self.stacks.said}")
        return said

    def test(self, view: View) -> PairedTest:
        """As observed, or with what is missing at one of its ends."""
        return self.compared.view(view)

    def by(self, test: GateTest) -> Question:
        """The same question with another allowed drop, or other conditions."""
        found = copy(self)
        found._test = test
        found._check_drop()
        return found

    def basis(self) -> Basis:
        """What the chance rests on that the test passes a model that is as good."""
        if not self._basis:
            self._basis.append(
                basis_of(
                    self.data, self.kind, self.two, self.pair, self.compared, self.nights.models
                )
            )
        return replace(self._basis[0], max_drop=self._test.max_drop, min_n=self._test.min_n)

    def tested(
        self,
        p_adjusted: float,
        levels: Mapping[View, float],
        unchanged: Unchanged | None = None,
    ) -> Decided:
        """What it comes to.

        Parameters
        ----------
        levels
            At which a regression is called in each view, adjusted over the policy as
            ``p_adjusted`` is.
        """
        pair, compared, unit = self.pair, self.compared, self.pair.unit
        margin, strict = self._test.max_drop / unit, self._test.strict_drop
        decisions = in_each_view(
            compared,
            levels,
            margin=margin,
            alpha=self._alpha,
            strict=None if strict is None else strict / unit,
        )
        decision = decisions["observed"]
        because = self._why_open(decisions, margin)
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
            stands = observed.low == -margin or observed.bounds(levels["observed"])[1] == 0.0
            if not stands:
                to_decide = units_to_decide(
                    observed.difference,
                    observed.spread,
                    margin=margin,
                    alpha=self._alpha,
                    called_at=self._finest,
                )
            because = because or self._what_would_decide(to_decide, levels["observed"])
        called_at = levels["observed"]
        ends = observed.passing(self._alpha), observed.bounds(called_at)[1]
        one_sided = (1.0 - self._alpha, 1.0 - called_at)
        drop = drop_found(compared, alpha=self._finest)
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
            difference=difference(pair, compared, ends, level=1.0 - self._alpha - called_at),
            levels=one_sided if pair.higher_is_better else one_sided[::-1],
            p_value=observed.p_worse,
            p_adjusted=p_adjusted,
            detectable_drop=drop * unit,
            to_decide=to_decide,
            coverage=pair.coverage,
            confirmation=confirmation,
            flips=flips(pair),
            confidence=pair.confidence,
            higher_is_better=pair.higher_is_better,
            strict_drop=strict,
            passes_at_strict=None
            if strict is None
            else decision == "pass" and self._passes(strict),
            by_strict=decision == "regression" and self._passes(self._test.max_drop),
            margin_source=self._test.margin_source,
            unchanged=unchanged,
        )

    def _check_drop(self) -> None:
        """A drop of the whole scale lets everything pass, and is a slip of units.

        Raises
        ------
        UsageError
            Saying what two points are.
        """
        whole = self.pair.width * self.pair.unit
        if self._test.max_drop >= whole:
            raise UsageError(
                f"{self.data.which}: max_drop: {self._test.max_drop:g} is all there is of "
                f"{self.pair.metric}, so that everything would pass; two points of it are "
                f"{0.02 * whole:g}"
            )

    def _passes(self, drop: float) -> bool:
        """Whether it passes at a smaller drop as well, with what is missing at its ends too."""
        return all(self.test(view).low > -drop / self.pair.unit for view in VIEWS)

    def _why_open(self, decisions: Mapping[View, Decision], margin: float) -> str | None:
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
        if (unread := too_little_read(self.two, self.pair.coverage, self._floor)) is not None:
            return unread
        if observed.units < self._test.min_n:
            return (
                f"{observed.units} items have a verdict on both, and {self._test.min_n} are asked"
            )
        would_pass = decisions["observed"] != "regression" and observed.low > -margin
        if observed.units and (few := too_few(observed.units, passing=would_pass)) is not None:
            return few
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
        last = drift.looks[-1].at if drift.looks else drift.pinned_at
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
        if math.isnan(observed.difference):
            return "no item has a readable verdict on both"
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
        return more_items(deciding.fewest, observed) or "a bound lies close to what it decides at"
