"""Where a page's numbers come from: from a state of the store, read or computed, here or beside.

The store is opened read-only for the moment of a read, so that a run beside it is never held up.
Of a small store numbers are computed on the spot. Those of a large one are computed in a process of
their own and kept on disk; while the store is being written, the old ones stand until the new ones
are there, so that nobody waits for what was shown before. Everything is cached by the mark of the
state that is shown, for all readers of one server.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st
from open_store import computing, mark_of, opened
from worker import Question, Workers, read, written

from judgebench.errors import JudgebenchError
from judgebench.explore import boards, met
from judgebench.reports.disk_cache import DiskCache, name_of, usual_folder
from judgebench.store.opening import located
from judgebench.store.store import Store

T = TypeVar("T")
logger = logging.getLogger(__name__)

_CODE = Path(__file__).parent

LARGE = 64 * 2**20
"""Bytes of a store from which on computing is worth a process, and its results a place on disk."""

RECENT_S = 900.0
"""What somebody looked at so lately is computed anew beside the pages when the store has moved."""

REFRESH_S, BUSY = 5.0, 0.1
"""Tables follow a store that is being written at most this often, and at most this share of the
time is spent on computing them anew; counts follow every two seconds."""

KEPT = 128

COMES_S = 7.0
"""So long after a server has begun nothing is computed that nobody waits for: whoever started it is
opening a page."""


@dataclass(frozen=True, slots=True)
class State:
    """A state of a store, and what its pages ask of it.

    All of these call a function with the store, opened for reading, and with what follows (see
    `worker.Question`); they remember what it says, which nobody may change, and raise what it
    raises.
    """

    url: str
    mark: str

    def read(self, function: Callable[..., T], *args: Any, **asked: Any) -> T:
        """What is read quickly, here."""
        question = Question(function, args, asked)
        return _read(self.url, self.mark, question.name, question)

    def compute(self, function: Callable[..., T], *args: Any, **asked: Any) -> T:
        """What takes long; of a large store it is computed beside the server and kept on disk."""
        question = Question(function, args, asked)
        return _computed(self.url, self.mark, question.name, question)

    def soon(self, function: Callable[..., T], *args: Any, **asked: Any) -> T:
        """What takes a second at most: here, so that it waits for nobody, and kept on disk."""
        question = Question(function, args, asked)
        return _found_soon(self.url, self.mark, question.name, question)

    def known(self, function: Callable[..., Any], *args: Any, **asked: Any) -> bool:
        """Whether `compute` answers at once, of a large store; of a small one it nearly does."""
        return not is_large(self.url) or desk().keeps(self, Question(function, args, asked))

    def ready(self, function: Callable[..., Any], *args: Any, **asked: Any) -> None:
        """Have an answer on disk that nobody waits for; whoever waits for another goes first."""
        desk().answer(self, Question(function, args, asked), urgent=False)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _read(url: str, mark: str, name: str, _question: Question) -> Any:
    with opened(url) as store:
        return _question.of(store)


@st.cache_resource(max_entries=KEPT, show_spinner="Computing intervals …")
def _computed(url: str, mark: str, name: str, _question: Question) -> Any:
    if not is_large(url):
        with computing(url) as store:
            return _question.of(store)
    desk().note(url, _question)
    return desk().answer(State(url, mark), _question)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _found_soon(url: str, mark: str, name: str, _question: Question) -> Any:
    if is_large(url):
        desk().note(url, _question)
        return desk().answer(State(url, mark), _question, here=True)
    with opened(url) as store:
        return _question.of(store)


def is_large(url: str) -> bool:
    where = located(url)
    return (_size_on_server(url) if where.path is None else where.size()) >= LARGE


@st.cache_data(ttl=RECENT_S, max_entries=16, show_spinner=False)
def _size_on_server(url: str) -> int:
    return located(url).size()


@dataclass(slots=True)
class Desk:
    """What all readers of a server share: processes, a folder, and what was asked lately."""

    workers: Workers = field(default_factory=Workers)
    disk: DiskCache = field(default_factory=lambda: DiskCache(usual_folder()))
    asked: dict[tuple[str, str], tuple[float, Question]] = field(default_factory=dict)

    def note(self, url: str, question: Question) -> None:
        self.asked[url, question.name] = time.monotonic(), question

    def lately(self, url: str) -> Iterator[Question]:
        """What was asked of a store a short while ago, the last first."""
        since = time.monotonic() - RECENT_S
        self.asked = {key: one for key, one in self.asked.copy().items() if one[0] >= since}
        for (of, _), (_, question) in sorted(self.asked.items(), key=lambda one: -one[1][0]):
            if of == url:
                yield question

    def answer(
        self, state: State, question: Question, *, urgent: bool = True, here: bool = False
    ) -> Any:
        """From disk, or computed and kept there."""
        name = self._name(state, question)
        if (found := self._on_disk(name, question)) is not None:
            return found
        if here:
            with opened(state.url) as store:
                return self._kept(name, question, written(question.of(store), question.function))
        while True:
            with self.workers.turn(question, urgent=urgent) as worker:
                # Whoever had the turn before may have asked the same.
                if (found := self._on_disk(name, question)) is not None:
                    return found
                if (text := worker.ask(state.url, question)) is not None:
                    return self._kept(name, question, text)

    def _kept(self, name: str, question: Question, text: str) -> Any:
        self.disk.put(name, text)
        return read(text, question.function)

    def keeps(self, state: State, question: Question) -> bool:
        return self.disk.get(self._name(state, question)) is not None

    def _name(self, state: State, question: Question) -> str:
        return name_of(located(state.url).identity, state.mark, question.name, _CODE)

    def _on_disk(self, name: str, question: Question) -> Any | None:
        text = self.disk.get(name)
        try:
            return None if text is None else read(text, question.function)
        except (ValueError, ImportError):  # cut off, or of other code
            return None


@st.cache_resource(show_spinner=False)
def desk() -> Desk:
    return Desk()


# which state is shown ---------------------------------------------------------------------------


class Snapshot:
    """The state of one store that is shown: its mark, since when, and what its pages took.

    A choice made beside a running run is answered at once, and all parts of a page agree. A large
    store's newer state is shown when its numbers are ready; until then those of the older stand.

    Parameters
    ----------
    prepare
        Has ready what will be asked of a large store.
    """

    def __init__(self, url: str, prepare: Callable[[State], None] = lambda state: None) -> None:
        self.url, self.mark = url, mark_of(url)
        self.since, self.took_s = time.monotonic(), 0.0
        self._state = threading.Lock()
        self._next: threading.Thread | None = None
        if is_large(url):
            self._follow(self.mark, prepare)

    def moved_on(self) -> State:
        """The state to show, a newer one where this one is old and the store has changed."""
        with self._state:
            if self._next is None and self._is_old():
                newer = mark_of(self.url)
                if newer != self.mark:
                    if is_large(self.url):
                        self._follow(newer, refresh)
                    else:
                        self._show(newer, 0.0)
            return State(self.url, self.mark)

    def _is_old(self) -> bool:
        return time.monotonic() - self.since >= max(REFRESH_S, self.took_s / BUSY)

    def _follow(self, mark: str, prepare: Callable[[State], None]) -> None:
        """Show a state when what it takes is there, or say on its pages why it is not."""

        def follow() -> None:
            began = time.monotonic()
            try:
                prepare(State(self.url, mark))
            except JudgebenchError as error:
                logger.warning("the newer state of the store could not be prepared: %s", error)
            finally:
                with self._state:
                    self._show(mark, time.monotonic() - began)
                    self._next = None

        self._next = threading.Thread(target=follow, name="numbers made ready", daemon=True)
        self._next.start()

    def _show(self, mark: str, took_s: float) -> None:
        self.mark, self.since, self.took_s = mark, time.monotonic(), took_s

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Around a page: the longest of those that show this state counts."""
        began, mark = time.monotonic(), self.mark
        desk().workers.heard()
        yield
        desk().workers.heard()
        if mark == self.mark:
            self.took_s = max(self.took_s, time.monotonic() - began)


def begin(url: str) -> None:
    """What can be done before anybody comes; see `ready_boards`."""
    with suppress(JudgebenchError):  # a page says what is wrong
        snapshot(url)


def refresh(state: State) -> None:
    """Have what was asked lately ready for another state of the store; nobody waits for it."""
    for question in desk().lately(state.url):
        desk().answer(state, question, urgent=False)


def ready_boards(state: State) -> None:
    """Have the board ready that pages open on, and in a while those of all other benchmarks, those
    that came last into the store first.

    Where an earlier server has shown this state, the page that is opened now has its numbers on
    disk, most likely: what computes would only take a core from it.
    """
    if state.known(met):
        desk().workers.heard(COMES_S)
    else:
        desk().workers.front.begin()
    opens_on = state.soon(met).telling()[:1]
    for at in dict.fromkeys([*opens_on, *reversed(state.read(Store.benchmarks))]):
        state.ready(boards, *at)
        if at in opens_on:
            desk().workers.heard(COMES_S)


@st.cache_resource(max_entries=16, show_spinner=False)
def snapshot(url: str) -> Snapshot:
    """Of a store, for all who look at it."""
    return Snapshot(url, ready_boards)
