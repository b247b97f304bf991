"""Reads scores on a declared scale out of a judge's reply, strictly.

The scores have to stand where they were asked for: on the first lines, on the last lines with the
code of the texts (which no answer can hold, so that no quoted answer is taken for a score), or in
the one JSON object. A score that is not on the scale is none, and is never moved onto it."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from judgebench.dialogue import RETRACTION, no_verdict, reads
from judgebench.judges.readers.json import REASON, json_object, json_schema, other_json
from judgebench.judges.readers.logprobs import Shares
from judgebench.records import Reply, Score, Unreadable, Verdict
from judgebench.template import CODED

OVERALL = "score"
MAX_LISTED = 101

Scores: TypeAlias = Mapping[str, float]

_OPEN = r"(?:[\s\"'“‘*_#`(\[{]|-(?=\s))*+"  # a dash before a digit is its sign
_CLOSE = r"[\s\"'”’*_`)\]}.!]*+"
_NUMBER = r"(?P<number>-?[0-9]{1,9}(?:\.[0-9]{1,9})?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From the worst to the best rating, in whole numbers or in any between."""

    low: float
    high: float
    decimals: bool = False

    @property
    def words(self) -> str:
        """The ratings there are, as a prompt says it."""
        kind = "number (decimals are fine)" if self.decimals else "whole number"
        return f"a {kind} from {self.low:g} to {self.high:g}"

    @property
    def points(self) -> dict[str, int]:
        """The whole numbers of the scale by how they are spelt: in as many digits as the largest.

        So that none begins another (1 and 10), and what a model is about to say is one of them.
        """
        width = len(str(int(self.high)))
        return {f"{n:0{width}d}": n for n in range(int(self.low), int(self.high) + 1)}

    def checked(self, number: float) -> float | Unreadable:
        """The number, if it is a rating."""
        if not self.low <= number <= self.high:  # so is nan
            return Unreadable(reason=f"a score outside {self.low:g} to {self.high:g}")
        if not self.decimals and number != int(number):
            return Unreadable(reason="a score that is no whole number")
        return float(number)

    def expected(self, shares: Shares) -> float:
        """The mean rating by the probability of each."""
        points = self.points
        mean = math.fsum(points[spelt] * share for spelt, share in shares.items())
        return min(max(mean, self.low), self.high)  # shares add up to 1 but for rounding

    def soft_score(self, shares: Shares) -> Score:
        """The verdict whose value is the mean rating."""
        return self.score({OVERALL: self.expected(shares)})

    def score(self, scores: Scores, overall: str = OVERALL) -> Score:
        """The verdict of a reply with these scores; without one for the whole, it is their mean."""
        parts = {name: value for name, value in scores.items() if name != overall}
        whole = scores.get(overall, math.fsum(parts.values()) / max(1, len(parts)))
        return Score(value=whole, low=self.low, high=self.high, parts=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLines:
    """Finds the lines of a reply that state scores, one for each name, in their order.

    With a code, they are ``NAME CODE: 7`` and stand last; without one, ``NAME: 7`` and stand first.
    A score alone needs no name.
    """

    names: tuple[str, ...]
    scale: Scale
    code: str | None = None

    def read(self, reply: Reply) -> Scores | Unreadable:
        """The scores of a reply, whatever it holds."""
        if reason := no_verdict(reply):
            return reason
        lines = [line for line in reply.text.splitlines() if line.strip()]
        stated = [[self._number(name, line) for name in self.names] for line in lines]
        many = len(self.names)
        asked = stated[-many:] if self.code is not None else stated[:many]
        numbers = [row[i] for i, row in enumerate(asked)]
        if len(numbers) < many or None in numbers:
            anywhere = any(number is not None for row in stated for number in row)
            place = "last" if self.code is not None else "first"
            return Unreadable(reason=f"score not on the {place} line" if anywhere else "no score")
        scores: dict[str, float] = {}
        for name, column in zip(self.names, zip(*stated, strict=True), strict=True):
            different = {number for number in column if number is not None}
            if len(different) > 1:
                return Unreadable(reason="two scores")
            checked = self.scale.checked(different.pop())
            if isinstance(checked, Unreadable):
                return checked
            scores[name] = checked
        rest = "\n".join(lines[many:])
        if self.code is None and RETRACTION.search(rest) and re.search("[0-9]", rest):
            return Unreadable(reason="a score that may have been taken back")
        return scores

    def _number(self, name: str, line: str) -> float | None:
        coded, alone = self.code is not None, len(self.names) == 1
        found = _line(name, f"{self.scale.high:g}", coded=coded, alone=alone).fullmatch(line)
        if found is None or found.groupdict().get("code") != self.code:
            return None
        return float(found["number"])


@cache
def _line(name: str, highest: str, *, coded: bool, alone: bool) -> re.Pattern[str]:
    if coded:
        start = rf"{re.escape(name)}{CODED}"
    elif alone:
        named = rf"(?:(?:the|my|final|overall)\s+)*+(?:{re.escape(name)}|rating)"
        start = rf"(?:{named}{_CLOSE}(?:is\b|[:=]))?"
    else:
        start = rf"{re.escape(name)}{_CLOSE}[:=]"
    return re.compile(
        rf"{_OPEN}{start}{_OPEN}{_NUMBER}(?:\s*/\s*{re.escape(highest)})?{_CLOSE}", re.IGNORECASE
    )


def score_schema(names: Sequence[str], scale: Scale, *, explain: bool) -> dict[str, Any]:
    """The ``response_format`` of scores as JSON, with the reasons first where they are asked.

    Whole numbers are listed up to `MAX_LISTED`, since not every provider takes bounds; where there
    are more, and with decimals, the reader alone holds to the scale.
    """
    number: dict[str, Any] = {"type": "number" if scale.decimals else "integer"}
    if not scale.decimals and scale.high - scale.low < MAX_LISTED:
        number["enum"] = list(range(int(scale.low), int(scale.high) + 1))
    reason = {REASON: {"type": "string"}} if explain else {}
    return json_schema("rating", {**reason, **dict.fromkeys(names, number)})


@reads("words")
def read_scores_json(
    reply: Reply, names: Sequence[str], scale: Scale, *, explain: bool
) -> Scores | Unreadable:
    """The scores of a reply that is exactly the JSON object that was asked for."""
    found = json_object(reply, names, explain=explain)
    if isinstance(found, Unreadable):
        return found
    scores: dict[str, float] = {}
    for name in names:
        number = found[name]
        if isinstance(number, bool) or not isinstance(number, int | float):
            return other_json(f"{name!r} is no number")
        checked = scale.checked(number)
        if isinstance(checked, Unreadable):
            return checked
        scores[name] = checked
    return scores


def read_scores(
    reply: Reply,
    names: tuple[str, ...],
    scale: Scale,
    *,
    as_json: bool,
    explain: bool,
    code: str | None = None,
    overall: str = OVERALL,
) -> Verdict:
    """The verdict of a reply with scores, in JSON or on lines; ``overall`` is that of the whole."""
    if as_json:
        scores = read_scores_json(reply, names, scale, explain=explain)
    else:
        scores = ScoreLines(names=names, scale=scale, code=code).read(reply)
    return scores if isinstance(scores, Unreadable) else scale.score(scores, overall)


# A confidence between 0 and 1 that a model states in words ----------------------------------------

_STATED_OPEN = r"(?:[\s\"'“‘«*_#`(\[{<•]|-(?=\s))*+"  # a dash before a digit is its sign
_STATED_CLOSE = r"[\s\"'”’»*_`)\]}>]*+"
_STATED_NUMBER = r"(?P<number>(?:(?<![\w)])[-−+])?(?:[0-9]++(?:[.,][0-9]++)*+|\.[0-9]++))"
_NAME = r"(?:score|confidence|certainty|probability|likelihood|rating)"
_STATED_LINE = re.compile(
    rf"{_STATED_OPEN}(?:(?:(?:the|my|final|overall|confidence)\s+)*+{_NAME}{_STATED_CLOSE}(?:is\b|[:=])?+{_STATED_OPEN})?+"
    rf"{_STATED_NUMBER}{_STATED_CLOSE}(?:[.!。]{_STATED_CLOSE})?",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"\b{_NAME}{_STATED_CLOSE}(?:[:=]|\b(?:is|of|as|at|(?:to|would)\s+be)\b)?+{_STATED_OPEN}"
    rf"{_STATED_NUMBER}(?!\w|\s*\?)",
    re.IGNORECASE,
)
_ANY = re.compile(rf"{_STATED_NUMBER}(?P<percent>\s?(?:%|percent\b))?", re.IGNORECASE)
#: "on a scale from 0 to 1" says what was asked for, not what the answer is.
_SCALE = re.compile(
    r"\b0(?:\.0)?\s*(?:and|to|[-–,])\s*1(?:\.0)?(?!\.?[0-9])"
    r"|(?:\bout\s+of|/)\s*1(?:\.0)?(?!\.?[0-9])",
    re.IGNORECASE,
)
_UPSTREAM = re.compile(r"\b(?:0?\.\d+|1(?:\.0+)?|0)\b")


@reads("words")
def read_verbal_confidence(reply: Reply) -> Score | Unreadable:
    """The confidence that a reply states, strictly, on the scale from 0 to 1.

    Full-width digits and brackets are read as their usual forms.
    """
    text = _SCALE.sub(" ", unicodedata.normalize("NFKC", reply.text)).strip()
    numbers = list(_ANY.finditer(text))
    if not numbers:
        return Unreadable(reason="no score")
    if any(number["percent"] for number in numbers):
        return Unreadable(reason="a percentage")
    values = {_value(number["number"]) for number in numbers}
    if len(values) > 1:
        return Unreadable(reason="more than one number")
    lines = text.splitlines()
    if not (
        _STATED_LINE.fullmatch(lines[0]) or _STATED_LINE.fullmatch(lines[-1]) or _NAMED.search(text)
    ):
        return Unreadable(reason="a number that is not stated as the score")
    value = values.pop()
    if math.isnan(value):
        return Unreadable(reason="digits that are no decimal number")
    if not 0.0 <= value <= 1.0:
        return Unreadable(reason="a score outside 0 to 1")
    return Score(value=value, low=0.0, high=1.0)


@reads("whole")
def read_verbal_confidence_upstream(reply: Reply) -> Score | Unreadable:
    """Upstream's reading: the last number between 0 and 1 ("1.5" has 0.5), and 0 without one.

    No statistic can tell that 0 from a model that is sure not to know. A reply that was refused or
    cut off is no verdict even here.
    """
    found = _UPSTREAM.findall(reply.text)
    return Score(value=float(found[-1]) if found else 0.0, low=0.0, high=1.0)


def _value(spelt: str) -> float:
    try:
        return float(spelt.replace("−", "-"))
    except ValueError:  # "1.2.3", "3,000"
        return math.nan
