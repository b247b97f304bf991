"""What all providers and the wrappers around them share."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from judgebench.errors import CallError, JudgebenchError, refuse_unknown
from judgebench.protocols import Provider


@dataclass(slots=True, kw_only=True)
class Counts:
    """How many calls were made and saved; what a run's last line says.

    sent
        Questions whose reply was fetched.
    recorded
        Questions answered without asking: by a recorded reply, or by the same question in flight.
    """

    sent: int = 0
    recorded: int = 0


@dataclass(eq=False)
class Around:
    """What stands around a provider, and closes it."""

    inner: Provider

    async def close(self) -> None:
        await self.inner.close()


class WindingDownError(JudgebenchError):
    """Not sent, since the run ends: not asked, so not failed."""

    exit_code = 130


class NotSentError(asyncio.CancelledError):
    """Cancelled before it was sent, so that it took nothing."""


def told_again(error: CallError, message: str, attempts: int) -> CallError:
    """A fresh error that says the same, but for what is given here.

    An exception raised in two places would gather the tracebacks of both.
    """
    return CallError(message, **vars(error) | {"attempts": attempts})


def refuse_unknown_options(
    provider: str, options: Mapping[str, Any] | None, known: Iterable[str] = ()
) -> None:
    """Look at the names in a provider's own section.

    Raises
    ------
    ConfigError
        For a name that means nothing to it, with the nearest.
    """
    what = f"{provider} option"
    refuse_unknown(what, options or {}, set(known), about="provider_options: ")


@dataclass(slots=True)
class WaitingLine:
    """First come, first served, for something that several threads and event loops share.

    Whoever changes what is waited for holds ``lock`` meanwhile, and calls `look_again` after it.
    Nothing is handed to a waiter: it takes, once it stands first and runs. So a waiter that is
    cancelled has nothing to give back, and only lets the next one look.
    """

    # A coroutine that is collected leaves its place, maybe while its thread holds the lock.
    lock: threading.RLock = field(default_factory=threading.RLock)
    _waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=deque)

    async def turn(self, take: Callable[[], float]) -> None:
        """Wait until ``take``, asked under the lock by the first in line, has taken.

        ``take`` returns 0 once it took, else after how many seconds it is worth asking again;
        infinity for not before `look_again`. What it raises ends the waiting.
        """
        with self.lock:
            if not self._waiting and take() <= 0:
                return
            called = asyncio.Event()
            waiter = asyncio.get_running_loop(), called
            self._waiting.append(waiter)
        try:
            while True:
                with self.lock:
                    called.clear()
                    wait_s = take() if self._waiting[0] is waiter else math.inf
                if wait_s <= 0:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s if math.isfinite(wait_s) else None):
                        await called.wait()
        finally:
            with self.lock:
                with contextlib.suppress(ValueError):  # left out already: its loop had ended
                    self._waiting.remove(waiter)
                self.look_again()

    def look_again(self) -> None:
        """Have the first in line look whether its turn has come. Call it under the lock."""
        while self._waiting:
            loop, called = self._waiting[0]
            if loop is asyncio._get_running_loop():  # no need to wake it through a pipe
                called.set()
                return
            try:
                loop.call_soon_threadsafe(called.set)
            except RuntimeError:  # the loop is closed
                self._waiting.popleft()
            else:
                return
