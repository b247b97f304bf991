"""Reads the 80 questions of MT-Bench: ``question.jsonl`` as FastChat has it, or a table of it."""

from pathlib import Path

from judgebench.benchmarks.data import Content
from judgebench.rows import Row, read_rows


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no questions."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    tables = [file for file in files if file.name in ("question.jsonl", "questions.parquet")]
    if not tables:
        return None
    turns = [(row, _turns(row)) for row in read_rows(tables[0], ("question_id", "category"))]
    return Content(
        items=tuple(
            {
                "id": row.text("question_id"),
                "question": first,
                "category": row.text("category"),
                "metadata": {"second_turn": second},
            }
            for row, (first, second) in turns
        )
    )


def _turns(row: Row) -> tuple[str, str]:
    turns = row.values.get("turns", [row.values.get("turn_1"), row.values.get("turn_2")])
    if isinstance(turns, list) and len(turns) == 2 and all(isinstance(turn, str) for turn in turns):
        return turns[0], turns[1]
    raise row.wrong("turns", f"two texts have to stand here, not {turns!r:.60}")
