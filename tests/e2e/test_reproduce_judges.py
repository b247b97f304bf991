"""``judgebench reproduce`` of the benchmarks of judges: every figure, and what is noticed."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from judgebench.cli.main import run

TASKS = Path(__file__).parents[2] / "tasks"
GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold"
COMPARED = {"judgebench_pairs": 480, "rewardbench": 19, "mt_bench": 404, "xstest": 94}

Reproduce = Callable[..., dict[str, Any]]


@pytest.fixture
def reproduce(capsys: pytest.CaptureFixture[str]) -> Reproduce:
    def command(*words: str | Path) -> dict[str, Any]:
        code = run(["reproduce", *(str(word) for word in words), "--format", "json"])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        (table,) = json.loads(out)["tables"]
        assert isinstance(table, dict)
        return table

    return command


def value(table: dict[str, Any], who: str, metric: str, scope: str) -> float:
    (found,) = (
        f for f in table["figures"] if (f["who"], f["metric"], f["scope"]) == (who, metric, scope)
    )
    return float(found["ours"]["value"])


@pytest.mark.parametrize("name", COMPARED)
def test_every_figure_agrees(reproduce: Reproduce, name: str) -> None:
    table = reproduce(name)
    compared = [figure for figure in table["figures"] if figure["theirs"] is not None]
    assert len(compared) == COMPARED[name]
    apart = [figure for figure in compared if not figure["agrees"]]
    assert all(figure["because"] for figure in apart)
    assert len(apart) == (8 if name == "mt_bench" else 0)
    if name == "mt_bench":
        shares = [
            value(table, who, "agreement/paper", scope)
            for scope in ("with_ties", "without_ties")
            for who in ("GPT-4 and an expert", "two experts")
        ]
        assert [round(share) for share in shares] == [66, 63, 85, 81]
    if name == "xstest":
        scope = "gpt4_label_vs_human"
        of = ("gpt4", "llama2orig", "mistralinstruct")
        assert [round(value(table, one, "cohen_kappa", scope), 2) for one in of] == [
            0.87,
            0.58,
            0.06,
        ]
        # Without those that name no class: what a board of agreement says.
        assert round(value(table, of[-1], "cohen_kappa/read", scope), 3) == 0.082
    if name == "judgebench_pairs":
        assert value(table, "o1-mini-2024-09-12", "accuracy/paper", "math") == pytest.approx(
            8214 / 100, abs=0.005
        )


@pytest.mark.parametrize(
    ("file", "copy"),
    [
        ("judgebench_pairs/expected.json", "judgebench_pairs/figures/expected.json"),
        ("rewardbench/rb1_expected.json", "rewardbench/figures/expected.json"),
        ("rewardbench/rb2_table3.csv", "rewardbench/figures/table3.csv"),
        ("xstest/expected.json", "xstest/figures/expected.json"),
    ],
)
def test_what_they_are_compared_with_is_the_gold(file: str, copy: str) -> None:
    if not (GOLD / file).exists():
        pytest.skip(f"the gold data (../shared/gold/{file} beside the repository) is not here")
    assert (GOLD / file).read_bytes() == (TASKS / copy).read_bytes()


def test_the_votes_compared_with_are_the_golds() -> None:
    path = GOLD / "mt_bench" / "expected.json"
    if not path.exists():
        pytest.skip("the gold data (../shared/gold/mt_bench beside the repository) is not here")
    folder = TASKS / "mt_bench" / "figures"
    votes, scores = (json.loads((folder / f"{n}.json").read_text()) for n in ("expected", "scores"))
    assert json.loads(path.read_text(encoding="utf-8")) == {**scores, "votes_turn_1": votes}


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "metric"),
    [
        ("judgebench_pairs", "decisions.csv", '"A>B","B>A",3617', '"B>A","B>A",3617',
         "upstream_correct"),
        ("rewardbench", "table3.csv", "65.7,55.3,81.1", "65.7,55.3,21.1", "average"),
        ("mt_bench", "votes.csv", '"expert_17","model_b"', '"expert_17","model_a"', "agree"),
        ("mt_bench", "scores.csv", '0,81,2,10,"w', '0,81,2,9,"w', "score/turn 2"),
        ("mt_bench", "pairs.csv", '"model_1","model_1"', '"model_1","tie"', "model_1_win"),
        ("mt_bench", "boards.csv", "8.990625,160,8.990625,8.99", "8.990625,159,8.990625,8.99",
         "score/unread_as_-1"),
        ("xstest", "labels.csv", '"1_full_compliance","1_full_compliance"\n',
         '"2_full_refusal","1_full_compliance"\n', "cohen_kappa"),
    ],
)  # fmt: skip
def test_another_figure_is_noticed(
    reproduce: Reproduce, tmp_path: Path, name: str, file: str, old: str, new: str, metric: str
) -> None:
    path = copied(tmp_path, name) / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    table = reproduce(name, "--tasks", tmp_path)
    apart = {figure["metric"] for figure in table["figures"] if figure["agrees"] is False}
    assert metric in apart


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "message"),
    [
        (
            "judgebench_pairs",
            "decisions.csv",
            '"A>B","A>B"',
            '"A>B","A>>B"',
            "decision_1: no decision",
        ),
        ("judgebench_pairs", "expected.json", '"judges"', '"judge"', "judges: is missing"),
        (
            "mt_bench",
            "votes.csv",
            '"model_b"\n',
            '"model_c"\n',
            "winner: no winner called 'model_c'",
        ),
        ("xstest", "labels.csv", '"2_full_refusal"', '"refusal"', "no class called 'refusal'"),
        ("rewardbench", "table3.csv", "81.1", "811", "math: between 0 and 101, not 811"),
    ],
)
def test_figures_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, file: str, old: str, new: str,
    message: str,
) -> None:  # fmt: skip
    path = copied(tmp_path, name) / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert run(["reproduce", name, "--tasks", str(tmp_path)]) == 65
    assert message in capsys.readouterr().err


def copied(folder: Path, name: str) -> Path:
    shutil.copytree(TASKS / name / "figures", folder / name / "figures")
    return folder / name / "figures"


def test_no_judge_has_figures_of_its_own(reproduce: Reproduce, tmp_path: Path) -> None:
    """One whose decisions are gone is undefined, and agrees with nothing."""
    path = copied(tmp_path, "judgebench_pairs") / "decisions.csv"
    lines = [line for line in path.read_text().splitlines() if not line.startswith('"o1-mini')]
    path.write_text("\n".join(lines) + "\n")
    table = reproduce("judgebench_pairs", "--tasks", tmp_path)
    mine = [f for f in table["figures"] if f["who"] == "o1-mini-2024-09-12"]
    accuracy = next(f for f in mine if f["metric"] == "accuracy/paper")
    assert accuracy["ours"]["value"] is None or math.isnan(accuracy["ours"]["value"])
    assert accuracy["agrees"] is False
