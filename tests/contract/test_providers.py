"""What holds for every provider there is, bare and inside every wrapper."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator

import pytest

from judgebench import registry
from judgebench.errors import CallError
from judgebench.protocols import Provider
from judgebench.providers.compose import Providers
from judgebench.providers.limited import Limited
from judgebench.providers.recorded import Recorded
from judgebench.providers.retrying import Retrying
from judgebench.providers.scripted import Scripted
from judgebench.providers.server import LocalServer, WithServer
from judgebench.records import ChatRequest, Message, Reply, Request, Usage
from judgebench.secret import Secret
from tests.loopback import MODES, Ask, Loopback, Reaction

KEY = "sk-never-to-be-shown-0123456789"


class Remembered:
    """Replies in memory."""

    def __init__(self) -> None:
        self.kept: dict[bytes, Reply] = {}

    def reply(self, key: bytes) -> Reply | None:
        return self.kept.get(key)

    def put_reply(self, key: bytes, request: Request, reply: Reply) -> None:
        self.kept[key] = reply


def made(name: str) -> Callable[[str], Provider]:
    """The builder of a provider of the folder, or of an installed package."""

    def build(url: str) -> Provider:
        make: Callable[..., Provider] = registry.load("providers", name).make
        return make(base_url=url, api_key=Secret(KEY), identity="here", timeout_s=20.0)

    return build


openai_compatible = made("openai_compatible")


def inside(wrap: Callable[[Provider], Provider]) -> Callable[[str], Provider]:
    return lambda url: wrap(openai_compatible(url))


def started_by_another(url: str) -> Provider:
    """A provider whose server is there already."""

    class Running(LocalServer):
        async def ensure_ready(self) -> None:
            return

    return WithServer(Running(["true"], url), openai_compatible)


def scripted(url: str) -> Provider:
    def answer(request: ChatRequest) -> Reply | CallError:
        mode = request.extra.get("loopback")
        if mode is not None:
            return CallError(f"scripted {mode}", retriable=mode == "overload")
        return Reply(
            text=request.messages[-1].content,
            finish_reason="stop",
            served_model=f"{request.model}-served",
            usage=Usage(prompt_tokens=1, completion_tokens=1),
        )

    return Scripted(answer)


def whole_stack(url: str) -> Provider:
    stack = Providers(Remembered()).get(
        "openai_compatible", base_url=url, api_key=Secret(KEY), identity="here", max_retries=0
    )
    assert isinstance(stack, Recorded)
    return stack


BUILDERS: dict[str, Callable[[str], Provider]] = {
    **{name: made(name) for name in registry.names("providers")},
    "limited": inside(lambda inner: Limited(inner, 4)),
    "retrying": inside(lambda inner: Retrying(inner, max_tries=1)),
    "recorded": inside(lambda inner: Recorded(inner, Remembered())),
    "with_server": started_by_another,
    "scripted": scripted,
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


def test_openai_compatible_is_found_in_the_folder() -> None:
    assert "openai_compatible" in registry.names("providers")


def test_a_reply_is_whole(provider: Provider) -> None:
    async def run() -> Reply:
        try:
            return await provider.complete(question("Is it {so}? “Ja”, 说 \U0001f600"))
        finally:
            await provider.close()

    reply = asyncio.run(run())
    assert reply.text == "Is it {so}? “Ja”, 说 \U0001f600"
    assert reply.finish_reason == "stop"
    assert reply.served_model == "judge-served"
    assert reply.usage.prompt_tokens
    assert reply.seconds >= 0


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
    assert str(error)
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
