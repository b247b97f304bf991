"""Paired tests: worked examples, second implementations, and what they promise."""

from __future__ import annotations

import gc
import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from judgebench.stats.gate_rule import (
    FEWEST_TO_CALL,
    FEWEST_TO_PASS,
    decide,
    detectable,
    direction,
    power_to_detect,
    too_few,
    units_to_decide,
    units_to_detect,
    units_to_differ,
)
from judgebench.stats.paired_tests import (
    EXACT_UNITS,
    SignFlips,
    benjamini_hochberg,
    deciding_levels,
    holm,
    paired_test,
    score_worse,
    student_bound,
    tango_bounds,
)
from perf.gate_rates import mcnemar_worse
from tests.table import over_rows

Floats = np.ndarray

counts = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 60))
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)


few = st.lists(st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5]), min_size=1, max_size=9)


def flips(differences: list[float], items: list[float] | None = None, **how: Any) -> SignFlips:
    d = np.asarray(differences, dtype=np.float64)
    n = np.ones(len(d)) if items is None else np.asarray(items, dtype=np.float64)
    return SignFlips(d, n, **{"alpha": 0.45, "seed": 1} | how)


@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_is_that_of_statsmodels(won: int, lost: int) -> None:
    """Whose two-sided p is twice the smaller of both one-sided ones."""
    table = [[5, lost], [won, 7]]
    both = 2 * min(mcnemar_worse(won, lost), mcnemar_worse(lost, won))
    expected = float(mcnemar(table, exact=True).pvalue)
    assert min(both, 1.0) == pytest.approx(expected, abs=1e-12)
    if won + lost:
        score = 2 * min(score_worse(won, lost), score_worse(lost, won))
        expected = float(mcnemar(table, exact=False, correction=False).pvalue)
        assert min(score, 1.0) == pytest.approx(expected, abs=1e-12)


@given(few)
def test_all_signs_are_tried(differences: list[float]) -> None:
    patterns = list(itertools.product((-1, 1), repeat=len(differences)))
    sums = [sum(s * d for s, d in zip(signs, differences, strict=True)) for signs in patterns]
    found = flips(differences)
    assert found.p_worse == pytest.approx(np.mean([one <= sum(differences) for one in sums]))
    assert found.p_better == pytest.approx(np.mean([one >= sum(differences) for one in sums]))


def brute_force(d: Floats, n: Floats, theta: float) -> tuple[float, float]:
    """Both one-sided p-values of one hypothetical difference, over all patterns of signs."""
    about = d - theta * n
    patterns = np.array(list(itertools.product((-1.0, 1.0), repeat=len(d))))
    sums, seen = patterns @ about, about.sum()
    return float((sums <= seen + 1e-9).mean()), float((sums >= seen - 1e-9).mean())


@given(st.data(), st.sampled_from([0.02, 0.05, 0.1, 0.3]))
def test_the_bounds_are_where_the_test_turns(data: st.DataObject, alpha: float) -> None:
    """A hair beyond a bound is rejected, a hair within is not; units of several items too."""
    d = np.array(data.draw(st.lists(st.floats(-1, 1), min_size=4, max_size=9)))
    n = np.array(data.draw(st.lists(st.integers(1, 3), min_size=len(d), max_size=len(d))), float)
    low, high = flips(list(d * n), list(n)).bounds(alpha)
    if math.isinf(low):
        assert 0.5 ** len(d) > alpha
        return
    assert brute_force(d * n, n, high + 1e-5)[0] <= alpha < brute_force(d * n, n, high - 1e-5)[0]
    assert brute_force(d * n, n, low - 1e-5)[1] <= alpha < brute_force(d * n, n, low + 1e-5)[1]


@given(
    st.lists(st.sampled_from([-1.0, -0.5, -0.2, 0.0, 0.1, 0.5]), min_size=2, max_size=40),
    st.sampled_from([0.001, 0.01, 0.05, 0.2]),
)
def test_what_decides_is_what_is_printed(differences: list[float], level: float) -> None:
    """Of both kinds of test, with all signs and with drawn ones."""
    for d in (differences, np.sign(differences)):
        found = paired_test(d, alpha=0.2, width=1.0, draws=999)
        low, high = found.bounds(level)
        assert (high < 0.0) is (found.p_worse <= level)
        assert (low > 0.0) is (found.p_better <= level)
        assert low <= found.difference + 1e-9
        assert high >= found.difference - 1e-9
        assert found.passing(level) <= found.difference


def test_bounds_are_known_up_to_the_level_that_was_said() -> None:
    found = flips([0.1 * one for one in range(-9, 20)], alpha=0.05, draws=999)
    assert found.bounds(0.01)[1] > found.bounds(0.05)[1]
    assert found.bounds(1e-4) == (-math.inf, math.inf)  # 999 draws cannot tell
    with pytest.raises(ValueError, match=r"up to alpha 0\.05, not at 0\.06"):
        found.bounds(0.06)


def test_one_of_many_tests_is_drawn_until_its_level_can_be_told() -> None:
    d = np.random.default_rng(7).normal(-0.5, 0.4, 60)
    few_draws = paired_test(d, alpha=0.05, width=9.0)
    assert few_draws.p_worse == pytest.approx(1 / 20_001)
    many = paired_test(d, alpha=0.05, width=9.0, finest=0.05 / 500)
    assert many.p_worse == pytest.approx(1 / 100_001)
    assert many.bounds(0.05 / 500)[1] < 0.0
    assert few_draws.bounds(0.05 / 5000)[1] == 9.0


def test_drawn_signs_of_both_sides_are_scipys() -> None:
    d = np.random.default_rng(5).normal(0.15, 1.0, 120)
    expected = stats.permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=20_000, rng=6, vectorized=True
    ).pvalue
    error = math.sqrt(expected * (1 - expected) / 20_000)
    assert paired_test(d, alpha=0.05).p_differs == pytest.approx(expected, abs=6 * error)


def test_drawn_signs_are_near_all_of_them() -> None:
    d = np.random.default_rng(2).normal(-0.2, 1.0, 16)
    exact = flips(list(d))
    drawn = flips([*d, 1e-13], draws=20_000)  # one more, of no weight
    error = math.sqrt(exact.p_worse * (1 - exact.p_worse) / 20_000)
    assert drawn.p_worse == pytest.approx(exact.p_worse, abs=4 * error)


def test_many_alike_and_a_few_others_are_drawn_as_one_by_one() -> None:
    """Of a sum of lattice points all signs can be tried, however many: it is a convolution."""
    steps = [3] * 150 + [-3] * 200 + [0] * 300 + [*range(-40, 48)] + [-37, 61]
    of_sums, zero = np.ones(1), 0
    for step in steps:
        both = np.zeros(abs(step) + 1)
        both[0] += 0.5
        both[-1] += 0.5
        of_sums, zero = np.convolve(of_sums, both), zero + max(0, -step)
    worse, better = of_sums[zero:].sum(), of_sums[: zero + 1].sum()
    drawn = flips([step / 8 for step in steps], draws=40_000, alpha=0.4)
    error = math.sqrt(worse * better / 40_000)
    assert 0.1 < worse < 0.9
    assert drawn.p_worse == pytest.approx(worse, abs=4 * error)
    assert drawn.p_better == pytest.approx(better, abs=4 * error)
    # Of each half of the units the mean is as far off as its standard error says.
    low, high = (drawn.bounds(0.16)[end] - np.mean(steps) / 8 for end in (0, 1))
    assert (-low, high) == pytest.approx((np.std(steps) / 8 / math.sqrt(len(steps)),) * 2, rel=0.05)


@over_rows(("units", "draws"), [(EXACT_UNITS, 2**EXACT_UNITS - 1), (17, 999)])
def test_up_to_so_many_units_all_signs_are_tried(units: int, draws: int) -> None:
    assert flips([0.1 * one for one in range(units)], draws=999).draws == draws


def test_equal_sums_count_in_whatever_order_they_are_added() -> None:
    """0.1 + 0.2 - 0.3 is not 0 in floating point."""
    assert flips([0.1, 0.2, -0.3]).p_worse == pytest.approx(5 / 8)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30), st.floats(0.01, 0.4))
def test_a_pass_is_students_t_with_two_more_units(differences: list[float], alpha: float) -> None:
    d = np.array(differences)
    n, mean = len(d), d.mean()
    more = np.concatenate([d - mean, [1.0, -1.0]])
    error = more.std(ddof=1) / math.sqrt(n)
    expected = mean + stats.t.ppf(alpha, n - 1) * error
    found = student_bound(mean, d.std(ddof=1), n, alpha=alpha, reach=1.0)
    assert found == pytest.approx(expected)


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


@over_rows(("won", "lost", "n"), [(5, 12, 60), (1, 3, 15), (0, 4, 40), (20, 22, 805), (7, 0, 30)])
def test_tango_bounds_are_where_the_score_test_turns(won: int, lost: int, n: int) -> None:
    low, high = tango_bounds(won, lost, n, alpha=0.05)
    z = stats.norm.isf(0.05)
    assert likelihood_bound(won, lost, n, low) == pytest.approx(z, abs=1e-3)
    assert likelihood_bound(won, lost, n, high) == pytest.approx(-z, abs=1e-3)


def test_tangos_example() -> None:
    """Tango (1998), the contact lenses: 43 of 44 patients alike, one better. Solving his score
    equation gives -0.0594 to 0.1181."""
    low, high = tango_bounds(1, 0, 44, alpha=0.025)
    assert (low, high) == (pytest.approx(-0.0594, abs=5e-5), pytest.approx(0.1181, abs=5e-5))
    assert likelihood_bound(1, 0, 44, low) == pytest.approx(1.959964, abs=1e-3)
    assert likelihood_bound(1, 0, 44, high) == pytest.approx(-1.959964, abs=1e-3)
    assert low < 0 < 1 / 44 < high


def test_nothing_differs_and_little_is_known() -> None:
    """Right or wrong, and scores that have more than two values."""
    alike = paired_test(np.zeros(40), alpha=0.05)
    z2 = stats.norm.isf(0.05) ** 2
    assert (alike.difference, alike.p_worse) == (0.0, 1.0)
    assert alike.high == pytest.approx(z2 / (40 + z2), abs=1e-9)
    assert alike.low == pytest.approx(-alike.high)
    of_two = paired_test([0.0] * 40, [2.0] * 40, alpha=0.05, width=1.0)
    expected = stats.t.isf(0.05, 39) * math.sqrt(2 / (40 * 41))
    assert (of_two.low, of_two.high) == pytest.approx((-expected, expected))
    assert of_two.p_differs == 1.0


@given(counts)
def test_bounds_hold_the_difference_and_turn_with_it(case: tuple[int, int, int]) -> None:
    won, lost, alike = case
    n = won + lost + alike
    low, high = tango_bounds(won, lost, n, alpha=0.05)
    assert -1 <= low <= (won - lost) / n <= high <= 1
    other = tango_bounds(lost, won, n, alpha=0.05)
    assert other == pytest.approx((-high, -low), abs=1e-6)


def test_units_of_several_items_are_as_sure_as_their_means() -> None:
    d = np.array([0.5, -1.0, 0.25, -0.75, 0.1, -0.3])
    one = paired_test(d, alpha=0.2, width=2.0)
    assert (one.difference, one.units) == (pytest.approx(d.mean()), 6)
    assert one.spread / math.sqrt(6) == pytest.approx(stats.sem(d))
    two = paired_test(2 * d, np.full(6, 2.0), alpha=0.2, width=2.0)
    assert (two.low, two.high) == pytest.approx((one.low, one.high))
    assert two.p_worse == one.p_worse
    # A scale without ends: the largest difference that there is takes the place of the width.
    open_ended = paired_test(d, alpha=0.2)
    assert open_ended.low == paired_test(d, alpha=0.2, width=1.0).low > one.low


def test_no_units_and_one() -> None:
    none = paired_test([], alpha=0.05)
    assert math.isnan(none.difference)
    assert math.isnan(none.p_worse)
    single = paired_test([0.3], alpha=0.05, width=1.0)
    assert (single.low, single.high, single.p_worse) == (-1.0, 1.0, 1.0)
    assert math.isnan(none.high)
    weightless = paired_test([0.0, 0.0], [0.0, 0.0], alpha=0.05, width=1.0)
    assert (weightless.units, math.isnan(weightless.difference)) == (0, True)
    assert paired_test([0.0, 0.5], [0.0, 1.0], alpha=0.05, width=1.0).units == 1
    assert none.bounds(0.01) == pytest.approx((math.nan, math.nan), nan_ok=True)
    with pytest.raises(ValueError, match="alpha lies between"):
        paired_test([1.0], alpha=0.5)
    with pytest.raises(ValueError, match="2 differences of 1 units"):
        paired_test([1.0, 0.0], [1.0], alpha=0.05)


@given(p_values)
def test_adjustments_are_those_of_statsmodels(p: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda: 0)  # statsmodels sweeps the whole process each time
        compare_adjustments(p)


def compare_adjustments(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1].tolist(), abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(
        multipletests(p, method="fdr_bh")[1].tolist(), abs=1e-12
    )


def test_a_test_that_was_not_made_is_not_counted() -> None:
    assert holm([0.01, math.nan, 0.04]) == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)
    assert benjamini_hochberg([math.nan, 0.03]) == pytest.approx([math.nan, 0.03], nan_ok=True)
    assert np.isnan(benjamini_hochberg([math.nan])).all()


@given(st.lists(st.one_of(st.floats(0, 0.1), st.just(math.nan)), min_size=1, max_size=8))
def test_a_level_says_what_the_adjusted_p_value_says(p: list[float]) -> None:
    for name, adjust in (("holm", holm), ("bh", benjamini_hochberg)):
        levels = deciding_levels(p, alpha=0.05, correction=name)
        for one, adjusted, level in zip(p, adjust(p), levels, strict=True):
            assert 0.0 < level <= 0.05
            if not math.isnan(one) and abs(adjusted - 0.05) > 1e-9:
                assert (one <= level) is (adjusted <= 0.05)


def test_levels_go_from_the_hardest_to_the_one_that_stops() -> None:
    p = [0.5, 0.001, math.nan, 0.02, 0.04]
    expected = [0.05 / 3, 0.05 / 4, 0.05, 0.05 / 3, 0.05 / 3]
    assert deciding_levels(p, alpha=0.05) == pytest.approx(expected)
    assert deciding_levels([], alpha=0.05) == []
    with pytest.raises(ValueError, match="not 'none'"):
        deciding_levels(p, alpha=0.05, correction="none")


def test_tests_that_are_not_shown_count_as_not_significant() -> None:
    p = [0.001, 0.004, 0.2]
    whole = [*p, *[1.0] * 7]
    assert holm(p, of=10) == holm(whole)[:3]
    assert holm(p, of=10) == pytest.approx([0.01, 0.036, 1.0])
    assert deciding_levels(p, alpha=0.05, of=10) == pytest.approx(
        deciding_levels(whole, alpha=0.05)[:3]
    )
    for one in (holm, partial(deciding_levels, alpha=0.05)):
        with pytest.raises(ValueError, match="3 p-values of 2 tests"):
            one(p, of=2)


def test_the_rule() -> None:
    assert decide(-0.5, -0.1, margin=1.0, units=50) == "pass"  # worse, within the margin
    assert decide(-1.5, -0.1, margin=1.0, units=50) == "regression"
    assert decide(-1.5, 0.0, margin=1.0, units=50) == "inconclusive"
    assert decide(-1.0, 0.1, margin=1.0, units=50) == "inconclusive"  # at the margin itself
    assert decide(-1.0, -0.1, margin=1.0, units=50) == "regression"
    assert decide(math.nan, math.nan, margin=1.0, units=50) == "inconclusive"


def test_few_items_decide_nothing_and_a_few_more_do_not_pass() -> None:
    assert decide(-1.5, -0.1, margin=1.0, units=FEWEST_TO_CALL) == "regression"
    assert decide(-1.5, -0.1, margin=1.0, units=FEWEST_TO_CALL - 1) == "inconclusive"
    assert decide(-0.5, 0.1, margin=1.0, units=FEWEST_TO_PASS) == "pass"
    assert decide(-0.5, -0.1, margin=1.0, units=FEWEST_TO_PASS - 1) == "inconclusive"
    assert direction(0.1, 0.2, units=FEWEST_TO_CALL - 1) == "undecided"
    assert too_few(20) is None
    assert too_few(1) == "1 item has a verdict on both: nothing is decided with fewer than 10"
    assert too_few(19) == "19 items have a verdict on both: nothing passes with fewer than 20"
    assert too_few(19, passing=False) is None
    assert too_few(FEWEST_TO_CALL, passing=False) is None
    assert math.isnan(detectable(0.5, FEWEST_TO_CALL - 1, alpha=0.05))
    assert detectable(0.5, FEWEST_TO_CALL, alpha=0.05) > 0.0


def test_what_would_decide_four_times_in_five() -> None:
    z = stats.norm.isf(0.05) + stats.norm.isf(0.2)
    worse = units_to_decide(-0.02, 0.5, margin=0.01, alpha=0.05)
    assert worse.as_regression == pytest.approx((z * 0.5 / 0.02) ** 2)
    assert math.isnan(worse.as_pass)
    strict = units_to_decide(-0.02, 0.5, margin=0.01, alpha=0.05, called_at=0.01)
    assert strict.as_regression > worse.as_regression
    between = units_to_decide(-0.005, 0.5, margin=0.01, alpha=0.05)
    assert between.fewest == pytest.approx((z * 0.5 / 0.005) ** 2)
    assert math.isnan(units_to_decide(0.0, math.nan, margin=0.01, alpha=0.05).fewest)
    assert math.isnan(units_to_decide(0.0, 0.0, margin=0.01, alpha=0.05).fewest)
    assert units_to_decide(0.4, 0.1, margin=0.01, alpha=0.05).fewest == FEWEST_TO_PASS


@over_rows("binary", [True, False])
def test_so_many_items_decide_as_often_as_is_said(binary: bool) -> None:
    """Of a candidate that is worse by 4 points, and that bears no more than 1."""
    generator = np.random.default_rng(21)
    share = 0.2 if binary else 0.4
    spread = math.sqrt(share - 0.04**2) if binary else math.sqrt(0.09 * share * 1.25)
    units = math.ceil(units_to_decide(-0.04, spread, margin=0.01, alpha=0.05).fewest)
    called = 0
    for night in range(300):
        u = generator.random(units)
        if binary:
            d = (u < 0.08).astype(float) - (u > 0.88)
        else:
            d = generator.normal(-0.04, spread, units)
        test = paired_test(d, alpha=0.05, width=math.inf, seed=night, draws=999)
        called += decide(test.low, test.high, margin=0.01, units=units) == "regression"
    assert called / 300 == pytest.approx(0.8, abs=3 * math.sqrt(0.16 / 300))


def test_a_detectable_drop_is_found_as_often_as_promised() -> None:
    generator = np.random.default_rng(8)
    spread, units, alpha = 0.6, 400, 0.05
    drop = detectable(spread, units, alpha=alpha)
    assert units_to_detect(spread, drop, alpha=alpha) == pytest.approx(units)
    nights = generator.normal(-drop, spread, (400, units))
    tests = [paired_test(d, alpha=alpha, seed=1, draws=999) for d in nights]
    found = np.mean([test.high < 0.0 for test in tests])
    assert found == pytest.approx(0.8, abs=3 * math.sqrt(0.16 / 400))
    assert math.isnan(detectable(0.0, 10, alpha=alpha))
    assert math.isnan(detectable(0.6, FEWEST_TO_CALL - 1, alpha=alpha))  # they find nothing
    assert units_to_detect(0.6, 0.0, alpha=alpha) == math.inf


def mcnemar_power(
    n: int, won: float, lost: float, alpha: float, p_value: Callable[[int, int], float]
) -> float:
    """Over every table that n items can make, what McNemar's test calls."""
    return sum(
        stats.multinomial.pmf([w, down, n - w - down], n, [won, lost, 1 - won - lost])
        for w in range(n + 1)
        for down in range(n + 1 - w)
        if p_value(w, down) <= alpha
    )


@over_rows(("exact", "p_value"), [(True, mcnemar_worse), (False, score_worse)])
@over_rows("drop", [0.0, 0.1, 0.25])
def test_the_power_of_right_and_wrong_is_the_tests(
    drop: float, exact: bool, p_value: Callable[[int, int], float]
) -> None:
    """Two models are right on 0.6 each, on 0.5 both; a drop takes right answers at random."""
    taken = drop / 0.6
    both_right, only_candidate = 0.5, 0.1
    won = only_candidate * (1 - taken)
    lost = 0.1 + both_right * taken
    assert lost - won == pytest.approx(drop)
    found = power_to_detect(math.sqrt(0.2), 18, drop, alpha=0.1, right=0.6, exact=exact)
    assert found == pytest.approx(mcnemar_power(18, won, lost, 0.1, p_value), abs=1e-9)


def test_what_is_detectable_of_right_and_wrong_has_the_power_that_is_promised() -> None:
    spread = math.sqrt(0.2)
    drop = detectable(spread, 400, alpha=0.05, right=0.7)
    assert power_to_detect(spread, 400, drop, alpha=0.05, right=0.7) == pytest.approx(0.8, abs=1e-3)
    exact = detectable(spread, 400, alpha=0.05, right=0.7, exact=True)
    assert exact > drop > detectable(spread, 400, alpha=0.05)  # it is called less often
    needed = units_to_detect(spread, 0.03, alpha=0.05, right=0.7)
    assert power_to_detect(spread, int(needed), 0.03, alpha=0.05, right=0.7) >= 0.8
    assert power_to_detect(spread, int(0.97 * needed), 0.03, alpha=0.05, right=0.7) < 0.8
    assert math.isnan(units_to_detect(spread, 0.8, alpha=0.05, right=0.7))
    assert math.isnan(power_to_detect(0.0, 10, 0.1, alpha=0.05))
    assert power_to_detect(0.5, 100, 0.0, alpha=0.05) == pytest.approx(0.05)


def test_a_difference_has_a_direction_where_it_is_sure() -> None:
    assert direction(0.01, 0.1, units=50) == "better"
    assert direction(-0.1, -0.01, units=50) == "worse"
    assert direction(-0.1, 0.01, units=50) == "undecided"
    assert direction(0.0, 0.1, units=50) == "undecided"
    assert direction(-0.1, 0.0, units=50) == "undecided"
    assert direction(0.1, 0.2, units=FEWEST_TO_CALL) == "better"
    assert direction(math.nan, math.nan, units=50) == "undecided"


def test_units_to_differ_find_it_four_times_in_five() -> None:
    z = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    assert units_to_differ(-0.1, 0.5, alpha=0.05) == pytest.approx((z * 5) ** 2)
    assert units_to_differ(0.0, 0.5, alpha=0.05) == math.inf
    assert math.isnan(units_to_differ(0.1, 0.0, alpha=0.05))
    assert math.isnan(units_to_differ(math.nan, 0.5, alpha=0.05))


def test_scores_that_differ_by_one_are_not_won_or_lost() -> None:
    """On a scale from 1 to 5 another item may differ by four, whatever was seen."""
    tied, near = np.zeros(40), np.tile([1.0, 0.0, -1.0, 0.0], 10)
    for d in (tied, near):
        of_labels, of_scores = (paired_test(d, alpha=0.05, width=width) for width in (1.0, 4.0))
        assert (of_labels.binary, of_scores.binary) == (True, False)
        assert of_scores.low < of_labels.low
    low, high = paired_test(tied, alpha=0.05, width=4.0).bounds(0.05)
    # Student's t of 39 degrees of freedom; two further items stand at 4 and -4.
    assert high == -low == pytest.approx(1.6848751 * math.sqrt(2 * 16 / (40 * 41)), rel=1e-6)
