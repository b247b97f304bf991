"""What the store holds and who leads, what ran and what runs, and how to begin."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias

import board_rows
import charts
import page
import pandas as pd
import run_parts
import starting
import streamlit as st
import widgets
from answers import State, snapshot
from item_parts import joined
from long_text import visible
from open_store import NoStoreError
from streamlit.delta_generator import DeltaGenerator

from judgebench import explore
from judgebench.errors import JudgebenchError
from judgebench.metrics import registry
from judgebench.metrics.win_rate import LENGTH_CONTROLLED
from judgebench.plain_text import counted
from judgebench.reports.board import Board
from judgebench.reports.runs import duration
from judgebench.store.read import At, Holding, Verdicts
from judgebench.store.store import Store

PLACE = ("Results", 10)

DRAWN, TOP = 12, 3
"""Benchmarks that are drawn, and how many models of each; of more the counts stand in a table."""

LAST_RUNS = 8

FOR_S = 0.5
"""Boards are begun for so long at a time; what is left comes in the next second."""

Used: TypeAlias = Mapping[At, Verdicts]
Lead: TypeAlias = Board | str
"""A benchmark's first board, or why there is none."""


def overview(shown: State, _: DeltaGenerator) -> None:
    try:
        known = shown.read(Store.holdings)
    except NoStoreError:
        starting.first_steps(shown.url, "There is no store here yet.")
        return
    if not known:
        starting.first_steps(shown.url, "The store is empty.")
        return
    starting.of_late(shown.url)
    starting.live(shown.url)
    above = st.container()
    last_runs(shown)
    if kinds := shown.read(Store.failure_kinds):
        st.subheader("Failures on record")
        widgets.notes(run_parts.failure_lines(kinds))
    known = [one for one in known if explore.without_probes([_at(one)])]
    with above:  # last, since it takes longest: the rest stands on the screen meanwhile
        clock = not all(leads(shown, _at(one)) for one in known[:DRAWN])
        st.fragment(benchmarks, run_every=1.0 if clock else None)(shown, known, clock)


def last_runs(shown: State) -> None:
    st.subheader("Last runs")
    found = shown.read(Store.newest_runs, LAST_RUNS)
    if not found:
        page.empty("No run has been kept here. This starts one:")
        return
    widgets.table(pd.DataFrame(run_parts.rows(found)))
    st.page_link("views/runs.py", label="All runs, and how to start one")


# benchmarks -------------------------------------------------------------------------------------


@st.cache_resource(max_entries=16, show_spinner=False)
def worked_out(url: str) -> dict[At, tuple[str, Lead]]:
    """Who leads each benchmark by the mark of a state, for all who look at a store."""
    return {}


@st.cache_resource(max_entries=16, show_spinner=False)
def counted_before(url: str) -> dict[At, Verdicts]:
    """What stands until verdicts are counted anew."""
    return {}


def leads(shown: State, at: At) -> Lead | None:
    """In this state of the store; None where that is to be worked out."""
    mark, lead = worked_out(shown.url).get(at, ("", ""))
    return lead if mark == shown.mark else None


def benchmarks(shown: State, known: Sequence[Holding], clock: bool) -> None:
    """Every benchmark with its counts, and who leads it as soon as that is known."""
    page.or_say_what_is_wrong(lambda: _benchmarks(shown, known, clock))


def _benchmarks(shown: State, known: Sequence[Holding], clock: bool) -> None:
    rows = {_at(one): _row(shown.url, one) for one in known[:DRAWN]}
    table, before = st.empty(), counted_before(shown.url)
    for one in known[:DRAWN] if before else ():
        rows[_at(one)][0].text(counts(one, before))
    used = {(name, version): its for name, version, its in shown.soon(explore.verdicts_used)}
    before.update(used)
    for one in known[:DRAWN]:
        rows[_at(one)][0].text(counts(one, used))
    if known[DRAWN:]:
        others = [{"benchmark": _name(one), "holds": counts(one, used)} for one in known[DRAWN:]]
        with table:
            widgets.table(pd.DataFrame(others))
    # What was worked out before stands until it is known anew, as while a run writes.
    for at, (_, place) in rows.items():
        draw(place, worked_out(shown.url).get(at, ("", None))[1])
    pending = [at for at in rows if leads(shown, at) is None]
    if clock and not pending:
        st.rerun()  # without the clock
    began = time.monotonic()
    for at in pending:
        if time.monotonic() - began < FOR_S:
            draw(rows[at][1], work_out(shown, at))


def work_out(shown: State, at: At) -> Lead:
    """Compute a benchmark's boards, and remember the one that says most."""
    with snapshot(shown.url).timed():
        try:
            lead = telling_most(shown, at)
        except JudgebenchError as error:
            lead = visible(str(error))
    worked_out(shown.url)[at] = shown.mark, lead
    return lead


def telling_most(shown: State, at: At) -> Lead:
    """As `judgebench leaderboard` ranks it."""
    found = shown.compute(explore.boards, *at).boards
    board = board_rows.telling_most(found)
    if board is None:
        return "Nothing has been judged yet."
    headline = shown.read(explore.benchmark_ref, "@".join(at)).report.headline
    if headline != LENGTH_CONTROLLED or not board_rows.can_be_controlled(board):
        return board
    again = shown.compute(explore.boards, *at, judges=[board.judge_id], control="exact")
    return next(one for one in again.boards if board_rows.same(one, board))


def counts(one: Holding, used: Used) -> str:
    """What there is of a benchmark, in a line."""
    people = f" ({one.people:,} of them people)" if one.people else ""
    parts = [counted(one.items, "item"), counted(one.models, "model")]
    parts.append(counted(one.judges, "judge") + people)
    if (known := used.get(_at(one))) is None:
        return " · ".join([*parts, "no verdicts"])
    ago = duration(max(0.0, time.time() - known.newest))
    return " · ".join([*parts, f"{counted(known.used, 'verdict')}, the newest {ago} ago"])


def _row(url: str, one: Holding) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Places for the counts of a benchmark and for its leader."""
    with st.container(border=True):
        left, right = st.columns([3, 7], gap="medium")
    with left:
        st.text(_name(one))
        place = st.empty()
        asked = {"benchmark": one.benchmark, "version": one.version}
        _, lead = worked_out(url).get(_at(one), ("", None))
        if isinstance(lead, Board):
            asked["judge"] = lead.judge
        st.page_link("views/leaderboard.py", label="Leaderboard", query_params=asked)
    return place, right.empty()


def draw(place: DeltaGenerator, lead: Lead | None) -> None:
    if lead is None:
        place.caption("Computing intervals …")
        return
    with place.container(gap="xsmall"):
        if isinstance(lead, str):
            st.text(lead)
        else:
            head_of(lead)


def head_of(board: Board) -> None:
    """A sentence, and the first models with their intervals."""
    excluded = ", ".join(row.model for row in board.rows if row.excluded)
    said = [f"Suspicious, excluded from the ranking: {excluded}"] if excluded else []
    who = board.who_leads(TOP)
    if not board.ranked:
        st.text(visible("\n".join([who, *said])))
        return
    metric = next(iter(board.ranked[0].metrics))
    words = metric.replace("_", " ").replace("score/", "score: ")
    st.text(visible(f"{who}\n{words}, judged by {board.judge}"))
    rows = head_rows(board, metric)
    axis = charts.axis_of(metric, rows, board.scale)
    widgets.drawing(
        partial(charts.intervals, rows, axis, widgets.ink(), line_at=charts.line_of(metric)),
        alt="The first models of the board with their intervals.",
    )
    if others := len(board.ranked) - len(rows):
        st.caption(f"and {others} more")
    widgets.notes(list(map(visible, said)))


def head_rows(board: Board, metric: str) -> pd.DataFrame:
    """The first models as they are drawn."""
    entry = registry.metric(metric)
    rows = []
    for row in board.ranked[:TOP]:
        estimate = row.metrics.get(metric, widgets.NO_ESTIMATE)
        numbers = widgets.numbers(estimate, entry.drawn_times)
        note = widgets.note(numbers, entry.drawn_digits)
        name = f"{row.rank_set}\u2002{row.model}"
        rows.append({"name": name, "tone": board_rows.tone(row), **numbers, "note": note})
    return pd.DataFrame(rows)


def _at(one: Holding) -> At:
    return one.benchmark, one.version


def _name(one: Holding) -> str:
    return joined([f"{one.benchmark}@{one.version}"])


page.show("Overview", overview)
