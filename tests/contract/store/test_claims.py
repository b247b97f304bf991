"""Claims on keys: each is won by one, and what a dead owner had is free."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter

import pytest
from sqlalchemy import delete, func, select, update

from judgebench.errors import StoreError
from judgebench.execution.execute import PORTION
from judgebench.store import claims
from judgebench.store.opening import open_store
from judgebench.store.schema import claims as claimed
from judgebench.store.schema import owners
from judgebench.store.store import Store
from tests.e2e.runs import eventually
from tests.postgres import Server

WORKER = """
    import random, sys
    from judgebench.store.opening import open_store

    store = open_store(sys.argv[1])
    keys = [n.to_bytes(32) for n in range(int(sys.argv[2]))]
    random.shuffle(keys)
    print("ready", flush=True)
    sys.stdin.readline()
    won = set()
    for start in range(0, len(keys), 100):
        won |= store.exchange(keys[start : start + 100])[0]
    print(*(int.from_bytes(key) for key in won), flush=True)
    sys.stdin.readline()
"""


def worker(store: Store, keys: int) -> subprocess.Popen[str]:
    started = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WORKER), store.url, str(keys)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert said(started) == ["ready"]
    return started


def said(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout
    return process.stdout.readline().split()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def numbered(n: int) -> list[bytes]:
    return [number.to_bytes(32) for number in range(n)]


def rows(store: Store, table: object) -> int:
    with store._database.reading() as connection:
        counted = select(func.count()).select_from(table)  # type: ignore[arg-type]
        return int(connection.execute(counted).scalar_one())


@pytest.mark.usefixtures("forked")
def test_each_key_is_won_once_and_those_of_a_killed_process_again(store: Store) -> None:
    processes = [worker(store, 2000) for _ in range(3)]
    for process in processes:
        go_on(process)
    won = [said(process) for process in processes]
    assert Counter(key for keys in won for key in keys) == Counter(map(str, range(2000)))
    assert store.exchange(numbered(2000))[0] == set()
    first = processes[max(range(3), key=lambda n: len(won[n]))]  # one was quicker, or all alike
    others = [process for process in processes if process is not first]
    its = {int(key).to_bytes(32) for key in max(won, key=len)}
    first.kill()
    eventually(lambda: store.exchange(numbered(2000))[0])  # once it has died
    time.sleep(claims._LOOK_S)
    assert store.exchange(numbered(2000))[0] == its
    for process in others:
        process.communicate("\n")  # it ends without closing its store
    time.sleep(claims._LOOK_S)
    assert store.exchange(numbered(2000))[0] == set(numbered(2000))
    first.communicate()


def test_claims_are_released_by_key_and_with_their_store(store: Store) -> None:
    keys = numbered(PORTION + 7)
    with open_store(store.url) as other:
        assert other.exchange(keys)[0] == set(keys)
        assert other.exchange(keys)[0] == set(keys)  # what was cut short is claimed once more
        assert store.exchange(keys)[0] == set()
        other.release(keys[:3])
        assert store.exchange(keys)[0] == set(keys[:3])
        other.release(keys[:5])  # and not those that are another's by now
        assert store.exchange(keys)[0] == set(keys[:5])
        assert other.claimed_by(keys[0]) == str(claims.this_process())
    assert store.claimed_by(keys[-1]) is None
    assert store.exchange(keys)[0] == set(keys)
    assert rows(store, owners) == 1


def test_no_key_is_no_write(store: Store) -> None:
    assert store.exchange([])[0] == set()
    assert rows(store, owners) == 0


def test_many_who_want_the_same_in_any_order_do_not_wait_for_each_other(store: Store) -> None:
    """On a server, keys in several orders are a deadlock, which takes a second to be seen."""
    won: list[bytes] = []
    lock = threading.Lock()

    def work(number: int) -> None:
        keys = numbered(20 * PORTION)
        random.Random(number).shuffle(keys)
        with open_store(store.url) as mine:
            for start in range(0, len(keys), PORTION):
                found = mine.exchange(keys[start : start + PORTION])[0]
                with lock:
                    won.extend(found)
            barrier.wait()

    barrier = threading.Barrier(6)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == sorted(numbered(20 * PORTION))


def elsewhere(store: Store, heartbeat: object) -> None:
    with store._database.writing() as connection:
        values = {"host": "elsewhere", "heartbeat": heartbeat}
        connection.execute(update(owners).values(values))


def test_the_clock_of_a_host_does_not_matter(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both go by the clock of the database, also where one's own stands an hour off."""
    now = time.time
    keys = numbered(3)
    with open_store(store.url) as other:
        monkeypatch.setattr(time, "time", lambda: now() - 3600)
        assert other.exchange(keys)[0] == set(keys)
        assert other.is_leased("x") is False
        with other.lease("x"):
            monkeypatch.setattr(time, "time", lambda: now() + 3600)
            with store._database.writing() as connection:
                connection.execute(update(owners).values(host="elsewhere"))
                (owner,) = claims._owners(connection)
            assert -1 < owner.age_s < 60
            assert store.exchange(keys)[0] == set()
            assert store.is_leased("x") is True


def test_one_elsewhere_has_gone_when_its_heartbeat_stops(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "RENEW_S", 0.3)
    monkeypatch.setattr(claims, "_LOOK_S", 0.05)
    keys = numbered(3)
    with open_store(store.url) as other:
        assert other.exchange(keys)[0] == set(keys)
        other._ended.set()
        other._renewal.join()
        elsewhere(other, 0.0)
        began = time.monotonic()
        assert store.exchange(keys)[0] == set()  # it may be the clock that has jumped
        while not (won := store.exchange(keys)[0]):
            assert time.monotonic() - began < claims.STALE_S / 2
            time.sleep(0.05)
        assert time.monotonic() - began >= 2 * claims.RENEW_S
        assert won == set(keys)
        assert other.exchange(keys)[0] == set()  # it sees what it has lost


def test_one_that_was_taken_for_dead_goes_on(store: Store) -> None:
    keys = numbered(3)
    assert store.exchange(keys)[0] == set(keys)
    with store._database.writing() as connection:
        connection.execute(delete(owners))
        connection.execute(delete(claimed))
    assert store.exchange(keys)[0] == set(keys)
    assert rows(store, owners) == 1


def test_nothing_is_claimed_inside_a_transaction(store: Store) -> None:
    with pytest.raises(StoreError, match="do not nest"), store.transaction():
        store.exchange(numbered(1))[0]


def test_claims_outlast_a_server_that_goes_and_comes_back(postgres: Server) -> None:
    keys = numbered(3)
    with (
        postgres.database(template="store") as name,
        open_store(postgres.url(name)) as ours,
        open_store(postgres.url(name)) as other,
        ours.lease("x"),
    ):
        assert ours.exchange(keys[:2])[0] == set(keys[:2])
        assert postgres.end_connections(name) >= 2
        assert other.exchange(keys)[0] == {keys[2]}
        assert postgres.end_connections(name) >= 1
        ours.release(keys[:1])
        assert other.exchange(keys)[0] == {keys[0], keys[2]}
        assert not other.draw("p", 1.0, spent=0.9, held=0.0, wanted=0.2, more=0.0).fits
        assert postgres.end_connections(name) >= 1
        drawn = other.draw("p", 1.0, spent=0.05, held=0.0, wanted=0.0, more=0.0)
        assert drawn.spent_usd == pytest.approx(0.95)
