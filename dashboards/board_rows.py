"""The rows of a leaderboard as they are tabled and drawn."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import badges
import charts
import pandas as pd
import widgets

from judgebench.metrics import registry
from judgebench.metrics.win_rate import LENGTH_CONTROLLED, WIN_RATE
from judgebench.records import Estimate, is_human
from judgebench.reports.board import Board, Row

BESIDE = {"lc": (LENGTH_CONTROLLED, "length-controlled"), "raw": (WIN_RATE, "plain win rate")}
"""A win rate that stands beside the metric that is shown: by what its columns begin with, its
metric, and what it is called there."""

SAID = ("items", "verdicts")
"""Counts that stand above the table, and that n says."""

COUNTS = {
    "n_wins": "won", "n_losses": "lost", "n_ties": "tied", "half": "in one order only",
    "judge_truncated": "judge cut off", "judge_refused": "judge refused",
}  # fmt: skip
"""How counts are headed where their names do not say it."""

RANKS = ("rank", "rank_low", "rank_high")

ALWAYS = (*RANKS, "model", "value", "low", "high", "n", "missing", "unreadable")
"""Columns that stand there even if all is zero; the others come when they have something to say."""

DRAWN = ("tone", "name", "note", "beside note", "badges", "unranked")
"""Columns that are only drawn."""

ENDS = ("value", "low", "high")


def names_of(boards: Sequence[Board]) -> list[str]:
    """What each board is called: its judge, and where that has several, what it says of whom."""
    n_boards = Counter(board.judge for board in boards)
    return widgets.distinct(
        [
            f"{board.judge} · {_against(board) or (board.metric or '').replace('_', ' ')}"
            if n_boards[board.judge] > 1
            else board.judge
            for board in boards
        ]
    )


def identity(board: Board) -> str:
    """One line: which data, which judge, compared with whom, what it is, how many items."""
    items = max((row.counts["items"] for row in board.rows), default=0)
    served = ", ".join(board.served_models)
    parts = [f"{board.benchmark}@{board.version}", f"judge {board.judge}", _against(board)]
    parts += [board.judge_is, f"served by {served}" if served else ""]
    return " · ".join(part for part in [*parts, f"{items:,} items" if items else ""] if part)


def _against(board: Board) -> str:
    return "" if board.opponent is None else f"against {board.opponent}"


def table(board: Board, metric: str, floor: float, *, beside: str | None = None) -> pd.DataFrame:
    """One row for each model in the order of the report, which has suspicious ones at the end.

    Parameters
    ----------
    floor
        The share of verdicts that has to be there.
    beside
        A key of `BESIDE`: the win rate that stands beside the metric, if one does. Where no model
        has it, none does: the page says once why.
    """
    wanted = BESIDE[beside][0] if beside else ""
    known = [row.metrics[wanted].value for row in board.rows if wanted in row.metrics]
    beside = beside if any(not math.isnan(value) for value in known) else None
    counted = dict.fromkeys(name for row in board.rows for name in row.counts if name not in SAID)
    about = metric, list(counted), floor, beside
    return pd.DataFrame([_row(row, *about, unranked=not board.ranked) for row in board.rows])


def _row(
    row: Row,
    metric: str,
    counted: Sequence[str],
    floor: float,
    beside: str | None,
    *,
    unranked: bool,
) -> dict[str, Any]:
    entry, estimate = registry.metric(metric), row.metrics.get(metric, widgets.NO_ESTIMATE)
    scale, digits = entry.drawn_times, entry.drawn_digits
    numbers = widgets.numbers(estimate, scale)
    said = badges.written(badges.badges(row, floor))
    note = widgets.note(numbers, digits)
    return {
        "rank": row.rank,
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "model": row.model,
        **{end: numbers[end] for end in ENDS},
        **{name: value for one in BESIDE for name, value in _beside(row, one, beside).items()},
        "n": estimate.n,
        "missing": estimate.missing,
        "flags": said,
        "published": row.published.get(metric, math.nan) * scale,
        "worst case": widgets.worst_case(estimate, scale, digits),
        **{COUNTS.get(one, one.replace("_", " ")): row.counts.get(one, 0) for one in counted},
        "undefined": numbers["undefined"],
        "tone": tone(row),
        "name": row.model if unranked else f"{row.rank_set}\u2002{row.model}",
        "badges": said,
        "unranked": unranked,
        "note": f"{note} · {said.partition(' ')[0]}" if said else note,
        "beside note": _beside_note(row, beside),
    }


def _beside(row: Row, which: str, wanted: str | None) -> dict[str, Any]:
    """A win rate beside the metric; nan, with the reason, where it has no value."""
    found = row.metrics.get(BESIDE[which][0]) if which == wanted else None
    numbers = widgets.numbers(found or widgets.NO_ESTIMATE, 1.0)
    told = {f"{which} {end}": numbers[end] for end in ENDS}
    return told | {f"{which} undefined": numbers["undefined"] if found else ""}


def _beside_note(row: Row, which: str | None) -> str:
    found: Estimate | None = None if which is None else row.metrics.get(BESIDE[which][0])
    if which is None or found is None:
        return ""
    if math.isnan(found.value):
        return f"{charts.GAP} {found.undefined}" if found.undefined else ""
    ends = ", ".join(charts.number(end, 1) for end in (found.low, found.high))
    return f"{charts.number(found.value, 1)} [{ends}] {BESIDE[which][1]}"


def tone(row: Row) -> str:
    """How the row is drawn: a field of `board_charts.TONES`."""
    if row.excluded:
        return "apart"
    if "coverage" in row.flags:
        return "alarm"
    return "first" if row.may_be_first else "rest"


def only(rows: pd.DataFrame, models: Sequence[str], words: str) -> pd.DataFrame:
    """The rows of some models, all where none are named, with all of some words in their names."""
    names = rows["model"].str.casefold()
    wanted = rows["model"].isin(models) if models else pd.Series(True, index=rows.index)
    for word in words.casefold().split():
        wanted &= names.str.contains(word, regex=False)
    return rows[wanted]


def tabled(rows: pd.DataFrame) -> pd.DataFrame:
    """What stands in the table: without columns that say nothing."""
    silent = [
        name
        for name in rows
        if name in DRAWN
        or (name not in ALWAYS and not any(pd.notna(one) and one for one in rows[name]))
    ]
    ranks = rows[[*RANKS]].astype("Int64")
    shown = rows.assign(**ranks).drop(columns=silent)
    return shown.drop(columns=[*RANKS]) if rows["unranked"].all() else shown


def all_ends(rows: pd.DataFrame) -> pd.DataFrame:
    """All that has a place on the axis, as if it were one number each."""
    more = [rows[[f"{one} {end}" for end in ENDS]].set_axis(ENDS, axis=1) for one in BESIDE]
    published = pd.DataFrame({"value": rows["published"]})
    return pd.concat([rows[list(ENDS)], *more, published], ignore_index=True)


# which board ------------------------------------------------------------------------------------

QUICK = 3_000
"""Verdicts of a board, up to which length is controlled for unasked: about half a second on one
core, where 50 models on 805 items take five."""


def can_be_controlled(board: Board) -> bool:
    """Only win rates, and only of one judge: a calibration is none of a panel."""
    return board.opponent is not None and board.judge_id is not None


def same(one: Board, other: Board) -> bool:
    """Whether two are of the same judge and opponent."""
    return (one.judge, one.judge_id, one.opponent_id) == (
        other.judge, other.judge_id, other.opponent_id,
    )  # fmt: skip


def telling_most(found: Sequence[Board]) -> Board | None:
    """The board that says most: one that ranks, few of whose models lack too much, of people
    before of judges, of many models before of few.
    """
    return min(
        (board for board in found if board.rows),
        key=lambda board: (
            not board.ranked,
            2 * sum("coverage" in row.flags for row in board.rows) > len(board.rows),
            not is_human(board.judge),
            -len(board.rows),
        ),
        default=None,
    )
