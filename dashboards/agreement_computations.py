"""What the Agreement page shows first, computed where `computer` computes: plain JSON out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from computations import people_first

from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.kappa_map import kappa_map
from judgebench.report import agreement as agreements
from judgebench.report.agreement import agreement_report
from judgebench.report.estimates import to_json
from judgebench.report.judge_pairs import judged_values, kinds_of
from judgebench.report.outcome_agreement import outcome_report
from judgebench.report.score_agreement import score_report
from judgebench.report.table import render
from judgebench.store import Store

_REPORTS = {"label": agreement_report, "preference": outcome_report, "score": score_report}


def agreement(
    store: Store, benchmark: str, version: str, reference: str, kind: Kind
) -> dict[str, Any]:
    """Every judge against a reference as the report has it, with its CSV."""
    report = _REPORTS[kind](store, benchmark, version, reference=reference)
    csv = render(agreements.document(report, by_model=True), "csv")
    return agreements.to_json(report) | {"csv": csv}


def between(store: Store, benchmark: str, version: str) -> dict[str, dict[str, Any]]:
    """By the sort of verdicts that two judges or more have given: every two of them, pooled.

    People first; of the coefficients what stands in a cell of the heat map alone.
    """
    stored = store.board_verdicts(benchmark, version)
    return {kind: _between(store, benchmark, version, kind, stored) for kind in kinds_of(stored)}


def _between(
    store: Store, benchmark: str, version: str, kind: Kind, stored: Mapping[str, Any]
) -> dict[str, Any]:
    if kind == "score":
        report = score_report(store, benchmark, version, stored=stored, between=True)
        rows = agreements.to_json(report)["between"]
    else:
        values = judged_values(store, benchmark, version, kind, stored=stored).values
        rows = [
            {
                "judge": row.judge,
                "reference": row.reference,
                "metrics": {name: to_json(estimate) for name, estimate in row.metrics.items()},
            }
            for row in kappa_map(values)
        ]
    names = {row[side] for row in rows for side in ("judge", "reference")}
    return {"judges": sorted(names, key=people_first), "rows": rows}
