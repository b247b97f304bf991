"""Make a provider by its name and stack the wrappers around it.

``Replay(ContextGuard(Retry(BudgetGuard(RateLimit(WithServer(provider))))))``: a recorded reply
costs nothing, what cannot fit is not sent (where it is known how much does), a wait between two
attempts holds neither a slot nor money, every attempt is paid for by itself, and a server is
started by the first question that is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from judgebench import registry
from judgebench.config import Endpoint, Limits
from judgebench.errors import ConfigError
from judgebench.keys import content_key
from judgebench.protocols import Provider, Replies
from judgebench.providers.base import Counts
from judgebench.providers.budget import Budget, BudgetGuard
from judgebench.providers.prices import price_of
from judgebench.providers.rate_limit import RateLimit, Retry, SharedRate, gate_for
from judgebench.providers.replay import Replay
from judgebench.providers.server import Copies, LocalServer, WithServer
from judgebench.providers.tokens import CallSize, ContextGuard, counter_for
from judgebench.secret import checked_base_url

_DOOR = frozenset({"provider", "base_url", "model", "server"})
"""What a provider limits together: one model, at one address, by one key."""

_SHARED = _DOOR | {
    "identity", "timeout_s", "max_connections", "max_retries", "requests_per_minute",
    "tokens_per_minute", "price", "capabilities", "provider_options",
}  # fmt: skip
"""Endpoints that are equal in these share one stack."""


@dataclass(eq=False, kw_only=True)
class Stack(Replay):
    """A provider behind everything that is around it, and the wrappers that are spoken to."""

    retry: Retry
    budget: BudgetGuard
    limit: RateLimit


@dataclass(eq=False, kw_only=True)
class Providers:
    """The providers of one run. Those who ask the same endpoint share one stack.

    Endpoints that differ in more than the model's address, key and name still share the limits of
    that door, with each other and with all other runs of this process.

    ``close`` ends all connections and stops all servers; call it also when the run is interrupted.

    Parameters
    ----------
    budget
        What the run may take in all.
    limits
        Those of the suite, for what an endpoint does not say itself.
    batched
        See `Replay`.
    servers
        Those of the run, which may have been started before anything is asked.
    lease
        `Store.lease_time`, where processes share it; None for a limit of this process alone.
    """

    replies: Replies = field(kw_only=False)
    budget: Budget = field(default_factory=Budget)
    limits: Limits = field(default_factory=Limits)
    batched: Callable[[bytes], bool] | None = None
    servers: dict[bytes, LocalServer] = field(default_factory=dict)
    lease: Callable[[bytes, float], tuple[float, float]] | None = None
    _stacks: dict[bytes, Stack] = field(default_factory=dict, init=False)

    @property
    def counts(self) -> Counts:
        """The calls of all providers together."""
        each = [stack.counts for stack in self._stacks.values()]
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
        for server in self.servers.values():
            server.wind_down()

    async def close(self) -> None:
        """Close every connection, then stop every server, whatever happens on the way."""
        try:
            for stack in self._stacks.values():
                await stack.close()
        finally:
            while self.servers:
                await self.servers.popitem()[1].stop()

    def get(self, given: Endpoint) -> Stack:
        """The stack around a provider, made once for equal endpoints.

        Raises
        ------
        ConfigError
            For an unknown provider, naming the nearest; an address, an option or a capability that
            cannot be used; a price that is not known under a budget in money.
        """
        limits = {name: value for name, value in self.limits if getattr(given, name, 0) is None}
        endpoint = given.model_copy(update=limits)
        key = _key(endpoint, _SHARED)
        if key in self._stacks:
            return self._stacks[key]
        server, options = endpoint.server, endpoint.provider_options
        gpus = options.get("gpus") if server is None else server.gpus
        copies = [endpoint]
        if isinstance(gpus, str) and ";" in gpus:  # "0,1;2,3" names two groups, each with a copy
            copies = [
                endpoint.model_copy(
                    update={"provider_options": {**options, "gpus": group}}
                    if server is None
                    else {"server": server.model_copy(update={"gpus": group})}
                )
                for group in gpus.split(";")
            ]
        each = [self._one(copy) for copy in copies]
        price, size = price_of(endpoint), size_of(endpoint)
        if self.budget.limits_cost is not None and price is None:
            model = endpoint.model or ""
            raise ConfigError(
                f"{self.budget.limits_cost} is set, and the price of {model} is not known: "
                "state it as price: {input: …, output: …} where the model is named, in US dollars "
                f"for a million tokens, or for the whole suite as prices: {{{model}: {{…}}}}"
            )
        shared = None
        if self.lease and endpoint.requests_per_minute and endpoint.server is None:
            # What processes on one store share; a server that each starts for itself is not. No
            # hash of a key gets into the store: keys of one account have its limit between them.
            door = _key(endpoint.model_copy(update={"api_key": None}), _DOOR)
            shared = SharedRate(partial(self.lease, door), endpoint.requests_per_minute).take
        limit = RateLimit(
            Copies(each) if len(each) > 1 else each[0],
            endpoint.max_connections or 1,
            requests_per_minute=endpoint.requests_per_minute,
            tokens_per_minute=endpoint.tokens_per_minute,
            tokens=size.expected,
            gate=gate_for(_key(endpoint, _DOOR)),
            shared=shared,
        )
        budget = BudgetGuard(limit, self.budget, most=size.most, price=price, ledger=self.replies)
        retry = Retry(
            budget,
            max_tries=(endpoint.max_retries or 0) + 1,
            max_minutes=self.limits.max_minutes,
        )
        room = size.room(endpoint.model or "")
        fits = retry if room is None else ContextGuard(retry, counter=size.counter, room=room)
        self._stacks[key] = Stack(
            fits,
            self.replies,
            price=price,
            batched=self.batched,
            retry=retry,
            budget=budget,
            limit=limit,
        )
        return self._stacks[key]

    def _one(self, endpoint: Endpoint) -> Provider:
        """The bare provider, behind its own server where it has one."""
        make: Callable[[Endpoint], Provider]
        make = registry.load("providers", endpoint.provider or "").make
        if endpoint.server is None:
            return make(endpoint)
        base_url = endpoint.base_url or ""
        checked_base_url(base_url.replace("{port}", "80"))
        key = _key(endpoint, frozenset({"base_url", "server"}))
        if key not in self.servers:
            self.servers[key] = LocalServer(endpoint.server, base_url, endpoint.api_key)
        return WithServer(
            self.servers[key],
            lambda address: make(endpoint.model_copy(update={"base_url": address})),
        )


def size_of(endpoint: Endpoint) -> CallSize:
    """How many tokens calls to an endpoint take."""
    price, provider = price_of(endpoint), endpoint.provider or ""
    options = endpoint.provider_options.get("model_args") or endpoint.provider_options
    checkpoint = options.get("pretrained") if isinstance(options, Mapping) else None
    tokenizer = Path(checkpoint, "tokenizer.json") if isinstance(checkpoint, str) else None
    return CallSize(
        counter_for(provider, endpoint.model or "", tokenizer_file=tokenizer),
        provider=provider,
        capabilities=endpoint.capabilities,
        longest_reply=None if price is None else price.max_output_tokens,
    )


def _key(endpoint: Endpoint, names: frozenset[str]) -> bytes:
    """Equal in these and in the key, equal here; by hash, so that no secret lies about."""
    shown: dict[str, Any] = endpoint.model_dump(mode="json", include=set(names))
    key = endpoint.api_key and endpoint.api_key.reveal()
    return content_key("provider options", [shown, key])
