"""Everything that can go wrong with a call over HTTP, put into words that say what to do.

What a server writes is untrusted: it is cut short, stripped of control characters and of keys
before it becomes part of a message.
"""

from __future__ import annotations

import json
import math
import socket
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from judgebench.errors import CallError
from judgebench.secret import Secret, redact

_ASK_AGAIN = {408, 409, 425, 429}
_NEVER_AGAIN = {501, 505}


def status_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    where: str,
    model: str,
    key: Secret | None,
) -> CallError:
    """The error for an answer whose status is not a success."""
    said, code = _said(body)
    words = excerpt(said, 300, key)
    retriable = status in _ASK_AGAIN or (status >= 500 and status not in _NEVER_AGAIN)
    advice = _advice(status, model=model, key=key, location=headers.get("location"))
    if code == "insufficient_quota":
        retriable = False
        advice = "the account has no credit left: add some, then run again"
    message = f"{where} answered {status} {_phrase(status)}: {words or 'nothing more'} ({advice})"
    return CallError(
        message, retriable=retriable, retry_after_s=retry_after_s(headers), status=status
    )


def _advice(status: int, *, model: str, key: Secret | None, location: str | None) -> str:
    if status in {401, 403} and key is None:
        return (
            "it wants a key and none was given: name the variable that holds it in the suite, "
            "as api_key: ${OPENAI_API_KEY}"
        )
    if status in {401, 403}:
        return (
            "the key was refused: check the variable that the suite's api_key names, and "
            "whether this key may use the model"
        )
    if status == 404:
        return f"check the model's name, {model!r}, and base_url, which usually ends in /v1"
    if 300 <= status < 400:
        target = excerpt((location or "").split("?")[0], 200, key) or "another place"
        return f"it redirects to {target}: put the final address into base_url"
    if status == 413:
        return "the question is too long for this server"
    if status in {400, 422}:
        return (
            "the server does not accept this question; check sampling, response_format and "
            "extra, and the length of prompt and answer"
        )
    if status == 429:
        return "too many requests; lower max_connections if this goes on"
    if status in _ASK_AGAIN or status >= 500:
        return "the server is busy or broken; asking again may help"
    return "asking again will not help"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no standard status)"


def _said(body: bytes) -> tuple[str, str | None]:
    """The server's own words and error code, out of JSON in any of the usual shapes."""
    text = body.decode("utf-8", "replace")
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text, None
    error = data.get("error", data) if isinstance(data, dict) else data
    if isinstance(error, dict):
        code = error.get("code")
        said = error.get("message") or error.get("detail") or json.dumps(error)
        return str(said), str(code) if code is not None else None
    return str(error), None


def retry_after_s(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """What ``retry-after-ms`` or ``Retry-After`` (seconds or a date) asks to wait, in seconds."""
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        wait = _number(headers.get(name))
        if wait is not None:
            return max(0.0, wait * scale)
    stated = headers.get("retry-after")
    if stated is None:
        return None
    try:
        at = parsedate_to_datetime(stated).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, at - (time.time() if now is None else now))


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return None if math.isnan(value) else value


def connection_error(
    error: BaseException, *, where: str, timeout_s: float, key: Secret | None
) -> CallError:
    """The error for a call that got no whole answer: refused, not found, cut or too slow.

    The reason is looked for at the root of the chain, since the client in between calls a
    connection that was cut a time-out.
    """
    root = error
    while (cause := root.__cause__ or root.__context__) is not None:
        root = cause
    words = excerpt(f"{type(root).__name__}: {root}".rstrip(": "), 200, key)
    match root:
        case ConnectionRefusedError():
            what = f"{where} refused the connection: is the server running, and is this its port?"
        case socket.gaierror():
            what = f"{where}: there is no such host ({words}); check base_url and the network"
        case ssl.SSLError():
            what = f"{where}: no secure connection ({words}); http:// for a server without TLS"
        case TimeoutError():
            what = timed_out(where, timeout_s)
        case _:
            what = f"{where} cut the connection before the whole answer was there ({words})"
    return CallError(what, retriable=True)


def timed_out(where: str, timeout_s: float) -> str:
    return (
        f"{where} gave no whole answer within {timeout_s:g} s; raise timeout_s if it is slow, "
        "lower max_connections if it is overloaded"
    )


def excerpt(text: str, length: int, key: Secret | None) -> str:
    """One printable line of a text that somebody else wrote, without keys."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 20 * length]).split())
    line = redact(line, [key])
    return line if len(line) <= length else f"{line[: length - 1]}…"
