"""Without any extra: which one a suite needs is said, with how to install it, before any work."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from judgebench import extras
from judgebench.config import load_suite
from judgebench.errors import ConfigError
from judgebench.execution.pool import check_extras, extras_of
from judgebench.execution.resolve import resolve
from judgebench.extras import EXTRAS, absent, install_line, is_installed
from judgebench.records import Response, Runtime
from judgebench.store.opening import open_store
from tests.e2e.runs import ROOT, store_url, suite, typed
from tests.loopback import Loopback, Reaction

HF = "pip install 'judgebench-harness[hf]'"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No extra is installed here."""
    packages = {name for extra in EXTRAS.values() for name in extra.packages}
    known = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in packages else known(name))


def test_the_table_is_of_the_extras_that_the_package_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    of_project = project["optional-dependencies"]
    ours = {name: extra for name, extra in EXTRAS.items() if extra.source is None}
    assert set(of_project) - {"demo", "dev"} == set(ours)
    for name, extra in ours.items():
        required = " ".join(of_project[name]).replace("-", "_")
        for package in extra.packages:
            assert package.replace(".", "_") in required


def test_how_a_package_is_installed() -> None:
    assert install_line("torch") == install_line("transformers") == HF
    assert install_line("vllm") == "pip install 'lm-eval[vllm]'"
    assert install_line("of_nobody") == "pip install of_nobody"
    assert not is_installed("of_nobody.inside")
    assert absent("hf") in (None, "torch", "transformers")


def checkpoint(folder: Path) -> str:
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"0" * 100)
    return str(folder)


def by_model(backend: str) -> Callable[[Path, str], Path]:
    def written(folder: Path, url: str) -> Path:
        local = {"model": backend, "model_args": {"pretrained": checkpoint(folder)}}
        return suite(folder, url, limit=2, models=[{"name": "m", "lm_eval": local}])

    return written


def by_judge(**judge: Any) -> Callable[[Path, str], Path]:
    def written(folder: Path, url: str) -> Path:
        given = {k: {**v, "pretrained": checkpoint(folder)} if k == "reward_model" else v
                 for k, v in judge.items()}  # fmt: skip
        named = [{"name": "j", "base_url": None, "provider": None, "model": None, **given}]
        return suite(folder, url, limit=2, more_judges=named)

    return written


SUITES: dict[str, tuple[Callable[[Path, str], Path], str, str]] = {
    "hf": (by_model("hf"), "model m", HF),
    "vllm": (by_model("vllm"), "model m", "pip install 'lm-eval[vllm]'"),
    "reward": (by_judge(kind="reward", provider="reward_model", reward_model={}), "judge j", HF),
    "litellm": (
        by_judge(provider="litellm", model="bedrock/m"),
        "judge j",
        "pip install 'judgebench-harness[litellm]'",
    ),
}


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("written, who, line", SUITES.values(), ids=SUITES)
def test_plan_doctor_and_run_say_it_before_anybody_is_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: Callable[[Path, str], Path],
    who: str,
    line: str,
) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)
    with Loopback(lambda ask: Reaction(text="yes")) as server:
        path = written(tmp_path, server.url)
        for words in (["run"], ["doctor", "--no-calls"], ["plan"]):
            done = typed(*words, path)
            assert line in done.err + done.out
            assert who in done.err + done.out
            assert words == ["plan"] or done.code == 78
        assert not server.asks
    with open_store(store_url(tmp_path)) as store:
        assert store.runs() == []


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("engine", ["ray", "slurm"])
def test_an_executor_is_needed_whatever_is_left_to_do_and_its_nodes_load_the_models(
    tmp_path: Path, engine: str
) -> None:
    models = [{"name": "m", "lm_eval": {"model": "hf", "model_args": {"pretrained": "x/y"}}}]
    asked = load_suite(suite(tmp_path, models=models, executor={engine: {}}))
    assert list(extras_of(asked)) == [(f"executor {engine}", engine)]
    with pytest.raises(ConfigError) as error:
        check_extras(asked, list)
    assert f"pip install 'judgebench-harness[{engine}]'" in str(error.value)


@pytest.mark.usefixtures("bare")
def test_a_store_on_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "judgebench.store.postgres", None)
    done = typed("run", suite(tmp_path, limit=2), "--store", "postgresql://nobody@127.0.0.1/x")
    assert done.code == 78
    assert "pip install 'judgebench-harness[postgres]'" in done.err


@pytest.mark.usefixtures("bare")
def test_trackers_are_said_to_be_missing_first_and_the_run_goes_on(tmp_path: Path) -> None:
    done = typed("run", suite(tmp_path, limit=2, track=["wandb", "mlflow"]))
    said = done.err.splitlines()
    assert done.code == 0
    assert [line.startswith("warning: track ") for line in said[:2]] == [True, True]
    assert "pip install 'judgebench-harness[wandb]'" in said[0]
    assert "pip install 'judgebench-harness[mlflow]'" in said[1]


@pytest.mark.usefixtures("bare")
def test_who_has_nothing_left_to_do_needs_nothing(tmp_path: Path) -> None:
    path = by_model("hf")(tmp_path, "")
    runtime = Runtime(backend="hf")
    with open_store(store_url(tmp_path)) as store:
        for candidate in resolve(load_suite(path)).candidates:
            store.put_model(candidate.name, candidate.spec)
            for key, ((item, *_), sample) in candidate.wanted.items():
                answer = Response(
                    benchmark=item.benchmark, version=item.version, item_id=item.id,
                    model_key=candidate.key, sample=sample, text="x", raw="x", stack=runtime,
                )  # fmt: skip
                store.put_responses({key: answer})
    done = typed("run", path)
    assert done.code == 0, done.err
    assert json.loads(typed("plan", path, "--format", "json").out)["lacking"] != []
