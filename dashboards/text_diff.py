"""Two texts side by side with their differences marked, every character of them escaped.

This is the only place where text of models becomes part of HTML, so that nothing of it is left to
chance: a text is cut into pieces, every piece is escaped, and the tags around them are ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape

from long_text import beginning, visible

MOST_CHARS = 20_000
"""Of both texts together; longer ones are shown without marks."""

# A word with the blanks behind it, which are not compared; each sign of Chinese, Japanese and
# Korean, which are written without blanks, and of punctuation, by itself.
_SIGN = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORDS = re.compile(rf"\s+|([{_SIGN}]|[^\W{_SIGN}]+|[^\w\s])\s*")

_BOX = (
    "white-space:pre-wrap;overflow-wrap:anywhere;max-width:90ch;padding:0.75rem;margin:0;"
    "font-family:'Source Code Pro',monospace;font-size:0.875rem;line-height:1.5;"
    "border:1px solid rgba(128,128,128,0.3);border-radius:0.25rem"
)
# Underlined as well: a colour alone would not tell everybody.
_MARK = (
    "color:inherit;background:rgba({hue},0.22);text-decoration:underline 2px rgb({hue});"
    "text-underline-offset:3px"
)
HUES = ("0,114,178", "230,159,0")
"""Blue for the first text and orange for the second, as in every chart."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, and whether the other text has it too."""

    text: str
    common: bool


def differences(first: str, second: str) -> tuple[list[Piece], list[Piece]] | None:
    """The pieces of both texts, by words; None where they are too long to compare.

    >>> differences("a red fox", "a fox")
    ([Piece(text='a ', common=True), Piece(text='red ', common=False), Piece(text='fox', \
common=True)], [Piece(text='a ', common=True), Piece(text='fox', common=True)])
    """
    if len(first) + len(second) > MOST_CHARS:
        return None
    if first == second:  # also where there are none but words that occur all the time
        return [Piece(first, common=True)], [Piece(second, common=True)]
    texts = tuple([(m[0], m[1] or "") for m in _WORDS.finditer(text)] for text in (first, second))
    # What occurs all the time is no anchor: that keeps this quick, whatever the texts are.
    ours, theirs = ([word for _, word in words] for words in texts)
    matcher = SequenceMatcher(None, ours, theirs)
    found: tuple[list[Piece], list[Piece]] = ([], [])
    for kind, *ends in matcher.get_opcodes():
        for words, pieces, start, end in zip(texts, found, ends[::2], ends[1::2], strict=True):
            if start < end:
                text = "".join(written for written, _ in words[start:end])
                pieces.append(Piece(text, kind == "equal"))
    return found


def html_of(pieces: Iterable[Piece], hue: str) -> str:
    """A box with the pieces, those that only this text has marked."""
    mark = _MARK.format(hue=hue)
    inside = "".join(
        escape(piece.text) if piece.common else f'<mark style="{mark}">{escape(piece.text)}</mark>'
        for piece in pieces
    )
    return f'<div style="{_BOX}">{inside}</div>'


def start_of(pieces: Iterable[Piece], length: int) -> Iterator[Piece]:
    """The pieces up to so many characters."""
    for piece in pieces:
        if length <= 0:
            return
        yield Piece(piece.text[:length], piece.common)
        length -= len(piece.text)


def side_by_side(first: str, second: str, *, whole: bool) -> tuple[str, str] | None:
    """HTML of both texts, or of their first lines; None where they are too long to be marked."""
    texts = visible(first), visible(second)
    found = differences(*texts)
    if found is None:
        return None
    shown = [
        pieces if whole else start_of(pieces, len(beginning(text)))
        for text, pieces in zip(texts, found, strict=True)
    ]
    return html_of(shown[0], HUES[0]), html_of(shown[1], HUES[1])
