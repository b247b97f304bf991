"""Reads the 80 questions of MT-Bench, and GPT-4's answers to 30 of them, which are references.

``question.jsonl`` and ``gpt-4.jsonl`` as FastChat has them, or ``questions.parquet`` and
``reference_answers.parquet``, tables of them.
"""

from collections.abc import Iterable
from pathlib import Path

from judgebench.benchmarks.data import Content
from judgebench.errors import InputError
from judgebench.rows import Row, read_rows

QUESTIONS = ("question.jsonl", "questions.parquet")
REFERENCES = ("gpt-4.jsonl", "reference_answers.parquet")


def read(path: Path) -> Content | None:
    """The content of a folder, or of a file and what lies beside; None if it has no questions."""
    folder = path if path.is_dir() else path.parent
    tables = _called(QUESTIONS, path.iterdir() if path.is_dir() else [path])
    if not tables:
        return None
    if not (
        answers := _called(REFERENCES, [*folder.iterdir(), *folder.glob("reference_answer/*")])
    ):
        raise InputError(f"{path}: the reference answers are missing: {' or '.join(REFERENCES)}")
    questions = list(read_rows(tables[0], ("question_id", "category")))
    references = {
        row.text("question_id"): _turns(row, "choices")
        for row in read_rows(answers[0], ("question_id",))
    }
    return Content(items=tuple(_item(row, references) for row in questions))


def _called(names: Iterable[str], files: Iterable[Path]) -> list[Path]:
    return sorted(file for file in files if file.name in names)


def _item(row: Row, references: dict[str, list[str]]) -> dict[str, object]:
    item, turns = row.text("question_id"), _turns(row, "turns")
    found = {"id": item, "question": turns[0], "turns": turns, "category": row.text("category")}
    return found | ({"references": references[item]} if item in references else {})


def _turns(row: Row, field: str) -> list[str]:
    said = row.values.get(field, [row.values.get("turn_1"), row.values.get("turn_2")])
    if field == "choices" and isinstance(said, list) and said and isinstance(said[0], dict):
        said = said[0].get("turns")
    if isinstance(said, list) and len(said) == 2 and all(isinstance(turn, str) for turn in said):
        return said
    raise row.wrong(field, f"two texts have to stand here, not {said!r:.60}")
