"""Correlations of two boards: scipy's values, and no interval, since none holds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, pearsonr, spearmanr

from judgebench.metrics.model_correlations import COEFFICIENTS, NO_INTERVAL, correlations

OF_SCIPY = {"spearman": spearmanr, "pearson": pearsonr, "kendall": kendalltau}
PAIRS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=12)


def boards(x: list[float], y: list[float]) -> tuple[dict[str, float], dict[str, float]]:
    names = [f"model {place}" for place in range(len(x))]
    return dict(zip(names, x, strict=True)), dict(zip(names, y, strict=True))


@given(PAIRS)
def test_values_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    x, y = ([float(value) for value in side] for side in zip(*pairs, strict=True))
    found = correlations(*boards(x, y))
    assert list(found) == list(COEFFICIENTS)
    constant = len(set(x)) == 1 or len(set(y)) == 1
    for name, estimate in found.items():
        assert (estimate.undefined is not None) == constant == math.isnan(estimate.value)
        if constant:
            assert math.isnan(estimate.low)
            continue
        assert estimate.value == pytest.approx(float(OF_SCIPY[name](x, y).statistic), abs=1e-9)


def test_models_that_one_of_them_lacks_are_counted() -> None:
    first = {"a": 1.0, "b": 2.0, "c": 4.0, "d": math.nan}
    second = {"a": 1.0, "b": 3.0, "c": 2.0, "d": 4.0, "e": 5.0}
    for estimate in correlations(first, second).values():
        assert (estimate.n, estimate.units, estimate.missing) == (3, 3, 2)


def test_no_number_of_models_has_an_interval() -> None:
    """In a world with half of the models alike none was measured to hold."""
    for n in (3, 12, 60):
        x = [float(place) for place in range(n)]
        y = [1.0, 0.0, *x[2:]]
        for estimate in correlations(*boards(x, y)).values():
            assert math.isnan(estimate.low)
            assert math.isnan(estimate.high)
            assert (estimate.method, estimate.n) == (NO_INTERVAL, n)
