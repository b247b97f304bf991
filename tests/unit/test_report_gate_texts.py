"""What a gate shows of the items that flipped: on a page, and as annotations of a workflow."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from judgebench.cli.main import run
from judgebench.plain_text import printable
from judgebench.records import Item, Message
from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.reports.gate_result import GateReport
from judgebench.reports.pair_tests import NO_TEXTS
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e.runs import typed
from tests.unit.exchanged import coded, import_responses, import_verdicts, rows_file
from tests.unit.hostile import HOSTILE
from tests.unit.test_report_html import Page

N = 120
MARKUP = "<script>alert(1)</script>\n\t<b>&amp;</b>\r\n::error::x %0A"


def put(store: Store, folder: Path, texts: list[str]) -> GateReport:
    """A regression on ``texts`` as questions, with the text itself as both answers."""
    codes = {"old": "+" * N, "new": "-" * len(texts) + "+" * (N - len(texts))}
    store.put_items(
        [
            Item(
                benchmark="made_up",
                version="unversioned",
                id=str(i),
                turns=(Message(role="user", content=f"asked: {text}"),),
            )
            for i, text in enumerate(texts)
        ]
    )
    verdicts = [row for model, said in codes.items() for row in coded(model, "J", said)]
    answers = [
        {"benchmark": "made_up", "item_id": str(i), "model": model, "text": f"{model}: {text}"}
        for model in codes
        for i, text in enumerate(texts)
    ]
    import_responses(store, rows_file(folder / "a.jsonl", answers))
    import_verdicts(store, rows_file(folder / "v.jsonl", verdicts))
    policy = Policy(tests=[GateTest(benchmark="made_up", max_drop=0.01)])
    return gate_report(store, candidate="new", baseline="old", policy=policy)


def commands(lines: list[str]) -> list[re.Match[str]]:
    """As GitHub's runner reads them; every line has to be one."""
    found = [re.fullmatch(r"::(error|warning) title=([^:,]*)::(.*)", line) for line in lines]
    assert all(found)
    return [one for one in found if one]


def decoded(data: str) -> str:
    for code, character in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        data = data.replace(code, character)
    return data


def test_a_page_has_the_questions_and_both_answers(store: Store, tmp_path: Path) -> None:
    report = put(store, tmp_path, [MARKUP, *(f"text {i}" for i in range(14))])
    texts = report.texts(store)
    html = render(report.document(texts, answers=True), "html")
    assert "<script>" not in html
    cells = Page(html).texts["td"]
    shown = MARKUP.replace("\r\n", "\n").expandtabs(4)
    for beginning in ("asked: ", "old: ", "new: "):
        assert any(cell == (beginning + shown).replace("\t", "    ") for cell in cells), beginning
    assert sum(cell.startswith("asked: ") for cell in cells) == 10  # and not all fifteen
    assert not re.search(r"(?:src|href)=", html)


def test_hostile_texts_stay_texts_on_a_page(tmp_path: Path) -> None:
    # What no file can hold comes from no import.
    texts = [text for text in HOSTILE if "\ud800" not in text]
    for start in range(0, len(texts), 10):
        folder = tmp_path / str(start)
        folder.mkdir()
        with open_store(str(folder / "s.db")) as own:
            report = put(own, folder, texts[start : start + 10])
            read = report.texts(own)
            html = render(report.document(read, answers=True), "html")
        Page(html)  # complains of tags and attributes that are not ours
        assert html == printable(html, lines=True)


def test_what_is_not_stored_is_said_and_a_long_text_is_cut(store: Store, tmp_path: Path) -> None:
    report = put(store, tmp_path, ["x" * 5000])
    texts = report.texts(store)
    html = render(report.document(replace(texts, answers={}), answers=True), "html")
    assert "… (1,007 more characters)" in html
    assert html.count("(not in the store)") == 2


def test_annotations_are_one_command_a_line_whatever_the_texts(
    store: Store, tmp_path: Path
) -> None:
    report = put(store, tmp_path, [MARKUP, *HOSTILE[:9]])
    (found,) = commands(list(report.annotations(report.texts(store))))
    assert found[1] == "error"
    assert decoded(found[2]) == "REGRESSION: made_up@unversioned, accuracy by J"
    sentence, *flips = decoded(found[3]).split("\n")
    assert sentence.startswith("REGRESSION: accuracy fell from 1.000 (old) to 0.917 (new)")
    assert len(flips) == 10
    assert flips[0].endswith("asked: <script>alert(1)</script> <b>&amp;</b> ::error::x %0A")


def test_hostile_names_do_not_end_a_property(store: Store, tmp_path: Path) -> None:
    judge = "J,file=x::y\n::error::z%0A"
    rows = [*coded("old", judge, "+" * N), *coded("new", judge, "+" * 90 + "-" * 30)]
    import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
    policy = Policy(tests=[GateTest(benchmark="made_up", max_drop=0.01)])
    report = gate_report(store, candidate="new", baseline="old", policy=policy)
    (found,) = commands(list(report.annotations(NO_TEXTS)))
    assert decoded(found[2]).endswith("by " + judge.replace("\n", "\n"))


def test_the_command_annotates_for_github_only(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, [f"question {i}" for i in range(12)])
    rows = [*coded("few", "J", "++++"), *coded("same", "J", "+" * N)]
    import_verdicts(store, rows_file(tmp_path / "more.jsonl", rows))
    at = ("gate", "--store", tmp_path / "s.db", "--baseline", "old", "--max-drop", "0.05")
    said = {}
    for candidate in ("new", "few", "same"):
        done = typed(*at, "--candidate", candidate, environment={"GITHUB_ACTIONS": "true"})
        said[candidate] = [line for line in done.err.splitlines() if line.startswith("::")]
        assert "::" not in done.out
    assert [one[1] for one in commands(said["new"])] == ["error"]
    assert [one[1] for one in commands(said["few"])] == ["warning"]
    assert said["same"] == []
    done = typed(*at, "--candidate", "new", environment={"GITHUB_ACTIONS": ""})
    assert (done.code, done.err) == (1, "")


def test_the_command_writes_a_page_with_texts_and_tables_without(
    store: Store, tmp_path: Path
) -> None:
    put(store, tmp_path, [f"question {i}" for i in range(12)])
    outputs = [tmp_path / "out" / f"gate.{form}" for form in ("html", "md", "json")]
    done = typed(
        "gate", "--store", str(tmp_path / "s.db"), "--baseline", "old", "--candidate", "new",
        *(word for path in outputs for word in ("--output", path)),
        "--junit", tmp_path / "junit" / "gate.xml",
    )  # fmt: skip
    assert done.code == 1
    html, md, json_ = (path.read_text() for path in outputs)
    assert "new: question 0" in html
    assert "question 0" not in md + json_
    assert (tmp_path / "junit" / "gate.xml").exists()


def in_ci(summary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))


def test_the_summary_of_a_job_has_the_items_that_flipped(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, tmp_path, [MARKUP, *(f"question {i}" for i in range(1, 12))])
    in_ci(tmp_path / "summary.md", monkeypatch)
    assert run(["gate", "--store", str(tmp_path / "s.db"), *OF_TWO]) == 1
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("### REGRESSION: new against old")
    assert "12 differ" in summary
    rows = [line for line in summary.splitlines() if "asked: " in line]
    assert len(rows) == 10
    assert "\\<script\\>alert" in rows[0]
    assert "| asked: question 1 |" in rows[1]


OF_TWO = ("--baseline", "old", "--candidate", "new", "--max-drop", "0.01")


def test_a_file_that_cannot_be_used_leaves_an_annotation_and_a_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_ci(tmp_path / "summary.md", monkeypatch)
    file = tmp_path / "<b>::x%0A.jsonl"
    file.write_text("no JSON\n")
    store = ("--store", str(tmp_path / "s.db"))
    assert run(["import", "verdicts", str(file), *store]) == 65
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.startswith("::")]
    (found,) = commands(lines)
    assert found[1] == "error"
    assert decoded(found[2]) == "judgebench import ended with exit code 65"
    error = said.err.rstrip("\n").partition("error: ")[2].split("error: ")[-1]
    assert decoded(found[3]) == error
    assert "line 1" in error or "row 1" in error
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("### judgebench import ended with exit code 65\n\n- ")
    assert "\\<b\\>" in summary
    assert "<b>" not in summary
    assert said.out == ""
    # A summary that is no file is said, and what went wrong stays what it was.
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    assert run(["import", "verdicts", str(file), *store]) == 65
    assert "cannot be written: Is a directory" in capsys.readouterr().err
    # Outside of CI nothing is added.
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert run(["import", "verdicts", str(file), *store]) == 65
    assert "::error" not in capsys.readouterr().err
