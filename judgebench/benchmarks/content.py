"""A version's questions and few-shot examples, as JSON lines on disk."""

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

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Questions in their order, and the examples that may stand before them."""

    items: tuple[Row, ...]
    fewshot: tuple[Row, ...] = ()

    @property
    def sha(self) -> str:
        """SHA-256 of all of it: what pins a version, whatever file it came in."""
        return content_key("benchmark", {"items": self.items, "fewshot": self.fewshot}).hex()


def read_content(folder: Path) -> Content:
    """The content in a folder.

    Raises
    ------
    InputError
        Naming the file and line, for a torn or malformed line or an id that stands twice.
    """
    items = tuple(_rows(folder / ITEMS, {"id": str, "question": str, "references": list}))
    fewshot: tuple[Row, ...] = ()
    if (folder / FEWSHOT).exists():
        fewshot = tuple(_rows(folder / FEWSHOT, {"question": str, "answer": str}))
    return checked(Content(items=items, fewshot=fewshot), str(folder / ITEMS))


def checked(content: Content, where: str) -> Content:
    """Content whose ids are unique and whose references are text."""
    seen: set[str] = set()
    for number, row in enumerate(content.items, 1):
        if row["id"] in seen:
            raise InputError(f"{where}:{number}: the id {row['id']!r} stands here twice")
        if not all(isinstance(reference, str) for reference in row["references"]):
            raise InputError(f"{where}:{number}: references: each one is a text")
        seen.add(row["id"])
    if not content.items:
        raise InputError(f"{where}: there is no question in it")
    return content


def write_content(content: Content, folder: Path) -> None:
    """The content as files that `read_content` reads."""
    _write(content.items, folder / ITEMS)
    if content.fewshot:
        _write(content.fewshot, folder / FEWSHOT)


def _write(rows: Iterable[Row], path: Path) -> None:
    lines = (json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


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


_WORDS: dict[type, str] = {str: "text", list: "list"}
