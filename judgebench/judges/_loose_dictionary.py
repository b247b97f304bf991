"""Finds flat dictionaries in a reply, as Python, JSON or a hurried hand would write them.

A judge that was asked for ``{'name': 7}`` at the end of its comment writes it with either quotes or
none, in full-width characters, on one line or on several, in a fence or in a sentence. All of these
are found, by their grammar: nothing is evaluated. What one is left with (values as text, and what
stands outside) is for the readers to judge; they decide what counts as a verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

#: Full-width ASCII and the wide space. `unicodedata.normalize` would do, and takes time that grows
#: with the square of a run of combining marks.
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}

_QUOTED = (
    r"""(?:'[^'\\\n]*+(?:\\.[^'\\\n]*+)*'|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*\""""
    r"""|“[^“”\n]*+”|‘[^‘’\n]*+’|「[^「」\n]*+」)"""
)
_BARE = r"""[^'"“”‘’「」:,;、{}\\]++"""
_MEMBER = re.compile(
    rf"\s*+(?P<name>{_QUOTED}|{_BARE})\s*+:\s*+(?P<value>{_QUOTED}|{_BARE})\s*+"
    r"(?P<end>[,;、]\s*+\}|[,;、]|\})"
)
_QUOTES = "'\"“”‘’「」"
_MARKUP = " \t\r\n*_`"

_GROUP = re.compile(r"\{[^{}]*+\}")
_ELLIPSIS = re.compile(r"[,、{]\s*+(?:\.{3,}+|…++|。{2,}+)\s*+[,、}]")

#: Between a name and its value, where both stand in a sentence or on a line of their own.
_COLON = rf"[\s{_QUOTES}*_`]*+[:=][\s{_QUOTES}*_`\[(]*+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictionaries:
    """What the dictionaries of a reply hold, and what stands around them.

    members
        Names and values as written, without quotes and markup, of all dictionaries in order.
    rest
        The text in half-width characters with spaces in the place of each dictionary.
    end
        Where the last dictionary ends; 0 without one.
    """

    members: tuple[tuple[str, str], ...]
    rest: str
    end: int


def dictionaries(text: str) -> Dictionaries:
    """All flat dictionaries of a text, in time linear in its length.

    A group in braces with an ellipsis among its members is how a prompt shows the form it wants; a
    copy of it states nothing, and is taken for spaces.
    """
    wide = text.translate(_WIDE)
    narrow = _GROUP.sub(_without_example, wide)
    members: list[tuple[str, str]] = []
    outside: list[str] = []
    end = at = 0
    # A brace that begins no dictionary is passed over. It is reached again inside another attempt
    # only within quotes, and attempts that differ in what is quoted never come together: no
    # character is looked at more than a few times.
    while (start := narrow.find("{", at)) >= 0:
        found = _members(narrow, start + 1)
        if found is None:
            outside.append(narrow[at : start + 1])
            at = start + 1
            continue
        inside, end = found
        members += inside
        outside += [narrow[at:start], " " * (end - start)]
        at = end
    outside.append(narrow[at:])
    return Dictionaries(members=tuple(members), rest="".join(outside), end=end)


def from_code(text: str, code: str) -> str | None:
    """A text from the dictionary on that holds this code; None where none does.

    Whoever shows texts that cannot hold the code asks for it in the dictionary, so that a
    dictionary in a quoted answer is never taken for the verdict.
    """
    found = re.search(rf"[{{｛][^{{}}｛｝]*{code}", text)
    return None if found is None else text[found.start() :]


def _without_example(group: re.Match[str]) -> str:
    return " " * len(group[0]) if _ELLIPSIS.search(group[0]) else group[0]


def _members(text: str, at: int) -> tuple[list[tuple[str, str]], int] | None:
    """Members from here to the closing brace, and where that is; None for anything else."""
    found = []
    while member := _MEMBER.match(text, at):
        found.append((_bare(member["name"]), _bare(member["value"])))
        at = member.end()
        if member["end"].endswith("}"):
            return found, at
    return None


def _bare(written: str) -> str:
    return written.strip(_MARKUP).strip(_QUOTES).strip(_MARKUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A name that stands outside of all dictionaries.

    value
        What it is said to be after a colon; None where it is only mentioned.
    in_braces
        Whether it stands in braces that hold no dictionary: half of one, or one with a mistake.
    """

    name: str
    value: str | None
    in_braces: bool
    end: int


def stated(rest: str, names: Sequence[str], value: str) -> Iterator[Stated]:
    """Where a text without its dictionaries names these, in order.

    Parameters
    ----------
    rest
        As in `Dictionaries`.
    names
        What to look for.
    value
        Of what form a value is, as a pattern without groups.
    """
    depth = 0
    for found in _mention(tuple(sorted(names, key=len, reverse=True)), value).finditer(rest):
        if found["brace"]:
            depth = depth + 1 if found["brace"] == "{" else max(0, depth - 1)
            continue
        yield Stated(name=found["name"], value=found["value"], in_braces=depth > 0, end=found.end())


@cache
def _mention(names: tuple[str, ...], value: str) -> re.Pattern[str]:
    listed = "|".join(re.escape(name) for name in names)
    return re.compile(rf"(?P<brace>[{{}}])|(?P<name>{listed})(?:{_COLON}(?P<value>{value}))?")
