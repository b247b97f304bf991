"""What a reader of a board has to know: flags beside a model, warnings below the board."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from judgebench.columns import marked, select_rows
from judgebench.metrics.verdict_table import FAILED
from judgebench.plain_text import few
from judgebench.records import PLANS, Estimate
from judgebench.reports.answer_flags import (
    CUT,
    SUSPECT,
    SUSPICIOUS,
    Marks,
    said_of_constant,
    said_of_marks,
)
from judgebench.reports.board import Row
from judgebench.reports.board_data import STATUSES, BoardData
from judgebench.reports.boards import undeclared_labels

RUNS = 20
"""So many of the runs behind a board are asked for their plans, the newest."""

LONGER, SHORTER = "much longer answers", "much shorter answers"
LENGTHS_APART = 3.0
"""Answers of a mean length over so many times the opponent's, or under its inverse, are flagged."""
UNEVEN = 0.05
"""Shares of missing verdicts that differ by more are said: they may favour a model."""


def flags_of(
    data: BoardData,
    model: str,
    judged: Estimate,
    counts: Mapping[str, int],
    marks: Marks,
    opponent: str | None = None,
) -> tuple[str, ...]:
    """What stands beside one model.

    Parameters
    ----------
    judged
        What rests on all of the model's verdicts.
    opponent
        The id of whom it is compared with.
    """
    said = [SUSPICIOUS] if model in data.suspicious else []
    if missing_share(judged) > 1 - data.which.coverage_floor:
        said.append("coverage")
    if model not in data.plain_names:  # told apart by digits of its key
        said.append("two versions")
    said += [f"{status.replace('_', ' ')} answers" for status in STATUSES if counts.get(status)]
    if data.model_ids[model] in data.constant:
        said.append("constant answers")
    # Mean length over the opponent's, of items of both; nan where either is not known.
    own = data.model_ids[model]
    theirs = math.nan if opponent is None else data.mean_length(opponent, own)
    ratio = data.mean_length(own, opponent) / theirs if theirs > 0 else math.nan
    if ratio > LENGTHS_APART:
        said.append(LONGER)
    elif ratio < 1 / LENGTHS_APART:
        said.append(SHORTER)
    for mark in marks.answers:
        if mark == CUT or mark in SUSPECT:
            said.append("cut answers" if mark == CUT else mark.replace("_", " "))
    return tuple(said)


def warnings_of(
    data: BoardData, judge: str, members: Sequence[str], rows: Sequence[Row]
) -> tuple[str, ...]:
    """What stands below the board of a judge.

    Parameters
    ----------
    judge
        The name shown.
    members
        The id of the judge; of a panel, those of its judges.
    """
    specs = [data.spec_of[member] for member in members]
    said = []
    if data.which.official and any(spec.official_prompt is False for spec in specs):
        said.append("not the official judge prompt: not comparable with published figures")
    said += [
        f"verdicts of several served models are mixed: {few(served)}"
        for served in (data.served([member]) for member in members)
        if len(served) > 1
    ]
    said += [one.line for one in data.replacements if one.concerns(*members)]
    if judge in data.undeclared:
        said.append(undeclared_labels(data.undeclared[judge], data.which))
    shares = {row.model: missing_share(row.judged) for row in rows}
    if shares and max(shares.values()) - min(shares.values()) > UNEVEN:
        least, most = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
        worst = any(row.leading.missing and row.leading.worst_low is not None for row in rows)
        said.append(
            f"missing verdicts are uneven, from {shares[least]:.0%} ({least}) to "
            f"{shares[most]:.0%} ({most})" + ("; see the worst case" if worst else "")
        )
    shown = [row.model for row in rows]
    if any(PLANS in run.configuration for run in data.runs):
        said += dict.fromkeys(line for member in members for line in cut_short(data, member, shown))
    said += [
        f"{row.model}: its answers were generated in {ways} different ways"
        for row in rows
        if (ways := data.stacks[row.model_id]) > 1
    ]
    said += [
        f"{row.model}: {said_of_constant(one)}"
        for row in rows
        if (one := data.constant.get(row.model_id))
    ]
    apart = {
        word: few([row.model for row in rows if flag in row.flags])
        for flag, word in ((LONGER, "longer"), (SHORTER, "shorter"))
    }
    if named := "; ".join(f"{word}: {models}" for word, models in apart.items() if models):
        said.append(
            f"mean lengths over {LENGTHS_APART:g} times the opponent's, or under a third of it "
            f"({named}): judges favour length, and a length-controlled rate is "
            "an extrapolation"
        )
    marked = [(row.model, data.marks.get((judge, row.model))) for row in rows]
    if marks := {model: its for model, its in marked if its is not None}:
        limits = {spec.options.get("max_answer_chars") for spec in specs}
        limit = limits.pop() if len(limits) == 1 else None
        said += said_of_marks(marks, limit if isinstance(limit, int) else None)
    return tuple(said)


def missing_share(estimate: Estimate) -> float:
    """Of the verdicts that should be there."""
    expected = estimate.n + estimate.missing
    return estimate.missing / expected if expected else 0.0


def cut_short(board: BoardData, judge_id: str | None, models: Collection[str]) -> list[str]:
    """Which of these models a judge judged no further than it took to decide, as they are shown."""
    ids = {board.model_ids[model]: model for model in models}
    found: dict[str, str] = {}
    for ended, _ in plans_behind(board, judge_id, ids):
        for one in ids.keys() & ended.keys():
            told = ended[one]
            if told["items"] < told["of"]:
                open_ = told["decision"] == "undecided"
                found.setdefault(
                    one,
                    f"{ids[one]} was judged until it was decided, {told['items']} of {told['of']} "
                    "items: intervals and tests of a fixed number of items do not know of that"
                    if not open_
                    else f"{ids[one]} is judged by a plan that has not decided, {told['items']} of "
                    f"{told['of']} items: run again to go on",
                )
    return list(found.values())


def plans_behind(
    board: BoardData, judge_id: str | None, models: Collection[str]
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """What became of the plans behind verdicts on these models, the newest first; the baselines."""
    runs = {
        one.run_id
        for one in board.judged_at
        if one.judge_id == judge_id and (one.model_id in models or one.opponent_id in models)
    }
    found = [board.store.run(run_id) for run_id in sorted(runs, reverse=True)[:RUNS]]
    plans = [run and run.configuration.get(PLANS, {}).get(f"{judge_id} {board.which}")
             for run in found]  # fmt: skip
    for told in filter(None, plans):
        ended = told["ended"]
        if not all(plans):  # what a run without one has judged to the end was not cut short
            ended = {
                model: its for model, its in ended.items()
                if its["items"] == its["of"] or _judged(board, judge_id, model) < its["of"]
            }  # fmt: skip
        yield ended, told["baseline"]


def _judged(board: BoardData, judge_id: str | None, model_id: str) -> int:
    """Of how many items the board has a verdict of a judge on a model."""
    judge = "" if judge_id is None else board.judges[judge_id]
    items: set[str] = set()
    for its in board.verdicts.values():
        mine = marked(its["judge"], judge.__eq__) & marked(its["kind"], lambda one: one != FAILED)
        mine &= marked(its["model"], lambda one: board.model_ids.get(one) == model_id)
        items.update(select_rows({"item_id": its["item_id"]}, np.flatnonzero(mine))["item_id"])
    return len(items)
