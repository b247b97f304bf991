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
from typing import Literal, TypeAlias

from judgebench.judges.readers.json import TWO_VERDICTS
from judgebench.judges.readers.replies import RETRACTION, no_verdict, refused
from judgebench.judges.readers.scores import Scale
from judgebench.records import Preference, Reply, Score, Unreadable, Verdict

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
NO_NUMBER = Unreadable(reason="a score that is no number")
HALF = Unreadable(reason="half a dictionary")
OTHER_LANGUAGE = Unreadable(reason="another language")
TAKEN_BACK = Unreadable(reason="a score that may have been taken back")

ONE_TO_TEN = Scale(low=1, high=10, decimals=True)
"""A judge that goes between the whole numbers has said what it means."""

_NUMBER = r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?"
_HAN = re.compile("[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionRatings:
    """What is asked for, and how a reply that answers it is read.

    dimensions
        What is rated, without the whole; none for a judge that rates the whole alone.
    scale
        From the worst to the best rating, of each dimension and of the whole.
    overall
        How the score of the whole is called.
    """

    dimensions: tuple[str, ...]
    scale: Scale = ONE_TO_TEN
    overall: str = OVERALL

    def read(self, reply: Reply) -> Verdict:
        """The verdict of a reply, whatever it holds.

        All that it says of one thing has to agree: a score in a sentence (``综合得分：7``), in a
        broken dictionary or in a second one makes a different score two verdicts. Without a
        dictionary that holds the whole, such a sentence is its score.
        """
        if reason := no_verdict(reply):
            return reason
        found = dictionaries(reply.text)
        around = list(stated(found.rest, (*self.dimensions, self.overall), self._value))
        rated: dict[str, set[float]] = {}
        for name, value in found.members:
            if name not in self.dimensions and name != self.overall:
                continue
            number = self._number(value)
            if number is None:
                return NO_NUMBER
            rated.setdefault(name, set()).add(number)
        said = [one for one in around if one.name == self.overall and one.value is not None]
        if self.overall not in rated and (reason := self._unsaid(reply.text, around, said)):
            return reason
        in_words = {float(one.value) for one in said if one.value is not None}
        rated[self.overall] = rated.get(self.overall, set()) | in_words
        if any(len(different) > 1 for different in rated.values()):
            return TWO_VERDICTS
        rest = found.rest[max([found.end, *(one.end for one in said)]) :]
        if RETRACTION.search(rest) and re.search("[0-9]", rest):
            return TAKEN_BACK
        return self._score({name: numbers.pop() for name, numbers in rated.items()})

    def _unsaid(self, text: str, around: list[Stated], said: list[Stated]) -> Unreadable | None:
        """Why a reply has no score whose dictionaries do not hold it; None if a sentence does."""
        if any(one.in_braces for one in around):
            return HALF
        if said:
            return None
        return OTHER_LANGUAGE if in_another_language(text) else NO_SCORE

    def _score(self, rated: dict[str, float]) -> Verdict:
        for number in rated.values():
            checked = self.scale.checked(number)
            if isinstance(checked, Unreadable):
                return checked
        return Score(
            value=rated[self.overall],
            low=self.scale.low,
            high=self.scale.high,
            parts={name: rated[name] for name in self.dimensions if name in rated},
        )

    def _number(self, value: str) -> float | None:
        of_all = rf"(?:\s*/\s*{self.scale.high:g})?"
        found = re.fullmatch(rf"({_NUMBER}){of_all}(?:\s*分)?", value)
        return float(found[1]) if found else None

    @property
    def _value(self) -> str:
        """A number in a sentence, and not the first of two: "7-8", "7 或 8" and "7/5" are none."""
        whole = r"(?!\.?[0-9])"
        no_range = r"(?!\s*[-~–—至到或]\s*[0-9])"
        of_all = rf"(?!\s*/(?!\s*{self.scale.high:g}(?![0-9]))\s*[0-9])"
        return f"{_NUMBER}{whole}{no_range}{of_all}"


def in_another_language(text: str) -> bool:
    """Whether a text has letters, and no Chinese ones among them."""
    return any(letter.isalpha() for letter in text) and not _HAN.search(text)


COMPARISON = "综合比较结果"
UNREADABLE_IS = 5.0

NO_COMPARISON = Unreadable(reason="no verdict")
OTHER_WORD = Unreadable(reason="a verdict that was not asked for")
COMPARISON_TAKEN_BACK = Unreadable(reason="a verdict that may have been taken back")

UpstreamLabel: TypeAlias = Literal[-1, 0, 1, 2]

_VERDICTS = {
    "助手1": Preference(winner=0, p_first=1.0),
    "助手2": Preference(winner=1, p_first=0.0),
    "质量相当": Preference(winner=None, p_first=0.5),
}
_WORD = r"(?:助手[12](?![0-9])|质量相当)"

# Upstream's numbers: "10" before "1", so that 100 is 10 and 11 is 1; and 0.5 is 0.
_UPSTREAM_NUMBER = r"((?:10|0)(?:\.0*)?|[1-9](?:\.\d*)?)"
_UPSTREAM_SCORES = [
    re.compile(written + _UPSTREAM_NUMBER)
    for written in (f"'{OVERALL}': ", f"{OVERALL}: ", f"{OVERALL}：")
]


def read_critique_score(reply: Reply) -> Verdict:
    """The score of one answer, on 1 to 10 with decimals."""
    return DimensionRatings(dimensions=()).read(reply)


def read_critique_comparison(reply: Reply) -> Verdict:
    """Which of two answers is better, by the place they were shown in.

    All that the reply says has to agree, as in `DimensionRatings.read`.
    """
    if reason := no_verdict(reply):
        return reason
    found = dictionaries(reply.text)
    around = list(stated(found.rest, (COMPARISON,), _WORD))
    inside = {value for name, value in found.members if name == COMPARISON}
    if not inside <= _VERDICTS.keys():
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
        return COMPARISON_TAKEN_BACK
    return _VERDICTS[words.pop()]


def read_upstream_score(reply: Reply) -> Verdict:
    """Upstream's reading as a verdict on 0 to 10; where it says `UNREADABLE_IS`, there is none.

    What correlates scores with people's puts it back where the published figure is wanted.
    """
    if reason := refused(reply):
        return reason
    found = _upstream_number(reply.text)
    return NO_SCORE if found is None else Score(value=found, low=0.0, high=10.0)


def read_upstream_comparison(reply: Reply) -> Verdict:
    """Upstream's reading as a verdict."""
    if reason := refused(reply):
        return reason
    label = upstream_comparison(reply.text)
    return NO_COMPARISON if label == -1 else list(_VERDICTS.values())[label]


def upstream_score(text: str) -> float:
    """The score as CritiqueLLM's script reads it: in [0, 10], and `UNREADABLE_IS` for none."""
    found = _upstream_number(text)
    return UNREADABLE_IS if found is None else found


def _upstream_number(text: str) -> float | None:
    for written in _UPSTREAM_SCORES:
        if found := written.search(text):
            return float(found[1])
    return None


def upstream_comparison(text: str) -> UpstreamLabel:
    """0 for the first answer, 1 for the second, 2 for a tie; -1 for none of the three spellings.

    The first spelling that stands anywhere counts, also where another one does too.
    """
    labels: tuple[UpstreamLabel, ...] = (0, 1, 2)
    for label, word in zip(labels, _VERDICTS, strict=True):
        if f"{{'{COMPARISON}': '{word}'}}" in text:
            return label
    return -1
