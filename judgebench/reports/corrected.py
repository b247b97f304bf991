"""Boards and comparisons as people would have them, by their labels on a sample of answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from judgebench.columns import counted
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.correction import (
    ALL,
    ALONE,
    BALANCED,
    CORRECTED,
    COUNT_AS,
    MORE,
    Made,
    Probabilities,
    corrected_pair,
    corrections,
    people_verdicts,
    sampling_probabilities,
)
from judgebench.metrics.paired import (
    PairedModels,
    PairedTests,
    compared_directly,
    head_to_head,
    paired_models,
)
from judgebench.metrics.registry import metric
from judgebench.plain_text import few
from judgebench.records import HUMAN, is_human
from judgebench.reports.board import Board, Row
from judgebench.reports.board_data import BoardData
from judgebench.reports.document import Table, column, table
from judgebench.reports.estimates import number

if TYPE_CHECKING:
    from judgebench.reports.model_pairs import PairData

_NOBODY = "nothing to correct by: people have labelled none of these answers"


def with_corrections(
    data: BoardData, boards: Sequence[Board], *, level: float, width: float | None
) -> tuple[Board, ...]:
    """The boards with corrected figures beside the judges', and the labels that were spent.

    Parameters
    ----------
    level, width
        As for `judgebench.metrics.correction.corrections`.
    """
    which = data.which
    found = list(boards)
    for kind, verdicts in data.verdicts.items():
        opponent = None if kind.opponent is None else data.model_ids[kind.opponent]

        def drawn(model: str, opponent: str | None = opponent) -> Probabilities:
            return sampling_probabilities(
                data.store, which.name, which.version, model=data.model_ids[model],
                opponent=opponent,
            )  # fmt: skip

        balanced = kind.kind == "score" and bool(which.report.sides)
        made: Made = {}
        if any(map(is_human, counted(verdicts["judge"]))) and not balanced:
            made = corrections(verdicts, kind, which.labels, drawn, level=level, width=width)
        for place, board in enumerate(boards):
            same = kind.opponent is not None or board.metric == kind.metric.name
            if same and board.opponent == kind.opponent and not is_human(board.judge):
                found[place] = _corrected(board, made, BALANCED if balanced else _NOBODY)
    return tuple(found)


def _corrected(board: Board, made: Made, none: str) -> Board:
    notes: dict[str, list[str]] = {}

    def beside(row: Row) -> Row:
        if (found := made.get((board.judge, row.model))) is None:
            return row
        for name, one in found.items():
            why = one.undefined or one.method.partition("; ")[2]
            if why and (name not in (ALONE, COUNT_AS, MORE) or why == ALL):
                notes.setdefault(f"{metric(name).title}, {{}}: {why}", []).append(row.model)
        counts = {**row.counts, "labels": found[CORRECTED].n}
        return replace(row, metrics={**row.metrics, **found}, counts=counts)

    rows = tuple(map(beside, board.rows))
    said = [note.format(few(models)) for note, models in notes.items()]
    if not any(CORRECTED in row.metrics for row in rows):
        said = [none]
    return replace(board, rows=rows, notes=(*board.notes, *said))


class _Worth(NamedTuple):
    """Labels beside a judge, summed over models: spent, as many as they count, needed besides."""

    board: Board
    labels: float
    count_as: float
    more: float
    enough: bool


def labels_table(boards: Sequence[Board]) -> list[Table]:
    """What labels are worth beside each judge; none where no board is corrected."""
    shown = []
    for board in boards:
        if its := [row.metrics for row in board.rows if CORRECTED in row.metrics]:
            count_as, more = (sum(row[name].value for row in its) for name in (COUNT_AS, MORE))
            enough = all(row[MORE].undefined != ALL for row in its)
            spent = sum(row[CORRECTED].n for row in its)
            shown.append(_Worth(board, spent, count_as, more, enough))
    found = table(
        "what labels are worth beside each judge",
        sorted(shown, key=lambda one: (math.isnan(one.more), one.more)),
        [
            column("judge", lambda one: one.board.judge, wraps=True),
            column(
                "benchmark", lambda one: f"{one.board.benchmark}@{one.board.version}", wraps=True
            ),
            column("labels", lambda one: number(one.labels, ",.0f"), align="right"),
            column("count as", lambda one: number(one.count_as, ",.0f"), align="right"),
            column("saved", lambda one: number(one.count_as - one.labels, ",.0f"), align="right"),
            column(
                "more needed",
                lambda one: number(one.more, ",.0f") if one.enough else "more items",
                align="right",
            ),
        ],
        subtitle="summed over models; saved: what people alone would have to label besides",
        notes=["more needed: for an interval of --width, of each model"],
    )
    return [found] if shown else []


def corrected_models(
    data: PairData, kind: BoardKind, pair: PairedModels, two: tuple[str, str], *, alpha: float
) -> tuple[PairedModels, PairedTests]:
    """The pair as people would compare it, and its test.

    Parameters
    ----------
    kind
        The board; of comparisons with the second of the two, they meet head to head.
    pair
        As the judge has it.
    """
    board, which = data.board, data.which
    direct, pair = kind.opponent in two, pair.by_question
    if direct:
        of_people = {k: people_verdicts(its, k) for k, its in board.verdicts.items() if k.opponent}
        said = compared_directly(of_people, HUMAN, *two)
        people = head_to_head(said, kind, HUMAN, two[0], labels=which.labels) if said else None
    else:
        said = people_verdicts(board.verdicts[kind], kind)
        people = paired_models(said, kind, HUMAN, *two, labels=which.labels)
    against = two[1] if direct else kind.opponent
    opponent = None if against is None else board.model_ids[against]
    drawn = [
        sampling_probabilities(
            board.store, which.name, which.version, model=board.model_ids[model], opponent=opponent
        )
        for model in (two[:1] if direct else two)
    ]
    if people is None:
        people = replace(pair, mean=pair.mean * math.nan)
    return corrected_pair(pair, people, (drawn[0], drawn[-1]), alpha=alpha)
