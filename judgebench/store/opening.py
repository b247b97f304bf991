"""Where a store is, and opening it: is there one, is it ours, is its schema the newest.

Alembic costs a third of a second to import and is needed only where an older store must change.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.schema import CreateIndex, CreateTable

from judgebench.errors import ConfigError, StoreError
from judgebench.store import schema
from judgebench.store.database import insert
from judgebench.store.schema import REVISION

if TYPE_CHECKING:
    from judgebench.store.database import Database
    from judgebench.store.postgres import Postgres
    from judgebench.store.store import Store

MIGRATIONS = Path(__file__).with_name("migrations")

OLDER: frozenset[str] = frozenset({"0001", "0002", "0003", "0004", "0005", "0006"})
"""Revisions before `REVISION` that stores in the field may have."""

READABLE: frozenset[str] = OLDER - {"0001"}
"""Those that are read without being changed."""

SERVERS = ("postgresql", "postgres")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z0-9][A-Za-z0-9+.-]*)://")
_ALMOST = re.compile(r"(?P<scheme>[A-Za-z0-9+]+):")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a store is: in a file, or on a server.

    name
        The address as messages show it, without a password.
    path
        The file; None on a server.
    """

    url: str = field(repr=False)  # there may be a password in it
    name: str
    path: Path | None

    @property
    def identity(self) -> str:
        """What tells this place from every other one; no password is in it. Not to be shown."""
        if self.path is not None:
            return str(self.path.resolve())
        from judgebench.store.postgres import identity

        return identity(self.url)

    def exists(self) -> bool:
        """Whether there is one. Raises `StoreError` where a server cannot be asked."""
        if self.path is not None:
            return self.path.exists()
        with self._server() as server:
            return server.revision() is not None

    def mark(self) -> str:
        """A string that differs whenever anything was committed to the store.

        Of a file it is made of size and time of it and its log, so that asking costs microseconds
        whatever the store holds; an empty log is no log, since readers make one. Of a server see
        `Postgres.mark`. Raises `StoreError` where a server cannot be asked.
        """
        if self.path is not None:
            return " ".join(_seen(file) for file in _files(self.path))
        with self._server() as server:
            return server.mark()

    def written(self) -> float | None:
        """When something was last committed to a file; of a server nobody knows."""
        if self.path is None:
            return None
        marks = [_seen(file).partition(":")[2] for file in _files(self.path)]
        return max((int(mark) / 1e9 for mark in marks if mark), default=0.0)

    def size(self) -> int:
        """In bytes, of the file or of all tables; 0 where there is none or it cannot be seen."""
        try:
            if self.path is not None:
                return self.path.stat().st_size
            with self._server() as server:
                return server.size()
        except (OSError, StoreError):
            return 0

    def why_read_only(self) -> str:
        """Why nothing can be written there from here; empty where it can be."""
        if self.path is not None:
            return _why_read_only(self.path)
        try:
            with self._server() as server:
                may = server.may_write()
        except StoreError as error:
            return str(error)
        return "" if may else f"the user of {self.name} may only read it"

    @contextmanager
    def _server(self) -> Iterator[Postgres]:
        from judgebench.store.postgres import Postgres

        with closing(Postgres(self.url, read_only=True)) as server:
            yield server


def _files(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(path.name + "-wal")


def _seen(file: Path) -> str:
    try:
        seen = file.stat()
    except OSError:  # a log goes when its last user goes; why else, whoever opens it says
        return ""
    return f"{seen.st_size}:{seen.st_mtime_ns}" if seen.st_size else ""


def _why_read_only(path: Path) -> str:
    nearest = next((one for one in (path, *path.absolute().parents) if one.exists()), Path("/"))
    if not os.access(nearest, os.W_OK):
        return f"{nearest} cannot be written"
    if path.exists() and not os.access(path.absolute().parent, os.W_OK):
        return f"{path.absolute().parent} cannot be written, where the store's log has to lie"
    return ""


def located(url: str) -> Location:
    """Raises `ConfigError` for what names neither a file nor a database on a server."""
    match = _SCHEME.match(url)
    if match is None or match["scheme"] not in SERVERS:
        path = store_path(url)
        return Location(url, str(path), path)
    try:
        from judgebench.store.postgres import conninfo, printable
    except ImportError as error:
        raise ConfigError(
            "a store on a PostgreSQL server needs psycopg: pip install"
            " 'judgebench-harness[postgres]'"
        ) from error
    conninfo(url)
    return Location(url, printable(url), None)


def store_path(url: str) -> Path:
    """The file that a URL or a bare path names.

    Raises
    ------
    ConfigError
        For a URL of anything but an SQLite file. The message names its scheme only, since a
        database URL may hold a password.
    """
    match = _SCHEME.match(url)
    if match is None and (almost := _ALMOST.match(url)):
        raise ConfigError(
            f"a store's URL is written sqlite:///results/judgebench.db, and this one begins with"
            f" {almost['scheme']}: and no three slashes; a file of such a name is written with ./"
            " before it"
        )
    if match is None:
        path = url.removesuffix("?synchronous=full")
    elif match["scheme"] in SERVERS:
        raise ConfigError("this needs a store in a file, and the one that is given is on a server")
    elif match["scheme"] != "sqlite":
        raise ConfigError(
            f"a store cannot be kept at a {match['scheme']}:// URL; give a file, as"
            " sqlite:///results/judgebench.db, or a server, as postgresql://user@host/database"
        )
    elif not url.startswith("sqlite:///"):
        raise ConfigError(
            f"{url!r} names no file: after sqlite: come three slashes and a path"
            " (four slashes for an absolute one)"
        )
    else:
        path, _, option = url.removeprefix("sqlite:///").partition("?")
        if option not in ("", "synchronous=full", "synchronous=normal"):
            raise ConfigError(
                f"{url!r}: the one option of a store in a file is ?synchronous=full, for what"
                " survives a power cut; leave out the rest behind '?'"
            )
    if path in ("", ":memory:") or "\0" in path:
        raise ConfigError(f"{url!r} names no file; give one, as sqlite:///results/judgebench.db")
    return Path(path).expanduser()


def open_store(
    url: str, *, read_only: bool = False, create: bool = True, wait_s: float | None = None
) -> Store:
    """Open a store, and make it where there is none yet.

    Parameters
    ----------
    url
        ``sqlite:///relative/path.db``, ``sqlite:////absolute/path.db``, or a bare path, with
        ``?synchronous=full`` behind it where a power cut may lose nothing; or
        ``postgresql://user@host/database``, whose password libpq finds (``PGPASSWORD``,
        ``~/.pgpass``), or ``${NAME}`` in the address gives.
    read_only
        Open without ever writing; the store must be there.
    create
        Whether to make a store that is not there.
    wait_s
        How long a write waits while others write; for as long as it takes if None, which is said.

    Raises
    ------
    ConfigError
        For a URL that names no store.
    StoreError
        For a file or database that is no store, or a newer one, or in a place where none can be
        kept; `StoreGoneError` where a server cannot be reached.
    """
    from judgebench.store.store import Store

    database = open_database(url, read_only=read_only, create=create, wait_s=wait_s)
    store = Store(url, database)
    if not read_only:
        store.take_in_journals()
    return store


def open_database(
    url: str,
    *,
    read_only: bool = False,
    create: bool = True,
    wait_s: float | None = None,
    unfinished: bool = False,
) -> Database:
    """What `open_store` opens; ``unfinished`` lets a copy be opened that is not whole yet."""
    where = located(url)
    create = create and not read_only
    if where.path is None:
        from judgebench.store.postgres import Postgres

        database: Database = Postgres(url, read_only=read_only, wait_s=wait_s)
    else:
        database = _file(url, where.path, read_only, create, wait_s)
    try:
        _bring_up_to_date(database, create)
        if not unfinished:
            _refuse_marked(database)
    except BaseException:
        database.close()
        raise
    return database


def _file(url: str, path: Path, read_only: bool, create: bool, wait_s: float | None) -> Database:
    from judgebench.store import sqlite

    sqlite.refuse_network_file_systems(path)
    if not sqlite.refuse_foreign_file(path) and not create:
        empty, nothing = f"the file {path} is empty", f"there is no store at {path}"
        raise _no_store(empty if path.exists() else nothing)
    if not read_only:
        sqlite.refuse_unwritable(path)
    full = url.endswith("?synchronous=full")
    return sqlite.SQLite(path, read_only=read_only, wait_s=wait_s, synchronous_full=full)


def _no_store(found: str) -> StoreError:
    return StoreError(
        f"{found}; `judgebench run` and `judgebench import` make one there (--store or"
        " JUDGEBENCH_STORE say where)"
    )


def marks(connection: Connection) -> dict[str, str]:
    """What a store says of itself: an unfinished copy, texts left out, boards packed."""
    its = schema.meta.c
    named = (schema.UNFINISHED, schema.REDACTED, schema.PACKED)
    query = select(its.name, its.value).where(its.name.in_(named))
    return {row.name: row.value for row in connection.execute(query)}


def _refuse_marked(database: Database) -> None:
    with database.reading() as connection:
        said = marks(connection)
    if schema.UNFINISHED in said:
        raise StoreError(
            f"the store {database.name} is an unfinished copy, of which no number is to be trusted;"
            " run the same `judgebench store copy` again, which goes on where it stopped"
        )
    if schema.REDACTED in said and not database.read_only:
        raise StoreError(
            f"the store {database.name} is a copy without its texts (--redact), which can be read"
            " and not be judged; give the store that it was made of with --store"
        )


# the schema ---------------------------------------------------------------------------------------


def _bring_up_to_date(database: Database, create: bool) -> None:
    """Create the tables of a new store, or migrate an older one, in one transaction.

    Raises
    ------
    StoreError
        For a store that a newer judgebench wrote, and for an unfinished one, or one older than
        those that can be read as they are, that was opened for reading only.
    """
    found = database.revision()
    if found == REVISION:
        _pack(database)
        return
    if found is not None and found not in OLDER:
        raise StoreError(
            f"the store {database.name} was written by a newer judgebench (its schema is {found},"
            f" this version knows {REVISION}); upgrade judgebench-harness, or give another path"
            " with --store"
        )
    if database.read_only and found in READABLE:
        _stand_in(database)
        return
    if database.read_only and found is None and database.on_server:
        raise _no_store(f"there is no store in {database.name}")
    if database.read_only:
        state = "was not finished being made" if found is None else f"has the older schema {found}"
        raise StoreError(
            f"the store {database.name} {state} and is opened for reading only; open it once for"
            " writing, as `judgebench run` and `judgebench import` do"
        )
    with database.writing() as connection:
        there = database.revision()  # another process may have been quicker
        if there is None:
            if not create:
                raise _no_store(f"there is no store in {database.name}")
            make(connection)
        elif there != REVISION:
            _upgrade(connection, there)
    _pack(database)


def _pack(database: Database) -> None:
    """What boards read, packed once where it is not yet; whoever only reads does without.

    An older store is not, nor one that was filled by other means.
    """
    if database.read_only:
        return
    known = select(schema.meta.c.value).where(schema.meta.c.name == schema.PACKED)
    with database.reading() as connection:
        if connection.execute(known).scalar() is not None:
            return
    from judgebench.store import columns  # numpy

    with database.writing() as connection:
        if not columns.is_packed(connection):
            columns.rebuild(connection)


def _stand_in(database: Database) -> None:
    """Let this connection, and no other, see tables as they are now: nothing is written.

    What stands for a table that has grown since has the new columns at their defaults. A column
    that the table has by now comes first, so that a writer may bring it up to date meanwhile.
    """
    with database.reading() as connection:
        known = inspect(connection)
        tables = set(known.get_table_names())
        for table in schema.metadata.sorted_tables:
            there = (
                {column["name"] for column in known.get_columns(table.name)}
                if (table.name in tables)
                else set()
            )
            lacking = [
                f"{getattr(column.server_default, 'arg', 'NULL')} AS {column.name}"
                for column in table.c
                if column.name not in there
            ]
            if lacking:
                rest = (
                    f"*, {', '.join(lacking)} FROM main.{table.name}"
                    if there
                    else (f"{', '.join(lacking)} WHERE FALSE")
                )
                connection.execute(text(f"CREATE TEMP VIEW {table.name} AS SELECT {rest}"))


def make(connection: Connection) -> None:
    """All tables and views, at the newest revision.

    A server would look each reference of a row up when that row comes, and each row that refers to
    one that goes: there they are checked together instead (`database.hanging_references`).
    """
    on_server = connection.dialect.name != "sqlite"
    for table in schema.metadata.sorted_tables:
        connection.execute(
            CreateTable(table, include_foreign_key_constraints=[] if on_server else None)
        )
        for index in table.indexes:
            connection.execute(CreateIndex(index))
    if on_server:  # it cannot be made smaller, and is read in one piece
        connection.execute(text("ALTER TABLE chunks ALTER blob SET STORAGE EXTERNAL"))
    connection.execute(schema.meta.insert(), {"name": schema.PACKED, "value": "1"})
    for view in schema.VIEWS.values():
        connection.execute(text(view))
    connection.execute(
        text(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
            " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(text("INSERT INTO alembic_version VALUES (:now)"), {"now": REVISION})
    _name(connection)


def _name(connection: Connection) -> None:
    """What tells this store from others: a journal of another one is not taken in."""
    named = insert(schema.meta).on_conflict_do_nothing()
    connection.execute(named, {"name": schema.STORE_ID, "value": uuid.uuid4().hex})


def store_id(store: Store) -> str | None:
    """What tells a store from every other one; None for one that is older than its name."""
    with store.snapshot() as connection:
        its = schema.meta.c
        found: str | None = connection.scalar(select(its.value).where(its.name == schema.STORE_ID))
    return found


def _upgrade(connection: Connection, older: str) -> None:
    from alembic import command
    from alembic.config import Config

    for view in reversed(schema.VIEWS):  # SQLite renames no table that a view speaks of
        connection.execute(text(f"DROP VIEW IF EXISTS {view}"))
    if older in OLDER:  # one migration brings all of them here
        connection.execute(text("DELETE FROM alembic_version"))
    config = Config(attributes={"connection": connection})
    # A '%' in the path would be read as an interpolation.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
    for view in schema.VIEWS.values():
        connection.execute(text(view))
    _name(connection)
