"""Prompt texts with named placeholders, filled in one pass.

A placeholder is ``{name}``; every other brace is text. Values are put in once and never looked at
again, so that braces, ``$``, backslashes or another placeholder's name inside a question or an
answer stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from judgebench.errors import ConfigError
from judgebench.keys import text_sha

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
    unknown = prompt.placeholders - values.keys()
    if unknown:
        raise ConfigError(
            f"prompt {prompt.name}: nothing fills {{{'}, {'.join(sorted(unknown))}}}; "
            f"known placeholders: {{{'}, {'.join(sorted(values))}}}"
        )
    return PLACEHOLDER.sub(lambda placeholder: values[placeholder[1]], prompt.text)
