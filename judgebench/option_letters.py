"""Options by their letters: ``A`` for the first one, as prompts show them and replies name them."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

MOST_OPTIONS = len(ascii_uppercase)


def letters(n_options: int) -> str:
    """The letters of so many options, in order.

    Raises
    ------
    ValueError
        For no options, or more than there are letters.
    """
    if not 1 <= n_options <= MOST_OPTIONS:
        raise ValueError(f"1 to {MOST_OPTIONS} options have letters, not {n_options}")
    return ascii_uppercase[:n_options]


def lettered(options: Sequence[str]) -> str:
    """The options as a prompt shows them: one on a line, ``A. `` before the first."""
    pairs = zip(letters(len(options)), options, strict=True)
    return "\n".join(_line(letter, option) for letter, option in pairs)


def reference_to(options: Sequence[str], index: int) -> str:
    """What says which option is right: its text, or where that is not clear, its line.

    Two options may have the same text; then the one with this index is the right one, and its line
    (``B. text``) tells it from the other.
    """
    letter, text = letters(len(options))[index], options[index]
    return text if right_letter(options, [text]) == letter else _line(letter, text)


def right_letter(options: Sequence[str], references: Sequence[str]) -> str | None:
    """The letter of the option that references name; None where they name none, or several.

    A reference names the option whose text it is, or whose line (``B. text``). Of more options than
    there are letters none is named.
    """
    if len(options) > MOST_OPTIONS:
        return None
    named = {
        letter
        for letter, option in zip(ascii_uppercase, options, strict=False)
        if option in references or _line(letter, option) in references
    }
    return named.pop() if len(named) == 1 else None


def _line(letter: str, option: str) -> str:
    return f"{letter}. {option}"
