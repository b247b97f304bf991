"""The lines of a batch: one question or one answer each, told apart by an id of ours."""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from judgebench.errors import CallError
from judgebench.providers.reading import whole_number
from judgebench.records import ChatRequest, Request

MAX_LINE_BYTES = 32 * 1024 * 1024

TOKEN_LENGTH = 20
_ID = re.compile(r"(?P<token>[0-9a-f]{20})-(?P<key>[A-Za-z0-9_-]{43})")

# JSON may hold these as they are; what reads a file line by line may take them for the end of one.
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def new_token() -> str:
    """What a batch is known by before the provider has a name for it: 20 random hex digits."""
    return secrets.token_hex(TOKEN_LENGTH // 2)


def custom_id(token: str, key: bytes) -> str:
    """The id of a question within a batch: the batch's token and the request's key.

    64 characters out of ``A-Za-z0-9_-``, the most that providers take. With the token in it a
    line proves of which batch it is, also where the provider keeps no notes on a batch.
    """
    return f"{token}-{base64.urlsafe_b64encode(key).decode().rstrip('=')}"


def key_of(line_id: object, token: str) -> bytes | None:
    """The request key in an id of this batch; None for any other id."""
    match = _ID.fullmatch(line_id) if isinstance(line_id, str) else None
    if match is None or match["token"] != token:
        return None
    try:
        return base64.urlsafe_b64decode(match["key"] + "=")
    except binascii.Error:
        return None


def chat_only(request: Request) -> ChatRequest:
    """The question, if it is one to a chat model; raises `CallError` for any other."""
    if isinstance(request, ChatRequest):
        return request
    raise CallError(
        "a batch takes questions to chat models, and no request for scores; judge it live",
        retriable=False,
        kind="request",
    )


def written(content: Mapping[str, Any]) -> bytes:
    """A line without its end.

    Raises
    ------
    CallError
        For text that cannot be sent, and for a line that is longer than any provider takes.
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        line = text.translate(_LINE_ENDS).encode()
    except UnicodeEncodeError:
        line = b""
    if not line:  # outside of the except block: the chain would hold the question
        raise CallError(
            "the question holds half a surrogate pair, which cannot be sent; mend the item or the "
            "answer that it comes from",
            retriable=False,
            kind="request",
        )
    if len(line) > MAX_LINE_BYTES:
        raise CallError(
            f"the question takes {len(line):,} bytes; a batch takes {MAX_LINE_BYTES:,} at most",
            retriable=False,
            kind="too_long",
        )
    return line


def cut(
    requests: Mapping[bytes, Request],
    measure: Callable[[bytes, Request], tuple[str, int]],
    *,
    most: int,
    most_bytes: int,
) -> Iterator[dict[bytes, Request]]:
    """The questions in parts of ``most`` lines and ``most_bytes`` bytes.

    ``measure`` gives the kind and the bytes of a question; a part holds one kind.
    """
    parts: dict[str, dict[bytes, Request]] = {}
    sizes: dict[str, int] = {}
    for key, request in requests.items():
        kind, size = measure(key, request)
        part = parts.setdefault(kind, {})
        if part and (len(part) == most or sizes[kind] + size > most_bytes):
            yield parts.pop(kind)
            part, sizes[kind] = parts.setdefault(kind, {}), 0
        part[key] = request
        sizes[kind] = sizes.get(kind, 0) + size
    yield from parts.values()


def read(file: IO[bytes]) -> Iterator[dict[str, Any] | str]:
    """The JSON objects of a file of lines; what is none comes as the reason why.

    Split at line feeds alone: a text within may hold other characters that end a line elsewhere.
    """
    while line := file.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE_BYTES)
            yield f"a line of more than {MAX_LINE_BYTES:,} bytes"
        elif line.strip():
            yield _parsed(line)


def _parsed(line: bytes) -> dict[str, Any] | str:
    try:
        content = json.loads(line, parse_int=whole_number)
    except (ValueError, RecursionError):
        return "a line that is no JSON"
    return content if isinstance(content, dict) else "a line that is no JSON object"
