"""Kappa and plain agreement alone, of all answers together: quick enough for after every label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from judgebench.metrics.comparison import AgreementRow, Comparison, Measures
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.label_board import find_reference, read_labels
from judgebench.metrics.paired_tables import pair
from judgebench.metrics.verdict_table import Columns
from judgebench.stats.agreement import Weighting, coefficient, cohen_kappa_of

COEFFICIENTS = ("agreement", "cohen_kappa")


def label_kappa(
    columns: Columns,
    *,
    reference: str,
    labels: Sequence[str],
    weighting: Weighting = "nominal",
    intervals: Intervals | None = None,
) -> tuple[AgreementRow, ...]:
    """Every judge that labels, against one of them: a row ``pooled`` for each.

    What `judgebench.metrics.agreement.agreement` says under the same names, and nothing else.

    Parameters
    ----------
    columns, labels
        As for `judgebench.metrics.label_board.read_labels`.
    reference
        A judge; answers that it has not labelled do not count.
    weighting
        How two labels are disagreed upon, in ``cohen_kappa``.
    intervals
        Percentile bootstrap over items unless asked otherwise.

    Raises
    ------
    UsageError
        When the reference has given none of the labels.
    """
    board = read_labels(columns, labels=labels)
    truth = find_reference(board, reference)
    wanted = intervals or Intervals()
    resamples = wanted.resamples(board.units)
    of = partial(_coefficient, weighting=weighting)
    measures = Measures(coefficients=COEFFICIENTS, of=of, scores=None)
    return tuple(
        Comparison(
            judge, reference, pair(board, board.of(judge), truth.codes), resamples, wanted, measures
        ).pooled()
        for judge in board.labellers
        if judge not in truth.raters
    )


def score_kappa(
    columns: Columns, *, reference: str, low: int, high: int, intervals: Intervals | None = None
) -> tuple[AgreementRow, ...]:
    """Every judge that scores on a scale of whole numbers, against one of them.

    As `label_kappa` with the points of the declared scale for labels: ``cohen_kappa`` is quadratic,
    ``agreement`` is on the very same point. A score between two points counts as the nearer one.
    Scores on another scale are passed over.
    """
    kept = [
        row
        for row, kind in enumerate(columns["kind"])
        if kind == "unreadable"
        or (kind == "score" and (columns["low"][row], columns["high"][row]) == (low, high))
    ]
    as_labels: dict[str, list[Any]] = {
        name: [values[row] for row in kept]
        for name, values in columns.items()
        if name != "judge_kind"  # by which what cannot be read would be on a board of scores
    }
    scored = [kind == "score" for kind in as_labels["kind"]]
    as_labels["kind"] = ["label" if yes else "unreadable" for yes in scored]
    as_labels["label"] = [
        str(math.floor(value + 0.5)) if yes else None
        for yes, value in zip(scored, as_labels["value"], strict=True)
    ]
    points = [str(point) for point in range(low, high + 1)]
    return label_kappa(
        as_labels,
        reference=reference,
        labels=points,
        weighting="quadratic",
        intervals=intervals,
    )


def _coefficient(name: str, tables: Floats, *, weighting: Weighting) -> Floats:
    if name == "cohen_kappa":
        return cohen_kappa_of(tables, weighting=weighting)
    return coefficient(name, tables)
