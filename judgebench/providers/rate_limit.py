"""No more calls at a time, or in a minute, than the other side can take; again where that may help.

All runs of a process that use the same door share what may pass through it, whatever event loop
and thread they are in. Requests a minute are shared by all processes on one store as well, which
take turns: each has a piece of the time for itself, a second of it at most.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from judgebench.errors import CallError, StoreBusyError, StoreFullError, StoreGoneError, at_once
from judgebench.protocols import Provider
from judgebench.providers.base import (
    Around,
    NotSentError,
    WaitingLine,
    WindingDownError,
    told_again,
)
from judgebench.records import Reply, Request

Outcome = Literal["answered", "overloaded", "failed"]

_OVERLOAD = frozenset({429, 503, 529})
_HOPELESS = frozenset({"key", "not_found"})
_LONGEST_PAUSE_S = 60.0  # as long as a retry waits, which gives up where more is asked
_LOST_PLACES = 0.5  # by one sign of overload
_SOON_S = 1e-9  # rounding leaves such waits, which a clock cannot tell from none
_MINUTE_S = 60.0
_LATE_S = 0.7  # after its moment a request may still be sent
_ON_ITS_WAY_S = 0.8  # by so much its way to the other side may differ from that of others
_AHEAD_S = 5.0  # who finds more time than this dealt out takes a smaller piece, as all others do
_STORE_S = 0.005  # between two tries at a store while others write


class RateLimit:
    """One run's place at a gate: lets calls through as that allows; the others wait, in order.

    Until one call has come back no second one is sent. Where the first is refused for its key, or
    because there is no such model, every other call fails likewise without being sent: a wrong key
    costs one call.

    Where runs name different limits, the lowest of each holds until its run closes; one that was
    forgotten is out when the next one comes.

    Parameters
    ----------
    max_connections
        Most calls at a time. Each sign of overload takes half a place, and as many successes as
        are allowed add one: where all calls that are under way together are turned away, half as
        many may follow, and where a few are, whatever the load, few places are lost.
    requests_per_minute, tokens_per_minute
        None for no limit. Calls are spread over the minute: a sixtieth may go at once.
    tokens
        How many tokens a call is going to use, about; asked only where tokens are limited.
    gate
        What is shared with others; one of its own if None.
    shared
        Where processes share the requests of a minute; asked last, as `SharedRate.take` is.
    """

    def __init__(
        self,
        inner: Provider,
        max_connections: int,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        tokens: Callable[[Request], int] = lambda _: 0,
        gate: Gate | None = None,
        shared: Callable[[], float] | None = None,
    ) -> None:
        self.max_connections = max_connections
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.gate = gate or Gate()
        self._inner = inner
        self._tokens = tokens
        self.shared = shared
        self.winding_down = False
        self._first = asyncio.Lock()
        self._first_is_back = False
        self._refused: CallError | None = None
        with self.gate.line.lock:
            self.gate.members.add(self)
            self.gate.set_limits()

    async def complete(self, request: Request) -> Reply:
        """One call, once there is room for it; raises `WindingDownError` after `wind_down`."""
        gate = self.gate
        is_first = not self._first_is_back and await self._goes_first()
        try:
            tokens = self._tokens(request) if gate.tokens is not None else 0
            take = partial(gate.take, self, tokens)
            if self.winding_down:
                take()  # which raises
            with gate.line.lock:
                has_room = not gate.line.waiting and take() <= 0
            if not has_room:
                await gate.line.turn(take)
            outcome: Outcome = "failed"
            pause_s: float | None = None
            used = tokens  # until it is known better
            try:
                reply = await self._inner.complete(request)
            except CallError as error:
                if error.charged is None:
                    used = 0
                if error.kind == "rate_limit" or error.status in _OVERLOAD:
                    outcome, pause_s = "overloaded", error.retry_after_s
                if is_first and error.kind in _HOPELESS:
                    self._refused = told_again(error, str(error), error.attempts)
                self._first_is_back = self._refused is None
                raise
            else:
                outcome, self._first_is_back = "answered", True
                prompt, written = reply.usage.prompt_tokens, reply.usage.completion_tokens
                if prompt is not None and written is not None:
                    used = prompt + written
            finally:
                gate.leave(tokens, outcome, tokens=used, pause_s=pause_s)
        finally:
            if is_first:
                self._first.release()
        return reply

    async def _goes_first(self) -> bool:
        """Wait while the first call is under way; whether this one is that now."""
        try:
            await self._first.acquire()
        except asyncio.CancelledError as cancelled:
            raise NotSentError(*cancelled.args) from None
        if self._refused is None and not self._first_is_back:
            return True
        self._first.release()
        if self._refused is not None:
            raise told_again(self._refused, str(self._refused), 0)  # not sent
        return False

    async def close(self) -> None:
        """Take this run's limits back. Calls under way may still leave."""
        with self.gate.line.lock:
            self.gate.members.discard(self)
            if self.gate.members:
                self.gate.set_limits()
        await self._inner.close()

    def wind_down(self) -> None:
        """Let nothing of this run through any more; what is inside is not touched."""
        self.winding_down = True
        with self.gate.line.lock:
            self.gate.line.look_again()


def gate_for(key: bytes) -> Gate:
    """The gate of this key, which all of this process share that name the same key."""
    with _gates_lock:
        gate = _gates.get(key)
        if gate is None:
            gate = _gates[key] = Gate()
        return gate


@dataclass(eq=False)
class Gate:
    """What is shared at one door: who is inside, how many may be, what the minute still allows.

    Parameters
    ----------
    clock
        Monotonic time in seconds, that of the event loops; for tests.
    """

    clock: Callable[[], float] = time.monotonic
    line: WaitingLine = field(default_factory=WaitingLine)
    allowed: float = math.inf
    """Calls that may be under way at once; a part of one does not count."""
    tokens: Bucket | None = None
    """None where nobody limits tokens here, so that they need not be counted."""
    members: weakref.WeakSet[RateLimit] = field(default_factory=weakref.WeakSet)
    """Those whose limits hold; whoever comes or goes holds the line's lock, and then sets them."""
    _most: float = math.inf
    _inside: int = 0
    _paused_until: float = -math.inf
    _requests: Bucket | None = None

    def take(self, member: RateLimit, tokens: int) -> float:
        """Enter if that is possible now: 0, else after how many seconds it may be.

        Raises
        ------
        WindingDownError
            Where the member lets nothing through any more.
        """
        if member.winding_down:
            raise WindingDownError("the run is stopping: this was not asked")
        if self._inside + 1 > self.allowed:
            return math.inf
        now = self.clock()
        buckets = ((self._requests, 1), (self.tokens, tokens))
        waits = [bucket.wait_s(cost, now) for bucket, cost in buckets if bucket is not None]
        wait_s = max(self._paused_until - now, *waits, 0.0)
        if wait_s <= _SOON_S and member.shared is not None:
            wait_s = member.shared()
        if wait_s > _SOON_S:
            return wait_s
        for bucket, cost in buckets:
            if bucket is not None:
                bucket.take(cost, now)
        self._inside += 1
        return 0.0

    def leave(
        self, expected: int, outcome: Outcome, *, tokens: int = 0, pause_s: float | None = None
    ) -> None:
        """Give a slot back.

        Parameters
        ----------
        expected
            The tokens that it was taken for.
        outcome
            ``overloaded`` where the other side said that it has too much to do.
        tokens
            What the call used.
        pause_s
            How long it asks to be left alone: nothing passes the door for so long. A wait of more
            than 60 s is nobody's: `Retry` gives up, and who asks next has to know.
        """
        with self.line.lock:
            self._inside -= 1
            if self.tokens is not None:
                self.tokens.take(tokens - expected, self.clock())
            if outcome == "answered":
                self.allowed = min(self._most, self.allowed + 1 / self.allowed)
            elif outcome == "overloaded":
                self.allowed = max(1.0, self.allowed - _LOST_PLACES)
            if pause_s is not None and pause_s <= _LONGEST_PAUSE_S:
                self._paused_until = max(self._paused_until, self.clock() + pause_s)
            if self.line.waiting:
                self.line.look_again()

    def set_limits(self) -> None:
        """The lowest of each, keeping what was learned of overload and what this minute took."""
        before, now = self._most, self.clock()
        self._most = min(member.max_connections for member in self.members)
        cut = self.allowed < before
        self.allowed = min(self.allowed, self._most) if cut else float(self._most)
        requests = (member.requests_per_minute for member in self.members)
        tokens = (member.tokens_per_minute for member in self.members)
        self._requests = _adjusted(self._requests, requests, now)
        self.tokens = _adjusted(self.tokens, tokens, now)
        if self.line.waiting:
            self.line.look_again()


class Bucket:
    """Fills evenly, up to a sixtieth of what may be taken in a minute, but one at least.

    What costs more than it can hold is given once it is full, and leaves a debt. So in no minute
    more is taken than is allowed, but for the rest of one such cost.
    """

    def __init__(self, per_minute: float, now: float) -> None:
        self._filled_at = now
        self._size = self._level = self._per_s = 0.0
        self.set_rate(per_minute, now)
        self._level = self._size

    def set_rate(self, per_minute: float, now: float) -> None:
        self._fill(now)
        self._size = max(1.0, per_minute / _MINUTE_S)
        # What it holds at first is part of the first minute too, but for the one it begins with.
        self._per_s = (per_minute - self._size + 1) / _MINUTE_S

    def wait_s(self, cost: float, now: float) -> float:
        """Seconds until so much may be taken."""
        self._fill(now)
        return max(0.0, min(cost, self._size) - self._level) / self._per_s

    def take(self, cost: float, now: float) -> None:
        """Take it, or give back where the cost is negative."""
        self._fill(now)
        self._level = min(self._size, self._level - cost)

    def _fill(self, now: float) -> None:
        self._level = min(self._size, self._level + max(0.0, now - self._filled_at) * self._per_s)
        self._filled_at = now


class SharedRate:
    """Requests a minute at one door, for all processes that share a store.

    The store deals out the time, piece by piece; in a piece, requests have their moments, evenly. A
    request is sent at its moment or soon after, else its moment is lost. In a minute, and the time
    by which a request may be late and longer on its way than others, there are as many moments as
    requests are allowed in a minute; so the other side sees no more in any minute.

    A piece grows up to a second while its owner uses it up, so that it is not a write for each
    request; it shrinks where moments were lost, and where many others are in line.

    Parameters
    ----------
    lease
        `Store.lease_time` for the door: is given seconds, and gives when they begin, and now.
    clock
        Monotonic time in seconds; for tests.
    """

    def __init__(
        self,
        lease: Callable[[float], tuple[float, float]],
        per_minute: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lease = lease
        self._clock = clock
        self._apart_s = (_MINUTE_S + _LATE_S + _ON_ITS_WAY_S) / per_minute
        self._most = max(1, int(per_minute / _MINUTE_S))
        self._size = self._leased = 1
        self._left = 0
        self._next = 0.0

    def take(self) -> float:
        """Send a request now: 0, else after how many seconds it is worth asking again."""
        now = self._clock()
        lost = math.ceil((now - _LATE_S - self._next) / self._apart_s)
        if self._left and lost > 0:
            self._size = max(1, self._leased // 2)
            self._next += lost * self._apart_s
            self._left = max(0, self._left - lost)
        if not self._left:
            try:
                with at_once():
                    start, at = self._lease(self._size * self._apart_s)
            except (StoreBusyError, StoreGoneError):
                return _STORE_S
            except StoreFullError as error:
                if not error.again:
                    raise
                return _STORE_S
            now = self._clock()
            self._left = self._leased = self._size
            self._next = now + start - at
            crowd = max(1.0, (start - at) / _AHEAD_S)
            self._size = max(1, min(int(self._most / crowd), 2 * self._size))
        if now < self._next:
            return self._next - now
        self._left -= 1
        self._next += self._apart_s
        return 0.0


def _adjusted(bucket: Bucket | None, limits: Iterable[float | None], now: float) -> Bucket | None:
    lowest = min((limit for limit in limits if limit is not None), default=None)
    if lowest is None:
        return None
    if bucket is None:
        return Bucket(lowest, now)
    bucket.set_rate(lowest, now)
    return bucket


_gates: weakref.WeakValueDictionary[bytes, Gate] = weakref.WeakValueDictionary()
_gates_lock = threading.Lock()


# Asked again where that may help ------------------------------------------------------------------

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
