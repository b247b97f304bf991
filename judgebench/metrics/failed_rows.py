"""Verdicts that could not be had, as rows beside those that could, and why they are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from judgebench.columns import (
    Coded,
    Column,
    counted,
    marked,
    paired,
    same,
    select_rows,
    taken,
    together,
)
from judgebench.metrics.measures import ItemMeans
from judgebench.metrics.verdict_table import FAILED, NOT_ASKED, Columns, Ints, VerdictTable
from judgebench.records import REFUSED, TRUNCATED, is_human


class _Where(NamedTuple):
    """A place on a board."""

    judge: str | None
    item_id: str
    model: str
    sample: int
    turn: int
    opponent: str | None
    order: str
    repeat: int


_DEFAULTS = {"turn": 0, "opponent": None, "order": "single", "repeat": 0}


def with_failures(
    verdicts: Columns, failures: Columns, *, expected: Collection[tuple[str, int]] = ()
) -> dict[str, Column]:
    """The verdicts, and a row of the kind `FAILED` for each that could not be had.

    Neither may vanish: an item that nobody could judge is missing from every model; an answer that
    a model could not give from the board of every judge, and from every other model's where it was
    to be compared with that answer.

    Parameters
    ----------
    verdicts, failures
        ``judge`` (None where an answer failed), ``item_id``, ``model``, ``sample``, and where they
        are known ``turn``, ``opponent``, ``order``, ``repeat`` and ``judge_kind``; failures also
        ``kind``, which comes back as ``failure_kind``.
    expected
        Items, each with a turn, that every model is to be judged on by every judge but people: what
        nobody was asked about is a row of the failure `NOT_ASKED`.

    Returns
    -------
    dict
        All columns of the verdicts and those named here, and ``failure_kind``.
    """
    n = len(verdicts["item_id"])
    names = (*_Where._fields, "kind", "judge_kind", "failure_kind")
    held = {**{name: same(_DEFAULTS.get(name), n) for name in names}, **verdicts}
    absent: dict[_Where, Any] = {}
    if len(failures["item_id"]):
        failed = list(zip(_places(failures), failures["kind"], strict=True))
        there = list(_places(_near(verdicts, failures)))
        answered = {place._replace(order="single", repeat=0) for place in there}
        assignments = _assignments(verdicts, failures)
        for place, kind in failed:
            if place.judge is not None:
                absent.setdefault(place, kind)
                continue
            for missing in _missing_everywhere(place, assignments):
                if missing not in answered:
                    absent.setdefault(missing, kind)
        for place in there:
            absent.pop(place, None)
    if expected:
        told = _assignments(verdicts, failures)
        questions = counted(*(_column(verdicts, name) for name in _QUESTION))
        asked = {*questions, *map(_about, absent)}
        every = (
            _Where(judge, item, model, 0, turn, opponent, "single", 0)
            for (judge, opponent), models in sorted(told.items(), key=str)
            if not is_human(judge)
            for model in sorted(models)
            for item, turn in expected
        )
        absent |= {place: NOT_ASKED for place in every if _about(place) not in asked}
    if not absent:
        return held
    ways = _ways(verdicts) | _ways(failures)
    added: dict[str, Sequence[Any]] = {
        **{name: [getattr(place, name) for place in absent] for name in _Where._fields},
        "kind": [FAILED] * len(absent),
        "judge_kind": [ways.get(place.judge or "") for place in absent],
        "failure_kind": list(absent.values()),
    }
    return together(held, added)


_QUESTION = ("judge", "item_id", "model", "turn", "opponent")


def _about(place: _Where) -> tuple[Any, ...]:
    """One question to a judge, however often it was put."""
    return tuple(getattr(place, name) for name in _QUESTION)


def _ways(columns: Columns) -> dict[str, str]:
    """How each judge judges, where that is known."""
    if "judge_kind" not in columns:
        return {}
    return dict(iter(counted(columns["judge"], columns["judge_kind"])))


def _near(verdicts: Columns, failures: Columns) -> Columns:
    """The verdicts at whose places a failure can stand: those of its item, and model if judged.

    Where an answer failed, all that were to be compared with it lack a verdict.
    """
    said = counted(failures["item_id"], failures["model"], failures["judge"])
    judged = {(item, model) for item, model, judge in said if judge is not None}
    unanswered = {item for item, _, judge in said if judge is None}
    place = paired(verdicts["item_id"], verdicts["model"])
    near = np.flatnonzero(marked(place, lambda one: one in judged or one[0] in unanswered))
    its = {name: verdicts[name] for name in _Where._fields if name in verdicts}
    return select_rows(its, near)


def _assignments(*tables: Columns) -> dict[tuple[str, str | None], set[str]]:
    """Who is on the board of each judge, and of each judge and opponent."""
    assignments: dict[tuple[str, str | None], set[str]] = {}
    for table in tables:
        opponents = _column(table, "opponent")
        for judge, opponent, model in counted(table["judge"], opponents, table["model"]):
            if judge is not None:
                assignments.setdefault((judge, opponent), set()).add(model)
    return assignments


def _missing_everywhere(
    answer: _Where, assignments: dict[tuple[str, str | None], set[str]]
) -> Iterator[_Where]:
    for (judge, opponent), models in sorted(
        assignments.items(), key=lambda assignment: str(assignment[0])
    ):
        for model in sorted(models) if opponent == answer.model else [answer.model]:
            yield answer._replace(judge=judge, opponent=opponent, model=model)


def _places(columns: Columns) -> Iterator[_Where]:
    known = [_column(columns, name) for name in _Where._fields]
    return map(_Where._make, zip(*known, strict=True))


def _column(columns: Columns, name: str) -> Column:
    return columns[name] if name in columns else same(_DEFAULTS[name], len(columns["item_id"]))


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
) -> dict[str, dict[str, int]]:
    """What one judge's board lacks, by model; models that the judge was not asked about left out.

    Parameters
    ----------
    table
        With values, and columns ``kind``, and where they are known ``reason`` and ``failure_kind``.
    rows : int array
        The judge's rows.

    Returns
    -------
    dict
        Of each model ``unreadable``, of which `SPLIT` names those of a known reason; ``failed``,
        and how many by `FAILURES` and their kind; ``not_asked``.
    """
    columns, lacking = table.columns, rows[np.isnan(table.values[rows])]
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


ONE_ORDER = "items read in one order only"


def why_missing(counts: Mapping[str, int]) -> str:
    """The counts of `missing_counts` in words; empty where nothing is missing.

    >>> why_missing({"unreadable": 3, "judge_refused": 1, "failed": 0, "not_asked": 20})
    '2 unreadable, 1 refused by the judge, 20 not asked'
    """
    apart = {name: counts.get(name, 0) for name in SPLIT.values()}
    kinds = {
        name.removeprefix(FAILURES).replace("_", " "): n
        for name, n in counts.items()
        if name.startswith(FAILURES)
    }
    failed = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    said = [
        (counts["unreadable"] - sum(apart.values()), "unreadable"),
        (apart["judge_truncated"], "cut off in the judge's reply"),
        (apart["judge_refused"], "refused by the judge"),
        (counts["failed"], f"failed ({failed})" if failed else "failed"),
        (counts["not_asked"], "not asked"),
        (counts.get("half", 0), ONE_ORDER),
    ]
    return ", ".join(f"{n} {words}" for n, words in said if n)
