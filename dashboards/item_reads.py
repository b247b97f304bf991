"""What the Items page reads: hits of a search, and the history of one item, in words.

The search index is the one file that this page writes; the store is only read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st
from labels import label_url
from long_text import visible
from open_store import opened
from reads import KEPT

from judgebench.plain_text import counted
from judgebench.records import Verdict
from judgebench.reports.answer_flags import CUT, SUSPECT
from judgebench.reports.replies import in_words
from judgebench.store.catalog import StoredJudge, StoredModel, distinct_names
from judgebench.store.read import ItemHistory, JudgeCall, ToldAnswer, ToldText, ToldVerdict
from judgebench.store.search import (
    KINDS,
    MOST_COUNTED,
    Begin,
    Coverage,
    Filters,
    Found,
    Hit,
    count,
    make_index,
    search,
)

MARKS = (CUT, *SUSPECT)
"""What may be noticed about an answer when it is judged."""

_CURSOR = re.compile(r"(?P<kind>question|answer|reasoning):(?P<number>\d{1,18})")


# what there is to choose ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Names:
    """Models and judges by short id, each under a name that means nothing else."""

    models: Mapping[str, str]
    judges: Mapping[str, str]


@st.cache_data(max_entries=KEPT, show_spinner=False)
def names(url: str, mark: str) -> Names:
    with opened(url) as store:
        return Names(_distinct(store.models()), _distinct(store.judges()))


def _distinct(known: Sequence[StoredModel] | Sequence[StoredJudge]) -> dict[str, str]:
    return distinct_names({one.id: one.name for one in known})


@st.cache_data(max_entries=KEPT, show_spinner=False)
def categories(url: str, mark: str, benchmark: str | None, version: str | None) -> list[str]:
    with opened(url) as store:
        return store.item_categories(benchmark, version)


# search -----------------------------------------------------------------------------------------


def found(url: str, mark: str, words: str, filters: Filters, begin: Begin | None) -> Found:
    """A page of hits; the last one is remembered while the store stands still."""
    asked = (url, mark, words, filters, begin)
    remembered: tuple[object, Found] | None = st.session_state.get("searched")
    if remembered is not None and remembered[0] == asked:
        return remembered[1]
    with opened(url) as store:
        hits = search(store, words, filters, begin=begin, maker=label_url())
    if hits.coverage.complete:
        st.session_state["searched"] = asked, hits
    return hits


def index_more(url: str) -> Coverage:
    """How far the index is, which is made beside the pages."""
    with opened(url) as store:
        return make_index(store, 0, label_url())


@st.cache_data(max_entries=KEPT, show_spinner="Counting …")
def counted_hits(url: str, mark: str, words: str, filters: Filters) -> str:
    """How many texts hold the words; for a second at most, and up to a number."""
    with opened(url) as store:
        n, whole = count(store, words, filters, maker=label_url())
    if whole:
        return f"{counted(n, 'text')} in all"
    return f"more than {n:,} texts" if n >= MOST_COUNTED else f"{n:,} texts and more"


def not_made(coverage: Coverage) -> str:
    """Why the index does not grow, or is not read, and what is searched without it."""
    return visible(
        f"The search index {coverage.why}. It gives this user {coverage.indexed:,} of about"
        f" {coverage.rows:,} texts; others are read one by one, as far as a second goes."
    )


def begin_of(text: str | None) -> Begin | None:
    """Where a page begins, as its link says it."""
    match = _CURSOR.fullmatch(text or "")
    if match is None:
        return None
    kind = next(kind for kind in KINDS if kind == match["kind"])
    return kind, int(match["number"])


def link_of(begin: Begin) -> str:
    kind, number = begin
    return f"{kind}:{number}"


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
    parts += [_sample(hit.sample), _turn(hit.turn), when(hit.at) if hit.at else ""]
    if hit.places > 1:
        parts.append(f"and at {hit.places - 1:,} more places")
    return visible(" · ".join(part for part in parts if part))


def snippet(hit: Hit) -> str:
    before, match, behind = hit.snippet
    return visible(f"{before}»{match}«{behind}" if match else behind)


def nothing(found: Found, filters: Filters) -> str:
    """Why a page of hits is empty."""
    if not filters.searched:
        return "These filters exclude each other: only reasoning has a judge, a verdict and flags."
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


# one item ---------------------------------------------------------------------------------------


@st.cache_data(max_entries=8, show_spinner=False)
def history(url: str, mark: str, benchmark: str, version: str, item: str) -> ItemHistory | None:
    with opened(url) as store:
        return store.item_history(benchmark, version, item)


@st.cache_data(max_entries=8, show_spinner=False)
def answers(url: str, mark: str, numbers: tuple[int, ...]) -> dict[int, ToldText]:
    with opened(url) as store:
        return store.answer_texts(numbers)


@st.cache_data(max_entries=8, show_spinner=False)
def said(url: str, mark: str, keys: tuple[bytes, ...]) -> dict[bytes, JudgeCall]:
    with opened(url) as store:
        return store.calls(keys)


def identity(history: ItemHistory) -> str:
    item = history.item
    asked = {verdict.judge.id for verdict in history.verdicts}
    answering = {answer.model.id for answer in history.answers}
    parts = [f"{item.benchmark}@{item.version}", f"item {item.id}", item.category or ""]
    parts += [item.subcategory or ""]
    answers, verdicts = len(history.answers), len(history.verdicts)
    parts.append(f"{counted(answers, 'answer')} of {counted(len(answering), 'model')}")
    parts.append(f"{counted(verdicts, 'verdict')} of {counted(len(asked), 'judge')}")
    return visible(" · ".join(part for part in parts if part))


def answer_line(answer: ToldAnswer, known: Names) -> str:
    """Whose answer it is, whether a later one took its place, and how it came."""
    stack = answer.stack
    parts = [known.models.get(answer.model.id, answer.model.name)]
    parts += [_sample(answer.sample), _turn(answer.turn)]
    parts.append("● newest" if answer.newest else "○ replaced by a later one")
    parts.append("" if answer.status == "ok" else answer.status.replace("_", " "))
    if answer.completion_tokens is not None:
        parts.append(f"{answer.completion_tokens:,} tokens")
    parts += [when(answer.at), answer.source]
    if stack is not None:
        versions = [f"{name} {version}" for name, version in stack.versions.items()]
        parts.append(", ".join([stack.backend, *versions, stack.dtype or "", stack.device or ""]))
    return visible(" · ".join(part.strip(", ") for part in parts if part))


def verdict_line(told: ToldVerdict, known: Names) -> str:
    """Who said what of whom, in which order and when, and whether boards count it."""
    model = known.models.get(told.model.id, told.model.name)
    about = f"{known.judges.get(told.judge.id, told.judge.name)} about {model}"
    if told.opponent is not None:
        about += f" against {known.models.get(told.opponent.id, told.opponent.name)}"
    orders = {"single": "", "model_first": "shown first", "opponent_first": "shown second"}
    parts = [about, words(told.verdict, told), orders[told.order]]
    parts += [_sample(told.sample), _turn(told.turn)]
    if told.afresh:
        parts.append("◇ asked afresh to confirm")
    else:
        parts.append(f"repeat {told.repeat}" if told.repeat else "")
        parts.append("● counts" if told.counts else "○ replaced by a later one")
    parts += [", ".join(_mark(mark) for mark in told.marks or ())]
    if told.served_model:
        parts.append(f"served by {told.served_model}")
    parts.append(when(told.at))
    parts.append(
        f"run {', '.join(told.runs)}" if len(told.runs) == 1 else f"runs {', '.join(told.runs)}"
    )
    return visible(" · ".join(part for part in parts if part))


def words(verdict: Verdict, told: ToldVerdict) -> str:
    """A verdict in words, of a pair from the side of its model."""
    return in_words(verdict, told.order)


def _sample(sample: int) -> str:
    return f"sample {sample}" if sample else ""


def _turn(turn: int) -> str:
    return f"turn {turn + 1}" if turn else ""


def _mark(mark: str) -> str:
    return "⚠ " + mark.replace("_", " ").replace("/0", " (first)").replace("/1", " (second)")


def when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
