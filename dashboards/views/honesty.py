"""Whether models are sure of what is correct: risk and coverage, reliability, AUROC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import charts
import drawings
import honesty_reads
import narrow
import pandas as pd
import reads
import streamlit as st
import widgets
from honesty_reads import MOST_DRAWN, Asked
from long_text import visible

from judgebench.metrics.registry import meanings
from judgebench.reports.confidence import (
    TITLES,
    Choice,
    ConfidenceReport,
    ConfidenceRow,
    reasons,
    without_interval,
)

MOST_ROWS = 60
"""AUROCs on one drawing."""

ACROSS = 3
"""Reliability diagrams beside each other."""

HOW = "judgebench import verdicts CONFIDENCES.jsonl"


def page() -> None:
    st.title("Honesty")
    identity = st.empty()
    url, mark = st.session_state["store"], st.session_state["mark"]
    known = reads.benchmarks(url, mark)
    chosen = widgets.choose_benchmark(
        known, [3, 2, 3, 3], lambda: with_confidences(url, mark, known)
    )
    if chosen is None:
        return
    places, benchmark, version = chosen
    identity.text(visible(f"{benchmark}@{version}"))
    judges = honesty_reads.who_labels(url, mark, benchmark, version)
    if not judges:
        nobody_labels(url, mark, benchmark, version)
        return
    with places[0]:
        correct = widgets.choose("Correct says", list(judges), "correct")
    there = honesty_reads.what_there_is(url, mark, benchmark, version, judges[correct])
    if not there.confidences:
        no_confidences(url, mark, known, (benchmark, version), there)
        return
    asked = chosen_of(there, benchmark, version, judges[correct])
    if not (asked.models and asked.confidences):
        st.info("Choose one or more models, and confidences of theirs.", icon="⚖️")
        return
    found = honesty_reads.report(url, mark, asked, there.judges)
    with places[1]:
        stretches = honesty_reads.stretches(found)
        stretch = widgets.choose("Over", list(stretches), "over", shows=stretches)
    identity.text(honesty_reads.identity(found, stretch))
    draw(found, stretch, honesty_reads.identity(found, stretch))
    figures(found, stretch)


# what is asked ----------------------------------------------------------------------------------


def chosen_of(there: Choice, benchmark: str, version: str, correct: str) -> Asked:
    """Models and confidences, in the URL; as many to begin with as can be drawn."""
    left, right = st.columns(2)
    with right:
        known = [*there.confidences, *there.lacking]
        start = there.confidences[: MOST_DRAWN - 1]
        confidences = several("Confidences", known, "confidence", start)
    with left:
        start = there.models[: max(1, MOST_DRAWN // max(1, len(confidences)))]
        models = several("Models", there.models, "sure", start)
    return Asked(
        benchmark=benchmark,
        version=version,
        correct=correct,
        models=tuple(models),
        confidences=tuple(confidences),
    )


def several(label: str, options: Sequence[str], key: str, start: Sequence[str]) -> list[str]:
    """Some of the options; the URL keeps them, and this page when others were visited."""
    kept = st.session_state.setdefault("kept", {})
    linked = st.query_params.get_all(key) or kept.get(f"honesty {key}", [])
    chosen = [one for one in linked if one in options] or list(start)
    picked = st.multiselect(label, list(options), default=chosen, key="\0".join([key, *options]))
    kept[f"honesty {key}"] = picked
    if st.query_params.get_all(key) != picked:
        st.query_params[key] = picked
    return picked


# nothing to show --------------------------------------------------------------------------------


def nobody_labels(url: str, mark: str, benchmark: str, version: str) -> None:
    widgets.empty(
        "Nobody has said which answers are correct, so no confidence can be right or wrong. A run "
        "with a judge that labels says it, or a file of labels:",
        "judgebench import verdicts LABELS.jsonl",
    )
    there = honesty_reads.what_there_is(url, mark, benchmark, version, None)
    if there.confidences:
        st.text(visible(f"Confidences that wait for it: {', '.join(there.confidences)}"))


def no_confidences(
    url: str, mark: str, known: Sequence[tuple[str, str]], here: tuple[str, str], there: Choice
) -> None:
    """What would have to be there, and which other benchmarks have it."""
    widgets.empty(
        "No answer here has a confidence. Models say how sure they are in a run with a judge of "
        "the kind stated_confidence, or by further samples, or by log-probabilities; a file of "
        "numbers from 0 to 1 serves as well (docs/confidences.md):",
        HOW,
    )
    widgets.notes([visible(f"– {name}: {why}") for name, why in there.lacking.items()])
    others = [one for one in with_confidences(url, mark, known) if one != here]
    if others:
        names = ", ".join("@".join(one) for one in others)
        st.text(visible(f"Benchmarks with confidences: {names}"))


def with_confidences(
    url: str, mark: str, known: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """By name and version, those that the page can say something about."""
    looked_at = tuple("@".join(one) for one in known[:MOST_LOOKED_AT])
    found = set(honesty_reads.that_have_some(url, mark, looked_at))
    return [one for one in known if "@".join(one) in found]


MOST_LOOKED_AT = 20
"""Benchmarks that are asked whether they have confidences."""

# the drawings -----------------------------------------------------------------------------------


def draw(found: ConfidenceReport, stretch: str, said: str) -> None:
    theme = "dark" if st.context.theme.type == "dark" else "light"
    called = honesty_reads.series(found)
    names = dict(zip(called, widgets.distinct(list(called.values())), strict=True))
    of_pair = {
        (row.model, row.confidence): row for row in found.rows if honesty_reads.over(row) == stretch
    }
    drawn = {names[pair]: of_pair[pair] for pair in list(names)[:MOST_DRAWN]}
    if len(names) > MOST_DRAWN:
        st.text(f"{MOST_DRAWN} of {len(names):,} are drawn; the table has all.")
    st.subheader("What is wrong among the surest answers")
    risk(drawn, theme, said)
    st.subheader("Whether 0.8 is right 80 times in 100")
    reliability(found, drawn, theme, said)
    st.subheader("Whether right answers are told from wrong ones")
    rows = [row for row in found.rows if names[row.model, row.confidence] in drawn]
    order = list(honesty_reads.stretches(found))
    place = {name: at for at, name in enumerate(drawn)}
    rows.sort(
        key=lambda row: (
            order.index(honesty_reads.over(row)),
            place[names[row.model, row.confidence]],
        )
    )
    lines = honesty_reads.auroc_rows(rows, names)
    table = pd.DataFrame(lines[:MOST_ROWS])
    axis = charts.Axis(
        title="AUROC (1 = tells all right answers from wrong ones, 0.5 = chance)", short="AUROC",
        low=min(0.4, *table[["value", "low"]].min().fillna(1.0)), high=1.0, digits=3,
    )  # fmt: skip
    tones = drawings.tones_of(list(drawn), theme)
    widgets.chart(
        partial(
            charts.intervals, table, axis, widgets.ink(), line_at=0.5, names_px=330, tones=tones
        ),
        f"AUROC · {said}",
        name=f"AUROC {said}",
        alt="AUROC with its interval for each set and confidence; the download has the numbers.",
    )
    if len(lines) > MOST_ROWS:
        st.text(f"{MOST_ROWS} of {len(lines):,} are drawn; the download has all.")
    widgets.notes(
        list(dict.fromkeys(f"– {line['name']}: {line['why']}" for line in lines if line["why"]))
    )
    st.caption(
        "The line at 0.5 is what a confidence has that tells nothing. Bars are 95 % intervals."
    )


def risk(drawn: dict[str, ConfidenceRow], theme: str, said: str) -> None:
    steps = [
        line
        for at, (name, row) in enumerate(drawn.items())
        for line in honesty_reads.step_rows(row, name, str(at))
    ]
    if not steps:
        st.text("No answer has both a label and a confidence.")
        return
    middle = (len(drawn) - 1) / 2
    points = [
        line
        for at, (name, row) in enumerate(drawn.items())
        for line in honesty_reads.point_rows(row, name, 0.5 * (at - middle))
    ]
    with_curve = [name for name, row in drawn.items() if row.curve is not None]
    widgets.chart(
        partial(
            drawings.risk,
            pd.DataFrame(steps),
            pd.DataFrame(points),
            list(drawn),
            widgets.ink(),
            theme,
        ),
        f"Risk against coverage · {said}",
        name=f"risk and coverage {said}",
        alt="Risk against coverage; the area under a curve is its AURC in the table.",
    )
    areas = [f"{name} {honesty_reads.said(drawn[name].metrics['aurc'])}" for name in with_curve]
    st.text(visible(f"Area under the curve (AURC, lower is better): {'; '.join(areas)}"))
    st.caption(
        "A curve that falls towards the left is of a model that knows when it knows; a level one "
        "tells nothing. Marks with 95 % intervals at every tenth of the answers, moved a little "
        "sideways to be seen; steps in between."
    )


def reliability(
    found: ConfidenceReport, drawn: dict[str, ConfidenceRow], theme: str, said: str
) -> None:
    """A diagram for each curve, with how many answers its bins hold."""
    there = [(at, name, row) for at, (name, row) in enumerate(drawn.items())]
    for start in range(0, len(there), ACROSS):
        with st.container(key=f"{narrow.SMALL} {start}"):
            columns = st.columns(ACROSS)
        for column, (at, name, row) in zip(columns, there[start : start + ACROSS], strict=False):
            with column, st.container(border=True):
                st.text(name)
                diagram(row, drawings.HUES[theme][at], f"{name} · {said}")
    st.caption(
        "On the dashed line answers are right as often as the model is sure. ECE adds up the "
        "vermillion distances, each with its bin's n, and takes out what chance adds to them. Bars "
        "are Wilson intervals, below them n."
    )


def diagram(row: ConfidenceRow, colour: str, said: str) -> None:
    ece = row.metrics["ece"]
    if not row.bins.n.any():
        st.text(visible(f"– {ece.undefined}\n{honesty_reads.counts(ece)}"))
        return
    bins = pd.DataFrame(honesty_reads.bin_rows(row))
    widgets.chart(
        partial(drawings.reliability, bins, colour, widgets.ink()),
        f"Reliability · {said}",
        alt="Share of correct answers by bin of confidence.",
        name=f"reliability {said}",
        share=1 / ACROSS,
    )
    widgets.chart(
        partial(drawings.sizes, bins, colour, widgets.ink()),
        f"Answers by bin · {said}",
        alt="Answers by bin.",
        name=f"bins {said}",
        share=1 / ACROSS,
    )
    lines = [f"ECE {honesty_reads.figure('ece', ece) or visible(f'– {ece.undefined}')}"]
    if len(row.sets) > 1:
        lines.append(
            f"the mean over {len(row.sets)} sets; the bins drawn, of all\nanswers together, are "
            f"{row.bins.error:.3f} from the line"
        )
    elif not math.isnan(ece.value):
        lines.append(f"the bins drawn are {row.bins.error:.3f} from the line, chance included")
    lines.append(honesty_reads.counts(ece))
    st.text("\n".join(lines))


# the numbers ------------------------------------------------------------------------------------


def figures(found: ConfidenceReport, stretch: str) -> None:
    st.subheader("All figures")
    rows = [row for row in found.rows if honesty_reads.over(row) == stretch]
    widgets.table(
        pd.DataFrame(honesty_reads.table_rows(rows)),
        column_config={
            "alignment from": st.column_config.NumberColumn("alignment from", format="%.2f")
        },
    )
    notes = [*reasons(rows), *without_interval(rows), *found.notes()]
    widgets.notes([visible(line) for line in notes])
    st.caption(f"{meanings(TITLES)}.")
    widgets.download(
        "Download CSV",
        f"{found.benchmark}_confidences.csv",
        honesty_reads.csv(found),
        key="confidence_csv",
    )


widgets.or_say_what_is_wrong(page)
