"""Reads which option an answer chooses, by rule and without asking a model.

Two rules. ``upstream`` is MixEval's [1]_, case for case: the earliest letter in one of thirteen
shapes, or in answers of more than five words the earliest text of an option. Where it finds neither
it draws an option at random; here that is `NO_OPTION`, and whoever averages may take the answer at
its worst, at what the draw is worth on average, and at its best.

``rescue`` also sees a letter with which the answer begins, in bold, in brackets or before a mark
(``**D.** because``, ``B, since``, ``The answer is **C**.``). By upstream's own principle that the
earliest place decides, it comes first.

References
----------
.. [1] J. Ni et al. (2024), MixEval: Deriving Wisdom of the Crowd from LLM Benchmark Mixtures,
   arXiv 2406.06565; its rule parser of multiple choice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from judgebench.judges.frame import CODED
from judgebench.judges.readers.brackets import NO_SUCH_OPTION, TWO_VERDICTS
from judgebench.judges.readers.replies import no_verdict
from judgebench.records import Label, Reply, Unreadable, Verdict
from judgebench.template import letters

Rule = Literal["upstream", "rescue"]

NO_OPTION = Unreadable(reason="no option named")
"""Where MixEval draws one of the options at random."""

_STRIPPED = ",.!?;:'"
_MIN_WORDS = 6  # of an answer in which the text of an option is looked for

_OPEN = r"[\s\"'“‘*_#`(\[{$>-]*+"
_LEAD_IN = (
    r"(?i:(?:(?:so|thus|therefore)\b,?\s*)?(?:(?:the|my|i\s+choose)\s+)?"
    r"(?:(?:correct|right|best|final|most\s+likely)\s+)*+(?:answer|option|choice)"
    r"(?:\s+is\b)?)[\s:*_]*+"
)
_NOT_TURNED_DOWN = (
    r"(?!(?i:\s*+(?:(?:is|was|can|would\s+be|seems)\s*)?(?:n['’]t|not|wrong|incorrect|false)\b))"
)
_CLOSE = r"[\"'”’*_`)\]}$.,:;!]"


def chosen_option(answer: str, options: Sequence[str], *, rule: Rule = "rescue") -> Verdict:
    """The letter of the option that an answer chooses.

    Parameters
    ----------
    answer
        Any text.
    options
        The texts of the options, the one called ``A`` first.
    rule
        See the module.

    Returns
    -------
    Label
        Whose name is the letter.
    Unreadable
        `NO_OPTION`.

    Raises
    ------
    ValueError
        For no options, or more than there are letters.
    """
    names = letters(len(options))
    if rule == "rescue" and (leading := _leading(answer, names)):
        return Label(name=leading)
    return _by_shape(answer, names, options)


def _by_shape(answer: str, names: str, options: Sequence[str]) -> Verdict:
    for mark in _STRIPPED:  # one kind after the other, as upstream: "B,." keeps its comma
        answer = answer.strip(mark)
    answer = f" {answer} "
    if found := _shapes(names).search(answer):
        return Label(name=next(letter for letter in found.groups() if letter))
    if len(answer.split()) < _MIN_WORDS:
        return NO_OPTION
    lower = answer.lower()
    places = [lower.find(option.lower()) for option in options]
    named = [(place, name) for place, name in zip(places, names, strict=True) if place >= 0]
    return Label(name=min(named)[1]) if named else NO_OPTION


@cache
def _shapes(names: str) -> re.Pattern[str]:
    """Upstream's thirteen shapes; no two letters can start one at the same place."""
    one = f"([{names}])"
    return re.compile(
        rf"[ \n]{one}\.?[ \n]|\({one}\)|\*\*{one}\.? | {one}\.?\*\*",
    )


def _leading(answer: str, names: str) -> str | None:
    alone, first = _leads(names)
    if found := alone.fullmatch(answer) or first.match(answer):
        return found["letter"].upper()
    return None


@cache
def _leads(names: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A letter that is the whole answer, in either case; and one with which it begins.

    The latter needs a mark after it, since "A claim" begins with an article. It begins no list,
    since "A, B and C" chooses none, and is not turned down, as in "**A** is wrong".
    """
    another = rf"[(*\[]*+[{names}]\b"
    listed = rf"(?!\s*+(?:and|or|&|/)\s*+{another})(?:(?<!,)|(?!\s*+{another}))"
    return (
        re.compile(rf"{_OPEN}(?P<letter>[{names}{names.lower()}]){_CLOSE}*+\s*"),
        re.compile(
            rf"{_OPEN}(?:{_LEAD_IN}{_OPEN})?(?P<letter>[{names}])"
            rf"(?:{_CLOSE}++(?![\w'’]){listed}{_NOT_TURNED_DOWN}|\s*\Z)"
        ),
    )


NONE = "none"
"""What a judge says of an answer that chooses no option, or leaves open which."""

NOT_STATED = Unreadable(reason="no verdict")
NOT_LAST = Unreadable(reason="verdict not on the last line")

_LINE_OPEN = r"[\s\"'“‘*_#`(\[{:-]*+"
_LINE_CLOSE = r"[\s\"'”’*_`)\]}.!]*+"
_LINE = re.compile(
    rf"{_LINE_OPEN}(?i:option){CODED}{_LINE_OPEN}(?P<said>[A-Z]|(?i:{NONE}))\b{_LINE_CLOSE}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionLine:
    """Finds the line of a reply that states the choice among so many options."""

    n_options: int
    code: str

    def read(self, reply: Reply) -> Verdict:
        """The letter as the name of a label, or `NONE`."""
        if reason := no_verdict(reply):
            return reason
        stated = [self._stated(line) for line in reply.text.splitlines() if line.strip()]
        found = {said for said in stated if said is not None}
        if len(found) > 1:
            return TWO_VERDICTS
        said = stated[-1]
        if said is None:
            return NOT_LAST if found else NOT_STATED
        return Label(name=said) if said in _names(self.n_options) else NO_SUCH_OPTION

    def _stated(self, line: str) -> str | None:
        found = _LINE.fullmatch(line)
        if found is None or found["code"] != self.code:
            return None
        said: str = found["said"]
        return said if len(said) == 1 else NONE


def _names(n_options: int) -> list[str]:
    return [*letters(n_options), NONE]
