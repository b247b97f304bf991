"""How far the scores of some models follow those of a published board."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from judgebench.stats.rank_correlation import (
    Floats,
    kendall_tau_b,
    pearson,
    spearman,
    why_undefined,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardCorrelation:
    """The coefficients over the models that both have; nan where ``undefined`` says why.

    models
        Their names, in the board's order.
    """

    models: tuple[str, ...]
    spearman: float
    pearson: float
    kendall_b: float
    undefined: str | None = None


def board_correlation(scores: Mapping[str, float], board: Mapping[str, float]) -> BoardCorrelation:
    """Correlate scores with a board's, by the names of the models.

    Parameters
    ----------
    scores, board
        A score for each model; a model with nan in either is left out, and so is one that only one
        of them has.

    Returns
    -------
    BoardCorrelation
        Undefined with fewer than two models in common, or where one side scores them all the same.
    """
    models = tuple(
        model
        for model, theirs in board.items()
        if not math.isnan(theirs) and not math.isnan(scores.get(model, math.nan))
    )
    ours = np.array([scores[model] for model in models], dtype=np.float64)
    theirs = np.array([board[model] for model in models], dtype=np.float64)
    return BoardCorrelation(
        models=models,
        spearman=float(spearman(ours, theirs)),
        pearson=float(pearson(ours, theirs)),
        kendall_b=float(kendall_tau_b(ours, theirs)),
        undefined=_reason(ours, theirs),
    )


def _reason(ours: Floats, theirs: Floats) -> str | None:
    reason = why_undefined(ours, theirs)
    if reason is None:
        return None
    for one, which in ((ours, "the scores are"), (theirs, "the board's scores are")):
        if len(one) > 1 and (one == one[0]).all():
            return f"{which} the same for every model"
    return f"{len(ours)} models in common; a correlation needs two"
