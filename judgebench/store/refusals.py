"""What a store refuses to open or write, and what SQLite's errors mean to a person."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from judgebench.errors import StoreError, StoreFullError
from judgebench.store.schema import APPLICATION_ID

_MAGIC = b"SQLite format 3\0"


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
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.W_OK):
            what = "folder" if place.is_dir() else "file"
            raise StoreError(
                f"the store {path} cannot be written: the {what} {place} is read-only; change its"
                " permissions or give another path with --store"
            )


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the store's folder {folder} cannot be made: {_words(error)}; give another path with"
            " --store"
        ) from error


def _words(error: OSError) -> str:
    return error.strerror or os.strerror(error.errno or errno.EIO)


_MEANINGS = {
    sqlite3.SQLITE_FULL: "the disk is full (or the file may not grow); make room and run again",
    sqlite3.SQLITE_IOERR: "reading or writing the disk failed; see that it is not full and is"
    " healthy, then run again",
    sqlite3.SQLITE_READONLY: "it is read-only; change its permissions or give another path",
    sqlite3.SQLITE_PERM: "it is read-only; change its permissions or give another path",
    sqlite3.SQLITE_CANTOPEN: "the file, or the log beside it, cannot be opened; see the folder's"
    " permissions",
    sqlite3.SQLITE_BUSY: "another program has been writing to it for too long; end that program"
    " and run again",
    sqlite3.SQLITE_LOCKED: "another program has been writing to it for too long; end that program"
    " and run again",
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; go back to a copy, or save what can be read with"
    " `sqlite3 FILE .recover`",
}


def explained(error: DBAPIError | sqlite3.Error, path: Path) -> StoreError:
    """A database error in words, without the values that were being written."""
    original = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(original, "sqlite_errorcode", None)
    meaning = _MEANINGS.get(code & 0xFF) if isinstance(code, int) else None
    detail = f"SQLite says: {original}"
    if meaning is None:
        return StoreError(f"the store {path} failed; {detail}")
    said = f"the store {path} failed: {meaning} ({detail}); what was committed before is kept"
    if isinstance(original, sqlite3.Error) and is_full(original):
        return StoreFullError(said, again=code != sqlite3.SQLITE_IOERR_WRITE)
    return StoreError(said)


_NO_ROOM = frozenset({sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
"""How it shows as well: a quota or limit is used up, or the log's index cannot grow."""


def is_full(error: sqlite3.Error) -> bool:
    """Whether an error may be for want of room on the disk."""
    code = getattr(error, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL or code in _NO_ROOM
