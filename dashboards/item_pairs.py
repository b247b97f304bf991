"""Two models on one item: their answers side by side, and what every judge said of either."""

from __future__ import annotations

from collections.abc import Sequence

import markdown_text
import pandas as pd
import streamlit as st
import text_diff
import widgets
from answers import State
from item_parts import ORDERS, Names, answer_line, joined, question, replies, words
from long_text import beginning, folded, visible

from judgebench.store.read import ItemAnswer, ItemHistory, ItemVerdict
from judgebench.store.store import Store

SAMPLES, SAID = 4, 12
"""Pairs of answers, and verdicts on one side, that are shown of an item at once."""

SIDES = ("first", "second")


def show(shown: State, told: ItemHistory, two: tuple[str, str], names: Names) -> None:
    """Its question, and all there is of the models with these ids."""
    markdown_text.choose()
    st.text(joined([f"Question of item {told.item.id}", told.item.category or ""]))
    question(told.item)
    answers(shown, told, two, names)
    opponents(shown, told, two, names)
    verdicts(shown, told, two, names)


def answers(shown: State, told: ItemHistory, two: tuple[str, str], names: Names) -> None:
    """The newest answers of the two, sample by sample, side by side with differences marked."""
    places: dict[tuple[int, int], dict[str, ItemAnswer]] = {}
    for answer in told.answers:
        if answer.newest and answer.model.id in two:
            places.setdefault((answer.sample, answer.turn), {})[answer.model.id] = answer
    some = sorted(places)[:SAMPLES]
    numbers = tuple(answer.number for place in some for answer in places[place].values())
    texts = shown.read(Store.answer_texts, numbers)
    for place in some:
        pair = [places[place].get(model) for model in two]
        lines = [
            visible(f"{names.models[model]} has no such answer here")
            if one is None
            else answer_line(one, names)
            for model, one in zip(two, pair, strict=True)
        ]
        written = [None if one is None else texts[one.number].text for one in pair]
        with st.container(border=True):
            side_by_side(lines, written, f"{told.item.id} {place}")
    if len(places) > len(some):
        st.text(f"{len(some)} of {len(places):,} samples are shown.")
    if not places:
        st.text("No answer of either is kept here: their verdicts came without.")


def side_by_side(lines: Sequence[str], texts: Sequence[str | None], key: str) -> None:
    """Two columns; words that only one has are marked, if both are there and not too long."""
    first, second = texts
    columns = st.columns(2)
    for column, line in zip(columns, lines, strict=True):
        column.text(line)
    pair = None
    as_written = not any(text and markdown_text.is_wanted(text) for text in texts)
    if first and second and as_written:
        long = [text for text in map(visible, (first, second)) if beginning(text) != text]
        whole = False
        if long and len(first) + len(second) <= text_diff.MOST_CHARS:
            size = " and ".join(
                f"{text.count(chr(10)) + 1:,} lines, {len(text):,} characters" for text in long
            )
            whole = st.toggle(f"Show all: {size}", key=f"whole {key}")
        pair = text_diff.side_by_side(first, second, whole=whole)
    if pair is not None:
        for column, html in zip(columns, pair, strict=True):
            column.html(html)
        if first == second:
            st.text("The two answers are the same, letter by letter.")
        return
    for number, (column, text) in enumerate(zip(columns, texts, strict=True)):
        if text is not None:
            with column:
                folded(text, f"{key} {number}")
    if first and second:
        st.text(
            f"Differences are marked up to {text_diff.MOST_CHARS:,} characters of both together."
            if as_written
            else "Differences are marked in answers as they are written."
        )


def opponents(shown: State, told: ItemHistory, two: tuple[str, str], names: Names) -> None:
    """The answers that those of the two were compared with."""
    met = {one.opponent.id for one in told.verdicts if one.opponent and one.model.id in two}
    theirs = [one for one in told.answers if one.newest and one.model.id in met - set(two)]
    if not theirs:
        return
    texts = shown.read(Store.answer_texts, tuple(one.number for one in theirs[:SAMPLES]))
    with st.expander("What judges compared them with"):
        for one in theirs[:SAMPLES]:
            st.text(answer_line(one, names))
            folded(texts[one.number].text, f"opponent {told.item.id} {one.number}")


def verdicts(shown: State, told: ItemHistory, two: tuple[str, str], names: Names) -> None:
    """Every judge on either, both orders and all repeats, in one table and then in its words."""
    sides = {
        side: sorted(
            (one for one in told.verdicts if one.model.id == model),
            key=lambda one: (*_place(one, names), -one.at),
        )
        for side, model in zip(SIDES, two, strict=True)
    }
    rows: dict[tuple[str, str, int, int, int, str], dict[str, str]] = {}
    for side, its in sides.items():
        for one in its:
            if one.counts:
                rows.setdefault(_place(one, names), {})[side] = words(one)
    if not rows:
        st.text("No judge has said anything of this item.")
        return
    lines = [
        {
            "judge": judge,
            "against": against,
            "order": ORDERS[order],
            "repeat": f"{repeat or ''}",
            **{side: said.get(side, "") for side in SIDES},
        }
        for (judge, against, _, _, repeat, order), said in sorted(rows.items())
    ]
    table = pd.DataFrame(lines)
    idle = [name for name in ("against", "order", "repeat") if not table[name].any()]
    titles = zip(SIDES, (names.models[model] for model in two), strict=True)
    config = {side: st.column_config.TextColumn(visible(title)) for side, title in titles}
    widgets.table(table.drop(columns=idle), column_config=config)
    with st.expander("What the judges wrote", expanded=True):
        for column, (side, its) in zip(st.columns(2), sides.items(), strict=True):
            with column:
                replies(shown, its[:SAID], names, f"{told.item.id} {side}")
                if len(its) > SAID:
                    st.text(f"{SAID} of {len(its):,} verdicts are shown.")


def _place(told: ItemVerdict, names: Names) -> tuple[str, str, int, int, int, str]:
    """Which judge was asked what, in which order and how often before."""
    judge = names.judges.get(told.judge.id, told.judge.name)
    against = told.opponent.name if told.opponent else ""
    return judge, against, told.sample, told.turn, told.repeat, told.order
