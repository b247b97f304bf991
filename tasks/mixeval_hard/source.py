"""Reads MixEval's questions out of what upstream published, here and in ``tasks/mixeval``.

``free-form.json`` and ``multiple-choice.json`` are objects of records by a number as text. Tables
with the same fields and an ``id`` (``*freeform*.parquet``, ``*multichoice*.parquet``) are read as
well. Free-form questions come first, each kind in the order of its numbers, of which some versions
leave a few out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from judgebench.benchmarks.data import Content
from judgebench.benchmarks.description import Split
from judgebench.errors import InputError
from judgebench.rows import each_parquet_row

Record: TypeAlias = Mapping[str, Any]

_FILES: Mapping[Split, tuple[str, str]] = {
    "free-form": ("free-form.json", "*freeform*.parquet"),
    "multiple-choice": ("multiple-choice.json", "*multichoice*.parquet"),
}


def read(path: Path) -> Content | None:
    """The content of a folder that holds one set of a version; None if it holds no questions.

    Raises
    ------
    InputError
        For a folder with one kind of question only, or a record that is none, naming the field.
    """
    if not path.is_dir():
        return None
    found = {split: _file(path, split) for split in _FILES}
    if not any(found.values()):
        return None
    items: list[Record] = []
    for split, file in found.items():
        if file is None:
            raise InputError(f"{path}: {_FILES[split][0]} is missing; both kinds belong to a set")
        items += [_item(file, number, record, split) for number, record in _records(file)]
    return Content(items=tuple(items))


def _file(folder: Path, split: Split) -> Path | None:
    name, tables = _FILES[split]
    if (folder / name).is_file():
        return folder / name
    found = sorted(folder.glob(tables))
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise InputError(f"{folder}: {names}: import one set at a time, from a folder of its own")
    return found[0] if found else None


def _records(file: Path) -> Iterator[tuple[str, Record]]:
    records = _from_table(file) if file.suffix == ".parquet" else _from_json(file)
    if strange := [number for number in records if not number.isdecimal()]:
        raise InputError(f"{file}: record {strange[0]!r}: a number has to stand here")
    for number in sorted(records, key=int):
        yield number, records[number]


def _from_json(file: Path) -> Mapping[str, Record]:
    try:
        records = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: cannot be read as JSON: {error}") from None
    if not isinstance(records, dict):
        raise InputError(f"{file}: an object of records by number has to stand here")
    return records


def _from_table(file: Path) -> Mapping[str, Record]:
    return {str(row.get("id")): row for _, row in each_parquet_row(file)}


def _item(file: Path, number: str, record: Record, split: Split) -> Record:
    def field(name: str, fits: Callable[[Any], bool], wanted: str) -> Any:
        value = record.get(name) if isinstance(record, Mapping) else None
        if not fits(value):
            raise InputError(f"{file}: record {number}: {name}: {wanted} has to stand here")
        return value

    row = {
        "id": f"{split}/{number}",
        "problem_type": field("problem_type", lambda v: v == split, repr(split)),
        "context": field("context", lambda v: v is None or isinstance(v, str), "a text or null"),
        "question": field("prompt", _is_text, "a text"),
        "category": field("benchmark_name", _is_text, "the name of a dataset"),
    }
    if split == "free-form":
        return row | {"references": field("target", _are_texts, "a list of accepted answers")}
    options = field("options", _are_texts, "a list of options")
    (index,) = field(
        "target", lambda v: _is_one_of(v, options), f"one number from 0 to {len(options) - 1}"
    )
    return row | {"references": [options[index]], "options": options, "answer_index": index}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _is_one_of(value: Any, options: Sequence[str]) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 1
        and type(value[0]) is int
        and 0 <= value[0] < len(options)
    )
