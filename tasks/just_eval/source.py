"""Reads the instructions of just-eval out of a file of somebody's answers to them.

Upstream publishes answers as lists of records (``leaderboard/outputs/*.to_eval.json``) that have
the instruction beside each; a table ``items.parquet`` with the same columns is read as well. Which
task, topic, difficulty and source upstream gives each, and which are of its lite subset, stands in
``tags.csv`` beside this file.
"""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from judgebench.benchmarks.data import Content
from judgebench.rows import Row, each_row


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no instructions."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    tables = [f for f in files if f.name == "items.parquet" or f.name.endswith(".to_eval.json")]
    if not tables:
        return None
    rows = list(each_row(tables[0], ("id", "instruction", "dataset")))
    tags = _tags()
    return Content(items=tuple(_item(row, tags) for row in rows))


def of_version(content: Content, version: str) -> Content:
    """The content of a version: ``lite`` is the subset that upstream calls so."""
    if version != "lite":
        return content
    return replace(content, items=tuple(one for one in content.items if one["metadata"]["lite"]))


def _item(row: Row, tags: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    id_ = str(row.whole("id"))
    if id_ not in tags:
        raise row.wrong("id", f"{id_} is none of just-eval's, 0 to {len(tags) - 1}")
    told = {"dataset": row.text("dataset"), "source_id": row.text("source_id", None)}
    return {
        "id": id_,
        "question": row.long_text("instruction"),
        "category": "regular" if tags[id_]["task"] else "safety",
        "metadata": told | tags[id_],
    }


def _tags() -> dict[str, dict[str, Any]]:
    file = Path(__file__).with_name("tags.csv")
    with file.open(encoding="utf-8", newline="") as stream:
        return {
            row["id"]: {
                "task": row["task"].split(),
                "topic": row["topic"].split(),
                **{name: row[name] or None for name in ("difficulty", "source", "lite")},
            }
            for row in csv.DictReader(stream)
        }
