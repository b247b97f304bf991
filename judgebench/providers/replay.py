"""Ask each question once: replies are kept by the content of the question, as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TypeVar

from judgebench import keys
from judgebench.errors import MAY_WAIT, StoreBusyError, StoreFullError, StoreGoneError, at_once
from judgebench.protocols import Paid, Provider, Replies, Waiting
from judgebench.providers.base import Counts
from judgebench.providers.budget import spend_of
from judgebench.records import Price, Reply, Request, Spend, Usage

_T = TypeVar("_T")

AGAIN_S = 0.005
"""Between two looks into a store, or claims in it, while others write."""

GONE_S = 0.25
"""And while its server does not answer, or its disk is full."""


async def look(do: Callable[[], _T]) -> _T:
    """Look into a store, or claim in it, out of an event loop.

    The loop goes on, and hears Ctrl-C, while others write or a server does not answer.
    """
    waiting: Waiting | None = None
    while True:
        token = MAY_WAIT.set(0.0)  # as `at_once`
        try:
            return do()
        except StoreBusyError as error:
            why, pause_s = str(error), AGAIN_S
        except (StoreGoneError, StoreFullError) as error:
            if isinstance(error, StoreFullError) and not error.again:
                raise
            why, pause_s = str(error), GONE_S
        finally:
            MAY_WAIT.reset(token)
        waiting = waiting or Waiting()
        waiting.goes_on(why)
        await asyncio.sleep(pause_s)


@dataclass(slots=True)
class _Flight:
    """A question under way, and how many wait for its reply."""

    task: asyncio.Task[Reply]
    waiting: int = 0


@dataclass(eq=False)
class Replay:
    """Answers from what is recorded, and records what is not, with what it took.

    A reply is committed before anybody sees it. The same question asked twice at once is sent once;
    it is taken back only when nobody waits for it any more. A failure is not recorded. What the
    record saved is added up, and kept by `close`.

    Parameters
    ----------
    price
        None where it is not known; what calls took then has no cost.
    batched
        Whether a question was put into a batch. Its reply is read from the record for what it was
        paid for, so it saves nothing.
    """

    inner: Provider
    replies: Replies
    counts: Counts = field(default_factory=Counts)
    price: Price | None = field(default=None, kw_only=True)
    batched: Callable[[bytes], bool] | None = field(default=None, kw_only=True)
    _saved: dict[Hashable, Spend] = field(default_factory=dict, init=False)
    _flights: dict[bytes, _Flight] = field(default_factory=dict, init=False)
    _tasks: set[asyncio.Task[Reply]] = field(default_factory=set, init=False)

    async def complete(self, request: Request) -> Reply:
        key, asked = keys.asked(request)
        if key not in self._flights:
            recorded = await look(partial(self.replies.reply, key))
            if recorded is not None:
                return self._saved_by(recorded, key, request)
        flight = self._flights.get(key)  # it may be asked since, while a server was waited for
        asks = flight is None
        if flight is None:
            task = asyncio.create_task(self._send(key, request, asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            flight = self._flights[key] = _Flight(task)
        flight.waiting += 1
        try:
            reply = await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:  # the last to leave; who asks from now on starts anew
                del self._flights[key]
                flight.task.cancel()
        return reply if asks else self._saved_by(reply, key, request)

    async def close(self) -> None:
        """Take back what is under way, keep what was saved, then close what is inside.

        After a second Ctrl-C what was saved is kept only if nobody else writes: it is a statistic,
        and nobody is to wait for it.
        """
        closing = asyncio.current_task()
        leaving = closing is not None and closing.cancelling() > 0
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        saved, self._saved = list(self._saved.values()), {}
        try:
            if saved and leaving:
                with suppress(StoreBusyError), at_once():
                    self.replies.put_spend(saved)
            elif saved:
                await self.replies.submit(lambda store: store.put_spend(saved), asyncio.Future())
        finally:
            await self.inner.close()

    async def _send(self, key: bytes, request: Request, asked: str) -> Reply:
        reply = await self.inner.complete(request)
        cost = None if self.price is None else self.price.cost(reply.usage)
        spend = spend_of(request, reply.usage, "live", cost)
        paid = Paid(key=key, request=request, reply=reply, spend=spend)
        await self.replies.submit(
            lambda store: store.put_reply(key, request, reply, spend, asked),
            asyncio.Future(),
            paid=paid,
        )
        self.counts.sent += 1
        return replace(reply, key=key)

    def _saved_by(self, reply: Reply, key: bytes, request: Request) -> Reply:
        """Add up what the record saved, by run, benchmark, who answers and who judges.

        The places of one such sum are told apart no further, so the first one stands for all.
        """
        reply = replace(reply, key=key)
        self.counts.recorded += 1
        cost = None if self.price is None else self.price.cost(reply.usage)
        if self.batched is not None and self.batched(key):
            cost = 0.0
        spend = spend_of(request, reply.usage, "recorded", cost)
        if spend is None:
            return reply
        place = spend.purpose.place
        group = (
            (spend.purpose.run_id, spend.provider, spend.model),
            (place.benchmark, place.version, place.model_key, place.judge_key),
            spend.cost_usd is None,  # what has no price must not vanish in a sum
        )
        before = self._saved.get(group)
        self._saved[group] = spend if before is None else _sum(before, spend)
        return reply


def _sum(first: Spend, second: Spend) -> Spend:
    usage = {}
    for name in (one.name for one in fields(Usage)):
        known = [n for one in (first, second) if (n := getattr(one.usage, name)) is not None]
        usage[name] = sum(known) if known else None
    cost = None if first.cost_usd is None else first.cost_usd + (second.cost_usd or 0.0)
    return replace(first, usage=Usage(**usage), cost_usd=cost, calls=first.calls + second.calls)
