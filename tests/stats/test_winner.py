"""The best of several estimates: its correction by another way, and how often it is right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm, truncnorm

from judgebench.stats.winner import best_of, best_share_of, largest_deviation
from tests.table import over_rows

Array = np.ndarray


def wishart(n: int, seed: int) -> Array:
    """Some covariance of n estimates."""
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(n, n + 2))
    return root @ root.T / (n + 2)


def other_way(values: Array, sigma: Array, level: float) -> tuple[float, float, float]:
    """The hybrid by scipy's truncated normal, its limits by trying what is still the largest."""
    best = int(np.argmax(values))
    error = math.sqrt(sigma[best, best])
    rest = values - sigma[:, best] / sigma[best, best] * values[best]

    def still(y: float) -> bool:
        moved = rest + sigma[:, best] / sigma[best, best] * y
        return bool((moved <= moved[best] + 1e-12).all())

    def end(way: int) -> float:
        far, near = values[best] + way * 50.0 * error, values[best]
        if still(far):
            return way * math.inf
        for _ in range(200):
            middle = (near + far) / 2
            near, far = (middle, far) if still(middle) else (near, middle)
        return float(near)

    low, high = end(-1), end(1)
    beta = (1.0 - level) / 10.0
    within = largest_deviation(sigma, level=1.0 - beta) * error

    def below(mean: float, share: float) -> float:
        first, last = max(low, mean - within), min(high, mean + within)
        if values[best] <= first:
            return -share
        ends = (first - mean) / error, (last - mean) / error
        return float(truncnorm.cdf(values[best], *ends, loc=mean, scale=error)) - share

    tail = (1.0 - level - beta) / (1.0 - beta) / 2.0
    inside = values[best] - within * (1 - 1e-12), values[best] + within * (1 - 1e-12)
    return tuple(brentq(below, *inside, args=(share,), xtol=1e-12)  # type: ignore[return-value]
                 for share in (0.5, 1.0 - tail, tail))  # fmt: skip


@over_rows("seed", range(5))
def test_it_is_the_hybrid_of_a_truncated_normal(seed: int) -> None:
    n = 2 + seed % 5
    sigma = wishart(n, seed)
    values = np.random.default_rng(100 + seed).multivariate_normal(np.zeros(n), sigma)
    found = best_of(values, sigma, level=0.9)
    assert (found.value, found.low, found.high) == pytest.approx(
        other_way(values, sigma, 0.9), abs=1e-7
    )


def test_one_that_is_far_ahead_is_next_to_what_it_is() -> None:
    found = best_of([3.0, 0.0, -1.0], 0.01 * np.eye(3))
    assert found.place == 0
    assert found.value == pytest.approx(3.0, abs=1e-6)
    assert found.low == pytest.approx(3.0 - 1.96 * 0.1, abs=0.01)
    assert found.high == pytest.approx(3.0 + 1.96 * 0.1, abs=0.01)


def test_one_alone_is_not_corrected() -> None:
    assert best_of([0.7], [[0.0025]]).value == pytest.approx(0.7)


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=6),
    st.integers(0, 1000),
    st.floats(0, 0.5),
)
def test_it_is_corrected_by_no_more_than_a_band(
    values: list[float], seed: int, step: float
) -> None:
    sigma = wishart(len(values), seed)
    found = best_of(values, sigma, step=step)
    within = largest_deviation(sigma, level=0.995) * math.sqrt(sigma[found.place, found.place])
    assert found.picked == max(values)
    assert found.place == values.index(max(values))
    ends = found.picked - within - 1e-9, found.picked + within + 1e-9
    assert ends[0] <= found.low <= found.value <= found.high <= ends[1]


def test_one_that_never_differs_from_the_best_changes_nothing() -> None:
    alone = best_of([1.0, 0.2], np.diag([0.04, 0.04]))
    sigma = np.array([[0.04, 0.04, 0.0], [0.04, 0.04, 0.0], [0.0, 0.0, 0.04]])
    twice = best_of([1.0, 1.0, 0.2], sigma)
    assert twice.value == pytest.approx(alone.value, abs=0.01)
    assert twice.low == pytest.approx(alone.low, abs=0.01)


def test_equals_on_a_grid_are_half_a_step_apart() -> None:
    """Of two shares of 100 that are equal, the first one is picked; without a grid it is lost."""
    sigma = np.diag([0.0025, 0.0025])
    on_grid, off_grid = best_of([0.5, 0.5], sigma, step=0.01), best_of([0.5, 0.5], sigma)
    assert on_grid.place == off_grid.place == 0
    assert off_grid.value < off_grid.picked - 2.5 * 0.05
    # As where they were half a step apart, and lay on no grid.
    apart = best_of([0.505, 0.5], sigma)
    assert on_grid.value - 0.5 == pytest.approx(apart.value - 0.505, abs=1e-9)
    last = best_of([0.49, 0.5], sigma, step=0.01)
    assert last.value - 0.5 == pytest.approx(on_grid.value - 0.5, abs=1e-9)


def test_without_variance_nothing_is_known() -> None:
    found = best_of([0.3, 0.9], [[0.01, 0.0], [0.0, 0.0]])
    assert (found.place, found.picked) == (1, 0.9)
    assert math.isnan(found.value)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_shares_in_the_middle_are_corrected_as_any_values() -> None:
    generator = np.random.default_rng(4)
    right = (generator.random((20_000, 4)) < 0.5).astype(float)
    shares, sigma = right.mean(axis=0), np.cov(right.T) / 20_000
    plain = best_of(shares, sigma, step=1 / 20_000)
    found = best_share_of(shares, sigma, units=20_000, step=1 / 20_000)
    assert (found.value, found.low, found.high) == pytest.approx(
        (plain.value, plain.low, plain.high), abs=1e-4
    )


def test_shares_stay_shares() -> None:
    for shares in ([1.0, 0.98, 1.0], [0.0, 0.0], [0.02, 0.0]):
        n = len(shares)
        sigma = np.diag([p * (1 - p) / 50 for p in shares])
        found = best_share_of(shares, sigma, units=50, step=0.02)
        assert 0.0 <= found.low <= found.value <= found.high <= 1.0
        assert found.picked == max(shares)
        assert n == 1 or found.low < found.high


def test_the_largest_deviation_is_that_of_independent_normals() -> None:
    exact = norm.ppf((1 + 0.95 ** (1 / 6)) / 2)
    found = largest_deviation(np.diag([1.0, 4.0, 9.0, 1.0, 1.0, 25.0, 0.0]), level=0.95)
    assert found == pytest.approx(exact, abs=0.05)
    assert largest_deviation(np.ones((4, 4)), level=0.95) == pytest.approx(1.96, abs=0.05)
    assert math.isnan(largest_deviation(np.zeros((2, 2)), level=0.95))


@over_rows("shared", [0.0, 0.7])
def test_half_are_too_high_and_the_interval_holds(shared: float) -> None:
    """Ten that are equally good, as normals: the picked one is nearly always too high."""
    generator = np.random.default_rng(11)
    sigma = shared * np.ones((10, 10)) + (1 - shared) * np.eye(10)
    drawn = generator.multivariate_normal(np.zeros(10), sigma, 150)
    found = [best_of(values, sigma) for values in drawn]
    assert np.mean([one.picked > 0 for one in found]) > 0.75
    assert np.mean([one.value > 0 for one in found]) == pytest.approx(0.5, abs=0.12)
    holds = np.mean([one.low <= 0 <= one.high for one in found])
    assert 0.91 <= holds <= 0.995


def test_where_all_are_0_or_the_best_is_1_an_end_is_that() -> None:
    none = best_share_of([0.0, 0.0], np.zeros((2, 2)), units=50)
    assert none.picked == none.low == 0.0 < none.high < 0.2
    every = best_share_of([0.9, 1.0], np.diag([0.002, 0.0]), units=50)
    assert every.picked == every.high == 1.0 > every.low > 0.7
