"""The index of a store's texts: a file of its own beside the store, made and made anew by readers.

Writers of the store know nothing of it and are not slowed down by it. It holds no text, only which
texts have which grams of three characters; what it finds is looked at in the store. It may be
deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection

from judgebench.errors import StoreError
from judgebench.store.search_texts import (
    KINDS,
    Kind,
    SearchText,
    last_numbers,
    question_numbers,
    rows_after,
    rows_of,
)
from judgebench.store.search_words import (
    MOST_CONTINUATIONS,
    TAIL,
    Words,
    match_expression,
)

APPLICATION_ID = 0x6A626373
"""``jbcs``: what SQLite's header says of an index of ours."""

FORM = 1
"""An index of another form is made anew."""

_PORTION = 500
_WAIT_MS = 10_000
_FIRST_BATCH, _LARGEST_BATCH = 100, 8000  # one statement of SQLite takes 32 766 values
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of the store is in its index; ``rows`` is about how many there are."""

    indexed: int
    rows: int
    complete: bool


class SearchIndex:
    """The index of one store. To be used from one thread, and closed soon."""

    def __init__(self, store: Path) -> None:
        self.path = index_path(store)
        self._connection = _opened(self.path)

    def __enter__(self) -> SearchIndex:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Errors of this file, which are none of the store's."""
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                self.path.unlink(missing_ok=True)
                raise StoreError(
                    f"the search index {self.path} was damaged and has been removed; search again,"
                    " and it is made anew"
                ) from error
            raise StoreError(
                f"the search index {self.path} failed ({error}); make room if the disk is full, or"
                " delete that file: it is made anew"
            ) from error

    # what is in it ------------------------------------------------------------------------------

    def catch_up(self, store: Connection, for_s: float) -> Coverage:
        """Take in what is new in the store, for so many seconds at most.

        Where another process is at it, nothing is done and that process goes on.
        """
        with self._in_words():
            return self._caught_up(store, for_s)

    def _caught_up(self, store: Connection, for_s: float) -> Coverage:
        if not self._is_of(store, self._seen()):
            self._connection.close()
            self.path.unlink(missing_ok=True)
            self._connection = _opened(self.path)
        complete = False
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        else:
            self._connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
            deadline = time.monotonic() + for_s
            complete = all(self._take_in(store, kind, deadline) for kind in KINDS)
            self._connection.execute("COMMIT")
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
        rows = sum(last_numbers(store).values())
        indexed = sum(number for number, _ in self._seen().values())
        return Coverage(indexed=rows if complete else indexed, rows=rows, complete=complete)

    def _take_in(self, store: Connection, kind: Kind, deadline: float) -> bool:
        """Whether all that there is of a kind is in the index now."""
        number = self._seen().get(kind, (0, b""))[0]
        if kind == "question":
            self._take_late_questions(store, number)
        while time.monotonic() < deadline:
            rows = rows_after(store, kind, number, _PORTION)
            if not rows:
                return True
            number = rows[-1].number
            self._insert(kind, rows)
            seen = (kind, number, rows[-1].key)
            self._connection.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", seen)
        return False

    def _take_late_questions(self, store: Connection, up_to: int) -> None:
        """Items known by their id alone when they were passed, whose question came later."""
        known = {row[0] for row in self._connection.execute("SELECT rowid FROM question")}
        there = question_numbers(store)
        if len(known) < sum(number <= up_to for number in there):
            late = [number for number in there if number <= up_to and number not in known]
            self._insert("question", list(rows_of(store, "question", late).values()))

    def _insert(self, kind: Kind, rows: list[SearchText]) -> None:
        self._connection.executemany(
            f"INSERT INTO {kind} (rowid, body) VALUES (?, ?)",
            ((row.number, row.text + TAIL) for row in rows if row.text or kind != "reasoning"),
        )

    def _seen(self) -> dict[str, tuple[int, bytes]]:
        rows = self._connection.execute("SELECT kind, number, key FROM seen")
        return {kind: (number, key) for kind, number, key in rows}

    def _is_of(self, store: Connection, seen: Mapping[str, tuple[int, bytes]]) -> bool:
        """Whether the rows that were indexed last are still the same; a file can be replaced.

        ``seen`` was read before anything of the store's snapshot: what another process indexes
        meanwhile is not in it.
        """
        for kind in KINDS:
            number, key = seen.get(kind, (0, b""))
            row = rows_of(store, kind, [number]).get(number) if number else None
            if number and (row is None or row.key != key):
                return False
        return True

    # what it finds ------------------------------------------------------------------------------

    def candidates(self, kind: Kind, words: Words, beyond: int | None) -> Iterator[list[int]]:
        """Rows in which the words may occur, behind a row, in batches that grow.

        Questions come in the order of their benchmark, of the rest the newest first.
        """
        with self._in_words():
            yield from self._candidates(kind, words, beyond)

    def _candidates(self, kind: Kind, words: Words, beyond: int | None) -> Iterator[list[int]]:
        comes, order = (">", "ASC") if kind == "question" else ("<", "DESC")
        conditions, values = [], []
        asked = match_expression(words, lambda start: self._continuations(kind, start))
        if asked is not None:
            conditions.append(f"{kind} MATCH ?")
            values.append(asked)
        if beyond is not None:
            conditions.append(f"rowid {comes} CAST(? AS INTEGER)")
            values.append(str(beyond))
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        query = f"SELECT rowid FROM {kind}{where} ORDER BY rowid {order}"
        rows = self._connection.execute(query, values)
        size = _FIRST_BATCH
        while batch := rows.fetchmany(size):
            yield [row[0] for row in batch]
            size = min(2 * size, _LARGEST_BATCH)

    def _continuations(self, kind: Kind, start: str) -> list[str]:
        rows = self._connection.execute(
            f"SELECT term FROM temp.{kind}_grams WHERE term >= ? AND term < ? LIMIT ?",
            (start, start + "\U0010ffff", MOST_CONTINUATIONS + 1),
        )
        return [row[0] for row in rows]


def index_path(store: Path) -> Path:
    """Beside the store; in the user's cache where nothing may be written beside it."""
    beside = store.with_name(store.name + "-search")
    if os.access(beside if beside.exists() else store.parent, os.W_OK):
        return beside
    import platformdirs

    known = hashlib.sha256(str(store.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return Path(platformdirs.user_cache_dir("judgebench")) / "search" / f"{known[:16]}.db"


def _opened(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = _connected(path)
        if connection is None:  # of another form, or damaged
            path.unlink(missing_ok=True)
            connection = _connected(path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"the search index {path} cannot be opened: {error}") from error
    if connection is None:
        raise StoreError(f"the search index {path} cannot be read; delete it and search again")
    return connection


def _connected(path: Path) -> sqlite3.Connection | None:
    """None for a file that is no index, or one of another form."""
    connection = sqlite3.connect(
        path, timeout=_WAIT_MS / 1000, isolation_level=None, check_same_thread=False
    )
    try:
        # Without a log: then nothing needs checkpoints, and readers wait only while one commits.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute("PRAGMA cache_spill = OFF")  # spilling would lock readers out
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            _create(connection)
        form = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        ]
        if form != [APPLICATION_ID, FORM]:
            connection.close()
            return None
        for kind in KINDS:
            connection.execute(
                f"CREATE VIRTUAL TABLE temp.{kind}_grams USING fts5vocab('main', '{kind}', 'row')"
            )
    except sqlite3.DatabaseError as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            return None
        raise
    return connection


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        for kind in KINDS:
            # Positions of grams would make the index three times as large, and save little: the
            # texts are looked at anyway.
            connection.execute(
                f"CREATE VIRTUAL TABLE {kind} USING"
                " fts5(body, content='', detail=none, tokenize='trigram')"
            )
        connection.execute("CREATE TABLE seen (kind TEXT PRIMARY KEY, number INTEGER, key BLOB)")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORM}")
    connection.execute("COMMIT")
