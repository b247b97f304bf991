"""Correlations of two boards: scipy's values, and intervals over models that hold what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, pearsonr, spearmanr

from judgebench.metrics.intervals import Intervals
from judgebench.metrics.model_correlations import COEFFICIENTS, FEWEST_DRAWN, RANKS, correlations

FEW = Intervals(n_replicates=50)
OF_SCIPY = {"spearman": spearmanr, "pearson": pearsonr, "kendall": kendalltau}
PAIRS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=12)


def boards(x: list[float], y: list[float]) -> tuple[dict[str, float], dict[str, float]]:
    names = [f"model {place}" for place in range(len(x))]
    return dict(zip(names, x, strict=True)), dict(zip(names, y, strict=True))


@given(PAIRS)
@settings(max_examples=60, deadline=None)
def test_values_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    x, y = ([float(value) for value in side] for side in zip(*pairs, strict=True))
    found = correlations(*boards(x, y), FEW)
    assert list(found) == list(COEFFICIENTS)
    constant = len(set(x)) == 1 or len(set(y)) == 1
    for name, estimate in found.items():
        assert (estimate.undefined is not None) == constant == math.isnan(estimate.value)
        if constant:
            assert math.isnan(estimate.low)
            continue
        assert estimate.value == pytest.approx(float(OF_SCIPY[name](x, y).statistic), abs=1e-9)
        # No interval where too many draws of models have one score alone.
        assert math.isnan(estimate.low) == ("no interval" in estimate.method)
        if not math.isnan(estimate.low):
            assert -1 - 1e-9 <= estimate.low <= estimate.high <= 1 + 1e-9


def test_models_that_one_of_them_lacks_are_counted() -> None:
    first = {"a": 1.0, "b": 2.0, "c": 4.0, "d": math.nan}
    second = {"a": 1.0, "b": 3.0, "c": 2.0, "d": 4.0, "e": 5.0}
    for estimate in correlations(first, second, FEW).values():
        assert (estimate.n, estimate.units, estimate.missing) == (3, 3, 2)


def test_equal_boards_give_equal_intervals() -> None:
    x = [float(place) for place in range(12)]
    y = [1.0, 0.0, 3.0, 2.0, *x[4:]]
    assert correlations(*boards(x, y), FEW) == correlations(*boards(x, y), FEW)
    other = Intervals(n_replicates=50, seed=1)
    assert correlations(*boards(x, y), FEW) != correlations(*boards(x, y), other)


def test_few_models_have_no_interval_and_pearsons_coefficient_never() -> None:
    x = [float(place) for place in range(FEWEST_DRAWN)]
    y = [1.0, 0.0, 3.0, 2.0, *x[4:]]
    enough = correlations(*boards(x, y), FEW)
    few = correlations(*boards(x[:-1], y[:-1]), FEW)
    for name in RANKS:
        assert enough[name].low < enough[name].value <= enough[name].high
        assert math.isnan(few[name].low)
        assert few[name].method == "no interval: over 11 models none was measured to hold"
        assert few[name].n == 11
    assert math.isnan(enough["pearson"].low)
    assert "a few models lie far from others" in enough["pearson"].method


def test_intervals_cover_with_as_many_models_as_a_board_has() -> None:
    """33 models of a bivariate normal, whose coefficients are known; simulated error 0.02."""
    rho, n, rounds = 0.9, 33, 150
    truth = {
        "spearman": 6 / math.pi * math.asin(rho / 2),
        "pearson": rho,
        "kendall": 2 / math.pi * math.asin(rho),
    }
    draw = np.random.default_rng(20240527)
    held = dict.fromkeys(truth, 0)
    for seed in range(rounds):
        x = draw.normal(size=n)
        y = rho * x + math.sqrt(1 - rho**2) * draw.normal(size=n)
        found = correlations(*boards(x, y), Intervals(n_replicates=200, seed=seed))
        for name, true in truth.items():
            held[name] += found[name].low <= true <= found[name].high
    assert all(0.9 <= held[name] / rounds <= 1 for name in RANKS), held
