"""Judging: the next case when a slot is free, one commit a judgment.

The only place beside ``providers/`` that knows about asyncio.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from judgebench import keys
from judgebench.errors import CallError, JudgebenchError, ProviderUnavailableError
from judgebench.protocols import Judge, Progress, Provider, Writer
from judgebench.records import (
    Boundary,
    Case,
    Failure,
    Judgment,
    Place,
    Unreadable,
    Use,
    Verdict,
)

#: Statuses that every further call of the same judge would get as well.
HOPELESS = frozenset({401, 403, 404})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One elementary judgment to be had, and every place of this run that it serves."""

    key: bytes
    judge: Judge
    case: Case
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A judge with the questions put to it and the door to whoever answers them."""

    name: str
    questions: Sequence[Question]
    provider: Provider | None = None
    slots: int = 1


@dataclass(slots=True)
class Tally:
    """What came of the questions of one judge."""

    judged: int = 0
    unreadable: int = 0
    failed: int = 0
    stopped: str | None = None


def judge_all(
    benches: Sequence[Bench],
    *,
    store: Writer,
    run_id: str,
    progress: Progress,
    close: Callable[[], Awaitable[None]] | None = None,
) -> dict[str, Tally]:
    """Judge every question; returns what came of it, by the judge's name.

    The benches run side by side, each with its own number of slots. A first Ctrl-C (or SIGTERM)
    starts nothing new and waits for the replies under way, since they are paid for; a second one
    leaves at once. What failed is in the store as a failure and is asked again next time.
    ``close`` ends connections and servers, however the judging ended.

    Raises
    ------
    KeyboardInterrupt
        After an interrupt, once everything that came back is stored.
    """
    try:
        return asyncio.run(_judge_all(benches, store, run_id, progress, close))
    except BaseExceptionGroup as group:
        raise _first(group) from None


async def _judge_all(
    benches: Sequence[Bench],
    store: Writer,
    run_id: str,
    progress: Progress,
    close: Callable[[], Awaitable[None]] | None,
) -> dict[str, Tally]:
    stop = asyncio.Event()
    tallies = {bench.name: Tally() for bench in benches}
    try:
        with _interrupts(stop, progress):
            async with asyncio.TaskGroup() as group:
                for bench in benches:
                    work = _Bench(bench, tallies[bench.name], store, run_id, progress, stop)
                    group.create_task(work.run())
    finally:
        if close is not None:
            await close()
    if stop.is_set():
        raise KeyboardInterrupt
    return tallies


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The exception that ended a task group, without the groups around it."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


@contextmanager
def _interrupts(stop: asyncio.Event, progress: Progress) -> Iterator[None]:
    """First signal: stop taking new questions. Second: cancel what is under way."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()

    def interrupted() -> None:
        if stop.is_set() and main is not None:
            main.cancel()
            return
        stop.set()
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
        raise KeyboardInterrupt from None
    finally:
        for number, was in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, was or signal.SIG_DFL)


class _Bench:
    """One judge at work: slots that take the next question until none is left."""

    def __init__(
        self,
        bench: Bench,
        tally: Tally,
        store: Writer,
        run_id: str,
        progress: Progress,
        stop: asyncio.Event,
    ) -> None:
        self.bench = bench
        self.tally = tally
        self.store = store
        self.run_id = run_id
        self.progress = progress
        self.stop = stop
        self.queue = deque(bench.questions)
        self.in_a_row = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.bench.slots, len(self.queue))):
                group.create_task(self._slot())

    async def _slot(self) -> None:
        while self.queue and self.tally.stopped is None and not self.stop.is_set():
            await self._answer(self.queue.popleft())
            await asyncio.sleep(0)  # a judge that asks nobody must not keep the others waiting

    async def _answer(self, question: Question) -> None:
        try:
            judgment = await self._judgment(question)
        except CallError as error:
            self._failed(question, "provider", str(error), error.retriable, error.attempts)
            self._give_up_where_hopeless(error)
        except ProviderUnavailableError as error:
            self._failed(question, "provider", str(error), True)
            self.tally.stopped = self.tally.stopped or str(error)
        except JudgebenchError:  # the store cannot be written, say: nothing more can be kept
            raise
        except Exception as error:  # noqa: BLE001 - a faulty judge costs its verdict, not the run
            self._failed(question, "reader", f"{type(error).__name__}: {error}", False)
        else:
            uses = [
                Use(run_id=self.run_id, place=place, judgment_key=judgment.key)
                for place in question.places
            ]
            self.store.put_judgment(judgment, uses)
            self.in_a_row = 0
            self.tally.judged += 1
            self.tally.unreadable += isinstance(judgment.verdict, Unreadable)
            self.progress.advance()

    async def _judgment(self, question: Question) -> Judgment:
        dialogue = question.judge.judge(question.case)
        reply_keys: list[bytes] = []
        served: str | None = None
        try:
            request = next(dialogue)
            while True:
                if self.bench.provider is None:
                    raise RuntimeError(f"judge {self.bench.name!r} asks, but has no provider")
                reply = await self.bench.provider.complete(request)
                reply_keys.append(keys.request_key(request))
                served = reply.served_model or served
                request = dialogue.send(reply)
        except StopIteration as end:
            verdict: Verdict = end.value
        return Judgment(
            key=question.key,
            judge_key=question.places[0].judge_key,
            case_key=keys.case_key(question.case),
            verdict=verdict,
            reply_keys=tuple(reply_keys),
            served_model=served,
            at=time.time(),
        )

    def _failed(
        self,
        question: Question,
        boundary: Boundary,
        message: str,
        retriable: bool,
        attempts: int = 1,
    ) -> None:
        for place in question.places:
            failure = Failure(
                key=question.key,
                boundary=boundary,
                message=message,
                retriable=retriable,
                attempts=attempts,
                place=place,
                at=time.time(),
            )
            self.store.put_failure(failure)
        self.tally.failed += 1
        self.progress.advance(failed=True)

    def _give_up_where_hopeless(self, error: CallError) -> None:
        """Stop asking a judge that cannot answer: a thousand time-outs help nobody."""
        self.in_a_row += 1
        enough = max(10, 2 * self.bench.slots)
        if error.status in HOPELESS:
            self.tally.stopped = str(error)
        elif self.in_a_row >= enough:
            self.tally.stopped = f"{self.in_a_row} calls in a row failed; the last: {error}"
