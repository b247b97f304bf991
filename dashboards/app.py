"""The dashboard: which page is shown, on which store, and what is being written to it now.

python dashboards/serve.py -- --store sqlite:///results/judgebench.db
"""

from __future__ import annotations

import re
from ast import literal_eval
from pathlib import Path
from typing import Any

import access
import run_parts
import streamlit as st
from answers import snapshot
from long_text import LOOK
from open_store import NoStoreError, shown_url, store_url
from widgets import NARROW

from judgebench.errors import ConfigError, JudgebenchError
from judgebench.store.opening import located


@st.fragment(run_every=2)
def status(url: str) -> None:
    """The running runs and how much the store holds; the rest of the page stands still."""
    try:
        lines = list(run_parts.status_lines(url))
    except NoStoreError:
        st.text("No such store yet.")
    except JudgebenchError:  # the page says what is wrong
        st.text("It cannot be read.")
    else:
        st.text("\n".join(lines))
    if snapshot(url).moved_on().mark != st.session_state["mark"]:
        st.rerun(scope="app")


@st.fragment(run_every=1)
def waiting(url: str) -> None:
    """What is waited for, until it is over: SQLite alone would be waited for with a blank page."""
    if not located(url).is_locked():
        st.rerun(scope="app")
    st.info("Another program has locked this store for itself alone.", icon="⏳")
    st.text("The page comes when the lock is gone; nothing needs to be done here.")


PLACE = re.compile(r"^PLACE = (\(.+\))$", re.MULTILINE)
"""In a page: the section that it stands in, and after whom."""


def pages() -> dict[str, list[Any]]:
    """Every file of ``views/`` by its section, in the order of what they say; first is the start.

    The folder is not called pages/: Streamlit would run a file of it by itself, without this one,
    for whoever opens a link to it first. Pages carry no icon of their own: Streamlit would fetch it
    from a font server.
    """
    files = Path(__file__).parent.glob("views/*.py")
    said = ((PLACE.search(file.read_text("utf-8")), file) for file in files)
    placed = sorted((*literal_eval(place[1]), file) for place, file in said if place)
    found: dict[str, list[Any]] = {}
    for section, _, file in sorted(placed, key=lambda one: one[1]):
        shown = st.Page(file, title=file.stem.capitalize(), default=not found)
        found.setdefault(section, []).append(shown)
    return found


st.set_page_config(page_title="judgebench", page_icon="⚖️", layout="wide")
if access.unguarded():
    st.error("This was started without what keeps other web pages out. Start it with:", icon="⛔")
    st.code("judgebench dashboard", language=None)
    st.stop()
store = store_url()
st.session_state["store"] = store
try:
    st.session_state["mark"] = snapshot(store).moved_on().mark
except ConfigError as error:
    st.error("This cannot be shown.", icon="⛔")
    st.text(str(error))
    st.stop()

# Streamlit leaves a hand's breadth above a page, which a table could use.
st.html(f"<style>[data-testid=stMainBlockContainer] {{ padding-top: 3rem; }}{LOOK}{NARROW}</style>")

page = st.navigation(pages(), position="sidebar")
if located(store).is_locked():
    waiting(store)
    st.stop()
with st.sidebar:
    st.caption("Store")
    st.text(shown_url(store))
    status(store)
    if not access.bound_to_loopback():
        st.caption("Other machines may reach this page. Whoever does reads the whole store.")
with snapshot(store).timed():
    page.run()
