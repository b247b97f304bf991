"""Tables of upstream's questions with a placeholder where the order stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from judgebench import registry
from judgebench.benchmarks.data import load_module
from judgebench.errors import InputError
from tests.table import over_rows

TABLES: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "alpaca_eval",
        "instructions.parquet",
        "index",
        {"instruction": "Say hello.", "dataset": "koala", "baseline_output": "Hello."},
    ),
    (
        "alignbench",
        "questions.parquet",
        "question_id",
        {"category": "专业能力", "subcategory": "物理", "question": "?", "reference": "!"},
    ),
    ("honestybench", "nq_2.parquet", "row", {"question": "Which?", "answers": ["That."]}),
]


def read(task: str, path: Path) -> Any:
    module = load_module(registry.tasks_root() / task, "source")
    assert module is not None
    return module.read(path)


@over_rows(("task", "name", "order", "row"), TABLES)
def test_a_row_without_its_number_is_refused(
    tmp_path: Path, task: str, name: str, order: str, row: dict[str, Any]
) -> None:
    path = tmp_path / name
    parquet.write_table(pa.Table.from_pylist([{order: 0, **row}, {order: None, **row}]), path)
    with pytest.raises(InputError, match=f"{name}: {order}: a whole number has to stand in each"):
        read(task, path)


@over_rows("rows", [["x"], [None], {"instruction": "x"}])
def test_records_of_alpaca_eval_are_objects(tmp_path: Path, rows: Any) -> None:
    path = tmp_path / "alpaca_eval_gpt4_baseline.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(InputError, match="a list of records has to stand here"):
        read("alpaca_eval", path)
