"""A benchmark of judges: how often each is right, on the whole, by section and by category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from judgebench.benchmarks.description import Right
from judgebench.columns import grouped
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import AgreementRow
from judgebench.metrics.judge_accuracy import RightItems
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.document import Cells, Table, column, table
from judgebench.stats.agreement import section_scores, ties_score
from judgebench.stats.resample import wilson_interval

ACCURACY, OF_SUBSET = "accuracy", "subset/"
TIED, REFERENCE = "tied", "ref"
"""How ids of prompts with several right answers begin, and those of their reference prompts."""

SAID: Mapping[Kind, str] = {
    "preference": "right where the verdicts of both orders together are for the right answer: one "
    "beside a tie or what could not be read is enough, two that contradict each other are not",
    "score": "right where the right answer has the highest score of all; of several that have it, "
    "as large a share",
}

Found: TypeAlias = Mapping[str, Estimate]


def judge_accuracies(
    found: RightItems, right: Right, category_of: Mapping[str, str | None], level: float
) -> Found:
    """What one judge's items come to: ``accuracy``, ``accuracy/SECTION`` and ``subset/CATEGORY``.

    Without sections each category is one. Shares of items that are right or wrong have Wilson's
    interval; weighted means and the score of ties have none, since none was measured to hold.
    """
    of = grouped((category_of.get(item) or "", value) for item, value in found.items.items())
    subsets = {name: _estimate(values, level) for name, values in sorted(of.items())}
    tied = [item for item in found.gaps if TIED in item]
    if right.ties is not None and tied:
        beside = (found.gaps.get(item.replace(TIED, REFERENCE), (np.nan,) * 2) for item in tied)
        score = ties_score([found.gaps[item] for item in tied], [*beside])
        subsets[right.ties] = _mean(score, len(tied), level)
    sections = right.sections or {name: [name] for name in subsets if name}
    accuracies = {name: one.value for name, one in subsets.items()}
    by_section = {
        name: subsets[categories[0]]
        if len(categories) == 1 and categories[0] in subsets
        else _mean(score, sum(subsets[one].n for one in categories if one in subsets), level)
        for (name, categories), score in zip(
            sections.items(),
            section_scores(accuracies, sections, right.weights).values(),
            strict=True,
        )
    }
    whole = _estimate([*found.items.values()], level)
    if right.sections:
        mean = float(np.mean([one.value for one in by_section.values()]))
        whole = _mean(mean, sum(one.n for one in subsets.values()), level)
    others = subsets if right.sections else {}
    return {
        ACCURACY: whole,
        **{f"{ACCURACY}/{name}": one for name, one in by_section.items()},
        **{f"{OF_SUBSET}{name}": one for name, one in others.items()},
    }


def accuracy_table(rows: Sequence[AgreementRow], at: str) -> Table:
    """A row for each judge, the best first: the whole, then sections."""

    def cell(name: str) -> Cells[AgreementRow]:
        title = name.partition("/")[2] or name
        return column(
            title, lambda row: estimates.text(row.metrics[name]), align="right", spare=title != name
        )

    names = dict.fromkeys(n for row in rows for n in row.metrics if not n.startswith(OF_SUBSET))
    return table(
        f"{at}, how often judges are right against {rows[0].reference}",
        sorted(rows, key=lambda row: -np.nan_to_num(row.metrics[ACCURACY].value, nan=-1)),
        [
            column("judge", lambda row: row.judge, wraps=True),
            *(cell(name) for name in names if all(name in row.metrics for row in rows)),
            column("items", lambda row: str(row.metrics[ACCURACY].n), align="right"),
        ],
        subtitle=SAID[rows[0].kind],
    )


def _estimate(values: Sequence[float], level: float) -> Estimate:
    mean = _mean(float(np.mean(values)) if values else np.nan, len(values), level)
    if not values or not {*values} <= {0.0, 1.0}:
        return mean
    low, high = wilson_interval(sum(values), len(values), level=level)
    return replace(mean, low=float(low), high=float(high), method="wilson")


def _mean(value: float, n: int, level: float) -> Estimate:
    return Estimate(
        value=value, low=np.nan, high=np.nan, n=n, units=n, level=level,
        method="no interval: none was measured to hold",
        undefined="there is a section of which nothing was judged" if np.isnan(value) else None,
    )  # fmt: skip
