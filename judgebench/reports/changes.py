"""What differs between two things, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from judgebench.secret import redact

ABSENT = ""
"""How a field reads that a side does not have."""


class Change(NamedTuple):
    """A field that differs, of which part of a run; both values as text, empty where absent."""

    part: str
    field: str
    first: str
    second: str


def changes(part: str, first: Any, second: Any) -> list[Change]:
    """The fields in which two values differ, in the order of the first.

    Lists of things with a ``name`` are compared name by name, so that one more of them is one
    difference; other lists as wholes. What is empty is as if it were absent. What looks like a key
    is not shown.
    """
    before, after = dict(_fields(first)), dict(_fields(second))
    return [
        Change(part, field, *_shown(before.get(field, ABSENT), after.get(field, ABSENT)))
        for field in dict.fromkeys((*before, *after))
        if before.get(field, ABSENT) != after.get(field, ABSENT)
    ]


def _shown(first: str, second: str) -> tuple[str, str]:
    hidden = redact(first), redact(second)
    return hidden if hidden[0] != hidden[1] else (hidden[0], f"{hidden[1]} (another one)")


def _fields(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _fields(inner, f"{path}.{name}" if path else str(name))
    elif (named := _by_name(value)) is not None:
        for name, inner in named.items():
            yield from _fields(inner, f"{path}[{name}]")
    elif value is not None and value != []:
        yield path, _text(value)


def _by_name(value: Any) -> dict[str, Any] | None:
    """The elements of a list by their names, without these; None where it is not such a list."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        return None
    if not all(isinstance(one, Mapping) and "name" in one for one in value):
        return None
    found = {
        str(one["name"]): {k: v for k, v in one.items() if k != "name"} or "there" for one in value
    }
    return found if len(found) == len(value) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
