"""Many values in portions: what is held at once, and what one statement takes, stay bounded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")

CHUNK = 1000
"""Values in one ``IN (...)`` or one batch of rows; SQLite takes 32 766 in a statement."""


def chunks(values: Collection[_T]) -> Iterator[list[_T]]:
    """All values, in their order, at most `CHUNK` at a time."""
    rest = iter(values)
    while portion := list(islice(rest, CHUNK)):
        yield portion
