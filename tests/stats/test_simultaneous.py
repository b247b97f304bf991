"""Bands that hold all estimates at once: their critical value, and how often they hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm, t

from judgebench.stats.resample import MAX_UNDEFINED
from judgebench.stats.winner import sup_t_band
from tests.table import over_rows

MANY = 10**6
"""Units: Student's t is a normal's then."""


def replicates(covariance: np.ndarray, n: int = 40_000, seed: int = 1) -> np.ndarray:
    """Of estimates that are 0, with normal replicates around them."""
    generator = np.random.default_rng(seed)
    zero = np.zeros(len(covariance))
    return np.vstack([zero, generator.multivariate_normal(zero, covariance, n)])


def test_one_estimate_has_the_interval_that_it_has_alone() -> None:
    assert sup_t_band(replicates(np.eye(1)), units=MANY).critical == pytest.approx(1.96, abs=0.02)
    few = sup_t_band(replicates(np.eye(1)), units=12)
    assert few.critical == pytest.approx(t.ppf(0.975, 11), abs=0.03)
    assert few.standard_error[0] == pytest.approx(math.sqrt(12 / 11), abs=0.02)


@over_rows("n", [2, 5, 20])
def test_independent_estimates_have_sidaks_interval(n: int) -> None:
    exact = norm.ppf((1 + 0.95 ** (1 / n)) / 2)
    found = sup_t_band(replicates(np.diag(np.arange(1.0, n + 1))), units=MANY)
    assert found.critical == pytest.approx(exact, abs=0.03)
    assert found.high == pytest.approx(exact * np.sqrt(np.arange(1.0, n + 1)), rel=0.03)
    assert found.low == pytest.approx(-found.high)


def test_estimates_that_move_together_are_as_one() -> None:
    assert sup_t_band(replicates(np.ones((7, 7))), units=MANY).critical == pytest.approx(
        1.96, abs=0.03
    )


def test_the_critical_value_is_the_quantile_of_the_largest_deviation() -> None:
    """By a loop over replicates."""
    generator = np.random.default_rng(3)
    drawn = generator.gamma(2.0, size=(500, 4)) @ generator.normal(size=(4, 4))
    table = np.vstack([drawn.mean(axis=0), drawn])
    errors = [np.std([row[j] for row in drawn], ddof=1) for j in range(4)]
    largest = [max(abs(row[j] - table[0][j]) / errors[j] for j in range(4)) for row in drawn]
    found = sup_t_band(table, units=50, level=0.9)
    assert found.critical == pytest.approx(t.ppf(norm.cdf(np.quantile(largest, 0.9)), 49))
    assert found.standard_error == pytest.approx(np.array(errors) * math.sqrt(50 / 49))


def test_what_does_not_vary_and_what_is_undefined_have_no_band_and_no_say() -> None:
    table = replicates(np.eye(2), n=2000)
    still, undefined = np.full((2001, 1), 0.25), np.full((2001, 1), np.nan)
    some = table[:, :1].copy()
    some[1:900] = np.nan
    found = sup_t_band(np.hstack([table, still, undefined, some]), units=50)
    alone = sup_t_band(table, units=50)
    assert found.critical == alone.critical
    assert found.low[:2] == pytest.approx(alone.low)
    assert np.isnan(found.low[2:]).all()
    assert np.isnan(found.high[2:]).all()
    assert np.isnan(found.standard_error[2:]).all()


@over_rows("table", [np.zeros((101, 3)), np.full((101, 2), np.nan), np.zeros((5, 0))])
def test_nothing_that_varies_has_no_band(table: np.ndarray) -> None:
    found = sup_t_band(table, units=50)
    assert math.isnan(found.critical)
    assert np.isnan(found.low).all()


def test_one_unit_says_nothing_of_its_spread() -> None:
    assert math.isnan(sup_t_band(replicates(np.eye(2), n=100), units=1).critical)


def test_units_and_places_do_not_matter() -> None:
    table = replicates(np.array([[2.0, 0.6], [0.6, 1.0]]), n=1000)
    found = sup_t_band(table, units=80)
    moved = sup_t_band(100 * table + 50, units=80)
    assert moved.critical == pytest.approx(found.critical)
    assert moved.low == pytest.approx(100 * found.low + 50)


def test_one_in_five_replicates_may_be_undefined_and_no_more() -> None:
    table = replicates(np.eye(1), n=1000)
    table[1 : 1 + int(1000 * MAX_UNDEFINED)] = np.nan
    assert not math.isnan(sup_t_band(table, units=MANY).low[0])
    table[1 + int(1000 * MAX_UNDEFINED)] = np.nan
    assert math.isnan(sup_t_band(table, units=MANY).low[0])
