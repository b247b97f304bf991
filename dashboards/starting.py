"""What a page starts and shows of it: the published boards, a run, and how those go on."""

from __future__ import annotations

import time
from collections.abc import Sequence

import access
import children
import page
import run_parts
import streamlit as st
from children import Child
from long_text import visible
from open_store import opened

from judgebench.errors import InputError
from judgebench.registry import figures_folder
from judgebench.reports.runs import duration
from judgebench.store.opening import located

LOAD = "judgebench import published"
PUBLISHED = ("import", "published")

CODE = "code"
"""The field in which the code is typed."""

SHOWN_S = 120.0
"""How long a command that went well is shown after its end; one that failed stays."""

SAYS = {
    0: "done",
    64: "not understood",
    65: "a file cannot be used",
    69: "a provider or server could not be reached",
    70: "a fault in judgebench",
    73: "the store cannot be used",
    75: "done, with something left for the next run",
    78: "the suite is wrong",
    130: "stopped; nothing is lost",
}


def first_steps(url: str, what: str) -> None:
    """An empty store: what to type, and the published boards at one press."""
    st.info(f"{what} A run fills it:", icon="📭")
    st.code(page.FIRST_STEPS, language=None)
    st.text(f"Looked for {located(url).name}")
    st.text(
        "Or begin with what was published: AlpacaEval's board of 29 models, and eleven judges "
        "beside people on trivia.\nVerdicts as numbers, without any text."
    )
    why = why_not_load(url)
    if why:
        st.text(why)
        st.code(LOAD, language=None)
    else:
        st.button("Load the published boards", type="primary", on_click=load, args=(url,))
    of_late(url)


def why_not_load(url: str) -> str:
    """Why the button is not there; empty where it is."""
    if off := access.why_nothing_starts():
        return f"Loading them from here is off: {off}. On the machine of the store:"
    try:
        for name in ("alpaca_eval", "trivia_judging"):
            figures_folder(name)
    except InputError as error:
        return f"{visible(str(error))}, as in:"
    if not_here := children.writable(url):
        return f"They cannot be stored here: {visible(not_here)}. Where it can be:"
    return ""


def load(url: str) -> None:
    """The press of the button."""
    begin(url, *PUBLISHED)


def begin(url: str, *words: str) -> None:
    """Start a command, unless that is off: a press may come from a page drawn before it was."""
    if off := access.why_nothing_starts():
        st.session_state["not_started"] = f"Nothing was started: {off}."
        return
    try:
        children.start(url, *words)
    except children.NotStartedError as error:
        st.session_state["not_started"] = str(error)


def begin_run(url: str, words: Sequence[str]) -> None:
    """Start a run for whoever has typed the code, now or before in this session of the browser.

    A frame, or a script that opens a connection of its own, has another session.
    """
    if access.is_code(st.session_state.get(CODE, "")):
        st.session_state["confirmed"] = True
    if st.session_state.get("confirmed"):
        begin(url, "run", *words)
    else:
        st.session_state["not_started"] = (
            "Nothing was started: that is not the code which the dashboard said where it was "
            "started, after “type this code there”."
        )


# how it goes on ---------------------------------------------------------------------------------


@st.fragment(run_every=2)
def of_late(url: str) -> None:
    """The command that was started last, while it goes on, and for a while after."""
    if why := st.session_state.pop("not_started", ""):
        st.text(f"✗ {visible(why)}")
    last = next(iter(children.children(url)), None)
    if last is not None and _still_of_interest(last):
        tell(url, last)


def _still_of_interest(child: Child) -> bool:
    if child.lives or child.code not in (0, None):
        return True
    try:
        ended = child.path.with_suffix(".log").stat().st_mtime
    except OSError:
        return False
    return time.time() - ended < SHOWN_S


def tell(url: str, child: Child) -> None:
    """A command, how it stands, the end of what it said, and a way to stop it."""
    with st.container(border=True):
        words, button = st.columns([8, 2], vertical_alignment="center")
        words.text(f"judgebench {visible(' '.join(child.words))}\n{standing(child)}")
        if child.lives:
            label = "Stop now" if child.asked_to_stop else "Stop"
            button.button(label, key=f"stop {child.file}", on_click=children.stop, args=(child,))
        st.code(child.tail() or "…", language=None, wrap_lines=True)
        st.caption("Its log, the last lines; keys are taken out.")


def standing(child: Child) -> str:
    if child.lives:
        stopping = ", stopping: what is under way is kept" if child.asked_to_stop else ""
        return f"● under way since {duration(max(0.0, time.time() - child.at))}{stopping}"
    code = child.code
    if code is None:
        return "✗ ended without saying how: it was killed. What was committed is kept."
    mark = "✓" if code == 0 else "◌" if code in (75, 130) else "✗"
    return f"{mark} {SAYS.get(code, 'ended')} (exit code {code})"


# runs under way ---------------------------------------------------------------------------------


@st.fragment(run_every=2)
def live(url: str) -> None:
    """Every run that is writing to the store, from wherever it was started."""
    page.or_say_what_is_wrong(lambda: _live(url))


def _live(url: str) -> None:
    with opened(url) as store:  # not cached: it is asked every other second, and there are few
        runs = store.runs_under_way()
    for run in runs:
        going = run_parts.going(run)
        with st.container(border=True):
            st.text(f"● {going.title}\n{going.stage}")
            if going.share is not None:
                st.progress(going.share)
            if going.line:
                st.text(going.line)
