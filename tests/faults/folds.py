"""Kill processes at each step of their folds in turn, and see what the store holds then.

    python -m tests.faults.folds URL

Prints one JSON list: where each kill came, and what did not hold after it. Each process puts
judgments one by one and says when each is committed; its folds are of a few rows, so that there are
many, some of them of small chunks into a whole one.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from sqlalchemy import Connection

from judgebench.keys import content_key
from judgebench.records import (
    JudgeSpec,
    Judgment,
    ModelSpec,
    RunManifest,
    RunVerdict,
    Score,
    VerdictSlot,
)
from judgebench.store import columns, write
from judgebench.store.database import Database
from judgebench.store.opening import open_store
from judgebench.store.postgres import Postgres
from judgebench.store.sqlite import SQLite

JUDGMENTS = 20
"""Of each process: folds of three rows, and two of all into a whole chunk."""

STATEMENTS = {"_TAKE_SMALL": "small taken", "_PUT_CHUNK": "chunk put",
              "_TAKE_TAIL": "tail taken"}  # fmt: skip
STEPS = (*STATEMENTS.values(), "in a commit", "after a commit")


class Stepping:
    """A statement that a kill may follow."""

    def __init__(self, inner: Any, name: str, step: Callable[[str], None]) -> None:
        self._inner, self._name, self._step = inner, name, step

    def execute(self, connection: Connection, row: Any) -> Any:
        found = self._inner.execute(connection, row)
        self._step(self._name)
        return found


def prepare(url: str) -> None:
    with open_store(url) as store:
        store.start_run(
            RunManifest(
                id="run", name="n", configuration={}, versions={}, git_sha=None, data_sha={},
                seeds={}, started=1.0,
            )
        )  # fmt: skip
        store.put_model("m", ModelSpec(weights="w"))
        store.put_judge("j", JudgeSpec(kind="rubric", model="m"))


def put(url: str, start: int, committed: IO[bytes]) -> None:
    with open_store(url) as store:
        model = store.put_model("m", ModelSpec(weights="w"))
        judge = store.put_judge("j", JudgeSpec(kind="rubric", model="m"))
        for number in range(start, start + JUDGMENTS):
            key = content_key("judgment", [number])
            place = VerdictSlot(
                benchmark="bench", version="1", item_id=str(number), model_key=model,
                judge_key=judge, opponent_key=None, order="single", sample=0, turn=0, repeat=0,
            )  # fmt: skip
            verdict = Score(value=float(number), low=0.0, high=1e9)
            judgment = Judgment(
                key=key, judge_key=judge, case_key=key, verdict=verdict, at=1.0, marks=()
            )
            store.put_judgment(judgment, [RunVerdict(run_id="run", place=place, judgment_key=key)])
            os.write(committed.fileno(), f"{number}\n".encode())


def kill(url: str, start: int, step: str, time: int) -> set[int]:
    """One process, killed when it has come to a step so often: what it knew to be committed."""
    with tempfile.TemporaryFile() as committed:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                kill_at(step, time)
                put(url, start, committed)
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, f"{step} {time} never came"
        committed.seek(0)
        return set(map(int, committed.read().split()))


def kill_at(wanted: str, time: int) -> None:
    done = 0

    def step(name: str) -> None:
        nonlocal done
        done += name == wanted
        if done == time:
            os.kill(os.getpid(), signal.SIGKILL)

    write.TAIL, write.CHUNK = 3, 9
    for name, called in STATEMENTS.items():
        setattr(columns, name, Stepping(getattr(columns, name), called, step))
    for engine in (SQLite, Postgres):
        step_at_commits(engine, step)


def step_at_commits(engine: type[Database], step: Callable[[str], None]) -> None:
    writing = engine.writing

    @contextlib.contextmanager
    def stepping(database: Database) -> Iterator[Connection]:
        with writing(database) as connection:
            yield connection
            step("in a commit")
        step("after a commit")

    engine.writing = stepping  # type: ignore[method-assign, assignment]


def after(
    url: str, before: set[int], start: int, committed: set[int]
) -> tuple[list[str], set[int]]:
    """What does not hold, and which judgments there are."""
    with open_store(url) as store:
        with store.snapshot() as connection:
            wrong = [f"board {board} differs" for board in columns.verify(connection)]
        found = store.board_verdicts("bench", "1")
        there = set(map(int, found["item_id"]))
        if len(there) != len(found["item_id"]):
            wrong.append("a verdict twice")
        if lost := (before | committed) - there:
            wrong.append(f"lost: {sorted(lost)}")
        # One more at most: it was committed, and the process killed before it could say so.
        if len(more := there - before - committed) > 1 or min(more, default=start) < start:
            wrong.append(f"more than was put: {sorted(more)}")
        if [float(item) for item in found["item_id"]] != list(found["value"]):
            wrong.append("values are not those of their items")
    return wrong, there


def main(url: str) -> None:
    prepare(url)
    kills, there, start = [], set[int](), 0
    for step in STEPS:
        for time in (1, 2) if step == "small taken" else (1, 5):
            committed = kill(url, start, step, time)
            wrong, there = after(url, there, start, committed)
            kills.append({"at": step, "wrong": wrong})
            start += JUDGMENTS
    print(json.dumps(kills))


if __name__ == "__main__":
    main(sys.argv[1])
