"""A store in one SQLite file, and the rules by which processes share that file.

Readers see a snapshot and disturb nobody. Writers take turns at a file lock beside the store, and
the log is folded into the file (checkpointed) by whoever holds that lock. SQLite before 3.51.3
can corrupt a file when one connection checkpoints while another writes or checkpoints
(https://www.sqlite.org/wal.html#walresetbug); with the turn, none ever does. It is also quicker
than SQLite's own waiting, which sleeps in growing steps.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from judgebench.errors import StoreBusyError, StoreError, StoreFullError
from judgebench.protocols import Waiting
from judgebench.store.database import Database
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

NETWORK_FILE_SYSTEMS = frozenset(
    (
        *("nfs", "nfs4", "lustre", "gpfs", "beegfs", "beegfs_nodev", "panfs", "ceph", "glusterfs"),
        *("cifs", "smb", "smbfs", "smb2", "smb3", "afs", "ncpfs"),
        *("fuse.sshfs", "fuse.ceph", "fuse.glusterfs", "fuse.beegfs", "fuse.s3fs"),
        *("fuse.gcsfuse", "fuse.rclone", "fuse.juicefs", "fuse.mount-s3"),
    )
)
_MOUNTS = Path("/proc/self/mountinfo")
_MAGIC = b"SQLite format 3\0"


class SQLite(Database):
    """A store's file, opened."""

    errors = (DBAPIError, sqlite3.Error)

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        wait_s: float | None = None,
        synchronous_full: bool = False,
    ) -> None:
        super().__init__(str(path), read_only=read_only, wait_s=wait_s)
        self.path = path
        self._synchronous = "FULL" if synchronous_full else "NORMAL"
        self._log = path.with_name(path.name + "-wal")
        self._lock = path.with_name(path.name + "-turn")
        self._raw: sqlite3.Connection
        self._commits = 0
        self._reserves: list[_Reserve] = []  # shared by all connections of this store
        self._turn_file = None if read_only else self._opened_turn()
        self._engine = create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=NullPool,
            hide_parameters=True,  # texts of models do not belong in a traceback
        )
        try:
            self._connection = self._engine.connect()
        except BaseException as error:
            if self._turn_file is not None:
                os.close(self._turn_file)
            if isinstance(error, DBAPIError):
                raise self.explained(error) from error
            raise

    # opening ------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        self._raw = self._opened()
        return self._raw

    def _opened(self) -> sqlite3.Connection:
        if self.read_only:
            return _open_read_only(self.path, self._log)
        connection = _open(self.path, "mode=rwc")
        ours = [_pragma(connection, name) for name in ("application_id", "journal_mode")]
        if ours != [APPLICATION_ID, "wal"]:
            with self._turn():
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {_FORCE_AT}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -32768")
        connection.create_function("judgebench_0007", 0, int)  # see the migration of that number
        return connection

    def _opened_turn(self) -> int:
        try:
            return os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise StoreError(
                f"the store {self.path} cannot be written: {self._lock} cannot be opened"
                f" ({error.strerror}); change the permissions or give another path with --store"
            ) from error

    def another(self) -> SQLite:
        full = self._synchronous == "FULL"
        other = SQLite(
            self.path, read_only=self.read_only, wait_s=self.wait_s, synchronous_full=full
        )
        other._reserves = self._reserves
        return other

    def revision(self) -> str | None:
        with self.reading() as connection:
            tables = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
            if not connection.exec_driver_sql(tables).scalar():
                return None
            version = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
            return version.scalar()

    def now(self) -> float:
        """All who share a file share a machine."""
        return time.time()

    def place(self) -> object:
        found = self.path.stat()
        return found.st_dev, found.st_ino

    def vacuum(self) -> tuple[int, int]:
        """Written anew beside it first, so that it needs as much room again for a while."""
        with self._in_words(), self._turn():
            self._checkpoint("TRUNCATE", wait_ms=1000)
            before = self.path.stat().st_size
            self._raw.execute("VACUUM")
            self._checkpoint("TRUNCATE", wait_ms=1000)
        return before, self.path.stat().st_size

    def damage(self) -> list[str]:
        with self.reading() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars()
            return [said for said in found if said != "ok"]

    # transactions -------------------------------------------------------------------------------

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The file lock ``<store>-turn``: held while writing or checkpointing, never longer.

        The kernel gives it back when its process dies.
        """
        self._take_turn()
        try:
            yield
        finally:
            self._give_turn()

    def _take_turn(self, wait_s: float | None = None) -> None:
        """Raises `StoreBusyError` once the waiting is over; at once where nothing may wait."""
        assert self._turn_file is not None
        waiting, pause_s = Waiting(), 0.0002
        while True:
            try:
                fcntl.flock(self._turn_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if wait_s is not None and waiting.seconds >= wait_s:
                    raise StoreBusyError("others are writing") from error
                held = f"the store {self.path} is held by another process, which is writing to it"
                self.wait(waiting, held, str(self._lock), error)
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                return

    def _give_turn(self) -> None:
        assert self._turn_file is not None
        fcntl.flock(self._turn_file, fcntl.LOCK_UN)

    def _begin_reading(self) -> None:
        self._raw.execute("BEGIN")

    def _begin_writing(self, in_turn: bool = True) -> None:
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
                    self.wait(waiting, f"{held}, which is writing to it", str(self.path), error)
                    time.sleep(LONGEST_PAUSE_S)
                else:
                    return
        finally:
            self._raw.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")

    def take_unchecked(self) -> None:
        self._raw.execute("PRAGMA foreign_keys = OFF")

    @contextmanager
    def removing(self) -> Iterator[Connection]:
        """SQLite would look through whole tables for rows that refer to each one that goes."""
        self._raw.execute("PRAGMA foreign_keys = OFF")
        try:
            with super().removing() as connection:
                yield connection
        finally:
            self._raw.execute("PRAGMA foreign_keys = ON")

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
        with _Reserve(self.path, size, on_touch) as reserve:
            self._reserves.append(reserve)
            try:
                yield
            finally:
                self._reserves.remove(reserve)

    def explained(self, error: Exception) -> StoreError:
        original = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(original, "sqlite_errorcode", None)
        meaning = _MEANINGS.get(code & 0xFF) if isinstance(code, int) else None
        detail = f"SQLite says: {original}"
        if meaning is None:
            return StoreError(f"the store {self.path} failed; {detail}")
        said = f"the store {self.path} failed: {meaning} ({detail}); what was committed before is "
        said += "kept"
        if not is_full(original):
            return StoreError(said)
        full = StoreFullError(said, again=code != sqlite3.SQLITE_IOERR_WRITE)
        for reserve in self._reserves:
            full.again |= reserve.give()
        return full

    # the log ------------------------------------------------------------------------------------

    def _committed(self) -> None:
        """Fold the log now and then. Where there is no room for it, what is in it stays there."""
        self._commits += 1
        if self._commits % _LOOK_EVERY:
            return
        try:
            size = self._log.stat().st_size if self._log.exists() else 0
            if size > _FORCE_AT:
                self._checkpoint("TRUNCATE", wait_ms=1000)
            elif size > _FOLD_AT:
                self._checkpoint("PASSIVE", wait_ms=0)
        except sqlite3.Error as error:
            if not is_full(error):
                raise

    def _checkpoint(self, how: str, *, wait_ms: int) -> None:
        """Fold the log into the file as far as readers allow; the turn must be held."""
        self._raw.execute(f"PRAGMA busy_timeout = {wait_ms}")
        self._raw.execute(f"PRAGMA wal_checkpoint({how})")
        self._raw.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")

    def close(self) -> None:
        """Fold the log into the file, if nobody reads it, and let go of both."""
        if self._connection.closed:
            return
        if self._turn_file is None:
            self._connection.close()
            return
        try:
            self._take_turn(CLOSING_S)  # closing the last connection checkpoints as well
            self._checkpoint("TRUNCATE", wait_ms=0)
        except StoreBusyError:  # whoever holds it has a connection, and folds the log
            pass
        except sqlite3.Error as error:
            if not is_full(error):  # then it stays in the log, and is whole there
                raise self.explained(error) from error
        finally:
            self._connection.close()
            os.close(self._turn_file)


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
    """Python's sqlite3 would begin transactions late and by itself: every one is begun here."""
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
    with closing(connection.execute(f"PRAGMA {name}")) as found:
        row = found.fetchone()
    return row[0] if row else None


# what is refused ----------------------------------------------------------------------------------


def refuse_foreign_file(path: Path) -> bool:
    """Look at a file's first bytes before SQLite touches it.

    Returns
    -------
    bool
        Whether the file holds a store; False where there is nothing yet, or an empty file.

    Raises
    ------
    StoreError
        For a file that is no SQLite database, or another program's.
    """
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be read: {_words(error)}; change its permissions or give"
            " another path with --store"
        ) from error
    if not head:
        return False
    if not head.startswith(_MAGIC) or len(head) < 100:
        raise StoreError(
            f"{path} is not a judgebench store (no SQLite database); it was left as it is: give"
            " another path with --store"
        )
    if int.from_bytes(head[68:72], "big") != APPLICATION_ID:
        raise StoreError(
            f"{path} is an SQLite database of another program; it was left as it is: give another"
            " path with --store"
        )
    return True


def refuse_unwritable(path: Path) -> None:
    """A store's folder must be writable as well: the log and the lock lie beside the file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the store's folder {path.parent} cannot be made: {_words(error)}; give another path"
            " with --store"
        ) from error
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.W_OK):
            what = "folder" if place.is_dir() else "file"
            raise StoreError(
                f"the store {path} cannot be written: the {what} {place} is read-only; change its"
                " permissions or give another path with --store"
            )


def file_system(path: Path, mountinfo: str) -> str | None:
    """The type of the file system that an absolute path lies on.

    Parameters
    ----------
    mountinfo
        The text of ``/proc/self/mountinfo``. Of several mounts on one point the last counts.
    """
    found: tuple[int, str] | None = None
    for line in mountinfo.splitlines():
        mount, separator, source = line.partition(" - ")
        columns = mount.split()
        if not separator or len(columns) < 5 or not source.split():
            continue
        # The kernel writes blanks in mount points as \040 and the like.
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), columns[4]))
        if path.is_relative_to(point) and (found is None or len(point.parts) >= found[0]):
            found = len(point.parts), source.split()[0]
    return found[1] if found else None


def refuse_network_file_systems(path: Path, mounts: Path = _MOUNTS) -> None:
    """SQLite's write-ahead log corrupts where two hosts do not share memory.

    Only Linux says which file system a path lies on; elsewhere nothing is checked.
    """
    if not mounts.exists():
        return
    kind = file_system(path.resolve(), mounts.read_text("utf-8", "surrogateescape"))
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreError(
            f"{path} lies on a network file system ({kind}), where SQLite's write-ahead log can"
            " corrupt. Three ways on: a store on a local disk (--store or JUDGEBENCH_STORE), and"
            " `judgebench store merge` for those of several machines; a PostgreSQL server (--store"
            " postgresql://USER@HOST/DATABASE); or, to read alone, a copy of the file on a local"
            " disk. docs/sharing.md has all three"
        )


def _words(error: OSError) -> str:
    return error.strerror or os.strerror(error.errno or errno.EIO)


_TOO_LONG = "another program has been writing to it for too long; end that program and run again"
_READ_ONLY = "it is read-only; change its permissions or give another path"
_MEANINGS = {
    sqlite3.SQLITE_FULL: "the disk is full (or the file may not grow); make room and run again",
    sqlite3.SQLITE_IOERR: "reading or writing the disk failed; see that it is not full and is"
    " healthy, then run again",
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: "the file, or the log beside it, cannot be opened; see the folder's"
    " permissions",
    sqlite3.SQLITE_BUSY: _TOO_LONG,
    sqlite3.SQLITE_LOCKED: _TOO_LONG,
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; go back to a copy, or save what can be read with"
    " `sqlite3 FILE .recover`",
}
_NO_ROOM = frozenset({sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
"""How it shows as well: a quota or limit is used up, or the log's index cannot grow."""


def is_full(error: BaseException | None) -> bool:
    """Whether an error may be for want of room on the disk."""
    code = getattr(error, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL or code in _NO_ROOM
