"""Comparisons with one opponent, controlled for style as Arena-Hard does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from judgebench.metrics.board_kinds import BoardKind, board
from judgebench.metrics.style import STYLE, Style
from judgebench.metrics.verdict_table import Columns, read_table
from judgebench.metrics.verdict_values import preference_values
from judgebench.metrics.win_rate import PERCENT, weights_of
from judgebench.stats.style_control import Definition, differences, style_controlled

STYLE_CONTROLLED = "style_controlled_win_rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleBoard:
    """One judge's style-controlled scores, per cent by model, and the coefficients of `STYLE`.

    ``lacking`` has, in place of scores, the models of which answers are not known, and of how many
    games; the opponent among them.
    """

    scores: Mapping[str, float]
    coefficients: Mapping[str, float]
    games: Mapping[str, int]
    lacking: Mapping[str, int]


def style_boards(
    columns: Columns,
    opponent: str,
    looks: Mapping[tuple[str, str], Style],
    *,
    definition: Definition,
    clear: float,
) -> dict[str, StyleBoard]:
    """By judge, the fit of all models that it compared.

    Parameters
    ----------
    columns
        As for `win_rate.win_rates`, with ``label``.
    looks
        Of answers, by model and item; their length is in tokens.
    clear
        What a clear win counts.
    """
    taken = board(columns, BoardKind("preference", opponent))
    table = read_table(taken)
    values = preference_values(taken)
    weights = weights_of(taken["label"], values, clear)
    found = {}
    for j, judge in enumerate(table.judges):
        rows = np.flatnonzero((table.judge_of == j) & ~np.isnan(values))
        if not len(rows) or np.isnan(weights[rows]).any():  # a panel says not how clear a win is
            continue
        items = [table.items[i] for i in (table.cells(rows) // len(table.models)).tolist()]
        which = table.models_of(rows)
        unknown = Style(*[np.nan] * len(STYLE))
        own = np.array(
            [
                looks.get((table.models[m], item), unknown)
                for m, item in zip(which.tolist(), items, strict=True)
            ]
        )
        theirs = np.array([looks.get((opponent, item), unknown) for item in items])
        here, of = np.unique(which, return_inverse=True)
        models = [table.models[m] for m in here.tolist()]
        n = np.bincount(of)
        gone = np.bincount(of, np.isnan(own[:, 0]))
        lacking = {m: int(k) for m, k in zip(models, gone.tolist(), strict=True) if k}
        if np.isnan(theirs).any():
            lacking[opponent] = int(np.isnan(theirs[:, 0]).sum())
        if lacking:
            found[judge] = StyleBoard(scores={}, coefficients={}, games={}, lacking=lacking)
            continue
        fit = style_controlled(
            of, values[rows], weights[rows], differences(own, theirs, definition),
            n_models=len(models), definition=definition,
        )  # fmt: skip
        found[judge] = StyleBoard(
            scores=dict(zip(models, (fit.scores * PERCENT).tolist(), strict=True)),
            coefficients=dict(zip(STYLE, fit.coefficients.tolist(), strict=True)),
            games=dict(zip(models, n.tolist(), strict=True)),
            lacking={},
        )
    return found
