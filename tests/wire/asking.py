"""Put one question to a provider that talks to a scripted server, through the real clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from judgebench import registry
from judgebench.config import Endpoint
from judgebench.errors import CallError
from judgebench.protocols import Provider
from judgebench.records import ChatRequest, Message, Reply
from judgebench.secret import Secret
from tests.loopback import Ask, Loopback, Reaction
from tests.wire.speakers import Said, Speaker, Trouble, speaking

KEY = "sk-never-to-be-shown-0123456789"

Scene = Callable[[Ask], Said | Trouble | Reaction] | Said | Trouble | Reaction


def provider_at(speaker: Speaker, url: str, *, key: Secret | None, **options: Any) -> Provider:
    """The provider that speaks this API, made as a suite makes it."""
    made: Provider = registry.load("providers", speaker.provider).make(
        Endpoint(
            provider=speaker.provider,
            base_url=url,
            api_key=key,
            identity="here",
            **{**speaker.extras, **options},
        )
    )
    return made


def question(text: str = "Right?", *, system: str | None = "Judge.", **fields: Any) -> ChatRequest:
    messages = [Message(role="user", content=text)]
    if system is not None:
        messages.insert(0, Message(role="system", content=system))
    given = {"model": "judge", "messages": tuple(messages)} | fields
    return ChatRequest(provider="here", **given)


def answered(
    speaker: Speaker,
    scene: Scene,
    request: ChatRequest | None = None,
    *,
    key: Secret | None = Secret(KEY, variable="JUDGE_KEY"),  # noqa: B008, a value
    **options: Any,
) -> tuple[Reply, Ask]:
    """The reply, and the question as it arrived."""
    with Loopback(speaking(speaker, scene)) as server:

        async def run() -> Reply:
            provider = provider_at(speaker, server.url, key=key, **options)
            try:
                return await provider.complete(request or question())
            finally:
                await provider.close()

        return asyncio.run(run()), server.asks[0]


def refused(
    speaker: Speaker, scene: Scene, request: ChatRequest | None = None, **options: Any
) -> CallError:
    """The error of a call that failed."""
    with pytest.raises(CallError) as caught:
        answered(speaker, scene, request, **options)
    return caught.value
