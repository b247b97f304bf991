"""How far the scores of a board follow those of a published one, over the models on both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from judgebench.metrics.model_correlations import COEFFICIENTS, correlations
from judgebench.records import Estimate
from judgebench.reports.board import Board
from judgebench.reports.reference_board import Beside

FEWEST = 3
"""Models that a correlation takes here: of two, any is 1 or -1."""

Correlations = Mapping[str, Mapping[str, Estimate]]
"""Metric -> coefficient -> estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A board, a published one beside it, and how far the two agree."""

    board: Board
    beside: Beside
    correlations: Correlations


def related(boards: Sequence[Board]) -> list[Related]:
    """Every board with each published one beside it."""
    return [
        Related(board=board, beside=one, correlations=with_published(board, one))
        for board in boards
        for one in board.beside
    ]


def with_published(board: Board, beside: Beside) -> Correlations:
    """The correlations of what ranks, and of each other metric that some model on both has here.

    Models that are excluded from the ranking do not count.

    Returns
    -------
    dict
        Empty where no model is on both boards. Undefined, with the reason, for fewer than `FEWEST`
        models, and where one side gives all of them the same.
    """
    found = {}
    for metric in beside.reference.metrics:
        ours = {
            row.model: row.metrics[metric].value
            for row in board.rows
            if row.model in beside.names and metric in row.metrics and not row.excluded
        }
        theirs = {model: beside.figures(model).get(metric, math.nan) for model in ours}
        if (metric == board.metric and ours) or any(not math.isnan(one) for one in ours.values()):
            found[metric] = _enough(correlations(ours, theirs))
    return found


def _enough(found: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """The coefficients, undefined where they would say nothing."""
    n = found[next(iter(COEFFICIENTS))].n
    if n >= FEWEST:
        return dict(found)
    models = "1 model has" if n == 1 else f"{n} models have"
    reason = f"{models} a score on both boards; a correlation that says something takes {FEWEST}"
    return {
        name: replace(one, value=math.nan, low=math.nan, high=math.nan, method="", undefined=reason)
        for name, one in found.items()
    }
