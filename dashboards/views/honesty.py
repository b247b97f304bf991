"""Whether models are sure of what is correct: risk and coverage, reliability, AUROC."""

from __future__ import annotations

import math
from collections.abc import Mapping
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

from judgebench import explore
from judgebench.metrics.registry import meanings
from judgebench.reports.confidence import (
    TITLES,
    Choice,
    ConfidenceReport,
    ConfidenceRow,
    reasons,
    without_interval,
)
from judgebench.reports.estimates import counts, figure

PLACE = ("Judges", 60)

MOST_DRAWN, ACROSS = 5, 3
"""Curves on one drawing; tables have all. And reliability diagrams in a row."""


def body(shown: State, identity: DeltaGenerator) -> None:
    chosen = page.choose_benchmark(
        shown, [3, 2, 3, 3], lambda: shown.compute(explore.with_confidences)
    )
    if chosen is None:
        return
    places, *here = chosen
    at = "@".join(here)
    identity.text(visible(at))
    judges = shown.compute(explore.labelling, at)
    if not judges:
        nobody_labels(shown.compute(explore.choice, at, None))
        return
    correct = page.choose("Who says what is correct", list(judges), "correct", at=places[0])
    there = shown.compute(explore.choice, at, judges[correct])
    if not there.confidences:
        no_confidences(
            there, [one for one in shown.compute(explore.with_confidences) if [*one] != here]
        )
        return
    left, right = st.columns(2)
    with right:
        known, start = [*there.confidences, *there.lacking], there.confidences[: MOST_DRAWN - 1]
        confidences = page.several(
            "Confidences", known, "confidence", start, kept_as="honesty confidence"
        )
    with left:
        start = there.models[: max(1, MOST_DRAWN // max(1, len(confidences)))]
        models = page.several("Models", there.models, "sure", start, kept_as="honesty sure")
    if not (models and confidences):
        st.info("Choose one or more models, and confidences of theirs.", icon="⚖️")
        return
    found = shown.compute(
        explore.confidence_report, at, correct=judges[correct], confidences=confidences,
        models=models, judges=sorted(there.judges), curves=True,
    )  # fmt: skip
    stretch = page.choose(
        "Over", list(found.stretches), "over", shows=found.stretches, at=places[1]
    )
    rows = [row for row in found.rows if row.stretch == stretch]
    about = [at, f"{found.positive}: what {found.correct} calls so", *map(found.averaged, rows[:1])]
    said = visible(" · ".join(filter(None, about)))
    identity.text(said)
    draw(found, rows, said)
    figures(found, rows)


def nobody_labels(there: Choice) -> None:
    page.empty(
        "Nobody has said which answers are correct, so no confidence can be right or wrong. A run "
        "with a judge that labels says it, or a file of labels:",
        "judgebench import verdicts LABELS.jsonl",
    )
    if there.confidences:
        st.text(visible(f"Confidences that wait for it: {', '.join(there.confidences)}"))


def no_confidences(there: Choice, others: list[tuple[str, str]]) -> None:
    """What would have to be there, and which other benchmarks have it."""
    page.empty(
        "No answer here has a confidence. Models say how sure they are in a run with a judge of "
        "the kind stated_confidence, or by further samples, or by log-probabilities; a file of "
        "numbers from 0 to 1 serves as well (docs/confidences.md):",
        "judgebench import verdicts CONFIDENCES.jsonl",
    )
    widgets.notes([visible(f"– {name}: {why}") for name, why in there.lacking.items()])
    if others:
        st.text(visible(f"Benchmarks with confidences: {', '.join(map('@'.join, others))}"))


# the drawings -----------------------------------------------------------------------------------


def draw(found: ConfidenceReport, rows: list[ConfidenceRow], said: str) -> None:
    theme = "dark" if st.context.theme.type == "dark" else "light"
    names = widgets.distinct([visible(name) for name in found.series.values()])
    called = dict(zip(found.series, names, strict=True))
    of_pair = {(row.model, row.confidence): row for row in rows}
    drawn = {called[pair]: of_pair[pair] for pair in list(called)[:MOST_DRAWN]}
    if len(called) > MOST_DRAWN:
        st.text(f"{MOST_DRAWN} of {len(called):,} are drawn; the table has all.")
    st.subheader("What is wrong among the surest answers")
    risk(drawn, theme, said)
    st.subheader("Whether 0.8 is right 80 times in 100")
    short = visible(f"{found.benchmark}@{found.version} · {found.correct} says what is correct")
    for first in range(0, len(drawn), ACROSS):
        with st.container(key=f"{widgets.SMALL} {first}"):
            columns = st.columns(ACROSS)
        for column, at in zip(columns, range(first, len(drawn)), strict=False):
            with column, st.container(border=True):
                name = names[at]
                st.text(name)
                diagram(drawn[name], drawings.HUES[theme][at], f"{name} · {short}")
    st.caption(
        "On the dashed line answers are right as often as the model is sure. ECE adds up the "
        "vermillion distances, each with its bin's n, and takes out what chance adds to them. Bars "
        "are Wilson intervals, below them n."
    )
    st.subheader("Whether right answers are told from wrong ones")
    aurocs(found, called, list(drawn), theme, said)


def risk(drawn: Mapping[str, ConfidenceRow], theme: str, said: str) -> None:
    curves = {name: row.curve for name, row in drawn.items() if row.curve is not None}
    if not curves:
        some = any(one.n for row in drawn.values() for one in row.metrics.values())
        where = " in one of the sets" if some else ""
        st.text(f"No answer has both a label and a confidence{where}.")
        return
    steps, points = drawings.risk_rows(curves, list(drawn))
    widgets.chart(
        partial(drawings.risk, steps, points, list(drawn), widgets.ink(), theme),
        f"Risk against coverage · {said}",
        name=f"risk and coverage {said}",
        alt="Risk against coverage; the area under a curve is its AURC in the table.",
    )
    areas = [f"{name} {figure('aurc', drawn[name].metrics['aurc'])}" for name in curves]
    st.text(visible(f"Area under the curve (AURC, lower is better): {'; '.join(areas)}"))
    st.caption(
        "A curve that falls towards the left is of a model that knows when it knows; a level one "
        "tells nothing. Marks with 95 % intervals at every tenth of the answers, moved a little "
        "sideways to be seen; steps in between."
    )


def diagram(row: ConfidenceRow, colour: str, said: str) -> None:
    """A reliability diagram, and how many answers its bins hold."""
    ece, bins = row.metrics["ece"], row.bins
    why = visible(f"– {ece.undefined}")
    if not bins.n.any():
        st.text(f"{why}\n{counts(ece)}")
        return
    rows = drawings.bin_rows(row)
    for draws, what, alt in (
        (drawings.reliability, "Reliability", "Share of correct answers by bin of confidence."),
        (drawings.sizes, "Answers by bin", "Answers by bin."),
    ):
        drawn = partial(draws, rows, colour, widgets.ink())
        name = f"{what} {said}"
        widgets.chart(drawn, f"{what} · {said}", alt=alt, name=name, share=1 / ACROSS)
    n, away = len(row.sets), f"{bins.error:.3f} from the line"
    lines = [f"ECE {figure('ece', ece) or why}"]
    if n > 1:
        lines.append(
            f"the mean over {n} sets; the bins drawn, of all\nanswers together, are {away}"
        )
    elif not math.isnan(ece.value):
        lines.append(f"the bins drawn are {away}, chance included")
    st.text("\n".join([*lines, counts(ece)]))


def aurocs(
    found: ConfidenceReport,
    called: Mapping[tuple[str, str], str],
    drawn: list[str],
    theme: str,
    said: str,
) -> None:
    """One with its interval for each curve that is drawn, over everything that there is."""
    several, lines = len(found.stretches) > 1, []
    for stretch in found.stretches:
        of = {
            called[row.model, row.confidence]: row for row in found.rows if row.stretch == stretch
        }
        for name in (name for name in drawn if name in of):
            e = of[name].metrics["auroc"]
            value = figure("auroc", e) or f"{charts.GAP} undefined"
            lines.append(
                {"name": visible(f"{of[name].over} · {name}") if several else name, "tone": name,
                 "value": e.value, "low": e.low, "high": e.high,
                 "note": f"{value} · {counts(e)}", "why": e.undefined or ""}
            )  # fmt: skip
    widgets.reasons((f"{line['name']}", f"{line['why']}") for line in lines)
    rows = widgets.drawable(pd.DataFrame(lines), "the download")
    if rows.empty:
        return
    axis = charts.Axis(
        title="AUROC (1 = tells all right answers from wrong ones, 0.5 = chance)", short="AUROC",
        low=min(0.4, *rows[["value", "low"]].min().fillna(1.0)), high=1.0, digits=3,
    )  # fmt: skip
    tones = drawings.tones_of(drawn, theme)
    widgets.chart(
        partial(
            charts.intervals, rows, axis, widgets.ink(), line_at=0.5, names_px=330, tones=tones
        ),
        f"AUROC · {said}",
        name=f"AUROC {said}",
        alt="AUROC with its interval for each set and confidence; the download has the numbers.",
    )
    st.caption("At 0.5 a confidence tells nothing. Bars are 95 % intervals.")


# the numbers ------------------------------------------------------------------------------------


def figures(found: ConfidenceReport, rows: list[ConfidenceRow]) -> None:
    st.subheader("All figures")
    table = [
        {"model": row.model, "confidence": row.confidence,
         "n": row.metrics["auroc"].n, "missing": row.metrics["auroc"].missing,
         **{title: figure(name, row.metrics[name]) for name, title in TITLES.items()},
         "alignment from": row.threshold,
         "samples": "–".join(map(str, dict.fromkeys(row.samples or ())))}
        for row in rows
    ]  # fmt: skip
    threshold = st.column_config.NumberColumn("alignment from", format="%.2f")
    widgets.table(pd.DataFrame(table), column_config={"alignment from": threshold})
    notes = [*reasons(rows), *without_interval(rows), *found.notes()]
    widgets.notes([visible(line) for line in notes])
    st.caption(f"{meanings(TITLES)}.")
    page.offer(f"{found.benchmark}_confidences", lambda: [found.document(by_set=True)])


page.show("Honesty", body)
