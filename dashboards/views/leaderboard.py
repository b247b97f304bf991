"""Who leads, by how much, and how sure that is: one board at a time."""

from __future__ import annotations

from typing import Any

import charts
import pandas as pd
import reads
import shown
import streamlit as st

ALWAYS = ("rank", "model", "value", "low", "high", "n", "missing", "unreadable", "tone")
"""Columns that stand there even if all is zero; the others come when they have something to say."""


def page() -> None:
    st.title("Leaderboard")
    identity = st.empty()
    url, mark = st.session_state["store"], st.session_state["mark"]
    chosen = shown.choose_benchmark(reads.benchmarks(url, mark), [3, 2, 4, 3])
    if chosen is None:
        return
    places, benchmark, version = chosen
    boards = reads.boards(url, mark, benchmark, version)
    if not boards:
        identity.text(f"{benchmark}@{version}")
        shown.empty("Nothing has been judged on this benchmark yet.", shown.FIRST_STEPS)
        return
    names = shown.distinct([board["judge"] for board in boards])
    with places[0]:
        judge = shown.choose("Judge", names, "judge")
    board = boards[names.index(judge)]
    metrics = list(dict.fromkeys(name for row in board["rows"] for name in row["metrics"]))
    with places[1]:
        metric = shown.choose("Metric", metrics, "metric")
    identity.text(reads.identity(board))

    rows = table(board, metric)
    axis = charts.axis_of(metric, rows)
    st.altair_chart(
        charts.intervals(drawn(rows, axis), axis, shown.ink()),
        theme=None,
        alt="The models' estimates with their intervals; the table below has the numbers.",
    )
    st.caption(
        "● blue: may be first (its rank interval holds 1) · ● grey: behind ·"
        " ▲ vermillion: too much is missing. Bars are 95 % intervals over questions."
    )
    quiet = [tone == "alarm" for tone in rows["tone"]]
    idle = [name for name in rows if name not in ALWAYS and not rows[name].astype(bool).any()]
    shown.table(
        shown.greyed(rows.drop(columns=["tone", *idle]), quiet, axis.digits, shown.ink()),
        column_config=shown.columns_of(axis),
    )
    shown.notes([f"⚠ {warning}" for warning in board["warnings"]])
    shown.download("Download CSV", f"{benchmark}.csv", board["csv"], key="csv")


def table(board: reads.Json, metric: str) -> pd.DataFrame:
    """One row for each model, in the order of the report."""
    scale = charts.scale_of(metric)
    return pd.DataFrame([_row(row, metric, scale) for row in board["rows"]])


def _row(row: reads.Json, metric: str, scale: float) -> dict[str, Any]:
    estimate = row["metrics"].get(metric, reads.NO_ESTIMATE)
    numbers = shown.numbers(estimate, scale)
    undefined = numbers.pop("undefined")
    counts = {
        name.replace("_", " "): count
        for name, count in row["counts"].items()
        if name not in ("items", "verdicts")  # said above the table, and by n
    }
    return {
        "rank": reads.rank_text(row),
        "model": row["model"],
        **numbers,
        "worst case": shown.worst_case(estimate, scale),
        **counts,
        "flags": ", ".join(row["flags"]),
        "undefined": undefined,
        "tone": "alarm"
        if "coverage" in row["flags"]
        else "first"
        if row["rank_low"] == 1
        else "rest",
    }


def tone(row: reads.Json) -> str:
    """How the row is drawn: a field of `charts.SHAPES`."""
    if "coverage" in row["flags"]:
        return "alarm"
    return "first" if row["rank_low"] == 1 else "rest"


def drawn(rows: pd.DataFrame, axis: charts.Axis) -> pd.DataFrame:
    """The rows as drawn: rank and name at the left, number and counts at the right."""
    return rows.assign(
        name=rows["rank"] + "\u2002" + rows["model"],
        note=[shown.note(row, axis.digits) for row in shown.records(rows)],
    )


shown.or_say_what_is_wrong(page)
