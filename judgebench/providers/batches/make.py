"""Which providers take batches, and how to get to theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judgebench.errors import ConfigError
from judgebench.providers import anthropic, openai
from judgebench.providers.batches.anthropic_batch import AnthropicBatches
from judgebench.providers.batches.interface import BatchInterface
from judgebench.providers.batches.openai_batch import OpenAIBatches
from judgebench.providers.capabilities import checked
from judgebench.providers.door import refuse_unknown_options
from judgebench.secret import Secret

OFFERED = ("anthropic", "openai")

_LEAST_S = 600.0  # a batch is many megabytes, and is looked through before it is acknowledged


def make_batches(
    provider: str,
    *,
    base_url: str | None = None,
    api_key: Secret | None = None,
    capabilities: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    timeout_s: float = 120.0,
) -> BatchInterface:
    """The batch interface of a provider, reached as the provider itself is.

    Parameters are those of the providers' ``make``. Nothing is sent yet.

    Raises
    ------
    ConfigError
        For a provider without one, or an address, capability or option that cannot be used.
    """
    wait_s = max(timeout_s, _LEAST_S)
    match provider:
        case "openai":
            openai.make(options=options)  # says what is wrong with them
            api = (options or {}).get("api", "auto")
            overrides = {**checked(capabilities), **({} if api == "auto" else {"api": api})}
            return OpenAIBatches(openai.door_of(base_url, api_key, wait_s), overrides)
        case "anthropic":
            refuse_unknown_options("anthropic", options)
            door = anthropic.door_of(base_url, api_key, wait_s)
            return AnthropicBatches(door, checked(capabilities))
    raise ConfigError(
        f"the provider {provider!r} takes no batches; they are had from {', '.join(OFFERED)}. A "
        "server that speaks OpenAI's Batch API is reached as openai with a base_url; without "
        "'batch', the questions are asked one by one"
    )
