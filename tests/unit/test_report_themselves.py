"""Confidences that models give themselves: one name, where it is one thing that they were asked."""

from __future__ import annotations

from typing import Any

import pytest

from judgebench.records import JudgeSpec, ModelSpec
from judgebench.reports.confidence_data import self_judges
from judgebench.store.store import Store

LOCAL, OTHER = ModelSpec(weights="hf:abc"), ModelSpec(weights="hf:def")
REMOTE = ModelSpec(weights="openai/gpt-x")


def sure(identity: str, model: str = "m", **changes: Any) -> JudgeSpec:
    told: dict[str, Any] = {
        "kind": "stated_confidence",
        "provider": "local",
        "identity": identity,
        "model": model,
        "prompt_sha": "1",
        "reader_version": "strict/1",
        "options": {"prompt": "default"},
    }
    return JudgeSpec(**told | changes)


def shown(store: Store, *asked: tuple[str, JudgeSpec, ModelSpec]) -> list[str]:
    """The name of each judge, given what it is called, what it is, and whose answers it judged."""
    keys = [
        (store.put_judge(name, judge), store.put_model(f"model {number}", model))
        for number, (name, judge, model) in enumerate(asked)
    ]
    judge_ids = {one.key: one.id for one in store.judges()}
    model_ids = {one.key: one.id for one in store.models()}
    ids = [(judge_ids[judge], model_ids[model]) for judge, model in keys]
    table: dict[str, list[Any]] = {
        "judge": [name for name, *_ in asked],
        "judge_id": [judge for judge, _ in ids],
        "model_id": [model for _, model in ids],
    }
    # As failures come: of answers, without a judge.
    absent: dict[str, list[Any]] = {"judge": [None], "judge_id": [None], "model_id": [ids[0][1]]}
    found = self_judges(store, [table, absent])
    assert set(found) == set(table["judge_id"])
    return [found[judge] for judge in table["judge_id"]]


def test_models_asked_themselves_are_one_confidence(store: Store) -> None:
    asked = [
        ("sure", sure("hf:abc"), LOCAL),
        ("sure", sure("hf:def+chat"), OTHER),
        ("sure", sure("openai", "gpt-x"), REMOTE),
    ]
    assert shown(store, *asked) == ["sure"] * 3


def test_examples_are_each_models_own(store: Store) -> None:
    def examples(confidence: float) -> dict[str, Any]:
        return {"prompt": "default", "examples": [{"question": "x", "confidence": confidence}]}

    first = ("sure", sure("hf:abc", options=examples(0.5)), LOCAL)
    second = ("sure", sure("hf:def", options=examples(0.9)), OTHER)
    assert shown(store, first, second) == ["sure", "sure"]
    again = ("sure", sure("hf:abc", options=examples(0.9)), LOCAL)
    assert len(set(shown(store, first, again))) == 2  # which of the two would it be?
    without = ("sure", sure("openai", "gpt-x"), REMOTE)
    assert len(set(shown(store, first, second, without))) == 3


@pytest.mark.parametrize(
    "other",
    [
        {"prompt_sha": "2"},
        {"reader_version": "upstream/1"},
        {"sampling": {"temperature": 1}},
        {"kind": "consistency"},
        {"options": {"prompt": "default", "exact_match_first": True}},
    ],
)
@pytest.mark.parametrize("whose", [LOCAL, OTHER])
def test_what_is_asked_or_read_in_two_ways_stays_apart(
    store: Store, other: dict[str, Any], whose: ModelSpec
) -> None:
    """Of one model, and of two: a table would compare them."""
    first = ("sure", sure("hf:abc"), LOCAL)
    second = ("sure", sure(whose.weights, **other), whose)
    names = shown(store, first, second)
    assert len(set(names)) == 2
    assert all(name.startswith("sure@") for name in names)


def test_a_judge_of_others_keeps_its_name(store: Store) -> None:
    """Also a model that judges another one, and one that labels."""
    one = sure("hf:abc")
    assert shown(store, ("outside", one, OTHER)) == ["outside"]
    mixed = shown(store, ("sure", one, LOCAL), ("sure", sure("hf:def"), LOCAL))
    assert len(set(mixed)) == 2
    crossed = shown(store, ("sure", one, OTHER), ("sure", sure("hf:def"), LOCAL))
    assert len(set(crossed)) == 2
    labels = [("right", sure(model.weights, kind="equivalence"), model) for model in (LOCAL, OTHER)]
    assert len(set(shown(store, *labels))) == 2


def test_weights_whose_name_begins_alike_are_others(store: Store) -> None:
    longer = ModelSpec(weights="hf:abcd")
    names = shown(store, ("sure", sure("hf:abcd"), LOCAL), ("sure", sure("hf:def"), OTHER))
    assert len(set(names)) == 2
    names = shown(store, ("sure", sure("hf:abc"), longer), ("sure", sure("hf:def"), OTHER))
    assert len(set(names)) == 2


def test_a_judge_of_no_identity_is_nobody(store: Store) -> None:
    imported = [("C", JudgeSpec(kind="imported", options={"n": n}), m)
                for n, m in enumerate((LOCAL, OTHER))]  # fmt: skip
    assert len(set(shown(store, *imported))) == 2
