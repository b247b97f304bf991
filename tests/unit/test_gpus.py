"""What models take of GPUs, counted from their files, and where a suite's section puts them."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from judgebench.config import GpuConfig
from judgebench.errors import ConfigError
from judgebench.execution.gpus import (
    GIB,
    Checkpoint,
    GpuWatch,
    Tenant,
    checkpoint,
    fit,
    parameters,
)
from tests.table import over_rows

LLAMA = {
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "vocab_size": 128256,
    "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 8192,
    "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip
"""Llama-3-8B: 8,030,261,248 numbers."""

MIXTRAL = LLAMA | {"vocab_size": 32000, "num_local_experts": 8, "sliding_window": None}
MIXTRAL["max_position_embeddings"] = 32768
"""Mixtral-8x7B: 46,702,792,704 numbers, of which 12.9 billion are at work for a token."""

QWEN3_MOE = {
    "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 48, "vocab_size": 151936,
    "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128, "num_experts": 128,
    "moe_intermediate_size": 768, "tie_word_embeddings": False, "mlp_only_layers": [],
}  # fmt: skip
"""Qwen3-30B-A3B: 30,532,122,624 numbers; its heads are wider than its state divided by them."""

DEEPSEEK = {
    "hidden_size": 7168, "intermediate_size": 18432, "num_hidden_layers": 61, "vocab_size": 129280,
    "num_attention_heads": 128, "num_key_value_heads": 128, "q_lora_rank": 1536,
    "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
    "n_routed_experts": 256, "n_shared_experts": 1, "moe_intermediate_size": 2048,
    "first_k_dense_replace": 3, "tie_word_embeddings": False,
}  # fmt: skip
"""DeepSeek-V3: 671,026,419,200 numbers without what predicts a second token."""

BIG = LLAMA | {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80}
BIG |= {"num_attention_heads": 64}
"""Llama-3-70B: 70,553,706,496 numbers."""


def model(
    folder: Path, config: Mapping[str, Any] | None, tensors: Mapping[str, tuple[str, list[int]]]
) -> str:
    """A checkpoint of which only the headers are written."""
    folder.mkdir()
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    each = {"F32": 4, "BF16": 2, "F16": 2, "I32": 4, "F8_E4M3": 1}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        size = each[dtype]
        for n in shape:
            size *= n
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    return str(folder)


def llama(folder: Path, billions: float = 8.0, config: Mapping[str, Any] = LLAMA) -> str:
    return model(folder, config, {"all": ("BF16", [int(billions * 1e9)])})


def tenant(place: str, **given: Any) -> Tenant:
    return Tenant("model m", place, {"engine": "vllm", **given}, None)


@over_rows(
    ("config", "known"),
    [
        (LLAMA, 8_030_261_248),
        (MIXTRAL, 46_702_792_704),
        (QWEN3_MOE, 30_532_122_624),
        (DEEPSEEK, 671_026_419_200),
        (BIG, 70_553_706_496),
    ],
)
def test_a_configuration_says_how_many_numbers_there_are(
    config: Mapping[str, Any], known: int
) -> None:
    assert parameters(config) == pytest.approx(known, rel=1e-4)


@over_rows(
    ("more", "tensor", "bytes_a_token"),
    [
        ({}, 1, 32 * 2 * 8 * 128 * 2),
        ({}, 4, 32 * 2 * 2 * 128 * 2),
        ({}, 16, 32 * 2 * 1 * 128 * 2),  # a head of keys is on two cards each
        ({"num_key_value_heads": None}, 1, 32 * 2 * 32 * 128 * 2),
        ({"head_dim": 256}, 1, 32 * 2 * 8 * 256 * 2),
        ({"num_key_value_heads": None, "num_kv_heads": 4}, 1, 32 * 2 * 4 * 128 * 2),
        ({"num_key_value_heads": None, "multi_query": True}, 1, 32 * 2 * 1 * 128 * 2),
        ({"kv_lora_rank": 512, "qk_rope_head_dim": 64}, 8, 32 * 576 * 2),
    ],
)
def test_the_cache_of_grouped_heads(
    more: Mapping[str, Any], tensor: int, bytes_a_token: int
) -> None:
    found = Checkpoint(name="m", weights=0, config={**LLAMA, **more})
    assert found.cache_gib(1000, tensor=tensor) * GIB == pytest.approx(1000 * bytes_a_token)


@over_rows(
    ("more", "full", "slides"),
    [
        ({"sliding_window": 100}, 0, 32),
        ({"sliding_window": 100, "use_sliding_window": False}, 32, 0),
        ({"sliding_window": 100, "use_sliding_window": True, "max_window_layers": 20}, 20, 12),
        ({"sliding_window": 100, "sliding_window_pattern": 6}, 5, 27),
        ({"sliding_window": 100, "model_type": "gemma2"}, 16, 16),
        ({"sliding_window": 100, "layer_types": ["full_attention", "sliding_attention"]}, 1, 1),
        ({"layer_types": ["full_attention", *["linear_attention"] * 3]}, 1, 0),
    ],
)
def test_the_cache_of_layers_that_slide(more: Mapping[str, Any], full: int, slides: int) -> None:
    found = Checkpoint(name="m", weights=0, config={**LLAMA, **more})
    kept = 1000 * full + 100 * slides
    assert found.cache_gib(1000) * GIB == pytest.approx(kept * 2 * 8 * 128 * 2)


def test_weights_are_counted_as_they_are_loaded(tmp_path: Path) -> None:
    place = model(tmp_path / "m", LLAMA, {"a": ("F32", [100, 10]), "b": ("BF16", [50])})

    def loaded(**given: Any) -> float:
        found = checkpoint(place, given)
        assert found is not None
        return found.weights

    assert loaded() == 1050 * 2
    assert loaded(dtype="float32") == 1050 * 4
    assert loaded(load_in_8bit=True) == 1050
    assert loaded(quantization="fp8") == 1050
    packed = model(tmp_path / "q", LLAMA, {"a": ("I32", [100]), "s": ("F16", [10])})
    found = checkpoint(packed, {"dtype": "float16"})
    assert found is not None
    assert found.weights == 420


def test_another_copy_of_the_weights_beside_them_is_not_counted(tmp_path: Path) -> None:
    place = Path(llama(tmp_path / "m", 1.0))
    place.joinpath("consolidated.safetensors").write_bytes(b"0" * 100)
    index = {"weight_map": {"all": "model.safetensors"}}
    place.joinpath("model.safetensors.index.json").write_text(json.dumps(index))
    found = checkpoint(str(place), {})
    assert found is not None
    assert found.weights == 2e9


def test_one_of_the_hub_is_found_in_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("HF_HOME", raising=False)
    cached = tmp_path / "models--acme--judge"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("a" * 40)
    (cached / "snapshots").mkdir()
    llama(cached / "snapshots" / ("a" * 40), 3.0)
    found = checkpoint("acme/judge", {})
    assert found is not None
    assert found.weights == 6e9
    index = {"weight_map": {"all": "model.safetensors", "more": "not-here-yet.safetensors"}}
    here = cached / "snapshots" / ("a" * 40)
    here.joinpath("model.safetensors.index.json").write_text(json.dumps(index))
    broken_off = checkpoint("acme/judge", {})
    assert broken_off is not None
    assert broken_off.weights == parameters(LLAMA) * 2
    assert checkpoint("acme/other", {}) is None
    guessed = checkpoint("acme/other-8x7B", {})
    assert guessed is not None
    assert guessed.weights == 56e9 * 2


def test_a_name_says_eight_bits_also_where_it_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", "/nowhere")
    for name, size in {"GPTQ-Int8": 1.0, "Int8-GPTQ": 1.0, "GPTQ-Int4": 0.5, "AWQ": 0.5}.items():
        found = checkpoint(f"acme/judge-72B-{name}", {})
        assert found is not None
        assert found.weights == 72e9 * size


def test_lengths_as_vllm_takes_them(tmp_path: Path) -> None:
    place = llama(tmp_path / "8b")
    for said, tokens in {"2k": 2000, "2K": 2048, 8192: 8192, "auto": 1, -1: 1}.items():
        takes = fit(tenant(place, max_model_len=said), {0: 72.0}).footprint
        assert takes is not None
        assert takes.tokens == tokens


def test_of_a_reward_model_no_cache_is_counted(tmp_path: Path) -> None:
    """Nor what its configuration would have to say for that: it is no decoder, maybe."""
    place = llama(tmp_path / "rm", 0.4, {"dim": 768, "n_heads": 12, "n_layers": 6})
    reward = Tenant("judge r", place, {}, None, sequences=0)
    takes = fit(reward, {0: 72.0}).footprint
    assert takes is not None
    assert takes.gib == pytest.approx(0.8e9 / GIB)


# Where it goes ------------------------------------------------------------------------------------


def test_a_small_model_is_on_every_card_and_a_large_one_on_as_few_as_hold_it(
    tmp_path: Path,
) -> None:
    cards = dict.fromkeys(range(4), 72.0)
    small = fit(tenant(llama(tmp_path / "8b")), cards)
    assert (small.gpus, small.told) == ("0;1;2;3", {})
    large = fit(tenant(llama(tmp_path / "70b", 70.6, BIG), max_model_len=8192), cards)
    assert (large.gpus, large.told) == ("0,1;2,3", {"tensor_parallel_size": 2})
    assert "65.8 GiB of weights and 1.2 GiB of KV cache for 1 x 8,192 tokens" in str(large)
    assert fit(tenant(str(tmp_path / "8b")), cards, copies=1).gpus == "0"
    hf = Tenant("model m", str(tmp_path / "70b"), {"engine": "hf"}, None, 16)
    assert fit(hf, cards).told == {"parallelize": True}
    assert len(fit(hf, cards).groups[0]) == 3, "no heads are shared, and sixteen at a time"


def test_what_fits_nowhere_is_refused_with_what_would_do(tmp_path: Path) -> None:
    large = tenant(llama(tmp_path / "70b", 70.6, BIG))
    with pytest.raises(ConfigError) as caught:
        fit(large, {0: 72.0})
    assert str(caught.value).startswith(f"model m: {tmp_path / '70b'} does not fit GPU 0 (72 GiB")
    assert "131.5 GiB of weights and 2.5 GiB of KV cache for 1 x 8,192 tokens" in str(caught.value)
    assert "2 such GPUs" in str(caught.value)
    long = LLAMA | {"max_position_embeddings": 1_000_000}
    with pytest.raises(ConfigError, match=r"at most 4\d\d,\d{3} tokens \(max_model_len\)"):
        fit(tenant(llama(tmp_path / "8b", config=long)), {0: 72.0})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"dtype": "bfloat61"}, "no dtype called 'bfloat61'; did you mean 'bfloat16'"),
        ({"tensor_parallel_size": "auto"}, "tensor_parallel_size is a number of GPUs, not 'auto'"),
        ({"max_model_len": "long"}, "max_model_len is a number of tokens, such as 8192, not 'long"),
        ({"tensor_parallel_size": 3}, "3 does not divide the 32 and 8 heads of .*: 1, 2, 4, 8, 16"),
        ({"tensor_parallel_size": 4}, "is spread over 4 GPUs, and here it has 2 GPUs"),
    ],
)
def test_arguments_that_cannot_be(tmp_path: Path, given: Mapping[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=f"^model m: .*{says}"):
        fit(tenant(llama(tmp_path / "8b"), **given), {0: 72.0, 1: 72.0})


def test_checkpoints_that_cannot_be_counted(tmp_path: Path) -> None:
    nameless = model(tmp_path / "a", None, {"all": ("BF16", [10])})
    with pytest.raises(ConfigError, match=r"a has no config.json"):
        fit(tenant(nameless), {0: 72.0})
    with pytest.raises(ConfigError, match="JSON object that describes the model"):
        fit(tenant(llama(tmp_path / "e", config={})), {0: 72.0})
    with pytest.raises(ConfigError, match="no dtype called 'int3'"):
        fit(tenant(llama(tmp_path / "d", config=LLAMA | {"torch_dtype": "int3"})), {0: 72.0})
    partial = llama(tmp_path / "b", config={"torch_dtype": "bfloat16", "hidden_size": 8})
    with pytest.raises(ConfigError, match=r"config.json does not say num_attention_heads"):
        fit(tenant(partial), {0: 72.0})
    stands = fit(tenant(partial), {0: 72.0}, spread=False).footprint
    assert stands is not None
    assert (stands.cache_gib, stands.weights_gib) == (0.0, pytest.approx(16e9 / GIB))
    broken = Path(llama(tmp_path / "c"))
    (broken / "model.safetensors").write_bytes(b"0" * 100)
    with pytest.raises(ConfigError, match="safetensors files cannot be read"):
        fit(tenant(str(broken)), {0: 72.0})
    assert fit(tenant(str(broken)), {0: 72.0}, spread=False).footprint is not None


@over_rows("devices", ["0-", "a", "1,1", [], [-1]])
def test_cards_that_are_none(devices: Any) -> None:
    with pytest.raises(ValueError, match=r"GPUs are numbers|cards are named once"):
        GpuConfig.model_validate({"devices": devices})


def test_cards_by_their_numbers() -> None:
    assert GpuConfig.model_validate({"devices": "0-2, 5"}).devices == [0, 1, 2, 5]
    assert GpuConfig.model_validate({"devices": 3}).devices == [3]


def test_what_the_gpus_do_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    says = "0, 90, 40960\\n1, [N/A], [N/A]\\n0, 100, 61440\\n"
    tool.write_text(f"#!/bin/sh\necho \"$@\" >{tmp_path}/asked\nprintf '{says}'\nexec sleep 60\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with GpuWatch() as watch:
        for _ in range(200):
            if watch.figures() and watch.figures()[0]["use"] == 1.0:
                break
            watch._reader.join(0.05)
    (only,) = watch.figures()
    assert only == {"gpu": 0, "use": 1.0, "mean_use": 0.95, "peak_gib": 60.0}
    assert "index,utilization.gpu,memory.used" in (tmp_path / "asked").read_text()
    with GpuWatch(watches=False) as nothing:
        assert nothing.figures() == []


def test_a_watch_that_hangs_keeps_no_run_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\ntrap '' TERM\necho '0, 1, 1'\nsleep 20 <&- >&- 2>&-\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("judgebench.execution.gpus.STOP_S", 0.2)
    began = time.monotonic()
    with GpuWatch() as watch:
        while not watch.figures():
            watch._reader.join(0.05)
    assert time.monotonic() - began < 15
    watch._process.kill()
    watch._process.wait()
    watch._reader.join(5)
