"""``export confidence-examples``: questions, and how often a model got them right.

Verbal-10 of HonestyBench shows a model ten questions of the test, each with the share of its own
further answers that are correct, before it asks for the model's confidence in another one. So it
gives something of the test away, here as upstream.
"""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from typing import Any

from judgebench.errors import UsageError, unknown_name
from judgebench.keys import content_key
from judgebench.store import Store


def confidence_examples(
    store: Store,
    benchmark: str,
    version: str,
    *,
    correct: str,
    positive: str,
    models: Collection[str] = (),
    number: int = 10,
    seed: int = 1234,
) -> dict[str, list[Any]]:
    """Columns ``model``, ``question`` and ``confidence``, ``number`` rows of each model.

    Parameters
    ----------
    correct
        The judge whose labels count, by name; it has to have judged further answers.
    positive
        Its word for a correct answer.
    models
        By name; all that it has judged if empty.
    seed
        Of the draw, which is another for each model.

    Raises
    ------
    UsageError
        For a judge or model of whose further answers the store has no labels, and where a model has
        fewer questions than are asked for.
    """
    said = _shares(store, benchmark, version, correct, positive)
    for name in models:
        if name not in said:
            raise UsageError(unknown_name("model with judged samples", name, said))
    text = {item.id: item.question for item in store.items(benchmark, version)}
    columns: dict[str, list[Any]] = {"model": [], "question": [], "confidence": []}
    for model in sorted(models or said):
        shares = {item: share for item, share in said[model].items() if text.get(item)}
        if len(shares) < number:
            raise UsageError(
                f"{model}: {len(shares)} questions have judged further answers, and {number} are "
                "asked for (--number)"
            )
        drawn = Random(content_key("examples", [model, seed])).sample(sorted(shares), number)
        columns["model"] += [model] * number
        columns["question"] += [text[item] for item in drawn]
        columns["confidence"] += [shares[item] for item in drawn]
    return columns


def _shares(
    store: Store, benchmark: str, version: str, correct: str, positive: str
) -> dict[str, dict[str, float]]:
    """By model and item, the share of the further answers that are correct, of those read."""
    verdicts = store.verdicts(benchmark, version)
    names = ("judge", "model", "item_id", "sample", "kind", "label")
    labels: dict[str, dict[str, list[bool]]] = {}
    judges = set()
    for judge, model, item, sample, kind, label in zip(
        *(verdicts[name] for name in names), strict=True
    ):
        if kind == "label":
            judges.add(judge)
            if judge == correct and sample:
                labels.setdefault(model, {}).setdefault(item, []).append(label == positive)
    if correct not in judges:
        raise UsageError(unknown_name("judge that labels", correct, judges))
    if not labels:
        raise UsageError(
            f"{correct} has labelled first answers only; a run with judged_samples: all has it "
            "label further ones"
        )
    return {
        model: {item: sum(each) / len(each) for item, each in of_item.items()}
        for model, of_item in labels.items()
    }
