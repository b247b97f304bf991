"""Read the body of a chat completion, strictly, into a reply.

Servers that call themselves compatible differ in what they leave out, so only ``choices`` with a
message is demanded; a field that is there and is not what it should be is an error, never a guess.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from judgebench.errors import CallError
from judgebench.providers.http_errors import excerpt, status_error
from judgebench.records import Reply, TokenLogprob, Usage
from judgebench.secret import Secret

_HALF_PAIR = re.compile("[\ud800-\udfff]")


def read_completion(
    body: bytes,
    *,
    content_type: str,
    where: str,
    model: str,
    key: Secret | None,
    seconds: float,
) -> Reply:
    """The reply in the body of a successful answer.

    Raises
    ------
    CallError
        For HTML and other things that are not JSON, JSON that breaks off (asking again may help),
        JSON of another shape, an error sent under a success, no choices.
    """
    data = _parse(body, content_type, where, key)
    try:
        if not isinstance(data, dict):
            raise _ShapeError(f"a JSON object expected, found {type(data).__name__}")
        if data.get("error"):
            raise _error_within(data["error"], body, where, model, key)
        choices = _typed(data, "choices", list)
        if not choices:
            raise CallError(
                f"{where} answered without choices; the answer may have been filtered",
                retriable=True,
            )
        choice = choices[0]
        message = _typed(choice, "message", dict)
        return Reply(
            text=_text(message, "content") or _text(message, "refusal") or "",
            finish_reason=_text(choice, "finish_reason"),
            reasoning=_text(message, "reasoning_content") or _text(message, "reasoning"),
            logprobs=_logprobs(choice.get("logprobs")),
            usage=_usage(data.get("usage")),
            served_model=_text(data, "model"),
            seconds=seconds,
        )
    except _ShapeError as error:
        found = excerpt(body[:2000].decode("utf-8", "replace"), 200, key)
        what = f"{where} answered JSON that is no chat completion: {error}; it begins {found!r}"
    raise CallError(
        f"{what}. Is base_url the address of an OpenAI-compatible API?", retriable=False
    )


class _ShapeError(Exception):
    """The JSON is not a chat completion."""


def _parse(body: bytes, content_type: str, where: str, key: Secret | None) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = excerpt(str(error), 100, key)
    start = excerpt(body[:2000].decode("utf-8", "replace"), 80, key)
    found = f"{excerpt(content_type, 60, key) or 'no content type'}, beginning {start!r}"
    if "json" in content_type.lower() or body.lstrip()[:1] in {b"{", b"["}:
        raise CallError(f"{where} answered broken JSON ({reason}): {found}", retriable=True)
    raise CallError(
        f"{where} answered something that is not JSON ({found}); check base_url, which usually "
        "ends in /v1, and whether a proxy or a sign-in page stands in between",
        retriable=False,
    )


def _error_within(error: Any, body: bytes, where: str, model: str, key: Secret | None) -> CallError:
    """Some gateways send an error of the model's host under the status 200."""
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 300 <= code < 600 else 500
    return status_error(status, {}, body, where=where, model=model, key=key)


def _typed(holder: Any, name: str, kind: type) -> Any:
    value = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, kind):
        raise _ShapeError(f"{name!r} should be a {kind.__name__}, found {type(value).__name__}")
    return value


def _text(holder: dict[str, Any], name: str) -> str | None:
    """A text or null. Half a surrogate pair, which no store can hold, becomes U+FFFD."""
    value = holder.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _ShapeError(f"{name!r} should be text, found {type(value).__name__}")
    return value if value.isascii() else _HALF_PAIR.sub("\N{REPLACEMENT CHARACTER}", value)


def _count(holder: Any, name: str) -> int | None:
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _usage(usage: Any) -> Usage:
    """Token counts; what a server does not count, or counts as nonsense, is None."""
    if not isinstance(usage, dict):
        return Usage()
    return Usage(
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
        cached_tokens=_count(usage.get("prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=_count(usage.get("completion_tokens_details"), "reasoning_tokens"),
    )


def _logprobs(logprobs: Any) -> tuple[TokenLogprob, ...] | None:
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list):
        return None
    return tuple(_token(token) for token in tokens)


def _token(token: Any) -> TokenLogprob:
    logprob = _finite(token)
    if logprob is None:
        raise _ShapeError("a token without a finite log-probability")
    top = token.get("top_logprobs") or []
    if not isinstance(top, list):
        raise _ShapeError("'top_logprobs' should be a list")
    # An alternative of probability zero is sent as null or -Infinity: it is none.
    alternatives = ((_name(other), _finite(other)) for other in top)
    return TokenLogprob(
        token=_name(token),
        logprob=logprob,
        top=tuple((name, value) for name, value in alternatives if value is not None),
    )


def _name(token: Any) -> str:
    name = _text(token, "token") if isinstance(token, dict) else None
    if name is None:
        raise _ShapeError("a token without its text")
    return name


def _finite(token: Any) -> float | None:
    value = token.get("logprob") if isinstance(token, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
