"""Categories count equally on a side, sides count equally in the whole."""

from __future__ import annotations

from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from judgebench.stats.resample import mean_of_sides

SIDES = [[0, 1], [2, 3, 4, 5]]


def test_worked_by_hand() -> None:
    categories = [2.0, 4.0, 8.0, 8.0, 8.0, 4.0, 99.0]  # the last one is on no side
    assert mean_of_sides(categories, SIDES) == pytest.approx((3.0 + 7.0) / 2)
    assert mean_of_sides(categories, SIDES[:1]) == pytest.approx(3.0)


def test_a_category_without_a_score_leaves_its_side_undefined() -> None:
    categories = np.array([[1.0, np.nan, 3.0, 3.0, 3.0, 3.0], [1.0, 2.0, 3.0, 3.0, 3.0, 3.0]])
    assert np.isnan(mean_of_sides(categories, SIDES)).tolist() == [True, False]
    assert np.isnan(mean_of_sides(categories, SIDES[:1])).tolist() == [True, False]
    assert mean_of_sides(categories, SIDES[1:]).tolist() == [3.0, 3.0]


@given(hnp.arrays(np.float64, (3, 6), elements=st.floats(1, 10)))
def test_it_is_the_mean_of_means(categories: np.ndarray) -> None:
    found = mean_of_sides(categories, SIDES)
    for row, mean in zip(categories.tolist(), found.tolist(), strict=True):
        assert mean == pytest.approx(fmean(fmean(row[c] for c in side) for side in SIDES))
