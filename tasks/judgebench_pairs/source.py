"""Reads JudgeBench's pairs: two answers of one model to a question, of which one is right.

A line is a pair, known by its ``pair_id``; upstream's files of judgments repeat it and are read
as well, so is a Parquet table of the same columns. The first answer is that of a model called
``response_A``, the second that of the baseline ``response_B``. What is right was found by
checking the answers, not by people: it is the label of ``human/authors``, who are taken for right.
"""

from collections.abc import Mapping
from pathlib import Path

from judgebench.benchmarks.data import Content
from judgebench.errors import unknown_name
from judgebench.rows import read_rows

FIRST, SECOND = "response_A", "response_B"
AUTHORS = "human/authors"
WON_BY_FIRST = {"A>B": 1.0, "B>A": 0.0}
COLUMNS = ("pair_id", "source", "question", FIRST, SECOND, "label")
CATEGORIES: Mapping[str, str] = {
    "mmlu-pro": "knowledge",
    "livebench-reasoning": "reasoning",
    "livebench-math": "math",
    "livecodebench": "coding",
}
"""By what the source of a question begins with; the paper reports these four."""


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no pairs."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    tables = [file for file in files if file.suffix in (".jsonl", ".parquet")]
    if not tables:
        return None
    rows = read_rows(next((f for f in tables if f.name.startswith("pairs")), tables[0]), COLUMNS)
    for row in rows:
        if row.text("label") not in WON_BY_FIRST:
            raise row.wrong("label", unknown_name("label", row.text("label"), WON_BY_FIRST))
    return Content(
        items=tuple(
            {
                "id": row.text("pair_id"),
                "question": row.long_text("question"),
                "category": _category(row.text("source")),
                "subcategory": row.text("source"),
            }
            for row in rows
        ),
        baseline=tuple(
            {"item_id": row.text("pair_id"), "text": row.long_text(SECOND)} for row in rows
        ),
        answers=tuple(
            {"item_id": row.text("pair_id"), "model": FIRST, "text": row.long_text(FIRST)}
            for row in rows
        ),
        labels=tuple(
            {
                "item_id": row.text("pair_id"),
                "model": FIRST,
                "opponent": SECOND,
                "judge": AUTHORS,
                "kind": "preference",
                "value": WON_BY_FIRST[row.text("label")],
            }
            for row in rows
        ),
    )


def _category(source: str) -> str:
    return next((name for start, name in CATEGORIES.items() if source.startswith(start)), source)
