"""Reads the questions of AlignBench out of what upstream published.

``data_v1.1_release.jsonl`` (version 1.1) and ``data_release.jsonl`` (1.0) have a record on each
line; a Parquet file with the same columns is read as well. An item's id is its ``question_id``.
Evidences are kept as metadata: upstream's judge is not shown them either.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from judgebench.benchmarks.data import Content, records
from judgebench.errors import InputError

LINES = ("data_v1.1_release.jsonl", "data_release.jsonl")
TEXTS = ("category", "subcategory", "question", "reference")


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no questions.

    Raises
    ------
    InputError
        Naming the record, for one without its fields or with a category or subcategory that the
        benchmark's description does not list.
    """
    files = {file.name: file for file in (sorted(path.iterdir()) if path.is_dir() else [path])}
    if found := [files[name] for name in LINES if name in files]:
        return _content(found[0], (row for _, row in records(found[0])))
    for file in files.values():
        if file.suffix == ".parquet" and (rows := _table(file)) is not None:
            return _content(file, rows)
    return None


def _table(path: Path) -> list[Any] | None:
    """The rows in the order of their ids; None where it is a table of something else."""
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(path)
    except (OSError, ArrowException) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not {"question_id", *TEXTS} <= set(table.column_names):
        return None
    rows = table.to_pylist()
    if not all(isinstance(row["question_id"], int) for row in rows):
        raise InputError(f"{path}: question_id: a whole number has to stand in each row")
    return sorted(rows, key=lambda row: row["question_id"])


def _content(path: Path, rows: Iterable[Any]) -> Content:
    known = _known()
    return Content(items=tuple(_item(path, n, row, known) for n, row in enumerate(rows, 1)))


def _item(
    path: Path, number: int, row: Any, known: Mapping[str, frozenset[str]]
) -> Mapping[str, Any]:
    if not isinstance(row, dict) or not isinstance(row.get("question_id"), int):
        raise InputError(f"{path}:{number}: question_id: a whole number has to stand here")
    for name in TEXTS:
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise InputError(f"{path}:{number}: {name}: a text has to stand here")
        if name in known and row[name] not in known[name]:
            raise InputError(
                f"{path}:{number}: {name}: {row[name]!r} is none of AlignBench's, so that nothing "
                "says how it is asked or judged"
            )
    evidences = row.get("evidences") or []
    if not isinstance(evidences, list) or not all(isinstance(one, dict) for one in evidences):
        raise InputError(f"{path}:{number}: evidences: a list of records has to stand here")
    cited = [{n: one.get(n) for n in ("url", "quote")} for one in evidences if one]
    return {
        "id": str(row["question_id"]),
        "question": row["question"],
        "references": [row["reference"]],
        "category": row["category"],
        "subcategory": row["subcategory"],
        "language": "zh",
        "metadata": {"evidences": cited},
    }


def _known() -> dict[str, frozenset[str]]:
    """The categories and subcategories of the description beside this file."""
    text = Path(__file__).with_name("benchmark.toml").read_text(encoding="utf-8")
    said = tomllib.loads(text)
    types = said["judging"]["content"]["answer_types"]
    return {
        "category": frozenset(said["asking"]["temperatures"]) - {"default"},
        "subcategory": frozenset(name for one in types for name in one["subcategories"]),
    }
