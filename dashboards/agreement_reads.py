"""What the Agreement page reads: every judge against a reference, and every two of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import streamlit as st
from reads import KEPT, Json
from reads import _computing as computing

from judgebench.metrics.label_board import NO_VERDICT, UNREADABLE, find_reference, read_labels
from judgebench.records import HUMAN, is_human
from judgebench.report import agreement as agreements
from judgebench.report.boards import meant, renamed, told_apart
from judgebench.report.table import render


@st.cache_data(max_entries=KEPT, show_spinner="Computing intervals …")
def agreement(url: str, mark: str, benchmark: str, version: str, reference: str) -> dict[str, Any]:
    """Every judge against a reference as the report has it, with its CSV."""
    with computing(url) as store:
        report = agreements.agreement_report(store, benchmark, version, reference=reference)
    csv = render(agreements.document(report, by_model=True), "csv")
    return agreements.to_json(report) | {"csv": csv}


@st.cache_data(max_entries=KEPT, show_spinner="Computing intervals …")
def between(url: str, mark: str, benchmark: str, version: str) -> dict[str, Any]:
    """Every two judges that have labelled the same answers, pooled; people first."""
    with computing(url) as store:
        report = agreements.agreement_report(store, benchmark, version, between=True)
    rows = agreements.to_json(report)["between"]
    names = {row[side] for row in rows for side in ("judge", "reference")}
    return {"judges": sorted(names, key=_people_first), "rows": rows}


def references(judges: Sequence[str]) -> list[str]:
    """What judges can be compared with: people, of several also their majority; judges."""
    people = [judge for judge in judges if is_human(judge)]
    majority = [HUMAN] if len(people) > 1 and HUMAN not in judges else []
    return sorted([*judges, *majority], key=_people_first)


@st.cache_data(max_entries=KEPT, show_spinner=False)
def confusion(
    url: str, mark: str, benchmark: str, version: str, judge: str, reference: str
) -> list[dict[str, Any]]:
    """How the answers that the reference labelled were labelled by the judge, as counts."""
    with computing(url) as store:
        which = meant(store, f"{benchmark}@{version}")
        columns = store.board_verdicts(benchmark, version)
    names = [told_apart([columns], who) for who in ("model", "judge")]
    board = read_labels(renamed(columns, *names), labels=which.labels)
    truth, said = find_reference(board, reference).codes, board.of(judge)
    counts = Counter(zip(truth.tolist(), said.tolist(), strict=True))
    labels = list(reversed(list(enumerate(board.labels))))  # the positive one first
    asked = [*labels, (UNREADABLE, "unreadable"), (NO_VERDICT, "no verdict")]
    return [
        {"reference": truly} | {word: counts[true, code] for code, word in asked}
        for true, truly in labels
    ]


def _people_first(judge: str) -> tuple[bool, str]:
    return not is_human(judge), judge


def identity(report: Json) -> str:
    """One line: which data, which reference, of whom it is made."""
    made_of = [rater for rater in report["raters"] if rater != report["reference"]]
    majority = f" (majority of {', '.join(made_of)})" if made_of else ""
    return f"{report['benchmark']}@{report['version']} · reference {report['reference']}{majority}"
