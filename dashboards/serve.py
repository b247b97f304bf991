"""The dashboard, behind its guard and with what every page needs loaded before anybody comes.

python dashboards/serve.py --server.port 8501 -- --store sqlite:///results/judgebench.db
"""

from __future__ import annotations

import importlib
import inspect
import mimetypes
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import access
import streamlit as st
import uvicorn
from access import ASGI, Guard, Receive, Scope, Send
from answers import begin
from open_store import store_url
from starlette.middleware import Middleware
from starlette.responses import Response
from streamlit import config, file_util

PAGES_IMPORT = (
    "altair",
    "pandas.io.formats.style",
    "streamlit.emojis",
    "judgebench.labels",
    "judgebench.reports.compare",
    "judgebench.reports.confidence",
    "judgebench.reports.leaderboard",
    "judgebench.reports.nights",
    "judgebench.reports.training",
    "judgebench.execution.plan",
    "judgebench.store.read",
    "judgebench.store.search",
)


CODE = """\
To start a run from a page, type this code there: {code}
"""

PATIENCE_S = 5.0
"""How long the server may take to end. It waits for all its pages, and that of a laptop which fell
asleep in the midst of an answer would keep it for ever."""


def end_in_time() -> None:
    """Let the server end well, and end it where it does not."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _hastened(signal.getsignal(number)))


def _hastened(handler: Any) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        clock = threading.Timer(PATIENCE_S, os._exit, [0])
        clock.daemon = True
        clock.start()
        handler(number, frame)

    return handle


@asynccontextmanager
async def code_for_runs(_: object) -> AsyncIterator[None]:
    """Say the code where whoever started this reads it, and no page can."""
    if access.runs_may_start():
        print(CODE.format(code=access.new_code()), end="", file=sys.stderr, flush=True)
    yield


@asynccontextmanager
async def serving(app: object) -> AsyncIterator[None]:
    """Around the time that pages are served; the server's own way to end stands by then."""
    end_in_time()
    # Streamlit's socket listens before this is called: who comes now is answered in a moment.
    address, port = st.get_option("server.address"), st.get_option("server.port")
    named = f"[{address}]" if ":" in address else address
    print(f"dashboard: http://{named}:{port} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    async with code_for_runs(app):
        yield


def allowed() -> list[str]:
    """Origins that whoever started this lets in by name."""
    named: list[str] = config.get_option("server.corsAllowedOrigins")  # st's looks for a session
    return named


PARTS = ("ArrowVegaLiteChart", "DataFrame", "Selectbox", "Multiselect", "Html", "embed")
"""Streamlit's modules of what stands on nearly every page."""

HERE = "<script>window.__streamlit = {BACKEND_BASE_URL: `${new URL('./', location)}`}</script>"
"""Where the server is. Streamlit's page asks below itself first, and waits a moment then."""

KEPT = "public, immutable, max-age=31536000"
"""Of a file whose name has the hash of what is in it."""


class Parts:
    """Streamlit's own files, out of memory: it sends each through several turns of threads.

    A page names `PARTS` and all that they import, beside the modules of every app: a browser has
    them ready by the time that the first table comes, and would ask for them only then.
    """

    def __init__(self, app: ASGI) -> None:
        self._app, folder = app, Path(file_util.get_static_dir())
        below = config.get_option("server.baseUrlPath").strip("/")
        below = f"/{below}/" if below else "/"
        self._files = {
            f"{below}{one.relative_to(folder)}": one for one in folder.glob("static/*/*")
        }
        found = [one for part in PARTS for one in folder.glob(f"static/js/{part}.*.js")]
        for one in found:  # which grows
            names = re.findall(r'(?:from|import)\s*["\']\./([\w.-]+\.js)', one.read_text("utf-8"))
            found += [one.with_name(name) for name in names if one.with_name(name) not in found]
        shell = (folder / "index.html").read_text("utf-8")
        how = 'rel="modulepreload" crossorigin fetchpriority="low"'
        more = [one.name for one in found if one.name not in shell]
        head = "".join([HERE, *(f'<link {how} href="./static/js/{name}">' for name in more)])
        self._page = Response(
            shell.replace("</head>", f"{head}</head>"), media_type="text/html",
            headers={"Cache-Control": "no-cache"},
        )  # fmt: skip
        views = Path(__file__).parent.glob("views/*.py")
        self._pages = {below, *(f"{below}{one.stem}" for one in views)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, answers = scope.get("path", ""), self._app
        if scope.get("method") == "GET":
            if path in self._pages:
                answers = self._page
            elif file := self._files.get(path):
                answers = _of_memory(file)
        await answers(scope, receive, send)


@cache
def _of_memory(file: Path) -> Response:
    kind, _ = mimetypes.guess_type(file)
    return Response(file.read_bytes(), headers={"Cache-Control": KEPT}, media_type=kind)


# Streamlit finds this by the name of its class.
app = st.App(
    "app.py", middleware=[Middleware(Guard, allowed=allowed), Middleware(Parts)], lifespan=serving
)


def main(options: list[str]) -> None:
    """Serve until it is stopped; ``options`` are those of `streamlit run`."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the server ends well, then asks this
        signal.signal(number, lambda *_: sys.exit(0))
    begin(store_url(options))
    warm()
    ask_nobody()
    send_at_once()
    from streamlit.web import cli

    sys.argv = ["streamlit", "run", str(Path(__file__)), *options]
    cli.main()


def ask_nobody() -> None:
    """Streamlit asks a server of Amazon for this machine's address, to print it."""
    from streamlit import net_util

    net_util.get_external_ip = lambda: None


def send_at_once() -> None:
    """Streamlit's socket does not say that it is of TCP, so that asyncio leaves Nagle's algorithm
    on: each of the hundred files of a page waits 40 ms for the browser's word that it heard the
    head of the answer.
    """
    startup = uvicorn.Server.startup

    async def started(self: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        for one in sockets or ():
            if one.family in (socket.AF_INET, socket.AF_INET6):  # what it accepts is as itself
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await startup(self, sockets)

    uvicorn.Server.startup = started  # type: ignore[method-assign]


def warm() -> None:
    """Have done once what takes longer the first time, half a second of a first page in all."""
    beside = (file.stem for file in Path(__file__).parent.glob("[!_]*.py"))
    for name in (*PAGES_IMPORT, *(one for one in beside if one not in ("app", "serve"))):
        importlib.import_module(name)
    import charts
    import pandas as pd
    import pyarrow as pa

    rows = pd.DataFrame(
        {"name": "one", "value": 0.5, "low": 0.4, "high": 0.6, "note": "n 1", "tone": "rest"}, [0]
    )
    charts.intervals(rows, charts.axis_of("accuracy", rows), charts.INK["light"]).to_dict()
    pa.Table.from_pandas(rows)
    inspect.stack()  # Streamlit asks so whether it runs in a shell: it looks into every module


if __name__ == "__main__":
    main(sys.argv[1:])
