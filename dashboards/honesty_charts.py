"""Drawings of confidences: risk against coverage, reliability diagrams, AUROCs.

A curve has its hue, its dash and its shape, so that it is known by any of them.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd
from charts import AXIS_PX, ROW_PX, Drawing, Ink, plain

HUES = {
    "light": ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#6B7280"),
    "dark": ("#56B4E9", "#E69F00", "#2DBE94", "#E29BC2", "#9CA3AF"),
}
DASHES = ([1, 0], [8, 3], [3, 3], [10, 3, 2, 3], [5, 2])
SHAPES = ("circle", "diamond", "square", "triangle-up", "triangle-down")

MOST_ROWS = 60
SIDE_PX, BARS_PX, CURVE_PX = 260, 110, 360
_LABELS_PX = 46  # both parts of a diagram leave as much room for the numbers at their left


def tones(names: list[str]) -> dict[str, str]:
    """A place among the hues for each curve that is drawn."""
    return {name: str(place) for place, name in enumerate(names)}


def hue(place: int, theme: str) -> str:
    return HUES[theme][place]


def risk(
    steps: pd.DataFrame, points: pd.DataFrame, names: list[str], ink: Ink, theme: str
) -> Drawing:
    """What is wrong among the surest answers, at every share of answers given.

    Parameters
    ----------
    steps
        ``name``, ``series`` (of `tones`), ``coverage`` and ``risk`` in percent, both ends of every
        step.
    points
        ``name``, ``coverage``, ``at`` (where it is drawn), ``risk``, ``low``, ``high``, ``note``.
    names
        Of the curves, in the order of their hues.
    """
    n = len(names)
    top = 1.06 * max(float(steps["risk"].max()), float(points["high"].max()), 1.0)
    given, wrong = "answers given, the surest first (%)", "of these wrong (%)"
    across = alt.Scale(domain=[0, 100], nice=False)
    up = alt.Scale(domain=[0, min(100.0, top)], nice=False, clamp=True)
    x = alt.X("coverage:Q", title=given, scale=across, axis=_axis(ink, 10))
    y = alt.Y("risk:Q", title=wrong, scale=up, axis=_axis(ink, 6))
    legend = alt.Legend(
        title=None, orient="top", labelColor=ink.text, labelLimit=320, symbolSize=120,
        labelFontSize=13, columns=n,
    )  # fmt: skip
    color = alt.Color(
        "name:N", scale=alt.Scale(domain=names, range=list(HUES[theme][:n])), legend=legend
    )
    # By another field than the name, whose legend shows hue and shape alone.
    dash = alt.StrokeDash(
        "series:N",
        scale=alt.Scale(domain=list(tones(names).values()), range=list(DASHES[:n])),
        legend=None,
    )
    shape = alt.Shape(
        "name:N", scale=alt.Scale(domain=names, range=list(SHAPES[:n])), legend=legend
    )
    tooltip = [
        alt.Tooltip("name:N", title="confidence"),
        alt.Tooltip("coverage:Q", title="given %", format=".0f"),
        alt.Tooltip("note:N", title="share wrong"),
    ]
    line = (
        alt.Chart(steps)
        .mark_line(strokeWidth=2, opacity=0.9)
        .encode(x=x, y=y, color=color, strokeDash=dash, order=alt.Order("coverage:Q"))
    )
    at = alt.X("at:Q", scale=across, title=given)
    base = alt.Chart(points).encode(x=at, color=color, tooltip=tooltip)
    bars = base.mark_rule(strokeWidth=3, opacity=0.5, strokeCap="round").encode(
        y=alt.Y("low:Q", title=wrong, scale=up), y2=alt.Y2("high:Q")
    )
    dots = base.mark_point(filled=True, size=55, opacity=1.0).encode(y=y, shape=shape)
    return plain(alt.layer(line, bars, dots).properties(height=CURVE_PX))


def reliability(bins: pd.DataFrame, colour: str, ink: Ink) -> Drawing:
    """Share of correct answers in each bin of confidence, with its interval, and the diagonal.

    Parameters
    ----------
    bins
        ``from``, ``to``, ``n``, ``confidence``, ``accuracy``, ``low``, ``high`` (none where a bin
        is empty), ``bin`` and ``note``.
    """
    x = alt.X("confidence:Q", title=None, scale=_UNIT, axis=_axis(ink, 6, labels=False))
    y = alt.Y("accuracy:Q", title="share correct", scale=_UNIT, axis=_axis(ink, 6, wide=True))
    diagonal = alt.Chart(pd.DataFrame({"at": [0.0, 1.0]})).mark_line(
        color=ink.faint, strokeDash=[4, 3], strokeWidth=1.5
    )
    base = alt.Chart(bins[bins["n"] > 0]).encode(x=x, tooltip=_OF_BINS)
    # From the diagonal to the point: what the error adds up, each with the weight of its bin.
    gap = base.mark_rule(color=ink.alarm, strokeWidth=1.5).encode(
        y=alt.Y("confidence:Q", title="share correct", scale=_UNIT), y2=alt.Y2("accuracy:Q")
    )
    bars = base.mark_rule(color=colour, strokeWidth=4, opacity=0.45, strokeCap="round").encode(
        y=alt.Y("low:Q", title="share correct", scale=_UNIT), y2=alt.Y2("high:Q")
    )
    dots = base.mark_point(filled=True, size=90, opacity=1.0, color=colour).encode(y=y)
    drawn = alt.layer(
        diagonal.encode(
            x=alt.X("at:Q", title=None, scale=_UNIT),
            y=alt.Y("at:Q", title="share correct", scale=_UNIT),
        ),
        bars, gap, dots,
    )  # fmt: skip
    return plain(drawn.properties(height=SIDE_PX))


def sizes(bins: pd.DataFrame, colour: str, ink: Ink) -> Drawing:
    """How many answers are in each bin; drawn below a reliability diagram."""
    x = alt.X("from:Q", title="confidence", scale=_UNIT, axis=_axis(ink, 6))
    base = alt.Chart(bins).encode(x=x, tooltip=_OF_BINS)
    bars = base.mark_bar(color=colour, opacity=0.55, stroke=ink.paper).encode(
        x2=alt.X2("to:Q"),
        y=alt.Y("n:Q", title="n", scale=alt.Scale(zero=True), axis=_axis(ink, 3, wide=True)),
        y2=alt.Y2Datum(0),
    )
    return plain(bars.properties(height=BARS_PX))


def aurocs(rows: pd.DataFrame, ink: Ink, theme: str) -> Drawing:
    """A mark with its interval for each row, and a line where confidences tell nothing.

    Parameters
    ----------
    rows
        ``name``, ``value``, ``low``, ``high`` (nan where undefined), ``note``, ``why`` (it is
        undefined), ``tone`` (of `tones`), in the order to draw.
    """
    data = rows.head(MOST_ROWS).reset_index(drop=True)
    data["place"] = data.index
    data["row"] = [f"{place:06d}{name}" for place, name in enumerate(data["name"])]
    least = min(0.4, *(float(end) for end in data[["value", "low"]].min().fillna(1.0)))
    scale = alt.Scale(domain=[least, 1.0], nice=False, clamp=True)
    title = "AUROC (1 = tells all right answers from wrong ones, 0.5 = chance)"
    y = alt.Y(
        "row:N",
        sort=alt.SortField("place"),
        title=None,
        axis=alt.Axis(
            labelExpr="slice(datum.value, 6)", labelLimit=330, labelColor=ink.text,
            labelFontSize=13, ticks=False, domain=False, labelPadding=10, grid=True,
            gridColor=ink.grid, gridDash=[2, 3],
        ),
    )  # fmt: skip
    places = [str(place) for place in range(len(SHAPES))]
    color = alt.Color(
        "tone:N", scale=alt.Scale(domain=places, range=list(HUES[theme])), legend=None
    )
    shape = alt.Shape("tone:N", scale=alt.Scale(domain=places, range=list(SHAPES)), legend=None)
    tooltip = [
        alt.Tooltip("name:N", title="confidence"),
        alt.Tooltip("note:N", title="AUROC"),
        alt.Tooltip("why:N", title="undefined because"),
    ]
    base = alt.Chart(data).encode(y=y, tooltip=tooltip)
    chance = alt.Chart(pd.DataFrame({"at": [0.5]})).mark_rule(color=ink.faint, strokeWidth=1.5)
    layers: list[Any] = [
        chance.encode(x=alt.X("at:Q", scale=scale, title=title)),
        base.mark_rule(strokeWidth=4, strokeCap="round", opacity=0.55).encode(
            x=alt.X("low:Q", scale=scale, title=title), x2=alt.X2("high:Q"), color=color
        ),
        base.mark_point(filled=True, size=110, opacity=1.0).encode(
            x=alt.X("value:Q", scale=scale, title=title, axis=_axis(ink, 7)),
            color=color,
            shape=shape,
        ),
        base.mark_text(align="left", dx=12, fontSize=13, color=ink.text).encode(
            x=alt.XValue("width"), text=alt.Text("note:N")
        ),
    ]
    return plain(alt.layer(*layers).properties(height=ROW_PX * max(1, len(data)) + AXIS_PX))


_UNIT = alt.Scale(domain=[0, 1], nice=False)
_OF_BINS = [
    alt.Tooltip("bin:N", title="confidence in"),
    alt.Tooltip("confidence:Q", title="mean confidence", format=".3f"),
    alt.Tooltip("note:N", title="share"),
]


def _axis(ink: Ink, ticks: int, *, labels: bool = True, wide: bool = False) -> alt.Axis:
    room = {"minExtent": _LABELS_PX, "maxExtent": _LABELS_PX} if wide else {}
    return alt.Axis(
        gridColor=ink.grid, labelColor=ink.text, titleColor=ink.faint, tickCount=ticks,
        labels=labels, **room,
    )  # fmt: skip
