"""Waiting for the store: said, for as long as it takes, and ended by Ctrl-C."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from judgebench import protocols
from judgebench.errors import StoreBusyError, StoreError, StoreFullError, at_most, at_once
from judgebench.protocols import Waiting
from judgebench.records import ChatRequest, Reply
from judgebench.store import claims, sqlite, write
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.written import keep

REQUEST = ChatRequest(provider="p", model="m", messages=())
LONG_S = 0.2  # ten times what is patched in for the thirty seconds of before

Hold = Callable[[Path], Callable[[], None]]


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gives up after a while gives up soon here."""
    monkeypatch.setattr(sqlite, "BUSY_S", 0.02)
    monkeypatch.setattr(Waiting, "_say_at", 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "x.db")) as opened:
        yield opened


def turn(store: Path) -> Callable[[], None]:
    """Another judgebench writes, until what is returned is called."""
    held = os.open(f"{store}-turn", os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)

    def release() -> None:
        os.close(held)

    return release


def transaction(store: Path) -> Callable[[], None]:
    """Another program writes, which knows nothing of turns."""
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection.close


@contextmanager
def waits(monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> Iterator[list[str]]:
    """Call ``then`` once somebody has waited for long; why it waited, each time that it looked."""
    looked: list[str] = []
    called = False
    before = Waiting.goes_on

    def goes_on(waiting: Waiting, why: str) -> None:
        nonlocal called
        looked.append(why)
        before(waiting, why)
        if waiting.seconds > LONG_S and not called:
            called = True
            then()

    monkeypatch.setattr(Waiting, "goes_on", goes_on)
    yield looked
    assert called, "nobody waited"


def put(store: Any, number: int) -> None:
    store.put_reply(number.to_bytes(32), REQUEST, Reply(text=f"{number}"))


@pytest.mark.parametrize("hold", [turn, transaction])
def test_a_write_waits_for_as_long_as_others_write(
    store: Store, monkeypatch: pytest.MonkeyPatch, hold: Hold
) -> None:
    with waits(monkeypatch, hold(store.path)) as looked:
        put(store, 1)
    assert store.reply((1).to_bytes(32)) is not None
    assert "is writing to it" in looked[0]
    assert str(store.path) in looked[0]


def test_opening_a_store_waits_as_well(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with waits(monkeypatch, turn(store.path)), open_store(str(store.path)) as other:
        put(other, 1)
    assert store.reply((1).to_bytes(32)) is not None


def test_waiting_is_said_after_a_second_and_then_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(protocols.time, "monotonic", lambda: now[0])
    waiting = Waiting()
    said = []
    for _ in range(1200):  # five minutes
        waiting.goes_on("busy")
        if line := capsys.readouterr().err:
            said.append((now[0] - 100.0, line))
        now[0] += 0.25
    assert said[0] == (1.0, "busy; waiting (1 s so far)\n")
    assert {later - earlier for (earlier, _), (later, _) in pairwise(said)} == {30.0}

    for _ in range(100):  # short waits, one after the other, as beside an import
        waiting = Waiting()
        now[0] += 1.5
        waiting.goes_on("busy")
    assert 5 <= len(capsys.readouterr().err.splitlines()) <= 6


@pytest.mark.parametrize("hold", [turn, transaction])
def test_ctrl_c_ends_a_wait_and_nothing_is_written(
    store: Store, monkeypatch: pytest.MonkeyPatch, hold: Hold
) -> None:
    release = hold(store.path)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), waits(monkeypatch, interrupt):
        put(store, 1)
    monkeypatch.undo()
    assert store.reply((1).to_bytes(32)) is None
    release()
    put(store, 2)
    assert store.reply((2).to_bytes(32)) is not None


def test_who_may_wait_for_so_long_only_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    open_store(str(path)).close()
    with open_store(str(path)) as store:
        release = turn(path)
        with at_most(0.05), pytest.raises(StoreBusyError, match="wait for it, or end it"):
            put(store, 1)
        release()
        put(store, 1)


def test_a_store_is_closed_while_others_write_and_keeps_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CLOSING_S", 0.01)
    path = tmp_path / "x.db"
    store = open_store(str(path))
    put(store, 1)
    release = turn(path)
    store.close()
    release()
    with open_store(str(path), read_only=True) as again:
        assert again.reply((1).to_bytes(32)) is not None


@pytest.mark.parametrize("hold", [turn, transaction])
def test_nothing_waits_where_the_event_loop_does(store: Store, hold: Hold) -> None:
    release = hold(store.path)
    with at_once(), pytest.raises(StoreBusyError, match="is writing to it"):
        put(store, 1)
    release()
    with at_once():
        put(store, 1)


@pytest.mark.parametrize("hold", [turn, transaction])
def test_the_event_loop_goes_on_while_many_wait(store: Store, hold: Hold) -> None:
    """The lock is let go by the loop itself: a loop that stood still would never come to it."""
    release = hold(store.path)

    async def all_of_them() -> None:
        asyncio.get_running_loop().call_later(LONG_S, release)
        await asyncio.gather(*(keep(store, lambda into, n=n: put(into, n)) for n in range(64)))

    asyncio.run(all_of_them())
    assert all(store.reply(n.to_bytes(32)) is not None for n in range(64))


def test_a_wait_in_the_event_loop_is_said_with_how_many_there_are(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with waits(monkeypatch, turn(store.path)) as looked:

        async def three() -> None:
            await asyncio.gather(*(keep(store, lambda into, n=n: put(into, n)) for n in range(3)))

        asyncio.run(three())
    assert looked[-1].endswith("; 3 to be stored, none is lost meanwhile")


def test_ctrl_c_gives_a_lease_back_once_nobody_writes(store: Store) -> None:
    held: list[Callable[[], None]] = []
    with pytest.raises(KeyboardInterrupt), store.lease("x"):
        held.append(turn(store.path))
        raise KeyboardInterrupt  # leaves at once, although the store is held
    held[0]()
    with open_store(str(store.path)) as other, other.lease("x", wait_s=10):
        pass


def test_a_lease_that_cannot_be_given_back_ends_with_its_process(store: Store) -> None:
    tried: list[bool] = []

    def fail(_: object) -> bool:
        tried.append(True)
        raise StoreError("the disk is full")

    claims._write_later(store._database.another, fail)
    assert tried


# a full disk -------------------------------------------------------------------------------------

LONG = "x" * 20_000


def fill(store: Store, disk: Callable[[int], None]) -> StoreFullError:
    """Write until the disk is full."""
    pages = store._database._raw.execute("PRAGMA page_count").fetchone()[0]
    disk(pages + 40)
    for n in range(1000, 2000):
        try:
            store.put_reply(n.to_bytes(32), REQUEST, Reply(text=f"{n}{LONG}"))
        except StoreFullError as error:
            return error
    raise AssertionError("it never became full")


def disk_of(store: Store) -> Callable[[int], None]:
    """A disk with room for so many pages of the store."""
    return lambda pages: store._database._raw.execute(f"PRAGMA max_page_count = {pages}").close()


def test_what_was_set_aside_is_used_once_and_says_that_the_same_goes_through(store: Store) -> None:
    disk = disk_of(store)
    touched: list[bool] = []

    def touch() -> None:
        touched.append(True)
        disk(100_000)

    with store.set_aside(1 << 16, touch):
        error = fill(store, disk)
        assert error.again
        assert touched == [True]
        put(store, 5000)
    assert store.reply((5000).to_bytes(32)) is not None


def test_replies_on_a_full_disk_wait_until_there_is_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "ROOM_S", 0.005)
    most = [0]
    connections = [store._database._raw]
    opened = sqlite._open

    def limited(path: Path, options: str) -> sqlite3.Connection:
        """The thread that writes has a connection of its own."""
        connections.append(opened(path, options))
        connections[-1].execute(f"PRAGMA max_page_count = {most[0]}").close()
        return connections[-1]

    def disk(pages: int) -> None:
        most[0] = pages
        for connection in connections:
            connection.execute(f"PRAGMA max_page_count = {pages}").close()

    monkeypatch.setattr(sqlite, "_open", limited)
    fill(store, disk)

    async def all_of_them() -> None:
        asyncio.get_running_loop().call_later(0.1, lambda: disk(100_000))

        def long(into: Any, n: int) -> None:
            into.put_reply(n.to_bytes(32), REQUEST, Reply(text=f"{n}{LONG}"))

        await asyncio.gather(*(keep(store, lambda into, n=n: long(into, n)) for n in range(20)))

    asyncio.run(all_of_them())
    assert all(store.reply(n.to_bytes(32)) is not None for n in range(20))


def test_a_long_reader_is_waited_for_at_a_limit_and_then_with_each_eighth_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a thousandth of the usual sizes; no wait takes its second."""
    limit = sqlite._FORCE_AT >> 10
    assert limit == 256 << 10
    monkeypatch.setattr(sqlite, "_LOOK_EVERY", 1)
    monkeypatch.setattr(sqlite, "_FOLD_AT", limit // 32)
    monkeypatch.setattr(sqlite, "_FORCE_AT", limit)
    settings = [one for one in sqlite._SETTINGS if "journal_size_limit" not in one]
    monkeypatch.setattr(sqlite, "_SETTINGS", (*settings, f"journal_size_limit = {limit}"))
    path, log = tmp_path / "x.db", tmp_path / "x.db-wal"
    waits: list[tuple[int, int]] = []  # for how long, and how large the log was then
    within = sqlite.SQLite._within

    def at_once(database: sqlite.SQLite, wait_ms: int, statement: str) -> None:
        if "TRUNCATE" in statement:
            waits.append((wait_ms, log.stat().st_size))
        within(database, 0, statement)

    monkeypatch.setattr(sqlite.SQLite, "_within", at_once)
    number, commit = 0, 64 << 10  # bytes that one commit adds to the log at most
    with open_store(str(path)) as store:
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM replies").fetchone()
        while log.stat().st_size < 2 * limit:
            put(store, number := number + 1)
        sizes = [size for _, size in waits]
        assert {wait_ms for wait_ms, _ in waits} == {1000}
        assert limit < sizes[0] < limit + commit
        for earlier, later in pairwise(sizes):
            assert limit // 8 < later - earlier < limit // 8 + commit
        assert 5 <= len(sizes) <= 9

        reader.close()  # nobody reads: the log begins anew, is cut to the limit, and nobody waits
        for _ in range(50):
            put(store, number := number + 1)
        assert log.stat().st_size == limit
        assert len(waits) == len(sizes)
        assert all(store.reply(n.to_bytes(32)) is not None for n in range(1, number + 1))


def test_a_log_that_finds_no_room_to_be_folded_stays_and_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL

    within = sqlite.SQLite._within

    def no_room(database: sqlite.SQLite, wait_ms: int, statement: str) -> None:
        if "wal_checkpoint" in statement:
            raise full
        within(database, wait_ms, statement)

    monkeypatch.setattr(sqlite, "_LOOK_EVERY", 1)
    monkeypatch.setattr(sqlite, "_FOLD_AT", 0)
    monkeypatch.setattr(sqlite.SQLite, "_within", no_room)
    path = tmp_path / "x.db"
    with open_store(str(path)) as store:
        put(store, 1)
        put(store, 2)
    monkeypatch.undo()
    with open_store(str(path), read_only=True) as store:
        assert store.reply((2).to_bytes(32)) is not None


def test_a_run_is_refused_where_nothing_can_be_set_aside(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sqlite.os, "posix_fallocate", no_room, raising=False)
    with (
        pytest.raises(StoreFullError, match=r"no room for 4 MiB.*make room and run again"),
        store.set_aside(4 << 20, lambda: None),
    ):
        raise AssertionError("there is no room")


def test_room_is_set_aside_where_the_system_cannot_be_asked_for_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sqlite.os, "posix_fallocate", raising=False)
    sizes: list[int] = []
    before = sqlite._write_zeros

    def write(file: int, start: int, end: int) -> None:
        before(file, start, end)
        sizes.append(os.fstat(file).st_size)

    monkeypatch.setattr(sqlite, "_write_zeros", write)
    with store.set_aside(3_000_000, lambda: None):
        pass
    assert sizes == [3_000_000]
    assert {path.name for path in store.path.parent.iterdir()} <= {
        "x.db", "x.db-wal", "x.db-shm", "x.db-turn",
    }  # fmt: skip
