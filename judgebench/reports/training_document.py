"""A training run as a table, as tidy rows, and as JSON."""

from __future__ import annotations

import math
from typing import Any

from judgebench.metrics.registry import heading, metric
from judgebench.reports import estimates
from judgebench.reports.table import Column, Document, Table
from judgebench.reports.training import AtStep, Training


def document(report: Training) -> Document:
    """The report for printing; a row for each checkpoint, by step."""
    return Document(
        tables=[_table(report)],
        records=[_record(report, row) for row in report.checkpoints],
        data=to_json(report),
    )


def to_json(report: Training) -> dict[str, Any]:
    """What is undefined is null."""
    best = report.best
    return {
        "benchmark": report.benchmark,
        "version": report.version,
        "judge": report.judge,
        "opponent": report.opponent,
        "training_run": report.run,
        "metric": report.metric,
        "level": report.level,
        "critical": estimates.finite(report.critical),
        "checkpoints": [
            {
                "step": row.checkpoint.step,
                "model": row.model,
                "model_id": row.checkpoint.model_id,
                "tags": dict(row.checkpoint.tags),
                "estimate": estimates.to_json(row.estimate),
                "band": _ends((row.low, row.high)),
                "above_last": None
                if row.above_last is None
                else {"value": row.above_last[0]} | _ends(row.above_last[1:]),
            }
            for row in report.checkpoints
        ],
        "best": None
        if best is None
        else {
            "model": best.model,
            "step": best.step,
            "picked": best.picked,
            "corrected": {"value": estimates.finite(best.value)}
            | _ends((best.low, best.high))
            | {"undefined": best.undefined},
        },
        "last": report.last,
        "notes": list(report.notes),
    }


def _ends(ends: tuple[float, ...]) -> dict[str, float | None]:
    low, high = ends
    return {"low": estimates.finite(low), "high": estimates.finite(high)}


def _record(report: Training, row: AtStep) -> dict[str, Any]:
    estimate = estimates.to_json(row.estimate)
    above = row.above_last or (math.nan,) * 3
    return {
        "benchmark": report.benchmark,
        "version": report.version,
        "judge": report.judge,
        "opponent": report.opponent,
        "training_run": report.run,
        "metric": report.metric,
        "step": row.checkpoint.step,
        "model": row.model,
        "model_id": row.checkpoint.model_id,
        **{name: estimate[name] for name in ("value", "low", "high", "n", "missing")},
        "band_low": estimates.finite(row.low),
        "band_high": estimates.finite(row.high),
        "above_last": estimates.finite(above[0]),
        "above_last_low": estimates.finite(above[1]),
        "above_last_high": estimates.finite(above[2]),
    }


def _table(report: Training) -> Table:
    places = metric(report.metric).digits

    def band(row: AtStep) -> str:
        if math.isnan(row.low):
            return estimates.UNDEFINED
        return f"[{row.low:.{places}f}, {row.high:.{places}f}]"

    best = report.best
    notes = list(report.notes)
    if best is not None and best.undefined is None:
        notes.append(
            f"best: {best.model}, {best.picked:.{places}f} as picked; corrected for that "
            f"{best.value:.{places}f} [{best.low:.{places}f}, {best.high:.{places}f}]"
        )
    if report.last is not None:
        notes.append(f"the last checkpoint beside the best: {report.last}")
    return Table(
        title=f"{report.run}: {report.benchmark}@{report.version}, {report.judge}",
        subtitle=f"band: all intervals hold at once at {100 * report.level:g} %",
        columns=[
            Column(title="step", align="right"),
            Column(title="model", wraps=True),
            Column(title=heading(report.metric, report.metric), align="right"),
            Column(title="band", align="right"),
            Column(title="n", align="right"),
            Column(title="missing", align="right"),
        ],
        rows=[
            [
                f"{row.checkpoint.step:g}",
                row.model,
                estimates.text(row.estimate, digits=places),
                band(row),
                str(row.estimate.n),
                str(row.estimate.missing),
            ]
            for row in report.checkpoints
        ],
        notes=notes,
    )
