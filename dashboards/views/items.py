"""Where words stand among questions, answers and reasoning; and all that is known of one item.

The search index is the one file that this page writes; the store is only read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import item_parts
import markdown_text
import page
import streamlit as st
from answers import State
from item_parts import PAGES, Names
from labels import label_url
from long_text import visible
from open_store import opened
from streamlit.delta_generator import DeltaGenerator

from judgebench.plain_text import counted
from judgebench.reports.answer_flags import CUT, SUSPECT
from judgebench.store import search as texts
from judgebench.store.codec import KINDS as VERDICTS
from judgebench.store.store import Store

PLACE = ("Results", 40)

IN = {"": "everywhere", "question": "questions", "answer": "answers",
      "reasoning": "judges' reasoning"}  # fmt: skip
MODEL, JUDGE = "about", "said_by"
"""In the URL: names of their own, since other pages always have some judge chosen."""

UNASKED_S = 0.5
"""So long who asks for no words waits for texts that filters leave; with words it is a second."""

_CURSOR = re.compile(r"(?P<kind>question|answer|reasoning):(?P<number>\d{1,18})")


def items(shown: State, _: DeltaGenerator) -> None:
    known = shown.read(Store.benchmarks)
    if not known:
        page.empty("The store is empty. A run fills it:")
    elif item := st.query_params.get("item"):
        one_item(shown, known, item)
    else:
        look_for(shown, known)


# search -----------------------------------------------------------------------------------------


def look_for(shown: State, known: Sequence[tuple[str, str]]) -> None:
    names = shown.read(item_parts.names)
    words, filters = asked(shown, known, names)
    begin = begin_of(st.query_params.get("begin"))
    if st.session_state.get("asked", (words, filters)) != (words, filters):
        st.query_params.pop("begin", None)  # it was a place among other hits
        begin = None
    st.session_state["asked"] = words, filters
    found = found_by(shown, words, filters, begin)
    if not found.coverage.complete:
        indexing(shown.url)
    if not found.hits:
        st.info(item_parts.nothing(found, filters, words, begin), icon="🔍")
    for hit in found.hits:
        with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
            if st.button("Open", key=f"open {hit.kind} {hit.number}"):
                go_to(hit.benchmark, hit.version, hit.item_id)
            before, match, behind = hit.snippet
            snippet = visible(f"{before}»{match}«{behind}" if match else behind)
            st.text(f"{item_parts.hit_line(hit, names)}\n{snippet}", width="stretch")
    if words and found.hits and found.coverage.complete:
        st.caption(counted_hits(shown, words, filters))
    with st.container(horizontal=True):
        if begin and st.button("First page"):
            st.query_params.pop("begin", None)
            st.rerun()
        if found.then and st.button("Next" if found.hits else "Look further"):
            st.query_params["begin"] = "{}:{}".format(*found.then)
            st.rerun()


def asked(
    shown: State, known: Sequence[tuple[str, str]], names: Names
) -> tuple[str, texts.Filters]:
    """What the reader looks for, all of it in the URL."""
    first, second = st.columns([5, 2])
    with first:
        words = page.written("Search", "q", "words, or a passage in double quotes", most=300)
    with second:
        kind = page.choose("In", list(IN), "in", shows=IN)
    places = st.columns(6)
    with places[0]:
        benchmark = pick("Benchmark", list(dict.fromkeys(name for name, _ in known)), "benchmark")
        versions = [version for name, version in known if name == benchmark]
        version = pick("Version", versions, "version") if len(versions) > 1 else None
    categories = shown.read(Store.item_categories, benchmark, version)
    category = pick("Category", categories, "category", at=places[1])
    model = pick_named("Model", names.models, MODEL, at=places[2])
    judge = pick_named("Judge", names.judges, JUDGE, at=places[3])
    verdict = pick("Verdict", list(VERDICTS), "verdict", at=places[4])
    flag = pick("Flag", [CUT, *SUSPECT], "flag", at=places[5])
    filters = texts.Filters(
        benchmark=benchmark, version=version, category=category, model=model, judge=judge,
        verdict=verdict, mark=flag, kinds=tuple(k for k in texts.KINDS if kind in ("", k)),
    )  # fmt: skip
    if filters.judge or filters.verdict or filters.mark:
        st.caption("Judge, verdict and flag are known of reasoning alone, so only it is searched.")
    return words, filters


def pick(
    label: str, options: Sequence[str], key: str, at: DeltaGenerator | None = None
) -> str | None:
    """A filter; None for any."""
    return page.optional(label, options, key, "any", at=at) or None


def pick_named(
    label: str, names: Mapping[str, str], key: str, at: DeltaGenerator | None = None
) -> str | None:
    """A filter by name; the short id of what was picked."""
    name = pick(label, sorted(names.values()), key, at)
    return next((short for short, other in names.items() if other == name), None)


def begin_of(text: str | None) -> texts.Begin | None:
    """Where a page of hits begins, as its link says it."""
    match = _CURSOR.fullmatch(text or "")
    if match is None:
        return None
    return next(kind for kind in texts.KINDS if kind == match["kind"]), int(match["number"])


def found_by(
    shown: State, words: str, filters: texts.Filters, begin: texts.Begin | None
) -> texts.Found:
    """A page of hits; the last one is remembered while the store stands still."""
    asking = (shown, words, filters, begin)
    remembered: tuple[object, texts.Found] | None = st.session_state.get("searched")
    if remembered is not None and remembered[0] == asking:
        return remembered[1]
    with opened(shown.url) as store:
        hits = texts.search(
            store, words, filters, begin=begin, maker=label_url(), for_s=1.0 if words else UNASKED_S
        )
    if hits.coverage.complete:
        st.session_state["searched"] = asking, hits
    return hits


def counted_hits(shown: State, words: str, filters: texts.Filters) -> str:
    """How many texts hold the words; for a second at most, and up to a number."""
    n, whole = shown.read(texts.count, words, filters, maker=label_url())
    if whole:
        return f"{counted(n, 'text')} in all"
    return f"more than {n:,} texts" if n >= texts.MOST_COUNTED else f"{n:,} texts and more"


@st.fragment(run_every=1)
def indexing(url: str) -> None:
    """How far the index is, which is made beside the pages: nobody waits for it."""
    page.or_say_what_is_wrong(lambda: index_more(url))


def index_more(url: str) -> None:
    with opened(url) as store:
        coverage: texts.Coverage = texts.make_index(store, 0, label_url())
    if coverage.complete:
        st.rerun(scope="app")
    of = f"{coverage.indexed:,} of about {coverage.rows:,} texts"
    if coverage.why:
        st.caption(visible(f"The search index {coverage.why}. It gives this user {of}; others are "
                           "read one by one, as far as a second goes."))  # fmt: skip
        return
    st.progress(
        min(1.0, coverage.indexed / max(1, coverage.rows)),
        f"The search index is being made: {of}. What it holds so far is searched.",
    )


def go_to(benchmark: str, version: str, item: str) -> None:
    for shown_page in PAGES:
        st.query_params.pop(shown_page, None)
    st.query_params.update({"benchmark": benchmark, "version": version, "item": item})
    st.rerun()


# one item ---------------------------------------------------------------------------------------


def one_item(shown: State, known: Sequence[tuple[str, str]], item: str) -> None:
    benchmark = st.query_params.get("benchmark") or known[0][0]
    versions = [version for name, version in known if name == benchmark]
    version = st.query_params.get("version") or (versions[-1] if versions else "")
    told = shown.read(Store.item_history, benchmark, version, item)
    with st.container(horizontal=True):
        if st.button("Back to the search"):
            for said_of_the_item in ("item", "benchmark", "version", *PAGES):
                st.query_params.pop(said_of_the_item, None)  # filters are as they were before
            st.rerun()
        for label, to in (
            ("Previous item", told.before if told else None),
            ("Next item", told.after if told else None),
        ):
            if st.button(label, disabled=to is None) and to is not None:
                go_to(benchmark, version, to)
    if told is None:
        st.info("The store has no such item.", icon="📭")
        st.text(f"{benchmark}@{version}, item {item}")
        return
    st.text(item_parts.identity(told))
    names = shown.read(item_parts.names)
    markdown_text.choose()
    st.subheader("Question")
    item_parts.question(told.item)
    item_parts.who_said_what(told, names)
    left, right, _ = st.columns([3, 3, 4])
    with left:
        here = {one.model.id for one in told.answers} | {one.model.id for one in told.verdicts}
        model = pick_named("Model", {i: n for i, n in names.models.items() if i in here}, MODEL)
    with right:
        here = {one.judge.id for one in told.verdicts}
        judge = pick_named("Judge", {i: n for i, n in names.judges.items() if i in here}, JUDGE)
    st.subheader("Answers")
    answers = [one for one in told.answers if model in (None, one.model.id)]
    item_parts.show_answers(shown, answers, names)
    st.subheader("Verdicts")
    about = [one for one in told.verdicts if model in (None, one.model.id)]
    of = [one for one in about if judge in (None, one.judge.id)]
    item_parts.show_verdicts(shown, of, names)


page.show("Items", items)
