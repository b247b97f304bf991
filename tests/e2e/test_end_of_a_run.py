"""The end of a run is its own: what it did stands, and says what was really asked."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgebench.execution.manifest import alive, end_dead_runs, new_manifest
from judgebench.records import RunManifest
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e import runs
from tests.e2e.test_engine import own, recorded, write
from tests.loopback import Ask, Loopback, Reaction
from tests.unit.exchanged import rows_file
from tests.wire.batch_servers import KEY, OpenAIServer


def manifest(name: str = "night") -> RunManifest:
    return new_manifest(name, {}, data_sha={}, seed=0)


def only_run(folder: Path) -> RunManifest:
    with open_store(runs.store_url(folder), read_only=True) as store:
        return next(run for run in store.runs() if "import" not in run.configuration)


def test_a_run_that_ends_while_another_looks_for_dead_ones_keeps_its_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends between being listed as under way and its lease being tried."""
    url = str(tmp_path / "s.db")
    begun = manifest()
    ended = replace(begun, state="done", ended=1.0, counts={"judged": 7})
    with open_store(url) as store, open_store(url) as looking:
        with store.lease(alive(begun)):
            store.start_run(begun)
            before = Store.lease
            tried: list[str] = []

            def lease(self: Store, name: str, **more: Any) -> Any:
                if not tried:
                    tried.append(name)
                    store.update_run(ended)
                    monkeypatch.setattr(Store, "lease", before)
                    _released.set()
                    gone.wait(60)
                return before(self, name, **more)

            gone, _released = threading.Event(), threading.Event()
            monkeypatch.setattr(Store, "lease", lease)
            other = threading.Thread(target=end_dead_runs, args=(looking,))
            other.start()
            assert _released.wait(60)
        gone.set()
        other.join()
        assert tried == [alive(begun)]
        assert store.run(begun.id) == ended


def test_a_run_that_is_dead_is_told_and_one_that_lives_is_left(tmp_path: Path) -> None:
    dead, living = manifest("dead"), manifest("living")
    with open_store(str(tmp_path / "s.db")) as store:
        store.start_run(dead)
        with store.lease(alive(living)):
            store.start_run(living)
            end_dead_runs(store)
        assert {run.name: run.state for run in store.runs()} == {
            "dead": "interrupted",
            "living": "running",
        }


@pytest.mark.parametrize("fault", ["not json", "gone", "about an unknown judge"])
def test_labels_that_are_faulty_at_the_end_change_neither_exit_code_nor_boards(
    tmp_path: Path, fault: str
) -> None:
    whole = [json.loads(line) for line in (runs.MINI / "labels.jsonl").read_text().splitlines()]
    first = rows_file(tmp_path / "first.jsonl", whole)
    second = rows_file(
        tmp_path / "second.jsonl", [{**row, "judge": "human/second"} for row in whole]
    )

    def spoil(_: Ask) -> Reaction:
        if fault == "gone":
            first.unlink(missing_ok=True)
        elif fault == "not json":
            first.write_text("{")
        else:
            first.write_text(json.dumps({**whole[0], "judge": "small"}))
        return Reaction(text="correct")

    with Loopback(spoil) as server:
        labels = {"labels": [str(first), str(second)]}
        done = runs.typed("run", runs.suite(tmp_path, server.url, benchmark=labels))
    assert done.code == 0, done.err
    assert f"warning: the labels of {first} were not taken in: {first}" in done.err
    assert f"`judgebench import labels {first}` takes them in later" in done.err
    assert "small" in done.out
    assert "human/second" in done.out  # one faulty file keeps no other out
    assert "human/authors" not in done.out
    assert only_run(tmp_path).state == "done"


def test_the_manifest_has_the_limits_that_were_asked_for(tmp_path: Path) -> None:
    with Loopback() as server:
        limits = {"max_cost_usd": 3.0, "max_retries": 2}
        priced = {"price": {"input": 0.0, "output": 0.0}}
        suite = runs.suite(tmp_path, server.url, limits=limits, judge=priced)
        done = runs.typed("run", suite, "--quiet", "--max-cost", "0.5", "--timeout", "7")
    assert done.code == 0, done.err
    kept = only_run(tmp_path).configuration
    assert kept["limits"] == {
        "max_connections": 4, "max_retries": 2, "timeout_s": 7.0, "max_cost_usd": 0.5,
    }  # fmt: skip
    assert kept["judges"][0]["name"] == "small"


def test_the_manifest_of_an_undisturbed_suite_is_the_suite(tmp_path: Path) -> None:
    import yaml

    suite = runs.suite(tmp_path)
    assert runs.typed("run", suite, "--quiet").code == 0
    assert only_run(tmp_path).configuration == yaml.safe_load(suite.read_text())


def test_the_manifest_says_who_was_asked_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCH_KEY", KEY)
    with OpenAIServer() as server:
        judge = {
            "name": "slow", "kind": "rubric", "provider": "openai", "base_url": server.url,
            "api_key": "${BATCH_KEY}", "model": "gpt-4o-2024-08-06",
            "provider_options": {"api": "chat"},
        }  # fmt: skip
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old"),
            judges=[judge],
            benchmarks=own(tmp_path, scale=[1, 10], judges=["slow", "contains"]),
        )
        assert runs.typed("run", suite, "--batch", "--quiet").code == 75
    kept = only_run(tmp_path).configuration
    assert kept["judges"] == [{**judge, "batch": True}]
    assert KEY not in json.dumps(kept)
