"""Drawings of a comparison: differences around a line of none, and how many items favour whom.

Blue is the first model and orange the second, upwards and downwards as well; grey is neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
from charts import (
    AXIS_PX,
    ROW_PX,
    Axis,
    Drawing,
    Ink,
    names_axis,
    own_scales,
    placed,
    plain,
    text_px,
)
from item_parts import joined
from widgets import scaled, signed_interval, with_counts

from judgebench.metrics import registry
from judgebench.reports.compare import Difference, is_direct
from judgebench.reports.estimates import p_text

MOST_NAME_PX, TALLY_PX, LEAST_FOREST_PX = 330, 140, 120
TITLE_LINE_PX = 13

_NAME = 26  # characters of a name below an axis

SHAPES = {"first": "triangle-up", "second": "triangle-down", "rest": "circle"}
SIDES = {"better": "first", "equal": "grid", "worse": "chosen"}
"""Of the items: which favour the first model, neither, the second; and in which ink."""


TONES = {"better": "first", "worse": "second", "undecided": "rest"}
"""Whom a test speaks for."""


def of_metric(test: Difference) -> registry.Metric:
    return registry.metric(test.metric.partition("/")[0])


def rows_of(tests: Sequence[Difference], *, several: bool) -> pd.DataFrame:
    """A row for each test, as it is drawn and tabled; shares in percent, as boards show them."""
    places = {(test.benchmark, test.version) for test in tests}
    one_board = len(places | {(test.judge, test.opponent) for test in tests}) == 2
    rows = pd.DataFrame([_row(test) for test in tests])
    rows["test"] = [
        joined([test.place, test.judge, test.measured, _direction(test),
                f"vs {test.baseline}" * several])
        for test in tests
    ]  # fmt: skip
    alike = [one_board and bool(several or test.group) for test in tests]  # the caption has them
    rows["name"] = [
        joined([test.benchmark * (len(places) > 1), test.judge * (not same),
                f"vs {test.baseline}" * several, test.group or "", test.confidence or "",
                _direction(test), "directly" * test.direct,
                f"against {test.opponent}" * bool(test.opponent and not same)])
        for test, same in zip(tests, alike, strict=True)
    ]  # fmt: skip
    return rows


def _direction(test: Difference) -> str:
    return "" if test.higher_is_better else "lower is better"


def _row(test: Difference) -> dict[str, Any]:
    metric, estimate = of_metric(test), test.difference
    scale, digits = metric.drawn_times, metric.drawn_digits
    ends = scaled(estimate, scale)
    p = p_text(test.p_adjusted).replace("<", "< ")
    decided = f"{test.decision} {signed_interval(ends, digits)} · p {p}"
    return {
        "decision": test.decision,
        "difference": signed_interval(ends, 2),  # before names, which fill a narrow page
        "benchmark": test.place,
        "judge": test.judge,
        "metric": test.measured,
        "against": test.baseline,
        "first": test.candidate_value * scale,
        "second": test.baseline_value * scale,
        **ends,
        "p adjusted": p_text(test.p_adjusted),
        "p": p_text(test.p_value),
        "better": test.better,
        "equal": test.equal,
        "worse": test.worse,
        "n": estimate.n,
        "missing": estimate.missing,
        "detectable": test.detectable_difference * scale,
        "because": test.because or "",
        "undefined": estimate.undefined or "",
        "tone": TONES[test.decision],
        "note": with_counts(estimate, decided),
    }


def axis_of(metric: str, rows: pd.DataFrame) -> Axis:
    """As wide as the intervals on either side of nothing; shares in points of a hundred."""
    words = "win rate of one against the other" if is_direct(metric) else metric.replace("_", " ")
    unit = "percentage points" if registry.metric(metric).in_points else "in its own units"
    drawn = pd.concat([rows["value"], rows["low"], rows["high"]]).dropna().abs()
    end = 1.08 * float(drawn.max()) if len(drawn) and drawn.max() > 0 else 1.0
    measured = f"{words} − 50" if is_direct(metric) else f"difference of {words}"
    return Axis(
        title=f"{measured} ({unit})",
        short=words,
        low=-end,
        high=end,
        digits=registry.metric(metric).drawn_digits,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Pixels for names at the left and for numbers at the right, the same on all drawings."""

    names: int
    notes: int
    tally: int = TALLY_PX

    @classmethod
    def of(cls, rows: pd.DataFrame, *, tally: bool = True) -> Room:
        """For those that can be drawn."""
        drawn = rows[rows["value"].notna()]
        return cls(
            names=min(MOST_NAME_PX, text_px(drawn["name"]) + 10),
            notes=text_px(drawn["note"]) + 24,
            tally=TALLY_PX if tally else 0,
        )

    @property
    def forest_ends(self) -> str:
        """Where, as an expression: numbers and counts stand at the right, however wide it is."""
        return f"max({LEAST_FOREST_PX}, width - {self.notes + self.tally})"

    @property
    def without_counts(self) -> str:
        """Whether they have no room beside all else, as an expression; the table has them too."""
        return f"width < {LEAST_FOREST_PX + self.notes + self.tally}"


def forest(
    rows: pd.DataFrame,
    axis: Axis,
    ink: Ink,
    names: tuple[str, str],
    room: Room,
    says: str = "is higher",
) -> Drawing:
    """A mark with its interval for each row around a line at nothing; numbers and counts beside it.

    The counts are of items: better for the first model, equal, better for the second. They are
    drawn where there is room for them.

    Parameters
    ----------
    rows
        ``name``, ``test`` (in full), ``value``, ``low``, ``high`` (nan where undefined), ``note``,
        ``tone`` (of `SHAPES`), in the order to draw; ``better``, ``equal``, ``worse`` where they
        are counted.
    names
        Whom the right and the left side speak for.
    says
        And what they say of them.
    """
    data = placed(rows)
    layers = [_differences(data, axis, ink, names, room, says)]
    if room.tally:
        layers.append(_tally(data, ink, room))
    drawing = alt.layer(*layers, resolve=own_scales("x", "color"), height=_height(data))
    return plain(drawing, framed=False)


def _differences(
    data: pd.DataFrame, axis: Axis, ink: Ink, names: tuple[str, str], room: Room, says: str
) -> Any:
    scale = alt.Scale(
        domain=[axis.low, axis.high], nice=False, clamp=True,
        range=[0, alt.ExprRef(room.forest_ends)],
    )  # fmt: skip
    sides = [name if len(name) <= _NAME else f"{name[: _NAME - 1]}…" for name in names]
    title = [f"← {sides[1]} {says}  ·  {sides[0]} {says} →", axis.title]
    x = alt.X(
        "value:Q",
        title=title,
        scale=scale,
        axis=alt.Axis(
            gridColor=ink.grid, labelColor=ink.text, titleColor=ink.faint, tickCount=7,
            titleLimit=0, titleAnchor="start",  # often wider than the differences
        ),
    )  # fmt: skip
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
    base = alt.Chart(data).encode(y=names_axis(ink, room.names, MOST_NAME_PX), tooltip=tooltip)
    zero = alt.Chart(pd.DataFrame({"at": [0.0]})).mark_rule(color=ink.faint, strokeWidth=1.5)
    return alt.layer(
        base.mark_rule(color=ink.grid, strokeDash=[2, 3]).encode(
            x=alt.X(datum=axis.low, title=title, scale=scale), x2=alt.X2(datum=axis.high)
        ),
        zero.encode(x=alt.X("at:Q", scale=scale)),
        base.mark_rule(strokeWidth=4, strokeCap="round", opacity=0.55).encode(
            x=alt.X("low:Q", title=title, scale=scale), x2=alt.X2("high:Q"), color=tone
        ),
        base.mark_point(filled=True, size=120, opacity=1.0).encode(x=x, color=tone, shape=shape),
        base.mark_text(
            align="left", dx=12, fontSize=13, color=ink.text, limit=room.notes,
            x=alt.ExprRef(room.forest_ends),
        ).encode(text=alt.Text("note:N")),
    )  # fmt: skip


def _tally(data: pd.DataFrame, ink: Ink, room: Room) -> Any:
    """How many items of each row favour the first model, neither, the second; counts written."""
    long = data[["row", "place", "test", *SIDES]].melt(
        id_vars=["row", "place", "test"], var_name="side", value_name="items"
    )
    long["at"] = long["side"].map({side: at for at, side in enumerate(SIDES)})
    total = long.groupby("row")["items"].transform("sum")
    long["text"] = [
        _fitting(f"{count:,}", TALLY_PX * count / of) if count else ""
        for count, of in zip(long["items"], total, strict=True)
    ]
    base = alt.Chart(long).encode(
        y=names_axis(ink, room.names, MOST_NAME_PX),
        order=alt.Order("at:Q"),
        tooltip=[
            alt.Tooltip("test:N", title="test"),
            alt.Tooltip("side:N", title="the first is"),
            alt.Tooltip("items:Q", title="items", format=",d"),
        ],
    )
    starts = f"{room.forest_ends} + {room.notes}"
    scale = alt.Scale(
        domain=[0, 1], range=[alt.ExprRef(starts), alt.ExprRef(f"{starts} + {TALLY_PX}")]
    )
    seen = alt.ExprRef(f"{room.without_counts} ? 0 : 1")
    axis = alt.Axis(
        format="%", labelColor=ink.text, titleColor=ink.faint, tickCount=3, grid=False,
        orient="bottom", tickOpacity=seen, domainOpacity=seen, titleOpacity=seen,
        labelExpr=f"{room.without_counts} ? '' : datum.label",
    )  # fmt: skip
    x = alt.X(
        "items:Q", stack="normalize", title="items: better | equal | worse", axis=axis, scale=scale
    )
    bars = base.mark_bar(height=ROW_PX * 0.6, opacity=seen).encode(
        x=x,
        color=alt.Color(
            "side:N",
            scale=alt.Scale(
                domain=list(SIDES), range=[getattr(ink, name) for name in SIDES.values()]
            ),
            legend=None,
        ),
    )
    counts = base.mark_text(fontSize=12, opacity=seen).encode(
        x=x.copy().bandPosition(0.5),
        text=alt.Text("text:N"),
        color=alt.when("datum.side == 'better'")
        .then(alt.value(ink.paper))
        .when("datum.side == 'worse'")
        .then(alt.value("black"))
        .otherwise(alt.value(ink.text)),
    )
    return alt.layer(bars, counts)


def _fitting(text: str, px: float) -> str:
    """What has room in so many pixels, else nothing: the table has it, and who points at it."""
    return text if text_px([text], 12) + 2 <= px else ""


def _height(data: pd.DataFrame) -> int:
    return ROW_PX * max(1, len(data)) + AXIS_PX + TITLE_LINE_PX
