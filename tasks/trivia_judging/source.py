"""Reads the 400 questions and the five examples out of what upstream published.

The CSV of the paper's results holds a row for each exam taker and question: the question, its
references (one per line), and in the column ``response`` the prompt that was sent, not an answer.
The examples are read out of the first prompt. A folder with ``questions.parquet`` and
``fewshot.json`` (the same data, extracted once) is read as well.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judgebench.benchmarks.data import Content
from judgebench.errors import InputError

CSV_COLUMNS = ("model", "response", "question", "references")


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no questions."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    parquet = next((f for f in files if f.name == "questions.parquet"), None)
    if parquet is not None:
        return _from_parquet(parquet, parquet.parent / "fewshot.json")
    table = next((f for f in files if f.suffix == ".csv"), None)
    return None if table is None else _from_csv(table)


def _from_csv(path: Path) -> Content:
    items: list[Mapping[str, Any]] = []
    fewshot: list[Mapping[str, Any]] = []
    first_model = None
    for row in _rows(path):
        first_model = first_model or row["model"]
        if row["model"] != first_model:  # every exam taker got the same questions
            break
        fewshot = fewshot or list(_examples(row["response"]))
        references = row["references"].split("\n")
        items.append({"id": str(len(items)), "question": row["question"], "references": references})
    return Content(items=tuple(items), fewshot=tuple(fewshot))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        try:
            table = csv.DictReader(lines, strict=True)
            missing = [name for name in CSV_COLUMNS if name not in (table.fieldnames or ())]
            if missing:
                raise InputError(f"{path}: the column {missing[0]!r} is missing")
            for row in table:
                if any(row[name] is None for name in CSV_COLUMNS):
                    raise InputError(f"{path}:{table.line_num}: the row ends too early")
                yield row
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as CSV: {error}") from None


def _examples(prompt: str) -> Iterator[Mapping[str, str]]:
    """The pairs before the question: paragraphs ``Q: …`` and ``A: …``; the last one is asked."""
    for block in prompt.split("\n\n")[:-1]:
        question, found, answer = block.partition("\nA: ")
        if found and question.startswith("Q: "):
            yield {"question": question.removeprefix("Q: "), "answer": answer}


def _from_parquet(path: Path, fewshot: Path) -> Content:
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(path, columns=["question_id", "question", "references"])
    except (OSError, ArrowException) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    items = tuple(
        {
            "id": str(row["question_id"]),
            "question": row["question"],
            "references": row["references"],
        }
        for row in table.to_pylist()
    )
    try:
        examples = json.loads(fewshot.read_text(encoding="utf-8"))["fewshot"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{fewshot}: the examples have to stand here: {error!r}") from None
    pairs = ({"question": shot["question"], "answer": shot["answer"]} for shot in examples)
    return Content(items=items, fewshot=tuple(pairs))
