"""Splits are rounded before they are averaged, as MixEval publishes its scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.stats.resample import rounded_mean


def test_a_third_is_rounded_and_the_mean_is_not() -> None:
    assert rounded_mean([1 / 3, 0.6], [3, 5]) == pytest.approx((0.333 * 3 + 0.6 * 5) / 8, abs=1e-12)
    assert rounded_mean([1 / 3], [3]) == pytest.approx(0.333, abs=1e-12)


def test_what_has_no_score_counts_only_where_it_has_rows() -> None:
    assert math.isnan(rounded_mean([0.5, math.nan], [2, 2]))
    assert rounded_mean([0.5, math.nan], [2, 0]) == pytest.approx(0.5)
    assert math.isnan(rounded_mean([math.nan, math.nan], [0, 0]))


def test_halves_are_rounded_as_python_rounds_them() -> None:
    """0.0625 lies in the middle as it is written, 0.3125 does too; numpy rounds by multiplying."""
    for mean in (0.0625, 0.3125, 0.0005, 0.0015, 0.0025, 1.0005):
        assert rounded_mean([mean], [1]) == round(mean, 3)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 500)), min_size=1, max_size=4),
)
def test_it_is_the_mean_over_rows_but_for_half_a_thousandth(
    splits: list[tuple[float, int]],
) -> None:
    means, rows = map(np.array, zip(*splits, strict=True))
    plain = (means * rows).sum() / rows.sum()
    assert rounded_mean(np.stack([means] * 3), np.stack([rows] * 3)).tolist() == pytest.approx(
        [plain] * 3, abs=5e-4 + 1e-9
    )
