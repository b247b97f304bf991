"""Cells that stand out: an additive table has none, a planted one is found."""

from __future__ import annotations

import numpy as np
import pytest

from judgebench.stats.median_polish import median_polish, outlying


def test_what_rows_and_columns_explain_leaves_nothing() -> None:
    table = np.add.outer([1.0, 5.0, -2.0, 0.5], [0.0, 3.0, 7.0])
    np.testing.assert_allclose(median_polish(table), 0.0, atol=1e-9)


def test_one_cell_that_differs_is_left_whole() -> None:
    """J. W. Tukey (1977): medians do not see a single cell."""
    table = np.add.outer(np.arange(5.0), np.arange(4.0))
    table[2, 1] += 10.0
    left = median_polish(table)
    assert left[2, 1] == pytest.approx(10.0)
    assert np.abs(np.delete(left.ravel(), 2 * 4 + 1)).max() < 1e-9


def test_a_gap_stays_one() -> None:
    table = np.add.outer(np.arange(5.0), np.arange(4.0))
    table[0, 3] = np.nan
    assert np.isnan(median_polish(table)[0, 3])
    assert np.nanmax(np.abs(median_polish(table))) < 1e-9


def test_a_planted_block_is_found_and_chance_is_not() -> None:
    draw = np.random.default_rng(0)
    n = np.full((8, 9), 400.0)
    rates = 1 / (1 + np.exp(-np.add.outer(draw.uniform(0.8, 2.2, 8), draw.uniform(-0.4, 0.4, 9))))
    found = []
    for _ in range(40):
        seen = draw.binomial(400, rates) / 400
        found.append((np.abs(outlying(seen, n)) > 3.5).sum())
    assert np.mean(found) < 0.4  # of 72 cells; 0.15 in 60 tables
    seen = draw.binomial(400, rates) / 400
    seen[3, 4] -= 0.3
    z = outlying(seen, n)
    assert np.unravel_index(np.nanargmin(z), z.shape) == (3, 4)
    assert z[3, 4] < -3.5


def test_a_table_that_hardly_differs_has_no_outliers() -> None:
    rates = np.full((5, 5), 0.8)
    rates[0, 0] = 0.805
    assert np.abs(outlying(rates, np.full((5, 5), 400.0))).max() < 0.5


def test_it_takes_three_rows_and_three_columns_and_enough_in_each_cell() -> None:
    assert np.isnan(outlying(np.full((2, 5), 0.5), np.full((2, 5), 100.0))).all()
    n = np.full((4, 4), 100.0)
    n[1, 2] = 19
    z = outlying(np.full((4, 4), 0.5), n)
    assert np.isnan(z[1, 2])
    assert np.isnan(z).sum() == 1
