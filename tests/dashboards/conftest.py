"""Pages run headless in Streamlit's AppTest, on stores filled through the public API."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
EXECUTABLE = sys.executable


@pytest.fixture(autouse=True)
def _as_streamlit_finds_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`streamlit run` puts the script's folder first; AppTest does so only while a page runs.

    What is started from a page is remembered in a folder of the test's own.
    """
    monkeypatch.syspath_prepend(str(DASHBOARDS))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "argv", ["app.py"])


@pytest.fixture(autouse=True, scope="session")
def _what_a_server_does_once() -> Iterator[None]:
    """An AppTest does so before each page: it compiles the scripts, and reads what every installed
    package says of itself, for components that none of them has. Nor does it count what is used."""
    from streamlit import config
    from streamlit.components.v2 import manifest_scanner
    from streamlit.runtime.scriptrunner.script_cache import ScriptCache
    from streamlit.testing.v1 import app_test, local_script_runner

    scripts, looked = ScriptCache(), local_script_runner.require_widgets_deltas

    def ended(runner: Any, timeout: float) -> None:
        """Woken when a page is drawn, where it would look a thousand times a second."""
        runner._script_thread.join(timeout)
        looked(runner, timeout=1.0)

    config.set_option("browser.gatherUsageStats", False)
    with (
        mock.patch.object(manifest_scanner, "scan_component_manifests", list),
        mock.patch.object(local_script_runner, "require_widgets_deltas", ended),
        mock.patch.object(app_test, "ScriptCache", lambda: scripts),
        mock.patch.object(local_script_runner, "ScriptCache", lambda: scripts),
    ):
        yield


@pytest.fixture(autouse=True, scope="module")
def _remembered_for_one_file() -> Iterator[None]:
    """What a server has computed of a store is there for whoever opens a page of it next."""
    import streamlit as st

    yield
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Open a page of the app on a store, as a reader who follows a link would."""
    from streamlit.testing.v1 import AppTest

    def opened(page: str, url: str, **query: str) -> AppTest:
        monkeypatch.setenv("JUDGEBENCH_STORE", url)
        app = AppTest.from_file(str(DASHBOARDS / "app.py"), default_timeout=120)
        if page != "overview":
            app.switch_page(f"views/{page}.py")  # found by its file's name, as is its address
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        assert [one.value for one in app.title][:1] in ([], [page.capitalize()])
        return app

    return opened


@pytest.fixture(scope="module")
def _opened_before() -> dict[str, object]:
    return {}


@pytest.fixture
def seen(
    open_page: Callable[..., object], _opened_before: dict[str, object]
) -> Callable[..., object]:
    """As `open_page`, once in a file: for tests that look at a page and touch nothing of it."""

    def looked(page: str, url: str, **query: str) -> object:
        asked = repr((page, url, sorted(query.items())))
        if asked not in _opened_before:
            _opened_before[asked] = open_page(page, url, **query)
        return _opened_before[asked]

    return looked


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a page offers to download, as CSV if nothing else: by the name of the file."""
    offered: dict[str, str] = {}
    widgets, page = importlib.import_module("widgets"), importlib.import_module("page")
    monkeypatch.setattr(
        page,
        "offer",
        lambda name, documents, forms=("csv",): offered.update(
            {f"{name}.{form}": page.rendered(documents, form) for form in forms}
        ),
    )
    monkeypatch.setattr(
        widgets, "download", lambda label, name, csv, key: offered.update({name: csv})
    )
    return offered


@contextmanager
def launched(*more: str) -> Iterator[Any]:
    """A browser, with more arguments than all of them have."""
    from playwright.sync_api import sync_playwright

    from tests.dashboards.browsing import ARGUMENTS, CHROMIUM

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *more])
        yield started
        started.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for a file of tests. No longer: while it lives its thread has a running loop."""
    with launched() as started:
        yield started


@pytest.fixture(scope="module")
def visitor(browser: Any) -> Iterator[Any]:
    """Whose tabs share what they have fetched: the scripts of a page are megabytes."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    yield context
    context.close()


@pytest.fixture
def at_home() -> Iterator[None]:
    """Served where only this machine reaches it, as the command line does."""
    from streamlit import config

    before = config.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    yield
    config.set_option("server.address", before)


# what is computed beside the server ---------------------------------------------------------------


@pytest.fixture
def parts() -> Any:
    """The modules of the dashboard, which only its tests can import."""

    class Parts:
        answers = importlib.import_module("answers")
        worker = importlib.import_module("worker")
        explore = importlib.import_module("judgebench.explore")
        disk_cache = importlib.import_module("judgebench.reports.disk_cache")
        open_store = importlib.import_module("open_store")

    return Parts


@pytest.fixture
def desk(
    parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forked: None
) -> Iterator[Any]:
    """Every store is a large one, and what is kept is kept here."""
    monkeypatch.setattr(parts.answers, "LARGE", 0)
    found = parts.answers.Desk(disk=parts.disk_cache.DiskCache(tmp_path / "kept"))
    monkeypatch.setattr(parts.answers, "desk", lambda: found)
    yield found
    found.workers.end()


@pytest.fixture
def not_forked(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is itself what its server started, and takes the signals."""
    monkeypatch.setattr(sys, "executable", EXECUTABLE)


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with a function that waits until a file is there, then says what it was asked."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "waiting.py").write_text(
        "import pathlib, time\n"
        "def until(store, path: str, word: str) -> str:\n"
        "    with pathlib.Path(path + '.begun').open('a') as begun:\n"
        "        begun.write('.')\n"
        "    while not pathlib.Path(path).exists():\n"
        "        time.sleep(0.01)\n"
        "    return word\n"
    )
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "waiting", raising=False)
    return tmp_path / "go"


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)
