"""How far a run is stands in its manifest while it goes on, and no longer than that."""

from __future__ import annotations

from pathlib import Path

import pytest

from judgebench.execution import manifest as recording
from judgebench.execution.manifest import Outcome, ProgressRecorder
from judgebench.protocols import Meter, NoProgress
from judgebench.records import RunManifest
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.dashboards.stores import manifest


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(f"sqlite:///{tmp_path / 's.db'}")
    store.start_run(manifest("r", state="running"))
    return store


def now(store: Store) -> RunManifest:
    found = store.run("r")
    assert found is not None
    return found


def test_a_stage_is_told_when_it_begins_and_counts_when_they_are_due(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = Outcome(now(store), None)  # type: ignore[arg-type]  # no suite
    progress = ProgressRecorder(NoProgress(), store, outcome)
    progress.stage("judging: gpt", 10)
    told_first = now(store).progress
    assert (told_first["stage"], told_first["total"], told_first["done"]) == ("judging: gpt", 10, 0)
    progress.advance(3)
    assert now(store).progress == told_first, "not a commit for each verdict"
    monkeypatch.setattr(recording, "TOLD_S", 0.0)
    progress.advance(failed="timeout")
    progress.advance(2, waiting=True)
    progress.meter(Meter(calls=4, tokens=900, cost_usd=0.5, budget_usd=20))
    found = now(store).progress
    assert (found["done"], found["waiting"], found["failed"]) == (3, 2, {"timeout": 1})
    assert (found["calls"], found["cost_usd"], found["budget_usd"]) == (4, 0.5, 20)
    progress.stage("judging: claude", None)
    found = now(store).progress
    assert (found["total"], found["done"], found["failed"], found["calls"]) == (None, 0, {}, 0)


def test_a_run_that_has_ended_is_nowhere_any_more(tmp_path: Path) -> None:
    from tests.e2e import runs

    done = runs.typed("run", runs.suite(tmp_path), "--quiet")
    assert done.code == 0, done.err
    with open_store(runs.store_url(tmp_path), read_only=True) as opened:
        (run,) = opened.runs()
    assert run.state == "done"
    assert run.progress == {}
    assert run.counts["judged"] == 24
