"""Which item an instruction of AlpacaEval is: matched by its text, never by its row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from judgebench.keys import text_sha
from judgebench.records import Item

BENCHMARK = "alpaca_eval"

_DIGITS = 12
_ORDER = Path(__file__).with_name("alpaca_eval_instructions.txt")


@cache
def published_ids() -> Mapping[str, str]:
    """First digits of the SHA-256 of each of the 805 instructions -> its row upstream, from 0."""
    digests = _ORDER.read_text(encoding="ascii").split()
    return {digest: str(row) for row, digest in enumerate(digests)}


def published_id(instruction: str) -> str | None:
    """The row of an instruction in AlpacaEval's own set; None for one that is not in it."""
    return published_ids().get(text_sha(instruction)[:_DIGITS])


def hashed_id(instruction: str) -> str:
    """The id of an instruction of which nobody knows another."""
    return f"sha:{text_sha(instruction)[:_DIGITS]}"


def ids_by_question(items: Iterable[Item]) -> dict[str, str]:
    """Question -> id; of two items that ask the same the first."""
    found: dict[str, str] = {}
    for item in items:
        if any(turn.role == "user" for turn in item.turns):
            found.setdefault(item.question, item.id)
    return found
