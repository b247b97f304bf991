"""JudgeBench's published judges: how often each is right in two orders, and what else is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from judgebench.columns import grouped
from judgebench.errors import unknown_name
from judgebench.metrics.intervals import Intervals
from judgebench.records import Estimate
from judgebench.reports.reproduce.recomputed import (
    FigureTable,
    Recomputation,
    Reproduction,
    each,
    read_json,
)
from judgebench.rows import Row, read_rows
from judgebench.stats.judge_accuracy import pair_figures
from judgebench.stats.resample import wilson_interval

ROUNDED = 5e-3 + 1e-9
PUBLISHED, OVERALL = "accuracy/paper", "overall"
VOTES: Mapping[str, float] = {"A>B": 1.0, "B>A": -1.0, "A=B": 0.0}
LEVEL = 0.95
NAMES: Mapping[str, str] = {
    "n": "n",
    "upstream_correct": "n_right",
    "upstream_wrong": "n_wrong",
    "upstream_tie": "n_undecided",
    "upstream_accuracy_percent": "accuracy",
    "single_game_accuracy_percent": "first_order_accuracy",
    "both_orders_correct": "n_right_twice",
    "mean_over_orders_accuracy_percent": "mean_order_accuracy",
    "null_verdicts": "n_unreadable",
    "tie_verdicts": "n_ties",
    "swap_consistent": "n_same",
    "swap_contradiction": "n_contradictory",
    "first_position_wins": "n_first",
    "second_position_wins": "n_second",
    "first_position_share_of_decisive": "first_shown",
    "order_kappa": "order_kappa",
    "longer_preferred_share_of_decisive": "longer",
    "accuracy_when_correct_is_longer": "accuracy_longer",
    "accuracy_when_correct_is_shorter": "accuracy_shorter",
    "n_correct_is_longer": "n_longer",
    "n_correct_is_shorter": "n_shorter",
}
"""What the figures call otherwise than `pair_figures`; those in per cent say so."""


def reproduced(folder: Path, intervals: Intervals) -> Reproduction:
    """Every figure of every judge, overall and by category."""
    expected = read_json(folder / "expected.json", "source", "judges")
    columns = ("judge", "category", "label", "decision_1", "decision_2", "len_A", "len_B")
    rows = read_rows(folder / "decisions.csv", columns)
    of_judge = grouped((row.text("judge"), row) for row in rows)
    figures = [
        figure
        for judge, theirs in expected["judges"].items()
        for scope, values in {OVERALL: theirs[OVERALL], **theirs["by_category"]}.items()
        for figure in _figures(
            judge,
            scope,
            [r for r in of_judge.get(judge, []) if scope in (OVERALL, r.text("category"))],
            values,
            theirs["published_percent"][scope],
            intervals.level,
        )
    ]
    source = expected["source"]
    return Reproduction(
        table="judgebench_pairs",
        title=f"JudgeBench, {len(of_judge)} judges, {len(rows)} pairs of answers of "
        "gpt-4o-2024-05-13 judged in two orders",
        source=f"{source['repository']} at {source['commit']}",
        licence="none stated: decisions as numbers, not in the package",
        theirs="compared with the paper, and with what was computed elsewhere",
        who="judge",
        figures=figures,
        shown=[
            FigureTable(title=f"right in two orders, %, {scope}", metric=PUBLISHED, scope=scope,
                        theirs="paper", digits=2)
            for scope in dict.fromkeys(figure.scope for figure in figures)
        ],
        notes=[
            "a pair is right where one verdict more is for the right answer than for the other",
            "a reward model's exact tie is B>A in both orders upstream, which contradicts itself",
        ],
    )  # fmt: skip


def _figures(
    judge: str,
    scope: str,
    rows: Sequence[Row],
    theirs: Mapping[str, Any],
    published: float,
    level: float,
) -> Iterator[Recomputation]:
    votes = np.array([[_vote(r, "decision_1"), -_vote(r, "decision_2")] for r in rows])
    truth = [_vote(row, "label") for row in rows]
    longer = np.sign([row.number("len_A") - row.number("len_B") for row in rows])
    found = pair_figures(votes.reshape(-1, 2), truth, longer)
    factor = {name: 100.0 if name.endswith("_percent") else 1.0 for name in NAMES}
    ours = {name: factor[name] * found[NAMES[name]] for name in NAMES}
    low, high = map(float, wilson_interval(found["n_right"], found["n"], level=level))
    ends = {"wilson/low": theirs["wilson95"][0], "wilson/high": theirs["wilson95"][1]}
    if level == LEVEL:
        ours |= {"wilson/low": low, "wilson/high": high}
    yield from each(judge, ours, {**theirs, **ends}, n=len(rows), scope=scope)
    accuracy = Estimate(
        value=100 * found["accuracy"], low=100 * low, high=100 * high, n=len(rows),
        units=len(rows), level=level, method="wilson",
    )  # fmt: skip
    yield Recomputation(
        who=judge, scope=scope, metric=PUBLISHED, ours=accuracy, theirs=published,
        tolerance=ROUNDED,
    )  # fmt: skip


def _vote(row: Row, field: str) -> float:
    """Which answer, as letters in the order shown; nan where nothing was read."""
    if not row.has(field) and field != "label":
        return np.nan
    if (said := row.text(field)) not in VOTES:
        raise row.wrong(field, unknown_name("decision", said, VOTES))
    return VOTES[said]
