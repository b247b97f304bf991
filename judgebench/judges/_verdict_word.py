"""Reads ``correct`` or ``incorrect`` out of a judge's reply, strictly.

A reply is never guessed at. What is read: the verdict as the first word, bare or after a lead-in
such as "The answer is", and then nothing, punctuation, or a reason that does not state the other
verdict. Everything else is unreadable with the reason, and counted.
"""

from __future__ import annotations

import json
import re
from typing import Any

from judgebench.records import Label, Reply, Unreadable, Verdict

VERDICTS = ("correct", "incorrect")

_MARKUP = r"[\s\"'“”‘’«»*_#>`()\[\]{}<•-]*+"  # what may stand around a word; "!" and "≠" negate
_LEAD_IN = (
    r"(?:(?:the\s+)?(?:final\s+|model(?:['’]s)?\s+)?"
    r"(?:answer|response|verdict|evaluation|judge?ment)(?:\s+is\b|\s*[:=])\s*)?"
)
_HEDGE = r"(?:maybe|perhaps|possibly|probably|likely|partially|partly|mostly|almost|nearly)"
_START = re.compile(
    rf"^{_MARKUP}{_LEAD_IN}{_MARKUP}(?P<hedge>{_HEDGE}\s+)?(?P<verdict>correct|incorrect)\b",
    re.IGNORECASE,
)
#: After the verdict: the end, the end of a clause, or a reason; "correct answer: Paris",
#: "correct?" and "correct: no" state no verdict.
_AFTER = re.compile(
    r"^[\"'“”‘’«»*_`)\]}>]*(?:\s*$|[.,;!]|\s*\n|\s+[-–—(]|\s+(?:because|since|as|due|given)\b)",
    re.IGNORECASE,
)
_WITHDRAWN = re.compile(
    rf"^\W*(?:{_HEDGE}|i\s+think|i\s+guess|not\s+(?:sure|certain)|or\s+not)\b", re.IGNORECASE
)
_WORDS = re.compile(r"\b(correct|incorrect)\b", re.IGNORECASE)
_NEGATED = re.compile(
    r"(?:(?:\b(?:not|never|neither)|n['’]t)[\s*_-]+(?:in)?"
    r"|\b(?:in|un|non)[\s*_-]+"
    r"|[!¬≠]\s*(?:in)?)correct\b",
    re.IGNORECASE,
)
#: "Incorrect. The correct answer is Bonn." names the right answer, not a second verdict.
_ATTRIBUTE = re.compile(
    r"\b(?:the|a)\s+correct\s+(?:answer|reference|response|name|date|spelling|one)s?\b",
    re.IGNORECASE,
)


def read_word(reply: Reply, *, accept_maybe: bool = False) -> Verdict:
    """The verdict of a reply in words; ``accept_maybe`` reads "maybe correct" as correct."""
    text = reply.text
    if not text.strip():
        return Unreadable(reason="empty reply")
    if reply.finish_reason == "length":
        return Unreadable(reason="truncated")
    start = _START.match(text)
    first = start["verdict"].lower() if start else None
    others = _ATTRIBUTE.sub(" ", text) if first == "incorrect" else text
    if len({word.lower() for word in _WORDS.findall(others)}) > 1:
        return Unreadable(reason="two verdicts")
    if _NEGATED.search(others):
        return Unreadable(reason="negated verdict")
    if start is None or first is None:
        stated = _WORDS.search(text)
        return Unreadable(reason="verdict not at the start" if stated else "no verdict")
    rest = text[start.end() :]
    if not _AFTER.match(rest):
        return Unreadable(reason="no verdict")
    hedge = (start["hedge"] or "").strip().lower()
    if _WITHDRAWN.match(rest) or (hedge and not (accept_maybe and hedge == "maybe")):
        return Unreadable(reason="hedged")
    return Label(name=first)


def read_upstream(reply: Reply, *, unparsed_is_incorrect: bool = False) -> Verdict:
    """The paper's reading: how the lower-cased reply begins; "maybe" counts as its verdict.

    The paper takes every other reply for "incorrect", which mixes what the judge could not say
    with what it said; that has to be asked for by ``unparsed_is_incorrect``.
    """
    text = reply.text.strip().lower().removeprefix("maybe ")
    for verdict in VERDICTS:
        if text.startswith(verdict):
            return Label(name=verdict)
    return Label(name="incorrect") if unparsed_is_incorrect else Unreadable(reason="no verdict")


#: Sent as ``response_format`` when the verdict is asked for as JSON.
JSON_SCHEMA: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "verdict",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"verdict": {"type": "string", "enum": list(VERDICTS)}},
            "required": ["verdict"],
            "additionalProperties": False,
        },
    },
}


def read_json(reply: Reply) -> Verdict:
    """The verdict of a reply that is exactly one JSON object ``{"verdict": …}``."""
    if not reply.text.strip():
        return Unreadable(reason="empty reply")
    if reply.finish_reason == "length":
        return Unreadable(reason="truncated")
    try:
        found = json.loads(reply.text, object_pairs_hook=_pairs)
    except (ValueError, RecursionError):
        return Unreadable(reason="not one JSON object")
    if not isinstance(found, _Pairs):
        return Unreadable(reason="not one JSON object")
    if len(found) > 1 and {name for name, _ in found} == {"verdict"}:
        return Unreadable(reason="two verdicts")
    if [name for name, _ in found] != ["verdict"] or found[0][1] not in VERDICTS:
        return Unreadable(reason="not the JSON that was asked for")
    return Label(name=found[0][1])


class _Pairs(list[tuple[str, Any]]):
    """An object's members as written, so that a name standing twice is seen."""


def _pairs(members: list[tuple[str, Any]]) -> _Pairs:
    return _Pairs(members)
