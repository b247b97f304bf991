"""What judges say of answers as numbers, whatever sort of verdict they give.

A label is its place among those declared, a comparison 0, 1 or 2 for lost, tied and won, and a
score itself, as a mean over repeats and samples. So two judges are held against each other in one
way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import marked, select_rows
from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import NO_ROWS, BoardKind, Kind, by_board
from judgebench.metrics.intervals import Floats
from judgebench.metrics.item_means import item_means
from judgebench.metrics.label_board import (
    NO_VERDICT,
    UNREADABLE,
    LabelBoard,
    majority,
    read_labels,
)
from judgebench.metrics.outcome_board import OUTCOMES, OutcomeBoard
from judgebench.metrics.scores import Scale, scales_of
from judgebench.metrics.verdict_table import (
    FAILED,
    Columns,
    Ints,
    VerdictTable,
    raters_called,
    read_table,
)
from judgebench.metrics.verdict_values import score_values

Bools: TypeAlias = NDArray[np.bool_]


class ScoreBoard:
    """Who scored what: everything of a judge has the shape (items, models).

    Parameters
    ----------
    columns
        As for `judgebench.metrics.scores.scores`; what is on another board is passed over.
    unparsed
        What upstream takes an unreadable score for.
    """

    def __init__(self, columns: Columns, unparsed: float | None) -> None:
        rows = by_board(columns).get(BoardKind("score"), NO_ROWS)
        some = len(rows) < len(columns["kind"])  # to take all of millions takes a second
        self.taken: Columns = select_rows(columns, rows) if some else columns
        self.table: VerdictTable = read_table(columns, rows if some else None)
        self.unparsed = unparsed
        self._means: dict[tuple[str, bool], Floats] = {}
        self._asked: dict[str, Bools] = {}
        self.values = score_values(self.taken)
        self.unread = marked(self.taken["kind"], lambda kind: kind == "unreadable")
        self.failed = marked(self.taken["kind"], lambda kind: kind == FAILED)

    @cached_property
    def judges(self) -> tuple[str, ...]:
        """Those on the board of scores; one of which nothing could be read is among them."""
        return tuple(self.scales)

    def rows(self, judge: str) -> Ints:
        """The rows of one judge."""
        return np.flatnonzero(self.table.judge_of == self.table.judges.index(judge))

    def means(self, judge: str, *, as_upstream: bool = False) -> Floats:
        """Mean scores, over repeats and samples; nan where none could be read.

        ``as_upstream`` takes what could not be read for ``unparsed``.
        """
        values, key = self.values, (judge, as_upstream)
        if key not in self._means:
            if as_upstream and self.unparsed is not None:
                values = np.where(self.unread, self.unparsed, values)
            rows, ends = self.rows(judge), (-math.inf, math.inf)
            self._means[key] = item_means(self.table, rows, values, ends=ends).mean
        return self._means[key]

    def marked(self, judge: str, rows: Bools | None = None) -> Bools:
        """Where a judge was asked at all, or has such rows."""
        if rows is None and judge in self._asked:
            return self._asked[judge]
        own = self.rows(judge)
        found = np.zeros(self.table.shape, dtype=np.bool_)
        found.ravel()[self.table.cells(own if rows is None else own[rows[own]])] = True
        if rows is None:
            self._asked[judge] = found
        return found

    @cached_property
    def scales(self) -> Mapping[str, tuple[Scale, ...]]:
        """Of each judge those of its scores."""
        return {judge: tuple(scales_of(self.taken, rows)) for judge, rows in self.table.by_judge()}

    def several_scales(self, *judges: str) -> str | None:
        """The scales of these judges in words, where they are several: no mean means anything."""
        scales = sorted({scale for judge in judges for scale in self.scales[judge]})
        return ", ".join(f"{low:g} to {high:g}" for low, high in scales) if scales[1:] else None

    def reference(self, name: str) -> tuple[Floats, tuple[str, ...]]:
        """The scores of a reference, and whose they are.

        Of several raters of ``human/*``, their mean.

        Raises
        ------
        UsageError
            When there is no such reference, it has scored nothing, or its raters use several
            scales.
        """
        called = raters_called(name, self.table.judges)
        raters = tuple(judge for judge in called if judge in self.judges)
        said = [self.means(rater) for rater in raters]
        if not said or np.isnan(said).all():
            raise UsageError(
                f"{name!r} has scored nothing here, so nothing can be compared with it"
            )
        if scales := self.several_scales(*raters):
            raise UsageError(
                f"{name!r} scores on several scales ({scales}), whose mean means nothing; name one "
                "rater as the reference"
            )
        return self.mean_of(raters), raters

    def mean_of(self, raters: Sequence[str]) -> Floats:
        """The mean of several judges' scores where any has one, shape (items, models)."""
        said = np.stack([self.means(rater) for rater in raters])
        known = ~np.isnan(said)
        n = known.sum(axis=0)
        total = np.where(known, said, 0.0).sum(axis=0)
        return np.where(n > 0, total / np.maximum(n, 1), np.nan)


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
        people = raters_called(judge, self.judges)
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
    return label_values(read_labels(columns, labels=labels))


def label_values(found: LabelBoard) -> JudgedValues:
    """The same of a board."""
    return _of_codes(found, "label", [(model, None) for model in found.models])


def outcome_values(found: OutcomeBoard) -> JudgedValues:
    """Outcomes of comparisons of two models, of a board."""
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
    return scored_values(ScoreBoard(columns, None))


def scored_values(board: ScoreBoard) -> JudgedValues:
    """The same of a board."""
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
        scales=board.scales,
    )


def width_of(scales: Sequence[Scale]) -> float:
    """How far a scale reaches; nan where there is none, several, or one without ends."""
    if len(scales) != 1:
        return math.nan
    low, high = scales[0]
    return high - low if math.isfinite(high - low) and high > low else math.nan
