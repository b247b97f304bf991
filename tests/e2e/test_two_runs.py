"""Several processes at one store: each question is asked once, and none is in another's way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from judgebench.store import claims
from tests.e2e import own
from tests.faults.kill_points import signed, stored_replies
from tests.faults.nursery import Ended, Nursery, Order
from tests.loopback import Ask, Loopback, Reaction
from tests.warm import Warm

ITEMS = 6
DELAYS_S = (0.05, 0.05, 0.2, 1.0, 4.0)
"""Of a reply, in each round until two runs have met: a busy machine starts one after the other."""
CALLS = 3 * ITEMS  # an answer and its grade of each item, and the grade of what was in the file
VERDICTS = 2 * ITEMS


delay_s = list(DELAYS_S[:1])


def slowly(ask: Ask) -> Reaction:
    """So that runs overlap."""
    return replace(signed(ask), delay_s=delay_s[0])


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with Loopback(slowly) as running:
        yield running


@pytest.fixture(scope="module")
def nursery(
    server: Loopback, tmp_path_factory: pytest.TempPathFactory, warm: Warm
) -> Iterator[Nursery]:
    warm_up = suite(tmp_path_factory.mktemp("warm"), server)
    with Nursery("run", warm_up, "--quiet", executable=warm.executable) as running:
        yield running


def suite(folder: Path, server: Loopback, *, connections: int = 4) -> Path:
    return own.suite(
        folder,
        items=ITEMS,
        candidates=[own.endpoint(server.url, "candidate", model="candidate")],
        judges=[own.endpoint(server.url, "grader", kind="rubric")],
        benchmark={"scale": [1, 10]},
        limits={"max_connections": connections},
    )


def order(path: Path, *, kill_at: int = 0, after: Path | str = "") -> Order:
    return Order(words=("run", str(path), "--quiet"), kill_at=kill_at, after=str(after))


def step_after_replies(nursery: Nursery, path: Path, replies: int) -> int:
    """The step at which so many replies are stored, in a run with one connection."""
    (whole,) = nursery.carry_out(order(path))
    assert whole.code == 0, whole.said
    stored = [n for n, step in enumerate(whole.steps) if step == "after a call"]
    return next(
        n + 1
        for n, step in enumerate(whole.steps)
        if step == "after a commit" and n > stored[replies - 1]
    )


def all_is_there(folder: Path, *ends: Ended) -> None:
    for end in ends:
        assert end.code == 0, end.said
        assert "locked" not in end.said
        assert "0 failed" in end.said
    assert own.query(folder, "SELECT count(*) FROM verdicts_v2") == [(VERDICTS,)]
    assert own.query(folder, "SELECT count(*) FROM judgments") == [(VERDICTS,)]
    assert own.failures(folder) == []


def test_two_that_start_together_ask_each_question_once(
    tmp_path: Path, server: Loopback, nursery: Nursery
) -> None:
    shared = 0
    for n, delay_s[0] in enumerate(DELAYS_S):  # no store yet: both make it
        if n > 1 and shared:
            break
        folder = tmp_path / str(n)
        folder.mkdir()
        path, before = suite(folder, server), len(server.asks)

        ends = nursery.carry_out(order(path), order(path))

        asked = Counter(ask.sha for ask in server.asks[before:])
        assert (len(asked), set(asked.values())) == (CALLS, {1})
        all_is_there(folder, *ends)
        assert own.spent(folder)["live"] == CALLS
        shared += all(" 0 judge calls made" not in end.said for end in ends)
    delay_s[0] = DELAYS_S[0]
    assert shared, "the runs never met"


def test_one_that_is_killed_while_it_holds_claims_is_taken_over_at_once(
    tmp_path: Path, nursery: Nursery
) -> None:
    """Right after its first reply is stored, with another question claimed, and none on its way."""
    calm, folder, asks = tmp_path / "calm", tmp_path / "killed", tmp_path / "asks"
    calm.mkdir()
    folder.mkdir()

    def script(ask: Ask) -> Reaction:
        asks.touch()
        return slowly(ask)

    with Loopback(script) as server:
        path = suite(folder, server, connections=1)
        kill_at = step_after_replies(nursery, suite(calm, server, connections=1), 1)
        asks.unlink()
        server.asks.clear()
        late = order(path, after=asks)
        began = time.monotonic()
        killed, *others = nursery.carry_out(order(path, kill_at=kill_at), late, late)
        assert time.monotonic() - began < claims.STALE_S / 2  # nobody waited for its heartbeat

        assert killed.was_killed
        assert killed.steps[-1] == "after a commit"
        all_is_there(folder, *others)
        asked = Counter(ask.sha for ask in server.asks)
        assert (len(asked), set(asked.values())) == (CALLS, {1})

        (last,) = nursery.carry_out(order(path))  # says of the killed one that it has ended
        all_is_there(folder, last)
        assert len(server.asks) == CALLS
    states = [state for (state,) in own.query(folder, "SELECT state FROM runs ORDER BY started")]
    assert sorted(states) == ["done", "done", "done", "interrupted"]


def test_what_was_on_its_way_at_a_kill_is_asked_once_more(
    tmp_path: Path, server: Loopback, nursery: Nursery
) -> None:
    path, before = suite(tmp_path, server, connections=1), len(server.asks)
    (killed,) = nursery.carry_out(order(path, kill_at=40))
    assert killed.was_killed
    stored, on_their_way = stored_replies(tmp_path), len(server.asks) - before

    ends = nursery.carry_out(order(path), order(path))

    asked = Counter(ask.sha for ask in server.asks[before:])
    assert len(asked) == CALLS
    assert all(asked[sha] == 1 for sha in stored)
    assert asked.total() - CALLS == on_their_way - len(stored) <= 1
    all_is_there(tmp_path, *ends)


def test_a_reader_sees_whole_verdicts_while_two_runs_write(
    tmp_path: Path, server: Loopback, nursery: Nursery
) -> None:
    path = suite(tmp_path, server)
    board = Order(words=("leaderboard", own.BENCHMARK, "--store", str(tmp_path / "store.db")))
    assert nursery.carry_out(order(path))[0].code == 0

    ends = nursery.carry_out(order(path), *[board] * 3, order(path))

    assert [end.code for end in ends] == [0] * 5
    assert all("locked" not in end.said for end in ends)
