"""Pages run headless in Streamlit's AppTest, on stores filled through the public API."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DASHBOARDS = Path(__file__).parents[2] / "dashboards"


@pytest.fixture(autouse=True)
def _as_streamlit_finds_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`streamlit run` puts the script's folder first; AppTest does so only while a page runs.

    What is started from a page is remembered in a folder of the test's own.
    """
    monkeypatch.syspath_prepend(str(DASHBOARDS))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "argv", ["app.py"])


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., object]]:
    """Open a page of the app on a store, as a reader who follows a link would."""
    import streamlit as st
    from streamlit.testing.v1 import AppTest

    def opened(page: str, url: str, **query: str) -> AppTest:
        monkeypatch.setenv("JUDGEBENCH_STORE", url)
        app = AppTest.from_file(str(DASHBOARDS / "app.py"), default_timeout=30)
        for key, value in query.items():
            app.query_params[key] = value
        if page != "overview":
            app.run()
            app.switch_page(f"views/{page}.py")
            for key, value in query.items():
                app.query_params[key] = value
        return app.run()

    yield opened
    st.cache_data.clear()


@pytest.fixture
def at_home() -> Iterator[None]:
    """Served where only this machine reaches it, as the command line does."""
    from streamlit import config

    before = config.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    yield
    config.set_option("server.address", before)
