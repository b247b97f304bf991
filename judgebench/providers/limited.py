"""No more than so many calls at a time."""

from __future__ import annotations

import asyncio

from judgebench.protocols import Provider
from judgebench.records import ChatRequest, Reply


class Limited:
    """Lets ``max_connections`` calls through at once; the others wait their turn, in order."""

    def __init__(self, inner: Provider, max_connections: int) -> None:
        self._inner = inner
        self._slots = asyncio.Semaphore(max_connections)

    async def complete(self, request: ChatRequest) -> Reply:
        async with self._slots:
            return await self._inner.complete(request)

    async def close(self) -> None:
        await self._inner.close()
