"""The dashboard: which page is shown, on which store, and what is being written to it now.

streamlit run dashboards/app.py -- --store sqlite:///results/judgebench.db
"""

from __future__ import annotations

import time

import reads
import streamlit as st

from judgebench.errors import JudgebenchError

# Tables follow a store that is being written at most this often; counts follow every two seconds.
REFRESH_S = 5.0


def hold_mark(url: str) -> None:
    """Keep one state of the store for the whole page, and move on when it has moved.

    Everything is cached by this mark, so that a choice made beside a running run is answered at
    once and all parts of a page agree.
    """
    held = st.session_state.get("mark")
    if held is None or time.monotonic() - st.session_state["held_since"] >= REFRESH_S:
        st.session_state["mark"] = reads.mark_of(url)
        st.session_state["held_since"] = time.monotonic()


@st.fragment(run_every=2)
def status(url: str) -> None:
    """The running runs and how much the store holds; the rest of the page stands still."""
    try:
        state = reads.status(url)
    except reads.NoStoreError:
        st.text("No such store yet.")
    except JudgebenchError:  # the page says what is wrong
        st.text("It cannot be read.")
    else:
        st.text("\n".join(state.lines()))
    old = time.monotonic() - st.session_state["held_since"] >= REFRESH_S
    if old and reads.mark_of(url) != st.session_state["mark"]:
        st.rerun(scope="app")


st.set_page_config(page_title="judgebench", page_icon="⚖️", layout="wide")
store = reads.store_url()
st.session_state["store"] = store
hold_mark(store)

# The folder is not called pages/: Streamlit would run a file of it by itself, without this one,
# for whoever opens a link to it first. Pages carry no icon of their own: Streamlit would fetch it
# from a font server.
page = st.navigation(
    {
        "Results": [
            st.Page("views/leaderboard.py", title="Leaderboard", default=True),
            st.Page("views/items.py", title="Items", url_path="items"),
        ],
        "Judges": [st.Page("views/agreement.py", title="Agreement", url_path="agreement")],
        "Work": [st.Page("views/label.py", title="Label", url_path="label")],
    },
    position="sidebar",
)
with st.sidebar:
    st.caption("Store")
    st.text(reads.shown_url(store))
    status(store)
page.run()
