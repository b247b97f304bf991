"""What a plan says of tokens: a bound, and near the truth once a judge was asked twenty times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from judgebench.execution.forecast import ENOUGH_CALLS
from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.loopback import Ask, Loopback, Reaction

FEW = 4
TOKENS = ("prompt_tokens", "completion_tokens")


def reply(ask: Ask) -> Reaction:
    """A word, of the hundreds of tokens that a reply may have."""
    return Reaction(text="correct" if len(ask.text) % 2 else "incorrect")


def planned(suite: Path) -> tuple[dict[str, Any], str]:
    """The row of the judge that is asked, of one model, and the table's text."""
    (row,) = [
        row
        for row in json.loads(runs.typed("plan", suite, "--format", "json").out)["rows"]
        if row["judge"] == "small"
    ]
    return row, runs.typed("plan", suite).out


def spent(folder: Path) -> dict[str, int]:
    with open_store(runs.store_url(folder), read_only=True) as store:
        spend = store.spend()
    live = [n for n, how in enumerate(spend["how"]) if how == "live"]
    return {name: sum(spend[name][n] for n in live) for name in TOKENS}


def test_the_forecast_is_a_bound_and_then_within_a_factor_of_two(tmp_path: Path) -> None:
    with Loopback(reply) as server:

        def suite(limit: int) -> Path:
            return runs.suite(tmp_path, server.url, limit=limit, takers=("model-terse",))

        row, text = planned(suite(FEW))
        assert row["upper_bound"]
        assert f"upper bound, since fewer than {ENOUGH_CALLS} replies are kept: small" in text
        assert f"≤ {row['completion_tokens']:,}" in text
        assert runs.typed("run", suite(FEW), "--quiet").code == 0
        assert spent(tmp_path)["completion_tokens"] < row["completion_tokens"]
        assert planned(suite(30))[0]["upper_bound"], "four replies say too little"
        assert runs.typed("run", suite(ENOUGH_CALLS), "--quiet").code == 0
        before = spent(tmp_path)
        row, text = planned(suite(ENOUGH_CALLS + 20))
        assert not row["upper_bound"]
        assert "upper bound" not in text
        assert runs.typed("run", suite(ENOUGH_CALLS + 20), "--quiet").code == 0
        after = spent(tmp_path)
    for name in TOKENS:
        assert 0.5 < row[name] / (after[name] - before[name]) < 2, name
