"""What an event loop submits: in one commit with others, and in a journal where it cannot be."""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.exc import SQLAlchemyError

from judgebench.errors import InputError, StoreError
from judgebench.protocols import Paid
from judgebench.records import (
    ChatRequest,
    Failure,
    Item,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    ModelSpec,
    Purpose,
    Reply,
    RunManifest,
    RunVerdict,
    Score,
    Spend,
    TokenLogprob,
    Usage,
    VerdictSlot,
)
from judgebench.store import write
from judgebench.store.database import Prepared
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.written import keep

MODEL, JUDGE = ModelSpec(weights="m"), JudgeSpec(kind="exact_match")


def begun(store: Store) -> Store:
    store.put_model("m", MODEL)
    store.put_judge("j", JUDGE)
    store.start_run(
        RunManifest(
            id="r", name="n", configuration={}, versions={}, git_sha=None, data_sha={}, seeds={},
            started=1.0,
        )
    )  # fmt: skip
    return store


@pytest.fixture
def opened(store_url: str) -> Any:
    with open_store(store_url) as store:
        yield begun(store)


def place(number: int) -> VerdictSlot:
    from judgebench.keys import judge_key, model_key

    return VerdictSlot(
        benchmark="b",
        version="1",
        item_id=str(number),
        model_key=model_key(MODEL),
        judge_key=judge_key(JUDGE),
    )


def paid(number: int) -> Paid:
    asked = ChatRequest(provider="p", model="jm", messages=(Message(role="user", content="?"),))
    return Paid(
        key=hashlib.sha256(f"{number}".encode()).digest(),
        request=dataclasses.replace(asked, sample=number),
        reply=Reply(
            text=f"said {number} \ud800",
            usage=Usage(prompt_tokens=3, completion_tokens=4),
            logprobs=(TokenLogprob(token="a", logprob=-0.5, top=(("b", -1.0),)),),
            served_model="jm-1",
            left_out=("seed",),
            seconds=0.5,
        ),
        spend=Spend(
            purpose=Purpose(run_id="r", place=place(number)),
            how="live",
            provider="p",
            model="jm",
            usage=Usage(prompt_tokens=3, completion_tokens=4),
            cost_usd=0.25,
        ),
    )


def put(one: Paid) -> Callable[[Any], None]:
    return lambda into: into.put_reply(one.key, one.request, one.reply, one.spend)


def judged(number: int) -> Callable[[Any], int]:
    judgment = Judgment(
        key=hashlib.sha256(f"j{number}".encode()).digest(),
        judge_key=place(number).judge_key,
        case_key=bytes(32),
        verdict=Score(value=float("nan") if number % 5 == 0 else number / 7, low=0, high=100),
        reply_keys=(paid(number).key,),
        at=2.0,
    )
    use = RunVerdict(run_id="r", place=place(number), judgment_key=judgment.key)

    def work(into: Any) -> int:
        into.put_judgment(judgment, [use])
        return number

    return work


async def all_of(store: Store, numbers: range) -> list[int]:
    async def one(number: int) -> int:
        await keep(store, put(paid(number)), paid=paid(number))
        return await keep(store, judged(number))

    return await asyncio.gather(*(one(number) for number in numbers))


def test_all_that_is_submitted_is_there_once_each_has_been_told(opened: Store) -> None:
    assert asyncio.run(all_of(opened, range(300))) == list(range(300))
    assert all(opened.reply(paid(n).key) == paid(n).reply for n in range(300))
    verdicts = opened.verdicts("b")
    assert sorted(map(int, verdicts["item_id"])) == list(range(300))
    told = dict(zip(verdicts["item_id"], verdicts["value"], strict=True))
    assert told["7"] == 1.0
    assert told["5"] is None
    spent = opened.spend("r")
    assert (spent["calls"], spent["cost_usd"]) == ([300], [75.0])


def test_many_are_one_commit(opened: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    commit = write.Writer._commit

    def counted(self: Any, database: Any, numbers: Any, group: list[Any]) -> None:
        groups.append(len(group))
        commit(self, database, numbers, group)

    monkeypatch.setattr(write.Writer, "_commit", counted)
    asyncio.run(all_of(opened, range(200)))
    assert sum(groups) == 400
    assert max(groups) > 20


def test_one_that_cannot_be_written_costs_none_of_the_others(opened: Store) -> None:
    def wrong(into: Any) -> None:
        into.put_reply(bytes(32), paid(0).request, paid(0).reply)
        into.put_uses([RunVerdict(run_id="r", place=place(1), judgment_key=b"n" * 32)])

    async def run() -> list[Any]:
        works = [judged(1), wrong, judged(2)]
        return await asyncio.gather(*(keep(opened, w) for w in works), return_exceptions=True)

    first, error, last = asyncio.run(run())
    assert (first, last) == (1, 2)
    assert isinstance(error, StoreError)
    assert "put_judgment() must come before" in str(error)
    assert opened.reply(bytes(32)) is None
    assert len(opened.verdicts("b")["item_id"]) == 2


def test_an_error_that_no_future_takes_reaches_who_waits_and_stops_nobody(opened: Store) -> None:
    def ends(_: Any) -> None:
        raise StopIteration("at its end")

    async def together() -> list[Any]:
        async with asyncio.timeout(20):
            works = (keep(opened, work) for work in (ends, lambda _: 1))
            return await asyncio.gather(*works, return_exceptions=True)

    error, other = asyncio.run(together())
    assert (type(error), str(error), other) == (RuntimeError, "StopIteration: at its end", 1)


def test_what_comes_after_the_end_is_told_so_and_does_not_wait(store_url: str) -> None:
    async def after_the_end() -> None:
        store = open_store(store_url)
        await keep(store, lambda _: None)
        store.close()
        async with asyncio.timeout(20):
            await keep(store, lambda _: None)

    with pytest.raises((StoreError, SQLAlchemyError)):
        asyncio.run(after_the_end())


def test_the_last_of_two_at_one_place_counts_also_in_one_commit(opened: Store) -> None:
    def twice(into: Any) -> None:
        for name in ("first", "second"):
            key = hashlib.sha256(name.encode()).digest()
            judgment = Judgment(
                key=key,
                judge_key=place(0).judge_key,
                case_key=key,
                verdict=Label(name=name),
                at=1.0,
            )
            into.put_judgment(judgment, [RunVerdict(run_id="r", place=place(0), judgment_key=key)])

    asyncio.run(keep(opened, twice))
    assert opened.verdicts("b")["label"] == ["second"]


def test_claims_are_exchanged_in_one_commit_that_says_what_is_judged(opened: Store) -> None:
    keys = [hashlib.sha256(f"j{number}".encode()).digest() for number in range(4)]
    with open_store(opened.url) as other:
        assert opened.exchange(keys[:2]) == (set(keys[:2]), set())
        judged(0)(opened)
        assert other.exchange(keys) == (set(keys[2:]), {keys[0]})
        assert opened.exchange(keys[2:], keys[:1]) == (set(), set())
        assert other.exchange(keys[:2], keys[2:]) == ({keys[0]}, {keys[0]})
        assert opened.exchange((), ()) == (set(), set())
        assert opened.exchange(keys)[0] == set(keys[1:])
        # What is ours stays so, although another is given back with it.
        assert opened.exchange(keys[1:2], keys[2:3])[0] == {keys[1]}
        assert other.exchange(keys)[0] == {keys[0], keys[2]}


def test_what_another_judged_before_it_died_is_judged(
    opened: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the claim that is lost and the one that is won."""
    key = hashlib.sha256(b"j0").digest()
    with open_store(opened.url) as other:
        assert opened.exchange([key])[0] == {key}
        assert other.exchange([bytes(32)])[0] == {bytes(32)}

        def dies() -> bool:
            judged(0)(opened)
            return opened.release([key])

        monkeypatch.setattr(other, "_free_the_dead", dies)
        assert other.exchange([key]) == ({key}, {key})


def failed(number: int, message: str) -> Failure:
    key = hashlib.sha256(f"j{number}".encode()).digest()
    return Failure(key=key, boundary="provider", message=message, retriable=True, place=place(1))


def test_of_a_failure_and_a_success_in_one_commit_the_last_stands(opened: Store) -> None:
    def went_well(into: Any) -> None:
        into.put_failure(failed(1, "too early"))
        judged(1)(into)

    def went_wrong(into: Any) -> None:
        judged(2)(into)
        into.put_failure(failed(2, "too late"))
        into.put_failure(failed(2, "too late again"))

    opened.write(went_well)
    opened.write(went_wrong)
    told = opened.failures()
    assert (told["message"], told["attempts"]) == (["too late again"], [2])


def test_a_group_asks_for_all_that_it_names_at_once(
    opened: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    of_all = Prepared.of_all

    def counted(self: Any, connection: Any, columns: Any) -> Any:
        asked.append(len(next(iter(columns.values()))))
        return of_all(self, connection, columns)

    monkeypatch.setattr(Prepared, "of_all", counted)
    with opened.transaction():
        for number in range(100):
            one = paid(number)
            opened.put_reply(one.key, one.request, one.reply, one.spend)
            opened.write(judged(number))
    assert max(asked) == 100
    assert len(asked) < 16
    asked.clear()
    opened.write(judged(7))
    assert not asked


def test_what_names_nobody_is_told_with_its_transaction(opened: Store) -> None:
    unknown = dataclasses.replace(place(0), model_key=b"m" * 32)
    nobody = pytest.raises(StoreError, match=r"no model 6d6d.*; put_model\(\) must come first")
    with nobody, opened.transaction():
        opened.write(judged(1))
        opened.write(judged(2))
        key = hashlib.sha256(b"j2").digest()
        opened.put_uses([RunVerdict(run_id="r", place=unknown, judgment_key=key)])
    assert opened.verdicts("b")["item_id"] == []
    opened.write(judged(1))
    assert opened.verdicts("b")["item_id"] == ["1"]


# the journal --------------------------------------------------------------------------------------


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store_url: str) -> Any:
    """A journal as a process leaves it that ended before its store could be written."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with open_store(store_url) as store:
        begun(store)
        journal = store._journal
        journal.keep([paid(1), paid(2)])
        assert journal.path is not None
        kept = journal.path.read_text()
        name = journal.path
        assert journal.file is not None
        journal.file.close()  # as the end of its process does
    assert name.read_text() == kept
    return name


def test_the_next_opening_takes_in_what_was_paid_for(
    store_url: str, left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(store_url, read_only=True) as store:
        assert store.reply(paid(1).key) is None
    with open_store(store_url) as store:
        assert [store.reply(paid(n).key) for n in (1, 2)] == [paid(1).reply, paid(2).reply]
        assert store.spend("r")["calls"] == [2]
    assert not left.exists()
    assert "2 replies that an earlier run had paid for are stored now" in capsys.readouterr().err


def test_what_is_there_by_then_is_not_paid_for_twice(store_url: str, left: Path) -> None:
    kept = left.read_text()
    open_store(store_url).close()
    left.write_text(kept)  # killed between the commit and the removal
    with open_store(store_url) as store:
        assert store.spend("r")["calls"] == [2]
    assert not left.exists()


def test_a_line_that_was_cut_is_none(store_url: str, left: Path) -> None:
    left.write_text(left.read_text()[:-20])
    with open_store(store_url) as store:
        assert store.reply(paid(1).key) is not None
        assert store.reply(paid(2).key) is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda head: "what is this", "cannot be read as a journal of replies"),
        (lambda head: json.dumps({**json.loads(head), "store": "0"}), "2 replies of another store"),
        (lambda head: json.dumps({**json.loads(head), "judgebench_journal": 9}), "does not begin"),
    ],
)
def test_a_journal_that_is_not_ours_is_left_alone(
    store_url: str, left: Path, change: Callable[[str], str], says: str
) -> None:
    head, _, rest = left.read_text().partition("\n")
    left.write_text(f"{change(head)}\n{rest}")
    with pytest.raises(StoreError, match=says):
        open_store(store_url)
    assert left.exists()


def test_no_key_is_written_to_it(
    store_url: str, left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judgebench.secret import Secret

    secret = Secret("planted-in-a-journal-93127")
    with open_store(store_url) as store:
        journal = store._journal
        one = paid(3)
        said = dataclasses.replace(one.reply, text=f"it is {secret.reveal()}")
        journal.keep([dataclasses.replace(one, reply=said)])
        assert journal.path is not None
        written = journal.path.read_text()
        journal.path.unlink()
        assert journal.file is not None
        journal.file.close()
    assert secret.reveal() not in written
    assert "it is ***" in written


KILLED = """
    import asyncio, sys, threading
    from tests.written import keep
    from judgebench.store.opening import open_store
    from tests.contract.store.test_writer import all_of, paid, put

    store = open_store(sys.argv[1])

    async def run():
        print("asking", flush=True)
        await asyncio.gather(*(keep(store, put(paid(n)), paid=paid(n)) for n in range(64)))

    sys.stdin.readline()
    asyncio.run(run())
"""


def test_a_process_killed_while_others_hold_the_store_loses_nothing_it_had_for_a_second(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with open_store(store_url) as store:
        begun(store)
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), store_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdin
        assert child.stdout
        place = store._journal.place
        with store.transaction():
            child.stdin.write("go\n")
            child.stdin.flush()
            assert child.stdout.readline() == "asking\n"
            there = threading.Event()
            for _ in range(600):
                journals = list(place.parent.glob(f"{place.name}-paid-*"))
                if journals and len(journals[0].read_text().splitlines()) == 65:
                    break
                there.wait(0.05)
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stdin.close()
            child.stdout.close()
    with open_store(store_url) as store:
        assert all(store.reply(paid(n).key) == paid(n).reply for n in range(64))
        assert store.spend("r")["calls"] == [64]


def test_where_the_thread_has_no_connection_each_is_told(
    opened: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    another, spare = opened._database.another, [False]

    def none() -> Any:
        if not spare[0]:
            raise StoreError("there is no connection to spare")
        return another()

    monkeypatch.setattr(opened._database, "another", none)

    async def run() -> list[Any]:
        two = [keep(opened, put(paid(n)), paid=paid(n)) for n in (1, 2)]
        return await asyncio.wait_for(asyncio.gather(*two, return_exceptions=True), 20)

    assert [str(error) for error in asyncio.run(run())] == ["there is no connection to spare"] * 2
    journal = opened._writer.journal.path if opened._writer else None
    assert journal is not None
    assert len(journal.read_text().splitlines()) == 3
    spare[0] = True
    asyncio.run(all_of(opened, range(4)))  # the next ones find one
    assert not journal.exists()


def test_what_two_threads_keep_is_kept_once(opened: Store) -> None:
    journal = opened._journal
    many = [paid(n) for n in range(40)]
    barrier = threading.Barrier(4)

    def together() -> None:
        barrier.wait()
        journal.keep(many)

    threads = [threading.Thread(target=together) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.path is not None
    assert len(journal.path.read_text().splitlines()) == 1 + len(many)
    journal.path.unlink()
    assert journal.file is not None
    journal.file.close()


def test_a_journal_that_holds_a_reply_twice_counts_it_once(store_url: str, left: Path) -> None:
    lines = left.read_text().splitlines(keepends=True)
    left.write_text("".join([*lines, *lines[1:]]))
    with open_store(store_url) as store:
        assert store.spend("r")["calls"] == [2]


def test_a_journal_that_is_only_begun_is_in_nobodys_way(store_url: str, left: Path) -> None:
    begun_now = left.with_name(left.name[:-1] + "x")
    begun_now.touch()
    with open_store(store_url) as store:
        assert store.spend("r")["calls"] == [2]
    assert begun_now.exists()
    begun_now.unlink()


def test_a_line_that_finds_no_room_is_taken_back(
    opened: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened._journal
    journal.keep([paid(1)])
    assert journal.path is not None
    before = journal.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write.os, "fsync", full)
    with pytest.raises(StoreError, match="could not be kept"):
        journal.keep([paid(2)])
    assert journal.path.read_bytes() == before
    monkeypatch.undo()
    journal.keep([paid(2)])
    assert len(journal.path.read_text().splitlines()) == 3
    journal.path.unlink()
    assert journal.file is not None
    journal.file.close()


def test_a_journal_that_cannot_be_held_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process would take it in, and remove it, while this one goes on writing."""
    journal, lock = write.Journal(tmp_path / "s.db", "id"), fcntl.flock

    def no_locks(file: Any, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(StoreError, match="No locks available"):
        journal.keep([paid(1)])
    monkeypatch.setattr(fcntl, "flock", lock)
    journal.keep([paid(2)])
    assert journal.path is not None
    with journal.path.open("rb") as other, pytest.raises(BlockingIOError):
        lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert journal.file is not None
    journal.file.close()


def test_a_store_with_signs_in_its_name_finds_its_journal(tmp_path: Path) -> None:
    path = tmp_path / "odd[1]*.db"
    with open_store(str(path)) as store:
        begun(store)
        journal = store._journal
        journal.keep([paid(1)])
        assert journal.file is not None
        journal.file.close()
    with open_store(str(path)) as store:
        assert store.spend("r")["calls"] == [1]


@pytest.mark.parametrize("value", [True, 1, 0.25, float("inf"), -1e300])
def test_a_score_of_any_number_is_the_same_on_both_engines(opened: Store, value: float) -> None:
    judgment = Judgment(
        key=b"k" * 32, judge_key=place(0).judge_key, case_key=bytes(32),
        verdict=Score(value=value, low=0, high=100), at=1.0,
    )  # fmt: skip
    opened.put_judgment(
        judgment, [RunVerdict(run_id="r", place=place(0), judgment_key=judgment.key)]
    )
    assert opened.verdicts("b")["value"] == [float(value)]


# what one write leaves for the next -------------------------------------------------------------


def spent(number: int, model: str = "x") -> Spend:
    purpose = Purpose(run_id="r", place=place(number))
    return Spend(purpose=purpose, how="live", provider="p", model=model, cost_usd=1.0)


def verdict_of(number: int) -> tuple[Judgment, RunVerdict]:
    key = hashlib.sha256(f"judged {number}".encode()).digest()
    judgment = Judgment(
        key=key, judge_key=place(number).judge_key, case_key=key, verdict=Label(name="good"), at=1.0
    )
    return judgment, RunVerdict(run_id="r", place=place(number), judgment_key=key)


def test_what_was_taken_back_is_not_written_by_what_comes_next(opened: Store) -> None:
    with pytest.raises(KeyboardInterrupt), opened.transaction():
        opened.put_spend((spent(1),))
        raise KeyboardInterrupt
    assert opened.draw("project", 9.0, spent=0, held=0, wanted=1, more=0).fits
    assert opened.spend()["cost_usd"] == []
    with pytest.raises(StoreError, match="no judgment"), opened.transaction():
        opened.put_uses([RunVerdict(run_id="r", place=place(1), judgment_key=b"?" * 32)])
    assert opened.draw("project", 9.0, spent=0, held=0, wanted=1, more=0).fits


def test_a_log_that_cannot_be_folded_speaks_for_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judgebench.store import sqlite

    def fails(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with open_store(f"sqlite:///{tmp_path / 's.db'}") as store:
        with monkeypatch.context() as patched:
            patched.setattr(sqlite, "_FOLD_AT", 0)
            patched.setattr(sqlite.SQLite, "_fold", fails)
            for number in range(sqlite._LOOK_EVERY + 2):
                store.put_model(f"m{number}", ModelSpec(weights=f"m{number}"))
        assert len(store.models()) == sqlite._LOOK_EVERY + 2


def test_anchors_are_looked_up_once_each(opened: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from judgebench.store import catalog

    asked: list[bytes] = []
    rows = catalog.rows

    def counting(connection: Any, table: Any, columns: str, where: Any, **named: Any) -> Any:
        asked.extend(where.get("key", ()))
        return rows(connection, table, columns, where, **named)

    made = [verdict_of(number) for number in range(50)]
    opened.put_judgments(made)
    monkeypatch.setattr(catalog, "rows", counting)
    anchors = opened.put_anchors([(use.place, judgment.key) for judgment, use in made])
    assert anchors.verdicts == 50
    assert 0 < len(asked) <= 50


@pytest.mark.parametrize("name", ["a\0b", "half \ud800"])
def test_a_name_that_no_store_holds_is_named(opened: Store, name: str) -> None:
    judgment, use = verdict_of(1)
    elsewhere = dataclasses.replace(use.place, item_id=name)
    with pytest.raises(InputError, match=r"the item id .* holds a NUL character or half"):
        opened.put_judgment(judgment, [dataclasses.replace(use, place=elsewhere)])
    item = Item(benchmark=name, version="1", id="i", turns=())
    with pytest.raises(InputError, match=r"the benchmark .* holds a NUL character or half"):
        opened.put_items([item])
    with pytest.raises(InputError, match=r"the name .* holds a NUL character or half"):
        opened.put_judgment(dataclasses.replace(judgment, verdict=Label(name=name)), [use])


def test_strings_of_numpy_are_strings(opened: Store) -> None:
    judgment, use = verdict_of(1)
    opened.put_judgment(dataclasses.replace(judgment, verdict=Label(name=np.str_("fine"))), [use])
    opened.put_spend((spent(1, np.str_("named")),))
    assert opened.verdicts("b")["label"] == ["fine"]
    assert opened.spend()["requested_model"] == ["named"]


def test_all_entries_of_one_event_loop_are_told_at_once(opened: Store) -> None:
    told: list[tuple[int, int]] = []

    class Loop:
        """What is put here is called at once, by the thread that writes."""

        def __init__(self, number: int) -> None:
            self.number = number

        def call_soon_threadsafe(self, tell: Any, entries: list[write.Entry]) -> None:
            told.append((self.number, len(entries)))
            tell(entries)

    loops = [Loop(0), Loop(1)]
    ended = asyncio.new_event_loop()
    ended.close()
    thread = write.Writer(opened._database.another, write.Journal(Path("nowhere"), "id"))
    done = []
    with thread.idle:  # the first entry is a commit of its own, and the others wait for it
        for number in range(41):
            future: Future[Any] = Future()
            future.get_loop = lambda number=number: loops[number % 2]  # type: ignore[attr-defined]
            entry = write.Entry(lambda put, n=number: put.put_judge(f"j{n}", JUDGE), future)
            thread.waiting[entry] = None
            thread.queue.put(entry)
            done.append(future)
        lost = write.Entry(lambda put: put.put_judge("lost", JUDGE), ended.create_future())
        thread.waiting[lost] = None
        thread.queue.put(lost)
    assert all(one.result(10) for one in done)
    thread.close()
    assert {number: sum(n for one, n in told if one == number) for number in (0, 1)} == {
        0: 21,
        1: 20,
    }
    assert len(told) <= 6
    assert not thread.waiting
