"""Addresses of servers, checked before anything is sent or stored."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from judgebench.errors import ConfigError


def checked_base_url(text: str) -> str:
    """An address without credentials.

    Raises
    ------
    ConfigError
        For one that is no http address or holds a password or a query; it is not repeated, since
        it may hold a key.
    """
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        url, host = urlsplit(""), None
    if url.username is not None or url.password is not None:
        raise ConfigError(
            f"base_url for {host} holds a user name or password; send a key as api_key: ${{NAME}}"
        )
    if url.scheme not in {"http", "https"} or not host:
        raise ConfigError("base_url must be a full address such as http://127.0.0.1:8000/v1")
    if url.query or url.fragment:
        raise ConfigError(
            f"base_url for {host} ends in a query; remove '?' or '#' and what follows"
        )
    return text.rstrip("/")


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine and cannot be reached from another one.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "", None)]
    [True, True, True, False, False, False]
    """
    if host is None or host == "localhost":
        return host is not None
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name, which whoever answers for it may point elsewhere
        return False
