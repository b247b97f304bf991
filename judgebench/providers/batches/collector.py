"""Stands where a provider would, and notes the questions instead of sending them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from judgebench.errors import DeferredError
from judgebench.keys import request_key
from judgebench.providers.batches.interface import BatchInterface
from judgebench.records import Reply, Request


class BatchCollector:
    """A provider that answers later: every question is noted once, and put off.

    Inside `Recorded`, so that what was answered before is answered at once.

    Parameters
    ----------
    interface
        Says which questions can be put in a batch; nothing is sent.
    under_way
        Whether the question of this key is in a batch already; it is put off and not noted.
    reserve
        Told of each question before it is noted; raises `BudgetSpentError` for one that could cost
        too much.
    """

    def __init__(
        self,
        interface: BatchInterface,
        *,
        under_way: Callable[[bytes], bool] = lambda key: False,
        reserve: Callable[[Request], Awaitable[None]] | None = None,
    ) -> None:
        self._interface = interface
        self._under_way = under_way
        self._reserve = reserve
        self.requests: dict[bytes, Request] = {}

    async def complete(self, request: Request) -> Reply:
        """Never returns.

        Raises
        ------
        DeferredError
            For a question that was noted.
        CallError
            For one that cannot be put in a batch.
        """
        key = request_key(request)
        if key not in self.requests and not self._under_way(key):
            self._interface.check(request)
            if self._reserve is not None:
                await self._reserve(request)
            self.requests[key] = request
        raise DeferredError("the question goes into a batch; its reply comes later")

    async def close(self) -> None:
        """Nothing: the interface is closed by who made it, after the batch was submitted."""
