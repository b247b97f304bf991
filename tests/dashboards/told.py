"""The texts of models and judges on a page, letter by letter as it sends them to a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def verbatim(app: Any) -> list[str]:
    """In the order in which they stand on the page."""
    return list(_told(app.main, within=False))


def _told(node: Any, *, within: bool) -> Iterator[str]:
    if node.type == "text" and within:
        yield node.value
    here = within or "verbatim " in getattr(getattr(node, "proto", None), "id", "")
    for child in getattr(node, "children", {}).values():
        yield from _told(child, within=here)
