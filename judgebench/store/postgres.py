"""A store on a PostgreSQL server, for those who share one.

Writers take turns as they do at a file: each write holds a lock of the store (an advisory lock of
its schema) until it is committed. So nothing that is read within a write changes before it is
committed, and no two writes wait for each other's rows.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Transaction, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from judgebench.errors import ConfigError, StoreError, StoreFullError, StoreGoneError
from judgebench.protocols import MAY_WAIT, Waiting
from judgebench.secret import Secret, masked
from judgebench.store.database import Database

CONNECT_S = 10
"""How long one try to reach a server may take, where the address does not say."""

_LOOK_S = 0.25
"""Between two tries of who waits for a turn, or for a server."""

_TURN = "hashtextextended(current_schema(), 1784832872)"
_WAIT = (
    f"BEGIN; SET LOCAL lock_timeout = '{_LOOK_S * 1000:.0f}ms';"
    f" SELECT pg_advisory_xact_lock({_TURN}); SET LOCAL lock_timeout = 0"
)
_AT_ONCE = f"SELECT pg_try_advisory_xact_lock({_TURN})"
_GONE = ("08", "57P", "53300")
"""SQLSTATEs of a server that went, starts, or has no connection to spare."""


class Postgres(Database):
    """A connection to the server, which is made again whenever it is lost."""

    errors = (DBAPIError, psycopg.Error)

    def __init__(self, url: str, *, read_only: bool = False, wait_s: float | None = None) -> None:
        super().__init__(printable(url), read_only=read_only, wait_s=wait_s)
        self._url = url
        self._asked = conninfo(url)
        self._raw: psycopg.Connection[Any]
        self._engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            poolclass=NullPool,
            hide_parameters=True,  # texts of models do not belong in a traceback
        )
        with self._in_words():
            self._connection = self._engine.connect()

    def _connect(self) -> psycopg.Connection[Any]:
        self._raw = psycopg.connect(self._asked, autocommit=True)
        return self._raw

    def another(self) -> Postgres:
        return Postgres(self._url, read_only=self.read_only, wait_s=self.wait_s)

    def revision(self) -> str | None:
        with self.reading():
            ours = "SELECT to_regclass('alembic_version'), to_regclass('judgments')"
            versions, judgments = self._raw.execute(ours).fetchone() or (None, None)
            if versions is not None and judgments is not None:
                found = self._raw.execute("SELECT version_num FROM alembic_version").fetchone()
                return None if found is None else str(found[0])
            others = self._raw.execute(
                "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v')"
                " AND relnamespace = current_schema()::regnamespace"
            ).fetchone()
        if others and others[0]:
            raise StoreError(
                f"{self.name} holds {others[0]} tables of another program and no store; it was left"
                " as it is: give another database with --store (`createdb` makes one)"
            )
        return None

    def now(self) -> float:
        with self._in_words():
            found = self._raw.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
        assert found is not None
        return float(found[0])

    # transactions -------------------------------------------------------------------------------

    def _begin_reading(self) -> None:
        only = " READ ONLY" if self.read_only else ""
        self._reaching(f"BEGIN ISOLATION LEVEL REPEATABLE READ{only}")

    def _begin_writing(self, in_turn: bool) -> None:
        if not in_turn:
            self._reaching("BEGIN")
            return
        waiting = Waiting()
        while True:
            try:
                if MAY_WAIT.get():
                    self._reaching(_WAIT)
                    return
                self._reaching("BEGIN")
                if (free := self._raw.execute(_AT_ONCE).fetchone()) and free[0]:
                    return
                busy: Exception | None = None
            except psycopg.errors.LockNotAvailable as error:
                busy = error
            self._raw.rollback()
            held = f"the store {self.name} is held by another process, which is writing to it"
            self.wait(waiting, held, "its lock on the server", busy)

    def _reaching(self, statement: str) -> None:
        """Execute what begins a transaction; a server that has gone is waited for."""
        waiting = Waiting()
        while True:
            try:
                if self._raw.closed:
                    with suppress(*self.errors):
                        self._connection.invalidate()
                    self._connection.close()
                    self._connection = self._engine.connect()
                self._raw.execute(statement)
            except self.errors as error:
                if not _is_gone(error, self._raw):
                    raise
                gone = f"the server of the store {self.name} does not answer"
                self.wait(waiting, gone, "the connection", error)
                time.sleep(_LOOK_S)
            else:
                return

    def _commit(self, transaction: Transaction) -> None:
        """A server that goes while it commits is asked, once it is back, whether it has."""
        found = self._raw.execute("SELECT pg_current_xact_id_if_assigned()::text").fetchone()
        try:
            transaction.commit()
        except self.errors as error:
            if found is None or found[0] is None or not _is_gone(error, self._raw):
                raise
            self._reaching("SELECT 1")
            asked = self._raw.execute("SELECT pg_xact_status(%s::xid8)", (found[0],)).fetchone()
            if asked is None or asked[0] != "committed":
                raise

    @contextmanager
    def set_aside(self, size: int, on_touch: Callable[[], None]) -> Iterator[None]:
        """The disk is the server's."""
        yield

    # errors -------------------------------------------------------------------------------------

    def explained(self, error: Exception) -> StoreError:
        original = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(original, "sqlstate", None) or ""
        detail = masked(str(original).strip().splitlines()[0] if str(original).strip() else "")
        said = f"PostgreSQL says: {detail}"
        if state in ("53100", "53200"):
            return StoreFullError(
                f"the store {self.name} failed: the server's disk is full; make room and run again"
                f" ({said}); what was committed before is kept",
                again=True,
            )
        for start, meaning in _MEANINGS:
            if state.startswith(start) and state:
                return StoreError(f"the store {self.name} {meaning} ({said})")
        if isinstance(original, BaseException) and _is_gone(original, getattr(self, "_raw", None)):
            return StoreGoneError(
                f"the server of the store {self.name} cannot be reached: see that the address is"
                f" right and that it runs ({said}); what was committed before is kept"
            )
        return StoreError(f"the store {self.name} failed; {said}")


_MEANINGS = (
    (
        "28",
        "refuses this user or password: PGPASSWORD, ~/.pgpass or ${NAME} in the address give it",
    ),
    ("3D000", "is not there: `createdb` makes a database"),
    ("42501", "does not let this user do so; docs/sharing.md has the rights that each needs"),
    ("25006", "is read-only; give another one with --store, or a server that may be written"),
    ("53300", "has no connection to spare; end another program, or raise max_connections"),
)


def _is_gone(error: BaseException, connection: psycopg.Connection[Any] | None) -> bool:
    """Whether what failed is for want of a server, rather than for what it was asked."""
    original = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(original, "sqlstate", None) or ""
    lost = not state and isinstance(original, psycopg.OperationalError)
    return lost or state.startswith(_GONE) or (connection is not None and connection.closed)


_NAMED = re.compile(r"\$\{(\w+)\}")


def conninfo(url: str) -> str:
    """What libpq is asked for: the address with ``${NAME}`` filled in, and our defaults.

    Raises
    ------
    ConfigError
        For what is no address of a server, or names a variable that is not set.
    """

    def value(name: re.Match[str]) -> str:
        found = os.environ.get(name[1])
        if found is None:
            raise ConfigError(f"the store {printable(url)}: {name[1]} is not set")
        from urllib.parse import quote

        return quote(Secret(found, variable=name[1]).reveal(), safe="")

    try:
        asked: dict[str, Any] = conninfo_to_dict(_NAMED.sub(value, url))
    except psycopg.Error:
        raise ConfigError(
            f"the store {printable(url)}: no address of a PostgreSQL database; it is written"
            " postgresql://USER@HOST/DATABASE"
        ) from None
    if password := asked.get("password"):
        Secret(str(password))
    asked.setdefault("connect_timeout", CONNECT_S)
    asked.setdefault("application_name", "judgebench")
    return make_conninfo(**asked)


def printable(url: str) -> str:
    """The address without its password and options."""
    address, _, _ = url.partition("?")
    scheme, _, rest = address.partition("://")
    who, at, where = rest.rpartition("@")
    return f"{scheme}://{who.partition(':')[0]}{at}{where}"
