"""``contains``: correct if a reference stands somewhere in the answer, inside a word or not."""

from __future__ import annotations

from collections.abc import Sequence

from judgebench.judges._normalise import (
    LexicalJudge,
    Normalisation,
    comparable,
    lexical_judge,
)
from judgebench.protocols import JudgeSettings


def make(settings: JudgeSettings) -> LexicalJudge:
    """The judge with the options of `Normalisation`."""
    return lexical_judge("contains", matches, settings)


def matches(
    answer: str, references: Sequence[str], normalisation: Normalisation | None = None
) -> bool:
    """Whether the answer contains a reference."""
    normalisation = normalisation or Normalisation()
    ready = normalisation(answer)
    return any(reference in ready for reference in comparable(references, normalisation))
