"""Nothing paid for is lost where others write to the store, or its disk fills.

`perf/busy_store.py` does it for as long, and with as much, as it takes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from judgebench.cli.main import run
from judgebench.exchange import pipeline
from judgebench.protocols import Waiting
from judgebench.store import sqlite
from judgebench.store.opening import open_store
from tests.faults.busy_store import by_another_program, by_turn, verdict
from tests.faults.many_judgments import CONNECTIONS, ROOT, write_suite
from tests.loopback import Ask, Loopback, Reaction
from tests.unit.exchanged import import_verdicts

LONG_S = 0.3
JUDGMENTS = 150


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gives up after a while gives up soon here."""
    monkeypatch.setattr(sqlite, "BUSY_S", 0.05)


def at_question(number: int, do: Callable[[], object]) -> Callable[[Ask], Reaction]:
    """Answers; ``do`` is done when so many questions have arrived."""
    asked = count(1)

    def answer(_: Ask) -> Reaction:
        if next(asked) == number:
            do()
        return Reaction(text="correct", delay_s=0.05)

    return answer


def stored(folder: Path) -> int:
    with (
        open_store(str(folder / "store.db"), read_only=True) as store,
        store.snapshot() as connection,
    ):
        found = connection.exec_driver_sql("SELECT count(*) FROM replies").scalar()
    return int(found or 0)


def suite_at(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FAULTY_URL", url)
    return str(write_suite(folder, JUDGMENTS, f"sqlite:///{folder / 'store.db'}"))


@pytest.mark.parametrize("held", [by_turn, by_another_program])
def test_a_run_whose_store_is_held_loses_no_reply(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    held: Callable[[Path], object],
) -> None:
    monkeypatch.setattr(Waiting, "SAID_AFTER_S", LONG_S / 3)
    monkeypatch.setattr(Waiting, "_say_at", 0.0)
    began, waited = threading.Event(), threading.Event()
    holders: list[threading.Thread] = []

    def hold() -> None:
        with held(tmp_path / "store.db"):  # type: ignore[attr-defined]
            began.set()
            waited.wait(60)

    def take() -> None:
        holders.append(threading.Thread(target=hold))
        holders[0].start()
        assert began.wait(60)

    before = Waiting.goes_on

    def goes_on(waiting: Waiting, why: str) -> None:
        before(waiting, why)
        if waiting.seconds > LONG_S:
            waited.set()

    monkeypatch.setattr(Waiting, "goes_on", goes_on)
    with Loopback(at_question(1, take)) as server:
        code = run(["run", suite_at(tmp_path, server.url, monkeypatch), "--quiet"])
    holders[0].join()
    said = capsys.readouterr().err
    assert code == 0, said
    assert waited.is_set()
    assert "to be stored, none is lost meanwhile; waiting (" in said
    assert stored(tmp_path) == len(server.asks) == len(server.arrivals) == JUDGMENTS


def test_an_import_beside_a_run_takes_turns_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The import goes on for as long as the run does: every portion waits for some replies."""
    monkeypatch.setattr(pipeline, "PORTION", 20)
    monkeypatch.setattr("judgebench.store.database.CHUNK", 20)
    rows = 400
    file = tmp_path / "verdicts.jsonl"
    file.write_text("".join(json.dumps(verdict(n)) + "\n" for n in range(rows)))
    url, between = str(tmp_path / "store.db"), [0]
    reports = []

    def pause(_: float) -> None:
        """Until the run has stored more than at the portion before, or is done."""
        seen = stored(tmp_path)
        while stored(tmp_path) == seen < JUDGMENTS and importing.is_alive():
            threading.Event().wait(0.001)
        between[0] += stored(tmp_path) > seen

    def take_in() -> None:
        with open_store(url) as store:
            reports.append(import_verdicts(store, file))

    monkeypatch.setattr(pipeline, "_pause", pause)
    importing = threading.Thread(target=take_in)
    with Loopback(at_question(1, importing.start)) as server:
        code = run(["run", suite_at(tmp_path, server.url, monkeypatch), "--quiet"])
    importing.join()
    assert code == 0, capsys.readouterr().err
    assert stored(tmp_path) == len(server.asks) == len(server.arrivals) == JUDGMENTS
    assert reports[0].new == rows
    assert between[0] >= 2
    with open_store(url, read_only=True) as store:
        assert len(store.verdicts("made_up")["item_id"]) == rows


def test_a_second_ctrl_c_ends_the_wait_and_says_what_is_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sqlite, "CLOSING_S", 0.05)
    held = threading.Event()
    left = threading.Event()

    def hold() -> None:
        with by_turn(tmp_path / "store.db"):
            held.set()
            left.wait(60)

    holder = threading.Thread(target=hold)

    def take() -> None:
        holder.start()
        assert held.wait(60)

    looks = [0]

    def goes_on(waiting: Waiting, why: str) -> None:
        looks[0] += 1
        if looks[0] in (20, 40):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Waiting, "goes_on", goes_on)
    with Loopback(at_question(1, take)) as server:
        code = run(["run", suite_at(tmp_path, server.url, monkeypatch), "--quiet"])
        said = capsys.readouterr().err
        assert code == 130, said
        (journal,) = tmp_path.glob("store.db-paid-*")
        kept = len(journal.read_text().splitlines()) - 1
        assert kept > 0
        assert re.search(rf"; {kept} repl(y|ies) that came (is|are) kept beside the store", said)
        found = re.search(r"interrupted; (\d+) calls? w", said)
        without = int(found[1]) if found else 0
        assert kept + without <= CONNECTIONS
        assert stored(tmp_path) == 0
        left.set()
        holder.join()
        monkeypatch.undo()
        assert run(["run", suite_at(tmp_path, server.url, monkeypatch), "--quiet"]) == 0
        # What was paid for is not asked again.
        assert len(server.asks) == JUDGMENTS + without
    assert list(tmp_path.glob("store.db-paid-*")) == []
    assert stored(tmp_path) == JUDGMENTS
    with open_store(str(tmp_path / "store.db"), read_only=True) as store:
        assert [one.state for one in store.runs()] == ["interrupted", "done"]


FILLED = """
    import json, os, sys
    from pathlib import Path
    from judgebench.cli.main import run
    from judgebench.store.opening import open_store
    from tests.faults.many_judgments import write_suite
    from tests.faults.test_busy_store import at_question, stored
    from tests.loopback import Loopback, Reaction

    folder = Path(sys.argv[1])
    filler = folder / "filler"

    def fill():
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass

    suite = write_suite(folder, {judgments}, f"sqlite:///{{folder / 'store.db'}}")
    answer = at_question({connections}, fill)
    def long(ask):
        return Reaction(text="correct " + answer(ask).text * 400, delay_s=0.1)

    with Loopback(long) as server:
        os.environ["FAULTY_URL"] = server.url
        words = ["run", str(suite), "--quiet"]
        code, asked, kept = run(words), len(server.asks), stored(folder)
        filler.unlink()
        again = run(words)
        figures = [code, asked, kept, again, len(server.asks), len(server.arrivals), stored(folder)]
    print(json.dumps(figures))
"""


@pytest.mark.slow
def test_a_disk_that_fills_while_judging_loses_no_reply(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=40m tmpfs {tmp_path}"
    probe = ["unshare", "-m", "sh", "-c", mount]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("this machine does not let a test make a small disk")
    program = textwrap.dedent(FILLED).format(judgments=JUDGMENTS, connections=CONNECTIONS)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mount} && exec "$0" -c "$1" "$2"', sys.executable, program,
         str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    code, asked, kept, again, asked_in_all, distinct, kept_in_all = json.loads(done.stdout)
    assert "Traceback" not in done.stderr
    assert "every reply that was under way is stored; make room and run again" in done.stderr
    assert (code, again) == (73, 75)  # replies as long as these state no verdict, which is said
    assert kept == asked < JUDGMENTS
    assert asked_in_all == distinct == kept_in_all == JUDGMENTS
