"""Why verdicts are missing: the reply had none, the call failed, or nobody asked."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import Coded, counted, same, taken
from judgebench.metrics.item_means import ItemMeans
from judgebench.metrics.verdict_table import FAILED, NOT_ASKED, Columns, Ints, VerdictTable
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
    lacking = rows[~readable[rows]]
    model = Coded(table.models_of(lacking), range(len(table.models)))
    why = (
        taken(columns[name], lacking) if name in columns else same(None, len(lacking))
        for name in ("kind", "reason", "failure_kind")
    )
    found = {m: Counter[str]() for m in np.flatnonzero(means.asked.any(axis=0)).tolist()}
    for (m, *said), n in counted(model, *why).items():
        found[m].update(dict.fromkeys(_counts(*said), n))
    missing = (means.expected - means.readable).sum(axis=0)
    counts = {}
    for m, of in found.items():
        of_reasons = {name: of[name] for name in ("unreadable", *SPLIT.values(), "failed")}
        of_kinds = {name: of[name] for name in sorted(of) if name.startswith(FAILURES)}
        not_asked = int(missing[m]) - of["unreadable"] - of["failed"]
        counts[table.models[m]] = of_reasons | of_kinds | {"not_asked": not_asked}
    return counts


def _counts(kind: str, reason: str | None, failure_kind: str | None) -> list[str]:
    """The counts that a row without a readable verdict belongs to."""
    if failure_kind == NOT_ASKED:
        return []
    if kind == FAILED:
        return ["failed", *([f"{FAILURES}{failure_kind}"] if failure_kind else [])]
    return ["unreadable", *([SPLIT[reason]] if reason in SPLIT else [])]
