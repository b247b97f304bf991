"""What the two engines of a store have in common: transactions, statements, waiting in turn.

An engine is a subclass of `Database`: SQLite in one file (`sqlite.py`), or PostgreSQL
(`postgres.py`). Everything else in this package speaks SQLAlchemy Core to a connection of either.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from itertools import count, islice
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Connection, Engine, Executable, Insert, Transaction, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import CompilerElement

from judgebench.errors import StoreBusyError, StoreError
from judgebench.protocols import MAY_WAIT, Waiting
from judgebench.store.schema import metadata

_T = TypeVar("_T")
Row = Mapping[str, Any]

insert = postgresql.insert
"""With ``on_conflict_do_…``, which SQLite takes in the same words."""

CHUNK = 1000
"""Values in one ``IN (...)`` or one batch of rows; SQLite takes 32 766 in a statement."""


def chunks(values: Iterable[_T], most: int | None = None) -> Iterator[list[_T]]:
    """All values, in their order, some at a time: what is held at once stays bounded."""
    rest = iter(values)
    while portion := list(islice(rest, most or CHUNK)):
        yield portion


class Database(ABC):
    """A connection for one thread. `reading` and `writing` are its two kinds of transaction.

    Readers see a snapshot and disturb nobody. Writers take turns, on either engine: what is read
    within a write is still so when it is committed. A write waits for others for as long as it
    takes, and says so; ``wait_s`` is where somebody would wait in vain for being told.

    Attributes
    ----------
    name
        The store as messages call it: a path, or an address without its password.
    on_wait
        Told for how many seconds a write has waited; says what becomes of what waits.
    on_read
        Called before something is read within a write.
    """

    errors: ClassVar[tuple[type[Exception], ...]] = (DBAPIError,)
    on_server: ClassVar[bool] = False

    def __init__(self, name: str, *, read_only: bool, wait_s: float | None) -> None:
        self.name = name
        self.read_only = read_only
        self.wait_s = wait_s
        self.in_write = False
        self.on_wait: Callable[[float], str] | None = None
        self.on_read: Callable[[], object] = bool
        self._engine: Engine
        self._connection: Connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One snapshot for all selects inside; within a write, that write's own view."""
        with self._in_words():
            if self.in_write:
                self.on_read()
                yield self._connection
                return
            self._begin_reading()
            with self._connection.begin():
                yield self._connection

    def look(self, read: Callable[[Connection], _T]) -> _T:
        """For one prepared statement, which is a snapshot by itself and needs no transaction."""
        with self._in_words():
            if self.in_write:
                self.on_read()
            return read(self._connection)

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
        with self._in_words(), self._turn():
            self._begin_writing(in_turn)
            self.in_write = True
            connection = self._connection
            transaction = connection.begin()
            try:
                yield connection
                self._commit(transaction)
            except BaseException:
                if not connection.closed:
                    with suppress(*self.errors):  # a server that is gone keeps nothing of it
                        transaction.rollback()
                raise
            finally:
                self.in_write = False
            self._committed()

    @contextmanager
    def removing(self) -> Iterator[Connection]:
        """As `writing`, for taking rows out by the thousand.

        References are not looked up row by row, but all at the end, and nothing goes if one was
        left hanging.
        """
        with self.writing() as connection:
            yield connection
            if hanging := next(hanging_references(connection), None):
                raise StoreError(
                    f"nothing was removed: a row of {hanging[0]} needs one of {hanging[1]} "
                    "that was to go"
                )

    def take_unchecked(self) -> None:
        """From here on references are not looked up row by row; a copy is compared as a whole."""
        return  # an engine may have nothing to do here

    def close(self) -> None:
        self._connection.close()

    # what an engine says ------------------------------------------------------------------------

    @abstractmethod
    def explained(self, error: Exception) -> StoreError:
        """A database error in words, without the values that were being written."""

    @abstractmethod
    def revision(self) -> str | None:
        """Of the tables; None where there are none yet."""

    @abstractmethod
    def another(self) -> Database:
        """One more connection to the same store, for another thread."""

    @abstractmethod
    def now(self) -> float:
        """Seconds by the clock that all who share the store go by."""

    @abstractmethod
    def place(self) -> object:
        """Equal for two connections to one store, by whatever address each was opened."""

    @abstractmethod
    def vacuum(self) -> tuple[int, int]:
        """Give back the room of what was removed; bytes taken before and after."""

    @abstractmethod
    def damage(self) -> list[str]:
        """What the engine itself finds wrong with how the store lies on its disk."""

    @abstractmethod
    def set_aside(self, size: int, on_touch: Callable[[], None]) -> AbstractContextManager[None]:
        """Keep room for what must still be written when there is none left."""

    @abstractmethod
    def _begin_reading(self) -> None: ...

    @abstractmethod
    def _begin_writing(self, in_turn: bool = True) -> None:
        """Begin, once it is our turn, or at once."""

    def _commit(self, transaction: Transaction) -> None:
        transaction.commit()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold what keeps others from writing, where that is not part of the transaction."""
        yield

    def _committed(self) -> None:
        """Called after each commit, still in turn."""
        return  # an engine may have nothing to do here

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except self.errors as error:
            raise self.explained(error) from error

    def wait(self, waiting: Waiting, why: str, holder: str, error: Exception | None) -> None:
        """Say that a write waits, or raise that it may not, or not any longer."""
        if not MAY_WAIT.get():
            raise StoreBusyError(why) from error
        if self.wait_s is not None and waiting.seconds >= self.wait_s:
            raise StoreBusyError(
                f"another process has been writing to the store for {self.wait_s:.0f} s (it holds "
                f"{holder}); wait for it, or end it, and run again"
            ) from error
        lost = "Ctrl-C leaves without what was to be stored"
        waiting.goes_on(f"{why}; {self.on_wait(waiting.seconds) if self.on_wait else lost}")


def hanging_references(connection: Connection) -> Iterator[tuple[str, str]]:
    """Table and table of every reference that leads nowhere, by the schema's foreign keys."""
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            there = select(1).where(key.column == key.parent).correlate(table)
            nowhere = select(func.count()).where(key.parent.is_not(None), ~there.exists())
            if connection.execute(nowhere.select_from(table).limit(1)).scalar():
                yield table.name, key.column.table.name


class Prepared:
    """A statement of every single call, compiled once and handed to the driver as it is.

    It is given its parameters by name, within a transaction of the connection. SQLAlchemy takes
    several times as long to execute a small statement as SQLite itself, and a judgment has a dozen
    of them. What the database says against it comes as the driver's own error.
    """

    def __init__(self, statement: Executable) -> None:
        assert isinstance(statement, CompilerElement)
        self._inserts = isinstance(statement, Insert)
        inlined: Any = statement
        self._statement = inlined.inline() if self._inserts else inlined
        self._compiled: dict[tuple[str, tuple[str, ...]], tuple[str, Row]] = {}
        self._many: dict[tuple[str, ...], str] = {}

    def put(self, connection: Connection, row: Row) -> None:
        self._execute(connection, row).close()

    def put_all(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Once for each row; all of them have the same names. A server is asked once for all."""
        if not rows:
            return
        names = tuple(rows[0])
        sql, constants = self._sql(connection, names)
        if connection.dialect.name == "sqlite":
            with closing(_driver(connection).cursor()) as cursor:
                cursor.executemany(sql, ({**constants, **row} for row in rows))
        else:
            columns = {name: _array([row[name] for row in rows]) for name in names}
            _driver(connection).execute(
                self._as_columns(connection, names), {**constants, **columns}
            )

    def first(self, connection: Connection, row: Row) -> tuple[Any, ...] | None:
        """The first row of what it returns."""
        found: tuple[Any, ...] | None = next(iter(self._execute(connection, row).fetchall()), None)
        return found

    def rows(self, connection: Connection, row: Row) -> Iterator[tuple[Any, ...]]:
        """The rows of what it returns; a server hands out some at a time, within a transaction."""
        if connection.dialect.name == "sqlite":
            yield from self._execute(connection, row)
            return
        sql, constants = self._sql(connection, tuple(row))
        # Bytes would come as twice as many digits, and numbers as texts.
        cursor = _driver(connection).cursor(f"rows_{next(_CURSORS)}", binary=True)
        yield from cursor.execute(sql, {**constants, **row})
        cursor.close()  # where that is not reached, it goes with its transaction

    def _as_columns(self, connection: Connection, names: tuple[str, ...]) -> str:
        """PostgreSQL's text for many rows: it is given a list for each parameter."""
        if names not in self._many:
            compiled = self._compile(connection, names)
            kinds = {
                name: bind.type.compile(compiled.dialect) for name, bind in compiled.binds.items()
            }
            lists = ", ".join(f"%({name})s::{kinds[name]}[]" for name in names)
            rows = f"unnest({lists}) AS r({', '.join(names)})"
            sql = _PARAMETER.sub(
                lambda found: f"r.{found[1]}" if found[1] in names else found[0], str(compiled)
            )
            if self._inserts and "VALUES (" not in sql:  # the rows of a select
                self._many[names] = sql.replace("WHERE", f"CROSS JOIN {rows} WHERE", 1)
            elif self._inserts:
                start = sql.index("VALUES (")
                end = next(at for at, depth in _depths(sql, start + 8) if depth < 0)
                chosen = f"SELECT {sql[start + 8 : end]} FROM {rows}"
                self._many[names] = f"{sql[:start]}{chosen}{sql[end + 1 :]}"
            else:
                self._many[names] = sql.replace(" WHERE", f" USING {rows} WHERE", 1)
        return self._many[names]

    def _execute(self, connection: Connection, row: Row) -> Any:
        sql, constants = self._sql(connection, tuple(row))
        return _driver(connection).execute(sql, {**constants, **row})

    def _compile(self, connection: Connection, names: tuple[str, ...]) -> Any:
        """For the connection's dialect, with parameters by name."""
        style = "named" if connection.dialect.name == "sqlite" else "pyformat"
        dialect: Any = type(connection.dialect)
        return self._statement.compile(dialect=dialect(paramstyle=style), column_keys=list(names))

    def _sql(self, connection: Connection, names: tuple[str, ...]) -> tuple[str, Row]:
        """The text for these parameters, and the values that are part of the statement itself."""
        known = connection.dialect.name, names
        if known not in self._compiled:
            compiled = self._compile(connection, names)
            constants = {n: v for n, v in compiled.params.items() if n not in names}
            self._compiled[known] = str(compiled), constants
        return self._compiled[known]


def pipelined(connection: Connection) -> AbstractContextManager[object]:
    """What is put inside is sent to a server without waiting for each answer."""
    if connection.dialect.name == "sqlite":
        return nullcontext()
    pipeline: AbstractContextManager[object] = _driver(connection).pipeline()
    return pipeline


def _array(values: list[Any]) -> str:
    """As PostgreSQL writes it; the driver takes ten times as long over a list."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bytes():
            return f'"\\\\x{value.hex()}"'
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case float():
            return repr(float(value))
        case _:
            return str(value + 0)  # a number of numpy's, or a truth value


_CURSORS = count()
_PARAMETER = re.compile(r"%\((\w+)\)s(?:::(?:DOUBLE PRECISION|\w+))?")
"""As the dialect writes one, with its type where that is not plain."""


def _depths(sql: str, start: int) -> Iterator[tuple[int, int]]:
    """Each position with how many parentheses are open there."""
    depth = 0
    for at in range(start, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[at], 0)
        yield at, depth


def _driver(connection: Connection) -> Any:
    """The driver's own connection: both drivers have ``execute`` on it."""
    return connection.connection.dbapi_connection
