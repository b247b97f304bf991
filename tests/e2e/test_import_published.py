"""``judgebench import published``: the boards that were published come out of the store."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.e2e.runs import ROOT, store_url, typed

FEW = ("claude-2", "gpt35_turbo_instruct", "gpt4_1106_preview")
TAKERS = ("gpt-4t", "llama2-13b-base")
QUESTIONS = 60


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Figures of a few models that a test may change."""
    folder = tmp_path / "tasks"
    for name in ("alpaca_eval", "trivia_judging"):
        shutil.copytree(ROOT / "tasks" / name / "figures", folder / name / "figures")
    pairs = folder / "alpaca_eval" / "figures" / "verdicts.parquet"
    kept = [row for row in parquet.read_table(pairs).to_pylist() if row["model"] in FEW]
    parquet.write_table(pa.Table.from_pylist(kept), pairs)
    write(labels(folder), [row for row in read(labels(folder)) if of_few(row)])
    return folder


def of_few(row: dict[str, str]) -> bool:
    return row["exam_taker"] in TAKERS and int(row["question_id"]) >= 400 - QUESTIONS


def labels(tasks: Path) -> Path:
    return tasks / "trivia_judging" / "figures" / "verdicts.csv"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def boards(folder: Path, benchmark: str) -> dict[str, Any]:
    done = typed("leaderboard", benchmark, "--store", store_url(folder), "--format", "json")
    assert done.code == 0, done.err
    return {board["judge"]: board for board in json.loads(done.out)["boards"]}


def test_both_boards_come_out_as_published_and_again_changes_nothing(
    tmp_path: Path, tasks: Path
) -> None:
    store = ("--store", store_url(tmp_path), "--tasks", tasks)
    done = typed("import", "published", *store)
    assert done.code == 0, done.err
    assert done.out == ""
    judged = sum(
        bool(cell)
        for row in read(labels(tasks))
        for name, cell in row.items()
        if name not in ("exam_taker", "question_id")
    )
    assert 0 < judged < len(TAKERS) * QUESTIONS * 12, "some of them have not judged everything"
    assert f"{judged} verdicts, {judged} new" in done.err
    again = typed("import", "published", *store)
    assert again.code == 0
    assert f"{judged} verdicts, 0 new, {judged} known already" in again.err

    (board,) = boards(tmp_path, "alpaca_eval").values()
    ours = {row["model"]: row["metrics"]["win_rate"]["value"] for row in board["rows"]}
    published = read(tasks / "alpaca_eval" / "figures" / "published.csv")
    theirs = {row["model"]: float(row["win_rate"]) for row in published if row["model"] in FEW}
    assert ours == pytest.approx(theirs)

    of_labels = boards(tmp_path, "trivia_judging")
    assert len(of_labels) == 12
    for judge in ("GPT-4", "human"):
        for row in of_labels[judge]["rows"]:
            said = [
                r[judge]
                for r in read(labels(tasks))
                if r["exam_taker"] == row["model"] and r[judge]
            ]
            share = said.count("1") / len(said)
            assert row["metrics"]["accuracy"]["value"] == pytest.approx(share)


def test_one_of_them_by_name(tmp_path: Path, tasks: Path) -> None:
    words = ("import", "published", "trivia_judging", "--tasks", tasks)
    assert typed(*words, "--store", store_url(tmp_path)).code == 0
    done = typed("leaderboard", "alpaca_eval", "--store", store_url(tmp_path))
    assert done.code != 0 or "gpt35_turbo_instruct" not in done.out
    assert len(boards(tmp_path, "trivia_judging")) == 12


def test_what_is_wrong_in_the_figures_is_named_and_nothing_is_stored(
    tmp_path: Path, tasks: Path
) -> None:
    rows = read(labels(tasks))
    rows[3]["GPT-4"] = "yes"
    write(labels(tasks), rows)
    done = typed("import", "published", "--tasks", tasks, "--store", store_url(tmp_path))
    assert done.code == 65
    assert "verdicts.csv:5: GPT-4: 1 or 0 or nothing has to stand here, not 'yes'" in done.err
    assert not (tmp_path / "store.db").exists()


def test_without_figures_it_says_where_they_are(tmp_path: Path) -> None:
    words = ("import", "published", "--tasks", tmp_path / "nowhere")
    done = typed(*words, "--store", store_url(tmp_path))
    assert done.code == 65
    assert "Clone it and say --tasks CLONE/tasks" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("alpaca_evil",), "did you mean 'alpaca_eval'?"),
        (("alignbench",), "`judgebench leaderboard alignbench --published` show"),
        (("alpaca_eval", "--model", "m"), "of published verdicts everything is known"),
        (("--anchors",), "of published verdicts everything is known"),
    ],
)
def test_what_nobody_published_is_refused(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = typed("import", "published", *words, "--store", store_url(tmp_path))
    assert done.code == 64
    assert said in done.err


def test_a_folder_of_figures_goes_with_published_alone(tmp_path: Path) -> None:
    done = typed("import", "verdicts", tmp_path / "v.jsonl", "--tasks", tmp_path)
    assert done.code == 64
    assert "--tasks goes with `import published`" in done.err


def test_the_help_says_what_it_takes_in() -> None:
    done = typed("import", "--help")
    assert done.code == 0
    for words in ("published", "judgebench import published", "Exit codes"):
        assert words in done.out
