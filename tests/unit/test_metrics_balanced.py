"""Categories that count equally: AlignBench's aggregation on boards; what stays undefined."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import Balance
from judgebench.metrics.ranked_rows import Standing
from judgebench.metrics.scores import scores

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "alignbench"
QUICK = Intervals(n_replicates=300)
SIDES = {
    "reasoning": ["数学计算", "逻辑推理"],
    "language": ["基本任务", "中文理解", "综合问答", "文本写作", "角色扮演", "专业能力"],
}


def columns(rows: list[tuple[str, float | None]]) -> dict[str, list[Any]]:
    n = len(rows)
    return {
        "item_id": [item for item, _ in rows],
        "model": ["m"] * n,
        "judge": ["j"] * n,
        "sample": [0] * n,
        "kind": ["unreadable" if value is None else "score" for _, value in rows],
        "value": [value for _, value in rows],
        "low": [1.0] * n,
        "high": [10.0] * n,
        "judge_kind": ["rubric"] * n,
    }


def one(rows: list[tuple[str, float | None]], balance: Balance) -> Standing:
    groups = [balance.category_of]
    (found,) = scores(columns(rows), groups=groups, balance=balance, intervals=QUICK)
    return found


@pytest.mark.skipif(
    not (GOLD / "aggregation_fixture.json").exists(),
    reason="the gold data (../shared/gold/alignbench beside the repository) is not here",
)
def test_the_fixture_officially_and_cleanly() -> None:
    fixture = json.loads((GOLD / "aggregation_fixture.json").read_text(encoding="utf-8"))
    expected = json.loads((GOLD / "expected.json").read_text(encoding="utf-8"))
    official, clean = (
        expected["aggregation_fixture"][view]
        for view in ("official_minus_one_counted", "unparsed_left_out")
    )
    rows = [(str(r["question_id"]), None if r["score"] == -1 else r["score"]) for r in fixture]
    category_of = {str(r["question_id"]): r["category"] for r in fixture}
    row = one(rows, Balance(category_of=category_of, sides=SIDES, unparsed=-1))
    assert row.leading.value == pytest.approx(clean["overall"], abs=1e-9)
    for name in (*SIDES, *sorted(set(category_of.values()))):
        assert row.metrics[f"score/{name}"].value == pytest.approx(clean[name], abs=1e-9), name
    assert row.metrics["score/official"].value == pytest.approx(official["overall"], abs=1e-9)
    assert row.leading.missing == expected["aggregation_fixture"]["unparsed"]
    assert row.leading.low < row.leading.value < row.leading.high


def test_sides_categories_and_items() -> None:
    category_of = {"1": "a", "2": "a", "3": "a", "4": "b", "5": "c", "6": "elsewhere"}
    rows = [("1", 1.0), ("2", 2.0), ("3", 3.0), ("4", 6.0), ("5", 9.0), ("6", 10.0)]
    balance = Balance(category_of=category_of, sides={"x": ["a", "b"], "y": ["c"]})
    row = one(rows, balance)
    said = {name: estimate.value for name, estimate in row.metrics.items()}
    assert said["score"] == pytest.approx(((2 + 6) / 2 + 9) / 2)
    assert (said["score/x"], said["score/y"]) == (4.0, 9.0)
    assert said["score/items"] == pytest.approx(31 / 6)
    assert "score/official" not in said
    assert (row.leading.n, row.leading.units) == (5, 5)


def test_the_worst_case_and_a_category_that_nobody_could_read() -> None:
    category_of = {"1": "a", "2": "a", "3": "b"}
    balance = Balance(category_of=category_of, sides={"x": ["a", "b"]}, unparsed=-1)
    row = one([("1", 5.0), ("2", None), ("3", 7.0)], balance)
    assert row.leading.value == 6.0
    assert (row.leading.worst_low, row.leading.worst_high) == ((3 + 7) / 2, (7.5 + 7) / 2)
    assert row.metrics["score/official"].value == pytest.approx(((5 - 1) / 2 + 7) / 2)
    row = one([("1", 5.0), ("2", 6.0), ("3", None)], balance)
    assert math.isnan(row.leading.value)
    assert row.leading.undefined is not None
    assert "which counts as much as any other" in row.leading.undefined
    assert row.metrics["score/official"].value == pytest.approx((5.5 - 1) / 2)
    row = one([("1", 5.0), ("2", 6.0)], balance)  # a part of the benchmark has no whole
    assert row.leading.undefined == ("no readable verdict on b, which counts as much as any other")


def test_intervals_draw_items_and_balance_each_draw() -> None:
    generator = np.random.default_rng(3)
    values = generator.integers(1, 11, 60).astype(float)
    category_of = {f"{i:02}": "ab"[i % 3 == 0] for i in range(60)}
    rows: list[tuple[str, float | None]] = [(f"{i:02}", v) for i, v in enumerate(values)]
    row = one(rows, Balance(category_of=category_of, sides={"x": ["a", "b"]}))
    draws = []
    for weights in QUICK.resamples(sorted(category_of)).weights():
        for w in weights:
            means = [
                np.average(values[of], weights=w[of])
                for of in (np.arange(60) % 3 != 0, np.arange(60) % 3 == 0)
            ]
            draws.append(np.mean(means))
    assert [row.leading.low, row.leading.high] == pytest.approx(
        np.quantile(draws, [0.025, 0.975]).tolist()
    )
