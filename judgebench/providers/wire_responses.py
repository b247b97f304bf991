"""OpenAI's Responses: a question as it is sent, and the answer read back.

It has no ``seed``, ``stop`` or penalties, so these are always left out, and takes no limit on a
reply below 16 tokens, so that a lower one is raised.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from judgebench.errors import CallError
from judgebench.providers import reading
from judgebench.providers.capabilities import Capabilities
from judgebench.providers.http_errors import no_success
from judgebench.providers.reading import ShapeError
from judgebench.providers.supported_params import supported_params
from judgebench.records import NOT_SAID, ChatRequest, JsonObject, Reply, TokenLogprob, Usage
from judgebench.secret import Secret

API = "response"
_KNOWN = frozenset({"temperature", "top_p", "service_tier", "verbosity"})
_LEAST_TOKENS = 16
_STATUS_OF_CODE = {"server_error": 500, "rate_limit_exceeded": 429}
_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}


def body(
    request: ChatRequest, capabilities: Capabilities
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The question as it is sent, and the names of what was left out.

    Nothing is kept on the provider's side: ``store`` is off.

    Raises
    ------
    CallError
        For a name in ``decoding`` or ``extra`` that is not a question's to set.
    """
    asked = supported_params(request, capabilities)
    role = {"system": "developer"}
    sent: dict[str, Any] = {
        "model": request.model,
        "input": [
            {"role": role.get(m.role, m.role), "content": m.content} for m in request.messages
        ],
        "store": False,
        **{name: value for name, value in asked.decoding.items() if name in _KNOWN},
    }
    if asked.reply_tokens is not None:
        sent["max_output_tokens"] = _at_least(asked.reply_tokens)
    if asked.effort is not None:
        sent["reasoning"] = {"effort": asked.effort}
    if asked.logprobs is not None:
        sent |= {"include": ["message.output_text.logprobs"], "top_logprobs": asked.logprobs}
    if asked.response_format is not None:
        sent["text"] = {"format": _text_format(asked.response_format)}
    left_out = {*asked.left_out, *(asked.decoding.keys() - _KNOWN)}
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
    """The reply in the parsed body of a successful answer; its reasoning is what is summarised.

    Raises
    ------
    CallError
        For JSON of another shape, an answer that failed or was cancelled, nothing said at all.
    """
    usage = Usage()
    try:
        answer = reading.as_object(data)
        usage = _usage(answer.get("usage"))
        if answer.get("error"):
            return _failed(answer["error"], where, model, key, left_out)
        finish_reason = _finish_reason(answer, where, usage)
        output = reading.objects(answer, "output")
        said = [p for item in output if item.get("type") == "message" for p in _parts(item)]
        refusal = _joined(said, "refusal", "refusal")
        if not said and finish_reason == "stop":
            raise CallError(
                f"{where} answered without a message; asking again may help",
                retriable=True,
                kind="bad_answer",
                charged=usage,
            )
        return Reply(
            text=_joined(said, "output_text", "text") or refusal,
            finish_reason="refusal" if refusal else finish_reason,
            reasoning=_thoughts(output),
            logprobs=_logprobs(said),
            usage=usage,
            served_model=reading.text(answer, "model"),
            seconds=seconds,
            left_out=left_out,
            note=reading.usage_note(answer.get("usage")),
        )
    except ShapeError as error:
        failed = reading.wrong_shape(error, data, api=API, where=where, key=key, charged=usage)
    raise failed


def _at_least(limit: Any) -> Any:
    """The limit, or the lowest that is taken; what is no number is the server's to refuse."""
    return max(limit, _LEAST_TOKENS) if isinstance(limit, int) else limit


def _text_format(response_format: JsonObject) -> JsonObject:
    """Chat completions nest the schema one level deeper."""
    schema = response_format.get("json_schema")
    if response_format.get("type") != "json_schema" or not isinstance(schema, Mapping):
        return response_format
    return {"type": "json_schema", **schema}


def _finish_reason(answer: dict[str, Any], where: str, usage: Usage) -> str:
    status = reading.text(answer, "status")
    if status in {"failed", "cancelled"}:
        raise CallError(
            f"{where} says that its answer {status}; asking again may help",
            retriable=True,
            kind="server",
            charged=usage,
        )
    if status == "incomplete":
        details = reading.as_object(answer.get("incomplete_details") or {})
        reason = reading.text(details, "reason")
        return _INCOMPLETE.get(reason or "", reason or NOT_SAID)
    return "stop" if status == "completed" else status or NOT_SAID


def _failed(
    error: Any, where: str, model: str, key: Secret | None, left_out: tuple[str, ...]
) -> Reply:
    """An answer that is an error: a refusal of the filter is a reply, all else is raised."""
    code = error.get("code") if isinstance(error, dict) else None
    meant = no_success(
        _STATUS_OF_CODE.get(str(code), 400),
        {},
        json.dumps({"error": error}).encode(),
        where=where,
        model=model,
        key=key,
        left_out=left_out,
    )
    if isinstance(meant, CallError):
        raise meant
    return meant


def _parts(item: dict[str, Any]) -> list[dict[str, Any]]:
    return reading.objects(item, "content")


def _joined(parts: list[dict[str, Any]], kind: str, field: str) -> str:
    return "".join(reading.text(p, field) or "" for p in parts if p.get("type") == kind)


def _thoughts(output: list[dict[str, Any]]) -> str | None:
    """Summaries of the reasoning, or the reasoning where the server shows it."""
    thoughts: list[str] = []
    for item in output:
        if item.get("type") == "reasoning":
            shown = item.get("summary") or item.get("content") or []
            parts = reading.objects({"reasoning": shown}, "reasoning")
            thoughts += [words for part in parts if (words := reading.text(part, "text"))]
    return "\n\n".join(thoughts) or None


def _logprobs(parts: list[dict[str, Any]]) -> tuple[TokenLogprob, ...] | None:
    """Those of all parts together; None where none has any, as for what was not asked for."""
    have = [part for part in parts if part.get("logprobs")]
    tokens = [token for part in have for token in reading.typed(part, "logprobs", list)]
    return reading.token_logprobs(tokens) if tokens else None


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    prompt, completion = usage.get("input_tokens_details"), usage.get("output_tokens_details")
    return Usage(
        prompt_tokens=reading.count(usage, "input_tokens"),
        completion_tokens=reading.count(usage, "output_tokens"),
        cached_tokens=reading.count(prompt, "cached_tokens"),
        reasoning_tokens=reading.count(completion, "reasoning_tokens"),
        cache_write_tokens=reading.count(prompt, "cache_write_tokens"),
    )
