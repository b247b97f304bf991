"""A store of models to be compared: alike and unlike answers, labels, scores, and both orders."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from judgebench.records import JudgeSpec, Label, ModelSpec, Preference, Score, Unreadable
from judgebench.store.opening import open_store
from tests.dashboards import item_stores, stores
from tests.dashboards.item_stores import answer, judge

SKILL = {"older": 0.35, "newer": 0.85, "third": 0.5}
BASELINE = "baseline"

OLD = "The river is called the {0} and it flows through capital {0}."
NEW = "The river is the {0}. It flows slowly through capital {0}, as everybody knows."


def fill(
    path: Path | str,
    *,
    n_items: int = 48,
    texts: Mapping[str, tuple[str, str]] | None = None,
    run_id: str = "first",
) -> str:
    """Three models and a baseline in the eyes of three judges, each with what it wrote; the URL.

    Parameters
    ----------
    texts
        By item, what ``newer`` and ``older`` answer there; no item has more to say of both.
    """
    draw = random.Random(5)
    url = stores.address(path)
    with open_store(url) as store, store.transaction():
        store.start_run(run := stores.manifest(run_id))
        store.put_items(item_stores.questions(n_items))
        opponent = store.put_model(BASELINE, ModelSpec(weights="name:baseline"))
        reader = store.put_judge("reader", JudgeSpec(kind="reference", model="gpt"))
        rubric = store.put_judge("rubric", JudgeSpec(kind="rubric", model="gpt"))
        pairwise = store.put_judge("pairwise", JudgeSpec(kind="pairwise", model="gpt"))
        for name, skill in SKILL.items():
            model = store.put_model(name, ModelSpec(weights=f"name:{name}"))
            for i in range(n_items):
                item, better = str(i), draw.random() < skill
                said = (NEW if name == "newer" else OLD).format(i)
                if texts and item in texts and name in ("newer", "older"):
                    said = texts[item][name == "older"]
                store.put_responses(dict([answer(model, item, said)]))
                label = Label(name="correct" if better else "incorrect")
                verdict = Unreadable(reason="no verdict") if name == "older" and i == 7 else label
                judge(store, run.id, reader, model, item, verdict, f"{name} on {i}: {said}")
                score = Score(value=draw.randint(5, 9) if better else 3, low=1, high=10)
                judge(store, run.id, rubric, model, item, score, f"I give {score.value}.")
                for order in stores.ORDERS:
                    p = min(1.0, max(0.0, draw.gauss(0.8 if better else 0.3, 0.15)))
                    first = p if order == "model_first" else 1 - p
                    judge(
                        store, run.id, pairwise, model, item,
                        Preference(winner=0 if first > 0.5 else 1, p_first=first),
                        f"The verdict in this order: {first:.2f}.", opponent=opponent, order=order,
                    )  # fmt: skip
        for i in range(n_items):
            store.put_responses(dict([answer(opponent, str(i), f"Baseline answer {i}")]))
    return url


_SHORT = "\n".join(text for name, text in item_stores.HOSTILE.items() if name != "long")
HOSTILE = {
    name: (text, text.replace("a", "o", 3) + " and a word more")
    for name, text in (("short", _SHORT), ("long", item_stores.HOSTILE["long"]))
}
"""Answers that want to be more than text, each beside one that is nearly the same."""


def hostile(path: Path | str, *, run_id: str = "first") -> str:
    """A store whose first items have hostile pairs of answers; the URL."""
    pairs = {str(i): pair for i, pair in enumerate(HOSTILE.values())}
    return fill(path, n_items=12, texts=pairs, run_id=run_id)
