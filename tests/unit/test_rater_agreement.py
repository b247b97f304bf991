"""A rater against the others: the numbers of the agreement report, read from few rows."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from judgebench import keys
from judgebench.exchange.pipeline import imported_judge
from judgebench.labels import TAKEN_BACK, put_label
from judgebench.metrics.agreement import label_kappa, score_kappa
from judgebench.records import (
    JudgeSpec,
    Judgment,
    Label,
    ModelSpec,
    Preference,
    RunVerdict,
    Score,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from judgebench.reports.agreement import rater_agreement
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.agreements import agreement, outcome_agreement

ANNA, BERT = "human/anna", "human/bert"
AT = ("made_up", "v1")
MODELS = ("a", "b", "c")


def model(name: str) -> bytes:
    return keys.model_key(ModelSpec(weights=f"name:{name}"))


def place(item: int, name: str, **more: Any) -> VerdictSlot:
    given = VerdictSlot(benchmark=AT[0], version=AT[1], item_id=str(item), model_key=model(name),
                  judge_key=b"")  # fmt: skip
    return replace(given, **more)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(str(tmp_path / "s.db")) as opened:
        for name in MODELS:
            opened.put_model(name, ModelSpec(weights=f"name:{name}"))
        put_label(opened, "human/first", place(999, "a"), Label(name="correct"))  # a run to use
        yield opened


def says(store: Store, judge: str, said: dict[VerdictSlot, Verdict]) -> None:
    if judge.startswith("human/"):
        for where, verdict in said.items():
            put_label(store, judge, where, verdict)
        return
    (run,) = [run.id for run in store.runs() if "human/first" in run.name]
    key = store.put_judge(judge, JudgeSpec(kind="imported", model=judge))
    with store.transaction():
        for where, verdict in said.items():
            there = replace(where, judge_key=key)
            one = keys.content_key("judgment", there)
            judgment = Judgment(key=one, judge_key=key, case_key=one, verdict=verdict)
            store.put_judgment(judgment, [RunVerdict(run_id=run, place=there, judgment_key=one)])


def key_of(rater: str) -> bytes:
    return keys.judge_key(imported_judge(rater))


def labels(seed: int, n: int, wrong: float) -> dict[VerdictSlot, Verdict]:
    draw, errs = random.Random(1), random.Random(seed)
    return {
        place(i, name): Label(
            name="correct" if (draw.random() < 0.6) != (errs.random() < wrong) else "incorrect"
        )
        for i in range(n)
        for name in MODELS
    }


def test_labels_are_compared_where_the_rater_has_labelled(store: Store) -> None:
    says(store, "gpt", labels(2, 40, 0.2) | {place(0, "a"): Unreadable(reason="none")})
    says(store, BERT, labels(3, 20, 0.1))
    says(store, "elsewhere", {place(99, "a"): Label(name="correct")})
    says(store, ANNA, labels(4, 12, 0.1))
    rows = rater_agreement(store, *AT, key_of(ANNA), "label").rows
    assert [row.judge for row in rows] == [BERT, "gpt"], "people first; of strangers nothing"
    table = agreement(store.verdicts(*AT), reference=ANNA)
    expected = {row.judge: row for row in table.rows if row.scope == "pooled"}
    for row in rows:
        for name in ("agreement", "cohen_kappa"):
            one, same = row.metrics[name], expected[row.judge].metrics[name]
            for field in ("value", "n", "units", "missing", "worst_low", "worst_high"):
                assert getattr(one, field) == pytest.approx(getattr(same, field))
    assert [row.metrics["cohen_kappa"].n for row in rows] == [36, 35]
    assert [row.metrics["cohen_kappa"].missing for row in rows] == [0, 1]


def test_on_the_same_rows_the_intervals_are_those_of_the_report(store: Store) -> None:
    says(store, "gpt", labels(2, 30, 0.2))
    says(store, ANNA, labels(4, 30, 0.1))
    columns = store.verdicts(*AT)
    (found,) = label_kappa(columns, reference=ANNA, labels=("incorrect", "correct"))[:1]
    (same,) = (
        row
        for row in agreement(columns, reference=ANNA).rows
        if (row.judge, row.scope) == (found.judge, "pooled")
    )
    for name in ("agreement", "cohen_kappa"):
        one, other = found.metrics[name], same.metrics[name]
        assert (one.value, one.low, one.high) == (other.value, other.low, other.high)


def test_what_the_rater_took_back_is_not_compared(store: Store) -> None:
    says(store, "gpt", labels(2, 10, 0.2))
    says(store, ANNA, labels(4, 10, 0.1))
    says(store, ANNA, {place(i, "a"): TAKEN_BACK for i in range(10)})
    (row,) = rater_agreement(store, *AT, key_of(ANNA), "label").rows
    assert row.metrics["cohen_kappa"].n == 20
    report = rater_agreement(store, *AT, key_of(ANNA), "label")
    frame = report.to_frame()
    assert frame[frame["metric"] == "cohen_kappa"]["n"].tolist() == [20]
    assert list(report.tables()[0].rows[0])[::2] == ["gpt", "20"]
    says(store, ANNA, {place(i, name): TAKEN_BACK for i in range(10) for name in "bc"})
    assert rater_agreement(store, *AT, key_of(ANNA), "label").rows == ()


def test_what_another_rater_took_back_is_not_missing(store: Store) -> None:
    says(store, BERT, labels(2, 10, 0.2))
    says(store, ANNA, labels(4, 10, 0.1))
    says(store, BERT, {place(i, "a"): TAKEN_BACK for i in range(10)})
    (row,) = rater_agreement(store, *AT, key_of(ANNA), "label").rows
    kappa = row.metrics["cohen_kappa"]
    assert (kappa.n, kappa.missing) == (20, 10), "as where nobody was asked"


def prefers(second: int) -> Preference:
    return Preference(winner=1 if second else 0, p_first=1.0 - second)


def test_preferences_are_compared_whichever_way_round_the_judge_was_asked(store: Store) -> None:
    draw = random.Random(5)
    asked = {"opponent_key": model("a")}
    for judge, errs in (("gpt", 0.2), (ANNA, 0.1)):
        says(
            store, judge,
            {
                place(i, "b", order="opponent_first", **asked): prefers(w)
                for i in range(20)
                for w in [int((i % 3 == 0) != (draw.random() < errs))]
            },
        )  # fmt: skip
    turned = {
        place(i, "a", order="model_first", opponent_key=model("b")): Preference(
            winner=0 if i % 3 else 1, p_first=1.0 if i % 3 else 0.0
        )
        for i in range(20)
    }
    says(store, "turned", turned)
    rows = rater_agreement(store, *AT, key_of(ANNA), "preference").rows
    assert [row.judge for row in rows] == ["gpt", "turned"]
    assert [row.metrics["cohen_kappa"].n for row in rows] == [20, 20]
    table = outcome_agreement(store.verdicts(*AT), reference=ANNA)
    expected = {r.judge: r.metrics["cohen_kappa"] for r in table.rows if r.scope == "pooled"}
    for row in rows:
        assert row.metrics["cohen_kappa"].value == pytest.approx(expected[row.judge].value)


def test_scores_have_the_quadratic_kappa_of_the_declared_scale(store: Store) -> None:
    draw = np.random.default_rng(3)
    truth = draw.integers(1, 6, size=60)
    mine = np.clip(truth + draw.integers(-1, 2, size=60), 1, 5)
    theirs = np.clip(truth + draw.integers(-1, 2, size=60), 1, 5)

    def scored(values: Any, low: float = 1, high: float = 5) -> dict[VerdictSlot, Verdict]:
        return {
            place(i, "a"): Score(value=float(value), low=low, high=high)
            for i, value in enumerate(values)
        }

    says(store, ANNA, scored(mine))
    says(store, "gpt", scored(theirs - 0.3) | {place(0, "a"): Unreadable(reason="no score")})
    says(store, "other scale", scored(theirs, 1, 10))
    (row,) = rater_agreement(store, *AT, key_of(ANNA), "score").rows
    kappa = row.metrics["cohen_kappa"]
    expected = cohen_kappa_score(mine[1:], theirs[1:], weights="quadratic", labels=[1, 2, 3, 4, 5])
    assert kappa.value == pytest.approx(expected)
    assert (kappa.n, kappa.missing) == (59, 1)
    assert kappa.low < kappa.value < kappa.high
    assert row.metrics["agreement"].value == pytest.approx(np.mean(mine[1:] == theirs[1:]))


def test_scores_on_a_scale_without_whole_ends_have_no_kappa(store: Store) -> None:
    says(store, ANNA, {place(0, "a"): Score(value=1.5, low=0.5, high=4.5)})
    assert rater_agreement(store, *AT, key_of(ANNA), "score").rows == ()


def test_one_label_alone_has_no_kappa_and_says_why() -> None:
    columns: dict[str, list[Any]] = {
        "item_id": ["0", "0"], "model": ["a", "a"], "judge": [ANNA, "gpt"], "sample": [0, 0],
        "kind": ["score", "score"], "label": [None, None], "value": [3.0, 3.0],
        "low": [1.0, 1.0], "high": [5.0, 5.0],
    }  # fmt: skip
    (row,) = score_kappa(columns, reference=ANNA, low=1, high=5)
    assert np.isnan(row.metrics["cohen_kappa"].value)
    assert row.metrics["cohen_kappa"].undefined


def test_a_rater_who_has_said_nothing_agrees_with_nobody(store: Store) -> None:
    assert rater_agreement(store, *AT, key_of("human/new"), "label").rows == ()


def test_what_stands_beside_labels_is_looked_up_place_by_place(store: Store) -> None:
    """However many millions of verdicts there are; a scan of a benchmark would take seconds."""
    says(store, "gpt", labels(2, 5, 0.2))
    says(store, ANNA, labels(4, 2, 0.1))
    asked: list[str] = []
    connection = store._database._raw
    connection.set_trace_callback(asked.append)
    store.verdicts_beside(*AT, key_of(ANNA))
    connection.set_trace_callback(None)
    (query,) = (text for text in asked if "FROM uses" in text)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    by_place = ("benchmark_id", "judge_id", "model_id", "opponent_id", "item_id")
    assert any("uses" in step and all(f"{name}=?" in step for name in by_place) for step in plan)
    assert not any(step.startswith("SCAN uses") for step in plan)
