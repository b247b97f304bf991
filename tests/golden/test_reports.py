"""Leaderboards and agreement as people see them, kept as files: a change is a diff to be read.

JUDGEBENCH_WRITE_GOLDEN=1 python -m pytest tests/golden/test_reports.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from judgebench.exchange.labels import import_labels
from judgebench.exchange.responses import import_responses
from judgebench.exchange.verdicts import import_verdicts
from judgebench.report import agreement, leaderboard
from judgebench.report.table import Document, render
from judgebench.store import open_store
from tests.unit.exchanged import coded, rows_file

KEPT = Path(__file__).parent / "reports"
MODELS = {
    #           human           contains        careful-judge
    "apo-1200": ("+++++++-++--", "++++--+-++--", "+++++++-++-?"),
    "base": ("++-+--+-----", "+--+--+-----", "++-+--+?--??"),
    "always-right": ("++++++++++++", "++++++++++++", "++++++++++++"),
}


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Document]:
    """Three models, two judges and a person on twelve items."""
    folder = tmp_path_factory.mktemp("golden")
    verdicts, labels = [], []
    for model, (human, contains, careful) in MODELS.items():
        labels += coded(model, "human/authors", human)
        verdicts += coded(model, "contains", contains) + coded(model, "careful-judge", careful)
    answers = [
        {"benchmark": "made_up", "item_id": str(i), "model": "base", "text": "" if i > 9 else "so"}
        for i in range(12)
    ]
    with open_store(str(folder / "s.db")) as store:
        import_verdicts(store, rows_file(folder / "v.jsonl", verdicts))
        import_labels(store, rows_file(folder / "l.jsonl", labels))
        import_responses(store, rows_file(folder / "a.jsonl", answers))
        boards = leaderboard.leaderboards(store, "made_up")
        report = agreement.agreement_report(store, "made_up", between=True)
    return {
        "leaderboard": leaderboard.document(boards),
        "agreement": agreement.document(report, by_model=True),
    }


@pytest.mark.parametrize("name", ["leaderboard", "agreement"])
@pytest.mark.parametrize(("form", "suffix"), [("table", "txt"), ("md", "md")])
def test_a_report_reads_as_it_did(
    documents: dict[str, Document], name: str, form: str, suffix: str
) -> None:
    kept = KEPT / f"{name}.{suffix}"
    text = render(documents[name], form)
    if os.environ.get("JUDGEBENCH_WRITE_GOLDEN"):
        kept.write_text(text, encoding="utf-8")
    assert text == kept.read_text(encoding="utf-8")
