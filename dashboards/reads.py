"""What the pages read: the numbers of `judgebench.report`, cached by the state of the store.

The store is opened read-only for the moment of a read, so that a run beside it is never held up.
Nothing is computed here but counts.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from judgebench import DEFAULT_STORE
from judgebench.errors import StoreError
from judgebench.report import leaderboard as leaderboards
from judgebench.report.panels import panels_in
from judgebench.report.table import render
from judgebench.store import Store, open_store
from judgebench.store.location import store_path

KEPT = 64

_TURN = threading.Lock()

Json = Mapping[str, Any]


class NoStoreError(StoreError):
    """There is no file yet where the store should be."""


def store_url(arguments: Sequence[str] | None = None) -> str:
    """``--store URL`` after ``--``, else JUDGEBENCH_STORE, else the default."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for place, argument in enumerate(given):
        if argument.startswith("--store="):
            return argument.removeprefix("--store=")
        if argument == "--store" and place + 1 < len(given):
            return given[place + 1]
    return os.environ.get("JUDGEBENCH_STORE") or DEFAULT_STORE


@contextmanager
def _opened(url: str) -> Iterator[Store]:
    path = store_path(url)
    if not path.exists():
        raise NoStoreError(str(path))
    with open_store(url, read_only=True) as store:
        yield store


@contextmanager
def _computing(url: str) -> Iterator[Store]:
    """As `_opened`, one reader at a time: of a million verdicts each takes hundreds of megabytes,
    and two at once are no sooner done.
    """
    with _TURN, _opened(url) as store:
        yield store


def mark_of(url: str) -> str:
    """A string that differs whenever anything was committed to the store.

    It is made of size and time of the file and its log, so that asking costs microseconds
    whatever the store holds. An empty log is no log: readers make one.
    """
    path = store_path(url)
    return " ".join(_mark(file) for file in (path, path.with_name(path.name + "-wal")))


def _mark(file: Path) -> str:
    try:
        seen = file.stat()
    except FileNotFoundError:  # a log goes when its last user goes
        return ""
    return f"{seen.st_size}:{seen.st_mtime_ns}" if seen.st_size else ""


# what is there ----------------------------------------------------------------------------------


@st.cache_data(max_entries=KEPT, show_spinner=False)
def benchmarks(url: str, mark: str) -> list[tuple[str, str]]:
    """Names and versions, in the order in which the store met them."""
    with _opened(url) as store:
        return list(store.benchmarks())


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A run that says it is writing."""

    name: str
    for_s: float
    counts: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the store holds, and who is writing to it."""

    judgments: int
    answers: int
    failures: int
    idle_s: float
    running: tuple[Running, ...]

    def lines(self) -> Iterator[str]:
        yield f"{self.judgments:,} judgments · {self.answers:,} answers"
        if self.failures:
            yield f"{self.failures:,} failures to retry"
        yield f"last written {duration(self.idle_s)} ago"
        for run in self.running:
            yield f"running: {run.name}, since {duration(run.for_s)}"
            if run.counts:
                yield ", ".join(f"{count} {name}" for name, count in run.counts.items())


def status(url: str) -> Status:
    """Not cached: it is asked every other second, and answered from the ends of three indexes."""
    with _opened(url) as store:
        runs = [run for run in store.runs() if run.state == "running"]
    path = store_path(url)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        # Rows are never deleted from the first two, so the last number is their count.
        judgments, answers, failures = connection.execute(
            "SELECT (SELECT max(id) FROM judgments), (SELECT max(id) FROM responses),"
            " (SELECT count(*) FROM failures)"
        ).fetchone()
    log = path.with_name(path.name + "-wal")
    written = max(file.stat().st_mtime for file in (path, log) if file.exists())
    now = time.time()
    return Status(
        judgments=judgments or 0,
        answers=answers or 0,
        failures=failures,
        idle_s=max(0.0, now - written),
        running=tuple(
            Running(name=run.name, for_s=now - run.started, counts=run.counts) for run in runs
        ),
    )


def duration(seconds: float) -> str:
    """The largest unit that fits: ``42 s``, ``7 min``, ``3 h``, ``12 d``."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def shown_url(url: str) -> str:
    """The store's file, without the folders of an absolute path."""
    path = store_path(url)
    return path.name if path.is_absolute() else str(path)


# numbers ----------------------------------------------------------------------------------------

NO_ESTIMATE: Json = {
    "value": None, "low": None, "high": None, "n": 0, "missing": 0, "undefined": "not reported",
}  # fmt: skip


@st.cache_data(max_entries=KEPT, show_spinner="Computing intervals …")
def boards(url: str, mark: str, benchmark: str, version: str) -> list[dict[str, Any]]:
    """The leaderboards of a benchmark as the report has them, each with its CSV, panels last."""
    with _computing(url) as store:
        panels = panels_in(store, f"{benchmark}@{version}")
        found = leaderboards.leaderboards(store, benchmark, version, panels=panels)
    found = tuple(sorted(found, key=lambda board: board.judge_id is None))
    shown = leaderboards.to_json(found)["boards"]
    csv = [render(leaderboards.document([board]), "csv") for board in found]
    return [board | {"csv": text} for board, text in zip(shown, csv, strict=True)]


# words ------------------------------------------------------------------------------------------


def rank_text(row: Json) -> str:
    """``1–3``: where the rank lies in 95 % of the replicates."""
    low, high = row["rank_low"], row["rank_high"]
    if row["rank"] is None:
        return "–"
    return f"{low}" if low == high else f"{low}–{high}"


def board_names(boards: Sequence[Json]) -> list[str]:
    """What each board is called: its judge, and where that has several, what it says of whom."""
    n_boards = Counter(board["judge"] for board in boards)
    return [
        f"{board['judge']} · {_says(board)}" if n_boards[board["judge"]] > 1 else board["judge"]
        for board in boards
    ]


def _says(board: Json) -> str:
    return _against(board) or (board["metric"] or "").replace("_", " ")


def _against(board: Json) -> str:
    return "" if board["opponent"] is None else f"against {board['opponent']}"


def identity(board: Json) -> str:
    """One line: which data, which judge, compared with whom, what it is, how many items."""
    served = ", ".join(board["served_models"])
    items = max((row["counts"]["items"] for row in board["rows"]), default=0)
    return " · ".join(
        part
        for part in (
            f"{board['benchmark']}@{board['version']}",
            f"judge {board['judge']}",
            _against(board),
            board["judge_is"],
            f"served by {served}" if served else "",
            f"{items} items" if items else "",
        )
        if part
    )
