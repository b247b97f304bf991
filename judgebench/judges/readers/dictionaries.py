"""Finds flat dictionaries in a reply, as Python, JSON or a hurried hand would write them.

A judge that was asked for ``{'name': 7}`` at the end of its comment writes it with either quotes or
none, in full-width characters, on one line or on several, in a fence or in a sentence. All of these
are found, by their grammar: nothing is evaluated. What one is left with (values as text, and what
stands outside) is for the readers to judge; they decide what counts as a verdict."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from judgebench.dialogue import RETRACTION, reads
from judgebench.judges.readers.json import TWO_VERDICTS
from judgebench.judges.readers.scores import Scale
from judgebench.records import Preference, Reply, Unreadable, Verdict

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


def read_coded(reply: Reply, code: str, read: Callable[[Reply], Verdict], *, what: str) -> Verdict:
    """A reply from its dictionary with the code on; a verdict without the code is none."""
    found = from_code(reply.text, code)
    if found is not None:
        return read(replace(reply, text=found))
    verdict = read(reply)
    if isinstance(verdict, Unreadable):
        return verdict
    return Unreadable(reason=f"a {what} without the code of the texts")


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


OVERALL = "综合得分"

NO_SCORE = Unreadable(reason="no score")
HALF = Unreadable(reason="half a dictionary")
OTHER_LANGUAGE = Unreadable(reason="another language")

ONE_TO_TEN = Scale(low=1, high=10, decimals=True)
"""A judge that goes between the whole numbers has said what it means."""

_NUMBER = r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?"
_IN_MEMBER = re.compile(rf"({_NUMBER})(?:\s*/\s*10)?(?:\s*分)?")
#: In a sentence, and not the first of two: "7-8", "7 或 8" and "7/5" are none.
_IN_WORDS = rf"{_NUMBER}(?!\.?[0-9])(?!\s*[-~–—至到或]\s*[0-9])(?!\s*/(?!\s*10(?![0-9]))\s*[0-9])"
_HAN = re.compile("[\u4e00-\u9fff]")


@reads("words")
def read_ratings(reply: Reply, dimensions: Sequence[str] = ()) -> Verdict:
    """The score of the whole on 1 to 10, whatever a reply holds, with that of each dimension.

    All that it says of one thing has to agree: a score in a sentence (``综合得分：7``), in a
    broken dictionary or in a second one makes a different score two verdicts. Without a dictionary
    that holds the whole, such a sentence is its score. A dimension that the reply leaves out is
    left out of the score's parts; one that was not asked for is overlooked.
    """
    found = dictionaries(reply.text)
    names = (*dimensions, OVERALL)
    around = list(stated(found.rest, names, _IN_WORDS))
    rated: dict[str, set[float]] = {}
    for name, value in found.members:
        if name in names:
            number = _IN_MEMBER.fullmatch(value)
            if number is None:
                return Unreadable(reason="a score that is no number")
            rated.setdefault(name, set()).add(float(number[1]))
    said = [one for one in around if one.name == OVERALL and one.value is not None]
    if OVERALL not in rated:
        if any(one.in_braces for one in around):
            return HALF
        if not said:
            return OTHER_LANGUAGE if in_another_language(reply.text) else NO_SCORE
    rated.setdefault(OVERALL, set()).update(float(str(one.value)) for one in said)
    if any(len(different) > 1 for different in rated.values()):
        return TWO_VERDICTS
    rest = found.rest[max([found.end, *(one.end for one in said)]) :]
    if RETRACTION.search(rest) and re.search("[0-9]", rest):
        return Unreadable(reason="a score that may have been taken back")
    scores = {name: numbers.pop() for name, numbers in rated.items()}
    for score in scores.values():
        if isinstance(checked := ONE_TO_TEN.checked(score), Unreadable):
            return checked
    ordered = {name: scores[name] for name in names if name in scores}
    return ONE_TO_TEN.score(ordered, OVERALL)


def in_another_language(text: str) -> bool:
    """Whether a text has letters, and no Chinese ones among them."""
    return any(letter.isalpha() for letter in text) and not _HAN.search(text)


COMPARISON = "综合比较结果"
NO_COMPARISON = Unreadable(reason="no verdict")
OTHER_WORD = Unreadable(reason="a verdict that was not asked for")
TAKEN_BACK = Unreadable(reason="a verdict that may have been taken back")

COMPARISONS = {
    "助手1": Preference.from_probability(1.0),
    "助手2": Preference.from_probability(0.0),
    "质量相当": Preference.from_probability(0.5),
}
_WORD = r"(?:助手[12](?![0-9])|质量相当)"


@reads("words")
def read_critique_comparison(reply: Reply) -> Verdict:
    """Which of two answers is better, by the place they were shown in.

    All that the reply says has to agree, as in `read_ratings`.
    """
    found = dictionaries(reply.text)
    around = list(stated(found.rest, (COMPARISON,), _WORD))
    inside = {value for name, value in found.members if name == COMPARISON}
    if not inside <= COMPARISONS.keys():
        return OTHER_WORD
    if not inside and any(one.in_braces for one in around):
        return HALF
    words = inside | {one.value for one in around if one.value is not None}
    if not words:
        return OTHER_LANGUAGE if in_another_language(reply.text) else NO_COMPARISON
    if len(words) > 1:
        return TWO_VERDICTS
    said = [one.end for one in around if one.value is not None]
    rest = found.rest[max([found.end, *said]) :]
    if RETRACTION.search(rest) and re.search(_WORD, rest):
        return TAKEN_BACK
    return COMPARISONS[words.pop()]
