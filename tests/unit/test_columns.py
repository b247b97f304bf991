"""Columns as codes: each helper does to codes what it does to a list of the same values."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.columns import (
    Coded,
    all_differ,
    coded,
    compact,
    counted,
    distinct,
    last_values,
    latest,
    marked,
    numbers,
    occurring,
    paired,
    same,
    select_rows,
    taken,
    together,
)
from tests.table import over_rows

ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 3)), max_size=30)


def columns(rows: list[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
    return [one for one, _ in rows], [other for _, other in rows]


@given(ROWS)
def test_codes_are_read_as_the_list_they_stand_for(rows: list[tuple[Any, Any]]) -> None:
    first, _ = columns(rows)
    column = coded(first)
    assert coded(column) is column
    assert list(column) == first
    assert column == first
    assert [column[row] for row in range(len(column))] == first
    assert column[1:] == first[1:]
    assert list(column.mapped(str)) == [str(value) for value in first]


@given(ROWS)
def test_counts_are_in_the_order_of_first_rows(rows: list[tuple[Any, Any]]) -> None:
    first, second = columns(rows)
    assert list(counted(first).items()) == list(Counter(first).items())
    assert list(counted(coded(first), second).items()) == list(Counter(rows).items())
    assert list(paired(first, coded(second))) == rows


def test_equal_values_with_several_codes_count_together() -> None:
    column = Coded(np.array([2, 0, 1, 2]), ["x", "y", "x"])
    assert list(counted(column).items()) == [("x", 3), ("y", 1)]
    assert sorted(distinct(column)) == ["x", "y"]
    assert sorted(distinct(["a", "a", "b", "b"], column)) == ["a", "b", "b"]


@given(ROWS, st.data())
def test_rows_are_taken_and_added_alike(rows: list[tuple[Any, Any]], data: st.DataObject) -> None:
    first, second = columns(rows)
    some = st.lists(st.integers(0, len(rows) - 1)) if rows else st.just([])
    chosen = data.draw(some)
    assert taken(coded(first), chosen) == [first[row] for row in chosen]
    assert taken(first, chosen) == [first[row] for row in chosen]
    assert list(taken(np.array(second, dtype=float), chosen)) == [second[row] for row in chosen]


@given(ROWS, st.booleans())
def test_columns_that_share_codes_go_on_doing_so(rows: list[tuple[Any, Any]], first: bool) -> None:
    both = coded(rows)
    shared = {"one": both.mapped(lambda one: one[0]), "other": both.mapped(lambda one: one[1])}
    chosen = [row for row in range(len(rows)) if row % 2 != first]
    some = select_rows(shared, chosen)
    more = together(some, {"one": ["new", "a"]})
    assert some["one"].rows is some["other"].rows  # type: ignore[union-attr]
    assert more["one"].rows is more["other"].rows  # type: ignore[union-attr]
    assert list(more["one"]) == [*(rows[row][0] for row in chosen), "new", "a"]
    assert list(more["other"]) == [*(rows[row][1] for row in chosen), None, None]
    for columns in (some, more):
        told = list(zip(columns["one"], columns["other"], strict=True))
        assert paired(columns["one"], columns["other"]) == told
        assert counted(columns["one"], columns["other"]) == Counter(told)
        assert last_values(columns["one"], columns["other"]) == dict(told)


def test_a_number_that_is_none_is_nan_and_a_list_stays_one() -> None:
    more = together({"number": np.array([1.0]), "word": ["a"]}, {"number": [None], "word": ["b"]})
    assert more["word"] == ["a", "b"]
    assert np.isnan(more["number"]).tolist() == [False, True]  # type: ignore[arg-type]


@given(ROWS)
def test_each_row_that_says_something_new_counts_once(rows: list[tuple[Any, Any]]) -> None:
    first, second = columns(rows)
    assert counted(distinct(first, second)) == Counter(one for one, _ in set(rows))


@given(ROWS)
def test_what_follows_from_a_value_is_asked_once_for_each(rows: list[tuple[Any, Any]]) -> None:
    first, second = columns(rows)
    assert marked(first, lambda value: value is None).tolist() == [one is None for one in first]
    assert numbers(second, float).tolist() == second


@over_rows("n_codes", [4, 10**9])
def test_dense_and_sparse_codes_are_compacted_alike(n_codes: int) -> None:
    codes = np.array([3, 0, 3, 1])
    found, place = compact(codes, n_codes)
    assert found.tolist() == [0, 1, 3]
    assert place.tolist() == [2, 0, 2, 1]
    assert occurring(codes, n_codes).tolist() == [0, 1, 3]


@over_rows(
    ("codes", "differ"),
    [([], True), ([2, 0, 1], True), ([2, 0, 2], False), ([0, 0, 0, 0], False)],
)
@pytest.mark.parametrize("n_codes", [3, 10**9])
def test_codes_that_occur_twice_are_told(codes: list[int], differ: bool, n_codes: int) -> None:
    assert all_differ(np.array(codes, dtype=np.int64), n_codes) is differ


def test_one_value_and_no_rows() -> None:
    assert same("x", 2) == ["x", "x"]
    assert counted(same("x", 0)) == {}


def test_rows_are_worked_on_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judgebench.columns._BLOCK", 3)
    rows = [(value, row) for row, value in enumerate("bcaabccab")]
    first, second = columns(rows)
    assert list(counted(first).items()) == [("b", 3), ("c", 3), ("a", 3)]
    assert latest(second, first) == dict(rows)
    assert last_values(first, second) == dict(rows)


def test_more_values_than_a_byte_counts_and_more_pairs_than_four_do() -> None:
    few, many = np.arange(100, dtype=np.int8), np.arange(70_000, dtype=np.int32)
    more = together({"n": Coded(few, range(100))}, {"n": [str(n) for n in range(100)]})
    assert list(more["n"]) == [*range(100), *(str(n) for n in range(100))]
    both = paired(Coded(many, range(70_000)), Coded(many[::-1], range(70_000)))
    assert [both[row] for row in (0, 1, 69_999)] == [(0, 69_999), (1, 69_998), (69_999, 0)]
    assert len({*both.values}) == 70_000
