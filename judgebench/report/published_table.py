"""A published leaderboard with the models of a board among its own."""

from __future__ import annotations

import math

from judgebench.metrics.answer_lengths import AVG_LENGTH
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.win_rate import WIN_RATE
from judgebench.report import estimates
from judgebench.report.board import Board
from judgebench.report.table import Column, Table

_SHOWN = {LENGTH_CONTROLLED: 1, WIN_RATE: 1, AVG_LENGTH: 0}
"""What is shown of a model, and its digits."""


def published_table(board: Board) -> Table:
    """The published leaderboard with a board's models among its own, by what ranks the board.

    A model that is on both stands here with our numbers alone.
    """
    metric = board.metric or LENGTH_CONTROLLED
    here = {
        row.model: {
            **{name: one.value for name, one in row.metrics.items() if not math.isnan(one.value)},
            AVG_LENGTH: float(row.counts.get(AVG_LENGTH, math.nan)),
        }
        for row in board.rows
    }
    together = {**board.published, **here}
    ordered = sorted(
        (model for model in together if metric in together[model]),
        key=lambda model: (-together[model][metric], model),
    )

    def said(model: str, name: str, digits: int) -> str:
        value = together[model].get(name, math.nan)
        return estimates.UNDEFINED if math.isnan(value) else f"{value:.{digits}f}"

    return Table(
        title=f"{board.benchmark}@{board.version}: the published leaderboard, with these models",
        subtitle=f"judged by {board.judge}, against {board.opponent}; by {metric}",
        columns=[
            Column(title="place", align="right"),
            Column(title="model", wraps=True),
            Column(title="length-controlled win rate %", align="right"),
            Column(title="win rate %", align="right"),
            Column(title="mean length", align="right"),
            Column(title="figures"),
        ],
        rows=[
            [
                str(place),
                model,
                *(said(model, name, digits) for name, digits in _SHOWN.items()),
                "of this store" if model in here else "published",
            ]
            for place, model in enumerate(ordered, 1)
        ],
        notes=["published figures come without intervals; close places say little"],
    )
