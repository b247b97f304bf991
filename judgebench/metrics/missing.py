"""Why verdicts are missing: the reply had none, the call failed, or nobody asked."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.item_means import ItemMeans
from judgebench.metrics.verdict_table import FAILED, Columns, Ints, VerdictTable
from judgebench.records import REFUSED, TRUNCATED

SPLIT = {TRUNCATED: "judge_truncated", REFUSED: "judge_refused"}
"""Reasons of unreadable verdicts that are counted apart, and under which name: the judge's reply
was cut off, or refused by the judge or its provider. (A model's own truncated and refused answers
are something else.)"""

FAILURES = "failed_"
"""What the counts of failures by kind begin with."""


def missing_counts(
    table: VerdictTable,
    means: ItemMeans,
    rows: Ints,
    columns: Columns,
    readable: NDArray[np.bool_],
) -> dict[str, dict[str, int]]:
    """What one judge's board lacks, by model; models that the judge was not asked about left out.

    Parameters
    ----------
    rows : int array
        The judge's rows of the table, which are those of the columns.
    columns
        ``kind``, and where they are known ``reason`` and ``failure_kind``.
    readable : bool array, shape (rows of the table,)

    Returns
    -------
    dict
        Of each model ``unreadable``, of which `SPLIT` names those of a known reason; ``failed``,
        and how many by `FAILURES` and their kind; ``not_asked``.
    """
    lacking: dict[int, Counter[str]] = {int(m): Counter() for m in np.unique(table.model_of[rows])}
    for row in rows[~readable[rows]].tolist():
        lacking[int(table.model_of[row])].update(_why(columns, row))
    missing = (means.expected - means.readable).sum(axis=0)
    counts = {}
    for m, found in lacking.items():
        said = {name: found[name] for name in ("unreadable", *SPLIT.values(), "failed")}
        kinds = {name: found[name] for name in sorted(found) if name.startswith(FAILURES)}
        not_asked = int(missing[m]) - found["unreadable"] - found["failed"]
        counts[table.models[m]] = said | kinds | {"not_asked": not_asked}
    return counts


def _why(columns: Columns, row: int) -> list[str]:
    """The counts that a row without a readable verdict belongs to."""
    if columns["kind"][row] == FAILED:
        kind = columns["failure_kind"][row] if "failure_kind" in columns else None
        return ["failed", *([f"{FAILURES}{kind}"] if kind else [])]
    reason = columns["reason"][row] if "reason" in columns else None
    return ["unreadable", *([SPLIT[reason]] if reason in SPLIT else [])]
