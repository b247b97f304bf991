"""Reads CODAL-Bench: the rows of the Hub (``rows.jsonl``) or a table of the same columns.

With upstream's ``principles.py`` beside it a problem has the sentence on its preference that
upstream puts before it; the file is read, never run.
"""

import ast
from pathlib import Path

from judgebench.benchmarks.data import Content
from judgebench.errors import InputError, unknown_name
from judgebench.rows import Row, read_rows

PREFERENCES = ("instruction-following", "readability", "complexity", "style", "explanation")
REFERENCES = ("gpt-3.5-turbo_response", "gpt-4-turbo_response", "claude-3-sonnet-20240229_response")
"""In the order in which templates number them."""
NAMES = ("rows.jsonl", "codal_bench.jsonl", "codal_bench.parquet")


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no problems."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    tables = [file for file in files if file.name in NAMES]
    if not tables:
        return None
    said = next((_principles(file) for file in files if file.name == "principles.py"), {})
    rows = read_rows(tables[0], ("instruction", "preference", *REFERENCES))
    return Content(items=tuple(_item(row, str(n), said) for n, row in enumerate(rows)))


def _item(row: Row, name: str, said: dict[str, str]) -> dict[str, object]:
    preference = row.text("preference")
    if preference not in PREFERENCES:
        raise row.wrong("preference", unknown_name("preference", preference, PREFERENCES))
    return {
        "id": name,
        "question": row.text("instruction"),
        "category": preference,
        "references": [row.long_text(column) for column in REFERENCES],
        "metadata": {"principle": said[preference]} if preference in said else {},
    }


def _principles(file: Path) -> dict[str, str]:
    """The first sentence of each preference, which is the one that upstream takes."""
    try:
        (assigned,) = ast.parse(file.read_text(encoding="utf-8")).body
        return {name: every[0] for name, every in ast.literal_eval(assigned.value).items()}
    except (AttributeError, SyntaxError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{file}: sentences by preference have to stand here: {error}") from None
