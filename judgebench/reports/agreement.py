"""Agreement: judges against a reference judge, people for one, and against each other."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from judgebench.columns import counted, marked
from judgebench.errors import UsageError
from judgebench.metrics.agreement import agreement, between_judges, near_constant_between
from judgebench.metrics.comparison import RANKINGS, AgreementRow
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judge_differences import ALL, BEST, JudgeChecks, JudgeDifference
from judgebench.metrics.label_board import undeclared
from judgebench.metrics.score_agreement import BLOCK, SAMPLE
from judgebench.records import HUMAN, is_human
from judgebench.reports import estimates
from judgebench.reports.agreement_tables import AgreementReport, tables_of, without_models
from judgebench.reports.boards import (
    Columns,
    Meant,
    judges_called,
    meant,
    reference_called,
    renamed,
    told_apart,
    undeclared_labels,
    where,
    with_units,
)
from judgebench.reports.document import Document, Table
from judgebench.reports.judge_comparison import (
    cost_records,
    difference_json,
    flag_json,
    flag_warnings,
)
from judgebench.reports.judge_costs import judge_costs
from judgebench.reports.judge_costs import to_json as cost_json
from judgebench.reports.score_tables import score_tables
from judgebench.store import Store


def agreement_report(
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
    """How far the judges of a benchmark agree on labels of answers.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``; ``version`` may stand apart.
    reference
        A judge by name or id; ``human`` is a judge of that name, or else the majority of
        ``human/*`` with ties left out. Where not given: ``human``, if people have labelled
        anything.
    judges
        Only these, by name (as shown, or without what tells them apart) or id; all if empty.
    between
        Whether to compare every two judges as well (each pair costs as much as a judge does), or
        the ``judges`` asked for with every other; where there is no reference that is all there is.
    checks
        With them, judges are compared with judges, those that say nearly always the same are named,
        and what verdicts took is read.
    stored
        What `Store.board_verdicts` has of the benchmark, where that was read before.

    Raises
    ------
    UsageError
        For a benchmark, judge or reference that the store does not hold, and for a reference
        that several judges are called.
    """
    which = meant(store, benchmark if version is None else f"{benchmark}@{version}")
    columns = stored or store.board_verdicts(which.name, which.version)
    named = told_apart([columns], "judge")
    columns = renamed(columns, told_apart([columns], "model"), named)
    columns = with_units(columns, store, which)
    reference, wanted = asked_for(columns, reference, judges, named, store, which, ("label",))
    checks, wanted = with_versus(checks, reference, wanted, named, store, which)
    held = only(columns, wanted, reference)
    report = AgreementReport(
        benchmark=which.name, version=which.version, reference=reference, raters=(), rows=(),
        between=(), level=(intervals or Intervals()).level,
    )  # fmt: skip
    if reference is not None:
        table = agreement(
            held, reference=reference, labels=which.labels, intervals=intervals, checks=checks
        )
        report = replace(
            report, raters=table.raters, rows=table.rows, differences=table.differences,
            flags=table.flags,
        )  # fmt: skip
    elif checks is not None:
        flags = near_constant_between(columns, judges=wanted, labels=which.labels, checks=checks)
        report = replace(report, flags=flags)
    if between or reference is None:
        held = columns
        pairs = between_judges(columns, judges=wanted, labels=which.labels, intervals=intervals)
        report = replace(report, between=pairs)
    unread = tuple(
        f"{judge}: {undeclared_labels(counts, which)}"
        for judge, counts in sorted(undeclared(held, which.labels).items())
    )
    return with_costs(replace(report, warnings=unread), store, named, checks)


def with_versus(
    checks: JudgeChecks | None,
    reference: str | None,
    wanted: frozenset[str],
    named: Mapping[str, str],
    store: Store,
    which: Meant,
) -> tuple[JudgeChecks | None, frozenset[str]]:
    """The judge with which others are compared as it is shown, and it among those asked for.

    Raises
    ------
    UsageError
        For a judge that is not known, and for the reference itself.
    """
    if checks is None or checks.versus in (None, ALL, BEST):
        return checks, wanted
    versus = reference_called(str(checks.versus), named, store, which)
    if versus == reference:
        raise UsageError(
            f"--versus: {versus} is the reference, with which every judge is compared; name "
            "another judge, or another --reference"
        )
    return replace(checks, versus=versus), wanted and wanted | {versus}


def with_costs(
    report: AgreementReport,
    store: Store,
    named: Mapping[str, str],
    checks: JudgeChecks | None,
) -> AgreementReport:
    """With what verdicts took and the warnings about judges that say nearly always the same."""
    if checks is None:
        return report
    judges = dict.fromkeys(row.judge for row in report.rows)
    for row in () if judges else report.between:
        judges |= dict.fromkeys((row.judge, row.reference))
    costs = judge_costs(store, report.benchmark, report.version, named, judges)
    warnings = (*report.warnings, *flag_warnings(report.flags))
    return replace(report, costs=costs, warnings=warnings)


def asked_for(
    columns: Columns,
    reference: str | None,
    judges: Collection[str],
    named: Mapping[str, str],
    store: Store,
    which: Meant,
    kinds: Collection[str],
) -> tuple[str | None, frozenset[str]]:
    """The reference and the judges asked for, as they are shown; no judges where all are meant.

    ``kinds`` are those of verdicts by which people become the reference where nobody is named.
    """
    if reference is None:
        said = counted(columns["judge"], columns["kind"])
        people = any(is_human(judge) and kind in kinds for judge, kind in said)
        reference = HUMAN if people else None
    elif reference != HUMAN or not any(is_human(judge) for judge in named.values()):
        reference = reference_called(reference, named, store, which)
    wanted = (judge for name in judges for judge in judges_called(name, named, store, which))
    return reference, frozenset(wanted)


def only(columns: Columns, wanted: Collection[str], reference: str | None) -> Columns:
    """Verdicts of the judges asked for and of the reference, all where none is asked for."""
    if not wanted:
        return columns

    def compared(judge: str) -> bool:
        return judge in wanted or judge == reference or (reference == HUMAN and is_human(judge))

    return where(columns, marked(columns["judge"], compared))


def over_models_without(
    report: AgreementReport, others: AgreementReport | None, suspicious: Mapping[str, str]
) -> AgreementReport:
    """The report with correlations over models that leave suspicious ones out, and a line on it.

    Parameters
    ----------
    others
        The same report of the other models; None where nothing of them can be compared.
    suspicious
        By model, why its answers may be meant for the judge.
    """
    again = {_who(row): row for row in (*others.rows, *others.between)} if others else {}
    differences = {_of(one): one for one in others.differences} if others else {}

    def row_without(row: AgreementRow) -> AgreementRow:
        if row.scope != "pooled":
            return row
        instead = again.get(_who(row))
        metrics = {
            name: one
            if not _over_models(report, name)
            else instead.metrics[name]
            if instead is not None and name in instead.metrics
            else replace(
                one, value=math.nan, low=math.nan, high=math.nan, method="",
                undefined="only suspicious models have verdicts of both",
            )
            for name, one in row.metrics.items()
        }  # fmt: skip
        return replace(row, metrics=metrics)

    why = "; ".join(f"{model}: {said}" for model, said in sorted(suspicious.items()))
    return replace(
        report,
        rows=tuple(map(row_without, report.rows)),
        between=tuple(map(row_without, report.between)),
        differences=tuple(
            differences[_of(one)] if _over_models(report, one.metric) else one
            for one in report.differences
            if not _over_models(report, one.metric) or _of(one) in differences
        ),
        suspicious=tuple(sorted(suspicious)),
        warnings=(
            *report.warnings,
            "correlations over models leave out those that are suspicious, which count in all "
            f"else ({why})",
        ),
    )


def _over_models(report: AgreementReport, metric: str) -> bool:
    if report.kind == "score":
        return not metric.startswith((SAMPLE, BLOCK))
    return metric in RANKINGS


def _who(row: AgreementRow) -> tuple[str | None, ...]:
    return row.judge, row.reference, row.scope, row.model, row.opponent


def _of(one: JudgeDifference) -> tuple[str | None, ...]:
    return one.judge, one.versus, one.metric, one.scope


# out --------------------------------------------------------------------------------------------


def to_json(*reports: AgreementReport) -> dict[str, Any]:
    """Reports of one benchmark as the contract has it, the rows of each kind after another.

    ``between`` compares every two judges, pooled. Where the kinds have different references, that
    of the first that has any stands above; every row has its own.
    """
    first = next((report for report in reports if report.reference is not None), reports[0])
    return {
        "benchmark": first.benchmark,
        "version": first.version,
        "reference": first.reference,
        "raters": list(first.raters),
        "kinds": [_kind_json(report) for report in reports],
        "rows": [_row_json(row, report) for report in reports for row in report.rows],
        "between": [_row_json(row, report) for report in reports for row in report.between],
        "differences": [
            {**difference_json(one), "version": report.version, "kind": report.kind}
            for report in reports
            for one in report.differences
        ],
        "costs": [
            {**cost_json(one), "kind": report.kind} for report in reports for one in report.costs
        ],
        "flags": [
            {**flag_json(one), "kind": report.kind} for report in reports for one in report.flags
        ],
        "warnings": [warning for report in reports for warning in report.warnings],
    }


def _kind_json(report: AgreementReport) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": report.kind,
        "reference": report.reference,
        "raters": list(report.raters),
    }
    if report.outcomes is not None:
        found |= {
            "rule": asdict(report.outcomes.rule),
            "weighting": report.outcomes.weighting,
            "outcomes": {judge: dict(n) for judge, n in report.outcomes.counts.items()},
            "nothing_in_common": list(report.nothing_in_common),
        }
    if report.scores is not None:
        found |= {
            "block": report.scores.block,
            "unparsed": report.scores.unparsed,
            "counts": {judge: dict(n) for judge, n in report.scores.counts.items()},
        }
    return found


def _row_json(row: AgreementRow, report: AgreementReport) -> dict[str, Any]:
    return {
        "judge": row.judge,
        "reference": row.reference,
        "version": report.version,
        "kind": report.kind,
        "scope": row.scope,
        "model": row.model,
        "opponent": row.opponent,
        "metrics": {name: estimates.to_json(e) for name, e in row.metrics.items()},
    }


def document(*reports: AgreementReport, by_model: bool = False) -> Document:
    """Reports of one benchmark for printing. JSON has the single models in any case."""
    shown = [report if by_model else without_models(report) for report in reports]
    return Document(
        tables=[table for one in reports for table in _with_warnings(one, by_model=by_model)],
        records=[record for report in shown for record in _records(report)],
        data=to_json(*reports),
    )


def _with_warnings(report: AgreementReport, *, by_model: bool) -> list[Table]:
    tables = list(
        tables_of(report, by_model=by_model) if report.scores is None else score_tables(report)
    )
    if tables:
        said = [f"warning: {warning}" for warning in report.warnings]
        tables[-1] = replace(tables[-1], notes=[*tables[-1].notes, *said])
    return tables


def _records(report: AgreementReport) -> list[dict[str, Any]]:
    found = [
        _record(report, row.judge, row.reference, name, estimates.record(row.metrics[name]),
                scope=row.scope, model=row.model, opponent=row.opponent)
        for row in report.rows or report.between
        for name in row.metrics
    ]  # fmt: skip
    found += [
        _record(report, one.judge, one.reference, f"{one.metric}_difference",
                estimates.record(one.estimate), scope=one.scope, versus=one.versus,
                p_value=estimates.finite(one.p_value),
                p_adjusted=estimates.finite(one.p_adjusted))
        for one in report.differences
    ]  # fmt: skip
    return found + [
        _record(report, judge, report.reference, name, line)
        for judge, name, line in cost_records(report.costs)
    ]


def _record(
    report: AgreementReport,
    judge: str,
    reference: str | None,
    metric: str,
    line: Mapping[str, Any],
    *,
    scope: str = "pooled",
    model: str | None = None,
    opponent: str | None = None,
    versus: str | None = None,
    p_value: float | None = None,
    p_adjusted: float | None = None,
) -> dict[str, Any]:
    return {
        "benchmark": report.benchmark,
        "version": report.version,
        "judge": judge,
        "reference": reference,
        "kind": report.kind,
        "scope": scope,
        "model": model,
        "opponent": opponent,
        "metric": metric,
        **line,
        "versus": versus,
        "p_value": p_value,
        "p_adjusted": p_adjusted,
    }


__all__ = [
    "AgreementReport",
    "agreement_report",
    "asked_for",
    "document",
    "only",
    "over_models_without",
    "to_json",
    "with_costs",
    "with_versus",
]
