"""Two runs at one store share the work: nothing is asked twice, and none waits for the other."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from judgebench.store import claims
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e import own
from tests.faults.kill_points import signed
from tests.loopback import Ask, Loopback, Reaction

pytestmark = pytest.mark.usefixtures("forked")

ITEMS, SLOTS = 24, 3
CLAIMED = 2 * SLOTS
"""Questions that a run claims at once."""
RUN = "import sys; from judgebench.cli.main import main; sys.exit(main())"


def suite(folder: Path, server: Loopback, url: str) -> Path:
    return own.suite(
        folder,
        items=ITEMS,
        judges=[own.endpoint(server.url, "grader", kind="rubric")],
        benchmark={"scale": [1, 10]},
        limits={"max_connections": SLOTS, "timeout_s": 120},
        store=url,
    )


@pytest.fixture
def run() -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Starts a run; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(path: Path) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", RUN, "run", str(path), "--quiet"]
        started.append(
            subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        with process:  # its pipes are closed
            pass


def until(happened: Callable[[], object], seconds: float = 60.0) -> float:
    """Seconds until it has happened."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


def until_said(process: subprocess.Popen[str], words: str) -> str:
    """All that it said until it said something."""
    assert process.stderr
    said = ""
    while words not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    return said


def end(process: subprocess.Popen[str]) -> str:
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said
    assert " 0 failed" in said
    return said


def nothing_is_left(url: str) -> None:
    with open_store(url, read_only=True) as store, store.snapshot() as connection:
        for table in ("claims", "owners", "reservations"):
            left = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
            assert left == 0, table
        rows = connection.exec_driver_sql("SELECT count(*) FROM verdicts_v2").scalar()
        assert rows == ITEMS


def test_two_runs_of_one_suite_share_its_questions(
    store: Store, store_url: str, tmp_path: Path, run: Callable[[Path], subprocess.Popen[str]]
) -> None:
    store.close()

    def script(ask: Ask) -> Reaction:
        """The second run asks while the first question of the first one is under way."""
        if len(server.asks) == 1:
            return replace(signed(ask), delay_s=100, until=lambda: len(server.asks) > 1)
        return replace(signed(ask), delay_s=0.05)

    with Loopback(script) as server:
        path = suite(tmp_path, server, store_url)
        first = run(path)
        until(lambda: server.asks)
        said = [end(process) for process in (run(path), first)]
        asked = Counter(ask.sha for ask in server.asks)
    assert len(asked) == ITEMS
    assert set(asked.values()) == {1}
    assert all(" 0 judge calls made" not in one for one in said), said
    nothing_is_left(store_url)


def test_what_a_killed_run_worked_on_is_taken_over_at_once(
    store: Store, store_url: str, tmp_path: Path, run: Callable[[Path], subprocess.Popen[str]]
) -> None:
    store.close()

    def script(ask: Ask) -> Reaction:
        return replace(signed(ask), delay_s=90 if len(server.asks) == 1 else 0)

    with Loopback(script) as server:
        path = suite(tmp_path, server, store_url)
        killed = run(path)
        until(lambda: server.asks)  # the first goes alone, and is not answered
        other = run(path)
        until(lambda: judged(store_url) == ITEMS - CLAIMED)
        said = until_said(other, "waiting for process")
        assert other.poll() is None
        assert len(server.asks) == 1 + ITEMS - CLAIMED
        killed.kill()
        # A quarter of a second, and the load; its heartbeat would be old much later.
        assert until(lambda: len(server.asks) > ITEMS) < claims.STALE_S / 2
        said += end(other)
        killed.communicate()
        asked = Counter(ask.sha for ask in server.asks)
    assert re.search(r"waiting for process \d+ on ", said)
    assert f"which works on {CLAIMED} questions" in said
    assert len(asked) == ITEMS
    assert asked.total() == ITEMS + 1  # what was on its way at the kill is asked once more
    nothing_is_left(store_url)


def judged(url: str) -> int:
    with open_store(url, read_only=True) as store, store.snapshot() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM judgments").scalar() or 0)
