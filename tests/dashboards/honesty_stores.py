"""A store of models that say how sure they are: two sets, samples, log-probabilities, gaps."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from judgebench.keys import content_key
from judgebench.records import (
    Item,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    ModelSpec,
    Response,
    RunVerdict,
    Score,
    Unreadable,
    Usage,
    Verdict,
    VerdictSlot,
)
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.dashboards import stores

BENCHMARK, VERSION = stores.BENCHMARK, stores.VERSION

KNOWS = {"knows-itself": 0.9, "overrates-itself": 0.35}
"""How much of a model's confidence follows from whether it is right."""

SETS = {"rivers": 70, "capitals": 50}
WORDS = ("Danube", "Rhine", "the river Po", "I do not know")


def fill(
    path: Path | str,
    *,
    names: Mapping[str, str] | None = None,
    seed: int = 11,
    run_id: str = "first",
) -> str:
    """Two models before a judge of labels, and three ways to be sure; the URL.

    Verbal-0 cannot be read now and then; EliCal has scored half of the answers of one model; a
    second judge calls everything correct.

    Parameters
    ----------
    names
        What models and judges are called instead.
    """
    draw, called = random.Random(seed), names or {}
    url = stores.address(path)
    with open_store(url) as store, store.transaction():
        store.start_run(run := stores.manifest(run_id))
        items = [
            Item(
                benchmark=BENCHMARK, version=VERSION, id=f"{name}/{i:03}",
                turns=(Message(role="user", content=f"Which river flows through {name} {i}?"),),
                references=("Danube",), category=name,
            )
            for name, n in SETS.items()
            for i in range(n)
        ]  # fmt: skip
        store.put_items(items)
        judges = {
            name: store.put_judge(called.get(name, name), JudgeSpec(kind=kind, model="m"))
            for name, kind in (
                ("correct", "equivalence"), ("generous", "reference"), ("agree", "consistency"),
                ("Verbal-0", "stated_confidence"), ("EliCal", "imported"),
            )
        }  # fmt: skip
        for name, share in KNOWS.items():
            model = store.put_model(called.get(name, name), ModelSpec(weights=f"name:{name}"))
            for at, item in enumerate(items):
                right = draw.random() < (0.7 if item.category == "rivers" else 0.45)
                sure = 0.5 + share * ((0.45 if right else -0.45) * draw.random())
                sure = min(1.0, max(0.0, sure + 0.12 * draw.gauss(0, 1)))
                answers(store, model, item.id, right, sure, draw, logprobs=name == "knows-itself")

                def say(judge: str, verdict: Verdict, sample: int = 0) -> None:
                    put(store, run.id, model, judges[judge], item.id, verdict, sample)  # noqa: B023

                say("correct", Label(name="correct" if right else "incorrect"))
                say("generous", Label(name="correct"))
                stated = Score(value=round(sure, 1), low=0, high=1)
                say("Verbal-0", Unreadable(reason="no number") if at % 17 == 3 else stated)
                if name == "knows-itself" or at % 2:
                    say("EliCal", Score(value=min(1.0, sure**0.5), low=0, high=1))
                for sample in (1, 2, 3):
                    same = 1.0 if draw.random() < sure else 0.0
                    say("agree", Score(value=same, low=0, high=1), sample)
    return url


def answers(
    store: Store, model: bytes, item: str, right: bool, sure: float, draw: random.Random, *,
    logprobs: bool,
) -> None:  # fmt: skip
    for sample in range(4):
        text = WORDS[0] if (right and draw.random() < sure) or not sample else draw.choice(WORDS)
        response = Response(
            benchmark=BENCHMARK, version=VERSION, item_id=item, model_key=model, text=text,
            raw=text, sample=sample, source="file:answers.jsonl",
            logprob=-3 * (1 - sure) if logprobs and not sample else None,
            usage=Usage(completion_tokens=4) if logprobs else Usage(),
        )  # fmt: skip
        store.put_responses({content_key("response", [model, item, sample]): response})


def put(
    store: Store, run: str, model: bytes, judge: bytes, item: str, verdict: Verdict, sample: int
) -> None:
    place = VerdictSlot(
        benchmark=BENCHMARK, version=VERSION, item_id=item, model_key=model, judge_key=judge,
        sample=sample,
    )  # fmt: skip
    key = content_key("judgment", [place])
    judgment = Judgment(key=key, judge_key=judge, case_key=key, verdict=verdict, at=1.79e9)
    store.put_judgment(judgment, [RunVerdict(run_id=run, place=place, judgment_key=key)])
