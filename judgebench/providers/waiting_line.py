"""First come, first served, for something that several threads and event loops share."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections import deque
from collections.abc import Callable


class WaitingLine:
    """Lets one after the other take its turn.

    Whoever changes what is waited for holds ``lock`` meanwhile, and calls `look_again` after it.
    Nothing is handed to a waiter: it takes, once it stands first and runs. So a waiter that is
    cancelled has nothing to give back, and only lets the next one look.
    """

    def __init__(self) -> None:
        # A coroutine that is collected leaves its place, maybe while its thread holds the lock.
        self.lock = threading.RLock()
        self._waiting: deque[_Waiter] = deque()

    async def turn(self, take: Callable[[], float]) -> None:
        """Wait until ``take``, asked under the lock by the first in line, has taken.

        ``take`` returns 0 once it took, else after how many seconds it is worth asking again;
        infinity for not before `look_again`. What it raises ends the waiting.
        """
        with self.lock:
            if not self._waiting and take() <= 0:
                return
            waiter = _Waiter()
            self._waiting.append(waiter)
        try:
            while True:
                with self.lock:
                    waiter.called.clear()
                    first = self._waiting[0] is waiter
                    wait_s = take() if first else math.inf
                if wait_s <= 0:
                    return
                await waiter.wait(wait_s)
        finally:
            with self.lock:
                with contextlib.suppress(ValueError):  # left out already: its loop had ended
                    self._waiting.remove(waiter)
                self.look_again()

    def look_again(self) -> None:
        """Have the first in line look whether its turn has come. Call it under the lock."""
        while self._waiting and not self._waiting[0].call():
            self._waiting.popleft()


class _Waiter:
    """One who waits, in its own event loop."""

    __slots__ = ("_loop", "called")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.called = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Until called, and no longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds if math.isfinite(seconds) else None):
                await self.called.wait()

    def call(self) -> bool:
        """Wake it, from any thread; False where its loop has ended."""
        if _running_loop() is self._loop:
            self.called.set()
            return True
        try:
            self._loop.call_soon_threadsafe(self.called.set)
        except RuntimeError:  # the loop is closed
            return False
        return True


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
