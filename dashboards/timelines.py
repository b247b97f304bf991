"""Drawings of what changes: nights and checkpoints as lines before their bands.

A hue never stands alone: a shape, a dash or a place says the same.
"""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import pandas as pd
from charts import Axis, Drawing, Ink, Tones, inked, plain, quiet, tips, toned, up


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
