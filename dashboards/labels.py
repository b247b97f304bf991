"""A rater at work: the cell before their eyes, what a key does to it, and where that is written.

Who is labelling: whoever signed in, whom a trusted proxy names, or who types a name here.

A label counts as a person's word, so nobody may give one under a name that is not theirs. On this
machine alone a typed name is enough. Where other machines reach the dashboard, somebody has to
vouch for it, and without that labels are off.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import access
import page
import streamlit as st
from open_store import opened

from judgebench import explore
from judgebench.errors import ConfigError, InputError, JudgebenchError, at_most
from judgebench.labels import (
    LONGEST_NAME,
    TAKEN_BACK,
    Cell,
    Kind,
    Labelable,
    LabelItem,
    LabelProgress,
    LabelScale,
    LabelTask,
    drawn_for,
    label_progress,
    labelable,
    place_of,
    presented,
    put_label,
    queue,
    rater_name,
)
from judgebench.records import Verdict, VerdictSlot
from judgebench.store.opening import open_store
from judgebench.store.store import Store

HEADER_OPTION = "--rater-header"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rater:
    """A judge ``human/<rater>`` and who says so; ``name`` is empty where ``why_not`` says why."""

    name: str = ""
    vouched: str = ""
    why_not: str = ""


def who() -> Rater:
    """Asks for a name, or to sign in, where that is how raters are known."""
    if (header := header_trusted()) is not None:
        return _named_by(header, _headers().get(header))
    user = _user()
    if "is_logged_in" in user:
        return _signed_in(user)
    if not access.bound_to_loopback():
        return Rater(
            why_not="Labels are off: other machines may reach this dashboard, and nobody is "
            "signed in. How raters sign in stands in docs/labelling.md."
        )
    return _typed()


def header_trusted() -> str | None:
    """The header that the command line says to believe; None, as a rule, where it says nothing."""
    given = sys.argv[1:]
    for place, argument in enumerate(given):
        if argument.startswith(f"{HEADER_OPTION}="):
            return argument.partition("=")[2]
        if argument == HEADER_OPTION and place + 1 < len(given):
            return given[place + 1]
    return None


def _headers() -> Mapping[str, str]:
    return st.context.headers


def _user() -> Mapping[str, Any]:
    """What the identity provider says; without ``is_logged_in`` where none is configured."""
    return st.user.to_dict()


def _named_by(header: str, name: str | None) -> Rater:
    if not name:
        return Rater(
            why_not=f"Labels are off: this request came without the header {header}, in which the "
            "proxy in front of the dashboard is to say who is signed in."
        )
    return _checked(name, f"as {header} says")


def _signed_in(user: Mapping[str, Any]) -> Rater:
    if not user["is_logged_in"]:
        st.button("Sign in", on_click=st.login, type="primary")
        return Rater(why_not="Labels are given by whoever is signed in.")
    address = user.get("email") if user.get("email_verified", True) else None
    return _checked(str(address or user.get("sub") or ""), "signed in")


def _typed() -> Rater:
    """Once given, the name stands in the URL, and the field is gone: it would swallow the keys."""
    if named := name_given():
        st.query_params["rater"] = named
        st.button("Another name", on_click=_forget, width="stretch")
        return _checked(named, "")
    st.text_input(
        "Your name", key="typed_name", max_chars=LONGEST_NAME, on_change=_remember, width=400,
        placeholder="as it will stand beside your labels",
    )  # fmt: skip
    return Rater(why_not="Say who you are, and press Enter.")


def name_given() -> str:
    """What was typed, in this session or into the URL; empty before that."""
    typed: str = st.query_params.get("rater") or st.session_state.get("rater", "")
    return typed


def _remember() -> None:
    st.session_state["rater"] = st.session_state["typed_name"].strip()


def _forget() -> None:
    st.session_state["rater"] = ""
    st.query_params.pop("rater", None)


def _checked(name: str, vouched: str) -> Rater:
    try:
        return Rater(name=rater_name(name), vouched=vouched)
    except InputError as error:
        return Rater(why_not=str(error))


WAIT_S = 30.0
"""How long a label waits while others write: the page cannot say that it waits."""

LABEL_STORE = "JUDGEBENCH_LABEL_STORE"


# A key that is held down repeats, and what appears under it has not been read by anybody.
UNREAD_S = 0.4


def there(url: str, benchmark: str, version: str) -> Labelable:
    return _there(url, *_state(url), benchmark, version)


@st.cache_data(max_entries=64, show_spinner=False)
def declared(url: str, benchmark: str, version: str) -> tuple[str, ...]:
    """The labels that a benchmark declares."""
    with opened(url) as store:
        return explore.benchmark_ref(store, f"{benchmark}@{version}").labels


def _state(url: str) -> tuple[int, int]:
    """Differs whenever there are new answers, or a judge is there; labels leave it as it is."""
    with opened(url) as store:
        return store.newest_answer(), len(store.judges())


@st.cache_resource(max_entries=16, show_spinner=False)
def _there(url: str, answers: int, judges: int, benchmark: str, version: str) -> Labelable:
    with opened(url) as store:
        return labelable(store, benchmark, version)


@st.cache_resource(max_entries=16, show_spinner=False)
def _queued(
    url: str,
    answers: int,
    judges: int,
    name: str,
    _asked: LabelTask,
    _drawn: frozenset[Cell] | None,
) -> tuple[Sequence[Cell], frozenset[Cell]]:
    found = queue(_asked, there(url, _asked.benchmark, _asked.version).answered, _drawn)
    return found, frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a rater is asked about a store; what has been labelled is read afresh each time."""

    url: str
    asked: LabelTask
    kind: Kind
    drawn: frozenset[Cell] | None = None

    def progress(self) -> LabelProgress:
        name = repr((self.asked, self.drawn and sorted(self.drawn)))
        cells = _queued(self.url, *_state(self.url), name, self.asked, self.drawn)
        with opened(self.url) as store:
            return label_progress(store, self.asked, self.kind, *cells)

    def cell(self, now: LabelProgress) -> Cell | None:
        """The one before the rater's eyes, until it is labelled or skipped; then the next."""
        state = st.session_state
        if state.get("labelling") != self.asked:
            state["labelling"], state["cell"], state["skipped"] = self.asked, None, []
        cell: Cell | None = state["cell"]
        if cell is None or cell in now.done:
            cell = now.next(state["skipped"])
            state["given"] = []
        if cell != state["cell"] or "since" not in state:
            state["cell"], state["since"] = cell, math.inf  # until all of it is shown
        return cell

    def shown(self, cell: Cell) -> LabelItem:
        with opened(self.url) as store:
            return presented(store, self.asked, cell, self.kind)

    # what a key does

    def give(self, place: VerdictSlot, verdict: Verdict) -> None:
        if not too_soon():
            self._stored(place, verdict)

    def give_point(self, place: VerdictSlot, scale: LabelScale, at: int, point: int) -> None:
        given: list[int] = st.session_state["given"]
        if too_soon() or len(given) != at:  # a press that came twice
            return
        given.append(point)
        if len(given) == len(scale.asked):
            self._stored(place, scale.verdict(given))

    def undo(self, last: Cell | None) -> None:
        """The last number of a score that is not whole yet; else the last label, shown again."""
        if too_soon():
            return
        if st.session_state["given"]:
            st.session_state["given"].pop()
        elif last is not None and self._stored(place_of(self.asked, last), TAKEN_BACK):
            st.session_state["cell"] = last

    def skip(self) -> None:
        if not too_soon():
            st.session_state["skipped"].append(st.session_state["cell"])
            st.session_state["cell"] = None

    def _stored(self, place: VerdictSlot, verdict: Verdict) -> bool:
        """Whether the store has it now; if not, the page says why, and the cell stays."""
        st.session_state["given"] = []
        try:
            write(self.url, self.asked.rater, place, verdict)
        except JudgebenchError as error:
            st.session_state["went_wrong"] = str(error)
            return False
        st.session_state["cell"] = None
        return True


def desk(url: str, asked: LabelTask, kind: Kind) -> Desk:
    """Of all answers, or of those that `judgebench labels export` drew last, as the rater says."""
    with opened(url) as store:
        drawn = drawn_for(store, asked)
    shows = {"drawn": f"the {len(drawn or ()):,} that labels export drew", "all": "all answers"}
    if drawn is not None:
        which = page.choose("Which answers", [*shows], "answers", shows=shows)
        drawn = drawn if which == "drawn" else None
    return Desk(url=url, asked=asked, kind=kind, drawn=drawn)


def all_is_shown() -> None:
    """From now on it can be read."""
    if math.isinf(st.session_state["since"]):
        st.session_state["since"] = time.monotonic()


def too_soon() -> bool:
    """Whether nobody can have read what is shown; then the time begins anew."""
    since = st.session_state["since"]
    if time.monotonic() - since >= UNREAD_S or st.session_state["given"]:
        return False
    st.session_state["since"] = math.inf
    st.session_state["hurried"] = True
    return True


def write(url: str, rater: str, place: VerdictSlot, verdict: Verdict) -> None:
    """The one thing that the page writes; in the store, durably, when this returns."""
    address = label_url() or url
    with at_most(WAIT_S), open_store(address, create=False) as store:
        if address != url:
            _refuse_another(url, store)
        put_label(store, rater, place, verdict)


def label_url() -> str | None:
    """The address under which labels are written, where that of the pages may only read."""
    return os.environ.get(LABEL_STORE) or None


def _refuse_another(url: str, labelled: Store) -> None:
    """The two addresses are of one store with two users; labels in another one would be lost."""
    with opened(url) as store:
        if store.store_id != labelled.store_id:
            raise ConfigError(
                f"labels are written to {labelled.name} ({LABEL_STORE}), which is another store"
                f" than the one that is shown, {store.name}; give the address of the same one"
            )
