"""A run with calls under way while somebody else writes to its store, and what must hold.

Somebody holds the store, as another program does that writes to it; or takes in a large file. Every
question that arrived at the server was paid for: its reply must be stored, and no question may
arrive twice.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from judgebench.store.opening import open_store
from tests.faults.many_judgments import CONNECTIONS, ROOT, write_suite

Held = Literal["by another program", "by the writer's turn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of a run that was disturbed.

    ``code`` is its exit code, ``asked`` are the questions that arrived, ``twice`` those that
    arrived again, ``lost`` those without a stored reply. ``disturbed_s`` is for how long somebody
    held the store, or imported.
    """

    code: int
    asked: int
    twice: int
    lost: int
    verdicts: int
    under_way: int
    seconds: float
    disturbed_s: float
    imported: str = ""

    def report(self) -> str:
        return (
            f"exit {self.code} after {self.seconds:.0f} s, {self.disturbed_s:.0f} s of them "
            f"disturbed with {self.under_way} calls under way: {self.asked:,} questions arrived, "
            f"{self.twice} of them twice, {self.lost} replies lost, {self.verdicts:,} verdicts"
        )


def held(folder: Path, judgments: int, hold_s: float, how: Held) -> Figures:
    """The store is held for so long, once as many calls are under way as may be."""

    def hold(store: Path) -> str:
        holding = by_another_program(store) if how == "by another program" else by_turn(store)
        with holding:
            time.sleep(hold_s)
        return ""

    return _disturbed(folder, judgments, hold, delay_s=0.3)


def imported(folder: Path, judgments: int, rows: int, delay_s: float) -> Figures:
    """A file of so many verdicts is imported meanwhile."""
    file = folder / "verdicts.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        for n in range(rows):
            lines.write(json.dumps(verdict(n)) + "\n")

    def take_in(store: Path) -> str:
        done = _judgebench(folder, "import", "verdicts", str(file), "--store", f"sqlite:///{store}")
        _, said = done.communicate()
        if done.returncode:
            raise AssertionError(said)
        return said.strip().rpartition(": ")[2]

    return _disturbed(folder, judgments, take_in, delay_s=delay_s)


def verdict(n: int) -> dict[str, str]:
    """A row of a file of verdicts, on a hundred models."""
    return {
        "benchmark": "made_up",
        "item_id": f"{n // 100}",
        "model": f"model-{n % 100}",
        "judge": "elsewhere",
        "kind": "label",
        "value": "correct" if n % 3 else "incorrect",
    }


def _disturbed(
    folder: Path, judgments: int, disturb: Callable[[Path], str], *, delay_s: float
) -> Figures:
    suite, store, log = _suite(folder, judgments), folder / "store.db", folder / "asked.log"
    with _serving(log, delay_s) as url:
        began = time.monotonic()
        run = _judgebench(folder, "run", str(suite), "--quiet", FAULTY_URL=url)
        while len(asked := _lines(log)) < CONNECTIONS:
            if run.poll() is not None:
                raise AssertionError(run.communicate()[1])
            time.sleep(0.05)
        at = time.monotonic()
        said_of_it = disturb(store)
        disturbed_s = time.monotonic() - at
        run.communicate()
        seconds = time.monotonic() - began
    asked = _lines(log)
    arrivals = Counter(asked)
    with open_store(str(store), read_only=True) as opened, opened.snapshot() as connection:
        count = "SELECT count(*) FROM {}"
        replies, verdicts = (
            int(connection.exec_driver_sql(count.format(table)).scalar() or 0)
            for table in ("replies", "judgments WHERE reply_keys != x''")
        )
    return Figures(
        code=run.returncode,
        asked=len(arrivals),
        twice=sum(n > 1 for n in arrivals.values()),
        lost=len(arrivals) - replies,
        verdicts=verdicts,
        under_way=CONNECTIONS,
        seconds=seconds,
        disturbed_s=disturbed_s,
        imported=said_of_it,
    )


def _suite(folder: Path, judgments: int) -> Path:
    """Nothing is asked again for being slow."""
    path = write_suite(folder, judgments, f"sqlite:///{folder / 'store.db'}")
    written = yaml.safe_load(path.read_text())
    written["limits"] |= {"timeout_s": 600, "max_retries": 0}
    path.write_text(yaml.safe_dump(written))
    return path


def _lines(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def _judgebench(folder: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "judgebench.cli.main", *words],
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **more},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def _serving(log: Path, delay_s: float) -> Iterator[str]:
    process = subprocess.Popen(
        [
            *(sys.executable, str(ROOT / "tests" / "loopback.py"), "--port", "0"),
            *("--log", str(log), "--mode", "ok", "--delay", str(delay_s)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextmanager
def by_another_program(store: Path) -> Iterator[None]:
    """As `sqlite3 FILE` does with BEGIN IMMEDIATE: it knows nothing of our turns."""
    connection = sqlite3.connect(store, timeout=60, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


@contextmanager
def by_turn(store: Path) -> Iterator[None]:
    """As another judgebench does that writes one large transaction."""
    turn = os.open(store.with_name(store.name + "-turn"), os.O_RDWR)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
    finally:
        os.close(turn)
