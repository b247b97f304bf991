"""How often each model is right, in the eyes of each judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from judgebench.columns import coded, counted
from judgebench.metrics.board_kinds import BoardKind, read_board
from judgebench.metrics.intervals import LEAST, Intervals
from judgebench.metrics.measures import (
    JUDGE_NOISE,
    Groups,
    by_group,
    item_means,
    judge_noise,
    mean_of,
)
from judgebench.metrics.ranked_rows import Measured, Standing, judge_by_judge
from judgebench.metrics.verdict_table import Columns, Ints, VerdictTable, verdict_values
from judgebench.records import BINARY

ACCURACY = "accuracy"

NO_ONE_NUMBER = "refusals and harm are figures of their own, never one number"


def of_rate(
    columns: Columns, labels: Sequence[str], which: Collection[str], name: str
) -> tuple[Columns, tuple[str, str]]:
    """The rows with some of the declared labels called ``name`` and the others not; and those two.

    What was not declared stays so.
    """
    kept = dict.fromkeys(labels, "other") | dict.fromkeys(which, name)
    said = coded(columns["label"]).mapped(lambda one: kept.get(one, one))
    return {**columns, "label": said}, ("other", name)


def undeclared(columns: Columns, labels: Sequence[str]) -> dict[str, Counter[str]]:
    """By judge, the labels that are not declared and so count as unreadable, with how many."""
    found: dict[str, Counter[str]] = {}
    said = counted(columns["kind"], columns["judge"], columns["label"])
    for (kind, judge, label), n in said.items():
        if kind == "label" and label not in labels:
            found.setdefault(judge, Counter())[label] += n
    return found


def accuracies(
    columns: Columns,
    *,
    labels: Sequence[str] = BINARY,
    groups: Groups = (),
    rates: Mapping[str, Collection[str]] | None = None,
    apart: bool = False,
    intervals: Intervals | None = None,
    ranked: Collection[str] | None = None,
) -> tuple[Standing, ...]:
    """Share of each model's readable verdicts that are the positive label, judge by judge.

    Repeats and samples of one item are averaged first; items count equally. Missing are the items
    of the board (those of all models together) and further samples without a readable verdict; the
    worst-case bounds set all of them wrong, then all right.

    Parameters
    ----------
    columns
        As for `read_labels`.
    labels
        The declared ones, the positive one last. Another one is unreadable.
    groups
        Ways of grouping items: each group has an accuracy of its own.
    rates, apart
        Labels whose shares are figures of their own, by their names, in place of an accuracy, which
        is undefined then, so that nothing ranks. ``apart``: of groups alone, never of the whole.
    intervals
        Percentile bootstrap over items unless asked otherwise; Wilson's under 30 items and
        with fewer than `LEAST` right or wrong answers.
    ranked
        As for `judge_by_judge`.

    Returns
    -------
    tuple of Standing
        With the metrics `accuracy`, a fraction, `accuracy/<group>` for each group, and where judges
        were asked repeatedly `judge_noise`; with ``rates``
        `<rate>` and `<rate>/<group>`. Best model first within each judge, judges in order of name.
    """
    share = partial(mean_of, proportion=True, least=LEAST)

    def measured(table: VerdictTable, rows: Ints) -> Measured:
        means = item_means(table, rows, table.values, ends=(0.0, 1.0))
        measures = {ACCURACY: share(means)}
        if rates:
            nothing = np.zeros_like(means.mean)
            measures[ACCURACY] = replace(
                measures[ACCURACY], top=nothing, bottom=nothing, worst=None, best=None,
                undefined=NO_ONE_NUMBER,
            )  # fmt: skip
        elif groups:
            measures |= by_group(ACCURACY, table, means, groups, share)
        for name, which in (rates or {}).items():
            of = verdict_values(table.columns, "label", labels, which)
            its = item_means(table, rows, of, ends=(0.0, 1.0))
            measures |= {} if apart else {name: share(its)}
            measures |= by_group(name, table, its, groups, share)
        if table.again:
            measures[JUDGE_NOISE] = judge_noise(table, rows, table.values)
        return Measured(means=means, width=1.0, measures=measures)

    return judge_by_judge(
        read_board(columns, BoardKind("label"), labels), measured, intervals or Intervals(),
        ranked=ranked,
    )  # fmt: skip
