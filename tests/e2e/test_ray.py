"""Runs on a Ray cluster of two nodes: a driver that is killed, a node that dies, one that joins."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.e2e.offered import offered
from tests.warm import Warm

pytestmark = [
    pytest.mark.usefixtures("forked"),
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="needs judgebench-harness[ray]"
    ),
    # Ray's own, of processes that it ends
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

NAME = "trivia_judging_mini"
ITEMS = 24
BACKEND = '''
import fcntl, json, os, time
from pathlib import Path

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from judgebench.benchmarks.task_folder import ShortAnswers

HERE = Path(__file__).resolve().parent
load = ShortAnswers(HERE).load


@register_model("scripted")
class Scripted(LM):
    """Answers with something of the question, once so many batches may pass as this is one of."""

    def __init__(self, pretrained, **kwargs):
        super().__init__()

    def generate_until(self, requests, disable_tqdm=False):
        asked = [request.args[0] for request in requests]
        node = os.environ.get("RAY_RAYLET_PID")
        with (HERE / "asked").open("a+") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            log.seek(0)
            number = len(log.readlines())
            log.write(json.dumps({"node": node, "asked": asked}) + "\\n")
        while number >= int((HERE / "pass").read_text() or 0):
            time.sleep(0.05)
        return [one.split()[-3] + f" the Danube {len(one)}" for one in asked]

    def loglikelihood(self, requests):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood
'''
FORKS = """
import sys

if any(word.endswith("default_worker.py") for word in sys.orig_argv):
    sys.executable = {executable!r}
"""
"""What holds a model on a node is forked as well: Ray's own processes start it."""

QUIET = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "of-this-test" * 4,
    "RAY_USAGE_STATS_ENABLED": "0",
}
BARE = {"include_log_monitor": False, "no_monitor": True}
ONE_MODEL = {"num_cpus": 1, "object_store_memory": 80 << 20, **BARE}


class Asked:
    """What the models of a folder were asked, batch by batch, and by which node."""

    def __init__(self, folder: Path) -> None:
        self.log, self.may_pass = folder / "asked", folder / "pass"

    def __len__(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    def since(self, number: int) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()[number:]]

    def let_pass(self, batches: int) -> None:
        self.may_pass.write_text(str(batches))

    def held(self, since: int, *nodes: Any) -> bool:
        """Whether each of these has a batch that does not pass, and there are no others."""
        if len(self) < since + len(nodes):
            return False
        assert len(self) == since + len(nodes)
        return {one["node"] for one in self.since(since)} == {raylet(node) for node in nodes}


def raylet(node: Any) -> str:
    return str(node.all_processes["raylet"][0].process.pid)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Iterator[Path]:
    """The small set with a backend of its own, as an installed package offers it."""
    here = tmp_path_factory.mktemp("ray")
    tasks = here / "tasks" / NAME
    shutil.copytree(runs.MINI, tasks, ignore=shutil.ignore_patterns("__pycache__"))
    (tasks / "backend.py").write_text(BACKEND)
    task = tasks / f"{NAME}.yaml"
    task.write_text(task.read_text().replace("!function utils.load", "!function backend.load"))
    packages = offered(here, [tasks])
    (packages / "sitecustomize.py").write_text(FORKS.format(executable=warm.executable))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        patch.setenv("XDG_CACHE_HOME", str(here / "cache"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("PYTHONPATH", f"{packages}:{runs.ROOT}")
        patch.syspath_prepend(packages)
        yield here


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    said = {"health_check_period_ms": 1000, "health_check_failure_threshold": 5}
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 80 << 20, **BARE}
    started = Cluster(initialize_head=True, head_node_args={**head, "_system_config": said})
    try:
        yield started
    finally:
        started.shutdown()


def suite(folder: Path, name: str, address: str) -> Path:
    here = folder / name
    here.mkdir()
    checkpoint = folder / "checkpoint"
    checkpoint.mkdir(exist_ok=True)
    (checkpoint / "config.json").write_text("{}")
    (checkpoint / "model.safetensors").write_bytes(b"weights")
    local = {
        "model": "scripted",
        "model_args": {"pretrained": str(checkpoint)},
        "batch_size": 2,
        "apply_chat_template": False,
    }
    return runs.suite(
        here,
        limit=ITEMS,
        models=[{"name": "local", "lm_eval": local}],
        executor={"ray": {"address": address, "gpus_per_model": 0}},
    )


def stored(folder: Path) -> int:
    if not (folder / "store.db").exists():
        return 0
    with open_store(runs.store_url(folder), read_only=True) as store:
        return sum(1 for _ in store.answered(NAME, "1", model_key(store)))


def model_key(store: Any) -> bytes:
    return next((model.key for model in store.models() if model.name == "local"), b"")


def board(folder: Path) -> str:
    done = runs.typed("leaderboard", NAME, "--store", runs.store_url(folder), "--format", "json")
    assert done.code == 0, done.err
    return done.out


def test_a_killed_driver_a_lost_node_and_one_that_joins_give_the_board_of_one_machine(
    folder: Path, cluster: Any
) -> None:
    asked = Asked(folder / "tasks" / NAME)
    asked.let_pass(10**6)
    alone = suite(folder, "alone", cluster.address)
    done = runs.typed("run", alone, "--quiet", "--executor", "local")
    assert done.code == 0, done.err
    prompts = Counter(prompt for one in asked.since(0) for prompt in one["asked"])
    asked.log.unlink()

    asked.let_pass(0)
    path = suite(folder, "cluster", cluster.address)
    here = path.parent
    first, second = (cluster.add_node(**ONE_MODEL) for _ in range(2))
    gone = raylet(first)
    driver, beside = runs.start("run", path, "--quiet"), None
    try:
        runs.eventually(lambda: asked.held(0, first, second), 60)
        asked.let_pass(4)
        runs.eventually(lambda: asked.held(4, first, second))
        runs.eventually(lambda: stored(here) == 8)
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()

        driver = runs.start("run", path, "--quiet")
        runs.eventually(lambda: asked.held(6, first, second), 60)
        asked.let_pass(8)
        runs.eventually(lambda: asked.held(8, first, second))
        runs.eventually(lambda: stored(here) == 12)
        # Another cluster, of this machine alone, on the same store: it waits for what is asked.
        beside = runs.start("run", path, "--executor", "local")
        cluster.remove_node(first, allow_graceful=False)
        third = cluster.add_node(**ONE_MODEL)
        runs.eventually(lambda: asked.held(10, third), 60)
        asked.let_pass(10**6)
        _, said = driver.communicate(timeout=90)
        _, said_beside = beside.communicate(timeout=90)
    finally:
        for one in (driver, beside):
            if one is not None and one.poll() is None:
                os.killpg(one.pid, signal.SIGKILL)
                one.wait()
    assert driver.returncode == 0, said
    assert beside is not None and beside.returncode == 0, said_beside
    assert "0 generations" in said_beside
    assert "its worker was lost, what it was asked goes to another" in said
    assert f"{ITEMS - 8} generations" in said
    again = Counter(prompt for one in asked.since(0) for prompt in one["asked"]) - prompts
    held = Counter(prompt for one in asked.since(4)[:2] for prompt in one["asked"])
    lost = [one for one in asked.since(8)[:2] if one["node"] == gone]
    held.update(prompt for one in lost for prompt in one["asked"])
    assert again == held, "nothing but what was under way as the driver and the node died"
    assert stored(here) == ITEMS
    assert board(here) == board(alone.parent)
