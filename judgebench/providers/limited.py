"""No more calls at a time, or in a minute, than the other side can take; the first one alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from judgebench.errors import CallError
from judgebench.protocols import Provider
from judgebench.providers.failures import told_again
from judgebench.providers.limiter import Limiter, Outcome
from judgebench.records import Reply, Request

Got = TypeVar("Got")

_OVERLOAD = frozenset({429, 503, 529})
_HOPELESS = frozenset({"key", "not_found"})


class NotSentError(asyncio.CancelledError):
    """Cancelled before it was sent, so that it took nothing."""


class Limited:
    """Lets calls through as a `Limiter` allows; the others wait their turn, in order.

    Until one call has come back no second one is sent. Where the first is refused for its key, or
    because there is no such model, every other call fails likewise without being sent: a wrong key
    costs one call.

    Parameters
    ----------
    tokens
        How many tokens a call is going to use, about; asked only where tokens are limited.
    """

    def __init__(
        self,
        inner: Provider,
        limiter: Limiter,
        *,
        tokens: Callable[[Request], int] = lambda _: 0,
    ) -> None:
        self._inner = inner
        self._limiter = limiter
        self._tokens = tokens
        self._first = asyncio.Lock()
        self._first_is_back = False
        self._refused: CallError | None = None

    async def complete(self, request: Request) -> Reply:
        if not self._first_is_back:
            await _before_sending(self._first.acquire())
            try:
                if not self._first_is_back:
                    return await self._send_first(request)
            finally:
                self._first.release()
        return await self._send(request)

    async def close(self) -> None:
        self._limiter.close()
        await self._inner.close()

    async def _send_first(self, request: Request) -> Reply:
        if self._refused is not None:
            raise told_again(self._refused, attempts=0)  # not sent
        try:
            reply = await self._send(request)
        except CallError as error:
            if error.kind in _HOPELESS:
                self._refused = told_again(error)
            else:
                self._first_is_back = True
            raise
        self._first_is_back = True
        return reply

    async def _send(self, request: Request) -> Reply:
        limiter = self._limiter
        tokens = self._tokens(request) if limiter.counts_tokens else 0
        slot = await _before_sending(limiter.enter(tokens))
        outcome: Outcome = "failed"
        pause_s: float | None = None
        used = tokens
        try:
            reply = await self._inner.complete(request)
        except CallError as error:
            if error.charged is None:
                used = 0
            if error.kind == "rate_limit" or error.status in _OVERLOAD:
                outcome, pause_s = "overloaded", error.retry_after_s
            raise
        else:
            outcome = "answered"
            used = _total(reply, tokens)
        finally:
            limiter.leave(slot, outcome, tokens=used, pause_s=pause_s)
        return reply


async def _before_sending(turn: Awaitable[Got]) -> Got:
    try:
        return await turn
    except asyncio.CancelledError as cancelled:
        raise NotSentError(*cancelled.args) from None


def _total(reply: Reply, expected: int) -> int:
    """The tokens that a call took; what was expected where the other side does not say."""
    prompt, written = reply.usage.prompt_tokens, reply.usage.completion_tokens
    return expected if prompt is None or written is None else prompt + written
