"""A metric before and after on the same items, and the difference with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import Balance
from judgebench.metrics.paired import PairedDifference, before_and_after
from judgebench.records import BINARY
from judgebench.stats.paired_tests import tango_bounds

CODES = {"+": "correct", "-": "incorrect"}
QUICK = Intervals(n_replicates=400)


def rows(codes: str, items: Sequence[str] | None = None) -> dict[str, list[Any]]:
    """``"+-?."``: correct, incorrect, unreadable, no verdict; one letter an item."""
    named = items or [str(i) for i in range(len(codes))]
    said = [(item, code) for item, code in zip(named, codes, strict=True) if code != "."]
    return {
        "item_id": [item for item, _ in said],
        "kind": ["label" if code in CODES else "unreadable" for _, code in said],
        "label": [CODES.get(code) for _, code in said],
        "value": [None] * len(said),
        "sample": [0] * len(said),
    }


def compared(first: str, second: str, **how: Any) -> PairedDifference:
    items = {str(i) for i in range(len(first))}
    return labels_compared(rows(first), rows(second), how.pop("items", items), **how)


def labels_compared(first: Any, second: Any, items: Any, **how: Any) -> PairedDifference:
    return before_and_after(
        first, second, items, BoardKind("label"), "j", labels=BINARY, intervals=QUICK, **how
    )


def test_both_metrics_and_their_difference_are_of_the_same_items() -> None:
    found = compared("++--++--?.", "+-+-++++++")
    assert (found.first.value, found.second.value) == (0.5, 0.75)
    assert found.difference.value == 0.25
    assert (found.difference.units, found.difference.missing) == (8, 2)
    # two items lack a verdict before: at the worst they were right, at the best they were wrong
    assert found.difference.worst_low == pytest.approx(8 / 10 - 6 / 10)
    assert found.difference.worst_high == pytest.approx(8 / 10 - 4 / 10)


def test_the_interval_is_that_of_the_mean_of_paired_differences() -> None:
    generator = np.random.default_rng(5)
    first = generator.random(400) < 0.6
    second = np.where(generator.random(400) < 0.1, ~first, first)
    found = compared(*("".join("+" if right else "-" for right in one) for one in (first, second)))
    differences = second.astype(float) - first
    error = differences.std() / math.sqrt(len(differences))
    assert found.difference.value == pytest.approx(differences.mean())
    width = found.difference.high - found.difference.low
    assert width == pytest.approx(2 * 1.96 * error, rel=0.15)
    unpaired = math.hypot(first.std(), second.std()) / math.sqrt(len(first))
    assert width < 2 * unpaired  # a difference that is not paired is far less sure


@given(st.lists(st.sampled_from(["++", "+-", "-+", "--", "+?", ".-"]), min_size=2, max_size=12))
def test_turned_round_the_difference_changes_its_sign(codes: list[str]) -> None:
    first, second = ("".join(one) for one in zip(*codes, strict=True))
    there, back = compared(first, second), compared(second, first)
    if there.difference.undefined:
        assert back.difference.undefined == there.difference.undefined
        return
    assert there.difference.value == pytest.approx(-back.difference.value)
    ends = there.difference.low, there.difference.high
    assert ends == pytest.approx((-back.difference.high, -back.difference.low), nan_ok=True)


def test_the_bounds_are_those_of_the_test_that_compares() -> None:
    found = compared("+" * 40 + "-" * 60, "+" * 30 + "-" * 70)
    expected = tango_bounds(0, 10, 100, alpha=0.025)
    assert (found.difference.low, found.difference.high) == pytest.approx(expected)
    assert found.difference.method == "Tango's score test"


def test_the_order_of_rows_does_not_matter() -> None:
    def of(order: Sequence[int]) -> PairedDifference:
        one = rows("++--+-", [str(i) for i in range(6)])
        turned = {name: [values[i] for i in order] for name, values in one.items()}
        return labels_compared(turned, rows("+++--+"), set(one["item_id"]))

    assert of([3, 1, 5, 0, 2, 4]) == of(range(6))


def test_items_that_are_one_question_are_drawn_together() -> None:
    """Twenty questions that stand in a benchmark four times each say as much as twenty."""
    generator = np.random.default_rng(2)
    right = ["".join(generator.choice(["+", "-"], 20)) for _ in range(2)]
    alone = compared(*right)
    often = [one * 4 for one in right]
    units = {str(i): f"question {i % 20}" for i in range(80)}
    drawn = compared(*often, units=units).difference
    assert drawn.value == pytest.approx(alone.difference.value)
    width = alone.difference.high - alone.difference.low
    assert drawn.high - drawn.low == pytest.approx(width, rel=0.2)
    apart = compared(*often).difference
    assert apart.high - apart.low == pytest.approx(width / 2, rel=0.2)


def test_undefined_without_a_common_item_and_on_one_as_wide_as_the_test_says() -> None:
    none = compared("++", "--", items=set())
    assert math.isnan(none.difference.value)
    assert none.difference.undefined == "no readable verdict"
    unread = compared("+?", "?+")
    assert math.isnan(unread.difference.value)
    assert (unread.difference.units, unread.difference.missing) == (0, 2)
    one = compared("+", "-")
    assert one.difference.value == -1.0
    bounds = tango_bounds(0, 1, 1, alpha=0.025)
    assert (one.difference.low, one.difference.high) == pytest.approx(bounds)


def test_a_metric_that_balances_categories_is_compared_as_such() -> None:
    """Three items of one category and one of the other: each category is half of the whole."""

    def scores(values: Sequence[float]) -> dict[str, list[Any]]:
        n = len(values)
        return {
            "item_id": [str(i) for i in range(n)], "kind": ["score"] * n, "label": [None] * n,
            "value": list(values), "low": [0.0] * n, "high": [1.0] * n, "sample": [0] * n,
        }  # fmt: skip

    balance = Balance(
        category_of={"0": "a", "1": "a", "2": "a", "3": "b"}, sides={"one": ["a", "b"]}
    )

    before, after = scores([1, 0, 1, 0]), scores([1, 0, 1, 1])
    found = before_and_after(
        before, after, set(before["item_id"]), BoardKind("score"), "j",
        labels=BINARY, balance=balance, intervals=QUICK,
    )  # fmt: skip
    assert found.first.value == pytest.approx(1 / 3)
    assert found.difference.value == pytest.approx(0.5)


def test_what_neither_side_says_anything_of_is_missing_on_neither() -> None:
    found = compared("+-+..", "++?+.")
    assert (found.difference.units, found.difference.missing) == (2, 2)
    # each on the items of which both have one: of four, not of five
    assert (found.first.missing, found.second.missing) == (2, 2)
    assert found.difference.worst_high == pytest.approx(4 / 4 - 2 / 4)
