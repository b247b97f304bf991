"""MT-Bench: scores of single grading, games between two, votes, and printed tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from judgebench.columns import grouped, same
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.measures import by_turn
from judgebench.metrics.scores import SCORE, UNREAD_AS, scores
from judgebench.reports.reproduce import (
    ROUNDING,
    FigureTable,
    Recomputation,
    Reproduction,
    each,
    read_json,
)
from judgebench.rows import Row, read_rows
from judgebench.stats.agreement import cohen_kappa_of, percent_agreement
from judgebench.stats.pair_outcomes import LOSS, TIE, WIN, without_ties

JUDGED_BY = "gpt-4"
JUDGED, PRINTED, URIAL, BOTH = "judgments", "2023-06-22", "URIAL", "both runs"
UNREAD, RATINGS = -1.0, 160
OLD = f"{UNREAD_AS}{UNREAD:g}"
TABLE, TURNS, CATEGORIES = f"{SCORE}/printed", "mean of turns", "mean of categories"
HUNDREDTHS, SIX_DIGITS = 5e-3 + ROUNDING, 5e-6
OFFICIAL = {SCORE: "average", f"{SCORE}/turn 1": "first_turn", f"{SCORE}/turn 2": "second_turn"}
LEFT_OUT = "the table of 2023-06-22 counted what could not be read as -1; here it is left out"
UNEQUAL = "some ratings could not be read, so that turns and categories do not count equally"
TWO_RUNS = "two checkpoints under one name, which upstream's script averages: they are two here"


def reproduced(folder: Path, intervals: Intervals) -> Reproduction:
    """Every figure that is made of judgments, games or votes, and how printed tables hang together.

    Scores are those of boards, with their intervals.
    """
    votes = read_json(folder / "expected.json", "with_ties", "without_ties")
    expected = read_json(folder / "scores.json", "models", "pair")
    fields = ("question_id", "model_a", "model_b", "judge", "winner")
    rows = read_rows(folder / "votes.csv", fields)
    return Reproduction(
        table="mt_bench",
        title=f"MT-Bench, 17 models from their judgments, printed tables, {len(rows)} votes",
        source="lm-sys/FastChat, forks, Re-Align/URIAL; lmsys/mt_bench_human_judgments at f7d2896",
        licence="Apache-2.0, votes CC BY 4.0: numbers, not in the package",
        theirs="compared with what was printed, and with what was computed elsewhere",
        who="model",
        figures=[
            *_of_judgments(folder / "scores.csv", expected["models"], intervals),
            *_of_games(folder / "pairs.csv", expected["pair"]),
            *_of_tables(folder / "boards.csv"),
            *(
                figure
                for who, table in _vote_tables(grouped(map(_vote, rows)).values()).items()
                for scope, counts in (("with_ties", table), ("without_ties", without_ties(table)))
                for figure in _of_votes(who, scope, counts, votes[scope][who])
            ),
        ],
        shown=[
            FigureTable(title="mean of all ratings, 1 to 10", metric=SCORE, scope=JUDGED,
                        theirs="show_result"),
            FigureTable(title="both checkpoints that have one name", metric=SCORE, scope=BOTH,
                        theirs="show_result"),
            FigureTable(title="table of 2023-06-22 from what the script prints today",
                        metric=TABLE, scope=PRINTED, digits=2),
            FigureTable(title="overall from both turns, base models", metric=TURNS, scope=URIAL),
            *(FigureTable(title=f"agreement, %, {said}", metric=AGREEMENT, scope=scope,
                          who="whose votes", theirs="paper", digits=1)
              for scope, said in (("with_ties", "ties too"), ("without_ties", "without ties"))),
        ],
        notes=[
            f"{OLD}: what could not be read counts as -1, as in the table of 2023-06-22",
            "authors of the paper voted too and are not counted as people, as in the paper",
            "where GPT-4 said another thing in the other order, that is a tie",
            "published_2024_bootstrap is of another run of the judge: it is on `leaderboard "
            "mt_bench --published`, with nothing here to be made of",
        ],
    )  # fmt: skip


# Single grading -----------------------------------------------------------------------------------


def score_columns(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The ratings as boards take them, two runs under one name as two; the categories."""
    rows = read_rows(path, ("model", "sample", "question_id", "turn", "score", "category"))
    value = np.array([row.number("score") for row in rows])
    return {
        "item_id": [row.text("question_id") for row in rows],
        "model": [_run(row.text("model"), row.whole("sample")) for row in rows],
        "turn": [row.whole("turn") - 1 for row in rows],
        "judge": same(JUDGED_BY, len(rows)),
        "sample": same(0, len(rows)),
        "low": same(1.0, len(rows)),
        "high": same(10.0, len(rows)),
        "kind": np.where(value == UNREAD, "unreadable", "score").tolist(),
        "value": np.where(value == UNREAD, np.nan, value),
    }, {row.text("question_id"): row.text("category") for row in rows}


def _of_judgments(
    path: Path, models: Mapping[str, Any], intervals: Intervals
) -> Iterator[Recomputation]:
    columns, category = score_columns(path)
    said, groups = by_turn(columns, [category])
    ours = {
        one.model: one.metrics
        for one in scores(said, groups=groups, unread_as=UNREAD, intervals=intervals)
    }
    for model, theirs in models.items():
        runs = theirs.get("by_sample", {"0": theirs["official"]})
        for sample, run in runs.items():
            who, official = _run(model, int(sample)), {m: run[of] for m, of in OFFICIAL.items()}
            yield from each(who, ours[who], official, scope=JUDGED)
        if len(runs) > 1:
            names = {_run(model, int(sample)) for sample in runs}
            own = columns["value"][[one in names for one in columns["model"]]]
            read = own[~np.isnan(own)]
            yield from each(
                model, {SCORE: read.mean()}, {SCORE: theirs["official"]["average"]},
                n=len(read), scope=BOTH, because=TWO_RUNS,
            )  # fmt: skip
            continue
        more = {f"{SCORE}/{name}": mean for name, mean in theirs["category"].items()}
        more[OLD] = theirs["unreadable_counted_as_minus_1"]
        yield from each(model, ours[model], more, scope=JUDGED)
        whole = ours[model][SCORE]
        worst, best = theirs["worst_best"]
        of = {"worst": whole.worst_low, "best": whole.worst_high, "unreadable": whole.missing}
        there = {"worst": worst, "best": best, "unreadable": theirs["unreadable_rows"]}
        yield from each(model, of, there, n=whole.n, scope=JUDGED)


def _run(model: str, sample: int) -> str:
    return f"{model} (run {sample + 1})" if sample else model


# Games, and tables --------------------------------------------------------------------------------


def _of_games(path: Path, theirs: Mapping[str, Any]) -> Iterator[Recomputation]:
    """A win is one in both orders; anything else is a tie, and an error drops the pair."""
    rows = read_rows(path, ("model_1", "model_2", "g1_winner", "g2_winner"))
    games = [(row.text("g1_winner"), row.text("g2_winner")) for row in rows]
    read = [game for game in games if "error" not in game]
    won, lost = (read.count((side, side)) for side in ("model_1", "model_2"))
    n, tied = len(read), len(read) - won - lost
    found = {
        "rows": len(games), "dropped_error_rows": len(games) - n, "model_1_win": won,
        "model_1_loss": lost, "tie": tied, "win_rate": won / n, "loss_rate": lost / n,
        "win_rate_adjusted": (won + tied / 2) / n,
        "order_disagreements": sum(first != second for first, second in read),
    }  # fmt: skip
    yield from each(theirs["model_1"], found, theirs, n=n, scope=f"against {theirs['model_2']}")


def _of_tables(path: Path) -> Iterator[Recomputation]:
    """The old table from what the script prints and how many ratings that is; turns in all."""
    for row in read_rows(path, ("judge", "model", "score", "rated", "printed", "turn_1", "turn_2")):
        who, score = row.text("model"), row.number("score")
        if row.has("rated"):
            rated = row.whole("rated")
            old = (score * rated + UNREAD * (RATINGS - rated)) / RATINGS
            theirs = {OLD: row.number("unread_as_minus_1")}
            yield from each(who, {OLD: old}, theirs, n=rated, scope=PRINTED, tolerance=SIX_DIGITS)
        if row.has("printed"):
            printed = row.number("printed")
            for metric, ours in ((f"{OLD}, printed", old), (TABLE, score)):
                apart = abs(ours - printed) > HUNDREDTHS
                yield from each(
                    who, {metric: ours}, {metric: printed}, n=rated, scope=PRINTED,
                    tolerance=HUNDREDTHS, because=LEFT_OUT if apart else "",
                )  # fmt: skip
        if row.has("turn_1"):
            turns = ["turn_1", "turn_2"]
            listed = [name for name in CATEGORY_COLUMNS if row.has(name)]
            for metric, names in ((TURNS, turns), (CATEGORIES, listed)):
                ours = float(np.mean([row.number(name) for name in names]))
                yield from each(
                    who, {metric: ours}, {metric: score}, n=RATINGS, scope=URIAL,
                    because=UNEQUAL if abs(ours - score) > ROUNDING else "",
                )  # fmt: skip


CATEGORY_COLUMNS = (
    *("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities"),
)

# Votes --------------------------------------------------------------------------------------------

WHOLE = 0.5
AGREEMENT = "agreement/paper"
GPT4, EXPERT = "gpt4_pair", "expert_"
WINNERS: Mapping[str, int] = {
    "model_a": WIN, "model_b": LOSS, "tie": TIE, "tie (inconsistent)": TIE,
}  # fmt: skip
VOTERS = {"gpt4_human": "GPT-4 and an expert", "human_human": "two experts"}
PAPER: Mapping[tuple[str, str], int] = {
    ("gpt4_human", "with_ties"): 66, ("gpt4_human", "without_ties"): 85,
    ("human_human", "with_ties"): 63, ("human_human", "without_ties"): 81,
}  # fmt: skip
"""In per cent, as the paper prints it for the first turn."""

Vote: TypeAlias = tuple[str, int]
"""Who, and what came of the first of the two models by name."""


def _of_votes(
    who: str, scope: str, counts: Floats, theirs: Mapping[str, float]
) -> Iterator[Recomputation]:
    n, share = int(counts.sum()), float(percent_agreement(counts))
    kappa = cohen_kappa_of(counts)
    found = {"agree": np.trace(counts), "total": n, "ratio": share, "cohen_kappa_over_votes": kappa}
    yield from each(VOTERS[who], found, theirs, n=n, scope=scope)
    percent, printed = {AGREEMENT: 100 * share}, {AGREEMENT: PAPER[who, scope]}
    yield from each(VOTERS[who], percent, printed, n=n, scope=scope, tolerance=WHOLE)


def _vote(row: Row) -> tuple[tuple[str, str, str], Vote]:
    """What it is about, and the vote; models are called in order of name."""
    code, first = WINNERS[row.one_of("winner", "winner", WINNERS)], row.text("model_a")
    one, other = sorted((first, row.text("model_b")))
    vote = code if first == one else WIN - code
    return (row.text("question_id"), one, other), (row.text("judge"), vote)


def _vote_tables(votes: Iterable[Sequence[Vote]]) -> dict[str, Floats]:
    """What two votes on one pair say, for GPT-4 with experts and experts with each other."""
    tables = {who: np.zeros((3, 3)) for who in VOTERS}
    for said in votes:
        experts = [vote for vote in said if vote[0].startswith(EXPERT)]
        for _, theirs in experts:
            for judge, vote in said:
                tables["gpt4_human"][theirs, vote] += judge == GPT4
        for (one, first), (other, second) in combinations(experts, 2):
            tables["human_human"][first, second] += one != other
    return tables
