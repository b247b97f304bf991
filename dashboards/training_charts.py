"""A training run drawn: the metric by step, a band that holds all at once, the best one marked."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd
from charts import Axis, Drawing, Ink, plain

HEIGHT_PX = 340

SHAPES = {"best": "diamond", "last": "square", "other": "circle"}
"""The last one only where it is not the best."""


def curve(rows: pd.DataFrame, best: pd.DataFrame, axis: Axis, ink: Ink) -> Drawing:
    """Estimates by step, with their band behind them and each one's own interval in it.

    Parameters
    ----------
    rows
        ``step``, ``model``, ``value``, ``low``, ``high``, ``band low``, ``band high`` (nan where
        undefined), ``is`` (of `SHAPES`), ``note``, in the order of the steps.
    best
        ``step``, ``value``, ``low``, ``high``, ``note`` of the best one as it is corrected; empty
        where it is not.
    """
    scale = alt.Scale(domain=[axis.low, axis.high], nice=False, clamp=True)
    dark = alt.Axis(gridColor=ink.grid, labelColor=ink.text, titleColor=ink.faint)
    x = alt.X(
        "step:Q",
        title="step of the training run",
        axis=dark,
        scale=alt.Scale(zero=False, padding=18),
    )

    def y(name: str) -> alt.Y:
        return alt.Y(f"{name}:Q", title=axis.title, scale=scale, axis=dark)

    data = rows.rename(columns={"band low": "band_low", "band high": "band_high"})
    tones = {"best": ink.chosen, "last": ink.first, "other": ink.first}
    places = f".{axis.digits}f"
    tooltip = [
        alt.Tooltip("model:N", title="model"),
        alt.Tooltip("step:Q", title="step", format=",~r"),
        alt.Tooltip("value:Q", title="estimate", format=places),
        alt.Tooltip("band_low:Q", title="band from", format=places),
        alt.Tooltip("band_high:Q", title="to", format=places),
        alt.Tooltip("note:N", title="alone"),
    ]
    base = alt.Chart(data).encode(x=x, tooltip=tooltip)
    tone = alt.Color(
        "is:N", scale=alt.Scale(domain=list(tones), range=list(tones.values())), legend=None
    )
    shape = alt.Shape(
        "is:N", scale=alt.Scale(domain=list(SHAPES), range=list(SHAPES.values())), legend=None
    )
    layers: list[Any] = [
        base.mark_area(opacity=0.16, color=ink.first).encode(
            y=y("band_low"), y2=alt.Y2("band_high:Q")
        ),
        base.mark_rule(strokeWidth=1, color=ink.first, opacity=0.6).encode(
            y=y("band_low"), y2=alt.Y2("band_high:Q")
        ),
        base.mark_rule(strokeWidth=4, strokeCap="round", opacity=0.55, color=ink.first).encode(
            y=y("low"), y2=alt.Y2("high:Q")
        ),
        base.mark_line(strokeWidth=1.5, color=ink.first).encode(y=y("value")),
        base.mark_point(filled=True, size=110, opacity=1.0).encode(
            y=y("value"), color=tone, shape=shape
        ),
    ]
    if len(best):
        corrected = alt.Chart(best).encode(
            x=x,
            tooltip=[
                alt.Tooltip("model:N", title="the best"),
                alt.Tooltip("note:N", title="corrected"),
            ],
        )
        layers += [
            corrected.mark_rule(strokeWidth=2, color=ink.chosen, xOffset=9).encode(
                y=y("low"), y2=alt.Y2("high:Q")
            ),
            corrected.mark_point(
                size=110, opacity=1.0, shape="diamond", strokeWidth=2, color=ink.chosen,
                fill=ink.paper, xOffset=9,
            ).encode(y=y("value")),
        ]  # fmt: skip
    return plain(alt.layer(*layers).properties(height=HEIGHT_PX))


def axis_around(axis: Axis, rows: pd.DataFrame) -> Axis:
    """The axis as far as the curve and its band go, since no bar begins at its end."""
    drawn = pd.concat([rows[name] for name in ("value", "low", "high", "band low", "band high")])
    drawn = drawn.dropna()
    if drawn.empty:
        return axis
    least, most = float(drawn.min()), float(drawn.max())
    margin = 0.06 * (most - least) or 0.5
    low = max(axis.low, least - margin) if axis.low <= least else least - margin
    high = min(axis.high, most + margin) if axis.high >= most else most + margin
    return Axis(title=axis.title, short=axis.short, low=low, high=high, digits=axis.digits)
