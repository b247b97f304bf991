"""Servers that speak the three real APIs, to be put behind `tests.loopback.Loopback`.

A speaker refuses what the real server would refuse, and says a `Said` or a `Trouble` in its API's
own words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.loopback import Ask, Reaction
from tests.wire.strict import fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the model says. ``finish`` is in the words of chat completions.

    ``logprobs`` are tokens with their log-probability and alternatives.
    """

    text: str = "correct"
    thought: str | None = None
    refusal: str | None = None
    finish: str = "stop"
    prompt_tokens: int = 90
    cached_tokens: int = 64
    cache_write_tokens: int = 10
    completion_tokens: int = 12
    reasoning_tokens: int = 4
    logprobs: tuple[tuple[str, float, Mapping[str, float]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An error as this API words it."""

    status: int
    message: str = "no"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Speaker(Protocol):
    """One API. ``extras`` is what its provider is made with, beside address and key."""

    api: str
    provider: str
    path: str
    extras: Mapping[str, Any]

    def payload(self, ask: Ask, said: Said) -> dict[str, Any]: ...

    def nothing(self) -> dict[str, Any]:
        """A success that holds no answer."""
        ...

    def error(self, trouble: Trouble) -> dict[str, Any]: ...

    def system(self, ask: Ask) -> str: ...

    def user(self, ask: Ask) -> str: ...


class Chat:
    """Chat Completions."""

    api = "chat"
    path = "/v1/chat/completions"

    def __init__(self, provider: str, **extras: Any) -> None:
        self.provider = provider
        self.extras: Mapping[str, Any] = extras

    def payload(self, ask: Ask, said: Said) -> dict[str, Any]:
        message = {"role": "assistant", "content": said.text, "refusal": said.refusal}
        if said.refusal is not None:
            message["content"] = None
        if said.thought is not None:
            message["reasoning_content"] = said.thought
        return {
            "id": f"chatcmpl-{ask.sha[:12]}",
            "object": "chat.completion",
            "created": 1_795_000_000,
            "model": f"{ask.body['model']}-served",
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "finish_reason": "stop" if said.finish == "refusal" else said.finish,
                    "logprobs": {"content": _tokens(said), "refusal": None},
                }
            ],
            "usage": {
                "prompt_tokens": said.prompt_tokens,
                "completion_tokens": said.completion_tokens,
                "total_tokens": said.prompt_tokens + said.completion_tokens,
                "prompt_tokens_details": {
                    "cached_tokens": said.cached_tokens,
                    "cache_write_tokens": said.cache_write_tokens,
                },
                "completion_tokens_details": {"reasoning_tokens": said.reasoning_tokens},
            },
            "service_tier": "default",
        }

    def nothing(self) -> dict[str, Any]:
        usage = {"prompt_tokens": 90, "completion_tokens": 0, "total_tokens": 90}
        return {"id": "x", "object": "chat.completion", "choices": [], "usage": usage}

    def error(self, trouble: Trouble) -> dict[str, Any]:
        return _openai_error(trouble)

    def system(self, ask: Ask) -> str:
        instructing = {"system", "developer"}
        return "".join(m["content"] for m in ask.body["messages"] if m["role"] in instructing)

    def user(self, ask: Ask) -> str:
        return str(ask.body["messages"][-1]["content"])


class Responses:
    """OpenAI's Responses."""

    api = "responses"
    provider = "openai"
    path = "/v1/responses"
    extras: Mapping[str, Any] = {"provider_options": {"api": "responses"}}

    def payload(self, ask: Ask, said: Said) -> dict[str, Any]:
        part: dict[str, Any] = {"type": "output_text", "text": said.text, "annotations": []}
        if said.logprobs:
            part["logprobs"] = _tokens(said)
        if said.refusal is not None:
            part = {"type": "refusal", "refusal": said.refusal}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}
        reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
        reason = reasons.get(said.finish)
        status = "completed" if reason is None else "incomplete"
        thoughts = []
        if said.thought is not None:
            summary = [{"type": "summary_text", "text": said.thought}]
            thoughts = [{"id": "rs_1", "type": "reasoning", "summary": summary}]
        return {
            "id": f"resp_{ask.sha[:12]}",
            "object": "response",
            "created_at": 1_795_000_000,
            "status": status,
            "error": None,
            "incomplete_details": None if reason is None else {"reason": reason},
            "model": f"{ask.body['model']}-served",
            "output": [*thoughts, message | {"status": status}],
            "usage": {
                "input_tokens": said.prompt_tokens,
                "input_tokens_details": {
                    "cached_tokens": said.cached_tokens,
                    "cache_write_tokens": said.cache_write_tokens,
                },
                "output_tokens": said.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": said.reasoning_tokens},
                "total_tokens": said.prompt_tokens + said.completion_tokens,
            },
        }

    def nothing(self) -> dict[str, Any]:
        usage = {"input_tokens": 90, "output_tokens": 0, "total_tokens": 90}
        return {
            "id": "x",
            "object": "response",
            "status": "completed",
            "output": [],
            "usage": usage,
        }

    def error(self, trouble: Trouble) -> dict[str, Any]:
        return _openai_error(trouble)

    def system(self, ask: Ask) -> str:
        instructing = {"system", "developer"}
        return "".join(m["content"] for m in ask.body["input"] if m["role"] in instructing)

    def user(self, ask: Ask) -> str:
        return str(ask.body["input"][-1]["content"])


class Messages:
    """Anthropic's Messages."""

    api = "messages"
    provider = "anthropic"
    path = "/v1/messages"
    extras: Mapping[str, Any] = {}

    def payload(self, ask: Ask, said: Said) -> dict[str, Any]:
        blocks: list[dict[str, Any]] = []
        if said.thought is not None:
            blocks.append({"type": "thinking", "thinking": said.thought, "signature": "c2ln"})
        words = said.text if said.refusal is None else said.refusal
        blocks += [{"type": "text", "text": words}] if words else []
        reasons = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
        return {
            "id": f"msg_{ask.sha[:12]}",
            "type": "message",
            "role": "assistant",
            "model": f"{ask.body['model']}-served",
            "content": blocks,
            "stop_reason": reasons.get(said.finish, said.finish),
            "stop_sequence": None,
            "usage": {
                "input_tokens": said.prompt_tokens - said.cached_tokens - said.cache_write_tokens,
                "cache_read_input_tokens": said.cached_tokens,
                "cache_creation_input_tokens": said.cache_write_tokens,
                "output_tokens": said.completion_tokens,
                "output_tokens_details": {"thinking_tokens": said.reasoning_tokens},
            },
        }

    def nothing(self) -> dict[str, Any]:
        usage = {"input_tokens": 90, "output_tokens": 0}
        return {"id": "x", "type": "message", "content": None, "usage": usage}

    def error(self, trouble: Trouble) -> dict[str, Any]:
        kinds = {
            400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
            404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error",
            529: "overloaded_error",
        }  # fmt: skip
        kind = trouble.code or kinds.get(trouble.status, "api_error")
        error = {"type": kind, "message": trouble.message}
        return {"type": "error", "error": error, "request_id": "req_1"}

    def system(self, ask: Ask) -> str:
        return "".join(block["text"] for block in ask.body.get("system", ()))

    def user(self, ask: Ask) -> str:
        content = ask.body["messages"][-1]["content"]
        if isinstance(content, str):
            return content
        return "".join(block["text"] for block in content)


SPEAKERS: Mapping[str, Speaker] = {
    "openai_compatible": Chat("openai_compatible"),
    "openai_chat": Chat("openai", provider_options={"api": "chat"}),
    "openai_responses": Responses(),
    "gemini": Chat("gemini"),
    "anthropic": Messages(),
}

_ALSO_TAKEN = {"messages": {"temperature", "top_p", "top_k"}}


def speaking(
    speaker: Speaker, scene: Callable[[Ask], Said | Trouble | Reaction] | Said | Trouble | Reaction
) -> Callable[[Ask], Reaction]:
    """A script for the server: what it is asked wrongly it refuses, the rest is the scene's."""

    def react(ask: Ask) -> Reaction:
        wrong = fault(speaker.api, ask.body, _ALSO_TAKEN.get(speaker.api, ()))
        if ask.path != speaker.path:
            wrong = f"nothing is at {ask.path}"
        if wrong is not None:
            return _reaction(speaker, ask, Trouble(status=400, message=wrong))
        return _reaction(speaker, ask, scene(ask) if callable(scene) else scene)

    return react


def _reaction(speaker: Speaker, ask: Ask, scene: Said | Trouble | Reaction) -> Reaction:
    match scene:
        case Said():
            return Reaction(payload=speaker.payload(ask, scene))
        case Trouble():
            return Reaction(
                status=scene.status, headers=scene.headers, payload=speaker.error(scene)
            )
        case _:
            return scene


def half_json(speaker: Speaker, ask: Ask) -> Reaction:
    """An answer of this API that breaks off in its middle."""
    whole = json.dumps(speaker.payload(ask, Said())).encode()
    return Reaction(raw=whole[: len(whole) // 2])


def _openai_error(trouble: Trouble) -> dict[str, Any]:
    kind = "server_error" if trouble.status >= 500 else "invalid_request_error"
    error = {"message": trouble.message, "type": kind, "param": None, "code": trouble.code}
    return {"error": error}


def _tokens(said: Said) -> list[dict[str, Any]]:
    return [
        {
            "token": token,
            "logprob": logprob,
            "bytes": list(token.encode()),
            "top_logprobs": [
                {"token": other, "logprob": p, "bytes": list(other.encode())}
                for other, p in top.items()
            ],
        }
        for token, logprob, top in said.logprobs
    ]
