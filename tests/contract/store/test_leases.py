"""What one process holds, no other holds; what a dead one held is free."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select, update

from judgebench.errors import StoreError
from judgebench.store import claims
from judgebench.store.claims import Process, is_dead, key_of, started, this_process
from judgebench.store.opening import open_store
from judgebench.store.schema import claims as claimed
from judgebench.store.schema import owners as table
from judgebench.store.store import Store

HOLD = """
    import os, sys
    from judgebench.store.opening import open_store
    store = open_store(sys.argv[1])
    with store.lease("respond"):
        print(os.getpid(), flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def holder(store: Store, forked: None) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process, which holds the lease ``respond`` until a line is sent to it; its number."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), store.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    yield process, int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_living_owner_is_waited_for_and_named(
    store: Store, holder: tuple[subprocess.Popen[str], int]
) -> None:
    process, number = holder
    told: list[str] = []

    def on_wait(message: str) -> None:
        told.append(message)
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()

    with store.lease("respond", on_wait=on_wait):
        assert len(told) == 1
        assert f"process {number} on" in told[0]
        assert "'respond'" in told[0]


def test_waiting_has_an_end(store: Store, holder: tuple[subprocess.Popen[str], int]) -> None:
    with (
        pytest.raises(StoreError, match=f"is being worked on by process {holder[1]}"),
        store.lease("respond", wait_s=0.0),
    ):
        pytest.fail("two processes hold one lease")
    with store.lease("another", wait_s=0.0):
        pass


def test_a_killed_owners_lease_is_broken_at_once(
    store: Store, holder: tuple[subprocess.Popen[str], int]
) -> None:
    holder[0].kill()
    with store.lease("respond", wait_s=claims.STALE_S / 2):  # long before its heartbeat is old
        pass


def test_a_lease_is_given_back_also_after_an_error(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.lease("x"):
        raise ZeroDivisionError
    with store.lease("x", wait_s=0.0), store.lease("y", wait_s=0.0):
        pass


def test_the_same_process_does_not_get_a_lease_twice(store: Store) -> None:
    with (
        store.lease("x"),
        open_store(store.url) as other,
        pytest.raises(StoreError, match=f"process {os.getpid()}"),
        other.lease("x", wait_s=0.0),
    ):
        pytest.fail("held twice")


def owned_by(store: Store, **changes: object) -> None:
    with store._database.writing() as connection:
        connection.execute(update(table).values(**changes))


@pytest.mark.parametrize(
    ("owner", "free"),
    [
        ({"started": "0"}, True),  # the number is in use again, by another process
        ({"boot": "an earlier one"}, None),
        ({"host": "elsewhere", "pid": 1}, False),
        ({"host": "elsewhere", "heartbeat": 0.0}, False),  # nobody has watched it yet
        ({"namespace": "another container"}, False),
        ({"namespace": "another container", "heartbeat": 0.0}, False),
        ({"heartbeat": 0.0}, False),  # it lives, however long it slept
    ],
)
def test_who_counts_as_dead(store: Store, owner: dict[str, object], free: bool | None) -> None:
    """At the first look, and by who does not wait."""
    if free is None:  # on a server another boot may be that of a machine with the same name
        free = store._database.name.endswith(".db")
    lost = pytest.raises(StoreError, match="was lost to another process")
    with open_store(store.url) as other:
        if free:
            with lost, store.lease("x"):
                owned_by(store, **owner)
                with other.lease("x", wait_s=0.0):
                    pass
        else:
            with store.lease("x"):
                owned_by(store, **owner)
                with pytest.raises(StoreError), other.lease("x", wait_s=0.0):
                    pytest.fail("taken from a living owner")


def test_who_looks_again_has_watched_an_owner_elsewhere(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = pytest.raises(StoreError, match="was lost to another process")
    with open_store(store.url) as other, lost, store.lease("x"):  # it speaks again in ten seconds
        owned_by(store, host="elsewhere", heartbeat=0.0)
        with pytest.raises(StoreError), other.lease("x", wait_s=0.0):
            pytest.fail("taken at the first look")
        monkeypatch.setattr(claims, "RENEW_S", 0.05)
        time.sleep(0.3)
        with other.lease("x", wait_s=0.0):
            pass


ELSEWHERE = {"host": "elsewhere", "pid": 1}


def test_a_clock_that_was_set_forward_takes_nothing_from_one_who_renews(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "RENEW_S", 0.1)
    monkeypatch.setattr(claims, "_LOOK_S", 0.02)
    with open_store(store.url) as other, store.lease("x"):
        owned_by(store, **ELSEWHERE, heartbeat=0.0)  # to the other, it is long ago

        def renew(seconds: float) -> None:
            """Between two looks of the other, so that no load keeps it from it."""
            owned_by(store, heartbeat=time.monotonic() / 1e6)
            time.sleep(seconds)

        waiting = SimpleNamespace(**{**vars(time), "sleep": renew})
        with (
            monkeypatch.context() as patch,
            pytest.raises(StoreError, match="being worked on"),
        ):
            patch.setattr(claims, "time", waiting)
            with other.lease("x", wait_s=8 * claims.RENEW_S):
                pytest.fail("taken from a living owner")


@pytest.mark.parametrize("ahead_s", [-1e6, 1e6])
def test_one_who_does_not_renew_has_gone_whatever_the_clocks_say(
    store: Store, monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    monkeypatch.setattr(claims, "STALE_S", 0.5)
    monkeypatch.setattr(claims, "_LOOK_S", 0.02)
    lost = pytest.raises(StoreError, match="was lost to another process")
    with open_store(store.url) as other, lost, store.lease("x"):
        monkeypatch.setattr(claims, "RENEW_S", 0.1)  # of the one who waits
        owned_by(store, **ELSEWHERE, heartbeat=time.time() + ahead_s)
        began = time.monotonic()
        with other.lease("x", wait_s=5.0):
            assert time.monotonic() - began > 0.2


def test_a_lease_is_renewed_beside_the_work(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "RENEW_S", 0.02)
    with store.lease("x"):
        owned_by(store, heartbeat=0.0)
        deadline = time.monotonic() + 10
        heartbeat = 0.0
        while not heartbeat and time.monotonic() < deadline:
            with store._database.reading() as connection:
                owner = claims.holder(connection, key_of("x"))
            assert owner is not None
            heartbeat = owner.heartbeat
    assert time.time() - heartbeat < 60


def test_a_renewal_that_fails_does_no_harm_while_the_lease_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[bool] = []

    def fail(*_: object) -> None:
        failed.append(True)
        raise StoreError("the disk is full")

    monkeypatch.setattr(claims, "RENEW_S", 0.01)
    monkeypatch.setattr(claims, "_write_beside", fail)
    lost = pytest.raises(StoreError, match="was lost")
    with open_store(store.url) as other, other.lease("y"), lost as said, store.lease("x"):
        while store._error is None:
            time.sleep(0.005)
        with store._database.writing() as connection:  # as one who took this one for dead
            of_y = select(claimed.c.owner).where(claimed.c.key == key_of("y")).scalar_subquery()
            connection.execute(update(claimed).values(owner=of_y))
    assert str(said.value.__cause__) == "the disk is full"
    with store.lease("x", wait_s=0.0):
        failed.clear()
        while not failed:
            time.sleep(0.005)


def test_a_lease_cannot_be_taken_inside_a_transaction(store: Store) -> None:
    with pytest.raises(StoreError, match="do not nest"), store.transaction(), store.lease("x"):
        pass


def test_processes_are_told_apart() -> None:
    here = this_process()
    assert here.pid == os.getpid()
    assert here.started
    assert is_dead(here) is False
    assert is_dead(dataclasses.replace(here, started="before")) is True
    child = subprocess.Popen(["sleep", "60"])
    other = dataclasses.replace(here, pid=child.pid, started=started(child.pid))
    assert is_dead(other) is False
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(other) is True  # what is left of it still has its number
    child.wait()
    assert started(child.pid) == ""


def test_without_proc_the_system_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(claims, "_PROC", tmp_path)
    asked: list[tuple[str, ...]] = []

    def answer(*command: str) -> str:
        asked.append(command)
        return "Mon Jan  5 10:00:00 2026"

    monkeypatch.setattr(claims, "_said_by", answer)
    assert started(1) == "Mon Jan  5 10:00:00 2026"
    this_process.cache_clear()
    here = this_process()
    this_process.cache_clear()
    assert (here.boot, here.namespace) == ("Mon Jan  5 10:00:00 2026", "")
    assert here.started == "Mon Jan  5 10:00:00 2026"
    of = [("ps", "-o", "lstart=", "-p", str(pid)) for pid in (1, here.pid)]
    assert asked == [of[0], ("sysctl", "-n", "kern.boottime"), of[1]]
    assert str(Process(host="h", namespace="", boot="", pid=7, started="")) == "process 7 on h"
