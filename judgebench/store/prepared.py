"""Statements of every single call, compiled once and handed to SQLite as they are.

SQLAlchemy takes several times as long to execute a small statement as SQLite itself, and a
judgment has a dozen of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, cast

from sqlalchemy import Connection, Executable
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import CompilerElement

Row = Mapping[str, Any]


class Prepared:
    """A statement that is given its parameters by name, within a transaction of the connection.

    What SQLite says against it comes as its own `sqlite3.Error`.
    """

    def __init__(self, statement: Executable) -> None:
        assert isinstance(statement, CompilerElement)
        self._statement = statement
        self._compiled: dict[tuple[str, ...], tuple[str, Row]] = {}

    def put(self, connection: Connection, row: Row) -> None:
        self._execute(connection, row).close()

    def put_all(self, connection: Connection, rows: Iterable[Row]) -> None:
        """Once for each row; all of them have the same names."""
        rest = iter(rows)
        for first in rest:
            sql, constants = self._sql(tuple(first))
            database = cast("sqlite3.Connection", connection.connection.dbapi_connection)
            database.executemany(sql, ({**constants, **row} for row in chain((first,), rest)))

    def first(self, connection: Connection, row: Row) -> tuple[Any, ...] | None:
        """The first row of what it returns."""
        cursor = self._execute(connection, row)
        found: tuple[Any, ...] | None = next(iter(cursor.fetchall()), None)
        return found

    def rows(self, connection: Connection, row: Row) -> Iterator[tuple[Any, ...]]:
        """The rows of what it returns, one at a time."""
        return iter(self._execute(connection, row))

    def _execute(self, connection: Connection, row: Row) -> sqlite3.Cursor:
        sql, constants = self._sql(tuple(row))
        database = cast("sqlite3.Connection", connection.connection.dbapi_connection)
        return database.execute(sql, {**constants, **row})

    def _sql(self, names: tuple[str, ...]) -> tuple[str, Row]:
        """The text for these parameters, and the values that are part of the statement itself."""
        if names not in self._compiled:
            compiled = self._statement.compile(
                dialect=sqlite.dialect(paramstyle="named"), column_keys=list(names)
            )
            constants = {n: v for n, v in compiled.params.items() if n not in names}
            self._compiled[names] = str(compiled), constants
        return self._compiled[names]
