"""Where the providers are, and that keys go nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from judgebench import registry
from judgebench.config import Endpoint
from judgebench.errors import CallError, ConfigError
from judgebench.providers.http import HttpProvider
from judgebench.secret import Secret
from tests.loopback import Ask, Loopback
from tests.table import over_rows
from tests.wire.asking import question
from tests.wire.speakers import SPEAKERS, Said, Speaker, speaking

OWN = {
    "openai": SPEAKERS["openai_chat"],
    "anthropic": SPEAKERS["anthropic"],
    "gemini": SPEAKERS["gemini"],
}
OFFICIAL = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
}


@pytest.fixture(params=sorted(OWN))
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A provider with an address of its own, in an environment that says nothing of it."""
    for provider in OWN:
        for what in ("API_KEY", "BASE_URL", "CUSTOM_HEADERS", "AUTH_TOKEN"):
            monkeypatch.delenv(f"{provider.upper()}_{what}", raising=False)
    return str(request.param)


@pytest.fixture
def server(name: str) -> Iterator[Loopback]:
    with Loopback(speaking(OWN[name], Said())) as running:
        yield running


def made(name: str, **options: Any) -> HttpProvider:
    endpoint = Endpoint.model_construct(provider=name, identity="here", **options)
    provider: HttpProvider = registry.load("providers", name).make(endpoint)
    return provider


def arrived(provider: HttpProvider, server: Loopback) -> Ask:
    async def run() -> None:
        try:
            await provider.complete(question())
        finally:
            await provider.close()

    asyncio.run(run())
    return server.asks[-1]


def key_of(ask: Ask) -> str:
    return ask.headers.get("authorization", "") + ask.headers.get("x-api-key", "")


def test_it_is_at_its_own_address_and_named_by_its_name(name: str) -> None:
    assert made(name).address.base_url == OFFICIAL[name]
    assert registry.load("providers", name).make(Endpoint(provider=name)).identity == name


def test_without_a_key_nothing_is_sent_to_the_official_address(name: str) -> None:
    with pytest.raises(CallError) as caught:
        asyncio.run(made(name).complete(question()))
    assert (caught.value.kind, caught.value.status, caught.value.retriable) == ("key", 401, False)
    assert f"export {name.upper()}_API_KEY=" in str(caught.value)


def test_address_and_key_of_the_environment_go_together(
    name: str, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{name.upper()}_BASE_URL", server.url)
    monkeypatch.setenv(f"{name.upper()}_API_KEY", "from-the-environment")
    monkeypatch.setenv(f"{name.upper()}_CUSTOM_HEADERS", "X-More: from-the-environment")
    ask = arrived(made(name), server)
    assert "from-the-environment" in key_of(ask)
    assert ask.headers["x-more"] == "from-the-environment"


def test_the_suites_key_wins(name: str, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{name.upper()}_BASE_URL", server.url)
    monkeypatch.setenv(f"{name.upper()}_API_KEY", "from-the-environment")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "an administrator's, from-the-environment")
    ask = arrived(made(name, api_key=Secret("from-the-suite")), server)
    assert "from-the-suite" in key_of(ask)
    assert "from-the-environment" not in repr(ask.headers)


def test_no_key_of_the_environment_goes_where_a_suite_points(
    name: str, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{name.upper()}_API_KEY", "from-the-environment")
    ask = arrived(made(name, base_url=server.url), server)
    assert key_of(ask) == ""
    assert "from-the-environment" not in repr(ask.headers)


@over_rows("end", ["", "/", "/v1", "/v1/"])
def test_an_address_of_messages_may_name_the_version(end: str) -> None:
    speaker: Speaker = OWN["anthropic"]
    with Loopback(speaking(speaker, Said())) as server:
        ask = arrived(made("anthropic", base_url=server.origin + end), server)
    assert ask.path == "/v1/messages"
    assert ask.headers["anthropic-version"]


def test_the_api_can_be_chosen() -> None:
    speaker = SPEAKERS["openai_responses"]
    with Loopback(speaking(speaker, Said())) as server:
        ask = arrived(
            made("openai", base_url=server.url, provider_options={"api": "responses"}), server
        )
        assert ask.path == "/v1/responses"
        with pytest.raises(CallError, match="nothing is at /v1/chat/completions"):
            arrived(made("openai", base_url=server.url, provider_options={"api": "auto"}), server)


def test_the_table_chooses_the_api() -> None:
    speaker = SPEAKERS["openai_responses"]

    async def run(url: str) -> None:
        provider = made("openai", base_url=url)
        try:
            await provider.complete(question(model="o3-pro"))
        finally:
            await provider.close()

    with Loopback(speaking(speaker, Said())) as server:
        asyncio.run(run(server.url))
        assert server.asks[0].path == "/v1/responses"


@over_rows(
    ("provider", "options", "words"),
    [
        ("openai", {"provider_options": {"apj": "chat"}}, "did you mean 'api'"),
        ("openai", {"provider_options": {"api": "chats"}}, "did you mean 'chat'"),
        ("anthropic", {"provider_options": {"beta": "x"}}, "no anthropic option called 'beta'"),
        ("openai_compatible", {"provider_options": {"api": "x"}}, "no openai_compatible option"),
        ("openai_compatible", {"capabilities": {"seeds": True}}, "did you mean 'seed'"),
        (
            "anthropic",
            {"capabilities": {"seed": "maybe"}},
            r"capabilities\.seed: should be true or false \(found 'maybe'\)",
        ),
        ("openai", {"base_url": "http://user:word@127.0.0.1/v1"}, "user name or password"),
    ],
)
def test_what_a_suite_says_wrongly_is_refused(
    provider: str, options: dict[str, Any], words: str
) -> None:
    given = {"base_url": "http://127.0.0.1:1/v1"} | options
    with pytest.raises(ConfigError, match=words):
        made(provider, **given)


def test_a_suite_can_say_what_a_model_does_not_take() -> None:
    speaker = SPEAKERS["openai_compatible"]
    with Loopback(speaking(speaker, Said())) as server:

        async def run() -> tuple[str, ...]:
            provider = made(
                "openai_compatible", base_url=server.url, capabilities={"temperature": False}
            )
            try:
                return (await provider.complete(question(decoding={"temperature": 0}))).left_out
            finally:
                await provider.close()

        assert asyncio.run(run()) == ("temperature",)
        assert "temperature" not in server.asks[0].body
