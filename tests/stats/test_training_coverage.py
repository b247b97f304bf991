"""The simulation of `perf/training_coverage.py`, at a size that a test bears."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PERF = Path(__file__).parents[2] / "perf" / "training_coverage.py"


@pytest.fixture(scope="module")
def simulation() -> Any:
    spec = importlib.util.spec_from_file_location("training_coverage", PERF)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["training_coverage"] = module
    spec.loader.exec_module(module)
    return module


def test_bands_hold_and_the_best_is_put_right(simulation: Any) -> None:
    held = simulation.simulate(60, np.full(8, 0.6), 0.3, 80)
    assert held.alone / held.n < 0.8
    assert held.band / held.n >= 0.91
    assert held.too_high / held.n > 0.85
    assert held.plain / held.n < 0.9
    assert held.corrected_too_high / held.n == pytest.approx(0.5, abs=0.13)
    assert held.corrected / held.n >= 0.93
    assert held.off_grid / held.n < 0.9
    assert held.worse / held.n < 0.07


def test_they_hold_where_nearly_all_is_right(simulation: Any) -> None:
    held = simulation.simulate(60, np.full(6, 0.97), 0.3, 60)
    assert held.band / held.n >= 0.9
    assert held.corrected / held.n >= 0.93


def test_they_hold_where_clear_wins_count_more(simulation: Any) -> None:
    held = simulation.simulate_weighed(60, np.full(6, 0.6), 0.3, 60)
    assert held.alone / held.n < 0.85
    assert held.band / held.n >= 0.88
    assert held.too_high / held.n > 0.8
    assert held.corrected_too_high / held.n == pytest.approx(0.5, abs=0.17)
    assert held.corrected / held.n >= 0.9
    assert held.worse / held.n < 0.07
