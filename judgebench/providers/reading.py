"""Read JSON that somebody else wrote, strictly: a field that is not what it should be is an error.

Servers that call themselves compatible differ in what they leave out, so little is demanded; but
nothing is guessed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from judgebench.errors import CallError
from judgebench.providers.http_errors import Call, excerpt
from judgebench.records import MOST_TOKENS, FailureKind, TokenLogprob, Usage

_MOST_NATS = 1e300
_HALF_PAIR = re.compile("[\ud800-\udfff]")


class ShapeError(Exception):
    """The JSON is not what the API answers with; says which field."""


class BrokenError(Exception):
    """An answer that is none, although it has the right shape; says why."""

    def __init__(self, message: str, kind: FailureKind = "bad_answer") -> None:
        super().__init__(message)
        self.kind = kind


def loaded(body: bytes) -> Any:
    """JSON. A whole number that has more digits than Python reads is infinite.

    A reply is not lost because of one: no counter has it. Raises `ValueError` or `RecursionError`.
    """
    try:
        return json.loads(body)
    except ValueError:
        return json.loads(body, parse_int=lambda n: int(n) if len(n) < 1000 else math.inf)


def parse(body: bytes, content_type: str, call: Call) -> Any:
    """The JSON in the body of an answer.

    Raises
    ------
    CallError
        For JSON that breaks off (asking again may help), HTML and other things that are not JSON.
    """
    try:
        return loaded(body)
    except (ValueError, RecursionError) as error:
        reason = excerpt(str(error), 100, call.key)
    start = excerpt(body[:2000].decode("utf-8", "replace"), 80, call.key)
    found = f"{excerpt(content_type, 60, call.key) or 'no content type'}, beginning {start!r}"
    if "json" in content_type.lower() or body.lstrip()[:1] in {b"{", b"["}:
        raise CallError(
            f"{call.where} answered broken JSON ({reason}): {found}",
            retriable=True,
            kind="bad_answer",
            charged=Usage(),
        )
    raise CallError(
        f"{call.where} answered something that is not JSON ({found}); check base_url, which "
        "usually ends in /v1, and whether a proxy or a sign-in page stands in between",
        retriable=False,
        kind="bad_answer",
        charged=Usage(),
    )


def wrong_shape(error: ShapeError, data: Any, api: str, call: Call, charged: Usage) -> CallError:
    """The error for JSON that is no answer of this API."""
    start = excerpt(json.dumps(data, ensure_ascii=False)[:2000], 200, call.key)
    return CallError(
        f"{call.where} answered JSON that is no {api}: {error}; it begins {start!r}. Is base_url "
        f"the address of an API that speaks {api}s?",
        retriable=False,
        kind="bad_answer",
        charged=charged,
    )


def as_object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ShapeError(f"a JSON object expected, found {type(data).__name__}")
    return data


def typed(holder: Any, name: str, kind: type) -> Any:
    """A field that has to be there, of this kind."""
    value = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, kind):
        raise ShapeError(f"{name!r} should be a {kind.__name__}, found {type(value).__name__}")
    return value


def objects(holder: Any, name: str) -> list[dict[str, Any]]:
    """A list of objects that has to be there."""
    return [as_object(element) for element in typed(holder, name, list)]


def text(holder: Mapping[str, Any], name: str) -> str | None:
    """A text or null. Half a surrogate pair, which no store can hold, becomes U+FFFD."""
    value = holder.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ShapeError(f"{name!r} should be text, found {type(value).__name__}")
    return value if value.isascii() else _HALF_PAIR.sub("\N{REPLACEMENT CHARACTER}", value)


def joined(parts: list[dict[str, Any]], kind: str, field: str) -> str:
    """The texts of all parts of a kind, one after the other."""
    return "".join(text(part, field) or "" for part in parts if part.get("type") == kind)


def count(holder: Any, name: str, most: int = MOST_TOKENS) -> int | None:
    """A number of tokens; what a server does not count, or counts as nonsense, is None."""
    value = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= most else None


def usage_note(usage: Any) -> str | None:
    """What is odd about the numbers of tokens that a server states; None where nothing is."""
    if not isinstance(usage, dict):
        return None
    parts = [usage, *(part for part in usage.values() if isinstance(part, dict))]
    odd = {
        name
        for part in parts
        for name, value in part.items()
        if name.endswith("tokens") and value is not None and count(part, name) is None
    }
    if not odd:
        return None
    named = excerpt(", ".join(sorted(odd)), 80, None)
    return f"a reply states no possible number of tokens ({named}): it is kept, that number is not"


def token_logprobs(tokens: Any) -> tuple[TokenLogprob, ...] | None:
    """OpenAI's list of tokens with their log-probabilities; None where there is no list."""
    return tuple(_token(token) for token in tokens) if isinstance(tokens, list) else None


def _token(token: Any) -> TokenLogprob:
    name, logprob = _name_and_logprob(token)
    if logprob is None:
        raise ShapeError("a token without a finite log-probability")
    top = token.get("top_logprobs") or []
    if not isinstance(top, list):
        raise ShapeError("'top_logprobs' should be a list")
    # An alternative of probability zero is sent as null or -Infinity: it is none.
    others = [(other, value) for other, value in map(_name_and_logprob, top) if value is not None]
    return TokenLogprob(token=name, logprob=logprob, top=tuple(others))


def _name_and_logprob(token: Any) -> tuple[str, float | None]:
    """None where there is no finite log-probability, or none that a float holds."""
    name = text(token, "token") if isinstance(token, dict) else None
    if name is None:
        raise ShapeError("a token without its text")
    value = token.get("logprob")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return name, float(value) if is_number and -_MOST_NATS < value < _MOST_NATS else None
