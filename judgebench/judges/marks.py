"""What a reader of a verdict should know about the answers: marks. They never change a verdict.

A mark says that a text *looks* like an attack on its judge, or was cut. Honest answers are marked
now and then (measured on real ones: each mark on less than one in 200), so that what a board shows
is the share of a model's answers.

======================  ===========================================================================
``cut``                 longer than the judge is shown
``imitates_prompt``     holds what only prompts hold: our delimiters, chat templates, section marks
``imitates_verdict``    states a verdict in the way that judges are asked to
``addresses_judge``     speaks to whoever judges it, or gives instructions to override others
``hidden_text``         holds characters that nobody sees: zero-width, reordering, control, tags
======================  ===========================================================================
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from judgebench.judges._attacks import looks_like
from judgebench.records import Case

CONSTANT_SHARE = 0.2
"""A share of equal answers from which on they are flagged; honest models stay below 0.03 where
they do not refuse alike."""

ALL_CONSTANT = 0.9
"""A share of equal answers from which on a model answers one text to everything."""

CONSTANT_START = 200
"""Characters after which texts may differ and are still one: an attack may end in a number."""

CONSTANT_LEAST = 20
"""Below this many answers, equal ones say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantAnswer:
    """What a model said most often (its start), and its share of all its answers, in [0, 1].

    ``same`` says that these answers do not differ after their start either, ``marked`` that one of
    them looks like an attack on its judge (`text_marks`), ``refused`` that most are refusals.
    """

    text: str
    share: float
    n: int
    same: bool
    marked: bool = False
    refused: bool = False

    @property
    def suspicious(self) -> bool:
        """Whether that text may be meant for the judge: it answers everything, or has a mark.

        A refusal never is: a model that refuses often says so in the same words.
        """
        return self.flagged and not self.refused and (self.marked or self.share >= ALL_CONSTANT)

    @property
    def flagged(self) -> bool:
        """Whether so many answers are equal that it is said beside the model."""
        return self.n >= CONSTANT_LEAST and self.share >= CONSTANT_SHARE


def constant_answer(texts: Sequence[str]) -> ConstantAnswer | None:
    """The answer that a model gave most often to different questions; None where it said nothing.

    Texts that begin with the same 200 characters are one. White space at the ends is overlooked,
    and blank answers are not counted as a text, only as answers: a model that is silent is seen
    elsewhere. Short answers to short questions coincide honestly: leave them out before.
    """
    stripped = [text.strip() for text in texts]
    said = Counter(text[:CONSTANT_START] for text in stripped)
    said.pop("", None)
    if not said:
        return None
    start, times = said.most_common(1)[0]
    whole = {text for text in stripped if text[:CONSTANT_START] == start}
    found = ConstantAnswer(text=start, share=times / len(texts), n=len(texts), same=len(whole) == 1)
    return replace(found, marked=any(map(text_marks, whole))) if found.flagged else found


def marks_of(case: Case, *, max_answer_chars: int | None) -> tuple[tuple[str, ...], ...]:
    """The marks of each response of a case, in the order shown."""
    return tuple(
        (
            *(("cut",) if max_answer_chars is not None and len(r.text) > max_answer_chars else ()),
            *text_marks(r.text),
        )
        for r in case.responses
    )


def text_marks(text: str) -> tuple[str, ...]:
    """The marks of a text by itself; of all of it, also where a judge is shown less."""
    plain, hidden = text, any(control in text for control in _CONTROLS)
    if not text.isascii():
        plain = unicodedata.normalize("NFKC", text)
        if _UNSEEN.search(text):
            plain = _UNSEEN.sub("", plain)
            hidden = hidden or bool(_HIDDEN.search(text))
    return (*looks_like(plain), *(("hidden_text",) if hidden else ()))


_CONTROLS = [chr(c) for c in (*range(0x09), *range(0x0E, 0x20), 0x7F)]
_UNSEEN = re.compile(
    "[\u00ad\u115f\u1160\u3164\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0001-\U000e007f\U000e0100-\U000e01ef]"
)
#: Of those, what is not honest. Zero-width joiners are part of emoji and of some scripts, direction
#: marks of scripts that run to the left, tags of flags, selectors of Chinese characters, and a byte
#: order mark may open a text.
_HIDDEN = re.compile(
    "[\u202a-\u202e\u2060-\u2069\ufff9-\ufffb\ud800-\udfff]"
    "|(?<![\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]"
    "|(?<=[\x21-\x7e])[\u200b-\u200f\u00ad\u115f\u1160\u3164\ufeff](?=[\x21-\x7e])"
    "|[\u200b-\u200f\u115f\u1160\u3164\ufeff]{3}"
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0001-\U000e007f]"
)
