"""One item on a page: its question, who said what of it, answers, verdicts; and these in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import pandas as pd
import streamlit as st
import widgets
from answers import State
from long_text import COLUMN_PX, folded, visible

from judgebench.plain_text import counted
from judgebench.records import Item
from judgebench.reports.replies import in_words
from judgebench.store.catalog import distinct_names
from judgebench.store.read import ItemAnswer, ItemHistory, ItemVerdict, JudgeCall
from judgebench.store.search import Begin, Filters, Found, Hit
from judgebench.store.store import Store

_T = TypeVar("_T")

ANSWERS, SAID = 5, 10
"""Answers and verdicts on one page of an item."""

PAGES = ("answers", "verdicts")
"""In the URL: which page of each is shown, 0 the first."""

MOST_MODELS = 100
"""Rows of the table of who said what; the lists below it have all."""

ORDERS = {"single": "", "model_first": "shown first", "opponent_first": "shown second"}


@dataclass(frozen=True, slots=True)
class Names:
    """Models and judges by short id, each under a name that means nothing else."""

    models: Mapping[str, str]
    judges: Mapping[str, str]


def names(store: Store) -> Names:
    """Of all that a store knows."""
    known = (store.models(), store.judges())
    return Names(*(distinct_names({one.id: one.name for one in ones}) for ones in known))


# in words ---------------------------------------------------------------------------------------


def joined(parts: Iterable[str]) -> str:
    """Those that say something, as one line of text."""
    return visible(" · ".join(part for part in parts if part))


def place_of(sample: int, turn: int) -> list[str]:
    return [f"sample {sample}" if sample else "", f"turn {turn + 1}" if turn else ""]


def when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def words(told: ItemVerdict) -> str:
    """A verdict in words, of a pair from the side of its model."""
    return in_words(told.verdict, told.order)


def answer_line(answer: ItemAnswer, known: Names) -> str:
    """Whose answer it is, whether a later one took its place, and how it came."""
    parts = [known.models.get(answer.model.id, answer.model.name)]
    parts += place_of(answer.sample, answer.turn)
    parts.append("● newest" if answer.newest else "○ replaced by a later one")
    parts.append("" if answer.status == "ok" else answer.status.replace("_", " "))
    if answer.completion_tokens is not None:
        parts.append(f"{answer.completion_tokens:,} tokens")
    parts += [when(answer.at), answer.source]
    if (stack := answer.stack) is not None:
        versions = [f"{name} {version}" for name, version in stack.versions.items()]
        parts.append(", ".join([stack.backend, *versions, stack.dtype or "", stack.device or ""]))
    return joined(part.strip(", ") for part in parts)


def verdict_line(told: ItemVerdict, known: Names) -> str:
    """Who said what of whom, in which order and when, and whether boards count it."""
    model = known.models.get(told.model.id, told.model.name)
    about = f"{known.judges.get(told.judge.id, told.judge.name)} about {model}"
    if told.opponent is not None:
        about += f" against {known.models.get(told.opponent.id, told.opponent.name)}"
    parts = [about, words(told), ORDERS[told.order], *place_of(told.sample, told.turn)]
    if told.afresh:
        parts.append("◇ asked afresh to confirm")
    else:
        parts.append(f"repeat {told.repeat}" if told.repeat else "")
        parts.append("● counts" if told.counts else "○ replaced by a later one")
    parts += [", ".join(_mark(mark) for mark in told.marks or ())]
    parts += [f"served by {told.served_model}" if told.served_model else "", when(told.at)]
    parts.append(f"run{'s' * (len(told.runs) != 1)} {', '.join(told.runs)}")
    return joined(parts)


def _mark(mark: str) -> str:
    return "⚠ " + mark.replace("_", " ").replace("/0", " (first)").replace("/1", " (second)")


def identity(told: ItemHistory) -> str:
    item = told.item
    judges = {verdict.judge.id for verdict in told.verdicts}
    models = {answer.model.id for answer in told.answers}
    parts = [f"{item.benchmark}@{item.version}", f"item {item.id}", item.category or ""]
    parts += [item.subcategory or ""]
    parts.append(f"{counted(len(told.answers), 'answer')} of {counted(len(models), 'model')}")
    parts.append(f"{counted(len(told.verdicts), 'verdict')} of {counted(len(judges), 'judge')}")
    return joined(parts)


def hit_line(hit: Hit, known: Names) -> str:
    """What a hit is, and where it stands."""
    model = known.models.get(hit.model or "", "")
    against = f" against {known.models.get(hit.opponent, '')}" if hit.opponent else ""
    what = {
        "question": "question",
        "answer": f"answer of {model}",
        "reasoning": f"{known.judges.get(hit.judge or '', '')} about {model}{against}",
    }[hit.kind]
    parts = [what, f"{hit.benchmark}@{hit.version}", f"item {hit.item_id}", hit.category or ""]
    parts += [*place_of(hit.sample, hit.turn), when(hit.at) if hit.at else ""]
    return joined([*parts, f"and at {hit.places - 1:,} more places" if hit.places > 1 else ""])


# drawn ------------------------------------------------------------------------------------------


def nothing(found: Found, filters: Filters, words: str, begin: Begin | None) -> str:
    """Why a page of hits is empty."""
    if not filters.searched:
        return "These filters exclude each other: only reasoning has a judge, a verdict and flags."
    if found.then and begin and (found.by_index or not words):
        return f"Nothing among the next {found.looked_at:,} texts."
    if found.then and not words:
        return f"Nothing among the newest {found.looked_at:,} texts."
    if found.then and not found.by_index:
        return (
            "No index holds this (one character, or signs alone, or an index that is not there), so"
            f" texts are read one by one: nothing among {found.looked_at:,} of them in a second."
        )
    if found.then:
        return f"Nothing among the newest {found.looked_at:,} texts that may hold this."
    if not found.coverage.complete:
        return "Nothing was found in what the search index holds so far."
    return "Nothing was found."


def question(item: Item, show: Callable[[str, str], None] = folded) -> None:
    """``show`` is given each text, and what tells it from the others."""
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
    history: ItemHistory, names: Names, *, judges: Collection[str] | None = None
) -> None:
    """The verdicts that count: a row for each model, a column for each judge, or for some by id."""
    rows: dict[str, dict[str, str]] = {}
    for told in reversed(history.verdicts):
        if told.counts and (judges is None or told.judge.id in judges):
            row = rows.setdefault(names.models.get(told.model.id, told.model.name), {})
            judge = names.judges.get(told.judge.id, told.judge.name)
            row[judge] = f"{row[judge]} | {words(told)}" if judge in row else words(told)
    if not rows:
        return
    st.subheader("Who said what")
    columns = sorted({judge for row in rows.values() for judge in row})
    table = pd.DataFrame(
        [{"model": model} | rows[model] for model in sorted(rows)[:MOST_MODELS]],
        columns=["model", *columns],
    )
    widgets.table(table.fillna(""))
    if len(rows) > MOST_MODELS:
        st.text(f"{MOST_MODELS} of {len(rows):,} models; choose one below for another.")


def show_answers(shown: State, answers: Sequence[ItemAnswer], names: Names) -> None:
    some = paged(answers, ANSWERS, PAGES[0])
    texts = shown.read(Store.answer_texts, tuple(answer.number for answer in some))
    for place, answer in enumerate(some):
        st.text(answer_line(answer, names))
        told = texts[answer.number]
        key = f"answer {answer.number} {answer.model.id} {answer.sample} {place}"
        thoughts(told.reasoning, key)
        folded(told.text, key)


def show_verdicts(shown: State, verdicts: Sequence[ItemVerdict], names: Names) -> None:
    replies(shown, paged(verdicts, SAID, PAGES[1]), names, "verdict")


def replies(shown: State, verdicts: Sequence[ItemVerdict], names: Names, key: str) -> None:
    """Each verdict with the replies that it was read from, and what was thought before."""
    keys = dict.fromkeys(key for told in verdicts for key in told.reply_keys)
    texts: Mapping[bytes, JudgeCall] = shown.read(Store.calls, tuple(keys))
    for place, told in enumerate(verdicts):
        st.text(verdict_line(told, names))
        there = [texts[reply] for reply in told.reply_keys if reply in texts]
        for number, reply in enumerate(there):
            this = f"{key} {place} {told.number} {number}"
            thoughts(reply.reasoning, this)
            folded(reply.reply, this)


def thoughts(text: str | None, key: str) -> None:
    if text:
        with st.expander(f"What it thought before: {len(text):,} characters", width=COLUMN_PX):
            folded(text, f"thoughts {key}")


def paged(rows: Sequence[_T], size: int, key: str) -> Sequence[_T]:
    """One page of what there is, chosen above it where there are several."""
    if not rows:
        st.text("The store has none.")
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
