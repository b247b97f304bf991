"""Reads the 805 instructions and the baseline's outputs out of what upstream published.

``alpaca_eval_gpt4_baseline.json`` of the dataset is a list of records with the instruction, its
dataset and the baseline's output. A table with the same columns in other words
(``instructions.parquet``: ``index``, ``instruction``, ``dataset``, ``baseline_output``) is read as
well. An item's id is its row, from 0.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from judgebench.benchmarks.data import Content
from judgebench.errors import InputError

JSON = "alpaca_eval_gpt4_baseline.json"
TABLE = "instructions.parquet"


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no instructions."""
    files = {file.name: file for file in (path.iterdir() if path.is_dir() else [path])}
    if JSON in files:
        return _content(files[JSON], _from_json(files[JSON]))
    if TABLE in files:
        return _content(files[TABLE], _from_table(files[TABLE]))
    return None


def _from_json(path: Path) -> list[Mapping[str, Any]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: a list of records has to stand here")
    return rows


def _from_table(path: Path) -> list[Mapping[str, Any]]:
    from pyarrow import ArrowException, parquet

    columns = ["index", "instruction", "dataset", "baseline_output"]
    try:
        rows = parquet.read_table(path, columns=columns).to_pylist()
    except (OSError, ArrowException) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not all(isinstance(row["index"], int) for row in rows):
        raise InputError(f"{path}: index: a whole number has to stand in each row")
    in_order = sorted(rows, key=lambda row: row["index"])
    return [{**row, "output": row["baseline_output"]} for row in in_order]


def _content(path: Path, rows: Iterable[Mapping[str, Any]]) -> Content:
    items, answers = [], []
    for number, row in enumerate(rows):
        said = [row.get(name) for name in ("instruction", "dataset", "output")]
        if not all(isinstance(text, str) for text in said):
            raise InputError(
                f"{path}: record {number}: instruction, dataset and output are texts, not {said!r}"
            )
        instruction, dataset, output = said
        items.append({"id": str(number), "question": instruction, "category": dataset})
        answers.append({"item_id": str(number), "text": output})
    return Content(items=tuple(items), baseline=tuple(answers))
