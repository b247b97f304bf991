"""Questions on their way into a batch: noted once, put off, and never sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.config import Endpoint
from judgebench.errors import BudgetSpentError, CallError, DeferredError
from judgebench.providers import batch as lines
from judgebench.providers import openai
from judgebench.providers.batch import BatchCollector, batches_of
from judgebench.providers.replay import Replay
from judgebench.records import ChatRequest, Message, Reply, Request
from judgebench.secret import Secret
from tests.unit.batched import new_store, questions, submitted
from tests.wire.batch_servers import OpenAIServer

NOWHERE = "http://127.0.0.1:9/v1"


def collecting(**more: Any) -> BatchCollector:
    """Where questions are noted; what is sent would be refused."""
    key = Secret("sk-0123456789abcdef")
    return BatchCollector(
        batches_of(Endpoint(provider="openai", base_url=NOWHERE, api_key=key)), **more
    )


def put_off(provider: BatchCollector | Replay, asked: Sequence[Request]) -> list[type[object]]:
    """What each question raises, or the kind of what it gets."""

    async def each() -> list[type[object]]:
        outcomes = (provider.complete(request) for request in asked)
        came = await asyncio.gather(*outcomes, return_exceptions=True)
        await provider.close()
        return [type(outcome) for outcome in came]

    return asyncio.run(each())


def test_questions_are_noted_once() -> None:
    asked = questions(3)
    noted = collecting()

    came = put_off(noted, [*asked.values(), *asked.values()])

    assert came == [DeferredError] * 6
    assert noted.requests == asked


def test_what_is_recorded_is_answered_at_once(tmp_path: Path) -> None:
    asked = questions(2)
    known, new = asked
    noted = collecting()
    with OpenAIServer() as server, new_store(tmp_path / "store.db", server) as store:
        store.put_reply(known, asked[known], Reply(text="recorded"))

        came = put_off(Replay(noted, store), list(asked.values()))

    assert came == [Reply, DeferredError]
    assert list(noted.requests) == [new]


def test_what_is_in_a_batch_already_is_put_off_and_not_noted(tmp_path: Path) -> None:
    asked = questions(2)
    waiting, new = asked
    with OpenAIServer() as server, new_store(tmp_path / "store.db", server) as store:
        submitted(store, server, {waiting: asked[waiting]})
        under_way: Callable[[bytes], bool] = lambda key: bool(store.in_batches([key]))  # noqa: E731
        noted = collecting(under_way=under_way)

        came = put_off(noted, list(asked.values()))

    assert came == [DeferredError, DeferredError]
    assert list(noted.requests) == [new]


def test_what_cannot_be_put_in_a_batch_fails_by_itself() -> None:
    good, other = questions(2).values()
    assert isinstance(other, ChatRequest)
    bad = replace(other, messages=(Message(role="user", content="half \ud800"),))
    noted = collecting()

    assert put_off(noted, [good, bad]) == [DeferredError, CallError]
    assert list(noted.requests.values()) == [good]


def test_a_question_that_could_cost_too_much_is_not_noted() -> None:
    left = [2]

    async def reserve(request: Request) -> None:
        if not left[0]:
            raise BudgetSpentError("no more")
        left[0] -= 1

    noted = collecting(reserve=reserve)
    asked = list(questions(3).values())

    came = put_off(noted, [*asked[:2], asked[0], asked[2]])

    assert came == [DeferredError, DeferredError, DeferredError, BudgetSpentError]
    assert list(noted.requests.values()) == asked[:2]


@given(st.binary(min_size=32, max_size=32))
def test_an_id_gives_back_its_key_and_only_in_its_own_batch(key: bytes) -> None:
    token, other = lines.new_token(), lines.new_token()
    line_id = lines.custom_id(token, key)

    assert len(line_id) == 64
    assert lines.key_of(line_id, token) == key
    assert lines.key_of(line_id, other) is None


@given(st.one_of(st.text(), st.none(), st.integers(), st.lists(st.text())))
def test_an_id_of_somebody_else_is_none(line_id: object) -> None:
    assert lines.key_of(line_id, lines.new_token()) is None


@given(st.lists(st.text(), min_size=1), st.integers(1, 5), st.integers(20, 200))
def test_parts_hold_every_question_once_and_keep_to_the_limits(
    texts: list[str], most: int, most_bytes: int
) -> None:
    asked = {bytes([n % 256, n // 256]): text for n, text in enumerate(texts)}
    sizes = {key: len(text.encode("utf-8", "replace")) % 20 + 1 for key, text in asked.items()}
    kinds = {key: "even" if sizes[key] % 2 == 0 else "odd" for key in asked}

    endpoint = Endpoint(provider="openai", base_url=NOWHERE)
    interface: Any = openai.batches(endpoint, max_requests=most, max_bytes=most_bytes)
    interface._measure = lambda key, _: (kinds[key], sizes[key])
    parts = list(interface.split(asked))

    assert sorted(key for part in parts for key in part) == sorted(asked)
    for part in parts:
        assert 1 <= len(part) <= most
        assert sum(sizes[key] for key in part) <= most_bytes
        assert len({kinds[key] for key in part}) == 1


@given(st.binary())
def test_any_file_can_be_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "lines"
    path.write_bytes(content)
    with path.open("rb") as file:
        for line in lines.read_lines(file):
            assert isinstance(line, str | dict)


def test_a_line_without_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 100)
    path = tmp_path / "lines"
    path.write_bytes(b'{"n": 1}\n' + b"x" * 1000 + b'\n{"n": 2}\n' + b"y" * 1000)
    with path.open("rb") as file:
        found = list(lines.read_lines(file))

    assert found[0] == {"n": 1}
    assert found[2] == {"n": 2}
    assert [type(line) for line in found] == [dict, str, dict, str]
