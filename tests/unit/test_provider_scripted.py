"""The provider without a model."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import pytest

from judgebench.config import Endpoint
from judgebench.errors import ConfigError
from judgebench.providers import scripted
from judgebench.records import ChatRequest, Message, Reply, Request, ScoreRequest
from tests.table import over_rows
from tests.unit import virtual_time


def question(text: str, **more: Any) -> ChatRequest:
    return ChatRequest(
        provider="scripted", model="dice", messages=(Message(role="user", content=text),), **more
    )


def replies_to(requests: list[Request], **options: Any) -> list[Reply]:
    async def main() -> list[Reply]:
        provider = scripted.make(Endpoint(provider="scripted", provider_options=options))
        return [await provider.complete(request) for request in requests]

    return asyncio.run(main())


def test_the_same_question_gets_the_same_answer_and_others_get_others() -> None:
    requests: list[Request] = [question(f"q{i}") for i in range(200)]
    first = replies_to(requests, replies=["A", "B", "C"])
    assert first == replies_to(requests, replies=["A", "B", "C"])
    texts = [reply.text for reply in first]
    assert all(40 < texts.count(text) < 95 for text in "ABC")
    assert {(reply.finish_reason, reply.served_model) for reply in first} == {("stop", "dice")}
    assert all(reply.usage.prompt_tokens and reply.usage.completion_tokens for reply in first)


def test_repeats_of_a_question_may_differ() -> None:
    assert len({r.text for r in replies_to([question("q", sample=i) for i in range(20)])}) == 2


def test_a_schema_is_filled() -> None:
    schema = {
        "type": "object",
        "properties": {
            "why": {"type": "string"},
            "winner": {"enum": ["first", "second", "tie"]},
            "score": {"type": "integer", "minimum": 1, "maximum": 5},
            "sure": {"type": "boolean"},
            "parts": {"type": "array", "items": {"type": "number"}, "minItems": 2},
        },
    }
    form = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema}}
    replies = replies_to([question(f"q{i}", response_format=form) for i in range(100)])
    verdicts = [json.loads(reply.text) for reply in replies]
    assert {verdict["winner"] for verdict in verdicts} == {"first", "second", "tie"}
    assert {verdict["score"] for verdict in verdicts} == {1, 2, 3, 4, 5}
    assert {verdict["sure"] for verdict in verdicts} == {True, False}
    assert all(len(verdict["parts"]) == 2 for verdict in verdicts)


def test_scores_are_probabilities_of_the_candidates_or_one_number() -> None:
    def score(*candidates: str) -> Reply:
        request = ScoreRequest(
            provider="scripted",
            model="dice",
            messages=(Message(role="user", content="q"),),
            candidates=candidates,
        )
        first, second = replies_to([request, request])
        assert first == second
        return first

    logprobs = score("A", "B", "C").scores
    assert logprobs is not None
    assert sum(map(math.exp, logprobs)) == pytest.approx(1)
    reward = score().scores
    assert reward is not None
    assert len(reward) == 1


def test_an_answer_can_take_its_time() -> None:
    async def main() -> float:
        provider = scripted.make(Endpoint(provider="scripted", provider_options={"delay_s": 0.25}))
        await asyncio.gather(*(provider.complete(question(str(i))) for i in range(3)))
        return virtual_time.clock()

    assert virtual_time.run(main()) == 0.25


@over_rows(
    ("options", "says"),
    [
        ({"reply": ["a"]}, "did you mean 'replies'"),
        ({"replies": []}, "not empty"),
        ({"replies": "correct"}, "a list of texts"),
        ({"replies": [1]}, "a list of texts"),
        ({"delay_s": -1}, "delay_s is a number"),
        ({"delay_s": True}, "delay_s is a number"),
    ],
)
def test_what_is_wrong_in_a_suite_is_said(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        scripted.make(Endpoint(provider="scripted", provider_options=options))
