"""The exact bound of a share: against scipy's own, and what it promises."""

from __future__ import annotations

import math

import pytest
from scipy.stats import binom, binomtest

from judgebench.stats.resample import upper_bound
from tests.table import over_rows


@over_rows("level", [0.8, 0.95, 0.99])
@over_rows(("successes", "n"), [(0, 1), (1, 1), (0, 59), (1, 100), (7, 100), (400, 805), (99, 100)])
def test_it_is_the_upper_end_of_scipys_interval(successes: int, n: int, level: float) -> None:
    """Theirs is two-sided: half of what is left lies above it."""
    theirs = binomtest(successes, n).proportion_ci(2.0 * level - 1.0, method="exact").high
    assert upper_bound(successes, n, level=level) == pytest.approx(theirs, rel=1e-9)


def test_it_is_one_sided_at_its_level() -> None:
    """A share of just the bound shows so few successes with what is left of the level."""
    bound = upper_bound(3, 200)
    assert binom.cdf(3, 200, bound) == pytest.approx(0.05)


def test_fifty_nine_draws_without_any_exclude_a_twentieth() -> None:
    assert upper_bound(0, 58) > 0.05 > upper_bound(0, 59)
    assert upper_bound(0, 100) == pytest.approx(1.0 - 0.05 ** (1 / 100))


def test_nothing_drawn_says_nothing() -> None:
    assert math.isnan(upper_bound(0, 0))
    with pytest.raises(ValueError, match="3 successes among 2"):
        upper_bound(3, 2)
    with pytest.raises(ValueError, match="-1 successes among 2"):
        upper_bound(-1, 2)
