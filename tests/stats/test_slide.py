"""The sequential test of a slide: its parts against second computations, and how often it is wrong.

The rates are reduced; ``perf/slow_slides.py`` runs the full ones.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, norm, ttest_1samp

from judgebench.stats import slide as module
from judgebench.stats.slide import (
    ALPHA,
    FEWEST,
    MOST_NIGHTS,
    SLOPES,
    STEPS,
    Drops,
    slide,
    standardised,
)
from tests.table import over_rows

Floats = np.ndarray
CALLED = 1.0 / ALPHA


def noisy(nights: int, items: int, seed: int, s: float = 0.65, points: float = 0.0) -> Floats:
    generator = np.random.default_rng(seed)
    fallen = points / 100.0 * np.arange(nights + 1)[:, None]
    return generator.standard_normal((nights + 1, items)) * s / math.sqrt(2.0) - fallen


def kept(nights: int, items: int, share: float, seed: int) -> Floats:
    """Right or wrong; an answer stays what it was with that probability."""
    generator = np.random.default_rng(seed)
    right = generator.random(items)
    found = (generator.random((nights + 1, items)) < right).astype(float)
    for night in range(1, nights + 1):
        found[night] = np.where(generator.random(items) < share, found[night - 1], found[night])
    return found


def most(runs: int) -> float:
    """So many false alarms at most, but for one such test in ten thousand."""
    return float(binom.isf(1e-4, runs, ALPHA))


# the parts --------------------------------------------------------------------------------------


def test_without_memory_a_night_is_held_against_the_plain_mean_of_all_before() -> None:
    """Recursive residuals of a constant, as Brown, Durbin and Evans write them."""
    noises = module._noises(7)
    for t in range(1, 7):
        row = [*[-1.0 / t] * t, 1.0, *[0.0] * (6 - t)]
        np.testing.assert_allclose(noises.operator[0, t], row, atol=1e-5)
        assert noises.deviation[0, t] == pytest.approx(math.sqrt(1.0 + 1.0 / t), rel=1e-5)


def test_with_memory_it_is_held_against_the_best_linear_prediction() -> None:
    """By the normal equations of ordinary kriging, with a multiplier for weights that add to 1."""
    nights, share, fading, apart = 6, 0.8, 0.9, 3.0
    lag = np.abs(np.subtract.outer(np.arange(nights), np.arange(nights)))
    covariance = share * fading**lag + (1.0 - share) * np.eye(nights)
    covariance[0, 0] += apart - 1.0
    noises = module._noises(nights)
    number = (
        1 + module._SHARES.index(share) * len(module._FADING) + module._FADING.index(fading)
    ) * len(module._APART) + module._APART.index(apart)
    for t in range(1, nights):
        system = np.ones((t + 1, t + 1))
        system[:t, :t], system[t, t] = covariance[:t, :t], 0.0
        weights = np.linalg.solve(system, np.append(covariance[:t, t], 1.0))[:t]
        contrast = np.append(-weights, 1.0)
        variance = contrast @ covariance[: t + 1, : t + 1] @ contrast
        np.testing.assert_allclose(noises.operator[number, t, : t + 1], contrast, atol=1e-5)
        assert noises.deviation[number, t] == pytest.approx(math.sqrt(variance), rel=1e-5)


def test_what_items_lost_is_a_t_test_of_them_on_the_scale_of_a_normal_distribution() -> None:
    lost = np.random.default_rng(1).normal(0.1, 1.0, 30)
    p = ttest_1samp(lost, 0.0, alternative="greater").pvalue
    assert standardised(lost, np.ones(30), math.inf) == pytest.approx(norm.isf(p))
    assert standardised(-lost, np.ones(30), math.inf) == pytest.approx(-norm.isf(p))
    assert abs(standardised(lost, np.ones(30), 1.0)) < abs(norm.isf(p))
    with_gaps = np.append(lost, [np.nan, np.nan])
    assert standardised(with_gaps, np.ones(32), math.inf) == pytest.approx(norm.isf(p))


def test_evidence_is_the_mixture_of_likelihood_ratios() -> None:
    """By densities, one drop after the other."""
    z, nights = [0.4, 1.3, -0.2, 2.1], 4
    drops, by_hand = Drops(nights), []
    rows = [np.append(np.full(t, -1.0 / t), 1.0) / math.sqrt(1.0 + 1.0 / t) for t in range(1, 5)]
    for one, row in zip(z, rows, strict=True):
        drops.see(one, row)
        by_hand.append(drops.e_value)
    for seen in range(1, nights + 1):
        total = 1.0 / (seen + 1)
        for start in range(1, seen + 1):
            for sizes, sloping, share in ((STEPS, False, 0.3), (SLOPES, True, 0.7)):
                for size in sizes:
                    since = np.maximum(np.arange(nights + 1) - start + 1.0, 0.0)
                    fallen = size * (since if sloping else np.minimum(since, 1.0))
                    ratio = 1.0
                    for t in range(1, seen + 1):
                        mean = float(rows[t - 1] @ fallen[: t + 1])
                        ratio *= norm.pdf(z[t - 1], mean) / norm.pdf(z[t - 1])
                    total += share / len(sizes) / (start * (start + 1)) * ratio
        assert by_hand[seen - 1] == pytest.approx(total)


def test_an_unchanged_model_can_expect_nothing_of_the_bets() -> None:
    def after(z: float) -> float:
        drops = Drops(1)
        drops.see(z, np.array([-1.0, 1.0]) / math.sqrt(2.0))
        return drops.e_value * float(norm.pdf(z))

    assert quad(after, -12, 14)[0] == pytest.approx(1.0)


# invariants -------------------------------------------------------------------------------------


def test_a_night_changes_nothing_of_the_nights_before() -> None:
    values = noisy(12, 60, 3, points=1.0)
    values[5, ::3] = np.nan
    whole = slide(values)
    for nights in range(1, 12):
        part = slide(values[: nights + 1])
        assert part.e_values == pytest.approx(whole.e_values[:nights])
        assert part.residuals == pytest.approx(whole.residuals[:nights])


def test_order_of_items_their_levels_and_the_unit_do_not_matter() -> None:
    values = kept(15, 80, 0.5, 4)
    found = slide(values)
    moved = np.random.default_rng(5).permutation(80)
    assert slide(values[:, moved]).e_values == pytest.approx(found.e_values)
    assert slide(values + np.linspace(0, 3, 80)).e_values == pytest.approx(found.e_values)
    assert slide(100.0 * values, width=100.0).e_values == pytest.approx(found.e_values)
    assert slide(values, np.full(80, 7.0)).e_values == pytest.approx(found.e_values)


def test_an_item_that_weighs_nothing_or_that_the_baseline_lacks_has_no_part() -> None:
    values = noisy(8, 40, 6)
    found = slide(values)
    more = np.hstack([values, np.full((9, 2), 5.0)])
    assert slide(more, np.append(np.ones(40), [0.0, 0.0])).e_values == pytest.approx(found.e_values)
    more[0, 40:] = np.nan
    assert slide(more).e_values == pytest.approx(found.e_values)


def test_a_model_that_gets_better_gives_no_evidence() -> None:
    assert max(slide(noisy(30, 300, 7, points=-1.0)).e_values) < 1.5


# what is said of it -----------------------------------------------------------------------------


def test_a_slope_and_a_step_are_told_with_their_levels() -> None:
    found = slide(noisy(25, 4000, 8, s=0.3, points=1.0))
    assert (found.shape, found.since) == ("slope", 0)
    assert found.slope == pytest.approx(-0.01, abs=0.001)
    assert found.level_before == pytest.approx(0.0, abs=0.01)
    assert found.level_now == pytest.approx(-0.25, abs=0.02)
    assert found.differences[-1] == pytest.approx(-0.25, abs=0.03)
    assert found.called(CALLED)
    stepped = noisy(25, 4000, 9, s=0.3)
    stepped[11:] -= 0.05
    found = slide(stepped)
    assert (found.shape, found.since) == ("step", 10)
    assert math.isnan(found.slope)
    assert found.level_now == pytest.approx(-0.05, abs=0.01)
    assert found.first_reached(CALLED) in (10, 11)
    assert found.p_value == pytest.approx(1.0 / max(found.e_values))


def test_a_model_that_came_back_is_not_called_any_more() -> None:
    values = noisy(60, 2000, 10, s=0.3)
    values[10:20] -= 0.04
    values[20:] += 0.01
    found = slide(values)
    assert found.first_reached(CALLED) is not None
    assert not found.called(CALLED)
    assert found.p_value < ALPHA


def test_a_fall_that_ends_above_the_baseline_is_not_called() -> None:
    values = noisy(30, 4000, 11, s=0.3)
    values[1:16] += 0.10
    values[16:] += 0.03
    found = slide(values)
    assert found.e_value > CALLED
    assert found.level_now > 0.0
    assert not found.called(CALLED)


# bad input --------------------------------------------------------------------------------------


def test_without_a_night_there_is_no_evidence() -> None:
    found = slide(noisy(0, 30, 1))
    assert (found.e_values, found.e_value, found.p_value) == ((), 1.0, 1.0)
    assert (found.since, found.shape) == (None, None)
    assert math.isnan(found.level_now)
    assert not found.called(CALLED)


def test_one_night_is_a_test_of_two() -> None:
    one = slide(noisy(1, 805, 2))
    assert 0.0 < one.e_value < CALLED
    values = noisy(1, 805, 2)
    values[1] -= 0.5
    assert slide(values).called(CALLED)


def test_nights_that_are_all_equal_say_nothing() -> None:
    found = slide(np.tile(np.linspace(0, 1, 50), (20, 1)))
    assert found.e_values == pytest.approx((1.0,) * 19)
    assert all(math.isnan(one) for one in found.residuals)
    assert found.differences == (0.0,) * 19
    assert found.since is None


def test_too_few_items_none_and_a_night_without_the_baselines_items_say_nothing() -> None:
    assert slide(noisy(5, FEWEST - 1, 3, points=90.0)).e_values == pytest.approx((1.0,) * 5)
    assert slide(np.zeros((6, 0))).e_values == pytest.approx((1.0,) * 5)
    values = noisy(6, 40, 4)
    without = np.delete(values, 3, axis=0)
    values[3] = np.nan
    found = slide(values)
    assert math.isnan(found.residuals[2])
    assert math.isnan(found.differences[2])
    assert found.e_values[2] == found.e_values[1]
    assert found.differences[3:] == pytest.approx(slide(without).differences[2:])
    nothing = noisy(4, 40, 5)
    nothing[0] = np.nan
    assert slide(nothing).e_values == pytest.approx((1.0,) * 4)


def test_all_items_that_fall_alike_are_evidence_where_the_scale_has_ends() -> None:
    values = np.zeros((4, 400))
    values[1:] -= 0.2
    assert slide(values).called(CALLED)
    assert slide(values, width=math.inf).e_values == pytest.approx((1.0,) * 3)


def test_nights_may_have_other_items_and_another_noise() -> None:
    values = noisy(20, 600, 6, points=1.0)
    values[2::2, :300] = np.nan
    values[1::2, 300:500] = np.nan
    assert slide(values).called(CALLED)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="the baseline first"):
        slide(np.zeros(3))
    with pytest.raises(ValueError, match="the baseline first"):
        slide(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="a weight of each item"):
        slide(np.zeros((2, 3)), np.ones(2))
    with pytest.raises(ValueError, match="none below 0"):
        slide(np.zeros((2, 3)), np.array([1.0, -1.0, 1.0]))
    with pytest.raises(ValueError, match=f"at most {MOST_NIGHTS} nights"):
        slide(np.zeros((MOST_NIGHTS + 2, 3)))


def test_huge_evidence_stays_a_number() -> None:
    values = noisy(60, 400, 7, s=0.001, points=1.0)
    found = slide(values, width=0.01)
    assert math.isfinite(found.e_value)
    assert found.called(CALLED)


# rates ------------------------------------------------------------------------------------------


@over_rows("share", [0.0, 0.5, 0.9, 0.98])
def test_an_unchanged_model_is_seldom_called(share: float) -> None:
    """Also where most of its answers stay from night to night."""
    runs = 30
    calls = sum(max(slide(kept(60, 100, share, seed)).e_values) >= CALLED for seed in range(runs))
    assert calls <= most(runs)


def test_a_baseline_that_is_another_model_is_no_slide() -> None:
    runs, calls = 30, 0
    for seed in range(runs):
        generator = np.random.default_rng(seed)
        values = generator.random(100) + 0.1 * generator.standard_normal((61, 100))
        values[0] += 0.5 * generator.standard_normal(100)
        calls += max(slide(values, width=2.0).e_values) >= CALLED
    assert calls <= most(runs)


@over_rows(("points", "median"), [(0.2, 19), (0.5, 10), (1.0, 7)])
def test_a_slide_is_found_soon(points: float, median: int) -> None:
    runs, nights = 21, 3 * median
    first = [
        slide(noisy(nights, 805, seed, points=points)).first_reached(CALLED) for seed in range(runs)
    ]
    when = sorted(math.inf if one is None else one + 1 for one in first)
    assert math.isfinite(when[-2])
    assert when[runs // 2] <= median + 1  # a standard error of the median of so few


# boundaries -------------------------------------------------------------------------------------


def told(*e_values: float, level_now: float = -0.1) -> module.Slide:
    return module.Slide(
        differences=(0.0,) * len(e_values), residuals=(0.0,) * len(e_values), e_values=e_values,
        since=0, shape="step", slope=math.nan, level_before=0.0, level_now=level_now,
    )  # fmt: skip


def test_evidence_of_exactly_the_threshold_calls_and_a_p_value_is_at_most_1() -> None:
    assert (told(1.0, CALLED).first_reached(CALLED), told(1.0, CALLED).called(CALLED)) == (1, True)
    assert told(1.0, CALLED - 1e-9).first_reached(CALLED) is None
    assert (told(0.5, 0.4).p_value, told(4.0, 2.0).p_value) == (1.0, 0.25)


def test_a_level_that_is_not_below_the_baselines_is_no_slide() -> None:
    assert not told(CALLED, level_now=0.0).called(CALLED)
    assert told(CALLED, level_now=-1e-9).called(CALLED)


def test_ten_items_are_enough_and_nine_are_not() -> None:
    lost = np.linspace(0.1, 0.4, FEWEST)
    assert not math.isnan(standardised(lost, np.ones(FEWEST), 1.0))
    assert math.isnan(standardised(lost[1:], np.ones(FEWEST - 1), 1.0))


def test_as_many_nights_as_are_followed_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NIGHTS", 3)
    assert len(slide(np.zeros((4, 20))).e_values) == 3
    with pytest.raises(ValueError, match="at most 3 nights, not 4"):
        slide(np.zeros((5, 20)))


def test_where_nothing_falls_nothing_is_fitted() -> None:
    assert module._fitted(np.zeros(5)).since is None
    assert module._fitted(np.array([0.0, 0.1, 0.2])).since is None
    assert module._fitted(np.array([0.0, 0.0, -0.2])).since == 2
