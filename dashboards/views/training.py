"""Whether training still helps: checkpoints of one run by step, the best one, and the last."""

from __future__ import annotations

import math
from functools import partial

import charts
import drawings
import pandas as pd
import streamlit as st
import training_reads
import widgets
from long_text import visible
from reads import benchmarks

from judgebench.metrics import registry
from judgebench.reports.training import Training

HOW_TO_TAG = """models:
  - name: apo-1200
    responses: answers/1200.jsonl
    tags: {training_run: apo-november, step: 1200, algorithm: apo, data: mix-3}"""

HIDDEN = ["low", "high", "band low", "band high", "above low", "above high", "undefined"]
"""Columns for drawing."""


def page() -> None:
    st.title("Training")
    identity = st.empty()
    url, mark = st.session_state["store"], st.session_state["mark"]
    there = benchmarks(url, mark)
    chosen = widgets.choose_benchmark(
        there, [3, 2, 4, 4], lambda: training_reads.most_checkpoints(url, mark, there)
    )
    if chosen is None:
        return
    places, benchmark, version = chosen
    known = training_reads.known(url, mark, benchmark, version)
    widgets.notes([visible(f"⚠ {fault}") for fault in known.faults])
    if not known.runs:
        identity.text(f"{benchmark}@{version}")
        widgets.empty(
            "No checkpoint that was judged here is tagged with its step. A suite tags its models, "
            "and a run that is repeated with tags asks nobody again:",
            HOW_TO_TAG,
        )
        return
    with places[0]:
        run = widgets.choose("Training run", list(known.runs), "training_run")
    boards = known.boards[run]
    with places[1]:
        judge = widgets.choose("Judge", list(boards), "judge", kept_as="training judge")
    told = training_reads.report(url, mark, benchmark, version, run, boards[judge])
    identity.text(training_reads.identity(told))
    widgets.notes(training_reads.sentences(told))
    draw(told)
    table(told)
    widgets.notes([visible(f"⚠ {note}") for note in told.notes])
    lacking = len(known.runs[run]) - len(told.checkpoints)
    if lacking:
        st.text(f"{lacking} of its checkpoints have not been judged by this judge.")
    widgets.download(
        "Download CSV", f"{benchmark}_training.csv", training_reads.csv(told), key="csv"
    )


def draw(told: Training) -> None:
    rows = pd.DataFrame([training_reads.row(told, one) for one in told.checkpoints])
    drawn = rows.rename(columns={"band low": "from", "band high": "to"})[["value", "from", "to"]]
    axis = charts.axis_of(told.metric, drawn.rename(columns={"from": "low", "to": "high"}))
    rows["note"] = [widgets.note(row, axis.digits) for row in widgets.records(rows)]
    best = corrected(told, axis)
    ends = pd.concat([rows, best]) if len(best) else rows
    said = training_reads.identity(told)
    widgets.chart(
        partial(
            drawings.checkpoints,
            rows.rename(columns=lambda name: name.replace(" ", "_")).replace({"is": {"other": ""}}),
            best,
            drawings.around(
                axis, *(ends[name] for name in ("value", "low", "high", "band low", "band high"))
            ),
            widgets.ink(),
        ),
        said,
        name=f"training {said}",
        alt="The metric by step with its band; the table below has the numbers.",
    )
    st.caption(
        "Shaded: simultaneous 95 % band; thick bars are of one checkpoint alone. ◆ orange: the "
        "highest; ◇ beside it: corrected for selection (winner's curse), with its interval · "
        "■ the last."
    )


def corrected(told: Training, axis: charts.Axis) -> pd.DataFrame:
    """The best one's corrected figure; nothing where there is none, or nothing to pick from."""
    best, scale = told.best, registry.metric(told.metric).drawn_times
    if best is None or math.isnan(best.corrected.value) or len(told.checkpoints) < 2:
        return pd.DataFrame()
    value, low, high = (end * scale for end in best.corrected[:3])
    words = [charts.number(end, axis.digits) for end in (value, low, high)]
    row = {
        "step": best.step,
        "model": best.model,
        "value": value,
        "low": low,
        "high": high,
        "note": "{} [{}, {}]".format(*words),
    }
    return pd.DataFrame([row])


def table(told: Training) -> None:
    lines = [training_reads.row(told, one) for one in told.checkpoints]
    rows = pd.DataFrame(lines)
    digits = registry.metric(told.metric).drawn_digits
    for at, title, low, high in (
        (3, "alone", "low", "high"),
        (4, "band", "band low", "band high"),
    ):
        rows.insert(at, title, [ends(line[low], line[high], digits) for line in lines])
    rows["above the last"] = [
        charts.GAP
        if math.isnan(line["above the last"])
        else f"{charts.number(line['above the last'], digits)} "
        f"{ends(line['above low'], line['above high'], digits)}"
        for line in lines
    ]
    reasons = [f"– {line['model']}: {line['undefined']}" for line in lines if line["undefined"]]
    rows["is"] = rows["is"].replace("other", "")
    idle = ["tags"] if not rows["tags"].any() else []
    axis = charts.axis_of(told.metric, pd.DataFrame({"value": [], "low": [], "high": []}))
    widgets.table(
        rows.drop(columns=[*HIDDEN, *idle]),
        column_config={
            "step": st.column_config.NumberColumn(format="%.6g"),
            "value": st.column_config.NumberColumn(axis.short, format=f"%.{digits}f"),
        },
    )
    widgets.notes([visible(reason) for reason in reasons])


def ends(low: float, high: float, digits: int) -> str:
    if math.isnan(low) or math.isnan(high):
        return charts.GAP
    return f"[{charts.number(low, digits)}, {charts.number(high, digits)}]"


widgets.or_say_what_is_wrong(page)
