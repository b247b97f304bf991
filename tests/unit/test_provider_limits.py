"""What passes a door: calls at a time, requests and tokens a minute, the first one alone."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from judgebench.errors import CallError
from judgebench.protocols import Provider
from judgebench.providers.base import NotSentError, WindingDownError
from judgebench.providers.rate_limit import Gate, Outcome, RateLimit, gate_for
from judgebench.records import ChatRequest, Message, Reply, Request, Usage
from tests.scripted import Scripted
from tests.table import over_rows
from tests.unit import virtual_time
from tests.unit.virtual_time import clock


def question(text: str = "q") -> ChatRequest:
    messages = (Message(role="user", content=text),)
    return ChatRequest(provider="p", model="m", messages=messages)


NOBODY = Scripted(lambda _: Reply(text="r"))


def limiter(most: int, inner: Provider = NOBODY, **limits: Any) -> RateLimit:
    return RateLimit(inner, most, **{"gate": Gate(clock)} | limits)


def at(door: bytes, most: int, **limits: float) -> RateLimit:
    return limiter(most, gate=gate_for(door), **limits)


async def enter(limit: RateLimit, tokens: int = 0) -> int:
    await limit.gate.line.turn(lambda: limit.gate.take(limit, tokens))
    return tokens


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def calls(
    limit: RateLimit, n: int, *, takes_s: float = 0.0, tokens: int = 0, used: int | None = None
) -> list[float]:
    """When each of n calls that want to start at once starts."""
    starts: list[float] = []

    async def call() -> None:
        slot = await enter(limit, tokens)
        starts.append(clock())
        await asyncio.sleep(takes_s)
        limit.gate.leave(slot, "answered", tokens=tokens if used is None else used)

    await asyncio.gather(*(call() for _ in range(n)))
    return starts


def most_in_a_minute(starts: list[float]) -> int:
    return max(sum(1 for other in starts if start <= other < start + 60) for start in starts)


# Calls at a time --------------------------------------------------------------------------------


def test_calls_start_in_the_order_in_which_they_came() -> None:
    async def main() -> list[int]:
        limit, order = limiter(2), []

        async def call(n: int) -> None:
            slot = await enter(limit)
            order.append(n)
            await asyncio.sleep(1)
            limit.gate.leave(slot, "answered")

        await asyncio.gather(*(call(n) for n in range(20)))
        assert clock() == pytest.approx(10)
        return order

    assert virtual_time.run(main()) == list(range(20))


@over_rows("place", [0, 1, 5])
def test_who_is_cancelled_gives_its_place_back(place: int) -> None:
    async def main() -> None:
        limit = limiter(1)
        inside = await enter(limit)
        waiting = [asyncio.create_task(enter(limit)) for _ in range(6)]
        await settle()
        waiting[place].cancel()
        limit.gate.leave(inside, "answered")
        for n, task in enumerate(waiting):
            if n != place:
                limit.gate.leave(await task, "answered")
        assert waiting[place].cancelled()
        limit.gate.leave(await enter(limit), "answered")

    virtual_time.run(main())


def test_one_that_is_cancelled_when_it_may_enter_does_not_keep_the_slot() -> None:
    async def main() -> None:
        limit = limiter(1)
        inside = await enter(limit)
        first, second = (asyncio.create_task(enter(limit)) for _ in range(2))
        await settle()
        limit.gate.leave(inside, "answered")  # calls the first
        first.cancel()  # before it ran
        limit.gate.leave(await second, "answered")
        assert first.cancelled()

    virtual_time.run(main())


def test_where_all_that_are_under_way_are_turned_away_half_as_many_may_follow() -> None:
    async def main() -> None:
        limit = limiter(16)
        for allowed in (8, 4):
            slots = [await enter(limit) for _ in range(2 * allowed)]
            for slot in slots:
                limit.gate.leave(slot, "overloaded")
            assert limit.gate.allowed == allowed
        limit.gate.leave(await enter(limit), "failed")
        assert limit.gate.allowed == 4

    virtual_time.run(main())


def test_where_few_are_turned_away_whatever_the_load_many_may_be_under_way() -> None:
    """One in twenty at random: 2 · 0.95 / 0.05 = 38 win back as much as is lost."""

    async def main() -> float:
        draw, limit, inside = random.Random(5), limiter(64), []

        async def call() -> None:
            slot = await enter(limit)
            inside.append(limit.gate.allowed)
            await asyncio.sleep(1)
            limit.gate.leave(slot, "overloaded" if draw.random() < 0.05 else "answered")

        await asyncio.gather(*(call() for _ in range(8000)))
        return sum(inside[2000:]) / 6000

    assert virtual_time.run(main()) == pytest.approx(38, abs=6)


def test_where_more_come_than_can_be_served_hardly_more_are_sent() -> None:
    async def main() -> tuple[int, float]:
        limit, inside, turned_away = limiter(64), 0, 0

        async def call() -> None:
            nonlocal inside, turned_away
            slot = await enter(limit)
            inside += 1
            served = inside <= 10
            await asyncio.sleep(1)
            inside -= 1
            turned_away += not served
            limit.gate.leave(slot, "answered" if served else "overloaded")

        await asyncio.gather(*(call() for _ in range(2000)))
        return turned_away, clock()

    turned_away, took_s = virtual_time.run(main())
    assert turned_away < 500
    assert took_s < 220  # at best 200


def test_successes_win_back_what_was_allowed_and_no_more() -> None:
    async def main() -> None:
        limit = limiter(4)
        for _ in range(4):
            limit.gate.leave(await enter(limit), "overloaded")
        assert limit.gate.allowed == 2
        allowed = []
        for _ in range(20):
            limit.gate.leave(await enter(limit), "answered")
            allowed.append(limit.gate.allowed)
        assert allowed[0] == 2.5
        assert allowed[1] == pytest.approx(2.9)
        assert allowed[-1] == 4

    virtual_time.run(main())


def test_at_the_end_of_a_run_nobody_enters_any_more_and_others_do() -> None:
    async def main() -> None:
        gate = Gate(clock)
        ours, theirs = limiter(1, gate=gate), limiter(1, gate=gate)
        inside = await enter(theirs)
        waiting = [asyncio.create_task(enter(limit)) for limit in (ours, ours, theirs)]
        await settle()
        ours.wind_down()
        with pytest.raises(WindingDownError):
            await waiting[0]
        with pytest.raises(WindingDownError):
            await waiting[1]
        with pytest.raises(WindingDownError):
            await ours.complete(question())
        assert not waiting[2].done()
        theirs.gate.leave(inside, "answered")
        theirs.gate.leave(await waiting[2], "answered")

    virtual_time.run(main())


def test_what_is_allowed_never_falls_below_one() -> None:
    async def main() -> None:
        limit = limiter(3)
        for _ in range(10):
            limit.gate.leave(await enter(limit), "overloaded")
        assert limit.gate.allowed == 1

    virtual_time.run(main())


def test_a_pause_that_the_other_side_asks_for_holds_for_everybody_and_not_for_ever() -> None:
    async def main() -> list[float]:
        limit = limiter(4)
        limit.gate.leave(await enter(limit), "overloaded", pause_s=7)
        starts = await calls(limit, 2)
        limit.gate.leave(await enter(limit), "overloaded", pause_s=86_400)
        return starts + await calls(limit, 1)

    assert virtual_time.run(main()) == pytest.approx([7, 7, 7])


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    async def main() -> list[float]:
        limit = limiter(4)
        slots = [await enter(limit) for _ in range(2)]
        for slot, pause_s in zip(slots, (9, 2), strict=True):
            limit.gate.leave(slot, "overloaded", pause_s=pause_s)
        return await calls(limit, 1)

    assert virtual_time.run(main()) == pytest.approx([9])


# A minute ---------------------------------------------------------------------------------------


@over_rows("rate", [1, 6, 60, 90, 600])
def test_no_minute_has_more_requests_than_are_allowed_and_hardly_fewer(rate: int) -> None:
    starts = virtual_time.run(calls(limiter(10_000, requests_per_minute=rate), 3 * rate))
    assert most_in_a_minute(starts) <= rate
    assert starts[-1] <= 185


def test_tokens_are_reserved_and_settled_with_what_was_used() -> None:
    limit = limiter(1000, tokens_per_minute=6_000)
    as_reserved = virtual_time.run(calls(limit, 11, tokens=1_000))
    limit = limiter(1000, tokens_per_minute=6_000)
    settled = virtual_time.run(calls(limit, 11, tokens=1_000, used=100))
    assert 95 <= as_reserved[-1] <= 105
    assert settled[-1] <= 12


def test_a_call_that_is_larger_than_its_minute_goes_and_the_next_ones_wait_for_it() -> None:
    starts = virtual_time.run(calls(limiter(9, tokens_per_minute=600), 2, tokens=1_200))
    assert starts[0] == 0
    assert 115 <= starts[1] <= 125


def test_a_failed_call_that_was_not_charged_gives_its_tokens_back() -> None:
    def busy(_: Request) -> CallError:
        return CallError("busy", retriable=True, kind="server", status=500)

    async def main() -> float:
        provider = limiter(1, Scripted(busy), tokens_per_minute=600, tokens=lambda _: 600)
        for _ in range(5):
            with pytest.raises(CallError):
                await provider.complete(question())
        return clock()

    assert virtual_time.run(main()) == 0


def test_tokens_are_counted_only_where_they_are_limited() -> None:
    def never(_: Request) -> int:
        raise AssertionError("counted")

    async def main() -> Reply:
        provider = limiter(1, tokens=never)
        return await provider.complete(question())

    assert virtual_time.run(main()).text == "r"


def test_usage_settles_the_tokens_of_a_reply() -> None:
    usage = Usage(prompt_tokens=30, completion_tokens=30)

    async def main() -> float:
        inner = Scripted(lambda _: Reply(text="r", usage=usage))
        provider = limiter(1, inner, tokens_per_minute=600, tokens=lambda _: 600)
        for _ in range(11):
            await provider.complete(question())
        return clock()

    assert 55 <= virtual_time.run(main()) <= 65


# Several runs at one door -----------------------------------------------------------------------


def test_the_lowest_limits_hold_while_their_run_lives() -> None:
    async def main() -> None:
        wide = at(b"one door", 8)
        narrow = at(b"one door", 2, requests_per_minute=60)
        assert at(b"another", 5).gate is not wide.gate
        assert wide.gate is narrow.gate
        assert wide.gate.allowed == 2
        slots = [await enter(wide)]
        waiting = asyncio.create_task(enter(wide))
        await settle()
        assert not waiting.done()  # one request a second
        await narrow.close()
        await settle()
        assert waiting.done()
        assert wide.gate.allowed == 8
        slots += [await waiting, await enter(wide)]
        for slot in slots:
            wide.gate.leave(slot, "answered")
        await wide.close()

    asyncio.run(main())


def test_a_door_that_nobody_uses_is_forgotten() -> None:
    first = at(b"a door", 2)
    gate = id(first.gate)
    assert id(at(b"a door", 2).gate) == gate
    first.gate.allowed = 1.0
    del first
    gc.collect()
    assert at(b"a door", 2).gate.allowed == 2


def test_event_loops_in_several_threads_share_a_door() -> None:
    limit = RateLimit(NOBODY, 3)
    inside: list[int] = []
    most: list[int] = []
    done: list[str] = []

    async def call() -> None:
        slot = await enter(limit)
        inside.append(1)
        most.append(len(inside))
        await asyncio.sleep(0.001)
        inside.pop()
        limit.gate.leave(slot, "answered")

    async def main() -> None:
        await asyncio.gather(*(call() for _ in range(40)))
        done.append(threading.current_thread().name)

    threads = [threading.Thread(target=asyncio.run, args=[main()]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(done) == 4
    assert max(most) <= 3


def test_a_loop_that_ended_while_it_waited_does_not_hold_the_others_up() -> None:
    limit = RateLimit(NOBODY, 1)
    ended = asyncio.new_event_loop()
    inside = ended.run_until_complete(enter(limit))
    waiter = ended.create_task(enter(limit))
    ended.run_until_complete(asyncio.sleep(0))
    waiter._log_destroy_pending = False  # type: ignore[attr-defined]  # that is the very case
    ended.close()
    limit.gate.leave(inside, "answered")

    async def main() -> None:
        limit.gate.leave(await asyncio.wait_for(enter(limit), 5), "answered")

    asyncio.run(main())
    del waiter
    gc.collect()
    asyncio.run(main())


# The first one alone ----------------------------------------------------------------------------


class Held:
    """A provider that answers when told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    async def complete(self, request: Request) -> Reply:
        self.asked += 1
        return await asyncio.shield(self.answer)

    async def close(self) -> None:
        return


def started(provider: Provider, n: int) -> list[asyncio.Task[Reply]]:
    return [asyncio.create_task(provider.complete(question(str(i)))) for i in range(n)]


def in_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    virtual_time.run(main())


def test_no_second_call_is_sent_until_the_first_is_back() -> None:
    async def main() -> None:
        inner = Held()
        waiting = started(limiter(8, inner), 8)
        await settle()
        assert inner.asked == 1
        inner.answer.set_result(Reply(text="r"))
        await asyncio.gather(*waiting)
        assert inner.asked == 8

    in_loop(main)


@over_rows(("kind", "status"), [("key", 401), ("key", 403), ("not_found", 404)])
def test_a_first_call_that_is_refused_is_the_only_one(kind: Any, status: int) -> None:
    async def main() -> None:
        inner = Held()
        provider = limiter(8, inner)
        waiting = started(provider, 8)
        await settle()
        inner.answer.set_exception(CallError("no", retriable=False, kind=kind, status=status))
        failed = await asyncio.gather(
            *waiting, provider.complete(question()), return_exceptions=True
        )
        assert [(type(e), str(e), e.status) for e in failed if isinstance(e, CallError)] == [
            (CallError, "no", status)
        ] * 9
        assert len({id(error) for error in failed}) == 9  # none gathers the tracebacks of others
        assert inner.asked == 1

    in_loop(main)


def test_a_first_call_that_fails_otherwise_opens_the_door() -> None:
    async def main() -> None:
        inner = Held()
        waiting = started(limiter(8, inner), 8)
        await settle()
        inner.answer.set_exception(CallError("busy", retriable=True, kind="server", status=500))
        await asyncio.gather(*waiting, return_exceptions=True)
        assert inner.asked == 8

    in_loop(main)


def test_a_first_call_whose_size_cannot_be_told_keeps_nobody_waiting() -> None:
    def size(request: Any) -> int:
        if request.messages[0].content == "0":
            raise ValueError("no tokenizer takes this")
        return 1

    async def main() -> None:
        inner = Held()
        inner.answer.set_result(Reply(text="r"))
        waiting = started(limiter(8, inner, tokens_per_minute=1000, tokens=size), 3)
        async with asyncio.timeout(60):
            found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in found] == [ValueError, Reply, Reply]

    in_loop(main)


def test_where_the_first_call_is_given_up_the_next_is_the_first() -> None:
    async def main() -> None:
        inner = Held()
        waiting = started(limiter(8, inner), 3)
        await settle()
        waiting[0].cancel()
        await settle()
        assert inner.asked == 2
        inner.answer.set_result(Reply(text="r"))
        assert [r.text for r in await asyncio.gather(*waiting[1:])] == ["r", "r"]

    in_loop(main)


def test_a_call_that_is_cancelled_in_line_says_that_it_was_not_sent() -> None:
    async def main() -> list[type[BaseException]]:
        inner = Held()
        provider = limiter(1, inner)
        raised: list[type[BaseException]] = []

        async def call() -> None:
            try:
                await provider.complete(question())
            except asyncio.CancelledError as error:
                raised.append(type(error))
                raise

        tasks = [asyncio.create_task(call()) for _ in range(2)]
        await settle()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return raised

    assert virtual_time.run(main()) == [asyncio.CancelledError, NotSentError]


@over_rows(
    ("error", "outcome"),
    [
        (CallError("", retriable=True, kind="rate_limit", retry_after_s=3.0), "overloaded"),
        (CallError("", retriable=True, kind="server", status=529), "overloaded"),
        (CallError("", retriable=True, kind="server", status=503), "overloaded"),
        (CallError("", retriable=True, kind="server", status=500), "failed"),
        (CallError("", retriable=True, kind="timeout", charged=Usage()), "failed"),
    ],
)
def test_which_failures_are_signs_of_overload(error: CallError, outcome: Outcome) -> None:
    async def main() -> float:
        limit = limiter(8, Scripted(lambda _: error))
        with pytest.raises(CallError):
            await limit.complete(question())
        assert limit.gate.allowed == (7.5 if outcome == "overloaded" else 8)
        return (await calls(limit, 1))[0]

    assert virtual_time.run(main()) == (error.retry_after_s or 0)
