"""Confidences as JSON, as tidy records and as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from judgebench.metrics.intervals import Floats
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.confidence import ConfidenceReport, ConfidenceRow
from judgebench.reports.confidence_data import Unread
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.estimates import Figure
from judgebench.reports.metric_words import explained
from judgebench.stats.resample import wilson_interval

TITLES = {
    "auroc": "AUROC",
    "ece": "ECE",
    "alignment": "alignment",
    "brier": "Brier",
    "accuracy": "accuracy",
    "aurc": "AURC",
}
_FIRST = ("auroc", "ece", "alignment")
_DIGITS = 3


def to_json(report: ConfidenceReport) -> dict[str, Any]:
    """All rows, those of single sets too; what is undefined is null with its reason."""
    return {
        "benchmark": report.benchmark,
        "version": report.version,
        "correct": report.correct,
        "positive": report.positive,
        "rouge": report.rouge,
        "sizes": dict(report.sizes),
        "sizes_of": "benchmark" if report.full else "store",
        "domains": dict(report.domains),
        "rows": [_row_json(row, report) for row in report.rows],
        "unread": [
            {"judge": one.judge, "role": one.role, "n": one.n, "of": one.of, "share": _share(one)}
            for one in report.unread
        ],
        "warnings": list(report.warnings),
    }


def _share(one: Unread) -> float | None:
    return one.n / one.of if one.of else None


def _row_json(row: ConfidenceRow, report: ConfidenceReport) -> dict[str, Any]:
    bins = row.reliability
    return {
        "model": row.model,
        "confidence": row.confidence,
        "judge": row.judge,
        "version": report.version,
        "scope": row.scope,
        "over": row.over,
        "sets": list(row.sets),
        "metrics": {name: estimates.to_json(e) for name, e in row.metrics.items()},
        "alignment_threshold": estimates.finite(row.threshold),
        "samples": None if row.samples is None else list(row.samples),
        "reliability": [
            {
                "low": float(bins.low[i]),
                "high": float(bins.high[i]),
                "n": int(bins.n[i]),
                "confidence": estimates.finite(float(bins.confidence[i])),
                "accuracy": estimates.finite(float(bins.accuracy[i])),
            }
            for i in range(len(bins.n))
        ],
        "risk_coverage": [
            {"coverage": float(coverage), "threshold": float(threshold), "risk": float(risk)}
            for coverage, threshold, risk in _points(row)
        ],
    }


def _points(row: ConfidenceRow) -> Iterator[tuple[Any, Any, Any]]:
    return zip(row.risk.coverage, row.risk.threshold, row.risk.risk, strict=True)


def document(report: ConfidenceReport, *, by_set: bool = False, bins: bool = False) -> Document:
    """The report for printing.

    Parameters
    ----------
    by_set
        Whether single sets have a table each.
    bins
        Whether tables show the reliability diagram of each confidence, and the risk that is left
        where only the most confident answers are given, over all sets.
    """
    tables = [_table(report, over) for over in _stretches(report, by_set)]
    if tables:  # once, under the first
        tables[0] = replace(tables[0], notes=[*tables[0].notes, explained(TITLES)])
    if bins:
        tables += [
            table(row, report)
            for row in report.rows
            if row.scope == "all" and row.reliability.n.any()
            for table in (_bins_table, _risk_table)
        ]
    return Document(
        tables=tables,
        records=[record for row in report.rows for record in _records(row, report)],
        data=to_json(report),
    )


def _stretches(report: ConfidenceReport, by_set: bool) -> list[tuple[str, str]]:
    scopes = ("all", "domain", "set") if by_set else ("all", "domain")
    found = {(row.scope, row.over) for row in report.rows if row.scope in scopes}
    return sorted(found, key=lambda one: (scopes.index(one[0]), one[1]))


def _table(report: ConfidenceReport, stretch: tuple[str, str]) -> Table:
    scope, over = stretch
    rows = [row for row in report.rows if (row.scope, row.over) == stretch]
    shown = [row for row in rows if row.metrics["auroc"].n]
    columns = [Column(title="model", wraps=True), Column(title="confidence", wraps=True)]
    columns += [
        Column(title=title, align="right", spare=name not in _FIRST)
        for name, title in TITLES.items()
    ]
    columns += [Column(title=title, align="right", spare=True) for title in ("n", "missing")]
    which = "" if scope == "all" else f", {over}"
    return Table(
        title=f"{report.benchmark}@{report.version}{which}: confidence against {report.correct}",
        subtitle=_subtitle(report, rows),
        columns=columns,
        rows=[
            [
                row.model,
                row.confidence,
                *(_text(name, row.metrics[name]) for name in TITLES),
                str(row.metrics["auroc"].n),
                str(row.metrics["auroc"].missing),
            ]
            for row in shown
        ],
        notes=[
            *reasons(rows),
            *without_interval(rows),
            *(said_besides(report) if scope == "all" else ()),
        ],
    )


def _text(name: str, estimate: Estimate) -> str:
    at_most = estimates.bounded(name, estimate)
    return estimates.text(estimate, digits=_DIGITS, at_most=at_most)


def _subtitle(report: ConfidenceReport, rows: Sequence[ConfidenceRow]) -> str:
    said = "ECE is corrected for the bias of its bins; at most: nothing rules out 0"
    sets = rows[0].sets if rows else ()
    if len(sets) < 2:
        return said
    of = "in full" if report.full else "as far as the store has them"
    return f"mean of {len(sets)} sets, weighted with their sizes {of}; {said}"


def reasons(rows: Sequence[ConfidenceRow]) -> list[str]:
    """Why a dash stands where it stands; confidences and metrics of one reason in one note."""
    places: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        reasons: dict[str, list[str]] = {}
        for name, title in TITLES.items():
            if (why := row.metrics[name].undefined) is not None:
                reasons.setdefault(why, []).append(title)
        for why, titles in reasons.items():
            metrics = "" if len(titles) == len(TITLES) else f" {', '.join(titles)}"
            places.setdefault((why, row.confidence + metrics), []).append(row.model)
    models = list(dict.fromkeys(row.model for row in rows))
    return [
        f"{estimates.UNDEFINED} {what}"
        + ("" if of == models or len(of) == len(models) else f" of {', '.join(of)}")
        + f": {why}"
        for (why, what), of in places.items()
    ]


def without_interval(rows: Sequence[ConfidenceRow]) -> list[str]:
    """Why a figure stands without an interval; those of one metric and reason in one note."""
    places: dict[tuple[str, str], list[str]] = {}
    given = [row for row in rows if row.metrics["accuracy"].n]
    for row in given:
        for name, title in TITLES.items():
            estimate = row.metrics[name]
            if estimate.undefined is None and estimates.finite(estimate.low) is None:
                why = estimate.method.partition("no interval")[2].lstrip(",: ")
                places.setdefault((title, why), []).append(f"{row.confidence} of {row.model}")
    return [
        f"{title} without an interval"
        + ("" if len(of) == len(given) else f" ({', '.join(of)})")
        + f": {why}"
        for (title, why), of in places.items()
    ]


def said_besides(report: ConfidenceReport) -> list[str]:
    """What could not be read of the judges' replies, and warnings."""
    found = [
        f"{one.judge}: {one.n} of {one.of} replies could not be read ({100 * one.n / one.of:.1f} %)"
        for one in report.unread
        if one.n
    ]
    return [*found, *(f"warning: {warning}" for warning in report.warnings)]


def bin_intervals(row: ConfidenceRow) -> tuple[Floats, Floats]:
    """Wilson's interval of the share of correct answers in each bin, shape (bins,) each."""
    bins = row.reliability
    low, high = wilson_interval(bins.n * bins.accuracy, bins.n, level=row.metrics["accuracy"].level)
    return low, high


def _bins_table(row: ConfidenceRow, report: ConfidenceReport) -> Table:
    bins = row.reliability
    low, high = bin_intervals(row)
    rows = []
    for i, n in enumerate(bins.n):
        if not n:
            continue
        value = float(bins.accuracy[i])
        said = f"{value:.3f} [{low[i]:.3f}, {high[i]:.3f}]"
        end = "]" if i == len(bins.n) - 1 else ")"
        rows.append(
            [
                f"[{bins.low[i]:.1f}, {bins.high[i]:.1f}{end}",
                str(n),
                f"{bins.confidence[i]:.3f}",
                Figure(said, low=float(low[i]), value=value, high=float(high[i])),
            ]
        )
    return Table(
        title=f"{report.benchmark}@{report.version}: {row.confidence} of {row.model}, in bins",
        subtitle="calibrated is where accuracy is the mean confidence; intervals are Wilson's",
        columns=[
            Column(title="bin"),
            Column(title="n", align="right"),
            Column(title="mean confidence", align="right"),
            Column(title="share correct", align="right"),
        ],
        rows=rows,
    )


def _risk_table(row: ConfidenceRow, report: ConfidenceReport) -> Table:
    n = row.metrics["accuracy"].n
    level = row.metrics["accuracy"].level
    given = np.rint(row.risk.coverage * n)
    low, high = wilson_interval(row.risk.risk * given, given, level=level)
    rows = []
    for i, (coverage, threshold, risk) in enumerate(_points(row)):
        said = f"{risk:.3f} [{low[i]:.3f}, {high[i]:.3f}]"
        figure = Figure(said, low=float(low[i]), value=float(risk), high=float(high[i]))
        rows.append([f"{100 * coverage:.0f} %", f"{given[i]:.0f}", f"{threshold:.3f}", figure])
    return Table(
        title=f"{report.benchmark}@{report.version}: {row.confidence} of {row.model}, by coverage",
        subtitle="what is wrong among the answers of at least some confidence; Wilson's intervals",
        columns=[
            Column(title="given"),
            Column(title="n", align="right"),
            Column(title="confidence from", align="right"),
            Column(title="share wrong", align="right"),
        ],
        rows=rows,
    )


def _records(row: ConfidenceRow, report: ConfidenceReport) -> list[dict[str, Any]]:
    return [
        {
            "benchmark": report.benchmark,
            "version": report.version,
            "correct": report.correct,
            "model": row.model,
            "confidence": row.confidence,
            "scope": row.scope,
            "over": row.over,
            "metric": name,
            **estimates.record(e),
        }
        for name, e in row.metrics.items()
    ]
