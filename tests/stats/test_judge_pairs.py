"""Two judges that do not differ are seldom told apart, and intervals hold their difference.

Reduced; `perf/judge_pairs.py` runs the full one, on the same verdicts.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from perf.judge_pairs import KINDS, cell, families, published
from tests.table import over_rows


@pytest.fixture(scope="module")
def judges() -> Any:
    return published()


def within(share: float, n: int) -> float:
    """Three standard errors of a share."""
    return 3.0 * math.sqrt(share * (1.0 - share) / n)


@over_rows("kind", list(KINDS))
def test_intervals_hold_the_difference_and_equal_judges_are_seldom_told_apart(
    judges: Any, kind: str
) -> None:
    exchange = list(KINDS).index(kind) % 2 == 0
    found = cell(judges, kind, 100, 2, exchange=exchange)["all"]
    assert found.held is not None
    assert found.tested >= 0.8 * found.asked
    assert found.held[0] / found.tested >= 0.95 - within(0.95, found.tested)
    assert found.held[1] / found.tested >= 0.99 - within(0.99, found.tested)


def test_the_best_of_many_is_not_told_from_its_equals(judges: Any) -> None:
    lines = [line.split() for line in families(judges, 50, 60)]
    for line in lines:
        assert float(line[-2]) <= 100 * (0.05 + within(0.05, 60))
    assert float(lines[1][-1]) > float(lines[1][-2])
