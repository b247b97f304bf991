"""What other pages take from Compare."""

from __future__ import annotations

from answers import State
from meetings import Meetings, met
from meetings import n_judges as n_judges
from meetings import n_nights as n_nights
from widgets import signed as signed

from judgebench.reports.pair_tests import head
from judgebench.store import Store


def meetings(url: str, mark: str) -> Meetings:
    return State(url, mark).soon(met)


def heads(
    url: str, mark: str, benchmark: str, version: str, items: tuple[str, ...]
) -> dict[str, str]:
    """The beginnings of the questions of some items."""
    asked = State(url, mark).read(Store.items, benchmark, version, items)
    return {item.id: head(item.question) for item in asked if item.turns}
