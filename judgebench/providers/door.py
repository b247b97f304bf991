"""Where a provider is, what opens it, and what must not be carried through."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from judgebench.errors import ConfigError, unknown_name
from judgebench.secret import Secret, checked_base_url, secret_parts

CONNECT_S = 10.0
"""Longest wait for a connection, in seconds; shorter where a whole call may take less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where a provider is, and what opens it.

    variable
        The environment variable that usually holds the key; for messages.
    needs_key
        Whether there is no getting in without one.
    given
        Whether the suite gave the address. What the environment holds for the provider's own
        address (keys, organisations, further headers) is then not sent.
    """

    base_url: str
    key: Secret | None = None
    variable: str | None = None
    needs_key: bool = False
    given: bool = True
    timeout_s: float = 120.0

    def __post_init__(self) -> None:
        key = "" if self.key is None else self.key.reveal()
        if not all("!" <= letter <= "~" for letter in key):
            held_by = (self.key and self.key.variable) or "the variable of api_key"
            raise ConfigError(
                f"{held_by} holds no key for {self.base_url}: there is a blank, a line break or a "
                "letter beyond ASCII in it, which no header can carry; set it anew"
            )

    @property
    def is_loopback(self) -> bool:
        host = urlsplit(self.base_url).hostname or ""
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False

    def unwanted_headers(self, variable: str, more: Iterable[str] = ()) -> list[str]:
        """Names of the headers that the client would add from the environment.

        ``variable`` holds further headers, one a line; ``more`` are added by the client itself.
        """
        if not self.given:
            return []
        lines = os.environ.get(variable, "").splitlines()
        return [*more, *(line.split(":")[0].strip() for line in lines if ":" in line)]


def own_door(
    base_url: str | None,
    api_key: Secret | None,
    timeout_s: float,
    *,
    official: str,
    address_variable: str,
    key_variable: str,
) -> Door:
    """The door of a provider that has an address of its own.

    The environment's key goes with the address that the environment names, or else the official
    one, and never to one that a suite gives.
    """
    named = os.environ.get(address_variable) or ""
    for start, end in secret_parts(named):
        Secret(named[start:end])
    address = checked_base_url(base_url or named or official)
    key = api_key
    if key is None and base_url is None and (text := os.environ.get(key_variable)):
        key = Secret(text, variable=key_variable)
    return Door(
        base_url=address,
        key=key,
        variable=key_variable if base_url is None else None,
        needs_key=urlsplit(address).hostname == urlsplit(official).hostname,
        given=base_url is not None,
        timeout_s=timeout_s,
    )


def refuse_unknown_options(
    provider: str, options: Mapping[str, Any] | None, known: Iterable[str] = ()
) -> None:
    """Look at the names in a provider's own section.

    Raises
    ------
    ConfigError
        For a name that means nothing to it, with the nearest.
    """
    names = set(known)
    for name in options or {}:
        if name not in names:
            raise ConfigError(
                f"provider_options: {unknown_name(f'{provider} option', name, names)}"
            )
