"""A project's budget: two suites share it, what it leaves is asked, and `judgebench cost` tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e import own, runs
from tests.faults.kill_points import signed
from tests.loopback import Loopback

PRICE = {"input": 0.0, "output": 1000.0}
"""A tenth of a cent for a token of a reply."""


def suite(folder: Path, server: Loopback, taker: str, usd: float, **judge: object) -> Path:
    folder.mkdir()
    return own.suite(
        folder,
        items=6,
        takers=(taker,),
        judges=[own.endpoint(server.url, "grader", kind="rubric", **judge)],
        benchmark={"scale": [1, 10]},
        budget={"project": "ours", "usd_per_month": usd},
        store=f"sqlite:///{folder.parent / 'shared.db'}",
    )


def test_two_suites_share_a_budget(tmp_path: Path) -> None:
    at = ("--store", f"sqlite:///{tmp_path / 'shared.db'}")
    sampling = {"max_tokens": 100}
    with Loopback(signed) as server:
        first = suite(tmp_path / "a", server, "anna", 1.0, price=PRICE, sampling=sampling)
        done = runs.typed("run", first, "--quiet")
        assert done.code == 0, done.err
        spent = json.loads(runs.typed("cost", *at, "--format", "json").out)["budgets"]
        (row,) = spent
        assert (row["project"], row["reserved_usd"], row["cap_usd"]) == ("ours", 0.0, 1.0)
        assert row["spent_usd"] == pytest.approx(6 * 0.004)
        before = len(server.asks)
        cap = row["spent_usd"] + 0.1095  # a call is ten cents at most, and less than half a cent
        second = suite(tmp_path / "b", server, "berta", cap, price=PRICE, sampling=sampling)
        done = runs.typed("run", second, "--quiet", "--max-connections", "1")
        asked = len(server.asks) - before
    assert done.code == 75, done.err
    assert "are spent in 2" in done.err
    assert "of project 'ours'" in done.err
    assert asked == 3
    shown = runs.typed("cost", *at).out
    assert "budgets of projects, by month (UTC)" in shown
    (now,) = json.loads(runs.typed("cost", *at, "--format", "json").out)["budgets"]
    assert now["spent_usd"] == pytest.approx(9 * 0.004)
    assert now["reserved_usd"] == 0.0


def test_a_price_must_be_known_under_a_budget(tmp_path: Path) -> None:
    with Loopback(signed) as server:
        unknown = suite(tmp_path / "a", server, "anna", 1.0, model="gpt-4o-of-ours")
        remote = unknown.read_text().replace("127.0.0.1", "judge.example.org")
        unknown.write_text(remote)
        done = runs.typed("run", unknown, "--quiet")
    assert done.code == 78
    assert "budget.usd_per_month is set, and the price of gpt-4o-of-ours is not known" in done.err
