"""Stores of nights: a name with other weights behind it each night, and what changes beside it.

And of training runs: checkpoints that are tagged with their step.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import update

from judgebench.keys import content_key
from judgebench.records import (
    DriftCheck,
    JudgeSpec,
    Judgment,
    Label,
    ModelSpec,
    Purpose,
    Runtime,
    RunVerdict,
    Spend,
    Unreadable,
    VerdictSlot,
)
from judgebench.store import schema
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests import postgres
from tests.dashboards import item_stores, stores
from tests.dashboards.stores import BENCHMARK, VERSION

FIRST = 1_793_502_000.0
"""2026-11-01, 03:00 UTC; each further night is a day later."""

DAY = 86_400.0
JUDGE = "reader"
OLD, NEW = (
    Runtime(backend="vllm", versions={"vllm": one}, dtype="bfloat16") for one in ("0.9", "1")
)


@dataclass(frozen=True)
class Planned:
    """A night: which weights, how good they are, on what they ran, who served the judge."""

    weights: str
    skill: float
    stack: Runtime = OLD
    served: str = "gpt-2026-08"


NIGHTS = (
    Planned("a", 0.60),
    Planned("b", 0.61),
    Planned("b", 0.61),
    Planned("c", 0.63),
    Planned("d", 0.30),
    Planned("c", 0.63),
    Planned("e", 0.64, NEW),
    Planned("f", 0.65, NEW, "gpt-2026-11"),
    Planned("g", 0.66, NEW, "gpt-2026-11"),
)
"""A night without a change, one that is much worse, the way back, another stack, another judge."""


def fill(
    path: Path | str,
    *,
    nights: Sequence[Planned] = NIGHTS,
    name: str = "nightly",
    beside: str = "sibling",
    judge: str = JUDGE,
    baseline: str = "last-green",
    n_items: int = 150,
    drifts: bool = True,
) -> str:
    """Each night of a name, and every other one of a second name; the URL."""
    url = stores.address(path)
    with open_store(url) as store, store.transaction():
        store.put_items(item_stores.questions(n_items))
        reader = store.put_judge(judge, JudgeSpec(kind="reference", model="gpt"))
        hard = [random.Random(i).random() for i in range(n_items)]
        held = []
        for number, night in enumerate(nights):
            run = replace(stores.manifest(f"night-{number}"), started=FIRST + number * DAY)
            store.start_run(run)
            model = _evaluate(store, run.id, reader, name, night, hard, number)
            if number % 2 == 0:
                _evaluate(store, run.id, reader, beside, replace(night, skill=0.5), hard, number)
            if number in (0, 1, 3):
                store.put_baseline(baseline, BENCHMARK, VERSION, model=model, run_id=run.id)
                held.append(FIRST + number * DAY + 3600)
            if number == 0 and drifts:
                pinned = [
                    (item_stores.place(model, reader, str(i)), _key(reader, model, str(i), night))
                    for i in range(min(100, n_items))
                ]
                anchors = store.put_anchors(pinned)
            elif drifts:
                _look(store, anchors.id, pinned, number, changed=number >= 7)
    with postgres.beside(url) as connection:
        for number, at in enumerate(held, start=1):
            its = schema.baselines
            connection.execute(update(its).where(its.c.id == number).values(at=at))
        connection.execute(update(schema.anchors).values(at=FIRST + 60))
    return url


def _key(judge: bytes, model: bytes, item: str, night: Planned) -> bytes:
    return content_key("judgment", [judge, model, item, night.served])


def _evaluate(
    store: Store, run: str, judge: bytes, name: str, night: Planned, hard: Sequence[float],
    number: int,
) -> bytes:  # fmt: skip
    at = FIRST + number * DAY + 60
    model = store.put_model(name, ModelSpec(weights=f"sha256:{name} {night.weights}"))
    draw = random.Random(f"{name} {night.weights}")
    for i, difficulty in enumerate(hard):
        item, lucky = str(i), draw.gauss(0, 0.08)
        key, response = item_stores.answer(model, item, f"{name} {night.weights} on {i}")
        store.put_responses({key: replace(response, stack=night.stack)})
        place = item_stores.place(model, judge, item)
        label = Label(name="correct" if difficulty + lucky < night.skill else "incorrect")
        key = _key(judge, model, item, night)
        verdict = Unreadable(reason="no verdict") if i == 7 and night.weights == "c" else label
        store.put_judgment(
            Judgment(
                key=key, judge_key=judge, case_key=key, verdict=verdict,
                served_model=night.served, at=at,
            ),
            [RunVerdict(run_id=run, place=place, judgment_key=key)],
        )  # fmt: skip
    purpose = Purpose(run_id=run, place=item_stores.place(model, judge, "0"))
    cost = None if number == 2 else 0.001 * (1 + number)
    store.put_spend(
        [Spend(purpose=purpose, how="live", provider="openai", model="gpt", cost_usd=cost, calls=9)]
    )
    return model


def _look(
    store: Store,
    anchors: int,
    pinned: Sequence[tuple[VerdictSlot, bytes]],
    number: int,
    *,
    changed: bool,
) -> None:
    """What the judge says of its anchors; one that changed calls everything correct."""
    said = []
    for place, before in pinned:
        first = store.judgment(before)
        assert first is not None
        verdict = Label(name="correct") if changed else first.verdict
        key = content_key("judgment", [before, number])
        again = replace(first, key=key, verdict=verdict, at=FIRST + number * DAY + 120)
        said.append((again, DriftCheck(anchors=anchors, occasion=f"night {number}", place=place)))  # type: ignore[arg-type]
    store.put_looks(said)


# training runs ----------------------------------------------------------------------------------

CURVE = (0.35, 0.45, 0.52, 0.60, 0.62, 0.63, 0.61, 0.45)
"""How good the checkpoints of a run are that was trained too long."""


def train(
    path: Path | str,
    *,
    skills: Sequence[float] = CURVE,
    run: str = "apo-november",
    judge: str = JUDGE,
    model: str = "apo",
    tags: Mapping[str, str] | None = None,
    n_items: int = 150,
) -> str:
    """Checkpoints every 200 steps of one run, and a model without tags; the URL."""
    url = stores.address(path)
    with open_store(url) as store, store.transaction():
        store.start_run(manifest := stores.manifest(f"of {run}"))
        store.put_items(item_stores.questions(n_items))
        reader = store.put_judge(judge, JudgeSpec(kind="reference", model="gpt"))
        hard = [random.Random(i).random() for i in range(n_items)]
        for number, skill in enumerate([*skills, 0.5]):
            step = 200 * (number + 1)
            plain = number == len(skills)
            name = "untagged" if plain else f"{model}-{step}"
            said = {"training_run": run, "step": str(step), **(tags or {"algorithm": "apo"})}
            spec = ModelSpec(weights=f"sha256:{run} {name}")
            key = store.put_model(name, spec, {} if plain else said)
            draw = random.Random(name)
            for i, difficulty in enumerate(hard):
                right = difficulty + draw.gauss(0, 0.12) < skill
                label = Label(name="correct" if right else "incorrect")
                lacks = number == 1 and i < 12
                verdict = Unreadable(reason="no verdict") if lacks else label
                item_stores.judge(store, manifest.id, reader, key, str(i), verdict)
    return url
