"""What an event loop submits to a store; and stand-ins of one, which write it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


async def keep(store: Any, work: Callable[[Any], Any], *, paid: Any = None) -> Any:
    """Write to a store out of an event loop, as a run does."""
    return await store.submit(work, asyncio.Future(), paid=paid)


class WrittenAtOnce:
    def waiting(self) -> tuple[int, int]:
        return 0, 0

    def submit(
        self,
        work: Callable[[Any], Any],
        done: Any,
        *,
        paid: object = None,
    ) -> Any:
        try:
            done.set_result(work(self))
        except Exception as error:  # noqa: BLE001 - told, as by the thread that writes
            done.set_exception(error)
        return done
