"""Who reaches this dashboard, and whether a run may be started from a page.

A run spends money and starts programs that a suite names, so it is started for people on this
machine alone. That is decided by the address which the server was told to listen at; what a request
says of itself can only be a reason against it: a name other than this machine's in its headers
means a proxy, or a web page of somebody else that calls itself this machine. A login is no reason
for it either, since who may read is not who may spend.

And whoever starts one has to know a code that is said where the dashboard was started, on no page:
a page in a frame and a script that drives this one do not have it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import guard
import streamlit as st

from judgebench.secret import is_loopback

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip")
"""Headers of a request that came through a proxy."""

SHIELDS = ("server.enableCORS", "server.enableXsrfProtection")


LETTERS, LENGTH = "abcdefghjkmnpqrstuvwxyz23456789", 8
"""Of a code: none that look alike; 40 bits, which nobody guesses over a connection."""

_code = ""


def unguarded() -> bool:
    """Whether a browser asks, and what keeps other pages out is not there (`streamlit run`)."""
    return bool(_headers()) and not guard.stands()


def bound_to_loopback() -> bool:
    """Whether the server listens where only this machine reaches it."""
    return is_loopback(st.get_option("server.address"))


def runs_may_start() -> bool:
    """Whether runs can be started from a page at all, as far as the command line says."""
    import raters

    return bound_to_loopback() and raters.header_trusted() is None


def new_code() -> str:
    """The code that starts runs from now on, in the life of this process."""
    global _code  # one of a process, in no file, argument or environment
    _code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    return f"{_code[: LENGTH // 2]}-{_code[LENGTH // 2 :]}"


def is_code(typed: str) -> bool:
    """Whether this is the code; never where none was made."""
    said = "".join(typed.split()).replace("-", "").lower()
    return bool(_code) and hmac.compare_digest(said.encode(), _code.encode())


def why_nothing_starts() -> str:
    """Why no run can be started from a page; empty where one can."""
    return next(_reasons(), "")


def _reasons() -> Iterator[str]:
    if not bound_to_loopback():
        yield "other machines may reach this dashboard (--address)"
    if _other_people():
        yield "people sign in here, and who may read is not who may spend"
    if not all(st.get_option(shield) for shield in SHIELDS):
        yield f"{' or '.join(SHIELDS)} is off, so that web pages of others could press this button"
    headers = _headers()
    if any(headers.get(name) for name in FORWARDED):
        yield "this request came through a proxy"
    for name in ("Host", "Origin"):
        said = headers.get(name)
        if said and not is_loopback(_host(said)):
            yield f"this request names another machine as its {name}"
    origin, host = headers.get("Origin"), headers.get("Host")
    if origin and not guard.same_origin(origin, host or ""):
        yield "this request comes from a page of another port"


def _other_people() -> bool:
    import raters

    return raters.header_trusted() is not None or "is_logged_in" in st.user.to_dict()


def _headers() -> Mapping[str, str]:
    return st.context.headers


def _host(said: str) -> str | None:
    """The host in ``http://host:port`` or ``host:port``."""
    try:
        return urlsplit(said if "//" in said else f"//{said}").hostname
    except ValueError:
        return None
