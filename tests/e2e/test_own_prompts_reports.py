"""What people see of their own prompts: batches on their way, versions, labels, bills."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import judgebench
from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.e2e.test_batch_runs import batch_judge, rated
from tests.e2e.test_engine import PLAIN, own, recorded, write
from tests.loopback import Loopback, Reaction
from tests.unit.exchanged import label, rows_file
from tests.wire.batch_servers import KEY, OpenAIServer

SCRIPTED = {"provider": "scripted", "model": "dice"}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_KEY", KEY)


def offline(folder: Path, judges: Sequence[str] = ("j",), **fields: Any) -> Path:
    """A suite whose judges draw their replies."""
    return write(
        folder,
        models=recorded(folder, "old", "new"),
        judges=[{"name": name, **SCRIPTED} for name in judges],
        benchmarks=own(folder, scale=[1, 10], judges=list(judges), **fields),
    )


def changed_question(folder: Path) -> None:
    items = folder / "prompts.jsonl"
    items.write_text(items.read_text().replace("Vienna", "Budapest"))


def versions(folder: Path) -> list[str]:
    with judgebench.open_store(runs.store_url(folder)) as store:
        return [version for _, version in store.benchmarks()]


def test_a_panel_whose_judge_waits_in_a_batch_says_so(tmp_path: Path) -> None:
    quick = Loopback(lambda ask: Reaction(text=json.dumps({"score": 4})))
    with OpenAIServer() as server, quick as live:
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old", "new"),
            judges=[
                batch_judge("openai", server.url, batch=True),
                {
                    "name": "j", "kind": "rubric", "provider": "openai_compatible",
                    "base_url": live.url, "model": "judge", "options": PLAIN,
                },
            ],
            benchmarks=own(
                tmp_path, scale=[1, 10], judges=["slow", "j"],
                panel={"judges": ["slow", "j"], "rule": "mean"},
            ),
        )  # fmt: skip
        handed = runs.typed("run", suite)
        assert handed.code == 75, handed.err
        assert "6 done in" in handed.err
        assert "6 put into batches" in handed.err
        assert "slow has no verdicts here yet; its questions wait in a batch" in handed.out
        assert f"`judgebench batches collect --store {runs.store_url(tmp_path)}`" in handed.err
        planned = json.loads(runs.typed("plan", suite, "--format", "json").out)
        assert planned["total"]["judge_calls"] == 0
        assert planned["total"]["recorded"] == 12
        assert planned["total"]["cost_usd"]["high"] == 0
        server.end(rated(server))
        runs.typed("batches", "collect", "--store", runs.store_url(tmp_path))
        read = runs.typed("run", suite)
        with judgebench.open_store(runs.store_url(tmp_path)) as store:
            spent = store.spend()
    assert read.code == 0, read.err
    cost = spent.groupby("how")["cost_usd"].sum()
    assert cost["batch"] > 0
    assert cost["recorded"] == 0  # read for what they were paid for: that saves nothing
    assert "5.50" in read.out  # (7 + 4) / 2


def test_of_several_versions_the_newest_run_is_shown(tmp_path: Path) -> None:
    suite = offline(tmp_path)
    assert runs.typed("run", suite, "--quiet").code == 0
    changed_question(tmp_path)
    assert runs.typed("run", suite, "--quiet").code == 0
    old, new = versions(tmp_path)
    shown = runs.typed("leaderboard", "own", "--store", runs.store_url(tmp_path))
    assert f"own@{new}" in shown.out
    assert old not in shown.out
    named = runs.typed("leaderboard", f"own@{old}", "--store", runs.store_url(tmp_path))
    assert f"own@{old}" in named.out


def test_no_prompt_is_missed_that_cannot_be_official(tmp_path: Path) -> None:
    shown = runs.typed("run", offline(tmp_path))
    assert "judged by j" in shown.out
    assert "official" not in shown.out


def test_labels_without_a_version_are_about_the_newest(tmp_path: Path) -> None:
    said = [
        label(f"q{n}", model, "human/ann", "correct", benchmark="own")
        for n in range(3)
        for model in ("old", "new")
    ]
    labels = rows_file(tmp_path / "labels.jsonl", said)
    suite = offline(tmp_path, labels=[str(labels)])
    assert runs.typed("run", suite, "--quiet").code == 0
    with open_store(runs.store_url(tmp_path), read_only=True) as store:
        (version,) = versions(tmp_path)
        people = store.verdicts("own", version, judges=["human/ann"])
    assert people["label"] == ["correct"] * 6

    store_url = ("--store", runs.store_url(tmp_path))
    unknown = rows_file(
        tmp_path / "more.jsonl", [label("q7", "old", "j2", "correct", benchmark="own")]
    )
    refused = runs.typed("import", "verdicts", unknown, *store_url)
    assert refused.code == 65, refused.err
    assert f"'q7' is no item of own@{version}" in refused.err
    kept = runs.typed("import", "verdicts", unknown, "--allow-unknown-items", *store_url)
    assert kept.code == 0, kept.err

    answers = rows_file(
        tmp_path / "answers.jsonl",
        [{"benchmark": "own", "item_id": "q0", "model": "third", "text": "The Danube."}],
    )
    assert runs.typed("import", "responses", answers, *store_url).code == 0
    assert versions(tmp_path) == [version]


def test_what_was_spent_as_a_table(tmp_path: Path) -> None:
    assert runs.typed("run", offline(tmp_path), "--quiet").code == 0
    with judgebench.open_store(runs.store_url(tmp_path)) as store:
        spent = store.spend()
        (run,) = set(spent["run_id"])
        assert store.spend(run).equals(spent)
        assert store.spend("nothing").empty
    assert set(spent["judge"]) == {"j"}
    assert spent["calls"].sum() == 6
    assert spent["cost_usd"].sum() == 0.0


def test_a_plan_tells_questions_from_replies(tmp_path: Path) -> None:
    planned = runs.typed("plan", offline(tmp_path))
    assert "tokens in" in planned.out
    assert "tokens out" in planned.out


def test_a_configuration_is_shown_as_it_is_written_in_a_suite(tmp_path: Path) -> None:
    assert runs.typed("run", offline(tmp_path), "--quiet").code == 0
    shown = runs.typed("runs", "show", "last", "--store", runs.store_url(tmp_path))
    lines = [line.strip() for line in shown.out.splitlines()]
    assert "provider: scripted" in lines
    assert any(line.startswith("configuration   benchmarks:") for line in lines)


def test_what_the_model_does_not_take_is_not_shown_as_if_it_had(tmp_path: Path) -> None:
    with Loopback(lambda ask: Reaction(text=json.dumps({"score": 4}))) as server:
        asking = {
            "name": "j", "kind": "rubric", "provider": "openai_compatible", "base_url": server.url,
            "model": "judge", "options": PLAIN, "capabilities": {"temperature": False},
        }  # fmt: skip
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old"),
            judges=[asking],
            benchmarks=own(tmp_path, scale=[1, 10], judges=["j"]),
        )
        shown = runs.typed("run", suite)
    assert all("temperature" not in ask.body for ask in server.asks)
    assert "; not taken by the model: temperature" in shown.out
    assert "temperature 0" not in shown.out
