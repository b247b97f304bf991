"""Overview and Runs as a browser sees them: a run is started, watched and stopped.

And a web page of somebody else gets nowhere, whatever it calls itself.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from judgebench.store.opening import open_store
from tests.dashboards.browsing import BROWSER
from tests.dashboards.conftest import launched
from tests.dashboards.serving import served
from tests.dashboards.watched import Watched
from tests.e2e import runs
from tests.warm import Warm

pytestmark = BROWSER

SAID = "said.txt"
"""What the server says where it was started."""

PATIENCE_MS = 120_000
"""How long a busy machine may take to draw what is already there."""

SLOW_S = 2.5
"""How long a made-up judge takes for each of its 48 questions: two minutes of `PATIENCE_MS` for
whoever watches the run and stops it."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One for which a name of somebody else means this machine."""
    with launched("--host-resolver-rules=MAP evil.test 127.0.0.1") as browser:
        yield browser


@pytest.fixture
def tab(visitor: Any) -> Iterator[Callable[..., Any]]:
    """A browser's tab, which may talk to loopback alone and complain of nothing."""
    watched: list[tuple[Any, Watched]] = []

    def opened(address: str) -> Any:
        page = visitor.new_page()
        watched.append((page, Watched(page)))
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        page.get_by_role("heading", name="Overview").wait_for()
        return page

    yield opened
    for page, seen in watched:
        page.close()
        assert seen.hosts == {"127.0.0.1"}
        assert not seen.complaints


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Iterator[str]:
    """Served on a store that is not there."""
    folder = tmp_path_factory.mktemp("empty")
    with served(warm, runs.store_url(folder), folder) as address:
        yield address


def test_a_run_is_started_watched_and_stopped(tab: Any, tmp_path: Path, warm: Warm) -> None:
    """It goes on without the page, says how far it is, and loses nothing when it is stopped."""
    _slow_suite(tmp_path)
    with (
        (tmp_path / SAID).open("w") as said,
        served(warm, runs.store_url(tmp_path), tmp_path, said=said) as address,
    ):
        assert f"dashboard: {address} (Ctrl-C ends it)\n" in (tmp_path / SAID).read_text()
        page = tab(address)
        page.get_by_role("link", name="Runs", exact=True).click()
        page.get_by_role("heading", name="Runs").wait_for()
        page.get_by_role("button", name="What it would do").click()
        page.get_by_text("judge calls").first.wait_for()
        code = (tmp_path / SAID).read_text().partition("type this code there: ")[2].split()[0]
        page.get_by_role("textbox", name="Code from the terminal").fill(code)
        page.get_by_role("button", name="Start this run").click()
        page.get_by_text("● under way").wait_for()
        page.get_by_text("judging: ").first.wait_for()
        page.close()
        page = tab(address)  # whoever comes later sees it, too
        page.get_by_text("judging: ").first.wait_for()
        page.get_by_role("progressbar").first.wait_for()
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_text("stopped; nothing is lost (exit code 130)").wait_for()
        page.get_by_text("◌ interrupted").first.wait_for(state="attached")
        page.close()
    with open_store(runs.store_url(tmp_path), read_only=True) as store:
        (run,) = store.runs()
        judged = len(store.verdicts("trivia_judging_mini")["model"])
    assert run.state == "interrupted"
    assert 0 < judged < 48, "what was under way is kept, and nothing more was asked"


def _slow_suite(folder: Path) -> None:
    path = runs.suite(folder, limit=24)
    suite = yaml.safe_load(path.read_text())
    suite["judges"] = [
        {
            "name": "slow", "provider": "scripted", "model": "slow",
            "provider_options": {"delay_s": SLOW_S},
        }
    ]  # fmt: skip
    suite["benchmarks"][0]["judges"] = ["slow"]
    suite["limits"]["max_connections"] = 1
    path.write_text(yaml.safe_dump(suite))


def test_a_page_that_calls_itself_this_machine_gets_nothing(empty: str, browser: Any) -> None:
    """DNS rebinding: its name is made to mean 127.0.0.1 once the reader has opened it."""
    page = browser.new_page()
    refused: list[str] = []

    def watch(opened: Any) -> None:
        opened.on("socketerror", lambda said: refused.append(said))

    page.on("websocket", watch)
    page.goto(f"http://evil.test:{urlsplit(empty).port}/")
    runs.eventually(lambda: page.wait_for_timeout(100) or refused)
    assert page.get_by_role("heading", name="Overview").count() == 0
    assert page.get_by_role("button", name="Load the published boards").count() == 0
    page.close()


FOREIGN = """<!doctype html><title>of somebody else</title>
<iframe src="{at}/label"></iframe><iframe src="{at}/runs" sandbox="allow-scripts"></iframe>
<script>
const at = "{at}", found = {{}};
const tried = (name, going) => going.then(
    () => {{ found[name] = "let in" }}, () => {{ found[name] = "kept out" }});
window.found = Promise.all([
    tried("socket", new Promise((well, ill) => {{
        const socket = new WebSocket(at.replace("http", "ws") + "/_stcore/stream", ["streamlit"]);
        socket.onopen = well;
        socket.onerror = ill;
    }})),
    tried("read", fetch(at + "/_stcore/health")),
    ...["PUT", "DELETE"].map(method => tried(
        method, fetch(at + "/_stcore/upload_file/a/b", {{method}}))),
    tried("loaded", new Promise((well, ill) => {{
        const script = document.createElement("script");
        script.onload = well;
        script.onerror = ill;
        script.src = at + "/_stcore/health?as=script";
        document.body.append(script);
    }})),
]).then(() => found);
</script>"""


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "evil.test"])
def test_a_page_at_another_port_frames_nothing_and_is_not_heard(
    empty: str, browser: Any, name: str
) -> None:
    """As any program that serves a page on this machine could, to whoever opens it."""
    with Serves(FOREIGN.format(at=empty).encode()) as port:
        page = browser.new_page()
        page.goto(f"http://{name}:{port}/")
        found = page.evaluate("window.found")
        assert found == dict.fromkeys(["socket", "read", "PUT", "DELETE", "loaded"], "kept out")
        assert len(page.frames) == 3

        def empty() -> bool:  # as the browser shows a page that lets nobody frame it
            page.wait_for_timeout(50)
            return all(frame.url.startswith("chrome-error:") for frame in page.frames[1:])

        runs.eventually(empty)
        page.close()


class Serves:
    """One page, on a free port of loopback, as long as the block."""

    def __init__(self, text: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> int:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self._server.server_address[1]

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_page_served_to_others_says_so_and_starts_nothing(
    tab: Any, tmp_path: Path, warm: Warm
) -> None:
    everybody = ("--server.address", "0.0.0.0", "--server.allowedHosts", "*")  # noqa: S104
    with served(warm, runs.store_url(tmp_path), tmp_path, *everybody) as address:
        page = tab(address)
        page.get_by_text("Other machines may reach this page.").wait_for()
        page.get_by_text("Loading them from here is off: other machines").wait_for()
        assert page.get_by_role("button", name="Load the published boards").count() == 0
        script = page.locator("script[src]").first.get_attribute("src").lstrip("./")
        page.close()
        asleep = _takes_nothing_in(address, script)  # and the server ends all the same
    asleep.close()


def _takes_nothing_in(address: str, path: str) -> socket.socket:
    """Somebody who asks for more than is on its way at once, and never reads it."""
    whose = urlsplit(address)
    asked = f"GET /{path} HTTP/1.1\r\nHost: {whose.netloc}\r\n\r\n"
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((whose.hostname, whose.port))
    client.sendall(asked.encode() * 20)
    client.recv(1)
    return client
