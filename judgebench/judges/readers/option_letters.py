"""Reads an answer by rule, without asking a model: which option it chooses, what it states.

Of options there are two rules. ``upstream`` is MixEval's [1]_, case for case: the earliest letter
in one of thirteen shapes, or in answers of more than five words the earliest text of an option.
Where it finds neither it draws an option at random; here that is `NO_OPTION`, and whoever averages
may take the answer at its worst, at what the draw is worth on average, and at its best.

``rescue`` also sees a letter with which the answer begins, in bold, in brackets or before a mark
(``**D.** because``, ``B, since``, ``The answer is **C**.``). By upstream's own principle that the
earliest place decides, it comes first.

MixEval's rule about free answers [1]_, which asks no model: of each line the shortest tail after a
cue ("so", "is", "answer", …) is kept, in the last line also after ``=``, and without any the whole
answer; the numbers in them are added. A text is stated if it stands in one of them, a number if it
equals one to two decimals. Kept case for case for comparison: it takes "no" to be stated by "I do
not know".

References
----------
.. [1] J. Ni et al. (2024), MixEval: Deriving Wisdom of the Crowd from LLM Benchmark Mixtures,
   arXiv 2406.06565; its rule parsers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal, TypeAlias

from judgebench.dialogue import stated_on_line
from judgebench.judges.readers.brackets import NO_SUCH_OPTION
from judgebench.records import Label, Reply, Unreadable, Verdict
from judgebench.template import CODED, letters

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

_LINE_OPEN = r"[\s\"'“‘*_#`(\[{:-]*+"
_LINE_CLOSE = r"[\s\"'”’*_`)\]}.!]*+"
_LINE = re.compile(
    rf"{_LINE_OPEN}(?i:option){CODED}{_LINE_OPEN}(?P<said>[A-Z]|(?i:{NONE}))\b{_LINE_CLOSE}"
)


def read_option_line(reply: Reply, n_options: int, code: str) -> Verdict:
    """The letter on a last line ``option CODE: B`` as the name of a label, or `NONE`.

    The line carries the code of the texts, which no answer can hold, so that no quoted answer is
    taken for the verdict.
    """

    def state(line: str) -> str | None:
        found = _LINE.fullmatch(line)
        if found is None or found["code"] != code:
            return None
        return str(found["said"]) if len(found["said"]) == 1 else NONE

    said = stated_on_line(reply, state, last=True)
    if isinstance(said, Unreadable):
        return said
    return Label(name=said) if said in (*letters(n_options), NONE) else NO_SUCH_OPTION


# Whether a free answer states an accepted one, by MixEval's rule ---------------------------------

Part: TypeAlias = str | float

_CUES = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_TRIVIAL = frozenset({":", ",", ".", "!", "?", ";", "'"})

# Digits are taken whole, from where they begin: a shorter run would fail in the same way.
_NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),
    re.compile(r"-?(?<!\d)\d++(?:\.\d++)?[eE][+-]?\d++"),
    re.compile(r"-?(?:(?<!\d)\d++\.\d++|\.\d++|(?<!\d)\d++\b)(?![eE][+-]?\d)(?![,\d])"),
)


def states(answer: str, references: Sequence[str]) -> bool:
    """Whether the answer states one of the references."""
    accepted = [part for reference in references for part in _normal(reference)]
    texts = [one for one in accepted if isinstance(one, str)]
    numbers = {one for one in accepted if isinstance(one, float)}
    return any(
        any(text in part for text in texts) if isinstance(part, str) else part in numbers
        for part in parts(answer)
    )


def parts(answer: str) -> frozenset[Part]:
    """The texts and numbers of an answer that are compared with the references."""
    tails = _tails(answer.strip().strip(".").lower())
    numbers = [number for tail in tails for form in _NUMBERS for number in form.findall(tail)]
    return frozenset(part for said in (*tails, *numbers) for part in _normal(said))


def _tails(answer: str) -> list[str]:
    lines = answer.split("\n")
    tails = [_shortest_tail(line, _CUES) for line in lines[:-1]]
    tails.append(_shortest_tail(lines[-1], (*_CUES, "=")))
    return [tail for tail in tails if tail and tail not in _TRIVIAL] or [answer]


def _shortest_tail(line: str, cues: Iterable[str]) -> str:
    shortest = ""
    for cue in cues:
        _before, found, tail = line.rpartition(cue)
        # An empty tail is the shortest, but the next cue with any takes its place, as upstream.
        if found and (not shortest or len(tail.strip()) < len(shortest)):
            shortest = tail.strip()
    return shortest


def _normal(text: str) -> tuple[Part, ...]:
    text = text.strip()
    try:
        return (round(float(text.replace(",", "")), 2),)
    except ValueError:
        lower = text.lower()
    # One letter alone would stand in nearly every text.
    return (f" {lower}", f"{lower} ") if len(lower) == 1 else (lower,)
