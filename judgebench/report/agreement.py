"""Agreement: judges against a reference judge, people for one, and against each other."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from judgebench.errors import UsageError
from judgebench.metrics.agreement import AgreementRow, agreement, between_judges
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.label_board import undeclared
from judgebench.records import HUMAN, is_human
from judgebench.report import estimates
from judgebench.report.boards import (
    Columns,
    Meant,
    judges_called,
    meant,
    renamed,
    told_apart,
    undeclared_labels,
    where,
)
from judgebench.report.table import Column, Document, Table
from judgebench.store import Store

KAPPA = "cohen_kappa"
SHOWN = {
    "cohen_kappa": "kappa",
    "agreement": "agreement",
    "scott_pi": "pi",
    "p_c": "p_c",
    "p_plus": "p_plus",
    "precision": "precision",
    "recall": "recall",
    "score_delta": "delta",
}
"""What the printed table shows; JSON and CSV have every coefficient."""

WITH_INTERVAL = ("cohen_kappa", "agreement")
MOST_NOTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementReport:
    """Judges of one benchmark against a reference, and every two against each other.

    ``reference`` is None where nobody was named and no person has labelled anything: then there
    is only ``between``. ``raters`` are those whose labels the reference is made of.
    """

    benchmark: str
    version: str
    reference: str | None
    raters: tuple[str, ...]
    rows: tuple[AgreementRow, ...]
    between: tuple[AgreementRow, ...]
    warnings: tuple[str, ...] = ()


def agreement_report(
    store: Store,
    benchmark: str,
    version: str | None = None,
    *,
    reference: str | None = None,
    judges: Collection[str] = (),
    between: bool = False,
    intervals: Intervals | None = None,
) -> AgreementReport:
    """How far the judges of a benchmark agree.

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
        Whether to compare every two judges as well (each pair costs as much as a judge does);
        where there is no reference that is all there is.

    Raises
    ------
    UsageError
        For a benchmark, judge or reference that the store does not hold, and for a reference
        that several judges are called.
    """
    which = meant(store, benchmark if version is None else f"{benchmark}@{version}")
    columns = store.verdicts(which.name, which.version)
    named = told_apart([columns], "judge")
    columns = renamed(columns, told_apart([columns], "model"), named)
    people = any(is_human(judge) for judge in named.values())
    if reference is None:
        reference = HUMAN if people else None
    elif reference != HUMAN or not people:
        reference = _one_judge(reference, named, store, which)
    wanted = {judge for name in judges for judge in judges_called(name, named, store, which)}
    columns = _only(columns, wanted, reference)
    rows: tuple[AgreementRow, ...] = ()
    raters: tuple[str, ...] = ()
    if reference is not None:
        table = agreement(columns, reference=reference, labels=which.labels, intervals=intervals)
        rows, raters = table.rows, table.raters
    pairs: tuple[AgreementRow, ...] = ()
    if between or reference is None:
        pairs = between_judges(columns, labels=which.labels, intervals=intervals)
    return AgreementReport(
        benchmark=which.name,
        version=which.version,
        reference=reference,
        raters=raters,
        rows=rows,
        between=pairs,
        warnings=tuple(
            f"{judge}: {undeclared_labels(counts, which)}"
            for judge, counts in sorted(undeclared(columns, which.labels).items())
        ),
    )


def _one_judge(name: str, named: Mapping[str, str], store: Store, which: Meant) -> str:
    found = judges_called(name, named, store, which)
    if len(found) > 1:
        raise UsageError(
            f"{which}: {name!r} is the name of {len(found)} judges, and a reference is one; name "
            f"it as it is shown: {', '.join(found)}"
        )
    return found[0]


def _only(columns: Columns, wanted: Collection[str], reference: str | None) -> Columns:
    """Verdicts of the judges asked for and of the reference, all where none is asked for."""
    if not wanted:
        return columns
    return where(
        columns,
        (
            judge in wanted or judge == reference or (reference == HUMAN and is_human(judge))
            for judge in columns["judge"]
        ),
    )


def without_models(report: AgreementReport) -> AgreementReport:
    """The report without its rows for single models."""
    return replace(report, rows=tuple(row for row in report.rows if row.scope != "model"))


# out --------------------------------------------------------------------------------------------


def to_json(report: AgreementReport) -> dict[str, Any]:
    """The report as the contract has it; ``between`` compares every two judges, pooled."""
    return {
        "benchmark": report.benchmark,
        "version": report.version,
        "reference": report.reference,
        "raters": list(report.raters),
        "rows": [_row_json(row, report) for row in report.rows],
        "between": [_row_json(row, report) for row in report.between],
        "warnings": list(report.warnings),
    }


def _row_json(row: AgreementRow, report: AgreementReport) -> dict[str, Any]:
    return {
        "judge": row.judge,
        "reference": row.reference,
        "version": report.version,
        "scope": row.scope,
        "model": row.model,
        "metrics": {name: estimates.to_json(e) for name, e in row.metrics.items()},
    }


def document(report: AgreementReport, *, by_model: bool = False) -> Document:
    """The report for printing. JSON has the single models in any case."""
    shown = report if by_model else without_models(report)
    tables = list(_tables(shown))
    if tables:
        said = [f"warning: {warning}" for warning in report.warnings]
        tables[-1] = replace(tables[-1], notes=[*tables[-1].notes, *said])
    return Document(
        tables=tables,
        records=[_record(row, name, report) for row in shown.rows for name in row.metrics]
        or [_record(row, name, report) for row in report.between for name in row.metrics],
        data=to_json(report),
    )


def _record(row: AgreementRow, name: str, report: AgreementReport) -> dict[str, Any]:
    return {
        "benchmark": report.benchmark,
        "version": report.version,
        "judge": row.judge,
        "reference": row.reference,
        "scope": row.scope,
        "model": row.model,
        "metric": name,
        **estimates.record(row.metrics[name]),
    }


def _tables(report: AgreementReport) -> Iterable[Table]:
    at = f"{report.benchmark}@{report.version}"
    if report.reference is not None:
        against = f"{at}, judges against {report.reference}"
        of = _made_of(report)
        for scope, says in (
            ("pooled", "pooled: all answers together"),
            ("macro", "macro: the unweighted mean over models, as papers print it"),
            ("model", "model by model"),
        ):
            rows = [row for row in report.rows if row.scope == scope]
            if rows:
                yield _table(rows, against, f"{of}{says}; intervals resample questions")
    if report.between:
        yield _matrix(report.between, at)


def _made_of(report: AgreementReport) -> str:
    if report.raters == (report.reference,):
        return ""
    if len(report.raters) == 1:
        return f"labels of {report.raters[0]}; "
    return f"the majority of {', '.join(report.raters)}, ties left out; "


def _table(rows: Sequence[AgreementRow], title: str, subtitle: str) -> Table:
    by_model = rows[0].model is not None
    # Model by model, the judges stay in their order; else the best comes first.
    ordered = rows if by_model else sorted(rows, key=_by_kappa)
    columns = [Column(title="judge", wraps=True)]
    columns += [Column(title="model", wraps=True)] if by_model else []
    columns += [
        Column(title=title, align="right", spare=name != KAPPA) for name, title in SHOWN.items()
    ]
    columns += [Column(title="n", align="right"), Column(title="missing", align="right")]
    return Table(
        title=title,
        subtitle=subtitle,
        columns=columns,
        rows=[_cells(row) for row in ordered],
        notes=_notes(ordered),
    )


def _by_kappa(row: AgreementRow) -> tuple[float, str]:
    value = row.metrics[KAPPA].value
    return (math.inf if math.isnan(value) else -value), row.judge


def _cells(row: AgreementRow) -> list[str]:
    kappa = row.metrics[KAPPA]
    numbers = [
        estimates.text(e if name in WITH_INTERVAL else replace(e, low=math.nan))
        for name in SHOWN
        for e in (row.metrics[name],)
    ]
    names = [row.judge] if row.model is None else [row.judge, row.model]
    return [*names, *numbers, str(kappa.n), str(kappa.missing)]


def _notes(rows: Sequence[AgreementRow]) -> list[str]:
    """Why a dash stands where it stands; coefficients with one reason in one note."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        who = row.judge if row.model is None else f"{row.judge} on {row.model}"
        for name, title in SHOWN.items():
            if why := row.metrics[name].undefined:
                reasons.setdefault((who, why), []).append(title)
    notes = [
        f"{estimates.UNDEFINED} {who}: {', '.join(titles)}: {why}"
        for (who, why), titles in reasons.items()
    ]
    more = len(notes) - MOST_NOTES
    return notes if more <= 0 else [*notes[:MOST_NOTES], f"and {more} more: --format json"]


def _matrix(rows: Sequence[AgreementRow], at: str) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in (row.judge, row.reference)))
    names.sort()
    kappa = {frozenset((row.judge, row.reference)): row.metrics[KAPPA] for row in rows}
    cells = [
        [
            f"{i} {one}",
            *(
                estimates.text(replace(found, low=math.nan), digits=2)
                if (found := kappa.get(frozenset((one, other)))) is not None and one != other
                else ""
                for other in names
            ),
        ]
        for i, one in enumerate(names, 1)
    ]
    numbers = [Column(title=str(i), align="right") for i in range(1, len(names) + 1)]
    return Table(
        title=f"{at}, judges against each other",
        subtitle="kappa, pooled",
        columns=[Column(title="judge", wraps=True), *numbers],
        rows=cells,
    )
