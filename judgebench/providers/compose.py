"""Make a provider by its name and stack the wrappers around it.

``Recorded(Retrying(Limited(WithServer(OpenAICompatible))))``: a recorded reply costs nothing, a
wait between two attempts holds no slot, and a server is started by the first question that is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from judgebench import registry
from judgebench.addresses import checked_base_url
from judgebench.keys import content_key
from judgebench.protocols import Provider, Replies
from judgebench.providers.counts import Counts
from judgebench.providers.limited import Limited
from judgebench.providers.recorded import Recorded
from judgebench.providers.retrying import Retrying
from judgebench.providers.server import LocalServer, WithServer
from judgebench.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a provider's own server is started; fields as in `LocalServer`."""

    command: Sequence[str]
    ready: str = "/v1/models"
    timeout_s: float = 600.0
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    gpus: str | None = None


class Providers:
    """The providers of one run. Judges that ask the same server share one stack and its limits.

    ``close`` ends all connections and stops all servers; call it also when the run is interrupted.
    """

    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self._stacks: dict[bytes, Recorded] = {}
        self._servers: dict[bytes, LocalServer] = {}

    def get(
        self,
        provider: str,
        *,
        base_url: str | None = None,
        api_key: Secret | None = None,
        identity: str | None = None,
        server: ServerOptions | None = None,
        timeout_s: float = 120.0,
        max_connections: int = 16,
        max_retries: int = 5,
        max_minutes: float = 10.0,
    ) -> Recorded:
        """The stack around the provider of this name, made once for the same options.

        Raises
        ------
        ConfigError
            For an unknown provider, naming the nearest, or an address that cannot be used.
        """
        make = registry.load("providers", provider).make
        options = {"identity": identity or provider, "timeout_s": timeout_s}
        limits = [max_connections, max_retries, max_minutes]
        key = _key(api_key, provider, base_url, options, limits, server)
        if key in self._stacks:
            return self._stacks[key]

        def at(address: str | None) -> Provider:
            made: Provider = make(base_url=address, api_key=api_key, **options)
            return made

        inner = (
            at(base_url)
            if server is None
            else WithServer(self._server(server, base_url or "", api_key), at)
        )
        counts = Counts()
        retrying = Retrying(
            Limited(inner, max_connections),
            max_tries=max_retries + 1,
            max_minutes=max_minutes,
            counts=counts,
        )
        self._stacks[key] = Recorded(retrying, self._replies, counts)
        return self._stacks[key]

    @property
    def counts(self) -> Counts:
        """The calls of all providers together."""
        each = [stack.counts for stack in self._stacks.values()]
        return Counts(
            sent=sum(c.sent for c in each),
            recorded=sum(c.recorded for c in each),
            retried=sum(c.retried for c in each),
            failed=sum(c.failed for c in each),
        )

    async def close(self) -> None:
        """Close every connection, then stop every server, whatever happens on the way."""
        try:
            for stack in self._stacks.values():
                await stack.close()
        finally:
            for server in self._servers.values():
                await server.stop()

    def _server(self, options: ServerOptions, base_url: str, api_key: Secret | None) -> LocalServer:
        checked_base_url(base_url.replace("{port}", "80"))
        key = _key(api_key, base_url, options)
        if key not in self._servers:
            self._servers[key] = LocalServer(
                options.command,
                base_url,
                ready=options.ready,
                timeout_s=options.timeout_s,
                env=options.env,
                gpus=options.gpus,
                key=api_key,
            )
        return self._servers[key]


def _key(api_key: Secret | None, *options: Any) -> bytes:
    """Equal options, equal key; by hash, so that no secret lies about."""
    return content_key("provider options", [api_key and api_key.reveal(), *options])
