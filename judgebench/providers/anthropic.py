"""Anthropic's Messages through its official client, with its prompt cache."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from judgebench.providers import wire_messages
from judgebench.providers.capabilities import Capabilities, checked
from judgebench.providers.door import CONNECT_S, Door, own_door, refuse_unknown_options
from judgebench.providers.http_provider import (
    Answer,
    HttpProvider,
    RefusedError,
    Wire,
    refuse_failures,
    transports_end,
)
from judgebench.secret import Secret

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

OFFICIAL = "https://api.anthropic.com"


def make(
    *,
    base_url: str | None = None,
    api_key: Secret | None = None,
    identity: str | None = None,
    timeout_s: float = 120.0,
    capabilities: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> HttpProvider:
    """The provider ``anthropic``; it has no options of its own.

    Without a ``base_url`` it is at ``ANTHROPIC_BASE_URL``, or else at Anthropic's own address, and
    the key is ``ANTHROPIC_API_KEY`` unless the suite names another. That variable's key never
    travels to an address that a suite gives. An address may end in ``/v1`` or not.

    Raises
    ------
    ConfigError
        For an address, a capability or an option that cannot be used.
    """
    refuse_unknown_options("anthropic", options)
    overrides = checked(capabilities)
    door = door_of(base_url, api_key, timeout_s)
    return HttpProvider(
        AnthropicClient(door),
        door,
        name="anthropic",
        identity=identity or "anthropic",
        overrides=overrides,
    )


def door_of(base_url: str | None, api_key: Secret | None, timeout_s: float) -> Door:
    """Anthropic's door, or the one that a suite or the environment names."""
    return own_door(
        base_url,
        api_key,
        timeout_s,
        official=OFFICIAL,
        address_variable="ANTHROPIC_BASE_URL",
        key_variable="ANTHROPIC_API_KEY",
    )


class AnthropicClient:
    """The official client behind a door."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._client: AsyncAnthropic | None = None
        self._headers: dict[str, Any] = {}

    def wire(self, capabilities: Capabilities) -> Wire:
        return wire_messages

    def send(self, wire: Wire, body: Mapping[str, Any]) -> AbstractAsyncContextManager[Answer]:
        # The body goes as extra_body, which also takes what the client's signature no longer
        # names (temperature), and what its types would make it walk through.
        return self._connected().messages.with_streaming_response.create(
            model=body["model"],
            max_tokens=body["max_tokens"],
            messages=[],
            extra_body=body,
            extra_headers=self._headers,
        )

    def errors(self) -> tuple[type[BaseException], ...]:
        import aiohttp
        import anthropic
        import httpx2

        return (
            RefusedError,
            anthropic.AnthropicError,
            httpx2.HTTPError,
            aiohttp.ClientError,
            OSError,
        )

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()
            await transports_end()

    def _connected(self) -> AsyncAnthropic:
        """The client, made inside the running loop by the first call."""
        if self._client is None:
            import anthropic

            door = self._door
            timeout = anthropic.Timeout(door.timeout_s, connect=min(CONNECT_S, door.timeout_s))
            http = anthropic.DefaultAioHttpClient(
                timeout=timeout,
                trust_env=not door.is_loopback,  # no proxy reaches our own machine
                event_hooks={"response": [refuse_failures]},
            )
            self._client = anthropic.AsyncAnthropic(
                base_url=door.base_url.removesuffix("/v1"),  # it adds that itself
                api_key=door.key.reveal() if door.key is not None else "none",
                max_retries=0,
                timeout=timeout,
                http_client=http,
            )
            unwanted = door.unwanted_headers("ANTHROPIC_CUSTOM_HEADERS")
            self._headers = dict.fromkeys(unwanted, anthropic.omit)
            if door.key is None:
                self._headers |= {"Authorization": anthropic.omit, "X-Api-Key": anthropic.omit}
        return self._client
