"""The store of everything asked, answered and judged: where one is, opening it, and what it does.

Is there one, is it ours, is its schema the newest: Alembic costs a third of a second to import and
is needed only where an older store must change.
"""

from __future__ import annotations

import os
import re
import sys
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, select, text

from judgebench.errors import ConfigError, StoreBusyError, StoreError, StoreGoneError
from judgebench.extras import install_line
from judgebench.plain_text import counted
from judgebench.protocols import MAY_WAIT, Paid
from judgebench.records import Item
from judgebench.secret import secrets_of
from judgebench.store import schema, sqlite
from judgebench.store.claims import Claims
from judgebench.store.database import Database, insert
from judgebench.store.read import Reading
from judgebench.store.schema import PLACE, REVISION
from judgebench.store.write import Numbers, Writing, check_items
from judgebench.store.writer import Entry, Journal, Writer

if TYPE_CHECKING:
    from alembic.operations import Operations

    from judgebench.columns import Column
    from judgebench.store.copy import Forgotten
    from judgebench.store.postgres import Postgres

_T = TypeVar("_T")
_P = ParamSpec("_P")

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


def located(url: str) -> Location:
    """Raises `ConfigError` for what names neither a file nor a database on a server."""
    if not url.startswith(SERVERS):
        path = store_path(url)
        return Location(url, str(path), path)
    try:
        from judgebench.store.postgres import conninfo, printable
    except ImportError as error:
        raise ConfigError(
            f"a store on a PostgreSQL server needs psycopg: {install_line('psycopg')}"
        ) from error
    conninfo(url)
    return Location(url, printable(url), None)


def store_path(url: str) -> Path:
    """The file that a URL or a bare path names. Raises `ConfigError` for any other URL."""
    for pattern, said in _NO_FILE:
        if found := pattern.match(url):
            raise ConfigError(said.format(url=url, **found.groupdict()))
    if url.startswith("sqlite:"):
        url = url.removeprefix("sqlite:///").partition("?")[0]
    return Path(url.removesuffix("?synchronous=full")).expanduser()


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
    store = Store(url, open_database(url, read_only=read_only, create=create))
    if not read_only:
        store.take_in_journals()
    return store


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
        _prepare(where.path, read_only, create)
        full = url.endswith("?synchronous=full")
        database = sqlite.SQLite(where.path, read_only=read_only, synchronous_full=full)
    try:
        _bring_up_to_date(database, where, create)
        if not unfinished:
            _make_ready(database)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(path: Path, read_only: bool, create: bool) -> None:
    sqlite.refuse_network_file_systems(path)
    if not sqlite.refuse_foreign_file(path) and not create:
        there = f"the file {path} is empty" if path.exists() else f"there is no store at {path}"
        raise _no_store(there)
    if not read_only:
        sqlite.refuse_unwritable(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the store's folder {path.parent} cannot be made: {error.strerror}; give another"
                " path with --store"
            ) from error


def _no_store(found: str) -> StoreError:
    return StoreError(
        f"{found}; `judgebench run` and `judgebench import` make one there (--store or"
        " JUDGEBENCH_STORE say where)"
    )


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


def _bring_up_to_date(database: Database, where: Location, create: bool) -> None:
    """Create the tables of a new store, or migrate an older one, in one transaction.

    Raises
    ------
    StoreError
        For a store that a newer judgebench wrote, and for an unfinished one, or one older than
        those that can be read as they are, that was opened for reading only.
    """
    found = _revision(database, where, create)
    if database.read_only and found in READABLE:
        _stand_in(database)
    elif database.read_only and found != REVISION:
        state = "was not finished being made" if found is None else f"has the older schema {found}"
        raise StoreError(
            f"the store {database.name} {state} and is opened for reading only; open it once for"
            " writing, as `judgebench run` and `judgebench import` do"
        )
    elif found != REVISION:
        with database.writing() as connection:
            there = _revision(database, where, create)  # another process may have been quicker
            if there != REVISION:
                make(connection, older=there)


def _revision(database: Database, where: Location, create: bool) -> str | None:
    found = database.revision()
    if found is None and not create and not (database.read_only and where.path):
        raise _no_store(f"there is no store in {database.name}")
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
    if older is None:
        _create(connection)
    else:
        for view in reversed(schema.VIEWS):  # SQLite renames no table that a view speaks of
            connection.execute(text(f"DROP VIEW IF EXISTS {view}"))
        _upgrade(connection)
        connection.execute(text("DELETE FROM alembic_version"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:now)"), {"now": REVISION})
    for view in schema.VIEWS.values():
        connection.execute(text(view))
    mark_as(connection, schema.STORE_ID, uuid.uuid4().hex)  # whose journal is taken in


def _create(connection: Connection) -> None:
    schema.metadata.create_all(connection, checkfirst=False)
    if connection.dialect.name != "sqlite":  # it cannot be made smaller, and is read in one piece
        connection.execute(text("ALTER TABLE chunks ALTER blob SET STORAGE EXTERNAL"))
    mark_as(connection, schema.PACKED)
    connection.execute(
        text(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
            " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )


def _upgrade(connection: Connection) -> None:
    """From any store of the first release: all that has come since, and what both engines need.

    What a table or column of today's schema lacks is added, so this stays true of later schemas.
    """
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    op = Operations(MigrationContext.configure(connection))
    if "repeat" not in {column["name"] for column in sa.inspect(connection).get_columns("uses")}:
        _repeats(op)
    op.execute("DROP TABLE IF EXISTS leases")  # of those who are at work, and none is: claims now
    schema.metadata.create_all(connection)
    for table, _, columns in schema.lacking(connection):
        for column in columns:
            default = getattr(column.server_default, "arg", None)
            new = sa.Column(
                column.name, column.type, nullable=column.nullable, server_default=default
            )
            op.add_column(table.name, new)
    # What an older judgebench still writes that has the store open would be on no board: it fails.
    op.execute(
        "CREATE TRIGGER uses_as_of_0007 BEFORE INSERT ON uses BEGIN SELECT judgebench_0007(); END"
    )


def _repeats(op: Operations) -> None:
    """All that was asked before was asked once; all that failed before did so unexplained."""
    keys = {"uses": (*PLACE, "run_id", "judgment_id"), "failures": ("key", *PLACE)}
    for table, key in keys.items():
        with op.batch_alter_table(  # SQLite changes a column by copying the table
            table, recreate="always", table_kwargs={"sqlite_with_rowid": False}
        ) as batch:
            repeat = sa.Column("repeat", sa.Integer, nullable=False, server_default=sa.text("0"))
            batch.add_column(repeat, insert_after="turn")
            batch.drop_constraint(f"pk_{table}", type_="primary")
            batch.create_primary_key(f"pk_{table}", list(key))


def store_id(store: Store) -> str | None:
    """What tells a store from every other one; None for one that is older than its name."""
    with store.snapshot() as connection:
        return marks(connection).get(schema.STORE_ID)


# the store ----------------------------------------------------------------------------------------


def _put(
    put: Callable[Concatenate[Writing, _P], _T],
) -> Callable[Concatenate[Store, _P], _T]:
    """The same as a method of the store: a commit of its own, or a part of one."""

    @wraps(put)
    def of_store(self: Store, /, *args: _P.args, **named: _P.kwargs) -> _T:
        return self.write(lambda writing: put(writing, *args, **named))

    return of_store


class Store(Reading, Claims, AbstractContextManager["Store"]):
    """Values in, values and columns out. To be used from one thread at a time.

    Each ``put_…`` is one durable commit; inside ``with store.transaction():`` they are one commit
    all together. Putting what is there already changes nothing.

    What somebody else wrote goes in without the secrets of this process (`secret.masked`), those of
    the environment included.
    """

    def __init__(self, url: str, database: Database) -> None:
        secrets_of(os.environ)  # known to `masked` from here on
        self.url = url
        self.name = database.name
        """The address as messages show it, without a password."""
        self.read_only = database.read_only
        super().__init__(database)
        self._numbers: Numbers = {}
        self._open: Writing | None = None
        self._writer: Writer | None = None

    @property
    def path(self) -> Path:
        """The file of a store that is one."""
        return store_path(self.url)

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """What was submitted is written first; see `Writer.close` where that takes long."""
        try:
            if self._writer is not None:
                self._writer.close()
            self._give_back()
        finally:
            self._database.close()

    # writing ------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything that is put inside one commit: all of it is kept, or nothing.

        A put that failed inside spoils the whole, even where its error was caught.
        """
        if self._open is not None:
            raise StoreError("a transaction of this store is open already; they do not nest")
        resting = nullcontext() if self._writer is None else self._writer.resting()
        try:
            with resting, self._database.writing() as connection:
                self._open = Writing(lambda: connection, self._numbers)
                self._database.on_read = self._open.flush
                yield
                self._open.flush()
        except BaseException:
            self._numbers.clear()
            raise
        finally:
            self._open = None

    def write(self, work: Callable[[Writing], _T]) -> _T:
        """Do what is to be one commit, or a part of the transaction that is open.

        Where a server goes in the middle it is done again, once it is back.
        """
        if self._open is None:
            while True:
                try:
                    with self.transaction():
                        return self.write(work)
                except StoreGoneError:
                    if not MAY_WAIT.get():
                        raise
        try:
            return work(self._open)
        except BaseException as error:
            self._open.failed = error
            raise

    def submit(
        self,
        work: Callable[[Any], Any],
        tell: Callable[[list[Any]], None],
        *,
        about: Any = None,
        paid: Paid | None = None,
    ) -> None:
        """Write from an event loop, which waits for nothing; see `Replies.submit`."""
        if self._writer is None:
            self._writer = Writer(self._database.another, self._journal())
        self._writer.submit(Entry(work, tell, paid, about))

    def waiting(self) -> tuple[int, int]:
        """How many entries that were submitted are still to be written, and how many are paid."""
        return (0, 0) if self._writer is None else self._writer.waiting()

    def _journal(self) -> Journal:
        """Beside the store; in the user's cache where that is on a server."""
        with self._database.reading() as connection:
            store_id = marks(connection)[schema.STORE_ID]
        place = located(self.url).path
        if place is None:
            import platformdirs

            place = Path(platformdirs.user_cache_dir("judgebench")) / "journals" / store_id
        return Journal(place, store_id)

    def take_in_journals(self) -> None:
        """What was paid for and could not be stored, by processes that have ended since.

        Raises `StoreError` for a journal that cannot be read, or is another store's.
        """
        for path, left in self._journal().left():
            once = {paid.key: paid for paid in left}.values()
            try:
                with self.transaction():  # nobody else stores one of them meanwhile
                    new = [paid for paid in once if self.reply(paid.key) is None]
                    for paid in new:
                        self.put_reply(paid.key, paid.request, paid.reply, paid.spend)
            except (StoreBusyError, StoreGoneError):
                raise
            except StoreError as error:
                raise StoreError(
                    f"what is in {path} cannot be stored: {error}; it was left as it is: move it "
                    "away to go on without what is in it"
                ) from error
            print(
                f"{counted(len(new), 'reply', 'replies')} that an earlier run had paid for "
                f"{'is' if len(new) == 1 else 'are'} stored now, from {path}",
                file=sys.stderr,
            )

    def set_aside(self, size: int, on_touch: Callable[[], None]) -> AbstractContextManager[None]:
        """Keep room for what must still be written on a full disk; see `Database.set_aside`."""
        return self._database.set_aside(size, on_touch)

    # values in ----------------------------------------------------------------------------------

    put_items = _put(Writing.put_items)
    put_model = _put(Writing.put_model)
    put_judge = _put(Writing.put_judge)
    put_responses = _put(Writing.put_responses)
    put_stack_anchors = _put(Writing.put_stack_anchors)
    put_reply = _put(Writing.put_reply)
    put_spend = _put(Writing.put_spend)
    put_judgment = _put(Writing.put_judgment)
    put_judgments = _put(Writing.put_judgments)
    put_uses = _put(Writing.put_uses)
    put_failure = _put(Writing.put_failure)
    start_run = _put(Writing.start_run)
    update_run = _put(Writing.update_run)
    put_batch = _put(Writing.put_batch)
    update_batch = _put(Writing.update_batch)
    put_calibration = _put(Writing.put_calibration)
    put_baseline = _put(Writing.put_baseline)
    put_anchors = _put(Writing.put_anchors)
    put_looks = _put(Writing.put_looks)
    current_at = _put(Writing.current_at)

    def check_items(self, items: Iterable[Item]) -> None:
        """Raises `InputError` as putting all of them would; writes nothing."""
        with self._database.reading() as connection:
            check_items(connection, items)

    def forget(self, *, remove: bool = True, **wanted: Any) -> Forgotten:
        """Remove judgments, where they served, and replies and texts that nothing else needs.

        What is ``wanted``, and told, see `copy.forget`. What they took, runs, judges, models and
        answers stay. Not within a transaction. Raises `UsageError` for digits that begin no
        judgment's key, or several. Unless ``remove``, it is only said what would go.
        """
        from judgebench.store.copy import forget

        with self._database.removing() if remove else self._database.reading() as connection:
            return forget(connection, remove=remove, **wanted)

    # columns for boards -------------------------------------------------------------------------

    def board_verdicts(
        self,
        benchmark: str,
        version: str,
        models: Collection[str] | None = None,
        judges: Collection[str] | None = None,
    ) -> dict[str, Column]:
        """As `verdicts`, for boards: codes in place of lists (`columns.board_verdicts`).

        Of some models or judges alone, by short id, where they are named.
        """
        from judgebench.store import columns  # numpy, which many commands do without

        return self._read(columns.board_verdicts, benchmark, version, models, judges)

    def judge_replies(
        self, benchmark: str, version: str
    ) -> dict[str, tuple[int, int, list[float]]]:
        """What the judgments of a benchmark took, by the judge's id (`columns.judge_replies`)."""
        from judgebench.store import columns

        return self._read(columns.judge_replies, benchmark, version)

    def board_answers(
        self,
        benchmark: str,
        version: str,
        models: Collection[str] | None = None,
        *,
        texts: bool = False,
    ) -> dict[str, Column]:
        """The newest answers, for boards: how long they are (`columns.board_answers`)."""
        from judgebench.store import columns

        return self._read(columns.board_answers, benchmark, version, models, texts)
