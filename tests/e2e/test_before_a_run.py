"""What `doctor SUITE` and `plan` know before a run: keys, packages, GPUs, and who answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.loopback import Ask, Loopback, Reaction

BIG = "meta-llama/Meta-Llama-3-70B-Instruct"


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two GPUs of 80 GiB, as nvidia-smi would list them."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nprintf 'NVIDIA H100, 81920\\nNVIDIA H100, 81920\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tool


def suite(folder: Path, judge: Mapping[str, Any], url: str = "http://127.0.0.1:9/v1") -> Path:
    return runs.suite(folder, url, limit=2, judge=judge)


def served(command: str, gpus: str | None = None) -> dict[str, Any]:
    own = {"command": command.split(), **({} if gpus is None else {"gpus": gpus})}
    return {"base_url": "http://127.0.0.1:{port}/v1", "server": own}


def test_what_several_lack_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    keyless = {"provider": "openai", "model": "gpt-5-mini", "base_url": None}
    more = [{"name": "other", **keyless, "options": {"format": "json"}}]
    path = runs.suite(tmp_path, "http://h/v1", limit=2, judge=keyless, more_judges=more)
    said = runs.typed("plan", path).err
    assert said.count("OPENAI_API_KEY is not set") == 1
    assert "warning: judge small, judge other: the environment variable" in said


def lacking(path: Path) -> list[str]:
    done = runs.typed("plan", path, "--format", "json")
    assert done.code == 0, done.err
    found = [f"{one['what']}: {one['found']}" for one in json.loads(done.out)["lacking"]]
    assert all(f"warning: {one}" in done.err for one in found)
    return found


def checks(done: runs.Done) -> dict[str, tuple[str, str]]:
    return {c["what"]: (c["state"], c["found"]) for c in json.loads(done.out)["checks"]}


@pytest.mark.parametrize(
    ("command", "named", "fits"),
    [
        (f"python serve.py --model {BIG}", "0", False),
        (f"python serve.py --model {BIG}", None, False),
        (f"python serve.py --model {BIG} --tensor-parallel-size 2", None, True),
        (f"python serve.py --model {BIG} --tensor-parallel-size=2", "0", False),
        (f"python serve.py --model {BIG}-AWQ", "0", True),
        (f"python serve.py --model {BIG} --quantization fp8", "1", True),
        ("python serve.py --model mistralai/Mixtral-8x7B-v0.1", "0", False),
        ("python serve.py --model Qwen/Qwen2.5-7B-Instruct", "0", True),
        ("python serve.py --model small-judge", "0", True),
        ("python serve.py --model acme/seq4-70B", "0", False),
        ("python serve.py --model acme/llama-70B-w4a16", "0", True),
    ],
)
def test_a_judge_that_does_not_fit_the_gpus_named(
    tmp_path: Path, gpus: Path, command: str, named: str | None, fits: bool
) -> None:
    found = lacking(suite(tmp_path, served(command, named)))
    assert [("does not fit" in one) for one in found] == ([] if fits else [True])
    if not fits:
        assert found[0].startswith("judge small: ")


def test_a_gpu_that_is_not_there(tmp_path: Path, gpus: Path) -> None:
    (found,) = lacking(suite(tmp_path, served("python serve.py --model q-7B", "1,2")))
    assert "there is no GPU 2 here: 2 in all" in found


def test_what_the_files_of_a_checkpoint_take_goes_before_its_name(
    tmp_path: Path, gpus: Path
) -> None:
    checkpoint = tmp_path / "huge-700B"
    checkpoint.mkdir()
    (checkpoint / "model.safetensors").write_bytes(b"0" * 100)
    assert lacking(suite(tmp_path, served(f"python serve.py --model {checkpoint}", "0"))) == []


def test_without_gpus_nothing_is_said_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert lacking(suite(tmp_path, served(f"python serve.py --model {BIG}", "0"))) == []


def test_a_server_whose_program_is_missing_and_a_key_that_is_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = lacking(suite(tmp_path, served("vllm-of-nobody serve q-7B")))
    assert "vllm-of-nobody of its server's command is not installed" in found
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    keyless = {"provider": "openai", "model": "gpt-5-mini", "base_url": None}
    (found,) = lacking(suite(tmp_path, keyless))
    assert found.startswith("judge small: the environment variable OPENAI_API_KEY is not set")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody-0123456789")
    assert lacking(suite(tmp_path, keyless)) == []
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert lacking(suite(tmp_path, keyless)) == [], "somebody else's address needs no key of theirs"
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    (found,) = lacking(suite(tmp_path, {**keyless, "provider": "gemini", "model": "gemini-pro"}))
    assert "GEMINI_API_KEY is not set" in found


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vllm is installed here")
def test_vllm_is_missing(tmp_path: Path) -> None:
    local = {"model": "vllm", "model_args": {"pretrained": str(tmp_path)}}
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"0" * 100)
    path = runs.suite(tmp_path, limit=2, models=[{"name": "m", "lm_eval": local}])
    assert lacking(path) == ["model m: vllm is not installed: pip install 'lm-eval[vllm]'"]
    done = runs.typed("doctor", path, "--no-calls")
    assert done.code == 78
    assert "vllm is not installed" in done.err


# Who answers ------------------------------------------------------------------------------------


def test_each_endpoint_is_asked_for_one_token_and_nothing_is_stored(tmp_path: Path) -> None:
    price = {"input": 1000, "output": 1000}
    with Loopback(lambda ask: Reaction(text="Hello")) as server:
        path = suite(tmp_path, {"price": price}, server.url)
        done = runs.typed("doctor", path, "--format", "json")
        assert done.code == 0, done.err
        (ask,) = server.asks
        assert ask.body["max_tokens"] == 1
        assert ask.body["model"] == "loopback"
        assert "asking cost 0.0" in done.err
        assert checks(done)["judge small when asked"] == ("ok", "answers")
        assert runs.typed("doctor", path, "--no-calls").code == 0
        assert len(server.asks) == 1
    assert not (tmp_path / "store.db").exists()


def test_what_a_price_is_not_known_for_is_said(tmp_path: Path) -> None:
    with Loopback(lambda ask: Reaction(text="Hello")) as server:
        elsewhere = server.url.replace("127.0.0.1", "localhost")
        done = runs.typed("doctor", suite(tmp_path, {}, elsewhere))
    assert done.code == 0, done.err
    assert "asking cost" in done.err


def test_who_does_not_answer_ends_it_with_69(tmp_path: Path) -> None:
    def refuse(ask: Ask) -> Reaction:
        return Reaction(status=500 if ask.body["model"] == "broken" else 200)

    with Loopback(refuse) as server:
        path = runs.suite(
            tmp_path, server.url, limit=2, more_judges=[{"name": "ill", "model": "broken"}]
        )
        done = runs.typed("doctor", path, "--format", "json")
        asked = [ask.body["model"] for ask in server.asks]
    assert done.code == 69
    assert sorted(asked) == ["broken", "loopback"], "once each, without further attempts"
    found = checks(done)
    assert found["judge small when asked"] == ("ok", "answers")
    assert found["judge ill when asked"][0] == "fault"
    assert "judge ill when asked" in done.err


@pytest.mark.parametrize(
    ("parts", "code", "says"),
    [
        ({"benchmarks": [{"name": "trivia_judging_mimi"}]}, 78, "trivia_judging_mini"),
        ({"models": [{"name": "m", "responses": "nothing.jsonl"}]}, 65, "no such file"),
        ({"jugdes": []}, 78, "did you mean 'judges'?"),
    ],
)
def test_a_suite_that_is_wrong_is_a_finding_among_others(
    tmp_path: Path, parts: dict[str, Any], code: int, says: str
) -> None:
    done = runs.typed("doctor", runs.suite(tmp_path, **parts), "--format", "json")
    assert done.code == code
    state, found = checks(done)["suite"]
    assert state == "fault"
    assert says in found
    assert checks(done)["python"][0] == "ok"


def test_where_results_would_go(tmp_path: Path) -> None:
    path = runs.suite(tmp_path, limit=2)
    assert runs.typed("run", path, "--quiet").code == 0
    done = runs.typed("doctor", path, "--no-calls", "--format", "json")
    assert checks(done)["store"] == (
        "ok",
        f"{runs.store_url(tmp_path)}: 1 runs; trivia_judging_mini@1",
    )
    with open_store(runs.store_url(tmp_path), read_only=True) as store:
        assert len(store.runs()) == 1
