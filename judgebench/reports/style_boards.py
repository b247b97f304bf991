"""Style-controlled scores on boards of Arena-Hard: of which answers, and what has to be said."""

from __future__ import annotations

import math
from collections.abc import Mapping

from judgebench.errors import UsageError
from judgebench.metrics.style import Style
from judgebench.metrics.style_controlled import StyleBoard
from judgebench.records import Estimate
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import BenchmarkRef
from judgebench.reports.ranking_control import styles_of


def styles_in_tokens(data: BoardData) -> tuple[dict[tuple[str, str], Style], str]:
    """The style of every answer, and the unit of their lengths, which all have in common.

    Tokens where all answers came with theirs; else characters.
    """
    found = styles_of(data, tokens=True)
    if any(math.isnan(one.length) for one in found.values()):
        return styles_of(data), "characters"
    return found, "tokens"


def refuse_lacking(which: BenchmarkRef, boards: Mapping[str, StyleBoard]) -> None:
    """Refuse a board on which the answers of one model are not known.

    Raises
    ------
    UsageError
        Naming the models.
    """
    for judge, one in boards.items():
        if one.lacking:
            said = ", ".join(f"{model} ({n} games)" for model, n in one.lacking.items())
            raise UsageError(
                f"{which}: {judge} compared answers that the store does not have: of {said}. A "
                "style-controlled score belongs to a set of models, and a model more or less moves "
                "every other; `judgebench import arena-hard FILE` brings a model's answers"
            )


def estimates_of(
    boards: Mapping[str, StyleBoard], unit: str, level: float
) -> dict[tuple[str, str], Estimate]:
    """The scores by judge and model, without intervals."""
    return {
        (judge, model): Estimate(
            value=score,
            n=one.games[model],
            units=one.games[model],
            missing=0,
            level=level,
            method=f"logistic fit of all models and style, lengths in {unit}; no interval",
            undefined="the fit has no finite answer" if math.isnan(score) else None,
        )
        for judge, one in boards.items()
        for model, score in one.scores.items()
    }


def said_of_style(one: StyleBoard) -> list[str]:
    """Whose scores they are, and what style is worth."""
    fitted = {mark: value for mark, value in one.coefficients.items() if not math.isnan(value)}
    worth = ", ".join(f"{mark} {value:+.2f}" for mark, value in fitted.items()) or "none"
    return [
        f"style-controlled scores belong to these {len(one.scores)} models together: one more "
        f"moves every other; log-odds per standard deviation: {worth}",
    ]
