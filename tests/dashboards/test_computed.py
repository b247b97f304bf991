"""Numbers of a large store: computed beside the server, kept on disk, and nobody waits twice."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import StoreError, UsageError
from tests.dashboards import night_stores, stores
from tests.dashboards.conftest import DASHBOARDS, until

BOARDS = ("computations.boards", stores.BENCHMARK, stores.VERSION)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.fill(tmp_path_factory.mktemp("demo") / "demo.db", n_items=12)


def test_what_is_computed_beside_is_what_is_computed_here(
    parts: Any, desk: Any, demo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = parts.computed.answer(demo, "mark", *BOARDS)
    assert desk.computer._process is not None
    monkeypatch.setattr(parts.computed, "LARGE", 2**40)
    assert parts.computed.answer(demo, "mark", *BOARDS) == beside
    assert len(beside) == len(stores.RATERS)


def test_a_new_server_has_it_without_computing(
    parts: Any, desk: Any, demo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = parts.computed.answer(demo, "mark", *BOARDS)
    other = parts.computed.Desk(kept=parts.disk_cache.Kept(desk.kept.folder))
    monkeypatch.setattr(parts.computed, "desk", lambda: other)
    assert parts.computed.answer(demo, "mark", *BOARDS) == first
    assert other.computer._process is None


def test_another_state_of_the_store_is_computed_anew(parts: Any, desk: Any, demo: str) -> None:
    for mark in ("one", "two", "one"):
        parts.computed.answer(demo, mark, *BOARDS)
    assert len(list(desk.kept.folder.iterdir())) == 2


def test_errors_come_through_in_their_own_words(parts: Any, desk: Any, demo: str) -> None:
    with pytest.raises(UsageError, match="benchmark called 'nothing'"):
        parts.computed.answer(demo, "mark", "computations.boards", "nothing", "1")
    assert not desk.kept.folder.exists()
    parts.computed.answer(demo, "mark", *BOARDS)  # and it goes on


def test_a_store_that_cannot_be_read_is_an_error_of_the_store(
    parts: Any, desk: Any, tmp_path: Path
) -> None:
    (tmp_path / "no.db").write_text("no store " * 1000)
    with pytest.raises(StoreError):
        parts.computed.answer(f"sqlite:///{tmp_path / 'no.db'}", "mark", *BOARDS)


@pytest.mark.usefixtures("not_forked")
def test_a_process_that_is_killed_is_said_and_started_again(
    parts: Any, desk: Any, demo: str
) -> None:
    parts.computed.answer(demo, "one", *BOARDS)
    desk.computer._process.kill()
    desk.computer._process.wait()
    assert parts.computed.answer(demo, "two", *BOARDS)
    slow = ("time.sleep", "5")  # called with the store and "5": ends with a TypeError
    with pytest.raises(parts.computer.ComputerError), desk.computer.turn(slow):
        desk.computer.ask(demo, slow)
    assert parts.computed.answer(demo, "three", *BOARDS)


def test_what_nobody_waits_for_gives_way_and_comes_back(
    parts: Any, desk: Any, demo: str, slow: Path
) -> None:
    behind = ("waiting.until", str(slow), "behind")
    thread = threading.Thread(target=parts.computed.ready, args=(demo, "mark", *behind))
    thread.start()
    begun = Path(f"{slow}.begun")
    until(begun.exists)
    began = time.monotonic()
    assert parts.computed.answer(demo, "mark", *BOARDS)  # `behind` would never have ended
    begun.unlink()
    until(begun.exists)  # begun again
    slow.touch()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert parts.computed.answer(demo, "mark", *behind) == "behind"
    assert time.monotonic() - began < 60


def test_between_questions_in_a_row_nothing_is_begun_that_nobody_waits_for(
    parts: Any, desk: Any, demo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.computer, "PAUSE_S", 3600.0)
    with desk.computer.turn(BOARDS, nobody_waits=True):
        pass
    parts.computed.answer(demo, "mark", *BOARDS)
    with (
        pytest.raises(parts.computer.GaveWayError),
        desk.computer.turn(BOARDS, nobody_waits=True),
    ):
        pass
    monkeypatch.setattr(parts.computer, "PAUSE_S", 0.0)
    with desk.computer.turn(BOARDS, nobody_waits=True):
        pass


def test_who_asks_for_what_is_being_made_ready_waits_for_it(
    parts: Any, desk: Any, demo: str, slow: Path
) -> None:
    question = ("waiting.until", str(slow), "word")
    thread = threading.Thread(target=parts.computed.ready, args=(demo, "mark", *question))
    thread.start()
    until(Path(f"{slow}.begun").exists)
    process = desk.computer._process
    found: list[Any] = []
    reader = threading.Thread(
        target=lambda: found.append(parts.computed.answer(demo, "mark", *question))
    )
    reader.start()
    until(lambda: desk.computer._waiting == 1)
    slow.touch()
    reader.join(timeout=30)
    thread.join(timeout=30)
    assert found == ["word"]
    assert desk.computer._process is process


@pytest.mark.usefixtures("not_forked")
def test_ctrl_c_is_for_the_server(parts: Any, desk: Any, demo: str) -> None:
    parts.computed.answer(demo, "one", *BOARDS)
    process = desk.computer._process
    process.send_signal(signal.SIGINT)
    assert parts.computed.answer(demo, "two", *BOARDS)
    assert desk.computer._process is process


def test_an_idle_process_is_let_go(parts: Any, demo: str) -> None:
    computer = parts.computer.Computer(idle_s=0.05)
    with computer.turn(BOARDS):
        assert computer.ask(demo, BOARDS)
    until(lambda: computer._process is None)


def test_the_process_ends_with_the_server(demo: str) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from computer import Computer\n"
        "computer = Computer()\n"
        f"with computer.turn({BOARDS!r}): computer.ask(sys.argv[2], {BOARDS!r})\n"
        "print(computer._process.pid, flush=True)\n"
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


def test_a_damaged_file_is_computed_again(parts: Any, desk: Any, demo: str) -> None:
    first = parts.computed.answer(demo, "mark", *BOARDS)
    (file,) = desk.kept.folder.iterdir()
    file.write_text(file.read_text()[:-10])
    assert parts.computed.answer(demo, "mark", *BOARDS) == first
    assert json.loads(file.read_text()) == first


def test_where_nothing_can_be_written_everything_is_computed(
    parts: Any, desk: Any, demo: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    desk.kept = parts.disk_cache.Kept(tmp_path / "file" / "kept")
    assert parts.computed.answer(demo, "mark", *BOARDS)
    assert not desk.kept.put("name", [])


def test_old_files_go_and_nobody_else_reads_them(parts: Any, tmp_path: Path) -> None:
    kept = parts.disk_cache.Kept(tmp_path / "kept")
    for n in range(parts.disk_cache.MOST + 3):
        assert kept.put(f"{n}", n)
    assert len(list(kept.folder.iterdir())) == parts.disk_cache.MOST
    assert kept.get("0") is None
    assert kept.get(f"{parts.disk_cache.MOST}") == parts.disk_cache.MOST
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
    asked: dict[str, Any] = {"store": "s.db", "mark": "1", "question": ("f", "a")}
    before = parts.disk_cache.name_of(*(asked[name] for name in ("store", "mark", "question")))
    match what:
        case "mark":
            asked["mark"] = "2"
        case "question":
            asked["question"] = ("f", "b")
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
    parts: Any, desk: Any, tmp_path: Path, slow: Path
) -> None:
    url = stores.fill_with(tmp_path / "s.db", {"one": {"judge": stores.labels("+-+-")}})
    state = parts.snapshot.Held(url)
    until(lambda: state._next is None)
    first = state.moved_on()
    question = ("waiting.until", str(slow), "word")
    desk.note(url, question)
    stores.fill_with(tmp_path / "s.db", {"two": {"judge": stores.labels("++++")}}, run_id="second")
    state.since -= 60
    assert state.moved_on() == first
    until(Path(f"{slow}.begun").exists)
    state.since -= 60
    assert state.moved_on() == first
    slow.touch()
    until(lambda: state._next is None)
    assert state.moved_on() == parts.reads.mark_of(url) != first
    assert parts.computed.answer(url, state.mark, *question) == "word"


def test_numbers_that_cannot_be_made_ready_hold_nothing_up(
    parts: Any, desk: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = stores.fill_with(tmp_path / "s.db", {"one": {"judge": stores.labels("+-+-")}})
    state = parts.snapshot.Held(url)
    until(lambda: state._next is None)
    desk.note(url, ("computations.boards", "nothing", "1"))
    (tmp_path / "s.db").touch()
    state.since -= 60
    first = state.moved_on()
    until(lambda: state._next is None)
    assert state.moved_on() != first
    assert "benchmark called 'nothing'" in caplog.text


# reports that come back as what they were -------------------------------------------------------


def test_reports_come_back_as_what_they_were(parts: Any, tmp_path: Path) -> None:
    from judgebench.reports.compare import Comparison, comparison
    from judgebench.reports.nights import Nights, nights
    from judgebench.reports.training import Training, training
    from judgebench.store import open_store

    reports = importlib.import_module("computed_reports")
    codec = importlib.import_module("codec")
    nightly = night_stores.fill(tmp_path / "nights.db", n_items=60)
    trained = night_stores.train(tmp_path / "training.db", n_items=60)
    with open_store(nightly, read_only=True) as store:
        (judge,), two = store.judges(), store.models()[:2]
    with open_store(trained, read_only=True) as store:
        (trainer,) = store.judges()
    at = {"benchmark": stores.BENCHMARK, "version": stores.VERSION}
    for url, kind, question, function, asked in (
        (nightly, Nights, "told", nights, {**at, "judge_id": judge.id, "name": "nightly"}),
        (nightly, Comparison, "compared", comparison, {"first": two[0].id, "second": two[1].id}),
        (
            trained,
            Training,
            "trained",
            training,
            {"benchmark": stores.BENCHMARK, "run": "apo-november", "judge": trainer.id},
        ),
    ):
        with open_store(url, read_only=True) as store:
            expected = function(store, **asked)  # type: ignore[operator]
            written = getattr(reports, question)(store, json.dumps(asked))
        found = codec.read(kind, json.loads(json.dumps(written)))
        assert repr(found) == repr(expected)
