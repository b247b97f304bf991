"""Reads what CritiqueLLM writes: a comment, then one dictionary with its score or its comparison.

Of one answer it ends with ``{..., '综合得分': 7}``, of two with ``{'综合比较结果': '助手1'}``
(the first is better), ``'助手2'`` or ``'质量相当'`` (equally good). As CritiqueLLM's own scripts
read them, an unreadable score is 5, in the middle, and an unreadable comparison is neither
consistent nor right; ``upstream_…`` reads so. The others read what was meant, or say why not.

Source: thu-coai/CritiqueLLM at e1e0241, ``evaluation/``.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from judgebench.judges._dimension_ratings import (
    HALF,
    NO_SCORE,
    OTHER_LANGUAGE,
    OVERALL,
    DimensionRatings,
    in_another_language,
)
from judgebench.judges._json_object import TWO_VERDICTS
from judgebench.judges._loose_dictionary import dictionaries, stated
from judgebench.judges._replies import RETRACTION, no_verdict, refused
from judgebench.records import Preference, Reply, Score, Unreadable, Verdict

COMPARISON = "综合比较结果"
UNREADABLE_IS = 5.0

NO_COMPARISON = Unreadable(reason="no verdict")
OTHER_WORD = Unreadable(reason="a verdict that was not asked for")
TAKEN_BACK = Unreadable(reason="a verdict that may have been taken back")

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
        return TAKEN_BACK
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
