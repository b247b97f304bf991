"""Reads a verdict that is said in words: (in)correct, (un)certain, A or B; strictly.

A reply is never guessed at. The verdict has to stand where it was asked for: as the first word, on
the first line, or on the last line with the code of the texts (which no answer can hold, so that no
quoted answer is taken for the verdict). A second verdict that says otherwise makes a reply
unreadable, with the reason, and counted.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Literal

from judgebench.dialogue import RETRACTION, reads, stated_on_line
from judgebench.judges.readers.logprobs import Shares
from judgebench.records import BINARY, Label, Preference, Reply, Unreadable, Verdict
from judgebench.template import CODED

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


@reads("words")
def read_word(reply: Reply, *, accept_maybe: bool = False) -> Verdict:
    """The verdict of a reply in words; ``accept_maybe`` reads "maybe correct" as correct."""
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


@reads("whole")
def read_upstream(reply: Reply, *, unparsed_is_incorrect: bool = False) -> Verdict:
    """The paper's reading: how the lower-cased reply begins; "maybe" counts as its verdict.

    The paper takes every other reply for "incorrect", which mixes what the judge could not say
    with what it said; that has to be asked for by ``unparsed_is_incorrect``. A reply
    that was refused or cut off is no verdict even then.
    """
    text = reply.text.strip().lower().removeprefix("maybe ")
    for verdict in VERDICTS:
        if text.startswith(verdict):
            return Label(name=verdict)
    return Label(name="incorrect") if unparsed_is_incorrect else Unreadable(reason="no verdict")


def likelier(shares: Shares) -> Verdict:
    """The verdict that has more of the probability, with its share; equal shares state none."""
    if shares["correct"] == shares["incorrect"]:
        return Unreadable(reason="both verdicts are equally likely")
    name = max(shares, key=shares.__getitem__)
    return Label(name=name, p=shares[name])


CONSISTENCY = ("inconsistent", "consistent")
"""The labels of a judge of two answers; the last one is the positive one, as in `BINARY`."""

NEGATIVE_PHRASES = (
    "sorry", "apologize", "apologies", "uncertain", "false", "no", "unsure", "cannot", "unknown",
    "no specific answer", "not provide", "cannot answer", "no information provided", "no answer",
    "not contain", "no definitive answer",
)  # fmt: skip
"""What makes a reply negative upstream, as whole words."""

_CERTAIN_MARKUP = r"[\s\"'“”‘’«»*_#`()\[\]{}<>•-]*+"
_CERTAIN_LEAD_IN = (
    r"(?:(?:(?:the|my|final)\s+)*+(?:answer|response|verdict|evaluation|judge?ment)"
    rf"{_CERTAIN_MARKUP}(?:is\b|[:=]))?+"
)
_CERTAIN_LINE = re.compile(
    rf"{_CERTAIN_MARKUP}{_CERTAIN_LEAD_IN}{_CERTAIN_MARKUP}(?P<word>certain|uncertain)(?:{_CERTAIN_MARKUP}[.!,;])?{_CERTAIN_MARKUP}",
    re.IGNORECASE,
)
_CERTAIN_WORDS = re.compile(r"\b(?:un)?certain\b", re.IGNORECASE)
_NOT_CERTAIN = re.compile(
    r"(?:\b(?:not|never|neither|in|un|non)|n['’]t)[\s*_-]+(?:un)?certain\b|[!¬≠]\s*(?:un)?certain\b",
    re.IGNORECASE,
)


@reads("words")
def read_certainty(reply: Reply, labels: tuple[str, str] = BINARY) -> Verdict:
    """The label that a reply states, strictly; ``labels`` are the negative and the positive one."""
    text = reply.text.strip()
    stated = {word.lower() for word in _CERTAIN_WORDS.findall(text)}
    if not stated:
        return Unreadable(reason="no verdict")
    if len(stated) > 1:
        return Unreadable(reason="two verdicts")
    if _NOT_CERTAIN.search(text):
        return Unreadable(reason="negated verdict")
    line, *rest = text.splitlines()
    found = _CERTAIN_LINE.fullmatch(line)
    if found is None:
        return Unreadable(reason="verdict not alone on the first line")
    if RETRACTION.search("\n".join(rest)):
        return Unreadable(reason="a verdict that may have been taken back")
    return Label(name=labels[found["word"].lower() == "certain"])


@reads("whole")
def read_certainty_upstream(reply: Reply, labels: tuple[str, str] = BINARY) -> Verdict:
    """Upstream's reading of any text: negative by `NEGATIVE_PHRASES`, else positive.

    A reply that was refused or cut off is no verdict even here.
    """
    return Label(name=labels[not contains_phrase(reply.text, NEGATIVE_PHRASES)])


_OPEN = r"[\s\"'“‘*_#`(\[{:-]*+"
_CLOSE = r"[\s\"'”’*_`)\]}.!]*+"
_WINNER_LEAD_IN = (
    r"(?i:(?:the\s+)?(?:(?:final|my|overall|better|best)\s+)*+"
    r"(?:verdict|winner|answer|choice|preference|one)(?:\s+is\b|\s*[:=])\s*)?"
)
_NAMED = r"(?i:(?:answer|response|assistant|output|model)\s+)?"
_WINS = r"(?i:\s+(?:is|wins|was)(?:\s+(?:the\s+)?(?:clearly\s+|slightly\s+)?better"
_WINS += r"(?:\s+(?:answer|response|one))?)?)?"

_IS_THE_ONE = (
    r"(?i:[\s\"'”*_`)\]]*(?:is|was|wins|(?:should|would)\s+(?:be|win))\b(?!\s+(?:not|no)\b))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """How a judge calls the answer shown first, the second, and a tie; None where none may be."""

    first: str = "A"
    second: str = "B"
    tie: str | None = "tie"

    def __iter__(self) -> Iterator[str]:
        return iter([self.first, self.second] + ([] if self.tie is None else [self.tie]))

    def preference(self, name: str) -> Preference:
        """What a hard verdict says; the answers' names in their case, a tie in any."""
        return Preference.from_probability({self.first: 1.0, self.second: 0.0}.get(name, 0.5))

    def soft_preference(self, shares: Shares) -> Preference:
        """The likeliest verdict; a tie counts half for the first.

        Equal shares of both answers are a tie; one that is as likely as the likelier answer is not.
        """
        first, second = shares[self.first], shares[self.second]
        tie = shares[self.tie] if self.tie is not None else 0.0
        winner: Literal[0, 1] | None = None
        if first != second and max(first, second) >= tie:
            winner = 0 if first > second else 1
        return Preference(winner=winner, p_first=first + tie / 2)


def read_winner(
    reply: Reply, names: Names, *, code: str | None = None, bare_last: bool = False
) -> Verdict:
    """Which answer won, by the line of a reply that states it.

    With a code, that line is ``Verdict CODE: A`` and stands last; without one it stands first, or,
    ``bare_last``, last, as upstream prompts ask for it.
    """
    last = code is not None or bare_last

    def state(line: str) -> Preference | None:
        found = _line(names, coded=code is not None).fullmatch(line)
        if found is None or found.groupdict().get("code") != code:
            return None
        return names.preference(found["verdict"])

    verdict = stated_on_line(reply, state, last=last)
    if isinstance(verdict, Unreadable) or last:
        return verdict
    # Whether what follows names another verdict and sounds as if that were now the one.
    rest = reply.text.strip().partition("\n")[2]
    for name in names:
        named = rf"(?<![a-zA-Z]){re.escape(name)}(?![a-zA-Z])"
        back = RETRACTION.search(rest) or re.search(named + _IS_THE_ONE, rest)
        if names.preference(name) != verdict and re.search(named, rest) and back:
            return Unreadable(reason="a verdict that may have been taken back")
    return verdict


@cache
def _line(names: Names, *, coded: bool) -> re.Pattern[str]:
    words = "|".join(re.escape(name) for name in (names.first, names.second))
    tie = f"|(?i:{re.escape(names.tie)})" if names.tie is not None else ""
    start = rf"(?i:verdict){CODED}" if coded else _WINNER_LEAD_IN
    return re.compile(
        rf"{_OPEN}{start}{_OPEN}{_NAMED}{_OPEN}(?P<verdict>{words}{tie})\b{_WINS}{_CLOSE}"
    )


# Whole words, as open-domain QA compares them -----------------------------------------------------

_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, " "))
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_EDGE = "\0"
"""Stands between words; a control character is in none."""


def whole_words(text: str) -> tuple[str, ...]:
    """The words of a text, in order.

    Texts are decomposed (NFD) and lower-cased; ASCII punctuation and the articles are dropped. A
    word is a run of letters, digits and combining marks, or any other single visible character.
    """
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
