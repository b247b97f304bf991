"""Retrying, limiting, recording and stacking, with a scripted provider and no waiting."""

from __future__ import annotations

import asyncio
import pickle
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from judgebench.config import Endpoint, ServerConfig
from judgebench.errors import (
    MAY_WAIT,
    CallError,
    ConfigError,
    StoreBusyError,
    StoreError,
    StoreFullError,
    StoreGoneError,
)
from judgebench.keys import request_key
from judgebench.providers import replay
from judgebench.providers.base import Counts, WindingDownError
from judgebench.providers.compose import Providers
from judgebench.providers.http_errors import Call, excerpt, retry_after_s, status_error
from judgebench.providers.rate_limit import RateLimit, Retry
from judgebench.providers.replay import Replay
from judgebench.records import (
    ChatRequest,
    Message,
    Price,
    Purpose,
    Reply,
    Request,
    Spend,
    Usage,
    VerdictSlot,
)
from judgebench.secret import Secret, redact
from tests.loopback import Loopback
from tests.scripted import Scripted
from tests.table import over_rows
from tests.written import WrittenAtOnce


def question(text: str = "q", sample: int = 0) -> ChatRequest:
    messages = (Message(role="user", content=text),)
    return ChatRequest(provider="openai_compatible", model="m", messages=messages, sample=sample)


def endpoint(url: str | None, **options: Any) -> Endpoint:
    return Endpoint(provider="openai_compatible", model="m", base_url=url, **options)


class Memory(WrittenAtOnce):
    """Replies in memory; ``order`` says what happened when."""

    def __init__(self) -> None:
        self.kept: dict[bytes, Reply] = {}
        self.spends: list[Spend] = []
        self.order: list[str] = []

    def reply(self, key: bytes) -> Reply | None:
        return self.kept.get(key)

    def put_reply(
        self,
        key: bytes,
        request: Request,
        reply: Reply,
        spend: Spend | None = None,
        asked: str | None = None,
    ) -> None:
        self.order.append(f"kept {reply.text}")
        self.kept[key] = reply
        self.spends += [spend] if spend is not None else []

    def put_spend(self, spends: Sequence[Spend]) -> None:
        self.order.append(f"kept {len(spends)} spends")
        self.spends += spends


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def retrying(
    answers: Sequence[Reply | CallError], **options: float
) -> tuple[Callable[[], Reply], Clock, Scripted]:
    clock, left = Clock(), list(answers)
    inner = Scripted(lambda _: left.pop(0) if len(left) > 1 else left[0])
    provider = Retry(inner, sleep=clock.sleep, clock=clock, **options)  # type: ignore[arg-type]
    return lambda: asyncio.run(provider.complete(question())), clock, inner


def busy(retry_after_s: float | None = None) -> CallError:
    return CallError("busy", retriable=True, retry_after_s=retry_after_s, status=429)


def test_asked_again_until_it_answers() -> None:
    ask, clock, inner = retrying([busy(), busy(), Reply(text="at last")])
    assert ask().text == "at last"
    assert len(inner.asked) == 3
    assert 0.25 <= clock.slept[0] <= 0.5
    assert 0.5 <= clock.slept[1] <= 1.0


def test_what_cannot_help_is_not_asked_again() -> None:
    ask, clock, inner = retrying([CallError("no such model", retriable=False, status=404)])
    with pytest.raises(CallError, match=r"^no such model$") as caught:
        ask()
    assert (caught.value.attempts, caught.value.status) == (1, 404)
    assert (len(inner.asked), clock.slept) == (1, [])


def test_the_last_failure_is_told_whole() -> None:
    charged = Usage(prompt_tokens=3)
    error = CallError(
        "half", retriable=True, retry_after_s=1.0, status=502, kind="bad_answer", charged=charged
    )
    ask, _, inner = retrying([error], max_tries=3)
    with pytest.raises(CallError, match=r"^half; given up after 3 tries$") as caught:
        ask()
    told = caught.value
    assert (told.kind, told.charged, told.retry_after_s) == ("bad_answer", charged, 1.0)
    assert (told.status, told.attempts, len(inner.asked)) == (502, 3, 3)


def test_given_up_after_so_many_tries() -> None:
    ask, clock, inner = retrying([busy()], max_tries=5, max_wait_s=1.5)
    with pytest.raises(CallError, match="busy; given up after 5 tries") as caught:
        ask()
    error = caught.value
    assert (error.attempts, error.retriable, error.status) == (5, True, 429)
    assert len(inner.asked) == 5
    assert max(clock.slept) <= 1.5


def test_one_try_is_one_try() -> None:
    ask, clock, inner = retrying([busy()], max_tries=1)
    with pytest.raises(CallError, match=r"after 1 try$"):
        ask()
    assert (len(inner.asked), clock.slept) == (1, [])


def test_retry_after_is_honoured() -> None:
    ask, clock, _ = retrying([busy(7.0), Reply(text="x")])
    ask()
    assert 7.0 <= clock.slept[0] <= 7.5


@over_rows(("limit", "asked"), [({}, 60.0), ({"max_wait_s": 5.0}, 5.0)])
def test_the_longest_wait_that_is_allowed_is_waited_for(
    limit: dict[str, float], asked: float
) -> None:
    ask, clock, _ = retrying([busy(asked), Reply(text="at last")], **limit)
    assert ask().text == "at last"
    assert asked <= clock.slept[0] <= asked + 0.5


def test_the_last_attempt_may_start_when_the_minutes_are_over_and_no_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: low)
    for minutes, tries in ((1.0, 3), (0.99, 2)):
        ask, clock, inner = retrying([busy(30.0)], max_tries=3, max_minutes=minutes)
        with pytest.raises(CallError, match="given up"):
            ask()
        assert (len(inner.asked), clock.now) == (tries, 30.0 * (tries - 1))


@over_rows("asked", [61.0, 86_400.0, float("inf")])
def test_an_absurd_retry_after_is_not_waited_for(asked: float) -> None:
    ask, clock, inner = retrying([busy(asked)])
    with pytest.raises(CallError, match=r"asks to wait .* run again later") as caught:
        ask()
    assert (clock.slept, len(inner.asked), caught.value.attempts) == ([], 1, 1)
    assert caught.value.retriable


def test_given_up_after_so_many_minutes() -> None:
    ask, clock, _ = retrying([busy(30.0)], max_tries=1000, max_minutes=2)
    with pytest.raises(CallError, match="in 2 minutes"):
        ask()
    assert clock.now <= 120


def test_at_the_end_of_a_run_nothing_is_asked_again_and_nobody_waits() -> None:
    async def run() -> None:
        inner = Scripted(lambda _: busy(30.0))
        provider = Retry(inner)
        calls = [asyncio.create_task(provider.complete(question(str(n)))) for n in range(3)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(inner.asked) == 3
        provider.wind_down()
        async with asyncio.timeout(5):
            ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(end) for end in ends] == 3 * [WindingDownError]
        assert len(inner.asked) == 3

    asyncio.run(run())


def test_an_unforeseen_error_is_let_through_at_once() -> None:
    def script(_: Request) -> Reply:
        raise ZeroDivisionError

    clock = Clock()
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Retry(Scripted(script), sleep=clock.sleep).complete(question()))
    assert clock.slept == []


def test_concurrent_calls_keep_their_own_count() -> None:
    seen: dict[str, int] = {}

    def script(request: Request) -> Reply | CallError:
        text = request.messages[-1].content
        seen[text] = seen.get(text, 0) + 1
        return busy() if seen[text] <= int(text) else Reply(text=text)

    async def run() -> list[Reply]:
        async def sleep(_: float) -> None:
            await asyncio.sleep(0)

        provider = Retry(Scripted(script), sleep=sleep)
        return await asyncio.gather(*(provider.complete(question(str(i))) for i in range(5)))

    assert [reply.text for reply in asyncio.run(run())] == ["0", "1", "2", "3", "4"]
    assert seen == {"0": 1, "1": 2, "2": 3, "3": 4, "4": 5}


class Gate:
    """An inner provider that answers when it is told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.inside = 0
        self.most = 0
        self.asked = 0
        self.cancelled = 0

    async def complete(self, request: Request) -> Reply:
        self.asked += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.inside -= 1
        return Reply(text=request.messages[-1].content)

    async def close(self) -> None:
        return


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_no_more_than_so_many_at_once() -> None:
    async def run() -> Gate:
        gate = Gate()
        provider = RateLimit(gate, 3)
        gate.open.set()
        await provider.complete(question("the first one is alone"))
        gate.open.clear()
        calls = [asyncio.create_task(provider.complete(question(str(i)))) for i in range(9)]
        await settle()
        assert gate.inside == 3
        calls[1].cancel()  # frees its slot
        await settle()
        assert gate.inside == 3
        gate.open.set()
        await asyncio.gather(*calls, return_exceptions=True)
        return gate

    gate = asyncio.run(run())
    assert (gate.most, gate.asked) == (3, 10)


def test_a_wait_between_attempts_holds_no_slot() -> None:
    async def run() -> list[str]:
        order: list[str] = []

        def script(request: Request) -> Reply | CallError:
            text = request.messages[-1].content
            order.append(text)
            return busy() if text == "first" and order.count("first") == 1 else Reply(text=text)

        released = asyncio.Event()

        async def sleep(_: float) -> None:
            await released.wait()

        provider = Retry(RateLimit(Scripted(script), 1), sleep=sleep)
        first = asyncio.create_task(provider.complete(question("first")))
        await settle()
        await provider.complete(question("second"))
        released.set()
        await first
        return order

    assert asyncio.run(run()) == ["first", "second", "first"]


def test_a_recorded_reply_is_not_asked_for_again() -> None:
    memory = Memory()
    inner = Scripted(lambda r: Reply(text=r.messages[-1].content))

    async def run() -> Counts:
        provider = Replay(inner, memory)
        await provider.complete(question("a"))
        await provider.complete(question("a"))
        await provider.complete(question("a", sample=1))
        return provider.counts

    assert asyncio.run(run()) == Counts(sent=2, recorded=1)
    assert len(inner.asked) == 2
    assert set(memory.kept) == {request_key(question("a")), request_key(question("a", sample=1))}


def test_a_reply_is_kept_before_anybody_sees_it() -> None:
    memory = Memory()

    async def run() -> None:
        provider = Replay(Scripted(lambda _: Reply(text="r")), memory)
        await provider.complete(question())
        memory.order.append("seen r")

    asyncio.run(run())
    assert memory.order == ["kept r", "seen r"]


def test_the_same_question_in_flight_is_sent_once() -> None:
    async def run() -> tuple[list[Reply], Gate, Counts]:
        gate = Gate()
        provider = Replay(gate, Memory())
        calls = [asyncio.create_task(provider.complete(question())) for _ in range(20)]
        await settle()
        gate.open.set()
        return await asyncio.gather(*calls), gate, provider.counts

    replies, gate, counts = asyncio.run(run())
    assert {reply.text for reply in replies} == {"q"}
    assert gate.asked == 1
    assert counts == Counts(sent=1, recorded=19)


def test_a_shared_question_outlives_the_one_who_asked_first() -> None:
    async def run() -> tuple[Reply, Gate]:
        gate = Gate()
        provider = Replay(gate, Memory())
        first = asyncio.create_task(provider.complete(question()))
        second = asyncio.create_task(provider.complete(question()))
        await settle()
        first.cancel()
        await settle()
        gate.open.set()
        return await second, gate

    reply, gate = asyncio.run(run())
    assert (reply.text, gate.asked, gate.cancelled) == ("q", 1, 0)


def test_a_question_that_nobody_waits_for_is_taken_back_and_can_be_asked_anew() -> None:
    async def run() -> tuple[Reply, Gate]:
        gate = Gate()
        provider = Replay(gate, Memory())
        call = asyncio.create_task(provider.complete(question()))
        await settle()
        call.cancel()
        await asyncio.sleep(0)  # told, but not yet ended
        again = asyncio.create_task(provider.complete(question()))
        await settle()
        gate.open.set()
        return await again, gate

    reply, gate = asyncio.run(run())
    assert (reply.text, gate.asked, gate.cancelled) == ("q", 2, 1)


def test_a_failure_reaches_all_who_wait_and_is_not_recorded() -> None:
    memory = Memory()

    async def run() -> Counts:
        provider = Replay(Scripted(lambda _: busy()), memory)
        calls = (provider.complete(question()) for _ in range(3))
        failed = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(error, CallError) for error in failed)
        return provider.counts

    assert asyncio.run(run()) == Counts()
    assert memory.kept == {}


def purposed(text: str, item: str, run: str = "r1") -> ChatRequest:
    place = VerdictSlot(benchmark="b", version="1", item_id=item, model_key=b"m", judge_key=b"j")
    return replace(question(text), purpose=Purpose(run_id=run, place=place))


def test_what_a_reply_took_is_kept_with_it() -> None:
    memory = Memory()
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=500_000, cached_tokens=400_000)
    price = Price(input=2.0, cached_input=0.5, output=8.0)

    async def run() -> None:
        provider = Replay(Scripted(lambda _: Reply(text="r", usage=usage)), memory, price=price)
        await provider.complete(purposed("q", "1"))
        await provider.complete(question("nobody said what for"))
        await provider.close()

    asyncio.run(run())
    (spend,) = memory.spends
    assert (spend.how, spend.calls, spend.usage) == ("live", 1, usage)
    assert spend.cost_usd == pytest.approx(0.6 * 2.0 + 0.4 * 0.5 + 0.5 * 8.0)
    assert (spend.provider, spend.model) == ("openai_compatible", "m")


def test_what_the_record_saved_is_added_up_and_kept_at_the_end() -> None:
    memory = Memory()
    usage = Usage(prompt_tokens=100, completion_tokens=10)

    async def run() -> None:
        provider = Replay(
            Scripted(lambda _: Reply(text="r", usage=usage)),
            memory,
            price=Price(input=1.0, output=1.0),
        )
        for item in ("1", "2", "3"):
            await provider.complete(purposed("q", item))
        await provider.complete(purposed("q", "1", run="r2"))
        assert memory.order == ["kept r"]
        await provider.close()
        await provider.close()

    asyncio.run(run())
    assert memory.order == ["kept r", "kept 2 spends"]
    saved = {spend.purpose.run_id: spend for spend in memory.spends if spend.how == "recorded"}
    assert saved["r1"].calls == 2
    assert saved["r1"].usage == Usage(prompt_tokens=200, completion_tokens=20)
    assert saved["r1"].cost_usd == pytest.approx(220e-6)
    assert saved["r2"].calls == 1


def test_what_has_no_price_has_no_cost_and_a_purpose_is_no_part_of_the_key() -> None:
    memory = Memory()

    async def run() -> Counts:
        provider = Replay(Scripted(lambda _: Reply(text="r")), memory)
        calls = [provider.complete(purposed("q", item)) for item in ("1", "2")]
        await asyncio.gather(*calls)
        await provider.close()
        return provider.counts

    assert asyncio.run(run()) == Counts(sent=1, recorded=1)
    assert [(spend.how, spend.cost_usd) for spend in memory.spends] == [
        ("live", None),
        ("recorded", None),
    ]


def test_connections_are_closed_even_where_nothing_can_be_kept() -> None:
    class Full(Memory):
        def put_spend(self, spends: Sequence[Spend]) -> None:
            raise StoreError("the disk is full")

    inner = Scripted(lambda _: Reply(text="r"))

    async def run() -> None:
        provider = Replay(inner, Full())
        await provider.complete(purposed("q", "1"))
        await provider.complete(purposed("q", "2"))
        await provider.close()

    with pytest.raises(StoreError):
        asyncio.run(run())
    assert inner.closed


def test_closing_takes_back_what_is_under_way() -> None:
    async def run() -> Gate:
        gate = Gate()
        provider = Replay(gate, Memory())
        call = asyncio.create_task(provider.complete(question()))
        await settle()
        await provider.close()
        with pytest.raises(asyncio.CancelledError):
            await call
        return gate

    assert asyncio.run(run()).cancelled == 1


def test_judges_of_one_server_share_a_stack_and_its_limit() -> None:
    with Loopback(delay_s=0.01) as server:

        async def run() -> Counts:
            providers = Providers(Memory())
            try:
                one = providers.get(endpoint(server.url, max_connections=2))
                two = providers.get(endpoint(server.url, max_connections=2))
                other = providers.get(endpoint(server.url, max_connections=2, identity="x"))
                assert one is two
                assert one is not other
                await asyncio.gather(*(one.complete(question(str(i))) for i in range(9)))
                return providers.counts
            finally:
                await providers.close()

        assert asyncio.run(run()) == Counts(sent=9)
        assert server.most_in_flight == 2


def test_the_whole_stack_gets_over_a_bad_minute() -> None:
    with Loopback(mode="rate_limit", times=2) as server:

        async def run() -> tuple[Reply, Counts]:
            providers = Providers(Memory())
            try:
                stack = providers.get(endpoint(server.url))
                return await stack.complete(question()), providers.counts
            finally:
                await providers.close()

        reply, counts = asyncio.run(run())
    assert reply.text in {"correct", "incorrect"}
    assert counts == Counts(sent=1)


def test_an_unknown_provider_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'openai_compatible'"):
        Providers(Memory()).get(
            Endpoint(provider="openai_compatibel", model="m", base_url="http://127.0.0.1/v1")
        )


@over_rows("url", [None, "127.0.0.1:{port}", "http://u:p@127.0.0.1:{port}/v1"])
def test_a_server_needs_an_address(url: str | None) -> None:
    with pytest.raises((ConfigError, ValueError), match="base_url"):
        Providers(Memory()).get(endpoint(url, server=ServerConfig(command=["true"])))


NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@over_rows(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90.0),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=90), usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e400"}, float("inf")),
        ({"retry-after": "Wed, 99 Nov 2026 99:00:00 GMT"}, None),
    ],
)
def test_what_a_server_asks_to_wait(headers: dict[str, str], wait: float | None) -> None:
    assert retry_after_s(headers, now=NOW.timestamp()) == wait


@over_rows(
    ("status", "retriable"),
    [
        (400, False),
        (402, False),
        (408, True),
        (409, True),
        (413, False),
        (418, False),
        (422, False),
        (425, True),
        (429, True),
        (499, False),
        (500, True),
        (501, False),
        (529, True),
        (599, True),
    ],
)
def test_which_status_may_pass(status: int, retriable: bool) -> None:
    error = status_error(status, {}, b"", Call("http://x/v1", "m"))
    assert error.retriable is retriable
    assert str(status) in str(error)


@over_rows(
    "body",
    [
        b'{"error": {"message": "why"}}',
        b'{"error": "why"}',
        b'{"detail": "why"}',
        b'{"message": "why"}',
        b'["why"]',
        b"why",
    ],
)
def test_the_servers_words_are_found(body: bytes) -> None:
    error = status_error(500, {}, body, Call("http://x/v1", "m"))
    assert "why" in str(error)
    assert "{" not in str(error)


def test_an_excerpt_is_one_printable_line() -> None:
    assert excerpt("a\n\tb\x1b[2J\u202ec", 80, None) == "a b [2J c"
    assert excerpt("x" * 500, 10, None) == "x" * 9 + "…"


def test_a_secret_never_shows() -> None:
    key = Secret("sk-0123456789abcdef")
    for shown in (str(key), repr(key), f"{key}", f"{key:>10}", "%s" % key, repr({"k": key})):  # noqa: UP031
        assert "0123" not in shown
    assert key == Secret("sk-0123456789abcdef")
    assert key.reveal() == "sk-0123456789abcdef"
    with pytest.raises(TypeError, match="environment"):
        pickle.dumps(key)


@over_rows(
    "text",
    [
        "sk-proj-abcdefghijklmnop",
        "hf_abcdefghijklmnop",
        "Authorization: Bearer abc.def",
        "AIzaabcdefghijklmnopqrstuvwxyz",
        "pass: my own secret",
    ],
)
def test_what_looks_like_a_key_is_taken_out(text: str) -> None:
    assert "abc" not in redact(text)
    assert "my own secret" not in redact(text, [Secret("my own secret"), None])


def test_the_loop_goes_on_while_a_store_cannot_be_looked_into(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay, "GONE_S", 0.01)
    errors: list[StoreError] = [
        StoreGoneError("the server does not answer"),
        StoreBusyError("others write"),
        StoreFullError("the disk is full", again=True),
    ]
    ticks = [0]

    def do() -> str:
        assert not MAY_WAIT.get()
        if errors:
            raise errors.pop()
        return "found"

    async def run() -> str:
        async def tick() -> None:
            while True:
                ticks[0] += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        found = await replay.look(do)
        ticking.cancel()
        return found

    assert asyncio.run(run()) == "found"
    assert ticks[0] > 3

    def full() -> None:
        raise StoreFullError("no room at all", again=False)

    with pytest.raises(StoreFullError, match="no room at all"):
        asyncio.run(replay.look(full))
