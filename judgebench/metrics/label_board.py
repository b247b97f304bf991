"""Columns of verdicts as arrays of label codes: one row per judge, one column per answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import counted, numbers, paired, taken
from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.board_kinds import NO_ROWS, BoardKind, by_board
from judgebench.metrics.verdict_table import FAILED, Columns, Ints, raters_called, read_table
from judgebench.records import BINARY

Codes: TypeAlias = NDArray[np.int8]

NO_VERDICT = -1
UNREADABLE = -2


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelBoard:
    """Who labelled what how.

    An *answer* is one sample of one model to one item. Names are sorted, so that equal verdicts
    give equal boards in whatever order they were stored.

    labels
        The declared labels; a code is a place in it.
    item_of, model_of : shape (answers,)
        Places in ``items`` and ``models``.
    units, unit_of
        What is drawn in a bootstrap, and which of it each item is, as in `VerdictTable`.
    codes : shape (judges, answers)
        A label's code, `NO_VERDICT` or `UNREADABLE`.
    """

    labels: tuple[str, ...]
    items: tuple[str, ...]
    models: tuple[str, ...]
    judges: tuple[str, ...]
    item_of: Ints
    model_of: Ints
    units: tuple[str, ...]
    unit_of: Ints
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

    def beside(self, board: LabelBoard, judge: str) -> Reference:
        """What a judge is compared with: of raters one of whom it is, the majority of the others.

        Nobody is compared with labels that are their own; of one rater alone nothing is left.
        """
        if judge not in self.raters:
            return self
        others = tuple(rater for rater in self.raters if rater != judge)
        return Reference(
            name=without(self.name, judge), raters=others, codes=_majority_of(board, others)
        )


def without(reference: str, judge: str) -> str:
    """What the reference of a rater is called that it is made of."""
    return f"{reference} without {judge}"


def _majority_of(board: LabelBoard, raters: Sequence[str]) -> Codes:
    votes = np.stack([board.of(rater) for rater in raters]) if raters else board.codes[:0]
    return majority(votes, n_labels=len(board.labels))


def read_labels(columns: Columns, *, labels: Sequence[str] = BINARY) -> LabelBoard:
    """Code a benchmark's verdicts.

    Parameters
    ----------
    columns
        ``item_id``, ``model``, ``judge``, ``sample``, ``kind``, ``label``, of equal length, and
        where they are known those of `by_board` and `read_table`. What is on another board than
        that of labels is passed over; `FAILED` rows say that there is such an answer. Of a judge
        that was asked several times, the label it gave most often counts.
    labels
        The declared labels. One that is not among them is unreadable; `undeclared` names them.

    Raises
    ------
    InputError
        For two verdicts at one place.
    """
    rows = by_board(columns).get(BoardKind("label"), NO_ROWS)
    table = read_table(columns, rows)
    code_of = {name: code for code, name in enumerate(labels)}
    said = numbers(
        paired(taken(columns["kind"], rows), taken(columns["label"], rows)),
        lambda one: NO_VERDICT if one[0] == FAILED else code_of.get(one[1], UNREADABLE),
    ).astype(np.int8)
    cell = table.judge_of.astype(np.int64) * len(table.cell_of) + table.answer_of
    n_cells = len(table.judges) * len(table.cell_of)
    return LabelBoard(
        labels=tuple(labels),
        items=table.items,
        models=table.models,
        judges=table.judges,
        item_of=table.cell_of // max(1, len(table.models)),
        model_of=table.cell_of % max(1, len(table.models)),
        units=table.units,
        unit_of=table.unit_of,
        codes=_settled(said, cell, n_cells, n_labels=len(labels)).reshape(
            len(table.judges), len(table.cell_of)
        ),
    )


def _settled(said: Codes, cell: Ints, n_cells: int, *, n_labels: int) -> Codes:
    """One code a cell: the label that most repeats gave; where they tie, as if unreadable."""
    codes = np.full(n_cells, NO_VERDICT, dtype=np.int8)
    codes[cell[said == UNREADABLE]] = UNREADABLE
    read = said >= 0
    votes = np.zeros((max(1, n_labels), n_cells), dtype=np.int64)
    np.add.at(votes, (said[read], cell[read]), 1)
    clear = most_frequent(votes)
    codes[votes.any(axis=0)] = UNREADABLE
    return np.where(clear >= 0, clear, codes).astype(np.int8)


def undeclared(columns: Columns, labels: Sequence[str]) -> dict[str, Counter[str]]:
    """By judge, the labels that are not declared and so count as unreadable, with how many."""
    found: dict[str, Counter[str]] = {}
    said = counted(columns["kind"], columns["judge"], columns["label"])
    for (kind, judge, label), n in said.items():
        if kind == "label" and label not in labels:
            found.setdefault(judge, Counter())[label] += n
    return found


def find_reference(board: LabelBoard, name: str) -> Reference:
    """The judge of that name; for ``human`` without such a judge, the majority of ``human/*``.

    Raises
    ------
    UsageError
        When there is none, or it has not labelled anything.
    """
    raters = raters_called(name, board.judges)
    if raters == (name,):
        codes = board.of(name)
    else:
        raters = tuple(judge for judge in raters if judge in board.labellers)
        codes = _majority_of(board, raters)
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
    return most_frequent(counts).astype(np.int8)


def most_frequent(counts: Ints) -> Ints:
    """The code that was given most often; no verdict where several were, or none was given.

    Parameters
    ----------
    counts : int array, shape (labels, answers)

    Returns
    -------
    int array, shape (answers,)
    """
    top = counts.max(axis=0)
    clear = (top > 0) & ((counts == top).sum(axis=0) == 1)
    return np.where(clear, counts.argmax(axis=0), NO_VERDICT)
