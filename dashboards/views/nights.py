"""How a model went night by night: its line, what a gate says of each, and what else changed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import board_rows
import charts
import drawings
import page
import pandas as pd
import planning
import streamlit as st
import widgets
from answers import State
from long_text import visible
from night_parts import Drawn, csv_of, differences, draw_line, rows_of
from streamlit.delta_generator import DeltaGenerator

from judgebench import api, explore
from judgebench.metrics.registry import metric as entry
from judgebench.reports.board import Board
from judgebench.reports.nights import THE_FIRST, THE_ONE_BEFORE, Nights, board_test
from judgebench.store.store import Store

PLACE = ("Over time", 70)

SHARES = {f"{100 * share:g}": share for share in (0.01, 0.02, 0.03, 0.05, 0.1)}
"""By how it stands in the URL: the allowed drop, in percent of the scale."""

CHOSEN = "chosen"
"""In the URL: the drop that a gate chooses where no policy states one."""

LAST = {"30": "the last 30", "60": "the last 60", "365": "the last 365"}

SHOWN = (
    "when", "model", "value", "interval", "n", "missing", "decision", "difference", "against", "p",
    "because", "became", "changed", "served by", "runs", "until", "calls", "USD", "from fixed",
    "e-value",
)  # fmt: skip
"""The columns of the table; `ALWAYS` even if nothing is in them."""

ALWAYS = ("when", "model", "value", "interval", "n", "missing", "decision")

NIGHTLY = "judgebench run suites/nightly/suite.yaml"


def body(shown: State, identity: DeltaGenerator) -> None:
    chosen = page.choose_benchmark(
        shown, [3, 2, 4, 3], lambda: shown.soon(explore.met).telling(explore.n_nights)
    )
    if chosen is None:
        return
    places, *at = chosen
    met = shown.soon(explore.met).on(*at)
    if met:  # read while the board is computed, which most likely has begun
        of_most = max(met, key=lambda one: explore.n_nights(met[one]))
        shown.soon(explore.nights_of, *at, *of_most)
    known = [
        board
        for board in shown.compute(explore.boards, *at).boards
        if board.judge_id is not None and board.rows  # a panel is in no store
    ]
    if not known:
        identity.text("@".join(at))
        page.empty("Nothing has been judged on this benchmark yet.", NIGHTLY)
        return
    names = board_rows.names_of(known)
    versions = [explore.n_nights(met.get((one.judge_id, one.opponent_id), ())) for one in known]
    most = names[versions.index(max(versions))]
    judge = page.choose("Judge", names, "judge", default=most, at=places[0])
    board = known[names.index(judge)]
    metrics = list(dict.fromkeys(name for row in board.rows for name in row.metrics))
    metric = page.choose("Metric", metrics, "metric", at=places[1])
    by_name = shown.soon(explore.nights_of, *at, board.judge_id, board.opponent_id)
    drawn = Drawn(board=board, metric=metric, lines=by_name)
    if not drawn.lines:
        identity.text(visible(board_rows.identity(board)))
        page.empty("No run has used a verdict of this judge yet.", NIGHTLY)
        return
    name, asked = chosen_of(shown, drawn)
    place = st.empty()
    # To decide many nights takes a while, and their values are there.
    early = drawn.points(drawn.lines[name][-asked["newest"] :])
    draw_line(place, early.assign(tone="", said="being decided …"), drawn, name, None)
    assert board.judge_id is not None
    found = shown.compute(
        api.nights, name, "@".join(at), judge=board.judge_id, opponent=board.opponent_id or "",
        **asked,
    )  # fmt: skip
    identity.text(about(found, board))
    if len(found.nights) < 2:
        st.text(
            "One night so far. The next begins when a run evaluates other weights, another prompt "
            "or other decoding under this name."
        )
    everything(place, found, drawn)


def chosen_of(shown: State, drawn: Drawn) -> tuple[str, dict[str, Any]]:
    """Whose nights, held against what, with which allowed drop, and how many; all in the URL."""
    board, columns = drawn.board, st.columns([5, 4, 4, 6, 3])
    counts = {one: f"{one} · {len(its)}" for one, its in drawn.lines.items()}
    name = page.choose(
        "Model and its nights", list(drawn.lines), "model", shows=counts, at=columns[0]
    )
    ever = shown.read(Store.baselines, board.benchmark, board.version)
    named = {one.name: f"baseline {one.name}" for one in ever}
    shows = {THE_ONE_BEFORE: "the night before", **named}
    against = page.choose("Held against", list(shows), "against", shows=shows, at=columns[1])
    shows = {THE_FIRST: "the first night", **named}
    fixed = page.choose("Fixed baseline", list(shows), "fixed", shows=shows, at=columns[2])
    with columns[3]:
        drop = allowed_drop(board)
    most = int(page.choose("Nights", list(LAST), "last", shows=LAST, at=columns[4]))
    return name, {"against": against, "fixed": fixed, "newest": most, **drop}


def allowed_drop(board: Board) -> dict[str, Any]:
    """That of a policy at hand which tests this board, a gate's own choice, or a share."""
    policies, faults = planning.policies()
    about = board.benchmark, board.version, board.judge, board.metric or ""
    fitting = {file: one for file, one in policies.items() if board_test(one, *about) is not None}
    shows = {file: f"as in {file}" for file in fitting} | {CHOSEN: "as a gate without a policy"}
    shows |= {one: f"{one} % of the scale" for one in SHARES}
    picked = page.choose("Allowed drop", list(shows), "borne", shows=shows)
    widgets.notes([visible(f"A policy that cannot be used: {fault}") for fault in faults])
    if picked in fitting:
        return {"policy": fitting[picked].model_dump(exclude_unset=True)}
    return {"max_drop": SHARES.get(picked)}


def about(found: Nights, board: Board) -> str:
    """One line: which data, whose nights, which judge, served by whom."""
    served, n = ", ".join(board.served_models), len(found.nights)
    parts = [
        f"{found.benchmark}@{found.version}",
        found.name,
        f"judge {found.judge}",
        "" if found.opponent is None else f"against {found.opponent}",
        board.judge_is,
        f"served by {served}" if served else "",
        f"{n} nights" if n != 1 else "1 night",
    ]
    return visible(" · ".join(filter(None, parts)))


# the drawings -----------------------------------------------------------------------------------


def everything(place: DeltaGenerator, found: Nights, drawn: Drawn) -> None:
    """Everything, once it is decided."""
    rows = rows_of(found, drawn)
    draw_line(place, rows, drawn, found.name, found)
    legend = "The gate tests another metric of this board; choose that one to see its marks."
    if drawn.metric == found.metric:
        legend = (
            "● blue: pass · ▼ vermillion: regression · ◆ grey: inconclusive · ✚ grey: not decided."
        )
    elif not found.metric:
        legend = "✚ grey: not decided."
    st.caption(
        f"{legend} Bars and ribbon are 95 % intervals over questions, of each night alone. Thin "
        "grey lines: other models."
    )
    st.text(visible(found.decided_by))
    from_baselines(found, drawn.metric)
    widgets.notes([visible(line) for line in found.beside])
    spent(rows)
    table(rows, drawn)
    with st.container(horizontal=True):  # as a CSV the metric that is drawn, night by night
        widgets.download("Download CSV", "nights.csv", csv_of(found, rows, drawn.metric), key="csv")
        page.offer("nights", lambda: [found.document()], forms=("md", "latex", "json", "html"))


def from_baselines(found: Nights, metric: str) -> None:
    """The differences to both baselines, and what all nights say together."""
    rows, called = differences(found, metric)
    if len(rows):
        ends = rows.assign(low=rows["value"], high=rows["value"])
        unit = " (points)" if entry(metric).in_points else ""
        axis = replace(charts.axis_of(metric, ends), title=f"difference{unit}")
        widgets.chart(
            partial(drawings.differences, rows, called, axis, widgets.ink()),
            "Difference to the moving baseline (◆ grey) and to the fixed one (● blue)",
            alt="Each night's difference to both baselines; the text below says what it means.",
            name="differences by night",
        )
    widgets.notes([visible(found.slide_line)] if found.slide_line else [])


def spent(rows: pd.DataFrame) -> None:
    """What the nights took; nothing is drawn where no call is on record."""
    if not rows["calls"].any():
        st.text("No call is on record for these nights.")
        return
    priced = bool((rows["USD"].fillna(0) > 0).any())
    widgets.chart(
        partial(drawings.spend, rows, widgets.ink(), priced=priced),
        "What each night took",
        alt="What each night took; the table below has the numbers.",
        name="spending by night",
    )
    if unpriced := int(rows["unpriced"].sum()):
        st.text(f"{unpriced:,} calls have no known price and are not in the dollars.")


def table(rows: pd.DataFrame, drawn: Drawn) -> None:
    """The newest night first; columns in which nothing stands are left out."""
    some = [one for one in SHOWN if one in ALWAYS or rows[one].fillna(0).astype(bool).any()]
    column = st.column_config
    digits = entry(drawn.metric).drawn_digits
    widgets.table(
        rows[some].iloc[::-1],
        column_config={
            "when": column.DatetimeColumn("first (UTC)", format="YYYY-MM-DD HH:mm"),
            "until": column.DatetimeColumn("last (UTC)", format="YYYY-MM-DD HH:mm"),
            "value": column.NumberColumn(
                charts.axis_of(drawn.metric, rows).short, format=f"%.{digits}f"
            ),
            "USD": column.NumberColumn("USD", format="%.4f"),
            "because": column.TextColumn("because", width="large"),
        },
    )
    widgets.reasons(zip(rows["model"], rows["undefined"], strict=True))


page.show("Nights", body)
