"""Make a provider by its name and stack the wrappers around it.

``Replay(ContextGuard(Retry(BudgetGuard(RateLimit(WithServer(OpenAICompatible))))))``: a
recorded reply costs nothing, what cannot fit is not sent, a wait between two attempts holds neither
a slot nor money, every attempt is paid for by itself, and a server is started by the first question
that is sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from judgebench import registry
from judgebench.keys import content_key
from judgebench.protocols import Provider, Replies
from judgebench.providers.base import Counts
from judgebench.providers.budget import Budget, BudgetGuard
from judgebench.providers.guard import ContextGuard
from judgebench.providers.prices import Price, PriceTable
from judgebench.providers.rate_limit import RateLimit, gate_for
from judgebench.providers.replay import Replay
from judgebench.providers.retry import Retry
from judgebench.providers.server import LocalServer, WithServer
from judgebench.providers.tokens import CallSize, counter_for
from judgebench.records import Request
from judgebench.secret import Secret, checked_base_url


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a provider's own server is started; fields as in `LocalServer`."""

    command: Sequence[str]
    ready: str = "/v1/models"
    timeout_s: float = 600.0
    env: Mapping[str, str] = field(default_factory=_nothing)
    gpus: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointOptions:
    """Who answers, how to get there, and within which limits.

    provider
        Name of the provider's module.
    model
        What is asked for there.
    identity
        What is behind the address; the provider's name if None.
    timeout_s
        Of one attempt.
    max_retries, max_minutes
        Attempts beyond the first, and how late the last of them may start.
    price
        What the suite states; None for that of the price table.
    capabilities
        What the model takes, where the table of model families is wrong.
    options
        The provider's own section of the suite.
    """

    provider: str
    model: str
    base_url: str | None = None
    api_key: Secret | None = None
    identity: str | None = None
    server: ServerOptions | None = None
    timeout_s: float = 120.0
    max_connections: int = 16
    max_retries: int = 5
    max_minutes: float = 10.0
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    price: Price | None = None
    capabilities: Mapping[str, Any] = field(default_factory=_nothing)
    options: Mapping[str, Any] = field(default_factory=_nothing)

    @property
    def call_budget_s(self) -> float:
        """Seconds after which one call is stuck: all its attempts, and the start of a server.

        How long it stands in line for a door that is limited by the minute is not in it.
        """
        starting_s = 0.0 if self.server is None else self.server.timeout_s
        return 60.0 * self.max_minutes + self.timeout_s + starting_s


@dataclass(frozen=True, slots=True)
class _Stack:
    """The wrappers around one provider, and those among them that are spoken to."""

    replay: Replay
    retry: Retry
    budget: BudgetGuard
    limit: RateLimit


class Providers:
    """The providers of one run. Those who ask the same endpoint share one stack.

    Endpoints that differ in more than the model's address, key and name still share the limits of
    that door, with each other and with all other runs of this process.

    ``close`` ends all connections and stops all servers; call it also when the run is interrupted.

    Parameters
    ----------
    budget
        What the run may take in all; no limit if None.
    prices
        The table that comes with judgebench if None.
    batched
        See `Replay`.
    """

    def __init__(
        self,
        replies: Replies,
        *,
        budget: Budget | None = None,
        prices: PriceTable | None = None,
        batched: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._batched = batched
        self.budget = budget or Budget()
        self._replies = replies
        self._prices = prices or PriceTable.load()
        self._stacks: dict[bytes, _Stack] = {}
        self._servers: dict[bytes, LocalServer] = {}

    def get(self, endpoint: EndpointOptions) -> Replay:
        """The stack around a provider, made once for the same options.

        Raises
        ------
        ConfigError
            For an unknown provider, naming the nearest; an address, an option or a capability that
            cannot be used; a price that is not known under a budget in money.
        """
        return self._stack(endpoint).replay

    def set_aside(self, endpoint: EndpointOptions) -> Callable[[Request], Awaitable[None]]:
        """What counts a question to an endpoint against the budget, where it goes into a batch."""
        return self._stack(endpoint).budget.set_aside

    def price(self, endpoint: EndpointOptions) -> Price | None:
        """What the suite states, or the table knows; None where the price is not known."""
        known = self._prices.price(
            endpoint.provider,
            endpoint.model,
            base_url=endpoint.base_url,
            own_server=endpoint.server is not None,
        )
        return known if endpoint.price is None else endpoint.price.beside(known)

    def size(self, endpoint: EndpointOptions) -> CallSize:
        """How many tokens calls to an endpoint take."""
        price = self.price(endpoint)
        return CallSize(
            counter_for(
                endpoint.provider, endpoint.model, tokenizer_file=_tokenizer_file(endpoint)
            ),
            provider=endpoint.provider,
            capabilities=endpoint.capabilities,
            longest_reply=None if price is None else price.max_output_tokens,
        )

    @property
    def counts(self) -> Counts:
        """The calls of all providers together."""
        each = [stack.replay.counts for stack in self._stacks.values()]
        return Counts(**{f.name: sum(getattr(c, f.name) for c in each) for f in fields(Counts)})

    def unreached(self) -> list[str]:
        """Why servers that are asked cannot be reached at the moment, with their addresses."""
        found = (stack.retry.unreached for stack in self._stacks.values())
        return list(dict.fromkeys(said for said in found if said is not None))

    def wind_down(self) -> None:
        """Send nothing more: only what is under way comes to its end."""
        for stack in self._stacks.values():
            stack.retry.wind_down()
            stack.limit.wind_down()
        for server in self._servers.values():
            server.wind_down()

    async def close(self) -> None:
        """Close every connection, then stop every server, whatever happens on the way."""
        try:
            for stack in self._stacks.values():
                await stack.replay.close()
        finally:
            for server in self._servers.values():
                await server.stop()

    def _stack(self, endpoint: EndpointOptions) -> _Stack:
        key = _key(endpoint)
        if key not in self._stacks:
            self._stacks[key] = self._stacked(endpoint)
        return self._stacks[key]

    def _stacked(self, endpoint: EndpointOptions) -> _Stack:
        price, size, counts = self.price(endpoint), self.size(endpoint), Counts()
        provider = self._provider(endpoint)
        limit = RateLimit(
            provider,
            endpoint.max_connections,
            requests_per_minute=endpoint.requests_per_minute,
            tokens_per_minute=endpoint.tokens_per_minute,
            tokens=size.expected,
            gate=gate_for(_door(endpoint)),
        )
        guard = BudgetGuard(
            limit,
            self.budget,
            most=size.most,
            price=price,
            model=endpoint.model,
            ledger=self._replies,
        )
        retry = Retry(
            guard,
            max_tries=endpoint.max_retries + 1,
            max_minutes=endpoint.max_minutes,
            counts=counts,
        )
        fits = ContextGuard(retry, size.counter, room=size.room)
        replay = Replay(fits, self._replies, counts, price=price, batched=self._batched)
        return _Stack(replay, retry, guard, limit)

    def _provider(self, endpoint: EndpointOptions) -> Provider:
        """The bare provider, behind its own server where it has one."""
        make = registry.load("providers", endpoint.provider).make

        def at(address: str | None) -> Provider:
            made: Provider = make(
                base_url=address,
                api_key=endpoint.api_key,
                identity=endpoint.identity or endpoint.provider,
                timeout_s=endpoint.timeout_s,
                capabilities=endpoint.capabilities,
                options=endpoint.options,
            )
            return made

        if endpoint.server is None:
            return at(endpoint.base_url)
        return WithServer(self._server(endpoint, endpoint.server), at)

    def _server(self, endpoint: EndpointOptions, options: ServerOptions) -> LocalServer:
        base_url = endpoint.base_url or ""
        checked_base_url(base_url.replace("{port}", "80"))
        key = _hashed(base_url, endpoint.api_key, options)
        if key not in self._servers:
            self._servers[key] = LocalServer(
                options.command,
                base_url,
                ready=options.ready,
                timeout_s=options.timeout_s,
                env=options.env,
                gpus=options.gpus,
                key=endpoint.api_key,
            )
        return self._servers[key]


def _key(endpoint: EndpointOptions) -> bytes:
    """Equal options, equal key."""
    return _hashed(*(getattr(endpoint, f.name) for f in fields(endpoint)))


def _door(endpoint: EndpointOptions) -> bytes:
    """What a provider limits together: one model, at one address, by one key."""
    return _hashed(
        endpoint.provider, endpoint.base_url, endpoint.api_key, endpoint.model, endpoint.server
    )


def _hashed(*options: Any) -> bytes:
    """By hash, so that no secret lies about."""
    shown = [o.reveal() if isinstance(o, Secret) else o for o in options]
    return content_key("provider options", shown)


def _tokenizer_file(endpoint: EndpointOptions) -> Path | None:
    """The tokenizer of a model that is a folder on this machine."""
    arguments = endpoint.options.get("model_args") or endpoint.options
    checkpoint = arguments.get("pretrained") if isinstance(arguments, Mapping) else None
    return Path(checkpoint, "tokenizer.json") if isinstance(checkpoint, str) else None
