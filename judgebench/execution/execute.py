"""A run: what a suite lacks is asked, the next call when a slot is free, a commit for each.

Answers come first, model by model, then verdicts. The worker of a local model has ended and its
memory is free before the first judge is asked; a judge's own server starts when the first call
needs it. The only place beside ``providers/`` that knows about asyncio. What a call asks, and what
becomes of its result, is its own affair: verdicts and the answers of remote models go one way.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import platform
import signal
import sys
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import (
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, product
from operator import methodcaller
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from judgebench import keys
from judgebench.config import Endpoint, RayExecutor
from judgebench.errors import (
    BudgetSpentError,
    CallError,
    DeferredError,
    JudgebenchError,
    ProviderUnavailableError,
    StoreFullError,
)
from judgebench.execution.batch import submit
from judgebench.execution.generate import Generation, selected
from judgebench.execution.manifest import (
    FORGETTING,
    Outcome,
    ProgressRecorder,
    RunCounts,
    under_way,
    where,
)
from judgebench.execution.plan import (
    CHUNK,
    Answers,
    JudgeCall,
    answer_calls,
    judge_calls,
    verdicts_wanted,
)
from judgebench.execution.pool import ProviderPool, groups
from judgebench.execution.recheck import Anchors, Unconfirmed, calls_to_confirm, judge_to_confirm
from judgebench.execution.resolve import (
    Candidate,
    JudgeAssignment,
    ResolvedSuite,
    stops_early,
)
from judgebench.plain_text import counted
from judgebench.protocols import Claimant, Progress, Provider, Waiting, Writer
from judgebench.providers.base import WindingDownError
from judgebench.providers.http_errors import excerpt
from judgebench.providers.rate_limit import MAX_WAIT_S
from judgebench.providers.replay import look
from judgebench.records import (
    PLANS,
    Boundary,
    Failure,
    FailureKind,
    JsonObject,
    Purpose,
    Reply,
    Request,
    RunVerdict,
    VerdictSlot,
)
from judgebench.secret import masked
from judgebench.store.database import chunks
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.execution.sequential import EarlyStop

NO_ROOM = "the disk that the store is on became full"

#: Statuses that every further call of the same judge would get as well.
HOPELESS = frozenset({401, 403, 404})
HOPELESS_KINDS: frozenset[FailureKind] = frozenset({"key", "not_found"})
#: Failures that are about one question and say nothing about the next.
OF_ONE_QUESTION: frozenset[FailureKind] = frozenset({"too_long", "reader"})

TICK_S = 1.0
HELD = 2
"""So many signals wait for what holds the loop, a function that judges; one more ends the run."""
BUGS = 10
"""So many calls in a row that end in a fault of the code, and nobody is asked any more."""

STUCK_S = 60.0
"""A call that is under way for longer is named."""


PORTION = 256
"""Calls at most that are claimed at once: twice as many as there are slots."""

LOOK_S = 0.25
"""Between two looks at what others work on, once there is nothing else to do."""

RESERVE = 4 << 20
"""Bytes set aside on the store's disk while anybody is asked: for what a run writes at its end."""

RESERVE_OF_A_CALL = 256 << 10
"""And for each call that may be under way: its reply and its verdict, in two commits."""


PAUSE_S = 0.05
"""Until it is looked again what comes next, where that hangs on what is under way."""


def pause(_: Writer) -> None:
    """What stands among calls where what comes next hangs on what is under way."""


class Call(Protocol):
    """One thing to be had by asking: a verdict, or an answer.

    ``key`` is that of the judgment or response; ``places`` are all those of this run that it
    serves. Of a conversation it is one turn: ``later`` are the keys of those after it, and
    ``next_turn`` says what is asked once the store has this one; None otherwise.
    """

    @property
    def key(self) -> bytes: ...

    @property
    def places(self) -> tuple[VerdictSlot, ...]: ...

    @property
    def later(self) -> Sequence[bytes]: ...

    @property
    def next_turn(self) -> Callable[[], Sequence[Call]] | None: ...

    def dialogue(self) -> Generator[Request, Reply, Any]: ...

    def keep(
        self, store: Writer, run_id: str, result: Any, replies: Sequence[tuple[bytes, Reply]]
    ) -> bool:
        """Store the result in one commit; whether it could be read.

        ``replies`` are those of the dialogue, in order, with the keys of their requests.
        """

    def reuse(self, store: Writer, run_id: str) -> None:
        """Note that what somebody else has had done meanwhile serves here too."""


SetAside: TypeAlias = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""Sets room aside on the store's disk, and calls what it is given when that is needed."""


@dataclass(slots=True)
class Claimed(AbstractContextManager["Claimed"]):
    """What this process works on, so that no other does: by key, for all queues of a stage.

    ``collects`` is whether some of it goes into a batch, and is held until that is sent.
    """

    store: Claimant
    collects: bool = False
    _calls: Counter[bytes] = field(default_factory=Counter, init=False)
    _done: set[bytes] = field(default_factory=set, init=False)

    def take(self, calls: Sequence[Call]) -> tuple[set[bytes], set[bytes], set[bytes]]:
        """The keys of the calls that were ours before, and those that are ours from now on.

        Also which of those that were not ours have a judgment.
        """
        wanted = {call.key for call in calls}
        ours = wanted & self._calls.keys()
        won, judged = self.store.exchange(wanted - ours, self._done - wanted)
        self._done = set()
        self._calls.update(call.key for call in calls if call.key in won or call.key in ours)
        return ours, won, judged

    def finish(self, call: Call) -> None:
        """Let others have the key, if no other call of ours has it: soon, with the next flush."""
        self._calls[call.key] -= 1
        if not self._calls[call.key]:
            del self._calls[call.key]
            self._done.add(call.key)

    def flush(self, *, soon: bool = False) -> None:
        if self._done:
            self.store.release(self._done, soon=soon)
            self._done = set()

    def __exit__(self, error: object, *_: object) -> None:
        """Give all of it back; where an error ends it, without waiting."""
        self._done |= self._calls.keys()
        self.flush(soon=error is not None)


@dataclass(slots=True, kw_only=True)
class WorkQueue:
    """A judge or a remote model with its calls: slots take the next one until none is left.

    ``calls`` come some at a time, as slots are free, so that planning needs no memory for all of
    them; among them stands what is written on the way, since the store has its verdict already.
    ``there`` says which of some calls the store has the result of by now; which judgments if None.
    ``collects`` says that questions are put together for a batch, which is sent at the end, and
    ``ended``, if anybody wants to know, is told of calls that have ended, or wait in a batch.
    """

    name: str
    calls: Iterable[Sequence[Call] | Callable[[Writer], None]]
    provider: Provider | None = None
    slots: int = 1
    there: Callable[[Sequence[Any]], Sequence[bool]] | None = None
    collects: bool = False
    ended: Callable[[bytes, bool], object] | None = None
    counts: RunCounts = field(default_factory=RunCounts)
    under_way: dict[int, tuple[float, Call]] = field(default_factory=dict)
    _stage: _Stage = field(init=False)
    _rest: Iterator[Sequence[Call] | Callable[[Writer], None]] = field(init=False)
    _claimed: Claimed | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _planned: deque[Call] = field(default_factory=deque)
    _ready: deque[Call] = field(default_factory=deque)
    _aside: list[Call] = field(default_factory=list)
    _failed_in_a_row: int = 0
    _bugs_in_a_row: int = 0
    _said: set[str] = field(default_factory=set)
    _told: set[int] = field(default_factory=set)
    _told_at: float = -math.inf
    _waits_since: float = math.inf

    async def run(self, stage: _Stage) -> None:
        """Make every call, as many at once as there are slots."""
        self._stage = stage
        self._rest = iter(self.calls)
        # Who asks nobody is done before others could have it.
        self._claimed = None if self.provider is None else stage.claimed
        async with asyncio.TaskGroup() as group:
            for slot in range(self.slots):
                if (call := await self._next()) is None:
                    break
                group.create_task(self._slot(slot, call))
        if self._claimed is not None and not stage.stop.is_set():  # other queues may go on for long
            for call in self._ready:
                self._claimed.finish(call)
            await look(self._claimed.flush)

    def newly_stuck(self, now: float) -> str | None:
        """What waits too long, in a line; None if that was said of all of it, or just now.

        One that waits in line is not told from one that was sent: where a provider is limited by
        the minute all of them may wait, and one line says so.
        """
        stuck = {slot for slot, (since, _) in self.under_way.items() if now - since > STUCK_S}
        if stuck <= self._told or now - self._told_at < STUCK_S:
            return None
        self._told |= stuck
        self._told_at = now
        since, call = min((self.under_way[slot] for slot in stuck), key=lambda one: one[0])
        place, others = call.places[0], len(stuck) - 1
        more = f" (and about {others} more)" if others else ""
        return (
            f"{self.name}: no reply for {now - since:.0f} s about item {place.item_id} of "
            f"{place.benchmark}{more}; still waiting, in line, for an answer or for the store "
            "(limits.timeout_s, max_retries and max_minutes say for how long)"
        )

    async def _slot(self, slot: int, call: Call | None) -> None:
        while call is not None:
            self.under_way[slot] = (time.monotonic(), call)
            self._told.discard(slot)
            try:
                is_done = await self._make(call)
            finally:
                del self.under_way[slot]
            if self._claimed is not None:
                if is_done:
                    self._claimed.finish(call)
                else:
                    self._claimed.collects = True
            await asyncio.sleep(0)  # a judge that asks nobody must not keep the others waiting
            call = await self._next()

    async def _next(self) -> Call | None:
        async with self._turn:
            while self.counts.stopped is None and not self._stage.stop.is_set():
                if self._ready:
                    return self._ready.popleft()
                while not self._planned and (found := next(self._rest, None)) is not None:
                    if found is pause:
                        await asyncio.sleep(PAUSE_S)
                    elif callable(found):
                        await self._stage.store.submit(found, asyncio.Future())
                    else:
                        self._planned.extend(found)
                n = min(PORTION, 2 * self.slots, len(self._planned))
                portion = [self._planned.popleft() for _ in range(n)]
                if self._claimed is None:
                    self._ready.extend(portion)
                elif portion or self._aside:
                    await self._claim(self._claimed, portion)
                if not (portion or self._ready or self._aside or self._planned):
                    return None
        return None

    async def _claim(self, claimed: Claimed, portion: Sequence[Call]) -> None:
        """Queue what is ours to ask, use what is there by now, and put the rest aside."""
        held = self._aside  # looked at again once nothing new is left, a portion at a time
        calls = portion or held[:PORTION]
        ours, won, judged = await look(partial(claimed.take, calls))
        new = [call for call in calls if call.key not in ours]
        self._ready.extend(call for call in calls if call.key in ours)
        there: Sequence[bool] = [call.key in judged for call in new]
        if self.there is not None:  # after the claim: before it changes
            there = await look(partial(self.there, new))
        self._aside = held if portion else held[PORTION:]
        await asyncio.sleep(0)
        for call, is_there in zip(new, there, strict=True):
            if is_there:
                await self._stage.store.submit(
                    partial(call.reuse, run_id=self._stage.run_id), asyncio.Future()
                )
                self.counts.reused += 1
                await self._go_on(call)
                if call.key in won:
                    claimed.finish(call)
            else:
                (self._ready if call.key in won else self._aside).append(call)
        if self._aside and not portion and not self._ready:
            await self._wait(claimed)

    async def _wait(self, claimed: Claimed) -> None:
        """Nothing is left but what others work on. Said after a second, once for each of them."""
        if claimed.collects:  # what goes into our batch may be what they wait for
            self.counts.waiting += len(self._aside)
            self._stage.progress.advance(len(self._aside), waiting=True)
            self._aside = []
            return
        self._waits_since = min(self._waits_since, time.monotonic())
        if time.monotonic() - self._waits_since >= Waiting.SAID_AFTER_S:
            who = await look(partial(claimed.store.claimed_by, self._aside[0].key))
            if who is not None:
                what = counted(len(self._aside), "question")
                self._say_once(who, f"waiting for {who}, which works on {what}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stage.stop.wait(), LOOK_S)

    async def _make(self, call: Call) -> bool:
        """Whether others may have it from now on: not what goes into a batch, till that is sent."""
        replies: list[tuple[bytes, Reply]] = []
        try:
            result = await self._ask(call, replies)
        except CallError as error:
            await self._failed(call, error.kind, str(error), error.retriable, error.attempts)
            self._give_up_where_hopeless(error)
        except ProviderUnavailableError as error:
            await self._failed(call, "connection", str(error), True)
            self.counts.stop(str(error), unavailable=True)
        except WindingDownError:  # not asked, so not failed
            return True
        except BudgetSpentError as error:
            self.counts.stop(str(error))
        except DeferredError:
            self.counts.waiting += 1
            if self.ended is not None:
                self.ended(call.key, True)
            self._stage.progress.advance(waiting=True)
            return not self.collects
        except JudgebenchError:  # the store cannot be written, say: nothing more can be kept
            raise
        except Exception as error:  # noqa: BLE001 - a faulty judge costs its verdict, not the run
            await self._failed(call, "reader", f"{type(error).__name__}: {error}", False)
        else:
            put = partial(call.keep, run_id=self._stage.run_id, result=result, replies=replies)
            readable = await self._stage.store.submit(put, asyncio.Future())
            self.counts.unreadable += not readable  # not in one line: others count while this waits
            self._failed_in_a_row = self._bugs_in_a_row = 0
            self.counts.done += 1
            await self._go_on(call)
        return True

    async def _go_on(self, call: Call) -> None:
        """Plan what follows; without an answer the turns after it have none either."""
        if self.ended is not None:
            self.ended(call.key, False)
        following: Sequence[Call] = ()
        if call.next_turn is not None:
            following = await look(call.next_turn)
            self._planned.extendleft(following)
        self._stage.progress.advance(1 if following else 1 + len(call.later))

    async def _ask(self, call: Call, replies: list[tuple[bytes, Reply]]) -> Any:
        """Carry on the dialogue; a fault of the code on the way of a call costs the call alone.

        Raises
        ------
        CallError
            Of the kind ``bug`` for such a fault, ours or a client's, with its type and place.
        """
        purpose = Purpose(run_id=self._stage.run_id, place=call.places[0])
        dialogue = call.dialogue()
        bug: str | None = None
        try:
            request = next(dialogue)
            while True:
                if self.provider is None:
                    raise RuntimeError(f"judge {self.name!r} asks, but has no provider")
                try:
                    reply = await self.provider.complete(replace(request, purpose=purpose))
                except JudgebenchError:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it is, it is recorded as it is
                    bug = _bug(error)
                    break
                replies.append((reply.key or keys.request_key(request), reply))
                if reply.left_out:
                    self.counts.left_out.update(reply.left_out)
                if reply.note is not None:
                    self._say_once(reply.note, reply.note)
                request = dialogue.send(reply)
        except StopIteration as end:
            return end.value
        # Raised here: the chain would hold the request, and keys of the client.
        raise CallError(bug, retriable=False, kind="bug")

    def _say_once(self, about: str, message: str) -> None:
        if about not in self._said:
            self._said.add(about)
            self._stage.progress.say(f"{self.name}: {message}")

    async def _failed(
        self, call: Call, kind: FailureKind, message: str, retriable: bool, attempts: int = 1
    ) -> None:
        message = masked(message)
        boundary: Boundary = kind if kind in ("local_model", "reader") else "provider"
        turns = (call.key, *call.later)  # those after it are not asked either
        for (n, key), place in product(enumerate(turns), call.places):
            failure = Failure(
                key=key,
                boundary=boundary,
                kind=kind,
                message=message,
                retriable=retriable,
                attempts=attempts,
                place=replace(place, turn=place.turn + n),
                at=time.time(),
            )
            await self._stage.store.submit(methodcaller("put_failure", failure), asyncio.Future())
        self.counts.failed += len(turns)
        if self.ended is not None:
            self.ended(call.key, False)
        self.counts.failures[kind] = self.counts.failures.get(kind, 0) + len(turns)
        self.counts.reasons.setdefault(kind, message)
        self._stage.progress.advance(len(turns), failed=kind)

    def _give_up_where_hopeless(self, error: CallError) -> None:
        """Stop asking one that cannot answer: a thousand time-outs help nobody."""
        if error.kind in OF_ONE_QUESTION:
            return
        self._failed_in_a_row += 1
        self._bugs_in_a_row = self._bugs_in_a_row + 1 if error.kind == "bug" else 0
        if (
            error.status in HOPELESS
            or error.kind in HOPELESS_KINDS
            or (error.retry_after_s or 0.0) > MAX_WAIT_S
        ):
            self.counts.stop(str(error), unavailable=True, key_refused=error.kind == "key")
        elif self._bugs_in_a_row >= BUGS:
            self.counts.stop(
                f"{self._bugs_in_a_row} calls in a row ended in a fault of judgebench or of a "
                f"library that it uses; please report it. The last: {error}"
            )
        elif self._failed_in_a_row >= max(10, 2 * self.slots):
            self.counts.stop(
                f"{self._failed_in_a_row} calls in a row failed; the last: {error}",
                unavailable=True,
            )


def _bug(error: BaseException) -> str:
    """What it was, where it was raised, and through which line of judgebench."""
    frames = traceback.extract_tb(error.__traceback__)
    package = Path(__file__).parents[1]
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(package)]
    last, through = frames[-1], ours[-1]  # that of the call is one of ours
    place = f"{_in_its_package(last.filename)}:{last.lineno}"
    if last is not through:
        place += f", from {_in_its_package(through.filename)}:{through.lineno}"
    return f"{excerpt(f'{type(error).__name__}: {error}'.rstrip(': '), 300, None)} (at {place})"


def _in_its_package(filename: str) -> str:
    """A path from the folder that its package lies in: nobody's home is told."""
    roots = [root for root in sys.path if root and Path(filename).is_relative_to(root)]
    parts = Path(filename).parts[-2:]
    return str(Path(filename).relative_to(max(roots, key=len)) if roots else Path(*parts))


def carry_out(
    queues: Sequence[WorkQueue],
    *,
    store: Writer,
    run_id: str,
    progress: Progress,
    pool: ProviderPool | None = None,
    set_aside: SetAside | None = None,
    claimed: Claimed | None = None,
) -> dict[str, RunCounts]:
    """Make every call; returns what came of them, by the name of the queue.

    The queues run side by side, each with its own number of slots; one that is stopped does not
    stop the others. A first Ctrl-C (or SIGTERM) starts nothing new and waits for the replies under
    way, since they are paid for; a second one leaves at once. What failed is in the store as a
    failure and is asked again next time. The ``pool`` tells what was taken so far, and why servers
    cannot be reached, which is said after the first second, once each. At the first Ctrl-C it sends
    nothing any more of what waits to be sent; its connections and servers end, however it ended.

    Where there is ``claimed``, calls that ask somebody are claimed before they are made. What
    another process works on is put aside, and looked at again now and then: either its result is
    there by then, or it is free.

    What is written waits for whoever else writes to the store, for as long as that takes, and the
    calls under way go on meanwhile. Where the disk is full, what was ``set_aside`` makes room for
    the replies under way, and nothing more is asked.

    Raises
    ------
    StoreFullError
        Where the disk became full, once everything that came back is stored.
    KeyboardInterrupt
        After an interrupt, once everything that came back is stored.
    """
    stage = _Stage(queues, store, run_id, progress, pool, claimed)
    work = stage.run(set_aside or (lambda _: nullcontext()))
    try:
        if asyncio._get_running_loop() is None:
            asyncio.run(work)
        else:  # as that of a notebook: in a thread with a loop of its own
            with ThreadPoolExecutor(1) as thread, _interrupts_here(stage):
                thread.submit(copy_context().run, asyncio.run, work).result()
    except BaseExceptionGroup as group:
        raise _first(group) from None
    return {queue.name: queue.counts for queue in queues}


@contextmanager
def _interrupts_here(stage: _Stage) -> Iterator[None]:
    """Hear Ctrl-C for a stage in another thread: the loop that waits here would hear it after."""
    before = signal.getsignal(signal.SIGINT)
    here = threading.current_thread() is threading.main_thread()
    if not here or before is None or before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: stage.interrupt())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The exception that ended a task group, without the groups around it."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


@dataclass(slots=True)
class _Stage:
    """The queues that are worked on side by side, and what all of them write to."""

    queues: Sequence[WorkQueue]
    store: Writer
    run_id: str
    progress: Progress
    pool: ProviderPool | None
    claimed: Claimed | None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    full: bool = False
    interrupt: Callable[[], object] = lambda: None

    async def run(self, set_aside: SetAside) -> None:
        loop = asyncio.get_running_loop()

        def touched() -> None:
            """It is the thread that writes that finds the disk full."""
            loop.call_soon_threadsafe(self._disk_is_full)

        try:
            with set_aside(touched), self._interrupts():
                watch = asyncio.create_task(self._watch())
                try:
                    async with asyncio.TaskGroup() as group:
                        for queue in self.queues:
                            group.create_task(queue.run(self))
                finally:
                    watch.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await watch
        finally:
            if self.pool is not None:
                await self.pool.close()
                self.progress.meter(self.pool.look_after())
        if self.full:
            raise StoreFullError(
                f"{NO_ROOM}: the run asked nothing more, and every reply that was under way is "
                "stored; make room and run again",
                again=False,
            )
        if self.stop.is_set():
            raise KeyboardInterrupt

    def _disk_is_full(self) -> None:
        self.full = True
        self._wind_down(f"{NO_ROOM}: nothing more is asked, and the replies under way are stored")

    def _wind_down(self, why: str) -> None:
        self.stop.set()
        if self.pool is not None:
            self.pool.wind_down()
        self.progress.say(why)

    async def _watch(self) -> None:
        """Tell what is taken, who cannot be reached, and what is stuck."""
        told: set[str] = set()
        while True:
            await asyncio.sleep(TICK_S)
            if self.pool is not None:
                self.progress.meter(self.pool.look_after())
                for why in (why for why in self.pool.unreached() if why not in told):
                    told.add(why)
                    self.progress.say(
                        f"warning: {why} (asking again; limits.max_retries and max_minutes say "
                        "for how long)"
                    )
            now = time.monotonic()
            for queue in self.queues:
                if said := queue.newly_stuck(now):
                    self.progress.say(said)

    @contextmanager
    def _interrupts(self) -> Iterator[None]:
        """First signal: stop taking new calls. Second: cancel what is under way, and say it."""
        loop = asyncio.get_running_loop()
        main = asyncio.current_task()
        left: tuple[int, int] | None = None
        unheard = 0

        def came(number: int, frame: FrameType | None) -> None:
            """The loop hears of a signal when it gets to it: not while a user's function is on."""
            nonlocal unheard
            unheard += 1
            if unheard > HELD:
                raise KeyboardInterrupt

        def interrupted() -> None:
            nonlocal left, unheard
            unheard = 0
            if self.stop.is_set() and main is not None:
                back, paid = self.store.waiting()
                calls = sum(len(queue.under_way) for queue in self.queues)
                left = left or (max(0, calls - back), paid)
                main.cancel()
                return
            self._wind_down(
                "stopping: waiting for the replies under way (Ctrl-C again to leave now)"
            )

        self.interrupt = partial(loop.call_soon_threadsafe, interrupted)
        before = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            was = signal.getsignal(number)
            try:
                loop.add_signal_handler(number, interrupted)
            except (ValueError, RuntimeError, NotImplementedError):  # not in the main thread
                continue
            signal.signal(number, came)
            signal.siginterrupt(number, False)  # as the loop has it
            before[number] = was
        try:
            yield
        except asyncio.CancelledError:
            if not self.stop.is_set():
                raise
            raise KeyboardInterrupt(*([_left(*left)] if left and any(left) else [])) from None
        finally:
            for number, was in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, was or signal.SIG_DFL)


def _left(calls: int, kept: int) -> str:
    """What a second Ctrl-C gives up, and what it does not."""
    were = "1 call was under way and is" if calls == 1 else f"{calls} calls were under way and are"
    came = "1 reply that came is" if kept == 1 else f"{kept} replies that came are"
    said = [
        *([f"{were} left without the reply, which may be paid for"] if calls else []),
        *([f"{came} kept beside the store, which takes them in with the next run"] if kept else []),
    ]
    return f"interrupted; {'; '.join(said)}; everything before is stored, run again to go on"


# a run from end to end ----------------------------------------------------------------------------


def evaluate(
    work: ResolvedSuite,
    *,
    store: Store,
    pool: ProviderPool,
    progress: Progress,
    occasion: str | None = None,
    stack_anchors: int | None = None,
) -> Outcome:
    """Carry out a suite; running again does only what is missing.

    What fails is in the store as a failure and in the outcome's counts; it does not end the run. On
    an ``occasion`` the judges are asked again about their anchors. With ``stack_anchors`` local
    models whose answers are complete answer so many prompts of each benchmark again, where their
    stack is another one by now.

    Raises
    ------
    StoreError
        When the store can no longer be written; what was stored before stays.
    KeyboardInterrupt
        After an interrupt, with everything that came back stored.
    """
    ray = None if work.suite.executor is None else work.suite.executor.ray
    with (
        nullcontext(list) if ray is None else _on_ray(ray, store, pool) as warnings,
        under_way(work, store, pool) as outcome,
    ):
        run = Run(outcome, store, ProgressRecorder(progress, store, outcome), pool)
        if store.is_leased(FORGETTING):  # what is planned must still be there when it is used
            with store.lease(FORGETTING, on_wait=run.progress.say):
                pass
        scorers = [one for one in work.assignments if one.selects]
        judges = [one for one in work.assignments if not one.selects]
        anchors = Anchors(store, judges, occasion) if occasion else None
        began = time.monotonic()
        answers = run.answer(stack_anchors)
        if scorers:
            for assignments in groups(scorers, side_by_side=pool.side_by_side):
                run.judge(assignments, answers, None)
            answers += run.select(answers)
        by_rule = (a for a in judges if a.asked.config.stop_when_decided is not None)
        if planned := [one for one in by_rule if stops_early(one)]:
            run.begin_plans(planned, answers)
        outcome.seconds["answers"] = time.monotonic() - began
        began = time.monotonic()
        for assignments in groups(judges, side_by_side=pool.side_by_side):
            run.judge(assignments, answers, anchors)
        if planned:
            run.end_plans()
        if anchors is not None:
            outcome.warnings += anchors.warnings
        outcome.seconds["judging"] = time.monotonic() - began
        outcome.warnings += warnings()
    return outcome


@contextmanager
def _on_ray(
    ray: RayExecutor, store: Store, pool: ProviderPool
) -> Iterator[Callable[[], list[str]]]:
    """Local models are on a cluster; what is to be told of it at the end."""
    from judgebench.execution.ray_cluster import on_cluster, shared_address

    with on_cluster(ray, shared_address(store.url)) as cluster:
        pool.copies = cluster.slots()
        yield cluster.warnings


def confirm(
    work: ResolvedSuite,
    wanted: Sequence[Unconfirmed],
    *,
    store: Store,
    pool: ProviderPool,
    progress: Progress,
) -> Outcome:
    """Ask the judges of a suite once more about every answer of the two models.

    What an earlier run of this kind has is not asked again.

    Raises
    ------
    ConfigError
        Where the suite does not have the judge, or has it otherwise than it judged.
    StoreError, KeyboardInterrupt
        As `evaluate` does.
    """
    assignments = {one: judge_to_confirm(work, one) for one in wanted}
    about = [f"{one.benchmark}@{one.version} {one.judge} {' '.join(one.models)}" for one in wanted]
    work = replace(work, written={**work.written, "confirms": about})
    ray = None if work.suite.executor is None else work.suite.executor.ray
    with (
        nullcontext(list) if ray is None else _on_ray(ray, store, pool) as warnings,
        under_way(work, store, pool) as outcome,
    ):
        run = Run(outcome, store, ProgressRecorder(progress, store, outcome), pool)
        for group in groups(list({a.key: a for a in assignments.values()}.values())):
            calls: dict[str, tuple[JudgeAssignment, list[JudgeCall]]] = {}
            for one, assignment in assignments.items():
                if assignment in group:
                    again = calls_to_confirm(store, assignment, one, outcome.warnings)
                    calls.setdefault(assignment.title, (assignment, []))[1].extend(again)
            queues = [
                run.queue(name, [again], assignment.config)
                for name, (assignment, again) in calls.items()
                if again
            ]
            run.ask("judging", queues, sum(len(again) for _, again in calls.values()))
        outcome.warnings += warnings()
    return outcome


@dataclass(slots=True)
class Run:
    """A run under way: has models answer and judges judge what the store lacks."""

    outcome: Outcome
    store: Store
    progress: ProgressRecorder
    pool: ProviderPool
    plans: dict[str, EarlyStop] = field(default_factory=dict)
    _pending: set[bytes] = field(default_factory=set)
    _deferred: set[bytes] = field(default_factory=set)

    def begin_plans(self, planned: Sequence[JudgeAssignment], answers: Sequence[Answers]) -> None:
        """Say how judges judge that stop when it is decided, before anything is judged."""
        from judgebench.execution.sequential import EarlyStop, plan_of

        for one in planned:
            judges = sum(other.asked is one.asked for other in planned)
            seed = self.outcome.work.suite.seed
            self.plans[where(one)] = EarlyStop(
                plan=plan_of(one, answers, judges, seed, self.store),
                assignment=one,
                store=self.store,
                run_id=self.outcome.manifest.id,
                pending=self._pending,
                deferred=self._deferred,
                slots=self.pool.slots(one.config),
                collects=one.config is not None and one.config.batch,
            )
        self._keep_plans({})

    def end_plans(self) -> None:
        """Say what they have come to."""
        names = {c.key.hex()[:12]: c.name for c in self.outcome.work.candidates}
        ended = {}
        for name, one in self.plans.items():
            ended[name], said = one.end(names)
            self.outcome.decided += said
        self._keep_plans(ended)

    def _keep_plans(self, ended: Mapping[str, JsonObject]) -> None:
        plans = {
            name: one.plan.as_json() | {"ended": ended.get(name, {})}
            for name, one in self.plans.items()
        }
        manifest = self.outcome.manifest
        manifest = replace(manifest, configuration={**manifest.configuration, PLANS: plans})
        self.outcome.manifest = manifest
        self.store.update_run(manifest)

    def _call_ended(self, key: bytes, waits: bool) -> None:
        if waits:
            self._deferred.add(key)
        else:
            self._pending.discard(key)

    def answer(self, stack_anchors: int | None) -> list[Answers]:
        """What the candidates answer; what could not be had is recorded.

        Models behind an API are asked side by side, local ones one after the other. Those that
        answers are selected from come first: another may want some of the same.
        """
        started = partial(self.pool.start_servers, self.outcome.work.assignments)
        generation = Generation(self.outcome, self.store, self.progress, started)
        found: list[Answers] = []
        for pool in (True, False):
            by_model: dict[str, list[Candidate]] = {}
            for candidate in self.outcome.work.candidates:
                if candidate.pool is pool and candidate.selection is None:
                    by_model.setdefault(candidate.name, []).append(candidate)
            models = list(by_model.values())
            recorded = [c for m in models for c in m if c.recorded is not None]
            there = [Answers(candidate, self.store, None) for candidate in recorded]
            self.outcome.reused_answers += sum(one.count() for one in there)
            found += there
            if remote := [m for m in models if m[0].api is not None]:
                found += self._remote(remote)
            for candidates in models:
                if candidates[0].local is not None:
                    found += generation.answers(candidates)
        for answers in found:
            answers.stand()
        if stack_anchors is not None:
            generation.answer_again(found, stack_anchors)
        return found

    def select(self, answers: Sequence[Answers]) -> list[Answers]:
        """Keep what scorers choose, and return it; what cannot be chosen is recorded as failed."""
        found = selected(answers, self.outcome, self.store)
        for one in found:
            one.stand()
        return found

    def _remote(self, models: Sequence[Sequence[Candidate]]) -> list[Answers]:
        """Answers of the models behind an API. Claims keep two runs from paying twice."""
        missing = {m[0].name: [Answers(c, self.store, None) for c in m] for m in models}
        queues = [
            self.queue(
                name,
                chain.from_iterable(chunks(answer_calls(one), CHUNK) for one in found),
                found[0].candidate.config.api,
                self._answered,
            )
            for name, found in missing.items()
            if not all(one.complete for one in found)
        ]
        wanted = sum(len(one.missing) for found in missing.values() for one in found)
        self.outcome.reused_answers += sum(a.count() for found in missing.values() for a in found)
        self.ask("answering", queues, wanted)
        return [Answers(c, self.store, None) for m in models for c in m]

    def judge(
        self,
        assignments: Sequence[JudgeAssignment],
        answers: Sequence[Answers],
        anchors: Anchors | None,
    ) -> None:
        """Judges that are asked side by side. Claims keep two runs from paying twice.

        One that needs the machine for itself is loaded there once: a second run waits.
        """
        with ExitStack() as leases:
            for key in sorted({a.key for a in assignments if a.loads is not None}):
                name = f"judge {key.hex()[:12]} on {platform.node()}"
                leases.enter_context(self.store.lease(name, on_wait=self.progress.say))
            by_name: dict[str, list[JudgeAssignment]] = {}
            for assignment in assignments:
                by_name.setdefault(assignment.title, []).append(assignment)
            queues = [
                self.queue(name, self._judge_calls(own, answers), own[0].config)
                for name, own in by_name.items()
            ]
            total = sum(verdicts_wanted(a, answers) for a in assignments)
            if anchors is not None:
                for name, (config, calls) in anchors.calls(assignments).items():
                    # Live, since what comes with a batch may come on another day.
                    live = config.model_copy(update={"batch": False})
                    queues.append(self.queue(name, [calls], live, anchors.there))
                    total += len(calls)
            self.ask("judging", queues, total)

    def _judge_calls(
        self, assignments: Sequence[JudgeAssignment], answers: Sequence[Answers]
    ) -> Iterator[Sequence[JudgeCall] | Callable[[Writer], None]]:
        """What one judge still has to judge, as it is taken; what is known is used on the way."""
        run_id = self.outcome.manifest.id
        for assignment in assignments:
            early = self.plans.get(where(assignment)) if self.plans else None
            parts = None if early is None else early.parts
            for some in judge_calls(assignment, answers, self.store.judged, parts):
                uses = [
                    RunVerdict(run_id=run_id, place=place, judgment_key=key)
                    for key, places in some.known.items()
                    for place in places
                ]
                self.outcome.known += len(some.known)
                # What serves several places is one question.
                self.progress.advance(some.places - len(some.calls))
                if uses:
                    yield methodcaller("put_uses", uses)
                if early is not None:
                    early.give(some.calls)
                    if not some.places:
                        yield pause
                yield some.calls

    def queue(
        self,
        name: str,
        calls: Iterable[Sequence[Call] | Callable[[Writer], None]],
        config: Endpoint | None,
        there: Callable[[Sequence[Any]], Sequence[bool]] | None = None,
    ) -> WorkQueue:
        """The calls of one judge or model, with its endpoint and as many slots as it may have.

        ``there`` says which results the store has by now; by default, which judgments.
        """
        return WorkQueue(
            name=name,
            calls=calls,
            provider=self.pool.provider(name, config),
            slots=self.pool.slots(config),
            there=there,
            collects=config is not None and config.batch,
            ended=self._call_ended if self.plans else None,
        )

    def _answered(self, calls: Sequence[Call]) -> list[bool]:
        """Which answers of models behind an API the store has by now."""
        known = self.store.responses([call.key for call in calls])
        return [any(r.stack is None for r in known.get(call.key, ())) for call in calls]

    def ask(self, what: str, queues: Sequence[WorkQueue], total: int) -> None:
        """Have models answer ("answering") or judges judge ("judging"), side by side."""
        outcome = self.outcome
        slots = sum(queue.slots for queue in queues if queue.provider is not None)
        try:
            if queues:
                self.progress.stage(f"{what}: {', '.join(queue.name for queue in queues)}", total)
                with Claimed(self.store) as claimed:
                    counts = carry_out(
                        queues,
                        store=self.store,
                        run_id=outcome.manifest.id,
                        progress=self.progress,
                        pool=self.pool,
                        set_aside=partial(self.store.set_aside, RESERVE + slots * RESERVE_OF_A_CALL)
                        if slots
                        else None,
                        claimed=claimed,
                    )
                    self._submit(counts)
        finally:  # however it ended: an interrupted run says as well what came of its calls
            came = {queue.name: queue.counts for queue in queues}
            if what == "judging":
                outcome.judging |= came
                outcome.known += sum(one.reused for one in came.values())
                outcome.judge_calls += self.pool.sent
                outcome.recorded += self.pool.recorded
            else:
                outcome.answering |= came
                outcome.answer_calls += self.pool.sent
            self.pool.renew()

    def _submit(self, counts: Mapping[str, RunCounts]) -> None:
        """Hand over what was put together for batches; one that is refused stops no other."""
        for name, collected in self.pool.collected.items():
            if not collected.requests:
                continue
            try:
                batches = submit(
                    self.store,
                    self.outcome.manifest.id,
                    name,
                    collected.provider,
                    collected.interface,
                    collected.requests,
                )
            except CallError as error:
                counts[name].waiting -= len(collected.requests)  # not in a batch after all
                hopeless = error.status in HOPELESS
                counts[name].stop(f"the batch was not taken: {error}", unavailable=hopeless)
                continue
            for batch in batches:
                note = f" ({batch.note})" if batch.note else ""
                count = counted(batch.requests, "question")
                self.progress.say(f"{name}: {count} in batch {batch.id}{note}")
