"""Prompt texts with named placeholders, filled in one pass.

A placeholder is ``{name}``; every other brace is text. Values are put in once and never looked at
again, so that braces, ``$``, backslashes or another placeholder's name inside a question or an
answer stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from judgebench.errors import ConfigError
from judgebench.keys import text_sha

MOST_OPTIONS = len(ascii_uppercase)

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
    return "".join(pieces(prompt.name, prompt.text, values))


def pieces(name: str, text: str, values: Mapping[str, str]) -> list[str]:
    """The same in its pieces: text, what fills a placeholder, text, and so on; text at both ends.

    ``name`` is that of the prompt, for the error.
    """
    found = PLACEHOLDER.split(text)
    if unknown := {*found[1::2]} - values.keys():
        raise ConfigError(
            f"prompt {name}: nothing fills {{{'}, {'.join(sorted(unknown))}}}; "
            f"known placeholders: {{{'}, {'.join(sorted(values))}}}"
        )
    found[1::2] = [values[placeholder] for placeholder in found[1::2]]
    return found


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
