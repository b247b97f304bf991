"""Who leads, by how much, and how sure that is: one board at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import charts
import pandas as pd
import reads
import shown
import streamlit as st

ALWAYS = ("rank", "model", "value", "low", "high", "n", "missing", "unreadable", "tone")
"""Columns that stand there even if all is zero; the others come when they have something to say."""

SAID = ("items", "verdicts")
"""Counts that stand above the table, and that n says."""

COUNTS = {
    "n_wins": "won", "n_losses": "lost", "n_ties": "tied", "half": "in one order only",
    "judge_truncated": "judge cut off", "judge_refused": "judge refused",
}  # fmt: skip
"""How counts are headed where their names do not say it."""


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
    names = shown.distinct(reads.board_names(boards))
    with places[0]:
        judge = shown.choose("Judge", names, "judge")
    board = boards[names.index(judge)]
    identity.text(reads.identity(board))
    if not board["rows"]:
        shown.notes([f"⚠ {warning}" for warning in board["warnings"]])
        return
    metrics = list(dict.fromkeys(name for row in board["rows"] for name in row["metrics"]))
    with places[1]:
        metric = shown.choose("Metric", metrics, "metric")

    rows = table(board, metric)
    axis = charts.axis_of(metric, rows, board["scale"])
    shown.chart(
        charts.intervals(drawn(rows, axis), axis, shown.ink(), line_at=charts.line_of(metric)),
        f"{axis.title} with 95 % intervals · {reads.identity(board)}",
        alt="The models' estimates with their intervals; the table below has the numbers.",
    )
    st.caption(
        "● blue: may be first (its rank interval holds 1) · ● grey: behind ·"
        " ▲ vermillion: too much is missing. Bars are 95 % intervals over questions."
    )
    quiet = [tone == "alarm" for tone in rows["tone"]]
    idle = [name for name in rows if name not in ALWAYS and not rows[name].astype(bool).any()]
    picked = shown.table(
        shown.greyed(rows.drop(columns=["tone", *idle]), quiet, axis.digits, shown.ink()),
        column_config=shown.columns_of(axis),
        on_select="rerun",
        selection_mode="multi-row",
        key="\0".join(["rows", benchmark, version, judge]),
    )
    compare([board["rows"][at]["model_id"] for at in picked["selection"]["rows"]], board)
    shown.notes([*(f"⚠ {warning}" for warning in board["warnings"]), *board["notes"]])
    shown.download("Download CSV", f"{benchmark}.csv", board["csv"], key="csv")


def compare(models: Sequence[str], board: reads.Json) -> None:
    """A way to the comparison of the rows chosen, the first with the others."""
    if len(models) < 2:
        st.caption("Choose two rows or more to compare them.")
        return
    asked = {
        "first": models[0],
        "second": list(models[1:]),
        "benchmark": f"{board['benchmark']}@{board['version']}",
    }
    st.page_link("views/compare.py", label="Compare the rows chosen", query_params=asked)


def table(board: reads.Json, metric: str) -> pd.DataFrame:
    """One row for each model, in the order of the report."""
    counted = dict.fromkeys(name for row in board["rows"] for name in row["counts"])
    names = [name for name in counted if name not in SAID]
    return pd.DataFrame([_row(row, metric, names) for row in board["rows"]])


def _row(row: reads.Json, metric: str, counted: Sequence[str]) -> dict[str, Any]:
    scale = charts.scale_of(metric)
    estimate = row["metrics"].get(metric, reads.NO_ESTIMATE)
    numbers = shown.numbers(estimate, scale)
    undefined = numbers.pop("undefined")
    counts = row["counts"]
    return {
        "rank": reads.rank_text(row),
        "model": row["model"],
        **numbers,
        "flags": ", ".join(row["flags"]),
        "worst case": shown.worst_case(estimate, scale, charts.digits_of(metric)),
        **{COUNTS.get(name, name.replace("_", " ")): counts.get(name, 0) for name in counted},
        "undefined": undefined,
        "tone": tone(row),
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
