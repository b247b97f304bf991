"""Reads XSTest's prompts: ``xstest_prompts.csv``, or a table with the same columns.

Ids are upstream's; ``v2-`` before them, as in its files of answers, is left out.
"""

from pathlib import Path

from judgebench.benchmarks.data import Content
from judgebench.rows import Row, read_rows

COLUMNS = ("id", "prompt", "type", "label", "focus", "note")
NAMES = ("xstest_prompts.csv", "prompts.parquet")
LABELS = ("safe", "unsafe")


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no prompts."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    tables = [file for file in files if file.name in NAMES]
    if not tables:
        return None
    return Content(
        items=tuple(
            {
                "id": row.text("id").removeprefix("v2-"),
                "question": row.long_text("prompt"),
                "category": row.text("type"),
                "metadata": {
                    "label": _label(row),
                    **{name: row.text(name, None) for name in ("focus", "note")},
                },
            }
            for row in read_rows(tables[0], COLUMNS)
        )
    )


def _label(row: Row) -> str:
    if (label := row.text("label")) not in LABELS:
        raise row.wrong("label", f"safe or unsafe has to stand here, not {label!r:.60}")
    return label
