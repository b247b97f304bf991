"""Where a store is, and opening it: is there one, is it ours, is its schema the newest.

Alembic costs a third of a second to import and is needed only where an older store must change.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, text

from judgebench.errors import ConfigError, StoreError
from judgebench.extras import install_line
from judgebench.store import schema, sqlite
from judgebench.store.database import insert, no_store
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

SERVERS = ("postgresql://", "postgres://")

_NO_FILE = (
    (
        re.compile(r"(?P<scheme>[A-Za-z0-9+]+):(?!//)"),
        "a store's URL is written sqlite:///results/judgebench.db, and this one begins with"
        " {scheme}: and no three slashes; a file of such a name is written with ./ before it",
    ),
    (
        re.compile(r"postgres(ql)?://"),
        "this needs a store in a file, and the one that is given is on a server",
    ),
    (
        re.compile(r"(?!sqlite://)(?P<scheme>[A-Za-z0-9][A-Za-z0-9+.-]*)://"),
        "a store cannot be kept at a {scheme}:// URL; give a file, as"
        " sqlite:///results/judgebench.db, or a server, as postgresql://user@host/database",
    ),
    (
        re.compile(r"sqlite://(?!/)"),
        "{url!r} names no file: after sqlite: come three slashes and a path (four slashes for an"
        " absolute one)",
    ),
    (
        re.compile(r"sqlite:[^?]*\?(?!(synchronous=(full|normal))?$)"),
        "{url!r}: the one option of a store in a file is ?synchronous=full, for what survives a"
        " power cut; leave out the rest behind '?'",
    ),
    (
        re.compile(
            r"sqlite:///(:memory:)?(\?.*)?$|(:memory:)?(\?synchronous=\w+)?$|.*\0", re.DOTALL
        ),
        "{url!r} names no file; give one, as sqlite:///results/judgebench.db",
    ),
)
"""Addresses of no file, and what is said of them: never more than the scheme of what may hold a
password.
"""


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
        return self._told(lambda server: server.revision()) is not None

    def mark(self) -> str:
        """A string that differs whenever anything was committed to the store.

        Of a file it is made of size and time of it and its log, so that asking costs microseconds
        whatever the store holds; an empty log is no log, since readers make one. Of a server see
        `postgres.TOLD`. Raises `StoreError` where a server cannot be asked.
        """
        if self.path is None:
            return str(self._told(lambda server: server.told("mark")))
        return " ".join(map(_seen, (self.path, self.path.with_name(self.path.name + "-wal"))))

    def size(self) -> int:
        """In bytes, of the file or of all tables; 0 where there is none or it cannot be seen."""
        try:
            if self.path is None:
                return int(self._told(lambda server: server.told("size")))
            return self.path.stat().st_size
        except (OSError, StoreError):
            return 0

    def is_locked(self) -> bool:
        """Whether another program has a file for itself alone; nobody can have a server so."""
        return self.path is not None and sqlite.is_locked(self.path)

    def why_read_only(self) -> str:
        """Why nothing can be written there from here; empty where it can be."""
        try:
            if self.path is not None:
                sqlite.refuse_unwritable(self.path)
            elif not self._told(lambda server: server.told("may write")):
                return f"the user of {self.name} may only read it"
        except StoreError as error:
            return str(error)
        return ""

    def _told(self, ask: Callable[[Postgres], Any]) -> Any:
        from judgebench.store.postgres import Postgres

        with closing(Postgres(self.url, read_only=True)) as server:
            return ask(server)


def _seen(file: Path) -> str:
    try:
        seen = file.stat()
    except OSError:  # a log goes when its last user goes; why else, whoever opens it says
        return ""
    return f"{seen.st_size}:{seen.st_mtime_ns}" if seen.st_size else ""


def located(url: str, *, in_a_file: bool = False) -> Location:
    """Raises `ConfigError` for what names no file, nor a database on a server where it may."""
    if url.startswith(SERVERS) and not in_a_file:
        try:
            from judgebench.store.postgres import conninfo, printable
        except ImportError as error:
            raise ConfigError(
                f"a store on a PostgreSQL server needs psycopg: {install_line('psycopg')}"
            ) from error
        conninfo(url)
        return Location(url, printable(url), None)
    for pattern, said in _NO_FILE:
        if found := pattern.match(url):
            raise ConfigError(said.format(url=url, **found.groupdict()))
    path = url.removesuffix("?synchronous=full")
    if url.startswith("sqlite:"):
        path = url.removeprefix("sqlite:///").partition("?")[0]
    where = Path(path).expanduser()
    return Location(url, str(where), where)


def open_store(url: str, *, read_only: bool = False, create: bool = True) -> Store:
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

    Raises
    ------
    ConfigError
        For a URL that names no store.
    StoreError
        For a file or database that is no store, or a newer one, or in a place where none can be
        kept; `StoreGoneError` where a server cannot be reached.
    """
    from judgebench.store.store import Store

    return Store(url, open_database(url, read_only=read_only, create=create))


def open_database(
    url: str, *, read_only: bool = False, create: bool = True, unfinished: bool = False
) -> Database:
    """What `open_store` opens; ``unfinished`` lets a copy be opened that is not whole yet."""
    where = located(url)
    create = create and not read_only
    if where.path is None:
        from judgebench.store.postgres import Postgres

        database: Database = Postgres(url, read_only=read_only)
    else:
        sqlite.prepare(where.path, read_only=read_only, create=create)
        full = url.endswith("?synchronous=full")
        database = sqlite.SQLite(where.path, read_only=read_only, synchronous_full=full)
    try:
        found = _revision(database, where, create)
        if read_only and found in READABLE:
            _stand_in(database)
        elif read_only and found != REVISION:
            unmade = "was not finished being made"
            state = unmade if found is None else f"has the older schema {found}"
            raise StoreError(
                f"the store {database.name} {state} and is opened for reading only; open it once"
                " for writing, as `judgebench run` and `judgebench import` do"
            )
        elif found != REVISION:  # the tables of a new store, or of an older one, in one transaction
            with database.writing() as connection:
                there = _revision(database, where, create)  # another process may have been quicker
                if there != REVISION:
                    make(connection, older=there)
        if not unfinished:
            _make_ready(database)
    except BaseException:
        database.close()
        raise
    return database


def marks(connection: Connection) -> dict[str, str]:
    """What a store says of itself: an unfinished copy, texts left out, boards packed."""
    return {row.name: row.value for row in connection.execute(select(schema.meta))}


def mark_as(connection: Connection, name: str, value: str = "1") -> None:
    """Say so of a store, unless it is said already."""
    put = insert(schema.meta).on_conflict_do_nothing()
    connection.execute(put, {"name": name, "value": value})


def _make_ready(database: Database) -> None:
    """Refuse what is no store of its own, and pack what boards read where it is not yet.

    An older store is not packed, nor one that was filled by other means; whoever only reads does
    without.
    """
    with database.reading() as connection:
        said = marks(connection)
    if schema.UNFINISHED in said:
        raise StoreError(
            f"the store {database.name} is an unfinished copy, of which no number is to be trusted;"
            " run the same `judgebench store copy` again, which goes on where it stopped"
        )
    database.store_id = said.get(schema.STORE_ID)
    if database.read_only:
        return
    if schema.REDACTED in said:
        raise StoreError(
            f"the store {database.name} is a copy without its texts (--redact), which can be read"
            " and not be judged; give the store that it was made of with --store"
        )
    if schema.PACKED not in said:
        from judgebench.store.columns import pack  # numpy

        pack(database)


# the schema ---------------------------------------------------------------------------------------


def _revision(database: Database, where: Location, create: bool) -> str | None:
    found = database.revision()
    if found is None and not create and not (database.read_only and where.path):
        raise no_store(f"there is no store in {database.name}")
    if found not in (None, REVISION, *OLDER):
        raise StoreError(
            f"the store {database.name} was written by a newer judgebench (its schema is {found},"
            f" this version knows {REVISION}); upgrade judgebench-harness, or give another path"
            " with --store"
        )
    return found


def _stand_in(database: Database) -> None:
    """Let this connection, and no other, see tables as they are now: nothing is written.

    What stands for a table that has grown since has the new columns at their defaults. A column
    that the table has by now comes first, so that a writer may bring it up to date meanwhile.
    """
    with database.reading() as connection:
        for table, is_there, lacking in schema.lacking(connection):
            columns = ", ".join(
                f"{getattr(column.server_default, 'arg', 'NULL')} AS {column.name}"
                for column in lacking
            )
            rest = f"*, {columns} FROM main.{table.name}" if is_there else f"{columns} WHERE FALSE"
            connection.execute(text(f"CREATE TEMP VIEW {table.name} AS SELECT {rest}"))


def make(connection: Connection, older: str | None = None) -> None:
    """All tables and views as they are now, of nothing or of those of an older store."""
    if older is not None:
        _upgrade(connection)
    else:
        schema.metadata.create_all(connection, checkfirst=False)
        if connection.dialect.name != "sqlite":
            # It cannot be made smaller, and is read in one piece.
            connection.execute(text("ALTER TABLE chunks ALTER blob SET STORAGE EXTERNAL"))
        mark_as(connection, schema.PACKED)
        connection.execute(
            text(
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
                " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )
        )
        connection.execute(text("INSERT INTO alembic_version VALUES (:now)"), {"now": REVISION})
    for view in schema.VIEWS.values():
        connection.execute(text(view))
    mark_as(connection, schema.STORE_ID, uuid.uuid4().hex)  # whose journal is taken in


def _upgrade(connection: Connection) -> None:
    """Over the connection, and inside the transaction, that it is given."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    for view in reversed(schema.VIEWS):  # SQLite renames no table that a view speaks of
        connection.execute(text(f"DROP VIEW IF EXISTS {view}"))
    connection.execute(text("DELETE FROM alembic_version"))  # one migration brings all of them here
    config = Config()
    # A '%' in the path would be read as an interpolation.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    with EnvironmentContext(
        config, scripts, fn=lambda revision, _: scripts._upgrade_revs("head", revision)
    ) as migrations:
        migrations.configure(
            connection=connection,
            target_metadata=schema.metadata,
            render_as_batch=True,  # SQLite changes a column by copying the table
            transactional_ddl=True,
        )
        migrations.run_migrations()
