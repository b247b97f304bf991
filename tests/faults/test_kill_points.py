"""Kill -9 between any two writes of a run; `perf/faults.py` does it with a larger one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kill_points import kill_at_every_step


@pytest.mark.slow
def test_a_kill_at_any_step_loses_nothing_and_costs_nothing(tmp_path: Path) -> None:
    kills = kill_at_every_step(tmp_path, items=1)

    assert kills.at.keys() == {"before a call", "after a call", "in a commit", "after a commit"}
    assert kills.stored > 0
