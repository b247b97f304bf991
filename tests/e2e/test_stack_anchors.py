"""An upgrade over night, with models that really answer: open, tried on anchors, decided."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

import judgebench
from tests.e2e import runs
from tests.tiny_models import save_causal

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
)

NAME = "trivia_judging_mini"
ITEMS, ANCHORS = 20, 8


def local(name: str, folder: Path, batch_size: int) -> dict[str, Any]:
    arguments = {"pretrained": str(folder), "dtype": "float32"}
    settings = {"batch_size": batch_size, "device": "cpu", "gen_kwargs": {"max_gen_toks": 8}}
    return {"name": name, "lm_eval": {"model": "hf", "model_args": arguments, **settings}}


def gate(folder: Path) -> tuple[int, Any]:
    done = runs.typed(
        *("gate", "--baseline", "last-green", "--candidate", "nightly", "--format", "json"),
        *("--store", runs.store_url(folder), "--policy", folder / "gate.yaml"),
    )
    found = json.loads(done.out)
    return done.code, (found["tests"][0]["because"], found["notes"])


def standing(folder: Path, model: str) -> list[tuple[str, str]]:
    """The answers of a model, with what they were run on."""
    with judgebench.open_store(runs.store_url(folder)) as store:
        table = store.responses(NAME)
    its = table[table["model_id"] == model]
    return sorted(zip(its["item_id"], its["text"] + its["stack"], strict=True))


@pytest.mark.usefixtures("forked")
@pytest.mark.slow
def test_a_night_after_an_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    old = save_causal(tmp_path / "old", max_position_embeddings=2048)
    new = save_causal(tmp_path / "new", max_position_embeddings=2048, intermediate_size=48)
    test = {"benchmark": NAME, "judge": "contains", "max_drop": 0.3, "stack_tolerance": 0.5}
    (tmp_path / "gate.yaml").write_text(json.dumps({"tests": [test]}))

    def night(*models: dict[str, Any], words: tuple[str, ...] = ()) -> runs.Done:
        suite = runs.suite(tmp_path, limit=ITEMS, models=list(models))
        done = runs.typed("run", suite, "--quiet", *words)
        assert done.code == 0, done.err
        return done

    night(local("nightly", old, 1))
    at = ("--store", runs.store_url(tmp_path))
    assert runs.typed("baseline", "set", "last-green", "--model", "nightly", *at).code == 0
    night(local("nightly", new, 4))
    code, (because, _) = gate(tmp_path)
    assert code == 2
    assert because.startswith("stack changed: ")

    with judgebench.open_store(runs.store_url(tmp_path)) as store:
        (baseline,) = {row["model_id"] for _, row in store.responses(NAME).iterrows()
                       if '"batch_size":"1"' in row["stack"]}  # fmt: skip
    before = standing(tmp_path, baseline)
    both = (local("nightly", new, 4), local("before", old, 4))
    done = night(*both, words=("--stack-anchors", str(ANCHORS)))
    assert f"{ANCHORS} generations, 0 judge calls made" in done.err
    assert "nightly: the stack is that of its answers: no stack anchors needed" in done.err
    said = f"before on {NAME}: {ANCHORS} of {ANCHORS} stack anchors were answered as its answers"
    assert said in done.err
    assert standing(tmp_path, baseline) == before
    code, (because, notes) = gate(tmp_path)
    assert (code, because) == (0, None)
    assert f"{ANCHORS} of {ANCHORS} anchor prompts of before were answered alike" in "\n".join(
        notes
    )
