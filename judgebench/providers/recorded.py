"""Ask each question once: replies are kept by the content of the question, as they come."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from judgebench.errors import CallError
from judgebench.keys import request_key
from judgebench.protocols import Provider, Replies
from judgebench.providers.counts import Counts
from judgebench.records import ChatRequest, Reply


@dataclass(slots=True)
class _Flight:
    """A question under way, and how many wait for its reply."""

    task: asyncio.Task[Reply]
    waiting: int = 0


class Recorded:
    """Answers from what is recorded, and records what is not.

    A reply is committed before anybody sees it. The same question asked twice at once is sent once;
    it is taken back only when nobody waits for it any more. A failure is not recorded.
    """

    def __init__(self, inner: Provider, replies: Replies, counts: Counts | None = None) -> None:
        self._inner = inner
        self._replies = replies
        self._flights: dict[bytes, _Flight] = {}
        self._tasks: set[asyncio.Task[Reply]] = set()
        self.counts = counts or Counts()

    async def complete(self, request: ChatRequest) -> Reply:
        key = request_key(request)
        if key in self._flights:
            reply = await self._join(key)
            self.counts.recorded += 1
            return reply
        recorded = self._replies.reply(key)
        if recorded is not None:
            self.counts.recorded += 1
            return recorded
        task = asyncio.create_task(self._send(key, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._flights[key] = _Flight(task)
        return await self._join(key)

    async def close(self) -> None:
        """Take back what is under way, then close what is inside."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._inner.close()

    async def _join(self, key: bytes) -> Reply:
        flight = self._flights[key]
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:  # the last to leave; who asks from now on starts anew
                del self._flights[key]
                flight.task.cancel()

    async def _send(self, key: bytes, request: ChatRequest) -> Reply:
        try:
            reply = await self._inner.complete(request)
        except CallError:
            self.counts.failed += 1
            raise
        self._replies.put_reply(key, request, reply)
        self.counts.sent += 1
        return reply
