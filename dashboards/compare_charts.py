"""Drawings of a comparison: differences around a line of none, and how many items favour whom.

Blue is the first model and orange the second, upwards and downwards as well; grey is neither.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd
from charts import AXIS_PX, PERCENTAGES, ROW_PX, Axis, Drawing, Ink, _plain, digits_of, scale_of

MOST_ROWS = 60
"""Drawn at once; the table has all."""

_NAME = 32  # characters of a name beside an axis

SHAPES = {"first": "triangle-up", "second": "triangle-down", "rest": "circle"}
SIDES = {"better": "first", "equal": "grid", "worse": "chosen"}
"""Of the items: which favour the first model, neither, the second; and in which ink."""


def axis_of(metric: str, rows: pd.DataFrame) -> Axis:
    """As wide as the intervals on either side of nothing; shares in points of a hundred."""
    words = metric.replace("_", " ")
    points = scale_of(metric) != 1.0 or metric in PERCENTAGES
    unit = "percentage points" if points else "in its own units"
    drawn = pd.concat([rows["value"], rows["low"], rows["high"]]).dropna().abs()
    end = 1.08 * float(drawn.max()) if len(drawn) and drawn.max() > 0 else 1.0
    return Axis(
        title=f"difference of {words} ({unit})",
        short=words,
        low=-end,
        high=end,
        digits=digits_of(metric),
    )


def forest(
    rows: pd.DataFrame, axis: Axis, ink: Ink, names: tuple[str, str], says: str = "is higher"
) -> Drawing:
    """A mark with its interval for each row around a line at nothing, its numbers at the right.

    Parameters
    ----------
    rows
        ``name``, ``test`` (in full), ``value``, ``low``, ``high`` (nan where undefined), ``note``,
        ``tone`` (of `SHAPES`), in the order to draw.
    names
        Whom the right and the left side speak for.
    says
        And what they say of them.
    """
    data = _placed(rows)
    scale = alt.Scale(domain=[axis.low, axis.high], nice=False, clamp=True)
    sides = [name if len(name) <= _NAME else f"{name[: _NAME - 1]}…" for name in names]
    title = f"← {sides[1]} {says}  ·  {axis.title}  ·  {sides[0]} {says} →"
    x = alt.X(
        "value:Q",
        title=title,
        scale=scale,
        axis=alt.Axis(
            gridColor=ink.grid, labelColor=ink.text, titleColor=ink.faint, tickCount=7, titleLimit=0
        ),
    )
    tones = {"first": ink.first, "second": ink.chosen, "rest": ink.rest}
    tone = alt.Color(
        "tone:N", scale=alt.Scale(domain=list(tones), range=list(tones.values())), legend=None
    )
    shape = alt.Shape(
        "tone:N",
        scale=alt.Scale(domain=list(SHAPES), range=list(SHAPES.values())),
        legend=None,
    )
    tooltip = [alt.Tooltip("test:N", title="test"), alt.Tooltip("note:N", title="difference")]
    base = alt.Chart(data).encode(y=_rows(ink, labels=True), tooltip=tooltip)
    zero = alt.Chart(pd.DataFrame({"at": [0.0]})).mark_rule(color=ink.faint, strokeWidth=1.5)
    layers: list[Any] = [
        zero.encode(x=alt.X("at:Q", scale=scale)),
        base.mark_rule(strokeWidth=4, strokeCap="round", opacity=0.55).encode(
            x=alt.X("low:Q", title=title, scale=scale), x2="high:Q", color=tone
        ),
        base.mark_point(filled=True, size=120, opacity=1.0).encode(x=x, color=tone, shape=shape),
        base.mark_text(align="left", dx=12, fontSize=13, color=ink.text).encode(
            x=alt.value("width"), text="note:N"
        ),
    ]
    return _plain(alt.layer(*layers).properties(height=_height(data)))


def tally(rows: pd.DataFrame, ink: Ink) -> Drawing:
    """How many items of each row favour the first model, neither, the second; counts written.

    Parameters
    ----------
    rows
        ``name``, ``test``, ``better``, ``equal``, ``worse``, in the order of the forest beside it.
    """
    data = _placed(rows)[["row", "place", "test", *SIDES]]
    long = data.melt(id_vars=["row", "place", "test"], var_name="side", value_name="items")
    long["at"] = long["side"].map({side: at for at, side in enumerate(SIDES)})
    long["text"] = [f"{count:,}" if count else "" for count in long["items"]]
    base = alt.Chart(long).encode(
        y=_rows(ink, labels=False),
        order=alt.Order("at:Q"),
        tooltip=[
            alt.Tooltip("test:N", title="test"),
            alt.Tooltip("side:N", title="the first is"),
            alt.Tooltip("items:Q", title="items", format=",d"),
        ],
    )
    axis = alt.Axis(
        format="%", gridColor=ink.grid, labelColor=ink.text, titleColor=ink.faint, tickCount=3
    )
    title = "items: better | equal | worse"
    bars = base.mark_bar(height=ROW_PX * 0.6).encode(
        x=alt.X("items:Q", stack="normalize", title=title, axis=axis),
        color=alt.Color(
            "side:N",
            scale=alt.Scale(
                domain=list(SIDES), range=[getattr(ink, name) for name in SIDES.values()]
            ),
            legend=None,
        ),
    )
    counts = base.mark_text(fontSize=12).encode(
        x=alt.X("items:Q", stack="normalize", bandPosition=0.5, title=title, axis=axis),
        text="text:N",
        color=alt.when("datum.side == 'better'")
        .then(alt.value(ink.paper))
        .when("datum.side == 'worse'")
        .then(alt.value("black"))
        .otherwise(alt.value(ink.text)),
    )
    return _plain(alt.layer(bars, counts).properties(height=_height(data)))


def _placed(rows: pd.DataFrame) -> pd.DataFrame:
    """The first rows, each with a name of its own: the place before it is not printed."""
    data = rows.head(MOST_ROWS).reset_index(drop=True)
    data["place"] = data.index
    data["row"] = [f"{place:06d}{name}" for place, name in enumerate(data["name"])]
    return data


def _rows(ink: Ink, *, labels: bool) -> alt.Y:
    return alt.Y(
        "row:N",
        sort=alt.SortField("place"),
        title=None,
        axis=alt.Axis(
            labels=labels, labelExpr="slice(datum.value, 6)", labelLimit=330,
            labelColor=ink.text, labelFontSize=13, ticks=False, domain=False, labelPadding=10,
            grid=True, gridColor=ink.grid, gridDash=[2, 3],
        ),
    )  # fmt: skip


def _height(data: pd.DataFrame) -> int:
    return ROW_PX * max(1, len(data)) + AXIS_PX
