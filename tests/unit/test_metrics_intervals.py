"""Ends of bootstrap intervals: none where the draws do not vary, but for rounding."""

from __future__ import annotations

import math

import numpy as np

from judgebench.metrics.intervals import ALL_EQUAL, Intervals, wilson
from tests.table import over_rows


def draws(value: float, spread: float) -> np.ndarray:
    return value + spread * np.array([[0.0], [-1.0], [1.0], [0.0]])


@over_rows(
    ("value", "spread"), [(5.0, 0.0), (0.01, 1e-17), (0.1 + 0.2, 5e-17), (1e6, 1e-8), (0.0, 0.0)]
)
def test_equal_draws_have_no_interval_and_the_reason(value: float, spread: float) -> None:
    low, high, method = Intervals().ends(draws(value, spread), None).at(0)
    assert math.isnan(low)
    assert math.isnan(high)
    assert method.endswith(ALL_EQUAL)


@over_rows(("value", "spread"), [(5.0, 1e-6), (0.01, 1e-9), (0.0, 1e-6)])
def test_draws_that_vary_have_one(value: float, spread: float) -> None:
    low, high, method = Intervals().ends(draws(value, spread), None).at(0)
    assert low < value < high
    assert "no interval" not in method


def test_draws_that_are_equal_where_they_are_defined_have_none() -> None:
    values = np.array([[1.0], [1.0], [np.nan], [1.0], *[[1.0]] * 20])
    low, _, method = Intervals().ends(values, None).at(0)
    assert math.isnan(low)
    assert "1 of them undefined" in method
    assert method.endswith(ALL_EQUAL)


@over_rows(("units", "given"), [(29.0, True), (30.0, False)])
def test_a_proportion_has_wilsons_interval_under_thirty_items(units: float, given: bool) -> None:
    assert (wilson(0.5, units, level=0.95) is not None) == given


@over_rows(
    ("units", "weights", "fewest", "replicates"),
    [(10, 1_000, 50, 100), (100, 1_000, 50, 50), (10, 10**6, 50, 400), (0, 1_000, 50, 400)],
)
def test_of_many_units_there_are_fewer_replicates(
    units: int, weights: int, fewest: int, replicates: int
) -> None:
    wanted = Intervals(n_replicates=400).affordable(units, weights, fewest=fewest)
    assert wanted == Intervals(n_replicates=replicates)


def test_draws_at_once_are_those_of_the_sums() -> None:
    wanted, items = Intervals(n_replicates=7, seed=3), ["b", "a", "c"]
    some = np.concatenate([*wanted.resamples(items).weights()])
    np.testing.assert_array_equal(wanted.draws(items), some)
    assert wanted.draws(items).shape == (7, 3)
    assert not np.array_equal(wanted.draws(items), wanted.draws([*"abc"]))
