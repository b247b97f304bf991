"""Limits of one door to the outside: calls at a time, requests and tokens a minute.

All runs of a process that use the same door share what may pass through it, whatever event loop
and thread they are in.
"""

from __future__ import annotations

import math
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from judgebench.errors import JudgebenchError
from judgebench.providers.bucket import Bucket
from judgebench.providers.waiting_line import WaitingLine

_LONGEST_PAUSE_S = 60.0  # as long as a retry waits, which gives up where more is asked
_LOST_PLACES = 0.5  # by one sign of overload
_SOON_S = 1e-9  # rounding leaves such waits, which a clock cannot tell from none


Outcome = Literal["answered", "overloaded", "failed"]


class WindingDownError(JudgebenchError):
    """Not sent, since the run ends: not asked, so not failed."""

    exit_code = 130


@dataclass(slots=True)
class Slot:
    """Leave to make one call; given back to `Limiter.leave`."""

    tokens: int


class Limiter:
    """One run's place at a door, with the limits that this run names.

    Where runs name different limits, the lowest of each holds until its run closes its limiter; one
    that was forgotten is out when the next one comes.

    Parameters
    ----------
    max_connections
        Most calls at a time. Each sign of overload takes half a place, and as many successes as
        are allowed add one: where all calls that are under way together are turned away, half as
        many may follow, and where a few are, whatever the load, few places are lost.
    requests_per_minute, tokens_per_minute
        None for no limit. Calls are spread over the minute: a sixtieth may go at once.
    gate
        What is shared with other limiters; one of its own if None.
    """

    def __init__(
        self,
        max_connections: int,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.max_connections = max_connections
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.gate = gate or Gate()
        self._winding_down = False
        self.gate.join(self)

    async def enter(self, tokens: int = 0) -> Slot:
        """Wait for a slot, in order; the tokens are taken to be used until `leave` says better.

        Raises
        ------
        WindingDownError
            After `wind_down`, also for those who wait.
        """
        self._refuse_at_the_end()
        return await self.gate.enter(tokens, self._refuse_at_the_end)

    def wind_down(self) -> None:
        """Let nothing of this run through any more; what is inside is not touched."""
        self._winding_down = True
        self.gate.look_again()

    def _refuse_at_the_end(self) -> None:
        if self._winding_down:
            raise WindingDownError("the run is stopping: this was not asked")

    def leave(
        self, slot: Slot, outcome: Outcome, *, tokens: int = 0, pause_s: float | None = None
    ) -> None:
        """Give a slot back.

        Parameters
        ----------
        outcome
            ``overloaded`` where the other side said that it has too much to do.
        tokens
            What the call used.
        pause_s
            How long it asks to be left alone: nothing passes the door for so long. A wait of more
            than 60 s is nobody's: `Retrying` gives up, and who asks next has to know.
        """
        self.gate.leave(slot, outcome, tokens=tokens, pause_s=pause_s)

    @property
    def counts_tokens(self) -> bool:
        """Whether anybody limits tokens here, so that they have to be counted."""
        return self.gate.counts_tokens

    def close(self) -> None:
        """Take this run's limits back. Calls under way may still leave."""
        self.gate.part(self)


def limiter_for(
    key: bytes,
    *,
    max_connections: int,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
) -> Limiter:
    """A limiter at the door of this key, which all of this process share that name the same key."""
    with _gates_lock:
        gate = _gates.get(key)
        if gate is None:
            gate = _gates[key] = Gate()
        return Limiter(
            max_connections,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            gate=gate,
        )


class Gate:
    """What limiters share: who is inside, how many may be, and what the minute still allows.

    Parameters
    ----------
    clock
        Monotonic time in seconds, that of the event loops; for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._line = WaitingLine()
        self._limiters: weakref.WeakSet[Limiter] = weakref.WeakSet()
        self._most = self._allowed = math.inf
        self._inside = 0
        self._paused_until = -math.inf
        self._requests: Bucket | None = None
        self._tokens: Bucket | None = None

    @property
    def allowed(self) -> float:
        """Calls that may be under way at once, at this moment; a part of one does not count."""
        return self._allowed

    @property
    def counts_tokens(self) -> bool:
        return self._tokens is not None

    def join(self, limiter: Limiter) -> None:
        with self._line.lock:
            self._limiters.add(limiter)
            self._set_limits()

    def part(self, limiter: Limiter) -> None:
        with self._line.lock:
            self._limiters.discard(limiter)
            if self._limiters:
                self._set_limits()

    async def enter(self, tokens: int, check: Callable[[], None]) -> Slot:
        """``check`` raises for who may not enter any more."""
        slot = Slot(tokens)
        await self._line.turn(lambda: self._take(slot, check))
        return slot

    def look_again(self) -> None:
        with self._line.lock:
            self._line.look_again()

    def leave(self, slot: Slot, outcome: Outcome, *, tokens: int, pause_s: float | None) -> None:
        with self._line.lock:
            self._inside -= 1
            if self._tokens is not None:
                self._tokens.take(tokens - slot.tokens, self._clock())
            if outcome == "answered":
                self._allowed = min(self._most, self._allowed + 1 / self._allowed)
            elif outcome == "overloaded":
                self._allowed = max(1.0, self._allowed - _LOST_PLACES)
            if pause_s is not None and pause_s <= _LONGEST_PAUSE_S:
                self._paused_until = max(self._paused_until, self._clock() + pause_s)
            self._line.look_again()

    def _take(self, slot: Slot, check: Callable[[], None]) -> float:
        """Enter if that is possible now: 0, else after how many seconds it may be."""
        check()
        if self._inside + 1 > self._allowed:
            return math.inf
        now = self._clock()
        costs = [(bucket, cost) for bucket, cost in self._costs(slot) if bucket is not None]
        waits = [bucket.wait_s(cost, now) for bucket, cost in costs]
        wait_s = max(self._paused_until - now, *waits, 0.0)
        if wait_s > _SOON_S:
            return wait_s
        for bucket, cost in costs:
            bucket.take(cost, now)
        self._inside += 1
        return 0.0

    def _costs(self, slot: Slot) -> tuple[tuple[Bucket | None, int], ...]:
        return (self._requests, 1), (self._tokens, slot.tokens)

    def _set_limits(self) -> None:
        """The lowest of each, keeping what was learned of overload and what this minute took."""
        before, now = self._most, self._clock()
        self._most = min(limiter.max_connections for limiter in self._limiters)
        cut = self._allowed < before
        self._allowed = min(self._allowed, self._most) if cut else float(self._most)
        requests = _lowest(limiter.requests_per_minute for limiter in self._limiters)
        tokens = _lowest(limiter.tokens_per_minute for limiter in self._limiters)
        self._requests = _adjusted(self._requests, requests, now)
        self._tokens = _adjusted(self._tokens, tokens, now)
        self._line.look_again()


def _adjusted(bucket: Bucket | None, per_minute: float | None, now: float) -> Bucket | None:
    if per_minute is None:
        return None
    if bucket is None:
        return Bucket(per_minute, now)
    bucket.set_rate(per_minute, now)
    return bucket


def _lowest(limits: Iterable[float | None]) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)


_gates: weakref.WeakValueDictionary[bytes, Gate] = weakref.WeakValueDictionary()
_gates_lock = threading.Lock()
