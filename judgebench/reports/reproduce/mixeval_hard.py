"""MixEval's published board: how far each of its columns follows Chatbot Arena's Elo."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from judgebench.metrics.intervals import Intervals
from judgebench.metrics.model_correlations import TITLES, correlations
from judgebench.records import Estimate
from judgebench.reports.reproduce import (
    FigureTable,
    Recomputation,
    Reproduction,
    beside,
    each,
    on_scale,
    once,
    rows_by_column,
)
from judgebench.rows import read_rows

ELO = "arena_elo"
HIGHEST_ELO = 4000.0
COLUMNS = (
    *("mixeval_hard", "mixeval"),
    *("triviaqa", "mmlu", "drop", "hellaswag", "commonsenseqa"),
    *("triviaqa_hard", "mmlu_hard", "drop_hard"),
)
CLAIMED = "spearman/claimed"
OTHER_MODELS = "claimed in words; of which models is not known here"

FOUR_DECIMALS = 5e-5 + 1e-9
TWO_DECIMALS = 5e-3 + 1e-9


def reproduced(folder: Path, intervals: Intervals) -> Reproduction:
    """Every coefficient of every column."""
    board = once(read_rows(folder / "board.csv", ("model", ELO, *COLUMNS)), "model")
    elo = {
        model: on_scale(row, ELO, high=HIGHEST_ELO) if row.has(ELO) else math.nan
        for (model,), row in board.items()
    }
    found = {
        name: correlations(
            {model: on_scale(row, name, high=100.0) for (model,), row in board.items()},
            elo,
            level=intervals.level,
        )
        for name in COLUMNS
    }
    others = folder / "correlations.csv"
    figures = list(beside(others, found, tolerance=FOUR_DECIMALS))
    figures += _claimed(others, found)
    without = sum(math.isnan(value) for value in elo.values())
    return Reproduction(
        table="mixeval_hard",
        title=f"MixEval and MixEval-Hard 2024-06-01, {len(board)} models, against Arena Elo",
        source="MixEval/mixeval.github.io, score table of mid-2024; Elo of 2024-05-27",
        licence="none stated for the table: figures as numbers, not in the package",
        theirs="compared with other implementations on the same board, and with what is claimed",
        who="column",
        figures=figures,
        shown=[
            *(
                FigureTable(title=f"{said} with Arena Elo", metric=name, theirs="elsewhere")
                for name, said in TITLES.items()
            ),
            FigureTable(title="ranking correlation as the authors claim it", metric=CLAIMED,
                  theirs="claimed"),
        ],
        notes=[
            f"{without} of the {len(board)} models have no Elo and are left out",
            "correlations over models have no interval: none was measured to hold",
        ],
    )  # fmt: skip


def _claimed(path: Path, found: Mapping[str, Mapping[str, Estimate]]) -> Iterator[Recomputation]:
    """What is said of a ranking is compared with Spearman's."""
    claims = {one: row for (one,), row in rows_by_column(path).items() if row.has("claimed")}
    for column, row in claims.items():
        ours, theirs = found[column]["spearman"], row.number("claimed")
        apart = abs(ours.value - theirs) > TWO_DECIMALS
        because = ours.undefined or (OTHER_MODELS if apart else "")
        yield from each(
            column, {CLAIMED: ours}, {CLAIMED: theirs}, tolerance=TWO_DECIMALS, because=because
        )
