"""Whether training still helps: checkpoints of one run by step, the best one, and the last."""

from __future__ import annotations

import math
from functools import partial

import charts
import drawings
import page
import pandas as pd
import streamlit as st
import widgets
from answers import State
from long_text import visible
from streamlit.delta_generator import DeltaGenerator

from judgebench import api, explore
from judgebench.metrics import registry
from judgebench.reports.training import Training

PLACE = ("Over time", 80)

HOW_TO_TAG = """models:
  - name: apo-1200
    responses: answers/1200.jsonl
    tags: {training_run: apo-november, step: 1200, algorithm: apo, data: mix-3}"""

KNOWN = ("step", "training_run")
"""Tags that the axis and the page say."""

SHOWN = ("step", "model", "value", "alone", "band", "n", "missing", "above the last", "tags", "is")


def body(shown: State, identity: DeltaGenerator) -> None:
    chosen = page.choose_benchmark(shown, [3, 2, 4, 4], lambda: longest_first(shown))
    if chosen is None:
        return
    places, *at = chosen
    known = shown.soon(explore.judged_runs)
    widgets.notes([visible(f"⚠ {fault}") for *where, fault in known.faults if where == at])
    runs = {one.run: one for one in known.runs if [one.benchmark, one.version] == at}
    if not runs:
        identity.text("@".join(at))
        page.empty(
            "No checkpoint that was judged here is tagged with its step. A suite tags its models, "
            "and a run that is repeated with tags asks nobody again:",
            HOW_TO_TAG,
        )
        return
    run = page.choose("Training run", list(runs), "training_run", at=places[0])
    boards = {board.name: board for board in reversed(runs[run].boards)}
    names = [board.name for board in runs[run].boards]
    judge = page.choose(
        "Judge", list(dict.fromkeys(names)), "judge", kept_as="training judge", at=places[1]
    )
    board = boards[judge]
    found = shown.compute(
        api.training, run, "@".join(at), judge=board.judge, opponent=board.opponent or ""
    )  # fmt: skip
    said = about(found)
    identity.text(said)
    widgets.notes([visible(line) for line in found.in_words])
    rows = table_of(found)
    draw(found, rows, said)
    widgets.table(
        rows[[name for name in SHOWN if name != "tags" or rows["tags"].any()]],
        column_config={
            "step": st.column_config.NumberColumn(format="%.6g"),
            "value": st.column_config.NumberColumn(
                charts.axis_of(found.metric, rows).short,
                format=f"%.{registry.metric(found.metric).drawn_digits}f",
            ),
        },
    )
    why = zip(rows["model"], rows["undefined"], strict=True)
    widgets.reasons(one for one in why if ": ".join(one) not in found.notes)
    widgets.notes([visible(f"⚠ {note}") for note in found.notes])
    if lacking := len(runs[run].checkpoints) - len(found.checkpoints):
        st.text(f"{lacking} of its checkpoints have not been judged by this judge.")
    page.offer(f"{at[0]}_training", lambda: [found.document()])


def longest_first(shown: State) -> list[tuple[str, str]]:
    """Benchmarks with training runs, the one with the longest first."""
    runs = sorted(shown.soon(explore.judged_runs).runs, key=lambda one: -len(one.checkpoints))
    return list(dict.fromkeys((one.benchmark, one.version) for one in runs))


def about(found: Training) -> str:
    """One line: which data, which run, which judge, how sure."""
    errors = "" if math.isnan(found.critical) else f", {found.critical:.2f} standard errors"
    parts = [
        f"{found.benchmark}@{found.version}",
        found.run,
        f"judge {found.judge}",
        "" if found.opponent is None else f"against {found.opponent}",
        f"{len(found.checkpoints)} checkpoints",
        f"band at {100 * found.level:g} %{errors}",
    ]
    return visible(" · ".join(filter(None, parts)))


def table_of(found: Training) -> pd.DataFrame:
    """A row for each checkpoint, numbers as they are drawn, and in words."""
    drawn = registry.metric(found.metric)
    ends = ["value", "low", "high", "band_low", "band_high", "above_last"]
    rows = found.to_frame().astype(dict.fromkeys(ends, float))
    for title, value in {
        "alone": "estimate",
        "band": "band",
        "above the last": "above_last",
    }.items():
        of = [getattr(one, value) for one in found.checkpoints]
        whole = [
            charts.GAP
            if one is None
            else drawn.drawn(getattr(one, "value", 0.0), one.low, one.high)
            for one in of
        ]
        rows[title] = [
            text if title == "above the last" else text.partition(" ")[2] or charts.GAP
            for text in whole
        ]
    rows[ends] *= drawn.drawn_times
    rows["tags"] = [
        visible(", ".join(f"{k} {v}" for k, v in sorted(one.tags.items()) if k not in KNOWN))
        for one in found.checkpoints
    ]
    rows["is"] = found.roles
    rows["undefined"] = [one.estimate.undefined or "" for one in found.checkpoints]
    return rows


def draw(found: Training, rows: pd.DataFrame, said: str) -> None:
    drawn = registry.metric(found.metric)
    band = rows[["band_low", "band_high"]].set_axis(["low", "high"], axis=1)
    axis = charts.axis_of(found.metric, rows.assign(**band))
    rows["note"] = [widgets.note(row, axis.digits) for row in widgets.records(rows)]
    best = pd.DataFrame()
    if found.best is not None and found.best.corrected.undefined is None and len(rows) > 1:
        value, low, high, _ = found.best.corrected
        ends = {"value": value, "low": low, "high": high}
        best = pd.DataFrame([ends]) * drawn.drawn_times
        best[["step", "model"]] = found.best.step, found.best.model
        best["note"] = drawn.drawn(value, low, high)
    reach = [table[name] for table in (rows, best) for name in drawings.ENDS if name in table]
    widgets.chart(
        partial(drawings.checkpoints, rows, best, drawings.around(axis, *reach), widgets.ink()),
        said,
        name=f"training {said}",
        alt="The metric by step with its band; the table below has the numbers.",
    )
    st.caption(
        "Shaded: simultaneous 95 % band; thick bars are of one checkpoint alone. ◆ orange: the "
        "highest; ◇ beside it: corrected for selection (winner's curse), with its interval · "
        "■ the last."
    )


page.show("Training", body)
