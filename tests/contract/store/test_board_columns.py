"""What boards read are the rows that other reports read, in the same order."""

from __future__ import annotations

import math
import random
import time
from typing import Literal

import pytest

from judgebench.keys import content_key
from judgebench.records import (
    AFRESH,
    WITHDRAWN,
    Item,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    ModelSpec,
    Order,
    Preference,
    Response,
    RunManifest,
    Runtime,
    RunVerdict,
    Score,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from judgebench.store.store import Store

BENCHMARK, VERSION = "bench", "1"
ORDERS: tuple[Order, ...] = ("model_first", "opponent_first")
TEXTS = ("", "plain", "nul \0 and half a pair \ud83d", "\u2003 wide " + "x" * 300, "🏁" * 200)


def fill(store: Store, draw: random.Random) -> None:
    """Every kind of verdict, on two benchmarks, some places used by two runs and some twice."""
    for run in ("late", "early"):  # the names are in another order than the runs
        store.start_run(
            RunManifest(
                id=run, name="n", configuration={}, versions={}, git_sha=None, data_sha={},
                seeds={}, started=1.0,
            )
        )  # fmt: skip
    models = [store.put_model("same name", ModelSpec(weights=f"w{n}")) for n in range(3)]
    judges = {
        kind: store.put_judge(kind, JudgeSpec(kind=kind, model="m"))
        for kind in ("pairwise", "rubric", "reference", "human", "imported")
    }
    for benchmark in ("other", BENCHMARK):
        turns = (Message(role="user", content="?"),)
        store.put_items(
            [
                Item(benchmark=benchmark, version=VERSION, id=str(n), turns=turns)
                for n in range(6)
            ]
        )  # fmt: skip
        put = []
        for number in range(200):
            kind = draw.choice(list(judges))
            compared = kind == "pairwise"
            place = VerdictSlot(
                benchmark=benchmark, version=VERSION, item_id=str(draw.randrange(6)),
                model_key=models[draw.randrange(2)], judge_key=judges[kind],
                opponent_key=models[2] if compared else None,
                order=draw.choice(ORDERS) if compared else "single",
                sample=draw.randrange(2), turn=draw.randrange(2),
                repeat=draw.choice([0, 1, AFRESH]),
            )  # fmt: skip
            key = content_key("judgment", [benchmark, number])
            judgment = Judgment(
                key=key, judge_key=judges[kind], case_key=key, verdict=verdict(draw, kind),
                marks=marks(draw, compared), at=time.time(),
                served_model=draw.choice([None, "served"]),
            )  # fmt: skip
            run = draw.choice(["late", "early"])
            put.append((judgment, RunVerdict(run_id=run, place=place, judgment_key=key)))
        for start in range(0, len(put), 40):
            store.put_judgments(put[start : start + 40])
        store.put_responses(
            {
                content_key("response", [benchmark, number]): Response(
                    benchmark=benchmark, version=VERSION, item_id=str(draw.randrange(6)),
                    model_key=draw.choice(models), sample=draw.randrange(2),
                    text=draw.choice(TEXTS), raw="raw", source="test",
                    status=draw.choice(["ok", "empty"]),
                    stack=draw.choice([None, Runtime(backend="a"), Runtime(backend="b")]),
                )
                for number in range(60)
            }
        )  # fmt: skip


def verdict(draw: random.Random, kind: str) -> Verdict:
    if draw.random() < 0.1:  # of a person a label that was taken back, of others a word
        return Unreadable(reason=WITHDRAWN)
    if draw.random() < 0.2:
        return Unreadable(reason=draw.choice(["truncated", "two verdicts \0"]))
    if kind == "pairwise":
        p = draw.choice([0.0, 0.1, 0.5, 0.75])
        winner: Literal[0, 1] = 0 if p > 0.5 else 1
        return Preference(winner=winner, p_first=p)
    if kind == "rubric":
        parts = draw.choice([{}, {"tone": 1.0}, {"tone": 2.0, "facts": 3.0}])
        return Score(value=draw.random(), low=draw.choice([0.0, -math.inf]), high=1.0, parts=parts)
    return Label(name=draw.choice(["correct", "incorrect", "odd"]), p=draw.choice([None, 0.25]))


def marks(draw: random.Random, compared: bool) -> tuple[str, ...] | None:
    made = draw.choice([(), ("cut",), ("addresses_judge", "cut")])
    return tuple(f"{mark}/{draw.randrange(2)}" for mark in made) if compared else made


@pytest.mark.parametrize("seed", range(2))
def test_rows_are_those_of_all_reports(store: Store, seed: int) -> None:
    fill(store, random.Random(seed))
    expected = store.verdicts(BENCHMARK, VERSION)
    found = store.board_verdicts(BENCHMARK, VERSION)
    assert len(expected["kind"]) < 200  # some places were used twice
    for name, column in found.items():
        read = [None if isinstance(one, float) and math.isnan(one) else one for one in column]
        assert read == expected[name], name
    left_out = {"benchmark", "version", "category", "official_prompt", "p"}
    assert expected.keys() - found.keys() == left_out

    answers = store.responses_table(BENCHMARK, VERSION)
    rows = [row for row, newest in enumerate(answers["newest"]) if newest]
    assert len(rows) < len(answers["newest"])
    found = store.board_answers(BENCHMARK, VERSION)
    for name in ("model", "model_id", "item_id", "status", "at", "stack"):
        assert list(found[name]) == [answers[name][row] for row in rows], name
    texts = [answers["text"][row] for row in rows]
    assert list(found["length"]) == [len(text) for text in texts]
    written = [text[:160].replace("\0", "�").replace("\ud83d", "�") for text in texts]
    assert list(found["start"]) == written
    whole = store.board_answers(BENCHMARK, VERSION, texts=True)
    assert whole.pop("text") == texts
    assert {name: list(column) for name, column in whole.items()} == {
        name: list(column) for name, column in found.items()
    }
    assert len(set(found["stack"])) > 1

    one = answers["model_id"][0]
    its = store.responses_table(BENCHMARK, VERSION, models=[one])
    assert its["text"] == [
        text
        for model, text in zip(answers["model_id"], answers["text"], strict=True)
        if model == one
    ]


def test_of_what_nobody_has_judged_there_are_no_rows(store: Store) -> None:
    store.put_items([Item(benchmark=BENCHMARK, version=VERSION, id="0", turns=())])
    for found in (
        store.board_verdicts(BENCHMARK, VERSION),
        store.board_answers(BENCHMARK, VERSION),
        store.board_verdicts("no such", VERSION),
    ):
        assert {len(column) for column in found.values()} == {0}


def test_there_may_be_more_kinds_of_rows_than_a_byte_counts(store: Store) -> None:
    fill(store, random.Random(0))
    judge = store.put_judge("reference", JudgeSpec(kind="reference", model="m"))
    model = store.put_model("another", ModelSpec(weights="w9"))
    put = []
    for n in range(300):
        place = VerdictSlot(
            benchmark=BENCHMARK, version=VERSION, item_id="0", model_key=model, judge_key=judge,
            sample=n,
        )  # fmt: skip
        said = Label(name=f"label {n}") if n % 2 else Unreadable(reason=f"reason {n}")
        key = content_key("judgment", ["many", n])
        judgment = Judgment(
            key=key, judge_key=judge, case_key=key, verdict=said, served_model=None, at=1.0
        )
        put.append((judgment, RunVerdict(run_id="late", place=place, judgment_key=key)))
    store.put_judgments(put)
    expected, found = store.verdicts(BENCHMARK, VERSION), store.board_verdicts(BENCHMARK, VERSION)
    for name in ("model", "sample", "kind", "label", "reason"):
        assert list(found[name]) == expected[name], name
