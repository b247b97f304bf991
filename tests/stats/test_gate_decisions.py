"""The gate's test holds its level, lets little pass that is worse, and prints what decides.

Reduced; ``perf/gate_decisions.py`` runs the full one.
"""

from __future__ import annotations

import pytest
from scipy.stats import binom

from judgebench.stats.gate_rule import decide
from perf.gate_decisions import (
    ALPHA,
    Drawn,
    Published,
    binary,
    data_sets,
    exactly,
    families,
    rare_losses,
    truth,
    u_shaped,
)
from perf.gate_rates import alpaca_eval

SETS = 120


def most(rate: float, sets: int) -> float:
    """So many at most, but for one such test in ten thousand."""
    return float(binom.isf(1e-4, sets, rate)) / sets


@pytest.fixture(scope="module")
def kinds() -> dict[str, Drawn]:
    return {
        "published": Published(alpaca_eval()),
        "U-shaped": u_shaped,
        "rare losses": rare_losses,
        "binary": binary,
    }


@pytest.mark.parametrize("name", ["published", "U-shaped", "rare losses", "binary"])
@pytest.mark.parametrize("n", [10, 200])
def test_an_unchanged_model_is_called_at_alpha_and_the_bound_says_so(
    kinds: dict[str, Drawn], name: str, n: int
) -> None:
    tests = [test for test, _ in data_sets(kinds[name], name, n, 0.0, SETS, 999)]
    for size in (1, 3, 10):
        called, against = families(tests, size, margin=-1.0)
        assert against == 0
        assert called <= most(0.06, SETS // size)


@pytest.mark.parametrize("name", ["published", "U-shaped", "rare losses", "binary"])
@pytest.mark.parametrize(("n", "rate"), [(20, 0.08), (100, 0.06)])
def test_worse_by_the_margin_seldom_passes(
    kinds: dict[str, Drawn], name: str, n: int, rate: float
) -> None:
    found = data_sets(kinds[name], name, n, 0.05, SETS, 999)
    margin = -truth(name, 0.05)
    passed = [decide(t.low, t.high, margin=margin, units=n) == "pass" for t, _ in found]
    assert sum(passed) / SETS <= most(rate, SETS)


def test_before_a_call_stood_beside_a_bound_that_said_otherwise(kinds: dict[str, Drawn]) -> None:
    """So that the figure would show it if it came back."""
    found = data_sets(kinds["published"], "published", 10, 0.0, 300, 999)
    calls = [old for _, old in found if old.p_worse <= ALPHA]
    assert sum(old.high >= 0.0 for old in calls) > 0.4 * len(calls) > 0


def test_right_and_wrong_is_called_at_six_per_cent_at_most_over_all_tables() -> None:
    found = [
        exactly(n, share, size)
        for n in (10, 15, 20, 30, 50, 100, 400, 1000)
        for share in (0.02, 0.1, 0.2, 0.4, 0.8)
        for size in (1, 3, 10)
    ]
    assert 0.05 < max(found) < 0.06
