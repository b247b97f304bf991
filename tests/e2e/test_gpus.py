"""A suite's section ``gpus``, with stand-ins for nvidia-smi, vLLM and sglang: no GPU is here."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from judgebench.config import load_suite
from judgebench.execution.execute import evaluate
from judgebench.execution.gpus import Placement, place, placed
from judgebench.execution.pool import ProviderPool
from judgebench.execution.resolve import identity_of, resolve
from judgebench.protocols import NoProgress
from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.loopback import Loopback, Reaction
from tests.unit.test_gpus import BIG, llama

LOOPBACK = Path(__file__).parents[1] / "loopback.py"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four GPUs of 80 GiB, and programs that note how they are called."""
    programs = {
        "nvidia-smi": """
case "$*" in
  *name,memory.total*) for n in 1 2 3 4; do echo "NVIDIA H100, 81920"; done;;
  *) while sleep 0.05; do printf '0, 80, 40960\\n1, 100, 40960\\n'; done;;
esac""",
        "vllm": f"""
echo "$CUDA_VISIBLE_DEVICES: $*" >>{tmp_path}/started
while [ "$1" != --port ]; do shift; done
exec {sys.executable} {LOOPBACK} --port "$2" """,
    }
    for name, script in programs.items():
        tool = tmp_path / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def started(folder: Path) -> list[str]:
    log = folder / "started"
    return log.read_text().splitlines() if log.exists() else []


def served(folder: Path, engine: str = "vllm", **more: Any) -> dict[str, Any]:
    """A judge of 8 billion numbers."""
    place = folder / "judge-8b"
    if not place.exists():
        llama(place)
    return {
        "base_url": None,
        "server": {"engine": engine, "checkpoint": str(place), **more},
        "max_connections": 2,
    }


def suite(folder: Path, judge: Mapping[str, Any], gpus: Mapping[str, Any], **parts: Any) -> Path:
    return runs.suite(folder, "http://h/v1", limit=3, judge=judge, gpus=dict(gpus), **parts)


def test_a_judge_is_served_by_as_many_processes_as_there_is_room_for(machine: Path) -> None:
    path = suite(machine, served(machine), {"devices": "1,3"})
    done = runs.typed("run", path, "--quiet")
    assert done.code == 0, done.err
    first, second = sorted(started(machine))
    assert (first[:3], second[:3]) == ("1: ", "3: ")
    assert f"serve {machine / 'judge-8b'} --host 127.0.0.1 --port" in first
    assert "--served-model-name loopback" in first
    assert "--no-enable-prefix-caching" in first
    assert "--tensor-parallel-size" not in first
    with open_store(runs.store_url(machine), read_only=True) as store:
        (run,) = store.runs()
        assert run.counts["judged"] > 0
        assert {one["gpu"] for one in run.spend["gpus"]} == {0, 1}
        assert run.spend["gpus"][0]["mean_use"] == pytest.approx(0.8)


SGLANG = """
import os, runpy, sys
with open({log!r}, "a") as log:
    log.write(os.environ["CUDA_VISIBLE_DEVICES"] + ": " + " ".join(sys.argv[1:]) + "\\n")
sys.argv = [{server!r}, "--port", sys.argv[sys.argv.index("--port") + 1]]
runpy.run_path({server!r}, run_name="__main__")
"""


def test_sglang_serves_a_judge_as_well(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = machine / "packages" / "sglang"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    said = {"log": str(machine / "started"), "server": str(LOOPBACK)}
    (package / "launch_server.py").write_text(SGLANG.format(**said))
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setenv("PYTHONPATH", str(package.parent), prepend=os.pathsep)
    judge = served(machine, "sglang", args={"max_model_len": 4096})
    done = runs.typed("run", suite(machine, judge, {"devices": "2"}), "--quiet")
    assert done.code == 0, done.err
    (line,) = started(machine)
    assert line.startswith(f"2: --model-path {machine / 'judge-8b'} --host 127.0.0.1 --port")
    assert "--context-length 4096" in line
    assert line.endswith("--disable-radix-cache")
    with open_store(runs.store_url(machine), read_only=True) as store:
        assert store.runs()[0].counts["judged"] > 0


def test_what_does_not_fit_is_refused_before_anything_starts(machine: Path) -> None:
    huge = llama(machine / "judge-70b", 70.6, BIG)
    judge = served(machine)
    judge["server"]["checkpoint"] = huge
    path = suite(machine, judge, {"devices": "0"})
    done = runs.typed("run", path, "--quiet")
    assert done.code == 78
    assert f"judge small: {huge} does not fit GPU 0" in done.err
    assert "2 such GPUs over which it is spread" in done.err
    assert started(machine) == []
    planned = runs.typed("plan", path, "--format", "json")
    (lacking,) = json.loads(planned.out)["lacking"]
    assert lacking["what"] == "judge small"
    wide = suite(machine, judge, {})
    planned = runs.typed("plan", wide)
    assert "judge small: " in planned.out
    assert "goes on GPU 0,1 and 2,3: 65.8 GiB of weights" in " ".join(planned.out.split())


@pytest.mark.parametrize(
    ("gpus", "says"),
    [
        ({"devices": "0-4"}, "there is no GPU 4 here: 4 in all"),
        ({"place": "beside"}, "'in_turn', 'apart' or 'together'"),
        ({"memory": 3}, "no key called 'memory'; did you mean 'memory_gib'?"),
    ],
)
def test_cards_that_are_not_here(machine: Path, gpus: Mapping[str, Any], says: str) -> None:
    done = runs.typed("run", suite(machine, served(machine), gpus), "--quiet")
    assert done.code == 78
    assert says in done.err


def test_without_gpus_here_they_can_be_planned_for(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    done = runs.typed("run", suite(machine, served(machine), {}), "--quiet")
    assert done.code == 78
    assert "no GPU is known here (nvidia-smi lists none)" in done.err
    found = where(suite(machine, served(machine), {"devices": "0-7", "memory_gib": 80}))
    assert found["judge small"].gpus == "0;1;2;3;4;5;6;7"


def test_a_run_that_loads_nothing_needs_no_gpu(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one on a laptop that only looks, or takes in labels."""
    path = suite(machine, served(machine), {"devices": "0"})
    assert runs.typed("run", path, "--quiet").code == 0
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    done = runs.typed("run", path, "--quiet")
    assert done.code == 0, done.err
    done = runs.typed("run", path, "--quiet", "--again", "small")
    assert (done.code, "no GPU is known here" in done.err) == (78, True)


# Together, apart, in turn -------------------------------------------------------------------------


def where(path: Path) -> dict[str, Placement]:
    return {at.tenant.name: at for at in place(resolve(load_suite(path))).values()}


def checkpoint(folder: Path, name: str, **more: Any) -> dict[str, Any]:
    own = {"pretrained": str(folder / name), "max_model_len": 8192, **more}
    return {"name": name, "lm_eval": {"model": "vllm", "model_args": own}}


def two_and_a_judge(machine: Path, gpus: Mapping[str, Any], **judge: Any) -> Path:
    llama(machine / "big", 70.6, BIG)
    llama(machine / "small", 8.0)
    models = [checkpoint(machine, "big"), checkpoint(machine, "small")]
    return suite(machine, served(machine) | judge, gpus, models=models)


def test_one_after_the_other_each_has_all_cards(machine: Path) -> None:
    found = where(two_and_a_judge(machine, {}))
    assert {name: at.gpus for name, at in found.items()} == {
        "judge small": "0;1;2;3",
        "model big": "0,1;2,3",
        "model small": "0;1;2;3",
    }
    work = resolve(load_suite(machine / "suite.yaml"))
    at = placed(work)
    big = next(c for c in at.candidates if c.name == "big")
    assert big.local is not None
    assert big.local.gpus == "0,1;2,3"
    assert big.local.model_args["tensor_parallel_size"] == 2
    assert [c.key for c in at.candidates] == [c.key for c in work.candidates]
    assert [a.key for a in at.assignments] == [a.key for a in work.assignments]


def test_apart_a_judge_has_cards_of_its_own(machine: Path) -> None:
    found = where(two_and_a_judge(machine, {"place": "apart"}))
    assert found["judge small"].gpus == "3"
    assert found["model big"].gpus == "0,1"
    assert found["model small"].gpus == "0;1;2"


def test_together_what_a_judge_takes_is_not_free_for_a_model(machine: Path) -> None:
    found = where(two_and_a_judge(machine, {"place": "together"}))
    assert found["model big"].gpus == "0,1,2,3", "two cards less a judge do not hold it"
    shares = [at.told["gpu_memory_utilization"] for at in found.values()]
    judge, big, small = shares
    assert judge + max(big, small) <= 0.901
    assert min(shares) > 0.2


@pytest.mark.parametrize("place", ["in_turn", "together"])
def test_a_share_that_the_suite_says_goes_before_a_tenth_that_stays_free(
    machine: Path, place: str
) -> None:
    judge = served(machine, args={"gpu_memory_utilization": 0.5})
    models = [checkpoint(machine, "wide", gpu_memory_utilization=0.97, max_model_len=512)]
    llama(machine / "wide", 39.5)  # 73.6 GiB: nine tenths of a card are 72
    if place == "together":
        models[0]["lm_eval"]["model_args"] |= {"gpu_memory_utilization": 0.47}
    path = suite(machine, judge, {"place": place}, models=models)
    found = where(path)
    assert found["model wide"].gpus == ("0;1;2;3" if place == "in_turn" else "0,1,2,3")
    at = placed(resolve(load_suite(path)))
    (config,) = {id(a.config): a.config for a in at.assignments if a.config}.values()
    assert config.server is not None
    assert config.server.args["gpu_memory_utilization"] == 0.5
    judge = served(machine, args={"gpu_memory_utilization": 0.1})
    done = runs.typed("run", suite(machine, judge, {"devices": "0"}), "--quiet")
    assert (done.code, "(8 GiB free of each)" in done.err) == (78, True)
    judge = served(machine, args={"gpu_memory_utilization": 90})
    done = runs.typed("run", suite(machine, judge, {}), "--quiet")
    assert "gpu_memory_utilization is a share of a GPU, as 0.9, not 90" in done.err


def test_a_server_at_a_port_that_is_said_is_there_once(machine: Path) -> None:
    llama(machine / "judge-8b")
    command = ["vllm", "serve", str(machine / "judge-8b"), "-tp", "2", "--port", "8123"]
    judge = {"base_url": "http://127.0.0.1:8123/v1", "server": {"command": command}}
    assert where(suite(machine, judge, {}))["judge small"].gpus == "0,1"
    judge["server"] = {"command": command, "gpus": "0,1;2,3"}
    done = runs.typed("run", suite(machine, judge, {}), "--quiet")
    assert (done.code, "several servers (gpus) need a port each" in done.err) == (78, True)


def test_cards_that_a_judge_names_are_its_own(machine: Path) -> None:
    judge = served(machine, gpus="0;2")
    found = where(suite(machine, judge, {"place": "apart"}))
    assert found["judge small"].gpus == "0;2"


# What an engine is told ---------------------------------------------------------------------------


def test_a_judge_that_keeps_prefixes_is_another_judge(machine: Path) -> None:
    path = suite(machine, served(machine) | {"prefix_cache": True}, {"devices": "0"})
    assert runs.typed("run", path, "--quiet").code == 0
    assert " --enable-prefix-caching" in started(machine)[0]
    keeps = resolve(load_suite(path))
    plain = resolve(load_suite(suite(machine, served(machine), {"devices": "0"})))
    with open_store(runs.store_url(machine), read_only=True) as store:
        judged = {judge.key for judge in store.judges()}
    ours = {a.key for a in keeps.assignments}
    assert ours <= judged
    assert len(ours - {a.key for a in plain.assignments}) == 1
    config = next(a.config for a in keeps.assignments if a.config is not None)
    identity = identity_of(config)
    assert identity is not None
    assert identity.startswith("sha256:")
    assert identity.endswith("+prefix_cache")


@pytest.mark.parametrize(
    ("judge", "says"),
    [
        ({"provider": "openai", "prefix_cache": True}, "prefix_cache is for a judge on your own"),
        ({"server": {"engine": "vllm"}}, "'engine' and 'checkpoint' go together"),
        ({"server": {"engine": "vlm", "checkpoint": "m"}}, "'vllm' or 'sglang'"),
        (
            {"server": {"command": [], "checkpoint": "m"}},
            "a server has a 'command', or an 'engine'",
        ),
    ],
)
def test_judges_that_cannot_be(machine: Path, judge: Mapping[str, Any], says: str) -> None:
    done = runs.typed("run", suite(machine, judge, {}), "--quiet")
    assert done.code == 78
    assert says in done.err


def test_a_server_loads_while_models_answer_and_serves_the_judge_then(machine: Path) -> None:
    path = suite(machine, served(machine), {"place": "apart", "devices": "2"})
    work = placed(resolve(load_suite(path)))
    with open_store(runs.store_url(machine)) as store:
        pool = ProviderPool(work.suite, store)
        pool.start_servers(work.assignments)
        runs.eventually(lambda: started(machine))
        told = {"store": store, "pool": pool, "progress": NoProgress()}
        done = evaluate(work, **told)
        assert done.judged > 0
        assert len(started(machine)) == 1, "the one that was there already"
        pool.start_servers(work.assignments)
        runs.eventually(servers)  # it is started by a thread
        pool.end_servers()
        assert servers() == [], "nobody asked, and yet it is gone"


def servers() -> list[psutil.Process]:
    """Those of this process that it supervises."""
    each = psutil.Process().children()
    return [one for one in each if "judgebench.workers.supervise" in one.cmdline()]


def test_prompts_that_begin_alike_are_asked_one_after_the_other(tmp_path: Path) -> None:
    judge = {"kind": "reference", "max_connections": 1}
    asked: dict[bool, list[str]] = {}
    for keeps in (False, True):
        with Loopback(lambda ask: Reaction(text="correct")) as server:
            path = runs.suite(tmp_path, server.url, judge=judge | {"prefix_cache": keeps})
            assert runs.typed("run", path, "--quiet").code == 0
            asked[keeps] = [ask.text for ask in server.asks]
            assert {ask.body.get("cache_prompt") for ask in server.asks} == {keeps or None}
    assert sorted(asked[False]) == sorted(asked[True]), "another judge, who is asked the same"
    assert asked[True] == sorted(asked[True]) != asked[False]
