"""Any server that speaks OpenAI's chat completions, through the official client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judgebench.providers.capabilities import checked
from judgebench.providers.door import Door, refuse_unknown_options
from judgebench.providers.http_provider import MAX_ANSWER_BYTES, HttpProvider
from judgebench.providers.openai import OpenAIClient
from judgebench.secret import Secret, checked_base_url


def make(
    *,
    base_url: str | None = None,
    api_key: Secret | None = None,
    identity: str | None = None,
    timeout_s: float = 120.0,
    capabilities: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> HttpProvider:
    """The provider ``openai_compatible``: vLLM, llama.cpp, Ollama, a gateway.

    A key is sent only where the suite names one for this address: ``OPENAI_API_KEY`` is for
    OpenAI, and must not travel to whatever server a ``base_url`` points to. What the model takes
    is not known, so everything is sent, but for what a suite's ``capabilities`` take away.

    Raises
    ------
    ConfigError
        For an address, a capability or an option that cannot be used.
    """
    refuse_unknown_options("openai_compatible", options)
    door = Door(base_url=checked_base_url(base_url or ""), key=api_key, timeout_s=timeout_s)
    return provider(door, identity or "openai_compatible", checked(capabilities))


def provider(
    door: Door,
    identity: str,
    overrides: Mapping[str, Any],
    *,
    max_answer_bytes: int = MAX_ANSWER_BYTES,
) -> HttpProvider:
    """A server behind a door, with a limit of its own on the size of an answer."""
    return HttpProvider(
        OpenAIClient(door),
        door,
        name="openai_compatible",
        identity=identity,
        overrides=overrides,
        max_answer_bytes=max_answer_bytes,
    )
