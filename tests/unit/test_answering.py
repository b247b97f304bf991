"""Answers on their way into the store."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from judgebench import keys
from judgebench.execution.generate import Generation
from judgebench.protocols import NoProgress
from judgebench.records import Item, Message, ModelSpec, Response, Runtime
from judgebench.responses.local import AnswerChunk
from judgebench.store.opening import open_store


def test_one_answer_stands_at_every_item_that_asks_the_same(tmp_path: Path) -> None:
    turns = (Message(role="user", content="Which river?"),)
    items = tuple(Item(benchmark="b", version="1", id=id_, turns=turns) for id_ in ("3", "7"))
    with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        store.put_items(items)
        model = store.put_model("m", ModelSpec(weights="w"))
        key = keys.response_key(model, turns, None)
        response = Response(
            benchmark="b", version="1", item_id="3", model_key=model, text="Rhine", raw="Rhine"
        )
        wanted = {key: (items, 0)}
        candidate = cast(
            "Any", SimpleNamespace(wanted=wanted, key_of={("3", 0, 0): key, ("7", 0, 0): key})
        )
        outcome = cast("Any", SimpleNamespace(work=None, generated=0))
        event = AnswerChunk(task="b", responses=[response])
        Generation(outcome, store, NoProgress())._keep(candidate, event, Runtime(backend="hf"))
        table = store.responses_table("b")
        assert sorted(zip(table["item_id"], table["text"], strict=True)) == [
            ("3", "Rhine"),
            ("7", "Rhine"),
        ]
        assert len(store.responses([key])[key]) == 1
