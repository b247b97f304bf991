"""What holds inside every wrapper as it does for the bare provider, over a real connection."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from judgebench.config import Endpoint, ServerConfig
from judgebench.errors import CallError, ConfigError
from judgebench.protocols import Provider
from judgebench.providers import openai_compatible
from judgebench.providers.budget import Budget, BudgetGuard
from judgebench.providers.compose import Providers
from judgebench.providers.prices import LOCAL
from judgebench.providers.rate_limit import RateLimit, Retry
from judgebench.providers.replay import Replay
from judgebench.providers.server import LocalServer, WithServer
from judgebench.records import ChatRequest, Message, Reply, Spend, Usage
from judgebench.secret import Secret
from tests.contract.remembered import Remembered as InMemory
from tests.loopback import MODES, Ask, Loopback, Reaction

KEY = "sk-never-to-be-shown-0123456789"


class Remembered(InMemory):
    """What is spent is looked at elsewhere."""

    def put_spend(self, spends: Sequence[Spend]) -> None:
        return


def bare(url: str) -> Provider:
    return openai_compatible.make(endpoint(url, timeout_s=20.0))


def budgeted(url: str) -> Provider:
    most = Usage(prompt_tokens=100, completion_tokens=100)
    budget = Budget(max_cost_usd=1, max_tokens=100_000)
    return BudgetGuard(bare(url), budget, most=lambda _: most, price=LOCAL)


def started_by_another(url: str) -> Provider:
    """A provider whose server is there already."""

    class Running(LocalServer):
        async def ensure_ready(self) -> None:
            return

    return WithServer(Running(ServerConfig(command=["true"]), url), lambda address: bare(address))


def whole_stack(url: str) -> Provider:
    return Providers(Remembered()).get(endpoint(url, max_retries=0))


def endpoint(url: str, **options: Any) -> Endpoint:
    return Endpoint(
        provider="openai_compatible",
        model="judge",
        base_url=url,
        api_key=Secret(KEY),
        identity="here",
        **options,
    )


BUILDERS: dict[str, Callable[[str], Provider]] = {
    "limited": lambda url: RateLimit(bare(url), 4),
    "budgeted": budgeted,
    "retrying": lambda url: Retry(bare(url), max_tries=1),
    "recorded": lambda url: Replay(bare(url), Remembered()),
    "with_server": started_by_another,
    "whole_stack": whole_stack,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    def answer(ask: Ask) -> Reaction:
        mode = ask.body.get("loopback")
        return MODES[str(mode)] if mode else Reaction(text=ask.text, delay_s=0.01)

    with Loopback(answer) as running:
        yield running


@pytest.fixture(params=sorted(BUILDERS))
def provider(request: pytest.FixtureRequest, server: Loopback) -> Provider:
    build: Callable[[str], Provider] = BUILDERS[request.param]
    return build(server.url)


def question(text: str, **more: object) -> ChatRequest:
    messages = (Message(role="user", content=text),)
    return ChatRequest(provider="here", model="judge", messages=messages, extra=more)


def test_each_question_gets_its_own_reply(provider: Provider) -> None:
    async def run() -> list[Reply]:
        try:
            return await asyncio.gather(*(provider.complete(question(f"q{i}")) for i in range(30)))
        finally:
            await provider.close()

    assert [reply.text for reply in asyncio.run(run())] == [f"q{i}" for i in range(30)]


@pytest.mark.parametrize(("mode", "retriable"), [("overload", True), ("bad_request", False)])
def test_a_failed_call_is_a_call_error(provider: Provider, mode: str, retriable: bool) -> None:
    async def run() -> CallError:
        try:
            with pytest.raises(CallError) as caught:
                await provider.complete(question("q", loopback=mode))
            # One failure leaves the next question untouched.
            assert (await provider.complete(question("after"))).text == "after"
            return caught.value
        finally:
            await provider.close()

    error = asyncio.run(run())
    assert error.retriable is retriable
    assert error.attempts == 1
    assert error.kind != "other"
    assert error.charged is None
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert KEY not in shown
    assert error.__context__ is None or isinstance(error.__context__, CallError)


def test_a_cancelled_call_leaves_the_provider_usable(provider: Provider) -> None:
    async def run() -> str:
        try:
            call = asyncio.create_task(provider.complete(question("given up")))
            await asyncio.sleep(0.005)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            return (await provider.complete(question("still there"))).text
        finally:
            await provider.close()

    assert asyncio.run(run()) == "still there"


def test_closing_twice_or_unused_is_harmless(provider: Provider) -> None:
    async def run() -> None:
        await provider.close()
        await provider.close()

    asyncio.run(run())


def test_a_wrong_key_costs_one_call() -> None:
    with Loopback(mode="no_key") as server:

        async def run() -> list[BaseException | Reply]:
            providers = Providers(Remembered())
            stack = providers.get(endpoint(server.url, max_connections=64))
            calls = [stack.complete(question(f"q{i}")) for i in range(200)]
            try:
                return await asyncio.gather(*calls, return_exceptions=True)
            finally:
                await providers.close()

        failed = asyncio.run(run())
        assert len(server.asks) == 1
    assert {(type(error), getattr(error, "kind", "")) for error in failed} == {(CallError, "key")}


def test_stacks_at_one_door_share_its_limits_across_runs() -> None:
    with Loopback(delay_s=0.005) as server:

        async def run() -> None:
            runs = [Providers(Remembered()) for _ in range(2)]
            stacks = [
                providers.get(endpoint(server.url, max_connections=most, timeout_s=timeout_s))
                for providers, most in zip(runs, (3, 50), strict=True)
                for timeout_s in (20.0, 30.0)
            ]
            try:
                await asyncio.gather(
                    *(stack.complete(question(f"q{i}")) for stack in stacks for i in range(10))
                )
            finally:
                for providers in runs:
                    await providers.close()

        asyncio.run(run())
        assert server.most_in_flight == 3


def test_money_needs_a_price_before_anything_is_sent() -> None:
    providers = Providers(Remembered(), budget=Budget(max_cost_usd=1))
    said = r"limits\.max_cost_usd is set, and the price of judge is not known.*prices: \{judge: "
    with pytest.raises(ConfigError, match=said):
        providers.get(endpoint("https://gateway.example/v1"))


def test_options_that_are_equal_share_a_stack_and_the_key_is_one_of_them() -> None:
    providers = Providers(Remembered())
    one = providers.get(
        endpoint("http://127.0.0.1:1/v1", provider_options={}, capabilities={"seed": False})
    )
    assert one is providers.get(
        endpoint("http://127.0.0.1:1/v1", provider_options={}, capabilities={"seed": False})
    )
    assert one is not providers.get(endpoint("http://127.0.0.1:1/v1"))
    other_key = Endpoint(
        provider="openai_compatible", model="judge", base_url="http://127.0.0.1:1/v1"
    )
    assert providers.get(other_key) is not one
    assert KEY not in repr(endpoint("http://127.0.0.1:1/v1"))
