"""Drawings of judges among each other, and of how sure models are of what is correct.

Also of what changes: nights and checkpoints as lines before their bands.

A hue never stands alone: a shape, a dash or a place says the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from charts import (
    GAP,
    Axis,
    Drawing,
    Ink,
    Tones,
    by,
    inked,
    plain,
    quiet,
    tips,
    toned,
    up,
)

from judgebench.metrics.confidence import RiskCurve
from judgebench.reports.confidence import ConfidenceRow
from judgebench.reports.estimates import figure


def matrix(
    cells: pd.DataFrame,
    x: alt.X,
    y: alt.Y,
    shade: alt.Color,
    ink: Ink,
    said: list[alt.Tooltip],
    texts: Sequence[tuple[str, int, int]],
    *,
    value: str = "value",
    filled_only: bool = False,
) -> list[Any]:
    """Shaded cells, paper where there is no value, with texts in them: field, size and place.

    ``filled_only``: without the texts of cells whose value is 0.
    """
    base = alt.Chart(cells).encode(x=x, y=y, tooltip=said)
    there = f"isValid(datum.{value})"
    rects = base.mark_rect().encode(color=alt.condition(there, shade, alt.value(ink.paper)))
    on_cell = alt.condition(f"datum.{value} > 0.6", alt.value(ink.paper), alt.value(ink.text))
    written = base.transform_filter(f"datum.{value} > 0") if filled_only else base
    return [
        rects,
        *(
            written.mark_text(fontSize=size, dy=dy).encode(
                text=alt.Text(f"{field}:N"), color=on_cell
            )
            for field, size, dy in texts
        ),
    ]


# judges -----------------------------------------------------------------------------------------

CELL_PX, ROOMY_PX, SMALL_CELL_PX = 42, 52, 26
MOST_ROOMY, MOST_COUNTED, MOST_WRITTEN, MOST_TOLD = 5, 14, 8, 22
"""Columns whose cells have room for an interval, for a count, for a share beside the count, and for
a number at all; of more than these, names stand upright."""

LOW_CELL_PX = 16

CELL = "cell"
"""What a click into a heat map is called; it has the fields ``row`` and ``column``."""


def _names(ink: Ink, **more: Any) -> alt.Axis:
    look = {"labelLimit": 110, "labelFontSize": 13, "ticks": False, "domain": False, "grid": False}
    return quiet(ink, **(look | more))


def heat_map(
    pairs: pd.DataFrame, names: list[str], ink: Ink, *, measure: str = "Cohen's kappa"
) -> Drawing:
    """How far every two judges agree, written into the cells; a dash where it is undefined.

    Parameters
    ----------
    pairs
        ``row``, ``column``, ``value``, ``text``, ``counts``, ``detail``, and where they are known
        ``ends`` (the interval) and ``chosen``; each pair once or both ways.
    names
        The judges in the order to draw.
    measure
        Of what ``value`` is.
    """
    pairs = pd.DataFrame({"ends": "", "chosen": False} | dict(pairs.items()))
    mirrored = pairs.rename(columns={"row": "column", "column": "row"})
    pairs = pd.concat([pairs, mirrored], ignore_index=True).drop_duplicates(["row", "column"])
    pairs = pairs.sort_values("chosen", kind="stable")  # no neighbour is drawn over its frame
    # What has no room in a cell stands in the table, and where somebody points at it.
    roomy = len(names) <= MOST_ROOMY and bool((pairs["ends"] != "").any())
    texts = [
        ("text", 14, -11 if roomy else -5),
        ("counts", 10, 16 if roomy else 9),
        ("ends", 10, 3),
    ]
    legend = alt.Legend(
        title=measure, orient="bottom", gradientLength=240, labelColor=ink.text,
        titleColor=ink.faint, values=[-0.2, 0, 0.2, 0.4, 0.6, 0.8, 1],
    )  # fmt: skip
    scale = alt.Scale(
        domain=[-0.2, 0, 1], range=[ink.alarm, ink.grid, ink.first], interpolate="rgb", clamp=True
    )
    told = len(names) <= MOST_TOLD
    look = {"labelPadding": 8} if told else {"labelPadding": 4, "labelFontSize": 10}
    slanted = {"orient": "top", "labelAngle": -30 if told else -90, "labelAlign": "left"}
    cells, *written = matrix(
        pairs,
        alt.X("column:N", sort=names, title=None, axis=_names(ink, **look, **slanted)),
        alt.Y("row:N", sort=names, title=None, axis=_names(ink, **look)),
        alt.Color("value:Q", scale=scale, legend=legend),
        ink,
        tips(("row:N", "judge"), ("column:N", "against"), ("detail:N", measure)),
        texts[: told + (len(names) <= MOST_COUNTED) + roomy],
    )
    framed = alt.condition("datum.chosen", alt.value(ink.chosen), alt.value(ink.paper))
    picked = alt.selection_point(name=CELL, fields=["row", "column"], toggle=False)
    cells = cells.encode(stroke=framed, strokeWidth=alt.value(3)).add_params(picked)
    cell = ROOMY_PX if roomy else CELL_PX if told else LOW_CELL_PX
    height = cell * max(1, len(names)) + 150
    # Vega leaves slanted names at the right edge a few pixels too little.
    padding = {"left": 0, "right": 12, "top": 5, "bottom": 0}
    return plain(alt.layer(cells, *written).properties(height=height, padding=padding))


def confusion(cells: pd.DataFrame, ink: Ink, names: tuple[str, str]) -> Drawing:
    """Counts in cells, shaded by the share of what the reference called so.

    Parameters
    ----------
    cells
        ``reference`` and ``judge`` (what each said), ``share`` (that one; none where the
        reference called nothing so), ``text``, ``percent``, ``note``, in the order to draw.
    names
        The judge, whose words are the columns, and the reference, whose are the rows.
    """
    rows, columns = (list(dict.fromkeys(cells[side])) for side in ("reference", "judge"))
    written = len(columns) <= MOST_WRITTEN
    texts = [("text", 14, -6), ("percent", 10, 9)] if written else [("text", 11, 0)]
    look = {"titleLimit": 320, "labelPadding": 6}
    angle = 0 if len(columns) < 6 else -40
    layers = matrix(
        cells,
        alt.X("judge:N", sort=columns, title=names[0],
              axis=_names(ink, orient="top", labelAngle=angle, **look)),
        alt.Y("reference:N", sort=rows, title=names[1], axis=_names(ink, **look)),
        alt.Color("share:Q", legend=None,
                  scale=alt.Scale(domain=[0, 1], range=[ink.paper, ink.first], interpolate="rgb")),
        ink,
        tips(("reference:N", "the reference says"), ("judge:N", "the judge says"),
             ("note:N", "answers")),
        texts,
        value="share",
        filled_only=not written,
    )  # fmt: skip
    layers[0] = layers[0].encode(stroke=alt.value(ink.grid), strokeWidth=alt.value(1))
    height = (CELL_PX if written else SMALL_CELL_PX) * max(1, len(rows)) + 90
    return plain(alt.layer(*layers).properties(height=height))


# confidences ------------------------------------------------------------------------------------

HUES = {
    "light": ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#6B7280"),
    "dark": ("#56B4E9", "#E69F00", "#2DBE94", "#E29BC2", "#9CA3AF"),
}
DASHES = ([1, 0], [8, 3], [3, 3], [10, 3, 2, 3], [5, 2])
SHAPES = ("circle", "diamond", "square", "triangle-up", "triangle-down")
"""Hue, dash and shape of each curve on a drawing of several."""

SIDE_PX, BARS_PX, CURVE_PX = 260, 110, 360
_UNIT = alt.Scale(domain=[0, 1], nice=False)
_WIDE = {"minExtent": 46, "maxExtent": 46}
"""Both parts of a diagram leave as much room for the numbers at their left."""


def tones_of(names: Sequence[str], theme: str) -> dict[str, tuple[str, str]]:
    """Hue and shape of each name, in their order."""
    return dict(zip(names, zip(HUES[theme], SHAPES, strict=True), strict=False))


def risk_rows(
    curves: Mapping[str, RiskCurve], names: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Steps and points as `risk` draws them; ``names`` are those of all curves, drawn or not."""
    steps, points = [], []
    for at, (name, curve) in ((names.index(one[0]), one) for one in curves.items()):
        beside = 0.5 * (at - (len(names) - 1) / 2)  # so that no curve covers another
        ends = {
            "coverage": 100 * np.repeat(curve.edges, 2)[1:-1],
            "risk": 100 * np.repeat(curve.risk, 2),
        }
        steps.append(pd.DataFrame({"name": name, "series": f"{at}", **ends}))
        points += [
            {"name": name, "coverage": 10.0 * tenth, "at": min(100.0, 10.0 * tenth + beside),
             "risk": 100 * one.value,
             "low": 100 * (one.value if math.isnan(one.low) else one.low),
             "high": 100 * (one.value if math.isnan(one.high) else one.high),
             "note": f"{figure('aurc', one)} · {one.n:,} answers given"}
            for tenth, one in enumerate(curve.points, 1)
        ]  # fmt: skip
    return pd.concat(steps, ignore_index=True), pd.DataFrame(points)


def risk(
    steps: pd.DataFrame, points: pd.DataFrame, names: list[str], ink: Ink, theme: str
) -> Drawing:
    """What is wrong among the surest answers, at every share of answers given.

    Parameters
    ----------
    steps
        ``name``, ``series`` (its place among the names, a text), ``coverage`` and ``risk`` in
        percent, both ends of every step.
    points
        ``name``, ``coverage``, ``at`` (where it is drawn), ``risk``, ``low``, ``high``, ``note``.
    names
        Of the curves, in the order of their hues.
    """
    top = 1.06 * max(float(steps["risk"].max()), float(points["high"].max()), 1.0)
    axis = Axis(title="of these wrong (%)", short="", low=0.0, high=min(100.0, top), digits=1)
    across = alt.Scale(domain=[0, 100], nice=False)
    given = {"title": "answers given, the surest first (%)", "scale": across}
    legend = alt.Legend(
        title=None, orient="top", labelColor=ink.text, labelLimit=320, symbolSize=120,
        labelFontSize=13, columns=len(names),
    )  # fmt: skip
    tones = toned("name:N", tones_of(names, theme), legend)
    # By another field than the name, whose legend shows hue and shape alone.
    dashes = dict(zip(map(str, range(len(names))), DASHES, strict=False))
    line = alt.Chart(steps).encode(
        x=alt.X("coverage:Q", axis=quiet(ink, tickCount=10), **given),
        y=up("risk", axis, ink, tickCount=6),
        color=tones["color"],
        strokeDash=alt.StrokeDash("series:N", **by(dashes)),
        order=alt.Order("coverage:Q"),
    )
    base = alt.Chart(points).encode(
        x=alt.X("at:Q", **given),
        color=tones["color"],
        tooltip=tips(
            ("name:N", "confidence"), ("coverage:Q", "given %", ".0f"), ("note:N", "share wrong")
        ),
    )
    layers = (
        line.mark_line(strokeWidth=2, opacity=0.9),
        base.mark_rule(strokeWidth=3, opacity=0.5, strokeCap="round").encode(
            y=up("low", axis, ink), y2=alt.Y2("high:Q")
        ),
        base.mark_point(filled=True, size=55, opacity=1.0).encode(
            y=up("risk", axis, ink), shape=tones["shape"]
        ),
    )
    return plain(alt.layer(*layers).properties(height=CURVE_PX))


_OF_BINS = tips(
    ("bin:N", "confidence in"), ("confidence:Q", "mean confidence", ".3f"), ("note:N", "share")
)


def bin_rows(row: ConfidenceRow) -> pd.DataFrame:
    """Bins as `reliability` and `sizes` draw them."""
    bins, (low, high) = row.bins, row.bin_intervals()
    rows = pd.DataFrame({"from": bins.low, "to": bins.high, "n": bins.n, "low": low, "high": high,
                         "confidence": bins.confidence, "accuracy": bins.accuracy})  # fmt: skip
    rows["bin"] = [
        f"[{low:.1f}, {high:.1f})" for low, high in zip(bins.low, bins.high, strict=True)
    ]
    rows.loc[len(rows) - 1, "bin"] = f"[{bins.low[-1]:.1f}, {bins.high[-1]:.1f}]"
    shares = zip(bins.n, bins.accuracy, low, high, strict=True)
    rows["note"] = [
        (f"{share:.3f} [{low:.3f}, {high:.3f}]" if n else GAP) + f" correct, n {n:,}"
        for n, share, low, high in shares
    ]
    return rows


def reliability(bins: pd.DataFrame, colour: str, ink: Ink) -> Drawing:
    """Share of correct answers in each bin of confidence, with its interval, and the diagonal.

    Parameters
    ----------
    bins
        ``from``, ``to``, ``n``, ``confidence``, ``accuracy``, ``low``, ``high`` (none where a bin
        is empty), ``bin`` and ``note``.
    """

    def share(field: str, **more: Any) -> alt.Y:
        return alt.Y(f"{field}:Q", title="share correct", scale=_UNIT, **more)

    confidence = quiet(ink, tickCount=6, labels=False)
    base = alt.Chart(bins[bins["n"] > 0]).encode(
        x=alt.X("confidence:Q", title=None, scale=_UNIT, axis=confidence), tooltip=_OF_BINS
    )
    diagonal = alt.Chart(pd.DataFrame({"at": [0.0, 1.0]})).mark_line(
        color=ink.faint, strokeDash=[4, 3], strokeWidth=1.5
    )
    layers = (
        diagonal.encode(x=alt.X("at:Q", title=None, scale=_UNIT), y=share("at")),
        base.mark_rule(color=colour, strokeWidth=4, opacity=0.45, strokeCap="round").encode(
            y=share("low"), y2=alt.Y2("high:Q")
        ),
        # From the diagonal to the point: what the error adds up, each with the weight of its bin.
        base.mark_rule(color=ink.alarm, strokeWidth=1.5).encode(
            y=share("confidence"), y2=alt.Y2("accuracy:Q")
        ),
        base.mark_point(filled=True, size=90, opacity=1.0, color=colour).encode(
            y=share("accuracy", axis=quiet(ink, tickCount=6, **_WIDE))
        ),
    )
    return plain(alt.layer(*layers).properties(height=SIDE_PX))


def sizes(bins: pd.DataFrame, colour: str, ink: Ink) -> Drawing:
    """How many answers are in each bin; drawn below a reliability diagram."""
    bars = (
        alt.Chart(bins)
        .mark_bar(color=colour, opacity=0.55, stroke=ink.paper)
        .encode(
            x=alt.X("from:Q", title="confidence", scale=_UNIT, axis=quiet(ink, tickCount=6)),
            x2=alt.X2("to:Q"),
            y=alt.Y("n:Q", title="n", scale=alt.Scale(zero=True),
                    axis=quiet(ink, tickCount=3, **_WIDE)),
            y2=alt.Y2Datum(0),
            tooltip=_OF_BINS,
        )
    )  # fmt: skip
    return plain(bars.properties(height=BARS_PX))


def ribbon(
    base: alt.Chart,
    axis: Axis,
    ink: Ink,
    field: str,
    tones: Tones,
    *,
    band: tuple[str, str] = ("low", "high"),
) -> list[Any]:
    """A line through its marks, each with its interval, before a band."""
    ends = {"color": ink.first, "strokeCap": "round"}

    def between(low: str, high: str) -> dict[str, Any]:
        return {"y": up(low, axis, ink), "y2": alt.Y2(f"{high}:Q")}

    return [
        base.mark_area(opacity=0.16, color=ink.first).encode(**between(*band)),
        base.mark_rule(strokeWidth=1, opacity=0.6, **ends).encode(**between(*band)),
        base.mark_rule(strokeWidth=4, opacity=0.5, **ends).encode(**between("low", "high")),
        base.mark_line(strokeWidth=1.5, color=ink.first).encode(y=up("value", axis, ink)),
        base.mark_point(filled=True, size=120, opacity=1.0).encode(
            y=up("value", axis, ink), **toned(field, inked(tones, ink))
        ),
    ]


NIGHTS_PX, SPEND_PX, DIFFERENCES_PX = 340, 150, 220

DECISIONS = {
    "pass": ("first", "circle"),
    "regression": ("alarm", "triangle-down"),
    "inconclusive": ("rest", "diamond"),
    "": ("faint", "cross"),
}
"""The ink and the shape of what a gate decides; of a night that it does not decide the last."""

SIDES = {"moving": ("rest", "diamond"), "fixed": ("first", "circle")}
"""Of baselines: the one before or one that moves on, and one that stays."""

CHECKPOINTS = {
    "best": ("chosen", "diamond"), "last": ("first", "square"), "": ("first", "circle")
}  # fmt: skip
"""The last one only where it is not the best."""


ENDS = ("value", "low", "high", "band_low", "band_high")
"""What an axis has to have room for."""


def around(axis: Axis, *drawn: pd.Series[Any]) -> Axis:
    """The axis as far as what is drawn goes, since no bar begins at its end."""
    values = pd.concat(drawn).dropna()
    if values.empty:
        return axis
    least, most = float(values.min()), float(values.max())
    margin = 0.06 * (most - least) or 0.5
    low = max(axis.low, least - margin) if axis.low <= least else least - margin
    high = min(axis.high, most + margin) if axis.high >= most else most + margin
    return Axis(title=axis.title, short=axis.short, low=low, high=high, digits=axis.digits)


_NIGHT = ("when:T", "first evaluated", "%Y-%m-%d %H:%M")
_UTC = {"title": "night (UTC)", "scale": alt.Scale(type="utc", padding=16)}


def _when(ink: Ink, when: pd.Series[Any]) -> alt.X:
    """Days, and of a few days hours as well; the ends are no edges."""
    days = (when.max() - when.min()) / pd.Timedelta(days=1)
    ticks: dict[str, Any] = {"format": "%m-%d %H:%M", "tickCount": 6}
    if days > 2:
        step = alt.TimeIntervalStep(interval="day", step=math.ceil(days / 10))
        ticks = {"format": "%Y-%m-%d", "tickCount": step}
    return alt.X("when:T", axis=quiet(ink, labelOverlap=True, **ticks), **_UTC)


def _marked(rows: pd.DataFrame, x: alt.X, ink: Ink, *, at_top: bool, **stroke: Any) -> list[Any]:
    """A rule with its ``label`` at every ``when``, whose ``words`` are read by pointing at it."""
    base = alt.Chart(rows).encode(x=x, tooltip=tips(("label:N", "what"), ("words:N", "to")))
    place = {"baseline": "top", "dy": 4} if at_top else {"baseline": "bottom", "dy": -4}
    label = base.mark_text(align="left", dx=4, color=ink.text, fontSize=11, **place)
    at = alt.YValue(0 if at_top else "height")
    return [
        base.mark_rule(color=ink.alarm, strokeWidth=1.5, **stroke),
        label.encode(y=at, text=alt.Text("label:N")),
    ]


def nights(
    rows: pd.DataFrame,
    others: pd.DataFrame,
    changes: pd.DataFrame,
    drift: pd.DataFrame,
    axis: Axis,
    ink: Ink,
) -> Drawing:
    """The metric night by night.

    Parameters
    ----------
    rows
        ``when``, ``model``, ``value``, ``low``, ``high`` (nan where undefined), ``tone`` (of
        `DECISIONS`), ``note``, ``said``, in time.
    others
        ``when``, ``value``, ``name`` of models beside it, in grey; may be empty.
    changes
        ``when``, ``label``, ``words`` of what changed beside the model; may be empty.
    drift
        ``start``, ``end``, ``words`` of when the judge is said to have drifted; may be empty.
    """
    x = _when(ink, rows["when"])
    layers: list[Any] = []
    if len(drift):
        start = alt.X("start:T", **_UTC)
        band = alt.Chart(drift).encode(x=start, tooltip=tips(("words:N", "judge drift")))
        label = band.mark_text(
            text="judge drift", align="left", baseline="top", dx=4, dy=4, color=ink.text
        )
        drawn = band.mark_rect(color=ink.alarm, opacity=0.14)
        layers += [drawn.encode(x2=alt.X2("end:T")), label.encode(y=alt.YValue(0))]
    if len(others):
        dots = {"size": 12, "color": ink.rest}
        grey = alt.Chart(others).mark_line(strokeWidth=1, color=ink.rest, opacity=0.55, point=dots)
        about = tips(("name:N", "also here"), ("value:Q", "estimate", f".{axis.digits}f"))
        y = up("value", axis, ink)
        layers.append(grey.encode(x=x, y=y, detail=alt.Detail("name:N"), tooltip=about))
    if len(changes):
        layers += _marked(changes, x, ink, at_top=False, strokeDash=[5, 4])
    about = tips(("model:N", "model"), _NIGHT, ("note:N", "estimate"), ("said:N", "gate"))
    base = alt.Chart(rows).encode(x=x, tooltip=about)
    layers += ribbon(base, axis, ink, "tone:N", DECISIONS)
    word = base.transform_filter(alt.datum.tone == "regression").mark_text(
        align="left", dx=12, fontSize=11, color=ink.text, text="regression"
    )
    layers.append(word.encode(y=up("value", axis, ink)))
    return plain(alt.layer(*layers).properties(height=NIGHTS_PX))


def differences(rows: pd.DataFrame, called: pd.DataFrame, axis: Axis, ink: Ink) -> Drawing:
    """What each night differs by from its moving baseline, and from the fixed one.

    Parameters
    ----------
    rows
        ``when``, ``model``, ``value``, ``from`` (of `SIDES`), ``words``, in time.
    called
        ``when``, ``label``, ``words`` of the night from which a slide is called; may be empty.
    """
    x = _when(ink, rows["when"])
    y = alt.Y("value:Q", title=axis.title, scale=alt.Scale(zero=True, padding=8), axis=quiet(ink))
    zero = alt.Chart(pd.DataFrame({"value": [0.0]})).mark_rule(color=ink.faint, strokeDash=[2, 3])
    tones = toned("from:N", inked(SIDES, ink))
    value = ("value:Q", "difference", f"+.{axis.digits}f")
    base = alt.Chart(rows).encode(
        x=x, y=y, color=tones["color"],
        tooltip=tips(("model:N", "model"), _NIGHT, value, ("words:N", "from")),
    )  # fmt: skip
    layers = [
        zero.encode(y=y),
        *(_marked(called, x, ink, at_top=True) if len(called) else []),
        base.mark_line(strokeWidth=1.5),
        base.mark_point(filled=True, size=70, opacity=1.0).encode(shape=tones["shape"]),
    ]
    return plain(alt.layer(*layers).properties(height=DIFFERENCES_PX))


def spend(rows: pd.DataFrame, ink: Ink, *, priced: bool) -> Drawing:
    """What each night took: US dollars where prices are known, else calls.

    Parameters
    ----------
    rows
        ``when``, ``model``, ``USD`` (nan where unknown), ``calls``, ``unpriced``, in time.
    """
    field, title = ("USD:Q", "US dollars") if priced else ("calls:Q", "calls")
    about = tips(
        ("model:N", "model"), _NIGHT, ("calls:Q", "calls", ",d"), ("USD:Q", "US dollars", ".4f"),
        ("unpriced:Q", "calls without a price", ",d"),
    )  # fmt: skip
    y = alt.Y(field, title=title, axis=quiet(ink, tickCount=3))
    bars = alt.Chart(rows).mark_bar(color=ink.rest, width=6)
    drawn = bars.encode(x=_when(ink, rows["when"]), y=y, tooltip=about)
    return plain(alt.layer(drawn).properties(height=SPEND_PX))


def checkpoints(rows: pd.DataFrame, best: pd.DataFrame, axis: Axis, ink: Ink) -> Drawing:
    """Estimates by step, with their band behind them and each one's own interval in it.

    Parameters
    ----------
    rows
        ``step``, ``model``, ``value``, ``low``, ``high``, ``band_low``, ``band_high`` (nan where
        undefined), ``is`` (of `CHECKPOINTS`), ``note``, in the order of the steps.
    best
        ``step``, ``value``, ``low``, ``high``, ``note`` of the best one as it is corrected; empty
        where it is not.
    """
    steps = alt.Scale(zero=False, padding=18)
    x = alt.X("step:Q", title="step of the training run", axis=quiet(ink), scale=steps)
    places = f".{axis.digits}f"
    about = tips(
        ("model:N", "model"), ("step:Q", "step", ",~r"), ("value:Q", "estimate", places),
        ("band_low:Q", "band from", places), ("band_high:Q", "to", places), ("note:N", "alone"),
    )  # fmt: skip
    base = alt.Chart(rows).encode(x=x, tooltip=about)
    layers = ribbon(base, axis, ink, "is:N", CHECKPOINTS, band=("band_low", "band_high"))
    if len(best):
        corrected = alt.Chart(best).encode(
            x=x, tooltip=tips(("model:N", "the best"), ("note:N", "corrected"))
        )
        layers += [
            corrected.mark_rule(strokeWidth=2, color=ink.chosen, xOffset=9).encode(
                y=up("low", axis, ink), y2=alt.Y2("high:Q")
            ),
            corrected.mark_point(
                size=110, opacity=1.0, shape="diamond", strokeWidth=2, color=ink.chosen,
                fill=ink.paper, xOffset=9,
            ).encode(y=up("value", axis, ink)),
        ]  # fmt: skip
    return plain(alt.layer(*layers).properties(height=NIGHTS_PX))
