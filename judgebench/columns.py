"""Columns of many rows with few values: codes, and what they mean.

A board of a million verdicts names fifty models, five judges and four thousand items. As codes they
are counted, chosen and joined by numpy; read one by one they are what a list of them would be. The
functions here take plain lists and arrays as well, so that who computes need not know which came.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Column: TypeAlias = "Sequence[Any] | NDArray[Any]"


class Coded(Sequence[Any]):
    """A column of values, each the one that its row's code stands for.

    codes : int array, shape (rows,)
        Places in ``values``.
    values
        In any order; some may occur in no row, and equal ones may have several codes.
    """

    __slots__ = ("codes", "values")

    def __init__(self, codes: NDArray[np.integer], values: Sequence[Any]) -> None:
        self.codes = codes
        self.values = tuple(values)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return Coded(self.codes[row], self.values)
        return self.values[self.codes[row]]

    def __iter__(self) -> Iterator[Any]:
        return map(self.values.__getitem__, self.codes.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as that of a list

    def mapped(self, change: Callable[[Any], Any]) -> Coded:
        """The column with every value changed in the same way."""
        return Coded(self.codes, [change(value) for value in self.values])


def coded(column: Column) -> Coded:
    """A column as codes, which it may be already."""
    if isinstance(column, Coded):
        return column
    place: dict[Any, int] = {}
    values = column.tolist() if isinstance(column, np.ndarray) else column
    codes = [place.setdefault(value, len(place)) for value in values]
    return Coded(np.array(codes, dtype=np.int64), list(place))


def same(value: Any, n: int) -> Coded:
    """A column of one value."""
    return Coded(np.zeros(n, dtype=np.int64), [value])


def paired(first: Column, second: Column) -> Coded:
    """The column of what two columns say together, as tuples."""
    one, other = coded(first), coded(second)
    width = max(1, len(other.values))
    codes = one.codes.astype(np.int64) * width + other.codes
    found, codes = compact(codes, len(one.values) * width)
    pairs = zip((found // width).tolist(), (found % width).tolist(), strict=True)
    return Coded(codes, [(one.values[a], other.values[b]) for a, b in pairs])


def compact(codes: NDArray[np.integer], n_codes: int) -> tuple[Ints, Ints]:
    """The codes that occur, in order, and the place of each row's among them.

    As `numpy.unique` with ``return_inverse``; without sorting where the codes are dense.
    """
    if n_codes > 4 * len(codes) + 2**16:
        found, place = np.unique(codes, return_inverse=True)
        return found.astype(np.int64), place.astype(np.int64)
    there = np.zeros(n_codes, dtype=np.bool_)
    there[codes] = True
    place = np.cumsum(there)
    place -= 1
    return np.flatnonzero(there), place[codes]


def counted(*columns: Column) -> dict[Any, int]:
    """How many rows have each value, in the order of their first rows; of several columns, tuples.

    Equal values count together whatever their codes.
    """
    whole = coded(columns[0]) if len(columns) == 1 else _together(columns)
    n = np.bincount(whole.codes, minlength=len(whole.values))
    first = np.full(len(whole.values), len(whole), dtype=np.int64)
    # Assigned from the last row to the first, so that the first remains.
    first[whole.codes[::-1]] = np.arange(len(whole) - 1, -1, -1)
    found: dict[Any, int] = {}
    for code in np.argsort(first, kind="stable").tolist():
        if n[code]:
            value = whole.values[code]
            found[value] = found.get(value, 0) + int(n[code])
    return found


def latest(at: Column, *columns: Column) -> dict[Any, float]:
    """The greatest of the numbers ``at`` in the rows of each value; of several columns, tuples."""
    whole = coded(columns[0]) if len(columns) == 1 else _together(columns)
    last = np.full(len(whole.values), -np.inf)
    np.maximum.at(last, whole.codes, np.asarray(at, dtype=np.float64))
    found: dict[Any, float] = {}
    for value, when in zip(whole.values, last.tolist(), strict=True):
        if when > -np.inf:
            found[value] = max(found.get(value, when), when)
    return found


def _together(columns: Sequence[Column]) -> Coded:
    whole = coded(columns[0]).mapped(lambda value: (value,))
    for column in columns[1:]:
        whole = paired(whole, column).mapped(lambda pair: (*pair[0], pair[1]))
    return whole


def distinct(first: Column, *others: Column) -> Coded:
    """The first column in the rows that say something new, with the others together."""
    one = coded(first)
    codes = one.codes.astype(np.int64)
    for column in map(coded, others):
        width = max(1, len(column.values))
        codes = compact(codes, int(codes.max(initial=-1)) + 1)[1]
        codes = codes * width + column.codes
    _, rows = np.unique(codes, return_index=True)
    return Coded(one.codes[rows], one.values)


def taken(column: Column, rows: ArrayLike) -> Column:
    """The column in these rows, given by their numbers."""
    if isinstance(column, Coded):
        return Coded(column.codes[np.asarray(rows, dtype=np.int64)], column.values)
    if isinstance(column, np.ndarray):
        return column[np.asarray(rows, dtype=np.int64)]
    return [column[row] for row in np.asarray(rows, dtype=np.int64).tolist()]


def extended(column: Column, more: Column) -> Column:
    """The column with rows after its own; a number that is None is nan in an array."""
    if isinstance(column, Coded):
        added = coded(more)
        codes = added.codes.astype(np.int64) + len(column.values)
        kind = np.result_type(column.codes, np.min_scalar_type(-1 - int(codes.max(initial=0))))
        both = np.concatenate([column.codes, codes], dtype=kind, casting="same_kind")
        return Coded(both, [*column.values, *added.values])
    if isinstance(column, np.ndarray):
        return np.concatenate([column, np.array(more, dtype=column.dtype)])
    return [*column, *more]


def together(columns: Mapping[str, Column], more: Mapping[str, Column]) -> dict[str, Column]:
    """The rows of ``more`` behind those of ``columns``; None, or nan, where it lacks a column."""
    nothing = same(None, len(next(iter(more.values()))))
    return {name: extended(column, more.get(name, nothing)) for name, column in columns.items()}


def marked(column: Column, wanted: Callable[[Any], bool]) -> Bools:
    """Of each row whether its value is wanted."""
    column = coded(column)
    answers = np.fromiter(
        (bool(wanted(value)) for value in column.values), np.bool_, len(column.values)
    )
    return np.asarray(answers[column.codes], dtype=np.bool_)


def grouped(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    """The values of each key, keys and values in the order in which they come."""
    found: dict[Key, list[Value]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def numbers(column: Column, number_of: Callable[[Any], float]) -> NDArray[np.float64]:
    """Of each row a number that follows from its value."""
    column = coded(column)
    found = np.fromiter(map(number_of, column.values), np.float64, len(column.values))
    return np.asarray(found[column.codes])
