"""The committed figures of AlpacaEval are the published annotations, as numbers alone."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from pyarrow import parquet

FIGURES = Path(__file__).parents[2] / "tasks" / "alpaca_eval" / "figures"
GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "alpaca_eval"
MADE = (
    "anchors.csv",
    "instructions.csv",
    "leaderboard.csv",
    "published.csv",
    "verdicts.parquet",
)


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_alpaca_figures", FIGURES / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(name: str) -> list[dict[str, str]]:
    with (FIGURES / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.skipif(
    not (GOLD / "annotations.parquet").exists(),
    reason="the gold data (../shared/gold/alpaca_eval beside the repository) is not here",
)
def test_they_are_those_of_the_annotations(tmp_path: Path) -> None:
    maker().make(GOLD, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(MADE)
    for name in MADE:
        if name.endswith(".csv"):
            assert (FIGURES / name).read_bytes() == (tmp_path / name).read_bytes(), name
        else:
            ours, theirs = (parquet.read_table(folder / name) for folder in (FIGURES, tmp_path))
            assert ours.equals(theirs)


def test_what_is_text_is_a_name() -> None:
    table = parquet.read_table(FIGURES / "verdicts.parquet")
    texts = [field.name for field in table.schema if str(field.type) == "string"]
    assert texts == ["model"]
    models = set(table["model"].to_pylist())
    assert len(models) == 29
    assert models == {row["model"] for row in rows("published.csv")}
    named_in = {
        "instructions.csv": (),
        "anchors.csv": ("variant",),
        "published.csv": ("model",),
        "leaderboard.csv": ("model",),
    }
    for name, named in named_in.items():
        for row in rows(name):
            for column, value in row.items():
                if column not in named:
                    assert value == "" or float(value) is not None, (name, column)
    assert {row["variant"] for row in rows("anchors.csv")} == {
        "gpt4_1106_preview_concise",
        "gpt4_1106_preview_verbose",
    }


def test_they_are_whole_and_small() -> None:
    table = parquet.read_table(FIGURES / "verdicts.parquet").to_pylist()
    assert len(table) == 29 * 805 - 4
    places = {(row["model"], row["index"]) for row in table}
    assert len(places) == len(table)
    assert all(1 <= row["preference"] <= 2 and row["length"] >= 0 for row in table)
    assert [int(row["index"]) for row in rows("instructions.csv")] == list(range(805))
    assert len(rows("anchors.csv")) == 2 * 805
    assert sum(path.stat().st_size for path in FIGURES.iterdir() if path.is_file()) < 2_000_000
