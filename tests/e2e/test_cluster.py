"""One suite in four parts: as jobs, at one server, in files that are merged; always one board."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.e2e import own, runs
from tests.faults.kill_points import signed
from tests.faults.nursery import Nursery, Order
from tests.loopback import Ask, Loopback, Reaction
from tests.postgres import Server
from tests.warm import Warm

ITEMS = 8
SHARDS = ("1/4", "2/4", "3/4", "4/4")


class Judge:
    """Takes its time, and sends signals to shards of a suite as their questions come."""

    def __init__(self) -> None:
        self.suite = Path()
        self.signals: dict[str, tuple[str, str, signal.Signals]] = {}
        self._lock = threading.Lock()

    def __call__(self, ask: Ask) -> Reaction:
        with self._lock:
            for question, (shard, program, number) in list(self.signals.items()):
                if question in ask.text:
                    del self.signals[question]
                    (run,) = (
                        process
                        for process in psutil.process_iter()
                        if {shard, str(self.suite)} <= {*_words(process)}
                    )
                    job = run.parent()
                    assert job is not None
                    os.kill(run.pid if program == "run" else job.pid, number)
        return replace(signed(ask), delay_s=0.1)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it ended meanwhile
        return []


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


@pytest.fixture(scope="module")
def server(judge: Judge) -> Iterator[Loopback]:
    with Loopback(judge) as running:
        yield running


def suite(folder: Path, server: Loopback, **parts: Any) -> Path:
    """A model behind an API and a file of answers, and a judge behind an API."""
    folder.mkdir(exist_ok=True)
    return own.suite(
        folder,
        items=ITEMS,
        candidates=[own.endpoint(server.url, "candidate", model="candidate")],
        judges=[own.endpoint(server.url, "grader", kind="rubric")],
        benchmark={"scale": [1, 10]},
        limits={"max_connections": 1},
        **parts,
    )


def board(url: str) -> str:
    done = runs.typed("leaderboard", own.BENCHMARK, "--store", url, "--format", "json")
    assert done.code == 0, done.err
    return done.out


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, server: Loopback) -> str:
    """The board of a run by itself."""
    folder = tmp_path_factory.mktemp("whole")
    assert runs.typed("run", suite(folder, server), "--quiet").code == 0
    return board(runs.store_url(folder))


@pytest.fixture(scope="module")
def nursery(
    tmp_path_factory: pytest.TempPathFactory, server: Loopback, warm: Warm
) -> Iterator[Nursery]:
    first = suite(tmp_path_factory.mktemp("warm"), server)
    with Nursery("run", first, "--quiet", executable=warm.executable) as started:
        yield started


def test_what_else_the_process_logs_goes_on(tmp_path: Path) -> None:
    """Whoever calls `judgebench.run` may write a log of their own."""
    code = f"""
import logging, os
log = logging.FileHandler({str(tmp_path / "mine.log")!r}, mode="w")
logging.getLogger("mine").addHandler(log)
from judgebench.config import SlurmExecutor
from judgebench.execution import slurm
slurm._submitit(SlurmExecutor(cluster="local"))
logging.getLogger("mine").warning("it goes on")
print(os.environ.get(slurm.LOG_LEVEL))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (tmp_path / "mine.log").read_text() == "it goes on\n"
    assert done.stdout == "None\n", "jobs log what they do"


@pytest.mark.usefixtures("forked")
def test_a_suite_is_jobs_of_which_one_is_killed_and_one_is_preempted(
    tmp_path: Path, server: Loopback, judge: Judge, whole: str
) -> None:
    """As Slurm does it, by submitit's executor for one machine."""
    asked = len(server.asks)
    path = suite(tmp_path, server, executor={"slurm": {"array": 4, "cluster": "local"}})
    judge.suite = path
    judge.signals = {
        "2 plus 2": ("2/4", "run", signal.SIGKILL),
        "4 plus 4": ("3/4", "job", signal.SIGUSR2),
    }
    done = runs.typed("run", path, "--quiet")
    assert done.code == 0, done.err
    assert not judge.signals, "both came"
    (folder,) = (tmp_path / "jobs").iterdir()
    assert f"all jobs have ended; boards and messages are in {folder}" in done.err
    said = "".join(log.read_text() for log in folder.glob("*.err")) + "".join(
        log.read_text() for log in folder.glob("*.out")
    )
    assert "stopping: waiting for the replies under way" in said, "the one that was preempted"
    assert "Requeued job" in said
    assert board(runs.store_url(tmp_path)) == whole
    twice = [sha for sha, n in Counter(a.sha for a in server.asks[asked:]).items() if n > 1]
    assert len(twice) <= 1, "what the killed one had under way"
    calm = runs.typed("run", path, "--quiet", "--executor", "local")
    assert "0 generations, 0 judge calls made" in calm.err


def test_four_processes_at_one_server(
    tmp_path: Path, server: Loopback, whole: str, nursery: Nursery, postgres: Server
) -> None:
    asked = len(server.asks)
    with postgres.database("store") as name:
        runs.keep_at(tmp_path, postgres.url(name))
        path = str(suite(tmp_path, server))
        ends = nursery.carry_out(
            *(Order(words=("run", path, "--quiet", "--shard", one)) for one in SHARDS)
        )
        assert [end.code for end in ends] == [0] * 4, [end.said for end in ends]
        assert board(postgres.url(name)) == whole
    assert len(server.asks) - asked == 3 * ITEMS, "an answer, and a grade of each of two"


def test_four_processes_with_a_file_each(
    tmp_path: Path, server: Loopback, whole: str, nursery: Nursery
) -> None:
    path = str(suite(tmp_path, server))
    stores = [f"sqlite:///{tmp_path / f'{n}.db'}" for n in range(4)]
    ends = nursery.carry_out(
        *(
            Order(words=("run", path, "--quiet", "--shard", one, "--store", url))
            for one, url in zip(SHARDS, stores, strict=True)
        )
    )
    assert [end.code for end in ends] == [0] * 4, [end.said for end in ends]
    assert runs.typed("store", "merge", *stores).code == 0
    assert board(stores[0]) == whole


# what is wrong is said before anything ------------------------------------------------------------


def refused(path: Path, *words: str) -> str:
    done = runs.typed("run", path, *words)
    assert not (path.parent / "jobs").exists()
    return f"{done.code} {done.err}"


def test_what_is_lacking_is_said_before_anything_is_asked(
    tmp_path: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = suite(tmp_path, server)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = refused(path, "--executor", "slurm")
    assert "there is no sbatch and no srun on the PATH: type this where jobs are" in said
    assert said.startswith("78 ")
    for here in (("--again", "grader"), ("--metrics-port", "0")):
        said = refused(path, "--executor", "slurm", *here)
        assert said.startswith("64 ")
        assert f"{here[0]} is for a run on this machine: add --executor local" in said
    monkeypatch.setitem(__import__("sys").modules, "submitit", None)
    said = refused(path, "--executor", "slurm")
    assert "executor slurm needs submitit, which is not installed: pip install 'judge" in said
    written = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**written, "executor": {"slurm": {"arry": 4}}}))
    assert "no key called 'arry'; did you mean 'array'" in refused(path)
    assert not (tmp_path / "store.db").exists()


SBATCH = """#!/bin/sh
test -e {folder}/full && echo "sbatch: error: invalid partition specified" >&2 && exit 1
printf %s "$JUDGEBENCH_STORE_PASSWORD" > {folder}/password
cat "$1" >> {folder}/scripts
echo "Submitted batch job $(grep -c '^#!' {folder}/scripts)00"
"""


def test_what_slurm_is_told_and_what_a_person_is(
    tmp_path: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To an sbatch that keeps what it is given."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sbatch", "srun"):
        (tools / name).write_text(SBATCH.format(folder=tmp_path))
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    slurm = {"partition": "gpu", "gpus": 8, "array": 16, "parallel": 4, "sbatch": {"nice": 100}}
    path = suite(tmp_path, server, executor={"slurm": slurm})
    at = ("--store", "postgresql://ann:hunter2@db/results")
    done = runs.typed("run", path, "--limit", "6", "--max-cost", "34", *at)
    assert done.code == 0, done.err
    script = (tmp_path / "scripts").read_text()
    shards, end = script.split("#!/bin/bash")[1:]
    for line in ("array=0-15%4", "partition=gpu", "gpus-per-node=8", "requeue", "nice=100"):
        assert f"#SBATCH --{line}\n" in shards
    assert "#SBATCH --dependency=afterany:100\n" in end
    assert "array" not in end
    (folder,) = (tmp_path / "jobs").iterdir()
    told = [pickled.read_bytes() for pickled in sorted(folder.glob("*.pkl"))]
    assert len(told) == 17
    assert not any(b"hunter2" in one for one in told), "others can read it"
    assert (tmp_path / "password").read_text() == "hunter2", "a job has our environment"
    assert all(b"--limit" in one and b"--max-cost" in one for one in told)
    assert all(b"--executor" in one for one in told), "also of a suite that is for Ray elsewhere"
    assert b"3/16" in (folder / "100_2_submitted.pkl").read_bytes()
    assert "16 shards are job 100; job 200 ends the run once they are done" in done.err
    assert "watch: judgebench runs watch --store postgresql://ann@db/results; squeue" in done.err
    assert "stop: scancel 100 200" in done.err
    assert "hunter2" not in done.err + script
    assert "password=${JUDGEBENCH_STORE_PASSWORD}" in told[0].decode("latin-1")
    done = runs.typed("run", path, "--quiet")
    assert f"until then each shard has a store of its own: {tmp_path}/jobs/own" in done.err
    assert f"watch: judgebench runs watch --store {tmp_path}/jobs/own" in done.err
    (tmp_path / "full").touch()
    done = runs.typed("run", path)
    assert done.code == 69
    assert "Slurm did not take the jobs: " in done.err
    assert "invalid partition specified" in done.err
