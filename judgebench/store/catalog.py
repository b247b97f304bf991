"""What every read begins with: a snapshot, names behind integers, rows as values.

Also the models and judges a store knows, with the names they go or went by.
"""

from __future__ import annotations

import fnmatch
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, fields
from functools import lru_cache, partial, wraps
from itertools import groupby
from operator import eq, gt, itemgetter, lt, ne
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar

from sqlalchemy import (
    Connection,
    FromClause,
    Select,
    Table,
    bindparam,
    cast,
    func,
    select,
    text,
)

from judgebench.errors import StoreGoneError
from judgebench.records import PROBED, JudgeSpec, ModelSpec, Runtime, Usage
from judgebench.store import schema
from judgebench.store.codec import (
    HOWS,
    ORDERS,
    TOKENS,
    VERDICT,
    read_logprobs,
    read_names,
    read_spec,
    read_verdict,
    reply_keys,
    stored_text,
)
from judgebench.store.database import Database, chunks

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Told = TypeVar("_Told", bound="DataclassInstance")
_Spec = TypeVar("_Spec", ModelSpec, JudgeSpec)

Columns: TypeAlias = dict[str, list[Any]]
"""Equally long lists, by name."""

NOTHING: Mapping[str, Any] = MappingProxyType({})

MOST_TRIES = 5
"""How often a read is begun whose server goes in the midst of it each time."""


class Snapshots:
    """What reads a store: each read is one snapshot, and may be begun again."""

    _database: Database

    def snapshot(self) -> AbstractContextManager[Connection]:
        """One state of the store for all selects inside, where rows are read and not values."""
        return self._database.reading()


def read(
    query: Callable[Concatenate[Any, Connection, _P], _T],
) -> Callable[Concatenate[Any, _P], _T]:
    """A method that is called without the connection, and says what it finds in one snapshot.

    One whose server went in the midst of it is asked again from the beginning, once the server is
    back. Within a write it raises `StoreGoneError`: what was written is lost as well.
    """

    @wraps(query)
    def asked(self: Any, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        for _ in range(0 if self._database.in_write else MOST_TRIES - 1):
            with suppress(StoreGoneError), self._database.reading() as connection:
                return query(self, connection, *args, **kwargs)
        with self._database.reading() as connection:
            return query(self, connection, *args, **kwargs)

    return asked


# rows as values ---------------------------------------------------------------------------------

_EXACT = "exact_"
_PARTS: tuple[tuple[str, Callable[..., Any], tuple[str, ...]], ...] = (
    ("verdict", read_verdict, VERDICT),
    ("usage", lambda *its: Usage(**dict(zip(TOKENS, its, strict=True))), TOKENS),
)
_READ: Mapping[str, Callable[[Any], Any]] = {
    "stack": lambda stack: read_spec(Runtime, stack),
    "logprobs": read_logprobs,
    "scores": lambda scores: tuple(json.loads(scores)),
    "left_out": read_names,
    "marks": read_names,
    "reply_keys": reply_keys,
    "tags": json.loads,
    "models": read_names,
    "content": json.loads,
    "order": ORDERS.__getitem__,
    "how": HOWS.__getitem__,
}


def values(row: Any, *without: str, labels: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a row says, by the labels of its columns, its own if none are given.

    Texts are strings as they were, and what is kept as JSON is read. The columns of a verdict,
    where all of them are there, are one ``verdict``, and those of tokens one ``usage``.
    """
    labels = labels or row._fields
    found = dict(zip(labels, row, strict=True))
    for name, reader, names in _plan(labels):
        its = [found.pop(one) for one in names]
        found[name] = None if its == [None] else reader(*its)
    for name in without:
        del found[name]
    return found


@lru_cache(maxsize=256)
def _plan(labels: tuple[str, ...]) -> list[tuple[str, Callable[..., Any], tuple[str, ...]]]:
    """What is read of which columns: first texts, then what these and others say, then parts."""
    texts = [name.removeprefix(_EXACT) for name in labels if name.startswith(_EXACT)]
    return [
        *((name, stored_text, (name, _EXACT + name)) for name in texts),
        *((name, _READ[name], (name,)) for name in labels if name in _READ),
        *(part for part in _PARTS if {*part[2]} <= {*labels}),
    ]


# queries by paths -------------------------------------------------------------------------------

REFERS = {
    column.name: next(iter(column.foreign_keys)).column.table
    for table in schema.metadata.sorted_tables
    for column in table.c
    if column.foreign_keys
} | {"stack_id": schema.stacks, "occasion_id": schema.names}
"""The table that a column points into. Where there may be nothing, it has no foreign key."""

_FEW = frozenset(
    (schema.anchors, schema.batches, schema.benchmarks, schema.judges, schema.models)
) | {schema.runs, schema.stacks}
"""Tables in which the rows that are meant are looked up first: rows that point there are many."""

_TOTALS: Mapping[str, Callable[[Any], Any]] = {
    "count": lambda _: func.count(),
    "distinct": lambda column: func.count(column.distinct()),
    "max": func.max,
    "sum": lambda column: cast(func.sum(column), column.type),  # a server's sum is a Decimal
}
_ONE = (str, bytes, int, float)
_COMPARED = {"!": ne, "<": lt, ">": gt}


@dataclass(slots=True)
class _Paths:
    """Tables joined to one, each by the path of references that leads to it."""

    source: FromClause
    at: dict[str, FromClause]

    def to(self, path: str) -> FromClause:
        if path not in self.at:
            column = self.column(path, refers=True)
            there = REFERS[column.name].alias()
            missing = "." in path or column.nullable or not column.foreign_keys
            here = next(iter(there.primary_key)) == column
            self.source = self.source.join(there, here, isouter=missing)
            self.at[path] = there
        return self.at[path]

    def column(self, path: str, *, refers: bool = False) -> Any:
        """The column at the end of a path, or the one that leads to what is there."""
        before, _, name = path.rpartition(".")
        here = self.to(before).c
        if refers:
            name = f"{name}_id" if f"{name}_id" in here else f"{name}_sha"
        return here[name]

    def shown(self, word: str) -> Iterator[tuple[str, Any, bool]]:
        """Label and column of what a word of `rows` asks for, and whether it adds rows up."""
        asked, _, label = word.partition(":")
        function, _, path = asked.rstrip(")").rpartition("(")
        before, _, name = path.rpartition(".")
        here = self.to(before).c
        if function:
            yield label or name, _TOTALS[function](here.get(name)), True
        elif f"{name}_sha" in here:
            text = self.to(path).c
            yield label or name, text.body, False
            yield _EXACT + (label or name), text.exact, False
        else:
            for one in fnmatch.filter(here.keys(), name) if "*" in name else (name,):
                yield label or one, here[one], False


@lru_cache(maxsize=256)
def asking(
    table: Table,
    columns: str,
    where: tuple[tuple[str, bool], ...] = (),
    order: str = "",
    distinct: bool = False,
    limit: int | None = None,
    after: int = 0,
) -> Select[Any]:
    """What `rows` asks; ``where`` are paths, and whether several values may be at their end."""
    paths = _Paths(table, {"": table})
    shown = [one for word in columns.split() for one in paths.shown(word)]
    wanted: list[Any] = []
    few: dict[str, list[Any]] = {}
    for compared, many in where:
        path = compared.rstrip("!<>")
        before, _, name = path.rpartition(".")
        by = _COMPARED.get(compared[len(path) :], eq)
        asked: Any = bindparam(compared, expanding=many)
        at = REFERS[paths.column(before, refers=True).name] if before else table
        found = at.c[name] if before and at in _FEW else paths.column(path)
        holds = found.in_(asked) if many else by(found, asked)
        (few.setdefault(before, []) if before and at in _FEW else wanted).append(holds)
    for path, its in few.items():
        column = paths.column(path, refers=True)
        wanted.append(column.in_(select(REFERS[column.name].c.id).where(*its)))
    ordered = {word: paths.column(word.lstrip("-")) for word in order.split()}
    query = (
        select(*(column.label(label) for label, column, _ in shown))
        .select_from(paths.source)
        .where(*wanted)
        .order_by(*(one.desc() if word[0] == "-" else one for word, one in ordered.items()))
    )
    if any(adds_up for *_, adds_up in shown):
        query = query.group_by(
            *(column for _, column, adds_up in shown if not adds_up), *ordered.values()
        )
    query = query.distinct() if distinct else query
    return query if limit is None else query.limit(limit).offset(after)


_AT_ONCE = 1024


def rows(
    connection: Connection,
    table: Table,
    columns: str,
    where: Mapping[str, Any] = NOTHING,
    *,
    order: str = "",
    distinct: bool = False,
    limit: int | None = None,
    after: int = 0,
) -> Iterator[Any]:
    """The rows of a table, with what they point to.

    Parameters
    ----------
    columns
        Paths of references, with dots between: ``model.name`` of a row with a ``model_id``. A
        label may follow after a colon, and is the last name otherwise. What has a ``…_sha`` is a
        text, for `values`. A name may have a ``*``. ``count()``, ``distinct(path)``, ``sum(path)``
        and ``max(path)`` add up all rows that are equal in the other columns.
    where
        What is at the end of a path: a value, or one of several, however many in the first that
        has several. A path may end with ``!``, ``<`` or ``>``: another, a smaller, a greater value.
        None asks for nothing.
    order
        Paths, with a ``-`` before one of which the last is first.
    """
    asked = {path: value for path, value in where.items() if value is not None}
    several = {path: [*value] for path, value in asked.items() if not isinstance(value, _ONE)}
    named = tuple((path, path in several) for path in asked)
    query = asking(table, columns, named, order, distinct, limit, after)
    first = [*several][:1]
    for portion in chunks(several[first[0]]) if first else ([],):
        found = connection.execute(query, asked | several | dict.fromkeys(first, portion))
        for some in found.partitions(_AT_ONCE):  # one by one they take three times as long
            yield from some


def row(
    connection: Connection,
    table: Table,
    columns: str,
    where: Mapping[str, Any] = NOTHING,
    *,
    order: str = "",
) -> Any:
    """The first of `rows`; None where there are none."""
    return next(iter([*rows(connection, table, columns, where, order=order, limit=1)]), None)


def words_of(kind: type[DataclassInstance], **paths: str) -> str:
    """Words of `rows` for a dataclass: each field's name, or its path where that is another."""
    return " ".join(f"{paths.get(one.name, one.name)}:{one.name}" for one in fields(kind))


def told(
    connection: Connection,
    table: Table,
    kind: type[_Told],
    where: Mapping[str, Any] = NOTHING,
    *,
    order: str = "",
    **paths: str,
) -> list[_Told]:
    """`rows` as values of a dataclass; see `words_of`."""
    its = words_of(kind, **paths)
    return [kind(**values(one)) for one in rows(connection, table, its, where, order=order)]


def names_of(
    connection: Connection, table: Table, columns: str, where: Mapping[str, Any] = NOTHING
) -> dict[int, Any]:
    """What stands behind each number of a table: one value, or a tuple of several."""
    found = rows(connection, table, f"id {columns}", where, order="id")
    return {one[0]: one[1] if len(one) == 2 else tuple(one[1:]) for one in found}


def number_of(connection: Connection, benchmark: str, version: str) -> int:
    """NONE where there is no such benchmark."""
    found = row(connection, schema.benchmarks, "id", {"name": benchmark, "version": version})
    return schema.NONE if found is None else int(found.id)


_NEXT = "(SELECT {} FROM {} WHERE {} AND ({}) >= ({}) ORDER BY {} LIMIT 1)"


def steps(
    connection: Connection, columns: str, *, table: Table = schema.uses, **at: int
) -> list[Any]:
    """What stands in columns of the key of a table, of which those before them are given.

    In order: one value each, or a tuple of several columns. A step in the index for each; DISTINCT
    reads every row. SQLite compares several columns by the index only with sums, not with columns.
    """
    names, of = columns.split(), " AND ".join(f"{name} = :{name}" for name in at)
    key = ", ".join(names)
    after = " + 0, ".join(f"steps.{name}" for name in names) + " + 1"
    first, further = (
        ", ".join(_NEXT.format(name, table.name, of, key, least, key) for name in names)
        for least in (", ".join("0" for _ in names), after)
    )
    there = f"{names[0]} IS NOT NULL"
    walked = text(
        f"WITH RECURSIVE steps({key}) AS (SELECT {first} UNION ALL"
        f" SELECT {further} FROM steps WHERE {there}) SELECT {key} FROM steps WHERE {there}"
        f" ORDER BY {key}"
    )
    return [one[0] if len(names) == 1 else tuple(one) for one in connection.execute(walked, at)]


def boards_of(connection: Connection, benchmark: int) -> list[tuple[int, int, int]]:
    """Judge, model and opponent of each board of a benchmark."""
    return steps(connection, "judge_id model_id opponent_id", benchmark_id=benchmark)


# models and judges ------------------------------------------------------------------------------

_SHORT, _LONG = 6, 12  # digits of a key that tell two of one name apart

Named: TypeAlias = "str | bytes"
"""A model or judge as people say it: a name, the first twelve digits of its key, or its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Generic[_Spec]):
    """A model or judge: what it is, its newest name, all its names; a model with the name's tags.

    ``id`` are the first twelve digits of its key.
    """

    key: bytes
    id: str
    name: str
    spec: _Spec
    tags: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()


StoredModel: TypeAlias = Stored[ModelSpec]
StoredJudge: TypeAlias = Stored[JudgeSpec]


def _stored(
    spec: type[_Spec], table: Table, named: Table, shown: str, connection: Connection
) -> dict[int, Stored[_Spec]]:
    """By the integer that stands for them."""
    whose = next(iter(named.c)).name
    found = rows(connection, named, f"{whose} {shown}", order=f"{whose} -newest name")
    labels = {n: [values(one, whose) for one in its] for n, its in groupby(found, itemgetter(0))}
    return {
        number: Stored(
            key=key,
            id=short,
            spec=read_spec(spec, what),
            names=tuple(label["name"] for label in labels[number]),
            **labels[number][0],
        )
        for number, (key, short, what) in names_of(connection, table, "key short spec").items()
    }


models = partial(_stored, ModelSpec, schema.models, schema.model_names, "name tags")
judges = partial(_stored, JudgeSpec, schema.judges, schema.judge_names, "name")


def distinct_names(name_of: Mapping[str, str]) -> dict[str, str]:
    """Id -> a name that means nothing else: what shares its name gets digits of its id behind it.

    >>> distinct_names({"0a1b2c3d4e5f": "m", "f5e4d3c2b1a0": "m", "123456789abc": "other"})
    {'0a1b2c3d4e5f': 'm@0a1b2c', 'f5e4d3c2b1a0': 'm@f5e4d3', '123456789abc': 'other'}
    """
    plain = Counter(name_of.values())
    told = {
        one: name if plain[name] == 1 else f"{name}@{one[:_SHORT]}" for one, name in name_of.items()
    }
    again = Counter(told.values())  # equal digits, or a name that was written like that
    return {
        one: name if again[name] == 1 else f"{name_of[one]}@{one[:_LONG]}"
        for one, name in told.items()
    }


def distinct_models(models: Iterable[StoredModel]) -> dict[str, str]:
    """As `distinct_names`, of models; a variant of a probe takes no name away from one."""
    known = [*models]
    of_models = {one.id: one.name for one in known if not one.spec.weights.startswith(PROBED)}
    return {one.id: one.name for one in known} | distinct_names(of_models)


def chosen(
    known: Mapping[int, StoredModel] | Mapping[int, StoredJudge], wanted: Collection[Named] | None
) -> list[int] | None:
    """The integers of what was asked for by name, short id or key; None where all are wanted."""
    if wanted is None:
        return None
    asked = {wanted} if isinstance(wanted, str | bytes) else set(wanted)
    return [
        number
        for number, entry in known.items()
        if not asked.isdisjoint((*entry.names, entry.id, entry.key))
    ]
