"""A store on a PostgreSQL server, for those who share one.

Writers take turns as they do at a file: each write holds a lock of the store (an advisory lock of
its schema) until it is committed. So nothing that is read within a write changes before it is
committed, and no two writes wait for each other's rows.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Connection, Transaction, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from judgebench.errors import ConfigError, StoreError, StoreFullError, StoreGoneError
from judgebench.protocols import MAY_WAIT, Waiting
from judgebench.secret import Secret, masked
from judgebench.store.database import Database
from judgebench.store.schema import metadata

_T = TypeVar("_T")

CONNECT_S = 10
"""How long one try to reach a server may take, where the address does not say."""

_LOOK_S = 0.25
"""Between two tries of who waits for a turn, or for a server."""

_TURN = (  # of the schema that the tables are in, which need not be the first of the path
    "hashtextextended(coalesce((SELECT relnamespace::regnamespace::text FROM pg_class"
    " WHERE oid = to_regclass('judgments')), quote_ident(current_schema())), 1784832872)"
)
# A plan that was made while tables were small, and is kept, would go through all of one by now.
_BEGIN = "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL jit = off"
_WAIT = (
    f"{_BEGIN}; SET LOCAL lock_timeout = '{_LOOK_S * 1000:.0f}ms';"
    f" SELECT pg_advisory_xact_lock({_TURN}); SET LOCAL lock_timeout = 0"
)
_AT_ONCE = f"SELECT pg_try_advisory_xact_lock({_TURN})"
_RECEIPT = (
    "INSERT INTO meta (name, value) VALUES (%(name)s, %(value)s)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
_FORGET_OLD = "DELETE FROM meta WHERE name LIKE 'commit of %%' AND value < %(long_ago)s"
_OLD_S = 30 * 86_400.0  # nobody asks any more what became of a commit

_MARK = """
SELECT concat_ws(' ', current_database(), current_schema(),
         extract(epoch FROM pg_postmaster_start_time()),
         (SELECT md5(string_agg(name || value, ' ' ORDER BY name)) FROM meta),
         CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text
              ELSE (SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::text FROM pg_stat_user_tables
                     WHERE schemaname = current_schema() AND relname = ANY(%s)) END)
"""
_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
 WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname = ANY(%s)
"""
_MAY_WRITE = """
SELECT NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'
   AND has_table_privilege('judgments', 'INSERT')
"""
_GONE = ("08", "57P", "53300")
"""SQLSTATEs of a server that went, starts, or has no connection to spare."""


class Postgres(Database):
    """A connection to the server, which is made again whenever it is lost."""

    errors = (DBAPIError, psycopg.Error)
    on_server = True

    def __init__(self, url: str, *, read_only: bool = False, wait_s: float | None = None) -> None:
        super().__init__(printable(url), read_only=read_only, wait_s=wait_s)
        self._url = url
        self._asked = conninfo(url)
        self._raw: psycopg.Connection[Any]
        self._receipts = f"commit of {uuid.uuid4().hex}"
        self._commits = 0
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
        """For which a server that has gone is waited for."""
        waiting = Waiting()
        while True:
            try:
                return Postgres(self._url, read_only=self.read_only, wait_s=self.wait_s)
            except StoreGoneError as error:
                gone = f"the server of the store {self.name} does not answer"
                self.wait(waiting, gone, "the connection", error)
                time.sleep(_LOOK_S)

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

    def close(self) -> None:
        if self._commits and not self._raw.closed:
            with suppress(*self.errors):  # a later one takes it away
                self._raw.execute("DELETE FROM meta WHERE name = %s", (self._receipts,))
        super().close()

    def mark(self) -> str:
        """A string that differs once anything was committed to this store.

        It is made of the receipts of its writers and, since these go when a writer ends, of the
        rows that were written as the server counts them by then; so it stands still while other
        databases are written, or the index of a search. A standby counts nothing: there it is how
        far it has come.
        """
        return str(self._one(_MARK, [sorted(metadata.tables)]))

    def size(self) -> int:
        """Of all tables of the store, in bytes."""
        return int(self._one(_SIZE, [sorted(metadata.tables)]))

    def may_write(self) -> bool:
        """Whether this user may add judgments here."""
        return bool(self._one(_MAY_WRITE, None))

    def _one(self, sql: str, values: list[Any] | None) -> Any:
        with self._in_words():
            found = self._raw.execute(sql, values).fetchone()
        return None if found is None else found[0]

    def place(self) -> object:
        """A server is known by the moment at which it was started."""
        where = "SELECT pg_postmaster_start_time(), current_database(), current_schema()"
        with self._in_words():
            return self._raw.execute(where).fetchone()

    def vacuum(self) -> tuple[int, int]:
        """Each table written anew, for which it is held from readers too."""
        sizes = []
        for statement in ("SELECT 1", "VACUUM (FULL, ANALYZE)"):
            with self._in_words():
                self._raw.execute(statement)
                found = self._raw.execute("SELECT pg_database_size(current_database())").fetchone()
            sizes.append(int(found[0]) if found else 0)
        return sizes[0], sizes[1]

    def damage(self) -> list[str]:
        """A server looks after its own disk."""
        return []

    # transactions -------------------------------------------------------------------------------

    def look(self, read: Callable[[Connection], _T]) -> _T:
        """A server that goes meanwhile is asked again once it is back."""
        while True:
            try:
                return super().look(read)
            except StoreGoneError:
                if self.in_write:
                    raise
                with self._in_words():
                    self._reaching("SELECT 1")

    def _begin_reading(self) -> None:
        only = " READ ONLY" if self.read_only else ""
        self._reaching(f"BEGIN ISOLATION LEVEL REPEATABLE READ{only}")

    def _begin_writing(self, in_turn: bool = True) -> None:
        if not in_turn:
            self._reaching("BEGIN")
            return
        waiting = Waiting()
        while True:
            try:
                if MAY_WAIT.get():
                    self._reaching(_WAIT)
                    return
                self._reaching(_BEGIN)
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
                    if not self._connection.closed:
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
        """A server that goes while it commits is asked, once it is back, whether it has.

        Part of each commit is a receipt, the number of our last one. A transaction's own number
        would not do: a server that crashed may have given it to another one since.
        """
        number = self._commits + 1
        receipt = {"name": self._receipts, "value": f"{time.time():.0f} {number}"}
        if number == 1:
            self._raw.execute(_FORGET_OLD, {"long_ago": f"{time.time() - _OLD_S:.0f}"})
        self._raw.execute(_RECEIPT, receipt)
        try:
            transaction.commit()
        except self.errors as error:
            if not _is_gone(error, self._raw) or self._last_receipt() != receipt["value"]:
                raise
        self._commits = number

    def _last_receipt(self) -> str | None:
        """Once it is our turn again: what the server was still doing for us has ended by then."""
        may_wait = MAY_WAIT.set(True)
        try:
            self._begin_writing()
        finally:
            MAY_WAIT.reset(may_wait)
        asked = "SELECT value FROM meta WHERE name = %s"
        found = self._raw.execute(asked, (self._receipts,)).fetchone()
        self._raw.rollback()
        return None if found is None else str(found[0])

    @contextmanager
    def set_aside(self, size: int, on_touch: Callable[[], None]) -> Iterator[None]:
        """The disk is the server's."""
        yield

    # errors -------------------------------------------------------------------------------------

    def explained(self, error: Exception) -> StoreError:
        original = error.orig if isinstance(error, DBAPIError) else error
        state = _state(original)
        detail = masked(str(original).strip().splitlines()[0] if str(original).strip() else "")
        said = f"PostgreSQL says: {detail}"
        if state in ("53100", "53200"):
            return StoreFullError(
                f"the store {self.name} failed: the server's disk is full; make room and run again"
                f" ({said}); what was committed before is kept",
                again=True,
            )
        for start, meaning in _MEANINGS:
            if state.startswith(start):
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
    ("3F", "has no schema for its tables: see the search_path of the address or of this user"),
    ("25006", "is read-only; give another one with --store, or a server that may be written"),
    ("53300", "has no connection to spare; end another program, or raise max_connections"),
)


_UNTOLD = (
    (r"password|pg_hba\.conf|authentication|role .* (does not exist|is not permitted)", "28000"),
    (r"database .* does not exist", "3D000"),
    (r"too many|connection slots", "53300"),
)
"""SQLSTATEs of what a server says to who cannot connect: the driver hands on the words alone."""


def _state(error: BaseException | None) -> str:
    """The SQLSTATE of an error, as far as it is known."""
    told = getattr(error, "sqlstate", None)
    if told is None and isinstance(error, psycopg.OperationalError):
        told = next((state for said, state in _UNTOLD if re.search(said, str(error))), None)
    return told or ""


def _is_gone(error: BaseException, connection: psycopg.Connection[Any] | None) -> bool:
    """Whether what failed is for want of a server, rather than for what it was asked."""
    original = error.orig if isinstance(error, DBAPIError) else error
    state = _state(original)
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
            raise ConfigError(
                f"the store {printable(url)}: ${{{name[1]}}} in its address is not set; export it"
            )
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


def identity(url: str) -> str:
    """All that an address says of where its database is, and of who asks, but no password."""
    asked = conninfo_to_dict(conninfo(url))
    left = {name: str(value) for name, value in asked.items() if name != "password"}
    return make_conninfo(**left)


PASSWORD = "JUDGEBENCH_STORE_PASSWORD"
"""The variable by which a program that we start is told a password: others see its arguments."""


def without_password(url: str) -> tuple[str, dict[str, str]]:
    """An address that names a variable in place of its password, and that variable if it does."""
    from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    options = dict(parse_qsl(parts.query))
    password = options.pop("password", "") or unquote(password)
    if not password or password.startswith("${"):
        return url, {}
    where = parts._replace(
        netloc=f"{name}:${{{PASSWORD}}}@{place}", query=urlencode(options, quote_via=quote)
    )
    return where.geturl(), {PASSWORD: password}


def printable(url: str) -> str:
    """The address without its password and options; its scheme alone where that is not clear."""
    scheme = url.partition("://")[0]
    try:
        asked = conninfo_to_dict(url)
    except psycopg.Error:
        return f"{scheme}://…"
    user, host, port, database = (asked.get(n) for n in ("user", "host", "port", "dbname"))
    if any("@" in str(part) for part in (host, port, database)):  # of a password: it is %40 there
        return f"{scheme}://…"
    where = f"{host or ''}{f':{port}' if port else ''}{f'/{database}' if database else ''}"
    return f"{scheme}://{f'{user}@' if user else ''}{where}"
