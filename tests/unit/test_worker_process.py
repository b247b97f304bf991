"""A worker's process, as its parent has it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import ConfigError, LocalModelError
from judgebench.secret import Secret
from judgebench.workers.process import (
    METRICS,
    LastWords,
    SharedWorker,
    Worker,
    WorkerProcess,
    metrics_worker,
    started,
)


def test_one_that_is_gone_is_not_signalled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be that of another process by then."""
    worker = WorkerProcess("this", model="the model", gpus=None, needs=None)
    with pytest.raises((LocalModelError, ValueError)):  # it speaks no JSON
        list(worker.ask([]))
    worker.stop()
    signalled = []
    monkeypatch.setattr(os, "killpg", lambda *what: signalled.append(what))
    worker.stop()
    assert signalled == []


def test_last_words_are_the_last_states_of_a_progress_bar() -> None:
    read, write = os.pipe()
    said = LastWords(os.fdopen(read, "rb"), [Secret("key\rof two lines")])
    os.write(write, b"".join(b"\rloading %d %%" % n for n in range(100)))
    os.write(write, b"\r\n\x1b[31mno memory\nkey\rof two lines\n")
    os.close(write)
    said.join(10)
    lines = str(said).splitlines()
    assert lines[:2] == ["Its last words:", "  | loading 87 %"]
    assert lines[-3:] == ["  | loading 99 %", "  |  [31mno memory", "  | ***"]


# Several of one model ----------------------------------------------------------------------------

SCRIPTED = """
import os, time
from judgebench.records import Runtime
from judgebench.workers.protocol import BatchAnswerer, serve


class Scripted(BatchAnswerer):
    batch = 2

    def stack(self):
        kinds = os.environ.get("KINDS", "H100 H100 H100").split()
        return Runtime(backend="scripted", device=kinds[int(self.card[0])])

    def refusal(self, question):
        return None

    def answer(self, questions):
        time.sleep(0.02)
        if any(question["id"] == 5 for question in questions) and "DIES" in os.environ:
            os._exit(9)
        asked = [question["id"] for question in questions]
        return [{"card": self.card, "together": asked} for _ in questions]


def load(job):
    Scripted.card = os.environ["CUDA_VISIBLE_DEVICES"]
    if Scripted.card == job.get("dies"):
        os._exit(9)
    time.sleep(job.get("takes_s", 0))
    return Scripted()


if __name__ == "__main__":
    serve(load)
"""


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Worker]]:
    (tmp_path / "scripted_worker.py").write_text(SCRIPTED)
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(root)]))
    found: list[Worker] = []

    def begin() -> Worker:
        found.append(started("scripted_worker", model="m", gpus="0,1;2,3", needs=None))
        return found[0]

    yield begin
    for worker in found:
        worker.stop()


def asked(worker: Worker) -> list[dict[str, Any]]:
    worker.load({}, within_s=60, limit="")
    questions = [{"id": n} for n in range(9)]
    return [answer for event in worker.ask(questions) for answer in event["answers"]]


def test_two_processes_share_what_is_asked_a_portion_at_a_time(two: Callable[[], Worker]) -> None:
    answers = asked(two())
    assert sorted(answer["id"] for answer in answers) == list(range(9))
    assert {answer["card"] for answer in answers} == {"0,1", "2,3"}
    whole = {tuple(answer["together"]) for answer in answers}
    assert whole == {(0, 1), (2, 3), (4, 5), (6, 7), (8,)}, "as one process would have them"


def test_one_that_ends_costs_its_portion(
    two: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIES", "1")
    worker = two()
    worker.load({}, within_s=60, limit="")
    there: list[int] = []
    with pytest.raises(LocalModelError, match="exit status 9"):
        for event in worker.ask([{"id": n} for n in range(9)]):
            there += [answer["id"] for answer in event["answers"]]
    assert sorted(there) == [0, 1, 2, 3, 6, 7, 8]


def test_no_fault_in_a_thread_is_lost(
    two: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_: Any, **__: Any) -> Iterator[dict[str, Any]]:
        raise ValueError("no JSON")
        yield {}

    worker = two()
    worker.load({}, within_s=60, limit="")
    monkeypatch.setattr(WorkerProcess, "ask", ask)
    with pytest.raises(ValueError, match="no JSON"):
        list(worker.ask([{"id": 0}]))


def test_gpus_of_two_kinds_are_two_stacks(
    two: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINDS", "H100 H100 A100")
    with pytest.raises(ConfigError, match="m would run on H100 and A100, and a run never mixes"):
        asked(two())


@pytest.mark.parametrize("dies", ["2,3", None])
def test_who_cannot_go_on_waits_for_nobody_that_loads(
    dies: str | None, two: Callable[[], Worker]
) -> None:
    """One of them ends, or somebody presses Ctrl-C."""
    worker = two()
    if dies is None:
        to_us = threading.get_ident(), signal.SIGINT
        threading.Timer(1.0, signal.pthread_kill, to_us).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt if dies is None else LocalModelError):
        worker.load({"takes_s": 60, "dies": dies}, within_s=100, limit="")
    assert time.monotonic() - began < 30


class Fake:
    """A process that answers one event, or ends over what is asked."""

    def __init__(self) -> None:
        self.stopped = False

    pid, width, writes = 1, 1, False

    def load(self, job: Mapping[str, Any], *, within_s: float | None, limit: str) -> dict[str, Any]:
        return {"batch": 8}

    def ask(
        self, questions: Sequence[Mapping[str, Any]], *, within_s: float | None = None
    ) -> Iterator[dict[str, Any]]:
        if questions[0]["id"] == "end":
            raise LocalModelError("ended")
        if questions[0]["id"] == "hang":
            raise TimeoutError
        yield {"event": "answered"}

    def stop(self) -> None:
        self.stopped = True


def test_one_process_is_asked_by_several_and_started_again_where_it_ended() -> None:
    started: list[Fake] = []

    def start() -> Fake:
        started.append(Fake())
        return started[-1]

    def ask(what: str) -> int:
        shared.load({}, within_s=None, limit="")
        return len(list(shared.ask([{"id": what}])))

    shared = SharedWorker(start)
    assert [ask("this"), ask("that"), len(started)] == [1, 1, 1]
    shared.stop()  # one of those who ask it has no more questions
    assert (ask("this"), len(started), started[0].stopped) == (1, 1, False)
    with pytest.raises(LocalModelError, match="ended"):
        ask("end")
    with pytest.raises(LocalModelError, match="over another question"):
        list(shared.ask([{"id": "this"}]))
    assert (ask("this"), len(started)) == (1, 2)
    with pytest.raises(TimeoutError):
        ask("hang")
    shared.stop()
    assert (started[1].stopped, ask("this"), len(started)) == (True, 1, 3)
    shared.end()
    assert (started[2].stopped, shared.pid) == (True, None)


def test_the_outermost_block_ends_the_process_of_lm_evals_tasks() -> None:
    with metrics_worker() as outer:
        with metrics_worker() as inner:
            assert inner is outer
        assert METRICS.get() is outer
    assert METRICS.get() is None
