"""Questions with the share of a model's further answers that are correct, for Verbal-10."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import UsageError
from judgebench.exchange.honestybench import confidence_examples
from judgebench.execution.resolve import with_examples
from judgebench.judges.kinds import KINDS
from judgebench.protocols import JudgeSettings
from judgebench.records import Item, Message
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e.runs import typed
from tests.unit.exchanged import import_verdicts, label, rows_file

N = 12
UNVERSIONED = "unversioned"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 's.db'}"


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    """Two models with four further answers to twelve questions: question n has n % 5 correct."""
    rows: list[Any] = []
    for model in ("a", "b"):
        for n in range(N):
            rows += [label(n, model, "J", "incorrect", sample=0)]
            rows += [
                label(n, model, "J", "correct" if k < n % 5 else "incorrect", sample=k + 1)
                for k in range(4)
            ]
    rows += [label(0, "a", "first-only", "correct", sample=0)]
    with open_store(url) as opened:
        import_verdicts(opened, rows_file(tmp_path / "v.jsonl", rows))
        turns = [(Message(role="user", content=f"Question {n}?"),) for n in range(N)]
        opened.put_items(
            [
                Item(benchmark="made_up", version=UNVERSIONED, id=str(n), turns=turn)
                for n, turn in enumerate(turns)
            ]
        )
        yield opened


def drawn(store: Store, **more: Any) -> dict[str, list[Any]]:
    said = {"correct": "J", "positive": "correct"} | more
    return confidence_examples(store, "made_up", UNVERSIONED, **said)


def test_the_share_is_of_further_answers_alone(store: Store) -> None:
    found = drawn(store)
    assert found["model"] == ["a"] * 10 + ["b"] * 10
    for question, share in zip(found["question"], found["confidence"], strict=True):
        n = int(question.removeprefix("Question ").removesuffix("?"))
        assert share == min(n % 5, 4) / 4


def test_a_draw_is_the_same_again_and_another_for_each_model(store: Store) -> None:
    one, again = drawn(store), drawn(store)
    assert one == again
    assert one["question"][:10] != one["question"][10:]
    assert drawn(store, seed=5) != one
    assert drawn(store, models=["b"])["question"] == one["question"][10:]


def test_what_cannot_be_drawn_is_said(store: Store) -> None:
    with pytest.raises(UsageError, match="a: 12 questions have judged further answers, and 13"):
        drawn(store, number=13)
    with pytest.raises(UsageError, match="no model with judged samples called 'c'"):
        drawn(store, models=["c"])
    with pytest.raises(UsageError, match="no judge that labels called 'K'"):
        drawn(store, correct="K")
    with pytest.raises(UsageError, match=r"labelled first answers only; .* judged_samples: all"):
        drawn(store, correct="first-only")


def test_a_judge_takes_the_file_as_it_is_written(store: Store, url: str, tmp_path: Path) -> None:
    file = tmp_path / "examples.jsonl"
    told = ["confidence-examples", "made_up", "--correct", "J", "--number", "3"]
    done = typed("export", *told, "--output", file, "--store", url)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) == 6
    options = with_examples({"examples": str(file)}, "b")
    judge = KINDS["stated_confidence"].make(JudgeSettings(model="m", provider="p", options=options))
    its = [(row["question"], row["confidence"]) for row in rows if row["model"] == "b"]
    shown = [{"question": question, "confidence": sure} for question, sure in its]
    assert judge.spec.options["examples"] == shown
