"""Verdicts that need no model: ``contains``, ``exact_match``, and what is clear unasked.

How answers and references are made comparable is `Normalisation`. ``contains`` is correct if a
reference stands somewhere in the answer, inside a word or not; ``exact_match`` if the answer, as a
whole, is one of the references.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, Literal

from judgebench.errors import ConfigError
from judgebench.judges.prompt import Kind, Options, Plan, Setup
from judgebench.judges.readers.brackets import GRADES
from judgebench.judges.readers.option_letters import chosen_option, states
from judgebench.judges.readers.scores import OVERALL
from judgebench.records import BINARY, Case, Label, Preference, Score, Unreadable, Verdict
from judgebench.template import right_letter

NO_REFERENCE = Unreadable(reason="the item has no reference to compare with")
NO_RIGHT_OPTION = Unreadable(reason="the references name no option of the question, or several")

INCORRECT, CORRECT = BINARY

_TWO_WIDTHS = frozenset({"zh", "ja", "ko"})
_MOST_MARKS = 30
_ARTICLES = re.compile(r"\b(?:a|an|the)\b", re.IGNORECASE)


class Normalisation(Options):
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


def contains(
    answer: str, references: Sequence[str], normalisation: Normalisation | None = None
) -> bool:
    """Whether the answer contains a reference."""
    normalisation = normalisation or Normalisation()
    ready = normalisation(answer)
    return any(reference in ready for reference in comparable(references, normalisation))


def exact_match(
    answer: str, references: Sequence[str], normalisation: Normalisation | None = None
) -> bool:
    """Whether the answer equals a reference; a blank answer never does."""
    normalisation = normalisation or Normalisation()
    ready = normalisation(answer)
    return bool(ready.strip()) and ready in comparable(references, normalisation)


Matches = Callable[[str, Sequence[str], Normalisation], bool]


def refuse_a_model(setup: Setup[Any]) -> None:
    """Raise `ConfigError` where a suite says who answers for a judge that asks nobody."""
    of_others = ("extra", "model", "provider", "reasoning", "sampling")
    if useless := [name for name in of_others if getattr(setup.settings, name)]:
        raise ConfigError(f"judge {setup.kind} asks no model; remove {', '.join(useless)}")


def _lexical(setup: Setup[Normalisation], matches: Matches) -> Plan:
    """Nothing is cut: a program reads all of an answer."""
    refuse_a_model(setup)

    def ask(case: Case) -> Verdict:
        (response,), references = case.responses, case.item.references
        normalisation = setup.options.of(case.item.language)
        if not any(comparable(references, normalisation)):
            return NO_REFERENCE
        right = matches(response.text, references, normalisation)
        return Label(name=CORRECT if right else INCORRECT)

    # What is unset is not said: it came later, and changed no key.
    return Plan(ask=ask, version="1", told=setup.options.model_dump(exclude_none=True))


KINDS: Final = {
    "contains": Kind(
        name="contains", options=Normalisation, plan=partial(_lexical, matches=contains)
    ),
    "exact_match": Kind(
        name="exact_match", options=Normalisation, plan=partial(_lexical, matches=exact_match)
    ),
}


# What is clear before a judge asks ----------------------------------------------------------------


def clear_winner(case: Case) -> Preference | None:
    """Of two answers, equal ones are a tie, and a blank one loses to any other."""
    first, second = (response.text.strip() for response in case.responses)
    if first == second:
        return Preference(winner=None, p_first=0.5)
    if not first:
        return Preference(winner=1, p_first=0.0)
    return None if second else Preference(winner=0, p_first=1.0)


def by_rule(
    answer: str,
    references: Sequence[str],
    options: Sequence[str] = (),
    *,
    upstream: bool = False,
) -> Verdict:
    """The score of an answer from 0 to 1 by MixEval's rules; ``upstream`` is its own of options."""
    if not options:
        accepted = [text for text in references if text.strip()]
        if not accepted:  # a blank one stands in every answer
            return NO_REFERENCE
        return grade(float(states(answer, accepted)))
    right = right_letter(options, references)
    if right is None:
        return NO_RIGHT_OPTION
    return graded_choice(
        chosen_option(answer, options, rule="upstream" if upstream else "rescue"), right
    )


def grade(value: float) -> Score:
    """How right an answer is, from 0 to 1."""
    return GRADES.score({OVERALL: value})


def graded_choice(choice: Verdict, right: str) -> Verdict:
    """Whether the option that a label names is the right one, as a grade."""
    return grade(float(choice.name == right)) if isinstance(choice, Label) else choice
