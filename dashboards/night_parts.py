"""The nights of a model as they are drawn and tabled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import board_rows
import charts
import drawings
import pandas as pd
import widgets
from charts import GAP
from long_text import visible
from streamlit.delta_generator import DeltaGenerator

from judgebench.metrics.registry import metric as entry
from judgebench.reports.board import Board
from judgebench.reports.document import Document
from judgebench.reports.estimates import p_text
from judgebench.reports.nights import Nights
from judgebench.reports.render import render
from judgebench.reports.versions import Night


def when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


MOST_OTHERS = 8
"""Names whose lines stand beside that of the one chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A metric of a board, and the nights of every name on it."""

    board: Board
    metric: str
    lines: Mapping[str, Sequence[Night]]

    def points(self, its: Sequence[Night]) -> pd.DataFrame:
        """Of each night when it was and what the board says of its model."""
        rows, scale = {row.model_id: row for row in self.board.rows}, entry(self.metric).drawn_times
        found = []
        for night in its:
            row = rows.get(night.model_id)
            estimate = None if row is None else row.metrics.get(self.metric)
            found.append(
                {"when": when(night.first), "model": night.model if row is None else row.model,
                 **widgets.numbers(estimate or widgets.NO_ESTIMATE, scale)}
            )  # fmt: skip
        return pd.DataFrame(found)

    def beside(self, name: str, since: float) -> pd.DataFrame:
        """The other names with several nights, as far back as the one chosen goes."""
        some = [one for one, its in self.lines.items() if one != name and len(its) > 1]
        tables = [
            self.points([night for night in self.lines[one] if night.first >= since]).assign(
                name=visible(one)
            )
            for one in some[:MOST_OTHERS]
        ]
        drawn = [table[["name", "when", "value"]] for table in tables if "when" in table]
        return pd.concat(drawn, ignore_index=True) if drawn else pd.DataFrame()


def draw_line(
    place: DeltaGenerator, rows: pd.DataFrame, drawn: Drawn, name: str, found: Nights | None
) -> None:
    """The metric night by night, beside other names; nothing to take along before it is decided."""
    axis = charts.axis_of(drawn.metric, rows, drawn.board.scale)
    noted = rows.assign(note=[widgets.note(row, axis.digits) for row in widgets.records(rows)])
    others = drawn.beside(name, rows["when"].min().timestamp() - 1e-3)  # whole microseconds
    reach = [table[end] for table in (rows, others) for end in drawings.ENDS if end in table]
    changes = [
        {
            "when": when(at),
            "label": "judge replaced" if what == "replaced" else f"{what} changed",
            "words": visible(words),
        }
        for at, what, words in (() if found is None else found.changes)
    ]
    draws = partial(
        drawings.nights,
        noted,
        others,
        pd.DataFrame(changes),
        drift(found),
        drawings.around(axis, *reach),
        widgets.ink(),
    )
    alt = "The metric night by night with its interval; the table below has the numbers."
    if found is None:
        widgets.drawing(draws, alt=alt, place=place)
        return
    about = board_rows.identity(drawn.board)
    words = visible(f"{name}, {axis.short} night by night · {about}")
    with place.container():
        widgets.chart(draws, words, alt=alt, name=f"nights {words}")


def drift(found: Nights | None) -> pd.DataFrame:
    """From the look at which drift was called to the last night, or look."""
    judge = None if found is None else found.drift
    if found is None or judge is None or judge.since is None:
        return pd.DataFrame()
    end = when(max(found.nights[-1].last, judge.last.at))
    words = visible(judge.drift_alarm or "")
    return pd.DataFrame([{"start": when(judge.since), "end": end, "words": words}])


def rows_of(found: Nights, drawn: Drawn) -> pd.DataFrame:
    """A row for each night: what is tabled, and what is drawn alone."""
    rows = drawn.points(found.nights)
    metric, tested = entry(drawn.metric), entry(found.metric)
    rows["interval"] = [
        metric.drawn(0.0, low / metric.drawn_times, high / metric.drawn_times).partition(" ")[2]
        or GAP
        for low, high in zip(rows["low"], rows["high"], strict=True)
    ]
    more = []
    for night in found.nights:
        d, cost, slide = night.difference, night.spent.known_cost, night.slide
        more.append(
            {"decision": night.decision or "",
             "difference": "" if d is None else tested.drawn(d.value, d.low, d.high, signed=True),
             "against": night.against or "",
             "p": "" if night.p_value is None else p_text(night.p_value),
             "because": visible(night.because or ""),
             "became": ", ".join(night.became),
             "changed": ", ".join(night.changed),
             "served by": ", ".join(night.served),
             "runs": len(night.runs),
             "until": when(night.last),
             "calls": sum(night.spent.calls[how] for how in ("live", "batch", "wasted")),
             "USD": math.nan if cost is None else cost,
             "from fixed": ""
             if slide is None or math.isnan(slide.difference)
             else tested.drawn(slide.difference, signed=True),
             "e-value": math.nan if slide is None else slide.e_value,
             "unpriced": night.spent.unpriced}
        )  # fmt: skip
    rows = pd.concat([rows, pd.DataFrame(more)], axis=1)
    gated = drawn.metric == found.metric
    rows["tone"] = rows["decision"] if gated else ""
    rows["said"] = [
        _said(row) if gated or not found.metric else "tests another metric"
        for row in widgets.records(rows)
    ]
    return rows


def _said(row: Mapping[str, str]) -> str:
    """What a gate says of a night, in words."""
    if not row["decision"]:
        return row["because"] or "not decided"
    parts = [row["decision"], row["difference"], f"p {row['p']}", row["because"]]
    return " · ".join(filter(None, parts))


def differences(found: Nights, metric: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As `drawings.differences` draws them; empty for a metric that the gate does not test."""
    scale, slide = entry(metric).drawn_times, found.slide
    if metric != found.metric:
        return pd.DataFrame(), pd.DataFrame()
    rows = []
    for night in found.nights:
        sides = []
        if night.difference is not None and night.against is not None:
            sides.append(("moving", night.difference.value, night.against))
        if slide is not None and night.slide is not None:
            sides.append(("fixed", night.slide.difference, slide.baseline))
        rows += [
            {"when": when(night.first), "model": night.model, "value": value * scale,
             "from": side, "words": visible(words)}
            for side, value, words in sides
            if not math.isnan(value)
        ]  # fmt: skip
    called = []
    if slide is not None and slide.outcome == "slide" and slide.called_s is not None:
        first = found.nights[0].first
        label = "slide called" if slide.called_s >= first else "slide called before"
        at, words = when(max(slide.called_s, first)), visible(slide.in_words)
        called.append({"when": at, "label": label, "words": words})
    return pd.DataFrame(rows), pd.DataFrame(called)


def csv_of(found: Nights, rows: pd.DataFrame, metric: str) -> str:
    """The table with what every row has in common, numbers as they are."""
    shared = {name: getattr(found, name) for name in ("benchmark", "version", "judge", "name")}
    shared["metric"] = metric
    given = widgets.records(rows.drop(columns=["tone", "said", "interval"]))
    records = [shared | {name: _plain(value) for name, value in row.items()} for row in given]
    return render(Document(tables=[], records=records, data=records), "csv")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return None if isinstance(value, float) and math.isnan(value) else value
