"""Rank correlations: scipy on generated data, invariants, undefined cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from judgebench.stats import rank_correlation as rc
from tests.table import over_rows

COEFFICIENTS = [rc.spearman, rc.kendall_tau_b]

# Few distinct values, so that ties and constants are common.
pairs = st.integers(2, 12).flatmap(
    lambda n: hnp.arrays(np.float64, (2, n), elements=st.integers(0, 5).map(float))
)


@given(
    hnp.arrays(np.float64, (4, 7), elements=st.integers(0, 5).map(float)),
    hnp.arrays(np.bool_, (4, 7)),
)
def test_ranks_among_some_are_those_of_the_others_taken_away(
    scores: np.ndarray, there: np.ndarray
) -> None:
    from scipy.stats import rankdata

    found = rc.Ordered(scores).ranks(there)
    for ranks, its, row in zip(found, there, scores, strict=True):
        np.testing.assert_array_equal(ranks[its], rankdata(row[its]))
        assert not ranks[~its].any()


def test_many_things_are_told_apart_as_few_are() -> None:
    from scipy.stats import kendalltau

    x, y = np.random.default_rng(0).integers(0, 90, (2, 200)).astype(float)
    for n in (63, 64, 65, 200):
        expected = kendalltau(x[:n], y[:n]).statistic
        assert rc.kendall_tau_b(x[:n], y[:n]) == pytest.approx(expected, abs=1e-12)


@given(pairs)
def test_coefficients_equal_scipy(xy: np.ndarray) -> None:
    from scipy.stats import kendalltau, spearmanr

    x, y = xy
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan(rc.spearman(x, y))
        assert np.isnan(rc.kendall_tau_b(x, y))
        return
    assert rc.spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    assert rc.kendall_tau_b(x, y) == pytest.approx(kendalltau(x, y).statistic, abs=1e-12)


def test_spearman_with_a_tie_worked_by_hand() -> None:
    """x ranks 1, 2.5, 2.5, 4; y ranks 1 to 4: cov 4.5, variances 4.5 and 5."""
    assert rc.spearman([10, 20, 20, 30], [1, 2, 3, 4]) == pytest.approx(4.5 / np.sqrt(4.5 * 5))
    assert rc.kendall_tau_b([10, 20, 20, 30], [1, 2, 3, 4]) == pytest.approx(5 / np.sqrt(5 * 6))


@given(pairs, st.floats(0.1, 10), st.integers(-5, 5))
@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_only_order_matters(coefficient, xy: np.ndarray, scale: float, shift: int) -> None:
    x, y = xy
    there = coefficient(x, y)
    assert coefficient(scale * x + shift, y**3) == pytest.approx(there, abs=1e-12, nan_ok=True)
    assert coefficient(y, x) == pytest.approx(there, abs=1e-12, nan_ok=True)
    assert coefficient(-x, y) == pytest.approx(-there, abs=1e-12, nan_ok=True)


@given(hnp.arrays(np.float64, (2, 3, 4, 6), elements=st.integers(0, 4).map(float)))
@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_leading_axes_are_only_a_loop(coefficient, xy: np.ndarray) -> None:
    x, y = xy
    one_by_one = [
        [float(coefficient(a, b)) for a, b in zip(p, q, strict=True)]
        for p, q in zip(x, y, strict=True)
    ]
    np.testing.assert_array_equal(coefficient(x, y), one_by_one)


@given(st.integers(2, 30))
@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_the_same_order_is_exactly_one(coefficient, n: int) -> None:
    x = np.linspace(0, 1, n)
    assert coefficient(x, x**2) == pytest.approx(1.0)
    assert coefficient(x, x**2) <= 1.0


@over_rows(
    ("first", "second", "words"),
    [
        ([1, 1, 1], [1, 2, 3], "the judge gives every model the same score"),
        ([1, 2, 3], [2, 2, 2], "the reference gives every model the same score"),
        ([1], [1], "at least two models"),
        ([], [], "at least two models"),
        ([1, np.nan, 3], [1, 2, 3], "a model has no score"),
    ],
)
@over_rows("coefficient", COEFFICIENTS)
def test_undefined_is_nan_with_a_reason(coefficient, first, second, words: str) -> None:
    assert np.isnan(coefficient(first, second))
    reason = rc.why_undefined(first, second)
    assert reason is not None
    assert words in reason


def test_defined_has_no_reason() -> None:
    assert rc.why_undefined([1, 2, 3], [3, 3, 1]) is None


def test_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="same things"):
        rc.spearman([1, 2], [1, 2, 3])
