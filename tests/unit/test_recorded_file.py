"""Answers that exist: which rows of a file are a model's, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import InputError
from judgebench.responses.from_file import RecordedAnswers, read_answers
from tests.table import over_rows


def answers(path: Path, *rows: dict[str, Any], **asked: Any) -> RecordedAnswers:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    wanted = {"model": "m", "benchmark": "b", "version": "1"} | asked
    return read_answers(path, **wanted)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def test_the_rows_of_the_model_on_the_benchmark(file: Path) -> None:
    found = answers(
        file,
        {"benchmark": "b", "item_id": "0", "model": "m", "text": "mine"},
        {"benchmark": "b", "item_id": "0", "model": "m", "text": "again", "sample": 1},
        {"benchmark": "b", "item_id": "0", "model": "other", "text": "theirs"},
        {"benchmark": "c", "item_id": "0", "model": "m", "text": "elsewhere"},
        {"benchmark": "b", "version": "2", "item_id": "0", "model": "m", "text": "newer"},
    )
    assert found.texts == {("0", 0): ("mine",), ("0", 1): ("again",)}


@pytest.mark.parametrize("named", [{}, {"model": "whatever it is called in there"}])
def test_a_file_of_one_model_is_the_suites(file: Path, named: dict[str, str]) -> None:
    assert answers(file, {"item_id": 7, "text": "yes", **named}).texts == {("7", 0): ("yes",)}


def test_the_order_and_the_name_of_a_file_say_nothing_of_its_answers(
    file: Path, tmp_path: Path
) -> None:
    rows = [{"item_id": str(i), "text": f"answer {i}"} for i in range(3)]
    first = answers(file, *rows)
    elsewhere = answers(tmp_path / "copy.jsonl", *rows[::-1], rows[0] | {"model": None})
    assert first.texts == elsewhere.texts
    assert first.texts != answers(file, *rows[:2], rows[2] | {"text": "another"}).texts


@over_rows(
    ("rows", "said"),
    [
        (
            [{"item_id": "0", "text": "a"}, {"item_id": "0", "text": "b"}],
            ":2: item_id: a second, different answer to item '0'; the first is {path}:1. Delete",
        ),
        (
            [{"item_id": "0", "text": "a"}, {"item_id": "9", "text": "b"}],
            ":2: item_id: '9' is no item of b@1; 1 rows name such items",
        ),
        (
            [{"item_id": "0", "text": "a", "model": n} for n in ("zeta", "eta")],
            ": no answers of 'm' in it; name the model of the suite as the file does. In the "
            "file: eta, zeta",
        ),
        ([{"item_id": "0", "text": "a", "benchmark": "c"}], ": no answers to b@1 in it"),
        ([{"item_id": "0", "text": None}], ":1: text: is missing; an answer that is empty"),
    ],
)
def test_what_is_refused(file: Path, rows: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InputError) as error:
        answers(file, *rows, known_items={"0", "1"})
    assert str(error.value).startswith(str(file) + said.format(path=file))


def message(uid: str, said: Any) -> dict[str, Any]:
    return {"uid": uid, "model": "m", "messages": [{"role": "assistant", "content": said}]}


def test_a_call_that_failed_is_no_answer_in_any_form(file: Path) -> None:
    found = answers(file, message("0", {"answer": "a"}), message("1", "$ERROR$"), message("2", "c"))
    assert found.texts == {("0", 0): ("a",), ("2", 0): ("c",)}
    own = [
        {"item_id": item, "text": text, "turn": turn}
        for item, turn, text in (("0", 0, "a"), ("1", 0, "$ERROR$"), ("1", 1, "b"),
                                 ("2", 0, "c"), ("2", 1, "$ERROR$"))
    ]  # fmt: skip
    found = answers(file, *own)
    assert found.texts == {("0", 0): ("a",), ("2", 0): ("c",)}
    with pytest.raises(InputError, match=r"every answer of m to b@1 is \$ERROR\$"):
        answers(file, own[1])
    with pytest.raises(InputError, match=r":1: messages: no answer stands in the last one"):
        answers(file, message("0", {"answer": 1}))


def test_the_same_answer_twice_is_one(file: Path) -> None:
    assert answers(file, *[{"item_id": "0", "text": "a"}] * 2).texts == {("0", 0): ("a",)}


def test_empty_and_huge_answers_are_answers(file: Path) -> None:
    huge = "word " * 400_000
    found = answers(file, {"item_id": "0", "text": ""}, {"item_id": "1", "text": huge})
    assert found.texts == {("0", 0): ("",), ("1", 0): (huge,)}
