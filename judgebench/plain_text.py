"""Text of others on a terminal: names, paths and messages may hold anything."""

from __future__ import annotations

import unicodedata

_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    """Text on one line that does nothing to a terminal: no escapes, no reordering, no breaks."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("�" if unicodedata.category(c) in _UNSHOWN else c for c in text)


def printable_lines(text: str) -> str:
    """As `printable`, for a message of several lines."""
    return "\n".join(printable(line) for line in text.split("\n"))
