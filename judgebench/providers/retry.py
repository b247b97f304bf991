"""Ask again when that may help, for as long as it makes sense, and say how often it was tried."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from judgebench.errors import CallError
from judgebench.providers.base import Around, WindingDownError, told_again
from judgebench.records import Reply, Request

MAX_WAIT_S = 60.0
"""Longest wait between two attempts, unless told otherwise."""

_FIRST_WAIT_S = 0.5
_JITTER_S = 0.5


@dataclass(eq=False, kw_only=True)
class Retry(Around):
    """Repeats a call that failed in a way that may pass, with growing, jittered waits.

    Parameters
    ----------
    max_tries
        Attempts in all, the first one included.
    max_wait_s
        Longest wait between two attempts. A server that asks for a longer one is not waited for.
    max_minutes
        No attempt starts later than this after the first.
    sleep, clock
        The passing of time, seconds; for tests.
    """

    max_tries: int = 6
    max_wait_s: float = MAX_WAIT_S
    max_minutes: float = 10.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    unreached: str | None = field(default=None, init=False)
    """Why the other side was not reached by the last attempt, where it is asked again."""
    _winding_down: bool = field(default=False, init=False)
    _sleeping: set[asyncio.Future[None]] = field(default_factory=set, init=False)

    def wind_down(self) -> None:
        """Ask nothing again: who waits for another attempt gets `WindingDownError`."""
        self._winding_down = True
        for sleep in self._sleeping:
            sleep.cancel()

    async def complete(self, request: Request) -> Reply:
        started, tries = self.clock(), 0
        while True:
            tries += 1
            try:
                reply = await self.inner.complete(request)
            except CallError as error:
                failed = error
            else:
                self.unreached = None
                return reply
            away = failed.kind == "connection" and failed.charged is None
            self.unreached = str(failed) if away and self.max_tries > 1 else None
            if not failed.retriable:
                raise told_again(failed, str(failed), tries)
            wait_s = wait_before_next(failed, tries, self.max_wait_s)
            enough = self._enough(failed, tries, self.clock() - started + wait_s)
            if enough:
                raise told_again(failed, f"{failed}; {enough}", tries)
            await self._pause(wait_s)
            if self._winding_down:
                raise WindingDownError("the run is stopping: this was not asked again")

    async def _pause(self, seconds: float) -> None:
        """Sleep, and no longer than the run goes on."""
        sleep = asyncio.ensure_future(self.sleep(seconds))
        self._sleeping.add(sleep)
        try:
            await asyncio.wait({sleep})
        finally:
            self._sleeping.discard(sleep)
            sleep.cancel()
        if not sleep.cancelled():
            sleep.result()

    def _enough(self, failure: CallError, tries: int, until_next_s: float) -> str:
        """Why no further attempt is made; empty if one is."""
        asked = failure.retry_after_s
        if tries >= self.max_tries:
            return f"given up after {tries} {'try' if tries == 1 else 'tries'}"
        if asked is not None and asked > self.max_wait_s:
            return (
                f"it asks to wait {asked:.0f} s, which is longer than the {self.max_wait_s:g} s "
                "that one wait may take: run again later, what is done is kept"
            )
        if until_next_s > 60.0 * self.max_minutes:
            return f"given up after {tries} tries in {self.max_minutes:g} minutes"
        return ""


def wait_before_next(failure: CallError, tries: int, longest_s: float = MAX_WAIT_S) -> float:
    """What the server asks for, or twice as long each time; never all calls at one moment."""
    if failure.retry_after_s is not None:
        return failure.retry_after_s + random.uniform(0, _JITTER_S)
    wait_s = min(longest_s, _FIRST_WAIT_S * 2.0 ** min(tries - 1, 30))
    return random.uniform(wait_s / 2, wait_s)
