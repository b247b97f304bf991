"""Drawings: a dot with its interval for every number; and what all drawings share.

Names of models and judges are data under fixed field names, never part of an Altair expression,
so that no name can be read as one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import altair as alt
import pandas as pd

from judgebench.metrics import registry

Drawing: TypeAlias = alt.LayerChart | alt.FacetChart

ROW_PX = 28
AXIS_PX = 44
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


# marks ------------------------------------------------------------------------------------------

Tones: TypeAlias = Mapping[str, tuple[str, str]]
"""By a word the hue and the shape that say the same."""


def quiet(ink: Ink, **more: Any) -> alt.Axis:
    """An axis in the inks of a theme."""
    return alt.Axis(gridColor=ink.grid, labelColor=ink.text, titleColor=ink.faint, **more)


def bounded(axis: Axis) -> alt.Scale:
    """As far as an axis says. Every layer needs it: Vega-Lite would join one without, from 0 on."""
    return alt.Scale(domain=[axis.low, axis.high], nice=False, clamp=True)


def up(field: str, axis: Axis, ink: Ink, **more: Any) -> alt.Y:
    return alt.Y(f"{field}:Q", title=axis.title, scale=bounded(axis), axis=quiet(ink, **more))


def tips(*said: tuple[str, ...]) -> list[alt.Tooltip]:
    """What is read by pointing at a mark: field, title and maybe a format each."""
    return [
        alt.Tooltip(field, **dict(zip(("title", "format"), words, strict=False)))
        for field, *words in said
    ]


def by(range_: Mapping[str, Any], legend: alt.Legend | None = None) -> dict[str, Any]:
    """A channel that gives each word its hue, its shape or its dash."""
    scale = alt.Scale(domain=list(range_), range=list(range_.values()))
    return {"scale": scale, "legend": legend}


def toned(field: str, tones: Tones, legend: alt.Legend | None = None) -> dict[str, Any]:
    """Hue and shape of one field."""
    hues, shapes = ({word: both[part] for word, both in tones.items()} for part in (0, 1))
    return {
        "color": alt.Color(field, **by(hues, legend)),
        "shape": alt.Shape(field, **by(shapes, legend)),
    }


def inked(tones: Tones, ink: Ink) -> dict[str, tuple[str, str]]:
    """Tones whose hues are those of a theme, by its fields."""
    return {word: (getattr(ink, hue), shape) for word, (hue, shape) in tones.items()}


def intervals(
    rows: pd.DataFrame,
    axis: Axis,
    ink: Ink,
    *,
    line_at: float | None = None,
    names_px: int = 280,
    tones: Tones | None = None,
) -> Drawing:
    """A dot with a bar for each row, best first, its number and counts at the right edge.

    Parameters
    ----------
    rows
        ``name``, ``value``, ``low``, ``high`` (nan where undefined), ``note`` (text at the right
        edge) and ``tone`` (of ``tones``), in the order to draw; maybe ``why`` one is undefined.
    line_at
        Where chance or a draw is, marked by a line from top to bottom.
    names_px
        Room for names; the end of a longer one is cut off.
    tones
        `SHAPES` unless given.
    """
    data = placed(rows)
    names = alt.Axis(
        labelExpr="slice(datum.value, 6)", labelLimit=names_px, labelColor=ink.text,
        labelFontSize=13, ticks=False, domain=False, labelPadding=10, grid=True,
        gridColor=ink.grid, gridDash=[2, 3],
    )  # fmt: skip
    scale, places = bounded(axis), f".{axis.digits}f"
    across = {"title": axis.title, "scale": scale}
    drawn = toned("tone:N", tones or inked({name: (name, SHAPES[name]) for name in SHAPES}, ink))
    why = [("why:N", "undefined because")] if "why" in data else []
    base = alt.Chart(data).encode(
        y=alt.Y("row:N", sort=alt.SortField("place"), title=None, axis=names),
        tooltip=tips(
            ("name:N", "name"), ("value:Q", "estimate", places), ("low:Q", "interval from", places),
            ("high:Q", "to", places), ("note:N", "counts"), *why,
        ),
    )  # fmt: skip
    layers: list[Any] = [
        base.mark_rule(strokeWidth=4, strokeCap="round", opacity=0.55).encode(
            x=alt.X("low:Q", **across), x2=alt.X2("high:Q"), color=drawn["color"]
        ),
        base.mark_point(filled=True, size=110, opacity=1.0).encode(
            x=alt.X("value:Q", axis=quiet(ink, tickCount=7), **across), **drawn
        ),
        base.mark_text(align="left", dx=12, fontSize=13, color=ink.text).encode(
            x=alt.XValue("width"), text=alt.Text("note:N")
        ),
    ]
    if line_at is not None:
        line = alt.Chart(pd.DataFrame({"at": [line_at]})).mark_rule(color=ink.faint)
        layers.insert(0, line.encode(x=alt.X("at:Q", **across)))
    return plain(alt.layer(*layers).properties(height=ROW_PX * max(1, len(data)) + AXIS_PX))


def placed(rows: pd.DataFrame) -> pd.DataFrame:
    """With names of their own: the place before each keeps two rows apart, and is not printed."""
    data = rows.reset_index(drop=True)
    names = [f"{place:06d}{name}" for place, name in enumerate(data["name"])]
    return data.assign(place=data.index, row=names)


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
    if entry.of is not None:  # of a package
        words = f"{entry.title} (%)" if entry.in_percent else entry.title
    drawn = pd.concat([rows["value"], rows["low"], rows["high"]]).dropna()
    least, most = (float(drawn.min()), float(drawn.max())) if len(drawn) else (0.0, 1.0)
    digits = entry.drawn_digits
    if entry.in_points:
        return Axis(title=f"{words} (%)", short=f"{words} %", low=0.0, high=100.0, digits=digits)
    if entry.axis:
        return Axis(
            title=entry.axis, short=entry.title, low=min(-0.2, least), high=1.0, digits=digits
        )
    if ends is not None and entry.scale is None:
        return Axis(title=words, short=words, low=ends[0], high=ends[1], digits=digits)
    margin = 0.05 * (most - least) or 0.5
    return Axis(title=words, short=words, low=least - margin, high=most + margin, digits=digits)
