"""Bounds and p-values of replicates: against a plain loop, Student's t, and at their ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.stats.paired_bootstrap import FEWEST, bootstrap_test
from judgebench.stats.paired_tests import paired_test, share_of_none
from judgebench.stats.resample import expanded_level, multinomial_weights


def replicated(d: np.ndarray, n_replicates: int = 2000, seed: int = 1) -> np.ndarray:
    """A mean and its replicates."""
    weights = multinomial_weights(len(d), n_replicates, seed=seed)
    return np.concatenate([[d.mean()], weights @ d / len(d)])


@given(
    st.integers(0, 2**32 - 1),
    st.floats(-3.5, 3.5),
    st.sampled_from([20, 100, 400]),
    st.sampled_from([0.05, 0.05 / 2, 0.05 / 3, 0.005, 0.0005]),
)
def test_a_bound_leaves_zero_out_exactly_where_p_says_so(
    seed: int, errors: float, units: int, level: float
) -> None:
    generator = np.random.default_rng(seed)
    drawn = 0.1 * (errors + generator.standard_t(4, 500))
    found = bootstrap_test([0.1 * errors, *drawn], units=units, alpha=0.05, n_parameters=2)
    low, high = found.bounds(level)
    assert (high < 0.0) is (found.p_worse <= level)
    assert (low > 0.0) is (found.p_better <= level)
    stricter = found.bounds(level / 2)
    assert stricter[0] <= low <= high <= stricter[1]


def test_bounds_are_those_of_a_plain_loop() -> None:
    d = np.random.default_rng(0).normal(-0.1, 1.0, 60)
    weights = multinomial_weights(60, 500, seed=1)
    means = []
    for row in weights:
        drawn = [value for value, times in zip(d, row, strict=True) for _ in range(int(times))]
        means.append(math.fsum(drawn) / len(drawn))
    found = bootstrap_test([d.mean(), *means], units=60, alpha=0.05)
    level = expanded_level(0.9, 60)
    assert level > 0.9
    tails = [(1 - level) / 2, (1 + level) / 2]
    assert [found.low, found.high] == pytest.approx(np.quantile(means, tails))
    assert found.spread == pytest.approx(np.std(means, ddof=1) * math.sqrt(60))
    assert (found.units, found.binary) == (60, False)


def test_a_mean_is_tested_much_as_signs_and_students_t_test_it() -> None:
    d = np.random.default_rng(3).normal(-0.1, 1.0, 400)
    found = bootstrap_test(replicated(d), units=400, alpha=0.05)
    other = paired_test(d, alpha=0.05)
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.012)
    assert found.p_worse == pytest.approx(other.p_worse, abs=0.015)
    assert found.p_differs == pytest.approx(2 * found.p_worse)
    turned = bootstrap_test(-replicated(d), units=400, alpha=0.05)
    assert turned.p_worse == pytest.approx(1 - found.p_worse, abs=0.01)
    assert turned.p_differs == found.p_differs
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


@given(st.floats(-0.4, 0.4), st.sampled_from([0.005, 0.05, 0.1]), st.integers(8, 300))
def test_the_bound_lies_below_zero_where_the_p_value_is_below_alpha(
    mean: float, alpha: float, n: int
) -> None:
    d = mean + np.random.default_rng(n).normal(0.0, 1.0, n)
    found = bootstrap_test(replicated(d), units=n, alpha=alpha, n_parameters=3)
    slack = 0.004  # the percentile lies between two replicates
    if found.p_worse < alpha - slack:
        assert found.high <= 0.0
    if found.p_worse > alpha + slack:
        assert found.high >= 0.0


def test_a_tail_without_replicates_is_students() -> None:
    """2,000 draws tell no chance below 0.0005; a policy of forty tests asks for 0.00014."""
    d = np.random.default_rng(4).normal(-0.35, 1.0, 400)
    values = replicated(d)
    assert (values[1:] < 0.0).all()
    found = bootstrap_test(values, units=400, alpha=0.05)
    other = paired_test(d, alpha=0.0001)
    assert 0.0 < found.p_worse < 1e-8
    assert found.high < 0.0
    strict = bootstrap_test(values, units=400, alpha=0.0001)
    assert 0.0001 * len(values) < FEWEST
    assert strict.low == pytest.approx(other.low, abs=0.03)


def test_nothing_moves_and_little_is_known() -> None:
    found = bootstrap_test(np.zeros(2001), units=100, alpha=0.05, width=1.0)
    end = share_of_none(100, 0.05)
    assert (found.difference, found.low, found.high) == (0.0, -end, end)
    assert (found.p_worse, found.p_differs, found.spread) == (1.0, 1.0, 0.0)
    few = bootstrap_test(np.zeros(2001), units=100, alpha=0.05, width=1.0, at_stake=4)
    assert few.low == -share_of_none(4, 0.05) < -end
    lower = bootstrap_test(np.full(2001, -0.5), units=100, alpha=0.05, width=1.0)
    assert (lower.low, lower.high) == (-0.5 - end, pytest.approx(-0.5 + end))
    assert lower.p_worse < 1e-6
    edge = bootstrap_test(np.full(2001, -end), units=100, alpha=0.05, width=1.0)
    assert edge.p_worse == pytest.approx(0.05)


def test_undefined_replicates_are_left_out_or_too_many() -> None:
    values = replicated(np.random.default_rng(5).normal(0.0, 1.0, 50), 100)
    some = values.copy()
    some[1:11] = math.nan
    found = bootstrap_test(some, units=50, alpha=0.05)
    assert "10 of them undefined and left out" in found.method
    assert math.isfinite(found.low)
    some[1:31] = math.nan
    none = bootstrap_test(some, units=50, alpha=0.05)
    assert math.isnan(none.low)
    assert math.isnan(none.p_worse)
    assert none.method.endswith("no interval, 30 replicates undefined")
    single = bootstrap_test(np.full(11, 0.2), units=1, alpha=0.05)
    assert (single.difference, math.isnan(single.low)) == (0.2, True)
    with pytest.raises(ValueError, match="alpha lies between"):
        bootstrap_test(values, units=50, alpha=0.5)


def test_centred_replicates_lie_about_the_difference() -> None:
    values = replicated(np.random.default_rng(6).normal(0.0, 1.0, 200))
    shifted = values + np.where(np.arange(len(values)) > 0, 0.3, 0.0)
    plain, centred = (
        bootstrap_test(shifted, units=200, alpha=0.05, centred=one) for one in (False, True)
    )
    assert plain.low - centred.low == pytest.approx(0.3, abs=0.01)
    assert (centred.difference, centred.spread) == (plain.difference, pytest.approx(plain.spread))
    assert (centred.low + centred.high) / 2 == pytest.approx(centred.difference, abs=0.02)
    assert centred.p_worse > 0.05 > plain.p_differs
