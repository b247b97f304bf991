"""Kappa of every two judges and nothing else: quick enough for a million verdicts.

What agreement reports say of every two judges under the same name, of all answers together.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from judgebench.metrics.comparison import AgreementRow, Comparison, Measures, pairs_of
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judged_values import JudgedValues
from judgebench.metrics.label_board import NO_VERDICT, UNREADABLE, LabelBoard
from judgebench.metrics.paired_tables import PairedTables, pair
from judgebench.stats.agreement import coefficient

KAPPA = "cohen_kappa"
_MEASURES = Measures(coefficients=(KAPPA,), of=coefficient, scores=None)


def kappa_map(board: JudgedValues, *, intervals: Intervals | None = None) -> list[AgreementRow]:
    """Every two judges that judged some answer both; the second by name is the reference.

    Parameters
    ----------
    board
        Of labels or outcomes.
    intervals
        Percentile bootstrap over items unless asked otherwise.
    """
    labelled = _as_labels(board)
    wanted = intervals or Intervals()
    resamples = wanted.resamples(board.units)
    rows = []
    for first, second in pairs_of(board.judges):
        mine, theirs = labelled.of(first), labelled.of(second)
        if ((mine >= 0) & (theirs >= 0)).any():
            tables = _together(pair(labelled, mine, theirs))
            found = Comparison(first, second, tables, resamples, wanted, _MEASURES).pooled()
            rows.append(replace(found, metrics={KAPPA: found.metrics[KAPPA]}))
    return rows


def _as_labels(board: JudgedValues) -> LabelBoard:
    silent = np.where(board.asked, UNREADABLE, NO_VERDICT)
    return LabelBoard(
        labels=board.labels,
        items=board.items,
        models=tuple(str(place) for place in range(len(board.models))),
        judges=board.judges,
        item_of=board.item_of,
        model_of=board.model_of,
        units=board.units,
        unit_of=board.unit_of,
        codes=np.where(np.isnan(board.values), silent, np.nan_to_num(board.values)).astype(np.int8),
    )


def _together(one: PairedTables) -> PairedTables:
    """All models as one, whose table is the pooled one."""
    return PairedTables(
        models=("all",),
        tables=one.tables.sum(axis=1, keepdims=True),
        truth=one.truth.sum(axis=1, keepdims=True),
        pairs=one.pairs.sum(keepdims=True),
        missing=one.missing.sum(keepdims=True),
        filled=one.filled.sum(axis=0, keepdims=True),
        unfilled=one.unfilled.sum(axis=0, keepdims=True),
    )
