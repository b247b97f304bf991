"""Stores with answers to be labelled, some of which want to be markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from judgebench import keys
from judgebench.labels import put_label
from judgebench.records import JudgeSpec, Label, ModelSpec, Response, Verdict, VerdictSlot
from judgebench.store.opening import open_store
from tests.dashboards import stores
from tests.dashboards.stores import BENCHMARK, VERSION

MODELS = ("secret-model-one", "secret-model-two")

RIGHT_TO_LEFT = "abc \u202eevil\u202c \u05d0\u05d1\u05d2"
HOSTILE: Mapping[str, str] = {
    "script": "<script>document.title='mine'</script><img src=x onerror=\"document.title='mine'\">",
    "link": "[click](https://evil.example/x) ![pixel](https://evil.example/p.png) <https://a.org>",
    "latex": "$$\\frac{1}{2}$$ and $x$ :red[loud] :material/home: :smile:",
    "heading": "# Heading\n\n- a list\n\n```python\nprint(1)\n```\n| a | b |\n|---|---|\n| 1 | 2 |",
    "direction": RIGHT_TO_LEFT,
    "nul": "before\0after \U0001f600\u200d\U0001f469 \ufeff end",
    "surrogate": "half \ud83d of a pair",
    "long": "a line of an answer that goes on\n" * 31_000,
    "wide": "w" * 5000,
    "empty": "",
}


def model(name: str) -> bytes:
    return keys.model_key(ModelSpec(weights=f"name:{name}"))


def fill(
    path: Path | str,
    *,
    n_items: int = 6,
    answers: Sequence[str] = (),
    models: Sequence[str] = MODELS,
    version: str = VERSION,
) -> str:
    """Items with one reference each, and the answers of two models to all of them; its URL."""
    url = stores.address(path)
    with open_store(url) as store, store.transaction():
        store.put_items([replace(item, version=version) for item in stores.items(n_items)])
        for name in models:
            key = store.put_model(name, ModelSpec(weights=f"name:{name}"))
            for i in range(n_items):
                text = answers[i] if answers else f"Answer {models.index(name)} to {i}."
                response = Response(
                    benchmark=BENCHMARK, version=version, item_id=str(i), model_key=key, text=text,
                    raw=text, status="ok" if text else "empty",
                )  # fmt: skip
                store.put_responses({keys.content_key("answer", [name, version, i]): response})
    return url


def say(url: str, judge: str, said: Mapping[tuple[int, str], Verdict]) -> None:
    """Verdicts of a judge, or labels of a person, on single answers: (item, model) -> verdict."""
    with open_store(url) as store:
        for (item, name), verdict in said.items():
            place = VerdictSlot(
                benchmark=BENCHMARK, version=VERSION, item_id=str(item), model_key=model(name),
                judge_key=b"",
            )  # fmt: skip
            if judge.startswith("human/"):
                put_label(store, judge, place, verdict)
            else:
                spec = JudgeSpec(kind="imported", model=judge)
                if store.run("first") is None:
                    store.start_run(stores.manifest())
                key = store.put_judge(judge, spec)
                stores.put_one(store, model(name), key, item, verdict, "first")


def labels(url: str, version: str = VERSION) -> list[tuple[str, str, str, object]]:
    """The labels that count: rater, item, model's name, what was said."""
    with open_store(url, read_only=True) as store:
        table = store.verdicts(BENCHMARK, version)
    names = ("judge", "item_id", "model", "label", "value", "judge_kind")
    return sorted(
        (judge, item, name, value if label is None else label)
        for judge, item, name, label, value, kind in zip(*(table[n] for n in names), strict=True)
        if kind == "human"
    )


RIGHT, WRONG = Label(name="correct"), Label(name="incorrect")
