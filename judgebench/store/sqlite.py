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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from judgebench.errors import MAY_WAIT, StoreBusyError, StoreError, StoreFullError, at_most
from judgebench.store.database import Database, no_store
from judgebench.store.schema import APPLICATION_ID

BESIDE = "-wal", "-turn"
"""Ends of the names of a store's log, and of the file that is locked by who writes."""

BUSY_S = 30.0
"""How long SQLite waits while another connection recovers the log, or is the last to close."""

CLOSING_S = 1.0
"""How long to wait for others in order to fold the log at the end; whoever closes last does it."""

_LOOK_EVERY, _LOOK_AFTER = 64, 32_768  # commits, or rows, between looks at the log's size
_FOLD_AT = 8 << 20  # bytes of log at which it is folded into the file
_FORCE_AT = 256 << 20  # and at which readers are waited for, so that it starts anew

NETWORK_FILE_SYSTEMS = frozenset(
    (
        *("nfs", "nfs4", "lustre", "gpfs", "beegfs", "beegfs_nodev", "panfs", "ceph", "glusterfs"),
        *("cifs", "smb", "smbfs", "smb2", "smb3", "afs", "ncpfs"),
        *("fuse.sshfs", "fuse.ceph", "fuse.glusterfs", "fuse.beegfs", "fuse.s3fs"),
        *("fuse.gcsfuse", "fuse.rclone", "fuse.juicefs", "fuse.mount-s3"),
    )
)
_MOUNTS = Path("/proc/self/mountinfo")
_MOUNT = re.compile(r"^(?:\S+ ){4}(\S+) .*? - (\S+)", re.MULTILINE)
_SETTINGS = (
    "wal_autocheckpoint = 0", f"journal_size_limit = {_FORCE_AT}", "foreign_keys = ON",
    "cache_size = -32768",
)  # fmt: skip


class SQLite(Database):
    """A store's file, opened."""

    dialect = "sqlite"
    pause_s = 0.01
    tables = "SELECT count(*), 0 FROM sqlite_master WHERE name = 'alembic_version'"
    anew = "VACUUM"  # beside it first, so that it needs as much room again for a while

    def __init__(
        self, path: Path, *, read_only: bool = False, synchronous_full: bool = False
    ) -> None:
        self.path, self.name, self.read_only = path, str(path), read_only
        self._synchronous = "FULL" if synchronous_full else "NORMAL"
        self._log, self._lock = (path.with_name(path.name + end) for end in BESIDE)
        self._look_at, self._force_at = _LOOK_AFTER, _FORCE_AT
        self._reserves: dict[Any, Callable[[], None]] = {}  # of all connections of this store
        self._open()

    def _connected(self) -> sqlite3.Connection:
        if self.read_only:
            return _open_read_only(self.path, self._log)
        connection = _open(self.path, "mode=rwc")
        ours = "SELECT * FROM pragma_application_id, pragma_journal_mode"
        if connection.execute(ours).fetchone() != (APPLICATION_ID, "wal"):
            with self._turn():
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute("PRAGMA journal_mode = WAL")
        for setting in (*_SETTINGS, f"synchronous = {self._synchronous}"):
            connection.execute(f"PRAGMA {setting}")
        connection.create_function("judgebench_0007", 0, int)  # see the migration of that number
        return connection

    def place(self) -> object:
        found = self.path.stat()
        return found.st_dev, found.st_ino

    def damage(self) -> list[str]:
        found = self.look(lambda _: self._raw.execute("PRAGMA integrity_check(20)").fetchall())
        return [said for (said,) in found if said != "ok"]

    # transactions -------------------------------------------------------------------------------

    @contextmanager
    def _turn(self, *, begins: bool = False, in_turn: bool = True) -> Iterator[None]:
        """The file lock ``<store>-turn``: held while writing or checkpointing, never longer.

        The kernel gives it back when its process dies. Of the turn other programs know nothing:
        they may hold the file itself. SQLite's own waiting for them cannot be ended with Ctrl-C,
        and says nothing.
        """
        try:
            lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise StoreError(
                    f"the store {self.path} cannot be written: no more files may be open here;"
                    " allow more (`ulimit -n`)"
                ) from error
            raise StoreError(
                f"the store {self.path} cannot be written: {self._lock} cannot be opened"
                f" ({error.strerror}); change the permissions or give another path with --store"
            ) from error
        try:
            self._patiently(partial(fcntl.flock, lock, fcntl.LOCK_EX | fcntl.LOCK_NB))
            if begins:
                self._patiently(partial(self._within, 0, "BEGIN IMMEDIATE"))
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # a child may have been forked meanwhile
            os.close(lock)

    def _within(self, wait_ms: int, statement: str) -> None:
        self._raw.execute(f"PRAGMA busy_timeout = {wait_ms}")
        try:
            self._raw.execute(statement)
        finally:
            self._raw.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")

    def _awaited(self, error: Exception) -> tuple[str, str] | None:
        if isinstance(error, BlockingIOError):
            who, held = "process", self._lock
        elif _code(error) & 0xFF == sqlite3.SQLITE_BUSY:
            who, held = "program", self.path
        else:
            return None
        why = f"the store {self.path} is held by another {who}, which is writing to it"
        return why, str(held)

    @contextmanager
    def unchecked(self) -> Iterator[None]:
        """SQLite would look through whole tables for rows that refer to each one that goes."""
        self._raw.execute("PRAGMA foreign_keys = OFF")
        try:
            yield
        finally:
            self._raw.execute("PRAGMA foreign_keys = ON")

    # a full disk --------------------------------------------------------------------------------

    @contextmanager
    def set_aside(self, size: int, on_touch: Callable[[], None]) -> Iterator[None]:
        """In a file without a name: it ends with its process, however that ends."""
        with ExitStack() as kept:
            try:
                folder = self.path.absolute().parent
                file = kept.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))
                getattr(os, "posix_fallocate", _write_zeros)(file.fileno(), 0, size)
            except OSError as error:
                raise StoreFullError(
                    f"the disk of the store {self.path} has no room for {size / 2**20:.0f} MiB,"
                    " which are set aside for the replies under way before anything is asked"
                    f" ({error.strerror}); make room and run again",
                    again=False,
                ) from error
            self._reserves[file] = on_touch
            try:
                yield
            finally:
                self._reserves.pop(file, None)

    def explained(self, error: Exception) -> StoreError:
        original = getattr(error, "orig", error)
        code, detail = _code(original), f"SQLite says: {original}"
        meaning = _MEANINGS.get(code & 0xFF)
        if meaning is None:
            return StoreError(f"the store {self.path} failed; {detail}")
        said = (
            f"the store {self.path} failed: {meaning} ({detail}); what was committed before is kept"
        )
        if code not in _NO_ROOM:
            return StoreError(said)
        full = StoreFullError(said, again=code != sqlite3.SQLITE_IOERR_WRITE)
        for file, on_touch in list(self._reserves.items()):
            if self._reserves.pop(file, None) is not None:
                file.close()
                on_touch()
                full.again = True
        return full

    # the log ------------------------------------------------------------------------------------

    def _commit(self) -> None:
        """And look at the log now and then; what is committed is, whatever becomes of that."""
        self._raw.commit()
        self._commits += 1
        if self._commits % _LOOK_EVERY and self._raw.total_changes < self._look_at:
            return
        self._look_at = self._raw.total_changes + _LOOK_AFTER
        size = self._log.stat().st_size if self._log.exists() else 0
        self._force_at = self._force_at if size > _FORCE_AT else _FORCE_AT
        with suppress(sqlite3.Error):  # a disk that fails says so to the next write
            if size > self._force_at:  # in vain while somebody reads an older state: not each time
                self._fold("TRUNCATE", wait_ms=1000)
                self._force_at = self._log.stat().st_size + _FORCE_AT // 8
            elif size > _FOLD_AT:
                self._fold("PASSIVE", wait_ms=0)

    def _fold(self, how: str, *, wait_ms: int) -> None:
        """As far as readers allow; where there is no room for it, the log stays as it is."""
        try:
            self._within(wait_ms, f"PRAGMA wal_checkpoint({how})")
        except sqlite3.Error as error:
            if _code(error) not in _NO_ROOM:
                raise

    def _size(self) -> int:
        self._fold("TRUNCATE", wait_ms=1000)
        return self.path.stat().st_size

    def close(self) -> None:
        """Fold the log into the file, if nobody reads it, and let go of it.

        Closing the last connection checkpoints as well, so that too is done in turn. Whoever holds
        that has a connection, and folds the log.
        """
        with closing(self._connection), suppress(StoreBusyError):
            # It may have gone with its folder, as one that was for a while.
            if not (self.read_only or self._connection.closed) and self.path.exists():
                with (
                    at_most(min(CLOSING_S, MAY_WAIT.get())),
                    self._in_words(),
                    self._turn(),
                    closing(self._connection),
                ):
                    self._fold("TRUNCATE", wait_ms=0)


def _write_zeros(file: int, start: int, end: int) -> None:
    """Where the system cannot be asked for room: zeros that are written have it."""
    some = bytes(1 << 20)
    for at in range(start, end, len(some)):
        os.write(file, some[: end - at])


def is_locked(path: Path) -> bool:
    """Whether another program has the file for itself alone, so that nobody can read it now."""
    try:
        with closing(_open(path, "mode=ro", wait_s=0.0)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return False


def _open(path: Path, options: str, wait_s: float = BUSY_S) -> sqlite3.Connection:
    """Python's sqlite3 would begin transactions late and by itself: every one is begun here."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}",
        uri=True,
        timeout=wait_s,
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
        connection.execute("PRAGMA schema_version").fetchone()
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


# what is refused ----------------------------------------------------------------------------------


def prepare(path: Path, *, read_only: bool, create: bool) -> None:
    """Look at a file's place and its first bytes before SQLite touches it; make its folder.

    Raises
    ------
    StoreError
        For a place where no store can be kept, for a file that is no SQLite database or another
        program's, and where there is nothing yet, or an empty file, and none is to be made.
    """
    refuse_network_file_systems(path)
    head = b""
    try:
        with suppress(FileNotFoundError), path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be read: {error.strerror}; change its permissions or give"
            " another path with --store"
        ) from error
    if head and not (head.startswith(b"SQLite format 3\0") and len(head) == 100):
        raise StoreError(
            f"{path} is not a judgebench store (no SQLite database); it was left as it is: give"
            " another path with --store"
        )
    if head and int.from_bytes(head[68:72], "big") != APPLICATION_ID:
        raise StoreError(
            f"{path} is an SQLite database of another program; it was left as it is: give another"
            " path with --store"
        )
    if not head and not create:
        there = f"the file {path} is empty" if path.exists() else f"there is no store at {path}"
        raise no_store(there)
    if not read_only:
        refuse_unwritable(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the store's folder {path.parent} cannot be made: {error.strerror}; give another"
                " path with --store"
            ) from error


def refuse_unwritable(path: Path) -> None:
    """A store's folder must be writable as well: the log and the lock lie beside the file.

    Of a folder that is still to be made the nearest that is there.
    """
    folder = next(one for one in path.absolute().parents if one.exists())
    for place in (folder, path, *(path.with_name(path.name + end) for end in BESIDE)):
        if place.exists() and not os.access(place, os.W_OK):
            raise StoreError(
                f"the store {path} cannot be written: the {'folder' if place.is_dir() else 'file'}"
                f" {place} is read-only; change its permissions or give another path with --store"
            )


def refuse_network_file_systems(path: Path, mounts: Path = _MOUNTS) -> None:
    """SQLite's write-ahead log corrupts where two hosts do not share memory.

    Only Linux says which file system a path lies on; elsewhere nothing is checked. Of several
    mounts on one point the last counts.
    """
    known = mounts.read_text("utf-8", "surrogateescape") if mounts.exists() else ""
    own, depth, kind = path.resolve().parts, 0, None
    for point, its in _MOUNT.findall(known):
        # The kernel writes blanks in mount points as \040 and the like.
        parts = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point)).parts
        if own[: len(parts)] == parts and len(parts) >= depth:
            depth, kind = len(parts), its
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreError(
            f"{path} lies on a network file system ({kind}), where SQLite's write-ahead log can"
            " corrupt. Three ways on: a store on a local disk (--store or JUDGEBENCH_STORE), and"
            " `judgebench store merge` for those of several machines; a PostgreSQL server (--store"
            " postgresql://USER@HOST/DATABASE); or, to read alone, a copy of the file on a local"
            " disk. docs/sharing.md has all three"
        )


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
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
"""How it shows: the last two where a quota or limit is used up, or the log's index cannot grow."""


def _code(error: BaseException) -> int:
    """Of SQLite's; 0 for what is none of its errors."""
    return int(getattr(error, "sqlite_errorcode", 0))
