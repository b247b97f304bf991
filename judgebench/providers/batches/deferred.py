"""Keeps a question that is in a batch from being asked a second time."""

from __future__ import annotations

from collections.abc import Callable

from judgebench.errors import DeferredError
from judgebench.keys import request_key
from judgebench.protocols import Provider
from judgebench.records import Reply, Request


class BatchDeferred:
    """Puts off what is in an open batch, and passes everything else on.

    Parameters
    ----------
    under_way
        Whether the question of this key is in an open batch.
    """

    def __init__(self, inner: Provider, under_way: Callable[[bytes], bool]) -> None:
        self._inner = inner
        self._under_way = under_way

    async def complete(self, request: Request) -> Reply:
        """Raises `DeferredError` for a question that is in a batch."""
        if self._under_way(request_key(request)):
            raise DeferredError("the question is in a batch; its reply comes later")
        return await self._inner.complete(request)

    async def close(self) -> None:
        await self._inner.close()
