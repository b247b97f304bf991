"""Who leads, by how much, and how sure that is: one board at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from shlex import join
from typing import Any

import badges
import board_charts
import board_rows
import charts
import page
import pandas as pd
import streamlit as st
import widgets
from answers import State
from below_board import beside, best_of, others
from board_rows import BESIDE
from item_parts import joined
from long_text import verbatim
from streamlit.delta_generator import DeltaGenerator

from judgebench import explore
from judgebench.metrics.win_rate import LENGTH_CONTROLLED, WIN_RATE
from judgebench.reports.board import Board
from judgebench.reports.board_tables import EXCLUDED, EXPLAINED, ONE_ORDER, Leaderboard
from judgebench.store.store import Store

PLACE = ("Results", 20)

ALT = "The models' sets of ranks, and estimates with intervals; the table has the numbers."


def leaderboard(shown: State, identity: DeltaGenerator) -> None:
    chosen = page.choose_benchmark(shown, [3, 2, 4, 3], lambda: shown.soon(explore.met).telling())
    if chosen is None:
        return
    places, benchmark, version = chosen
    found = shown.compute(explore.boards, benchmark, version).boards
    if not found:
        identity.text(f"{benchmark}@{version}")
        page.empty("Nothing has been judged on this benchmark yet.")
        return
    names = board_rows.names_of(found)
    first = board_rows.telling_most(found)
    start = None if first is None else names[found.index(first)]
    judge = page.choose("Judge", names, "judge", default=start, at=places[0])
    board = found[names.index(judge)]
    readers = {one.id: one.spec.reader_version or "" for one in shown.read(Store.judges)}
    reader = readers.get(board.judge_id or "", "")
    identity.text(joined([board_rows.identity(board), f"reader {reader}" * bool(reader)]))
    warnings = [f"⚠ {warning}" for warning in board.warnings]
    if not board.rows:
        widgets.notes(warnings)
        return
    filters = st.columns([5, 3, 3, 2], vertical_alignment="bottom")
    preview = st.empty()
    with filters[2]:
        board, control, words = as_asked(shown, board, preview)
    with filters[3]:
        behind(shown, board)
    every = (name for row in board.rows for name in row.metrics)
    metrics = list(dict.fromkeys([*board.figures, *every]))
    metric = page.choose("Metric", metrics, "metric", at=places[1])
    everyone = rows_of(shown, board, metric)
    models, part = filtered(filters, list(everyone["model"]))
    rows = board_rows.only(everyone, models, part)
    preview.empty()
    if rows.empty:
        st.info("No model on this board is called so.", icon="🔍")
        return
    axis = charts.axis_of(metric, board_rows.all_ends(rows), board.scale)
    draw(board, rows, axis, metric)
    if len(rows) < len(everyone):
        st.text(f"{len(rows)} of {len(everyone)} models; ranks are among all, whoever is shown.")
    parts = ["\0".join([*models, part])] if models or part else []
    tables(board, rows, axis, "\0".join(["rows", benchmark, version, judge, *parts]))
    best_of(shown, board, found, list(rows["model"]))
    if other := page.optional("Beside", others(shown, board), "beside", "no other benchmark"):
        beside(shown, board, other)
    legend(shown, board, controlled=control != "off")
    widgets.notes([*warnings, *board.notes])
    page.offer(benchmark, lambda: [Leaderboard.of([board]).document()])
    st.caption("The whole board, whoever is shown, as this writes it with --format:")
    verbatim(words, "command")


# what is asked ----------------------------------------------------------------------------------


def as_asked(shown: State, board: Board, preview: DeltaGenerator) -> tuple[Board, str, str]:
    """The board as the switches say, its control of length, and what to type for it."""
    at, controlled, ranked = f"{board.benchmark}@{board.version}", False, False
    if board_rows.can_be_controlled(board):
        usual = sum(row.counts["verdicts"] for row in board.rows) <= board_rows.QUICK
        headline = shown.read(explore.benchmark_ref, at).report.headline
        controlled = page.switch(
            "Length-controlled", "lc", of=board,
            usual=usual or headline == LENGTH_CONTROLLED,
            says="The win rate that the model would have if its answers were as long as the "
            "opponent's. On large boards it takes seconds.",
        )  # fmt: skip
    if any(row.excluded for row in board.rows):
        ranked = page.switch(
            "Rank suspicious", "suspicious", of=board, usual=False,
            says="Rank models whose answers may be meant for the judge among the others.",
        )  # fmt: skip
    control = "exact" if controlled else "off"
    words = ["judgebench", "leaderboard", at, "--judge", board.judge, "--length-control", control]
    words += ["--rank-suspicious"] * ranked
    if not (controlled or ranked):
        return board, control, join(words)
    seen = st.session_state.setdefault("boards seen", set())
    if (key := (shown, *words, board.opponent_id)) not in seen:  # the plain numbers need not wait
        metric = next(iter(board.rows[0].metrics))
        rows = rows_of(shown, board, metric)
        axis = charts.axis_of(metric, rows, board.scale)
        widgets.drawing(draws(board, rows, axis, metric), alt=ALT, place=preview)
    found = shown.compute(
        explore.boards, board.benchmark, board.version, judges=[board.judge_id or board.judge],
        control=control, rank_suspicious=ranked,
    )  # fmt: skip
    seen.add(key)
    return next(one for one in found.boards if board_rows.same(one, board)), control, join(words)


def filtered(places: Sequence[DeltaGenerator], names: Sequence[str]) -> tuple[list[str], str]:
    """Models and words that the rows are narrowed to, both in the URL."""
    models = page.several(
        "Models", names, "models", placeholder="all", outlives=False, at=places[0]
    )
    return models, page.written(
        "Filter by name", "find", "part of it", most=100, outlives=False, at=places[1]
    )


def behind(shown: State, board: Board) -> None:
    """The manifests of the runs that the board was made of, read when they are asked for."""
    with st.popover("Runs behind it", on_change="rerun", key="behind", width="stretch") as panel:
        if not panel.open:
            return
        at = board.benchmark, board.version, board.judge, board.judge_id, board.opponent_id
        told = shown.read(explore.runs_behind, *at)
        st.text(f"{len(told)} run{'' if len(told) == 1 else 's'}, the newest first")
        for text in told:
            st.code(text, language=None, height=300, width=640)


# what is shown ----------------------------------------------------------------------------------


def floor_of(shown: State, board: Board) -> float:
    return shown.read(explore.benchmark_ref, f"{board.benchmark}@{board.version}").coverage_floor


def rows_of(shown: State, board: Board, metric: str) -> pd.DataFrame:
    beside = {LENGTH_CONTROLLED: "raw", WIN_RATE: "lc"}.get(metric)
    return board_rows.table(board, metric, floor_of(shown, board), beside=beside)


def draws(
    board: Board, rows: pd.DataFrame, axis: charts.Axis, metric: str
) -> partial[charts.Drawing]:
    ink, line = widgets.ink(), charts.line_of(metric)
    return partial(board_charts.board, rows, axis, ink, n_ranks=len(board.ranked), line_at=line)


def draw(board: Board, rows: pd.DataFrame, axis: charts.Axis, metric: str) -> None:
    level = f"{100 * board.level:g} %"
    widgets.chart(
        draws(board, rows, axis, metric),
        f"{axis.title} with {level} intervals · {board_rows.identity(board)}",
        alt=ALT,
        name=f"leaderboard {board.benchmark} {board.judge} {metric}",
    )
    st.caption(board_charts.caption(rows, BESIDE, level=level, ranked=bool(board.ranked)))


def tables(board: Board, rows: pd.DataFrame, axis: charts.Axis, key: str) -> None:
    """The numbers, and those of suspicious models in a table of their own."""
    apart = rows["tone"] == "apart"
    chosen = numbers(rows[~apart], axis, key) if not apart.all() else []
    if apart.any():
        st.text(f"{EXCLUDED}: their answers may be meant for the judge.")
        chosen += numbers(rows[apart], axis, f"{key}\0apart")
    ids = {row.model: row.model_id for row in board.rows}
    compare([ids[model] for model in chosen], board)


def numbers(rows: pd.DataFrame, axis: charts.Axis, key: str) -> list[str]:
    """A table that its headers sort; the models whose rows are chosen in it."""
    quiet = [tone == "alarm" for tone in rows["tone"]]
    explained: dict[str, Any] = {
        name: st.column_config.Column(help=f"{EXPLAINED[words].capitalize()}.")
        for name, words in (("worst case", "worst case"), ("in one order only", ONE_ORDER))
    }
    picked = widgets.table(
        widgets.greyed(board_rows.tabled(rows), quiet, axis.digits, widgets.ink()),
        column_config=widgets.columns_of(axis) | explained,
        on_select="rerun",
        selection_mode="multi-row",
        key=key,
    )
    return [str(rows["model"].iloc[at]) for at in picked["selection"]["rows"]]


def compare(models: Sequence[str], board: Board) -> None:
    """A way to the comparison of the rows chosen, the first with the others."""
    if len(models) < 2:
        st.caption("Choose two rows or more to compare them.")
        return
    at = f"{board.benchmark}@{board.version}"
    asked = {"first": models[0], "second": list(models[1:]), "benchmark": at}
    st.page_link("views/compare.py", label="Compare the rows chosen", query_params=asked)


def legend(shown: State, board: Board, *, controlled: bool) -> None:
    """What each flag means that is here; why there is no length-controlled rate."""
    floor = floor_of(shown, board)
    if found := badges.legend(badges.badges(row, floor) for row in board.rows):
        with st.expander("What the flags mean"):
            widgets.table(
                pd.DataFrame(found, columns=["flag", "means"]),
                column_config={"flag": st.column_config.TextColumn(width=180)},
            )
    if not controlled:
        return
    estimates = [row.metrics.get(LENGTH_CONTROLLED) for row in board.rows]
    if not any(estimates):
        st.text(
            "Not length-controlled: there is no calibration for this judge and this opponent; "
            "judgebench calibrate-length fits one."
        )
    why = dict.fromkeys(one.undefined for one in estimates if one and one.undefined)
    new = [one for one in why if not any(note.endswith(one) for note in board.notes)]
    widgets.notes([f"{charts.GAP} length-controlled: {one}" for one in new])


page.show("Leaderboard", leaderboard)
