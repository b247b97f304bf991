"""What the two engines of a store have in common: transactions, statements, waiting in turn.

An engine is a subclass of `Database`: SQLite in one file (`sqlite.py`), or PostgreSQL
(`postgres.py`). Everything else in this package speaks SQLAlchemy Core to a connection of either.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import count, islice, repeat
from struct import Struct
from typing import Any, ClassVar, Self, TypeVar

from sqlalchemy import Connection, Dialect, Executable, Insert, create_engine, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlalchemy.util import LRUCache

from judgebench.errors import MAY_WAIT, StoreBusyError, StoreError
from judgebench.protocols import Waiting
from judgebench.store.schema import identity, metadata

_T = TypeVar("_T")
Row = Mapping[str, Any]

_DIALECTS: dict[object, Dialect] = {}
_COMPILED: LRUCache[Any, Any] = LRUCache(500)
"""Statements in the words of an engine: a page opens its store seven times, and says the same."""

insert = sqlite.insert
"""With ``on_conflict_do_…``, which PostgreSQL takes in the same words."""

CHUNK = 1000
"""Values in one ``IN (...)`` or one batch of rows; SQLite takes 32 766 in a statement."""


def chunks(values: Iterable[_T], most: int | None = None) -> Iterator[list[_T]]:
    """All values, in their order, some at a time: what is held at once stays bounded."""
    rest = iter(values)
    while portion := list(islice(rest, most or CHUNK)):
        yield portion


def upsert(put: Any, *, added: Collection[str] = (), where: Any = None) -> Any:
    """Of a row that is there already all is overwritten but what it is known by, or is added to."""
    its, names = put.table.c, identity(put.table)
    new = {one.name: put.excluded[one.name] for one in its if one.name not in ("id", *names)}
    sums = {name: its[name] + new[name] for name in added}
    return put.on_conflict_do_update(index_elements=names, set_=new | sums, where=where)


NOW = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "extract(epoch FROM clock_timestamp())::float8",
}
"""Seconds by the clock of the database, which all who share it go by."""


class Database(ABC):
    """A connection for one thread. `reading` and `writing` are its two kinds of transaction.

    Readers see a snapshot and disturb nobody. Writers take turns, on either engine: what is read
    within a write is still so when it is committed. A write waits for others for as long as it
    takes, or as `protocols.at_most` lets it, and says so.

    Attributes
    ----------
    name
        The store as messages call it: a path, or an address without its password.
    on_wait
        Told for how many seconds a write has waited; says what becomes of what waits.
    on_read
        Called before something is read within a write.
    beside
        Held while something is written, where other threads of this process have to know.
    store_id
        What tells the store from every other one; None for one that is older than its name.
    dialect
        As SQLAlchemy calls the engine.
    pause_s
        Between two tries of who waits, at most.
    tables
        Asks whether there are tables of a store, and how many there are of others.
    anew
        Writes all tables anew, without the room of what is gone.
    """

    name: str
    read_only: bool
    store_id: str | None = None
    dialect: ClassVar[str]
    pause_s: ClassVar[float]
    tables: ClassVar[str]
    anew: ClassVar[str]
    _reads = "BEGIN"

    def _open(self) -> None:
        self.in_write = False
        self.on_wait: Callable[[float], str] = lambda _: (
            "Ctrl-C leaves without what was to be stored"
        )
        self.on_read: Callable[[], object] = bool
        self.beside: AbstractContextManager[object] = nullcontext()
        self._commits = 0
        self._raw: Any = None
        engine = create_engine(
            f"{self.dialect}://",
            creator=self._connected,
            poolclass=NullPool,
            hide_parameters=True,  # texts of models do not belong in a traceback
            execution_options={"compiled_cache": _COMPILED},
        )
        self.errors = DBAPIError, engine.dialect.loaded_dbapi.Error
        with self._in_words():
            self._connection = engine.connect()
            spoken = self.dialect, engine.dialect.server_version_info
            self._connection.dialect = _DIALECTS.setdefault(spoken, engine.dialect)
            self._raw = self._connection.connection.dbapi_connection

    def another(self) -> Self:
        """One more connection to the same store, for another thread; a server is waited for."""
        other = copy(self)
        self._patiently(other._open)
        return other

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One snapshot for all selects inside; within a write, that write's own view."""
        with self._in_words():
            if self.in_write:
                self.on_read()
                yield self._connection
            else:
                self._patiently(partial(self._begin, self._reads))
                with self._connection.begin():
                    yield self._connection

    def look(self, read: Callable[[Connection], _T]) -> _T:
        """For one prepared statement, which is a snapshot by itself and needs no transaction."""
        try:
            if self.in_write:
                self.on_read()
            return read(self._connection)
        except self.errors as error:
            raise self.explained(error) from error

    def row(self, sql: str, *values: Any) -> Any:
        """The first row of what the engine itself is asked, in its own words."""
        return self.look(lambda _: self._raw.execute(sql, values).fetchone())

    def now(self) -> float:
        """Seconds by the clock that all who share the store go by."""
        return float(self.row(f"SELECT {NOW[self._connection.dialect.name]}")[0])

    @contextmanager
    def writing(self, *, in_turn: bool = True) -> Iterator[Connection]:
        """All inside is one durable commit, or nothing. Does not nest.

        Of rows that only their owner changes, or that it locks, a write need not be in turn where
        the engine knows how (PostgreSQL): what was read may then be otherwise by the commit.
        """
        if self.read_only:
            raise StoreError(f"the store {self.name} was opened for reading only")
        if self.in_write:
            raise StoreError("a transaction of this store is open already; they do not nest")
        try:
            with self.beside, self._turn(begins=True, in_turn=in_turn):
                self.in_write = True
                transaction = self._connection.begin()
                try:
                    yield self._connection
                    self._commit()
                finally:
                    self.in_write, self.on_read = False, bool
                    with suppress(*self.errors):  # a server that is gone keeps nothing of it
                        transaction.close()  # takes back what was not committed
        except self.errors as error:
            raise self.explained(error) from error

    @contextmanager
    def removing(self) -> Iterator[Connection]:
        """As `writing`, for taking rows out by the thousand.

        References are not looked up row by row, but all at the end, and nothing goes if one was
        left hanging.
        """
        with self.unchecked(), self.writing() as connection:
            yield connection
            if hanging := next(hanging_references(connection), None):
                raise StoreError(
                    f"nothing was removed: a row of {hanging[0]} needs one of {hanging[1]} "
                    "that was to go"
                )

    def unchecked(self) -> AbstractContextManager[None]:
        """References are not looked up row by row inside; a copy is compared as a whole."""
        return nullcontext()

    def close(self) -> None:
        self._connection.close()

    def revision(self) -> str | None:
        """Of the tables; None where there are none yet. Raises `StoreError` for those of others."""
        ours, others = self.row(self.tables)
        if others and not ours:
            raise StoreError(
                f"{self.name} holds {others} tables of another program and no store; it was left"
                " as it is: give another database with --store (`createdb` makes one)"
            )
        found = self.row("SELECT version_num FROM alembic_version") if ours else None
        return None if found is None else str(found[0])

    def vacuum(self) -> tuple[int, int]:
        """Give back the room of what was removed; bytes taken before and after."""
        with self._in_words(), self._turn():
            before = self._size()
            self._raw.execute(self.anew)
            return before, self._size()

    def damage(self) -> list[str]:
        """What the engine itself finds wrong with how the store lies on its disk."""
        return []  # a server looks after its own

    def set_aside(self, size: int, on_touch: Callable[[], None]) -> AbstractContextManager[None]:
        """Keep room on the disk for what must still be written when there is none left.

        A write that finds the disk full frees it, fails with a `StoreFullError` that says so, and
        goes through when it is tried again. The disk of a server is not ours.

        Parameters
        ----------
        size
            In bytes.
        on_touch
            Called when the room is freed, within the write that needs it.

        Raises
        ------
        StoreFullError
            Where there is not so much room.
        """
        return nullcontext()

    # what an engine says ------------------------------------------------------------------------

    @abstractmethod
    def explained(self, error: Exception) -> StoreError:
        """A database error in words, without the values that were being written."""

    @abstractmethod
    def place(self) -> object:
        """Equal for two connections to one store, by whatever address each was opened."""

    @abstractmethod
    def _size(self) -> int:
        """Bytes that the store takes; asked in turn."""

    @abstractmethod
    def _connected(self) -> Any:
        """A connection of the driver."""

    @abstractmethod
    def _turn(self, *, begins: bool = False, in_turn: bool = True) -> AbstractContextManager[None]:
        """Hold what keeps others from writing, once it is our turn; it ``begins`` a transaction."""

    @abstractmethod
    def _commit(self) -> None:
        """Commit, and count that in ``_commits``."""

    @abstractmethod
    def _awaited(self, error: Exception) -> tuple[str, str] | None:
        """Why something may go through later that failed so, and what others hold; None: never."""

    def _begin(self, statement: str) -> None:
        self._raw.execute(statement)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except self.errors as error:
            raise self.explained(error) from error

    def _patiently(self, attempt: Callable[[], _T]) -> _T:
        """Try until nobody is in the way any more, for as long as may be; say that it waits."""
        waiting, pause_s = None, 0.0002
        while True:
            try:
                return attempt()
            except Exception as error:
                awaited = self._awaited(error)
                if awaited is None:
                    raise
                why, holder = awaited
                most_s = MAY_WAIT.get()
                if not most_s:
                    raise StoreBusyError(why) from error
                waiting = waiting or Waiting()
                if waiting.seconds >= most_s:
                    raise StoreBusyError(
                        f"another process has been writing to the store for {most_s:.0f} s (it "
                        f"holds {holder}); wait for it, or end it, and run again"
                    ) from error
                waiting.goes_on(f"{why}; {self.on_wait(waiting.seconds)}")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, self.pause_s)


def no_store(found: str) -> StoreError:
    return StoreError(
        f"{found}; `judgebench run` and `judgebench import` make one there (--store or"
        " JUDGEBENCH_STORE say where)"
    )


def hanging_references(connection: Connection) -> Iterator[tuple[str, str]]:
    """Table and table of every reference that leads nowhere, by the schema's foreign keys."""
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            there = select(1).where(key.column == key.parent).correlate(table)
            nowhere = select(func.count()).where(key.parent.is_not(None), ~there.exists())
            if connection.execute(nowhere.select_from(table).limit(1)).scalar():
                yield table.name, key.column.table.name


def in_columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Rows that have the same names, one at least."""
    return {name: [row[name] for row in rows] for name in rows[0]}


@dataclass(slots=True, eq=False)
class Prepared:
    """A statement of every single call, compiled once and handed to the driver as it is.

    It is given its parameters by name, within a transaction of the connection. SQLAlchemy takes
    several times as long to execute a small statement as SQLite itself, and a judgment has a dozen
    of them. What the database says against it comes as the driver's own error.
    """

    statement: Executable
    _known: dict[tuple[Any, ...], tuple[str, Row, Any]] = field(default_factory=dict)

    def put_all(self, connection: Connection, columns: Mapping[str, Sequence[Any]]) -> None:
        """Once for each row, given by columns (`in_columns`). A server is asked once for all."""
        if connection.dialect.name != "sqlite":
            self._of_columns(connection, columns)
            return
        # By name takes twice as long.
        known = self._known.get(("sqlite", tuple(columns), "in order"))
        sql, constants, order = known or self._sql(connection, tuple(columns), "in order")
        given = {**constants, **columns}
        driver: Any = connection.connection.dbapi_connection
        with closing(driver.cursor()) as cursor:
            cursor.executemany(sql, zip(*(given[name] for name in order), strict=False))

    def _of_columns(
        self, connection: Connection, columns: Mapping[str, Sequence[Any]], **how: bool
    ) -> Any:
        sql, constants, kinds = self._sql(connection, tuple(columns), "by columns")
        lists = {name: _array(kinds[name], values) for name, values in columns.items()}
        driver: Any = connection.connection.dbapi_connection
        return driver.execute(sql, {**constants, **lists}, **how)

    def of_all(
        self, connection: Connection, columns: Mapping[str, Sequence[Any]]
    ) -> list[tuple[Any, ...]]:
        """What it returns for each row, in any order. A server is asked once for all."""
        if connection.dialect.name != "sqlite":
            return list(self._of_columns(connection, columns, binary=True).fetchall())
        rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
        return [found for row in rows for found in self.execute(connection, row)]

    def rows(
        self, connection: Connection, row: Row, *, as_they_come: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of what it returns; a server hands out some at a time, within a transaction.

        ``as_they_come`` is for large ones: it sends on while one is worked on, and is asked for
        nothing else until all are read.
        """
        if connection.dialect.name == "sqlite":
            yield from self.execute(connection, row)
            return
        sql, constants, _ = self._sql(connection, tuple(row))
        given = {**constants, **row}
        driver: Any = connection.connection.dbapi_connection
        if as_they_come:
            with closing(driver.cursor()) as cursor:
                yield from cursor.stream(sql, given, binary=True)
            return
        cursor = driver.cursor(f"rows_{next(_CURSORS)}", binary=True)
        yield from cursor.execute(sql, given)
        cursor.close()  # where that is not reached, it goes with its transaction

    def execute(self, connection: Connection, row: Row) -> Any:
        """The driver's cursor, of which all rows that it returns have to be fetched."""
        names, engine = tuple(row), connection.dialect.name
        known = self._known.get((engine, names, "by name"))
        sql, constants, _ = known or self._sql(connection, names)
        driver: Any = connection.connection.dbapi_connection
        return driver.execute(sql, {**constants, **row}, **_AS_BYTES.get(engine, {}))

    def _sql(
        self, connection: Connection, names: tuple[str, ...], given: str = "by name"
    ) -> tuple[str, Row, Any]:
        """The text for these parameters, and the values that are part of the statement itself.

        If they are given in order also that order, and by columns what type each of them is of.
        """
        engine = connection.dialect.name
        if (engine, names, given) not in self._known:
            style = "named" if engine == "sqlite" else "pyformat"
            dialect: Any = type(connection.dialect)
            statement: Any = self.statement
            if isinstance(statement, Insert):
                statement = statement.inline()
            compiled = statement.compile(
                dialect=dialect(paramstyle="qmark" if given == "in order" else style),
                column_keys=list(names),
            )
            sql, more = str(compiled), compiled.positiontup
            if given == "by columns":
                more = {n: compiled.binds[n].type.compile(compiled.dialect) for n in names}
                sql = _by_columns(compiled, more)
            constants = {n: v for n, v in compiled.params.items() if n not in names}
            if given == "in order":
                constants = {n: repeat(v) for n, v in constants.items()}
            self._known[engine, names, given] = sql, constants, more
        return self._known[engine, names, given]


def _by_columns(compiled: Any, kinds: Mapping[str, str]) -> str:
    """PostgreSQL's text for many rows: it is given a list for each parameter."""
    lists = ", ".join(f"%({name})s::{kind}[]" for name, kind in kinds.items())
    rows = f"unnest({lists}) AS r({', '.join(kinds)})"
    sql = _PARAMETER.sub(
        lambda found: f"r.{found[1]}" if found[1] in kinds else found[0], str(compiled)
    )
    if "VALUES (" in sql:
        return _VALUES.sub(lambda found: f"SELECT {found[1]} FROM {rows}", sql, count=1)
    joined = "USING" if compiled.isdelete else "CROSS JOIN"
    return sql.replace("WHERE", f"{joined} {rows} WHERE", 1)


class Elements(bytes):
    """A list as it is sent to a server; `postgres` tells the driver to leave it so."""


def _array(kind: str, values: Sequence[Any]) -> Elements:
    """As PostgreSQL's protocol has it; the driver takes ten times as long over a list."""
    number, sent = _SENT[kind]
    each = [_NULL if value is None else sent(value) for value in values]
    return Elements(_HEAD.pack(1, 1, number, len(each), 1) + b"".join(each))


def _sized(value: bytes) -> bytes:
    return _SIZE.pack(len(value)) + value


_HEAD, _SIZE = Struct(">5i"), Struct(">i")
_NULL = _SIZE.pack(-1)
_SENT: dict[str, tuple[int, Callable[[Any], bytes]]] = {
    "BYTEA": (17, _sized),
    "TEXT": (25, lambda value: _sized(value.encode())),
    # Most columns of integers hold the same few.
    "BOOLEAN": (16, lru_cache(2)(partial(Struct(">i?").pack, 1))),
    "SMALLINT": (21, lru_cache(4096)(partial(Struct(">ih").pack, 2))),
    "INTEGER": (23, lru_cache(4096)(partial(Struct(">ii").pack, 4))),
    "BIGINT": (20, lru_cache(4096)(partial(Struct(">iq").pack, 8))),
    "DOUBLE PRECISION": (701, partial(Struct(">id").pack, 8)),
}
"""The server's own number of each type, and how a value of it is sent."""

_AS_BYTES = {"postgresql": {"binary": True}}
"""How values are asked for: bytes would come as twice as many digits, and numbers as texts."""

_CURSORS = count()
_PARAMETER = re.compile(r"%\((\w+)\)s(?:::(?:DOUBLE PRECISION|\w+))?")
"""As the dialect writes one, with its type where that is not plain."""

_VALUES = re.compile(r"VALUES \((.*?)\)(?= ON CONFLICT| RETURNING|\Z)", re.DOTALL)
