"""OpenAI through its official client: Chat Completions, or Responses where the model needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from judgebench.errors import ConfigError, unknown_name
from judgebench.providers import wire_chat, wire_responses
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
    from openai import AsyncOpenAI

OFFICIAL = "https://api.openai.com/v1"
_APIS = ("auto", "chat", "responses")
_UNREAD = "X-Stainless-Raw-Response"
"""The client's own header of a call whose answer it hands on before reading its body."""


def make(
    *,
    base_url: str | None = None,
    api_key: Secret | None = None,
    identity: str | None = None,
    timeout_s: float = 120.0,
    capabilities: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> HttpProvider:
    """The provider ``openai``.

    Without a ``base_url`` it is at ``OPENAI_BASE_URL``, or else at OpenAI's own address, and the
    key is ``OPENAI_API_KEY`` unless the suite names another. That variable's key never travels to
    an address that a suite gives. ``options`` may hold ``api``: ``chat``, ``responses``, or
    ``auto`` for what the model needs.

    Raises
    ------
    ConfigError
        For an address, a capability or an option that cannot be used.
    """
    refuse_unknown_options("openai", options, {"api"})
    api = (options or {}).get("api", "auto")
    if api not in _APIS:
        raise ConfigError(f"provider_options: {unknown_name('api', str(api), _APIS)}")
    overrides = checked(capabilities)
    door = door_of(base_url, api_key, timeout_s)
    return HttpProvider(
        OpenAIClient(door),
        door,
        name="openai",
        identity=identity or "openai",
        overrides=overrides if api == "auto" else {**overrides, "api": api},
    )


def door_of(base_url: str | None, api_key: Secret | None, timeout_s: float) -> Door:
    """OpenAI's door, or the one that a suite or the environment names."""
    return own_door(
        base_url,
        api_key,
        timeout_s,
        official=OFFICIAL,
        address_variable="OPENAI_BASE_URL",
        key_variable="OPENAI_API_KEY",
    )


class OpenAIClient:
    """The official client behind a door."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._client: AsyncOpenAI | None = None
        self._headers: dict[str, Any] = {}

    def wire(self, capabilities: Capabilities) -> Wire:
        return wire_responses if capabilities.api == "responses" else wire_chat

    @asynccontextmanager
    async def send(self, wire: Wire, body: Mapping[str, Any]) -> AsyncIterator[Answer]:
        """Posted as it is: the client's typed methods would walk the body to check its types."""
        client = self._connected()
        response: Any = await client.post(
            "/responses" if wire is wire_responses else "/chat/completions",
            body=body,
            cast_to=object,
            options={"headers": self._headers, "security": {"bearer_auth": True}},
        )
        try:
            yield response
        finally:
            await response.close()

    def errors(self) -> tuple[type[BaseException], ...]:
        import aiohttp
        import httpx2
        import openai

        return (RefusedError, openai.OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()
            await transports_end()

    def _connected(self) -> AsyncOpenAI:
        """The client, made inside the running loop by the first call."""
        if self._client is None:
            import openai

            door = self._door
            timeout = openai.Timeout(door.timeout_s, connect=min(CONNECT_S, door.timeout_s))
            http = openai.DefaultAioHttpClient(
                timeout=timeout,
                trust_env=not door.is_loopback,  # no proxy reaches our own machine
                event_hooks={"response": [refuse_failures]},
            )
            self._client = openai.AsyncOpenAI(
                base_url=door.base_url,
                api_key=door.key.reveal() if door.key is not None else "none",
                max_retries=0,
                timeout=timeout,
                http_client=http,
            )
            unwanted = door.unwanted_headers(
                "OPENAI_CUSTOM_HEADERS", ("OpenAI-Organization", "OpenAI-Project")
            )
            self._headers = {**dict.fromkeys(unwanted, openai.omit), _UNREAD: "stream"}
            if door.key is None:
                self._headers["Authorization"] = openai.omit
        return self._client
