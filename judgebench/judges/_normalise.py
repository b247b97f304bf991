"""How answers and references are made comparable before they are compared as text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue, ask_nobody
from judgebench.errors import ConfigError
from judgebench.protocols import JudgeSettings
from judgebench.records import Case, JudgeSpec, Label, Seen, Unreadable

NO_REFERENCE = "the item has no reference to compare with"
_TWO_WIDTHS = frozenset({"zh", "ja", "ko"})
_MOST_MARKS = 30
_ARTICLES = re.compile(r"\b(?:a|an|the)\b", re.IGNORECASE)


class Normalisation(Section):
    """What is overlooked when two texts are compared; the defaults are those of the paper.

    Canonically equivalent Unicode (an accent as one character or two) is always the same text. Full
    and half width are in Chinese, Japanese and Korean, where both are typed, unless a suite says.
    """

    case: Literal["insensitive", "sensitive"] = "insensitive"
    punctuation: Literal["keep", "drop"] = "keep"
    articles: Literal["keep", "drop"] = "keep"
    whitespace: Literal["strip", "collapse", "keep"] = "strip"
    width: Literal["keep", "fold"] | None = None

    def of(self, language: str) -> Normalisation:
        """In this language."""
        if self.width is not None or language.split("-")[0] not in _TWO_WIDTHS:
            return self
        return self.model_copy(update={"width": "fold"})

    def __call__(self, text: str) -> str:
        text = unicodedata.normalize("NFKC" if self.width == "fold" else "NFC", _bounded(text))
        if self.punctuation == "drop":
            text = "".join(c for c in text if not unicodedata.category(c).startswith("P"))
        if self.articles == "drop":
            text = _ARTICLES.sub(" ", text)
        if self.case == "insensitive":
            text = unicodedata.normalize("NFC", text.casefold())
        if self.whitespace == "collapse" or self.articles == "drop":
            return " ".join(text.split())
        return text.strip() if self.whitespace == "strip" else text


Matches = Callable[[str, Sequence[str], Normalisation], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class LexicalJudge:
    """Compares the answer with each reference and asks nobody."""

    spec: JudgeSpec
    normalisation: Normalisation
    matches: Matches

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"answer"})

    @property
    def max_answer_chars(self) -> None:
        """Nothing is cut: a program reads all of it."""
        return None

    def judge(self, case: Case) -> Dialogue:
        (response,) = case.responses
        normalisation = self.normalisation.of(case.item.language)
        if not any(comparable(case.item.references, normalisation)):
            return ask_nobody(Unreadable(reason=NO_REFERENCE))
        right = self.matches(response.text, case.item.references, normalisation)
        return ask_nobody(Label(name="correct" if right else "incorrect"))


def _bounded(text: str) -> str:
    """The text with no more marks on one character than any language has.

    Normalising takes the square of the length of a run of them [1]_.

    .. [1] Unicode Standard Annex 15, section 13, Stream-Safe Text Format.
    """
    if len(text) <= _MOST_MARKS or text.isascii():
        return text
    kept, run = [], 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def comparable(references: Sequence[str], normalisation: Normalisation) -> Iterator[str]:
    """The references, normalised; blank ones, which every text contains, are left out."""
    return (ready for ready in map(normalisation, references) if ready.strip())


def lexical_judge(kind: str, matches: Matches, settings: JudgeSettings) -> LexicalJudge:
    """A lexical judge from what a suite says about it.

    Raises
    ------
    ConfigError
        For an unknown option, or for settings that only a judge with a model has.
    """
    of_others = ("extra", "model", "provider", "reasoning", "sampling")
    if useless := [name for name in of_others if getattr(settings, name)]:
        raise ConfigError(f"judge {kind} asks no model; remove {', '.join(useless)}")
    normalisation = check(Normalisation, dict(settings.options), f"judge {kind}: options")
    # What is unset is not said: it came later, and changed no key.
    spec = JudgeSpec(
        kind=kind, reader_version="1", options=normalisation.model_dump(exclude_none=True)
    )
    return LexicalJudge(spec=spec, normalisation=normalisation, matches=matches)
