"""Refuse a request body as the real APIs would: by the official clients' own types.

The types say what a field may hold; a field that they do not know is refused as well, since the
real servers do that too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

OURS = "loopback"
"""A field by which a question chooses what the scripted server does with it."""


def fault(api: str, body: Mapping[str, Any], also: Collection[str] = ()) -> str | None:
    """What is wrong with a body for this API; None if nothing is.

    ``also`` are fields that servers take and the client's signature no longer names.
    """
    from pydantic import ValidationError

    adapter, known = _request_type(api)
    unknown = body.keys() - known - set(also) - {OURS}
    if unknown:
        return f"unknown parameter: {', '.join(sorted(unknown))}"
    try:
        _walk(adapter.validate_python({k: v for k, v in body.items() if k in known}))
    except ValidationError as error:
        return str(error)
    return None


@lru_cache(maxsize=3)
def _request_type(api: str) -> tuple[Any, frozenset[str]]:
    """Kept, since pydantic looks at iterables late and needs its adapter then."""
    from pydantic import TypeAdapter

    match api:
        case "chat":
            from openai.types.chat.completion_create_params import (
                CompletionCreateParamsNonStreaming as Params,
            )
        case "responses":
            from openai.types.responses.response_create_params import (  # type: ignore[assignment]
                ResponseCreateParamsNonStreaming as Params,
            )
        case _:
            from anthropic.types.message_create_params import (  # type: ignore[assignment]
                MessageCreateParamsNonStreaming as Params,
            )
    names = {name for base in Params.__mro__ for name in getattr(base, "__annotations__", ())}
    return TypeAdapter(Params), frozenset(names | set(Params.__annotations__))


def _walk(value: Any) -> None:
    """Visit everything, so that what is validated late is validated."""
    if isinstance(value, Mapping):
        for element in value.values():
            _walk(element)
    elif not isinstance(value, str | int | float | None):
        for element in value:
            _walk(element)
