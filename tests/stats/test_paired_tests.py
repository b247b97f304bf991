"""Paired tests: worked examples, second implementations, and what they promise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from judgebench.stats.gate_rule import (
    decide,
    detectable,
    direction,
    power_to_detect,
    units_to_decide,
    units_to_detect,
    units_to_differ,
)
from judgebench.stats.paired_tests import (
    benjamini_hochberg,
    holm,
    mcnemar_differs,
    mcnemar_worse,
    paired_test,
    sign_flip_differs,
    sign_flip_worse,
    tango_bounds,
)

counts = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 60))
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_is_that_of_statsmodels(won: int, lost: int) -> None:
    """Whose two-sided p is twice the smaller of both one-sided ones."""
    expected = float(mcnemar([[5, lost], [won, 7]], exact=True).pvalue)
    both = 2 * min(mcnemar_worse(won, lost), mcnemar_worse(lost, won))
    assert min(both, 1.0) == pytest.approx(expected, abs=1e-12)
    assert mcnemar_differs(won, lost) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.integers(-4, 4), max_size=9))
def test_all_signs_are_tried(differences: list[int]) -> None:
    d = [one for one in differences if one]
    patterns = itertools.product((-1, 1), repeat=len(d))
    sums = [sum(s * abs(one) for s, one in zip(signs, d, strict=True)) for signs in patterns]
    expected = np.mean([total <= sum(d) for total in sums])
    assert sign_flip_worse(differences) == pytest.approx(expected)
    far = np.mean([abs(total) >= abs(sum(d)) for total in sums])
    assert sign_flip_differs(differences) == pytest.approx(far)


def test_signs_of_differences_of_one_size_are_mcnemars_test() -> None:
    d = [1.0] * 5 + [-1.0] * 12 + [0.0] * 9
    assert sign_flip_differs(d) == pytest.approx(mcnemar_differs(5, 12))
    assert sign_flip_worse(d) == pytest.approx(mcnemar_worse(5, 12))
    # All items of one unit: both ends of a test hold what one-sided ones hold.
    found = paired_test(d, alpha=0.05)
    assert (found.binary, found.p_differs) == (True, mcnemar_differs(5, 12))
    assert paired_test(2 * np.array(d), alpha=0.05).p_differs == pytest.approx(found.p_differs)


def test_drawn_signs_of_both_sides_are_scipys() -> None:
    d = np.random.default_rng(5).normal(0.15, 1.0, 120)
    expected = stats.permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=20_000, rng=6, vectorized=True
    ).pvalue
    error = math.sqrt(expected * (1 - expected) / 20_000)
    assert sign_flip_differs(d, seed=1) == pytest.approx(expected, abs=6 * error)


def test_drawn_signs_are_near_all_of_them() -> None:
    generator = np.random.default_rng(2)
    d = generator.normal(-0.2, 1.0, 20)
    exact = sign_flip_worse(d)
    drawn = sign_flip_worse(
        np.concatenate([d, np.full(1, 1e-13)]), seed=4
    )  # one more, of no weight
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 20_000))


def test_equal_sums_count_in_whatever_order_they_are_added() -> None:
    """0.1 + 0.2 - 0.3 is not 0 in floating point."""
    assert sign_flip_worse([0.1, 0.2, -0.3]) == pytest.approx(5 / 8)


def likelihood_bound(won: int, lost: int, n: int, delta: float) -> float:
    """Tango's statistic from a numerical maximum of the likelihood under the difference."""
    rest = n - won - lost

    def minus_log(p: float) -> float:
        terms = ((won, p + delta), (lost, p), (rest, 1 - 2 * p - delta))
        return -sum(k * math.log(max(q, 1e-300)) for k, q in terms if k)

    found = optimize.minimize_scalar(
        minus_log, bounds=(max(0.0, -delta), (1 - delta) / 2), method="bounded",
        options={"xatol": 1e-12},
    )  # fmt: skip
    variance = n * (2 * found.x + delta * (1 - delta))
    return (won - lost - n * delta) / math.sqrt(variance)


@pytest.mark.parametrize(
    ("won", "lost", "n"), [(5, 12, 60), (1, 3, 15), (0, 4, 40), (20, 22, 805), (7, 0, 30)]
)
def test_tango_bounds_are_where_the_score_test_turns(won: int, lost: int, n: int) -> None:
    low, high = tango_bounds(won, lost, n, alpha=0.05)
    z = stats.norm.isf(0.05)
    assert likelihood_bound(won, lost, n, low) == pytest.approx(z, abs=1e-3)
    assert likelihood_bound(won, lost, n, high) == pytest.approx(-z, abs=1e-3)


def test_tangos_example() -> None:
    """Tango (1998), table IV: 43 of 44 patients alike, one better: 95 % -0.0645 to 0.1187... at
    n = 44, b = 1, c = 0, as its formula gives."""
    low, high = tango_bounds(1, 0, 44, alpha=0.025)
    assert likelihood_bound(1, 0, 44, low) == pytest.approx(1.959964, abs=1e-3)
    assert likelihood_bound(1, 0, 44, high) == pytest.approx(-1.959964, abs=1e-3)
    assert low < 0 < 1 / 44 < high


def test_nothing_differs_and_little_is_known() -> None:
    of_two = paired_test([0.0] * 40, [2.0] * 40, alpha=0.05, width=1.0)
    for alike in (paired_test(np.zeros(40), alpha=0.05), of_two):
        z2 = stats.norm.isf(0.05) ** 2
        assert alike.difference == 0.0
        assert alike.high == pytest.approx(z2 / (40 + z2), abs=1e-9)
        assert alike.low == pytest.approx(-alike.high)
        assert alike.p_worse == 1.0


@given(counts)
def test_bounds_hold_the_difference_and_turn_with_it(case: tuple[int, int, int]) -> None:
    won, lost, alike = case
    n = won + lost + alike
    low, high = tango_bounds(won, lost, n, alpha=0.05)
    assert -1 <= low <= (won - lost) / n <= high <= 1
    other = tango_bounds(lost, won, n, alpha=0.05)
    assert other == pytest.approx((-high, -low), abs=1e-6)


def test_scores_by_students_t_and_units_of_several_items() -> None:
    d = np.array([0.5, -1.0, 0.25, -0.75, 0.1])
    one = paired_test(d, alpha=0.05, width=9.0)
    mean, error = d.mean(), stats.sem(d)
    assert (one.difference, one.units) == (pytest.approx(mean), 5)
    assert one.low == pytest.approx(stats.t.ppf(0.05, 4, mean, error))
    assert one.high == pytest.approx(stats.t.ppf(0.95, 4, mean, error))
    assert one.spread / math.sqrt(5) == pytest.approx(error)
    # Equal units of two items are as sure as their means.
    two = paired_test(2 * d, np.full(5, 2.0), alpha=0.05, width=9.0)
    assert (two.low, two.high) == pytest.approx((one.low, one.high))


def test_no_units_and_one() -> None:
    none = paired_test([], alpha=0.05)
    assert math.isnan(none.difference)
    assert math.isnan(none.p_worse)
    single = paired_test([0.3], alpha=0.05, width=1.0)
    assert (single.low, single.high, single.p_worse) == (-1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="alpha lies between"):
        paired_test([1.0], alpha=0.5)
    with pytest.raises(ValueError, match="2 differences of 1 units"):
        paired_test([1.0, 0.0], [1.0], alpha=0.05)


@given(p_values)
def test_adjustments_are_those_of_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1].tolist(), abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(
        multipletests(p, method="fdr_bh")[1].tolist(), abs=1e-12
    )


def test_a_test_that_was_not_made_is_not_counted() -> None:
    assert holm([0.01, math.nan, 0.04]) == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)
    assert benjamini_hochberg([math.nan, 0.03]) == pytest.approx([math.nan, 0.03], nan_ok=True)
    assert np.isnan(benjamini_hochberg([math.nan])).all()


def test_the_rule() -> None:
    assert decide(-0.5, 0.001, margin=1.0, alpha=0.05) == "pass"  # worse, within the margin
    assert decide(-1.5, 0.001, margin=1.0, alpha=0.05) == "regression"
    assert decide(-1.5, 0.2, margin=1.0, alpha=0.05) == "inconclusive"
    assert decide(math.nan, math.nan, margin=1.0, alpha=0.05) == "inconclusive"


def test_what_would_decide() -> None:
    """As many units as make the bound reach 0, or the margin."""
    z = stats.norm.isf(0.05)
    worse = units_to_decide(-0.02, 0.5, margin=0.01, alpha=0.05)
    assert worse.as_regression == pytest.approx((z * 0.5 / 0.02) ** 2)
    assert math.isnan(worse.as_pass)
    between = units_to_decide(-0.005, 0.5, margin=0.01, alpha=0.05)
    assert between.fewest == pytest.approx((z * 0.5 / 0.005) ** 2)
    assert units_to_decide(0.0, 0.5, margin=0.01, alpha=0.05).fewest == pytest.approx(
        (z * 0.5 / 0.01) ** 2
    )
    assert math.isnan(units_to_decide(0.0, math.nan, margin=0.01, alpha=0.05).fewest)


@pytest.mark.parametrize(("won", "lost", "n"), [(0, 3, 48), (2, 7, 100), (30, 45, 400)])
def test_what_decides_right_and_wrong_is_called_by_the_exact_test(
    won: int, lost: int, n: int
) -> None:
    """A normal distribution would have three losses of 48 decided by fewer items than these."""
    seen = paired_test([1.0] * won + [-1.0] * lost + [0.0] * (n - won - lost), alpha=0.05)
    assert seen.p_worse > 0.05
    of = {"margin": 0.001, "alpha": 0.05}
    found = units_to_decide(seen.difference, seen.spread, binary=True, **of).as_regression
    for times, called in ((1.2, True), (0.8, False)):  # counts are whole, so not to the item
        won_then, lost_then = (round(times * found * one / n) for one in (won, lost))
        assert (mcnemar_worse(won_then, lost_then) <= 0.05) is called
    assert found > n
    assert found > units_to_decide(seen.difference, seen.spread, **of).as_regression


def test_a_detectable_drop_is_found_as_often_as_promised() -> None:
    generator = np.random.default_rng(8)
    spread, units, alpha = 0.6, 400, 0.05
    drop = detectable(spread, units, alpha=alpha)
    assert units_to_detect(spread, drop, alpha=alpha) == pytest.approx(units)
    nights = generator.normal(-drop, spread, (400, units))
    found = np.mean([sign_flip_worse(d, seed=1, draws=1_000) <= alpha for d in nights])
    assert found == pytest.approx(0.8, abs=3 * math.sqrt(0.16 / 400))
    assert math.isnan(detectable(0.0, 10, alpha=alpha))
    assert units_to_detect(0.6, 0.0, alpha=alpha) == math.inf


def mcnemar_power(n: int, won: float, lost: float, alpha: float) -> float:
    """Over every table that n items can make, what McNemar's exact test calls."""
    return sum(
        stats.multinomial.pmf([w, down, n - w - down], n, [won, lost, 1 - won - lost])
        for w in range(n + 1)
        for down in range(n + 1 - w)
        if mcnemar_worse(w, down) <= alpha
    )


@pytest.mark.parametrize("drop", [0.0, 0.1, 0.25])
def test_the_power_of_right_and_wrong_is_the_exact_tests(drop: float) -> None:
    """Two models are right on 0.6 each, on 0.5 both; a drop takes right answers at random."""
    taken = drop / 0.6
    both_right, only_candidate = 0.5, 0.1
    won = only_candidate * (1 - taken)
    lost = 0.1 + both_right * taken
    assert lost - won == pytest.approx(drop)
    found = power_to_detect(math.sqrt(0.2), 18, drop, alpha=0.1, right=0.6)
    assert found == pytest.approx(mcnemar_power(18, won, lost, 0.1), abs=1e-9)


def test_what_is_detectable_of_right_and_wrong_has_the_power_that_is_promised() -> None:
    spread = math.sqrt(0.2)
    drop = detectable(spread, 400, alpha=0.05, right=0.7)
    assert power_to_detect(spread, 400, drop, alpha=0.05, right=0.7) == pytest.approx(0.8, abs=1e-3)
    assert drop > detectable(spread, 400, alpha=0.05)  # the exact test is called less often
    needed = units_to_detect(spread, 0.03, alpha=0.05, right=0.7)
    assert power_to_detect(spread, int(needed), 0.03, alpha=0.05, right=0.7) >= 0.8
    assert power_to_detect(spread, int(0.97 * needed), 0.03, alpha=0.05, right=0.7) < 0.8
    assert math.isnan(detectable(spread, 3, alpha=0.05, right=0.7))  # three losses are p = 1/8
    assert math.isnan(units_to_detect(spread, 0.8, alpha=0.05, right=0.7))
    assert math.isnan(power_to_detect(0.0, 10, 0.1, alpha=0.05))
    assert power_to_detect(0.5, 100, 0.0, alpha=0.05) == pytest.approx(0.05)


def test_a_difference_has_a_direction_where_it_is_sure() -> None:
    assert direction(0.1, 0.05, alpha=0.05) == "better"
    assert direction(-0.1, 0.01, alpha=0.05) == "worse"
    assert direction(-0.1, 0.051, alpha=0.05) == "undecided"
    assert direction(math.nan, math.nan, alpha=0.05) == "undecided"


def test_units_to_differ_make_the_p_value_small_enough() -> None:
    """Twice as many items, all as before: z grows by the root of two."""
    z = 1.4
    p = 2 * stats.norm.sf(z)
    as_small = 2 * stats.norm.sf(z * math.sqrt(2))
    assert units_to_differ(50, p, alpha=as_small) == pytest.approx(100)
    assert units_to_differ(50, 1.0, alpha=0.05) == math.inf
