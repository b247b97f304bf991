"""What the store holds and who leads, what ran and what runs, and how to begin."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import charts
import overview_reads
import pandas as pd
import run_reads
import starting
import streamlit as st
import widgets
from long_text import visible
from open_store import NoStoreError
from overview_reads import Leader
from streamlit.delta_generator import DeltaGenerator

from judgebench.store.read import At, Holding

DRAWN = 12
"""Benchmarks that are drawn with their leaders; of more the counts stand in a table."""

LAST_RUNS = 8

FOR_S = 0.5
"""Boards are begun for so long at a time; what is left comes in the next second."""


def page() -> None:
    st.title("Overview")
    url, mark = st.session_state["store"], st.session_state["mark"]
    try:
        known = overview_reads.held_of_each(url, mark)
    except NoStoreError:
        starting.first_steps(url, "There is no store here yet.")
        return
    if not known:
        starting.first_steps(url, "The store is empty.")
        return
    starting.of_late(url)
    starting.live(url)
    above = st.container()
    last_runs(url, mark)
    failures(url, mark)
    with above:  # last, since it takes longest: the rest stands on the screen meanwhile
        clock = any(_leader(url, mark, _at(one)) is None for one in known[:DRAWN])
        st.fragment(benchmarks, run_every=1.0 if clock else None)(url, mark, known, clock)


# benchmarks -------------------------------------------------------------------------------------


def benchmarks(url: str, mark: str, known: Sequence[Holding], clock: bool) -> None:
    """Every benchmark with its counts, and who leads it as soon as that is known."""
    widgets.or_say_what_is_wrong(lambda: _benchmarks(url, mark, known, clock))


def _benchmarks(url: str, mark: str, known: Sequence[Holding], clock: bool) -> None:
    rows = [_row(url, one) for one in known[:DRAWN]]
    table = st.empty()
    before = overview_reads.counted_before(url) or None
    for (counts, _), one in zip(rows, known, strict=False):
        counts.text(overview_reads.counts(one, before))
    used = overview_reads.verdicts(url, mark)
    for (counts, _), one in zip(rows, known, strict=False):
        counts.text(overview_reads.counts(one, used))
    if known[DRAWN:]:
        others = [
            {"benchmark": _name(one), "holds": overview_reads.counts(one, used)}
            for one in known[DRAWN:]
        ]
        with table:
            widgets.table(pd.DataFrame(others))
    # What was worked out before stands until it is known anew, as while a run writes.
    places = {_at(one): place for (_, place), one in zip(rows, known, strict=False)}
    for at, place in places.items():
        draw(place, overview_reads.leaders(url).get(at))
    pending = [at for at in places if _leader(url, mark, at) is None]
    if clock and not pending:
        st.rerun()  # without the clock
    began = time.monotonic()
    for at in pending:
        if time.monotonic() - began < FOR_S:
            draw(places[at], overview_reads.work_out(url, mark, at))


def draw(place: DeltaGenerator, leader: Leader | None) -> None:
    if leader is None:
        place.caption("Computing intervals …")
        return
    with place.container(gap="xsmall"):
        lead(leader)


def _leader(url: str, mark: str, at: At) -> Leader | None:
    """Of this state of the store; None where that is to be worked out."""
    found = overview_reads.leaders(url).get(at)
    return found if found is not None and found.mark == mark else None


def _row(url: str, one: Holding) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Places for the counts of a benchmark and for its leader."""
    with st.container(border=True):
        left, right = st.columns([3, 7], gap="medium")
    with left:
        st.text(_name(one))
        counts = st.empty()
        asked = {"benchmark": one.benchmark, "version": one.version}
        known = overview_reads.leaders(url).get(_at(one))
        if known is not None and known.judge:
            asked["judge"] = known.judge
        st.page_link("views/leaderboard.py", label="Leaderboard", query_params=asked)
    return counts, right.empty()


def lead(leader: Leader) -> None:
    """The head of a board: a sentence, and the first models with their intervals."""
    excluded = f"Suspicious, excluded from the ranking: {', '.join(leader.excluded)}"
    if leader.rows.empty:
        st.text("\n".join([leader.line, *([excluded] if leader.excluded else [])]))
        return
    st.text(f"{leader.line}\n{overview_reads.by_whom(leader)}")
    axis = charts.axis_of(leader.metric, leader.rows, leader.scale)
    line_at = charts.line_of(leader.metric)
    widgets.drawing(
        partial(charts.intervals, leader.rows, axis, widgets.ink(), line_at=line_at),
        alt="The first models of the board with their intervals.",
    )
    if leader.others:
        st.caption(f"and {leader.others} more")
    if leader.excluded:
        st.text(excluded)


def _at(one: Holding) -> At:
    return one.benchmark, one.version


def _name(one: Holding) -> str:
    return visible(f"{one.benchmark}@{one.version}")


# runs -------------------------------------------------------------------------------------------


def last_runs(url: str, mark: str) -> None:
    st.subheader("Last runs")
    found = run_reads.newest(url, mark, LAST_RUNS)
    if not found:
        widgets.empty("No run has been kept here. This starts one:", widgets.FIRST_STEPS)
        return
    widgets.table(pd.DataFrame(run_reads.rows(found)))
    st.page_link("views/runs.py", label="All runs, and how to start one")


def failures(url: str, mark: str) -> None:
    kinds = run_reads.failures(url, mark)
    if not kinds:
        return
    st.subheader("Failures on record")
    widgets.notes(run_reads.failure_lines(kinds))


widgets.or_say_what_is_wrong(page)
