"""Presets: what they change for models here and behind an API, and that a suite wins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench.benchmarks.description import (
    Description,
    OverApi,
    Preset,
    PresetConfig,
    PromptTokens,
)
from judgebench.benchmarks.folder import load_benchmark
from judgebench.cli.main import run
from judgebench.config import load_suite
from judgebench.errors import ConfigError
from judgebench.execution.resolve import resolve
from judgebench.records import ModelSpec
from tests.table import over_rows

MINIS = (
    "mixeval_mini",
    "alignbench_mini",
    "honestybench_mini",
    "alpaca_eval_mini",
    "trivia_judging_mini",
)
LLAMA = {
    "bos_token_id": 128000,
    "do_sample": True,
    "eos_token_id": [128001, 128009],
    "max_length": 4096,
    "temperature": 0.6,
    "top_p": 0.9,
}


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def checkpoint(folder: Path, generation_config: Mapping[str, Any] | None = None) -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    if generation_config is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation_config))
    return folder


def spec(
    tmp_path: Path,
    benchmark: str,
    preset: str = "upstream",
    *,
    options: Mapping[str, Any] | None = None,
    lm_eval: Mapping[str, Any] | None = None,
    api: Mapping[str, Any] | None = None,
) -> ModelSpec:
    """The only model of a suite, as a run would know it."""
    model: dict[str, Any]
    if api is not None:
        model = {"api": {"provider": "scripted", "model": "m", **api}}
    else:
        folder = tmp_path / "checkpoint"
        if not folder.exists():
            checkpoint(folder, LLAMA)
        model = {"lm_eval": {"model_args": {"pretrained": str(folder)}, **(lm_eval or {})}}
    asked = {"preset": preset, **(options or {})}
    judge = {"name": "j", "provider": "scripted", "model": "judge"}
    suite = {
        "name": "presets",
        "models": [{"name": "m", **model}],
        "judges": [judge],
        "benchmarks": [{"name": benchmark, "judges": ["j"], "limit": 2, "options": asked}],
    }
    path = tmp_path / "suite.yaml"
    path.write_text(yaml.safe_dump(suite, allow_unicode=True))
    work = resolve(load_suite(path))
    return work.candidates[0].spec


@pytest.mark.parametrize("name", MINIS)
def test_a_preset_is_another_model_and_clean_is_the_default(name: str, tmp_path: Path) -> None:
    clean, upstream = spec(tmp_path, name, "clean"), spec(tmp_path, name)
    assert clean != upstream
    assert clean.weights == upstream.weights
    assert load_benchmark(name).options == load_benchmark(name, options={"preset": "clean"}).options
    assert load_benchmark(name, options={"preset": "upstream"}).options["preset"] == "upstream"


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no preset of mixeval_mini called 'upstraem'; did you m"):
        load_benchmark("mixeval_mini", options={"preset": "upstraem"})


@over_rows(
    ("asking", "said"),
    [
        ({"presets": {"clean": {}}}, "what stands outside of presets"),
        ({"presets": {"upstream": {"prompt": "chta"}}}, "did you mean 'chat'"),
        ({"presets": {"upstream": {"stops": []}}}, "Extra inputs are not permitted"),
        ({"presets": {"upstream": {"tokens": {"special_tokens": "twice"}}}}, "'once' or 'always'"),
    ],
)
def test_a_preset_that_cannot_be(asking: dict[str, Any], said: str) -> None:
    usual = {"prompts": {"chat": {"task": "t"}}, "prompt": "chat", "num_fewshot": 0}
    about = {"name": "b", "title": "B", "licence": "CC0", "judging": {"kind": "reference"}}
    versions = {"default_version": "1", "versions": {"1": {"source": {"kind": "folder"}}}}
    asked = {"asking": {**usual, "truncate": "none", **asking}}
    with pytest.raises(ValueError, match=said):
        Description.model_validate({**about, **versions, **asked})


# what upstream does, by benchmark ----------------------------------------------------------------


def test_mixeval_leaves_sampling_to_the_model_and_says_its_values(tmp_path: Path) -> None:
    found = spec(tmp_path, "mixeval_mini")
    assert found.decoding == {
        "do_sample": True,
        "temperature": 0.6,
        "top_p": 0.9,
        "top_k": 50,  # that of transformers: the file has none
        "max_gen_toks": 512,
        "seed": 1234,
    }
    assert found.prompting["tokens"] == {
        "special_tokens": "always",
        "max_length": 12000,
        "truncation_side": "right",
    }
    base = spec(tmp_path, "mixeval_mini", "upstream_base")
    assert (base.prompting["apply_chat_template"], base.decoding["max_gen_toks"]) == (False, 399)


def test_mixeval_over_an_api_sends_a_length_and_no_temperature(tmp_path: Path) -> None:
    assert spec(tmp_path, "mixeval_mini", api={}).decoding == {"max_tokens": 1536}
    clean = spec(tmp_path, "mixeval_mini", "clean", api={})
    assert clean.decoding == {"temperature": 0, "max_tokens": 128}


def test_alignbench_follows_the_category_and_sends_no_limit(tmp_path: Path) -> None:
    here, api = spec(tmp_path, "alignbench_mini"), spec(tmp_path, "alignbench_mini", api={})
    assert here.decoding["max_gen_toks"] == 2048
    assert here.decoding["temperature"] == api.decoding["temperature"]
    assert here.decoding["temperature"]["文本写作"] == 0.7
    assert api.decoding.keys() == {"temperature", "seed"}


def test_honestybench_penalises_repeating_in_greedy_answers_too(tmp_path: Path) -> None:
    common = {"top_p": 0.95, "top_k": 50, "repetition_penalty": 1.05}
    assert spec(tmp_path, "honestybench_mini").decoding == {
        **common,
        "do_sample": False,
        "temperature": 0,
        "further": {**common, "do_sample": True, "temperature": 1},
        "max_gen_toks": 256,
        "seed": 1234,
    }
    clean = spec(tmp_path, "honestybench_mini", "clean").decoding
    assert "repetition_penalty" not in {**clean, **clean["further"]}


def test_a_preset_goes_over_what_further_samples_are_drawn_with(tmp_path: Path) -> None:
    said = {"preset": "upstream", "further": {"temperature": 0.5}}
    task = load_benchmark("honestybench_mini", options=said).lm_eval_task
    assert task.further == {"do_sample": True, "temperature": 0.5, "top_p": 0.95, "top_k": 50}
    found = spec(tmp_path, "honestybench_mini", options={"further": {"temperature": 0.5}})
    assert found.decoding["further"]["temperature"] == 0.5


def test_trivia_answers_run_on_to_their_limit(tmp_path: Path) -> None:
    found = spec(tmp_path, "trivia_judging_mini")
    assert (found.prompting["until"], found.decoding["max_gen_toks"]) == ([], 64)
    assert spec(tmp_path, "trivia_judging_mini", "clean").prompting["until"] != []


# the suite's word is last ------------------------------------------------------------------------


def test_a_suite_says_how_a_local_model_samples(tmp_path: Path) -> None:
    said = {"gen_kwargs": {"temperature": 0.2, "max_gen_toks": 9}}
    found = spec(tmp_path, "mixeval_mini", lm_eval=said).decoding
    assert (found["temperature"], found["top_p"], found["max_gen_toks"]) == (0.2, 0.9, 9)
    greedy = spec(tmp_path, "mixeval_mini", lm_eval={"gen_kwargs": {"do_sample": False}}).decoding
    assert greedy == {"do_sample": False, "temperature": 0, "max_gen_toks": 512}


def test_a_suite_says_how_a_local_model_is_prompted(tmp_path: Path) -> None:
    said = {"apply_chat_template": True, "system_instruction": "Be short."}
    found = spec(tmp_path, "mixeval_mini", "upstream_base", lm_eval=said).prompting
    assert found["apply_chat_template"] is True
    assert found["system_instruction"] == "Be short."
    asked = load_benchmark("mixeval_mini", options={"preset": "upstream", "prompt": "base"})
    assert asked.prompt == "base"
    shots = {"preset": "upstream", "num_fewshot": 1}
    assert load_benchmark("trivia_judging_mini", options=shots).num_fewshot == 1


def test_the_option_for_the_temperature_wins_everywhere(tmp_path: Path) -> None:
    said = {"temperature": 0.3}
    here = spec(tmp_path, "mixeval_mini", options=said).decoding
    assert (here["do_sample"], here["temperature"]) == (True, 0.3)
    api = spec(tmp_path, "mixeval_mini", options=said, api={}).decoding
    assert (api["temperature"], api["max_tokens"]) == (0.3, 1536)


def test_a_suite_says_what_an_api_is_sent(tmp_path: Path) -> None:
    said = {"sampling": {"temperature": 0.5, "max_completion_tokens": 7}}
    found = spec(tmp_path, "mixeval_mini", api=said).decoding
    assert found == {"temperature": 0.5, "max_completion_tokens": 7, "seed": 1234}


# what an API can be told -------------------------------------------------------------------------


def test_what_an_api_cannot_be_told_is_refused_and_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"top_k: 50, repetition_penalty: 1.05, which is no part"):
        spec(tmp_path, "honestybench_mini", api={})
    extra = {"extra": {"top_k": 50, "repetition_penalty": 1.05}}
    found = spec(tmp_path, "honestybench_mini", api=extra)
    assert found.prompting["extra"] == extra["extra"]
    further = found.decoding["further"]
    assert found.decoding == {
        "temperature": 0,
        "top_p": 0.95,
        "max_tokens": 256,
        "further": further,
    }
    assert (further["temperature"], further["top_p"]) == (1, 0.95)


def test_a_system_text_goes_to_both_kinds_of_models() -> None:
    preset = PresetConfig(system="Be kind.", tokens=PromptTokens()).resolved("p")
    assert preset.local == {"system_instruction": "Be kind.", "prompt_tokens": {}}
    assert (preset.system, preset.untold) == ("Be kind.", {"tokens": {}})


def test_what_a_preset_says_of_apis_takes_the_place_of_the_rest() -> None:
    api = OverApi(sampling={"max_tokens": 3}, unsent=["temperature"])
    preset = PresetConfig(generation={"top_k": 5}, tokens=PromptTokens(), api=api).resolved("p")
    assert (preset.api, preset.untold) == ({"temperature": None, "max_tokens": 3}, {})
    assert PresetConfig().resolved("clean") == Preset()


# the model's own sampling ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "decoding"),
    [
        (None, {"do_sample": False, "temperature": 0}),
        ({"temperature": 0.6}, {"do_sample": False, "temperature": 0}),
        (
            {"repetition_penalty": 1.05, "num_beams": 1, "top_p": 0.8},
            {"do_sample": False, "temperature": 0, "repetition_penalty": 1.05},
        ),
        (
            {"do_sample": True, "top_k": 20, "repetition_penalty": 1.05},
            {
                "do_sample": True,
                "temperature": 1,
                "top_k": 20,
                "repetition_penalty": 1.05,
                "seed": 1234,
            },
        ),
    ],
)
def test_what_a_checkpoint_says_of_itself(
    own: dict[str, Any] | None, decoding: dict[str, Any], tmp_path: Path
) -> None:
    checkpoint(tmp_path / "checkpoint", own)
    found = spec(tmp_path, "mixeval_mini").decoding
    assert found == {**decoding, "max_gen_toks": 512}


def test_a_suite_may_ask_for_it_without_a_preset(tmp_path: Path) -> None:
    said = {"gen_kwargs": {"generation_config": "model"}}
    found = spec(tmp_path, "trivia_judging_mini", "clean", lm_eval=said).decoding
    assert (found["do_sample"], found["temperature"], found["top_p"]) == (True, 0.6, 0.9)
    by_category = spec(tmp_path, "alignbench_mini", "clean", lm_eval=said).decoding
    assert by_category["temperature"] == 0.6


def test_other_values_of_it_are_another_model(tmp_path: Path) -> None:
    before = spec(tmp_path, "mixeval_mini")
    (tmp_path / "checkpoint" / "generation_config.json").write_text(
        json.dumps({**LLAMA, "temperature": 0.7})
    )
    assert spec(tmp_path, "mixeval_mini").decoding != before.decoding


def test_a_model_of_the_hub_is_read_from_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "c" * 40
    repository = tmp_path / "hub" / "models--org--m"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    hub = {"model_args": {"pretrained": "org/m"}}
    with pytest.raises(ConfigError, match=r"generation_config.json of org/m is not in the local"):
        spec(tmp_path, "mixeval_mini", lm_eval=hub)
    (snapshot / "generation_config.json").write_text(json.dumps(LLAMA))
    found = spec(tmp_path, "mixeval_mini", lm_eval=hub)
    assert (found.weights, found.decoding["temperature"]) == (f"hub:org/m@{commit}", 0.6)


@pytest.mark.parametrize(
    ("lm_eval", "said"),
    [
        ({"model": "local-completions", "model_args": {"model": "m"}}, "needs a checkpoint"),
        ({"gen_kwargs": {"generation_config": "mine"}}, "'mine' is nothing"),
    ],
)
def test_sampling_that_nobody_states(lm_eval: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        spec(tmp_path, "mixeval_mini", lm_eval=lm_eval)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (checkpoint(tmp_path / "checkpoint") / "generation_config.json").write_text("[1]")
    with pytest.raises(Exception, match=r"generation_config.json: has to hold a JSON object"):
        spec(tmp_path, "mixeval_mini")


# what is shown -----------------------------------------------------------------------------------


def test_a_plan_says_how_a_preset_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec(tmp_path, "mixeval_mini")
    suite, store = str(tmp_path / "suite.yaml"), f"sqlite:///{tmp_path}/none.db"
    assert run(["plan", suite, "--store", store]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "mixeval_mini asks as its preset upstream says (m: do_sample True, temperature" in shown
    assert "Besides: models of upstream's registry" in shown
    assert run(["plan", suite, "--store", store, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row.get("preset") for row in rows] == ["upstream", None]
