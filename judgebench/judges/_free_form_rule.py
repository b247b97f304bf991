"""Whether a free answer states an accepted one, by MixEval's rule and without asking a model [1]_.

Of each line the shortest tail after a cue ("so", "is", "answer", …) is kept, in the last line also
after ``=``, and without any the whole answer; the numbers in them are added. A text is stated if it
stands in one of them, a number if it equals one to two decimals. The rule is kept case for case for
comparison: it takes "no" to be stated by "I do not know".

References
----------
.. [1] J. Ni et al. (2024), MixEval: Deriving Wisdom of the Crowd from LLM Benchmark Mixtures,
   arXiv 2406.06565; its rule parser of free-form answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

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
