"""Whole words of a text, and whether a phrase stands among them, as open-domain QA compares.

Texts are decomposed (NFD) and lower-cased; ASCII punctuation and the articles are dropped. A word
is a run of letters, digits and combining marks, or any other single visible character.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable
from itertools import groupby

_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, " "))
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_EDGE = "\0"
"""Stands between words; a control character is in none."""


def whole_words(text: str) -> tuple[str, ...]:
    """The words of a text, in order."""
    plain = unicodedata.normalize("NFD", text).lower().translate(_PUNCTUATION)
    words: list[str] = []
    for kind, run in groupby(_ARTICLES.sub(" ", plain), _kind):
        if kind == "word":
            words.append("".join(run))
        elif kind == "sign":
            words.extend(run)
    return tuple(words)


def contains_phrase(text: str, phrases: Iterable[str]) -> bool:
    """Whether the words of a phrase follow each other somewhere in the text.

    A phrase without words, which stands in every text, is left out.
    """
    within = _edged(whole_words(text))
    return any(_edged(words) in within for words in map(whole_words, phrases) if words)


def _edged(words: tuple[str, ...]) -> str:
    return _EDGE + "".join(word + _EDGE for word in words)


def _kind(character: str) -> str:
    category = unicodedata.category(character)[0]
    if category in "LNM":
        return "word"
    return "space" if category in "ZC" else "sign"
