"""An event loop whose time passes only where everybody waits, and then at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _NeverWaiting(selectors.DefaultSelector):
    """Adds the time that would be waited to the clock instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing is going to happen")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Time starts at 0; for one thread alone."""

    def __init__(self) -> None:
        self._time = _NeverWaiting()
        super().__init__(self._time)

    def time(self) -> float:
        return self._time.now


def clock() -> float:
    """The time of the running loop, in seconds; 0 before one runs."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
