"""AlignBench's published boards: averages from their categories, and how far two judges agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from judgebench.metrics.intervals import Intervals
from judgebench.metrics.model_correlations import TITLES, Scores, correlations
from judgebench.reports.reproduce import (
    FigureTable,
    Recomputation,
    Reproduction,
    beside,
    on_scale,
    once,
    point,
)
from judgebench.rows import Row, read_rows
from judgebench.stats.resample import mean_of_sides

SIDES = {
    "reasoning": ("math", "logic"),
    "language": ("fundamental", "chinese", "open", "writing", "roleplay", "professional"),
}
CATEGORIES = SIDES["reasoning"] + SIDES["language"]
OVERALL = "overall"
AVERAGES: Mapping[str, Sequence[str]] = {OVERALL: tuple(SIDES), **{side: (side,) for side in SIDES}}
"""Each with the sides that it is the mean of."""
HIGHEST = 10.0

TWO_JUDGES = ("1.0", "gpt-4-0613"), ("1.0", "CritiqueLLM")
AGREEMENT = "two judges"

ROUNDED = 5e-3 + 1e-9
"""Half a unit of the last decimal of what is printed."""

EXACT = 1e-9

Board = Mapping[str, Row]


def reproduced(folder: Path, intervals: Intervals) -> Reproduction:
    """Both sides and the overall score of every row, and the agreement of the judges of 1.0."""
    columns = (*AVERAGES, *CATEGORIES)
    rows = once(
        read_rows(folder / "boards.csv", ("version", "judge", "model", *columns)),
        *("version", "judge", "model"),
    )
    boards: dict[tuple[str, str], dict[str, Row]] = {}
    for (version, judge, model), row in rows.items():
        boards.setdefault((version, judge), {})[model] = row
    figures = [
        figure for which, board in boards.items() for figure in _averages(_scope(*which), board)
    ]
    first, second = (boards.get(which, {}) for which in TWO_JUDGES)
    found = {
        name: correlations(_column(second, name), _column(first, name), level=intervals.level)
        for name in columns
    }
    figures += beside(folder / "judges.csv", found, tolerance=EXACT, scope=AGREEMENT)
    return Reproduction(
        table="alignbench",
        title=f"AlignBench, {len(rows)} rows of {len(boards)} boards",
        source="THUDM/AlignBench at 5b79d4a84e566db26e755c719935c62a0e1b0527 (2024-06-17)",
        licence="none stated: figures as numbers, not in the package",
        theirs="averages compared with the published ones, the judges' agreement with scipy",
        who="model",
        figures=figures,
        shown=[
            *(
                FigureTable(
                    title=f"overall score from the eight categories, {_scope(*which)}",
                    metric=OVERALL,
                    scope=_scope(*which),
                )
                for which in boards
            ),
            *(
                FigureTable(
                    title=f"{TWO_JUDGES[1][1]} against {TWO_JUDGES[0][1]}: {said}",
                    metric=name,
                    scope=AGREEMENT,
                    who="column",
                    theirs="elsewhere",
                )
                for name, said in TITLES.items()
            ),
        ],
        notes=[
            "averages agree to half a unit of the last decimal that is printed; they are made of "
            "categories that are rounded too",
            "boards of 1.0 and 1.1 are of different questions; scores of the two judges are on one "
            f"scale and differ: {_shift(first, second)}",
            "correlations over models have no interval: none was measured to hold",
        ],
    )


def _scope(version: str, judge: str) -> str:
    return f"{version}, {judge}"


def _column(board: Board, name: str) -> Scores:
    return {model: on_scale(row, name, high=HIGHEST) for model, row in board.items()}


def _averages(scope: str, board: Board) -> Iterator[Recomputation]:
    for model, row in board.items():
        means = [on_scale(row, name, high=HIGHEST) for name in CATEGORIES]
        for name, sides in AVERAGES.items():
            places = [[CATEGORIES.index(category) for category in SIDES[side]] for side in sides]
            yield Recomputation(
                who=model,
                scope=scope,
                metric=name,
                ours=point(float(mean_of_sides(means, places)), len(means)),
                theirs=on_scale(row, name, high=HIGHEST),
                tolerance=ROUNDED,
            )


def _shift(first: Board, second: Board) -> str:
    both: Sequence[str] = [model for model in first if model in second]
    if not both:
        return "no model is on both boards"
    apart = [second[m].number(OVERALL) - first[m].number(OVERALL) for m in both]
    return (
        f"{TWO_JUDGES[1][1]} gives {np.mean(apart):+.2f} on average over {len(both)} models, "
        f"from {min(apart):+.2f} to {max(apart):+.2f}"
    )
