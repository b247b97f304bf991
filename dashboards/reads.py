"""What the pages read: the numbers of `judgebench.reports`, cached by the state of the store.

The store is opened read-only for the moment of a read, so that a run beside it is never held up.
Nothing is computed here but counts.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import computations
from answers import State
from open_store import mark_of as mark_of
from open_store import opened, written_at

from judgebench import DEFAULT_STORE
from judgebench.store import Store
from judgebench.store.opening import located

KEPT = 64

Json = Mapping[str, Any]


def store_url(arguments: Sequence[str] | None = None) -> str:
    """``--store URL`` after ``--``, else JUDGEBENCH_STORE, else the default."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for place, argument in enumerate(given):
        if argument.startswith("--store="):
            return argument.removeprefix("--store=")
        if argument == "--store" and place + 1 < len(given):
            return given[place + 1]
    return os.environ.get("JUDGEBENCH_STORE") or DEFAULT_STORE


# what is there ----------------------------------------------------------------------------------


def benchmarks(url: str, mark: str) -> list[tuple[str, str]]:
    """Names and versions, in the order in which the store met them."""
    return State(url, mark).read(Store.benchmarks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A run that says it is writing."""

    name: str
    for_s: float
    counts: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the store holds, and who is writing to it.

    ``idle_s`` is None where nobody knows: a server does not say when it was written last.
    """

    judgments: int
    answers: int
    failures: int
    idle_s: float | None
    running: tuple[Running, ...]

    def lines(self) -> Iterator[str]:
        yield f"{self.judgments:,} judgments · {self.answers:,} answers"
        if self.failures:
            yield f"{self.failures:,} failures to retry"
        if self.idle_s is not None:
            yield f"last written {duration(self.idle_s)} ago"
        for run in self.running:
            yield f"running: {run.name}, since {duration(run.for_s)}"
            if run.counts:
                yield ", ".join(f"{count} {name}" for name, count in run.counts.items())


def status(url: str) -> Status:
    """Not cached: it is asked every other second, and answered from the ends of three indexes."""
    with opened(url) as store:
        runs = store.runs_under_way()
        last, failures = store.last_numbers(), store.n_rows("failures")
    written, now = written_at(mark_of(url)), time.time()
    return Status(
        judgments=last["judgments"],
        answers=last["answers"],
        failures=failures,
        idle_s=None if written is None else max(0.0, now - written),
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
    """The store's file, without the folders of an absolute path, or its server and database."""
    where = located(url)
    if where.path is None:
        return where.name.partition("://")[2].rpartition("@")[2]
    return where.path.name if where.path.is_absolute() else where.name


# numbers ----------------------------------------------------------------------------------------

NO_ESTIMATE: Json = {
    "value": None, "low": None, "high": None, "n": 0, "missing": 0, "undefined": "not reported",
}  # fmt: skip


def boards(url: str, mark: str, benchmark: str, version: str) -> list[dict[str, Any]]:
    """As `computations.boards`."""
    return State(url, mark).compute(computations.boards, benchmark, version)


def ready_boards(state: State) -> None:
    """Have the boards of all benchmarks ready, those that came last into the store first."""
    for benchmark, version in reversed(state.read(Store.benchmarks)):
        state.ready(computations.boards, benchmark, version)


# words ------------------------------------------------------------------------------------------


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
            f"{items:,} items" if items else "",
        )
        if part
    )
