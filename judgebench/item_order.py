"""Item ids in upstream's order."""

from __future__ import annotations

import re
from collections.abc import Iterable


def in_order(items: Iterable[str]) -> list[str]:
    """Ids sorted with what is a number in them by its value, from the ids alone.

    >>> in_order(["10", "9", "free-form/2", "free-form/11"])
    ['9', '10', 'free-form/2', 'free-form/11']
    """
    return sorted(items, key=lambda item: (_parts(item), item))


def _parts(item: str) -> list[tuple[bool, int, str]]:
    """Digits and what stands between them; digits come before other text."""
    return [
        (False, int(part), "") if part.isdecimal() else (True, 0, part)
        for part in re.findall(r"\d{1,18}|\D+", item)
    ]
