"""Anthropic's Messages, with their prompt cache and their batches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from judgebench.config import Endpoint
from judgebench.providers import base
from judgebench.providers.batch import (
    Absent,
    Batches,
    Found,
    Standing,
    Trace,
    Unanswered,
    Undecided,
    custom_id,
    key_of,
    read_lines,
    text_of,
)
from judgebench.providers.capabilities import Capabilities, reasoning_room
from judgebench.providers.http import (
    SAMPLING,
    Api,
    OfficialProvider,
    ProviderInfo,
    supported_params,
)
from judgebench.records import (
    NOT_SAID,
    ChatRequest,
    JsonObject,
    Request,
)

INFO = ProviderInfo(
    name="anthropic",
    official="https://api.anthropic.com",
    variables="ANTHROPIC",
    key_header=("X-Api-Key", "{}"),
    headers={"anthropic-version": "2023-06-01"},
    version="/v1",
)

_MOST_BREAKPOINTS = 4
_FINISH = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length",
    "model_context_window_exceeded": "length", "tool_use": "tool_calls", "refusal": "refusal",
}  # fmt: skip
#: The HTTP status of an error that is known by its type alone, as in the results of a batch.
_STATUS: Mapping[str, int] = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402,
    "permission_error": 403, "not_found_error": 404, "request_too_large": 413,
    "rate_limit_error": 429, "api_error": 500, "timeout_error": 504, "overloaded_error": 529,
}  # fmt: skip
#: What its grammar for JSON cannot hold to, and refuses.
_UNENFORCED = frozenset({
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
})  # fmt: skip


def make(endpoint: Endpoint) -> OfficialProvider:
    """The provider ``anthropic``; it has no options of its own.

    Without a ``base_url`` it is at ``ANTHROPIC_BASE_URL``, or else at Anthropic's own address, and
    the key is ``ANTHROPIC_API_KEY`` unless the suite names another. That variable's key never
    travels to an address that a suite gives. An address may end in ``/v1`` or not.

    Raises
    ------
    ConfigError
        For an address, a capability or an option that cannot be used.
    """
    return OfficialProvider(INFO, endpoint, api_for, ("anthropic", "AsyncAnthropic"))


def batches(endpoint: Endpoint, **more: Any) -> AnthropicBatches:
    """Message batches of one workspace."""
    return AnthropicBatches(INFO, endpoint, api_for, **more)


def api_for(takes: Capabilities) -> Api:
    return MESSAGES


class Messages:
    """Messages. They have no ``seed``, log-probabilities or penalties: these are left out.

    What never changes in a judge's questions is marked for the prompt cache. ``max_tokens`` is
    demanded: `Capabilities.default_reply_tokens` where the suite sets none, and more where the
    model thinks first.
    """

    name = "message"
    path = "/v1/messages"
    # The whole input, as OpenAI counts it: what was read from the cache, and what was written to
    # it, is counted apart by Anthropic, and added here.
    tokens: Mapping[str, Sequence[str]] = {
        "prompt_tokens": (
            "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
        ),
        "completion_tokens": ("output_tokens",),
        "cached_tokens": ("cache_read_input_tokens",),
        "reasoning_tokens": ("output_tokens_details.thinking_tokens",),
        "cache_write_tokens": ("cache_creation_input_tokens",),
    }  # fmt: skip

    def body(
        self, request: ChatRequest, takes: Capabilities
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        asked = supported_params(request, takes)
        system = [m.content for m in request.messages if m.role == "system" and m.content]
        left_out = asked.left_out | (asked.decoding.keys() - SAMPLING - {"stop"})
        limit = asked.reply_tokens
        if limit is None:
            limit = takes.default_reply_tokens
            limit += reasoning_room(limit) if takes.reasons else 0
        sent: dict[str, Any] = {
            "model": request.model,
            "max_tokens": limit,
            "messages": _messages(request, _MOST_BREAKPOINTS - bool(system)),
            **{name: value for name, value in asked.decoding.items() if name in SAMPLING},
        }
        if system:
            sent["system"] = [_cached("\n\n".join(system))]
        if "stop" in asked.decoding:
            stop = asked.decoding["stop"]
            sent["stop_sequences"] = [stop] if isinstance(stop, str) else stop
        output: dict[str, Any] = {}
        if asked.effort == "none":
            sent["thinking"] = {"type": "disabled"}
        elif asked.effort is not None:
            output["effort"] = asked.effort
            if takes.reasons:  # in sight, since what is hidden costs as much
                sent["thinking"] = {"type": "adaptive", "display": "summarized"}
        if (schema := _schema(asked.response_format)) is not None:
            output["format"] = {"type": "json_schema", "schema": _enforceable(schema)}
        elif asked.response_format is not None:
            left_out |= {"response_format"}
        if output:
            sent["output_config"] = output
        if asked.logprobs is not None:
            left_out |= {"logprobs"}
        return sent | dict(request.extra), tuple(sorted(left_out))

    def read(self, answer: dict[str, Any], where: str) -> dict[str, Any]:
        blocks = base.objects(answer, "content")
        stopped = base.member(answer, "stop_reason")
        details = answer.get("stop_details")
        explained = base.member(details, "explanation") if isinstance(details, dict) else None
        return {
            "text": base.joined(blocks, "text", "text") or explained or "",
            "finish_reason": _FINISH.get(stopped or "", stopped or NOT_SAID),
            "reasoning": base.joined(blocks, "thinking", "thinking") or None,
        }

    def status(self, error: Any) -> int:
        return _STATUS.get(str(error.get("type")), 500) if isinstance(error, dict) else 500


MESSAGES = Messages()


def _messages(request: ChatRequest, breakpoints: int) -> list[dict[str, Any]]:
    """The turns; the constant start of a user's is a block of its own, up to so many of them."""
    turns: list[dict[str, Any]] = []
    for message in request.messages:
        content: Any = message.content
        if message.role == "user" and message.constant > 0 and breakpoints > 0:
            breakpoints -= 1
            constant, rest = content[: message.constant], content[message.constant :]
            content = [_cached(constant), *([{"type": "text", "text": rest}] if rest else [])]
        if message.role != "system":
            turns.append({"role": message.role, "content": content})
    return turns


def _cached(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words, "cache_control": {"type": "ephemeral"}}


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
    # A property may bear the name of a constraint; its value is then a schema.
    told = {n: v for n, v in schema.items() if n in _UNENFORCED and not isinstance(v, Mapping)}
    kept = {name: _enforceable(part) for name, part in schema.items() if name not in told}
    if told:
        words = ", ".join(f"{name}: {value}" for name, value in told.items())
        kept["description"] = " ".join(filter(None, [kept.get("description"), words]))
    return kept


# Batches ----------------------------------------------------------------------------------------

_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")
_UNASKED: Mapping[str, Unanswered] = {"expired": "expired", "canceled": "cancelled"}


class AnthropicBatches(Batches):
    """Questions in one body, answers as lines.

    A batch keeps no notes, so that ours is known by the ids of its lines, which can be read once
    it has ended. Until then a batch of the same size may or may not be the one that is looked for.
    """

    MAX_REQUESTS = 100_000
    MAX_BYTES = 256_000_000
    PATH = "/v1/messages/batches"

    def submit(self, token: str, requests: Mapping[bytes, Request]) -> str:
        entries = [self.entry(token, key, request)[1] for key, request in requests.items()]
        return self.client.make(self.PATH, json={"requests": entries})

    def find(self, token: str, total: int, *, others: Collection[str] = ()) -> Trace:
        undecided: list[str] = []
        for batch in self.client.pages(self.PATH, "after_id", 1000):
            if batch["id"] in others or _total(batch) != total or batch.get("archived_at"):
                continue
            if batch.get("processing_status") != "ended":
                undecided.append(batch["id"])
                continue
            with self.client.downloaded(*self.result_paths(batch["id"])) as file:
                first = next(read_lines(file), "no line")
            if isinstance(first, dict) and key_of(first.get("custom_id"), token) is not None:
                return Found(batch["id"])
        return Undecided(tuple(undecided)) if undecided else Absent()

    def standing(self, batch: Mapping[str, Any]) -> Standing:
        word, total = text_of(batch, "processing_status", self.client.call), _total(batch)
        processing = base.count(batch.get("request_counts"), "processing")
        try:
            expires = datetime.fromisoformat(str(batch.get("expires_at"))).timestamp()
        except ValueError:
            expires = None
        return Standing(
            word=word,
            ended=word == "ended",
            cancelled=batch.get("cancel_initiated_at") is not None,
            done=None if processing is None else total - processing,
            total=total,
            expires=expires,
        )

    def result_paths(self, remote_id: str) -> list[str]:
        """At the address that the key is for, and not at the ``results_url`` of a server."""
        return [f"{self.PATH}/{quote(remote_id, safe='')}/results"]

    def entry(self, token: str, key: bytes, request: Request) -> tuple[str, dict[str, Any]]:
        api, body, _ = self.posed(request)
        return api.name, {"custom_id": custom_id(token, key), "params": body}

    def outcome(self, content: dict[str, Any]) -> tuple[int, Any] | Unanswered | None:
        match content.get("result"):
            case {"type": "succeeded", "message": message}:
                return 200, message
            case {"type": "errored", "error": error}:  # it has a type, and no status
                inner = error.get("error") if isinstance(error, dict) else None
                return MESSAGES.status(inner), error
            case {"type": str(kind)}:
                return _UNASKED.get(kind)
        return None


def _total(batch: Mapping[str, Any]) -> int:
    counts = batch.get("request_counts")
    return sum(base.count(counts, name) or 0 for name in _COUNTS)
