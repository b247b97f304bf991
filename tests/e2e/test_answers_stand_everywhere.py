"""An answer that is found, and not asked for, stands at every place that it answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import judgebench
from tests.e2e import runs
from tests.loopback import Loopback, Reaction

pytestmark = pytest.mark.usefixtures("forked")

PROMPTS = ["Which river?", "Which lake?", "Which river?"]  # the last one repeats the first


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.jsonl"
    rows = [{"id": f"{n}", "prompt": text, "reference": "Rhine"} for n, text in enumerate(PROMPTS)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def run(folder: Path, models: list[dict[str, Any]], *benchmarks: dict[str, Any]) -> str:
    written = {"name": "places", "models": models, "benchmarks": list(benchmarks)}
    suite, store = folder / "suite.yaml", str(folder / "store.db")
    suite.write_text(yaml.safe_dump(written))
    done = runs.judgebench("run", suite, "--store", store, "--quiet")
    assert done.returncode == 0, done.stderr
    return store


def places(store: str, benchmark: str) -> list[tuple[str, str]]:
    with judgebench.open_store(store) as opened:
        table = opened.responses(benchmark)
    return sorted(zip(table["item_id"], table["text"], strict=True))


def asked(prompts: Path, name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "items": str(prompts), "judges": ["contains"], **more}


def test_a_question_that_another_benchmark_asks_too(tmp_path: Path, prompts: Path) -> None:
    with Loopback(lambda ask: Reaction(text="The Rhine.")) as server:
        api_model = {"provider": "openai_compatible", "model": "m", "base_url": server.url}
        models = [{"name": "m", "api": api_model}]
        run(tmp_path, models, asked(prompts, "first"))
        store = run(tmp_path, models, asked(prompts, "first"), asked(prompts, "second"))
        assert len(server.asks) == 2
    expected = [(f"{n}", "The Rhine.") for n in range(3)]
    assert places(store, "first") == places(store, "second") == expected


def test_a_question_that_repeats_one_of_an_earlier_run(tmp_path: Path, prompts: Path) -> None:
    with Loopback(lambda ask: Reaction(text="The Rhine.")) as server:
        api_model = {"provider": "openai_compatible", "model": "m", "base_url": server.url}
        models = [{"name": "m", "api": api_model}]
        run(tmp_path, models, asked(prompts, "b", limit=2))
        store = run(tmp_path, models, asked(prompts, "b"))
        assert len(server.asks) == 2
    assert [item for item, _ in places(store, "b")] == ["0", "1", "2"]


def test_recorded_answers_to_two_benchmarks(tmp_path: Path, prompts: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    rows = [{"item_id": f"{n}", "text": f"Rhine {n}"} for n in range(3)]
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows))
    models = [{"name": "m", "responses": str(answers)}]
    store = run(tmp_path, models, asked(prompts, "first"), asked(prompts, "second"))
    expected = [(f"{n}", f"Rhine {n}") for n in range(3)]
    assert places(store, "first") == places(store, "second") == expected
    board = runs.judgebench("leaderboard", "second", "--store", store, "--format", "json")
    (row,) = json.loads(board.stdout)["boards"][0]["rows"]
    assert row["counts"]["answers"] == 3
