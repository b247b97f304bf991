"""``judgebench reproduce`` of the tables of which averages and boards alone are published."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from judgebench.cli.main import run
from judgebench.metrics.model_correlations import NO_INTERVAL

TASKS = Path(__file__).parents[2] / "tasks"
GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold"
BOARDS = ("mixeval_hard", "alignbench", "honestybench")
COEFFICIENTS = ("spearman", "pearson", "kendall")

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    def command(*words: str | Path) -> tuple[int, str, str]:
        code = run(["reproduce", *(str(word) for word in words)])
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Figures that a test may change."""
    for name in BOARDS:
        shutil.copytree(TASKS / name / "figures", tmp_path / name / "figures")
    return tmp_path


def as_json(typed: Typed, *words: str | Path) -> dict[str, Any]:
    code, out, err = typed(*words, "--format", "json")
    assert (code, err) == (0, "")
    (table,) = json.loads(out)["tables"]
    assert isinstance(table, dict)
    return table


def counts(table: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {row["metric"]: (row["compared"], row["agree"]) for row in table["summary"]}


def figure(table: dict[str, Any], who: str, metric: str, scope: str = "") -> dict[str, Any]:
    (found,) = [
        f for f in table["figures"] if (f["who"], f["metric"], f["scope"]) == (who, metric, scope)
    ]
    assert isinstance(found, dict)
    return found


def apart(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [f for f in table["figures"] if f["agrees"] is False]


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


# MixEval ----------------------------------------------------------------------------------------


def test_every_correlation_of_mixeval(typed: Typed) -> None:
    table = as_json(typed, "mixeval_hard")
    assert counts(table) == {
        **dict.fromkeys((*COEFFICIENTS, "models"), (10, 10)),
        "spearman/claimed": (2, 0),
    }
    hard = figure(table, "mixeval_hard", "spearman")
    assert hard["ours"]["value"] == pytest.approx(0.9696, abs=5e-5)
    assert (hard["ours"]["n"], hard["ours"]["missing"]) == (33, 14)
    assert (hard["ours"]["low"], hard["ours"]["high"]) == (None, None)
    assert hard["ours"]["method"] == NO_INTERVAL
    assert {f["metric"] for f in apart(table)} == {"spearman/claimed"}
    assert all(f["because"] for f in apart(table))


def test_they_are_those_of_the_gold(typed: Typed) -> None:
    path = GOLD / "mixeval" / "expected.json"
    if not path.exists():
        pytest.skip("the gold data (../shared/gold/mixeval beside the repository) is not here")
    expected = json.loads(path.read_text(encoding="utf-8"))
    table = as_json(typed, "mixeval_hard")
    columns = expected["published_leaderboard_correlation_with_arena_elo"]
    compared = 0
    for column, theirs in columns.items():
        for ours, name in zip(COEFFICIENTS, ("spearman", "pearson", "kendall_b"), strict=True):
            found = figure(table, column, ours)["ours"]
            assert found["value"] == pytest.approx(theirs[name], abs=5e-5 + 1e-9)
            assert found["n"] == theirs["n"]
            compared += 1
    assert compared == 30


def test_another_score_is_noticed(typed: Typed, tasks: Path) -> None:
    """A changed number of the board: still 0, and the figures of its column do not agree."""
    change(tasks / "mixeval_hard" / "figures" / "board.csv", "1287,64.7,", "1287,24.7,")
    table = as_json(typed, "mixeval_hard", "--tasks", tasks)
    assert {f["who"] for f in apart(table)} == {"mixeval_hard", "mixeval"}
    assert figure(table, "mixeval_hard", "kendall")["agrees"] is False
    code, out, _ = typed("mixeval_hard", "--tasks", tasks)
    assert code == 0
    assert re.search(r"mixeval_hard +0\.\d{3} +0\.877 +-0\.\d{3} +no", out)


def test_a_board_without_elo_has_no_correlation(typed: Typed, tasks: Path) -> None:
    path = tasks / "mixeval_hard" / "figures" / "board.csv"
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    without = [re.sub(r"^([^,]+),[^,]*,", r"\1,,", line) for line in lines]
    path.write_text("\n".join([head, *without]) + "\n", encoding="utf-8")
    table = as_json(typed, "mixeval_hard", "--tasks", tasks)
    ours = figure(table, "mixeval", "spearman")["ours"]
    assert (ours["value"], ours["low"], ours["n"], ours["missing"]) == (None, None, 0, 47)
    assert ours["undefined"] == "0 models in common; a correlation needs two"
    assert figure(table, "mixeval", "spearman")["agrees"] is False
    assert typed("mixeval_hard", "--tasks", tasks)[0] == 0


# AlignBench -------------------------------------------------------------------------------------


def test_every_average_of_alignbench(typed: Typed) -> None:
    table = as_json(typed, "alignbench")
    assert counts(table) == {
        **dict.fromkeys(("overall", "reasoning", "language"), (57, 57)),
        **dict.fromkeys((*COEFFICIENTS, "models"), (11, 11)),
    }
    largest = {row["metric"]: row["largest_difference"] for row in table["summary"]}
    assert max(largest[name] for name in ("overall", "reasoning", "language")) <= 0.005 + 1e-9
    assert max(largest[name] for name in COEFFICIENTS) < 1e-9
    overall = figure(table, "gpt-4-1106-preview", "overall", "1.0, gpt-4-0613")
    assert overall["ours"]["value"] == pytest.approx(((7.80 + 7.66) / 2 + 49.72 / 6) / 2)
    assert overall["theirs"] == 8.01


def test_the_two_judges_of_alignbench(typed: Typed) -> None:
    table = as_json(typed, "alignbench")
    found = [figure(table, "overall", name, "two judges")["ours"] for name in COEFFICIENTS]
    assert [one["value"] for one in found] == pytest.approx([0.994, 0.985, 0.967], abs=6e-4)
    assert {one["n"] for one in found} == {17}
    (shift,) = [note for note in table["notes"] if "on one scale" in note]
    assert "CritiqueLLM gives -0.17 on average over 17 models" in shift


def test_another_category_is_noticed(typed: Typed, tasks: Path) -> None:
    path = tasks / "alignbench" / "figures" / "boards.csv"
    change(path, "gpt-4-1106-preview,8.01,7.73,8.29,7.8,", "gpt-4-1106-preview,8.01,7.73,8.29,7.9,")
    table = as_json(typed, "alignbench", "--tasks", tasks)
    sides = [f for f in apart(table) if f["scope"] == "1.0, gpt-4-0613"]
    assert {(f["who"], f["metric"]) for f in sides} == {
        ("gpt-4-1106-preview", "overall"),
        ("gpt-4-1106-preview", "reasoning"),
    }
    assert {f["who"] for f in apart(table) if f["scope"] == "two judges"} == {"math"}


def test_one_judge_alone_agrees_with_nobody(typed: Typed, tasks: Path) -> None:
    path = tasks / "alignbench" / "figures" / "boards.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"1\.0,CritiqueLLM,.*\n", "", text), encoding="utf-8")
    table = as_json(typed, "alignbench", "--tasks", tasks)
    ours = figure(table, "overall", "kendall", "two judges")["ours"]
    assert (ours["value"], ours["undefined"]) == (
        None,
        "0 models in common; a correlation needs two",
    )
    assert any("no model is on both boards" in note for note in table["notes"])


# HonestyBench -----------------------------------------------------------------------------------


def test_every_average_of_honestybench(typed: Typed) -> None:
    """103 of 104 averages by domain, and the one that does not agree is told apart."""
    table = as_json(typed, "honestybench")
    assert counts(table) == {
        "auroc": (82, 82),
        "ece": (22, 21),
        "accuracy": (3, 3),
        "auroc/by_samples": (4, 4),
    }
    (exception,) = apart(table)
    assert (exception["who"], exception["metric"], exception["scope"]) == (
        "Qwen2.5-7B-Instruct, Thermometer",
        "ece",
        "in-domain",
    )
    assert exception["theirs"] == 0.06
    assert exception["ours"]["value"] == pytest.approx(0.0482, abs=5e-5)
    assert "whatever was rounded off, give 0.043 to 0.053" in exception["because"]
    assert any("would agree in 11 of 104" in note for note in table["notes"])
    assert all(f["ours"]["low"] is None for f in table["figures"])


def test_as_it_is_typed(typed: Typed, tmp_path: Path) -> None:
    written = tmp_path / "out.md"
    code, out, err = typed(*BOARDS, "--output", written)
    assert (code, err) == (0, f"written: {written}\n")
    assert "honestybench: 110 of 111 figures agree" in out
    assert "alignbench: 215 of 215 figures agree" in out
    assert "mixeval_hard: 40 of 42 figures agree" in out
    assert re.search(r"Thermometer +0\.048 +0\.060 +-0\.012 +no +the sets' figures", out)
    assert re.search(r"column +ours +elsewhere", out)
    assert "Thermometer" in written.read_text(encoding="utf-8")


# What is wrong with a file ----------------------------------------------------------------------

TORN = [
    ("mixeval_hard", "board.csv", "1287,64.7,", "1287,164.7,",
     "board.csv:3: mixeval_hard: between 0 and 100, not 164.7"),
    ("mixeval_hard", "board.csv", "1287,64.7,", "high,64.7,",
     "board.csv:3: arena_elo: a number has to stand here, not 'high'"),
    ("mixeval_hard", "board.csv", "GPT-4o-2024-05-13,", "Claude 3 Opus,",
     "board.csv:4: model: Claude 3 Opus is here twice"),
    ("mixeval_hard", "board.csv", "Claude 3 Opus,", ",", "board.csv:4: model: is missing"),
    ("mixeval_hard", "correlations.csv", "mmlu_hard,", "mmlu_heard,",
     "correlations.csv:10: column: no column called 'mmlu_heard'; did you mean 'mmlu_hard'?"),
    ("mixeval_hard", "correlations.csv", "kendall", "tau", "kendall: is missing. Columns here:"),
    ("alignbench", "boards.csv", "gpt-4-0613,7.53,", "gpt-4-0613,11,",
     "boards.csv:3: overall: between 0 and 10, not 11"),
    ("alignbench", "boards.csv", "gpt-4-0613,7.53,", "gpt-4-0613,,", "overall: is missing"),
    ("honestybench", "tables.csv", "auroc,", "auc,",
     "tables.csv:2: statistic: one of auroc, accuracy, ece, not 'auc'"),
    ("honestybench", "tables.csv", "N-Prob", "Prob",
     "tables.csv:3: method: auroc, Qwen2.5-7B-Instruct, Prob is here twice"),
    ("honestybench", "sets.csv", "nq,in-domain", "nq,at_home",
     "sets.csv:2: domain: one of in-domain, ood, not 'at_home'"),
    ("honestybench", "sets.csv", "3610", "0", "sets.csv:2: questions: a set has at least one"),
    ("honestybench", "samples.csv", "Consis-Sem,20", "Consist,20",
     "method: Qwen2.5-7B-Instruct, Consist: its AUROC is not in tables.csv"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "file", "old", "new", "said"), TORN)
def test_bad_figures_are_named(
    typed: Typed, tasks: Path, table: str, file: str, old: str, new: str, said: str
) -> None:
    change(tasks / table / "figures" / file, old, new)
    code, out, err = typed(table, "--tasks", tasks)
    assert (code, out) == (65, "")
    assert said in err


def test_a_domain_without_sets(typed: Typed, tasks: Path) -> None:
    path = tasks / "honestybench" / "figures" / "sets.csv"
    path.write_text("set,domain,questions\nnq,in-domain,3610\n", encoding="utf-8")
    code, _, err = typed("honestybench", "--tasks", tasks)
    assert code == 65
    assert "sets.csv: domain: no set is ood" in err
