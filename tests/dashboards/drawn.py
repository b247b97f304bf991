"""The drawings of a page as it sends them to a browser: what is asked of Vega, and the data."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """``rows`` are those of all data sets of a drawing, one behind the other."""

    spec: dict[str, Any]
    rows: list[dict[str, Any]]
    alt: str


def drawings(app: Any) -> list[Drawn]:
    """In the order in which they stand on the page; each is what Vega-Lite's schema allows."""
    return [
        Drawn(
            spec=valid(element.proto.spec),
            rows=[row for sent in element.proto.datasets for row in _rows(sent.data.data)],
            alt=element.proto.alt,
        )
        for element in app.get("vega_lite_chart")
    ]


def with_field(app: Any, field: str) -> list[dict[str, Any]]:
    """The rows of the first drawing that have a field."""
    for drawing in drawings(app):
        if rows := [row for row in drawing.rows if field in row]:
            return rows
    raise AssertionError(f"no drawing has the field {field!r}")


@functools.cache
def valid(spec: str) -> Any:
    """A drawing that Vega-Lite's schema allows, from its JSON; nobody may change it."""
    found = json.loads(spec)
    _schema().validate(found)  # raises where it is not
    return found


@functools.cache
def _schema() -> Any:
    """Compiled: Altair and jsonschema take a thousand times as long for a drawing.

    The names of its definitions (``MarkPropDef<(Gradient|string|null)>``) make no addresses, so
    that they are numbered.
    """
    from altair.vegalite.schema import core
    from jsonschema_rs import Draft7Validator

    whole = core.load_schema()
    named = "#/definitions/"
    numbers = {named + name: f"{n}" for n, name in enumerate(whole["definitions"])}

    def numbered(part: Any) -> Any:
        if isinstance(part, list):
            return [numbered(element) for element in part]
        if not isinstance(part, dict):
            return named + numbers[part] if part in numbers else part
        return {key: numbered(value) for key, value in part.items()}

    definitions = {numbers[named + key]: numbered(d) for key, d in whole["definitions"].items()}
    return Draft7Validator({"$ref": numbered(whole["$ref"]), "definitions": definitions})


def _rows(arrow: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.ipc.open_stream(arrow).read_all().to_pylist()
    return rows
