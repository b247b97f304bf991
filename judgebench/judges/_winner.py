"""Reads which of two answers won out of a judge's reply, strictly.

A reply is never guessed at. The verdict has to stand where it was asked for: on the first line, on
the last line with the code of the texts (which no answer can hold, so that no quoted answer is
taken for the verdict), or in the one JSON object. A second verdict that says otherwise makes a
reply unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from judgebench.judges._frame import CODED
from judgebench.judges._json_object import OTHER_JSON, json_object, json_schema
from judgebench.judges._replies import RETRACTION, no_verdict
from judgebench.judges._soft import Shares
from judgebench.records import Preference, Reply, Unreadable, Verdict

_OPEN = r"[\s\"'“‘*_#`(\[{:-]*+"
_CLOSE = r"[\s\"'”’*_`)\]}.!]*+"
_LEAD_IN = (
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
        if name == self.first:
            return Preference(winner=0, p_first=1.0)
        if name == self.second:
            return Preference(winner=1, p_first=0.0)
        return Preference(winner=None, p_first=0.5)

    def soft_preference(self, shares: Shares) -> Preference:
        """The likeliest verdict; a tie counts half for the first. Equal shares are a tie."""
        first, second = shares[self.first], shares[self.second]
        tie = shares[self.tie] if self.tie is not None else 0.0
        winner: Literal[0, 1] | None = None
        if first != second and max(first, second) >= tie:
            winner = 0 if first > second else 1
        return Preference(winner=winner, p_first=first + tie / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class WinnerLines:
    """Finds the lines of a reply that state a verdict.

    With a code, such a line is ``Verdict CODE: A`` and stands last; without one it stands first,
    or, ``bare_last``, last, as upstream prompts ask for it.
    """

    names: Names
    code: str | None = None
    bare_last: bool = False

    def read(self, reply: Reply) -> Verdict:
        """The verdict of a reply, whatever it holds."""
        if reason := no_verdict(reply):
            return reason
        last = self.code is not None or self.bare_last
        stated = [self._stated(line) for line in reply.text.splitlines() if line.strip()]
        found = {verdict for verdict in stated if verdict is not None}
        if len(found) > 1:
            return Unreadable(reason="two verdicts")
        verdict = stated[-1 if last else 0]
        if verdict is None:
            place = "last" if last else "first"
            return Unreadable(reason=f"verdict not on the {place} line" if found else "no verdict")
        if not last and self._taken_back(reply.text, verdict):
            return Unreadable(reason="a verdict that may have been taken back")
        return verdict

    def _taken_back(self, text: str, verdict: Preference) -> bool:
        """Whether what follows a verdict names another and sounds as if that were now the one."""
        rest = text.strip().partition("\n")[2]
        for name in self.names:
            if self.names.preference(name) == verdict:
                continue
            named = rf"(?<![a-zA-Z]){re.escape(name)}(?![a-zA-Z])"
            if re.search(named, rest) and (
                RETRACTION.search(rest) or re.search(named + _IS_THE_ONE, rest)
            ):
                return True
        return False

    def _stated(self, line: str) -> Preference | None:
        found = _line(self.names, coded=self.code is not None).fullmatch(line)
        if found is None or found.groupdict().get("code") != self.code:
            return None
        return self.names.preference(found["verdict"])


@cache
def _line(names: Names, *, coded: bool) -> re.Pattern[str]:
    words = "|".join(re.escape(name) for name in (names.first, names.second))
    tie = f"|(?i:{re.escape(names.tie)})" if names.tie is not None else ""
    start = rf"(?i:verdict){CODED}" if coded else _LEAD_IN
    return re.compile(
        rf"{_OPEN}{start}{_OPEN}{_NAMED}{_OPEN}(?P<verdict>{words}{tie})\b{_WINS}{_CLOSE}"
    )


_BRACKETS = re.compile(r"\[\[([ABC<>=]+)\]\]")
_BRACKETED = {
    **dict.fromkeys(("A", "A>B", "A>>B", "B<A", "B<<A"), "A"),
    **dict.fromkeys(("B", "B>A", "B>>A", "A<B", "A<<B"), "B"),
    **dict.fromkeys(("C", "A=B", "B=A"), "tie"),
}


def read_brackets(reply: Reply, *, ties: bool) -> Verdict:
    """The one verdict in double brackets, wherever it stands: ``[[A]]``, ``[[A>B]]``, ``[[A=B]]``.

    What upstream prompts ask for. The same verdict twice is one; any two that differ, be it only in
    strength, are none, as upstream reads them.
    """
    if reason := no_verdict(reply):
        return reason
    found = set(_BRACKETS.findall(reply.text))
    if len(found) > 1:
        return Unreadable(reason="two verdicts")
    stated = _BRACKETED.get(found.pop()) if found else None
    if stated is None:
        return Unreadable(reason="no verdict")
    if stated == "tie" and not ties:
        return Unreadable(reason="a tie, where none was allowed")
    return Names().preference(stated)


def winner_schema(names: Names, *, explain: bool) -> dict[str, Any]:
    """The ``response_format`` of a verdict as JSON, with the reasons first where they are asked."""
    reason = {"reason": {"type": "string"}} if explain else {}
    return json_schema("winner", {**reason, "winner": {"type": "string", "enum": list(names)}})


def read_winner_json(reply: Reply, names: Names, *, explain: bool) -> Verdict:
    """The verdict of a reply that is exactly the JSON object that was asked for."""
    if reason := no_verdict(reply):
        return reason
    found = json_object(reply, ("reason", "winner") if explain else ("winner",))
    if isinstance(found, Unreadable):
        return found
    if found["winner"] not in list(names):
        return OTHER_JSON
    return names.preference(found["winner"])
