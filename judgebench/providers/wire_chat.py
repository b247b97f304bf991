"""OpenAI's Chat Completions: a question as it is sent, and the answer read back.

It is what vLLM, llama.cpp, Ollama and most gateways speak too.
"""

from __future__ import annotations

import json
from typing import Any

from judgebench.errors import CallError
from judgebench.providers import reading
from judgebench.providers.capabilities import Capabilities
from judgebench.providers.http_errors import status_error
from judgebench.providers.reading import ShapeError
from judgebench.providers.supported_params import supported_params
from judgebench.records import NOT_SAID, ChatRequest, Reply, TokenLogprob, Usage
from judgebench.secret import Secret

API = "chat completion"
_THINK, _THINK_END = "<think>", "</think>"
_BROKEN = frozenset({"error", "abort", "insufficient_system_resource"})
#: In the words of other servers that speak so, some of them in capitals.
_FINISH = {
    "function_call": "tool_calls", "eos": "stop", "eos_token": "stop", "stop_sequence": "stop",
    "end_turn": "stop", "complete": "stop", "max_tokens": "length", "model_length": "length",
    "safety": "content_filter", "recitation": "content_filter", "blocklist": "content_filter",
    "prohibited_content": "content_filter", "spii": "content_filter",
}  # fmt: skip


def body(
    request: ChatRequest, capabilities: Capabilities
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The question as it is sent, and the names of what was left out.

    Raises
    ------
    CallError
        For a name in ``decoding`` or ``extra`` that is not a question's to set.
    """
    asked = supported_params(request, capabilities)
    messages, moved = _messages(request, capabilities)
    sent: dict[str, Any] = {"model": request.model, "messages": messages, **asked.decoding}
    if asked.limit is not None:
        sent[capabilities.max_tokens_name or asked.limit] = asked.reply_tokens
    if asked.effort is not None:
        sent["reasoning_effort"] = asked.effort
    if asked.logprobs is not None:
        sent["logprobs"] = True
        if asked.logprobs:
            sent["top_logprobs"] = asked.logprobs
    if asked.response_format is not None:
        sent["response_format"] = asked.response_format
    return sent | dict(request.extra), tuple(sorted({*asked.left_out, *moved}))


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

    Reasoning is kept apart, whether the server does that itself or sends it in ``<think>`` at the
    start of the text; reasoning that never closes leaves no text.

    Raises
    ------
    CallError
        For JSON of another shape, an error sent under a success, no choices, an answer that broke
        off on the server.
    """
    usage = Usage()
    try:
        answer = reading.as_object(data)
        if answer.get("error"):
            raise _error_within(answer["error"], where, model, key)
        usage = _usage(answer.get("usage"))
        choices = reading.typed(answer, "choices", list)
        if not choices:
            raise CallError(
                f"{where} answered without choices; the answer may have been filtered",
                retriable=True,
                kind="bad_answer",
                charged=usage,
            )
        return _reply(choices[0], answer, usage, where, seconds, left_out)
    except ShapeError as error:
        failed = reading.wrong_shape(error, data, api=API, where=where, key=key, charged=usage)
    raise failed


def _messages(
    request: ChatRequest, capabilities: Capabilities
) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    """The messages under the roles that the model knows, and ``system`` if it knows none."""
    messages = request.messages
    role = capabilities.system
    instructions = [m.content for m in messages if m.role == "system"]
    if role != "user" or not instructions:
        named = {"system": role}
        return [{"role": named.get(m.role, m.role), "content": m.content} for m in messages], ()
    rest = [{"role": str(m.role), "content": m.content} for m in messages if m.role != "system"]
    if not rest or rest[0]["role"] != "user":
        rest.insert(0, {"role": "user", "content": ""})
    rest[0]["content"] = "\n\n".join(filter(None, [*instructions, rest[0]["content"]]))
    return rest, ("system",)


def _reply(
    choice: Any,
    answer: dict[str, Any],
    usage: Usage,
    where: str,
    seconds: float,
    left_out: tuple[str, ...],
) -> Reply:
    message = reading.typed(choice, "message", dict)
    finish_reason = (reading.text(choice, "finish_reason") or NOT_SAID).lower()
    if finish_reason in _BROKEN:
        raise CallError(
            f"{where} broke its answer off ({finish_reason}); asking again may help",
            retriable=True,
            kind="server",
            charged=usage,
        )
    refusal = reading.text(message, "refusal")
    thought, said = _without_thoughts(reading.text(message, "content") or "")
    logprobs = _logprobs(choice.get("logprobs"))
    stated = reading.text(message, "reasoning_content") or reading.text(message, "reasoning")
    return Reply(
        text=said or refusal or "",
        finish_reason="refusal" if refusal else _FINISH.get(finish_reason, finish_reason),
        reasoning=stated or thought,
        logprobs=logprobs if thought is None else _after_thoughts(logprobs),
        usage=usage,
        served_model=reading.text(answer, "model"),
        seconds=seconds,
        left_out=left_out,
        note=reading.usage_note(answer.get("usage")),
    )


def _without_thoughts(content: str) -> tuple[str | None, str]:
    """What was thought aloud at the very start, and the rest; None and all of it where nothing."""
    start = content.lstrip()
    if not start.startswith(_THINK):
        return None, content
    thought, _, said = start.removeprefix(_THINK).partition(_THINK_END)
    return thought.strip(), said.lstrip()


def _after_thoughts(
    logprobs: tuple[TokenLogprob, ...] | None,
) -> tuple[TokenLogprob, ...] | None:
    """The tokens of what was said, where those of the thoughts stand before them."""
    so_far = ""
    for i, token in enumerate(logprobs or ()):
        so_far += token.token
        if _THINK_END in so_far:
            return (logprobs or ())[i + 1 :]
    return None if logprobs is None else ()


def _error_within(error: Any, where: str, model: str, key: Secret | None) -> CallError:
    """Some gateways send an error of the model's host under the status 200."""
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 300 <= code < 600 else 500
    said = json.dumps({"error": error}).encode()
    return status_error(status, {}, said, where=where, model=model, key=key)


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    prompt, completion = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    return Usage(
        prompt_tokens=reading.count(usage, "prompt_tokens"),
        completion_tokens=reading.count(usage, "completion_tokens"),
        cached_tokens=reading.count(prompt, "cached_tokens"),
        reasoning_tokens=reading.count(completion, "reasoning_tokens"),
        cache_write_tokens=reading.count(prompt, "cache_write_tokens"),
    )


def _logprobs(logprobs: Any) -> tuple[TokenLogprob, ...] | None:
    return reading.token_logprobs(logprobs.get("content")) if isinstance(logprobs, dict) else None
