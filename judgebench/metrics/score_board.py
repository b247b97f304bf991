"""Everybody's scores of answers, as judges are compared by them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import marked, select_rows
from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.board_kinds import NO_ROWS, BoardKind, by_board
from judgebench.metrics.intervals import Floats
from judgebench.metrics.item_means import item_means
from judgebench.metrics.scores import scales_of
from judgebench.metrics.verdict_table import FAILED, Columns, Ints, VerdictTable, read_table
from judgebench.metrics.verdict_values import score_values
from judgebench.records import HUMAN, is_human

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
        self.taken: Columns = select_rows(columns, rows)
        self.table: VerdictTable = read_table(columns, rows)
        self.unparsed = unparsed
        self.values = score_values(self.taken)
        self.unread = marked(self.taken["kind"], lambda kind: kind == "unreadable")
        self.failed = marked(self.taken["kind"], lambda kind: kind == FAILED)

    @cached_property
    def judges(self) -> tuple[str, ...]:
        """Those on the board of scores; one of which nothing could be read is among them."""
        return tuple(j for n, j in enumerate(self.table.judges) if (self.table.judge_of == n).any())

    def rows(self, judge: str) -> Ints:
        """The rows of one judge."""
        return np.flatnonzero(self.table.judge_of == self.table.judges.index(judge))

    def means(self, judge: str, *, as_upstream: bool = False) -> Floats:
        """Mean scores, over repeats and samples; nan where none could be read.

        ``as_upstream`` takes what could not be read for ``unparsed``.
        """
        values = self.values
        if as_upstream and self.unparsed is not None:
            values = np.where(self.unread, self.unparsed, values)
        return item_means(self.table, self.rows(judge), values, ends=(-math.inf, math.inf)).mean

    def marked(self, judge: str, rows: Bools | None = None) -> Bools:
        """Where a judge was asked at all, or has such rows."""
        own = self.rows(judge)
        own = own if rows is None else own[rows[own]]
        found = np.zeros(self.table.shape, dtype=np.bool_)
        found.flat[self.table.cells(own)] = True
        return found

    def several_scales(self, *judges: str) -> str | None:
        """The scales of these judges in words, where they are several: no mean means anything."""
        scales = scales_of(self.taken, np.concatenate([self.rows(judge) for judge in judges]))
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
        if name in self.judges:
            raters: tuple[str, ...] = (name,)
        elif name == HUMAN and any(is_human(judge) for judge in self.table.judges):
            raters = tuple(judge for judge in self.judges if is_human(judge))
        elif name in self.table.judges:
            raters = ()
        else:
            raise UsageError(unknown_name("judge", name, self.table.judges))
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
