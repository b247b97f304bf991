"""Reads ``correct`` or ``incorrect`` out of a judge's reply, strictly.

A reply is never guessed at. What is read: the verdict as the first word, bare or after a lead-in
such as "The answer is", and then nothing, punctuation, or a reason that does not state the other
verdict. Everything else is unreadable with the reason, and counted.
"""

from __future__ import annotations

import re

from judgebench.judges._json_object import OTHER_JSON, json_object, json_schema
from judgebench.judges._replies import RETRACTION, no_verdict, unfinished
from judgebench.judges._soft import Shares
from judgebench.records import Label, Reply, Unreadable, Verdict

VERDICTS = ("correct", "incorrect")

#: What may stand before a word; "!" and "≠" negate, and ">" quotes.
_MARKUP = r"[\s\"'“”‘’«»*_#`()\[\]{}<•-]*+"
_LEAD_IN = (
    r"(?:(?:the\s+)?(?:final\s+|model(?:['’]s)?\s+)?"
    r"(?:answer|response|verdict|evaluation|judge?ment)(?:\s+is\b|\s*[:=])\s*)?"
)
_QUOTES = ('"', "'", "“", "‘", "”", "’", "«", "»")
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
    rf"^\W*(?:{_HEDGE}|i\s+think|i\s+guess|not\s+(?:sure|certain)|or\s+(?:not|wrong|false)|if)\b",
    re.IGNORECASE,
)
#: '"Correct." is what it claims' quotes a verdict; '"correct" because …' states one.
_QUOTED = re.compile(
    r"^[.,;!]?[\"'”’»]+[^\S\n]*+(?!(?:because|since|as|due|given)\b)[^\w\n]*\w", re.IGNORECASE
)
_OTHERWISE = {
    "correct": re.compile(
        r"\b(?:wrong|false|untrue|inaccurate|mistaken|disagree)\b", re.IGNORECASE
    ),
    "incorrect": re.compile(r"\b(?:is|was|['’]s)\s+(?:right|true|accurate|fine)\b", re.IGNORECASE),
}
"""Words for the other verdict, where it sounds as if that were now the one."""
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
    if reason := no_verdict(reply):
        return reason
    text = reply.text
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
    if text[: start.start("verdict")].rstrip(" *_`").endswith(_QUOTES) and _QUOTED.match(rest):
        return Unreadable(reason="a quoted verdict")
    if RETRACTION.search(rest) and _OTHERWISE[first].search(rest):
        return Unreadable(reason="a verdict that may have been taken back")
    hedge = (start["hedge"] or "").strip().lower()
    if _WITHDRAWN.match(rest) or (hedge and not (accept_maybe and hedge == "maybe")):
        return Unreadable(reason="hedged")
    return Label(name=first)


def read_upstream(reply: Reply, *, unparsed_is_incorrect: bool = False) -> Verdict:
    """The paper's reading: how the lower-cased reply begins; "maybe" counts as its verdict.

    The paper takes every other reply for "incorrect", which mixes what the judge could not say
    with what it said; that has to be asked for by ``unparsed_is_incorrect``. A reply
    that was refused or cut off is no verdict even then.
    """
    if reason := unfinished(reply):
        return reason
    text = reply.text.strip().lower().removeprefix("maybe ")
    for verdict in VERDICTS:
        if text.startswith(verdict):
            return Label(name=verdict)
    return Label(name="incorrect") if unparsed_is_incorrect else Unreadable(reason="no verdict")


#: Sent as ``response_format`` when the verdict is asked for as JSON.
JSON_SCHEMA = json_schema("verdict", {"verdict": {"type": "string", "enum": list(VERDICTS)}})


def read_json(reply: Reply) -> Verdict:
    """The verdict of a reply that is exactly one JSON object ``{"verdict": …}``."""
    if reason := no_verdict(reply):
        return reason
    found = json_object(reply, ("verdict",))
    if isinstance(found, Unreadable):
        return found
    return Label(name=found["verdict"]) if found["verdict"] in VERDICTS else OTHER_JSON


def likelier(shares: Shares | Unreadable) -> Verdict:
    """The verdict that has more of the probability, with its share; equal shares state none."""
    if isinstance(shares, Unreadable):
        return shares
    if shares["correct"] == shares["incorrect"]:
        return Unreadable(reason="both verdicts are equally likely")
    name = max(shares, key=shares.__getitem__)
    return Label(name=name, p=shares[name])
