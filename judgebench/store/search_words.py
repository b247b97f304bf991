"""What is searched for: words of any script and signs of any kind, never a query language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from judgebench.store.codec import readable

GRAM = 3
"""Characters of a gram, the unit of the index. A word that is shorter has none of its own."""

TAIL = "\n" * (GRAM - 1)
"""Stands behind every text in the index, so that each of its characters begins a gram."""

MOST_GRAMS = 48  # of one word: a longer one is told apart by the text itself
MOST_CONTINUATIONS = 2000  # of a short word: one with more is looked for in the texts
_BEFORE, _AFTER = 60, 160
_BLANKS = re.compile(r"\s+")
_PART = re.compile(r'"([^"]+)"|(\S+)')


@dataclass(frozen=True)
class Words:
    """Each of the words, and each passage in double quotes, has to occur, in any order and case.

    What models write needs no escaping: a quote without its partner, ``*``, ``%``, ``_``,
    parentheses and ``AND`` are characters like others.
    """

    text: str

    @cached_property
    def parts(self) -> tuple[str, ...]:
        found = _PART.findall(readable(self.text))
        return tuple(dict.fromkeys(quoted or word for quoted, word in found))

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(re.escape(part), re.IGNORECASE) for part in self.parts)

    def occur_in(self, text: str) -> bool:
        return all(pattern.search(text) for pattern in self._patterns)

    def snippet(self, text: str) -> tuple[str, str, str]:
        """The first word as it stands in a text, with what is before and behind it, on one line.

        ``¶`` stands where lines end; other characters are as they are. The beginning of the text
        where there are no words.
        """
        match = next((found for p in self._patterns if (found := p.search(text))), None)
        start, end = match.span() if match else (0, 0)
        before, behind = max(0, start - _BEFORE), end + _AFTER
        return (
            ("… " if before else "") + _one_line(text[before:start]),
            _one_line(text[start:end]),
            _one_line(text[end:behind]) + (" …" if behind < len(text) else ""),
        )


def _one_line(text: str) -> str:
    return _BLANKS.sub(lambda blanks: " ¶ " if "\n" in blanks[0] else " ", text)


def match_expression(words: Words, continuations: Callable[[str], list[str]]) -> str | None:
    """What the index is asked for: a superset of the texts in which the words occur.

    Parameters
    ----------
    continuations
        The grams in the index that begin with a text, one more than `MOST_CONTINUATIONS` of them
        at most.

    Returns
    -------
    str or None
        None where the index cannot narrow it down.
    """
    clauses = []
    for part in words.parts:
        if len(part) >= GRAM:
            grams = (part[start : start + GRAM] for start in range(len(part) - GRAM + 1))
            clauses.append(_joined(" AND ", list(dict.fromkeys(grams))[:MOST_GRAMS]))
            continue
        grams_there = continuations(part.lower())
        if len(grams_there) <= MOST_CONTINUATIONS:
            # Without any, the word itself: it has no gram, and so it is found nowhere.
            clauses.append(_joined(" OR ", grams_there or [(part + TAIL)[:GRAM]]))
    return " AND ".join(clauses) if clauses else None


def _joined(how: str, grams: Iterable[str]) -> str:
    quoted = ('"' + gram.replace('"', '""') + '"' for gram in grams)
    return f"({how.join(quoted)})"
