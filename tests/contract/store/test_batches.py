"""A batch is kept with its questions, so that whoever has the store can collect it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from judgebench import keys
from judgebench.errors import InputError, StoreError
from judgebench.records import (
    Batch,
    BatchState,
    ChatRequest,
    Message,
    Purpose,
    Reply,
    Request,
    RunManifest,
    ScoreRequest,
    VerdictSlot,
)
from judgebench.store.opening import open_store
from judgebench.store.read import OPEN
from judgebench.store.store import Store
from tests.postgres import beside

BATCH = Batch(
    id="0f3c", run_id="run-1", asker="gpt", provider="openai", requests=2, created=1000.5
)  # fmt: skip
PLACE = VerdictSlot(
    benchmark="support",
    version="v1",
    item_id="名/7 \ud83d",
    model_key=b"m" * 32,
    judge_key=b"j" * 32,
    opponent_key=b"o" * 32,
    order="opponent_first",
    sample=1,
    turn=2,
    repeat=3,
)
PURPOSE = Purpose(run_id="run-1", place=PLACE)
ANYTHING = "a\0b {braces} \ud83d half 'quote' \U0001f600 中文\r\n"
CHAT = ChatRequest(
    provider="openai",
    model="judge-1",
    messages=(
        Message(role="system", content="Judge.", constant=6),
        Message(role="user", content=ANYTHING),
    ),
    decoding={"temperature": 0.0, "max_tokens": 32, "stop": ["\n"], "top_p": 0.95},
    logprobs=5,
    response_format={"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
    sample=2,
    extra={"cache_prompt": False, "nested": {"a": [1, None]}},
    reasoning="low",
    purpose=PURPOSE,
)
SCORE = ScoreRequest(
    provider="local",
    model="reward",
    messages=(Message(role="user", content="?"), Message(role="assistant", content="!")),
    candidates=("A", "B\ud800"),
    purpose=Purpose(
        run_id="run-1", place=dataclasses.replace(PLACE, judge_key=b"", opponent_key=None)
    ),
)
PLAIN = ScoreRequest(provider="p", model="m", messages=())
REQUESTS: dict[bytes, Request] = {keys.request_key(one): one for one in (CHAT, SCORE, PLAIN)}


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        opened.start_run(
            RunManifest(
                id="run-1", name="n", configuration={}, versions={}, git_sha=None, data_sha={},
                seeds={}, started=1.0,
            )
        )  # fmt: skip
        yield opened


def test_a_batch_comes_back_as_it_was(store: Store) -> None:
    ended = dataclasses.replace(
        BATCH, id="1", state="failed", remote_id="batch_abc", ended=2000.25, note=ANYTHING
    )
    store.put_batch(BATCH, REQUESTS)
    store.put_batch(ended, {})
    assert store.batches() == [BATCH, ended]
    assert store.batches(["failed"]) == [ended]
    assert store.batches(["submitting", "failed"]) == [BATCH, ended]
    assert store.batches(["collected"]) == store.batches([]) == []


def test_its_questions_come_back_as_they_were_with_what_they_are_for(store: Store) -> None:
    store.put_batch(BATCH, REQUESTS)
    found = store.batch_requests(BATCH.id)
    assert found == REQUESTS
    assert [type(found[key]) for key in REQUESTS] == [ChatRequest, ScoreRequest, ScoreRequest]
    for key, request in REQUESTS.items():
        assert found[key].purpose == request.purpose  # not compared by ==
        assert keys.request_key(found[key]) == key
    assert store.batch_requests("another") == {}


@given(text=st.text(st.characters() | st.sampled_from("\0\ud800\udfff\ud83d\ude00"), max_size=40))
def test_any_question_comes_back_exactly(store: Store, text: str) -> None:
    request = ChatRequest(
        provider="p",
        model=text,
        messages=(Message(role="user", content=text),),
        decoding={"stop": [text]},
        extra={text: text},
    )
    key = keys.request_key(request)
    if not store.batch_requests(key.hex()):
        store.put_batch(dataclasses.replace(BATCH, id=key.hex()), {key: request})
    assert store.batch_requests(key.hex()) == {key: request}


def test_a_huge_question_comes_back_and_is_kept_once_beside_its_reply(store: Store) -> None:
    request = dataclasses.replace(CHAT, messages=(Message(role="user", content="x" * 3_000_000),))
    key = keys.request_key(request)
    store.put_batch(BATCH, {key: request})
    store.put_reply(key, request, Reply(text="A"))
    assert store.batch_requests(BATCH.id) == {key: request}
    with beside(store.url) as connection:
        kept = connection.execute(text("SELECT sum(length(body)) FROM texts")).scalar_one()
    assert kept < 4_000_000


def test_many_questions_in_several_portions(store: Store) -> None:
    many = {
        keys.request_key(one): one
        for one in (dataclasses.replace(CHAT, sample=number) for number in range(2500))
    }
    store.put_batch(BATCH, many)
    assert store.batch_requests(BATCH.id) == many
    assert store.in_batches(list(many)) == dict.fromkeys(many, BATCH.id)


@pytest.mark.parametrize("state", get_args(BatchState))
def test_questions_wait_in_a_batch_until_it_has_ended(store: Store, state: BatchState) -> None:
    store.put_batch(BATCH, REQUESTS)
    asked = [*REQUESTS, b"?" * 32]
    assert store.in_batches(asked) == dict.fromkeys(REQUESTS, BATCH.id)
    changed = dataclasses.replace(BATCH, state=state, remote_id="batch_abc", note="told")
    store.update_batch(changed)
    assert store.batches() == [changed]
    assert store.in_batches(asked) == (dict.fromkeys(REQUESTS, BATCH.id) if state in OPEN else {})
    assert store.in_batches([]) == {}


def test_a_question_asked_again_after_its_batch_failed_waits_in_the_new_one(store: Store) -> None:
    store.put_batch(dataclasses.replace(BATCH, state="failed"), REQUESTS)
    store.put_batch(dataclasses.replace(BATCH, id="again"), {keys.request_key(CHAT): CHAT})
    assert store.in_batches(REQUESTS) == {keys.request_key(CHAT): "again"}
    store.put_batch(dataclasses.replace(BATCH, id="twice"), REQUESTS)
    assert store.in_batches(REQUESTS)[keys.request_key(CHAT)] == "again"  # the one that came first


def test_a_batch_is_put_once_whole_and_before_it_changes(store: Store) -> None:
    with pytest.raises(StoreError, match=r"no batch '0f3c'; put_batch\(\) must come first"):
        store.update_batch(BATCH)
    store.put_batch(BATCH, REQUESTS)
    with pytest.raises(StoreError, match="a batch '0f3c' is there already"):
        store.put_batch(BATCH, {})
    assert store.batch_requests(BATCH.id) == REQUESTS
    with pytest.raises(StoreError, match="no run 'run-2'"):
        store.put_batch(dataclasses.replace(BATCH, id="1", run_id="run-2"), REQUESTS)
    undefined = dataclasses.replace(CHAT, decoding={"temperature": float("nan")})
    with pytest.raises(ValueError, match="nan cannot be part of a key"):
        store.put_batch(dataclasses.replace(BATCH, id="2"), {b"k" * 32: undefined})
    with pytest.raises(InputError, match="the provider's id of a batch"):
        store.put_batch(dataclasses.replace(BATCH, id="3", remote_id="\0"), {})
    assert store.batches() == [BATCH]
