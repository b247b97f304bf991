"""What one judge says of each model on each item, averaged so that every item counts once.

Repeats are averaged first, then the two orders, then the samples of an item: a judge that was asked
more often in one order than in the other does not favour who stands first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.intervals import Floats
from judgebench.metrics.verdict_table import Ints, VerdictTable, codes_there
from judgebench.stats.resample import quotient

Counts: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMeans:
    """All of shape (items, models).

    mean
        nan where there is no readable verdict.
    readable, asked, expected : int array
        How many verdicts are readable, were asked for, and should be there: all that were asked
        for, one for each further answer that another judge was asked about, unless it only chooses
        among them, and one where a model has no answer, unless the table is sparse.
    worst, best
        The mean with every missing verdict at the lowest and at the highest value; nan where none
        is expected, None for a scale without ends.
    """

    mean: Floats
    readable: Counts
    asked: Counts
    expected: Counts
    worst: Floats | None
    best: Floats | None

    def taken(self, take: Callable[[Any], Any]) -> ItemMeans:
        """Those of some items or models, of each array what ``take`` takes."""
        its: dict[str, Any] = {
            one.name: None if of is None else take(of)
            for one in fields(self)
            for of in (getattr(self, one.name),)
        }
        return ItemMeans(**its)


def item_means(
    table: VerdictTable, rows: Ints, values: Floats, *, ends: tuple[float, float]
) -> ItemMeans:
    """Average one judge's verdicts.

    Parameters
    ----------
    table
    rows : int array
        The rows of one judge.
    values : float array, shape (rows of the table,)
        nan where a verdict is unreadable or was not had.
    ends
        The lowest and the highest value that a verdict can have; infinite where there is none.
    """
    in_cell, n_cells = table.cells(rows), table.shape[0] * table.shape[1]
    said, n_asked = values[rows], _occurring(in_cell, n_cells)
    if n_asked.max(initial=0) <= 1:
        return _of_single(table, in_cell, said, n_asked, ends)
    nested = _Nested(table, rows)
    unasked = np.maximum(table.n_answers - _occurring(nested.cell_of, n_cells), 0)

    def filled(end: float) -> Floats | None:
        if not np.isfinite(end):
            return None
        total, n = nested.totals(np.where(np.isnan(said), end, said))
        return quotient(total + unasked * end, n + unasked).reshape(table.shape)

    return ItemMeans(
        mean=quotient(*nested.totals(said)).reshape(table.shape),
        readable=_occurring(in_cell[~np.isnan(said)], n_cells).reshape(table.shape),
        asked=n_asked.reshape(table.shape),
        expected=(n_asked + unasked).reshape(table.shape),
        worst=filled(ends[0]),
        best=filled(ends[1]),
    )


def _of_single(
    table: VerdictTable, in_cell: Ints, said: Floats, n_asked: Counts, ends: tuple[float, float]
) -> ItemMeans:
    """Of most boards: each cell holds one verdict at most, which is its mean."""
    shape = table.shape
    mean = np.full(len(n_asked), np.nan)
    mean[in_cell] = said
    read, expected = ~np.isnan(mean), np.maximum(table.n_answers, n_asked)
    lacking, one_each = expected - read, bool((expected == 1).all())

    def filled(end: float) -> Floats | None:
        if not np.isfinite(end):
            return None
        total = lacking * end
        np.add(total, mean, out=total, where=read)
        return (total if one_each else quotient(total, expected)).reshape(shape)

    return ItemMeans(
        mean=mean.reshape(shape),
        readable=read.astype(np.int32).reshape(shape),
        asked=n_asked.reshape(shape),
        expected=expected.reshape(shape),
        worst=filled(ends[0]),
        best=filled(ends[1]),
    )


class _Nested:
    """Which rows of one judge repeat an asking, and which askings are about one answer."""

    def __init__(self, table: VerdictTable, rows: Ints) -> None:
        self.n_cells = table.shape[0] * table.shape[1]
        answer_of = table.answer_of[rows]
        askings, self.asking_of = codes_there(table.askings(rows))
        of_asking = np.zeros(len(askings), np.int64)
        of_asking[self.asking_of] = answer_of
        answers, self.answer_of = codes_there(of_asking)
        self.n_askings, self.n_answers = len(askings), len(answers)
        self.cell_of = table.cell_of[answers]

    def totals(self, values: Floats) -> tuple[Floats, Floats]:
        """In each cell, the sum of the means of its answers, and how many answers have one."""
        of_asking = quotient(*sums_of(values, self.asking_of, self.n_askings))
        of_answer = quotient(*sums_of(of_asking, self.answer_of, self.n_answers))
        return sums_of(of_answer, self.cell_of, self.n_cells)


def _occurring(cells: Ints, n_cells: int) -> Counts:
    """How often each cell occurs; there are many cells, and none has many verdicts."""
    return np.bincount(cells, minlength=n_cells).astype(np.int32)


def sums_of(values: Floats, group: NDArray[Any], n_groups: int) -> tuple[Floats, Floats]:
    """Sums and counts of what is not nan, in each group."""
    there = ~np.isnan(values)
    sums, n = (
        np.bincount(group, weights, n_groups).astype(np.float64, copy=False)
        for weights in (np.where(there, values, 0.0), there)
    )
    return sums, n
