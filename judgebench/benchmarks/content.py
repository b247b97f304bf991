"""A version's questions and what comes with them, as JSON lines on disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench.errors import InputError
from judgebench.keys import content_key

ITEMS = "items.jsonl"
FEWSHOT = "fewshot.jsonl"
BASELINE = "baseline.jsonl"
ANSWERS = "brought_answers.jsonl"
LABELS = "brought_labels.jsonl"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Questions in their order, and what comes with them.

    ``fewshot`` are the examples that may stand before a question, ``baseline`` the answers that
    models are compared with, in the form of a file of recorded answers. A benchmark about judging
    brings ``answers`` of several models, and ``labels`` of people in the form of a file of labels,
    which need not name the benchmark.
    """

    items: tuple[Row, ...]
    fewshot: tuple[Row, ...] = ()
    baseline: tuple[Row, ...] = ()
    answers: tuple[Row, ...] = ()
    labels: tuple[Row, ...] = ()

    @property
    def sha(self) -> str:
        """SHA-256 of all of it: what pins a version, whatever file it came in."""
        parts = {"items": self.items, "fewshot": self.fewshot}
        brought = {"baseline": self.baseline, "answers": self.answers, "labels": self.labels}
        # A version without them keeps its pin.
        parts |= {name: rows for name, rows in brought.items() if rows}
        return content_key("benchmark", parts).hex()


def read_content(folder: Path) -> Content:
    """The content in a folder.

    Raises
    ------
    InputError
        Naming the file and line, for a torn or malformed line or an id that stands twice.
    """
    content = Content(
        items=tuple(_rows(folder / ITEMS, {"id": str, "question": str})),
        fewshot=_rows_if_there(folder / FEWSHOT, {"question": str, "answer": str}),
        baseline=_rows_if_there(folder / BASELINE, {"item_id": str, "text": str}),
        answers=_rows_if_there(folder / ANSWERS, {"item_id": str, "model": str, "text": str}),
        labels=_rows_if_there(folder / LABELS, {"item_id": str, "model": str, "judge": str}),
    )
    return checked(content, str(folder / ITEMS))


def checked(content: Content, where: str) -> Content:
    """Content whose ids are unique and whose references are text."""
    seen: set[str] = set()
    for number, row in enumerate(content.items, 1):
        if row["id"] in seen:
            raise InputError(f"{where}:{number}: the id {row['id']!r} stands here twice")
        references = row.get("references", [])
        if not isinstance(references, list) or not all(isinstance(r, str) for r in references):
            raise InputError(f"{where}:{number}: references: a list of texts has to stand here")
        seen.add(row["id"])
    if not content.items:
        raise InputError(f"{where}: there is no question in it")
    for name, rows in ((ANSWERS, content.answers), (LABELS, content.labels)):
        if unknown := [row["item_id"] for row in rows if row["item_id"] not in seen]:
            raise InputError(f"{name}: {unknown[0]!r} is the id of no question")
    return _with_known_baseline(content, seen)


def _with_known_baseline(content: Content, known: set[str]) -> Content:
    """Content whose baseline answers every question once, or none."""
    answered = [row["item_id"] for row in content.baseline]
    if answered and (len(answered) != len(set(answered)) or set(answered) != known):
        raise InputError(
            f"{BASELINE}: {len(answered)} answers of the baseline to {len(known)} questions; each "
            "question has one"
        )
    return content


def write_content(content: Content, folder: Path) -> None:
    """The content as files that `read_content` reads."""
    _write(content.items, folder / ITEMS)
    beside = {
        FEWSHOT: content.fewshot,
        BASELINE: content.baseline,
        ANSWERS: content.answers,
        LABELS: content.labels,
    }
    for name, rows in beside.items():
        if rows:
            _write(rows, folder / name)


def _write(rows: Iterable[Row], path: Path) -> None:
    lines = (json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


def _rows_if_there(path: Path, fields: Mapping[str, type]) -> tuple[Row, ...]:
    return tuple(_rows(path, fields)) if path.exists() else ()


def _rows(path: Path, fields: Mapping[str, type]) -> Iterable[Row]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        try:
            row = json.loads(line)
        except ValueError:
            raise InputError(f"{path}:{number}: this line is not JSON") from None
        for name, kind in fields.items():
            if not isinstance(row, dict) or not isinstance(row.get(name), kind):
                raise InputError(f"{path}:{number}: {name}: a {_WORDS[kind]} has to stand here")
        yield row


_WORDS: dict[type, str] = {str: "text"}
