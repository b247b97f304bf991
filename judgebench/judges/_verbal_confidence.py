"""Reads the confidence between 0 and 1 that a model states in words (Verbal-0, Verbal-10).

The strict reader takes a number that is alone on the first or last line, or directly follows a
word for what was asked for, and only if the text has no other number. The upstream reader takes
the last thing that looks like one, "1.5" for 0.5, and says 0 where nothing does, which no statistic
can tell from a model that is sure not to know.
"""

from __future__ import annotations

import math
import re
import unicodedata

from judgebench.judges._replies import no_verdict
from judgebench.records import Reply, Score, Unreadable

_OPEN = r"(?:[\s\"'“‘«*_#`(\[{<•]|-(?=\s))*+"  # a dash before a digit is its sign
_CLOSE = r"[\s\"'”’»*_`)\]}>]*+"
_NUMBER = r"(?P<number>(?:(?<![\w)])[-−+])?(?:[0-9]++(?:[.,][0-9]++)*+|\.[0-9]++))"
_NAME = r"(?:score|confidence|certainty|probability|likelihood|rating)"
_LINE = re.compile(
    rf"{_OPEN}(?:(?:(?:the|my|final|overall|confidence)\s+)*+{_NAME}{_CLOSE}(?:is\b|[:=])?+{_OPEN})?+"
    rf"{_NUMBER}{_CLOSE}(?:[.!。]{_CLOSE})?",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"\b{_NAME}{_CLOSE}(?:[:=]|\b(?:is|of|as|at|(?:to|would)\s+be)\b)?+{_OPEN}"
    rf"{_NUMBER}(?!\w|\s*\?)",
    re.IGNORECASE,
)
_ANY = re.compile(rf"{_NUMBER}(?P<percent>\s?(?:%|percent\b))?", re.IGNORECASE)
#: "on a scale from 0 to 1" says what was asked for, not what the answer is.
_SCALE = re.compile(
    r"\b0(?:\.0)?\s*(?:and|to|[-–,])\s*1(?:\.0)?(?!\.?[0-9])"
    r"|(?:\bout\s+of|/)\s*1(?:\.0)?(?!\.?[0-9])",
    re.IGNORECASE,
)
_UPSTREAM = re.compile(r"\b(?:0?\.\d+|1(?:\.0+)?|0)\b")


def read_verbal_confidence(reply: Reply) -> Score | Unreadable:
    """The confidence that a reply states, strictly, on the scale from 0 to 1.

    Full-width digits and brackets are read as their usual forms.
    """
    if reason := no_verdict(reply):
        return reason
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
    if not (_LINE.fullmatch(lines[0]) or _LINE.fullmatch(lines[-1]) or _NAMED.search(text)):
        return Unreadable(reason="a number that is not stated as the score")
    value = values.pop()
    if math.isnan(value):
        return Unreadable(reason="digits that are no decimal number")
    if not 0.0 <= value <= 1.0:
        return Unreadable(reason="a score outside 0 to 1")
    return Score(value=value, low=0.0, high=1.0)


def read_verbal_confidence_upstream(text: str) -> float:
    """Upstream's reading of any text: the last number between 0 and 1, and 0 without one."""
    found = _UPSTREAM.findall(text)
    return float(found[-1]) if found else 0.0


def _value(spelt: str) -> float:
    try:
        return float(spelt.replace("−", "-"))
    except ValueError:  # "1.2.3", "3,000"
        return math.nan
