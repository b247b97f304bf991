"""What stands between a browser and every page: no frame, and no page of another origin.

Streamlit sends no header against frames, and its check of a WebSocket's Origin compares names
alone: any port of this machine passes for this dashboard. So every request comes by here first.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import lru_cache
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from judgebench.plain_text import printable

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
