"""Measures of judges that compare as JSON, as tidy records and as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from judgebench.metrics.registry import heading, metric
from judgebench.reports import estimates
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.evaluators import EvaluatorReport, EvaluatorRow
from judgebench.stats.evaluators import METRICS
from judgebench.stats.evaluators_upstream import QUIRKS, UPSTREAM_METRICS

TITLES = {name: heading(f"evaluators:{name}") for name in (*METRICS, "n_parsed")}
WITH_INTERVAL = ("agreement",)
MOST_NOTES = 8


def to_json(report: EvaluatorReport) -> dict[str, Any]:
    """What is undefined is null with its reason; ``upstream`` is there where it was asked for."""
    found: dict[str, Any] = {
        "benchmark": report.benchmark,
        "version": report.version,
        "reference": report.reference,
        "raters": list(report.raters),
        "others": report.others,
        "pairs": report.pairs,
        "rows": [_row_json(row, report) for row in report.rows],
        "warnings": list(report.warnings),
    }
    return found | ({"quirks": dict(QUIRKS)} if _upstream(report) else {})


def _upstream(report: EvaluatorReport) -> bool:
    return any(row.upstream is not None for row in report.rows)


def _row_json(row: EvaluatorRow, report: EvaluatorReport) -> dict[str, Any]:
    found: dict[str, Any] = {
        "judge": row.judge,
        "reference": report.reference,
        "version": report.version,
        "labels": row.labels,
        "pairs": row.pairs,
        "metrics": {name: estimates.to_json(e) for name, e in row.metrics.items()},
    }
    if row.usd_per_1000 is not None:
        found["usd_per_1000"] = row.usd_per_1000
    if row.upstream is not None:
        found["upstream"] = {
            name: {
                "value": estimates.finite(row.upstream.values[name]),
                "n": row.upstream.n[name],
                **(
                    {"undefined": row.upstream.why_undefined[name]}
                    if name in row.upstream.why_undefined
                    else {}
                ),
            }
            for name in UPSTREAM_METRICS
        }
    return found


def document(report: EvaluatorReport) -> Document:
    """The report for printing."""
    rows = sorted(report.rows, key=_by_agreement)
    tables = [_table(report, rows)]
    if _upstream(report):
        tables.append(_upstream_table(report, rows))
    said = [f"warning: {warning}" for warning in report.warnings]
    tables[0] = replace(tables[0], notes=[*tables[0].notes, *said])
    return Document(
        tables=tables,
        records=[record for row in rows for record in _records(row, report)],
        data=to_json(report),
    )


def _by_agreement(row: EvaluatorRow) -> tuple[float, str]:
    value = row.metrics["agreement"].value
    return (math.inf if math.isnan(value) else -value), row.judge


def _records(row: EvaluatorRow, report: EvaluatorReport) -> list[dict[str, Any]]:
    about = {
        "benchmark": report.benchmark,
        "version": report.version,
        "judge": row.judge,
        "reference": report.reference,
    }
    found = [
        {**about, "how": "judgebench", "metric": name, **estimates.record(e)}
        for name, e in row.metrics.items()
    ]
    if row.usd_per_1000 is not None:
        found.append({**about, "how": "judgebench", "metric": "usd_per_1000"})
        found[-1]["value"] = row.usd_per_1000
    for name, value in ((row.upstream.values if row.upstream else {}) or {}).items():
        assert row.upstream is not None  # its values are being looked at
        found.append(
            {
                **about,
                "how": "upstream",
                "metric": name,
                "undefined": row.upstream.why_undefined.get(name),
                "value": estimates.finite(value),
                "n": row.upstream.n[name],
            }
        )
    return found


def _table(report: EvaluatorReport, rows: Sequence[EvaluatorRow]) -> Table:
    priced = any(row.usd_per_1000 is not None for row in rows)
    columns = [Column(title="judge", wraps=True)]
    columns += [
        Column(title=TITLES[name], align="right", spare=name != "agreement") for name in METRICS
    ]
    columns += [Column(title="USD/1000", align="right", spare=True)] if priced else []
    columns += [Column(title="pairs", align="right"), Column(title="labels", align="right")]
    return Table(
        title=f"{report.benchmark}@{report.version}, {_against(report)}",
        subtitle=(
            f"a label is held against the centre of {report.others}; longer, lists, opponent: "
            "shares of preference on the longer answer, the one with a list, the opponent's; "
            "bias, variance: distance of its centre from the reference's, of its labels from the "
            "centre of its others; distance: of its labels from the reference's, beyond what each "
            "varies; read: share of replies that could be read; intervals resample questions"
        ),
        columns=columns,
        rows=[
            [
                row.judge,
                *(_cell(row, name) for name in METRICS),
                *([_usd(row)] if priced else []),
                str(row.pairs),
                str(row.labels),
            ]
            for row in rows
        ],
        notes=_notes(rows),
    )


def _against(report: EvaluatorReport) -> str:
    if report.reference is None:
        return "judges that compare"
    people = f" ({', '.join(report.raters)})" if report.raters != (report.reference,) else ""
    return f"judges that compare, against {report.reference}{people}"


def _cell(row: EvaluatorRow, name: str) -> str:
    e = row.metrics[name]
    shown = e if name in WITH_INTERVAL else replace(e, low=math.nan)
    return estimates.text(shown, digits=_digits(name))


def _digits(name: str) -> int:
    return metric(f"evaluators:{name}").digits


def _usd(row: EvaluatorRow) -> str:
    return estimates.UNDEFINED if row.usd_per_1000 is None else f"{row.usd_per_1000:.2f}"


def _notes(rows: Sequence[EvaluatorRow]) -> list[str]:
    """Why a dash stands where it stands; judges and metrics with one reason in one note."""
    judges_of: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        reasons: dict[str, list[str]] = {}
        for name, e in row.metrics.items():
            if e.undefined:
                reasons.setdefault(e.undefined, []).append(TITLES[name])
        for why, titles in reasons.items():
            judges_of.setdefault((", ".join(titles), why), []).append(row.judge)
    notes = [
        f"{estimates.UNDEFINED} {', '.join(judges)}: {titles}: {why}"
        for (titles, why), judges in judges_of.items()
    ]
    more = len(notes) - MOST_NOTES
    return notes if more <= 0 else [*notes[:MOST_NOTES], f"and {more} more: --format json"]


def _upstream_table(report: EvaluatorReport, rows: Sequence[EvaluatorRow]) -> Table:
    columns = [Column(title="judge", wraps=True)]
    titles = TITLES | {"variance": "variance % (pairs)"}
    columns += [Column(title=titles[name], align="right", spare=True) for name in UPSTREAM_METRICS]
    return Table(
        title=f"{report.benchmark}@{report.version}, as AlpacaEval computes it",
        subtitle=(
            "for comparing with published tables alone: the names say more than the numbers do, as "
            "told below; in brackets, on how many pairs variance rests"
        ),
        columns=columns,
        rows=[
            [row.judge, *(_upstream_cell(row, name) for name in UPSTREAM_METRICS)] for row in rows
        ],
        notes=[f"{name.replace('_', ' ')}: {words}" for name, words in QUIRKS.items()],
    )


def _upstream_cell(row: EvaluatorRow, name: str) -> str:
    assert row.upstream is not None  # the table is there where all rows have it
    value = row.upstream.values[name]
    if math.isnan(value):
        return estimates.UNDEFINED
    said = f"{value:.0f}" if name == "n_parsed" else f"{value:.{_digits(name)}f}"
    return f"{said} ({row.upstream.n[name]})" if name == "variance" else said
