"""Walking through ranked items: pages of the ranking and one item of it, both in the URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from answers import State
from long_text import visible

from judgebench.reports.pair_tests import head
from judgebench.store.read import ItemHistory
from judgebench.store.store import Store

PAGE = 25
"""Items on one page."""


def number(key: str) -> int:
    """A page from the URL; the first one, 1, where there is none."""
    text = st.query_params.get(key, "")
    return int(text) if text.isdecimal() and len(text) < 9 else 1


def start_of(page: int, ranked: Sequence[str]) -> int:
    """Where a page of the ranking begins."""
    return PAGE * min(max(0, page - 1), (len(ranked) - 1) // PAGE)


def go_to(key: str, value: str) -> None:
    """An ``item``, which says its page of the ranking as well, or a ``part`` of the ranking."""
    for other in ("item", "part"):
        st.query_params.pop(other, None)
    st.query_params[key] = value


def turn(label: str, key: str, value: str | None, shortcut: str | None = None) -> None:
    """A button that leads to a place in the ranking, dead where there is none.

    It is a callback, since a run that is cut short by the next one never comes to the button.
    """
    st.button(label, shortcut=shortcut, disabled=value is None, on_click=go_to, args=(key, value))


def walk(
    shown: State,
    place: tuple[str, str],
    ranked: Sequence[str],
    columns: Callable[[slice], Mapping[str, Sequence[Any]]],
    *,
    otherwise: str,
    key: str,
    config: Mapping[str, Any],
) -> ItemHistory | None:
    """One of some ranked items, in a page of a table of them; None where there is none.

    It is the one that the URL says, though it be not ranked, else the first of the page.

    Parameters
    ----------
    place
        Benchmark and version.
    columns
        What stands in the table beside id and question, of a stretch of the ranking.
    otherwise
        What is said of an item that is not ranked.
    key, config
        Of the table, and how its columns are headed.
    """
    item = st.query_params.get("item")
    told = shown.read(Store.item_history, *place, item) if item else None
    if told is None:
        item = ranked[start_of(number("part"), ranked)] if ranked else None
        told = shown.read(Store.item_history, *place, item) if item else None
    if item is not None:
        steps(ranked, item, place, otherwise)
        if ranked:
            _listed(shown, place, ranked, item, columns, key, config)
    return told


def _listed(
    shown: State,
    place: tuple[str, str],
    ranked: Sequence[str],
    item: str,
    columns: Callable[[slice], Mapping[str, Sequence[Any]]],
    key: str,
    config: Mapping[str, Any],
) -> None:
    """A page of the ranking; who chooses a row sees that item below."""
    at = ranked.index(item) if item in ranked else None
    start = start_of(number("part") if at is None else at // PAGE + 1, ranked)
    some = ranked[start : start + PAGE]
    asked = shown.read(Store.items, *place, tuple(some))
    heads = {one.id: head(one.question) for one in asked if one.turns}
    here = [] if at is None else [at - start]
    picked = st.dataframe(
        pd.DataFrame(
            {
                "item": some,
                **columns(slice(start, start + PAGE)),
                "question": [heads.get(one, "") for one in some],
            }
        ),
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": here}},
        # A key of its own for what is chosen: the next choice starts from there.
        key=f"{key} {start} {item}",
        column_config={"question": st.column_config.TextColumn(width="large"), **config},
    )
    chosen = picked["selection"]["rows"]
    if chosen and chosen != here:
        go_to("item", some[chosen[0]])
        st.rerun()
    pages(start, len(some), len(ranked))


def steps(ranked: Sequence[str], item: str, place: tuple[str, str], otherwise: str) -> None:
    """Buttons, and keys, to the item before and to the one behind; and all there is about it.

    ``place``: benchmark and version. ``otherwise``: what is said of an item that is not ranked.
    """
    at = ranked.index(item) if item in ranked else -1
    with st.container(horizontal=True, vertical_alignment="center"):
        turn("Previous item", "item", ranked[at - 1] if at > 0 else None, "P")
        turn("Next item", "item", ranked[at + 1] if at + 1 < len(ranked) else None, "N")
        where = f"{at + 1:,} of {len(ranked):,}" if at >= 0 else otherwise
        st.text(visible(f"item {item}: {where}"))
        asked = {"benchmark": place[0], "version": place[1], "item": item}
        st.page_link("views/items.py", label="Everything about this item", query_params=asked)


def pages(start: int, n_shown: int, n: int) -> None:
    """Buttons to the pages before and behind, where there are several."""
    last = (n - 1) // PAGE
    if last > 0:
        with st.container(horizontal=True, vertical_alignment="center"):
            page = start // PAGE + 1
            turn("Previous page", "part", f"{page - 1}" if page > 1 else None)
            turn("Next page", "part", f"{page + 1}" if page <= last else None)
            st.text(f"{start + 1:,}–{start + n_shown:,} of {n:,}")
