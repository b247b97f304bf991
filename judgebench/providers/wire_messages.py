"""Anthropic's Messages: a question as it is sent, and the answer read back.

It has no ``seed``, log-probabilities or penalties, so these are always left out. What never
changes in a judge's questions is marked for the prompt cache.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from judgebench.errors import CallError
from judgebench.providers import reading
from judgebench.providers.capabilities import Capabilities, reasoning_room
from judgebench.providers.http_errors import status_error
from judgebench.providers.reading import ShapeError
from judgebench.providers.supported_params import SAMPLING, SupportedParams, supported_params
from judgebench.records import MOST_TOKENS, NOT_SAID, ChatRequest, JsonObject, Message, Reply, Usage
from judgebench.secret import Secret

API = "message"
STATUS_OF_ERROR: Mapping[str, int] = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402,
    "permission_error": 403, "not_found_error": 404, "request_too_large": 413,
    "rate_limit_error": 429, "api_error": 500, "timeout_error": 504, "overloaded_error": 529,
}  # fmt: skip
"""The HTTP status of an error that is known by its type alone, as in the results of a batch."""

_MOST_BREAKPOINTS = 4
_CACHED = {"type": "ephemeral"}
_FINISH = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length",
    "model_context_window_exceeded": "length", "tool_use": "tool_calls", "refusal": "refusal",
}  # fmt: skip
#: What its grammar for JSON cannot hold to, and refuses.
_UNENFORCED = frozenset({
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
})  # fmt: skip


def body(
    request: ChatRequest, capabilities: Capabilities
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The question as it is sent, and the names of what was left out.

    ``max_tokens`` is demanded: `Capabilities.default_reply_tokens` where the suite sets none, and
    more where the model thinks first.

    Raises
    ------
    CallError
        For a name in ``decoding`` or ``extra`` that is not a question's to set.
    """
    asked = supported_params(request, capabilities)
    system = [m.content for m in request.messages if m.role == "system" and m.content]
    left_out = {*asked.left_out, *(asked.decoding.keys() - SAMPLING - {"stop"})}
    sent: dict[str, Any] = {
        "model": request.model,
        "max_tokens": _reply_tokens(asked, capabilities),
        "messages": _messages(request, _MOST_BREAKPOINTS - bool(system)),
        **{name: value for name, value in asked.decoding.items() if name in SAMPLING},
    }
    if system:
        sent["system"] = [_block("\n\n".join(system), cached=True)]
    if "stop" in asked.decoding:
        stop = asked.decoding["stop"]
        sent["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if (thinking := _thinking(asked.effort, capabilities)) is not None:
        sent["thinking"] = thinking
    output: dict[str, Any] = {}
    if asked.effort not in {None, "none"}:
        output["effort"] = asked.effort
    if (schema := _schema(asked.response_format)) is not None:
        output["format"] = {"type": "json_schema", "schema": _enforceable(schema)}
    elif asked.response_format is not None:
        left_out.add("response_format")
    if output:
        sent["output_config"] = output
    if asked.logprobs is not None:
        left_out.add("logprobs")
    return sent | dict(request.extra), tuple(sorted(left_out))


def read(
    data: Any,
    *,
    where: str,
    model: str,
    key: Secret | None = None,
    seconds: float = 0.0,
    left_out: tuple[str, ...] = (),
) -> Reply:
    """The reply in the parsed body of a successful answer.

    ``Usage.prompt_tokens`` is the whole input, as OpenAI counts it: what was read from the cache
    and what was written to it is counted apart by Anthropic, and added here.

    Raises
    ------
    CallError
        For JSON of another shape or an error sent under a success.
    """
    usage = Usage()
    try:
        answer = reading.as_object(data)
        if answer.get("error"):
            raise _error_within(answer["error"], where, model, key)
        usage = _usage(answer.get("usage"))
        blocks = reading.objects(answer, "content")
        stopped = reading.text(answer, "stop_reason")
        details = answer.get("stop_details")
        explained = reading.text(details, "explanation") if isinstance(details, dict) else None
        return Reply(
            text=_joined(blocks, "text") or explained or "",
            finish_reason=_FINISH.get(stopped or "", stopped or NOT_SAID),
            reasoning=_joined(blocks, "thinking") or None,
            usage=usage,
            served_model=reading.text(answer, "model"),
            seconds=seconds,
            left_out=left_out,
            note=reading.usage_note(answer.get("usage")),
        )
    except ShapeError as error:
        failed = reading.wrong_shape(error, data, api=API, where=where, key=key, charged=usage)
    raise failed


def _reply_tokens(asked: SupportedParams, capabilities: Capabilities) -> Any:
    if asked.reply_tokens is not None:
        return asked.reply_tokens
    limit = capabilities.default_reply_tokens
    return limit + reasoning_room(limit) if capabilities.reasons else limit


def _messages(request: ChatRequest, breakpoints: int) -> list[dict[str, Any]]:
    """The turns; the constant start of a user's is a block of its own, up to so many of them."""
    turns: list[dict[str, Any]] = []
    for message in request.messages:
        if message.role == "system":
            continue
        marked = message.role == "user" and message.constant > 0 and breakpoints > 0
        breakpoints -= marked
        content = _split(message) if marked else message.content
        turns.append({"role": message.role, "content": content})
    return turns


def _split(message: Message) -> list[dict[str, Any]]:
    constant, rest = message.content[: message.constant], message.content[message.constant :]
    return [_block(constant, cached=True), *([_block(rest)] if rest else [])]


def _block(words: str, *, cached: bool = False) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": words}
    return block | {"cache_control": _CACHED} if cached else block


def _thinking(effort: str | None, capabilities: Capabilities) -> JsonObject | None:
    """How to think, where the suite says how much; in sight, since what is hidden costs as much."""
    if effort == "none":
        return {"type": "disabled"}
    if effort is None or not capabilities.reasons:
        return None
    return {"type": "adaptive", "display": "summarized"}


def _schema(response_format: JsonObject | None) -> JsonObject | None:
    """The schema that is asked for, out of OpenAI's form."""
    named = (response_format or {}).get("json_schema")
    schema = named.get("schema") if isinstance(named, Mapping) else None
    return schema if isinstance(schema, Mapping) else None


def _enforceable(schema: Any) -> Any:
    """The schema with what its grammar cannot hold to told in words instead."""
    if isinstance(schema, list | tuple):
        return [_enforceable(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    told = [f"{name}: {schema[name]}" for name in schema if _is_unenforced(name, schema)]
    kept = {
        name: _enforceable(part)
        for name, part in schema.items()
        if not _is_unenforced(name, schema)
    }
    if told:
        kept["description"] = " ".join(filter(None, [kept.get("description"), ", ".join(told)]))
    return kept


def _is_unenforced(name: str, schema: JsonObject) -> bool:
    """A property may bear the name of a constraint; its value is then a schema."""
    return name in _UNENFORCED and not isinstance(schema[name], Mapping)


def _error_within(error: Any, where: str, model: str, key: Secret | None) -> CallError:
    """An error sent under the status 200."""
    status = STATUS_OF_ERROR.get(str(error.get("type")), 500) if isinstance(error, dict) else 500
    said = json.dumps({"error": error}).encode()
    return status_error(status, {}, said, where=where, model=model, key=key)


def _joined(blocks: list[dict[str, Any]], kind: str) -> str:
    return "".join(reading.text(b, kind) or "" for b in blocks if b.get("type") == kind)


def _usage(usage: Any) -> Usage:
    cached = reading.count(usage, "cache_read_input_tokens")
    written = reading.count(usage, "cache_creation_input_tokens")
    parts = [reading.count(usage, "input_tokens"), cached, written]
    known = [part for part in parts if part is not None]
    details = usage.get("output_tokens_details") if isinstance(usage, dict) else None
    return Usage(
        prompt_tokens=sum(known) if parts[0] is not None and sum(known) <= MOST_TOKENS else None,
        completion_tokens=reading.count(usage, "output_tokens"),
        cached_tokens=cached,
        reasoning_tokens=reading.count(details, "thinking_tokens"),
        cache_write_tokens=written,
    )
