"""A provider without a model: it answers from the question alone.

In a suite it tries out everything but the judging: the same question always gets the same answer,
at no cost and without a network::

    judges:
      - name: dice
        provider: scripted
        model: dice
        provider_options: {replies: [correct, incorrect], delay_s: 0.01}
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from judgebench.config import Endpoint
from judgebench.errors import ConfigError, ProviderUnavailableError
from judgebench.keys import request_key
from judgebench.providers.base import refuse_unknown_options
from judgebench.providers.tokens import ESTIMATE, prompt_tokens
from judgebench.records import ChatRequest, Reply, Request, ScoreRequest, Usage

_REPLIES = ("correct", "incorrect")


def make(endpoint: Endpoint) -> Drawn:
    """The provider ``scripted``; of what others need it takes ``provider_options`` alone.

    ``replies`` are the texts among which the question's content key draws, and ``delay_s`` is how
    long each takes, in seconds. A JSON schema is filled by the same key, a `ScoreRequest` gets
    scores from it.

    Raises
    ------
    ConfigError
        For an unknown option, with the nearest, or one of another kind.
    """
    given = endpoint.provider_options
    refuse_unknown_options("scripted", given, {"replies", "delay_s"})
    replies = given.get("replies", _REPLIES)
    texts = isinstance(replies, list | tuple) and all(isinstance(text, str) for text in replies)
    if not texts or not replies:
        raise ConfigError("provider_options: replies is a list of texts, and not empty")
    delay_s = given.get("delay_s", 0.0)
    if isinstance(delay_s, bool) or not isinstance(delay_s, int | float) or not delay_s >= 0:
        raise ConfigError("provider_options: delay_s is a number of seconds, 0 or more")
    return Drawn(replies, delay_s=delay_s)


@dataclass(eq=False)
class Drawn:
    """Draws each answer by the content key of its question."""

    replies: Sequence[str]
    delay_s: float = field(default=0.0, kw_only=True)
    _closed: bool = field(default=False, init=False)

    async def complete(self, request: Request) -> Reply:
        if self._closed:
            raise ProviderUnavailableError("the scripted provider was closed: it answers no more")
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        number = int.from_bytes(request_key(request)[:8], "big")
        if isinstance(request, ScoreRequest):
            text, scores = "", _scores(request, number)
        else:
            text, scores = self._text(request, number), None
        counter = ESTIMATE
        return Reply(
            text=text,
            scores=scores,
            finish_reason="stop",
            served_model=request.model,
            usage=Usage(
                prompt_tokens=prompt_tokens(request, counter),
                completion_tokens=counter.count(text),
            ),
            seconds=self.delay_s,
            left_out=_left_out(request),
        )

    async def close(self) -> None:
        self._closed = True

    def _text(self, request: ChatRequest, number: int) -> str:
        schema = _schema(request)
        if schema is not None:
            return json.dumps(_filled(schema, number))
        return self.replies[number % len(self.replies)]


def _left_out(request: Request) -> tuple[str, ...]:
    """What was asked for beside a text and is not given."""
    if isinstance(request, ScoreRequest):
        return ()
    named = {
        "logprobs": request.logprobs is not None,
        "reasoning": request.reasoning is not None,
        "response_format": request.response_format is not None and _schema(request) is None,
    }
    return tuple(name for name, is_asked in named.items() if is_asked)


def _schema(request: ChatRequest) -> Mapping[str, Any] | None:
    schema = ((request.response_format or {}).get("json_schema") or {}).get("schema")
    return schema if isinstance(schema, Mapping) else None


def _scores(request: ScoreRequest, number: int) -> tuple[float, ...]:
    """Log-probabilities of the candidates that add up to 1, or one score in [-5, 5)."""
    if not request.candidates:
        return (number % 1000 / 100 - 5,)
    weights = [1 + (number >> 4 * i) % 16 for i in range(len(request.candidates))]
    return tuple(math.log(weight / sum(weights)) for weight in weights)


def _filled(schema: Mapping[str, Any], number: int) -> Any:
    """The smallest thing that a JSON schema allows, with its choices drawn."""
    if schema.get("enum"):
        return schema["enum"][number % len(schema["enum"])]
    match schema.get("type"):
        case "object":
            parts = schema.get("properties") or {}
            return {
                name: _filled(part, number >> 3 * i) for i, (name, part) in enumerate(parts.items())
            }
        case "array":
            return [_filled(schema.get("items") or {}, number)] * schema.get("minItems", 0)
        case "integer" | "number":
            low, high = schema.get("minimum", 0), schema.get("maximum", 10)
            return low + number % (math.floor(high - low) + 1)
        case "boolean":
            return number % 2 == 1
        case _:
            return "scripted"
