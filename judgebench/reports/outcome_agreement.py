"""Agreement of judges that compare, and of all judges of a benchmark whatever they give."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from judgebench.columns import marked
from judgebench.errors import UsageError
from judgebench.metrics.failed_rows import with_failures
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judge_differences import ALL, BEST, JudgeChecks
from judgebench.metrics.outcome_agreement import (
    near_constant_outcomes_between,
    outcome_agreement,
    outcomes_between,
)
from judgebench.records import is_human
from judgebench.reports.agreement import (
    agreement_report,
    asked_for,
    only,
    over_models_without,
    with_costs,
    with_versus,
)
from judgebench.reports.agreement_tables import AgreementReport, Outcomes
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import Columns, meant, renamed, told_apart, where, with_units
from judgebench.reports.score_agreement import score_report
from judgebench.stats.agreement import Weighting
from judgebench.stats.pair_outcomes import OutcomeRule
from judgebench.store import Store

OF_PAIRS = ("preference",)


def agreement_reports(
    store: Store,
    benchmark: str,
    *,
    reference: str | None = None,
    judges: Collection[str] = (),
    between: bool = False,
    rule: OutcomeRule | None = None,
    weighting: Weighting = "nominal",
    intervals: Intervals | None = None,
    checks: JudgeChecks | None = None,
) -> tuple[AgreementReport, ...]:
    """A report for each kind of verdict in which there is something to compare.

    Parameters
    ----------
    benchmark, reference, judges, between, intervals
        As for `agreement_report`.
    rule, weighting
        As for `outcome_report`.
    checks
        As for `agreement_report`; the usual ones where not given.

    Raises
    ------
    UsageError
        For a name that the store does not hold, where the reference has no verdict of any kind that
        can be compared, and where no judge can be compared with the one that is named for it.
    """
    checks = checks or JudgeChecks()
    verdicts = _verdicts(store, benchmark)
    said = set(zip(verdicts["kind"], verdicts["judge"], strict=True))
    people = {kind for kind, judge in said if is_human(judge)}
    found: list[AgreementReport] = []
    refused: list[UsageError] = []
    how: dict[str, Any] = {
        "reference": reference, "judges": judges, "between": between, "intervals": intervals,
        "checks": checks,
    }  # fmt: skip
    makers: dict[str, Callable[..., AgreementReport]] = {
        "label": agreement_report,
        "preference": partial(outcome_report, rule=rule, weighting=weighting),
        "score": score_report,
    }
    without = _WithoutSuspicious(store, benchmark)
    for kind in makers:
        if kind not in {one for one, _ in said}:
            continue
        if kind == "score" and found and not (reference or between or kind in people):
            continue  # every confidence in an answer is a score: compared only where asked for
        try:
            report = without(makers[kind](store, benchmark, **how), makers[kind], how)
        except UsageError as error:
            refused.append(error)
        else:
            found.append(report)
    told = [report for report in found if report.rows or report.between]
    if not told and refused:
        raise refused[0]
    if checks.versus not in (None, ALL, BEST) and not any(one.differences for one in told):
        raise UsageError(
            f"--versus: no judge can be compared with {checks.versus}: that takes a reference, and "
            "another judge, with verdicts of one kind"
        )
    return tuple(told)


class _WithoutSuspicious:
    """Takes suspicious models out of the correlations over models."""

    def __init__(self, store: Store, benchmark: str) -> None:
        self.store, self.benchmark = store, benchmark
        which = meant(store, benchmark)
        data = BoardData(store, which, ())
        self.why = data.suspicious
        ids = {data.model_ids[model] for model in self.why}
        if ids:
            stored: Columns = store.board_verdicts(which.name, which.version)
            self.rest = where(stored, marked(stored["model_id"], lambda one: one not in ids))

    def __call__(
        self,
        report: AgreementReport,
        maker: Callable[..., AgreementReport],
        how: Mapping[str, Any],
    ) -> AgreementReport:
        if not self.why:
            return report
        try:
            others = maker(self.store, self.benchmark, **how, stored=self.rest)
        except UsageError:  # of the other models alone there is nothing to compare
            others = None
        return over_models_without(report, others, self.why)


def or_refused(reports: tuple[AgreementReport, ...], benchmark: str) -> tuple[AgreementReport, ...]:
    """The reports.

    Raises
    ------
    UsageError
        Where there is none.
    """
    if not reports:
        raise UsageError(
            f"{benchmark} has no two judges with labels or scores of the same answers, or with "
            "preferences about the same pairs; `judgebench import labels FILE` brings what people "
            "say"
        )
    return reports


def outcome_report(
    store: Store,
    benchmark: str,
    version: str | None = None,
    *,
    reference: str | None = None,
    judges: Collection[str] = (),
    between: bool = False,
    rule: OutcomeRule | None = None,
    weighting: Weighting = "nominal",
    intervals: Intervals | None = None,
    checks: JudgeChecks | None = None,
    stored: Columns | None = None,
) -> AgreementReport:
    """How far the judges of a benchmark agree on which of two answers is better.

    Parameters
    ----------
    benchmark, version, reference, judges, between, intervals, checks
        As for `agreement_report`; ``human`` is the majority of the outcomes of ``human/*``.
    rule
        How probabilities in one order or two become outcomes.
    weighting
        Of Cohen's kappa with ties.
    stored
        What `Store.board_verdicts` has of the benchmark, where that was read before.

    Raises
    ------
    UsageError
        As `agreement_report`.
    """
    which = meant(store, benchmark if version is None else f"{benchmark}@{version}")
    stored = stored or store.board_verdicts(which.name, which.version)
    failures: Columns = store.failures(which.name, which.version)
    named = told_apart([failures, stored], "judge")
    models = told_apart([failures, stored], "model")
    columns: Columns = with_failures(*(renamed(c, models, named) for c in (stored, failures)))
    columns = where(columns, marked(columns["opponent"], lambda one: one is not None))
    columns = with_units(columns, store, which)
    reference, wanted = asked_for(columns, reference, judges, named, store, which, OF_PAIRS)
    checks, wanted = with_versus(checks, reference, wanted, named, store, which)
    rule = rule or OutcomeRule()
    how: dict[str, Any] = {"rule": rule, "weighting": weighting, "intervals": intervals}
    report = AgreementReport(
        benchmark=which.name, version=which.version, reference=reference, raters=(), rows=(),
        between=(), kind="preference", level=(intervals or Intervals()).level,
    )  # fmt: skip
    counts: Mapping[str, Mapping[str, int]] = {}
    if reference is not None:
        held = only(columns, wanted, reference)
        against = outcome_agreement(held, reference=reference, checks=checks, **how)
        counts = against.counts
        report = replace(
            report, raters=against.raters, rows=against.rows, flags=against.flags,
            differences=against.differences, nothing_in_common=against.nothing_in_common,
        )  # fmt: skip
    elif checks is not None:
        flags = near_constant_outcomes_between(columns, judges=wanted, rule=rule, checks=checks)
        report = replace(report, flags=flags)
    if between or reference is None:
        found = outcomes_between(columns, judges=wanted, **how)
        counts = counts or found.counts
        report = replace(report, between=found.rows)
    outcomes = Outcomes(rule=rule, weighting=weighting, counts=counts)
    return with_costs(replace(report, outcomes=outcomes), store, named, checks)


def _verdicts(store: Store, benchmark: str) -> Columns:
    which = meant(store, benchmark)
    return store.verdicts(which.name, which.version)
