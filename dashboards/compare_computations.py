"""Comparisons of two models, computed where `computer` computes: plain JSON out.

A comparison comes back as what it was: `read` undoes what `compared` wrote.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from judgebench.report.compare import Comparison, comparison
from judgebench.store import Store


def compared(store: Store, first: str, second: str, asked: str) -> Any:
    """The report on two models, by their ids; ``asked`` is JSON of what else is asked for."""
    return _adapter().dump_python(comparison(store, first, second, **json.loads(asked)))


def read(written: Any) -> Comparison:
    """A comparison that was written as JSON."""
    return _adapter().validate_python(written)


@cache
def _adapter() -> TypeAdapter[Comparison]:
    return TypeAdapter(Comparison)
