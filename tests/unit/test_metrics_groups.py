"""Groups of items on boards, and items that are one question: what is drawn and counted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.metrics.accuracy import accuracies
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.ranked_rows import Standing
from judgebench.metrics.scores import scores
from judgebench.metrics.win_rate import win_rates
from judgebench.stats.resample import content_seed, multinomial_weights

QUICK = Intervals(n_replicates=200)


def scored(values: dict[str, dict[str, float | None]], **more: Any) -> dict[str, list[Any]]:
    """Scores by model and item; None is unreadable."""
    rows = [(m, i, v) for m, of in values.items() for i, v in of.items()]
    columns: dict[str, list[Any]] = {
        "item_id": [i for _, i, _ in rows],
        "model": [m for m, _, _ in rows],
        "judge": ["j"] * len(rows),
        "sample": [0] * len(rows),
        "kind": ["unreadable" if v is None else "score" for *_, v in rows],
        "value": [v for *_, v in rows],
        "low": [0.0] * len(rows),
        "high": [1.0] * len(rows),
        "judge_kind": ["rubric"] * len(rows),
    }
    if "unit" in more:
        columns["unit"] = [more["unit"].get(i) for i in columns["item_id"]]
    return columns


def by_model(rows: tuple[Standing, ...]) -> dict[str, Standing]:
    return {row.model: row for row in rows}


def test_each_group_has_its_mean_its_missing_and_its_worst_case() -> None:
    values = {"a": {"1": 0.2, "2": 0.4, "3": None, "4": 1.0}}
    group_of = {"1": "x", "2": "x", "3": "y"}  # the fourth is in no group
    (row,) = scores(scored(values), groups=[group_of], intervals=QUICK)
    x, y = row.metrics["score/x"], row.metrics["score/y"]
    assert (x.value, x.n, x.missing, x.units) == (pytest.approx(0.3), 2, 0, 2)
    assert (y.n, y.missing, y.undefined) == (0, 1, "no readable verdict on y")
    assert (y.worst_low, y.worst_high) == (0.0, 1.0)
    assert row.metrics["score"].value == pytest.approx(1.6 / 3)
    assert [name for name in row.metrics if "/" in name] == ["score/x", "score/y"]


def test_a_group_is_drawn_with_the_whole_board() -> None:
    values = np.random.default_rng(5).integers(0, 11, 60) / 10
    names = [f"{i:02}" for i in range(60)]
    group_of = {name: "xxy"[i % 3] for i, name in enumerate(names)}
    mine: dict[str, float | None] = dict(zip(names, values.tolist(), strict=True))
    (row,) = scores(scored({"a": mine}), groups=[group_of], intervals=QUICK)
    draws = multinomial_weights(60, 200, seed=content_seed(*names, seed=0))
    for group in "xy":
        among = np.array([group_of[name] == group for name in names])
        means = draws[:, among] @ values[among] / draws[:, among].sum(axis=1)
        found = row.metrics[f"score/{group}"]
        assert [found.low, found.high] == pytest.approx(np.quantile(means, [0.025, 0.975]).tolist())


def test_labels_and_comparisons_have_groups_too() -> None:
    labels = scored({"a": {"1": 1.0, "2": 0.0}}) | {
        "kind": ["label", "label"],
        "label": ["correct", "incorrect"],
        "judge_kind": ["contains"] * 2,
    }
    (row,) = accuracies(labels, groups=[{"1": "x", "2": "y"}], intervals=QUICK)
    assert [row.metrics[f"accuracy/{g}"].value for g in "xy"] == [1.0, 0.0]
    pairs = scored({"a": {"1": 0.8, "2": 0.1}}) | {
        "kind": ["preference"] * 2,
        "opponent": ["base"] * 2,
    }
    (row,) = win_rates(pairs, "base", groups=[{"1": "x", "2": "y"}], intervals=QUICK)
    assert [row.metrics[f"win_rate/{g}"].value for g in "xy"] == pytest.approx([80.0, 10.0])


@given(
    st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=10, max_size=12),
    st.lists(st.integers(1, 4), min_size=12, max_size=12),
)
def test_rows_of_one_question_are_drawn_together(score: list[float], times: list[int]) -> None:
    """As a bootstrap of questions, each weighing as often as it occurs."""
    values, unit = {}, {}
    for question, value in enumerate(score):
        for n in range(times[question]):
            values[f"{question:02}-{n}"] = value
            unit[f"{question:02}-{n}"] = f"q{question}"
    row = by_model(scores(scored({"a": dict(values)}, unit=unit), intervals=QUICK))["a"]
    weight = np.array(times[: len(score)], dtype=float)
    y = np.array(score)
    found = row.metrics["score"]
    assert found.value == pytest.approx((weight * y).sum() / weight.sum())
    assert (found.n, found.units) == (int(weight.sum()), len(score))
    names = [f"{question:02}-0" for question in range(len(score))]
    draws = multinomial_weights(len(score), 200, seed=content_seed(*names, seed=0))
    means = (draws * weight) @ y / (draws @ weight)
    if len(set(score)) == 1:
        assert math.isnan(found.low)
        return
    assert [found.low, found.high] == pytest.approx(np.quantile(means, [0.025, 0.975]).tolist())


def test_without_repeats_nothing_changes() -> None:
    values = {"a": {str(i): i / 9 for i in range(10)}, "b": {str(i): i % 3 for i in range(10)}}
    plain = scores(scored(values), intervals=QUICK)
    named = scores(scored(values, unit={str(i): f"u{9 - i}" for i in range(10)}), intervals=QUICK)
    assert plain == named
    assert not math.isnan(plain[0].metrics["score"].low)


def test_a_row_that_does_not_say_its_question_takes_that_of_its_item() -> None:
    columns = scored({"a": {"1": 0.0, "2": 0.0, "3": 1.0}}, unit={"1": "q", "2": "q"})
    columns = {name: [*values, *values] for name, values in columns.items()}
    columns["judge"] = ["j"] * 3 + ["panel/mean(j)"] * 3
    columns["unit"][3:] = [None] * 3
    rows = scores(columns, intervals=QUICK)
    assert [row.metrics["score"].units for row in rows] == [2, 2]


def test_what_could_not_be_read_at_its_chance_value() -> None:
    columns = scored({"a": {"1": 1.0, "2": None, "3": None, "4": 0.0}})
    columns["kind"][2] = "failed"  # nobody guesses at what was not had
    (row,) = scores(columns, chance={str(i): 0.25 for i in range(1, 5)}, intervals=QUICK)
    guessed = row.metrics["score/guessed"]
    assert guessed.value == pytest.approx((1 + 0.25 + 0) / 3)
    assert (row.leading.worst_low, row.leading.worst_high) == (0.25, 0.75)
