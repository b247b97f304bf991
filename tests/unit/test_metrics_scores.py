"""Mean scores on the declared scale: parts, scales with and without ends, what is missing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from judgebench.columns import Coded
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.ranked_rows import Standing
from judgebench.metrics.scores import by_dimension, scales_of, scores
from judgebench.metrics.verdict_table import FAILED, verdict_values
from judgebench.stats.ranking import rank_sets
from tests.table import over_rows

FAST = Intervals(n_replicates=200)


def given(
    *rows: tuple[str, str, float | None], scale: tuple[float, float] = (1, 10), **more: Any
) -> dict[str, list]:
    """Model, item and score of each row; None is unreadable, nan failed."""

    def kind(value: float | None) -> str:
        return "unreadable" if value is None else FAILED if math.isnan(value) else "score"

    seen: dict[tuple[str, str], int] = {}
    columns: dict[str, list] = {
        "model": [model for model, _, _ in rows],
        "item_id": [item for _, item, _ in rows],
        "judge": ["judge"] * len(rows),
        "judge_kind": ["rubric"] * len(rows),
        "sample": [],
        "kind": [kind(value) for _, _, value in rows],
        "value": [value for _, _, value in rows],
        "low": [scale[0]] * len(rows),
        "high": [scale[1]] * len(rows),
    }
    for model, item, _ in rows:
        columns["sample"].append(seen.setdefault((model, item), 0))
        seen[model, item] += 1
    return columns | more


def by_model(columns: dict[str, list]) -> dict[str, Standing]:
    return {row.model: row for row in scores(columns, intervals=FAST)}


def test_a_number_of_what_is_no_score_is_none() -> None:
    kept = given(("a", "x", 3.0), ("a", "y", None), ("a", "z", 4.0))
    assert np.isnan(verdict_values(kept, "score")).tolist() == [False, True, False]
    other = kept | {"value": [3.0, 2.0, 4.0]}
    assert np.isnan(verdict_values(other, "score")).tolist() == [False, True, False]


def test_items_count_equally_and_what_is_missing_is_bounded_by_the_scale() -> None:
    rows = by_model(
        given(("a", "1", 4), ("a", "1", 8), ("a", "2", 3), ("a", "3", None), ("b", "1", 9))
    )
    a, b = rows["a"].leading, rows["b"].leading
    assert a.value == pytest.approx((6 + 3) / 2)
    assert (a.n, a.units, a.missing) == (3, 2, 1)
    assert (a.worst_low, a.worst_high) == (
        pytest.approx((6 + 3 + 1) / 3),
        pytest.approx((6 + 3 + 10) / 3),
    )
    assert (b.value, b.missing, b.worst_low) == (9, 2, pytest.approx((9 + 1 + 1) / 3))
    assert [(rows[m].rank, rows[m].counts["not_asked"]) for m in "ab"] == [(2, 0), (1, 2)]


def test_the_interval_is_a_bootstrap_over_items_and_none_on_a_single_one() -> None:
    spread = [("a", str(i), float(i % 5)) for i in range(200)]
    a = scores(given(*spread, scale=(0, 4)))[0].leading
    se = math.sqrt(2 / 200)
    assert a.low == pytest.approx(2 - 1.96 * se, abs=0.03)
    assert a.high == pytest.approx(2 + 1.96 * se, abs=0.03)
    single = by_model(given(("a", "1", 4)))["a"].leading
    assert single.value == 4
    assert math.isnan(single.low)
    assert single.method == "no interval, a single item"


def test_a_scale_without_ends_has_no_worst_case() -> None:
    ends = (-math.inf, math.inf)
    a = by_model(given(("a", "1", -3.5), ("a", "2", None), scale=ends))["a"].leading
    assert (a.value, a.missing, a.worst_low, a.worst_high) == (-3.5, 1, None, None)


def test_parts_are_metrics_of_their_own_and_may_be_missing() -> None:
    parts = [{"tone": 2.0, "facts": 6.0}, {"tone": 4.0}, None]
    columns = given(("a", "1", 4), ("a", "2", 6), ("b", "1", 5))
    rows = by_model(columns | by_dimension({"parts": Coded(np.arange(3), parts)}))
    assert list(rows["a"].metrics) == ["score", "score/facts", "score/tone"]
    assert (rows["a"].metrics["score/tone"].value, rows["a"].metrics["score/tone"].n) == (3, 2)
    facts = rows["a"].metrics["score/facts"]
    assert (facts.value, facts.n, facts.missing) == (6, 1, 1)
    assert rows["b"].metrics["score/tone"].undefined == "no readable verdict"


def ranks_of(columns: dict[str, list]) -> dict[str, tuple[int | None, int | None, int | None]]:
    rows = by_model(columns)
    return {name: (row.rank, row.rank_low, row.rank_high) for name, row in rows.items()}


@over_rows("scale", [(1.0, 10.0), (-math.inf, math.inf)])
def test_sets_of_ranks_are_on_the_scale_of_the_scores(scale: tuple[float, float]) -> None:
    """Without ends the scale is as wide as what is seen: here from 1 to 10 as well."""
    table = np.random.default_rng(4).normal(np.linspace(4.0, 7.0, 6), 1.5, (50, 6))
    table = np.clip(table, 1.0, 10.0)
    table[0, :2] = 1.0, 10.0
    rows = [(f"m{m}", f"{i}", float(table[i, m])) for i in range(50) for m in range(6)]
    covariance = np.cov(table, rowvar=False) / 50
    low, high = rank_sets(table.mean(axis=0), covariance, units=50, width=9.0)
    found = ranks_of(given(*rows, scale=scale))
    assert [found[f"m{m}"][1:] for m in range(6)] == list(zip(low, high, strict=True))
    assert len(set(low)) > 1


def test_an_item_that_counts_five_times_is_one_unit() -> None:
    """Ten rows of two questions are no ten items."""
    rows = [(model, f"{i}", score) for model, score in (("a", 9.0), ("b", 2.0)) for i in range(10)]
    assert ranks_of(given(*rows)) == {"a": (1, 1, 1), "b": (2, 2, 2)}
    units = {str(i): f"q{i // 5}" for i in range(10)}
    columns = given(*rows)
    columns["unit"] = [units[item] for item in columns["item_id"]]
    assert ranks_of(columns) == {"a": (1, 1, 2), "b": (2, 1, 2)}


def test_rewards_that_are_all_equal_rank_nobody() -> None:
    rows = [(model, f"{i}", 3.0) for model in "abc" for i in range(20)]
    found = ranks_of(given(*rows, scale=(-math.inf, math.inf)))
    assert set(found.values()) == {(1, 1, 3)}


def test_scores_of_one_judge_on_two_scales_have_no_mean() -> None:
    columns = given(("a", "1", 4), ("a", "2", 6), ("b", "1", 5))
    columns["high"] = [10, 5, 10]
    row = by_model(columns)["a"]
    assert math.isnan(row.leading.value)
    assert (row.rank, row.leading.n, row.leading.missing) == (None, 2, 0)
    assert "on several scales (1 to 5, 1 to 10)" in (row.leading.undefined or "")


def test_a_scoring_judge_that_could_not_be_read_once_is_on_the_board_of_scores() -> None:
    rows = by_model(given(("a", "1", None), ("a", "2", math.nan)))
    assert (rows["a"].counts["unreadable"], rows["a"].counts["failed"]) == (1, 1)
    assert rows["a"].rank is None


def test_no_rows_are_on_no_scale() -> None:
    columns: dict[str, list[Any]] = {"kind": ["score"], "low": [1.0], "high": [10.0]}
    assert scales_of(columns, range(1)) == [(1.0, 10.0)]
    assert scales_of(columns, range(0)) == []
    nothing: dict[str, list[Any]] = {name: [] for name in columns}
    assert scales_of(nothing, range(0)) == []


def test_no_scores_are_no_rows() -> None:
    assert scores(given()) == ()


@over_rows("n", [2, 9, 10])
def test_under_ten_items_a_mean_has_no_interval_and_the_reason(n: int) -> None:
    a = scores(given(*(("a", str(i), 1.0 + 8.0 * (i % 2)) for i in range(n))))[0].leading
    assert math.isnan(a.low) == math.isnan(a.high) == (n < 10)
    said = "no interval: under 10 items none was measured to hold"
    assert (a.method == said) == (n < 10)


def test_percentiles_of_a_mean_do_not_hold_under_ten_items() -> None:
    """The coverage that the least number of items rests on."""
    generator = np.random.default_rng(7)

    def coverage(n: int, trials: int = 400) -> float:
        ends = generator.beta(0.5, 0.5, (trials, n))
        draws = generator.multinomial(n, np.full(n, 1 / n), size=(trials, 400)) / n
        low, high = np.quantile(np.einsum("tdn,tn->td", draws, ends), [0.025, 0.975], axis=1)
        return float(((low <= 0.5) & (high >= 0.5)).mean())

    assert coverage(3) < 0.8 < 0.85 < coverage(10)


def test_one_unit_asked_twenty_times_is_not_twenty_for_the_ranks() -> None:
    """Units count by their effective number, and sets of ranks do not narrow."""
    generator = np.random.default_rng(3)
    values = {m: generator.random(30) + 2.0 * (m == "a") for m in "ab"}

    def sets(times: int) -> list[tuple[int | None, int | None]]:
        rows, units = [], []
        for m in "ab":
            for i in range(30):
                for n in range(times if i == 0 else 1):
                    rows.append((m, f"{i:02}-{n}", float(values[m][i])))
                    units.append(f"u{i:02}")
        found = by_model(given(*rows, scale=(0, 4), unit=units))
        return [(found[m].rank_low, found[m].rank_high) for m in "ab"]

    assert sets(1) == [(1, 1), (2, 2)]
    assert sets(20) == [(1, 2), (1, 2)]
