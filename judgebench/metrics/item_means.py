"""What one judge says of each model on each item, averaged so that every item counts once.

Repeats are averaged first, then the two orders, then the samples of an item: a judge that was asked
more often in one order than in the other does not favour who stands first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from judgebench.metrics.intervals import Floats
from judgebench.metrics.verdict_table import Ints, VerdictTable, codes_there
from judgebench.stats.resample import quotient


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMeans:
    """All of shape (items, models).

    mean
        nan where there is no readable verdict.
    readable, asked, expected
        How many verdicts are readable, were asked for, and should be there: all that were asked
        for, one for each further answer that another judge was asked about, unless it only chooses
        among them, and one where a model has no answer, unless the table is sparse.
    worst, best
        The mean with every missing verdict at the lowest and at the highest value; nan where none
        is expected, None for a scale without ends.
    """

    mean: Floats
    readable: Floats
    asked: Floats
    expected: Floats
    worst: Floats | None
    best: Floats | None


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
    n_cells = table.shape[0] * table.shape[1]
    nested = _Nested(table, rows)
    asked = values[rows]
    total_read, n_read = nested.totals(asked)
    wanted = table.cell_of if table.for_all is None else table.cell_of[table.for_all]
    n_answers = np.bincount(wanted, minlength=n_cells)
    least = 0 if table.sparse else 1
    n_asked = np.bincount(nested.cell_of, minlength=n_cells)
    unasked = np.maximum(np.maximum(n_answers, least) - n_asked, 0)

    def filled(end: float) -> Floats | None:
        if not np.isfinite(end):
            return None
        if nested.single:
            total, n = total_read + (asked_for - n_read) * end, asked_for
        else:
            total, n = nested.totals(np.where(np.isnan(asked), end, asked))
        return quotient(total + unasked * end, n + unasked).reshape(table.shape)

    in_cell = nested.cell_of if nested.single else table.cells(rows)
    asked_for = np.bincount(in_cell, minlength=n_cells).astype(np.float64)
    return ItemMeans(
        mean=quotient(total_read, n_read).reshape(table.shape),
        readable=(n_read if nested.single else _sums(asked, in_cell, n_cells)[1]).reshape(
            table.shape
        ),
        asked=asked_for.reshape(table.shape),
        expected=(asked_for + unasked).reshape(table.shape),
        worst=filled(ends[0]),
        best=filled(ends[1]),
    )


class _Nested:
    """Which rows of one judge repeat an asking, and which askings are about one answer."""

    def __init__(self, table: VerdictTable, rows: Ints) -> None:
        self.n_cells = table.shape[0] * table.shape[1]
        answer_of = table.answer_of[rows]
        self.cell_of = table.cell_of[answer_of]
        self.single = bool(np.bincount(self.cell_of, minlength=1).max() <= 1)
        if self.single:  # of most boards: each cell holds one verdict, which is its mean
            return
        askings, self.asking_of = codes_there(table.askings(rows))
        of_asking = np.zeros(len(askings), np.int64)
        of_asking[self.asking_of] = answer_of
        answers, self.answer_of = codes_there(of_asking)
        self.n_askings, self.n_answers = len(askings), len(answers)
        self.cell_of = table.cell_of[answers]

    def totals(self, values: Floats) -> tuple[Floats, Floats]:
        """In each cell, the sum of the means of its answers, and how many answers have one."""
        if self.single:
            return _sums(values, self.cell_of, self.n_cells)
        of_asking = quotient(*_sums(values, self.asking_of, self.n_askings))
        of_answer = quotient(*_sums(of_asking, self.answer_of, self.n_answers))
        return _sums(of_answer, self.cell_of, self.n_cells)


def _sums(values: Floats, group: Ints, n_groups: int) -> tuple[Floats, Floats]:
    """Sums and counts of what is not nan."""
    there = ~np.isnan(values)
    sums, n = (
        np.bincount(group, weights, n_groups).astype(np.float64, copy=False)
        for weights in (np.where(there, values, 0.0), there)
    )
    return sums, n
