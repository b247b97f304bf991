"""Several processes at one store: two write, one reads, one is killed; nothing is lost."""

from __future__ import annotations

import dataclasses
import hashlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

from judgebench import keys
from judgebench.records import (
    Batch,
    ChatRequest,
    JudgeSpec,
    Judgment,
    Label,
    ModelSpec,
    Purpose,
    RunManifest,
    RunVerdict,
    Spend,
    Usage,
    VerdictSlot,
)
from judgebench.store import sqlite
from judgebench.store.database import hanging_references
from judgebench.store.opening import located, open_store
from judgebench.store.store import Store

pytestmark = pytest.mark.usefixtures("forked")

WRITE = """
    import sys
    sys.path.insert(0, sys.argv[1])
    from test_processes import judge, open_bench

    url, run_id, count = sys.argv[2], sys.argv[3], int(sys.argv[4])
    with open_bench(url, run_id) as store:
        for number in range(count):
            judge(store, run_id, number)
            print(number, flush=True)
"""
SPEND = """
    import sys
    sys.path.insert(0, sys.argv[1])
    from test_processes import open_bench, spend

    url, run_id, count = sys.argv[2], sys.argv[3], int(sys.argv[4])
    with open_bench(url, run_id) as store:
        for number in range(count):
            store.put_spend([spend(run_id), spend("shared")])
"""
SUBMIT = """
    import sys
    sys.path.insert(0, sys.argv[1])
    from test_processes import BATCH, QUESTIONS, open_bench

    with open_bench(sys.argv[2], BATCH.run_id) as store:
        store.put_batch(BATCH, QUESTIONS)
        print("sending", flush=True)
        sys.stdin.readline()  # the provider answers, and nobody is there to hear it
"""
MIGRATE = """
    import sys
    from alembic import op
    from judgebench.store.opening import open_store

    def wait(*ignored, **named):
        print("half done", flush=True)
        sys.stdin.readline()

    op.add_column = wait  # some tables are made, the views are not
    open_store(sys.argv[2])
"""
PYTHON = sys.executable
MODEL, JUDGE = ModelSpec(weights="m"), JudgeSpec(kind="exact_match")


def open_bench(url: str, run_id: str) -> Store:
    store = open_store(url)
    with store.transaction():
        store.put_model("m", MODEL)
        store.put_judge("exact_match", JUDGE)
        if store.run(run_id) is None:
            store.start_run(
                RunManifest(
                    id=run_id, name="n", configuration={}, versions={}, git_sha=None, data_sha={},
                    seeds={}, started=1.0,
                )
            )  # fmt: skip
    return store


def judgment_key(run_id: str, number: int) -> bytes:
    return hashlib.sha256(f"{run_id} {number}".encode()).digest()


def judge(store: Store, run_id: str, number: int) -> None:
    """One judgment of this run's own, and now and then one that every run makes."""
    for name, item in ((run_id, f"{run_id}/{number}"), ("shared", f"shared/{number // 10}")):
        key = judgment_key(name, number if name == run_id else number // 10)
        place = VerdictSlot(
            benchmark="b", version="1", item_id=item, model_key=keys.model_key(MODEL),
            judge_key=keys.judge_key(JUDGE),
        )  # fmt: skip
        judgment = Judgment(
            key=key, judge_key=place.judge_key, case_key=key, verdict=Label(name="correct")
        )
        store.put_judgment(judgment, [RunVerdict(run_id=run_id, place=place, judgment_key=key)])


def spend(run_id: str) -> Spend:
    place = VerdictSlot(
        benchmark="b", version="1", item_id="0", model_key=keys.model_key(MODEL),
        judge_key=keys.judge_key(JUDGE),
    )  # fmt: skip
    purpose = Purpose(run_id=run_id, place=place)
    usage = Usage(prompt_tokens=10, completion_tokens=1)
    return Spend(purpose=purpose, how="live", provider="p", model="j", usage=usage, cost_usd=0.25)


BATCH = Batch(id="b-1", run_id="run-1", asker="j", provider="p", requests=50, created=1.0)
QUESTIONS = {
    keys.request_key(question): question
    for question in (
        ChatRequest(
            provider="p",
            model="j",
            messages=(),
            sample=number,
            purpose=Purpose(run_id="run-1", place=spend("run-1").purpose.place),
        )
        for number in range(BATCH.requests)
    )
}


def writer(url: str, run_id: str, count: int) -> subprocess.Popen[str]:
    return started(WRITE, url, run_id, count)


def started(program: str, *arguments: object, python: str | None = None) -> subprocess.Popen[str]:
    here = str(Path(__file__).parent)
    return subprocess.Popen(
        [python or sys.executable, "-c", textwrap.dedent(program), here, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def is_whole(url: str) -> bool:
    if path := located(url).path:
        with closing(sqlite3.connect(path)) as connection:
            answers = connection.execute("PRAGMA integrity_check").fetchall()
            broken = connection.execute("PRAGMA foreign_key_check").fetchall()
            assert (answers, broken) == ([("ok",)], [])
    with open_store(url, read_only=True) as store, store.snapshot() as connection:
        return not list(hanging_references(connection))


def complaints(errors: str) -> list[str]:
    """What a process said beside that it waits for its turn, as it may on a busy machine."""
    return [line for line in errors.splitlines() if not line.endswith(" s so far)")]


def test_two_write_and_one_reads_at_once(unmade_url: str) -> None:
    url, count = unmade_url, 200
    writers = [writer(url, run_id, count) for run_id in ("run-1", "run-2")]  # both make the store
    for process in writers:
        assert process.stdout
        assert process.stdout.readline() == "0\n"
    seen = [0]
    with open_store(url, read_only=True) as reader:
        while any(process.poll() is None for process in writers):
            seen.append(len(reader.verdicts("b")["label"]))
            for process in writers:
                if process.poll() is None and process.stdout:
                    process.stdout.readline()
        assert seen == sorted(seen)
        for process in writers:
            _, errors = process.communicate(timeout=60)
            assert (process.returncode, complaints(errors)) == (0, [])
        wanted = {
            judgment_key(run, number) for run in ("run-1", "run-2") for number in range(count)
        }
        wanted |= {judgment_key("shared", number) for number in range(count // 10)}
        assert reader.judged(wanted) == wanted
        assert len(reader.verdicts("b")["label"]) == 2 * count + count // 10
    assert any(0 < number < 2 * count for number in seen)  # it did read while they wrote
    assert is_whole(url)


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_writer_loses_nothing_it_was_told_was_kept(store_url: str, seed: int) -> None:
    with open_bench(store_url, "run-1"):
        process = writer(store_url, "run-2", 100_000)
        assert process.stdout
        process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.01, 0.25))
        process.send_signal(signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
        # The first line's reader may have taken a part of the second.
        lines = [line for line in output.splitlines(keepends=True) if line.endswith("\n")]
        told = [int(line) for line in lines if line.strip()]
    with open_bench(store_url, "run-3") as store:
        last = max(told, default=0)
        wanted = {judgment_key("run-2", number) for number in range(last + 1)}
        assert store.judged(wanted) == wanted
        columns = store.verdicts("b")
        assert len(columns["label"]) == len(set(columns["item_id"]))  # no use without its judgment
        judge(store, "run-3", 0)  # nothing the dead one held is in the way
    assert is_whole(store_url)


def test_what_two_spend_at_once_adds_up(store_url: str) -> None:
    count = 300
    open_bench(store_url, "shared").close()
    spenders = [started(SPEND, store_url, run_id, count) for run_id in ("run-1", "run-2")]
    for spender in spenders:
        _, errors = spender.communicate(timeout=60)
        assert (spender.returncode, complaints(errors)) == (0, [])
    with open_store(store_url, read_only=True) as store:
        spent = store.spend()
    names = ("run_id", "calls", "prompt_tokens", "cost_usd")
    assert sorted(zip(*(spent[name] for name in names), strict=True)) == [
        ("run-1", count, 10 * count, 0.25 * count),
        ("run-2", count, 10 * count, 0.25 * count),
        ("shared", 2 * count, 20 * count, 0.5 * count),
    ]
    assert is_whole(store_url)


def test_a_batch_whose_sender_was_killed_is_still_being_submitted(store_url: str) -> None:
    sender = started(SUBMIT, store_url)
    assert sender.stdout
    assert sender.stdout.readline() == "sending\n"
    sender.kill()
    sender.communicate(timeout=60)
    with open_bench(store_url, "run-2") as store:  # as another machine with the same store would
        assert store.batches() == [BATCH]
        assert BATCH.state == "submitting"
        assert store.in_batches(QUESTIONS) == dict.fromkeys(QUESTIONS, BATCH.id)
        found = store.batch_requests(BATCH.id)
        assert found == QUESTIONS
        assert [one.purpose for one in found.values()] == [QUESTIONS[key].purpose for key in found]
        collected = dataclasses.replace(BATCH, state="collected", remote_id="1", ended=2.0)
        store.update_batch(collected)
        assert store.batches(["submitting", "submitted"]) == []
    assert is_whole(store_url)


def test_a_writer_killed_in_the_middle_of_a_migration_leaves_the_older_store(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.db"
    shutil.copy(Path(__file__).parents[2] / "data" / "stores" / "0.1.0.db", path)
    migrating = started(MIGRATE, path, python=PYTHON)  # no fork: it ends as it is killed
    assert migrating.stdout
    assert migrating.stdout.readline() == "half done\n"
    migrating.kill()
    migrating.communicate(timeout=60)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = connection.execute(
            "SELECT version_num, (SELECT count(*) FROM uses) FROM alembic_version"
        )
        revision, uses = found.fetchone()
    assert revision == "0001"
    with open_store(str(path)) as store:
        assert len(store.verdicts("trivia")["label"]) == uses - 1  # one label was taken back


def test_the_log_is_folded_in_while_writing_and_gone_when_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a quarter of the usual size, which takes a quarter of the time."""
    assert sqlite._FOLD_AT == 8 << 20
    monkeypatch.setattr(sqlite, "_FOLD_AT", 2 << 20)
    path = tmp_path / "x.db"
    log = path.with_name("x.db-wal")
    with open_bench(str(path), "run-1") as store:
        largest = 0
        for number in range(1500):
            judge(store, "run-1", number)
            if number % 50 == 0:
                largest = max(largest, log.stat().st_size)
        assert 2 << 20 < largest < 6 << 20
    assert not log.exists()
    assert is_whole(str(path))
