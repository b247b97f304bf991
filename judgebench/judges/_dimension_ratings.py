"""Reads the ratings of a Chinese judge that rates several dimensions and then the whole.

The judge is asked to comment, and to end with a dictionary such as
``{'清晰度': 8, '综合得分': 7}``. Upstream reads one spelling of it; here either quotes, quoted
numbers, decimals and full-width characters are read as well, over any number of lines. What
states no score, or two, or one off the scale, is unreadable, and nothing is evaluated.

The score of the whole is the verdict. A dimension that the reply leaves out is left out of the
score's parts; one that was not asked for is overlooked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from judgebench.judges._json_object import TWO_VERDICTS
from judgebench.judges._loose_dictionary import Stated, dictionaries, stated
from judgebench.judges._replies import RETRACTION, no_verdict
from judgebench.judges._scores import Scale
from judgebench.records import Reply, Score, Unreadable, Verdict

OVERALL = "综合得分"

NO_SCORE = Unreadable(reason="no score")
NO_NUMBER = Unreadable(reason="a score that is no number")
HALF = Unreadable(reason="half a dictionary")
OTHER_LANGUAGE = Unreadable(reason="another language")
TAKEN_BACK = Unreadable(reason="a score that may have been taken back")

ONE_TO_TEN = Scale(low=1, high=10, decimals=True)
"""A judge that goes between the whole numbers has said what it means."""

_NUMBER = r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?"
_HAN = re.compile("[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionRatings:
    """What is asked for, and how a reply that answers it is read.

    dimensions
        What is rated, without the whole; none for a judge that rates the whole alone.
    scale
        From the worst to the best rating, of each dimension and of the whole.
    overall
        How the score of the whole is called.
    """

    dimensions: tuple[str, ...]
    scale: Scale = ONE_TO_TEN
    overall: str = OVERALL

    def read(self, reply: Reply) -> Verdict:
        """The verdict of a reply, whatever it holds.

        All that it says of one thing has to agree: a score in a sentence (``综合得分：7``), in a
        broken dictionary or in a second one makes a different score two verdicts. Without a
        dictionary that holds the whole, such a sentence is its score.
        """
        if reason := no_verdict(reply):
            return reason
        found = dictionaries(reply.text)
        around = list(stated(found.rest, (*self.dimensions, self.overall), self._value))
        rated: dict[str, set[float]] = {}
        for name, value in found.members:
            if name not in self.dimensions and name != self.overall:
                continue
            number = self._number(value)
            if number is None:
                return NO_NUMBER
            rated.setdefault(name, set()).add(number)
        said = [one for one in around if one.name == self.overall and one.value is not None]
        if self.overall not in rated and (reason := self._unsaid(reply.text, around, said)):
            return reason
        in_words = {float(one.value) for one in said if one.value is not None}
        rated[self.overall] = rated.get(self.overall, set()) | in_words
        if any(len(different) > 1 for different in rated.values()):
            return TWO_VERDICTS
        rest = found.rest[max([found.end, *(one.end for one in said)]) :]
        if RETRACTION.search(rest) and re.search("[0-9]", rest):
            return TAKEN_BACK
        return self._score({name: numbers.pop() for name, numbers in rated.items()})

    def _unsaid(self, text: str, around: list[Stated], said: list[Stated]) -> Unreadable | None:
        """Why a reply has no score whose dictionaries do not hold it; None if a sentence does."""
        if any(one.in_braces for one in around):
            return HALF
        if said:
            return None
        return OTHER_LANGUAGE if in_another_language(text) else NO_SCORE

    def _score(self, rated: dict[str, float]) -> Verdict:
        for number in rated.values():
            checked = self.scale.checked(number)
            if isinstance(checked, Unreadable):
                return checked
        return Score(
            value=rated[self.overall],
            low=self.scale.low,
            high=self.scale.high,
            parts={name: rated[name] for name in self.dimensions if name in rated},
        )

    def _number(self, value: str) -> float | None:
        of_all = rf"(?:\s*/\s*{self.scale.high:g})?"
        found = re.fullmatch(rf"({_NUMBER}){of_all}(?:\s*分)?", value)
        return float(found[1]) if found else None

    @property
    def _value(self) -> str:
        """A number in a sentence, and not the first of two: "7-8", "7 或 8" and "7/5" are none."""
        whole = r"(?!\.?[0-9])"
        no_range = r"(?!\s*[-~–—至到或]\s*[0-9])"
        of_all = rf"(?!\s*/(?!\s*{self.scale.high:g}(?![0-9]))\s*[0-9])"
        return f"{_NUMBER}{whole}{no_range}{of_all}"


def in_another_language(text: str) -> bool:
    """Whether a text has letters, and no Chinese ones among them."""
    return any(letter.isalpha() for letter in text) and not _HAN.search(text)
