"""The committed figures of MixEval, AlignBench and HonestyBench are published numbers alone."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.table import over_rows

TASKS = Path(__file__).parents[2] / "tasks"
GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold"
MADE = {
    "mixeval_hard": ("board.csv", "correlations.csv"),
    "alignbench": ("boards.csv", "judges.csv"),
    "honestybench": ("samples.csv", "sets.csv", "tables.csv"),
}
FROM = {
    "mixeval_hard": "mixeval/published_leaderboard.csv",
    "alignbench": "alignbench/published_leaderboards.json",
    "honestybench": "honestybench/published_tables.json",
}
NAMES = {"model", "column", "version", "judge", "statistic", "method", "set", "domain"}
"""Columns that hold no number."""

LONGEST_NAME = 30


def maker(table: str) -> ModuleType:
    path = TASKS / table / "figures" / "make.py"
    spec = importlib.util.spec_from_file_location(f"make_{table}_figures", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(table: str, name: str) -> list[dict[str, str]]:
    with (TASKS / table / "figures" / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("table", MADE)
def test_they_are_those_that_were_published(table: str, tmp_path: Path) -> None:
    source = GOLD / FROM[table]
    if not source.exists():
        pytest.skip(f"the gold data (../shared/gold/{FROM[table]} beside the repository) is absent")
    maker(table).make(source.parent, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(MADE[table])
    for name in MADE[table]:
        committed = TASKS / table / "figures" / name
        assert committed.read_bytes() == (tmp_path / name).read_bytes(), name


@over_rows(("table", "name"), [(t, name) for t, files in MADE.items() for name in files])
def test_what_is_text_is_a_name(table: str, name: str) -> None:
    for row in rows(table, name):
        for column, value in row.items():
            if column in NAMES:
                assert len(value) <= LONGEST_NAME, (name, column, value)
            else:
                assert value == "" or float(value) >= 0, (name, column, value)


def test_they_are_whole() -> None:
    board = rows("mixeval_hard", "board.csv")
    assert len({row["model"] for row in board}) == len(board) == 47
    assert sum(row["arena_elo"] != "" for row in board) == 33
    boards = rows("alignbench", "boards.csv")
    assert len({(row["version"], row["judge"], row["model"]) for row in boards}) == 57
    tables = rows("honestybench", "tables.csv")
    assert len({(row["statistic"], row["model"], row["method"]) for row in tables}) == 41 + 11 + 3
    assert sum(int(row["questions"]) for row in rows("honestybench", "sets.csv")) == 70_709


@over_rows("table", MADE)
def test_source_and_licence_are_told(table: str) -> None:
    told = (TASKS / table / "figures" / "README.md").read_text(encoding="utf-8")
    assert "**Source**" in told
    assert "**Licence**" in told
    for name in MADE[table]:
        assert f"`{name}`" in told
