"""Stores of judges that differ: labels with what was written, scores, and hostile texts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from judgebench.records import Item, JudgeSpec, Label, Message, ModelSpec, Score, Unreadable
from judgebench.store.opening import open_store
from tests.dashboards import stores
from tests.dashboards.item_stores import BENCHMARK, HOSTILE, VERSION, answer, judge

SKILL = {"older": 0.35, "newer": 0.8}
SPARES = {"strict": 0.95, "lenient": 0.45, "human/a": 1.0, "human/b": 0.9}
"""How likely each judge calls a wrong answer so."""


def fill(path: Path | str, *, n_items: int = 90, texts: Sequence[str] = (), names: str = "") -> str:
    """Four judges of labels on two models, each verdict with what was written; the URL.

    Parameters
    ----------
    texts
        Questions, answers and replies of the first items, each with one of them.
    names
        Behind the names of models and judges.
    """
    draw = random.Random(3)
    url = stores.address(path)
    with open_store(url) as store, store.transaction():
        store.start_run(run := stores.manifest())
        asked = [*texts, *(f"Which river flows through capital {i}?" for i in range(n_items))]
        store.put_items(
            [
                Item(
                    benchmark=BENCHMARK, version=VERSION, id=str(i), references=("Danube",),
                    turns=(Message(role="user", content=asked[i]),),
                )
                for i in range(n_items)
            ]
        )  # fmt: skip
        judges = {
            name: store.put_judge(
                f"{name}{names}",
                JudgeSpec(kind="human" if name.startswith("human") else "reference", model=name),
            )
            for name in SPARES
        }
        for name, skill in SKILL.items():
            model = store.put_model(f"{name}{names}", ModelSpec(weights=f"name:{name}{names}"))
            for i in range(n_items):
                hostile = texts[i] if i < len(texts) else None
                right = draw.random() < skill and hostile is None
                said = hostile or f"{name} says {'the Danube' if right else 'the Rhine'}, {i}"
                store.put_responses(dict([answer(model, str(i), said)]))
                for rater, spares in SPARES.items():
                    correct = right or draw.random() > spares
                    if hostile is not None:  # on these they all differ
                        correct = rater in ("lenient", "human/a")
                    verdict = Label(name="correct" if correct else "incorrect")
                    if rater == "lenient" and i % 13 == 12:
                        judge(store, run.id, judges[rater], model, str(i), Unreadable(reason="no"))
                        continue
                    wrote = hostile or f"{rater} finds {i} of {name} {verdict.name}."
                    judge(
                        store, run.id, judges[rater], model, str(i), verdict, wrote,
                        thoughts=hostile,
                    )  # fmt: skip
    return url


def hostile(path: Path | str) -> str:
    """Questions, answers, replies, thoughts and names that want to be more than text."""
    return fill(path, n_items=12, texts=list(HOSTILE.values()), names=stores.HOSTILE[0])


def fill_scores(path: Path | str, *, n_items: int = 30, high: float = 10) -> str:
    """Two judges and a person who score three models from 1 to 10; the URL.

    Parameters
    ----------
    high
        Where the scale of the second judge ends.
    """
    draw = random.Random(4)
    url = stores.address(path)
    with open_store(url) as store, store.transaction():
        store.start_run(run := stores.manifest("scores"))
        judges = {
            name: store.put_judge(name, JudgeSpec(kind=kind, model=name))
            for name, kind in (("human/a", "human"), ("rubric", "rubric"), ("mild", "rubric"))
        }
        for at, name in enumerate(("plain", "better", "best")):
            model = store.put_model(name, ModelSpec(weights=f"name:{name}"))
            for i in range(n_items):
                truth = min(8, max(2, round(draw.gauss(3 + 2 * at, 1.2))))
                for rater, above in (("human/a", 0), ("rubric", 0), ("mild", 1)):
                    value = truth + above + (draw.choice([-1, 0, 1]) if rater != "human/a" else 0)
                    top = high if rater == "mild" else 10
                    stores.put_one(
                        store, model, judges[rater], i, Score(value=value, low=1, high=top), run.id
                    )
    return url
