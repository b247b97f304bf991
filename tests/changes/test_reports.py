"""Leaderboards, agreement and spending as people see them, kept as files: a change is a diff.

JUDGEBENCH_WRITE_GOLDEN=1 python -m pytest tests/changes/test_reports.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from judgebench.config import Panel
from judgebench.exchange.tables import import_labels
from judgebench.execution.forecast import Range
from judgebench.metrics.judge_differences import JudgeChecks
from judgebench.records import (
    How,
    JudgeSpec,
    ModelSpec,
    Purpose,
    RunManifest,
    Spend,
    Usage,
    VerdictSlot,
)
from judgebench.reports import agreement, leaderboard
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.cost import cost_report, cost_table
from judgebench.reports.document import Document
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from tests.unit.exchanged import coded, import_responses, import_verdicts, label, rows_file

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
        report = agreement.agreement_report(store, "made_up", between=True, checks=JudgeChecks())
    return {
        "leaderboard": Leaderboard.of(boards).document(),
        "agreement": report.document(by_model=True),
    }


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """Three judges of two models on 45 items: one that is good, one that is not, one that calls
    nearly everything of one model correct."""
    folder = tmp_path_factory.mktemp("judges")
    rows = []
    for at, model in enumerate(("apo-1200", "base")):
        right = [(7 * item + 3 * at) % 5 > 1 + at for item in range(45)]
        said = {
            "human/authors": right,
            "careful-judge": [one != (item % 11 == at) for item, one in enumerate(right)],
            "hasty-judge": [one != (item % 4 == at) for item, one in enumerate(right)],
            "kind-judge": [at == 0 or one != (item % 9 == 1) for item, one in enumerate(right)],
        }
        for judge, labels in said.items():
            rows += coded(model, judge, "".join("+" if label else "-" for label in labels))
    with open_store(str(folder / "s.db")) as store:
        import_verdicts(store, rows_file(folder / "v.jsonl", rows))
        return agreement.agreement_report(store, "made_up", checks=JudgeChecks()).document()


@pytest.fixture(scope="module")
def other_kinds(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """Two judges that compare in both orders, one that scores, and the panel of the two."""
    folder = tmp_path_factory.mktemp("kinds")
    rows = []
    for model, strength in (("apo-1200", 7), ("base", 4)):
        for item in range(12):
            more = {"kind": "score", "low": 1, "high": 10}
            rows.append(label(item, model, "rubric", str(1 + (item * strength) % 10), **more))
            for judge, bias in (("strict", 0), ("first-shown", 4)):
                for order, favour in (("model_first", bias), ("opponent_first", -bias)):
                    won = (5 * item) % 10 + favour < strength
                    rows.append(
                        label(
                            item,
                            model,
                            judge,
                            str(float(won)),
                            opponent="last-week",
                            order=order,
                            kind="preference",
                        )
                    )
    rows.append(
        label(
            12,
            "base",
            "strict",
            "",
            opponent="last-week",
            order="model_first",
            kind="unreadable",
            reason="truncated",
        )
    )
    with open_store(str(folder / "s.db")) as store:
        import_verdicts(store, rows_file(folder / "v.jsonl", rows))
        panel = Panel(judges=["strict", "first-shown"])
        return Leaderboard.of(leaderboard.leaderboards(store, "made_up", panels=[panel])).document()


@pytest.fixture(scope="module")
def spending(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """What a run took, and below it the same beside its forecast."""
    with open_store(str(tmp_path_factory.mktemp("spend") / "s.db")) as store:
        store.start_run(
            RunManifest(
                id="nightly-1",
                name="nightly",
                configuration={},
                versions={},
                git_sha=None,
                data_sha={},
                seeds={},
                started=0.0,
            )
        )
        model = store.put_model("candidate", ModelSpec(weights="m"))
        judges = {name: store.put_judge(name, JudgeSpec(kind=name)) for name in ("dear", "unknown")}

        def took(judge: str | None, how: How, calls: int, cost: float | None) -> Spend:
            place = VerdictSlot(
                benchmark="made_up",
                version="1",
                item_id="0",
                model_key=model,
                judge_key=judges[judge] if judge else b"",
            )
            usage = Usage(
                prompt_tokens=500 * calls,
                completion_tokens=20 * calls,
                cached_tokens=9,
                cache_write_tokens=100,
            )
            return Spend(
                purpose=Purpose(run_id="nightly-1", place=place),
                how=how,
                provider="openai",
                model="gpt",
                usage=usage,
                cost_usd=cost,
                calls=calls,
            )

        store.put_spend(
            [
                took(None, "live", 12, 0.25),
                took("dear", "live", 10, 1.5),
                took("dear", "batch", 30, 2.25),
                took("dear", "recorded", 8, 1.2),
                took("dear", "retried", 3, 0.0),
                took("dear", "wasted", 1, 0.15),
                took("unknown", "live", 40, None),
            ]
        )
        whole = cost_report(store).document()
        forecast = {"dear": Range(low=3, expected=4, high=5), "candidate": Range(), "unknown": None}
        beside = cost_table(store.spend("nightly-1"), forecast, title="spent and forecast")
    return Document(tables=[*whole.tables, beside], records=whole.records, data=whole.data)


def written(document: Document, name: str, form: str) -> None:
    """Compares a document with what is kept of it."""
    kept = KEPT / name
    text = render(document, form)
    if os.environ.get("JUDGEBENCH_WRITE_GOLDEN"):
        kept.write_text(text, encoding="utf-8")
    assert text == kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["leaderboard", "agreement"])
@pytest.mark.parametrize(("form", "suffix"), [("table", "txt"), ("md", "md")])
def test_a_report_reads_as_it_did(
    documents: dict[str, Document], name: str, form: str, suffix: str
) -> None:
    written(documents[name], f"{name}.{suffix}", form)


@pytest.mark.parametrize(("form", "suffix"), [("table", "txt"), ("latex", "tex")])
def test_judges_are_compared_as_they_were(judges: Document, form: str, suffix: str) -> None:
    written(judges, f"agreement_judges.{suffix}", form)


@pytest.mark.parametrize(("form", "suffix"), [("html", "html"), ("latex", "tex")])
def test_a_leaderboard_is_written_as_it_was(
    documents: dict[str, Document], form: str, suffix: str
) -> None:
    written(documents["leaderboard"], f"leaderboard.{suffix}", form)


def test_boards_of_scores_and_comparisons_read_as_they_did(other_kinds: Document) -> None:
    written(other_kinds, "leaderboard_kinds.txt", "table")


@pytest.mark.parametrize(("form", "suffix"), [("table", "txt"), ("json", "json")])
def test_spending_reads_as_it_did(spending: Document, form: str, suffix: str) -> None:
    written(spending, f"cost.{suffix}", form)
