"""A published leaderboard with the models of a board among its own."""

from __future__ import annotations

import math
from collections.abc import Mapping

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

    A model that is on both stands here once, with our numbers and the published one beside.
    """
    metric = board.metric or LENGTH_CONTROLLED
    here = {
        row.model: {
            **{name: one.value for name, one in row.metrics.items() if not math.isnan(one.value)},
            AVG_LENGTH: float(row.counts.get(AVG_LENGTH, math.nan)),
        }
        for row in board.rows
    }
    items = board.rows[0].counts["items"] if board.rows else 0
    flags = {row.model: ", ".join(row.flags) for row in board.rows}
    n = {row.model: row.leading.n for row in board.rows}
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
            Column(title="n", align="right"),
            Column(title="figures"),
            Column(title="flags", wraps=True, spare=True),
        ],
        rows=[
            [
                str(place),
                model,
                *(said(model, name, digits) for name, digits in _SHOWN.items()),
                str(n[model]) if model in here else said(model, "n_total", 0),
                _whose(model, here, board, metric),
                flags.get(model, ""),
            ]
            for place, model in enumerate(ordered, 1)
        ],
        notes=[
            "published figures come without intervals; close places say little",
            "length-controlled: of this store by the exact fit, published as AlpacaEval's own",
            *(
                [f"warning: {items} items here; the published figures are of {whole:.0f}"]
                if items < (whole := max(one.get("n_total", 0) for one in board.published.values()))
                else []
            ),
        ],
    )


def _whose(model: str, here: Mapping[str, Mapping[str, float]], board: Board, metric: str) -> str:
    """Whose figures stand in the row; of a model on both boards, what was published of it."""
    if model not in here:
        return "published"
    published = board.published.get(model, {}).get(metric)
    return "of this store" + ("" if published is None else f" (published {published:.1f})")
