"""Keys that can be carried about and sent, and never shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

_SHOWN = "***"
_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_HEADERS = "_CUSTOM_HEADERS"  # what the official clients send besides, one "name: value" a line
_SHORTEST = 6  # a shorter value stands in ordinary text too
_LOOKS_SECRET = re.compile(
    r"\b(?:sk|pk|rk|hf|gsk|xai|key)[-_][A-Za-z0-9_-]{12,}"
    r"|\bAIza[A-Za-z0-9_-]{20,}"
    r"|(?<=Bearer )\S+",
    re.IGNORECASE,
)


class Secret:
    """A text that shows as ``***`` wherever it is printed, formatted, logged or pickled.

    >>> key = Secret("sk-0123456789")
    >>> f"{key} {key!r} {[key]}"
    '*** Secret(***) [Secret(***)]'
    """

    __slots__ = ("_text", "variable")

    def __init__(self, text: str, *, variable: str | None = None) -> None:
        self._text = text
        self.variable = variable
        """The environment variable it came from, where that is known; for messages."""

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({_SHOWN})"

    def __str__(self) -> str:
        return _SHOWN

    def __format__(self, spec: str) -> str:
        return format(_SHOWN, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled; hand it over by an environment variable")


def redact(text: str, secrets: Iterable[Secret | None] = ()) -> str:
    """The text without these secrets, and without anything that looks like a key.

    >>> redact("Incorrect API key provided: sk-abcdefghijklmnop.")
    'Incorrect API key provided: ***.'
    """
    for secret in secrets:
        if secret is not None and secret.reveal():
            text = text.replace(secret.reveal(), _SHOWN)
    return _LOOKS_SECRET.sub(_SHOWN, text)


def secrets_of(environment: Mapping[str, str]) -> list[Secret]:
    """What an environment's names say is secret: a child process or a server may repeat it."""
    return [Secret(value) for value in _secret_values(environment) if len(value) >= _SHORTEST]


def _secret_values(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if any(word in name.upper() for word in _NAMES):
            yield value
        elif name.endswith(_HEADERS):
            yield from (line.partition(":")[2].strip() for line in value.splitlines())
