"""What stands before every page: frames, pages of another origin, and what Streamlit would ask."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tests.table import over_rows

HERE = "http://127.0.0.1:8501"
UNFRAMED = {"x-frame-options": "DENY", "content-security-policy": "frame-ancestors 'none'"}


def asked(
    answers: Any, *headers: tuple[str, str], kind: str = "http", allowed: tuple[str, ...] = ()
) -> list[Any]:
    """What goes back to the browser that asks an app behind the guard."""
    import access

    said = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": kind, "headers": said, "server": ("127.0.0.1", 8501)}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    going = access.Guard(answers, lambda: allowed)(scope, receive, send)
    with pytest.raises(StopIteration):  # nothing of it waits
        going.send(None)
    return sent


async def page(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    headers = [(b"X-Frame-Options", b"ALLOWALL"), (b"a", b"b")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"whole"})


def headers_of(start: Any) -> dict[str, str]:
    found = [(name.decode(), value.decode()) for name, value in start["headers"]]
    assert len(found) == len(dict(found)), "none is said twice"
    return dict(found)


def test_whatever_is_answered_no_page_frames_it() -> None:
    start, body = asked(page, ("Host", "127.0.0.1:8501"))
    assert headers_of(start) == {"a": "b"} | UNFRAMED
    assert body["body"] == b"whole"
    start, _ = asked(page, ("Host", "127.0.0.1:8501"), ("Origin", "http://evil.test"))
    assert start["status"] == 403
    assert headers_of(start).items() >= UNFRAMED.items()


def test_also_where_a_page_fails() -> None:
    import access

    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("a fault")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    going = access.Guard(fails)({"type": "http", "headers": []}, send, send)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a fault"):  # the server says so where it was started
        going.send(None)
    assert sent[0]["status"] == 500
    assert headers_of(sent[0]).items() >= UNFRAMED.items()


@over_rows("kind", ["http", "websocket"])
@over_rows(
    ("origin", "host", "answered"),
    [
        (None, "127.0.0.1:8501", True),  # no browser, or a link
        (HERE, "127.0.0.1:8501", True),
        ("http://localhost:8501", "localhost:8501", True),
        ("http://[::1]:8501", "[::1]:8501", True),
        ("https://judge.example.org", "judge.example.org", True),  # a proxy with TLS
        ("https://judge.example.org", "judge.example.org:443", True),
        # Any other port of this machine.
        ("http://127.0.0.1:8502", "127.0.0.1:8501", False),
        ("http://localhost:3000", "localhost:8501", False),
        ("http://127.0.0.1", "127.0.0.1:8501", False),
        ("http://localhost:8501", "127.0.0.1:8501", False),
        ("https://127.0.0.1:8502", "127.0.0.1:8501", False),
        ("http://127.0.0.1:8501", "", False),
        ("https://evil.test", "127.0.0.1:8501", False),
        ("http://127.0.0.1:8501.evil.test", "127.0.0.1:8501", False),
        ("http://127.0.0.1:8501@evil.test", "127.0.0.1:8501", False),
        ("http://evil.test@127.0.0.1:8501", "evil.test@127.0.0.1:8501", False),
        ("http://127.0.0.1:8501/", "127.0.0.1:8501", False),
        ("http://127.0.0.1:x", "127.0.0.1:x", False),
        ("null", "127.0.0.1:8501", False),  # a frame in a sandbox, a file
        ("", "127.0.0.1:8501", False),
        ("file://", "127.0.0.1:8501", False),
        ("chrome-extension://127.0.0.1:8501", "127.0.0.1:8501", False),
    ],
)
def test_a_page_is_heard_from_this_very_address_alone(
    kind: str, origin: str | None, host: str, answered: bool
) -> None:
    said = [("Host", host)] if host else []
    if origin is not None:
        said.append(("Origin", origin))
    first = asked(page, *said, kind=kind)[0]
    if kind == "websocket":
        assert first["type"] == ("websocket.accept" if answered else "websocket.close")
    else:
        assert first["status"] == (200 if answered else 403)


def test_a_server_at_a_usual_port_is_no_other() -> None:
    import access

    assert access.same_origin("http://localhost", "localhost", 80)
    assert not access.same_origin("https://localhost", "localhost", 80)


def test_an_origin_said_twice_is_none() -> None:
    first = ("Host", "127.0.0.1:8501")
    for more in (("Origin", HERE), ("Origin", "http://evil.test")):
        assert asked(page, first, ("Origin", HERE), more)[0]["status"] == 403
    assert asked(page, first, ("Host", "evil.test"))[0]["status"] == 403


def test_whoever_starts_it_may_name_another_origin() -> None:
    said = ("Host", "10.0.0.7:8501"), ("Origin", "https://judge.example.org")
    assert asked(page, *said)[0]["status"] == 403
    named = "https://judge.example.org"
    assert asked(page, *said, allowed=(named,))[0]["status"] == 200
    assert asked(page, *said, allowed=(f"{named}:8443",))[0]["status"] == 403


@over_rows(
    ("site", "mode", "dest", "status"),
    [
        ("none", "navigate", "document", 200),
        ("same-origin", "no-cors", "image", 200),
        ("cross-site", "navigate", "document", 200),  # a link that somebody sent
        ("same-site", "no-cors", "image", 403),  # another port
        ("cross-site", "no-cors", "script", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "navigate", "object", 403),
    ],
)
def test_no_page_of_elsewhere_loads_a_part(site: str, mode: str, dest: str, status: int) -> None:
    said = ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest)
    assert asked(page, ("Host", "127.0.0.1:8501"), *said)[0]["status"] == status


# how it is started ------------------------------------------------------------------------------


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Any:
    import serve

    monkeypatch.setattr(serve, "warm", lambda: None)
    monkeypatch.setattr(serve.signal, "signal", lambda *_: None)
    return serve


@pytest.fixture
def under_streamlit(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Do something in place of Streamlit's server."""
    from streamlit import net_util
    from streamlit.web import cli

    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)
    monkeypatch.setattr(net_util, "_external_ip", None)
    monkeypatch.setattr(uvicorn.Server, "startup", uvicorn.Server.startup)
    return lambda done: monkeypatch.setattr(cli, "main", done)


def test_streamlit_finds_the_guarded_app(serve: Any, under_streamlit: Any) -> None:
    """Were it to find none, it would serve the pages bare."""
    from access import Guard
    from streamlit.web.server.app_discovery import discover_asgi_app

    under_streamlit(lambda: None)
    serve.main(["--server.port", "8501"])
    command, run, path, *options = sys.argv
    assert (command, run, options) == ("streamlit", "run", ["--server.port", "8501"])
    found = discover_asgi_app(Path(path))
    assert found.import_string is not None
    assert found.import_string.endswith("serve:app")
    assert [one.cls for one in serve.app._user_middleware] == [Guard, serve.Parts]


def test_no_part_of_an_answer_waits_for_the_browser_to_have_heard_another(
    serve: Any, under_streamlit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[Any] = []

    async def startup(_: Any, sockets: list[socket.socket]) -> None:
        sockets[0].listen()
        with socket.create_connection(sockets[0].getsockname()), sockets[0].accept()[0] as accepted:
            connected.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    under_streamlit(lambda: None)
    monkeypatch.setattr(uvicorn.Server, "startup", startup)
    serve.main([])
    server = uvicorn.Server(uvicorn.Config(page))
    with socket.socket() as bound, socket.socket(socket.AF_UNIX) as unix:
        bound.bind(("127.0.0.1", 0))
        asyncio.run(server.startup(sockets=[bound, unix]))
    assert connected == [1]


def test_streamlits_own_files_come_out_of_memory_and_a_page_names_what_it_will_need(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit.file_util import get_static_dir

    folder = Path(get_static_dir())

    def got(path: str, method: str = "GET") -> tuple[dict[str, str], bytes]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(parts({"type": "http", "method": method, "path": path}, send, send))
        start, body = sent
        return headers_of(start), body["body"]

    parts = serve.Parts(page)
    headers, body = got("/leaderboard")
    assert headers["content-type"].startswith("text/html")
    assert headers["cache-control"] == "no-cache"
    assert got("/") == (headers, body)
    named = re.findall(r'(?:src|href)="\./(static/[^"]+)"', body.decode())
    assert len(named) == len(set(named))
    for part in serve.PARTS:
        assert f"./static/js/{part}." in body.decode()
    for one in named:
        headers, found = got(f"/{one}")
        assert found == (folder / one).read_bytes()
        assert headers["cache-control"] == serve.KEPT
        assert headers["content-length"] == f"{len(found)}"
        assert one.endswith(".css") == (headers["content-type"] == "text/css; charset=utf-8")
    scripts = (folder / one for one in named if one.endswith(".js"))
    assert any("BACKEND_BASE_URL" in one.read_text("utf-8") for one in scripts)
    for other in (got("/static/none.js"), got("/_stcore/health"), got("/", "HEAD")):
        assert other[1] == b"whole", "as Streamlit answers"
    with monkeypatch.context() as told:
        told.setattr(serve.config, "get_option", lambda _: "/below/it")
        parts = serve.Parts(page)
    assert got("/below/it/") == got("/below/it/leaderboard") != got("/")
    assert got(f"/below/it/{one}")[1] == found
    assert got("/")[1] == b"whole", "nobody is there"


def test_nobody_on_the_web_is_asked_for_an_address(
    serve: Any, under_streamlit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit import config
    from streamlit.web import bootstrap
    from streamlit.web.server import server_util

    got: list[str] = []
    monkeypatch.setattr("requests.get", lambda url, **_: got.append(url))

    def served() -> None:
        bootstrap._print_url(is_running_hello=False)
        server_util.is_url_from_allowed_origins("http://evil.test:1")

    before = {name: config.get_option(name) for name in ("server.address", "server.headless")}
    try:
        config.set_option("server.address", "0.0.0.0", "the command line")  # noqa: S104
        config.set_option("server.headless", True, "the command line")
        under_streamlit(served)
        serve.main([])
    finally:
        for name, value in before.items():
            config.set_option(name, value)
    assert got == []


def test_the_code_is_said_where_a_run_may_start(
    serve: Any, at_home: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import access
    from streamlit import config

    def said() -> str:
        lifespan = serve.code_for_runs(None)
        with pytest.raises(StopIteration):
            lifespan.__aenter__().send(None)
        return capsys.readouterr().err

    first, second = said(), said()
    assert "type this code there" in first
    assert first != second, "another one at each start"
    code = second.split()[-1]
    assert access.is_code(code)
    assert access.is_code(f" {code.replace('-', '').upper()} ")
    assert not access.is_code(first.split()[-1])
    assert not access.is_code("")
    assert not access.is_code("ünfug")
    monkeypatch.setattr(sys, "argv", ["app.py", "--rater-header", "X-User"])
    assert said() == ""
    monkeypatch.setattr(sys, "argv", ["app.py"])
    config.set_option("server.address", "0.0.0.0")  # noqa: S104
    assert said() == ""


def test_without_a_guard_a_browser_is_shown_nothing(
    open_page: Any, at_home: None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import access

    monkeypatch.setattr(access, "_headers", lambda: {"Host": "127.0.0.1:8501"})
    monkeypatch.setattr(access, "_built", [])
    app = open_page("overview", f"sqlite:///{tmp_path / 's.db'}")
    assert "without what keeps other web pages out" in app.error[0].value
    assert [one.value for one in app.code] == ["judgebench dashboard"]
    assert not app.button
    access.Guard(page)
    app = open_page("overview", f"sqlite:///{tmp_path / 's.db'}")
    assert not app.error
    assert app.button
