"""The parts of one item on a page: its question, who said what of it, answers, verdicts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import item_reads
import pandas as pd
import streamlit as st
import widgets
from long_text import COLUMN_PX, folded

from judgebench.records import Item
from judgebench.store.read import ItemHistory, ToldAnswer, ToldVerdict

_T = TypeVar("_T")

ANSWERS, SAID = 5, 10
"""Answers and verdicts on one page of an item."""

PAGES = ("answers", "verdicts")
"""In the URL: which page of each is shown, 0 the first."""

MOST_MODELS = 100
"""Rows of the table of who said what; the lists below it have all."""


def question(item: Item, show: Callable[[str, str], None] = folded) -> None:
    """``show`` is given each text, and what tells it from the others."""
    st.subheader("Question")
    if not item.turns:
        st.text("Only the id of this item is known; its question never came with an import.")
    for number, turn in enumerate(item.turns):
        if len(item.turns) > 1 or turn.role != "user":
            st.text(turn.role)
        show(turn.content, f"turn {number}")
    if item.options:
        st.text("Options")
        lettered = (f"{chr(65 + n)}. {option}" for n, option in enumerate(item.options))
        show("\n".join(lettered), "options")
    if item.references:
        st.text("Reference" if len(item.references) == 1 else "References")
        show("\n".join(item.references), "references")
    if item.prompt is not None:
        with st.expander("What models were asked, word for word"):
            show(item.prompt, "prompt")


def who_said_what(
    history: ItemHistory, names: item_reads.Names, *, judges: Collection[str] | None = None
) -> None:
    """The verdicts that count: a row for each model, a column for each judge, or for some by id."""
    rows: dict[str, dict[str, str]] = {}
    for told in reversed(history.verdicts):
        if told.counts and (judges is None or told.judge.id in judges):
            row = rows.setdefault(names.models.get(told.model.id, told.model.name), {})
            judge = names.judges.get(told.judge.id, told.judge.name)
            said = item_reads.words(told.verdict, told)
            row[judge] = f"{row[judge]} | {said}" if judge in row else said
    if not rows:
        return
    st.subheader("Who said what")
    judges = sorted({judge for row in rows.values() for judge in row})
    table = [
        {"model": model} | {judge: rows[model].get(judge, "") for judge in judges}
        for model in sorted(rows)[:MOST_MODELS]
    ]
    widgets.table(pd.DataFrame(table))
    if len(rows) > MOST_MODELS:
        st.text(f"{MOST_MODELS} of {len(rows):,} models; choose one below for another.")


def show_answers(
    url: str, mark: str, answers: Sequence[ToldAnswer], names: item_reads.Names
) -> None:
    some = paged(answers, ANSWERS, PAGES[0])
    texts = item_reads.answers(url, mark, tuple(answer.number for answer in some))
    for place, answer in enumerate(some):
        st.text(item_reads.answer_line(answer, names))
        told = texts[answer.number]
        key = f"answer {answer.number} {answer.model.id} {answer.sample} {place}"
        thoughts(told.reasoning, key)
        folded(told.text, key)


def show_verdicts(
    url: str, mark: str, verdicts: Sequence[ToldVerdict], names: item_reads.Names
) -> None:
    some = paged(verdicts, SAID, PAGES[1])
    keys = dict.fromkeys(key for told in some for key in told.reply_keys)
    texts = item_reads.said(url, mark, tuple(keys))
    for place, told in enumerate(some):
        st.text(item_reads.verdict_line(told, names))
        for number, key in enumerate(key for key in told.reply_keys if key in texts):
            reply = texts[key]
            this = f"verdict {place} {told.number} {number}"
            thoughts(reply.reasoning, this)
            folded(reply.reply, this)


def thoughts(text: str | None, key: str) -> None:
    if text:
        with st.expander(f"What it thought before: {len(text):,} characters", width=COLUMN_PX):
            folded(text, f"thoughts {key}")


def paged(rows: Sequence[_T], size: int, key: str) -> Sequence[_T]:
    """One page of what there is, chosen above it where there are several."""
    if not rows:
        st.text("None.")
        return rows
    last = (len(rows) - 1) // size
    if not last:
        return rows
    asked = st.query_params.get(key, "")
    number = min(int(asked), last) if asked.isdecimal() and len(asked) < 9 else 0
    start = number * size
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"{start + 1}–{min(start + size, len(rows))} of {len(rows):,}")
        turned = [
            (word, step)
            for word, step in (("Previous", -1), ("Next", 1))
            if st.button(word, key=f"{word} {key}", disabled=not 0 <= number + step <= last)
        ]
    if turned:
        st.query_params[key] = str(number + turned[0][1])
        st.rerun()
    return rows[start : start + size]
