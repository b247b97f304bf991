"""Nights drawn: a line with its intervals, what a gate says of each, and what changed beside it."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import pandas as pd
from charts import Axis, Drawing, Ink, plain

HEIGHT_PX, SPEND_PX, DIFFERENCES_PX = 340, 150, 220

SHAPES = {"first": "circle", "alarm": "triangle-down", "rest": "diamond", "none": "cross"}
"""Of decisions: pass, regression, inconclusive, none."""

WORDS = {"first": "pass", "alarm": "regression", "rest": "inconclusive", "none": "not decided"}


SIDES = {"moving": "diamond", "fixed": "circle"}
"""Of baselines: the one before or one that moves on, and one that stays."""


def _tones(ink: Ink) -> dict[str, str]:
    return {"first": ink.first, "alarm": ink.alarm, "rest": ink.rest, "none": ink.faint}


def _when(ink: Ink, when: pd.Series[Any]) -> alt.X:
    """Days, and of a few days hours as well; the ends are no edges."""
    days = (when.max() - when.min()) / pd.Timedelta(days=1)
    ticks: dict[str, Any] = {"format": "%m-%d %H:%M", "tickCount": 6}
    if days > 2:
        step = alt.TimeIntervalStep(interval="day", step=math.ceil(days / 10))
        ticks = {"format": "%Y-%m-%d", "tickCount": step}
    return alt.X(
        "when:T",
        title="night (UTC)",
        scale=_utc(),
        axis=alt.Axis(
            gridColor=ink.grid,
            labelColor=ink.text,
            titleColor=ink.faint,
            labelOverlap=True,
            **ticks,
        ),
    )


def _utc() -> alt.Scale:
    return alt.Scale(type="utc", padding=16)


def line(
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
        `SHAPES`), ``note``, ``said``, in time.
    others
        ``when``, ``value``, ``name`` of models beside it, in grey; may be empty.
    changes
        ``when``, ``what``, ``words`` of what changed beside the model; may be empty.
    drift
        ``start``, ``end``, ``words`` of when the judge is said to have drifted; may be empty.
    """
    scale = alt.Scale(domain=[axis.low, axis.high], nice=False, clamp=True)

    def y(name: str) -> alt.Y:
        return alt.Y(
            f"{name}:Q",
            title=axis.title,
            scale=scale,
            axis=alt.Axis(gridColor=ink.grid, labelColor=ink.text, titleColor=ink.faint),
        )

    x, tones = _when(ink, rows["when"]), _tones(ink)
    layers: list[Any] = []
    if len(drift):
        band = alt.Chart(drift).encode(tooltip=[alt.Tooltip("words:N", title="judge drift")])
        layers += [
            band.mark_rect(color=ink.alarm, opacity=0.14).encode(
                x=alt.X("start:T", title="night (UTC)", scale=_utc()), x2=alt.X2("end:T")
            ),
            band.mark_text(
                text="judge drift", align="left", baseline="top", dx=4, dy=4, color=ink.text
            ).encode(x=alt.X("start:T", title="night (UTC)", scale=_utc()), y=alt.YValue(0)),
        ]
    if len(others):
        layers.append(
            alt.Chart(others)
            .mark_line(
                strokeWidth=1, color=ink.rest, opacity=0.55, point={"size": 12, "color": ink.rest}
            )
            .encode(
                x=x,
                y=y("value"),
                detail=alt.Detail("name:N"),
                tooltip=[
                    alt.Tooltip("name:N", title="also here"),
                    alt.Tooltip("value:Q", format=f".{axis.digits}f"),
                ],
            )
        )
    if len(changes):
        rules = alt.Chart(changes).encode(
            x=x,
            tooltip=[alt.Tooltip("what:N", title="changed"), alt.Tooltip("words:N", title="to")],
        )
        layers += [
            rules.mark_rule(color=ink.alarm, strokeDash=[5, 4], strokeWidth=1.5),
            rules.mark_text(
                align="left", baseline="bottom", dx=4, dy=-4, color=ink.text, fontSize=11
            ).encode(y=alt.YValue("height"), text=alt.Text("label:N")),
        ]
    tooltip = [
        alt.Tooltip("model:N", title="model"),
        alt.Tooltip("when:T", title="first evaluated", format="%Y-%m-%d %H:%M"),
        alt.Tooltip("note:N", title="estimate"),
        alt.Tooltip("said:N", title="gate"),
    ]
    base = alt.Chart(rows).encode(x=x, tooltip=tooltip)
    tone = alt.Color(
        "tone:N", scale=alt.Scale(domain=list(tones), range=list(tones.values())), legend=None
    )
    shape = alt.Shape(
        "tone:N", scale=alt.Scale(domain=list(SHAPES), range=list(SHAPES.values())), legend=None
    )
    layers += [
        base.mark_area(opacity=0.16, color=ink.first).encode(y=y("low"), y2=alt.Y2("high:Q")),
        base.mark_rule(strokeWidth=3, strokeCap="round", opacity=0.5, color=ink.first).encode(
            y=y("low"), y2=alt.Y2("high:Q")
        ),
        base.mark_line(strokeWidth=1.5, color=ink.first).encode(y=y("value")),
        base.mark_point(filled=True, size=130, opacity=1.0, strokeWidth=2).encode(
            y=y("value"), color=tone, shape=shape
        ),
        base.transform_filter(alt.datum.tone == "alarm")
        .mark_text(align="left", dx=12, fontSize=11, color=ink.text, text=WORDS["alarm"])
        .encode(y=y("value")),
    ]
    return plain(alt.layer(*layers).properties(height=HEIGHT_PX))


def differences(rows: pd.DataFrame, called: pd.DataFrame, axis: Axis, ink: Ink) -> Drawing:
    """What each night differs by from its moving baseline, and from the fixed one.

    Parameters
    ----------
    rows
        ``when``, ``model``, ``value``, ``from`` (of `SIDES`), ``words``, in time.
    called
        ``when``, ``label``, ``words`` of the night from which a slide is called; may be empty.
    """
    x, tones = _when(ink, rows["when"]), {"moving": ink.rest, "fixed": ink.first}
    y = alt.Y(
        "value:Q",
        title=axis.title,
        scale=alt.Scale(zero=True),
        axis=alt.Axis(gridColor=ink.grid, labelColor=ink.text, titleColor=ink.faint),
    )
    layers: list[Any] = [
        alt.Chart(pd.DataFrame({"value": [0.0]}))
        .mark_rule(color=ink.faint, strokeDash=[2, 3])
        .encode(y=y)
    ]
    if len(called):
        rule = alt.Chart(called).encode(x=x, tooltip=[alt.Tooltip("words:N", title="slide")])
        layers += [
            rule.mark_rule(color=ink.alarm, strokeWidth=1.5),
            rule.mark_text(
                align="left", baseline="top", dx=4, dy=4, color=ink.text, fontSize=11
            ).encode(y=alt.YValue(0), text=alt.Text("label:N")),
        ]  # fmt: skip
    base = alt.Chart(rows).encode(
        x=x,
        y=y,
        color=alt.Color(
            "from:N", scale=alt.Scale(domain=list(tones), range=list(tones.values())), legend=None
        ),
        tooltip=[
            alt.Tooltip("model:N", title="model"),
            alt.Tooltip("when:T", title="first evaluated", format="%Y-%m-%d %H:%M"),
            alt.Tooltip("value:Q", title="difference", format=f"+.{axis.digits}f"),
            alt.Tooltip("words:N", title="from"),
        ],
    )
    shape = alt.Shape(
        "from:N", scale=alt.Scale(domain=list(SIDES), range=list(SIDES.values())), legend=None
    )
    layers += [
        base.mark_line(strokeWidth=1.5),
        base.mark_point(filled=True, size=70, opacity=1.0).encode(shape=shape),
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
    bars = (
        alt.Chart(rows)
        .mark_bar(color=ink.rest, width=6)
        .encode(
            x=_when(ink, rows["when"]),
            y=alt.Y(
                field,
                title=title,
                axis=alt.Axis(
                    gridColor=ink.grid, labelColor=ink.text, titleColor=ink.faint, tickCount=3
                ),
            ),
            tooltip=[
                alt.Tooltip("model:N", title="model"),
                alt.Tooltip("when:T", title="night", format="%Y-%m-%d %H:%M"),
                alt.Tooltip("calls:Q", title="calls", format=",d"),
                alt.Tooltip("USD:Q", title="US dollars", format=".4f"),
                alt.Tooltip("unpriced:Q", title="calls without a price", format=",d"),
            ],
        )
    )
    return plain(alt.layer(bars).properties(height=SPEND_PX))
