"""``exact_match``: correct if the answer, as a whole, is one of the references."""

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
    return lexical_judge("exact_match", matches, settings)


def matches(
    answer: str, references: Sequence[str], normalisation: Normalisation | None = None
) -> bool:
    """Whether the answer equals a reference; a blank answer never does."""
    normalisation = normalisation or Normalisation()
    ready = normalisation(answer)
    return bool(ready.strip()) and ready in comparable(references, normalisation)
