"""A few keys by value: a change here means that everything already paid for is asked again."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from judgebench import keys
from judgebench.benchmarks.folder import load_benchmark
from judgebench.config import ApiModel
from judgebench.records import Case, ChatRequest, Item, JudgeSpec, Message, ModelSpec, Response
from judgebench.responses import remote
from judgebench.responses.local import LocalModel, decoding_of, prompting_of
from tests.table import over_rows

ITEM = Item(
    benchmark="trivia_judging_mini",
    version="v1",
    id="7",
    turns=(Message(role="user", content="Which river flows through Vienna?"),),
    references=("Danube", "Donau"),
    category="geography",
)
MODEL = ModelSpec(
    weights="sha256:0123",
    prompting={"apply_chat_template": True},
    decoding={"temperature": 0.0, "max_gen_toks": 24},
)
REQUEST = ChatRequest(
    provider="sha256:abcd",
    model="judge",
    messages=(Message(role="user", content="Ist das „richtig“?"),),
    decoding={"temperature": 0, "max_tokens": 8},
)


def _case(text: str = "The Danube.") -> Case:
    response = Response(
        benchmark=ITEM.benchmark,
        version=ITEM.version,
        item_id=ITEM.id,
        model_key=keys.model_key(MODEL),
        text=text,
        raw=text,
    )
    return Case(item=ITEM, responses=(response,))


GOLDEN = {
    "model": (
        lambda: keys.model_key(MODEL),
        "6f15e539dd7389181f3727ccfafbc58f29072051c16a8b2a8e8df42f223dd9fc",
    ),
    "response": (
        lambda: keys.response_key(keys.model_key(MODEL), ITEM.turns, "Q: …", sample=1, turn=2),
        "d2967c8c36703313d1ece1c78244e6d83e2c41504bbec247f2ea3b30f7efa401",
    ),
    "request": (
        lambda: keys.request_key(REQUEST),
        "4aa4034c5a9d800b2d03d638c024fc3175eae2b04ffca788f45529de415b073d",
    ),
    "judge": (
        lambda: keys.judge_key(JudgeSpec(kind="contains")),
        "19e416c355af552cc5bc51c80906a83278e1c513d3ce374250c81a1bbfc7b97b",
    ),
    "case": (
        lambda: keys.case_key(_case()),
        "bd7c02bf795d8b0f06b5c9e5fdc63ddf71441aac666a5d4b0dd2724afceb208a",
    ),
    "judgment": (
        lambda: keys.judgment_key(b"j" * 32, b"c" * 32, repeat=3),
        "72470eab685ec69862e4c77d90862c7e93b0ff6b0bd1be9ca58b27d13d428a0e",
    ),
}


@over_rows("name", GOLDEN)
def test_keys_stay_what_they_are(name: str) -> None:
    make, expected = GOLDEN[name]
    assert make().hex() == expected


def test_equal_content_equal_key_whatever_the_spelling() -> None:
    assert keys.canonical_json({"b": 0.0, "a": (1, "é")}) == '{"a":[1,"é"],"b":0}'
    assert keys.content_key("x", {"t": 0}) == keys.content_key("x", {"t": 0.0})


@over_rows("value", [math.nan, math.inf, {1: "x"}, {1, 2}, object()])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        keys.content_key("x", {"value": value})


def test_a_case_is_known_by_what_the_judge_sees() -> None:
    other_place = Case(
        item=Item(**{**_fields(ITEM), "benchmark": "another", "id": "99", "metadata": {"row": 1}}),
        responses=_case().responses,
    )
    assert keys.case_key(other_place) == keys.case_key(_case())
    assert keys.case_key(_case("The Rhine.")) != keys.case_key(_case())


def test_everything_in_a_request_is_in_its_key() -> None:
    variants = [
        REQUEST,
        _with(REQUEST, provider="sha256:other"),
        _with(REQUEST, model="other"),
        _with(REQUEST, messages=(Message(role="system", content="Ist das „richtig“?"),)),
        _with(REQUEST, decoding={"temperature": 0.5, "max_tokens": 8}),
        _with(REQUEST, logprobs=5),
        _with(REQUEST, response_format={"type": "json_object"}),
        _with(REQUEST, sample=1),
        _with(REQUEST, extra={"cache_prompt": False}),
    ]
    assert len({keys.request_key(request) for request in variants}) == len(variants)


def test_a_field_at_its_default_is_not_in_a_key() -> None:
    """So that a later release can add a field without changing every key there is."""
    assert keys.canonical_json(JudgeSpec(kind="contains")) == '{"kind":"contains"}'
    assert keys.canonical_json(JudgeSpec(kind="x", options={"case": 1})) == (
        '{"kind":"x","options":{"case":1}}'
    )


def test_a_lone_surrogate_has_a_key() -> None:
    assert keys.content_key("text", "\ud800") != keys.content_key("text", "\ud801")


def _fields(item: Item) -> dict[str, object]:
    return {name: getattr(item, name) for name in Item.__slots__}


def _with(request: ChatRequest, **changes: Any) -> ChatRequest:
    return replace(request, **changes)


@over_rows("values", [[], [1.0], [["a", 0, "é\ud800"], {"b": None}]])
def test_a_list_has_the_same_key_piece_by_piece(values: list[object]) -> None:
    assert keys.list_key("answers", iter(values)) == keys.content_key("answers", values)


MODELS = {
    "mixeval_mini": (
        "96d2460c6254e8d7991cd7e79cdf88914bec8891fdb39366662c2420059a171d",
        "8d92ba32b82c0eec7615543ddd97d6b2de62dade054d51ad2fee8c3224515378",
    ),
    "alignbench_mini": (
        "746ce32c0a3869bc0c5d965b8d9ffb137fffd00f87299e5790e2c50f5ea7c3ed",
        "1c5a2e03a9c06f87433941c34b3b63ab928d55b38139445c6a09a4f18409d5e0",
    ),
    "honestybench_mini": (
        "afca4209cc54dd95d8dfed7b9c5d941f6ffc16a86cf543885d4ba4978a3f1a62",
        "fabdac75424af059a440535caeeaf77b18e22a9e4a44000639a081cdee1f934d",
    ),
    "alpaca_eval_mini": (
        "c4383686ccbda41da7d38bc58a93bbddbcf88540a2df4976267324cd31e88e2e",
        "5a8cb4d0bd5bf3d956022587cda873b1ce7bc56a693690b0283e814b999a6e94",
    ),
    "trivia_judging_mini": (
        "730cc30a32fea455ab69cc7ce29639ad62481ebdb4470f21a3b7da741c142d4f",
        "023d9db812e27c71db062a5f7a80fe2968f7d1479455dcef8b089fd24a368e75",
    ),
}
"""A local model and one behind an API on the small benchmarks, without a preset."""


@over_rows(
    "options",
    [{}, {"preset": "clean"}],
)
@over_rows("name", MODELS)
def test_models_are_who_they_were_before_there_were_presets(
    name: str, options: dict[str, str]
) -> None:
    benchmark = load_benchmark(name, options=options)
    task, preset = benchmark.lm_eval_task, benchmark.preset
    here = LocalModel(**{**preset.local, "model_args": {"pretrained": "org/m"}})
    local = ModelSpec(
        weights="sha256:0123",
        prompting={**prompting_of(here, task), "prompt_sha": "p"},
        decoding=decoding_of(here, task, seed=1234),
    )
    api = remote.spec_of(
        ApiModel(provider="openai", model="m"),
        identity="openai",
        prompt_sha="p",
        max_tokens=task.max_gen_toks,
        until=task.until,
        temperature=task.generation.get("temperature", 0),
        further=task.further,
        seed=1234,
        usual=preset.api,
        system=preset.system,
    )
    assert (keys.model_key(local).hex(), keys.model_key(api).hex()) == MODELS[name]
