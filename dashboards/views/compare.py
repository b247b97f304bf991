"""Whether one model is better than others, on what, and which items decided it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import compare_charts
import item_pairs
import numpy as np
import page
import pagination
import pandas as pd
import streamlit as st
import widgets
from answers import State
from item_parts import Names, joined
from long_text import visible
from streamlit.delta_generator import DeltaGenerator

from judgebench import api, explore
from judgebench.errors import UsageError
from judgebench.reports.compare import COMPARISON_METRICS, DIRECTLY, Comparison, Difference

PLACE = ("Results", 30)

ALL = ""  # in the URL: no choice was made
GROUPINGS = {ALL: "whole benchmarks", "category": "category", "language": "language"}

HIDDEN = ["value", "low", "high", "name", "test", "tone", "undefined", "because", "note"]
"""Columns for drawing."""

Reports: TypeAlias = Mapping[str, Comparison]
"""By the id of whom the first model is compared with."""


def compare(shown: State, identity: DeltaGenerator) -> None:
    known = shown.soon(explore.met)
    if len(known.models) < 2:
        page.empty("Two models are needed that were judged on one benchmark.")
        return
    first, seconds, asked = chosen(known)
    if not seconds:
        st.info("Choose one or more models to compare the first one with.", icon="⚖️")
    found = {}
    for second in seconds:
        names = known.models[first], known.models[second]
        try:
            report = shown.compute(api.compare, first, second, **asked)
        except UsageError as error:
            said = f"{error}".replace(first, names[0]).replace(second, names[1])
            st.text(visible(f"{' and '.join(names)}: {said}"))
        else:
            found[second] = called_by(report, {first: names[0], second: names[1]})
    if not found:
        return
    rows = compare_charts.rows_of(tests_of(found), several=len(found) > 1)
    said = summary(found)
    identity.text(said)
    draw(found, rows, said)
    table(found, rows)
    page.offer("comparison", lambda: [report.document() for report in found.values()])
    items(shown, known, first, found, rows)


# what is asked ----------------------------------------------------------------------------------


def chosen(known: explore.Meetings) -> tuple[str, list[str], dict[str, Any]]:
    """Models by id and what they are compared on, all of it in the URL."""
    top = st.columns([3, 5, 3])
    ids = known.newest_first()
    page.named_in_url(known.models, "first", "second")
    start = next((known.models[one] for one in ids if known.beside(one)), None)
    by_name = {known.models[one]: one for one in ids}
    first = by_name[page.choose("First", list(by_name), "first", default=start, at=top[0])]
    others = {known.models[one]: one for one in known.beside(first)}
    picked = page.several("Compared with", list(others), "second", list(others)[:1], at=top[1])
    seconds = [others[name] for name in picked]
    shared = known.shared(first, seconds)
    benchmarks = explore.benchmarks_of(shared)
    page.named_in_url({"@".join(pair): short for short, pair in benchmarks.items()}, "benchmark")
    benchmark = page.optional(
        "Benchmark",
        benchmarks,
        "benchmark",
        "all they have in common",
        kept_as="compare benchmark",
        at=top[2],
    )
    below = st.columns([3, 3, 2, 3])
    judges = {
        known.judges[one.judge.id]: one.judge.id
        for one in shared
        if benchmark == ALL or benchmarks[benchmark] == (one.benchmark, one.version)
    }
    judge = page.optional(
        "Judge", judges, "judge", "every judge", kept_as="compare judge", at=below[0]
    )
    metric = page.optional(
        "Metric",
        COMPARISON_METRICS,
        "metric",
        "those of boards",
        kept_as="compare metric",
        at=below[1],
    )
    ways = list(dict.fromkeys([*GROUPINGS, st.query_params.get("by", ALL)]))
    by = page.choose("By", ways, "by", shows=GROUPINGS, at=below[2])
    return (
        first,
        seconds,
        {
            "benchmarks": ["@".join(benchmarks[benchmark])] if benchmark else [],
            "judges": [judges[judge]] if judge else [],
            "metrics": [metric] if metric else [],
            "by": by or None,
        },
    )


def called_by(report: Comparison, names: Mapping[str, str]) -> Comparison:
    """Two models as the page calls them; no word of benchmarks that one of them was never on."""
    notes = []
    for note in report.notes:
        for one, name in names.items():
            note = note.replace(f"'{one}'", f"'{name}'")
        notes += [note] * (": no model called '" not in note)
    first, second = names.values()
    return replace(report, candidate=first, baseline=second, notes=tuple(notes))


# the numbers ------------------------------------------------------------------------------------


def tests_of(found: Reports) -> list[Difference]:
    return [test for report in found.values() for test in report.tests]


def summary(found: Reports) -> str:
    """One line: who is compared with whom, on how much, and what came of it."""
    tests, reports = tests_of(found), list(found.values())
    benchmarks, judges = {test.place for test in tests}, {test.judge for test in tests}
    verdicts = "; ".join(f"against {report.baseline}: {report.verdict}" for report in reports)
    return joined(
        [
            f"{reports[0].candidate} {verdicts}",
            f"{len(benchmarks)} benchmark{'s' * (len(benchmarks) > 1)}",
            f"{len(judges)} judge{'s' * (len(judges) > 1)}",
            f"intervals at {100 * reports[0].level:g} %",
        ]
    )


def draw(found: Reports, rows: pd.DataFrame, said: str) -> None:
    """A forest for each metric, since their units differ, and beside it how the items fell."""
    tests, reports = tests_of(found), list(found.values())
    seconds = [report.baseline for report in reports]
    other = seconds[0] if len(found) == 1 else "the other"
    two = visible(reports[0].candidate), visible(other)
    room = compare_charts.Room.of(rows)
    places, judges = {test.place for test in tests}, {(t.judge, t.opponent) for t in tests}
    about = [*places, f"judge {tests[0].judge}" * (len(judges) == 1)] if len(places) == 1 else []
    for name in dict.fromkeys(compare_charts.of_metric(test).name for test in tests):
        some = rows[[compare_charts.of_metric(test).name == name for test in tests]]
        drawn = widgets.drawable(some)
        if drawn.empty:
            continue
        axis = compare_charts.axis_of(name, drawn)
        widgets.chart(
            partial(compare_charts.forest, drawn, axis, widgets.ink(), two, room),
            joined([f"Difference of {axis.short}", *about]) + f" · {said}",
            alt=f"Differences of {axis.short} with their intervals, and on how many items the "
            "first is better, equal, worse; the table below has the numbers.",
            name=" ".join([f"comparison {reports[0].candidate}", *seconds, name]),
        )
    st.caption(
        "▲ blue: the first is better · ▼ orange: it is worse · ● grey: undecided. The "
        "decision uses the p value adjusted over all rows of a pair, and the interval is at its "
        "level (Holm)." + f" {DIRECTLY.capitalize()}." * any(test.direct for test in tests)
    )


def table(found: Reports, rows: pd.DataFrame) -> None:
    """The same numbers, and what has to be known to believe them."""
    config = {
        name: st.column_config.NumberColumn(name, format="%.2f")
        for name in ("first", "second", "detectable")
    }
    idle = [] if len(found) > 1 else ["against"]
    widgets.table(rows.drop(columns=[*HIDDEN, *idle]), column_config=config)
    named = list(zip(rows["test"], tests_of(found), strict=True))
    widgets.reasons(
        (name, one)
        for name, test in named
        for one in dict.fromkeys([*test.remarks, test.difference.undefined or ""])
    )
    notes = dict.fromkeys(note for one in found.values() for note in one.notes)
    widgets.notes([visible(note) for note in notes])
    passes = [(name, test.gate_words) for name, test in named]
    if gates := [visible(f"{name}: {words}") for name, words in passes if words is not None]:
        with st.expander("How often a gate would pass an unchanged model"):
            widgets.notes(gates)
            st.caption(
                "Unchanged: the two models' verdicts exchanged at random, item by item. One model "
                "asked twice can differ less, by up to √2, and pass more often. Of each row alone."
            )


# the items that decided -------------------------------------------------------------------------


def items(
    shown: State, known: explore.Meetings, first: str, found: Reports, rows: pd.DataFrame
) -> None:
    """Of one row of the table, the items by how much they decided, and one of them in full."""
    st.subheader("Items that decided it")
    of = [(second, test) for second, report in found.items() for test in report.tests]
    by_name = dict(zip(widgets.distinct(list(rows["test"])), of, strict=True))
    second, test = by_name[page.choose("Of which row", list(by_name), "test")]
    flips = test.most_telling(len(test.flips))
    if not flips:
        st.text("There is no item on which the two differ.")
    scale = compare_charts.of_metric(test).drawn_times
    parts = {"difference": "difference", "first": "candidate", "second": "baseline"}
    number = st.column_config.NumberColumn
    told = pagination.walk(
        shown,
        (test.benchmark, test.version),
        flips.items,
        lambda some: {
            name: np.multiply(getattr(flips[some], part), scale).tolist()
            for name, part in parts.items()
        },
        otherwise="the two do not differ on it",
        key=f"ranking {test.benchmark} {test.judge} {test.metric}",
        config={
            "difference": number(format="%+.4g"),
            "first": number(visible(test.candidate), format="%.4g"),
            "second": number(visible(test.baseline), format="%.4g"),
        },
    )
    if told is not None:
        item_pairs.show(shown, told, (first, second), Names(known.models, known.judges))


page.show("Compare", compare)
