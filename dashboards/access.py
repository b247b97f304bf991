"""Who reaches this dashboard, and whether a run may be started from a page.

A run spends money and starts programs that a suite names, so it is started for people on this
machine alone. That is decided by the address which the server was told to listen at; what a request
says of itself can only be a reason against it: a name other than this machine's in its headers
means a proxy, or a web page of somebody else that calls itself this machine. A login is no reason
for it either, since who may read is not who may spend.

And whoever starts one has to know a code that is said where the dashboard was started, on no page:
a page in a frame and a script that drives this one do not have it.

What stands between a browser and every page: no frame, and no page of another origin.

Streamlit sends no header against frames, and its check of a WebSocket's Origin compares names
alone: any port of this machine passes for this dashboard. So every request comes by here first.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from functools import lru_cache
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import streamlit as st

from judgebench.plain_text import printable
from judgebench.secret import is_loopback

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGI: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

UNFRAMED = (
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
)
"""On every response, whatever it says."""

USUAL_PORTS = {"http": 80, "https": 443}
POLICY_VIOLATION = 1008

_built: list[Guard] = []


def stands() -> bool:
    """Whether this process serves its pages through a guard."""
    return bool(_built)


class Guard:
    """Refuses what a page of another origin asks for; lets nobody frame what is answered.

    Parameters
    ----------
    allowed
        Origins that are let in besides, word for word; asked at each request.
    """

    def __init__(self, app: ASGI, allowed: Callable[[], Iterable[str]] = tuple) -> None:
        self._app, self._allowed = app, allowed
        _built.append(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        begun = False

        async def unframed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                ours = {name for name, _ in UNFRAMED}
                kept = [one for one in message.get("headers", ()) if one[0].lower() not in ours]
                message["headers"] = [*kept, *UNFRAMED]
            await send(message)

        if why := refused(scope, self._allowed()):
            tell(why)
            if scope["type"] == "websocket":  # the server answers 403
                return await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return await _answer(unframed, 403, "Not answered: another page asks for this.")
        try:
            await self._app(scope, receive, unframed)
        except Exception:
            # What the server would answer by itself goes past this.
            if scope["type"] == "http" and not begun:
                await _answer(unframed, 500, "Internal Server Error")
            raise


def refused(scope: Scope, allowed: Iterable[str]) -> str:
    """Why a request is not answered; empty where it is."""
    said: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        said.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    origins, hosts = said.get("origin", []), said.get("host", [])
    if len(origins) > 1 or len(hosts) > 1:
        return "an Origin or a Host is said twice"
    host = hosts[0] if hosts else ""
    if origins:
        own = (scope.get("server") or (None, None))[1]
        if origins[0] not in allowed and not same_origin(origins[0], host, own):
            return f"a page of {origins[0][:200]} asks {host[:200]}"
    elif scope["type"] == "http" and _embedded_elsewhere(said):
        return f"a page of elsewhere loads what is at {host[:200]}"
    return ""


def _embedded_elsewhere(said: dict[str, list[str]]) -> bool:
    """Whether a page of elsewhere loads it as a part of itself; a link to it is nothing wrong.

    Browsers say no Origin where a page loads a picture or a script.
    """
    if said.get("sec-fetch-site", ["none"])[-1] in ("none", "same-origin"):
        return False
    followed = (said.get("sec-fetch-mode"), said.get("sec-fetch-dest"))
    return followed != (["navigate"], ["document"])


def same_origin(origin: str, host: str, own_port: int | None = None) -> bool:
    """Whether a page of ``origin`` was sent by ``host``, port and all.

    A port that is not said is the usual one of the origin's scheme; of a server that itself listens
    at a usual port, it is that.

    >>> same_origin("http://127.0.0.1:8501", "127.0.0.1:8501")
    True
    >>> same_origin("http://127.0.0.1:8600", "127.0.0.1:8501")
    False
    >>> same_origin("https://judge.example.org", "judge.example.org:443")
    True
    """
    try:
        page, server = urlsplit(origin), urlsplit(f"//{host}")
        ports = page.port, server.port
    except ValueError:
        return False
    usual = USUAL_PORTS.get(page.scheme)
    if usual is None or not page.hostname or origin != f"{page.scheme}://{page.netloc}":
        return False
    if "@" in page.netloc or host != server.netloc or "@" in host:
        return False
    at_host = own_port if own_port in USUAL_PORTS.values() else usual
    return (page.hostname, ports[0] or usual) == (server.hostname, ports[1] or at_host)


@lru_cache(maxsize=100)
def tell(why: str) -> None:
    """To whoever started this, once; a proxy that passes another name on is found by it."""
    logging.getLogger(__name__).warning("refused: %s", printable(why))


async def _answer(send: Send, status: int, text: str) -> None:
    body = text.encode("ascii")
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip")
"""Headers of a request that came through a proxy."""

SHIELDS = ("server.enableCORS", "server.enableXsrfProtection")


LETTERS, LENGTH = "abcdefghjkmnpqrstuvwxyz23456789", 8
"""Of a code: none that look alike; 40 bits, which nobody guesses over a connection."""

_code = ""


def unguarded() -> bool:
    """Whether a browser asks, and what keeps other pages out is not there (`streamlit run`)."""
    return bool(_headers()) and not stands()


def bound_to_loopback() -> bool:
    """Whether the server listens where only this machine reaches it."""
    return is_loopback(st.get_option("server.address"))


def runs_may_start() -> bool:
    """Whether runs can be started from a page at all, as far as the command line says."""
    import labels

    return bound_to_loopback() and labels.header_trusted() is None


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
    if origin and not same_origin(origin, host or ""):
        yield "this request comes from a page of another port"


def _other_people() -> bool:
    import labels

    return labels.header_trusted() is not None or "is_logged_in" in st.user.to_dict()


def _headers() -> Mapping[str, str]:
    return st.context.headers


def _host(said: str) -> str | None:
    """The host in ``http://host:port`` or ``host:port``."""
    try:
        return urlsplit(said if "//" in said else f"//{said}").hostname
    except ValueError:
        return None
