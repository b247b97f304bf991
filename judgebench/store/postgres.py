"""A store on a PostgreSQL server, for those who share one.

Writers take turns as they do at a file: each write holds a lock of the store (an advisory lock of
its schema) until it is committed. So nothing that is read within a write changes before it is
committed, and no two writes wait for each other's rows.
"""

from __future__ import annotations

import math
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.string import BytesBinaryDumper
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite.dml import OnConflictClause

from judgebench.errors import (
    MAY_WAIT,
    ConfigError,
    StoreError,
    StoreFullError,
    StoreGoneError,
    at_most,
)
from judgebench.secret import Secret, masked
from judgebench.store.database import Database, Elements
from judgebench.store.schema import metadata

_T = TypeVar("_T")

# `database.insert` is SQLite's; PostgreSQL's may name a constraint, and is asked for it.
OnConflictClause.constraint_target = None  # type: ignore[attr-defined]

CONNECT_S = 10
"""How long one try to reach a server may take, where the address does not say."""

_TURN = (  # of the schema that the tables are in, which need not be the first of the path
    "hashtextextended(coalesce((SELECT relnamespace::regnamespace::text FROM pg_class"
    " WHERE oid = to_regclass('judgments')), quote_ident(current_schema())), 1784832872)"
)
# A plan that was made while tables were small, and is kept, would go through all of one by now.
_BEGIN = "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL jit = off"
_WAIT = (
    _BEGIN + "; SET LOCAL lock_timeout = '{}ms';"
    f" SELECT pg_advisory_xact_lock({_TURN}); SET LOCAL lock_timeout = 0"
)
_RECEIPT = (
    "INSERT INTO meta (name, value) VALUES (%(name)s, %(value)s)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
_FORGET_OLD = "DELETE FROM meta WHERE name LIKE 'commit of %%' AND value < %(long_ago)s"
_OLD_S = 30 * 86_400.0  # nobody asks any more what became of a commit

_PLACE = "current_database(), current_schema(), extract(epoch FROM pg_postmaster_start_time())"
_OURS = f"relname = ANY('{{{','.join(sorted(metadata.tables))}}}')"

TOLD = {
    # It is made of the receipts of writers and, since these go when a writer ends, of the rows that
    # were written as the server counts them by then; so it stands still while other databases are
    # written, or the index of a search. A standby counts nothing: there it is how far it has come.
    "mark": f"""
SELECT concat_ws(' ', {_PLACE},
         (SELECT md5(string_agg(name || value, ' ' ORDER BY name)) FROM meta),
         CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text
              ELSE (SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::text FROM pg_stat_user_tables
                     WHERE schemaname = current_schema() AND {_OURS}) END)
""",
    "size": f"""
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
 WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND {_OURS}
""",
    "may write": """
SELECT NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'
   AND has_table_privilege('judgments', 'INSERT')
""",
}
"""What a server is asked: what differs once anything was committed to the store, bytes of all its
tables, and whether this user may add judgments.
"""
_TABLES = """
SELECT to_regclass('alembic_version') IS NOT NULL AND to_regclass('judgments') IS NOT NULL,
       (SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v')
           AND relnamespace = current_schema()::regnamespace)
"""


class _AsItIs(BytesBinaryDumper):
    oid = 0  # the statement says what it is


psycopg.adapters.register_dumper(Elements, _AsItIs)


class Postgres(Database):
    """A connection to the server, which is made again whenever it is lost."""

    dialect = "postgresql+psycopg"
    pause_s = 0.25
    tables = _TABLES
    anew = "VACUUM (FULL, ANALYZE)"  # each table is held from readers too meanwhile

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._asked = conninfo(url)
        self.name, self.read_only = printable(url), read_only
        self._open()
        self._reads = f"BEGIN ISOLATION LEVEL REPEATABLE READ{' READ ONLY' * read_only}"

    def _connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(**self._asked, autocommit=True)

    def _reach(self) -> Connection:
        if self._raw.closed:
            self._connection.invalidate()
            self._raw = self._connection.connection.dbapi_connection
        return self._connection

    def told(self, what: str) -> Any:
        """See `TOLD`."""
        return self.row(TOLD[what])[0]

    def place(self) -> object:
        """A server is known by the moment at which it was started."""
        return self.row(f"SELECT {_PLACE}")

    def _size(self) -> int:
        return int(self.told("size"))

    def close(self) -> None:
        if self._commits:
            with suppress(*self.errors):  # a later one takes it away
                self._raw.execute("DELETE FROM meta WHERE name = %s", (self._receipts,))
        super().close()

    # transactions -------------------------------------------------------------------------------

    def look(self, read: Callable[[Connection], _T]) -> _T:
        """A server that goes meanwhile is asked again once it is back."""
        if self.in_write:
            return super().look(read)
        with self._in_words():
            return self._patiently(lambda: read(self._reach()))

    def _begin(self, statement: str) -> None:
        self._reach()
        try:
            self._raw.execute(statement)
        except psycopg.errors.LockNotAvailable:
            self._raw.rollback()
            raise

    @contextmanager
    def _turn(self, *, begins: bool = False, in_turn: bool = True) -> Iterator[None]:
        """The server tells who waits for a turn to try again, so that it may be said or ended."""
        if begins:  # the turn is part of the transaction
            begin = _WAIT.format(250 if MAY_WAIT.get() else 1)
            self._patiently(partial(self._begin, begin if in_turn else "BEGIN"))
        yield

    def _awaited(self, error: Exception) -> tuple[str, str] | None:
        state = self._state(error)
        if state == "55P03":
            why = f"the store {self.name} is held by another process, which is writing to it"
            return why, "its lock on the server"
        gone = f"the server of the store {self.name} does not answer"
        return (gone, "the connection") if state.endswith(_GONE) else None

    def _commit(self) -> None:
        """A server that goes while it commits is asked, once it is back, whether it has.

        Part of each commit is a receipt, the number of our last one. A transaction's own number
        would not do: a server that crashed may have given it to another one since.
        """
        if not self._commits:
            self._receipts = f"commit of {uuid.uuid4().hex}"
            self._raw.execute(_FORGET_OLD, {"long_ago": f"{time.time() - _OLD_S:.0f}"})
        receipt = f"{time.time():.0f} {self._commits + 1}"
        self._raw.execute(_RECEIPT, {"name": self._receipts, "value": receipt})
        try:
            self._raw.commit()
        except self.errors as error:
            if not self._awaited(error) or self._last_receipt() != receipt:
                raise
        self._commits += 1

    def _last_receipt(self) -> str | None:
        """Once it is our turn again: what the server was still doing for us has ended by then."""
        with at_most(math.inf), closing(self.another()) as other, other._turn(begins=True):
            found = other.row("SELECT value FROM meta WHERE name = %s", self._receipts)
        return None if found is None else str(found[0])

    # errors -------------------------------------------------------------------------------------

    def _state(self, error: Exception) -> str:
        """The SQLSTATE of an error, as far as it is known, or what says that the server is gone."""
        original = getattr(error, "orig", error)
        state = getattr(original, "sqlstate", None) or ""
        if not state and isinstance(original, psycopg.OperationalError):
            told = (known for said, known in _UNTOLD if re.search(said, str(original)))
            state = next(told, _GONE)
        lost = state.startswith(_AWAY) or getattr(self._raw, "closed", False)
        if isinstance(error, StoreGoneError) or (lost and isinstance(error, self.errors)):
            return state + _GONE
        return state

    def explained(self, error: Exception) -> StoreError:
        original = str(getattr(error, "orig", error)).strip()
        said = f"PostgreSQL says: {masked(original.partition(chr(10))[0])}"
        state = self._state(error)
        kind, meaning = next(
            (kind, meaning) for states, kind, meaning in _MEANINGS if re.match(states, state)
        )
        return kind(meaning.format(name=self.name, said=said))


_GONE = " gone"
_AWAY = ("08", "57P", "53300")
"""SQLSTATEs of a server that went, starts, or has no connection to spare."""

_MEANINGS: tuple[tuple[str, Callable[[str], StoreError], str], ...] = (
    (
        "53[12]00",
        partial(StoreFullError, again=True),
        "the store {name} failed: the server's disk is full; make room and run again ({said}); what"
        " was committed before is kept",
    ),
    (
        "28",
        StoreError,
        "the store {name} refuses this user or password: PGPASSWORD, ~/.pgpass or ${{NAME}} in the"
        " address give it ({said})",
    ),
    ("3D000", StoreError, "the store {name} is not there: `createdb` makes a database ({said})"),
    (
        "42501",
        StoreError,
        "the store {name} does not let this user do so; docs/sharing.md has the rights that each"
        " needs ({said})",
    ),
    (
        "3F",
        StoreError,
        "the store {name} has no schema for its tables: see the search_path of the address or of"
        " this user ({said})",
    ),
    (
        "25006",
        StoreError,
        "the store {name} is read-only; give another one with --store, or a server that may be"
        " written ({said})",
    ),
    (
        "53300",
        StoreError,
        "the store {name} has no connection to spare; end another program, or raise max_connections"
        " ({said})",
    ),
    (
        f".*{_GONE}",
        StoreGoneError,
        "the server of the store {name} cannot be reached: see that the address is right and that"
        " it runs ({said}); what was committed before is kept",
    ),
    ("", StoreError, "the store {name} failed; {said}"),
)
"""What SQLSTATEs mean, by how they begin."""

_UNTOLD = (
    (r"password|pg_hba\.conf|authentication|role .* (does not exist|is not permitted)", "28000"),
    (r"database .* does not exist", "3D000"),
    (r"too many|connection slots", "53300"),
)
"""SQLSTATEs of what a server says to who cannot connect: the driver hands on the words alone."""


_NAMED = re.compile(r"\$\{(\w+)\}")


def conninfo(url: str) -> dict[str, Any]:
    """What libpq is asked for: the address with ``${NAME}`` filled in, and our defaults.

    Raises
    ------
    ConfigError
        For what is no address of a server, or names a variable that is not set.
    """
    filled = url
    for name in _NAMED.findall(url):
        if name not in os.environ:
            raise ConfigError(
                f"the store {printable(url)}: ${{{name}}} in its address is not set; export it"
            )
        value = Secret(os.environ[name], variable=name).reveal()
        filled = filled.replace(f"${{{name}}}", quote(value, safe=""))
    try:
        asked: dict[str, Any] = conninfo_to_dict(filled)
    except psycopg.Error:
        raise ConfigError(
            f"the store {printable(url)}: no address of a PostgreSQL database; it is written"
            " postgresql://USER@HOST/DATABASE"
        ) from None
    if password := asked.get("password"):
        Secret(str(password))
    return {"connect_timeout": CONNECT_S, "application_name": "judgebench", **asked}


def identity(url: str) -> str:
    """All that an address says of where its database is, and of who asks, but no password."""
    return make_conninfo(**{**conninfo(url), "password": None})


PASSWORD = "JUDGEBENCH_STORE_PASSWORD"
"""The variable by which a program that we start is told a password: others see its arguments."""


def without_password(url: str) -> tuple[str, dict[str, str]]:
    """An address that names a variable in place of its password, and that variable if it does."""
    asked: dict[str, Any] = conninfo_to_dict(url)
    password = asked.get("password") or "${"
    if password.startswith("${"):
        return url, {}
    rest = urlencode(asked | {"password": f"${{{PASSWORD}}}"}, quote_via=quote, safe="${}")
    return f"{url.partition('://')[0]}://?{rest}", {PASSWORD: password}


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
