"""Where a page's numbers come from: from what is kept, or from being computed, here or beside.

Of a small store they are computed on the spot. Those of a large one are computed in a process of
their own and kept on disk; while the store is being written, the old ones stand until the new ones
are there, so that nobody waits for what was shown before.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from computer import Computer, GaveWayError, Question
from disk_cache import Kept, name_of, usual_folder
from open_store import computing, opened

from judgebench.store import Store
from judgebench.store.opening import located

LARGE = 64 * 2**20
"""Bytes of a store from which on computing is worth a process, and its results a place on disk."""

RECENT_S = 900.0
"""What somebody looked at so lately is computed anew beside the pages when the store has moved."""

_AGAIN_S = 0.2


@dataclass(slots=True)
class Desk:
    """What all readers of a server share: the process, the folder, and what was asked lately."""

    computer: Computer = field(default_factory=Computer)
    kept: Kept = field(default_factory=lambda: Kept(usual_folder()))
    asked: dict[tuple[str, Question], float] = field(default_factory=dict)

    def note(self, url: str, question: Question) -> None:
        self.asked[url, question] = time.monotonic()

    def lately(self, url: str) -> Iterator[Question]:
        """What was asked of a store a short while ago, the last first."""
        since = time.monotonic() - RECENT_S
        for (of, question), at in sorted(self.asked.copy().items(), key=lambda one: -one[1]):
            if at < since:
                self.asked.pop((of, question), None)
            elif of == url:
                yield question


@st.cache_resource(show_spinner=False)
def desk() -> Desk:
    return Desk()


def is_large(url: str) -> bool:
    where = located(url)
    return (_size_on_server(url) if where.path is None else where.size()) >= LARGE


@st.cache_data(ttl=RECENT_S, max_entries=16, show_spinner=False)
def _size_on_server(url: str) -> int:
    return located(url).size()


def answer(url: str, mark: str, *question: str) -> Any:
    """What a function of this folder says of a store: ``module.function``, then its arguments.

    Raises
    ------
    JudgebenchError
        As the function does.
    """
    if not is_large(url):
        with computing(url) as store:
            return _said(store, question)
    desk().note(url, question)
    return _kept(url, mark, question, nobody_waits=False)


def soon(url: str, mark: str, *question: str) -> Any:
    """As `answer`, of what takes a second at most: in this process, so that it waits for nobody.

    Of a large store it is kept as well, and made ready beside when the store has moved.
    """
    if not is_large(url):
        with opened(url) as store:
            return _said(store, question)
    desk().note(url, question)
    shelf, name = desk().kept, name_of(located(url).identity, mark, question)
    if (found := shelf.get(name)) is None:
        with opened(url) as store:
            found = _said(store, question)
        shelf.put(name, found)
    return found


def refresh(url: str, mark: str) -> None:
    """Have what was asked lately ready for another state of the store; nobody waits for it."""
    for question in desk().lately(url):
        ready(url, mark, *question)


def ready(url: str, mark: str, *question: str) -> None:
    """Have one answer ready that nobody waits for; whoever waits for another goes first."""
    while True:
        try:
            _kept(url, mark, question, nobody_waits=True)
        except GaveWayError:
            time.sleep(_AGAIN_S)
        else:
            return


def _kept(url: str, mark: str, question: Question, *, nobody_waits: bool) -> Any:
    shelf, computer = desk().kept, desk().computer
    name = name_of(located(url).identity, mark, question)
    if (found := shelf.get(name)) is not None:
        return found
    with computer.turn(question, nobody_waits=nobody_waits):
        found = shelf.get(name)  # whoever had the turn before may have asked the same
        if found is None:
            found = computer.ask(url, question)
            shelf.put(name, found)
    return found


def _said(store: Store, question: Question) -> Any:
    module, _, name = question[0].rpartition(".")
    return getattr(importlib.import_module(module), name)(store, *question[1:])
