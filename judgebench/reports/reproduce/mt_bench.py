"""How far GPT-4 and people agree on the votes of MT-Bench's first turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TypeAlias

import numpy as np

from judgebench.columns import grouped
from judgebench.errors import unknown_name
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.reports.reproduce.recomputed import (
    FigureTable,
    Recomputation,
    Reproduction,
    each,
    read_json,
)
from judgebench.rows import Row, read_rows
from judgebench.stats.agreement import cohen_kappa_of, percent_agreement
from judgebench.stats.pair_outcomes import without_ties

WHOLE = 0.5
PUBLISHED = "agreement/paper"
GPT4, EXPERT = "gpt4_pair", "expert_"
LOSS, TIE, WIN = range(3)
WINNERS: Mapping[str, int] = {
    "model_a": WIN, "model_b": LOSS, "tie": TIE, "tie (inconsistent)": TIE,
}  # fmt: skip
TITLES = {"gpt4_human": "GPT-4 and an expert", "human_human": "two experts"}
PAPER: Mapping[tuple[str, str], float] = {
    ("gpt4_human", "with_ties"): 66, ("gpt4_human", "without_ties"): 85,
    ("human_human", "with_ties"): 63, ("human_human", "without_ties"): 81,
}  # fmt: skip
"""In per cent, as table 5 of the paper prints it for the first turn."""

Vote: TypeAlias = tuple[str, int]
"""Who, and what came of the first of the two models by name."""


def reproduced(folder: Path, intervals: Intervals) -> Reproduction:
    """The agreement of votes, with ties and without; each pair of votes on one pair counts."""
    expected = read_json(folder / "expected.json", "with_ties", "without_ties")
    rows = read_rows(folder / "votes.csv", ("question_id", "model_a", "model_b", "judge", "winner"))
    votes = grouped(map(_vote, rows))
    figures = [
        figure
        for who, table in _tables(votes.values()).items()
        for scope, counts in (("with_ties", table), ("without_ties", without_ties(table)))
        for figure in _figures(who, scope, counts, expected[scope][who])
    ]
    return Reproduction(
        table="mt_bench",
        title=f"MT-Bench, {len(rows)} votes on pairs of answers to the first turn of 80 questions",
        source="lmsys/mt_bench_human_judgments at f7d2896",
        licence="CC BY 4.0: votes as numbers, not in the package",
        theirs="compared with the paper (arXiv 2306.05685), and with what was computed elsewhere",
        who="whose votes",
        figures=figures,
        shown=[
            FigureTable(title=f"agreement, %, {said}", metric=PUBLISHED, scope=scope,
                        theirs="paper", digits=1)
            for scope, said in (("with_ties", "ties too"), ("without_ties", "without ties"))
        ],
        notes=[
            "authors of the paper voted too and are not counted as people, as in the paper",
            "where GPT-4 said another thing in the other order, that is a tie",
        ],
    )  # fmt: skip


def _figures(
    who: str, scope: str, counts: Floats, theirs: Mapping[str, float]
) -> Iterator[Recomputation]:
    n, share = int(counts.sum()), float(percent_agreement(counts))
    kappa = cohen_kappa_of(counts)
    found = {"agree": np.trace(counts), "total": n, "ratio": share, "cohen_kappa_over_votes": kappa}
    yield from each(TITLES[who], found, theirs, n=n, scope=scope)
    percent, printed = {PUBLISHED: 100 * share}, {PUBLISHED: PAPER[who, scope]}
    yield from each(TITLES[who], percent, printed, n=n, scope=scope, tolerance=WHOLE)


def _vote(row: Row) -> tuple[tuple[str, str, str], Vote]:
    """What it is about, and the vote; models are called in order of name."""
    if (said := row.text("winner")) not in WINNERS:
        raise row.wrong("winner", unknown_name("winner", said, WINNERS))
    first, second = row.text("model_a"), row.text("model_b")
    code, (one, other) = WINNERS[said], sorted((first, second))
    vote = code if first == one else WIN - code
    return (row.text("question_id"), one, other), (row.text("judge"), vote)


def _tables(votes: Iterable[Sequence[Vote]]) -> dict[str, Floats]:
    """What two votes on one pair say, for GPT-4 with experts and experts with each other."""
    tables = {who: np.zeros((3, 3)) for who in TITLES}
    for said in votes:
        experts = [vote for vote in said if vote[0].startswith(EXPERT)]
        for _, theirs in experts:
            for judge, vote in said:
                tables["gpt4_human"][theirs, vote] += judge == GPT4
        for (one, first), (other, second) in combinations(experts, 2):
            tables["human_human"][first, second] += one != other
    return tables
