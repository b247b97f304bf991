"""Numbers of a large store: computed beside the server, kept on disk, and nobody waits twice."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from judgebench import reports
from judgebench.errors import StoreError, UsageError
from judgebench.reports.document import Report
from judgebench.store.opening import open_store
from tests.dashboards import night_stores, stores
from tests.dashboards.conftest import DASHBOARDS, until


@pytest.fixture
def boards(parts: Any) -> Any:
    """What a leaderboard asks."""
    return parts.worker.Question(parts.explore.boards, (stores.BENCHMARK, stores.VERSION))


@pytest.fixture
def waiting(parts: Any, slow: Path) -> Any:
    """What is answered when it may be."""
    return parts.worker.Question(importlib.import_module("waiting").until, (str(slow), "word"))


def answer(parts: Any, url: str, mark: str, question: Any, *, urgent: bool = True) -> Any:
    return parts.answers.desk().answer(parts.answers.State(url, mark), question, urgent=urgent)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.fill(tmp_path_factory.mktemp("demo") / "demo.db", n_items=12)


def test_what_is_computed_beside_is_what_is_computed_here(
    parts: Any, desk: Any, demo: str, monkeypatch: pytest.MonkeyPatch, boards: Any
) -> None:
    beside = answer(parts, demo, "mark", boards)
    assert desk.workers.front.process is not None
    with open_store(demo, read_only=True) as store:
        assert boards.of(store) == beside
    assert len(beside.boards) == len(stores.RATERS)


def test_a_new_server_has_it_without_computing(
    parts: Any, desk: Any, demo: str, monkeypatch: pytest.MonkeyPatch, boards: Any
) -> None:
    first = answer(parts, demo, "mark", boards)
    other = parts.answers.Desk(disk=parts.disk_cache.DiskCache(desk.disk.folder))
    monkeypatch.setattr(parts.answers, "desk", lambda: other)
    assert answer(parts, demo, "mark", boards) == first
    assert other.workers.front.process is None


def test_another_state_of_the_store_is_computed_anew(
    parts: Any, desk: Any, demo: str, boards: Any
) -> None:
    for mark in ("one", "two", "one"):
        answer(parts, demo, mark, boards)
    assert len(list(desk.disk.folder.iterdir())) == 2


def test_errors_come_through_in_their_own_words(
    parts: Any, desk: Any, demo: str, boards: Any
) -> None:
    with pytest.raises(UsageError, match="benchmark called 'nothing'"):
        answer(parts, demo, "mark", replace(boards, args=("nothing", "1")))
    assert not desk.disk.folder.exists()
    answer(parts, demo, "mark", boards)  # and it goes on


def test_a_store_that_cannot_be_read_is_an_error_of_the_store(
    parts: Any, desk: Any, tmp_path: Path, boards: Any
) -> None:
    (tmp_path / "no.db").write_text("no store " * 1000)
    with pytest.raises(StoreError):
        answer(parts, f"sqlite:///{tmp_path / 'no.db'}", "mark", boards)


def test_a_process_that_is_killed_is_said_and_started_again(
    parts: Any, desk: Any, demo: str, boards: Any
) -> None:
    answer(parts, demo, "one", boards)
    desk.workers.front.process.kill()
    desk.workers.front.process.wait()
    assert answer(parts, demo, "two", boards)
    wrong = replace(boards, args=("too", "many", "arguments"))  # ends with a TypeError
    with pytest.raises(parts.worker.WorkerError):
        answer(parts, demo, "two", wrong)
    assert answer(parts, demo, "three", boards)


def test_what_nobody_waits_for_gives_way_and_comes_back(
    parts: Any, desk: Any, demo: str, slow: Path, boards: Any, waiting: Any
) -> None:
    thread = threading.Thread(
        target=answer, args=(parts, demo, "mark", waiting), kwargs={"urgent": False}
    )
    thread.start()
    begun = Path(f"{slow}.begun")
    until(begun.exists)
    began = time.monotonic()
    assert answer(parts, demo, "mark", boards)  # what waits would never have ended
    begun.unlink()
    until(begun.exists)  # begun again
    slow.touch()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert answer(parts, demo, "mark", waiting) == "word"
    assert time.monotonic() - began < 60


def test_between_questions_in_a_row_nothing_is_begun_that_nobody_waits_for(
    parts: Any, desk: Any, demo: str, boards: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.worker, "PAUSE_S", 3600.0)
    assert desk.workers.is_quiet()
    answer(parts, demo, "mark", boards)
    assert not desk.workers.is_quiet()
    thread = threading.Thread(
        target=answer, args=(parts, demo, "other", boards), kwargs={"urgent": False}
    )
    thread.start()
    thread.join(timeout=0.5)
    assert thread.is_alive()
    monkeypatch.setattr(parts.worker, "PAUSE_S", 0.0)
    thread.join(timeout=30)
    assert len(list(desk.disk.folder.iterdir())) == 2


def test_who_turns_pages_without_a_pause_does_not_put_it_off_for_ever(
    parts: Any, desk: Any, demo: str, boards: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.worker, "PAUSE_S", 3600.0)
    monkeypatch.setattr(parts.worker, "MOST_PAUSE_S", 0.1)
    desk.workers.heard()
    asked = {"urgent": False}
    thread = threading.Thread(
        target=answer, args=(parts, demo, "mark", boards), kwargs=asked, daemon=True
    )
    thread.start()
    thread.join(timeout=30)
    assert not thread.is_alive()


def test_who_asks_for_what_is_being_made_ready_waits_for_it(
    parts: Any, desk: Any, demo: str, slow: Path, waiting: Any
) -> None:
    thread = threading.Thread(
        target=answer, args=(parts, demo, "mark", waiting), kwargs={"urgent": False}
    )
    thread.start()
    until(Path(f"{slow}.begun").exists)
    process = desk.workers.back.process
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.append(answer(parts, demo, "mark", waiting)))
    reader.start()
    until(lambda: desk.workers._waiting == 1)
    slow.touch()
    reader.join(timeout=30)
    thread.join(timeout=30)
    assert found == ["word"]
    assert desk.workers.front.process is process, "what is asked next finds what it has read"
    assert len(Path(f"{slow}.begun").read_text()) == 1, "whoever waited finds it kept"


@pytest.mark.usefixtures("not_forked")
def test_ctrl_c_is_for_the_server(parts: Any, desk: Any, demo: str, boards: Any) -> None:
    answer(parts, demo, "one", boards)
    process = desk.workers.front.process
    process.send_signal(signal.SIGINT)
    assert answer(parts, demo, "two", boards)
    assert desk.workers.front.process is process


def test_an_idle_process_is_let_go(parts: Any, demo: str, boards: Any) -> None:
    worker = parts.worker.Worker(idle_s=0.05)
    with worker.lock:
        assert worker.ask(demo, boards)
    until(lambda: worker.process is None)


@pytest.mark.usefixtures("forked")
def test_the_process_ends_with_the_server(demo: str, boards: Any) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from worker import Question, Worker\n"
        "from judgebench.explore import boards\n"
        "worker = Worker()\n"
        f"asked = Question(boards, {(stores.BENCHMARK, stores.VERSION)!r})\n"
        "worker.ask(sys.argv[2], asked)\n"
        "print(worker.process.pid, flush=True)\n"
        "import os; os._exit(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(DASHBOARDS), demo], capture_output=True, text=True
    )
    process = int(done.stdout)
    until(lambda: not _lives(process))


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


# what is kept -----------------------------------------------------------------------------------


def test_a_damaged_file_is_computed_again(parts: Any, desk: Any, demo: str, boards: Any) -> None:
    first = answer(parts, demo, "mark", boards)
    (file,) = desk.disk.folder.iterdir()
    file.write_text(file.read_text()[:-10])
    assert answer(parts, demo, "mark", boards) == first
    assert parts.worker.read(file.read_text()) == first


def test_where_nothing_can_be_written_everything_is_computed(
    parts: Any, desk: Any, demo: str, tmp_path: Path, boards: Any
) -> None:
    (tmp_path / "file").write_text("in the way")
    desk.disk = parts.disk_cache.DiskCache(tmp_path / "file" / "kept")
    assert answer(parts, demo, "mark", boards)
    assert not desk.disk.put("name", "[]")


def test_old_files_go_and_nobody_else_reads_them(parts: Any, tmp_path: Path) -> None:
    kept = parts.disk_cache.DiskCache(tmp_path / "kept")
    for n in range(parts.disk_cache.MOST + 3):
        assert kept.put(f"{n}", f"{n}")
    assert len(list(kept.folder.iterdir())) == parts.disk_cache.MOST
    assert kept.get("0") is None
    assert kept.get(f"{parts.disk_cache.MOST}") == f"{parts.disk_cache.MOST}"
    assert kept.folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("what", ["mark", "question", "store", "data", "description"])
def test_a_name_follows_from_all_that_the_numbers_follow_from(
    parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    home = tmp_path / "home"
    (home / "trivia_judging" / "v1").mkdir(parents=True)
    monkeypatch.setenv("JUDGEBENCH_DATA", str(home))
    folder = tmp_path / "own_task"
    folder.mkdir()
    (folder / "benchmark.toml").write_text("one")
    monkeypatch.setattr(
        parts.disk_cache.registry, "benchmark_folders", lambda: {"own_task": folder}
    )
    asked: dict[str, Any] = {"store": "s.db", "mark": "1", "question": "f a"}
    before = parts.disk_cache.name_of(*(asked[name] for name in ("store", "mark", "question")))
    match what:
        case "mark":
            asked["mark"] = "2"
        case "question":
            asked["question"] = "f b"
        case "store":
            asked["store"] = "t.db"
        case "data":
            (home / "trivia_judging" / "v1" / "items.jsonl").write_text("{}")
        case "description":
            (folder / "benchmark.toml").write_text("two, longer")
    after = parts.disk_cache.name_of(*(asked[name] for name in ("store", "mark", "question")))
    assert before != after


# the state that is shown ------------------------------------------------------------------------


def test_the_old_numbers_stand_until_the_new_ones_are_there(
    parts: Any, desk: Any, tmp_path: Path, slow: Path, waiting: Any
) -> None:
    url = stores.fill_with(tmp_path / "s.db", {"one": {"judge": stores.labels("+-+-")}})
    state = parts.answers.Snapshot(url)
    until(lambda: state._next is None)
    first = state.moved_on().mark
    desk.note(url, waiting)
    stores.fill_with(tmp_path / "s.db", {"two": {"judge": stores.labels("++++")}}, run_id="second")
    state.since -= 60
    assert state.moved_on().mark == first
    until(Path(f"{slow}.begun").exists)
    state.since -= 60
    assert state.moved_on().mark == first
    slow.touch()
    until(lambda: state._next is None)
    assert state.moved_on().mark == parts.open_store.mark_of(url) != first
    assert answer(parts, url, state.mark, waiting) == "word"


def test_numbers_that_cannot_be_made_ready_hold_nothing_up(
    parts: Any, desk: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, boards: Any
) -> None:
    url = stores.fill_with(tmp_path / "s.db", {"one": {"judge": stores.labels("+-+-")}})
    state = parts.answers.Snapshot(url)
    until(lambda: state._next is None)
    desk.note(url, replace(boards, args=("nothing", "1")))
    (tmp_path / "s.db").touch()
    state.since -= 60
    first = state.moved_on().mark
    until(lambda: state._next is None)
    assert state.moved_on().mark != first
    assert "benchmark called 'nothing'" in caplog.text


def test_who_is_heard_of_or_expected_goes_before_what_nobody_waits_for(
    parts: Any, desk: Any, demo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that starts computes one board before somebody can have come, and seen a page; one
    whose pages find their numbers on disk takes no core from them."""
    state = parts.answers.Snapshot(demo, parts.answers.ready_boards)
    until(lambda: state._next is None)
    assert desk.workers.back.process is not None  # the board that pages open on came at once
    assert desk.workers.front.process is not None  # for whoever asks something else first
    assert not desk.workers.is_quiet()
    desk.workers.heard(-parts.worker.PAUSE_S)
    assert desk.workers.is_quiet()
    with state.timed():
        assert not desk.workers.is_quiet()
    after = parts.answers.Desk(disk=desk.disk)
    monkeypatch.setattr(parts.answers, "desk", lambda: after)
    for file in desk.disk.folder.glob("*.json"):
        if "Leaderboard" in file.read_text().partition("\n")[0]:
            file.unlink()
    again = parts.answers.Snapshot(demo, parts.answers.ready_boards)
    until(lambda: not after.workers.is_quiet())
    assert after.workers.front.process is after.workers.back.process is None
    assert again._next is not None and again._next.is_alive()
    after.workers.heard(-parts.worker.PAUSE_S)
    until(lambda: again._next is None)
    assert after.workers.back.process is not None  # it came in the end


# reports that come back as what they were -------------------------------------------------------


def test_reports_come_back_as_what_they_were(parts: Any, tmp_path: Path) -> None:
    from judgebench.reports.compare import comparison
    from judgebench.reports.nights import nights
    from judgebench.reports.training import training

    nightly = night_stores.fill(tmp_path / "nights.db", n_items=60)
    trained = night_stores.train(tmp_path / "training.db", n_items=60)
    with open_store(nightly, read_only=True) as store:
        (judge,), two = store.judges(), store.models()[:2]
    with open_store(trained, read_only=True) as store:
        (trainer,) = store.judges()
    at = {"benchmark": stores.BENCHMARK, "version": stores.VERSION}
    for url, function, asked in (
        (nightly, nights, {**at, "judge_id": judge.id, "name": "nightly"}),
        (nightly, comparison, {"first": two[0].id, "second": two[1].id}),
        (
            trained,
            training,
            {"benchmark": stores.BENCHMARK, "run": "apo-november", "judge": trainer.id},
        ),
    ):
        question = parts.worker.Question(function, (), asked)
        with open_store(url, read_only=True) as store:
            expected = question.of(store)
        assert repr(parts.worker.read(parts.worker.written(expected))) == repr(expected)


def test_every_report_can_be_handed_over(parts: Any) -> None:
    """Also where the type of a part is loaded only by who makes one; no other module is held."""
    needed: set[str | None] = set()
    for module in pkgutil.walk_packages(reports.__path__, f"{reports.__name__}."):
        tree = ast.parse(inspect.getsource(importlib.import_module(module.name)))
        guarded = (one for one in tree.body if isinstance(one, ast.If))
        imported = {
            name.name: one.module
            for block in guarded
            if ast.unparse(block.test) == "TYPE_CHECKING"
            for one in block.body
            if isinstance(one, ast.ImportFrom)
            for name in one.names
        }
        fields = (one for one in ast.walk(tree) if isinstance(one, ast.AnnAssign))
        said = (name for one in fields for name in ast.walk(one.annotation))
        needed |= {imported.get(one.id) for one in said if isinstance(one, ast.Name)}
    assert {*parts.worker.HELD} - {"numpy.typing"} <= needed  # that is of `Columns`, a text

    def below(kind: type) -> Iterator[type]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    found = {one.__name__: one for one in below(Report) if is_dataclass(one)}
    held = {"ProbeReport", "Rejudged"}  # the section of a suite, and no page asks for them
    assert held < found.keys()
    for name in found.keys() - held:
        assert all(parts.worker._forms(found[name])), name
