"""Real questions, a local model and a judge on loopback, killed while it answers and while it
judges: nothing is asked twice, and the board is that of an undisturbed run."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import real_sets, runs
from tests.loopback import Ask, Loopback, Reaction
from tests.official_judge import judged
from tests.tiny_models import save_causal
from tests.warm import Warm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.hf,
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
    ),
]

CHOSEN: dict[str, tuple[dict[str, int], int]] = {"honestybench": ({"limit_by_category": 3}, 15)}
"""Which items of a benchmark are asked, and how many these are. What a kill costs at each step is
in tests/faults, and what a local model is asked by the others beside their tasks.
"""
BATCH = 2
HOLDS = """

import os, sys, time

if os.environ.get("HOLDS") and "lm_eval" in sys.modules:  # the worker, not who plans
    from lm_eval.models.huggingface import HFLM

    def holding(lm, *args, generate=HFLM._model_generate, batches=[], **settings):
        batches.append(None)
        if len(batches) > 1:
            time.sleep(300)
        return generate(lm, *args, **settings)

    HFLM._model_generate = holding
"""
"""Put behind a task's code, so that a model answers one batch and then none."""

ANSWERED = 3
"""Judge calls that are answered before the judge falls silent and the run is killed."""


@dataclass(frozen=True)
class Place:
    """What all runs of this file share."""

    folder: Path
    environment: dict[str, str]

    def suite(self, folder: Path, url: str, names: tuple[str, ...]) -> Path:
        """A tiny model that writes anything, asked for answers of 16 tokens."""
        local = {
            "model": "hf",
            "model_args": {"pretrained": str(self.folder / "tiny"), "max_length": 6000},
            "batch_size": BATCH,
            "device": "cpu",
            "gen_kwargs": {"max_gen_toks": 16},
        }
        at = {"provider": "openai_compatible", "model": "loopback", "base_url": url}
        written = {
            "name": "real",
            "models": [{"name": "tiny", "lm_eval": local}],
            "judges": [{"name": "judge", **at}],
            "benchmarks": [
                {"name": name, "judges": ["judge"], **CHOSEN[name][0]} for name in names
            ],
            "limits": {"max_connections": 2, "max_retries": 1, "timeout_s": 60},
            "store": runs.store_url(folder),
        }
        path = folder / "suite.yaml"
        path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
        return path

    def start(self, suite: Path, **more: str) -> subprocess.Popen[str]:
        return runs.start("run", suite, environment=self.environment | more)

    def run(self, suite: Path) -> str:
        """An undisturbed run, and what it said."""
        done = runs.judgebench("run", suite, environment=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def board(self, folder: Path, name: str) -> Any:
        """The board without what names a run's own replies."""
        words = ("leaderboard", name, "--store", runs.store_url(folder), "--format", "json")
        done = runs.judgebench(*words, environment=self.environment)
        assert done.returncode == 0, done.stderr
        hidden = {"served_models", "warnings"}
        boards = json.loads(done.stdout)["boards"]
        return [{k: v for k, v in board.items() if k not in hidden} for board in boards]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("real")
    environment = real_sets.environment(folder)
    for name in CHOSEN:
        with (folder / "tasks" / name / "utils.py").open("a", encoding="utf-8") as code:
            code.write(HOLDS)
    save_causal(folder / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", warm.executable)
        yield Place(folder, environment)


@pytest.fixture(scope="module")
def calm(place: Place) -> Path:
    """A folder with the store of a run over all three that nobody disturbed."""
    folder = place.folder / "calm"
    folder.mkdir()
    with Loopback(judged) as server:
        said = place.run(place.suite(folder, server.url, tuple(CHOSEN)))
    assert f"{sum(n for _, n in CHOSEN.values())} generations, " in said
    return folder


class Judge:
    """Answers a few calls and then none, until it is told to go on."""

    def __init__(self) -> None:
        self.silent = False
        self.asked: list[str] = []

    def __call__(self, ask: Ask) -> Reaction:
        self.asked.append(ask.sha)
        if self.silent and len(self.asked) > ANSWERED:
            return Reaction(hang=True)
        return judged(ask)


@pytest.fixture
def judge() -> Iterator[tuple[Judge, Loopback]]:
    script = Judge()
    with Loopback(script) as server:
        yield script, server


@pytest.mark.parametrize("name", CHOSEN)
def test_two_kills_cost_nothing(
    name: str, place: Place, calm: Path, tmp_path: Path, judge: tuple[Judge, Loopback]
) -> None:
    script, server = judge
    items = CHOSEN[name][1]
    path = place.suite(tmp_path, server.url, (name,))

    run = place.start(path, HOLDS="1")
    runs.eventually(lambda: len(rows(tmp_path, "responses")) == BATCH, wait_s=120)
    kill(run)
    answers = rows(tmp_path, "responses")
    assert len(answers) == BATCH
    assert script.asked == []

    script.silent = True
    run = place.start(path)
    runs.eventually(lambda: len(script.asked) > ANSWERED, wait_s=120)
    runs.eventually(lambda: len(rows(tmp_path, "replies")) == ANSWERED)
    said = kill(run)
    left = re.search(r"tiny: answering: (\d+)\n", said)
    assert left is not None, said
    assert int(left[1]) == items - len(answers), "only what had no answer was asked for one"
    all_answers = rows(tmp_path, "responses")
    assert (len(all_answers), answers <= all_answers) == (items, True)
    kept = {model.removeprefix("asked-") for (model,) in rows(tmp_path, "replies")}
    assert len(kept) == ANSWERED

    script.silent = False
    before = len(script.asked)
    again = place.run(path)
    calls = script.asked[before:]
    assert f"0 generations, {len(calls)} judge calls made" in again
    assert ", 0 unreadable, 0 failed" in again
    assert not kept & set(calls), "asked again although the reply was kept"
    assert len(calls) == len(set(calls))
    assert len(rows(tmp_path, "replies")) == ANSWERED + len(calls)
    assert rows(tmp_path, "responses") == all_answers
    assert place.board(tmp_path, name) == place.board(calm, name)
    nothing = place.run(path)
    assert "0 generations, 0 judge calls made" in nothing
    assert len(script.asked) == before + len(calls)


_COLUMNS = {"responses": "hex(key), hex(text_sha), at", "replies": "served_model"}


def rows(folder: Path, table: str) -> set[tuple[Any, ...]]:
    """What a table holds by now; nothing where it is not there yet."""
    store = folder / "store.db"
    if not store.exists():
        return set()
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=20)) as connection:
        found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table])
        if found.fetchone() is None:
            return set()
        return set(connection.execute(f"SELECT {_COLUMNS[table]} FROM {table}").fetchall())


def kill(run: subprocess.Popen[str]) -> str:
    """End a run that is at work without a warning; what it had said."""
    assert run.poll() is None, run.stderr and run.stderr.read()
    os.kill(run.pid, signal.SIGKILL)
    said: str = run.communicate(timeout=60)[1]
    return said
