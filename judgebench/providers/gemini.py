"""Google's Gemini, at the address where it speaks OpenAI's chat completions."""

from __future__ import annotations

from judgebench.config import Endpoint
from judgebench.providers.http import HttpProvider, ProviderInfo
from judgebench.providers.openai import CHAT

INFO = ProviderInfo(
    name="gemini",
    official="https://generativelanguage.googleapis.com/v1beta/openai",
    variables="GEMINI",
)


def make(endpoint: Endpoint) -> HttpProvider:
    """The provider ``gemini``.

    Without a ``base_url`` it is at ``GEMINI_BASE_URL``, or else at Google's own address, and the
    key is ``GEMINI_API_KEY`` unless the suite names another.

    Raises
    ------
    ConfigError
        For an address, a capability or an option that cannot be used.
    """
    return HttpProvider(INFO, endpoint, lambda takes: CHAT)
