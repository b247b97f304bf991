"""Prompt texts with named placeholders, filled in one pass.

A placeholder is ``{name}``; every other brace is text. Values are put in once and never looked at
again, so that braces, ``$``, backslashes or another placeholder's name inside a question or an
answer stay what they are.

What a judge is shown stands between lines that carry a code (`judgebench.judges.prompt`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import NoReturn

from judgebench.errors import ConfigError
from judgebench.keys import text_sha

MOST_OPTIONS = len(ascii_uppercase)

CODE_DIGITS = 6

CODED = rf"[\s`*<\[(]*+(?P<code>[0-9a-f]{{{CODE_DIGITS}}})[\s`*>\])]*+:"
"""The code and the colon after the name of what a line states, as a pattern."""

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptText:
    """A prompt, known by the SHA-256 of its text.

    ``official`` says that this hash stands in the benchmark's description as an official one.
    """

    name: str
    text: str
    official: bool = False

    @property
    def sha(self) -> str:
        return text_sha(self.text)

    @property
    def placeholders(self) -> frozenset[str]:
        return frozenset(PLACEHOLDER.findall(self.text))


def fill(prompt: PromptText, values: Mapping[str, str]) -> str:
    """The text with every placeholder filled; values that have no placeholder are left over.

    Raises
    ------
    ConfigError
        For a placeholder without a value.
    """
    filled = PLACEHOLDER.split(prompt.text)
    if unknown := {*filled[1::2]} - values.keys():
        refuse_unfilled(prompt, unknown, values)
    filled[1::2] = [values[placeholder] for placeholder in filled[1::2]]
    return "".join(filled)


def refuse_unfilled(
    prompt: PromptText, unknown: Collection[str], values: Mapping[str, str]
) -> NoReturn:
    """Raise `ConfigError` for placeholders that nothing fills."""
    raise ConfigError(
        f"prompt {prompt.name}: nothing fills {{{'}, {'.join(sorted(unknown))}}}; "
        f"known placeholders: {{{'}, {'.join(sorted(values))}}}"
    )


# Options by their letters: ``A`` for the first one, as prompts show them and replies name them ----


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
