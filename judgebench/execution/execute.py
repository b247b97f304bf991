"""The fan-out: the next job when a slot is free, and one commit for each that is done.

The only place beside ``providers/`` that knows about asyncio. What a job asks, and what becomes of
its result, is the job's own affair: verdicts and the answers of remote models go the same way.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

from judgebench import keys
from judgebench.errors import (
    BudgetSpentError,
    CallError,
    DeferredError,
    JudgebenchError,
    ProviderUnavailableError,
    StoreFullError,
)
from judgebench.plain_text import counted
from judgebench.protocols import Claimant, Meter, Progress, Provider, Waiting, Writer
from judgebench.providers.base import WindingDownError
from judgebench.providers.http_errors import excerpt
from judgebench.providers.replay import keep, look
from judgebench.providers.retry import MAX_WAIT_S
from judgebench.records import (
    Boundary,
    Failure,
    FailureKind,
    Purpose,
    Reply,
    Request,
    VerdictSlot,
)
from judgebench.secret import masked

_T = TypeVar("_T")

NO_ROOM = "the disk that the store is on became full"

#: Statuses that every further call of the same judge would get as well.
HOPELESS = frozenset({401, 403, 404})
HOPELESS_KINDS: frozenset[FailureKind] = frozenset({"key", "not_found"})
#: Failures that are about one question and say nothing about the next.
OF_ONE_QUESTION: frozenset[FailureKind] = frozenset({"too_long", "reader"})

#: Failures of a provider that did not answer at all.
UNREACHED: frozenset[FailureKind] = frozenset({"connection", "timeout", "server", "rate_limit"})

TICK_S = 1.0
BUGS = 10
"""So many calls in a row that end in a fault of the code, and nobody is asked any more."""

STUCK_S = 60.0
"""A call that is under way for longer is named."""


PORTION = 256
"""Jobs at most that are claimed at once: twice as many as there are slots."""

LOOK_S = 0.25
"""Between two looks at what others work on, once there is nothing else to do."""


@dataclass(slots=True)
class Talk:
    """What a dialogue took."""

    reply_keys: list[bytes] = field(default_factory=list)
    served_model: str | None = None
    left_out: set[str] = field(default_factory=set)


class Job(Protocol):
    """One thing to be had by asking: a verdict, or an answer.

    ``key`` is that of the judgment or response; ``places`` are all those of this run that it
    serves.
    """

    @property
    def key(self) -> bytes: ...

    @property
    def places(self) -> tuple[VerdictSlot, ...]: ...

    def dialogue(self) -> Generator[Request, Reply, Any]: ...

    def keep(self, store: Writer, run_id: str, result: Any, talk: Talk) -> bool:
        """Store the result in one commit; whether it could be read."""
        ...

    def reuse(self, store: Writer, run_id: str) -> None:
        """Note that what somebody else has had done meanwhile serves here too."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """What need not be asked, since the store has it: ``keep`` notes so, in one commit."""

    keep: Callable[[Writer], None]


SetAside: TypeAlias = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""Sets room aside on the store's disk, and calls what it is given when that is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A judge or a remote model with its jobs and the door to whoever answers them.

    ``jobs`` come some at a time, as slots are free, so that planning needs no memory for all of
    them. ``there`` says which of some jobs the store has the result of by now; ``collects``, that
    questions are put together for a batch, which is sent at the end.
    """

    name: str
    jobs: Iterable[Sequence[Job] | Known]
    provider: Provider | None = None
    slots: int = 1
    there: Callable[[Sequence[Any]], Sequence[bool]] | None = None
    collects: bool = False


@dataclass(slots=True)
class Tally:
    """What came of the jobs of one bench.

    ``reused`` are those that another process had done meanwhile, ``waiting`` questions in a batch,
    ours or another's; ``stopped`` says why the rest was not asked.
    ``failures`` counts by kind, and ``reasons`` has the first message of each; ``left_out`` names
    what was not sent, since the model does not take it.
    """

    done: int = 0
    reused: int = 0
    unreadable: int = 0
    failed: int = 0
    waiting: int = 0
    failures: dict[FailureKind, int] = field(default_factory=dict)
    reasons: dict[FailureKind, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    stopped: str | None = None
    unavailable: bool = False
    key_refused: bool = False

    @property
    def unreached(self) -> bool:
        """Whether not one question was answered, for want of whoever should; or the key is wrong.

        Asking again later does not help against the latter, also where it was good for a while.
        """
        unreached = self.unavailable or bool(self.failures and self.failures.keys() <= UNREACHED)
        return self.key_refused or (unreached and not self.done)

    def stop(self, why: str, *, unavailable: bool = False, key_refused: bool = False) -> None:
        """Ask nothing more; the first reason is the one that is told."""
        if self.stopped is None:
            self.stopped = why
            self.unavailable = unavailable
            self.key_refused = key_refused

    def refuse_batch(self, questions: int, error: CallError) -> None:
        """The questions do not wait in a batch after all: it was not taken."""
        self.waiting -= questions
        self.stop(f"the batch was not taken: {error}", unavailable=error.status in HOPELESS)


class Claimed:
    """What this process works on, so that no other does: by key, for all benches of a stage.

    ``collects`` is whether some of it goes into a batch, and is held until that is sent.
    """

    def __init__(self, store: Claimant) -> None:
        self.store = store
        self.collects = False
        self._jobs: Counter[bytes] = Counter()
        self._done: set[bytes] = set()

    def take(self, jobs: Sequence[Job]) -> tuple[Collection[bytes], Collection[bytes]]:
        """The keys of the jobs that were ours before, and those that are ours from now on."""
        self.flush()
        keys = {job.key for job in jobs}
        ours = keys & self._jobs.keys()
        won = self.store.claim(keys - ours)
        self._jobs.update(job.key for job in jobs if job.key in won or job.key in ours)
        return ours, won

    def finish(self, job: Job) -> None:
        """Let others have the key, if no other job of ours has it: soon, with the next flush."""
        self._jobs[job.key] -= 1
        if not self._jobs[job.key]:
            del self._jobs[job.key]
            self._done.add(job.key)

    def flush(self, *, soon: bool = False) -> None:
        if self._done:
            self.store.release(self._done, soon=soon)
            self._done = set()


@contextmanager
def claiming(store: Claimant) -> Iterator[Claimed]:
    """Claims that are given back when the block ends; where an error ends it, without waiting."""
    claimed, soon = Claimed(store), True
    try:
        yield claimed
        soon = False
    finally:
        claimed._done |= claimed._jobs.keys()
        claimed.flush(soon=soon)


def carry_out(
    benches: Sequence[Bench],
    *,
    store: Writer,
    run_id: str,
    progress: Progress,
    meter: Callable[[], Meter] | None = None,
    unreached: Callable[[], Sequence[str]] | None = None,
    wind_down: Callable[[], None] | None = None,
    close: Callable[[], Awaitable[None]] | None = None,
    set_aside: SetAside | None = None,
    claimed: Claimed | None = None,
) -> dict[str, Tally]:
    """Do every job; returns what came of them, by the name of the bench.

    The benches run side by side, each with its own number of slots; one that is stopped does not
    stop the others. A first Ctrl-C (or SIGTERM) starts nothing new and waits for the replies under
    way, since they are paid for; a second one leaves at once. What failed is in the store as a
    failure and is asked again next time. ``meter`` tells what was taken so far; ``unreached`` why
    servers cannot be reached, which is said after the first second, once each. ``wind_down`` is
    called at the first Ctrl-C: what still waits to be sent is not sent any more. ``close`` ends
    connections and servers, however it ended.

    Where there is ``claimed``, jobs that ask somebody are claimed before they are done. What
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
    try:
        return asyncio.run(
            _carry_out(
                benches,
                store,
                run_id,
                progress,
                meter,
                unreached,
                wind_down or _nothing,
                close,
                set_aside,
                claimed,
            )
        )
    except BaseExceptionGroup as group:
        raise _first(group) from None


async def _carry_out(
    benches: Sequence[Bench],
    store: Writer,
    run_id: str,
    progress: Progress,
    meter: Callable[[], Meter] | None,
    unreached: Callable[[], Sequence[str]] | None,
    wind_down: Callable[[], None],
    close: Callable[[], Awaitable[None]] | None,
    set_aside: SetAside | None,
    claimed: Claimed | None,
) -> dict[str, Tally]:
    stop, full = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    works = [_Work(bench, Tally(), store, run_id, progress, stop, claimed) for bench in benches]

    def touched() -> None:
        full.set()
        stop.set()
        wind_down()
        progress.say(f"{NO_ROOM}: nothing more is asked, and the replies under way are stored")

    def in_the_loop() -> None:
        """It is the thread that writes that finds the disk full."""
        loop.call_soon_threadsafe(touched)

    def under_way() -> int:
        return sum(len(work.under_way) for work in works)

    try:
        with (
            nullcontext() if set_aside is None else set_aside(in_the_loop),
            _interrupts(stop, progress, wind_down, under_way, store.waiting),
        ):
            watch = asyncio.create_task(_watch(works, progress, meter, unreached))
            try:
                async with asyncio.TaskGroup() as group:
                    for work in works:
                        group.create_task(work.run())
            finally:
                watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watch
    finally:
        if close is not None:
            await close()
        if meter is not None:
            progress.meter(meter())
    if full.is_set():
        raise StoreFullError(
            f"{NO_ROOM}: the run asked nothing more, and every reply that was under way is stored; "
            "make room and run again",
            again=False,
        )
    if stop.is_set():
        raise KeyboardInterrupt
    return {work.bench.name: work.tally for work in works}


async def _watch(
    works: Sequence[_Work],
    progress: Progress,
    meter: Callable[[], Meter] | None,
    unreached: Callable[[], Sequence[str]] | None,
) -> None:
    """Tell what is taken, who cannot be reached, and what is stuck."""
    told: set[str] = set()
    while True:
        await asyncio.sleep(TICK_S)
        if meter is not None:
            progress.meter(meter())
        for why in unreached() if unreached is not None else ():
            if why not in told:
                told.add(why)
                progress.say(
                    f"warning: {why} (asking again; limits.max_retries and max_minutes say for "
                    "how long)"
                )
        now = time.monotonic()
        for work in works:
            if said := work.newly_stuck(now):
                progress.say(said)


def _nothing() -> None:
    """Where there is nobody to be told."""


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The exception that ended a task group, without the groups around it."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


@contextmanager
def _interrupts(
    stop: asyncio.Event,
    progress: Progress,
    wind_down: Callable[[], None],
    under_way: Callable[[], int],
    waiting: Callable[[], tuple[int, int]],
) -> Iterator[None]:
    """First signal: stop taking new jobs. Second: cancel what is under way, and say how much."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    left: tuple[int, int] | None = None

    def interrupted() -> None:
        nonlocal left
        if stop.is_set() and main is not None:
            came, paid = waiting()
            left = left or (max(0, under_way() - came), paid)
            main.cancel()
            return
        stop.set()
        wind_down()
        progress.say("stopping: waiting for the replies under way (Ctrl-C again to leave now)")

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        was = signal.getsignal(number)
        try:
            loop.add_signal_handler(number, interrupted)
        except (ValueError, RuntimeError, NotImplementedError):  # not in the main thread
            continue
        before[number] = was
    try:
        yield
    except asyncio.CancelledError:
        if not stop.is_set():
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


class _Work:
    """One bench at work: slots that take the next job until none is left."""

    def __init__(
        self,
        bench: Bench,
        tally: Tally,
        store: Writer,
        run_id: str,
        progress: Progress,
        stop: asyncio.Event,
        claimed: Claimed | None,
    ) -> None:
        self.bench = bench
        self.tally = tally
        self.store = store
        self.run_id = run_id
        self.progress = progress
        self.stop = stop
        self.jobs = iter(bench.jobs)
        self.in_a_row = 0
        self.bugs_in_a_row = 0
        self.under_way: dict[int, tuple[float, Job]] = {}
        self.told: set[int] = set()
        self.told_at = -math.inf
        self.notes: set[str] = set()
        # Who asks nobody is done before others could have it.
        self.claimed = None if bench.provider is None or bench.there is None else claimed
        self.turn = asyncio.Lock()
        self.planned: deque[Job] = deque()
        self.queue: deque[Job] = deque()
        self.aside: list[Job] = []
        self.waits_since = math.inf
        self.waited_for: set[str] = set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for slot in range(self.bench.slots):
                if (job := await self._next()) is None:
                    break
                group.create_task(self._slot(slot, job))
        if self.claimed is not None and not self.stop.is_set():  # other benches may go on for long
            for job in self.queue:
                self.claimed.finish(job)
            await look(self.claimed.flush)

    def newly_stuck(self, now: float) -> str | None:
        """What waits too long, in a line; None if that was said of all of it, or just now.

        One that waits in line is not told from one that was sent: where a provider is limited by
        the minute all of them may wait, and one line says so.
        """
        stuck = {slot for slot, (since, _) in self.under_way.items() if now - since > STUCK_S}
        if stuck <= self.told or now - self.told_at < STUCK_S:
            return None
        self.told |= stuck
        self.told_at = now
        since, job = min((self.under_way[slot] for slot in stuck), key=lambda one: one[0])
        place, others = job.places[0], len(stuck) - 1
        more = f" (and about {others} more)" if others else ""
        return (
            f"{self.bench.name}: no reply for {now - since:.0f} s about item {place.item_id} of "
            f"{place.benchmark}{more}; still waiting, in line, for an answer or for the store "
            "(limits.timeout_s, max_retries and max_minutes say for how long)"
        )

    async def _next(self) -> Job | None:
        async with self.turn:
            while self.tally.stopped is None and not self.stop.is_set():
                if self.queue:
                    return self.queue.popleft()
                portion = await self._portion()
                if not portion and not self.aside:
                    return None
                await self._sort_out(portion)
                if not portion and not self.queue and self.aside:
                    await self._wait()
        return None

    async def _portion(self) -> list[Job]:
        """The next jobs, of those that were planned together; empty when there are no more."""
        while not self.planned:
            found = next(self.jobs, None)
            if found is None:
                return []
            if isinstance(found, Known):
                await keep(self.store, found.keep)
            else:
                self.planned.extend(found)
        n = min(PORTION, 2 * self.bench.slots, len(self.planned))
        return [self.planned.popleft() for _ in range(n)]

    async def _sort_out(self, portion: Sequence[Job]) -> None:
        """Queue what is ours to do, use what is there by now, and put the rest aside."""
        if self.claimed is None or self.bench.there is None:
            self.queue.extend(portion)
            return
        held = self.aside  # looked at again once nothing new is left, a portion at a time
        jobs = list(portion) or held[:PORTION]
        ours, won = await look(partial(self.claimed.take, jobs))
        new = [job for job in jobs if job.key not in ours]
        self.queue.extend(job for job in jobs if job.key in ours)
        there = await look(partial(self.bench.there, new))  # after the claim: before it changes
        self.aside = held if portion else held[PORTION:]
        await asyncio.sleep(0)
        for job, is_there in zip(new, there, strict=True):
            if is_there:
                await keep(self.store, partial(_reused, job, self.run_id))
                self.tally.reused += 1
                self.progress.advance()
                if job.key in won:
                    self.claimed.finish(job)
            else:
                (self.queue if job.key in won else self.aside).append(job)

    async def _wait(self) -> None:
        """Nothing is left but what others work on. Said after a second, once for each of them."""
        assert self.claimed is not None
        if self.claimed.collects:  # what goes into our batch may be what they wait for
            for _ in self.aside:
                self.tally.waiting += 1
                self.progress.advance(waiting=True)
            self.aside = []
            return
        self.waits_since = min(self.waits_since, time.monotonic())
        if time.monotonic() - self.waits_since >= Waiting.SAID_AFTER_S:
            claimant = self.claimed.store.claimed_by
            who = await look(partial(claimant, self.aside[0].key))
            if who is not None and who not in self.waited_for:
                self.waited_for.add(who)
                what = counted(len(self.aside), "question")
                self.progress.say(f"{self.bench.name}: waiting for {who}, which works on {what}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), LOOK_S)

    async def _slot(self, slot: int, job: Job | None) -> None:
        while job is not None:
            self.under_way[slot] = (time.monotonic(), job)
            self.told.discard(slot)
            try:
                is_done = await self._do(job)
            finally:
                del self.under_way[slot]
            if self.claimed is not None:
                if is_done:
                    self.claimed.finish(job)
                else:
                    self.claimed.collects = True
            await asyncio.sleep(0)  # a judge that asks nobody must not keep the others waiting
            job = await self._next()

    async def _do(self, job: Job) -> bool:
        """Whether others may have it from now on: not what goes into a batch, till that is sent."""
        talk = Talk()
        try:
            result = await self._talk(job, talk)
        except CallError as error:
            boundary: Boundary = "local_model" if error.kind == "local_model" else "provider"
            await self._failed(
                job, boundary, error.kind, str(error), error.retriable, error.attempts
            )
            self._give_up_where_hopeless(error)
        except ProviderUnavailableError as error:
            await self._failed(job, "provider", "connection", str(error), True)
            self.tally.stop(str(error), unavailable=True)
        except WindingDownError:  # not asked, so not failed
            return True
        except BudgetSpentError as error:
            self.tally.stop(str(error))
        except DeferredError:
            self.tally.waiting += 1
            self.progress.advance(waiting=True)
            return not self.bench.collects
        except JudgebenchError:  # the store cannot be written, say: nothing more can be kept
            raise
        except Exception as error:  # noqa: BLE001 - a faulty judge costs its verdict, not the run
            await self._failed(job, "reader", "reader", f"{type(error).__name__}: {error}", False)
        else:
            put = partial(_kept, job, self.run_id, result, talk)
            readable = await keep(self.store, put)
            self.tally.left_out |= talk.left_out
            self.in_a_row = self.bugs_in_a_row = 0
            self.tally.done += 1
            self.tally.unreadable += not readable
            self.progress.advance()
        return True

    async def _talk(self, job: Job, talk: Talk) -> Any:
        purpose = Purpose(run_id=self.run_id, place=job.places[0])
        dialogue = job.dialogue()
        try:
            request = next(dialogue)
            while True:
                if self.bench.provider is None:
                    raise RuntimeError(f"judge {self.bench.name!r} asks, but has no provider")
                reply = await _call(self.bench.provider, replace(request, purpose=purpose))
                talk.reply_keys.append(keys.request_key(request))
                talk.served_model = reply.served_model or talk.served_model
                talk.left_out.update(reply.left_out)
                self._say_once(reply.note)
                request = dialogue.send(reply)
        except StopIteration as end:
            return end.value

    def _say_once(self, note: str | None) -> None:
        """What is odd about a reply, the first time that it is."""
        if note is not None and note not in self.notes:
            self.notes.add(note)
            self.progress.say(f"{self.bench.name}: {note}")

    async def _failed(
        self,
        job: Job,
        boundary: Boundary,
        kind: FailureKind,
        message: str,
        retriable: bool,
        attempts: int = 1,
    ) -> None:
        message = masked(message)
        for place in job.places:
            failure = Failure(
                key=job.key,
                boundary=boundary,
                kind=kind,
                message=message,
                retriable=retriable,
                attempts=attempts,
                place=place,
                at=time.time(),
            )
            await keep(self.store, partial(_put_failure, failure))
        self.tally.failed += 1
        self.tally.failures[kind] = self.tally.failures.get(kind, 0) + 1
        self.tally.reasons.setdefault(kind, message)
        self.progress.advance(failed=kind)

    def _give_up_where_hopeless(self, error: CallError) -> None:
        """Stop asking one that cannot answer: a thousand time-outs help nobody."""
        if error.kind in OF_ONE_QUESTION:
            return
        self.in_a_row += 1
        self.bugs_in_a_row = self.bugs_in_a_row + 1 if error.kind == "bug" else 0
        enough = max(10, 2 * self.bench.slots)
        if (
            error.status in HOPELESS
            or error.kind in HOPELESS_KINDS
            or (error.retry_after_s or 0.0) > MAX_WAIT_S
        ):
            key_refused = error.kind == "key"
            self.tally.stop(str(error), unavailable=True, key_refused=key_refused)
        elif self.bugs_in_a_row >= BUGS:
            self.tally.stop(
                f"{self.bugs_in_a_row} calls in a row ended in a fault of judgebench or of a "
                f"library that it uses; please report it. The last: {error}"
            )
        elif self.in_a_row >= enough:
            self.tally.stop(
                f"{self.in_a_row} calls in a row failed; the last: {error}", unavailable=True
            )


def _kept(job: Job, run_id: str, result: Any, talk: Talk, store: Writer) -> bool:
    return job.keep(store, run_id, result, talk)


def _reused(job: Job, run_id: str, store: Writer) -> None:
    job.reuse(store, run_id)


def _put_failure(failure: Failure, store: Writer) -> None:
    store.put_failure(failure)


async def _call(provider: Provider, request: Request) -> Reply:
    """One call. A fault of the code on its way, ours or a client's, costs the call, not the run.

    Raises
    ------
    CallError
        Of the kind ``bug``, with the exception's type and place.
    """
    try:
        return await provider.complete(request)
    except JudgebenchError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is recorded as what it is
        what = excerpt(f"{type(error).__name__}: {error}".rstrip(": "), 300, None)
        where = _place_of(error)
    # Raised here: the chain would hold the request, and keys of the client.
    raise CallError(f"{what} (at {where})", retriable=False, kind="bug")


def _place_of(error: BaseException) -> str:
    """Where it was raised, and through which line of judgebench, as ``package/file.py:LINE``."""
    frames = traceback.extract_tb(error.__traceback__)
    package = Path(__file__).parents[1]
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(package)]
    last, through = frames[-1], ours[-1]  # `_call` is one of ours
    place = f"{_in_its_package(last.filename)}:{last.lineno}"
    if last is through:
        return place
    return f"{place}, from {_in_its_package(through.filename)}:{through.lineno}"


def _in_its_package(filename: str) -> str:
    """A path from the folder that its package lies in: nobody's home is told."""
    roots = [root for root in sys.path if root and Path(filename).is_relative_to(root)]
    parts = Path(filename).parts[-2:]
    return str(Path(filename).relative_to(max(roots, key=len)) if roots else Path(*parts))
