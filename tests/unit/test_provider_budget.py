"""A run takes no more than it was told to, and everything it took is written down."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from judgebench.config import Endpoint, PriceConfig
from judgebench.errors import BudgetSpentError, CallError, ProviderUnavailableError
from judgebench.protocols import Drawn, Provider
from judgebench.providers.base import NotSentError, WindingDownError
from judgebench.providers.budget import Budget, BudgetGuard, ProjectBudget
from judgebench.providers.compose import Providers
from judgebench.providers.rate_limit import Retry
from judgebench.providers.tokens import ESTIMATE, REPLY_TOKENS_AT_MOST, CallSize
from judgebench.records import (
    ChatRequest,
    Message,
    Price,
    Purpose,
    Reply,
    Request,
    ScoreRequest,
    Spend,
    Usage,
    VerdictSlot,
)
from tests.scripted import Scripted
from tests.table import over_rows
from tests.unit import virtual_time
from tests.written import WrittenAtOnce

DOLLAR_A_TOKEN = Price(input=1e6, output=1e6)
MOST = Usage(prompt_tokens=6, completion_tokens=4)
PURPOSE = Purpose(
    run_id="r",
    place=VerdictSlot(benchmark="b", version="1", item_id="1", model_key=b"", judge_key=b""),
)


def question(text: str = "q", **more: Any) -> ChatRequest:
    messages = (Message(role="user", content=text),)
    return ChatRequest(provider="p", model="m", messages=messages, purpose=PURPOSE, **more)


def used(prompt: int | None, completion: int | None) -> Reply:
    return Reply(text="r", usage=Usage(prompt_tokens=prompt, completion_tokens=completion))


class Ledger(WrittenAtOnce):
    """Spends in memory."""

    def __init__(self) -> None:
        self.spends: list[Spend] = []

    def reply(self, key: bytes) -> Reply | None:
        return None

    def put_reply(
        self,
        key: bytes,
        request: Request,
        reply: Reply,
        spend: Spend | None = None,
        asked: str | None = None,
    ) -> None:
        self.spends += [spend] if spend is not None else []

    def put_spend(self, spends: Sequence[Spend]) -> None:
        self.spends += spends


def budgeted(
    inner: Provider,
    budget: Budget,
    *,
    price: Price | None = DOLLAR_A_TOKEN,
    ledger: Ledger | None = None,
) -> BudgetGuard:
    return BudgetGuard(inner, budget, most=lambda _: MOST, price=price, ledger=ledger)


async def asked(provider: Provider, times: int = 1) -> None:
    for _ in range(times):
        await provider.complete(question())


# Money and tokens -------------------------------------------------------------------------------


def test_calls_are_made_while_the_most_that_the_next_can_cost_is_left() -> None:
    budget = Budget(max_cost_usd=20)
    inner = Scripted(lambda _: used(2, 1))
    with pytest.raises(BudgetSpentError) as caught:
        asyncio.run(asked(budgeted(inner, budget), 100))
    assert len(inner.asked) == 4  # 12 are spent; 10 more could be too much
    assert budget.spent_usd == 12
    assert budget.reserved_usd == 0
    said = str(caught.value)
    assert "$12.0000 of limits.max_cost_usd = $20 are spent" in said
    assert "could cost $10.0000" in said
    assert "everything that came back is kept" in said.lower()
    assert caught.value.exit_code == 75


def test_a_budget_can_be_used_up_to_its_last_cent() -> None:
    budget = Budget(max_cost_usd=1.0)
    price = Price(input=10_000.0, output=10_000.0)  # ten calls of 10 tokens, at 0.1 in floats
    inner = Scripted(lambda _: used(6, 4))
    with pytest.raises(BudgetSpentError):
        asyncio.run(asked(budgeted(inner, budget, price=price), 100))
    assert len(inner.asked) == 10
    assert budget.spent_usd == pytest.approx(1.0)


def test_tokens_are_limited_likewise_and_without_a_price() -> None:
    budget = Budget(max_tokens=25)
    inner = Scripted(lambda _: used(2, 1))
    with pytest.raises(BudgetSpentError, match=r"18 of limits\.max_tokens = 25 tokens are used"):
        asyncio.run(asked(budgeted(inner, budget, price=None), 100))
    assert (len(inner.asked), budget.spent_tokens) == (6, 18)


def test_without_a_limit_nothing_is_counted_before_and_everything_after() -> None:
    def never(_: Request) -> Usage:
        raise AssertionError("counted")

    budget = Budget()
    inner = Scripted(lambda _: used(3, 2))
    provider = BudgetGuard(inner, budget, most=never, price=DOLLAR_A_TOKEN)
    asyncio.run(asked(provider, 3))
    assert (budget.spent_usd, budget.spent_tokens) == (15, 15)


def test_what_was_spent_is_not_known_once_a_price_was_not() -> None:
    budget = Budget()
    asyncio.run(asked(budgeted(Scripted(lambda _: used(3, 2)), budget, price=None)))
    assert (budget.spent_usd, budget.spent_tokens) == (None, 5)


@over_rows(("reply", "spent"), [(used(None, None), 10), (used(2, None), 6), (used(None, 1), 7)])
def test_where_a_server_does_not_say_the_most_is_counted(reply: Reply, spent: int) -> None:
    budget = Budget(max_cost_usd=100)
    asyncio.run(asked(budgeted(Scripted(lambda _: reply), budget)))
    assert (budget.spent_usd, budget.spent_tokens) == (spent, spent)


def test_a_reply_that_took_more_than_it_could_is_counted_in_full() -> None:
    budget = Budget(max_cost_usd=100)
    asyncio.run(asked(budgeted(Scripted(lambda _: used(60, 30)), budget)))
    assert budget.spent_usd == 90


# Several calls under way ------------------------------------------------------------------------


class Slow:
    """Answers after a second with what it is said to have used."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.inside = self.most = self.asked = 0

    async def complete(self, request: Request) -> Reply:
        self.asked += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await asyncio.sleep(1)
        finally:
            self.inside -= 1
        return self.reply

    async def close(self) -> None:
        return


def test_a_call_that_may_fit_later_waits_for_those_under_way() -> None:
    async def main() -> tuple[Slow, int]:
        inner = Slow(used(1, 1))
        provider = budgeted(inner, Budget(max_cost_usd=30))
        done = await asyncio.gather(*(asked(provider) for _ in range(12)), return_exceptions=True)
        return inner, sum(isinstance(error, BudgetSpentError) for error in done)

    inner, refused = virtual_time.run(main())
    assert inner.most == 3
    # 20 spent leave room for one more of up to 10; 22 do not.
    assert (inner.asked, refused) == (11, 1)


def test_sums_of_floats_leave_no_rest_for_which_the_last_call_would_wait() -> None:
    """0.1 + 0.2 + 0.3 - 0.1 - 0.2 - 0.3 is 6e-17."""

    async def main() -> Budget:
        budget = Budget(max_cost_usd=0.1 + 0.2 + 0.3)
        holds = [await budget.reserve(cost, 0) for cost in (0.1, 0.2, 0.3)]
        for hold in holds:
            budget.settle(hold, 0.0, 0)
        assert budget.reserved_usd == 0
        await asyncio.wait_for(budget.reserve(0.1 + 0.2 + 0.3, 0), 1)
        return budget

    assert virtual_time.run(main()).reserved_usd == 0.1 + 0.2 + 0.3


def test_waiting_calls_can_be_cancelled() -> None:
    async def main() -> Budget:
        budget = Budget(max_cost_usd=15)
        provider = budgeted(Slow(used(1, 1)), budget)
        calls = [asyncio.create_task(asked(provider)) for _ in range(3)]
        await asyncio.sleep(0.5)
        calls[1].cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        return budget

    budget = virtual_time.run(main())
    assert (budget.spent_usd, budget.reserved_usd) == (4, 0)


def test_a_budget_goes_on_in_the_next_event_loop() -> None:
    budget = Budget(max_cost_usd=20)
    for _ in range(2):
        asyncio.run(asked(budgeted(Scripted(lambda _: used(3, 2)), budget), 1))
    with pytest.raises(BudgetSpentError):
        asyncio.run(asked(budgeted(Scripted(lambda _: used(3, 2)), budget), 2))
    assert budget.spent_usd == 15


def test_no_order_of_events_spends_more_than_the_budget() -> None:
    draw = random.Random(7)

    class Moody:
        async def complete(self, request: Request) -> Reply:
            await asyncio.sleep(draw.random())
            if draw.random() < 0.3:
                charged = draw.choice([None, Usage(), Usage(prompt_tokens=6)])
                raise CallError("", retriable=True, charged=charged)
            return used(draw.randint(0, 6), draw.randint(0, 4))

        async def close(self) -> None:
            return

    async def main() -> None:
        for limit in range(5, 200, 13):
            budget = Budget(max_cost_usd=limit)
            provider = Retry(budgeted(Moody(), budget), max_tries=3)
            calls = [asyncio.create_task(asked(provider)) for _ in range(60)]
            await asyncio.sleep(0.2)
            for call in draw.sample(calls, 5):
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert budget.spent_usd is not None
            assert limit - 10 < budget.spent_usd <= limit
            assert budget.reserved_usd == 0

    virtual_time.run(main())


# Failed attempts --------------------------------------------------------------------------------


def failing(*errors: CallError) -> Scripted:
    left = list(errors)
    return Scripted(lambda _: left.pop(0) if left else used(2, 1))


def test_failed_attempts_are_written_down_by_whether_they_were_charged() -> None:
    async def no_time(_: float) -> None:
        return

    ledger, budget = Ledger(), Budget(max_cost_usd=100)
    inner = failing(
        CallError("busy", retriable=True, kind="rate_limit"),
        CallError("half a reply", retriable=True, kind="bad_answer", charged=Usage()),
        CallError("empty", retriable=True, kind="bad_answer", charged=MOST),
    )
    provider = Retry(budgeted(inner, budget, ledger=ledger), sleep=no_time)
    asyncio.run(asked(provider))
    assert [(spend.how, spend.cost_usd, spend.calls) for spend in ledger.spends] == [
        ("retried", 0, 1),
        ("wasted", 10, 1),
        ("wasted", 10, 1),
    ]
    assert [spend.usage for spend in ledger.spends] == [Usage(), MOST, MOST]
    assert {(spend.provider, spend.model) for spend in ledger.spends} == {("p", "m")}
    assert budget.spent_usd == 23


@over_rows(
    ("error", "spent"),
    [
        (asyncio.CancelledError(), 10),
        (ZeroDivisionError(), 10),
        (NotSentError(), 0),
        (WindingDownError(), 0),
        (ProviderUnavailableError("down"), 0),
    ],
)
def test_what_never_came_back_may_have_been_charged_unless_it_was_not_sent(
    error: BaseException, spent: float
) -> None:
    def script(_: Request) -> Reply:
        raise error

    async def main() -> tuple[Budget, Ledger]:
        ledger, budget = Ledger(), Budget(max_cost_usd=100)
        with pytest.raises(type(error)):
            await budgeted(Scripted(script), budget, ledger=ledger).complete(question())
        return budget, ledger

    budget, ledger = asyncio.run(main())
    assert (budget.spent_usd, budget.reserved_usd) == (spent, 0)
    assert [spend.how for spend in ledger.spends] == ["wasted"] * (spent > 0)


def test_a_wasted_attempt_without_a_price_has_no_cost() -> None:
    ledger = Ledger()
    error = CallError("slow", retriable=False, kind="timeout", charged=Usage())
    with pytest.raises(CallError):
        asyncio.run(asked(budgeted(failing(error), Budget(), price=None, ledger=ledger)))
    assert [(spend.how, spend.cost_usd, spend.usage) for spend in ledger.spends] == [
        ("wasted", None, MOST)
    ]


# The size of a call -----------------------------------------------------------------------------


def size(provider: str = "openai_compatible", longest: int | None = None) -> CallSize:
    return CallSize(ESTIMATE, provider=provider, longest_reply=longest)


@over_rows(
    ("request_", "provider", "longest", "most"),
    [
        (question(decoding={"max_tokens": 20}), "openai_compatible", None, 20),
        (question(decoding={"max_completion_tokens": 30}), "openai", 99, 30),
        (question(decoding={"max_tokens": 20}, extra={"max_tokens": 50}), "openai", None, 50),
        (question(), "openai", 4096, 4096),
        (question(), "openai_compatible", None, REPLY_TOKENS_AT_MOST),
        (question(), "anthropic", 64_000, 4096),
    ],
)
def test_how_long_a_reply_can_be(
    request_: ChatRequest, provider: str, longest: int | None, most: int
) -> None:
    assert size(provider, longest).most(request_).completion_tokens == most


def test_a_model_that_thinks_first_can_write_more_than_its_limit() -> None:
    request = ChatRequest(
        provider="openai",
        model="gpt-5-mini",
        messages=question().messages,
        decoding={"max_tokens": 32},
    )
    assert size("openai", 128_000).most(request).completion_tokens == 32 + 8192


def test_the_most_of_a_prompt_is_more_than_its_count() -> None:
    request = question("The quick brown fox jumps over the lazy dog. " * 50)
    counted = ESTIMATE.count(request.messages[0].content)
    most = size().most(request).prompt_tokens
    assert most is not None
    assert 1.5 * counted <= most <= 1.5 * counted + 100


def test_a_score_writes_nothing_and_its_candidates_are_read() -> None:
    short, long = (
        ScoreRequest(provider="p", model="m", messages=question().messages, candidates=candidates)
        for candidates in ((), ("word " * 100, "word " * 100))
    )
    assert size().most(short).completion_tokens == 0
    assert size().expected(long) > size().expected(short) + 150


# In the whole stack -----------------------------------------------------------------------------


def endpoint(**options: Any) -> Endpoint:
    return Endpoint(provider="scripted", model="dice", **options)


def test_the_whole_stack_stops_within_its_budget() -> None:
    ledger, budget = Ledger(), Budget(max_cost_usd=0.05)
    price = PriceConfig(input=10.0, output=10.0)

    async def main() -> int:
        providers = Providers(ledger, budget=budget)
        stack = providers.get(endpoint(price=price, max_connections=8))
        requests = [question(f"Is {i} a prime?", decoding={"max_tokens": 16}) for i in range(500)]
        done = await asyncio.gather(*map(stack.complete, requests), return_exceptions=True)
        await providers.close()
        assert {type(each) for each in done} == {Reply, BudgetSpentError}
        return providers.counts.sent

    sent = asyncio.run(main())
    assert budget.spent_usd is not None
    assert 0.048 < budget.spent_usd <= 0.05
    assert len(ledger.spends) == sent
    assert sum(spend.cost_usd or 0 for spend in ledger.spends) == pytest.approx(budget.spent_usd)


def test_a_batch_is_counted_at_the_most_it_can_cost_at_its_own_price() -> None:
    async def main() -> float | None:
        budget = Budget(max_cost_usd=100)
        providers = Providers(Ledger(), budget=budget)
        stack = providers.get(endpoint(price=PriceConfig(input=0.0, output=1e6, batch=0.5)))
        set_aside = stack.budget.set_aside
        await set_aside(question(decoding={"max_tokens": 60}))
        await set_aside(question(decoding={"max_tokens": 60}))
        await set_aside(question(decoding={"max_tokens": 60}))
        with pytest.raises(BudgetSpentError):
            await set_aside(question(decoding={"max_tokens": 60}))
        return budget.spent_usd

    assert asyncio.run(main()) == 90


def test_a_project_budget_that_lies_idle_is_given_back() -> None:
    """Another run may wait for what this one keeps, while this one waits for that run."""
    drawn: list[tuple[float, float]] = []

    def draw(
        project: str, cap: float, *, spent: float, held: float, wanted: float, more: float
    ) -> Drawn:
        drawn.append((spent, held + wanted))
        return Drawn(fits=True, reserved_usd=held + wanted, spent_usd=0.0, month="2026-11")

    budget = Budget(project=ProjectBudget(draw, "p", 1.0))

    async def run() -> None:
        hold = await budget.reserve(0.5, 10)
        budget.settle_idle()
        assert drawn == [(0.0, 0.5)]  # a call is under way
        budget.settle(hold, 0.25, 10)

    asyncio.run(run())
    budget.settle_idle()
    assert drawn == [(0.0, 0.5), (0.25, 0.0)]
    budget.settle_idle()
    assert len(drawn) == 2
