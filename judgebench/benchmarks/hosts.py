"""Which addresses are fetched from, where a redirect may lead, and who is shown a token."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from judgebench.errors import ConfigError, ProviderUnavailableError

HUB = "huggingface.co"
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
"""Either of them keeps us from the Hub, as it does the Hub's own libraries."""

_YES = {"1", "ON", "TRUE", "YES"}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# Both hand large files to storage under another of their names.
_OWNERS = ((HUB, "hf.co"), ("github.com", "githubusercontent.com"))


def check_address(url: str) -> None:
    """Refuse what is not HTTPS (plain HTTP is for this machine alone), and passwords in addresses.

    Raises
    ------
    ConfigError
        Without the password.
    """
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (parts.scheme == "https" or local) or parts.username is not None:
        raise ConfigError(f"{parts.scheme}://{parts.hostname}{parts.path}: only HTTPS is fetched")


def check_redirect(url: str, target: str) -> None:
    """Refuse a redirect to where the file's host is not at home.

    Raises
    ------
    ProviderUnavailableError
        For another owner's host, plain HTTP or a password. The query of the target may be a key
        and is not shown.
    """
    try:
        check_address(target)
        same = _owner(url) == _owner(target)
    except (ConfigError, ValueError):
        same = False
    if not same:
        raise ProviderUnavailableError(
            f"{url}: leads to another place ({_host(target)}), which is not followed; fetch it by "
            "other means and give it to `judgebench data import`"
        )


def is_hub(url: str) -> bool:
    """Whether it is the Hugging Face Hub's, or the stand-in's that HF_ENDPOINT names."""
    endpoint = urlsplit(os.environ.get("HF_ENDPOINT", ""))
    return _owner(url) == HUB or (bool(endpoint.netloc) and urlsplit(url).netloc == endpoint.netloc)


def check_online(what: str) -> None:
    """Refuse to ask the Hub where the environment says not to.

    Raises
    ------
    ConfigError
        Naming the variable, and the way without a network.
    """
    for name in OFFLINE:
        if os.environ.get(name, "").upper() in _YES:
            raise ConfigError(
                f"{what}: {name} is set, so nothing is fetched from the Hub; unset it, or fetch "
                "the files on another machine and give them to `judgebench data import`"
            )


def authorization(url: str) -> str | None:
    """The header that shows ``HF_TOKEN``, to the Hub itself and over HTTPS alone."""
    parts = urlsplit(url)
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token or (parts.scheme, parts.netloc) != ("https", HUB):
        return None
    if not (token.isascii() and token.isprintable()):  # http.client would show it in its error
        raise ConfigError("HF_TOKEN holds characters that no token has; set it again, or unset it")
    return f"Bearer {token}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "no host"
    except ValueError:
        return "no host"


def _owner(url: str) -> str:
    host = urlsplit(url).hostname or ""
    for names in _OWNERS:
        if any(host == name or host.endswith(f".{name}") for name in names):
            return names[0]
    return host
