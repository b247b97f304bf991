"""Where words stand among questions, answers and reasoning; and all that is known of one item."""

from __future__ import annotations

from collections.abc import Sequence

import item_reads
import markdown_text
import reads
import streamlit as st
import widgets
from item_parts import PAGES, question, show_answers, show_verdicts, who_said_what

from judgebench.store.codec import KINDS as VERDICTS
from judgebench.store.read import ItemHistory, ToldAnswer, ToldVerdict
from judgebench.store.search import KINDS, Filters

IN = {
    "": "everywhere",
    "question": "questions",
    "answer": "answers",
    "reasoning": "judges' reasoning",
}
MODEL, JUDGE = "about", "said_by"
"""In the URL: names of their own, since other pages always have some judge chosen."""


def page() -> None:
    st.title("Items")
    url, mark = st.session_state["store"], st.session_state["mark"]
    known = reads.benchmarks(url, mark)
    if not known:
        widgets.empty("The store is empty. A run fills it:", widgets.FIRST_STEPS)
    elif item := st.query_params.get("item"):
        one_item(url, mark, known, item)
    else:
        look_for(url, mark, known)


# search -----------------------------------------------------------------------------------------


def look_for(url: str, mark: str, known: Sequence[tuple[str, str]]) -> None:
    words, filters = asked(url, mark, known)
    begin = item_reads.begin_of(st.query_params.get("begin"))
    if st.session_state.get("asked", (words, filters)) != (words, filters):
        st.query_params.pop("begin", None)  # it was a place among other hits
        begin = None
    st.session_state["asked"] = words, filters
    found = item_reads.found(url, mark, words, filters, begin)
    if not found.coverage.complete:
        indexing(url)
    names = item_reads.names(url, mark)
    if not found.hits:
        st.info(item_reads.nothing(found, filters), icon="🔍")
    for hit in found.hits:
        with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
            if st.button("Open", key=f"open {hit.kind} {hit.number}"):
                go_to(hit.benchmark, hit.version, hit.item_id)
            said = f"{item_reads.hit_line(hit, names)}\n{item_reads.snippet(hit)}"
            st.text(said, width="stretch")
    if words and found.hits and found.coverage.complete:
        st.caption(item_reads.counted_hits(url, mark, words, filters))
    with st.container(horizontal=True):
        if begin and st.button("First page"):
            st.query_params.pop("begin", None)
            st.rerun()
        if found.then and st.button("Next" if found.hits else "Look further"):
            st.query_params["begin"] = item_reads.link_of(found.then)
            st.rerun()


def asked(url: str, mark: str, known: Sequence[tuple[str, str]]) -> tuple[str, Filters]:
    """What the reader looks for, all of it in the URL."""
    names = item_reads.names(url, mark)
    first, second = st.columns([5, 2])
    with first:
        words = written("Search", "q", "words, or a passage in double quotes")
    with second:
        kind = widgets.choose("In", list(IN), "in", shows=IN)
    places = st.columns(6)
    with places[0]:
        benchmark = pick("Benchmark", list(dict.fromkeys(name for name, _ in known)), "benchmark")
        versions = [version for name, version in known if name == benchmark]
        version = pick("Version", versions, "version") if len(versions) > 1 else None
    with places[1]:
        categories = item_reads.categories(url, mark, benchmark, version)
        category = pick("Category", categories, "category")
    with places[2]:
        model = pick_named("Model", names.models, MODEL)
    with places[3]:
        judge = pick_named("Judge", names.judges, JUDGE)
    with places[4]:
        verdict = pick("Verdict", list(VERDICTS), "verdict")
    with places[5]:
        flag = pick("Flag", list(item_reads.MARKS), "flag")
    filters = Filters(
        benchmark=benchmark, version=version, category=category, model=model, judge=judge,
        verdict=verdict, mark=flag, kinds=tuple(k for k in KINDS if kind in ("", k)),
    )  # fmt: skip
    if filters.judge or filters.verdict or filters.mark:
        st.caption("Judge, verdict and flag are known of reasoning alone, so only it is searched.")
    return words, filters


def written(label: str, key: str, hint: str) -> str:
    """A line of text that lives in the URL and outlives a change of page."""
    kept = st.session_state.setdefault("kept", {})
    start = st.query_params.get(key, kept.get(key, ""))
    text = st.text_input(label, value=start, key=f"{key}_written", placeholder=hint, max_chars=300)
    kept[key] = text
    if st.query_params.get(key, "") != text:
        st.query_params[key] = text
    return text or ""


def pick(label: str, options: Sequence[str], key: str) -> str | None:
    """A filter; None for any."""
    return widgets.choose(label, ["", *options], key, shows={"": "any"}) or None


def pick_named(label: str, names: dict[str, str], key: str) -> str | None:
    """A filter by name; the short id of what was picked."""
    name = pick(label, sorted(names.values()), key)
    return next((short for short, other in names.items() if other == name), None)


@st.fragment(run_every=1)
def indexing(url: str) -> None:
    """How far the index is, which is made beside the pages: nobody waits for it."""
    widgets.or_say_what_is_wrong(lambda: index_more(url))


def index_more(url: str) -> None:
    coverage = item_reads.index_more(url)
    if coverage.complete:
        st.rerun(scope="app")
    if coverage.why:
        st.caption(item_reads.not_made(coverage))
        return
    st.progress(
        min(1.0, coverage.indexed / max(1, coverage.rows)),
        f"The search index is being made: {coverage.indexed:,} of about {coverage.rows:,} texts."
        " What it holds so far is searched.",
    )


def go_to(benchmark: str, version: str, item: str) -> None:
    for shown_page in PAGES:
        st.query_params.pop(shown_page, None)
    st.query_params.update({"benchmark": benchmark, "version": version, "item": item})
    st.rerun()


# one item ---------------------------------------------------------------------------------------


def one_item(url: str, mark: str, known: Sequence[tuple[str, str]], item: str) -> None:
    benchmark = st.query_params.get("benchmark") or known[0][0]
    versions = [version for name, version in known if name == benchmark]
    version = st.query_params.get("version") or (versions[-1] if versions else "")
    history = item_reads.history(url, mark, benchmark, version, item)
    before, after = history and history.before, history and history.after
    with st.container(horizontal=True):
        if st.button("Back to the search"):
            for said_of_the_item in ("item", "benchmark", "version", *PAGES):
                st.query_params.pop(said_of_the_item, None)  # filters are as they were before
            st.rerun()
        if st.button("Previous item", disabled=before is None) and before is not None:
            go_to(benchmark, version, before)
        if st.button("Next item", disabled=after is None) and after is not None:
            go_to(benchmark, version, after)
    if history is None:
        st.info("The store has no such item.", icon="📭")
        st.text(f"{benchmark}@{version}, item {item}")
        return
    st.text(item_reads.identity(history))
    names = item_reads.names(url, mark)
    markdown_text.choose()
    question(history.item)
    who_said_what(history, names)
    answers, verdicts = narrowed(history, names)
    st.subheader("Answers")
    show_answers(url, mark, answers, names)
    st.subheader("Verdicts")
    show_verdicts(url, mark, verdicts, names)


def narrowed(
    history: ItemHistory, names: item_reads.Names
) -> tuple[list[ToldAnswer], list[ToldVerdict]]:
    """Answers and verdicts of the model and the judge that the reader chooses, if any."""
    first, second, _ = st.columns([3, 3, 4])
    answering = {answer.model.id for answer in history.answers}
    answering |= {told.model.id for told in history.verdicts}
    asked = {told.judge.id for told in history.verdicts}
    with first:
        model = pick_named(
            "Model", {i: n for i, n in names.models.items() if i in answering}, MODEL
        )
    with second:
        judge = pick_named("Judge", {i: n for i, n in names.judges.items() if i in asked}, JUDGE)
    answers = [answer for answer in history.answers if model in (None, answer.model.id)]
    verdicts = [
        told
        for told in history.verdicts
        if model in (None, told.model.id) and judge in (None, told.judge.id)
    ]
    return answers, verdicts


widgets.or_say_what_is_wrong(page)
