"""The leaderboards of a benchmark, as pages ask for them: without Streamlit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import yaml

from judgebench.records import RunManifest, is_human
from judgebench.reports.board import Board
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.boards import panels_in
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.length_boards import LengthControl
from judgebench.store import Store

QUICK = 3_000
"""Verdicts of a board, up to which length is controlled for unasked: about half a second on one
core, where 50 models on 805 items take five."""


def boards(
    store: Store,
    benchmark: str,
    version: str,
    *,
    judges: Collection[str] = (),
    control: LengthControl = "off",
    rank_suspicious: bool = False,
) -> Leaderboard:
    """Those of some judges, by id, or of panels, by name; of all where none are named.

    Panels come last. Length is not controlled for unasked, which takes its time.
    """
    found = leaderboards(
        store,
        benchmark,
        version,
        judges=judges,
        panels=panels_in(store, f"{benchmark}@{version}"),
        length_control=control,
        rank_suspicious=rank_suspicious,
    )
    return Leaderboard.of(sorted(found, key=lambda board: board.judge_id is None))


def can_be_controlled(board: Board) -> bool:
    """Only win rates, and only of one judge: a calibration is none of a panel."""
    return board.opponent is not None and board.judge_id is not None


def same(one: Board, other: Board) -> bool:
    """Whether two are of the same judge and opponent."""
    return (one.judge, one.judge_id, one.opponent_id) == (
        other.judge, other.judge_id, other.opponent_id,
    )  # fmt: skip


def telling_most(found: Sequence[Board]) -> Board | None:
    """The board that says most: one on which nobody lacks too much, of people before of judges."""
    return min(
        (board for board in found if board.rows),
        key=lambda board: (
            any("coverage" in row.flags for row in board.rows),
            not is_human(board.judge),
        ),
        default=None,
    )


def runs_behind(
    store: Store, benchmark: str, version: str, judge: str, judge_id: str | None,
    opponent_id: str | None,
) -> list[str]:  # fmt: skip
    """The manifests of the runs that a board was made of, the newest first, as text."""
    panels = panels_in(store, f"{benchmark}@{version}")
    names = [one for panel in panels if panel.name == judge for one in panel.judges]
    ids = [one.id for one in store.judges() if one.name in names or one.id in names]
    judges = ids if judge_id is None else [judge_id]
    ran = store.evaluated(benchmark, version, judges, opponent_id, afresh=True)
    behind = {run for _, run in ran}
    return [_as_text(run) for run in reversed(store.runs()) if run.id in behind]


def _as_text(run: RunManifest) -> str:
    told = {
        "run": run.id,
        "name": run.name,
        "state": run.state,
        "started": _time(run.started),
        "ended": None if run.ended is None else _time(run.ended),
        "counts": dict(run.counts),
        "git": run.git_sha,
        "seeds": dict(run.seeds),
        "data": dict(run.data_sha),
        "versions": dict(run.versions),
        "configuration": dict(run.configuration),
    }
    return str(yaml.safe_dump(told, allow_unicode=True, sort_keys=False))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
