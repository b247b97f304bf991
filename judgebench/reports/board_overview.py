"""One table of several benchmarks: a row for each model, a column for each board."""

from __future__ import annotations

from collections.abc import Sequence

from judgebench.metrics.registry import digits, heading
from judgebench.reports import estimates
from judgebench.reports.answer_flags import SUSPICIOUS
from judgebench.reports.board import Board, Row
from judgebench.reports.document import Column, Table
from judgebench.store.catalog import distinct_names


def overview(boards: Sequence[Board]) -> Table:
    """What each board ranks by, or the first of the metrics that are asked for.

    Models are one row by what they are, in the order of the first board, then of the others; those
    that some board excludes from its ranking stand last, and their numbers there say so.

    Parameters
    ----------
    words, digits
        What a metric of a board is called, and how many digits its numbers have.
    """
    shown = [board for board in boards if board.rows]
    excluded = {row.model_id for board in shown for row in board.rows if row.excluded}
    every = {row.model_id: row.model for board in shown for row in board.rows}
    names = distinct_names(dict(sorted(every.items(), key=lambda one: one[0] in excluded)))
    places = [{row.model_id: row for row in board.rows} for board in shown]
    titles = _titles(shown)

    def cell(board: Board, row: Row | None) -> str:
        metric = _metric(board, row)
        if row is None or metric is None:
            return ""
        said = estimates.text(row.metrics[metric], digits=digits(metric, board.metric))
        return f"{said} ({SUSPICIOUS})" if row.excluded else said

    return Table(
        title="all boards",
        subtitle="boards measure different things, and are not averaged",
        columns=[
            Column(title="model", wraps=True),
            *(Column(title=title, align="right", spare=i > 0) for i, title in enumerate(titles)),
        ],
        rows=[
            [name, *(cell(b, rows.get(one)) for b, rows in zip(shown, places, strict=True))]
            for one, name in names.items()
        ],
        notes=[
            f"{title}: {heading(metric, board.metric, board.scale)}, judged by {board.judge}"
            + ("" if board.opponent is None else f", against {board.opponent}")
            for title, board in zip(titles, shown, strict=True)
            if (metric := _metric(board, board.rows[0])) is not None
        ]
        + ([f"{SUSPICIOUS}: excluded from the ranking of that board"] if excluded else []),
    )


def _metric(board: Board, row: Row | None) -> str | None:
    """What is shown of a board; None where it has nothing that was asked for."""
    return None if row is None else next(iter(board.wanted(row)), None)


def _titles(boards: Sequence[Board]) -> list[str]:
    """As short as tells the boards apart."""
    parts = [
        (board.benchmark, board.judge, f"against {board.opponent}", board.version)
        for board in boards
    ]
    for n in range(1, 5):
        told = [", ".join(one[:n]) for one in parts]
        if len(set(told)) == len(told):
            return told
    return [f"{i}: {title}" for i, title in enumerate(told, 1)]
