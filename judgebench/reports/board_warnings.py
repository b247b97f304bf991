"""What a reader of a board has to know: flags beside a model, warnings below the board."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

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

MOST_NAMES = 3
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
        from judgebench.reports.sequential import cut_short

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


def few(names: Collection[str], most: int = MOST_NAMES) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - most
    return ", ".join([*names][:most]) + (f" and {more} more" if more > 0 else "")
