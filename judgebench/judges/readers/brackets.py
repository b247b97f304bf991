"""Reads the one verdict in double brackets that MixEval's judges end with: ``[[0.8]]``, ``[[A]]``.

Strictly: one verdict, in double brackets, of plain digits or one capital letter, on the scale or
among the options; the same verdict twice is one. As ``upstream`` reads it [1]_: the first in double
brackets, or else the first in single ones, and a letter that is no option is an option all the
same (a wrong one). Upstream asks again up to ten times for a reply that it cannot read, and then
makes up a score at random; here such a reply is unreadable, with the reason.

References
----------
.. [1] J. Ni et al. (2024), MixEval: Deriving Wisdom of the Crowd from LLM Benchmark Mixtures,
   arXiv 2406.06565; its readers of judges' replies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from judgebench.dialogue import no_verdict, reads
from judgebench.judges.readers.scores import OVERALL, Scale
from judgebench.judges.readers.words import Names
from judgebench.records import Label, Preference, Reply, Score, Unreadable, Verdict
from judgebench.template import letters

GRADES = Scale(low=0.0, high=1.0, decimals=True)
"""The prompt asks for steps of a tenth; any number between is taken, as upstream does."""

NO_VERDICT = Unreadable(reason="no verdict in double brackets")
TWO_VERDICTS = Unreadable(reason="two verdicts")
SINGLE_BRACKETS = Unreadable(reason="verdict in single brackets")
FULL_WIDTH = Unreadable(reason="verdict in full-width brackets, digits or letters")
NO_NUMBER = Unreadable(reason="no plain number in the brackets")
NO_LETTER = Unreadable(reason="no single capital letter in the brackets")
NO_SUCH_OPTION = Unreadable(reason="a letter that is no option")
NOT_A_LITERAL = Unreadable(reason="a number that upstream fails on")

_INSIDE = re.compile(r"\[\[([^\[\]]*+)\]\]")
_INSIDE_SINGLE = re.compile(r"\[([^\[\]]*+)\]")
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?")
_LETTER = re.compile(r"[A-Z]")
_HAS_DIGIT = re.compile(r"\d")
_HAS_LETTER = re.compile(r"(?<![^\W\d_])[A-Za-z](?![^\W\d_])")
_TO_PLAIN = {0xFF01 + n: 0x21 + n for n in range(94)} | str.maketrans("【】〖〗", "[][]")

# Upstream's \d+\.?\d*, without the two ways to share digits out that make it quadratic.
_UPSTREAM_SCORE = tuple(
    re.compile(rf"{opens}(\d++(?:\.\d*+)?){closes}")
    for opens, closes in ((r"\[\[", r"\]\]"), (r"\[", r"\]"))
)
_UPSTREAM_OPTION = (re.compile(r"\[\[([A-Z])\]\]"), re.compile(r"\[([A-Z])\]"))
#: What Python takes for a number: no zero before other digits of an integer, and plain digits.
_LITERAL = re.compile(r"(?:0+|[1-9][0-9]*|[0-9]+\.[0-9]*)")


def read_graded_score(reply: Reply, *, upstream: bool = False) -> Verdict:
    """The score of a reply, from 0 (wrong) to 1 (right)."""
    if upstream:
        return _upstream_score(reply)
    found = _one(reply, _NUMBER, alike=_HAS_DIGIT, otherwise=NO_NUMBER, same=float)
    return found if isinstance(found, Unreadable) else _score(float(found))


def read_option(reply: Reply, n_options: int, *, upstream: bool = False) -> Verdict:
    """The letter of the option that a reply says was chosen, as the name of a label.

    Raises
    ------
    ValueError
        For no options, or more than there are letters.
    """
    names = letters(n_options)
    if upstream:
        if reason := no_verdict(reply, "whole"):
            return reason
        letter = _first(_UPSTREAM_OPTION, reply.text)
        return NO_VERDICT if letter is None else Label(name=letter)
    found = _one(reply, _LETTER, alike=_HAS_LETTER, otherwise=NO_LETTER, same=str)
    if isinstance(found, Unreadable):
        return found
    return Label(name=found) if found in names else NO_SUCH_OPTION


@reads("words")
def _one(
    reply: Reply,
    form: re.Pattern[str],
    *,
    alike: re.Pattern[str],
    otherwise: Unreadable,
    same: Callable[[str], object],
) -> str | Unreadable:
    """What stands in the double brackets of a reply, if it is in this form and all there is.

    ``alike`` finds what may be meant for a verdict too; other brackets are text. ``same`` says
    when two verdicts are the same.
    """
    said: list[str] = [inside.strip() for inside in _INSIDE.findall(reply.text)]
    found = {same(one): one for one in said if form.fullmatch(one)}
    strange = any(alike.search(one) for one in said if not form.fullmatch(one))
    if len(found) > 1 or (found and strange):
        return TWO_VERDICTS
    in_plain = (inside.strip() for inside in _INSIDE.findall(reply.text.translate(_TO_PLAIN)))
    if {same(one) for one in in_plain if form.fullmatch(one)} - found.keys():
        return TWO_VERDICTS if found else FULL_WIDTH
    if found:
        return found.popitem()[1]
    if said:
        return otherwise
    single = (inside.strip() for inside in _INSIDE_SINGLE.findall(reply.text))
    return SINGLE_BRACKETS if any(form.fullmatch(one) for one in single) else NO_VERDICT


@reads("whole")
def _upstream_score(reply: Reply) -> Verdict:
    number = _first(_UPSTREAM_SCORE, reply.text)
    if number is None:
        return NO_VERDICT
    return _score(float(number)) if _LITERAL.fullmatch(number) else NOT_A_LITERAL


def _first(forms: tuple[re.Pattern[str], ...], text: str) -> str | None:
    """What the first of these forms that occurs at all holds where it occurs first."""
    found = next(filter(None, (form.search(text) for form in forms)), None)
    return None if found is None else str(found[1])


def _score(number: float) -> Score | Unreadable:
    checked = GRADES.checked(number)
    return checked if isinstance(checked, Unreadable) else GRADES.score({OVERALL: checked})


_BRACKETS = re.compile(r"\[\[([ABC<>=]+)\]\]")
_BRACKETED = {
    **dict.fromkeys(("A", "A>B", "A>>B", "B<A", "B<<A"), "A"),
    **dict.fromkeys(("B", "B>A", "B>>A", "A<B", "A<<B"), "B"),
    **dict.fromkeys(("C", "A=B", "B=A"), "tie"),
}


@reads("words")
def read_brackets(reply: Reply, *, ties: bool) -> Verdict:
    """The one verdict in double brackets, wherever it stands: ``[[A]]``, ``[[A>B]]``, ``[[A=B]]``.

    What upstream prompts ask for. The same verdict twice is one; any two that differ, be it only in
    strength, are none, as upstream reads them.
    """
    found = set(_BRACKETS.findall(reply.text))
    if len(found) > 1:
        return Unreadable(reason="two verdicts")
    stated = _BRACKETED.get(found.pop()) if found else None
    if stated is None:
        return Unreadable(reason="no verdict")
    if stated == "tie" and not ties:
        return Unreadable(reason="a tie, where none was allowed")
    return Names().preference(stated)


# Arena-Hard --------------------------------------------------------------------------------------

_WON: Mapping[str, float] = {
    "A>>B": 1.0, "A>B": 1.0, "A=B": 0.5, "A<B": 0.0, "A<<B": 0.0,
    "B>>A": 0.0, "B>A": 0.0, "B=A": 0.5, "B<A": 1.0, "B<<A": 1.0,
}  # fmt: skip
ARENA_HARD: Mapping[str, Preference] = {
    label: Preference.from_probability(won, label) for label, won in _WON.items()
}
"""The labels that Arena-Hard scores [2]_: A is shown first, and twice the sign is a clear win."""

NO_LABEL = Unreadable(reason="Arena-Hard reads no label in brackets")
TWO_LABELS = Unreadable(reason="Arena-Hard reads two labels")
_ARENA_LABELS = re.compile(r"\[\[([AB<>=]+)\]\]"), re.compile(r"\[([AB<>=]+)\]")


def arena_hard_verdict(label: str) -> Verdict:
    """What a label says; one that upstream's pattern takes, and its scoring fails on, is none."""
    return ARENA_HARD.get(label) or Unreadable(reason=f"{label[:20]!r} is no label of Arena-Hard")


@reads("given")
def read_arena_hard(reply: Reply) -> Verdict:
    """As version 0.1 reads: the one label that stands in double brackets, however often.

    `NO_LABEL` is what a judge is asked once more about, in the same dialogue; its replies are read
    together.

    References
    ----------
    .. [2] T. Li et al. (2024), From Crowdsourced Data to High-Quality Benchmarks: Arena-Hard and
       BenchBuilder Pipeline, arXiv 2406.11939; ``gen_judgment.py`` of its repository.
    """
    labels = set(_ARENA_LABELS[0].findall(reply.text))
    if not labels:
        return NO_LABEL
    return TWO_LABELS if len(labels) > 1 else arena_hard_verdict(labels.pop())


@reads("given")
def read_arena_hard_v2(reply: Reply) -> Verdict:
    """As version 2.0 reads: in capitals, the last label in double brackets, else in single ones."""
    said = reply.text.upper()
    last = next((found[-1] for form in _ARENA_LABELS if (found := form.findall(said))), None)
    return NO_LABEL if last is None else arena_hard_verdict(last)
