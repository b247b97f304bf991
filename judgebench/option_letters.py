"""Options by their letters: ``A`` for the first one, as prompts show them and replies name them."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase


def letters(n_options: int) -> str:
    """The letters of so many options, in order.

    Raises
    ------
    ValueError
        For no options, or more than there are letters.
    """
    if not 1 <= n_options <= len(ascii_uppercase):
        raise ValueError(f"1 to {len(ascii_uppercase)} options have letters, not {n_options}")
    return ascii_uppercase[:n_options]


def lettered(options: Sequence[str]) -> str:
    """The options as a prompt shows them: one on a line, ``A. `` before the first."""
    pairs = zip(letters(len(options)), options, strict=True)
    return "\n".join(f"{letter}. {option}" for letter, option in pairs)
