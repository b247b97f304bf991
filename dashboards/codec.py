"""Results of the report as JSON and back, for what is computed beside the server."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import numpy as np
from pydantic import ConfigDict, TypeAdapter
from pydantic_core import CoreConfig, SchemaSerializer, SchemaValidator, core_schema

T = TypeVar("T")

_FORM = ConfigDict(
    ser_json_bytes="hex",
    val_json_bytes="hex",
    ser_json_inf_nan="constants",
    arbitrary_types_allowed=True,
)
_ARRAY = core_schema.no_info_plain_validator_function(
    np.asarray,
    serialization=core_schema.plain_serializer_function_ser_schema(np.ndarray.tolist),
)
"""Whole numbers come back as such, all others as floats: no report has arrays of anything else."""


def written(value: Any) -> str:
    """A frozen result as JSON; nan stays nan."""
    serializer, _ = _forms(type(value))
    return serializer.to_json((value,)).decode()


def read(kind: type[T], json: str) -> T:
    """What `written` wrote."""
    found: T
    _, validator = _forms(kind)
    (found,) = validator.validate_json(json)
    return found


@cache
def _forms(kind: Any) -> tuple[SchemaSerializer, SchemaValidator]:
    # In a tuple, since a dataclass by itself would not take another's configuration.
    schema = _with_arrays(TypeAdapter(tuple[kind], config=_FORM).core_schema)
    numbers = CoreConfig(ser_json_inf_nan="constants")  # in arrays too, where nothing says so
    return SchemaSerializer(schema, numbers), SchemaValidator(schema)


def _with_arrays(schema: Any) -> Any:
    """Lists of numbers where pydantic, which does not know arrays, asks for the object itself."""
    if isinstance(schema, list | tuple):
        return type(schema)(_with_arrays(part) for part in schema)
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "is-instance" and schema["cls"] is np.ndarray:
        return _ARRAY
    return {name: _with_arrays(part) for name, part in schema.items()}
