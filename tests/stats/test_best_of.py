"""Best-of-n curves and components of variance, beside what they are defined as."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from judgebench.stats.best_of import expected_best, kl_bound, variance_components
from perf.best_of import SPREADS, components, held
from tests.table import over_rows


@over_rows("ties", [False, True])
def test_a_curve_is_the_mean_over_all_choices(ties: bool) -> None:
    generator = np.random.default_rng(3)
    scores = generator.integers(0, 3, 6) if ties else generator.permutation(6)
    values = generator.normal(size=6)
    for n, found in enumerate(expected_best(scores, values), start=1):
        means = []
        for drawn in combinations(range(6), n):
            best = scores[list(drawn)].max()
            means.append(np.mean([values[one] for one in drawn if scores[one] == best]))
        assert found == pytest.approx(np.mean(means), abs=1e-12)
    assert expected_best(scores, values)[0] == pytest.approx(values.mean())
    assert expected_best(scores, scores)[-1] == scores.max()


def test_right_and_wrong_by_themselves_are_pass_at_k() -> None:
    right = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    for k, found in enumerate(expected_best(right, right), start=1):
        assert found == pytest.approx(1.0 - math.comb(4, k) / math.comb(6, k), abs=1e-12)


def test_what_is_not_scored_is_nowhere() -> None:
    assert np.isnan(expected_best([1.0, math.nan], [1.0, 2.0])).all()
    assert np.isnan(expected_best([1.0, 2.0], [1.0, math.nan])).all()
    assert kl_bound(1) == 0.0


def test_components_add_up_where_effects_are_known() -> None:
    """Effects that are orthogonal and sum to nothing have the mean squares that they were given."""
    item, sample, judge = np.array([-1.0, 0, 1]), np.array([[-2.0, 2]] * 3), np.array([-3.0, 3])
    y = item[:, None, None] + sample[:, :, None] + judge
    found = variance_components(y)
    assert found["rest"] == pytest.approx(0.0, abs=1e-12)
    assert found["item x judge"] == pytest.approx(0.0, abs=1e-12)
    assert found["sample"] == pytest.approx(8.0)
    assert found["judge"] == pytest.approx(18.0)
    assert found["item"] == pytest.approx(1.0 - 8.0 / 2)  # below 0: samples alone would do it
    alone = variance_components(y[:, :, :1])
    assert (alone["sample"], math.isnan(alone["judge"])) == (pytest.approx(8.0), True)


def test_what_floats_round_is_no_variance() -> None:
    y = np.zeros((12, 4, 1))
    y[0, 0] = 1.0  # one answer of one item: the mean square of items is that of samples
    assert variance_components(y)["item"] == 0.0


def test_components_are_unbiased_and_intervals_hold() -> None:
    for name, value in components(300).items():
        assert value == pytest.approx(SPREADS[name] ** 2, rel=0.1, abs=0.012)
    shares, off = held(50, 40, False, parts=1)
    assert (shares > 0.85).all()
    assert (np.abs(off) < 0.12).all()
