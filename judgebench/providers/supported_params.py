"""What of a question the model takes: the rest is left out, and named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from judgebench.dialogue import REPLY_LIMITS
from judgebench.errors import CallError
from judgebench.providers.capabilities import Capabilities, reasoning_room
from judgebench.records import ChatRequest, JsonObject

SAMPLING = frozenset({"temperature", "top_p", "top_k"})
_PENALTIES = frozenset({"frequency_penalty", "presence_penalty", "logit_bias"})
_OURS = frozenset({"model", "messages", "input", "system", "instructions", "stream", "n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportedParams:
    """A question without what its model does not take, still in the words of chat completions.

    ``decoding`` is without the limit on the reply, which is ``reply_tokens``, called ``limit`` by
    the suite; None where it sets none.
    """

    decoding: Mapping[str, Any]
    reply_tokens: Any = None
    limit: str | None = None
    effort: str | None = None
    logprobs: int | None = None
    response_format: JsonObject | None = None
    left_out: tuple[str, ...] = ()


def supported_params(request: ChatRequest, capabilities: Capabilities) -> SupportedParams:
    """Sort a question's settings by what its model takes.

    Raises
    ------
    CallError
        For a name in ``decoding`` or ``extra`` that is not a question's to set.
    """
    _refuse_ours(request)
    refused = _refused(request, capabilities)
    limit = next((name for name in REPLY_LIMITS if name in request.decoding), None)
    logprobs, most = request.logprobs, capabilities.top_logprobs_max
    if logprobs is not None and most is not None and logprobs > most and capabilities.logprobs:
        logprobs, refused = most, {*refused, "top_logprobs"}
    return SupportedParams(
        decoding={
            name: value
            for name, value in request.decoding.items()
            if name not in refused and name not in REPLY_LIMITS
        },
        reply_tokens=None if limit is None else _roomy(request.decoding[limit], capabilities),
        limit=limit,
        effort=None if "reasoning" in refused else request.reasoning,
        logprobs=None if "logprobs" in refused else logprobs,
        response_format=None if "response_format" in refused else request.response_format,
        left_out=tuple(sorted(refused)),
    )


def _refused(request: ChatRequest, capabilities: Capabilities) -> set[str]:
    """The names of what is asked for and not taken."""
    names = request.decoding.keys()
    refused: set[str] = set()
    if not capabilities.temperature:
        refused |= names & SAMPLING
    if not capabilities.penalties:
        refused |= names & _PENALTIES
    if not capabilities.seed:
        refused |= names & {"seed"}
    if not capabilities.stop:
        refused |= names & {"stop"}
    levels = capabilities.reasoning
    if request.reasoning is not None and levels is not None and request.reasoning not in levels:
        refused.add("reasoning")
    if request.logprobs is not None and not capabilities.logprobs:
        refused.add("logprobs")
    if request.response_format is not None and not _structured(request, capabilities):
        refused.add("response_format")
    return refused


def _structured(request: ChatRequest, capabilities: Capabilities) -> bool:
    match capabilities.structured:
        case "json_schema":
            return True
        case "json_object":
            return (request.response_format or {}).get("type") == "json_object"
        case "none":
            return False


def _roomy(limit: Any, capabilities: Capabilities) -> Any:
    """The limit as it is sent; what is no number is the server's to refuse."""
    if not capabilities.reasons or not isinstance(limit, int):
        return limit
    return limit + reasoning_room(limit)


def _refuse_ours(request: ChatRequest) -> None:
    named = _OURS & (request.decoding.keys() | request.extra.keys())
    if named:
        raise CallError(
            f"{', '.join(sorted(named))} cannot be set in sampling or extra: judgebench sets them "
            "itself (repeats are the benchmark's 'samples')",
            retriable=False,
            kind="request",
        )
