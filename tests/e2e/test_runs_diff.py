"""`judgebench runs diff` as it is typed, on runs of a suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import runs


def answers(folder: Path, changed: int) -> Path:
    """The answers of two takers, the first few of one in other words."""
    rows = [json.loads(line) for line in (runs.MINI / "answers.jsonl").read_text().splitlines()]
    left = changed
    for row in rows:
        if row["model"] == "model-terse" and left:
            row["text"], left = "I could not say.", left - 1
    path = folder / f"answers-{changed}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def difference(folder: Path, a: str, b: str) -> Any:
    done = runs.typed(
        *("runs", "diff", a, b, "--store", runs.store_url(folder), "--format", "json")
    )
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


def test_two_nights_and_one_of_them_again(tmp_path: Path) -> None:
    before, after = answers(tmp_path, 0), answers(tmp_path, 3)
    assert runs.typed("run", runs.suite(tmp_path, answers=before, limit=8)).code == 0
    for _ in range(2):
        assert runs.typed("run", runs.suite(tmp_path, answers=after, limit=10, seed=7)).code == 0

    found = difference(tmp_path, "latest~2", "latest~1")
    changed = {(one["part"], one["field"]): (one["in_a"], one["in_b"]) for one in found["changed"]}
    assert changed["suite", "models[model-terse].responses"] == (str(before), str(after))
    assert changed["suite", "benchmarks[trivia_judging_mini].limit"] == ("8", "10")
    assert changed["seeds", "run"] == ("1234", "7")
    assert changed["trivia_judging_mini@1", "items judged"] == ("8", "10")
    assert ("model model-terse", "weights") in changed
    assert {part for part, _ in changed} == {
        "suite", "seeds", "trivia_judging_mini@1", "model model-terse",
    }  # fmt: skip
    moved = {(one["judge"]["name"], one["model"]["name"]): one for one in found["moved"]}
    assert set(moved) == {
        (judge, model)
        for judge in ("contains", "exact_match")
        for model in ("model-terse", "model-weak")
    }
    terse = moved["contains", "model-terse"]
    assert (terse["model"]["same"], terse["judge"]["same"]) == (False, True)
    assert terse["items"] == {"both": 8, "a_alone": 0, "b_alone": 2}
    assert terse["answers"] == {"compared": 8, "differ": 3}
    assert terse["flips"]["on_other_answer"] == terse["flips"]["flipped"] > 0
    lost = terse["flips"]["flipped"] / 8
    assert terse["difference"]["value"] == pytest.approx(-lost)
    assert terse["b"]["value"] - terse["a"]["value"] == pytest.approx(-lost)
    assert moved["contains", "model-weak"]["flips"]["flipped"] == 0

    again = difference(tmp_path, "latest~1", "latest")
    assert again["changed"] == []
    assert all(one["flips"]["flipped"] == 0 for one in again["moved"])
    said = runs.typed("runs", "diff", "latest", "latest", "--store", runs.store_url(tmp_path))
    assert "nothing changed: A and B are one and the same run" in said.out


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    assert runs.typed("run", runs.suite(tmp_path, limit=2)).code == 0
    done = runs.typed("runs", "diff", "latest~1", "latest", "--store", runs.store_url(tmp_path))
    assert (done.code, done.out) == (64, "")
    assert "there is no 'latest~1': the store has 1 run" in done.err
