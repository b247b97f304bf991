"""A model is what its files say: not its path, its name or the time they were written."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from judgebench.errors import ConfigError
from judgebench.responses.identity import file_sha, model_files, pinned, weights_identity

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "hashes.json"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "apo-1200"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights of step 1200")
    (folder / "config.json").write_text('{"layers": 2}')
    (folder / "tokenizer_config.json").write_text("{}")
    return folder


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hub cache, and no Hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def identity(cache: Path, **arguments: object) -> str:
    return weights_identity({k: str(v) for k, v in arguments.items()}, cache_file=cache)


def test_new_weights_of_equal_size_under_an_old_path(checkpoint: Path, cache: Path) -> None:
    before = identity(cache, pretrained=checkpoint)
    stat = (checkpoint / "model.safetensors").stat()
    (checkpoint / "model.safetensors").write_bytes(b"weights of step 1300")
    os.utime(checkpoint / "model.safetensors", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert identity(cache, pretrained=checkpoint) != before


def test_touching_and_moving_change_nothing(checkpoint: Path, cache: Path) -> None:
    before = identity(cache, pretrained=checkpoint)
    os.utime(checkpoint / "model.safetensors", ns=(1, 1))
    assert identity(cache, pretrained=checkpoint) == before
    moved = checkpoint.rename(checkpoint.with_name("renamed"))
    assert identity(cache, pretrained=moved) == before


@pytest.mark.parametrize(
    "name", ["config.json", "chat_template.jinja", "generation_config.json", "modeling_own.py"]
)
def test_other_files_that_decide_the_answer(checkpoint: Path, cache: Path, name: str) -> None:
    before = identity(cache, pretrained=checkpoint)
    (checkpoint / name).write_text('{"changed": true}')
    assert identity(cache, pretrained=checkpoint) != before


def test_the_state_of_training_is_not_the_model(checkpoint: Path, cache: Path) -> None:
    before = identity(cache, pretrained=checkpoint)
    for name in (
        *("optimizer.pt", "scheduler.pt", "rng_state_0.pth", "trainer_state.json", "README.md"),
        *("training_args.bin", "all_results.json", ".hidden.json", "checkpoint-600/config.json"),
    ):
        (checkpoint / name).parent.mkdir(exist_ok=True)
        (checkpoint / name).write_text("{}")
    assert identity(cache, pretrained=checkpoint) == before
    templates = checkpoint / "additional_chat_templates"
    templates.mkdir()
    (templates / "tools.jinja").write_text("{{ messages }}")
    assert templates / "tools.jinja" in model_files(checkpoint)


def test_adapter_tokenizer_and_quantisation_count(checkpoint: Path, cache: Path) -> None:
    adapter = checkpoint.with_name("adapter")
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"lora 1")
    found = {
        identity(cache, pretrained=checkpoint),
        identity(cache, pretrained=checkpoint, peft=adapter),
        identity(cache, pretrained=checkpoint, tokenizer=adapter),
        identity(cache, pretrained=checkpoint, load_in_4bit="true"),
    }
    (adapter / "adapter_model.safetensors").write_bytes(b"lora 2")
    found.add(identity(cache, pretrained=checkpoint, peft=adapter))
    assert len(found) == 5
    assert identity(cache, pretrained=checkpoint, dtype="bfloat16") in found


def test_a_file_is_read_once(
    checkpoint: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = identity(cache, pretrained=checkpoint)

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("read again")

    known = json.loads(cache.read_text())
    assert str(checkpoint / "model.safetensors") in known
    text = cache.read_text()
    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert identity(cache, pretrained=checkpoint) == before


def test_a_broken_cache_costs_time_only(checkpoint: Path, cache: Path) -> None:
    before = identity(cache, pretrained=checkpoint)
    cache.write_text('{"torn')
    assert identity(cache, pretrained=checkpoint) == before
    cache.write_text('["another", "shape"]')
    assert identity(cache, pretrained=checkpoint) == before


def test_file_sha(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
    assert file_sha(file, cache_file=cache) == expected
    assert file_sha(file, cache_file=cache) == expected


def test_a_hub_branch_is_its_commit_where_the_cache_knows_it(hub: Path, cache: Path) -> None:
    refs = hub / "models--org--model" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(COMMIT)
    assert identity(cache, pretrained="org/model") == f"hub:org/model@{COMMIT}"
    assert pinned({"pretrained": "org/model"})["revision"] == COMMIT
    assert "revision" not in pinned({"pretrained": "org/model", "peft": "org/lora"})
    shutil.rmtree(hub)
    assert identity(cache, pretrained="org/model", revision=COMMIT) == f"hub:org/model@{COMMIT}"


def test_a_hub_that_does_not_answer(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from huggingface_hub import HfApi

    def refused(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(HfApi, "model_info", refused)
    assert identity(cache, pretrained="org/model") == "hub:org/model@main"
    assert "will not be noticed" in caplog.text


@pytest.mark.parametrize(
    ("pretrained", "said"),
    [
        ("checkpoints/apo-1200", "no folder checkpoints/apo-1200"),
        ("apo-1200", "no folder apo-1200"),
        ("./apo-1200", "no folder ./apo-1200 here"),
        ("/models/apo-1200", "no folder /models/apo-1200 here"),
        ("org/model", "not in the local Hub cache"),
    ],
)
def test_a_checkpoint_that_is_not_there(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, pretrained: str, said: str
) -> None:
    (tmp_path / "checkpoints").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=said):
        identity(cache, pretrained=pretrained)


def test_a_folder_without_a_model(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no model"):
        identity(cache, pretrained=tmp_path / "empty")


def test_a_served_model_is_known_by_its_name(cache: Path) -> None:
    arguments = {"model": "llama", "base_url": "http://127.0.0.1:8000/v1/completions"}
    assert weights_identity(arguments, cache_file=cache) == "served:llama"
