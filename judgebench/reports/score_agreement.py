"""Agreement of judges that score: how far their scores follow a reference's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from judgebench.metrics.failed_rows import with_failures
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judge_differences import JudgeChecks
from judgebench.metrics.score_agreement import score_agreement, scores_between
from judgebench.reports.agreement import asked_for, only, with_costs, with_versus
from judgebench.reports.agreement_tables import AgreementReport, Scores
from judgebench.reports.boards import Columns, meant, renamed, told_apart, with_units
from judgebench.store import Store

OF_SCORES = ("score",)


def score_report(
    store: Store,
    benchmark: str,
    version: str | None = None,
    *,
    reference: str | None = None,
    judges: Collection[str] = (),
    between: bool = False,
    intervals: Intervals | None = None,
    checks: JudgeChecks | None = None,
    stored: Columns | None = None,
) -> AgreementReport:
    """How far the scores of a benchmark's judges follow those of a reference.

    Parameters
    ----------
    benchmark, version, reference, judges, between, intervals, checks
        As for `judgebench.reports.agreement.agreement_report`; ``human`` is the mean of
        ``human/*``.
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
    columns = with_units(columns, store, which)
    reference, wanted = asked_for(columns, reference, judges, named, store, which, OF_SCORES)
    checks, wanted = with_versus(checks, reference, wanted, named, store, which)
    report = AgreementReport(
        benchmark=which.name, version=which.version, reference=reference, raters=(), rows=(),
        between=(), kind="score", level=(intervals or Intervals()).level,
        scores=Scores(block=which.block, unparsed=which.unparsed, counts={}),
    )  # fmt: skip
    if reference is not None:
        table = score_agreement(
            only(columns, wanted, reference),
            reference=reference,
            block=which.block,
            unparsed=which.unparsed,
            intervals=intervals,
            checks=checks,
        )
        report = replace(
            report, raters=table.raters, rows=table.rows, differences=table.differences,
            flags=table.flags,
            scores=Scores(block=which.block, unparsed=which.unparsed, counts=table.counts),
        )  # fmt: skip
    if between or reference is None:
        pairs = scores_between(columns, judges=wanted, intervals=intervals)
        report = replace(report, between=pairs)
    return with_costs(report, store, named, checks)
