"""What stands below a board: best-of-n curves, and the figures of another benchmark beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from shlex import join

import altair as alt
import charts
import page
import pandas as pd
import streamlit as st
import widgets
from answers import State
from board_rows import ENDS
from drawings import DASHES, around, tones_of
from long_text import verbatim

from judgebench import explore
from judgebench.metrics import registry
from judgebench.reports.board import Board
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.samples import Curve, sample_tables
from judgebench.store.store import Store

REWARD = "reward"
"""The kind of judge that answers are usually chosen by."""

CURVE_PX, BESIDE_PX = 320, 5
"""How high the drawing is, and how far beside its n a curve is drawn, so that none covers one."""

EVERY_N = 12
"""As many n have each a place of their own; more are drawn with each doubling as far apart."""


def best_of(shown: State, board: Board, boards: Sequence[Board], models: Sequence[str]) -> None:
    """The curves of a board, where models have several answers that some judge has scored.

    ``models`` are those that the page is narrowed to; all where there are none.
    """
    if board.judge_id is None or not any(map(scores_several, boards)):
        return
    scorers = shown.compute(explore.scorers, board.benchmark, board.version)
    if not scorers:
        return
    rewards = {one.name for one in shown.read(Store.judges) if one.spec.kind == REWARD}
    usual = min(scorers, key=lambda name: (name not in rewards, name == board.judge))
    scorer = page.choose("Best of n by", scorers, "scorer", default=usual)
    at = board.benchmark, board.version, board.judge_id, board.opponent, scorer
    curves = shown.compute(explore.best_of, *at)
    found = [one for one in curves if not models or one.model in models]
    if not found:
        st.text(f"None of the models shown has two answers to one item that {scorer} scored.")
        return
    drawn = sorted((one for one in found if one.points["1"].n), key=_last, reverse=True)
    if drawn := drawn[: len(DASHES)]:
        draw(board, scorer, drawn)
    if len(drawn) < len(found):
        st.text(f"Drawn are {len(drawn)} of {len(found)} models, the best; the table has all.")
    for table in sample_tables(found, ()):
        widgets.listed(table)
    words = ["judgebench", "leaderboard", f"{board.benchmark}@{board.version}", "--best-of", scorer]
    verbatim(join([*words, "--judge", board.judge]), "best of n")


def scores_several(board: Board) -> bool:
    """Whether it has more scores than items, be it of samples or of repeats."""
    return board.metric == "score" and any(row.judged.n > row.judged.units for row in board.rows)


def _last(curve: Curve) -> float:
    return curve.points[str(curve.samples)].value


def draw(board: Board, scorer: str, curves: Sequence[Curve]) -> None:
    metric = curves[0].metric
    rows = rows_of(curves)
    axis = around(charts.axis_of(metric, rows, board.scale), *(rows[end] for end in ENDS))
    rows["note"] = [widgets.note(row, axis.digits) for row in widgets.records(rows)]
    widgets.chart(
        partial(curve_chart, rows, axis, widgets.ink(), st.context.theme.type or "light"),
        f"{axis.title} of the best of n by {scorer} · {board}",
        alt="A curve for each model by n, with intervals; the table below has the numbers.",
        name=f"best of n {board.benchmark} {board.judge} {scorer}",
    )
    st.caption(
        f"Bars are {100 * board.level:g} % intervals over questions; the points of a curve share "
        "their questions, and so move together."
    )


def rows_of(curves: Sequence[Curve]) -> pd.DataFrame:
    """A row for each model and n, in the order of the curves."""
    times = registry.metric(curves[0].metric).drawn_times
    return pd.DataFrame(
        {"name": one.model, "series": f"{at}", "best of": int(n), **widgets.numbers(point, times)}
        for at, one in enumerate(curves)
        for n, point in one.points.items()
    )


def curve_chart(
    rows: pd.DataFrame, axis: charts.Axis, ink: charts.Ink, theme: str
) -> charts.Drawing:
    """What is expected of the best of n, by n, with an interval wherever one was measured.

    Parameters
    ----------
    rows
        ``name``, ``series`` (its place among the names, a text), ``best of``, ``value``, ``low``,
        ``high`` and ``note``, for at most as many names as there are `HUES`.
    """
    names, most = list(dict.fromkeys(rows["name"])), int(rows["best of"].max())
    apart = most > EVERY_N
    marks = [2**i for i in range(most.bit_length())] if apart else [*range(1, most + 1)]
    kind = {"type": "log", "base": 2} if apart else {"type": "linear"}
    x = alt.X(
        "best of:Q",
        title="best of n answers",
        scale=alt.Scale(domain=[1, max(2, most)], nice=False, padding=24, **kind),
        axis=charts.quiet(ink, values=marks, format="d"),
    )
    legend = alt.Legend(
        title=None, orient="top", labelColor=ink.text, labelLimit=320, symbolSize=120,
        labelFontSize=13, columns=min(len(names), 3),
    )  # fmt: skip
    tones = charts.toned("name:N", tones_of(names, theme), legend)
    layers = []
    for at, name in enumerate(names):
        said = charts.tips(("name:N", "model"), ("best of:Q", "best of"), ("note:N", axis.short))
        base = alt.Chart(rows[rows["name"] == name]).encode(x=x, color=tones["color"], tooltip=said)
        beside = BESIDE_PX * (at - (len(names) - 1) / 2)
        y = charts.up("value", axis, ink, tickCount=6)
        layers += [
            base.mark_line(
                strokeWidth=2, opacity=0.9, xOffset=beside, strokeDash=DASHES[at]
            ).encode(y=y),
            base.mark_rule(strokeWidth=3, opacity=0.45, strokeCap="round", xOffset=beside).encode(
                y=charts.up("low", axis, ink), y2=alt.Y2("high:Q")
            ),
            base.mark_point(filled=True, size=70, opacity=1.0, xOffset=beside).encode(
                y=y, shape=tones["shape"]
            ),
        ]
    return charts.plain(alt.layer(*layers).properties(height=CURVE_PX))


def others(shown: State, board: Board) -> list[str]:
    """The other benchmarks of the store, whose figures may stand beside."""
    known = shown.read(Store.benchmarks)
    return [f"{name}@{version}" for name, version in known if name != board.benchmark]


def beside(shown: State, board: Board, at: str) -> None:
    """The figures of another benchmark, so that a gain here that costs there is seen."""
    name, _, version = at.partition("@")
    theirs = shown.compute(explore.boards, name, version).boards
    widgets.listed(Leaderboard.of([board, *theirs], beside=[name]).tables()[0])
