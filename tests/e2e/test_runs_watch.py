"""``judgebench runs watch``: every shard on every node, on one screen."""

from __future__ import annotations

import io
import json
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rich.console

from judgebench.cli import runs as commands
from judgebench.execution.manifest import alive
from judgebench.records import RunManifest
from judgebench.reports.runs import Pace, run_progress
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e import runs

TOLD = {
    "stage": "judging: gpt", "total": 100, "done": 40, "waiting": 0, "failed": {}, "calls": 40,
    "tokens": 800, "cost_usd": 0.5, "budget_usd": None,
}  # fmt: skip


def manifest(run_id: str, shard: str = "", ago_s: float = 60.0, **parts: Any) -> RunManifest:
    narrowed = {"narrowed": {"shard": shard}} if shard else {}
    given: dict[str, Any] = {
        "id": run_id, "name": "nightly", "configuration": narrowed, "versions": {}, "git_sha": None,
        "data_sha": {}, "seeds": {}, "started": time.time() - ago_s,
    }  # fmt: skip
    return RunManifest(**given | parts)


def told(**changed: Any) -> dict[str, Any]:
    now = time.time()
    return {**TOLD, "began": now - 20, "at": now, **changed}


def fill(store: Store) -> None:
    """Three shards of one night: one ended, two under way; an older night, and another suite."""
    store.start_run(manifest("old", "1/3", 90_000, state="done"))
    store.start_run(manifest("other", "2/8", 9_000, state="done"))
    store.start_run(manifest("one", "1/3", 600, state="done", node="node1", spend={"cost_usd": 2}))
    store.start_run(manifest("two", "2/3", 500, node="node2", progress=told()))
    failed = told(failed={"timeout": 4, "rate_limit": 6}, done=20, total=60, budget_usd=20.0)
    store.start_run(manifest("three", "3/3", 400, node="node3", progress=failed))


def test_every_shard_is_on_one_screen(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with open_store(url) as store, ExitStack() as living:
        fill(store)
        for one in ("two", "three"):
            living.enter_context(store.lease(alive(manifest(one))))
        said = runs.typed("runs", "watch", "--store", url, "--once").out
        found = json.loads(
            runs.typed("runs", "watch", "--store", url, "--once", "--format", "json").out
        )["runs"]
        chosen = runs.typed("runs", "watch", "other", "--store", url).out
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert any(line.startswith("nightly 1/3 node1 done") for line in lines)
    assert (
        "nightly 2/3 node2 running 8 min ago judging: gpt 40 of 100 2.0/s 30 s 0.5000 40" in lines
    )
    failing = "judging: gpt 30 of 60 1.5/s 20 s 10 failed (6 rate limit, 4 timeout) 0.5000 of 20 40"
    assert f"nightly 3/3 node3 running 7 min ago {failing}" in lines
    assert (
        "2 under way, 70 of 160, 3.5/s, about 30 s left of these stages, "
        "10 failed (6 rate limit, 4 timeout), 3.00 USD, 80 tokens/s" in lines
    )
    assert [run["run"] for run in found] == ["one", "two", "three"], "of another night are none"
    assert found[2]["failed"] == {"timeout": 4, "rate_limit": 6}
    assert "2/8" in chosen
    assert "2/3" not in chosen


def test_shards_in_files_of_their_own_are_watched_as_a_folder(tmp_path: Path) -> None:
    for n in (1, 2):
        with open_store(str(tmp_path / f"shard-{n}-of-2.db")) as store:
            store.start_run(manifest(f"run{n}", f"{n}/2", state="done", node=f"node{n}"))
    said = runs.typed("runs", "watch", "--store", str(tmp_path)).out
    assert "node1" in said
    assert "node2" in said
    assert "nothing is under way" in said
    (tmp_path / "shard-2-of-2.db").write_bytes(b"")  # its job has just begun
    said = runs.typed("runs", "watch", "--store", str(tmp_path)).out
    assert "node1" in said
    assert f"not read: the file {tmp_path / 'shard-2-of-2.db'} is empty" in " ".join(said.split())


def test_a_folder_in_which_no_shard_has_begun_says_so(tmp_path: Path) -> None:
    done = runs.typed("runs", "watch", "--store", str(tmp_path))
    assert (done.code, f"no store is in the folder {tmp_path} yet" in done.err) == (73, True)


def test_who_stopped_talking_is_pointed_out_and_a_rate_is_that_of_late() -> None:
    pace, run = Pace(), manifest("a", progress=told(began=0.0, at=100.0))
    assert run_progress(run, pace, 100.0).rate_per_s == 0.4
    later = replace(run, progress=told(began=0.0, at=105.0, done=60))
    assert run_progress(later, pace, 105.0).rate_per_s == 4.0
    assert run_progress(later, pace, 500.0).heard_s == 395.0
    starting = run_progress(manifest("b"), pace)
    assert (starting.gone, starting.rate_per_s) == (None, None)


def test_on_a_terminal_it_goes_on_until_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(str(tmp_path / "store.db")) as store:
        store.start_run(manifest("one", state="done", name="[bold]nightly[/]"))
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(commands.time, "sleep", sleep)
    shown: list[str] = []
    console = rich.console.Console
    terminal = {"file": io.StringIO(), "force_terminal": True, "width": 120, "height": 20}
    monkeypatch.setattr(rich.console, "Console", lambda **how: console(**terminal | how))
    from rich.live import Live

    monkeypatch.setattr(Live, "update", lambda self, text, refresh: shown.append(text.plain))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    command = commands.watch_runs.callback
    assert command is not None
    assert command(None, False, "table", (), str(tmp_path / "store.db")) == 0
    assert len(looks) == len(shown) == 3
    assert "[bold]nightly[/]" in shown[0], "a name is text"
