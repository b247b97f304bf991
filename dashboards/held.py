"""Which state of a store the pages show, and when they move on to a newer one.

Everything is cached by the mark of that state, so that a choice made beside a running run is
answered at once and all parts of a page agree. All readers of one server share it: what is computed
for one of them is there for the others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import reads
import streamlit as st

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

    @property
    def is_old(self) -> bool:
        return time.monotonic() - self.since >= max(REFRESH_S, self.took_s / BUSY)

    def moved_on(self) -> str:
        """The mark to show, a newer one where this one is old and the store has changed."""
        if self.is_old and (newer := reads.mark_of(self.url)) != self.mark:
            self.mark, self.since, self.took_s = newer, time.monotonic(), 0.0
        return self.mark

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
