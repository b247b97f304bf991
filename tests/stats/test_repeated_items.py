"""Means over rows that repeat: against the rows themselves, and what their repeating costs."""

from __future__ import annotations

import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.stats.board_correlation import board_correlation
from judgebench.stats.repeated_items import (
    OVERALL,
    RowMean,
    at_ends,
    cell_means,
    combined,
    contributions,
    effective_n,
    overall_mean,
    repeats,
    split_means,
)
from judgebench.stats.resample import multinomial_weights, weighted_sums

tenths = st.integers(0, 10).map(lambda n: n / 10)


@given(st.lists(st.sampled_from("abcdef")))
def test_rows_are_their_items_again(rows: list[str]) -> None:
    found = repeats(rows)
    assert [rows[found.first[item]] for item in found.item_of] == rows
    assert len(found.first) == len(found.times) == len(set(rows))
    assert [rows.count(rows[at]) for at in found.first] == found.times.tolist()


def test_rows_without_any() -> None:
    found = repeats([])
    assert (len(found.first), len(found.times), len(found.item_of)) == (0, 0, 0)
    assert effective_n([]) == 0


@given(st.lists(st.integers(1, 10), min_size=1))
def test_unequal_weights_are_worth_fewer_items(times: list[int]) -> None:
    found = effective_n(times)
    assert 1 - 1e-9 <= found <= len(times) + 1e-9
    assert effective_n([3 * n for n in times]) == pytest.approx(found)
    assert effective_n([2] * len(times)) == pytest.approx(len(times))


def test_effective_n_worked_by_hand() -> None:
    """Weights 3, 1, 1: 25 over 11."""
    assert effective_n([3, 1, 1]) == pytest.approx(25 / 11)


def test_effective_n_is_the_spread_of_the_mean() -> None:
    generator = np.random.default_rng(7)
    times = generator.integers(1, 11, size=200).astype(float)
    right = generator.random((4000, 200)) < 0.4
    means = right @ times / times.sum()
    assert means.std() == pytest.approx(math.sqrt(0.4 * 0.6 / effective_n(times)), rel=0.05)


def test_a_split_is_rounded_to_thousandths() -> None:
    found = split_means([1.0, 0.0, 0.0], ["TriviaQA", "TriviaQA", "AGIEval"])
    assert found == {
        OVERALL: RowMean(mean=0.333, rows=3),
        "TriviaQA": RowMean(mean=0.5, rows=2),
        "AGIEval": RowMean(mean=0.0, rows=1),
    }


def test_a_missing_score_leaves_only_its_means_undefined() -> None:
    found = split_means([1.0, math.nan], ["BBH", "MATH"])
    assert found["BBH"].mean == 1.0
    assert math.isnan(found["MATH"].mean)
    assert math.isnan(found[OVERALL].mean)


def test_nothing_to_combine() -> None:
    assert split_means([], []) == {}
    assert combined([{}, {}]) == {}


rows_of_a_split = st.lists(st.tuples(tenths, st.sampled_from(["MMLU", "AGIEval", "DROP"])))


@given(rows_of_a_split, rows_of_a_split)
def test_combined_is_the_mean_over_all_rows_but_for_rounding(first, second) -> None:
    splits = [split_means([s for s, _ in rows], [d for _, d in rows]) for rows in (first, second)]
    found = combined(splits)
    rows = [*first, *second]
    assert set(found) == {d for _, d in rows} | ({OVERALL} if rows else set())
    for name, one in found.items():
        scores = [s for s, d in rows if name in (OVERALL, d)]
        assert one.rows == len(scores)
        assert one.mean == pytest.approx(fmean(scores), abs=0.0005 + 1e-12)


def test_missing_scores_at_their_ends() -> None:
    scores = [0.3, math.nan, math.nan]
    assert at_ends(scores, [0.25, 0.25, 0.5]).tolist() == [
        [0.3, 0.0, 0.0],
        [0.3, 0.25, 0.5],
        [0.3, 1.0, 1.0],
    ]
    assert at_ends(scores, 0.5)[1].tolist() == [0.3, 0.5, 0.5]


items = st.lists(
    st.tuples(tenths | st.just(math.nan), st.integers(1, 5), st.integers(0, 2)), max_size=12
)


@given(items)
def test_sums_over_items_are_means_over_rows(drawn) -> None:
    scores, times, cells = (np.array([row[i] for row in drawn], dtype=float) for i in range(3))
    parts = contributions(scores, times, cells.astype(int), n_cells=3)
    means = cell_means(parts.sum(axis=0))
    rows = [(s, c) for s, n, c in drawn for _ in range(n) if not math.isnan(s)]
    for cell in range(3):
        there = [s for s, c in rows if c == cell]
        assert means[cell] == pytest.approx(fmean(there) if there else math.nan, nan_ok=True)


@given(items, st.integers(0, 99))
def test_a_replicate_is_a_weighting(drawn, seed: int) -> None:
    scores, times, cells = (np.array([row[i] for row in drawn], dtype=float) for i in range(3))
    cells = cells.astype(int)
    weights = multinomial_weights(len(drawn), 4, seed=seed)
    parts = contributions(scores, times, cells, n_cells=3)
    found = cell_means(weighted_sums(weights, parts))
    for row, means in zip(weights, found, strict=True):
        drawn_again = np.repeat(np.arange(len(drawn)), row.astype(int))
        again = contributions(
            scores[drawn_again], times[drawn_again], cells[drawn_again], n_cells=3
        )
        np.testing.assert_allclose(means, cell_means(again.sum(axis=0)))


def test_splits_keep_the_weights_of_the_benchmark() -> None:
    """Means 1/2 of 10 rows and 3/4 of 30; the second is missing in a third of its rows."""
    sums = np.array([[3.0, 6.0], [2.0, 4.0], [15.0, 20.0]])
    found = overall_mean(sums, [0, 0, 1], [10, 30])
    assert found == pytest.approx((10 * 0.5 + 30 * 0.75) / 40)
    sums[2] = 0.0
    assert np.isnan(overall_mean(sums, [0, 0, 1], [10, 30]))
    assert overall_mean(sums, [0, 0, 1], [10, 0]) == pytest.approx(0.5)


# Correlation with a board ------------------------------------------------------------------------


def test_only_models_that_both_have_are_correlated() -> None:
    board = {"a": 1.0, "b": 2.0, "c": 3.0, "d": math.nan, "e": 9.0}
    found = board_correlation({"c": 0.3, "b": 0.2, "a": 0.1, "d": 1.0, "e": math.nan}, board)
    assert found.models == ("a", "b", "c")
    assert found.undefined is None
    assert (found.spearman, found.kendall_b) == (pytest.approx(1), pytest.approx(1))
    assert found.pearson == pytest.approx(1)


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ({}, "0 models in common; a correlation needs two"),
        ({"a": 1.0, "z": 2.0}, "1 models in common; a correlation needs two"),
        ({"a": 0.5, "b": 0.5}, "the scores are the same for every model"),
        ({"b": 0.5, "c": 0.7}, "the board's scores are the same for every model"),
    ],
)
def test_no_correlation_and_why(scores: dict[str, float], reason: str) -> None:
    found = board_correlation(scores, {"a": 1.0, "b": 2.0, "c": 2.0})
    assert found.undefined == reason
    assert all(map(math.isnan, (found.spearman, found.pearson, found.kendall_b)))
