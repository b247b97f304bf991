"""A leaderboard as a drawing: each rank with its interval, and each number with its own.

Everything stands on one row for each model, in one picture: the ranks at the left, the numbers at
the right, and where a second win rate is shown, length-controlled or plain, it stands below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
from charts import (
    AXIS_PX,
    GAP,
    SHAPES,
    Axis,
    Drawing,
    Ink,
    inked,
    names_axis,
    own_scales,
    placed,
    plain,
    quiet,
    text_px,
    tips,
    toned,
)

ROW_PX, TALL_ROW_PX = 28, 42
MOST_NAME_PX, LEAST_PLOT_PX, GAP_PX = 280, 120, 28
RANK_PX, MOST_RANKS_PX = 12, 120
MOST_REASON_PX = 300
"""Of why there is no number, beside models that have one: the end of a longer one is left out, and
read by pointing at it."""
MOST_ON_SCREEN = 16
"""Models of a board whose axis stands below it; that of more stands above, where it is in sight."""

APART = 7
"""Pixels by which the number and that below it are off the middle of their row."""

TONES = {name: (name, shape) for name, shape in SHAPES.items()} | {"apart": ("rest", "cross")}
MEANS = {
    "first": "● blue: may be first (its set of ranks holds 1)",
    "rest": "● grey: behind",
    "alarm": "▲ vermillion: too much is missing",
    "apart": "✚ grey, below the line: suspicious, excluded from the ranking",
}
"""What the tones say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Pixels for names and ranks at the left and for what is written at the right."""

    names: int
    ranks: int
    notes: int

    @classmethod
    def of(cls, rows: pd.DataFrame, n_ranks: int) -> Room:
        written = [*rows["note"], *rows["beside note"]]
        reasons = [one for one in written if one.startswith(GAP)]
        numbers = [one for one in written if not one.startswith(GAP)]
        most = MOST_REASON_PX if any(numbers) else text_px(reasons)
        return cls(
            names=min(MOST_NAME_PX, text_px(rows["name"]) + 10),
            ranks=min(MOST_RANKS_PX, RANK_PX * max(3, n_ranks)) if n_ranks > 1 else 0,
            notes=max(text_px(numbers), min(most, text_px(reasons))) + 20,
        )

    @property
    def starts(self) -> int:
        return self.ranks + GAP_PX if self.ranks else 0

    @property
    def ends(self) -> str:
        """Of the plot, as an expression: what is written stands right of it, however wide it is."""
        return f"max({self.starts + LEAST_PLOT_PX}, width - {self.notes})"


def caption(
    rows: pd.DataFrame, beside: Mapping[str, tuple[str, str]], *, level: str, ranked: bool
) -> str:
    """What the marks of a board's drawing mean, as far as they are in it.

    ``beside`` has the words for each estimate that may stand next to the ranking one.
    """
    tones = set(rows["tone"]) - ({"rest"} if not ranked else set())
    marks = [words for tone, words in MEANS.items() if tone in tones]
    marks += [
        f"◆ orange: {words}"
        for name, (_, words) in beside.items()
        if rows[f"{name} value"].notna().any()
    ]
    marks += ["□ as published"] * bool(rows["published"].notna().any())
    ranks = f"; at the left, sets of ranks that hold for all models at once ({level})"
    bars = f"Bars are {level} intervals over questions"
    if rows["low"].isna().all():
        bars = "Nothing here has an interval"
    return ". ".join(filter(None, [" · ".join(marks), f"{bars}{ranks * ranked}."]))


def board(
    rows: pd.DataFrame, axis: Axis, ink: Ink, *, n_ranks: int, line_at: float | None = None
) -> Drawing:
    """The models that are shown, best first, and below a line the suspicious ones.

    Parameters
    ----------
    rows
        ``name``, ``rank``, ``rank_low``, ``rank_high``, ``value``, ``low``, ``high``, the same
        with ``lc`` and ``raw`` before them, ``published`` (nan where there is none), ``note``,
        ``beside note`` (what is written at the right), ``tone`` (of `TONES`), in the order to draw.
    n_ranks
        How many models have a rank, whoever is shown.
    line_at
        Where neither side wins.
    """
    data = _placed(rows)
    two = bool((data["beside note"] != "").any())
    room = Room.of(data, n_ranks)
    layers = [_numbers(data, axis, ink, room, two=two, line_at=line_at)]
    if room.ranks:
        layers.insert(0, _ranks(data, ink, room, n_ranks))
    height = (TALL_ROW_PX if two else ROW_PX) * max(1, len(data)) + AXIS_PX
    drawing = alt.layer(*layers, resolve=own_scales("x"), height=height)
    return plain(drawing, framed=False)


def _placed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, and an empty one as a line before suspicious ones."""
    above, below = rows[rows["tone"] != "apart"], rows[rows["tone"] == "apart"]
    parts = [above, below]
    if len(below):
        line = {"name": "suspicious:", "note": "", "beside note": "", "badges": "", "tone": "line"}
        parts.insert(1, pd.DataFrame([line]))
    data = pd.concat([part for part in parts if len(part)], ignore_index=True)
    for name in ("value", "low", "high"):
        data[f"beside {name}"] = data[f"lc {name}"].combine_first(data[f"raw {name}"])
    return placed(data)


def _side(data: pd.DataFrame) -> str:
    """Where the axes stand."""
    return "bottom" if len(data) <= MOST_ON_SCREEN else "top"


def _ranks(data: pd.DataFrame, ink: Ink, room: Room, n_ranks: int) -> Any:
    """The set of ranks of each model, and where its rank is; the first at the left."""
    scale = alt.Scale(domain=[1, n_ranks], range=[0, room.ranks], nice=False, clamp=True)
    axis = quiet(ink, format="d", values=[1, n_ranks], orient=_side(data))
    across = {"scale": scale, "axis": axis, "title": "rank"}
    tooltip = tips(
        ("name:N", "model"), ("rank:Q", "rank"), ("rank_low:Q", "rank from"), ("rank_high:Q", "to")
    )
    ranked = data[(data["tone"] != "apart") & (data["tone"] != "line")]
    names = names_axis(ink, room.names, MOST_NAME_PX)
    base = alt.Chart(ranked).encode(y=names, tooltip=tooltip)
    return alt.layer(
        base.mark_rule(strokeWidth=6, opacity=0.35, color=ink.rest).encode(
            x=alt.X("rank_low:Q", **across), x2=alt.X2("rank_high:Q")
        ),
        base.mark_tick(thickness=2, size=14, color=ink.text).encode(x=alt.X("rank:Q", **across)),
    )


def _numbers(
    data: pd.DataFrame, axis: Axis, ink: Ink, room: Room, *, two: bool, line_at: float | None
) -> Any:
    scale = alt.Scale(
        domain=[axis.low, axis.high], nice=False, clamp=True,
        range=[room.starts, alt.ExprRef(room.ends)],
    )  # fmt: skip
    drawn = quiet(ink, tickCount=7, titleLimit=0, orient=_side(data))
    across = {"title": axis.title, "scale": scale, "axis": drawn}
    toned_by = toned("tone:N", inked(TONES, ink))
    places = f".{axis.digits}f"
    base = alt.Chart(data).encode(
        y=names_axis(ink, room.names, MOST_NAME_PX),
        tooltip=tips(
            ("name:N", "model"), ("value:Q", "estimate", places),
            ("low:Q", "interval from", places), ("high:Q", "to", places),
            ("note:N", "counts"), *([("beside note:N", "beside it")] if two else []),
            ("badges:N", "flags"),
        ),
    )  # fmt: skip
    up = -APART if two else 0
    written: dict[str, Any] = {
        "align": "left", "dx": 12, "fontSize": 13, "x": alt.ExprRef(room.ends),
        "limit": alt.ExprRef(f"width - {room.ends} - 12"),
    }  # fmt: skip
    layers: list[Any] = [
        base.mark_rule(color=ink.grid, strokeDash=[2, 3]).encode(
            x=alt.X(datum=axis.low, **across), x2=alt.X2(datum=axis.high)
        ),
        base.mark_rule(strokeWidth=4, strokeCap="round", opacity=0.55, yOffset=up).encode(
            x=alt.X("low:Q", **across), x2=alt.X2("high:Q"), color=toned_by["color"]
        ),
        base.mark_point(filled=True, size=110, opacity=1.0, yOffset=up).encode(
            x=alt.X("value:Q", **across), **toned_by
        ),
        base.mark_text(**written, yOffset=up, color=ink.text).encode(text=alt.Text("note:N")),
    ]
    if two:
        low = {"color": ink.chosen, "yOffset": APART}
        layers += [
            base.mark_rule(strokeWidth=4, strokeCap="round", opacity=0.55, **low).encode(
                x=alt.X("beside low:Q", **across), x2=alt.X2("beside high:Q")
            ),
            base.mark_point(filled=True, size=90, opacity=1.0, shape="diamond", **low).encode(
                x=alt.X("beside value:Q", **across)
            ),
            base.mark_text(**written, yOffset=APART, color=ink.text).encode(
                text=alt.Text("beside note:N")
            ),
        ]
    if data["published"].notna().any():
        layers.append(
            base.mark_point(size=70, shape="square", color=ink.text, strokeWidth=1.5).encode(
                x=alt.X("published:Q", **across)
            )
        )
    if line_at is not None:
        line = alt.Chart(pd.DataFrame({"at": [line_at]})).mark_rule(color=ink.faint)
        layers.insert(0, line.encode(x=alt.X("at:Q", **across)))
    at = data.index[data["tone"] == "line"]
    if len(at):
        down = alt.ExprRef(f"height * {(at[0] + 0.5) / len(data)}")
        across = alt.Chart(pd.DataFrame({"at": [0]}))
        ends = {"x": alt.XValue(0), "x2": alt.X2Value("width")}
        layers.append(across.mark_rule(color=ink.faint, y=down).encode(**ends))
    return alt.layer(*layers)
