"""How a model went night by night: its line, what a gate says of each, and what else changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import charts
import night_reads
import pandas as pd
import planning
import reads
import streamlit as st
import timelines
import widgets
from compare_reads import meetings, n_nights
from long_text import visible
from night_reads import Drop
from streamlit.delta_generator import DeltaGenerator

from judgebench.metrics import registry
from judgebench.reports.nights import THE_FIRST, THE_ONE_BEFORE, Nights, board_test
from judgebench.reports.versions import Night

SHARES = {f"{100 * share:g}": share for share in (0.01, 0.02, 0.03, 0.05, 0.1)}
"""By how it stands in the URL: the allowed drop, in percent of the scale."""

CHOSEN = "chosen"
"""In the URL: the drop that a gate chooses where no policy states one."""

LAST = {"30": "the last 30", "60": "the last 60", "365": "the last 365"}

MOST_OTHERS = 8

HIDDEN = ["low", "high", "tone", "undefined", "said", "unpriced"]
"""Columns for drawing."""

ALWAYS = ("when", "model", "value", "interval", "n", "missing", "decision")
"""Columns that stand there even if nothing is in them."""

NIGHTLY = "judgebench run suites/nightly/suite.yaml"


def page() -> None:
    st.title("Nights")
    identity = st.empty()
    url, mark = st.session_state["store"], st.session_state["mark"]
    chosen = widgets.choose_benchmark(
        reads.benchmarks(url, mark), [3, 2, 4, 3], lambda: meetings(url, mark).telling(n_nights)
    )
    if chosen is None:
        return
    places, benchmark, version = chosen
    boards = [
        board
        for board in reads.boards(url, mark, benchmark, version)
        if board["judge_id"] is not None and board["rows"]  # a panel is in no store
    ]
    if not boards:
        identity.text(f"{benchmark}@{version}")
        widgets.empty("Nothing has been judged on this benchmark yet.", NIGHTLY)
        return
    names = widgets.distinct(reads.board_names(boards))
    with places[0]:
        most = max(range(len(boards)), key=lambda at: _n_nights(url, mark, boards[at]))
        judge = widgets.choose("Judge", names, "judge", default=names[most])
    board = boards[names.index(judge)]
    metrics = list(dict.fromkeys(name for row in board["rows"] for name in row["metrics"]))
    with places[1]:
        metric = widgets.choose("Metric", metrics, "metric")
    at = benchmark, version, board["judge_id"], board["opponent_id"]
    lines = _lines(url, mark, board)
    if not lines:
        identity.text(reads.identity(board))
        widgets.empty("No run has used a verdict of this judge yet.", NIGHTLY)
        return
    name, against, fixed, drop, most = asked(url, mark, board, lines)
    place = st.empty()
    at_once(place, board, metric, name, most, lines)
    found = night_reads.told(url, mark, at, name, against, fixed, drop, most)
    identity.text(night_reads.identity(found, board))
    if len(found.nights) < 2:
        st.text(
            "One night so far. The next begins when a run evaluates other weights, another prompt "
            "or other decoding under this name."
        )
    draw(place, found, board, metric, lines)


def _lines(url: str, mark: str, board: reads.Json) -> Mapping[str, tuple[Night, ...]]:
    at = (board[name] for name in ("benchmark", "version", "judge_id", "opponent_id"))
    return night_reads.timelines(url, mark, *at)


def _n_nights(url: str, mark: str, board: reads.Json) -> int:
    """Of the model that has most."""
    return max(map(len, _lines(url, mark, board).values()), default=0)


def asked(
    url: str, mark: str, board: reads.Json, lines: Mapping[str, Sequence[Night]]
) -> tuple[str, str, str, Drop, int]:
    """Whose nights, held against what, with which allowed drop, and how many; all in the URL."""
    benchmark, version = board["benchmark"], board["version"]
    columns = st.columns([3, 2, 2, 2, 2])
    with columns[0]:
        counts = {one: f"{one} · {len(its)}" for one, its in lines.items()}
        name = widgets.choose("Model and its nights", list(lines), "model", shows=counts)
    baselines = night_reads.baselines(url, mark, benchmark, version)
    with columns[1]:
        against = widgets.choose(
            "Held against",
            [THE_ONE_BEFORE, *baselines],
            "against",
            shows={THE_ONE_BEFORE: "the night before"}
            | {one: f"baseline {one}" for one in baselines},
        )
    with columns[2]:
        fixed = widgets.choose(
            "Fixed baseline",
            [THE_FIRST, *baselines],
            "fixed",
            shows={THE_FIRST: "the first night"} | {one: f"baseline {one}" for one in baselines},
        )
    with columns[3]:
        drop = allowed_drop(board)
    with columns[4]:
        most = widgets.choose("Nights", list(LAST), "last", shows=LAST)
    return name, against, fixed, drop, int(most)


def allowed_drop(board: reads.Json) -> Drop:
    """That of a policy at hand which tests this board, a gate's own choice, or a share."""
    policies, faults = planning.policies()
    about = board["benchmark"], board["version"], board["judge"], board["metric"]
    fitting = {file: one for file, one in policies.items() if board_test(one, *about) is not None}
    shows = {file: f"as in {file}" for file in fitting} | {CHOSEN: "as a gate without a policy"}
    shows |= {one: f"{one} % of the scale" for one in SHARES}
    picked = widgets.choose("Allowed drop", list(shows), "borne", shows=shows)
    widgets.notes([visible(f"A policy that cannot be used: {fault}") for fault in faults])
    if picked in fitting:
        return Drop(policy=fitting[picked].model_dump_json(exclude_unset=True))
    return Drop(share=SHARES.get(picked))


def at_once(
    place: DeltaGenerator,
    board: reads.Json,
    metric: str,
    name: str,
    most: int,
    lines: Mapping[str, Sequence[Night]],
) -> None:
    """The line alone: to decide many nights takes a while, and its values are there."""
    rows = pd.DataFrame(night_reads.points(lines[name][-most:], board, metric))
    rows = rows.assign(tone="", said="being decided …")
    line(place, rows, board, metric, name, lines, [], pd.DataFrame(), decided=False)


def draw(
    place: DeltaGenerator,
    found: Nights,
    board: reads.Json,
    metric: str,
    lines: Mapping[str, Sequence[Night]],
) -> None:
    """Everything, once it is decided."""
    decimals = registry.metric(found.metric).drawn_digits
    points = night_reads.points(found.nights, board, metric)
    rows = pd.DataFrame(
        [
            night_reads.row(night, point, decimals)
            for night, point in zip(found.nights, points, strict=True)
        ]
    )
    tested = found.metric
    gated = metric == tested
    rows = rows.assign(**night_reads.evidence(found, decimals))
    rows["said"] = [
        said(row) if gated or not tested else "tests another metric"
        for row in widgets.records(rows)
    ]
    changes = night_reads.changes(found)
    drawn = rows if gated else rows.assign(tone="")
    line(place, drawn, board, metric, found.name, lines, changes, drift(found))
    legend = "The gate tests another metric of this board; choose that one to see its marks."
    if gated:
        legend = (
            "● blue: pass · ▼ vermillion: regression · ◆ grey: inconclusive · + grey: not decided."
        )
    elif not tested:
        legend = "+ grey: not decided."
    st.caption(
        f"{legend} Bars and ribbon are 95 % intervals over questions, of each night alone. Thin "
        "grey lines: other models."
    )
    st.text(night_reads.policy_line(found))
    from_baselines(found, metric)
    widgets.notes([*night_reads.drift_lines(found), *night_reads.change_lines(changes)])
    spent(rows)
    table(rows, metric, registry.metric(metric).drawn_digits)
    records = widgets.records(rows.drop(columns=["said"]))
    widgets.download(
        "Download CSV", "nights.csv", night_reads.csv(found, records, metric), key="csv"
    )


def from_baselines(found: Nights, metric: str) -> None:
    """The differences to both baselines, and what all nights say together."""
    rows, called = night_reads.differences(found, metric)
    if len(rows):
        values = rows["value"]
        axis = charts.axis_of(
            metric, pd.DataFrame({"value": values, "low": values, "high": values})
        )
        widgets.chart(
            partial(
                timelines.differences,
                rows,
                called,
                replace(axis, title=f"difference, {axis.title}"),
                widgets.ink(),
            ),
            "Difference to the moving baseline (◆ grey) and to the fixed one (● blue)",
            alt="Each night's difference to both baselines; the text below says what it means.",
            name="differences by night",
        )
    widgets.notes(night_reads.slide_lines(found))


def line(
    place: DeltaGenerator,
    rows: pd.DataFrame,
    board: reads.Json,
    metric: str,
    name: str,
    lines: Mapping[str, Sequence[Night]],
    changes: Sequence[Mapping[str, Any]],
    drifted: pd.DataFrame,
    *,
    decided: bool = True,
) -> None:
    """The metric night by night, beside other names."""
    axis = charts.axis_of(metric, rows, board["scale"])
    noted = rows.assign(note=[widgets.note(row, axis.digits) for row in widgets.records(rows)])
    since = rows["when"].min().timestamp() - 1e-3  # a date has whole microseconds
    others = beside(name, board, metric, lines, since)
    ends = pd.concat([rows, others]) if len(others) else rows
    draws = partial(
        timelines.nights,
        noted,
        others,
        pd.DataFrame([{**one, "label": f"{one['what']} changed"} for one in changes]),
        drifted,
        timelines.around(axis, *(ends[name] for name in ("value", "low", "high"))),
        widgets.ink(),
    )
    alt = "The metric night by night with its interval; the table below has the numbers."
    if not decided:  # nothing to take along yet
        widgets.drawing(draws, alt=alt, place=place)
        return
    words = said_of(name, board, axis)
    with place.container():
        widgets.chart(draws, words, alt=alt, name=f"nights {words}")


def said_of(name: str, board: reads.Json, axis: charts.Axis) -> str:
    """What is drawn, in a line."""
    return visible(f"{name}, {axis.short} night by night · {reads.identity(board)}")


def said(row: Mapping[str, Any]) -> str:
    """What a gate says of a night, in words."""
    if not row["decision"]:
        return row["because"] or "not decided"
    parts = [row["decision"], row["difference"], f"p {row['p']}", row["because"]]
    return " · ".join(part for part in parts if part)


def beside(
    name: str,
    board: reads.Json,
    metric: str,
    lines: Mapping[str, Sequence[Night]],
    since: float,
) -> pd.DataFrame:
    """The other names with several nights, as far back as the one chosen goes."""
    some = [one for one, its in lines.items() if one != name and len(its) > 1][:MOST_OTHERS]
    points = [
        {"name": visible(one), **{key: point[key] for key in ("when", "value")}}
        for one in some
        for point in night_reads.points(
            [night for night in lines[one] if night.first >= since], board, metric
        )
    ]
    return pd.DataFrame(points)


def drift(found: Nights) -> pd.DataFrame:
    """From the look at which drift was called to the last night, or look."""
    judge = found.drift
    if judge is None or (begun := judge.since) is None:
        return pd.DataFrame()
    end = max(found.nights[-1].last, judge.looks[-1].at)
    return pd.DataFrame(
        [
            {
                "start": datetime.fromtimestamp(begun, UTC),
                "end": datetime.fromtimestamp(end, UTC),
                "words": visible(judge.drift_alarm or ""),
            }
        ]
    )


def spent(rows: pd.DataFrame) -> None:
    """What the nights took; nothing is drawn where no call is on record."""
    if not rows["calls"].any():
        st.text("No call is on record for these nights.")
        return
    priced = bool((rows["USD"].fillna(0) > 0).any())
    widgets.chart(
        partial(timelines.spend, rows, widgets.ink(), priced=priced),
        "What each night took",
        alt="What each night took; the table below has the numbers.",
        name="spending by night",
    )
    unpriced = int(rows["unpriced"].sum())
    if unpriced:
        st.text(f"{unpriced:,} calls have no known price and are not in the dollars.")


def table(rows: pd.DataFrame, metric: str, digits: int) -> None:
    """The newest night first."""
    lines = widgets.records(rows)
    listed = rows.assign(
        interval=[
            charts.GAP
            if pd.isna(line["low"])
            else f"[{charts.number(line['low'], digits)}, {charts.number(line['high'], digits)}]"
            for line in lines
        ]
    )
    idle = [
        one
        for one in listed
        if one not in ALWAYS and one not in HIDDEN and not listed[one].fillna(0).astype(bool).any()
    ]
    order = ["when", "model", "value", "interval", "n", "missing", "decision", "difference"]
    rest = [one for one in listed if one not in order]
    axis = charts.axis_of(metric, rows)
    widgets.table(
        listed[[*order, *rest]].drop(columns=[*HIDDEN, *idle]).iloc[::-1],
        column_config={
            "when": st.column_config.DatetimeColumn("first (UTC)", format="YYYY-MM-DD HH:mm"),
            "until": st.column_config.DatetimeColumn("last (UTC)", format="YYYY-MM-DD HH:mm"),
            "value": st.column_config.NumberColumn(axis.short, format=f"%.{digits}f"),
            "USD": st.column_config.NumberColumn("USD", format="%.4f"),
            "because": st.column_config.TextColumn("because", width="large"),
        },
    )
    reasons = [f"– {line['model']}: {line['undefined']}" for line in lines if line["undefined"]]
    widgets.notes([visible(reason) for reason in reasons])


widgets.or_say_what_is_wrong(page)
