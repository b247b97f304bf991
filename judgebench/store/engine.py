"""One connection to a store's file, and the rules by which processes share that file.

Readers see a snapshot and disturb nobody. Writers take turns at a file lock beside the store, and
the log is folded into the file (checkpointed) by whoever holds that lock. SQLite before 3.51.3
can corrupt a file when one connection checkpoints while another writes or checkpoints
(https://www.sqlite.org/wal.html#walresetbug); with the turn, none ever does. It is also quicker
than SQLite's own waiting, which sleeps in growing steps.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from judgebench.errors import StoreBusyError, StoreError, StoreFullError
from judgebench.protocols import MAY_WAIT, Waiting
from judgebench.store.refusals import explained, is_full
from judgebench.store.schema import APPLICATION_ID

BUSY_S = 30.0
"""How long SQLite waits while another connection recovers the log, or is the last to close."""

CLOSING_S = 1.0
"""How long to wait for others in order to fold the log at the end; whoever closes last does it."""

LONGEST_PAUSE_S = 0.01
"""Between two tries of who waits."""

_LOOK_EVERY = 64  # commits between looks at the log's size
_FOLD_AT = 8 << 20  # bytes of log at which it is folded into the file
_FORCE_AT = 64 << 20  # and at which readers are waited for, so that it starts anew


class WriterTurn:
    """The file lock ``<store>-turn``: held while writing or checkpointing, never longer.

    The kernel gives it back when its process dies.
    """

    def __init__(self, store: Path, wait_s: float | None = None) -> None:
        self._store = store
        self._wait_s = wait_s
        self._path = store.with_name(store.name + "-turn")
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise StoreError(
                f"the store {store} cannot be written: {self._path} cannot be opened"
                f" ({error.strerror}); change the permissions or give another path with --store"
            ) from error

    def __enter__(self) -> None:
        self.take(self._wait_s)

    def take(self, wait_s: float | None) -> None:
        """Wait for the turn, for as long as it takes if ``wait_s`` is None.

        Raises
        ------
        StoreBusyError
            If ``wait_s`` is over; at once where nothing may wait (`at_once`).
        """
        waiting, pause_s = Waiting(), 0.0002
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                held = f"the store {self._store} is held by another process, which is writing to it"
                _wait(waiting, wait_s, held, self._path, error)
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._file)


def _wait(waiting: Waiting, wait_s: float | None, why: str, lock: Path, error: Exception) -> None:
    """Say that a write waits, or raise that it may not, or not any longer."""
    if not MAY_WAIT.get():
        raise StoreBusyError(why) from error
    if wait_s is not None and waiting.seconds >= wait_s:
        raise StoreBusyError(
            f"another process has been writing to the store for {wait_s:.0f} s (it holds {lock});"
            " wait for it, or end it, and run again"
        ) from error
    waiting.goes_on(f"{why}; Ctrl-C leaves without what was to be stored")


class Database:
    """A connection for one thread. `reading` and `writing` are its two kinds of transaction.

    A write waits for others for as long as it takes, and says so; ``wait_s`` is where somebody
    would wait in vain for being told.
    """

    def __init__(self, path: Path, *, read_only: bool = False, wait_s: float | None = None) -> None:
        self.path = path
        self.read_only = read_only
        self._log = path.with_name(path.name + "-wal")
        self._raw: sqlite3.Connection
        self._writing = False
        self._commits = 0
        self._wait_s = wait_s
        self._turn = None if read_only else WriterTurn(path, wait_s)
        self._reserve: _Reserve | None = None
        self._engine = create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=NullPool,
            hide_parameters=True,  # texts of models do not belong in a traceback
        )
        # Python's sqlite3 would begin transactions late and by itself; isolation_level=None in
        # `_connect` stops that, and every transaction is begun here.
        event.listen(self._engine, "begin", self._begin_transaction)
        try:
            self._connection = self._engine.connect()
        except BaseException as error:
            if self._turn:
                self._turn.close()
            if isinstance(error, DBAPIError):
                raise explained(error, path) from error
            raise

    def _connect(self) -> sqlite3.Connection:
        self._raw = self._opened()
        return self._raw

    def _opened(self) -> sqlite3.Connection:
        if self.read_only:
            return _open_read_only(self.path, self._log)
        connection = _open(self.path, "mode=rwc")
        with self._required_turn():
            if _pragma(connection, "application_id") != APPLICATION_ID:
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {_FORCE_AT}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -32768")
        return connection

    def _begin_transaction(self, _: Connection) -> None:
        try:
            if self._writing:
                self._begin_writing()
            else:
                self._raw.execute("BEGIN")
        except sqlite3.Error as error:
            raise DBAPIError("BEGIN", None, error) from error

    def _begin_writing(self) -> None:
        """We have the turn, of which other programs know nothing: they may hold the file itself.

        SQLite's own waiting cannot be ended with Ctrl-C, and says nothing.
        """
        waiting = Waiting()
        self._raw.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    self._raw.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                        raise
                    held = f"the store {self.path} is held by another program"
                    _wait(
                        waiting, self._wait_s, f"{held}, which is writing to it", self.path, error
                    )
                    time.sleep(LONGEST_PAUSE_S)
                else:
                    return
        finally:
            self._raw.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")

    def _required_turn(self) -> WriterTurn:
        if self._turn is None:
            raise StoreError(f"the store {self.path} was opened for reading only")
        return self._turn

    @property
    def in_write(self) -> bool:
        return self._writing

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One snapshot for all selects inside; within a write, that write's own view."""
        try:
            if self._writing:
                yield self._connection
            else:
                with self._connection.begin():
                    yield self._connection
        except (DBAPIError, sqlite3.Error) as error:
            raise explained(error, self.path) from error

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """For one prepared statement, which is a snapshot by itself and needs no transaction."""
        try:
            yield self._connection
        except (DBAPIError, sqlite3.Error) as error:
            raise explained(error, self.path) from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """All inside is one durable commit, or nothing. Does not nest."""
        turn = self._required_turn()
        if self._writing:
            raise StoreError("a transaction of this store is open already; they do not nest")
        try:
            with turn:
                self._writing = True
                try:
                    with self._connection.begin():
                        yield self._connection
                finally:
                    self._writing = False
                self._commits += 1
                if self._commits % _LOOK_EVERY == 0:
                    self._fold_log()
        except (DBAPIError, sqlite3.Error) as error:
            said = explained(error, self.path)
            if isinstance(said, StoreFullError) and self._reserve is not None:
                said.again |= self._reserve.give()
            raise said from error

    @contextmanager
    def set_aside(self, size: int, on_touch: Callable[[], None]) -> Iterator[None]:
        """Keep room on the store's disk for what must still be written when there is none left.

        A write that finds the disk full frees it, fails with a `StoreFullError` that says so, and
        goes through when it is tried again.

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
        with _Reserve(self.path, size, on_touch) as self._reserve:
            try:
                yield
            finally:
                self._reserve = None

    @contextmanager
    def removing(self) -> Iterator[Connection]:
        """As `writing`, for taking rows out by the thousand.

        Of each row that goes SQLite would look through whole tables for one that refers to it. Here
        all references are checked once at the end, and nothing goes if one was left hanging.
        """
        self._raw.execute("PRAGMA foreign_keys = OFF")
        try:
            with self.writing() as connection:
                yield connection
                hanging = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                if hanging is not None:
                    raise StoreError(
                        f"nothing was removed: a row of {hanging[0]} needs one of {hanging[2]} "
                        "that was to go"
                    )
        finally:
            self._raw.execute("PRAGMA foreign_keys = ON")

    def _fold_log(self) -> None:
        """What was committed stays so where there is no room to fold it: it stays in the log."""
        try:
            self._fold_what_is_long()
        except sqlite3.Error as error:
            if not is_full(error):
                raise

    def _fold_what_is_long(self) -> None:
        size = self._log.stat().st_size if self._log.exists() else 0
        if size > _FORCE_AT:
            self._checkpoint("TRUNCATE", wait_ms=1000)
        elif size > _FOLD_AT:
            self._checkpoint("PASSIVE", wait_ms=0)

    def _checkpoint(self, how: str, *, wait_ms: int) -> None:
        """Fold the log into the file as far as readers allow; the turn must be held."""
        self._raw.execute(f"PRAGMA busy_timeout = {wait_ms}")
        self._raw.execute(f"PRAGMA wal_checkpoint({how})")
        self._raw.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")

    def close(self) -> None:
        """Fold the log into the file, if nobody reads it, and let go of both."""
        if self._connection.closed:
            return
        if self._turn is None:
            self._connection.close()
            return
        try:
            self._turn.take(CLOSING_S)  # closing the last connection checkpoints as well
        except StoreBusyError:  # whoever holds it has a connection, and folds the log
            self._connection.close()
            self._turn.close()
            return
        try:
            self._checkpoint("TRUNCATE", wait_ms=0)
        except sqlite3.Error as error:
            if not is_full(error):  # then it stays in the log, and is whole there
                raise explained(error, self.path) from error
        finally:
            self._connection.close()
            self._turn.close()


class _Reserve:
    """A file without a name on the store's disk: it ends with its process, however that ends."""

    def __init__(self, store: Path, size: int, on_touch: Callable[[], None]) -> None:
        self._store = store
        self._size = size
        self._on_touch = on_touch
        self._file: BinaryIO | None = None

    def __enter__(self) -> _Reserve:
        file = None
        try:
            file = tempfile.TemporaryFile(dir=self._store.absolute().parent, buffering=0)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, self._size)
            else:
                _write_zeros(file, self._size)
        except OSError as error:
            if file is not None:
                file.close()
            raise StoreFullError(
                f"the disk of the store {self._store} has no room for {self._size / 2**20:.0f} MiB,"
                " which are set aside for the replies under way before anything is asked"
                f" ({error.strerror}); make room and run again",
                again=False,
            ) from error
        self._file = file
        return self

    def give(self) -> bool:
        """Free the room; False if that was done before."""
        if self._file is None:
            return False
        self._file.close()
        self._file = None
        self._on_touch()
        return True

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _write_zeros(file: BinaryIO, size: int) -> None:
    """Where the system cannot be asked for room: zeros that are written have it."""
    some = bytes(1 << 20)
    for start in range(0, size, len(some)):
        file.write(some[: size - start])


def _open(path: Path, options: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,  # a store may be opened in one thread and used in another
    )


def _open_read_only(path: Path, log: Path) -> sqlite3.Connection:
    """Where nothing may be written beside the file, read it alone, if it is whole without its log.

    SQLite needs a shared-memory file beside a store; it makes one where it may, uses one that is
    there, and else cannot open the store at all.
    """
    connection = _open(path, "mode=ro")
    try:
        _pragma(connection, "schema_version")
    except sqlite3.OperationalError as error:
        connection.close()
        cannot_open = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CANTOPEN
        # As it calls the same where the folder lets nobody write, rather than its file system.
        if not (cannot_open or error.sqlite_errorcode == sqlite3.SQLITE_READONLY_DIRECTORY):
            raise
        if log.exists() and log.stat().st_size:
            raise StoreError(
                f"the store {path} cannot be read: its newest rows are still in {log.name}, and"
                " the folder cannot be written; open it once where it may be written, or copy"
                f" both {path.name} and {log.name} to a folder of yours"
            ) from error
        return _open(path, "mode=ro&immutable=1")
    return connection


def _pragma(connection: sqlite3.Connection, name: str) -> object:
    row = connection.execute(f"PRAGMA {name}").fetchone()
    return row[0] if row else None
