"""Columns of many rows with few values: codes, and what they mean.

A board of a million verdicts names fifty models, five judges and four thousand items. As codes they
are counted, chosen and joined by numpy; read one by one they are what a list of them would be. The
functions here take plain lists and arrays as well, so that who computes need not know which came.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Column: TypeAlias = "Sequence[Any] | NDArray[Any]"


_BLOCK = 2**16
"""Rows that are worked on at a time, where each takes eight bytes more while it is."""


@dataclass(eq=False)
class Codes:
    """What rows have in common: columns that follow from one another share it.

    array : int array, shape (rows,)
    """

    array: NDArray[np.integer]

    def blocks(self) -> list[tuple[int, NDArray[np.integer]]]:
        """Some of the codes at a time, after the number of the first of them."""
        starts = range(0, len(self.array), _BLOCK)
        return [(start, self.array[start : start + _BLOCK]) for start in starts]

    @cached_property
    def n(self) -> Ints:
        """How many rows have each code."""
        n = np.zeros(int(self.array.max()) + 1 if len(self.array) else 0, dtype=np.int64)
        if len(n) > _BLOCK:
            return np.bincount(self.array)
        for _, block in self.blocks():
            n += np.bincount(block, minlength=len(n))
        return n

    @cached_property
    def first(self) -> Ints:
        """The first row of each code, of one that does not occur the number of rows."""
        first = np.full(len(self.n), len(self.array), dtype=np.int64)
        # Assigned from the last row to the first, so that the first remains.
        for start, block in reversed(self.blocks()):
            its = _begun(block)
            first[block[its][::-1]] = its[::-1] + start
        return first

    @property
    def last(self) -> Ints:
        """The last row of each code, of one that does not occur -1."""
        last = np.full(len(self.n), -1, dtype=np.int64)
        for start, block in self.blocks():
            its = _begun(block)
            last[block[its]] = np.append(its[1:], len(block)) + (start - 1)
        return last


def _begun(block: NDArray[np.integer]) -> Ints:
    """Where codes are others than just before; every place where most are."""
    changes = block[1:] != block[:-1]
    few = 8 * np.count_nonzero(changes) < len(block)
    return np.append(0, np.flatnonzero(changes) + 1) if few else np.arange(len(block))


class Coded(Sequence[Any]):
    """A column of values, each the one that its row's code stands for.

    codes : int array, shape (rows,), or `Codes`
        Places in ``values``.
    values
        In any order; some may occur in no row, and equal ones may have several codes.
    """

    __slots__ = ("codes", "rows", "values")

    def __init__(self, codes: Codes | NDArray[np.integer], values: Sequence[Any]) -> None:
        self.rows = codes if isinstance(codes, Codes) else Codes(codes)
        self.codes = self.rows.array
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
        return Coded(self.rows, [change(value) for value in self.values])


def coded(column: Column) -> Coded:
    """A column as codes, which it may be already."""
    if isinstance(column, Coded):
        return column
    place: dict[Any, int] = {}
    values = column.tolist() if isinstance(column, np.ndarray) else column
    codes = [place.setdefault(value, len(place)) for value in values]
    return Coded(np.array(codes, dtype=np.int64), list(place))


def merge_equal(column: Column) -> Coded:
    """The column with one code for equal values."""
    column = coded(column)
    place: dict[Any, int] = {}
    code_of = [place.setdefault(value, len(place)) for value in column.values]
    if len(place) == len(code_of):
        return column
    return Coded(np.array(code_of, dtype=np.int32)[column.codes], list(place))


def same(value: Any, n: int) -> Coded:
    """A column of one value."""
    return Coded(np.zeros(n, dtype=np.int8), [value])


def paired(*columns: Column) -> Coded:
    """The column of what columns say together, as tuples."""
    whole = coded(columns[0]).mapped(lambda value: (value,))
    for other in map(coded, columns[1:]):
        n, width = len(whole.values), max(1, len(other.values))
        rows, pairs = whole.rows, list[tuple[Any, Any]]()
        if rows is other.rows:
            pairs = [*zip(whole.values, other.values, strict=True)]
        elif n == 1 or width == 1:  # one says the same in every row
            rows = rows if width == 1 else other.rows
            pairs = [*product(whole.values, other.values)]
        if not pairs or len(rows.n) != len(pairs) or not rows.n.all():
            found, codes = compact(join_codes(whole.codes, other.codes, n, width), n * width)
            rows = Codes(codes)
            pairs = [(whole.values[of // width], other.values[of % width]) for of in found.tolist()]
        whole = Coded(rows, [(*one, more) for one, more in pairs])
    return whole


def width_of(codes: NDArray[np.integer]) -> int:
    """How many codes there may be: one more than the greatest."""
    return int(codes.max()) + 1 if len(codes) else 1


def join_codes(
    codes: NDArray[np.integer], finer: NDArray[np.integer], n_codes: int = 0, n_finer: int = 0
) -> Ints:
    """One code for two, equal where both are; in four bytes where that is enough.

    How many codes there may be is looked up where it is not told.
    """
    if (n_finer := n_finer or width_of(finer)) == 1:
        return np.asarray(codes)
    kind: Any = np.int32 if (n_codes or width_of(codes)) * n_finer < 2**31 else np.int64
    both: NDArray[Any] = codes.astype(kind)
    both *= n_finer
    both += finer.astype(kind, copy=False)
    return both


def compact(codes: NDArray[np.integer], n_codes: int) -> tuple[Ints, Ints]:
    """The codes that occur, in order, and the place of each row's among them.

    As `numpy.unique` with ``return_inverse``; without sorting where the codes are dense.
    """
    if n_codes > 4 * len(codes) + 2**16:
        found, place = np.unique(codes, return_inverse=True)
        return found.astype(np.int64), place.astype(np.int64)
    found = occurring(codes, n_codes)
    if len(found) == n_codes:
        return found, np.asarray(codes)
    place = np.zeros(n_codes, dtype=np.int32 if n_codes < 2**31 else np.int64)
    place[found] = np.arange(len(found))
    return found, place[codes]


def occurring(codes: NDArray[np.integer], n_codes: int) -> Ints:
    """The codes that occur, in order; without sorting where not too many others lie between."""
    if n_codes > 64 * len(codes) + 2**16:
        # What it does without an inverse takes ten times as long.
        return np.asarray(np.unique(codes, return_inverse=True)[0], dtype=np.int64)
    there = np.zeros(n_codes, dtype=np.bool_)
    for start in range(0, len(codes), 2**16):  # an index takes eight bytes a row
        there[codes[start : start + 2**16]] = True
    return np.flatnonzero(there)


def all_differ(codes: NDArray[np.integer], n_codes: int) -> bool:
    """Whether no code below ``n_codes`` occurs twice."""
    if len(codes) > n_codes:
        return False
    if n_codes > 4 * len(codes) + 2**16:
        return bool((np.diff(np.sort(codes)) > 0).all())
    there = np.zeros(n_codes, dtype=np.bool_)
    there[codes] = True
    return int(there.sum()) == len(codes)


def counted(*columns: Column) -> dict[Any, int]:
    """How many rows have each value, in the order of their first rows; of several columns, tuples.

    Equal values count together whatever their codes.
    """
    whole = coded(columns[0]) if len(columns) == 1 else paired(*columns)
    n = whole.rows.n.tolist()
    found: dict[Any, int] = {}
    for code in np.argsort(whole.rows.first, kind="stable").tolist():
        if n[code]:
            value = whole.values[code]
            found[value] = found.get(value, 0) + n[code]
    return found


def latest(at: Column, *columns: Column) -> dict[Any, float]:
    """The greatest of the numbers ``at`` in the rows of each value; of several columns, tuples."""
    whole = coded(columns[0]) if len(columns) == 1 else paired(*columns)
    last, when = np.full(len(whole.values), -np.inf), np.asarray(at, dtype=np.float64)
    for start, block in whole.rows.blocks():
        its = _begun(block)
        np.maximum.at(last, block[its], np.maximum.reduceat(when[start : start + len(block)], its))
    found: dict[Any, float] = {}
    for value, when in zip(whole.values, last.tolist(), strict=True):
        if when > -np.inf:
            found[value] = max(found.get(value, when), when)
    return found


def distinct(first: Column, *others: Column) -> Coded:
    """The first column in the rows that say something new, with the others together."""
    one = merge_equal(first)
    codes = one.codes.astype(np.int64)
    for column in map(merge_equal, others):
        width = max(1, len(column.values))
        codes = compact(codes, int(codes.max(initial=-1)) + 1)[1].astype(np.int64)
        codes = codes * width + column.codes
    _, rows = np.unique(codes, return_index=True)
    return Coded(one.codes[rows], one.values)


def last_values(keys: Column, values: Column) -> dict[Any, Any]:
    """Of each key, the value in its last row."""
    both = paired(keys, values)
    last = both.rows.last
    return {
        both.values[code][0]: both.values[code][1]
        for code in np.argsort(last, kind="stable").tolist()
        if last[code] >= 0
    }


def select_rows(columns: Mapping[str, Column], rows: ArrayLike) -> dict[str, Column]:
    """All columns in these rows, given by their numbers; those that share codes go on doing so."""
    rows = np.asarray(rows, dtype=np.int64)
    shared: dict[Codes, tuple[Codes, list[int]]] = {}
    found: dict[str, Column] = {}
    for name, column in columns.items():
        if not isinstance(column, Coded):
            found[name] = taken(column, rows)
            continue
        if column.rows not in shared:
            there, codes = compact(column.codes[rows], len(column.values))
            shared[column.rows] = Codes(codes), there.tolist()
        its, values = shared[column.rows]
        found[name] = Coded(its, [column.values[value] for value in values])
    return found


def taken(column: Column, rows: ArrayLike) -> Column:
    """The column in these rows, given by their numbers."""
    if isinstance(column, Coded):
        return Coded(column.codes[np.asarray(rows, dtype=np.int64)], column.values)
    if isinstance(column, np.ndarray):
        return column[np.asarray(rows, dtype=np.int64)]
    return [column[row] for row in np.asarray(rows, dtype=np.int64).tolist()]


def together(columns: Mapping[str, Column], more: Mapping[str, Column]) -> dict[str, Column]:
    """The rows of ``more`` behind those of ``columns``; None, or nan, where it lacks a column."""
    nothing = same(None, len(next(iter(more.values()))))
    found: dict[str, Column] = {}
    shared: dict[Codes, dict[str, Coded]] = {}
    for name, column in columns.items():
        its = more.get(name, nothing)
        if isinstance(column, Coded):
            shared.setdefault(column.rows, {})[name] = column
        elif isinstance(column, np.ndarray):
            found[name] = np.concatenate([column, np.array(its, dtype=column.dtype)])
        else:
            found[name] = [*column, *its]
    for rows, named in shared.items():
        added = paired(*(more.get(name, nothing) for name in named))
        new = len(next(iter(named.values())).values)
        kind = np.result_type(rows.array, np.min_scalar_type(-1 - new - len(added.values)))
        both = Codes(
            np.concatenate([rows.array, added.codes.astype(kind) + kind.type(new)], dtype=kind)
        )
        for at, (name, column) in enumerate(named.items()):
            found[name] = Coded(both, [*column.values, *(one[at] for one in added.values)])
    return {name: found[name] for name in columns}


def grouped(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    """The values of each key, keys and values in the order in which they come."""
    found: dict[Key, list[Value]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def numbers(
    column: Column, number_of: Callable[[Any], Any], kind: type[float | bool] = float
) -> NDArray[Any]:
    """Of each row a number of this kind that follows from its value."""
    column = coded(column)
    found = np.fromiter((kind(number_of(one)) for one in column.values), kind, len(column.values))
    return np.asarray(found[column.codes])


marked = partial(numbers, kind=bool)
"""Of each row whether its value is wanted."""
