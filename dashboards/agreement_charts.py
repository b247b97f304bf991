"""Drawings of two judges: what one said where the other said what, and who is lenient."""

from __future__ import annotations

import altair as alt
import pandas as pd
from charts import CELL_PX, Axis, Drawing, Ink, plain

MOST_WRITTEN = 8
"""Columns in whose cells there is room for a share beside the count."""

_LABELS_PX = 90


def confusion(cells: pd.DataFrame, ink: Ink, names: tuple[str, str]) -> Drawing:
    """Counts in cells, shaded by the share of what the reference called so.

    Parameters
    ----------
    cells
        ``reference`` and ``judge`` (what each said), ``count``, ``share`` (none where the reference
        called nothing so), ``text``, ``percent``, ``note``, row by row.
    names
        The judge, whose words are the columns, and the reference, whose are the rows.
    """
    rows = list(dict.fromkeys(cells["reference"]))[::-1]
    columns = list(dict.fromkeys(cells["judge"]))
    columns = [*columns[:-2][::-1], *columns[-2:]]
    axis = {"labelColor": ink.text, "labelFontSize": 13, "ticks": False, "domain": False,
            "grid": False, "labelPadding": 6, "titleColor": ink.faint, "labelLimit": 110,
            "titleLimit": 320}  # fmt: skip
    base = alt.Chart(cells).encode(
        x=alt.X(
            "judge:N",
            sort=columns,
            title=names[0],
            axis=alt.Axis(orient="top", labelAngle=0 if len(columns) < 6 else -40, **axis),
        ),
        y=alt.Y("reference:N", sort=rows, title=names[1], axis=alt.Axis(**axis)),
        tooltip=[
            alt.Tooltip("reference:N", title="the reference says"),
            alt.Tooltip("judge:N", title="the judge says"),
            alt.Tooltip("note:N", title="answers"),
        ],
    )
    shade = alt.Scale(domain=[0, 1], range=[ink.paper, ink.first], interpolate="rgb")
    rects = base.mark_rect(stroke=ink.grid, strokeWidth=1).encode(
        color=alt.condition(
            "isValid(datum.share)",
            alt.Color("share:Q", scale=shade, legend=None),
            alt.value(ink.paper),
        )
    )
    on_cell = alt.condition("datum.share > 0.6", alt.value(ink.paper), alt.value(ink.text))
    written = len(columns) <= MOST_WRITTEN
    if not written:  # many cells, most of them empty
        base = base.transform_filter("datum.count > 0")
    counts = base.mark_text(fontSize=14 if written else 11, dy=-6 if written else 0)
    layers = [rects, counts.encode(text=alt.Text("text:N"), color=on_cell)]
    if written:
        shares = base.mark_text(fontSize=10, dy=9).encode(text=alt.Text("percent:N"), color=on_cell)
        layers.append(shares)
    height = (CELL_PX if written else 26) * max(1, len(rows)) + _LABELS_PX
    return plain(alt.layer(*layers).properties(height=height))


def lenient_axis(rows: pd.DataFrame, unit: str) -> Axis:
    """As wide as the intervals on either side of nothing."""
    drawn = pd.concat([rows["value"], rows["low"], rows["high"]]).dropna().abs()
    end = 1.08 * float(drawn.max()) if len(drawn) and drawn.max() > 0 else 1.0
    points = "points of the scale" if unit == "points" else "percentage points"
    return Axis(
        title=points, short="leniency", low=-end, high=end, digits=2 if unit == "points" else 1
    )
