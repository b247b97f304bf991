"""Which state of a store the pages show, and when they move on to a newer one.

Everything is cached by the mark of that state, so that a choice made beside a running run is
answered at once and all parts of a page agree. All readers of one server share it: what is computed
for one of them is there for the others. A large store's newer state is shown when its numbers are
ready; those of the older one stand until then.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import reads
import streamlit as st
from computed import is_large, refresh

from judgebench.errors import JudgebenchError

logger = logging.getLogger(__name__)

REFRESH_S = 5.0
"""Tables follow a store that is being written at most this often; counts every two seconds."""

BUSY = 0.1
"""And at most this share of the time is spent on computing them anew."""


class Held:
    """The state of one store that is shown: its mark, since when, and what its pages took."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.mark = reads.mark_of(url)
        self.since = time.monotonic()
        self.took_s = 0.0
        self._state = threading.Lock()
        self._next: threading.Thread | None = None
        if is_large(url):
            self._follow(self.mark, reads.ready_boards)

    @property
    def is_old(self) -> bool:
        return time.monotonic() - self.since >= max(REFRESH_S, self.took_s / BUSY)

    def moved_on(self) -> str:
        """The mark to show, a newer one where this one is old and the store has changed."""
        with self._state:
            if self._next is None and self.is_old:
                newer = reads.mark_of(self.url)
                if newer != self.mark:
                    if is_large(self.url):
                        self._follow(newer, refresh)
                    else:
                        self._show(newer, 0.0)
            return self.mark

    def _follow(self, mark: str, prepare: Callable[[str, str], None]) -> None:
        """Show a state when what it takes is there, or say on its pages why it is not."""

        def follow() -> None:
            began = time.monotonic()
            try:
                prepare(self.url, mark)
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
        yield
        if mark == self.mark:
            self.took_s = max(self.took_s, time.monotonic() - began)


@st.cache_resource(max_entries=16, show_spinner=False)
def held(url: str) -> Held:
    """Of a store, for all who look at it."""
    return Held(url)
