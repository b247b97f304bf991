"""Columns of verdicts as arrays of label codes: one row per judge, one column per answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.errors import InputError, UsageError, unknown_name
from judgebench.records import BINARY, HUMAN, is_human

Columns: TypeAlias = Mapping[str, Sequence[Any] | NDArray[Any]]
Codes: TypeAlias = NDArray[np.int8]
Ints: TypeAlias = NDArray[np.int64]

NO_VERDICT = -1
UNREADABLE = -2

FAILED = "failed"
"""The kind of a row without a verdict: one that was asked for and could not be had."""

CODED = ("label", "unreadable", FAILED)
"""The kinds of rows that are about labels; scores and preferences are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelBoard:
    """Who labelled what how.

    An *answer* is one sample of one model to one item. Names are sorted, so that equal verdicts
    give equal boards in whatever order they were stored.

    labels
        The declared labels; a code is a place in it.
    item_of, model_of : shape (answers,)
        Places in ``items`` and ``models``.
    codes : shape (judges, answers)
        A label's code, `NO_VERDICT` or `UNREADABLE`.
    """

    labels: tuple[str, ...]
    items: tuple[str, ...]
    models: tuple[str, ...]
    judges: tuple[str, ...]
    item_of: Ints
    model_of: Ints
    codes: Codes

    def of(self, judge: str) -> Codes:
        """One judge's codes, shape (answers,)."""
        if judge not in self.judges:
            raise UsageError(unknown_name("judge", judge, self.judges))
        return np.asarray(self.codes[self.judges.index(judge)])

    @property
    def labellers(self) -> tuple[str, ...]:
        """The judges that label; those that score or compare are not shown beside them."""
        labelled = (self.codes != NO_VERDICT).any(axis=1)
        return tuple(judge for judge, yes in zip(self.judges, labelled, strict=True) if yes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The labels others are compared with: one judge's, or the majority of several raters."""

    name: str
    raters: tuple[str, ...]
    codes: Codes


def read_labels(columns: Columns, *, labels: Sequence[str] = BINARY) -> LabelBoard:
    """Code a benchmark's verdicts.

    Parameters
    ----------
    columns
        ``item_id``, ``model``, ``judge``, ``sample``, ``kind``, ``label``, of equal length, and
        where they are known ``turn``, ``opponent``, ``model_id`` and ``judge_id``. One name with
        two ids is two models or judges, called ``name@id``. Scores and comparisons with an
        opponent are passed over; `FAILED` rows say that there is such an answer.
    labels
        The declared labels. One that is not among them is unreadable; `undeclared` names them.

    Raises
    ------
    InputError
        For two verdicts of one judge on one answer.
    """
    rows = labelled(columns)
    item, kind, label = (
        [columns[name][row] for row in rows] for name in ("item_id", "kind", "label")
    )
    everybody = _told_apart(columns, "judge")
    model, judge = (
        [told[row] for row in rows] for told in (_told_apart(columns, "model"), everybody)
    )
    turn = columns.get("turn", [0] * len(everybody))
    sample = [(columns["sample"][row], turn[row]) for row in rows]
    items, item_code = _coded(item)
    models, model_code = _coded(model)
    judges, judge_code = _coded(judge, among=everybody)
    samples, sample_code = _coded(sample)

    whole = (item_code * len(models) + model_code) * len(samples) + sample_code
    answers, answer_code = np.unique(whole, return_inverse=True)
    cells = judge_code * len(answers) + answer_code
    _refuse_repeats(cells, judge, item, model)

    code_of = {name: code for code, name in enumerate(labels)}
    codes = np.full(len(judges) * len(answers), NO_VERDICT, dtype=np.int8)
    for row, cell in enumerate(cells.tolist()):
        if kind[row] != FAILED:
            codes[cell] = code_of.get(label[row], UNREADABLE)
    per_model = answers // max(1, len(samples))
    return LabelBoard(
        labels=tuple(labels),
        items=items,
        models=models,
        judges=judges,
        item_of=per_model // max(1, len(models)),
        model_of=per_model % max(1, len(models)),
        codes=codes.reshape(len(judges), len(answers)),
    )


def labelled(columns: Columns) -> list[int]:
    """The rows that are about the label of one answer."""
    kinds = columns["kind"]
    against = columns.get("opponent", [None] * len(kinds))
    return [
        row
        for row, (kind, opponent) in enumerate(zip(kinds, against, strict=True))
        if kind in CODED and opponent is None
    ]


def undeclared(columns: Columns, labels: Sequence[str]) -> dict[str, Counter[str]]:
    """By judge, the labels that are not declared and so count as unreadable, with how many."""
    found: dict[str, Counter[str]] = {}
    for kind, judge, label in zip(columns["kind"], columns["judge"], columns["label"], strict=True):
        if kind == "label" and label not in labels:
            found.setdefault(judge, Counter())[label] += 1
    return found


def find_reference(board: LabelBoard, name: str) -> Reference:
    """The judge of that name; for ``human`` without such a judge, the majority of ``human/*``.

    Raises
    ------
    UsageError
        When there is none, or it has not labelled anything.
    """
    if name in board.judges:
        raters: tuple[str, ...] = (name,)
        codes = board.of(name)
    elif name == HUMAN and any(is_human(judge) for judge in board.judges):
        raters = tuple(judge for judge in board.labellers if is_human(judge))
        votes = np.stack([board.of(rater) for rater in raters]) if raters else board.codes[:0]
        codes = majority(votes, n_labels=len(board.labels))
    else:
        raise UsageError(unknown_name("judge", name, board.judges))
    if not (codes >= 0).any():
        raise UsageError(f"{name!r} has labelled nothing here, so nothing can be compared with it")
    return Reference(name=name, raters=raters, codes=codes)


def majority(votes: Codes, *, n_labels: int) -> Codes:
    """The label most raters gave; no verdict where labels tie or nobody labelled.

    Parameters
    ----------
    votes : int8 array, shape (raters, answers)

    Returns
    -------
    int8 array, shape (answers,)
    """
    counts = np.stack([(votes == code).sum(axis=0) for code in range(n_labels)])
    top = counts.max(axis=0)
    clear = (top > 0) & ((counts == top).sum(axis=0) == 1)
    return np.where(clear, counts.argmax(axis=0), NO_VERDICT).astype(np.int8)


def _told_apart(columns: Columns, who: str) -> list[str]:
    names = [str(name) for name in columns[who]]
    if f"{who}_id" not in columns:
        return names
    ids = [str(one) for one in columns[f"{who}_id"]]
    ids_of: dict[str, set[str]] = {}
    for name, one in zip(names, ids, strict=True):
        ids_of.setdefault(name, set()).add(one)
    return [
        f"{name}@{one}" if len(ids_of[name]) > 1 else name
        for name, one in zip(names, ids, strict=True)
    ]


def _coded(values: list[Any], among: Iterable[Any] = ()) -> tuple[tuple[Any, ...], Ints]:
    names = tuple(sorted({*values, *among}))
    place = {name: code for code, name in enumerate(names)}
    return names, np.fromiter((place[v] for v in values), dtype=np.int64, count=len(values))


def _refuse_repeats(cells: Ints, judge: list[Any], item: list[Any], model: list[Any]) -> None:
    order = np.argsort(cells, kind="stable")
    repeats = np.flatnonzero(np.diff(cells[order]) == 0)
    if len(repeats):
        row = int(order[repeats[0] + 1])
        raise InputError(
            f"judge {judge[row]!r} has two verdicts on one answer of {model[row]!r} to item "
            f"{item[row]!r}; which of them counts must be decided before they are counted"
        )
