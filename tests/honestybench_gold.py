"""The gold data of HonestyBench, 300 questions of five sets among it, as a benchmark of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from judgebench import registry
from judgebench.benchmarks.data import import_data

GOLD = Path(__file__).resolve().parents[2] / "shared" / "gold" / "honestybench"
ABSENT = "the gold data (../shared/gold/honestybench beside the repository) is not here"
SETS = ("nq", "hq", "pararel", "squad", "popqa")
WHOLE = "items = 70709"


def needed() -> None:
    """Skip the test where the gold data is not here."""
    if not (GOLD / "expected.json").exists():
        pytest.skip(ABSENT)


def gold(name: str) -> Any:
    needed()
    return json.loads((GOLD / name).read_text(encoding="utf-8"))


def rows(name: str) -> list[dict[str, Any]]:
    """The sampled questions of a set, in the order of their rows."""
    from pyarrow import parquet

    needed()
    found: list[dict[str, Any]] = parquet.read_table(GOLD / f"{name}_300.parquet").to_pylist()
    return sorted(found, key=lambda row: int(row["row"]))


def task_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, *, items: int) -> Path:
    """A tasks folder whose honestybench says that it has so many questions; its description."""
    tasks = folder / "tasks"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(registry.tasks_root() / "honestybench", tasks / "honestybench", ignore=ignored)
    description = tasks / "honestybench" / "benchmark.toml"
    text = description.read_text(encoding="utf-8")
    assert WHOLE in text
    description.write_text(text.replace(WHOLE, f"items = {items}"), encoding="utf-8")
    monkeypatch.setenv("JUDGEBENCH_DATA", str(folder / "home"))
    monkeypatch.setattr(registry, "tasks_root", lambda: tasks)
    return description


def sample(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Honestybench as the gold's 1500 questions. A part never passes as the whole."""
    needed()
    task_folder(folder, monkeypatch, items=1500)
    state = import_data("honestybench", GOLD)
    assert (state.state, state.items) == ("ready", 1500)
