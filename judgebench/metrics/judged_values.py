"""What judges say of answers as numbers, whatever sort of verdict they give.

A label is its place among those declared, a comparison 0, 1 or 2 for lost, tied and won, and a
score itself. So two judges are held against each other in one way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.intervals import Floats
from judgebench.metrics.label_board import (
    NO_VERDICT,
    UNREADABLE,
    LabelBoard,
    majority,
    read_labels,
)
from judgebench.metrics.outcome_board import OUTCOMES, OutcomeBoard, outcome_board
from judgebench.metrics.score_board import ScoreBoard
from judgebench.metrics.scores import Scale, scales_of
from judgebench.metrics.verdict_table import Columns, Ints
from judgebench.records import HUMAN, is_human

Bools: TypeAlias = NDArray[np.bool_]
Answered: TypeAlias = tuple[str, str | None]
"""A model, and whom its answer was compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one judge, or several as one, say of all answers.

    values : float array, shape (answers,)
        nan where nothing could be read.
    asked : bool array, shape (answers,)
    raters
        Whose it is.
    scales
        Those of scores.
    """

    values: Floats
    asked: Bools
    raters: tuple[str, ...]
    scales: tuple[Scale, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedValues:
    """Who said what of the answers of one benchmark, in one sort of verdict.

    labels
        What the numbers stand for; none for scores.
    models : tuple of (model, opponent)
    item_of, model_of : int array, shape (answers,)
        Places in ``items`` and ``models``. Of scores an answer is all that a model said of an item.
    units, unit_of
        What is drawn in a bootstrap, and which of it each item is, as in `VerdictTable`.
    values : float array, shape (judges, answers)
    asked : bool array, shape (judges, answers)
    scales
        By judge, those of its scores.
    """

    kind: Kind
    labels: tuple[str, ...]
    items: tuple[str, ...]
    models: tuple[Answered, ...]
    judges: tuple[str, ...]
    item_of: Ints
    model_of: Ints
    units: tuple[str, ...]
    unit_of: Ints
    values: Floats
    asked: Bools
    scales: Mapping[str, tuple[Scale, ...]]

    def of(self, judge: str) -> Said:
        """One judge; ``human`` is one of that name, or what people say together.

        Together they say what most of them say, of scores their mean.

        Raises
        ------
        UsageError
            When there is no such judge, or people score on several scales.
        """
        if judge in self.judges:
            at = self.judges.index(judge)
            scales = self.scales.get(judge, ())
            return Said(
                values=self.values[at], asked=self.asked[at], raters=(judge,), scales=scales
            )
        people = tuple(one for one in self.judges if is_human(one))
        if judge != HUMAN or not people:
            raise UsageError(unknown_name("judge", judge, self.judges))
        rows = [self.judges.index(one) for one in people]
        scales = tuple(sorted({scale for one in people for scale in self.scales.get(one, ())}))
        if len(scales) > 1:
            raise UsageError("people score on several scales here, whose mean means nothing")
        values = self.together(self.values[rows])
        return Said(values=values, asked=~np.isnan(values), raters=people, scales=scales)

    def beside(self, judge: str, reference: str) -> Said:
        """The reference of a judge: of people one of whom it is, what the others say together.

        Raises
        ------
        UsageError
            As `of`.
        """
        said = self.of(reference)
        if judge == reference or judge not in said.raters:
            return said
        others = tuple(rater for rater in said.raters if rater != judge)
        values = self.together(self.values[[self.judges.index(one) for one in others]])
        return replace(said, values=values, asked=~np.isnan(values), raters=others)

    def together(self, values: Floats) -> Floats:
        """What several judges say as one, of their values (judges, answers)."""
        there = ~np.isnan(values)
        if self.labels:
            codes = np.where(there, values, NO_VERDICT).astype(np.int8)
            found = majority(codes, n_labels=len(self.labels)).astype(np.float64)
            return np.where(found >= 0, found, np.nan)
        n = there.sum(axis=0)
        total = np.where(there, values, 0.0).sum(axis=0)
        return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def of_labels(columns: Columns, labels: Sequence[str]) -> JudgedValues:
    """Labels of answers; parameters as for `read_labels`."""
    board = read_labels(columns, labels=labels)
    return _of_codes(board, "label", [(model, None) for model in board.models])


def of_outcomes(columns: Columns) -> JudgedValues:
    """Outcomes of comparisons of two models; parameters as for `outcome_board`."""
    return outcome_values(without_itself(outcome_board(columns)))


def outcome_values(found: OutcomeBoard) -> JudgedValues:
    """The same of a board."""
    return replace(_of_codes(found.labels, "preference", list(found.models)), labels=OUTCOMES)


def without_itself(found: OutcomeBoard) -> OutcomeBoard:
    """The board without what a model is against itself, which is a tie by construction."""
    same = np.array([model == opponent for model, opponent in found.models], dtype=np.bool_)
    kept = np.flatnonzero(~same[found.labels.model_of])
    board = replace(
        found.labels,
        item_of=found.labels.item_of[kept],
        model_of=found.labels.model_of[kept],
        codes=found.labels.codes[:, kept],
    )
    return replace(found, labels=board, p=found.p[:, kept], by_order=found.by_order[:, kept])


def _of_codes(board: LabelBoard, kind: Kind, models: Sequence[Answered]) -> JudgedValues:
    rows = [board.judges.index(judge) for judge in board.labellers]
    codes = board.codes[rows]
    return JudgedValues(
        kind=kind,
        labels=board.labels,
        items=board.items,
        models=tuple(models),
        judges=board.labellers,
        item_of=board.item_of,
        model_of=board.model_of,
        units=board.units,
        unit_of=board.unit_of,
        values=np.where(codes >= 0, codes, np.nan),
        asked=codes != NO_VERDICT,
        scales={},
    )


def label_board(values: JudgedValues, codes: Floats | None = None) -> LabelBoard:
    """The values as labels of answers, or others in their place; models are called by number."""
    silent = np.where(values.asked, UNREADABLE, NO_VERDICT)
    given = values.values if codes is None else codes
    return LabelBoard(
        labels=values.labels,
        items=values.items,
        models=tuple(str(place) for place in range(len(values.models))),
        judges=values.judges,
        item_of=values.item_of,
        model_of=values.model_of,
        units=values.units,
        unit_of=values.unit_of,
        codes=np.where(np.isnan(given), silent, np.nan_to_num(given)).astype(np.int8),
    )


def of_scores(columns: Columns) -> JudgedValues:
    """Scores of answers, means over repeats and samples; parameters as for `ScoreBoard`."""
    board = ScoreBoard(columns, None)
    judges = board.judges
    asked = np.array([board.marked(judge) for judge in judges]).reshape(-1, *board.table.shape)
    means = np.array([board.means(judge) for judge in judges]).reshape(asked.shape)
    item, model = np.nonzero(asked.any(axis=0))
    return JudgedValues(
        kind="score",
        labels=(),
        items=board.table.items,
        models=tuple((one, None) for one in board.table.models),
        judges=judges,
        item_of=item,
        model_of=model,
        units=board.table.units,
        unit_of=board.table.unit_of,
        values=means[:, item, model],
        asked=asked[:, item, model],
        scales={judge: tuple(scales_of(board.taken, board.rows(judge))) for judge in judges},
    )


def width_of(scales: Sequence[Scale]) -> float:
    """How far a scale reaches; nan where there is none, several, or one without ends."""
    if len(scales) != 1:
        return math.nan
    low, high = scales[0]
    return high - low if math.isfinite(high - low) and high > low else math.nan
