"""Reads the questions of Arena-Hard, and a baseline's answers, out of what upstream published.

``question.jsonl`` of either version, in the forms of 2024 (``question_id``, ``turns``) and of 2025
(``uid``, ``prompt``), and beside it or in ``model_answer`` the answers of its baseline. Tables of
the same (``questions_v0.1.parquet``, ``questions_v2.0.parquet``, ``answers.parquet``) are read as
well. Texts hold line separators of Unicode unescaped: a line of JSON ends at a line feed alone.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judgebench.benchmarks.data import Content
from judgebench.rows import Row, read_rows

BASELINES = {"arena-hard-v0.1": "gpt-4-0314", "hard_prompt": "o3-mini-2025-01-31"}
"""Whose answers come with the questions, by category; of creative writing nobody's do."""
OLD = "arena-hard-v0.1"
QUESTIONS = ("question.jsonl", "questions_v0.1.parquet", "questions_v2.0.parquet")


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no questions."""
    folder = path if path.is_dir() else path.parent
    given = [folder / name for name in QUESTIONS] if path.is_dir() else [path]
    tables = [file for file in given if file.name in QUESTIONS and file.is_file()]
    if not tables:
        return None
    items = [_item(row) for row in read_rows(tables[0], ())]
    wanted = {str(one["id"]): BASELINES.get(str(one["category"])) for one in items}
    answers: dict[str, str] = {}
    for name in dict.fromkeys(filter(None, wanted.values())):
        for place in (f"{name}.jsonl", f"model_answer/{name}.jsonl", "answers.parquet"):
            file = folder / place
            for item, model, text in _answers(file) if file.is_file() else ():
                if wanted.get(item) == model == name:
                    answers.setdefault(item, text)
    return Content(
        items=tuple(items),
        baseline=tuple(
            {"item_id": item, "model": model, "text": answers[item]}
            for item, model in wanted.items()
            if item in answers
        ),
    )


def _item(row: Row) -> Mapping[str, Any]:
    turns = row.values.get("turns")
    if isinstance(turns, list) and len(turns) == 1 and isinstance(turns[0], dict):
        row = Row(row.where, {**row.values, "prompt": turns[0].get("content")})
    category = row.text("category", None) or OLD
    category = OLD if row.has("question_id") else category
    found: dict[str, Any] = {
        "id": row.text("uid" if row.has("uid") else "question_id"),
        "question": row.long_text("prompt"),
        "category": category,
    }
    if row.has("subcategory"):
        found["subcategory"] = row.text("subcategory")
    if row.has("cluster"):
        found["metadata"] = {"cluster": row.text("cluster")}
    return found


def _answers(file: Path) -> Iterator[tuple[str, str, str]]:
    """Item, model and text of each answer."""
    for row in read_rows(file, ()):
        said: Any = row.values.get("answer")
        if row.has("choices"):
            said = row.values["choices"][0]["turns"][-1]["content"]
        elif row.has("messages"):
            said = row.values["messages"][-1]["content"]
        text = said.get("answer") if isinstance(said, dict) else said
        if not isinstance(text, str):
            raise row.wrong("messages", "no answer stands here")
        item = row.text("uid" if row.has("uid") else "question_id")
        yield item, row.text("model_id" if row.has("model_id") else "model"), text
