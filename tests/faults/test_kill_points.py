"""Kill -9 between two writes of a run; `perf/faults.py` does it between any two of a larger one."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.kill_points import kill_at_every_step
from tests.faults.nursery import STEPS
from tests.postgres import Server
from tests.warm import Warm


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_kill_at_any_step_loses_nothing_and_costs_nothing(
    tmp_path: Path, request: pytest.FixtureRequest, engine: str, warm: Warm
) -> None:
    with ExitStack() as databases:

        def new_store() -> str:
            server: Server = request.getfixturevalue("postgres")
            return server.url(databases.enter_context(server.database()))

        kills = kill_at_every_step(
            tmp_path,
            items=1,
            new_store=None if engine == "sqlite" else new_store,
            executable=warm.executable,
            stride=3 if engine == "sqlite" else 7,  # each takes twice as long there
        )
    assert kills.at.keys() == set(STEPS)
    assert kills.stored > 0
