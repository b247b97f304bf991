"""Whole runs with a local model: known by its weights, asked once, outlived when it dies."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

import judgebench
from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.e2e.offered import offered
from tests.loopback import Loopback

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
)

NAME = "trivia_judging_mini"
TOKEN = "a-token-to-hide"
ITEMS, BATCH = 6, 2
BACKEND = '''
import json, os, signal, sys, time
from pathlib import Path

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from judgebench.benchmarks.task_folder import ShortAnswers

HERE = Path(__file__).resolve().parent
load = ShortAnswers(HERE).load


@register_model("scripted")
class Scripted(LM):
    """Answers all alike, except where the environment says what happens to which batch."""

    def __init__(self, pretrained, **kwargs):
        super().__init__()
        self.batch = 0

    def generate_until(self, requests, disable_tqdm=False):
        self.batch += 1
        with (HERE / "asked").open("a") as log:
            log.write(json.dumps([request.args[0] for request in requests]) + "\\n")
        match os.environ.get("SCRIPTED", "").split():
            case [number, "raise"] if int(number) == self.batch:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            case [number, "die"] if int(number) == self.batch:
                print("last words, with", os.environ["HF_TOKEN"], file=sys.stderr, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            case [number, "hang"] if int(number) == self.batch:
                (HERE / "hangs").write_text(str(os.getpid()))
                time.sleep(300)
        return ["the Danube"] * len(requests)

    def loglikelihood(self, requests):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError
'''


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hashes of files are remembered for this test alone, and nobody asks the Hub."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)


@dataclass(frozen=True)
class Scripted:
    """The small set as an installed package offers it, with a backend that can be told to fail."""

    folder: Path
    packages: Path

    @property
    def hangs(self) -> Path:
        return self.folder / "hangs"

    def asked(self) -> Counter[str]:
        """How often each prompt reached the model."""
        lines = (self.folder / "asked").read_text().splitlines()
        return Counter(prompt for line in lines for prompt in json.loads(line))

    def environment(self, script: str) -> dict[str, str]:
        return {"PYTHONPATH": str(self.packages), "SCRIPTED": script}


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    folder = tmp_path / "tasks" / NAME
    shutil.copytree(runs.MINI, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "backend.py").write_text(BACKEND)
    task = folder / f"{NAME}.yaml"
    task.write_text(task.read_text().replace("!function utils.load", "!function backend.load"))
    packages = offered(tmp_path, [folder])
    monkeypatch.syspath_prepend(packages)
    return Scripted(folder, packages)


def checkpoint(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights of step 1")
    return folder


def local(backend: str, folder: Path) -> dict[str, Any]:
    arguments = {"pretrained": str(folder)}
    settings = {"apply_chat_template": False, "batch_size": BATCH}
    return {"name": "local", "lm_eval": {"model": backend, "model_args": arguments, **settings}}


def suite(folder: Path, model: dict[str, Any], url: str = "", *, limit: int = ITEMS) -> Path:
    """The local model, and answers that exist."""
    taker = {"name": "model-weak", "responses": str(runs.MINI / "answers.jsonl")}
    return runs.suite(folder, url, limit=limit, models=[model, taker])


def failed(folder: Path) -> list[str]:
    """What is said of answers that could not be had."""
    with judgebench.open_store(runs.store_url(folder)) as store:
        failures = store.failures(NAME)
    assert set(failures["boundary"]) <= {"local_model"}
    assert set(failures["model"]) <= {"local"}
    return list(failures["message"])


def verdicts(folder: Path) -> dict[str, int]:
    """How many verdicts ``contains`` has on each model, and how many are missing."""
    rows = {model: row for (judge, model), row in runs.rows(folder).items() if judge == "contains"}
    for row in rows.values():
        estimate = row["metrics"]["accuracy"]
        assert estimate["n"] + estimate["missing"] == ITEMS
    return {model: row["counts"]["verdicts"] for model, row in rows.items()}


@pytest.mark.usefixtures("forked")
def test_a_model_is_its_weights(tmp_path: Path) -> None:
    nothing = {"generations": 0, "judge_calls": 0}
    everything = {"generations": 3, "judge_calls": 3}
    folder = checkpoint(tmp_path / "checkpoint")
    weights = folder / "model.safetensors"

    def missing(model: Path = folder) -> dict[str, int]:
        found = runs.planned(suite(tmp_path, local("dummy", model), server.url, limit=3))
        del found["recorded"]
        return found

    with Loopback() as server:
        assert missing() == {"generations": 3, "judge_calls": 6}
        first = runs.typed("run", suite(tmp_path, local("dummy", folder), server.url, limit=3))
        assert first.code == 0, first.err
        assert "3 generations, 6 judge calls made" in first.err
        assert missing() == nothing

        os.utime(weights, (1, 1))
        (folder / "optimizer.pt").write_bytes(b"is no part of the model")
        assert missing() == nothing
        elsewhere = tmp_path / "elsewhere"
        folder.rename(elsewhere)
        assert missing(elsewhere) == nothing
        elsewhere.rename(folder)
        assert missing() == nothing

        before = weights.stat()
        weights.write_bytes(b"weights of step 2")  # as long, and as old by its clock
        os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert missing() == everything
        second = runs.typed("run", suite(tmp_path, local("dummy", folder), server.url, limit=3))
        assert "3 generations, 0 judge calls made" in second.err  # it answers the same
        assert missing() == nothing
        weights.write_bytes(b"weights of step 1")
        assert missing() == nothing

        rows = runs.rows(tmp_path)
        shown = {model: row for (judge, model), row in rows.items() if judge == "small"}
        versions = [model for model in shown if model.startswith("local@")]
        assert len(versions) == 2
        for model in versions:
            assert shown[model]["counts"]["verdicts"] == 3
            assert "two versions" in shown[model]["flags"]


@pytest.mark.parametrize(
    ("script", "lost", "says"),
    [
        ("2 raise", BATCH, "CUDA out of memory. Tried to allocate 2.00 GiB (lower the model's"),
        ("2 die", ITEMS - BATCH, "killed by SIGKILL; often the machine ran out of memory"),
    ],
)
def test_a_worker_that_fails_costs_what_it_did_not_answer(
    tmp_path: Path,
    scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    lost: int,
    says: str,
) -> None:
    path = suite(tmp_path, local("scripted", checkpoint(tmp_path / "checkpoint")))
    with monkeypatch.context() as patch, runs.no_process_left():
        patch.setenv("SCRIPTED", script)
        done = runs.typed("run", path)
    assert done.code == 75, done.err
    assert f"{ITEMS - lost} generations" in done.err
    assert f"{lost} failed; store " in done.err
    assert "run the same command again to retry what failed" in done.err
    assert "Traceback" not in done.err
    messages = failed(tmp_path)
    assert len(messages) == lost
    assert all(says in message for message in messages)
    if script.endswith("die"):
        assert all("| last words, with ***" in message for message in messages)
        assert "warning: local: the worker that runs the local model ended" in done.err
    assert TOKEN not in done.err + done.out + "".join(messages)
    assert verdicts(tmp_path) == {"local": ITEMS - lost, "model-weak": ITEMS}
    assert runs.rows(tmp_path)["contains", "local"]["counts"]["failed"] == lost
    before = scripted.asked()

    again = runs.typed("run", path)
    assert again.code == 0, again.err
    assert f"{lost} generations" in again.err
    assert failed(tmp_path) == []
    assert verdicts(tmp_path) == {"local": ITEMS, "model-weak": ITEMS}
    twice = [prompt for prompt, count in scripted.asked().items() if count > 1]
    assert len(twice) == BATCH  # the batch that failed, and no other
    assert set(twice) <= before.keys()


@pytest.mark.usefixtures("forked")
def test_a_model_that_cannot_be_loaded_does_not_end_the_run(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "checkpoint")
    done = runs.typed("run", suite(tmp_path, local("no-such-backend", folder)))
    assert done.code == 75, done.err
    assert f"{ITEMS} failed; store " in done.err
    assert "no-such-backend" in done.err
    assert len(failed(tmp_path)) == ITEMS
    assert verdicts(tmp_path) == {"local": 0, "model-weak": ITEMS}
    assert runs.rows(tmp_path)["contains", "local"]["counts"]["failed"] == ITEMS


def test_a_model_that_is_not_there_is_said_before_anything_happens(tmp_path: Path) -> None:
    path = suite(tmp_path, local("hf", tmp_path / "nowhere"))
    done = runs.typed("run", path)
    assert done.code == 78, done.err
    assert f"{path}: " in done.err
    assert f"there is no folder {tmp_path / 'nowhere'} here" in done.err
    assert not (tmp_path / "store.db").exists()


def kept(folder: Path) -> int:
    """How many answers of the local model are in the store."""
    with judgebench.open_store(runs.store_url(folder)) as store:
        return Counter(store.responses(NAME)["model"])["local"]


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_ends_while_it_generates_keeps_what_came(
    tmp_path: Path, scripted: Scripted, number: signal.Signals
) -> None:
    path = suite(tmp_path, local("scripted", checkpoint(tmp_path / "checkpoint")))
    run = runs.start("run", path, environment=scripted.environment("2 hang"))
    runs.eventually(lambda: scripted.hangs.is_file() and scripted.hangs.read_text())
    worker = psutil.Process(int(scripted.hangs.read_text()))
    runs.eventually(lambda: kept(tmp_path) == BATCH)  # the batch before the one that hangs
    run.send_signal(number)
    _, said = run.communicate(timeout=30)
    _, alive = psutil.wait_procs([worker], timeout=10)
    assert not alive, "the worker outlived its run"
    if number == signal.SIGKILL:
        assert run.returncode == -number
    else:
        assert run.returncode == 130, said
        assert "interrupted; nothing is lost" in said
        assert "Traceback" not in said
    assert kept(tmp_path) == BATCH

    again = runs.typed("run", path)
    assert again.code == 0, again.err
    assert f"{ITEMS - BATCH} generations" in again.err
    assert verdicts(tmp_path) == {"local": ITEMS, "model-weak": ITEMS}
    assert sorted(scripted.asked().values()) == [1] * (ITEMS - BATCH) + [2] * BATCH
    with open_store(runs.store_url(tmp_path), read_only=True) as store:
        assert [manifest.state for manifest in store.runs()] == ["interrupted", "done"]


@pytest.mark.usefixtures("forked")
def test_two_processes_at_once_generate_nothing_twice(tmp_path: Path, scripted: Scripted) -> None:
    path = suite(tmp_path, local("scripted", checkpoint(tmp_path / "checkpoint")))
    both = [
        runs.start("run", path, "--quiet", environment=scripted.environment("")) for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum(f"{ITEMS} generations" in text for text in said) == 1, said
    assert sum(" 0 generations" in text for text in said) == 1, said
    assert set(scripted.asked().values()) == {1}
    assert verdicts(tmp_path) == {"local": ITEMS, "model-weak": ITEMS}
