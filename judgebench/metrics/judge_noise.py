"""How far one judge's answers to one and the same question lie apart."""

from __future__ import annotations

import numpy as np

from judgebench.metrics.intervals import Floats
from judgebench.metrics.measure import Measure
from judgebench.metrics.verdict_table import Ints, VerdictTable

JUDGE_NOISE = "judge_noise"


def judge_noise(table: VerdictTable, rows: Ints, values: Floats, *, unit: float = 1.0) -> Measure:
    """Standard deviation of one judge's repeats around their mean, pooled over all it was asked.

    In the unit of the metric that ranks, and unbiased as a variance. Undefined where nothing was
    asked again.

    Parameters
    ----------
    rows : int array
        The rows of one judge.
    values : float array, shape (rows of the table,)
        nan where a verdict is unreadable or was not had.
    """
    n_cells = table.shape[0] * table.shape[1]
    read = rows[~np.isnan(values[rows])]
    _, asking_of, repeats = np.unique(
        table.asking_of[read], return_inverse=True, return_counts=True
    )
    mean = np.bincount(asking_of, values[read]) / np.maximum(repeats, 1)
    again = repeats[asking_of] > 1
    deviation = (values[read] - mean[asking_of])[again]
    cell = table.cells(read[again])
    freedom = 1.0 - 1.0 / repeats[asking_of][again]

    def by_cell(weights: Floats) -> Floats:
        return np.bincount(cell, weights, n_cells).astype(np.float64).reshape(table.shape)

    n = by_cell(np.ones(len(cell))).sum(axis=0)
    return Measure(
        top=by_cell(np.square(deviation)),
        bottom=by_cell(freedom),
        n=n,
        missing=np.zeros_like(n),
        unit=unit,
        root=True,
        undefined="nothing was asked again",
    )
