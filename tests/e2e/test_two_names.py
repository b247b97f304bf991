"""A model is what it is, whatever a suite calls it: also where two runs want it at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e import own
from tests.faults.kill_points import signed
from tests.faults.nursery import Nursery, Order
from tests.loopback import Ask, Loopback, Reaction
from tests.warm import Warm

ITEMS = 8


def slowly(ask: Ask) -> Reaction:
    """So that the runs overlap."""
    return replace(signed(ask), delay_s=0.05)


def test_one_model_under_two_names_is_asked_once(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, warm: Warm
) -> None:
    with Loopback(slowly) as server:

        def suite(folder: Path) -> Path:
            return own.suite(
                folder,
                items=ITEMS,
                candidates=[own.endpoint(server.url, "candidate", model="candidate")],
                judges=[own.endpoint(server.url, "grader", kind="rubric")],
                benchmark={"scale": [1, 10]},
                limits={"max_connections": 2},
            )

        first = suite(tmp_path_factory.mktemp("warm"))
        with Nursery("run", first, "--quiet", executable=warm.executable) as nursery:
            before, path = len(server.asks), suite(tmp_path)
            other = path.with_name("other.yaml")
            other.write_text(path.read_text().replace("name: candidate", "name: nominee"))
            assert "nominee" in other.read_text()
            orders = [
                Order(words=("run", str(one), "--quiet"), kill_at=0, after="")
                for one in (path, other)
            ]

            ends = nursery.carry_out(*orders)

        assert [end.code for end in ends] == [0, 0], [end.said for end in ends]
        asked = Counter(ask.sha for ask in server.asks[before:])
        assert (len(asked), set(asked.values())) == (3 * ITEMS, {1})
