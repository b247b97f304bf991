"""Everything that can go wrong with a call over HTTP, put into words that say what to do.

What a server writes is untrusted: it is cut short, stripped of control characters and of keys
before it becomes part of a message.
"""

from __future__ import annotations

import json
import math
import os
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from judgebench.errors import CallError
from judgebench.records import FailureKind, Reply, Usage
from judgebench.secret import Secret, redact, secrets_of

_ASK_AGAIN = {408, 409, 425, 429}
_REFUSED = {400, 413, 422}
_NEVER_AGAIN = {501, 505}
_NO_CREDIT = re.compile(r"insufficient_quota|billing_error|credit balance is too low")
_NO_KEY = re.compile(r"API_KEY_INVALID|API key not valid")
_NO_MODEL = re.compile(r"model_not_found")
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|request_too_large|prompt is too long"
    r"|maximum context length|exceeds? the (?:model's )?(?:maximum |available )?context"
    r"|input is too long",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"^(?:content_filter|content_policy_violation|responsibleaipolicyviolation|invalid_prompt"
    r"|bio_policy|cyber_policy|misalignment_policy_violation)$"
    r"|content management policy|content filtering policy|flagged as potentially violating"
    r"|your input was flagged",
    re.IGNORECASE,
)
#: User and password of an address, as that of a proxy which a client says it cannot reach.
_USER = re.compile(r"(?<=://)[^/\s'\"]*@")
_KINDS: Mapping[int, FailureKind] = {
    401: "key", 402: "key", 403: "key", 404: "not_found", 408: "timeout", 413: "too_long",
    429: "rate_limit", 504: "timeout",
}  # fmt: skip
_NOT_ACCEPTED = (
    "the server does not accept this question; check sampling, response_format and extra, and say "
    "with 'capabilities' what this model does not take"
)
_ADVICE: Mapping[int, str] = {
    400: _NOT_ACCEPTED,
    422: _NOT_ACCEPTED,
    402: "the account has no credit left: add some, then run again",
    429: "too many requests; lower max_connections if this goes on",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call, for what is said of it: where to, of which model, by which key.

    variable
        The environment variable that usually holds the key of this provider; it is named where the
        key's own is not known.
    left_out
        What was asked for and is not sent.
    """

    where: str
    model: str
    key: Secret | None = None
    variable: str | None = None
    left_out: tuple[str, ...] = ()


def no_success(
    status: int, headers: Mapping[str, str], body: bytes, call: Call
) -> Reply | CallError:
    """What an answer means whose status is not a success.

    A question that the provider's filter refuses has been answered: by a refusal, which is kept
    and not asked again. Everything else is a failed call.
    """
    if 400 <= status < 500 and _mentions(_said(body), _FILTERED):
        return Reply(text="", finish_reason="content_filter", left_out=call.left_out)
    return status_error(status, headers, body, call)


def status_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    call: Call,
    *,
    not_accepted: str | None = None,
) -> CallError:
    """The error for an answer whose status is not a success.

    ``not_accepted`` says what to do where what was asked for is not accepted, if that was no
    question.
    """
    said, key = _said(body), call.key
    retriable = status in _ASK_AGAIN or (status >= 500 and status not in _NEVER_AGAIN)
    kind = _KINDS.get(status, "server" if status >= 500 else "request")
    advice = _advice(status, model=call.model, headers=headers, key=key)
    asked = not_accepted is None  # a question, of which alone some of this can be said
    if not_accepted is not None and status in _REFUSED:
        advice = not_accepted
    if status == 400 and _mentions(said, _NO_KEY):
        kind = "key"
    if kind == "key" and status != 402:
        advice = key_advice(key, call.variable)
    if status < 500 and _mentions(said, _NO_CREDIT):
        retriable, kind, advice = False, "key", _advice(402)
    elif asked and status == 400 and _mentions(said, _NO_MODEL):
        kind, advice = "not_found", _advice(404, model=call.model)
    elif asked and status in _REFUSED and (status == 413 or _mentions(said, _TOO_LONG)):
        kind, advice = "too_long", "the question is too long for this model: shorten its parts"
    words = excerpt(said[0], 300, key)
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "(no standard status)"
    return CallError(
        f"{call.where} answered {status} {phrase}: {words or 'nothing more'} ({advice})",
        retriable=retriable,
        retry_after_s=retry_after_s(headers),
        status=status,
        kind=kind,
    )


def key_advice(key: Secret | None, variable: str | None) -> str:
    """What to do about a key that is missing or was refused."""
    named = key.variable if key is not None and key.variable else variable
    if key is None and variable is not None:
        return f"it wants a key and none was given: export {variable}=… and run again"
    if key is None:
        return (
            "it wants a key and none was given: name the variable that holds it in the suite, "
            "as api_key: ${OPENAI_API_KEY}"
        )
    which = "the variable that the suite's api_key names" if named is None else named
    return f"the key was refused: check {which}, and whether this key may use the model"


def _advice(
    status: int, *, model: str = "", headers: Mapping[str, str] = {}, key: Secret | None = None
) -> str:
    if status == 404:
        return f"check the model's name, {model!r}, and base_url, which usually ends in /v1"
    if 300 <= status < 400:
        # Without what may open a door: user, password, query.
        place = re.sub(r"(?<=//)[^/]*@|[?#].*", "", headers.get("location") or "", flags=re.DOTALL)
        location = excerpt(place, 200, key) or "another place"
        return f"it redirects to {location}: put the final address into base_url"
    if status in _ADVICE:
        return _ADVICE[status]
    if status in _ASK_AGAIN or status >= 500:
        return "the server is busy or broken; asking again may help"
    return "asking again will not help"


def _said(body: bytes) -> list[str]:
    """What a server says of an error, and the codes it gives it, from JSON in any usual shape."""
    text = body.decode("utf-8", "replace")
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    if isinstance(data, list) and len(data) == 1:  # as Google wraps it
        data = data[0]
    error = data.get("error", data) if isinstance(data, dict) else data
    if not isinstance(error, dict):
        return [str(error)]
    inner = error.get("innererror")
    stated = [error.get("code"), error.get("type")]
    stated += [inner.get("code")] if isinstance(inner, dict) else []
    message = error.get("message") or error.get("detail") or json.dumps(error)
    return [str(message), *(code for code in stated if isinstance(code, str))]


def _mentions(said: list[str], what: re.Pattern[str]) -> bool:
    return any(map(what.search, said))


def retry_after_s(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """What ``retry-after-ms`` or ``Retry-After`` (seconds or a date) asks to wait, in seconds."""
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        with suppress(ValueError):
            wait = float(headers.get(name) or "nan")
            if not math.isnan(wait):
                return max(0.0, wait * scale)
    at, told = _date(headers.get("retry-after")), _date(headers.get("date"))
    if at is None:
        return None
    # By the server's own clock where it tells it: ours may be wrong, or jump.
    return max(0.0, at - (told or (time.time() if now is None else now)))


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text is not None else None
    except (ValueError, OverflowError):
        return None


def connection_error(error: BaseException, call: Call, timeout_s: float) -> CallError:
    """The error for a call that got no whole answer: refused, not found, cut or too slow.

    The reason is looked for at the root of the chain, since the client in between calls a
    connection that was cut a time-out. A call whose connection never stood was not charged.
    """
    where, chain = call.where, list(causes(error))
    root = error if isinstance(error, TimeoutError) else chain[-1]
    said = _USER.sub("", f"{type(root).__name__}: {root}".rstrip(": "))
    words = excerpt(said, 200, call.key)
    kind: FailureKind = "connection"
    charged = None if _never_connected(chain) else Usage()
    match root:
        case ConnectionRefusedError():
            what = f"{where} refused the connection: is the server running, and is this its port?"
        case socket.gaierror():
            what = f"{where}: there is no such host ({words}); check base_url and the network"
        case ssl.SSLError():
            what = f"{where}: no secure connection ({words}); http:// for a server without TLS"
        case TimeoutError():
            kind = "timeout"
            what = (
                f"{where} gave no whole answer within {timeout_s:g} s; raise timeout_s if it is "
                "slow, lower max_connections if it is overloaded"
            )
        case _:
            what = f"{where} cut the connection before the whole answer was there ({words})"
    if isinstance(root, ConnectionRefusedError | socket.gaierror | ssl.SSLError):
        charged = None
    return CallError(what, retriable=True, kind=kind, charged=charged)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it comes from, the root last."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _never_connected(chain: list[BaseException]) -> bool:
    """Told by the names of classes, whose packages are not loaded for this.

    httpx2 over aiohttp calls some connections that stood and were cut a `ConnectError`.
    """
    named = {cls.__name__ for link in chain for cls in type(link).__mro__}
    if "ClientError" in named:
        return not named.isdisjoint({"ClientConnectorError", "ConnectionTimeoutError"})
    return not named.isdisjoint({"ConnectionTimeoutError", "ConnectError", "ConnectTimeout"})


def excerpt(text: str, length: int, key: Secret | None) -> str:
    """One printable line of a text that somebody else wrote, without keys of ours."""
    secrets_of(os.environ)  # known from here on, also where no store is open
    text = redact(text, [key])  # first: of half a key little would be known
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 20 * length]).split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
