"""Two raters compared: against a plain loop, a paired t-test, and Holm's method of statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import t, ttest_rel
from sklearn.metrics import cohen_kappa_score

from judgebench.stats.agreement import cohen_kappa_of
from judgebench.stats.paired_bootstrap import (
    FEWEST_DIFFERING,
    FEWEST_UNITS,
    paired_jackknife,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def labels(seed: int, n: int = 60, errors: tuple[float, float] = (0.1, 0.3)) -> list[Ints]:
    """Two judges and the truth."""
    draw = np.random.default_rng(seed)
    truth = (draw.random(n) < 0.6).astype(np.int64)
    return [np.where(draw.random(n) < rate, 1 - truth, truth) for rate in (*errors, 0.0)]


def tables(judge: Ints, truth: Ints) -> Floats:
    return np.eye(4)[2 * judge + truth].reshape(-1, 2, 2)


def mean(sums: Floats) -> Floats:
    return np.asarray(sums[:, 0] / sums[:, 1])


def test_kappa_is_compared_as_in_a_plain_loop_over_items() -> None:
    one, other, truth = labels(1)
    found = paired_jackknife(tables(one, truth), tables(other, truth), cohen_kappa_of)

    def difference(kept: NDArray[np.bool_]) -> float:
        first, second = (cohen_kappa_score(j[kept], truth[kept]) for j in (one, other))
        return float(first - second)

    everything = np.ones(60, dtype=np.bool_)
    left_out = [difference(np.arange(60) != item) for item in range(60)]
    error = math.sqrt(59 / 60 * sum((d - np.mean(left_out)) ** 2 for d in left_out))
    free = int((one != other).sum()) - 1
    assert found.difference == pytest.approx(difference(everything))
    assert found.spread / math.sqrt(60) == pytest.approx(error)
    assert found.units == 60
    assert f" {free} degrees of freedom" in found.method
    assert found.p_differs == pytest.approx(2 * t.sf(abs(found.difference) / error, free))
    low, high = found.bounds(0.02 / 2)
    half = t.isf(0.01, free) * error
    assert (low, high) == pytest.approx((found.difference - half, found.difference + half))


def test_of_means_it_is_the_paired_t_test() -> None:
    draw = np.random.default_rng(2)
    a, b = draw.normal(0.1, 1, 50), draw.normal(0, 1, 50)
    found = paired_jackknife(*(np.stack([x, np.ones(50)], axis=1) for x in (a, b)), mean)
    usual = ttest_rel(a, b)
    assert found.p_differs == pytest.approx(usual.pvalue)
    interval = usual.confidence_interval(0.9)
    assert found.bounds(0.1 / 2) == pytest.approx((interval.low, interval.high))


@given(st.integers(0, 300), st.sampled_from([0.2, 0.05, 0.01, 0.001]))
def test_an_interval_leaves_out_zero_exactly_where_p_is_at_most_alpha(
    seed: int, alpha: float
) -> None:
    one, other, truth = labels(seed, errors=(0.1, 0.2))
    found = paired_jackknife(tables(one, truth), tables(other, truth), cohen_kappa_of)
    low, high = found.bounds(alpha / 2)
    assert (found.p_differs <= alpha) == (low > 0 or high < 0)
    turned = paired_jackknife(tables(other, truth), tables(one, truth), cohen_kappa_of)
    assert turned.p_differs == found.p_differs
    assert turned.bounds(alpha / 2) == pytest.approx((-high, -low))


def test_items_without_verdicts_of_both_change_nothing() -> None:
    one, other, truth = labels(3)
    full = paired_jackknife(tables(one, truth), tables(other, truth), cohen_kappa_of)
    empty = np.zeros((7, 2, 2))
    more = paired_jackknife(
        *(np.concatenate([empty, tables(j, truth)]) for j in (one, other)), cohen_kappa_of
    )
    assert more == full


def test_where_nothing_is_tested_the_reason_is_said() -> None:
    one, other, truth = labels(4)
    cases = [
        (one, one, truth, "they say the same of every item"),
        (one[:1], 1 - one[:1], truth[:1], "undefined"),
        (one[:29], other[:29], truth[:29], f"29 items, of the {FEWEST_UNITS} that it takes"),
        (
            one, np.where(np.arange(60) < 3, 1 - one, one), truth,
            f"they differ on 3 items, and it takes {FEWEST_DIFFERING}",
        ),
    ]  # fmt: skip
    for first, second, of, why in cases:
        found = paired_jackknife(tables(first, of), tables(second, of), cohen_kappa_of)
        assert found.method == why
        assert math.isnan(found.p_differs)
        assert all(math.isnan(end) for end in found.bounds(0.05 / 2))
    constant = np.ones(60, dtype=np.int64)
    undefined = paired_jackknife(tables(constant, constant), tables(one, constant), cohen_kappa_of)
    assert math.isnan(undefined.difference)
    assert undefined.method == "undefined"
    with pytest.raises(ValueError, match="the same units of two raters"):
        paired_jackknife(np.zeros((3, 2, 2)), np.zeros((4, 2, 2)), cohen_kappa_of)


def test_a_statistic_that_one_item_alone_makes_defined_is_not_tested() -> None:
    truth = np.zeros(40, dtype=np.int64)
    truth[0] = 1
    one, other = truth.copy(), truth.copy()
    one[1:8], other[8:16] = 1, 1
    table = [np.eye(4)[2 * judge + truth].reshape(-1, 2, 2) for judge in (one, other)]

    def recall(sums: Floats) -> Floats:
        found = np.full(len(sums), np.nan)
        positive = sums[:, :, 1].sum(axis=1)
        np.divide(sums[:, 1, 1], positive, out=found, where=positive > 0)
        return found

    assert paired_jackknife(*table, recall).method == "without some item it is undefined"
