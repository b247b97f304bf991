"""Win rates: values, ties, orders, repeats, what is missing, and a second computation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from judgebench.metrics.intervals import Intervals
from judgebench.metrics.ranked_rows import Standing
from judgebench.metrics.verdict_table import FAILED
from judgebench.metrics.win_rate import win_rates
from tests.table import over_rows

FAST = Intervals(n_replicates=100)
ORDER = {"1": "model_first", "2": "opponent_first", "": "single"}

Row = tuple[str, str, str, float | None]


def given(*rows: Row, **more: Any) -> dict[str, list]:
    """Model, item, order and probability of winning of each row; None is unreadable, nan failed."""

    def kind(value: float | None) -> str:
        return "unreadable" if value is None else FAILED if math.isnan(value) else "preference"

    seen: dict[tuple[str, str, str], int] = {}
    repeat = []
    for model, item, order, _ in rows:
        repeat.append(seen.setdefault((model, item, order), 0))
        seen[model, item, order] += 1
    return {
        "model": [row[0] for row in rows],
        "item_id": [row[1] for row in rows],
        "judge": ["judge"] * len(rows),
        "opponent": ["base"] * len(rows),
        "sample": [0] * len(rows),
        "repeat": repeat,
        "order": [ORDER[row[2]] for row in rows],
        "kind": [kind(row[3]) for row in rows],
        "value": [row[3] for row in rows],
    } | more


def by_model(columns: dict[str, list]) -> dict[str, Standing]:
    return {row.model: row for row in win_rates(columns, "base", intervals=FAST)}


def test_percentages_of_items_with_wins_losses_and_ties() -> None:
    a = by_model(given(("a", "1", "", 0.9), ("a", "2", "", 0.2), ("a", "3", "", 0.5)))["a"]
    assert a.leading.value == pytest.approx(100 * 1.6 / 3)
    assert a.metrics["discrete_win_rate"].value == pytest.approx(50.0)
    assert [a.counts[name] for name in ("n_wins", "n_losses", "n_ties")] == [1, 1, 1]
    assert list(a.metrics) == ["win_rate", "discrete_win_rate", "standard_error"]
    error = a.metrics["standard_error"]
    assert error.value == pytest.approx(100 * np.std([0.9, 0.2, 0.5], ddof=1) / math.sqrt(3))
    assert error.method == "no interval: under 10 items none was measured to hold"
    alone = by_model(given(("a", "1", "", 0.9)))["a"].metrics["standard_error"]
    assert (math.isnan(alone.value), alone.undefined) == (True, "fewer than two items")
    assert 0 <= a.leading.low < a.leading.value < a.leading.high <= 100


def test_both_orders_are_one_verdict_and_flips_are_told() -> None:
    """Item 1 is won in both, item 2 by whoever stands first, item 3 once and tied once."""
    columns = given(
        ("a", "1", "1", 1.0), ("a", "1", "2", 1.0),
        ("a", "2", "1", 1.0), ("a", "2", "2", 0.0),
        ("a", "3", "1", 1.0), ("a", "3", "2", 0.5),
        ("a", "4", "1", 0.0),
    )  # fmt: skip
    a = by_model(columns)["a"]
    assert a.leading.value == pytest.approx(100 * (1 + 0.5 + 0.75 + 0) / 4)
    assert (a.leading.n, a.leading.units) == (7, 4)
    assert [a.counts[name] for name in ("n_wins", "n_losses", "n_ties", "half")] == [2, 1, 1, 0]
    flips = a.metrics["order_flips"]
    assert (flips.value, flips.n, flips.units) == (pytest.approx(200 / 3), 6, 3)


def test_an_order_that_cannot_be_read_leaves_the_other_one_to_count() -> None:
    a = by_model(given(("a", "1", "1", 1.0), ("a", "1", "2", None), ("a", "2", "", 0.0)))["a"]
    assert (a.leading.value, a.leading.missing, a.counts["half"]) == (50.0, 1, 1)
    assert (a.leading.worst_low, a.leading.worst_high) == (25.0, 50.0)
    failed = by_model(given(("a", "1", "1", math.nan), ("a", "1", "2", 0.0)))["a"]
    assert (failed.leading.value, failed.counts["half"], failed.counts["failed"]) == (0.0, 1, 1)


def test_repeats_in_one_order_do_not_favour_who_stands_first() -> None:
    a = by_model(
        given(
            ("a", "1", "1", 1.0), ("a", "1", "1", 1.0), ("a", "1", "1", 1.0), ("a", "1", "2", 0.0)
        )
    )["a"]
    assert a.leading.value == 50.0


def test_one_half_is_a_tie_however_it_was_added_up() -> None:
    a = by_model(given(("a", "1", "1", 0.9), ("a", "1", "2", 1 - 0.9)))["a"]
    assert (a.counts["n_ties"], a.metrics["discrete_win_rate"].value) == (1, 50.0)


def test_a_clean_sweep_has_an_interval_that_is_no_point() -> None:
    a = by_model(given(*(("a", str(i), "", 1.0) for i in range(40))))["a"].leading
    assert (a.value, a.high, a.method) == (100.0, 100.0, "wilson")
    assert 90.0 < a.low < 95.0


def test_other_opponents_are_on_other_boards() -> None:
    columns = given(("a", "1", "", 1.0), ("a", "2", "", 0.0))
    columns["opponent"] = ["base", "other"]
    assert by_model(columns)["a"].leading.value == 100.0
    (other,) = win_rates(columns, "other", intervals=FAST)
    assert (other.leading.value, other.leading.n) == (0.0, 1)


def by_hand(rows: list[Row], model: str) -> tuple[float, int]:
    """Means of repeats, of orders, of items, one after the other."""
    items = []
    for item in sorted({row[1] for row in rows if row[0] == model}):
        orders = []
        for order in ORDER:
            said = [r[3] for r in rows if r[:3] == (model, item, order)]
            read = [p for p in said if p is not None and not math.isnan(p)]
            if read:
                orders.append(sum(read) / len(read))
        if orders:
            items.append(sum(orders) / len(orders))
    return (100 * sum(items) / len(items) if items else math.nan), len(items)


ANY_ROW = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from("123"),
    st.sampled_from(["1", "2"]),
    st.sampled_from([None, math.nan, 0.0, 0.25, 0.5, 0.75, 1.0]),
)


@generated(st.lists(ANY_ROW, min_size=1, max_size=20))
def test_as_a_loop_over_items_computes_it(rows: list[Row]) -> None:
    for model, row in by_model(given(*rows)).items():
        value, units = by_hand(rows, model)
        found = row.leading
        assert (found.value, found.units) == (pytest.approx(value, nan_ok=True), units)
        assert found.worst_low is not None
        assert found.worst_high is not None
        missing = sum(row.counts[why] for why in ("unreadable", "failed", "not_asked"))
        assert missing == found.missing
        outcomes = sum(row.counts[name] for name in ("n_wins", "n_losses", "n_ties"))
        assert outcomes == units
        if units == len({item for _, item, *_ in rows}):
            assert found.worst_low - 1e-9 <= found.value <= found.worst_high + 1e-9


@over_rows(("flipped", "method"), [(9, "wilson"), (10, "percentile")])
def test_few_flips_have_wilsons_interval(flipped: int, method: str) -> None:
    rows = [
        row
        for item in range(60)
        for row in (
            ("a", str(item), "1", float(item % 2)),
            ("a", str(item), "2", float((item + (item < flipped)) % 2)),
        )
    ]
    flips = by_model(given(*rows))["a"].metrics["order_flips"]
    assert flips.value == pytest.approx(100 * flipped / 60)
    assert flips.method.startswith(method)


def test_the_baseline_against_itself_varies_nowhere_and_has_no_interval() -> None:
    own = by_model(given(*(("base", str(item), "", 0.5) for item in range(60))))["base"].leading
    assert own.value == 50.0
    assert math.isnan(own.low)
    assert own.method.endswith("no interval: all draws are equal")
