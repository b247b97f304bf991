"""Which items a suite asks: the first few, or the first few of each category."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from judgebench.benchmarks.folder import load_benchmark
from judgebench.config import BenchmarkConfig
from judgebench.execution.resolve import resolved_benchmark
from tests.e2e import runs


def chosen(name: str, **said: Any) -> list[str]:
    config = BenchmarkConfig(name=name, judges=["judge"], **said)
    return [item.id for item in resolved_benchmark(config).items]


def test_the_first_of_each_category_in_the_benchmarks_order() -> None:
    items = load_benchmark("honestybench_mini").data.items
    asked = chosen("honestybench_mini", limit_by_category=3)
    assert Counter(id_.split("/")[0] for id_ in asked) == {"primer": 3, "margins": 3}
    of = {
        name: [item.id for item in items if item.category == name] for name in ("primer", "margins")
    }
    assert set(asked) == {*of["primer"][:3], *of["margins"][:3]}
    assert asked == [item.id for item in items if item.id in set(asked)]


def test_a_category_with_fewer_is_asked_whole() -> None:
    every = [item.id for item in load_benchmark("alignbench_mini").data.items]
    assert chosen("alignbench_mini", limit_by_category=6) == every
    assert chosen("alignbench_mini", limit_by_category=100) == every
    assert chosen("alignbench_mini", limit_by_category=2) == every[:16]
    assert chosen("alignbench_mini", limit=16) == every[:16]
    assert chosen("alignbench_mini") == every


def test_items_without_a_category_are_not_counted_by_it(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"id": "1", "prompt": "Why?"}\n', encoding="utf-8")
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"item_id": "1", "text": "So."}\n', encoding="utf-8")
    benchmark = {"name": "own", "items": str(prompts), "limit_by_category": 1, "limit": None}
    benchmark |= {"judges": ["judge"], "rubric": str(_rubric(tmp_path)), "scale": [1, 5]}
    judge = {"name": "judge", "kind": "rubric", "provider": "scripted", "model": "m"}
    path = runs.suite(
        tmp_path, takers=("m",), answers=answers, judges=[judge], benchmarks=[benchmark]
    )
    done = runs.typed("plan", path)
    assert done.code == 78
    assert "benchmark own: limit_by_category: its items have no category; use 'limit'" in done.err


def _rubric(folder: Path) -> Path:
    path = folder / "rubric.txt"
    path.write_text("A good answer is short.", encoding="utf-8")
    return path


def test_one_limit_at_a_time() -> None:
    with pytest.raises(ValueError, match="give 'limit' or 'limit_by_category', not both"):
        BenchmarkConfig(name="x", judges=["j"], limit=1, limit_by_category=1)
    with pytest.raises(ValueError, match="greater than 0"):
        BenchmarkConfig(name="x", judges=["j"], limit_by_category=0)


def test_a_plan_counts_what_is_chosen(tmp_path: Path) -> None:
    benchmark = {"limit": None, "limit_by_category": 2}
    path = runs.suite(tmp_path, takers=("model-terse",), benchmark=benchmark)
    categories = {item.category for item in load_benchmark("trivia_judging_mini").data.items}
    total = json.loads(runs.typed("plan", path, "--format", "json").out)["rows"][0]
    assert total["items"] == 2 * len(categories) == 20
