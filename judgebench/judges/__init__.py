"""Ways of judging: what is asked of whom, and how the reply is read. No I/O happens here."""

from collections.abc import Mapping
from typing import Final

KINDS: Final[Mapping[str, str]] = {
    "pairwise": "kinds",
    "rubric": "kinds",
    "reference": "kinds",
    "graded": "kinds",
    "equivalence": "kinds",
    "consistency": "kinds",
    "stated_confidence": "kinds",
    "dimensions": "chinese",
    "critique": "chinese",
    "contains": "lexical",
    "exact_match": "lexical",
    "refusal_prefix": "refusal",
    "harm": "refusal",
    "own_prompt": "own_prompt",
    "python": "own_prompt",
    "templates": "templates",
    "reward": "numbers",
    "lm_eval": "numbers",
}
"""Kinds of judges, and in which module of this folder the table is that has them."""
