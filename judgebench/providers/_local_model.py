"""What the providers share whose model is on this machine: options, messages, names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judgebench.config import Endpoint
from judgebench.errors import CallError, ConfigError, unknown_name
from judgebench.records import Message


def refuse_remote(provider: str, endpoint: Endpoint) -> None:
    """Refuse what only somebody elsewhere could make use of."""
    given = {name: getattr(endpoint, name) for name in ("base_url", "api_key", "capabilities")}
    if names := [name for name, value in given.items() if value]:
        raise ConfigError(
            f"the provider {provider!r} runs on this machine and takes no {' or '.join(names)}"
        )


def with_defaults(
    provider: str, options: Mapping[str, Any] | None, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """A provider's options, with the defaults for what is not said."""
    given = dict(options or {})
    for name in given:
        if name not in defaults:
            raise ConfigError(f"{provider}: {unknown_name('option', name, defaults)}")
    return {**defaults, **given}


def plain_messages(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    """Messages as a worker takes them."""
    contents = plain_texts(tuple(message.content for message in messages))
    return [
        {"role": message.role, "content": content}
        for message, content in zip(messages, contents, strict=True)
    ]


def plain_texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The texts, all of which a tokenizer can read.

    Raises
    ------
    CallError
        For a text with half a surrogate pair.
    """
    try:
        for text in texts:
            text.encode()
    except UnicodeEncodeError:
        raise CallError(
            "the question holds half a surrogate pair, which cannot be read; mend the item or "
            "the answer that it comes from",
            retriable=False,
            kind="request",
        ) from None
    return texts


def served_name(pretrained: str) -> str | None:
    """A checkpoint's name without the folder it lies in; a Hub id as it is."""
    return Path(pretrained).name if Path(pretrained).is_dir() else pretrained or None
