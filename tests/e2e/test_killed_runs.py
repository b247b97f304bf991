"""A run killed at random moments, over and over: nothing is lost, nothing is paid for twice."""

from __future__ import annotations

import math
import os
import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from judgebench.store import claims
from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.loopback import Ask, Loopback, Reaction, completion

# A kill at every step of the writing is in tests/faults: here a few, perf/killed_runs.py does 200.
KILLS = int(os.environ.get("JUDGEBENCH_KILLS", "2"))
ITEMS = 48
TAKERS = ("model-careful", "model-terse", "model-verbose", "model-weak")
CALLS = ITEMS * len(TAKERS)
SEED = 20261125


def _signed(ask: Ask) -> Reaction:
    """An answer whose served model names the question, so that a kept reply can be traced."""
    whole = completion(ask, Reaction())
    return Reaction(payload=whole | {"model": f"asked-{ask.sha}"}, delay_s=0.05)


def _kept(store: Path) -> set[str]:
    """Which questions have their reply in the store."""
    if not store.exists():
        return set()
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        tables = {row[0] for row in connection.execute("select name from sqlite_master")}
        if "replies" not in tables:
            return set()
        rows = connection.execute("select served_model from replies").fetchall()
    connection.close()
    return {row[0].removeprefix("asked-") for row in rows}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kills_at_random_moments_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "STALE_S", math.inf)  # the last run waits for no dead one
    chance = random.Random(SEED)
    (tmp_path / "calm").mkdir()
    store = tmp_path / "store.db"
    with Loopback(_signed) as server:
        suite = runs.suite(tmp_path, server.url, limit=ITEMS, takers=TAKERS)
        kills = finished = 0
        while kills < KILLS:
            kept, asked_before = _kept(store), len(server.asks)
            run = runs.start("run", suite, "--quiet")
            children_of = psutil.Process(run.pid)
            questions = chance.randint(0, (CALLS - len(kept)) // 2)  # when it has asked these
            while run.poll() is None and len(server.asks) - asked_before < questions:
                time.sleep(0.005)
            time.sleep(chance.uniform(0.0, 0.05))  # anywhere between two of them
            children = children_of.children(recursive=True) if run.poll() is None else []
            if run.poll() is not None:  # done before its moment came: begin with an empty store
                assert run.returncode == 0, run.stderr and run.stderr.read()
                finished += 1
                _all_judged_once(store, suite)
                for file in tmp_path.glob("store.db*"):
                    file.unlink()
                server.asks.clear()
            else:
                os.kill(run.pid, signal.SIGKILL)
                kills += 1
            run.communicate()
            again = {ask.sha for ask in server.asks[asked_before:]} & kept
            assert not again, f"after {kills} kills: asked again although the reply was kept"
            _, alive = psutil.wait_procs(children, timeout=10)
            assert not alive, f"left behind: {alive}"
        last = runs.typed("run", suite, "--quiet")
        assert last.code == 0, last.err
        _all_judged_once(store, suite)
        _ended_runs(store)
        assert finished < KILLS, "the kills came too late to hit a run at work"

        calm = runs.suite(tmp_path / "calm", server.url, limit=ITEMS, takers=TAKERS)
        assert runs.typed("run", calm, "--quiet").code == 0
    assert _numbers(tmp_path / "store.db") == _numbers(tmp_path / "calm" / "store.db")
    print(f"{kills} kills, {finished} undisturbed ends between them, seed {SEED}")


def _all_judged_once(store: Path, suite: Path) -> None:
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "select judge, model, item_id, count(*) from verdicts_v1 group by 1, 2, 3"
        ).fetchall()
    connection.close()
    assert len(rows) == 3 * len(TAKERS) * ITEMS
    assert {row[3] for row in rows} == {1}


def _ended_runs(store: Path) -> None:
    """Nothing says of itself that it still runs."""
    with open_store(f"sqlite:///{store}", read_only=True) as opened:
        states = {manifest.state for manifest in opened.runs()}
    assert states <= {"done", "interrupted"}


def _numbers(store: Path) -> Any:
    """The boards without what names a run's own replies."""
    boards = runs.board(f"sqlite:///{store}")["boards"]
    return [{k: v for k, v in b.items() if k not in {"served_models", "warnings"}} for b in boards]
