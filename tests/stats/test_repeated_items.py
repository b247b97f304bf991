"""What repeated items are worth, and correlations of boards."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.stats.rank_correlation import board_correlation
from judgebench.stats.resample import effective_n
from tests.table import over_rows


def test_no_items() -> None:
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


# Correlation with a board ------------------------------------------------------------------------


def test_only_models_that_both_have_are_correlated() -> None:
    board = {"a": 1.0, "b": 2.0, "c": 3.0, "d": math.nan, "e": 9.0}
    found = board_correlation({"c": 0.3, "b": 0.2, "a": 0.1, "d": 1.0, "e": math.nan}, board)
    assert found.models == ("a", "b", "c")
    assert found.undefined is None
    assert (found.spearman, found.kendall_b) == (pytest.approx(1), pytest.approx(1))
    assert found.pearson == pytest.approx(1)


@over_rows(
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
