"""Budgets by project and month, which all processes at one store keep together."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import textwrap
import time

import pytest
from sqlalchemy import update

from judgebench.errors import BudgetSpentError
from judgebench.providers.budget import Budget, ProjectBudget
from judgebench.store.opening import open_store
from judgebench.store.schema import budgets
from judgebench.store.store import Store

pytestmark = pytest.mark.usefixtures("forked")

SPENDER = """
    import asyncio, random, sys
    from judgebench.errors import BudgetSpentError
    from judgebench.providers.budget import Budget, ProjectBudget
    from judgebench.store.opening import open_store

    url, cap, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    spent, calls = 0.0, 0

    async def slot(budget, random):
        global spent, calls
        while True:
            most = random.uniform(0.5, 1.0)
            hold = await budget.reserve(most, 0)
            await asyncio.sleep(0.001)
            cost = most * random.uniform(0.3, 1.0)
            budget.settle(hold, cost, 0)
            spent, calls = spent + cost, calls + 1

    async def all_slots(budget):
        tried = (slot(budget, random.Random(f"{seed}/{n}")) for n in range(4))
        return await asyncio.gather(*tried, return_exceptions=True)

    with open_store(url) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        budget = Budget(project=ProjectBudget(store.draw, "ours", cap))
        ends = asyncio.run(all_slots(budget))
        assert all(isinstance(end, BudgetSpentError) for end in ends), ends
        budget.settle_up()
    print(spent, calls)
"""
DYING = """
    import sys
    from judgebench.store.opening import open_store
    store = open_store(sys.argv[1])
    store.draw("ours", 10.0, spent=1.0, held=7.0, wanted=1.0, more=0.0)
    print("drawn", flush=True)
    sys.stdin.readline()
"""


def started(program: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_four_processes_keep_a_cap_and_use_it_up(store: Store) -> None:
    """Each call costs up to a dollar: the cap is never exceeded, and none of it is left unused."""
    cap = 300.0
    processes = [started(SPENDER, store.url, str(cap), str(n)) for n in range(4)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    ends = [process.communicate("\n", timeout=120)[0].split() for process in processes]
    spent, calls = sum(float(end[0]) for end in ends), sum(int(end[1]) for end in ends)
    assert calls > 300
    assert cap - 1.0 < spent <= cap
    known = store.budgets()
    assert known["project"] == ["ours"]
    assert known["spent_usd"] == [pytest.approx(spent)]
    assert (known["reserved_usd"], known["cap_usd"]) == ([0.0], [cap])


def test_what_a_killed_process_had_reserved_is_free_again(store: Store) -> None:
    process = started(DYING, store.url)
    assert process.stdout
    assert process.stdout.readline() == "drawn\n"
    assert store.budgets()["reserved_usd"] == [8.0]
    drawn = store.draw("ours", 10.0, spent=0.0, held=0.0, wanted=2.0, more=0.0)
    assert (drawn.fits, drawn.spent_usd) == (False, 1.0)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 1
    while not store.draw("ours", 10.0, spent=0.0, held=0.0, wanted=2.0, more=0.0).fits:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert store.budgets()["reserved_usd"] == [2.0]


def test_most_calls_write_nothing(store: Store) -> None:
    drawn: list[float] = []

    def draw(*which: object, **money: float) -> object:
        drawn.append(money["wanted"])
        return store.draw(*which, **money)  # type: ignore[arg-type]

    budget = Budget(project=ProjectBudget(draw, "ours", 1000.0))  # type: ignore[arg-type]

    async def spend() -> None:
        for _ in range(320):
            budget.settle(await budget.reserve(0.1, 0), 0.05, 0)

    asyncio.run(spend())
    budget.settle_up()
    assert len(drawn) < 320 / 10
    assert store.budgets()["spent_usd"] == [pytest.approx(16.0)]


def test_a_call_waits_for_what_others_may_not_use(store: Store) -> None:
    """What is reserved elsewhere comes free; only what is spent ends it."""
    with open_store(store.url) as other:
        other.draw("ours", 1.0, spent=0.0, held=0.9, wanted=0.0, more=0.0)
        budget = Budget(project=ProjectBudget(store.draw, "ours", 1.0))

        async def spend() -> None:
            waiting = asyncio.create_task(budget.reserve(0.5, 0))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            other.draw("ours", 1.0, spent=0.4, held=0.0, wanted=0.0, more=0.0)
            budget.settle(await asyncio.wait_for(waiting, 5), 0.5, 0)
            said = f"$0.9000 of budget.usd_per_month = $1 of project 'ours' are spent in {month}"
            with pytest.raises(BudgetSpentError, match=re.escape(said)):
                await budget.reserve(0.2, 0)

        month = store.draw("ours", 1.0, spent=0.0, held=0.0, wanted=0.0, more=0.0).month
        asyncio.run(spend())


def test_each_project_and_each_month_has_its_own(store: Store) -> None:
    month = store.draw("ours", 1.0, spent=1.0, held=0.0, wanted=0.0, more=0.0).month
    assert month == time.strftime("%Y-%m", time.gmtime(store._database.now()))
    assert not store.draw("ours", 1.0, spent=0.0, held=0.0, wanted=0.1, more=0.0).fits
    assert store.draw("theirs", 1.0, spent=0.0, held=0.0, wanted=0.1, more=0.0).fits
    with store._database.writing() as connection:
        last = update(budgets).where(budgets.c.project == "ours").values(month="2020-01")
        connection.execute(last)
    assert store.draw("ours", 2.0, spent=0.0, held=0.0, wanted=0.1, more=9.0).fits
    assert store.budgets() == {
        "project": ["ours", "ours", "theirs"],
        "month": [month, "2020-01", month],
        "spent_usd": [0.0, 1.0, 0.0],
        "reserved_usd": [pytest.approx(0.1 + 1.9 / 16), 0.0, pytest.approx(0.1)],
        "cap_usd": [2.0, 1.0, 1.0],
    }
