"""Models asked with a temperature that depends on an item's category, behind an API or here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import ConfigError
from judgebench.keys import model_key
from judgebench.records import Item, Message, ModelSpec
from judgebench.responses.local import LocalModel, decoding_of, generation_of
from judgebench.responses.remote import Question, spec_of, temperature_of

RULE = {"default": 0.7, "数学计算": 0.1, "翻译": 0.0}


@dataclass(frozen=True)
class Task:
    name: str = "a_task"
    include_path: Path = Path("tasks/a_task")
    metadata: dict[str, Any] = field(default_factory=dict)
    until: tuple[str, ...] = ()
    max_gen_toks: int = 64
    generation: dict[str, Any] = field(default_factory=lambda: {"temperature": RULE, "top_p": 0.9})
    further: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Api:
    provider: str = "openai"
    model: str = "m"
    sampling: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    system: str | None = None
    reasoning: str | None = None


def item(category: str | None) -> Item:
    turns = (Message(role="user", content="一加一？"),)
    return Item(benchmark="b", version="1", id="0", turns=turns, category=category)


def local(**gen_kwargs: Any) -> LocalModel:
    return LocalModel(model_args={"pretrained": "org/model"}, gen_kwargs=gen_kwargs)


def remote(rule: Any = RULE, samples: int = 1, **sampling: Any) -> ModelSpec:
    return spec_of(
        Api(sampling=sampling),
        identity="openai",
        prompt_sha="x",
        max_tokens=64,
        until=(),
        seed=5,
        samples=samples,
        temperature=rule,
    )


def asked(spec: ModelSpec, category: str | None, sample: int = 0) -> dict[str, Any]:
    question = Question(
        key=b"k",
        places=(),
        items=(item(category),),
        spec=spec,
        identity="openai",
        model="m",
        sample=sample,
    )
    return dict(question.request().decoding)


def test_a_category_that_is_not_listed_has_the_default() -> None:
    found = [temperature_of(RULE, item(one)) for one in ("数学计算", "写作", None)]
    assert found == [0.1, 0.7, 0.7]


def test_a_model_behind_an_api_is_sent_the_items_temperature() -> None:
    spec = remote()
    assert spec.decoding == {"temperature": RULE, "max_tokens": 64, "seed": 5}
    assert asked(spec, "数学计算") == {"temperature": 0.1, "max_tokens": 64, "seed": 5}
    assert asked(spec, "写作", sample=2) == {"temperature": 0.7, "max_tokens": 64, "seed": 7}
    assert remote(samples=3).decoding == spec.decoding


def test_the_rule_is_part_of_the_models_key() -> None:
    specs = [remote(), remote({**RULE, "default": 0.8}), remote(0.7), remote(0)]
    assert len({model_key(spec) for spec in specs}) == 4


def test_what_is_said_of_the_model_goes_first() -> None:
    assert asked(remote(top_p=0.5), "翻译") == {
        "temperature": 0.0,
        "top_p": 0.5,
        "max_tokens": 64,
        "seed": 5,
    }
    assert asked(remote(temperature=0.2), "数学计算")["temperature"] == 0.2
    assert "temperature" not in asked(remote(temperature=None), "数学计算")
    greedy = decoding_of(local(do_sample=False), Task(), seed=5)
    assert greedy == {"do_sample": False, "temperature": 0.0, "top_p": 0.9, "max_gen_toks": 64}
    heated = generation_of(local(temperature=0.4), Task())
    assert (heated.temperatures, heated.sampling["temperature"]) == ({}, 0.4)


def test_a_local_model_samples_each_item_at_its_temperature() -> None:
    generation = generation_of(local(), Task())
    assert generation.samples
    assert [dict(generation.sampling_of(item(one))) for one in ("数学计算", "翻译", None)] == [
        {"top_p": 0.9, "do_sample": True, "temperature": 0.1},
        {"top_p": 0.9, "do_sample": False, "temperature": 0.0},
        {"top_p": 0.9, "do_sample": True, "temperature": 0.7},
    ]
    assert decoding_of(local(), Task(), seed=5) == {
        "top_p": 0.9,
        "max_gen_toks": 64,
        "temperature": RULE,
        "seed": 5,
    }


def test_a_rule_that_is_greedy_everywhere_gives_no_two_samples() -> None:
    cold = {"default": 0.0, "翻译": 0.0}
    assert not generation_of(local(), replace(Task(), generation={"temperature": cold})).samples
    with pytest.raises(ConfigError, match="3 samples at temperature 0"):
        remote(cold, samples=3)
