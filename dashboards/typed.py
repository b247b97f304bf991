"""Results of the report as JSON and back, for what is computed beside the server."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter

T = TypeVar("T")

_FORM = ConfigDict(ser_json_bytes="hex", val_json_bytes="hex", ser_json_inf_nan="constants")


def written(value: Any) -> str:
    """A frozen result as JSON; nan stays nan."""
    return _adapter(type(value)).dump_json((value,)).decode()


def read(kind: type[T], json: str) -> T:
    """What `written` wrote."""
    found: T
    (found,) = _adapter(kind).validate_json(json)
    return found


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(tuple[kind], config=_FORM)  # a dataclass by itself would not take it
