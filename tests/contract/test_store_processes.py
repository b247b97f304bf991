"""Several processes at one store: two write, one reads, one is killed; nothing is lost."""

from __future__ import annotations

import hashlib
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from judgebench import keys
from judgebench.records import JudgeSpec, Judgment, Label, ModelSpec, Place, RunManifest, Use
from judgebench.store import Store, open_store

WRITE = """
    import sys
    sys.path.insert(0, sys.argv[1])
    from test_store_processes import judge, open_bench

    path, run_id, count = sys.argv[2], sys.argv[3], int(sys.argv[4])
    with open_bench(path, run_id) as store:
        for number in range(count):
            judge(store, run_id, number)
            print(number, flush=True)
"""
MODEL, JUDGE = ModelSpec(weights="m"), JudgeSpec(kind="exact_match")


def open_bench(path: str, run_id: str) -> Store:
    store = open_store(path)
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
        place = Place(
            benchmark="b", version="1", item_id=item, model_key=keys.model_key(MODEL),
            judge_key=keys.judge_key(JUDGE),
        )  # fmt: skip
        judgment = Judgment(
            key=key, judge_key=place.judge_key, case_key=key, verdict=Label(name="correct")
        )
        store.put_judgment(judgment, [Use(run_id=run_id, place=place, judgment_key=key)])


def writer(path: Path, run_id: str, count: int) -> subprocess.Popen[str]:
    here = str(Path(__file__).parent)
    arguments = [sys.executable, "-c", textwrap.dedent(WRITE), here, str(path), run_id, str(count)]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def is_whole(path: Path) -> bool:
    connection = sqlite3.connect(path)
    answers = connection.execute("PRAGMA integrity_check").fetchall()
    broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    connection.close()
    return answers == [("ok",)] and broken == []


def test_two_write_and_one_reads_at_once(tmp_path: Path) -> None:
    path, count = tmp_path / "x.db", 400
    writers = [writer(path, run_id, count) for run_id in ("run-1", "run-2")]  # both make the store
    for process in writers:
        assert process.stdout
        assert process.stdout.readline() == "0\n"
    seen = [0]
    with open_store(str(path), read_only=True) as reader:
        while any(process.poll() is None for process in writers):
            seen.append(len(reader.verdicts("b")["label"]))
            for process in writers:
                if process.poll() is None and process.stdout:
                    process.stdout.readline()
        assert seen == sorted(seen)
        for process in writers:
            _, errors = process.communicate(timeout=60)
            assert (process.returncode, errors) == (0, "")
        wanted = {
            judgment_key(run, number) for run in ("run-1", "run-2") for number in range(count)
        }
        wanted |= {judgment_key("shared", number) for number in range(count // 10)}
        assert reader.judged(wanted) == wanted
        assert len(reader.verdicts("b")["label"]) == 2 * count + count // 10
    assert any(0 < number < 2 * count for number in seen)  # it did read while they wrote
    assert is_whole(path)


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_writer_loses_nothing_it_was_told_was_kept(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "x.db"
    with open_bench(str(path), "run-1"):
        process = writer(path, "run-2", 100_000)
        assert process.stdout
        process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.01, 0.25))
        process.send_signal(signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
        told = [int(line) for line in output.splitlines(keepends=True) if line.endswith("\n")]
    with open_bench(str(path), "run-3") as store:
        last = max(told, default=0)
        wanted = {judgment_key("run-2", number) for number in range(last + 1)}
        assert store.judged(wanted) == wanted
        columns = store.verdicts("b")
        assert len(columns["label"]) == len(set(columns["item_id"]))  # no use without its judgment
        judge(store, "run-3", 0)  # nothing the dead one held is in the way
    assert is_whole(path)


def test_the_log_is_folded_in_while_writing_and_gone_when_closed(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    log = path.with_name("x.db-wal")
    with open_bench(str(path), "run-1") as store:
        largest = 0
        for number in range(6000):
            judge(store, "run-1", number)
            if number % 50 == 0:
                largest = max(largest, log.stat().st_size)
        assert 8 << 20 < largest < 12 << 20
    assert not log.exists()
    assert is_whole(path)
