"""What takes long to compute: a store in, plain JSON out, without Streamlit.

Each can run in a process beside the server (`computer`), which imports this module and no page.
"""

from __future__ import annotations

from typing import Any

from judgebench.records import is_human
from judgebench.report import agreement as agreements
from judgebench.report import leaderboard as leaderboards
from judgebench.report.panels import panels_in
from judgebench.report.table import render
from judgebench.store import Store


def boards(store: Store, benchmark: str, version: str) -> list[dict[str, Any]]:
    """The leaderboards of a benchmark as the report has them, each with its CSV, panels last."""
    panels = panels_in(store, f"{benchmark}@{version}")
    found = leaderboards.leaderboards(store, benchmark, version, panels=panels)
    found = tuple(sorted(found, key=lambda board: board.judge_id is None))
    shown = leaderboards.to_json(found)["boards"]
    csv = [render(leaderboards.document([board]), "csv") for board in found]
    return [board | {"csv": text} for board, text in zip(shown, csv, strict=True)]


def agreement(store: Store, benchmark: str, version: str, reference: str) -> dict[str, Any]:
    """Every judge against a reference as the report has it, with its CSV."""
    report = agreements.agreement_report(store, benchmark, version, reference=reference)
    csv = render(agreements.document(report, by_model=True), "csv")
    return agreements.to_json(report) | {"csv": csv}


def between(store: Store, benchmark: str, version: str) -> dict[str, Any]:
    """Every two judges that have labelled the same answers, pooled; people first."""
    report = agreements.agreement_report(store, benchmark, version, between=True)
    rows = agreements.to_json(report)["between"]
    names = {row[side] for row in rows for side in ("judge", "reference")}
    return {"judges": sorted(names, key=people_first), "rows": rows}


def people_first(judge: str) -> tuple[bool, str]:
    """By what judges are sorted where people stand among them."""
    return not is_human(judge), judge
