"""Deciding early: bounds against other computations, error rates, and what is not decided."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal, ttest_1samp

from judgebench.stats.sequential import (
    SHAPE,
    confidence_sequence,
    crossing,
    estimate,
    looks,
    random_order,
    sequential_tests,
    strata_of,
    wang_tsiatis,
)
from perf.sequential import GOLD, WAYS, coverage, read, replay
from tests.table import over_rows

Floats = NDArray[np.float64]


def test_looks_are_every_fortieth_from_twenty_items_on() -> None:
    assert looks(805).tolist()[:3] == [21, 41, 61]
    assert len(looks(805)) == 40
    assert looks(1000).tolist()[:2] == [25, 50]
    assert looks(22).tolist() == [20, 21, 22]
    assert looks(7).tolist() == [7]
    assert looks(45, open_ended=True).tolist() == [20, 30, 40, 45]


@over_rows(
    ("n_looks", "shape", "alpha", "constant"),
    [(5, 0.5, 0.05, 2.413), (10, 0.5, 0.05, 2.555), (5, 0.0, 0.05, 2.040), (10, 0.0, 0.05, 2.087),
     (2, 0.5, 0.05, 2.178), (2, 0.0, 0.05, 1.977)],
)  # fmt: skip
def test_the_bounds_of_pocock_and_of_obrien_and_fleming(
    n_looks: int, shape: float, alpha: float, constant: float
) -> None:
    """C. Jennison, B. W. Turnbull (2000), Group Sequential Methods, tables 2.1 and 2.3."""
    found = wang_tsiatis(np.arange(1, n_looks + 1), alpha=alpha, shape=shape)
    assert found[-1] == pytest.approx(constant, abs=6e-4)


def test_one_look_is_the_test_of_a_fixed_number() -> None:
    assert wang_tsiatis([50], alpha=0.05) == pytest.approx([1.959964], abs=1e-5)


@over_rows("alpha", [0.05, 0.01])
def test_the_recursion_agrees_with_the_integral_over_all_looks_at_once(alpha: float) -> None:
    share = np.array([0.1, 0.35, 0.6, 1.0])
    bounds = wang_tsiatis(share, alpha=alpha)
    sums = np.minimum.outer(share, share) / np.sqrt(np.outer(share, share))
    within = multivariate_normal(cov=sums).cdf(bounds, lower_limit=-bounds)
    assert 1.0 - within == pytest.approx(alpha, abs=2e-4)


def test_simulated_sums_cross_as_often_as_they_may() -> None:
    """The looks at 805 items; statistics.md and the table of bounds know 2.33."""
    at = looks(805)
    bounds = wang_tsiatis(at, alpha=0.05)
    assert bounds[-1] == pytest.approx(2.33, abs=0.005)
    generator = np.random.default_rng(0)
    steps = np.diff(at / 805, prepend=0.0)
    crossed = 0
    for _ in range(10):
        sums = np.cumsum(generator.standard_normal((10_000, len(at))) * np.sqrt(steps), axis=1)
        crossed += int((np.abs(sums) / np.sqrt(at / 805) >= bounds).any(axis=1).sum())
    assert crossed / 100_000 == pytest.approx(0.05, abs=0.0028)


def test_a_level_of_many_tests_has_its_bound() -> None:
    at = looks(400)
    found = [wang_tsiatis(at, alpha=alpha)[-1] for alpha in (0.05, 0.005, 5e-5)]
    assert found == sorted(found)
    assert crossing(at / 400, wang_tsiatis(at, alpha=5e-5)) == pytest.approx(5e-5, rel=1e-3)


def test_a_confidence_sequence_holds_at_every_number() -> None:
    n = np.arange(20, 4001, 5)
    bounds = confidence_sequence(n, alpha=0.05)
    generator = np.random.default_rng(1)
    sums = np.cumsum(generator.standard_normal((1_000, 4000)), axis=1)[:, n - 1]
    crossed = (np.abs(sums) / np.sqrt(n) >= bounds).any(axis=1).mean()
    assert 0.005 < crossed <= 0.05
    assert 100 < n[np.argmin(bounds)] < 400


def test_strata_take_turns() -> None:
    generator = np.random.default_rng(2)
    strata = strata_of(generator.random(200))
    assert np.bincount(strata).tolist() == [20] * 10
    order = random_order(generator.random(200), strata)
    assert sorted(order) == list(range(200))
    for n in (20, 50, 110, 200):
        counts = np.bincount(strata[order[:n]], minlength=10)
        assert counts.max() - counts.min() <= 2
    other = random_order(generator.random(200), strata)
    assert (other != order).any()


def test_two_covariates_and_unknown_ones() -> None:
    x = np.arange(100.0)
    both = strata_of(x, -x)
    assert np.bincount(both).tolist() == [10] * 10
    assert both[0] == 1  # least by the first, and among those greatest by the second
    unknown = strata_of([math.nan] * 3 + [1.0, 2.0])
    assert unknown[0] in (2, 4, 6)
    assert strata_of([math.nan, math.nan]).tolist() == [0, 5]
    assert strata_of([]).tolist() == []


def test_the_estimate_is_that_of_students_t() -> None:
    d = np.random.default_rng(3).normal(0.3, 1.0, 40)
    mean, error, free = estimate(d, np.ones(40))
    expected = ttest_1samp(d, 0.0)
    assert mean / error == pytest.approx(expected.statistic)
    assert free == expected.df == 39
    assert all(map(math.isnan, estimate(d[:9], np.ones(9))[:2]))


def test_within_strata_the_spread_is_that_about_their_means() -> None:
    generator = np.random.default_rng(4)
    strata = np.repeat([0, 1], 40)
    d = generator.normal(0.0, 1.0, 80) + 3.0 * strata
    mean, error, free = estimate(d, np.ones(80), strata)
    design = np.stack([strata == 0, strata == 1], axis=1).astype(float)
    _, residual, *_ = np.linalg.lstsq(design, d, rcond=None)
    assert error == pytest.approx(math.sqrt(residual[0] / 78 / 80))
    assert (mean, free) == (pytest.approx(d.mean()), 78)
    few = estimate(d[26:54], np.ones(28), strata[26:54])
    assert few == estimate(d[26:54], np.ones(28))  # fewer than fifteen of each


def decided(d: Floats, alpha: float = 0.05) -> list[object]:
    """Each row of differences by one plan."""
    at = looks(d.shape[1])
    told = [[estimate(row[:n], np.ones(n)) for n in at] for row in d]
    return list(sequential_tests(told, lambda level: wang_tsiatis(at, alpha=level), alpha=alpha))


def test_a_decision_is_where_the_interval_leaves_out_0() -> None:
    generator = np.random.default_rng(5)
    found = [
        test
        for shift in (-0.6, 0.0, 0.6)
        for test in decided(generator.normal(shift, 1.0, (1, 100)))
    ]
    assert [test.decision for test in found] == ["worse", "undecided", "better"]
    for test in found:
        outside = not test.low <= 0.0 <= test.high
        assert outside == (test.decision != "undecided")
    assert found[1].look == len(looks(100)) - 1
    assert found[0].look < 35


def test_models_that_share_an_alpha_go_by_holm() -> None:
    d = np.random.default_rng(6).normal([[2.0], [0.0], [2.0]], 1.0, (3, 60))
    first, second, third = decided(d)
    assert (first.decision, second.decision, third.decision) == ("better", "undecided", "better")
    assert (first.level, second.level) == (pytest.approx(1 - 0.05 / 3), 0.95)


def test_nothing_is_decided_where_nothing_differs_or_nothing_is_known() -> None:
    (alike,) = decided(np.zeros((1, 60)))
    assert (alike.decision, alike.low, alike.high) == ("undecided", 0.0, 0.0)
    (none,) = sequential_tests([[]], lambda level: np.ones(1), alpha=0.05)
    assert (none.look, none.decision) == (-1, "undecided")
    assert math.isnan(none.low)
    assert sequential_tests([], lambda level: np.ones(1), alpha=0.05) == []


def test_models_that_are_alike_are_told_apart_as_seldom_as_said() -> None:
    generator = np.random.default_rng(7)
    sparse = generator.choice([-1.0, 0.0, 1.0], (500, 100), p=[0.1, 0.8, 0.1])
    alike = [decided(row[None])[0].decision != "undecided" for row in sparse]
    assert np.mean(alike) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 500)
    assert SHAPE == 0.3


@pytest.mark.skipif(
    not GOLD.exists(), reason="the gold data (../shared/gold/alpaca_eval) is absent"
)
def test_pairs_of_published_models_are_decided_as_by_all_items() -> None:
    """Twenty-one pairs, one order each; all of them: docs/figures/sequential.txt."""
    preference, length = read(GOLD)
    found = replay(preference, length, 1, models=7)
    assert found.keys() == WAYS.keys()
    for name, its in found.items():
        assert np.mean(its.wrong) == 0.0
        assert np.mean(its.agree) >= (0.75 if name == "as if more items could come" else 0.9)
        assert np.mean(its.judged) < 0.45
        assert np.mean(its.alike) <= 0.25
    repeated, plain = coverage(preference, 4, models=6)
    assert np.mean(repeated) >= 0.85
    assert np.mean(plain) <= np.mean(repeated)
