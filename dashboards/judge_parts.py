"""Judges among each other on a page: every two of them, and two of them beside each other."""

from __future__ import annotations

import math
from dataclasses import asdict
from functools import partial

import charts
import compare_charts
import drawings
import page
import pandas as pd
import streamlit as st
import widgets
from charts import GAP
from long_text import visible

from judgebench.reports.judge_pairs import JudgeMatrix, TwoJudges

MEASURES = {"cohen_kappa": "Cohen's kappa", "spearman": "Spearman of the models' means"}
LENIENT = {
    "label": "How much more often it gives the positive label",
    "preference": "How much more often it lets the model win, a tie counting half",
    "score": "How much higher it scores",
}
SIDES = {"lenient": "first", "strict": "second", "neither": "rest"}
"""The tone of `compare_charts.SHAPES` for each side."""

MAP = "judges among themselves"
"""The key of the heat map that is clicked into."""


# every two of them ------------------------------------------------------------------------------


def matrix_rows(found: JudgeMatrix, chosen: tuple[str, ...]) -> pd.DataFrame:
    """Every two judges as `heat_map` draws them; ``said`` is the number with its interval."""
    rows = []
    for row in found.rows:
        line = widgets.numbers(estimate := row.metrics[found.metric], 1.0)
        said = widgets.in_brackets(estimate)
        text, _, ends = (said or GAP).partition(" ")
        rows.append(
            {"row": row.judge, "column": row.reference, "text": text, "ends": ends, "said": said,
             "counts": f"n {line['n']:,}", "detail": widgets.note(line, 2),
             "chosen": {row.judge, row.reference} == set(chosen), **line}
        )  # fmt: skip
    return pd.DataFrame(rows)


def heat_map(matrix: JudgeMatrix) -> None:
    """What `among_judges` draws, before it is known which two are looked at."""
    st.subheader("Judges among themselves, pooled")
    measure, rows = MEASURES[matrix.metric], matrix_rows(matrix, ())
    if not rows.empty:
        names, ink = list(matrix.judges), widgets.ink()
        drawn = partial(drawings.heat_map, rows, names, ink, measure=measure)
        widgets.drawing(drawn, alt=f"{measure} of every two judges.")


def among_judges(matrix: JudgeMatrix, chosen: tuple[str, str], place: str, share: float) -> None:
    """The heat map, whose cells can be clicked, and every pair with its interval in a table."""
    st.subheader("Judges among themselves, pooled")
    measure, rows = MEASURES[matrix.metric], matrix_rows(matrix, chosen)
    if rows.empty:
        st.text("No two judges have judged the same answers.")
        return
    names, ink = list(matrix.judges), widgets.ink()
    widgets.chart(
        partial(drawings.heat_map, rows, names, ink, measure=measure),
        visible(f"{measure} of every two judges, pooled · {place}"),
        name=f"judges among themselves {place}",
        share=share,
        alt=f"{measure} of every two judges; the table below has the numbers.",
        on_select=cell_clicked,
        key=MAP,
    )
    untold = "Point at a cell for its number. " * (len(names) > drawings.MOST_TOLD)
    st.caption(
        f"{untold}A click on a cell, or the boxes above, choose the two judges that follow below."
    )
    with st.expander("Every two judges"):
        titles = {"row": "judge", "column": "and", "said": measure, "n": "n", "missing": "missing"}
        widgets.table(rows[[*titles]].rename(columns=titles))
    pairs = rows["row"] + " × " + rows["column"]
    widgets.reasons(zip(pairs, rows["undefined"], strict=True))


def cell_clicked() -> None:
    """The two judges of a cell are those of the boxes; a click beside all cells changes nothing."""
    picked = st.session_state[MAP]["selection"].get(drawings.CELL) or []
    if picked:
        st.query_params.update({"shown": picked[0]["row"], "reference": picked[0]["column"]})
        st.query_params.pop("item", None)
        page.forget("shown", "reference")


# two of them ------------------------------------------------------------------------------------


def two_judges(found: TwoJudges, place: str) -> None:
    """What one calls what, and by how much it is the more lenient one, model by model."""
    st.subheader("The two judges chosen")
    two = visible(found.judge), visible(found.reference)
    with st.container(key=f"{widgets.WIDE} of two"):
        left, right = st.columns([2, 3], gap="medium")
    with left:
        said = f"{two[0]} (columns) and {two[1]} (rows)"
        st.text(f"{said}: counts of answers")
        if found.cells:
            confusion(found, two, f"{said}, counts of answers · {place}")
        else:
            st.text("Scores on a scale without ends, or on several, have no table.")
    with right:
        said = f"How much more lenient {two[0]} is than {two[1]}"
        st.text(said)
        leniency(found, two, f"{said} · {place}")


def confusion(found: TwoJudges, two: tuple[str, str], said: str) -> None:
    cells = confusion_rows(found)
    widgets.chart(
        partial(drawings.confusion, cells, widgets.ink(), two),
        said,
        alt="How many answers each of the two called what; the table below has the counts.",
        name=f"confusion {two[0]} {two[1]}",
        share=0.4,
    )
    st.caption("Shares are of what the reference called so; so is the shade.")
    columns = list(dict.fromkeys(cells["judge"]))
    counts = cells.groupby("reference", sort=False)["count"].apply(list)
    rows = [[truly, *its] for truly, its in counts.items()]
    table = pd.DataFrame(rows, columns=widgets.distinct(["reference", *columns]))
    if len(columns) > drawings.MOST_WRITTEN:
        with st.expander("The same as a table"):
            widgets.table(table)
    else:
        widgets.table(table)


def leniency(found: TwoJudges, two: tuple[str, str], said: str) -> None:
    rows, points = leniency_rows(found), found.unit == "points"
    end = 1.08 * float(rows[["value", "low", "high"]].abs().max().max())
    axis = charts.Axis(
        title="points of the scale" if points else "percentage points", short="leniency",
        low=-end if end > 0 else -1.0, high=end if end > 0 else 1.0, digits=2 if points else 1,
    )  # fmt: skip
    drawn = widgets.drawable(rows)
    room = compare_charts.Room.of(drawn, tally=False)
    says = "is more lenient"
    widgets.chart(
        partial(compare_charts.forest, drawn, axis, widgets.ink(), two, room, says=says),
        said,
        alt="Leniency with its interval, a row for each model.",
        name=f"leniency {two[0]} {two[1]}",
        share=0.6,
    )
    st.caption(
        f"{LENIENT[found.kind]}, on the same answers; every question of a model counts once. "
        "▲ blue: more lenient · ▼ orange: stricter · ● grey: the 95 % interval over questions "
        "reaches over zero."
    )
    with st.expander("Leniency as a table"):
        titles = {"name": "model", "leniency": "leniency", "n": "n", "missing": "missing",
                  "undefined": "undefined because"}  # fmt: skip
        widgets.table(rows[[*titles]].rename(columns=titles))


def confusion_rows(found: TwoJudges) -> pd.DataFrame:
    """What one says where the other says what, as `confusion` draws it."""
    rows = pd.DataFrame([asdict(cell) for cell in found.cells])
    rows["text"] = [f"{count:,}" for count in rows["count"]]
    rows["percent"] = ["" if math.isnan(one) else f"{100 * one:.0f} %" for one in rows["share"]]
    n = rows.groupby("reference")["count"].transform("sum")
    rows["note"] = [
        f"{count} of {of:,} that the reference calls so: {percent}"
        for count, of, percent in zip(rows["text"], n, rows["percent"], strict=True)
    ]
    return rows


def leniency_rows(found: TwoJudges) -> pd.DataFrame:
    """By how much one is the more lenient, as `compare_charts.forest` draws it."""
    points = found.unit == "points"
    rows = []
    for one in found.leniency:
        line = widgets.numbers(one.estimate, 1.0 if points else 100.0)
        ends = widgets.signed_interval(line, 2 if points else 1)
        said = ends if line["low"] == line["low"] else f"{ends.partition(' ')[0]} [no interval]"
        name, note = visible(one.name), widgets.with_counts(line, said)
        rows.append(
            {"name": name, "test": name, "tone": SIDES[one.side], "note": note,
             "leniency": note.partition(" · ")[0], **line}
        )  # fmt: skip
    return pd.DataFrame(rows)
