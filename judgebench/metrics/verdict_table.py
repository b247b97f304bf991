"""Verdicts as arrays of codes: one row for each that was asked for, readable or not."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import (
    Coded,
    Column,
    all_differ,
    compact,
    counted,
    grouped,
    join_codes,
    marked,
    numbers,
    paired,
    select_rows,
    width_of,
)
from judgebench.columns import coded as as_codes
from judgebench.errors import InputError, UsageError, unknown_name
from judgebench.records import BINARY, HUMAN, is_human

Columns: TypeAlias = Mapping[str, Sequence[Any] | NDArray[Any]]
Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

FAILED = "failed"
"""The kind of a row without a verdict: one that was asked for and could not be had."""

NOT_ASKED = "not_asked"
"""What stands for the failure in the row of an expected verdict that nobody has asked for."""

SPARSE = "sparse"
"""The name of a column that is there where not every model was to answer every item."""

CHOOSES = "chooses"
"""The name of a column that is there where a judge scored samples so that one of them is chosen.

It is true in the rows of such judges: samples that nobody else saw are missing from no board.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictTable:
    """Who judged what.

    An *answer* is one sample of one model to one item (of a conversation, one turn of it). A judge
    may be shown it in two orders, and asked the same several times. Names are sorted, so that equal
    verdicts give equal tables in whatever order they were stored.

    judge_of, answer_of, order_of : shape (rows,)
        The place in ``judges``; the number of the answer; a number for the order it was shown in.
    cell_of : shape (answers,)
        ``item * len(models) + model`` of each answer.
    units
        What is drawn in a bootstrap, each by the id of its first item: items that are one and the
        same question are one unit.
    unit_of : shape (items,)
        The place of each item's unit in ``units``.
    again
        Whether anything may have been asked more than once.
    n_answers : shape (cells,)
        How many answers of each cell every judge should have judged: those that are for all
        judges, and one where a model has none, unless items have answers of some models only.
    columns
        Of the rows.
    values : float array, shape (rows,)
        As of `verdict_values`; none where nobody said what kind of verdicts these are.
    """

    items: tuple[str, ...]
    models: tuple[str, ...]
    judges: tuple[str, ...]
    judge_of: Ints
    answer_of: Ints
    order_of: Ints
    cell_of: Ints
    units: tuple[str, ...]
    unit_of: Ints
    again: bool
    n_answers: Ints
    columns: Columns
    values: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """How many items and models there are."""
        return len(self.items), len(self.models)

    def by_judge(self) -> Iterator[tuple[str, Ints]]:
        """Each judge that has rows, and the numbers of these."""
        for j, judge in enumerate(self.judges):
            rows = np.flatnonzero(self.judge_of == j)
            if len(rows):
                yield judge, rows

    def askings(self, rows: Ints) -> Ints:
        """The number of the answer in its order and before its judge, which repeats have in common.

        Of each of these rows; those of rows of another judge may be the same.
        """
        return join_codes(self.answer_of[rows], self.order_of[rows])

    def cells(self, rows: Ints) -> Ints:
        """The cell of each of these rows, as in ``cell_of``."""
        return self.cell_of[self.answer_of[rows]]

    def models_of(self, rows: Ints) -> Ints:
        """The place in ``models`` of each of these rows."""
        return self.cells(rows) % max(1, len(self.models))


def read_table(
    columns: Columns,
    rows: Sequence[int] | Ints | None = None,
    *,
    kind: str | None = None,
    labels: Sequence[str] = BINARY,
) -> VerdictTable:
    """Code a benchmark's verdicts.

    Parameters
    ----------
    columns
        ``item_id``, ``model``, ``judge``, ``sample``, of equal length, and where they are known
        ``turn``, ``order``, ``repeat``, ``opponent``, ``model_id`` and ``judge_id``, and ``unit``:
        items that have it in common are one question. `SPARSE` is in the columns of a benchmark
        whose items have answers of some models only, `CHOOSES` where a judge chose among samples.
        One name with two ids is two models or
        judges, called ``name@id``.
    rows
        Which rows to take; all if not given. Every judge of the columns is in the table all the
        same.
    kind, labels
        As for `verdict_values`.

    Raises
    ------
    InputError
        For two verdicts at one place.
    """
    everybody = disambiguate(columns, "judge")
    columns = {**columns, "judge": everybody, "model": disambiguate(columns, "model")}
    if rows is not None:
        columns = select_rows(columns, rows)
    items, item_of = _coded(columns["item_id"])
    models, model_of = _coded(columns["model"])
    judges, judge_of = _coded(columns["judge"], among=counted(everybody))
    sample_of, order_of, repeat_of = (
        _codes(columns, names) for names in (("sample", "turn"), ("order",), ("repeat",))
    )

    of_models = join_codes(item_of, model_of, n_finer=max(1, len(models)))
    del item_of, model_of
    of_answers = join_codes(of_models, sample_of)
    answers, answer_of = compact(of_answers, width_of(of_answers))
    del of_models, of_answers
    places, again = join_codes(join_codes(answer_of, judge_of), order_of), width_of(repeat_of) > 1
    if again:
        places = join_codes(compact(places, width_of(places))[1], repeat_of)
    _refuse_twice(places, columns)
    del places
    units, unit_of = units_of(items, columns)
    cell_of = answers // width_of(sample_of)
    if width_of(cell_of) < 2**31:
        cell_of = cell_of.astype(np.int32, copy=False)
    for_all = cell_of
    if CHOOSES in columns:  # answers that some judge has seen who does not choose among them
        others = ~marked(as_codes(columns[CHOOSES]), bool)
        for_all = cell_of[np.bincount(answer_of, others) > 0]
    n_answers = np.bincount(for_all, minlength=len(items) * len(models))
    if SPARSE not in columns:
        np.maximum(n_answers, 1, out=n_answers)
    return VerdictTable(
        items=items,
        models=models,
        judges=judges,
        judge_of=judge_of,
        answer_of=answer_of,
        order_of=order_of,
        cell_of=cell_of,
        units=units,
        unit_of=unit_of,
        again=again,
        n_answers=n_answers.astype(np.int32),
        columns=columns,
        values=np.zeros(0) if kind is None else verdict_values(columns, kind, labels),
    )


def verdict_values(
    columns: Columns, kind: str, labels: Sequence[str] = BINARY, which: Collection[str] = ()
) -> Floats:
    """Verdicts as numbers, one a row; nan where one is unreadable or could not be had.

    Scores, probabilities that the model beats its opponent, or 1 for the positive label and 0 for
    another one that is declared.

    Parameters
    ----------
    columns
        ``kind``, and of labels ``label``, else ``value``, of equal length.
    kind
        Of the verdicts that count: ``label``, ``score`` or ``preference``.
    labels
        The declared ones, the positive one last. Another one is unreadable.
    which
        Labels that are 1 in place of the positive one.
    """
    if kind == "label":
        value_of = dict.fromkeys(labels, 0.0) | dict.fromkeys(which or labels[-1:], 1.0)
        return numbers(
            paired(columns["kind"], columns["label"]),
            lambda said: value_of.get(said[1], math.nan) if said[0] == kind else math.nan,
        )
    value = np.asarray(columns["value"], dtype=np.float64)
    other = marked(columns["kind"], lambda one: one != kind)
    return value if np.isnan(value[other]).all() else np.where(other, np.nan, value)


def units_of(items: tuple[str, ...], columns: Columns) -> tuple[tuple[str, ...], Ints]:
    """What is drawn in a bootstrap, in order of name, and which of it each item is.

    As in `VerdictTable`; where the columns do not say, every item is a unit of its own.
    """
    if "unit" not in columns:
        return items, np.arange(len(items))
    said = counted(columns["item_id"], columns["unit"])
    unit = {item: one for item, one in said if one is not None}  # a panel's rows do not say
    first: dict[Any, str] = {}
    named = [first.setdefault(unit.get(item, item), item) for item in items]
    return coded(named)


def disambiguate(columns: Columns, who: str) -> Coded:
    """The names of models or judges, with the id behind a name that means two."""
    names = as_codes(columns[who]).mapped(str)
    if f"{who}_id" not in columns:
        return names
    both = paired(names, as_codes(columns[f"{who}_id"]).mapped(str))
    ids_of = grouped(dict.fromkeys(both.values))
    return both.mapped(lambda pair: "@".join(pair) if len(ids_of[pair[0]]) > 1 else pair[0])


def raters_called(name: str, judges: Sequence[str]) -> tuple[str, ...]:
    """The judge of that name among others; ``human``, where nobody is called so, is all people.

    Raises
    ------
    UsageError
        Where there is none.
    """
    if name in judges:
        return (name,)
    people = tuple(filter(is_human, judges))
    if name != HUMAN or not people:
        raise UsageError(unknown_name("judge", name, judges))
    return people


def coded(values: Column, among: Iterable[Any] = ()) -> tuple[tuple[Any, ...], Ints]:
    """The distinct values, sorted, and the place of each value among them."""
    names, codes = _coded(values, among)
    return names, codes.astype(np.int64)


def _coded(values: Column, among: Iterable[Any] = ()) -> tuple[tuple[Any, ...], Ints]:
    """As `coded`, in as few bytes as hold them: millions of rows have several of these at once."""
    given = as_codes(values)
    names = tuple(sorted({*counted(given), *among}))
    place = {name: code for code, name in enumerate(names)}
    kind = np.min_scalar_type(-1 - len(names))
    code_of: NDArray[Any] = np.array([place.get(one, -1) for one in given.values], dtype=kind)
    return names, code_of[given.codes]


def _codes(columns: Columns, names: Sequence[str]) -> Ints:
    """One code for the values of several columns; those that are not known are all alike."""
    codes: Ints = np.broadcast_to(np.int64(0), len(columns["item_id"]))
    for name in names:
        if name in columns and len(counted(columns[name])) > 1:
            codes = join_codes(codes, _coded(columns[name])[1])
    return codes


def codes_there(codes: Ints) -> tuple[Ints, Ints]:
    """The codes that occur, in order, and the place of each row's among them."""
    least = int(codes.min()) if len(codes) else 0
    found, place = compact(codes - least, width_of(codes) - least)
    return found + least, place


def _refuse_twice(places: Ints, columns: Columns) -> None:
    if all_differ(places, width_of(places)):
        return
    judge, item, model = (columns[name] for name in ("judge", "item_id", "model"))
    order = np.argsort(places, kind="stable")
    twice = np.flatnonzero(np.diff(places[order]) == 0)
    if len(twice):
        row = int(order[twice[0] + 1])
        raise InputError(
            f"judge {judge[row]!r} has two verdicts on one answer of {model[row]!r} to item "
            f"{item[row]!r}; which of them counts must be decided before they are counted"
        )
