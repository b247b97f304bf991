"""Any server that speaks OpenAI's chat completions."""

from __future__ import annotations

from judgebench.config import Endpoint
from judgebench.providers.http import HttpProvider, ProviderInfo
from judgebench.providers.openai import CHAT

INFO = ProviderInfo(name="openai_compatible")


def make(endpoint: Endpoint) -> HttpProvider:
    """The provider ``openai_compatible``: vLLM, llama.cpp, Ollama, a gateway.

    A key is sent only where the suite names one for this address: ``OPENAI_API_KEY`` is for
    OpenAI, and must not travel to whatever server a ``base_url`` points to. What the model takes
    is not known, so everything is sent, but for what a suite's ``capabilities`` take away.

    Raises
    ------
    ConfigError
        For an address, a capability or an option that cannot be used.
    """
    return HttpProvider(INFO, endpoint, lambda takes: CHAT)
