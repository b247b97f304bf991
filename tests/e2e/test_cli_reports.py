"""Import, leaderboard, agreement, export, runs: as they are typed, on the small set."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from judgebench.cli.main import run
from tests.e2e.runs import MINI
from tests.unit.exchanged import coded, label, rows_file

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'results' / 's.db'}"


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, store: str) -> Typed:
    """Type a command; its exit code, stdout and stderr."""
    monkeypatch.setenv("JUDGEBENCH_STORE", store)

    def command(*words: str | Path) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture
def filled(typed: Typed, tmp_path: Path) -> Typed:
    """The small set's answers and labels, and a judge that is right but for every tenth."""
    rows = [json.loads(line) for line in (MINI / "labels.jsonl").read_text().splitlines()]
    turned = {"correct": "incorrect", "incorrect": "correct"}
    verdicts = [
        row | {"judge": "careful", "value": turned[row["value"]] if i % 10 == 0 else row["value"]}
        for i, row in enumerate(rows)
    ]
    assert typed("import", "responses", MINI / "answers.jsonl")[0] == 0
    assert typed("import", "labels", MINI / "labels.jsonl")[0] == 0
    assert typed("import", "verdicts", rows_file(tmp_path / "v.jsonl", verdicts))[0] == 0
    return typed


def test_labels_become_a_kappa(filled: Typed) -> None:
    code, out, err = filled(
        "agreement", "trivia_judging_mini", "--reference", "human/authors", "--format", "json"
    )
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert (report["benchmark"], report["reference"]) == ("trivia_judging_mini", "human/authors")
    pooled = next(row for row in report["rows"] if row["scope"] == "pooled")
    assert pooled["judge"] == "careful"
    assert pooled["metrics"]["agreement"]["value"] == pytest.approx(172 / 192)
    assert 0 < pooled["metrics"]["cohen_kappa"]["low"] < pooled["metrics"]["cohen_kappa"]["high"]
    assert pooled["metrics"]["cohen_kappa"]["units"] == 48
    assert sum(row["scope"] == "model" for row in report["rows"]) == 4


def test_labels_stand_with_the_answers_that_were_imported(filled: Typed, store: str) -> None:
    _, out, _ = filled("leaderboard", "trivia_judging_mini", "--format", "json")
    boards = json.loads(out)["boards"]
    assert [board["judge"] for board in boards] == ["careful", "human/authors"]
    for board in boards:
        assert [row["counts"]["answers"] for row in board["rows"]] == [48] * 4
        assert all(row["counts"]["verdicts"] == 48 for row in board["rows"])


def test_a_leaderboard_in_every_form(filled: Typed, tmp_path: Path) -> None:
    outputs = [tmp_path / f"board.{suffix}" for suffix in ("md", "csv", "json", "txt")]
    written = [word for path in outputs for word in ("--output", path)]
    code, out, err = filled("leaderboard", "trivia_judging_mini@1", "--judge", "careful", *written)
    assert code == 0
    assert err.splitlines() == [f"written: {path}" for path in outputs]
    assert out == outputs[3].read_text(encoding="utf-8")
    assert out.startswith("trivia_judging_mini@1, judged by careful\nimported verdicts; 48 items\n")
    rows = list(csv.DictReader(io.StringIO(outputs[1].read_text())))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    assert json.loads(outputs[2].read_text())["boards"][0]["judge"] == "careful"
    assert "| rank | model |" in outputs[0].read_text()


def test_importing_twice_says_that_nothing_is_new(filled: Typed) -> None:
    code, out, err = filled("import", "labels", MINI / "labels.jsonl", MINI / "labels.jsonl")
    assert (code, out) == (0, "")
    assert err.count("192 labels, 0 new, 192 known already") == 2


def test_a_bad_file_ends_with_65_and_leaves_nothing(typed: Typed, tmp_path: Path) -> None:
    good = rows_file(tmp_path / "good.jsonl", coded("a", "human/x", "+"))
    torn = tmp_path / "torn.jsonl"
    torn.write_text(good.read_text() + '{"benchmark": "made_up", "item_id"')
    code, out, err = typed("import", "labels", torn)
    assert (code, out) == (65, "")
    assert err.startswith(f"error: {torn}:2: the last line is cut off after 34 bytes")
    code, _, err = typed("import", "labels", good, torn, tmp_path / "nope.jsonl")
    assert code == 65
    assert "good.jsonl" not in err
    assert not (tmp_path / "results").exists()  # no store is made for what is refused
    assert typed("import", "labels", good)[0] == 0


def test_unknown_ids_can_be_kept_on_purpose(typed: Typed, tmp_path: Path) -> None:
    row = label("x9", "a", "human/x", "correct") | {"benchmark": "trivia_judging_mini"}
    path = rows_file(tmp_path / "l.jsonl", [row])
    code, _, err = typed("import", "labels", path)
    assert code == 65
    assert "--allow-unknown-items takes them in" in err
    assert typed("import", "labels", path, "--allow_unknown_items")[0] == 0


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_an_export_can_be_imported(filled: Typed, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "out" / f"verdicts.{suffix}"
    code, out, err = filled("export", "verdicts", "trivia_judging_mini", "--output", path)
    assert (code, out, err) == (0, "", f"written: {path}\n")
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert filled("import", "verdicts", path, "--store", other)[0] == 0
    wanted = ("agreement", "trivia_judging_mini", "--format", "json")
    assert filled(*wanted, "--store", other)[1] == filled(*wanted)[1]


def test_an_export_goes_to_stdout(filled: Typed) -> None:
    code, out, err = filled("export", "responses", "trivia_judging_mini")
    assert (code, err) == (0, "")
    assert len([json.loads(line) for line in out.splitlines()]) == 192
    lines = filled("export", "verdicts", "--format", "csv")[1]
    assert len(list(csv.DictReader(io.StringIO(lines)))) == 384


def test_imports_are_runs(filled: Typed) -> None:
    runs = json.loads(filled("runs", "list", "--format", "json")[1])["runs"]
    assert [(run["name"], run["state"]) for run in runs] == [
        ("import responses answers.jsonl", "done"),
        ("import labels labels.jsonl", "done"),
        ("import verdicts v.jsonl", "done"),
    ]
    one = json.loads(filled("runs", "show", runs[1]["id"], "--format", "json")[1])
    assert one["counts"] == {"verdicts": 192}
    assert one["configuration"]["file"] == "labels.jsonl"
    assert "import verdicts v.jsonl" in filled("runs", "show", "last")[1]
    code, _, err = filled("runs", "show", "nothing")
    assert code == 64
    assert "no run called 'nothing'" in err
    assert "begins several runs" in filled("runs", "show", "2")[2]


def test_a_file_for_raters_that_came_back_empty_is_said(filled: Typed, tmp_path: Path) -> None:
    file = tmp_path / "raters.csv"
    assert filled("labels", "export", "trivia_judging_mini", "--n", "3", "--output", file)[0] == 0
    code, _, err = filled("labels", "import", file)
    assert (code, "0 labels, 0 new" in err) == (0, True)
    assert f"warning: {file}: no row has a label: raters fill in the column 'value'" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("leaderboard", "trivia_judging_mni"), 64, "did you mean 'trivia_judging_mini"),
        (("leaderboard", "trivia_judging_mini", "--judge", "car"), 64, "no judge called 'car'"),
        (("leaderboard", "trivia_judging_mini@7"), 64, "no version of trivia_judging_mini called"),
        (("leaderboard", "trivia_judging_mini", "--format", "xml"), 64, "'xml' is not one of"),
        (("leaderboard", "trivia_judging_mini", "--output", "b.xml"), 64, "known are .txt, .md"),
        (("leaderboard",), 64, "Missing argument 'BENCHMARK…'"),
        (("agreement", "trivia_judging_mini", "--reference", "human/me"), 64, "no judge called"),
        (("export", "verdicts", "--output", "v.xlsx"), 64, "known are .jsonl, .csv, .parquet"),
        (("import", "verdicts", "none.jsonl"), 65, "none.jsonl: there is no such file"),
        (("import", "verdicts", "none.xlsx"), 64, "the suffix says what a file is"),
        (("import",), 64, "Missing argument 'FORMAT'. Choose from: verdicts, labels, responses, "),
        (("import", "labels"), 64, "Missing argument 'PATH…'"),
    ],
)
def test_what_is_wrong_is_said(filled: Typed, words: tuple[str, ...], code: int, said: str) -> None:
    found, out, err = filled(*words)
    assert (found, out) == (code, "")
    assert err.startswith("error: ")
    assert said in err


@pytest.mark.parametrize(
    "words",
    [("leaderboard", "x"), ("agreement", "x"), ("export", "verdicts"), ("runs", "list")],
)
def test_without_a_store_it_is_said_what_makes_one(typed: Typed, words: tuple[str, ...]) -> None:
    code, out, err = typed(*words)
    assert (code, out) == (73, "")
    assert "there is no store at" in err
    assert "`judgebench run` and `judgebench import` make one" in err


def test_scores_are_ranked_and_have_no_agreement_of_labels(typed: Typed, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [label(0, "a", "j", 3, low=1, high=5) | {"kind": "score"}]
    typed("import", "verdicts", rows_file(tmp_path / "s.jsonl", rows))
    code, out, err = typed("leaderboard", "made_up")
    assert code == 0
    assert "score (1 to 5) [95%]" in out
    code, _, err = typed("agreement", "made_up")
    assert code == 64
    assert "no two judges with labels or scores of the same answers" in err


def test_a_panel_is_shown_when_it_is_asked_for(typed: Typed, tmp_path: Path) -> None:
    rows = [row for judge in "abc" for row in coded("m", judge, "++-" if judge == "a" else "+-+")]
    typed("import", "verdicts", rows_file(tmp_path / "v.jsonl", rows))
    code, out, _ = typed("leaderboard", "made_up", "--judge", "a", "--panel", "a,b,c")
    assert code == 0
    assert "judged by panel/majority(a,b,c)" in out
    assert "judged by a\n" in out
    assert "judged by b\n" not in out
    code, out, err = typed("leaderboard", "made_up", "--panel", "a,bb")
    assert (code, out) == (64, "")
    assert "panel/majority(a,bb): made_up@unversioned: no judge called 'bb'; did you mean" in err
    code, _, err = typed("leaderboard", "made_up", "--panel", "mean(a,b)")
    assert code == 64
    assert "labels have no mean; take 'rule: majority'" in err
