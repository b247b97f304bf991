"""What a plan says its items could detect: from the store's history, or not at all."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from judgebench import api
from judgebench.execution.forecast import PlanRow
from judgebench.reports.power import notes
from judgebench.stats.gate_rule import detectable, units_to_detect
from judgebench.stats.unchanged import margin_to_pass, passes_unchanged, units_to_pass
from judgebench.store.opening import open_store
from tests.e2e.runs import MINI as FOLDER
from tests.e2e.runs import store_url, suite, typed
from tests.loopback import Loopback, Reaction
from tests.unit.compared import verdict
from tests.unit.exchanged import import_verdicts, rows_file

MINI = "trivia_judging_mini"
WORDS = ("INCORRECT", "CORRECT")
TAKERS = ("model-terse", "model-verbose", "model-weak")


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """A suite whose store has the verdicts on three models' 48 answers."""
    path = suite(tmp_path, limit=48, takers=TAKERS)
    assert typed("run", path).code == 0
    return path


def of(rows: list[PlanRow], judge: str) -> list[PlanRow]:
    return [row for row in rows if row.judge == judge]


def pairs_of(rows: list[PlanRow], judge: str) -> set[int]:
    """How many pairs of models the rows of a judge rest on."""
    return {row.detectable.pairs for row in of(rows, judge) if row.detectable is not None}


def expected_spread(folder: Path, judge: str) -> tuple[float, float]:
    """The median spread, and share right, over the pairs of models, by hand."""
    with api.open_store(store_url(folder)) as store:
        frame = store.verdicts(MINI, judges=[judge])
    right = frame.assign(right=frame["label"] == "correct").pivot(
        index="item_id", columns="model", values="right"
    )
    pairs = [right[list(two)].astype(float) for two in combinations(right.columns, 2)]
    spreads = [float((pair.iloc[:, 0] - pair.iloc[:, 1]).std(ddof=1)) for pair in pairs]
    return median(spreads), median(float(pair.to_numpy().mean()) for pair in pairs)


def test_it_follows_from_the_median_spread_and_the_items_of_the_plan(
    judged: Path, tmp_path: Path
) -> None:
    spread, right = expected_spread(tmp_path, "contains")
    smaller = suite(tmp_path, limit=30, takers=TAKERS)
    rows = api.plan(smaller, margin=0.1).rows
    found = [row.detectable for row in of(rows, "contains")]
    assert len(found) == 3
    for one in found:
        assert one is not None
        assert one.difference == pytest.approx(detectable(spread, 30, alpha=0.05, right=right))
        assert one.items_needed == units_to_detect(spread, 0.1, alpha=0.05, right=right)
        assert (one.pairs, one.judges, one.metric) == (3, ("contains",), "accuracy")
    assert all(row.detectable is None for row in rows if row.judge is None)
    assert (
        f"detectable, {MINI}, contains: accuracy, from the median spread over 3 pairs of models "
        "that contains judged"
    ) in notes(rows)


def test_a_plan_says_it_in_every_form(judged: Path) -> None:
    done = typed("plan", judged, "--margin", "0.1", "--format", "json")
    rows = [row for row in json.loads(done.out)["rows"] if row["judge"] == "contains"]
    assert all(0.05 < row["detectable_difference"] < 0.5 for row in rows)
    assert all(isinstance(row["items_needed"], int) for row in rows)
    assert all(row["cost_usd"] == {"low": 0, "expected": 0, "high": 0} for row in rows)
    table = typed("plan", judged, "--margin", "0.1").out
    assert "detectable" in table
    assert "items for 0.1" in table
    assert "detectable_difference" in typed("plan", judged, "--format", "csv").out.splitlines()[0]
    assert typed("plan", judged, "--margin", "0").code == 64


def test_without_a_history_it_is_not_known_and_that_is_said(tmp_path: Path) -> None:
    path = suite(tmp_path, limit=48, takers=TAKERS)
    rows = api.plan(path, margin=0.1).rows  # there is no store
    assert not Path(tmp_path / "store.db").exists()
    (one,) = {row.detectable for row in rows if row.judge is not None}
    assert one is not None
    assert math.isnan(one.difference)
    done = typed("plan", path, "--format", "json")
    told = [row for row in json.loads(done.out)["rows"] if row["judge"]]
    assert {row["detectable_difference"] for row in told} == {None}
    assert {row["items_needed"] for row in told} == {None}
    said = "what can be detected is not known, since no two models have been judged on 20 items"
    assert said in typed("plan", path).out


def test_few_items_in_common_are_no_history(tmp_path: Path) -> None:
    assert typed("run", suite(tmp_path, limit=19, takers=TAKERS)).code == 0
    rows = api.plan(suite(tmp_path, limit=48, takers=TAKERS)).rows
    assert all(
        row.detectable is not None and not row.detectable.pairs for row in of(rows, "contains")
    )
    assert typed("run", suite(tmp_path, limit=20, takers=TAKERS)).code == 0
    assert pairs_of(api.plan(suite(tmp_path, limit=48, takers=TAKERS)).rows, "contains") == {3}


def test_a_judge_without_verdicts_learns_from_those_of_its_kind(tmp_path: Path) -> None:
    with Loopback(lambda ask: Reaction(text=WORDS[len(ask.text) % 3 > 0])) as server:
        path = suite(tmp_path, server.url, limit=30, takers=TAKERS)
        assert typed("run", path).code == 0
        asked = len(server.asks)
        other = {"name": "other", "model": "another"}
        planned = api.plan(suite(tmp_path, server.url, limit=30, takers=TAKERS, judge=other)).rows
        assert len(server.asks) == asked
    assert not of(planned, "small")
    spread, right = expected_spread(tmp_path, "small")
    for row in of(planned, "other"):
        assert row.judge_calls > 20
        assert row.detectable is not None
        assert (row.detectable.judges, row.detectable.pairs) == (("small",), 3)
        assert row.detectable.difference == pytest.approx(
            detectable(spread, 30, alpha=0.05, right=right)
        )


def test_win_rates_are_in_percent_and_the_baseline_has_no_row(tmp_path: Path) -> None:
    """From verdicts that were imported under the judge's name."""
    generator = np.random.default_rng(4)
    won = {m: generator.uniform(0, 1, 48).round(3) for m in ("model-verbose", "model-weak")}
    rows = [
        verdict(item, model, "small", float(p), benchmark=MINI, opponent="model-terse")
        for model, values in won.items()
        for item, p in enumerate(values)
    ]
    with open_store(store_url(tmp_path)) as store:
        import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
    path = suite(
        tmp_path, "http://127.0.0.1:9/v1", limit=40, takers=TAKERS,
        judge={"kind": "pairwise"}, benchmark={"baseline": "model-terse"},
    )  # fmt: skip
    first, *others = of(api.plan(path, margin=5).rows, "small")
    assert (first.model, first.detectable) == ("model-terse", None)
    spread = float((won["model-verbose"] - won["model-weak"]).std(ddof=1))
    for row in others:
        assert row.detectable is not None
        assert row.detectable.difference == pytest.approx(100 * detectable(spread, 40, alpha=0.05))
        assert row.detectable.items_needed == pytest.approx(
            units_to_detect(spread, 0.05, alpha=0.05)
        )


def test_models_that_never_differ_say_nothing_of_a_difference(tmp_path: Path) -> None:
    takers = ("model-terse", "again")
    answers = tmp_path / "answers.jsonl"
    rows = [
        json.loads(line)
        for line in (FOLDER / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    rows = [row for row in rows if row["model"] == "model-terse"]
    rows_file(
        answers, [*rows, *(row | {"model": "again", "text": f"{row['text']} So."} for row in rows)]
    )
    path = suite(tmp_path, limit=30, takers=takers, answers=answers)
    assert typed("run", path).code == 0
    planned = api.plan(path).rows
    for row in of(planned, "contains"):
        assert row.detectable is not None
        assert row.detectable.undefined == "the models here do not differ"
    assert typed("plan", path, "--format", "json").code == 0


def test_a_plan_says_how_often_a_gate_passes_an_unchanged_model(
    judged: Path, tmp_path: Path
) -> None:
    def gate(*options: object) -> dict[str, Any]:
        said = json.loads(typed("plan", judged, *options, "--format", "json").out)["gate"]
        assert isinstance(said, dict)
        return said

    spread, _ = expected_spread(tmp_path, "contains")
    usual = gate()
    by_judge = {one["judge"]: one for one in usual["tests"]}
    assert set(by_judge) == {"exact_match", "contains"}
    one = by_judge["contains"]
    chance = passes_unchanged(spread, 48, 0.02, alpha=0.05, binary=True)
    assert one["chance_unchanged_passes"] == pytest.approx(chance)
    product = math.prod(test["chance_unchanged_passes"] for test in usual["tests"])
    assert usual["chance_unchanged_passes"] == pytest.approx(product)
    each = 0.8**0.5
    margin = margin_to_pass(spread, 48, alpha=0.05, chance=each, binary=True)
    assert one["margin_for_80"] == pytest.approx(margin)
    assert one["items_for_80"] == units_to_pass(spread, 0.02, alpha=0.05, chance=each, binary=True)
    assert one["default_drop"] == pytest.approx(0.06)
    assert gate("--margin", "0.2")["tests"][0]["max_drop"] == pytest.approx(0.2)
    file = tmp_path / "gate.yaml"
    file.write_text(f"tests: [{{benchmark: {MINI}, judge: contains, max_drop: 0.3}}]\n")
    (alone,) = gate("--policy", file)["tests"]
    assert (alone["judge"], alone["max_drop"]) == ("contains", 0.3)
    table = " ".join(typed("plan", judged).out.split())
    assert "an unchanged model passes a gate of these 2 tests together with" in table
    assert "80 % needs, trivia_judging_mini, contains: an allowed drop of" in table
    assert "verdicts exchanged at random" in table


def test_a_plan_says_which_tests_of_a_policy_it_knows_nothing_of(
    judged: Path, tmp_path: Path
) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text(
        f"""
tests:
  - {{benchmark: {MINI}, judge: contains, max_drop: 0.5}}
  - {{benchmark: {MINI}, judge: contains, max_drop: 0.4}}
  - {{benchmark: {MINI}, judge: nobody, max_drop: 0.1}}
  - {{benchmark: elsewhere, judge: contains, max_drop: 0.1}}
  - {{benchmark: {MINI}, max_drop: 0.1}}
"""
    )
    gate = json.loads(typed("plan", judged, "--policy", file, "--format", "json").out)["gate"]
    assert gate["chance_unchanged_passes"] is None
    assert [one["judge"] for one in gate["not_known"]] == ["nobody", "contains", None]
    assert [one["chance_unchanged_passes"] is None for one in gate["tests"]] == [
        False, False, True, True, True,
    ]  # fmt: skip
    table = " ".join(typed("plan", judged, "--policy", file).out.split())
    assert "a gate of these 5 tests together would pass an unchanged model is not known" in table
    assert "; of the 2 of 5 tests known " in table
    assert f"not known, {MINI}, nobody: the plan has no such judge" in table
    assert f"not known, {MINI}: the plan has several: " in table


def test_a_plan_of_too_few_items_for_a_policy_passes_nothing(judged: Path, tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    test = f"benchmark: {MINI}, judge: contains, max_drop: 0.5"
    file.write_text(f"tests: [{{{test}, min_n: 5000}}]\n")
    gate = json.loads(typed("plan", judged, "--policy", file, "--format", "json").out)["gate"]
    assert gate["chance_unchanged_passes"] == 0.0
    (one,) = gate["tests"]
    assert (one["margin_for_80"], one["items_for_80"]) == (None, 5000)
    assert "contains: 5,000 items;" in " ".join(typed("plan", judged, "--policy", file).out.split())
    file.write_text(f"tests: [{{{test}, strict_drop: 0.01}}]\n")
    gate = json.loads(typed("plan", judged, "--policy", file, "--format", "json").out)["gate"]
    assert gate["chance_unchanged_passes"] <= 0.95 + 1e-9
