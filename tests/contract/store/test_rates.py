"""Requests a minute that all processes on one store share: it deals out the time."""

from __future__ import annotations

import heapq
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from sqlalchemy import update

from judgebench.errors import StoreBusyError, StoreFullError
from judgebench.providers.rate_limit import SharedRate
from judgebench.store.claims import OPEN_S, rates
from judgebench.store.opening import open_store
from judgebench.store.store import Store

DOOR = b"one model at one address"


# what the store deals out -------------------------------------------------------------------------


def test_no_piece_of_the_time_is_dealt_out_twice(store: Store) -> None:
    found: list[tuple[float, float]] = []

    def process() -> None:
        with open_store(store.url) as its:
            found.extend(its.lease_time(DOOR, 0.5) for _ in range(20))

    threads = [threading.Thread(target=process) for _ in range(4)]
    began = store._database.now()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    starts = sorted(start for start, _ in found)
    assert len(starts) == 80
    assert starts[0] >= began - OPEN_S - 0.01
    gaps = [late - early for early, late in pairwise(starts)]
    assert min(gaps) > 0.5 - 1e-3, "each has its piece for itself"
    assert sum(gaps) < 79 * 0.5 + 0.1, "and none is left out"
    other, at = store.lease_time(b"another door", 1.0)
    assert abs(other - at + OPEN_S) < 0.01, "nobody waits for who asks elsewhere"


def test_a_clock_that_went_back_keeps_nobody_waiting(store: Store) -> None:
    store.lease_time(DOOR, 3600.0)
    start, at = store.lease_time(DOOR, 1.0)
    assert 3590 < start - at < 3610, "an hour is taken"
    with store._database.writing() as connection:
        connection.execute(update(rates).values(leased_at=rates.c.leased_at + 7200.0))
    start, at = store.lease_time(DOOR, 1.0)
    assert abs(start - at + OPEN_S) < 0.01


def test_a_store_that_was_made_before_there_were_rates_deals_out_time(store: Store) -> None:
    with store._database.writing() as connection:
        rates.drop(connection)
    start, at = store.lease_time(DOOR, 1.0)
    assert abs(start - at + OPEN_S) < 0.01


# what processes make of it ------------------------------------------------------------------------


class Simulated:
    """Processes with a clock of their own kind, which ask one store in simulated time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.taken_until = 0.0
        self.leases: Counter[int] = Counter()

    def lease(self, process: int) -> Callable[[float], tuple[float, float]]:
        def lease(seconds: float) -> tuple[float, float]:
            self.leases[process] += 1
            start = max(self.taken_until, self.now - OPEN_S)
            self.taken_until = start + seconds
            return start, self.now

        return lease

    def sent(
        self, processes: int, per_minute: float, seconds: float, think_s: Callable[[], float]
    ) -> Iterator[tuple[float, int]]:
        """When each request is sent, and by whom; ``think_s`` passes before the next."""
        shared = [SharedRate(self.lease(n), per_minute, lambda: self.now) for n in range(processes)]
        line = [(self.now, n) for n in range(processes)]
        end = self.now + seconds
        while self.now < end:
            self.now, process = heapq.heappop(line)
            wait_s = shared[process].take()
            if not wait_s:
                yield self.now, process
                wait_s = think_s()
            heapq.heappush(line, (self.now + wait_s, process))


def most_in_a_minute(times: list[float]) -> int:
    first = most = 0
    for last, at in enumerate(times):
        while times[first] <= at - 60.0:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("per_minute", [6, 60, 600, 3000])
@pytest.mark.parametrize("processes", [1, 4, 40])
def test_no_minute_has_more_requests_than_are_allowed(processes: int, per_minute: int) -> None:
    """Processes that want all they can get, with moments lost now and then."""
    world, luck = Simulated(), random.Random(f"{processes} {per_minute}")
    thinks = [0.0] * 9 + [min(0.4, 180 / per_minute)]
    sent = list(world.sent(processes, per_minute, 300, lambda: luck.choice(thinks)))
    times = [at for at, _ in sent]
    assert most_in_a_minute(times) <= per_minute
    assert len(times) >= 0.95 * per_minute * 5 - 2 * processes
    by_process = Counter(process for _, process in sent)
    if len(times) > 20 * processes:
        assert min(by_process.values()) > 0.5 * max(by_process.values()), "nobody starves"


def test_whoever_uses_little_of_it_takes_little() -> None:
    """Three who wait long for each reply leave the rest to one who does not."""
    world, luck = Simulated(), random.Random(1)
    waits = iter(lambda: luck.uniform(2.0, 6.0), None)
    slow = [SharedRate(world.lease(n), 600, lambda: world.now) for n in range(3)]
    quick = SharedRate(world.lease(3), 600, lambda: world.now)
    line = [(world.now, n) for n in range(4)]
    sent: Counter[int] = Counter()
    end = world.now + 120
    while world.now < end:
        world.now, process = heapq.heappop(line)
        wait_s = (slow[process] if process < 3 else quick).take()
        if not wait_s:
            sent[process] += 1
            wait_s = next(waits) if process < 3 else 0.0
        heapq.heappush(line, (world.now + wait_s, process))
    assert sent[3] > 0.9 * (2 * 585 - sum(sent[n] for n in range(3)))
    assert world.leases[3] < 0.35 * sent[3], "and not with a write for each request"


def test_one_process_alone_writes_once_a_second() -> None:
    world = Simulated()
    sent = list(world.sent(1, 6000, 60, lambda: 0.0))
    assert len(sent) > 5800
    assert world.leases[0] < 75


def test_while_others_write_it_is_asked_again_at_once() -> None:
    errors = [StoreBusyError("busy"), StoreFullError("full", again=True)]

    def lease(seconds: float) -> tuple[float, float]:
        if errors:
            raise errors.pop()
        return 5.0, 5.0

    shared = SharedRate(lease, 60, lambda: 0.0)
    assert 0 < shared.take() < 0.1
    assert 0 < shared.take() < 0.1
    assert shared.take() == 0.0
    full = StoreFullError("full", again=False)

    def never(seconds: float) -> tuple[float, float]:
        raise full

    with pytest.raises(StoreFullError):
        SharedRate(never, 60, lambda: 0.0).take()


def test_a_moment_that_has_passed_is_lost_and_a_crowd_takes_small_pieces() -> None:
    now, ahead, asked = 0.0, 0.0, list[float]()

    def lease(seconds: float) -> tuple[float, float]:
        asked.append(round(seconds * 600 / 61.5))
        return now + ahead, now

    shared = SharedRate(lease, 600, lambda: now)

    def send(n: int) -> None:
        nonlocal now
        for _ in range(n):
            if wait_s := shared.take():
                now += wait_s + 1e-9
                assert shared.take() == 0.0

    send(1 + 2 + 4 + 8 + 10)
    assert asked == [1, 2, 4, 8, 10], "a second of them at most"
    send(3)
    now += 5.0  # the other seven had their moments
    send(1)
    assert asked == [1, 2, 4, 8, 10, 10, 5]
    ahead = 50.0
    send(4 + 10 + 1)
    assert asked[7:] == [10, 1], "who finds a crowd before it"
