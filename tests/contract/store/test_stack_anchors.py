"""Responses that stand nowhere: seen by nobody but who asks for them, and displaced by answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from judgebench import keys
from judgebench.records import Failure, Item, Message, ModelSpec, Response, Runtime, VerdictSlot
from judgebench.store.copy import Part, copy
from judgebench.store.opening import open_store
from judgebench.store.store import Store

OLD, NEW, THIRD = (Runtime(backend="hf", versions={"torch": n}) for n in ("2.5", "2.6", "2.7"))
N = 6


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        fill(opened)
        yield opened


def fill(store: Store) -> None:
    """A model with answers on the old stack."""
    store.put_items([item(i) for i in range(N)])
    store.put_model("m", ModelSpec(weights="w"))
    store.put_responses({key(i): response(i, f"text {i}") for i in range(N)})


MODEL = keys.model_key(ModelSpec(weights="w"))
SHORT = MODEL.hex()[:12]


def item(i: int) -> Item:
    turns = (Message(role="user", content=f"question {i}"),)
    return Item(benchmark="b", version="1", id=str(i), turns=turns)


def key(i: int, sample: int = 0) -> bytes:
    return keys.response_key(MODEL, item(i).turns, None, sample=sample)


def response(i: int, text: str, stack: Runtime = OLD, *, sample: int = 0) -> Response:
    return Response(
        benchmark="b", version="1", item_id=str(i), model_key=MODEL, text=text, raw=text,
        stack=stack, sample=sample,
    )  # fmt: skip


def counts(store: Store, stack: Runtime = OLD, other: Runtime = NEW) -> tuple[int, int, int]:
    found = store.answered_again("b", "1", SHORT, stack=stack, other=other)
    return found.prompts, found.again, found.changed


def test_an_anchor_is_no_answer(store: Store) -> None:
    before = store.responses_table("b")
    place = VerdictSlot(benchmark="b", version="1", item_id="0", model_key=MODEL, judge_key=b"")
    failure = Failure(
        key=key(0), boundary="local_model", message="m", retriable=True, place=place, at=1.0
    )
    store.put_failure(failure)
    store.put_responses({key(i): response(i, f"text {i}", NEW) for i in range(3)}, stand=False)
    store.put_responses({key(9): response(9, "to a question without an answer", NEW)}, stand=False)
    assert store.responses_table("b") == before
    assert all(one.stack == OLD for found in store.responses([key(0)]).values() for one in found)
    assert store.responses([key(9)]) == {}
    assert store.answered("b", "1", MODEL) == {(str(i), 0) for i in range(N)}
    assert store.failures("b")["message"] == ["m"]  # what failed for an answer failed all the same


def test_an_excerpt_leaves_anchors_out(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "whole.db")) as store:
        fill(store)
        store.put_responses({key(0): response(0, "text 0", NEW)}, stand=False)
        copy(
            store.url, str(tmp_path / "part.db"), Part(benchmarks=[("b", "1")], verdicts_only=True)
        )
    with open_store(str(tmp_path / "part.db"), read_only=True) as excerpt:
        assert excerpt.answered_on([key(0)], NEW) == set()
        assert excerpt.answered_on([key(0)], OLD) == {key(0)}


def test_anchors_are_held_against_the_answers_of_one_stack(store: Store) -> None:
    assert counts(store) == (N, 0, 0)
    anchors = {key(i): response(i, f"text {i}", NEW) for i in range(4)}
    anchors[key(1)] = replace(anchors[key(1)], text="another")
    store.put_responses(anchors, stand=False)
    assert counts(store) == (N, 4, 1)
    assert counts(store, other=THIRD) == (N, 0, 0)
    assert counts(store, stack=NEW, other=OLD) == (0, 0, 0)  # no answer of it stands there
    assert store.answered_on([key(i) for i in range(9)], NEW) == set(anchors)
    store.put_responses({key(1): response(1, "text 1", NEW)}, stand=False)
    assert counts(store) == (N, 4, 1), "the first one is kept"
    nobody = store.answered_again("b", "2", SHORT, stack=OLD, other=NEW)
    assert (nobody.prompts, nobody.again, nobody.changed) == (0, 0, 0)


def test_a_question_asked_twice_is_one_and_further_samples_are_none(store: Store) -> None:
    store.put_items([replace(item(0), id="17")])
    store.put_responses({key(0): replace(response(0, "text 0"), item_id="17")})
    store.put_responses({key(0, 1): response(0, "drawn", sample=1)})
    store.put_responses({key(0): response(0, "text 0", NEW)}, stand=False)
    assert counts(store) == (N, 1, 0)


def test_an_answer_takes_the_place_of_an_anchor(store: Store) -> None:
    """Else the anchor, which is older than the answers of a third stack, were not the newest."""
    store.put_responses({key(i): response(i, "anchor", NEW) for i in range(2)}, stand=False)
    store.put_responses({key(i): response(i, "third", THIRD) for i in range(N)})
    store.put_responses({key(i): response(i, "answer", NEW) for i in range(N)})
    table = store.responses_table("b")
    newest = [t for t, first in zip(table["text"], table["newest"], strict=True) if first]
    assert newest == ["answer"] * N
    assert counts(store) == (N, N, N)
    store.put_responses({key(0): response(0, "too late", NEW)}, stand=False)
    assert store.responses_table("b") == table
    store.put_responses({key(0): response(0, "too late", NEW)})  # an answer stays
    assert store.responses_table("b") == table
