"""Reads RewardBench: prompts, each with answers that are right and answers that are not.

A row has ``id``, ``subset``, ``prompt``, ``chosen`` and ``rejected``. In RewardBench 1 the two are
texts: a pair of the model ``chosen`` and the baseline ``rejected``. In RewardBench 2 they are
lists: answers of the models ``chosen_1``, ``rejected_1`` and so on, with a label each. Ids are
upstream's below the name of the subset, since subsets share some.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from judgebench.benchmarks.data import Content
from judgebench.rows import Row, read_rows

CHOSEN, REJECTED = "chosen", "rejected"
AUTHORS = "human/authors"
COLUMNS = ("id", "subset", "prompt", CHOSEN, REJECTED)
LABELS: Mapping[str, str] = {CHOSEN: "correct", REJECTED: "incorrect"}


def read(path: Path) -> Content | None:
    """Pairs out of a file or folder; None if it holds no table."""
    rows = table(path)
    if rows is None:
        return None
    won = {"model": CHOSEN, "opponent": REJECTED, "judge": AUTHORS}
    return Content(
        items=items(rows),
        baseline=tuple({"item_id": item_id(row), "text": row.long_text(REJECTED)} for row in rows),
        answers=tuple(
            {"item_id": item_id(row), "model": CHOSEN, "text": row.long_text(CHOSEN)}
            for row in rows
        ),
        labels=tuple(
            {"item_id": item_id(row), **won, "kind": "preference", "value": 1.0} for row in rows
        ),
    )


def table(path: Path) -> list[Row] | None:
    """The rows of a Parquet or JSONL file, or of the first in a folder; None without one."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    tables = [file for file in files if file.suffix in (".parquet", ".jsonl")]
    return read_rows(tables[0], COLUMNS) if tables else None


def items(rows: Sequence[Row]) -> tuple[Mapping[str, Any], ...]:
    """The prompts, the subset as the category."""
    return tuple(
        {
            "id": item_id(row),
            "question": row.long_text("prompt"),
            "category": row.text("subset"),
        }
        for row in rows
    )


def item_id(row: Row) -> str:
    return f"{row.text('subset')}/{row.text('id')}"


def answers(row: Row) -> Iterator[tuple[str, str, str]]:
    """Name, text and label of each answer to a prompt of RewardBench 2."""
    for side, label in LABELS.items():
        texts = row.values[side]
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise row.wrong(side, f"a list of answers has to stand here, not {texts!r:.60}")
        for n, text in enumerate(texts, 1):
            yield f"{side}_{n}", text, label
