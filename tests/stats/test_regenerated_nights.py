"""A model that is only asked again is seldom called worse.

Reduced; `perf/regenerated_nights.py` runs the full one, on the same figures.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from perf.regenerated_nights import HEADS, POOLS, out_of_the_pools, recorded, said

ALPHA = 0.05


def test_the_gate_holds_alpha_where_the_rule_of_a_point_does_not() -> None:
    nights = 300
    rates = dict(zip(HEADS, out_of_the_pools(recorded(), nights), strict=True))
    assert rates["regression"] <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / nights)
    assert rates["a point worse"] > 0.5
    assert rates["pass"] > 0.1
    assert sum(rates[word] for word in HEADS[:3]) == pytest.approx(1.0)


def test_a_model_that_forgot_what_it_knew_is_called_worse() -> None:
    pools = recorded()
    assert {pool.shape for pool in pools.values()} == {(48, len(POOLS))}
    old = [pool[:, 0] for pool in pools.values()]
    new = [np.zeros(48) for _ in old]
    assert said(old, new)[HEADS.index("regression")] == 1.0
    assert said(old, old)[HEADS.index("pass")] == 1.0
