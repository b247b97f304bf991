"""Drawings: a dot with its interval for every number, a heat map for judges among themselves.

Names of models and judges are data under fixed field names, never part of an Altair expression,
so that no name can be read as one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import altair as alt
import pandas as pd

from judgebench.metrics import registry

Drawing: TypeAlias = alt.LayerChart | alt.FacetChart

ROW_PX = 28
AXIS_PX = 44
CELL_PX, ROOMY_PX = 42, 52
MOST_ROOMY, MOST_COUNTED = 5, 14
"""Judges whose cells have room for an interval, and for a count, on a page of 750 pixels."""
LABELS_PX = 150
GAP = "–"
"""Stands where a number is undefined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    """The Okabe-Ito hues of one theme. Shape says the same as colour, for those who need it."""

    text: str
    faint: str
    grid: str
    paper: str
    first: str
    chosen: str
    rest: str
    alarm: str
    warning: str
    notice: str


INK = {
    "light": Ink(
        text="#1F2937", faint="#6B7280", grid="#E5E7EB", paper="#FFFFFF",
        first="#0072B2", chosen="#E69F00", rest="#6B7280", alarm="#D55E00",
        warning="#FBE3D5", notice="#E8EEF4",
    ),
    "dark": Ink(
        text="#E5E7EB", faint="#9CA3AF", grid="#2B313B", paper="#14171C",
        first="#56B4E9", chosen="#E69F00", rest="#9CA3AF", alarm="#D55E00",
        warning="#55290F", notice="#27313D",
    ),
}  # fmt: skip

SHAPES = {"first": "circle", "chosen": "diamond", "rest": "circle", "alarm": "triangle-up"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What a horizontal axis measures and how its numbers are printed."""

    title: str
    short: str
    low: float
    high: float
    digits: int


def intervals(
    rows: pd.DataFrame,
    axis: Axis,
    ink: Ink,
    *,
    line_at: float | None = None,
    names_px: int = 280,
) -> Drawing:
    """A dot with a bar for each row, best first, its number and counts at the right edge.

    Parameters
    ----------
    rows
        ``name``, ``value``, ``low``, ``high`` (nan where undefined), ``note`` (text at the right
        edge) and ``tone`` (a field of `SHAPES`), in the order to draw.
    line_at
        Where chance or a draw is, marked by a line from top to bottom.
    names_px
        Room for names; the end of a longer one is cut off.
    """
    data = rows.reset_index(drop=True)
    data["place"] = data.index
    # Two rows may bear one name; the place before it keeps them apart and is not printed.
    data["row"] = [f"{place:06d}{name}" for place, name in enumerate(data["name"])]
    y = alt.Y(
        "row:N",
        sort=alt.SortField("place"),
        title=None,
        axis=alt.Axis(
            labelExpr="slice(datum.value, 6)", labelLimit=names_px, labelColor=ink.text,
            labelFontSize=13, ticks=False, domain=False, labelPadding=10, grid=True,
            gridColor=ink.grid, gridDash=[2, 3],
        ),
    )  # fmt: skip
    # Every layer says the same: Vega-Lite would join one without a scale of its own, from 0 on.
    scale = alt.Scale(domain=[axis.low, axis.high], nice=False, clamp=True)
    x = alt.X(
        "value:Q",
        title=axis.title,
        scale=scale,
        axis=alt.Axis(gridColor=ink.grid, labelColor=ink.text, titleColor=ink.faint, tickCount=7),
    )
    tone = alt.Color(
        "tone:N",
        scale=alt.Scale(domain=list(SHAPES), range=[getattr(ink, name) for name in SHAPES]),
        legend=None,
    )
    places = f".{axis.digits}f"
    tooltip = [
        alt.Tooltip("name:N", title="name"),
        alt.Tooltip("value:Q", title="estimate", format=places),
        alt.Tooltip("low:Q", title="interval from", format=places),
        alt.Tooltip("high:Q", title="to", format=places),
        alt.Tooltip("note:N", title="counts"),
    ]
    base = alt.Chart(data).encode(y=y, tooltip=tooltip)
    bars = base.mark_rule(strokeWidth=4, strokeCap="round", opacity=0.55).encode(
        x=alt.X("low:Q", title=axis.title, scale=scale), x2=alt.X2("high:Q"), color=tone
    )
    dots = base.mark_point(filled=True, size=110, opacity=1.0).encode(
        x=x,
        color=tone,
        shape=alt.Shape(
            "tone:N",
            scale=alt.Scale(domain=list(SHAPES), range=list(SHAPES.values())),
            legend=None,
        ),
    )
    notes = base.mark_text(align="left", dx=12, fontSize=13, color=ink.text).encode(
        x=alt.XValue("width"), text=alt.Text("note:N")
    )
    layers: list[Any] = [bars, dots, notes]
    if line_at is not None:
        line = alt.Chart(pd.DataFrame({"at": [line_at]})).mark_rule(color=ink.faint)
        layers.insert(0, line.encode(x=alt.X("at:Q", scale=scale)))
    return plain(alt.layer(*layers).properties(height=ROW_PX * max(1, len(data)) + AXIS_PX))


CELL = "cell"
"""What a click into a heat map is called; it has the fields ``row`` and ``column``."""


def heat_map(
    pairs: pd.DataFrame, names: list[str], ink: Ink, *, measure: str = "Cohen's kappa"
) -> Drawing:
    """How far every two judges agree, written into the cells; a dash where it is undefined.

    Parameters
    ----------
    pairs
        ``row``, ``column``, ``value``, ``text``, ``counts``, ``detail``, and where they are known
        ``ends`` (the interval) and ``chosen``; the diagonal left out.
    names
        The judges in the order to draw, the human ones first.
    measure
        Of what ``value`` is.
    """
    pairs = pd.DataFrame({"ends": "", "chosen": False} | dict(pairs.items()))
    scale = alt.Scale(
        domain=[-0.2, 0, 1], range=[ink.alarm, ink.grid, ink.first], interpolate="rgb", clamp=True
    )
    axis: dict[str, Any] = {
        "labelColor": ink.text, "labelLimit": 110, "labelFontSize": 13, "ticks": False,
        "domain": False, "grid": False, "labelPadding": 8,
    }  # fmt: skip
    base = alt.Chart(pairs).encode(
        x=alt.X(
            "column:N", sort=names, title=None,
            axis=alt.Axis(orient="top", labelAngle=-30, labelAlign="left", **axis),
        ),
        y=alt.Y("row:N", sort=names, title=None, axis=alt.Axis(**axis)),
        tooltip=[
            alt.Tooltip("row:N", title="judge"),
            alt.Tooltip("column:N", title="against"),
            alt.Tooltip("detail:N", title=measure),
        ],
    )  # fmt: skip
    picked = alt.selection_point(name=CELL, fields=["row", "column"], toggle=False)
    cells = base.mark_rect(strokeWidth=3).encode(
        stroke=alt.condition("datum.chosen", alt.value(ink.chosen), alt.value(ink.paper)),
        color=alt.condition(
            "isValid(datum.value)",
            alt.Color(
                "value:Q", scale=scale,
                legend=alt.Legend(
                    title=measure, orient="bottom", gradientLength=240,
                    values=[-0.2, 0, 0.2, 0.4, 0.6, 0.8, 1],
                    labelColor=ink.text, titleColor=ink.faint,
                ),
            ),
            alt.value(ink.paper),
        ),
    ).add_params(picked)  # fmt: skip
    on_cell = alt.condition("datum.value > 0.6", alt.value(ink.paper), alt.value(ink.text))
    # What has no room in a cell stands in the table, and where somebody points at it.
    roomy = len(names) <= MOST_ROOMY and bool((pairs["ends"] != "").any())
    values = base.mark_text(fontSize=14, dy=-11 if roomy else -5)
    layers = [cells, values.encode(text=alt.Text("text:N"), color=on_cell)]
    if len(names) <= MOST_COUNTED:
        counts = base.mark_text(fontSize=10, dy=16 if roomy else 9)
        layers.append(counts.encode(text=alt.Text("counts:N"), color=on_cell))
    if roomy:
        ends = base.mark_text(fontSize=10, dy=3).encode(text=alt.Text("ends:N"), color=on_cell)
        layers.append(ends)
    height = (ROOMY_PX if roomy else CELL_PX) * max(1, len(names)) + LABELS_PX
    # Vega leaves slanted names at the right edge a few pixels too little.
    padding = {"left": 0, "right": 12, "top": 5, "bottom": 0}
    return plain(alt.layer(*layers).properties(height=height, padding=padding))


def names_axis(ink: Ink, px: int, most_px: int) -> alt.Y:
    """Names at the left, in so many pixels, of rows that say their ``place`` before their name."""
    return alt.Y(
        "row:N",
        sort=alt.EncodingSortField("place", op="min"),
        title=None,
        axis=alt.Axis(
            labelExpr="slice(datum.value, 6)", labelLimit=most_px, labelColor=ink.text,
            labelFontSize=13, ticks=False, domain=False, labelPadding=10, grid=False,
            minExtent=px, maxExtent=px,
        ),
    )  # fmt: skip


def plain(drawing: Drawing, *, framed: bool = True) -> Drawing:
    """Streamlit's own typeface, which comes with it, also where Vega would choose another.

    It is set in place: every method of Altair that configures copies the whole drawing.
    """
    font = "Source Sans, sans-serif"
    drawing.config = alt.Config(
        font=font,
        text=alt.MarkConfig(font=font),
        axis=alt.AxisConfig(titleFontWeight="normal"),
        legend=alt.LegendConfig(titleFontWeight="normal"),
        **({} if framed else {"view": alt.ViewConfig(stroke=None)}),
    )
    return drawing


def own_scales(*channels: str) -> alt.Resolve:
    """For a drawing whose layers each have a scale of their own on these channels."""
    return alt.Resolve(scale=alt.ScaleResolveMap(**dict.fromkeys(channels, "independent")))


def text_px(texts: Iterable[str], size: int = 13) -> int:
    """About how wide the longest of some texts is drawn, so that room can be left for it."""
    return max((round(size * sum(map(_em, text))) for text in texts), default=0)


def _em(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if letter in "iljtf.,:;|!'[]() \u2002·":
        return 0.3
    return 0.6 if letter.isupper() else 0.48


DRAW = 50.0
"""The win rate, in percent, of two that are equally good."""


def number(value: float, digits: int) -> str:
    """A number with a minus sign as wide as a plus."""
    return f"{value:.{digits}f}".replace("-", "−")


def line_of(metric: str) -> float | None:
    """Where neither side wins."""
    return DRAW if metric.endswith("win_rate") else None


def axis_of(metric: str, rows: pd.DataFrame, ends: tuple[float, float] | None = None) -> Axis:
    """Rates from 0 to 100, kappa from -0.2 to 1, scores on the judge's scale.

    Anything else is as wide as its intervals. An axis is made longer rather than an interval cut.

    Parameters
    ----------
    ends
        The lowest and the highest score there can be, where the judge's scale has them.
    """
    words, entry = metric.replace("_", " ").replace("score/", "score: "), registry.metric(metric)
    drawn = pd.concat([rows["value"], rows["low"], rows["high"]]).dropna()
    least, most = (float(drawn.min()), float(drawn.max())) if len(drawn) else (0.0, 1.0)
    digits = entry.drawn_digits
    if entry.in_points:
        return Axis(title=f"{words} (%)", short=f"{words} %", low=0.0, high=100.0, digits=digits)
    if entry.axis:
        return Axis(
            title=entry.axis, short=entry.title, low=min(-0.2, least), high=1.0, digits=digits
        )
    if ends is not None and metric.startswith("score"):
        return Axis(title=words, short=words, low=ends[0], high=ends[1], digits=digits)
    margin = 0.05 * (most - least) or 0.5
    return Axis(title=words, short=words, low=least - margin, high=most + margin, digits=digits)
