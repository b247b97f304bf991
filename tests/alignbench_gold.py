"""The gold data of AlignBench, half of its questions among it, as a benchmark of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from judgebench import registry
from judgebench.benchmarks.data import import_data

GOLD = Path(__file__).resolve().parents[2] / "shared" / "gold" / "alignbench"
ABSENT = "the gold data (../shared/gold/alignbench beside the repository) is not here"
PROMPT = "judge.py#prompt_construct.base_prompt"
WHOLE = "items = 683"


def needed() -> None:
    """Skip the test where the gold data is not here."""
    if not (GOLD / "expected.json").exists():
        pytest.skip(ABSENT)


def gold(name: str) -> Any:
    return json.loads((GOLD / name).read_text(encoding="utf-8"))


def rows() -> list[dict[str, Any]]:
    """The questions of half A, in the order of their ids."""
    from pyarrow import parquet

    found: list[dict[str, Any]] = parquet.read_table(GOLD / "v1.1_half_a.parquet").to_pylist()
    return sorted(found, key=lambda row: int(row["question_id"]))


def half(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tasks folder whose alignbench is half A, imported with the official texts.

    A part never passes as the whole: the copied description says that there are 342 questions.
    """
    tasks = folder / "tasks"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("alignbench", "alignbench_pointwise"):  # the second has the forms of critiques
        shutil.copytree(registry.tasks_root() / name, tasks / name, ignore=ignored)
    description = tasks / "alignbench" / "benchmark.toml"
    text = description.read_text(encoding="utf-8")
    assert WHOLE in text
    description.write_text(text.replace(WHOLE, "items = 342"), encoding="utf-8")
    monkeypatch.setenv("JUDGEBENCH_DATA", str(folder / "home"))
    monkeypatch.setattr(registry, "tasks_root", lambda: tasks)
    state = import_data("alignbench", GOLD)
    assert (state.state, state.items, state.prompts_missing) == ("ready", 342, ())
    return tasks


def filled(row: dict[str, Any], answer: str) -> str:
    """The judge's prompt as upstream's code makes it of a question and an answer."""
    config = gold("config.json")
    names = config["type_dimensions"][config["subcategory_type"][row["subcategory"]]]
    meanings = config["dimension_definition"]
    listed = "".join(f"{n}. {name}: {meanings[name]}\n" for n, name in enumerate(names, 1))
    prompt: str = gold("official_prompts.json")["prompts"][PROMPT]
    return prompt.format(
        category=row["category"],
        dimensions=listed,
        question=row["question"],
        reference=row["reference"],
        answer=answer,
    )
