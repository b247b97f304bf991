"""Agreement: judges against a reference judge, people for one, and against each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from judgebench.columns import counted, marked
from judgebench.metrics.agreement import agreement, between_judges
from judgebench.metrics.comparison import AgreementRow
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.label_board import undeclared
from judgebench.records import HUMAN, is_human
from judgebench.report import estimates
from judgebench.report.agreement_tables import AgreementReport, tables_of, without_models
from judgebench.report.boards import (
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
from judgebench.report.score_tables import score_tables
from judgebench.report.table import Document, Table
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
    held = only(columns, wanted, reference)
    rows: tuple[AgreementRow, ...] = ()
    raters: tuple[str, ...] = ()
    if reference is not None:
        table = agreement(held, reference=reference, labels=which.labels, intervals=intervals)
        rows, raters = table.rows, table.raters
    pairs: tuple[AgreementRow, ...] = ()
    if between or reference is None:
        held = columns
        pairs = between_judges(columns, judges=wanted, labels=which.labels, intervals=intervals)
    return AgreementReport(
        benchmark=which.name,
        version=which.version,
        reference=reference,
        raters=raters,
        rows=rows,
        between=pairs,
        warnings=tuple(
            f"{judge}: {undeclared_labels(counts, which)}"
            for judge, counts in sorted(undeclared(held, which.labels).items())
        ),
    )


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
        tables=[table for report in shown for table in _with_warnings(report)],
        records=[record for report in shown for record in _records(report)],
        data=to_json(*reports),
    )


def _with_warnings(report: AgreementReport) -> list[Table]:
    tables = list(tables_of(report) if report.scores is None else score_tables(report))
    if tables:
        said = [f"warning: {warning}" for warning in report.warnings]
        tables[-1] = replace(tables[-1], notes=[*tables[-1].notes, *said])
    return tables


def _records(report: AgreementReport) -> list[dict[str, Any]]:
    return [
        _record(row, name, report) for row in report.rows or report.between for name in row.metrics
    ]


def _record(row: AgreementRow, name: str, report: AgreementReport) -> dict[str, Any]:
    return {
        "benchmark": report.benchmark,
        "version": report.version,
        "judge": row.judge,
        "reference": row.reference,
        "kind": report.kind,
        "scope": row.scope,
        "model": row.model,
        "opponent": row.opponent,
        "metric": name,
        **estimates.record(row.metrics[name]),
    }


__all__ = ["AgreementReport", "agreement_report", "asked_for", "document", "only", "to_json"]
