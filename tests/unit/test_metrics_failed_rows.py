"""What could not be had is missing wherever it should have been, and nowhere else."""

from __future__ import annotations

from typing import Any

from judgebench.metrics.board_kinds import BoardKind, by_board
from judgebench.metrics.failed_rows import with_failures
from judgebench.metrics.verdict_table import FAILED

ABOUT = ("judge", "item_id", "model", "sample", "turn", "opponent", "order", "repeat", "kind")


def rows(*given: dict[str, Any], kind: str) -> dict[str, list]:
    usual = {
        "judge": "j", "item_id": "q", "model": "m", "sample": 0, "turn": 0, "opponent": None,
        "order": "single", "repeat": 0, "kind": kind,
    }  # fmt: skip
    return {name: [one.get(name, usual[name]) for one in given] for name in ABOUT}


def failed(verdicts: dict[str, list], *given: dict[str, Any]) -> set[tuple[Any, ...]]:
    """Judge, item, model, opponent and order of the rows that failures added."""
    found = with_failures(verdicts, rows(*given, kind="timeout"))
    n = len(verdicts["kind"])
    assert set(found["kind"][n:]) <= {FAILED}
    assert found["failure_kind"] == [None] * n + ["timeout"] * (len(found["kind"]) - n)
    names = ("judge", "item_id", "model", "opponent", "order")
    return set(list(zip(*(found[name] for name in names), strict=True))[n:])


def labels(*given: dict[str, Any]) -> dict[str, list]:
    return rows(*given, kind="label")


def test_a_failed_verdict_is_a_row_unless_it_was_had_since() -> None:
    verdicts = labels({}, {"item_id": "r"})
    assert failed(verdicts, {}, {"item_id": "s"}) == {("j", "s", "m", None, "single")}
    assert failed(labels({}), {"repeat": 1}) == {("j", "q", "m", None, "single")}


def test_an_answer_that_failed_is_missing_before_every_judge() -> None:
    verdicts = labels({"model": "n"}, {"judge": "k"}, {"judge": "c", "opponent": "base"})
    assert failed(verdicts, {"judge": None, "model": "late"}) == {
        ("j", "q", "late", None, "single"),
        ("k", "q", "late", None, "single"),
        ("c", "q", "late", "base", "single"),
    }


def test_what_the_opponent_could_not_answer_is_missing_from_all_that_are_compared() -> None:
    verdicts = labels(*({"model": name, "opponent": "base"} for name in "ab"))
    assert failed(verdicts, {"judge": None, "model": "base", "item_id": "r"}) == {
        ("j", "r", "a", "base", "single"),
        ("j", "r", "b", "base", "single"),
    }


def test_an_answer_that_was_judged_in_either_order_is_there() -> None:
    verdicts = labels({"opponent": "base", "order": "opponent_first"})
    assert failed(verdicts, {"judge": None}) == set()


def test_without_failures_the_verdicts_are_as_they_were() -> None:
    verdicts = labels({}, {"item_id": "r"})
    found = with_failures(verdicts, rows(kind="timeout"))
    assert {name: found[name] for name in ABOUT} == verdicts


def test_a_judge_of_whom_nothing_came_is_on_the_board_of_what_it_would_have_said() -> None:
    failures = rows({"judge": "r"}, {"judge": "l"}, kind="key") | {"judge_kind": ["rubric", "x"]}
    found = with_failures(rows(kind="label") | {"judge_kind": []}, failures)
    boards = {kind: rows.tolist() for kind, rows in by_board(found).items()}
    assert boards == {BoardKind("label"): [1], BoardKind("score"): [0]}
