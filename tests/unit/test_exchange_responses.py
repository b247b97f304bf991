"""Imported answers: empty and huge ones too; once only; never one answer over another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import InputError
from judgebench.exchange.responses import import_responses
from judgebench.exchange.verdicts import import_verdicts
from judgebench.store import Store, open_store
from judgebench.store.export import responses_of, verdicts_of, write_table
from tests.unit.exchanged import coded, label, rows_file


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "s.db")) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def answer(item: object, text: Any, **more: Any) -> dict[str, Any]:
    return {"benchmark": "made_up", "item_id": str(item), "model": "a", "text": text, **more}


def test_empty_and_huge_answers_are_kept_as_they_are(store: Store, file: Path) -> None:
    texts = {"0": "an answer", "1": "", "2": " \n", "3": "x" * 2_000_000, "4": "NUL \0, \ud800"}
    rows = [json.dumps(answer(i, text)) for i, text in texts.items()]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert import_responses(store, file).new == 5
    table = store.responses_table("made_up")
    assert dict(zip(table["item_id"], table["text"], strict=True)) == texts
    assert dict(zip(table["item_id"], table["status"], strict=True)) == {
        "0": "ok", "1": "empty", "2": "empty", "3": "ok", "4": "ok",
    }  # fmt: skip


def test_the_same_file_again_changes_nothing(store: Store, file: Path) -> None:
    rows_file(file, [answer(0, "one"), answer(1, "two"), answer(1, "zwei", sample=1)])
    first, again = import_responses(store, file), import_responses(store, file)
    assert (first.new, again.new, again.known) == (3, 0, 3)
    assert len(store.runs()) == 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([answer(0, "one"), answer(0, "two")], ":2: item_id: a second, different answer to"),
        ([answer(0, "one"), answer(0, None)], ":2: text: is missing; an answer that is empty"),
        ([answer(0, "one"), answer(1, "x", model="")], ":2: model: is missing"),
        (
            [answer(0, "x", benchmark="trivia_judging_mini"),
             answer("zero", "x", benchmark="trivia_judging_mini")],
            ":2: item_id: 'zero' is no item of trivia_judging_mini@1; 1 of 2 rows",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(store: Store, file: Path, rows: list[Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        import_responses(store, rows_file(file, rows))
    assert str(error.value).startswith(f"{file}{said}")
    assert store.benchmarks() == []


def test_another_answer_than_the_stores_is_refused(store: Store, file: Path) -> None:
    import_responses(store, rows_file(file, [answer(0, "one")]))
    with pytest.raises(InputError, match=r":1: text: the store has another answer of 'a' to item"):
        import_responses(store, rows_file(file, [answer(0, "two"), answer(1, "new")]))
    assert store.responses_table("made_up")["text"] == ["one"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_what_is_exported_can_be_imported(store: Store, tmp_path: Path, suffix: str) -> None:
    """Into another store: the same verdicts and answers; into the same: nothing new."""
    texts = ['plain, with "quotes"', "two\nlines\r\nthree", "", "=1+1", "日本語 ε"]
    answers = [answer(i, text) for i, text in enumerate(texts)]
    against = {"kind": "preference", "opponent": "b", "order": "opponent_first"}
    verdicts = [
        *coded("a", "j", "+-?"),
        label(3, "a", "j", 0.3) | against,
        label(3, "a", "k", 4.5, low=1, high=10) | {"kind": "score"},
        label(4, "a", "human/ann", "correct", p=0.1 + 0.2),
    ]
    import_responses(store, rows_file(tmp_path / "a.jsonl", answers))
    import_verdicts(store, rows_file(tmp_path / "v.jsonl", verdicts))
    exported = tmp_path / f"responses.{suffix}", tmp_path / f"verdicts.{suffix}"
    write_table(exported[0], responses_of(store))
    write_table(exported[1], verdicts_of(store))

    again = import_responses(store, exported[0]), import_verdicts(store, exported[1])
    assert [(report.new, report.known) for report in again] == [(0, 5), (0, 6)]
    with open_store(str(tmp_path / "other.db")) as other:
        import_responses(other, exported[0])
        import_verdicts(other, exported[1])
        own = ("run_id", "at", "source")
        for read in (verdicts_of, responses_of):
            assert _but(read(other), own) == _but(read(store), own)


def _but(columns: dict[str, list[Any]], names: tuple[str, ...]) -> dict[str, list[Any]]:
    """Without what is said of an import rather than of what was imported."""
    return {
        name: [round(v, 12) if isinstance(v, float) else v for v in values]
        for name, values in columns.items()
        if name not in names
    }
