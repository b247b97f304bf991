"""Stores made for looking at: plausible models and judges, and names that want to be markup."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from judgebench.keys import content_key
from judgebench.records import (
    Item,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    ModelSpec,
    Order,
    Preference,
    RunManifest,
    RunVerdict,
    Score,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from judgebench.store.opening import open_store
from judgebench.store.store import Store

BENCHMARK = "trivia_judging_mini"
VERSION = "v1"
HUMAN = "human/authors"

SKILL = {
    "smollm2-135m-instruct": 0.30,
    "taker-careful": 0.92,
    "taker-hasty": 0.71,
    "taker-partial": 0.66,
    "taker-refusing": 0.18,
}
"""Share of right answers of each model."""


@dataclass(frozen=True)
class Rater:
    """How a made-up judge errs."""

    spec: JudgeSpec
    catches: float
    """Probability that it calls a right answer correct."""
    spares: float
    """Probability that it calls a wrong answer incorrect."""
    unreadable: float = 0.0


RATERS: Mapping[str, Rater] = {
    HUMAN: Rater(JudgeSpec(kind="human", model=HUMAN), 1.0, 1.0),
    "exact_match": Rater(
        JudgeSpec(kind="exact_match", options={"case": "insensitive"}), 0.45, 1.0
    ),
    "contains": Rater(JudgeSpec(kind="contains", options={"case": "insensitive"}), 0.90, 0.93),
    "smollm2-plain": Rater(
        JudgeSpec(
            kind="reference", provider="openai_compatible", model="smollm2-135m-instruct",
            prompt_sha="ab" * 32, reader_version="1", official_prompt=False,
        ),
        0.80, 0.30, unreadable=0.42,
    ),
    "smollm2-json": Rater(
        JudgeSpec(
            kind="reference", provider="openai_compatible", model="smollm2-135m-instruct",
            prompt_sha="cd" * 32, reader_version="1", official_prompt=False,
        ),
        0.75, 0.55,
    ),
}  # fmt: skip


def manifest(
    run_id: str = "first", *, state: str = "done", configuration: Mapping[str, object] | None = None
) -> RunManifest:
    return RunManifest(
        id=run_id, name="demo", configuration=configuration or {}, versions={}, git_sha=None,
        data_sha={}, seeds={"run": 0}, started=time.time() - 90, ended=None, state=state,  # type: ignore[arg-type]
    )  # fmt: skip


def items(n: int) -> list[Item]:
    return [
        Item(
            benchmark=BENCHMARK, version=VERSION, id=str(i),
            turns=(Message(role="user", content=f"Question {i}?"),), references=(f"answer {i}",),
        )
        for i in range(n)
    ]  # fmt: skip


def put(store: Store, model: bytes, judge: bytes, verdicts: Sequence[Verdict], run_id: str) -> None:
    """One verdict for each item, in order."""
    for i, verdict in enumerate(verdicts):
        case = content_key("case", [model, i])
        key = content_key("judgment", [judge, case])
        place = VerdictSlot(
            benchmark=BENCHMARK, version=VERSION, item_id=str(i), model_key=model, judge_key=judge
        )
        store.put_judgment(
            Judgment(key=key, judge_key=judge, case_key=case, verdict=verdict, at=time.time()),
            [RunVerdict(run_id=run_id, place=place, judgment_key=key)],
        )


def address(path: Path | str) -> str:
    """The URL of a store in a file; a text is a URL already."""
    return path if isinstance(path, str) else f"sqlite:///{path}"


def fill(path: Path | str, *, n_items: int = 48, seed: int = 7) -> str:
    """A store like the demo's, at a path; its URL."""
    draw = random.Random(seed)
    url = address(path)
    with open_store(url) as store, store.transaction():
        store.start_run(run := manifest())
        store.put_items(items(n_items))
        judges = {name: store.put_judge(name, rater.spec) for name, rater in RATERS.items()}
        for name, skill in SKILL.items():
            model = store.put_model(name, ModelSpec(weights=f"name:{name}"))
            right = [draw.random() < skill for _ in range(n_items)]
            for judge, rater in RATERS.items():
                said = [_verdict(draw, rater, truth) for truth in right]
                put(store, model, judges[judge], said, run.id)
    return url


def _verdict(draw: random.Random, rater: Rater, right: bool) -> Verdict:
    if draw.random() < rater.unreadable:
        return Unreadable(reason="no verdict")
    agrees = draw.random() < (rater.catches if right else rater.spares)
    return Label(name="correct" if agrees == right else "incorrect")


STRENGTH = {"apo-1200": 0.64, "apo-800": 0.55, "base": 0.31, "null-model": 0.47}
"""How likely each model wins against the baseline."""

BASELINE = "last-week"
PANEL = "panel/majority(gpt,claude)"
ORDERS: tuple[Order, Order] = ("model_first", "opponent_first")


def fill_kinds(
    path: Path | str, *, n_items: int = 60, seed: int = 3, baseline: str = BASELINE
) -> str:
    """A store of comparisons in both orders, of scores with parts, and of marks; its URL."""
    draw = random.Random(seed)
    url = address(path)
    suite = {"benchmarks": [{"name": BENCHMARK, "panel": ["gpt", "claude"]}]}
    with open_store(url) as store, store.transaction():
        store.start_run(run := manifest(f"against {baseline}", configuration=suite))
        store.put_items(items(n_items))
        opponent = store.put_model(baseline, ModelSpec(weights=f"name:{baseline}"))
        pairwise = {
            name: store.put_judge(name, JudgeSpec(kind="pairwise", model=name, provider="openai"))
            for name in ("gpt", "claude")
        }
        rubric = store.put_judge("rubric", JudgeSpec(kind="rubric", model="gpt"))
        for name, strength in STRENGTH.items():
            model = store.put_model(name, ModelSpec(weights=f"name:{name}"))
            for i in range(n_items):
                better = draw.random() < strength
                marks = ("addresses_judge",) if name == "null-model" and i % 2 else ()
                for judge in pairwise.values():
                    for order in ORDERS:
                        p = min(1.0, max(0.0, draw.gauss(0.8 if better else 0.2, 0.25)))
                        shown = p if order == "model_first" else 1 - p
                        winner: Literal[0, 1] = 1 if shown < 0.5 else 0
                        verdict: Verdict = Preference(winner=winner, p_first=shown)
                        if draw.random() < 0.03:
                            verdict = Unreadable(reason="truncated")
                        shown_at = tuple(f"{mark}/{ORDERS.index(order)}" for mark in marks)
                        put_one(store, model, judge, i, verdict, run.id, shown_at, opponent, order)
                tone, facts = (
                    max(1, min(10, round(draw.gauss(4 + 6 * strength, 2)))) for _ in "ab"
                )
                score = Score(
                    value=(tone + facts) / 2, low=1, high=10, parts={"tone": tone, "facts": facts}
                )
                put_one(store, model, rubric, i, score, run.id, marks)
    return url


def put_one(
    store: Store, model: bytes, judge: bytes, item: int, verdict: Verdict, run_id: str,
    marks: tuple[str, ...] = (), opponent: bytes | None = None, order: Order = "single",
    sample: int = 0,
) -> None:  # fmt: skip
    place = VerdictSlot(
        benchmark=BENCHMARK, version=VERSION, item_id=str(item), model_key=model, judge_key=judge,
        opponent_key=opponent, order=order, sample=sample,
    )  # fmt: skip
    key = content_key("judgment", [place])
    store.put_judgment(
        Judgment(
            key=key, judge_key=judge, case_key=key, verdict=verdict, marks=marks, at=time.time()
        ),
        [RunVerdict(run_id=run_id, place=place, judgment_key=key)],
    )


SAMPLES = {"policy": 16, "steady": 4, "once": 1}
"""Answers of each model to each item."""


def fill_samples(path: Path | str, *, n_items: int = 20, seed: int = 7) -> str:
    """A store of scores of several samples, by a reward model and one that grades; its URL."""
    draw = random.Random(seed)
    url = address(path)
    with open_store(url) as store, store.transaction():
        store.start_run(run := manifest())
        store.put_items(items(n_items))
        grader = store.put_judge("grader", JudgeSpec(kind="rubric", model="gpt"))
        reward = store.put_judge("reward", JudgeSpec(kind="reward", model="r"))
        for name, samples in SAMPLES.items():
            model = store.put_model(name, ModelSpec(weights=f"name:{name}"))
            for i, sample in product(range(n_items), range(samples)):
                liked = draw.gauss(0.0, 2.0)
                graded = min(10.0, max(1.0, round(draw.gauss(5.0 + 0.6 * liked, 1.0))))
                said = Score(value=liked, low=-math.inf, high=math.inf)
                put_one(store, model, reward, i, said, run.id, sample=sample)
                said = Score(value=graded, low=1.0, high=10.0)
                put_one(store, model, grader, i, said, run.id, sample=sample)
    return url


HOSTILE = (
    "<b>x</b><img src=x onerror=alert(1)>", "[a](http://x)", "$x$ :red[x]", ":smile: a->b # **y**"
)  # fmt: skip


def fill_with(
    path: Path | str,
    table: Mapping[str, Mapping[str, Sequence[Verdict]]],
    *,
    run_id: str = "first",
    state: str = "done",
) -> str:
    """A store of the verdicts given: model -> judge -> one for each item."""
    url = address(path)
    n = max(len(said) for by_judge in table.values() for said in by_judge.values())
    with open_store(url) as store, store.transaction():
        store.start_run(run := manifest(run_id, state=state))
        store.put_items(items(n))
        for name, by_judge in table.items():
            model = store.put_model(name, ModelSpec(weights=f"name:{name}"))
            for judge, said in by_judge.items():
                kind = "human" if judge.startswith("human") else "imported"
                spec = JudgeSpec(kind=kind, model=judge)
                put(store, model, store.put_judge(judge, spec), said, run.id)
    return url


def labels(code: str) -> list[Verdict]:
    """``"+-?"``: correct, incorrect, unreadable."""
    return [
        Unreadable(reason="no verdict") if letter == "?" else
        Label(name="correct" if letter == "+" else "incorrect")
        for letter in code
    ]  # fmt: skip
