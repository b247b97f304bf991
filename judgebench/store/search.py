"""Where words stand in a store: questions, answers and what judges wrote, a page at a time.

Two indexes, one for each engine, say in which texts words may stand; the store says whether they
do. SQLite's is a file of its own beside the store (FTS5, grams of three characters), which holds
no text and may be deleted at any time. PostgreSQL's are tables of its own (``pg_trgm``), filled
in portions; no writer of the store knows of either or waits for it. Every two Han characters are
a gram as well. What no index holds is looked for in the store itself, as long as the time lasts.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

from sqlalchemy import Connection, Table

from judgebench.errors import StoreError
from judgebench.store import codec, schema
from judgebench.store.catalog import row, rows, values
from judgebench.store.opening import located, open_store
from judgebench.store.store import Store

Kind: TypeAlias = Literal["question", "answer", "reasoning"]
KINDS: tuple[Kind, ...] = ("question", "answer", "reasoning")
Begin: TypeAlias = tuple[Kind, int]
Ask: TypeAlias = Callable[[int, int], tuple[Sequence[int], int | None]]
"""Numbers of rows behind one in which the words may occur, about as many, and where to go on.

None where there are no more. Questions come in the order of their benchmark, of the rest the newest
first.
"""

PAGE = 25
"""Hits on one page."""

SEARCHED_CHARS = 100_000
"""How much of the beginning of a text is searched."""

MOST_COUNTED = 1000
"""Hits that are counted at most."""

GRAM = 3
"""Characters of a gram, the unit of the index."""

OURS = 0x6A627303
"""The ``user_version`` of an index of ours in a file: ``jbs``, and its form. Others give way."""

_PORTION, _PORTION_S = 500, 2.0  # rows of one insert, and seconds of one commit
_LAG = 2000  # texts that are not in the index yet, and are looked through all the same
_SOON, _LATER_S = 50_000, 3.0  # texts that may be in it in a second; when more are begun with
_FIRST_BATCH, _LARGEST_BATCH = 50, 4000
_END = 2**62
_MOST_GRAMS = 48  # of one word: a longer one is told apart by the text itself
_MOST_MATCHES = 1000  # that a server puts in order; where there are more it goes through blocks
_MOST_LEFT = 2000  # rows by filters that are gone through themselves, if no fewer hold the words
_FEW_BLOCKS = 64  # that are asked for by their words
_BLOCK = 12  # bits of a number: texts of one block are one word more of a server's index
_BEFORE, _AFTER = 60, 160
_WAIT_MS, _TRY_AGAIN_S = 10_000, 60.0
_NOT_YET: Sequence[Any] = (0, b"", 0)
_APART = "\x01"  # in an index, what makes a gram of two Han characters
_PAIRS = "string_to_array(han, chr(1))"
_BLOCKS = f"ARRAY[number >> {_BLOCK}]"
_WAYS = {"question": (">", "ASC"), "answer": ("<", "DESC"), "reasoning": ("<", "DESC")}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_MAKE_SEEN = (
    "CREATE TABLE IF NOT EXISTS search_seen"
    " (kind text PRIMARY KEY, number bigint, key bytea, n bigint)",
    *(
        f"INSERT INTO search_seen VALUES ('{kind}', 0, '', 0) ON CONFLICT DO NOTHING"
        for kind in KINDS
    ),
)
# Whoever may read the store's texts may read the index, and who may add some may make it.
_GRANT = """DO $$ DECLARE may record; BEGIN
  FOR may IN SELECT DISTINCT privilege_type AS what, CASE grantee WHEN 'PUBLIC'
               THEN 'PUBLIC' ELSE quote_ident(grantee) END AS who
     FROM information_schema.role_table_grants
    WHERE table_schema = current_schema() AND table_name = 'texts'
      AND grantee <> current_user AND privilege_type IN ('SELECT', 'INSERT')
  LOOP
    EXECUTE 'GRANT ' || CASE may.what WHEN 'SELECT' THEN 'SELECT' ELSE 'ALL' END
      || ' ON search_seen, search_question, search_answer, search_reasoning TO ' || may.who;
  END LOOP; END $$"""
_ANOTHER = {sqlite3.SQLITE_BUSY, "55P03", "40001", "40P01", "23505", "42P07"}
"""What the engines say where another process makes the index."""

_LACKS = "the server lacks the extension pg_trgm, of PostgreSQL's contrib package"
_NOT_HERE = {
    "42501": "this user may not write it; whoever owns the store's tables makes it by searching",
    "25006": "the server is read-only",
    "58P01": _LACKS,
    "0A000": _LACKS,
    "42704": "the extension pg_trgm is in a schema that is not looked through",
}
_BLANKS = re.compile(r"\s+")
_PART = re.compile(r'"([^"]+)"|(\S+)')
_HAN = re.compile("[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")


# words --------------------------------------------------------------------------------------------


class Words:
    """Each of the words, and each passage in double quotes, has to occur, in any order and case.

    What models write needs no escaping: a quote without its partner, ``*``, ``%``, ``_``,
    parentheses and ``AND`` are characters like others.
    """

    def __init__(self, text: str) -> None:
        found = _PART.findall(codec.readable(text))
        parts = dict.fromkeys(quoted or word for quoted, word in found)
        self.folded = [*map(folded, parts)]
        self._patterns = [re.compile(re.escape(part), re.IGNORECASE) for part in parts]

    def occur_in(self, text: str) -> bool:
        return all(pattern.search(text) for pattern in self._patterns)

    def snippet(self, text: str) -> tuple[str, str, str]:
        """The first word as it stands in a text, with what is before and behind it, on one line.

        ``¶`` stands where lines end; other characters are as they are. The beginning of the text
        where there are no words.
        """
        match = next((found for p in self._patterns if (found := p.search(text))), None)
        start, end = match.span() if match else (0, 0)
        before, behind = max(0, start - _BEFORE), end + _AFTER
        return (
            ("… " if before else "") + _one_line(text[before:start]),
            _one_line(text[start:end]),
            _one_line(text[end:behind]) + (" …" if behind < len(text) else ""),
        )


def _one_line(text: str) -> str:
    return _BLANKS.sub(lambda blanks: " ¶ " if "\n" in blanks[0] else " ", text)


def folded(text: str) -> str:
    """As an index holds it: what `re.IGNORECASE` calls equal is the same here.

    Half of a pair, which no database takes, is a question mark.

    >>> folded("Straße İ ı ſ K \\ud800")
    'strasse i i s k ?'
    """
    whole = text.encode("utf-8", "replace").decode()
    return whole.casefold().replace("\u0307", "").replace("ı", "i")


def bigrams(text: str) -> list[str]:
    """Every two Han characters that stand side by side.

    >>> bigrams("多瑙河 a b流 瑙河")
    ['多瑙', '瑙河']
    """
    pairs = (first + second for run in _HAN.findall(text) for first, second in pairwise(run))
    return list(dict.fromkeys(pairs))


# texts --------------------------------------------------------------------------------------------

_TEXTS: Mapping[Kind, tuple[Table, str, Mapping[str, Any]]] = {
    "question": (schema.items, "id identity:key content:text", {"identity>": b""}),
    "answer": (schema.responses, "id key text", {}),
    "reasoning": (schema.judgments, "id key reason:text reply_keys", {}),
}
"""Where texts are, by which hash their rows are known again, and of which items more is known."""


def question_text(content: str) -> str:
    """All that is asked: turns, options, references. Few-shot examples and metadata are not."""
    item = codec.read_item("", "", "", None, content)
    return "\n".join([*(turn.content for turn in item.turns), *item.options, *item.references])


def _texts(
    connection: Connection, kind: Kind, where: Mapping[str, Any], limit: int | None = None
) -> Iterator[tuple[int, bytes, str]]:
    """Number, key and text of rows, in their order."""
    table, columns, some = _TEXTS[kind]
    found = list(rows(connection, table, columns, {**some, **where}, order="id", limit=limit))
    keys = {one.id: codec.reply_keys(getattr(one, "reply_keys", b"")) for one in found}
    asked = sorted({key for its in keys.values() for key in its})
    replies = {
        one.key: (one.reasoning, one.text)
        for one in rows(connection, schema.replies, "key reasoning text", {"key": asked})
    }
    for one in found:
        own = question_text(one.text) if kind == "question" else one.text
        said = (part for key in keys[one.id] for part in replies.get(key, ()))
        yield one.id, one.key, "\n".join(filter(None, (*said, own)))[:SEARCHED_CHARS]


# places -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a hit must be about; None for whatever it is.

    Questions have no model, and only what judges wrote has a judge, a verdict and a mark: where
    these are asked for, the others are not searched. Models and judges by their short ids,
    ``verdict`` as in `judgebench.store.codec.KINDS`.
    """

    benchmark: str | None = None
    version: str | None = None
    category: str | None = None
    model: str | None = None
    judge: str | None = None
    verdict: str | None = None
    mark: str | None = None
    kinds: tuple[Kind, ...] = KINDS

    @property
    def searched(self) -> list[Kind]:
        """The kinds that these filters leave, in the order of the hits."""
        first = 2 if self.judge or self.verdict or self.mark else 1 if self.model else 0
        return [kind for kind in KINDS[first:] if kind in self.kinds]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A text that holds the words, and where it stands.

    ``model`` and ``judge`` are short ids. ``places`` says at how many places the text stands, of
    which this is one. ``snippet`` is what is before the first word, the word, and what is behind.
    """

    kind: Kind
    number: int
    benchmark: str
    version: str
    item_id: str
    category: str | None
    model: str | None = None
    opponent: str | None = None
    judge: str | None = None
    sample: int = 0
    turn: int = 0
    order: str = "single"
    at: float | None = None
    places: int = 1
    snippet: tuple[str, str, str] = ("", "", "")


_PLACE = (
    "benchmark.name:benchmark benchmark.version item.item_id item.category model.short:model"
    " sample turn"
)
_PLACES: Mapping[Kind, tuple[Table, str, str]] = {
    "question": (schema.items, "id", "benchmark.name:benchmark benchmark.version item_id category"),
    "answer": (schema.answers, "response_id", f"{_PLACE} response.at"),
    "reasoning": (
        schema.uses, "judgment_id",
        f"{_PLACE} opponent.short:opponent judge.short:judge shown:order judgment.at",
    ),
}  # fmt: skip
"""Where texts stand: by which number, and what is told of a place."""


def stands(
    connection: Connection, kind: Kind, numbers: Collection[int], wanted: Filters
) -> dict[int, Hit]:
    """Of the rows of these numbers that the filters leave, the first place of each.

    A place is looked up by its number alone, and what is asked of it is looked at then: an engine
    that was asked for both would go through all that a judge or model has.
    """
    table, number, told = _PLACES[kind]
    if kind == "reasoning" and (wanted.verdict or wanted.mark):
        # Marks are a JSON list of names, those of a pair with /0 or /1 behind them.
        verdict = wanted.verdict and codec.KINDS.index(wanted.verdict)
        its = {"id": numbers, "kind": verdict}
        numbers = [
            one.id
            for one in rows(connection, schema.judgments, "id marks", its)
            if wanted.mark is None or f'"{wanted.mark}' in (one.marks or "")
        ]
    asked = {name: value for name in _ASKED if (value := getattr(wanted, name)) is not None}
    there = [
        one
        for one in rows(
            connection, table, f"{number}:number {told}", {number: numbers}, distinct=True
        )
        if all(getattr(one, name) == value for name, value in asked.items())
    ]
    places = Counter(one.number for one in there)
    return {
        one.number: Hit(kind=kind, places=places[one.number], **values(one))
        for one in reversed(there)
    }


_ASKED = ("benchmark", "version", "category", "model", "judge")
"""What filters ask of a place."""


def _few(connection: Connection, index: Index, kind: Kind, wanted: Filters) -> list[int] | None:
    """All rows of a benchmark, judge and model, in the order of hits; None where there are many."""
    table, number, _ = _PLACES[kind]
    if kind == "question" or (wanted.benchmark, wanted.judge, wanted.model) == (None,) * 3:
        return None
    by = [(schema.benchmarks, {"name": wanted.benchmark, "version": wanted.version})]
    by += [(schema.judges, {"short": wanted.judge})] if kind == "reasoning" else []
    by += [(schema.models, {"short": wanted.model})] if wanted.model else []
    where = {  # the beginning of the key of the table
        f"{of.name.removesuffix('s')}_id": [one.id for one in rows(connection, of, "id", its)]
        for of, its in by
    }
    with index.one_by_one(connection):
        left = [one[0] for one in rows(connection, table, number, where, limit=_MOST_LEFT + 1)]
    return sorted({*left}, reverse=True) if len(left) <= _MOST_LEFT else None


# the index ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of the store is in its index; ``rows`` is about how many there are.

    ``why`` says that it does not grow, or is not read, and why, or who changes that.
    """

    indexed: int
    rows: int
    why: str = ""

    @property
    def complete(self) -> bool:
        return self.indexed == self.rows


class Index(ABC):
    """What the indexes of both engines have in common. To be used from one thread.

    The table ``search_seen`` says of each kind how far its index reaches: the number and the key
    of the last text in it, and how many it has passed. It is written with the texts, in one
    commit: an end at any time loses what was not in it yet, and nothing is in it twice.
    """

    sql: ClassVar[Mapping[str, str]]
    """``state`` asks whether there is one, why it cannot be read, if all scripts have grams."""

    make: ClassVar[Sequence[str]]
    begin: ClassVar[Sequence[str]]
    plain: ClassVar[Sequence[str]] = ()
    """What is said before a search, in which few rows are looked up by their numbers."""

    numbers_again = False
    """Whether the number of a row that went may be that of another one later."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.seen: dict[Kind, Sequence[Any]] = {}
        self.newest: dict[Kind, int] = {}

    def look(self, connection: Connection) -> Coverage:
        """How far it reaches: not at all where it is of a store that was replaced by another.

        The index is read before anything of the store: what another process indexes meanwhile is
        not in it.
        """
        there, why, self.any_script = self._ask(connection, self.sql["state"])[0]
        seen = "SELECT kind, number, key, n FROM search_seen"
        known = self._ask(connection, seen) if there and not why else ()
        self.seen = dict.fromkeys(KINDS, _NOT_YET) | {kind: its for kind, *its in known}
        for kind, (table, columns, some) in _TEXTS.items():
            newest = row(connection, table, "id", some, order="-id")
            self.newest[kind] = newest.id if newest else 0
            number, key, n = self.seen[kind]
            its = row(connection, table, columns.split()[1], {"id": number})
            replaced = number and (its.key != key if its else self.numbers_again)
            # Items may be known by id alone when they are passed, and have a question later.
            passed = {**some, "id<": number + 1} if kind == "question" else None
            if replaced or (passed and row(connection, table, "count()", passed)[0] != n):
                self.seen[kind] = _NOT_YET
        reached = (min(self.seen[kind][0], last) for kind, last in self.newest.items())
        return Coverage(indexed=sum(reached), rows=sum(self.newest.values()), why=why)

    def grow(self) -> bool:
        """Take in a portion of what is new, in one commit; whether there is more.

        Raises
        ------
        StoreError
            Also where another process is at it.
        """
        with self._portion() as connection:
            deadline = time.monotonic() + _PORTION_S
            if self.look(connection).complete:
                return False
            for kind in KINDS:
                number, key, n = self.seen[kind]
                if not number:
                    self._ask(connection, self.sql["empty"].format(kind=kind))
                while time.monotonic() < deadline:
                    texts = list(_texts(connection, kind, {"id>": number}, _PORTION))
                    if not texts:
                        break
                    number, key, _ = texts[-1]
                    n += len(texts)
                    bodies = (
                        (at, folded(text)) for at, _, text in texts if text or kind != "reasoning"
                    )
                    put = [(at, body, self._pairs(body)) for at, body in bodies]
                    if put:
                        self._ask(connection, self.sql["put"].format(kind=kind), put)
                seen = "UPDATE search_seen SET number = ?, key = ?, n = ? WHERE kind = ?"
                self._ask(connection, seen, (number, key, n, kind))
        return True

    @contextmanager
    def _portion(self) -> Iterator[Connection]:
        """A commit of the index, which is made first if need be, and a snapshot of the store."""
        with self.store.snapshot() as connection:
            for statement in () if self._ask(connection, self.sql["state"])[0][0] else self.make:
                self._ask(connection, statement)
        with self.store.snapshot() as connection:
            for statement in self.begin:
                self._ask(connection, statement)
            yield connection
            self._ask(connection, self.sql["end"])

    @contextmanager
    def one_by_one(self, connection: Connection) -> Iterator[None]:
        """Inside, the first rows of perhaps very many are asked for."""
        yield

    @abstractmethod
    def _pairs(self, text: str) -> str:
        """Every two Han characters, beside the text."""

    @abstractmethod
    def pages(self, connection: Connection, kind: Kind, words: Words) -> Ask | None:
        """What asks for rows in which the words may occur; None where no index narrows it down.

        To be called after `look`.
        """

    @abstractmethod
    def _ask(self, connection: Connection, sql: str, values: Sequence[Any] = ()) -> Sequence[Any]:
        """The rows of a statement to the index; a list of values has it done for each of them."""


class FileIndex(Index):
    """The index of a store in a file: a file beside it."""

    sql: ClassVar = {
        "state": "SELECT count(*), '', 1 FROM sqlite_master WHERE name = 'search_seen'",
        "put": "INSERT INTO search_{kind} (rowid, body) VALUES (?, ? || ' ' || ?)",
        "empty": "INSERT INTO search_{kind} (search_{kind}) VALUES ('delete-all')",
        "end": "COMMIT",
    }
    # Positions of grams would make the index three times as large, and save little: the texts are
    # looked at anyway.
    make = (
        "BEGIN IMMEDIATE",
        *_MAKE_SEEN,
        *(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS search_{kind} USING fts5(body, content='',"
            " columnsize=0, detail=none, tokenize='trigram case_sensitive 1')"
            for kind in KINDS
        ),
        f"PRAGMA user_version = {OURS}",
        "COMMIT",
    )
    begin = ("PRAGMA busy_timeout = 0", "BEGIN IMMEDIATE", f"PRAGMA busy_timeout = {_WAIT_MS}")
    numbers_again = True

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.path = index_path(store.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = _opened(self.path)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the search index {self.path} cannot be opened: {error}") from error

    def close(self) -> None:
        self.connection.close()

    def _ask(self, connection: Connection, sql: str, values: Sequence[Any] = ()) -> Sequence[Any]:
        run = self.connection.executemany if isinstance(values, list) else self.connection.execute
        try:
            return run(sql, values).fetchall()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                raise StoreError(
                    f"the search index {self.path} failed ({error}); make room if the disk is full,"
                    " or delete that file: it is made anew"
                ) from error
            self.path.unlink(missing_ok=True)
            raise StoreError(
                f"the search index {self.path} was damaged and has been removed; search again,"
                " and it is made anew"
            ) from error

    def _pairs(self, text: str) -> str:
        return " ".join(map(_APART.join, _HAN.findall(text)))

    def pages(self, connection: Connection, kind: Kind, words: Words) -> Ask | None:
        grams = [part[n : n + GRAM] for part in words.folded for n in range(len(part) - GRAM + 1)]
        short = (part for part in words.folded if len(part) < GRAM)
        grams += [_APART.join(pair) for part in short for pair in bigrams(part)]
        if not grams:
            return None
        quoted = ('"' + gram.replace('"', '""') + '"' for gram in dict.fromkeys(grams))
        match = " AND ".join(islice(quoted, _MOST_GRAMS))
        comes, order = _WAYS[kind]
        query = (
            f"SELECT rowid FROM search_{kind} WHERE search_{kind} MATCH ? AND rowid {comes} ?"
            f" AND rowid <= ? ORDER BY rowid {order} LIMIT ?"
        )
        reached = self.seen[kind][0]  # what came into it since is looked through beside it

        def page(beyond: int, size: int) -> tuple[Sequence[int], int | None]:
            asked = match, beyond, reached, size
            found = [number for (number,) in self._ask(connection, query, asked)]
            return found, found[-1] if len(found) == size else None

        return page


def index_path(store: Path) -> Path:
    """Beside the store; in the user's cache where nothing may be written beside it."""
    beside = store.with_name(store.name + "-search")
    if os.access(beside if beside.exists() else store.parent, os.W_OK):
        return beside
    import platformdirs

    known = hashlib.sha256(str(store.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return Path(platformdirs.user_cache_dir("judgebench")) / "search" / f"{known[:16]}.db"


def _opened(path: Path) -> sqlite3.Connection:
    """A file that is damaged, no index, or one of another form, gives way to a new one."""
    connection = sqlite3.connect(
        path, timeout=_WAIT_MS / 1000, isolation_level=None, check_same_thread=False
    )
    try:
        # Spilling would lock readers out. There is no log: nothing needs checkpoints, and readers
        # wait only while one commits.
        connection.executescript("PRAGMA cache_size = -65536; PRAGMA cache_spill = OFF")
        if connection.execute("PRAGMA user_version").fetchone()[0] in (0, OURS):
            return connection
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _DAMAGED:
            raise
    connection.close()
    path.unlink()
    return _opened(path)


class ServerIndex(Index):
    """The index of a store on a server: tables of their own, with the texts in lower case."""

    sql: ClassVar = {
        "state": "SELECT seen IS NOT NULL, CASE WHEN NOT has_table_privilege(seen, 'SELECT')"
        " THEN 'cannot be read by this user; its owner changes that with GRANT SELECT ON"
        " search_seen, search_question, search_answer, search_reasoning TO '"
        " || quote_ident(current_user)"
        " ELSE '' END, datctype NOT IN ('C', 'POSIX')"
        " FROM pg_database, to_regclass('search_seen') seen WHERE datname = current_database()",
        "put": "INSERT INTO search_{kind} VALUES (?, ?, ?)",
        "empty": "DELETE FROM search_{kind}",
        "end": "SELECT 1",
    }
    make = (
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        *_MAKE_SEEN,
        *(
            f"CREATE TABLE search_{kind} (number bigint PRIMARY KEY, body text, han text); "
            f"CREATE INDEX search_{kind}_words ON search_{kind}"
            f" USING gin (body gin_trgm_ops, ({_PAIRS}), ({_BLOCKS}))"
            for kind in KINDS
        ),
        _GRANT,
    )
    begin = ("SELECT 1 FROM search_seen FOR UPDATE NOWAIT",)
    # A server that knows little of its tables takes few rows for many, and reads whole ones.
    plain = tuple(
        f"SET LOCAL {name} = off"
        for name in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit")
    )

    @contextmanager
    def one_by_one(self, connection: Connection) -> Iterator[None]:
        """It would gather all that a judge has before it hands out the first."""
        self._ask(connection, "SET LOCAL enable_bitmapscan = off")
        yield
        self._ask(connection, "SET LOCAL enable_bitmapscan = on")

    def _ask(self, connection: Connection, sql: str, values: Sequence[Any] = ()) -> Sequence[Any]:
        found = connection.exec_driver_sql(sql.replace("?", "%s"), values)
        return found.all() if found.returns_rows else ()

    def _pairs(self, text: str) -> str:
        return _APART.join(bigrams(text))

    def pages(self, connection: Connection, kind: Kind, words: Words) -> Ask | None:
        """By blocks of texts, of which more at once the fewer matches there were in the last.

        What stands in few texts is found by the index alone.
        """
        indexed = re.compile(r"[^\W_]{3}" if self.any_script else "[a-z0-9]{3}")
        pairs = [pair for part in words.folded for pair in bigrams(part)]
        if not (pairs or any(map(indexed.search, words.folded))):
            return None
        asked: list[Any] = ["%" + re.sub(r"([\\%_])", r"\\\1", part) + "%" for part in words.folded]
        # The index goes through all it has for what has no gram of three.
        holds = " AND ".join(
            "body LIKE ?" if indexed.search(part) else "body || '' LIKE ?" for part in words.folded
        )
        holds += f" AND {_PAIRS} @> ?::text[]" * bool(pairs)
        asked += [pairs] * bool(pairs)
        # By the index of words alone, not by that of numbers, which has no words.
        held = f"SELECT number FROM search_{kind} WHERE number + 0 BETWEEN ? AND ? AND {holds}"
        reached, forwards = self.seen[kind][0], kind == "question"
        width, wider = 1, 16  # blocks that are asked for at once

        def page(beyond: int, size: int) -> tuple[Sequence[int], int | None]:
            nonlocal width, wider
            first, last = beyond + 1, min(beyond - 1, reached)
            while True:
                if forwards:
                    last = min(((first >> _BLOCK) + width << _BLOCK) - 1, reached)
                else:
                    first = max((last >> _BLOCK) + 1 - width << _BLOCK, 0)
                blocks = [*range(first >> _BLOCK, (last >> _BLOCK) + 1)]
                few = len(blocks) <= _FEW_BLOCKS
                most = _MOST_MATCHES if len(blocks) > 1 else 1 << _BLOCK
                given = first, last, *asked, *([blocks] if few else []), most + 1
                sql = f"{held}{f' AND {_BLOCKS} && ?::bigint[]' * few} LIMIT ?"
                found = sorted(one[0] for one in self._ask(connection, sql, given))
                if len(found) <= most:
                    break
                width, wider = len(blocks) // 4 or 1, 1
            width *= wider if len(found) < size // 4 else 1
            if forwards:
                return found, None if last == reached else last
            return found[::-1], first or None

        return page


def forget_gone(connection: Connection) -> None:
    """Take texts out of the tables on a server whose rows the store has forgotten.

    SQLite's index holds no texts: what it finds is looked up in the store.
    """
    there = ServerIndex.sql["state"]
    if connection.dialect.name != "sqlite" and connection.exec_driver_sql(there).one()[0]:
        for kind, (table, *_) in _TEXTS.items():
            connection.exec_driver_sql(
                f"DELETE FROM search_{kind} s WHERE NOT EXISTS"
                f" (SELECT FROM {table.name} t WHERE t.id = s.number)"
            )


def index_of(store: Store) -> AbstractContextManager[Index]:
    """The index of a store, for a moment and one thread."""
    if located(store.url).path is None:
        return nullcontext(ServerIndex(store))  # whose connection is the store's
    return closing(FileIndex(store))


# making it ----------------------------------------------------------------------------------------


class _Builder(threading.Thread):
    """Makes the index of a store until all is in it. It may end at any time: a portion is whole."""

    why, again_at = "", 0.0

    def __init__(self, url: str, in_s: float) -> None:
        super().__init__(name="search index", daemon=True)
        self.url, self.in_s = url, in_s

    def run(self) -> None:
        time.sleep(self.in_s)
        in_a_file = located(self.url).path is not None
        try:
            with (
                open_store(self.url, read_only=in_a_file, create=False) as store,
                index_of(store) as index,
            ):
                while index.grow():
                    pass
        except StoreError as error:
            said = getattr(error.__cause__, "orig", error.__cause__)
            state = getattr(said, "sqlstate", None) or getattr(said, "sqlite_errorcode", None)
            if state not in _ANOTHER:
                self.why = f"does not grow here: {_NOT_HERE.get(state or '', str(error))}"
                self.again_at = time.monotonic() + _TRY_AGAIN_S


_builders: dict[str, _Builder] = {}
"""The last of each store, by its address."""


def make_index(store: Store, for_s: float, maker: str | None = None) -> Coverage:
    """Have the index made beside, wait for it so many seconds at most, and say how far it is.

    Parameters
    ----------
    maker
        The address of the same store for a user who may write its index, where that of ``store``
        may not.

    Raises
    ------
    StoreError
        Where the index cannot be made or read.
    """
    with index_of(store) as index:
        return _made(index, for_s, maker or store.url)


def _made(index: Index, for_s: float, url: str, most: float = math.inf) -> Coverage:
    """As `make_index`; where more texts than ``most`` are lacking, nobody waits for it, and who
    searches goes first."""
    with index.store.snapshot() as connection:
        coverage = index.look(connection)
    if coverage.complete or coverage.why:
        return coverage
    many = coverage.rows - coverage.indexed > most
    builder = _builders.get(url)
    if builder is None or not (builder.is_alive() or time.monotonic() < builder.again_at):
        builder = _builders[url] = _Builder(url, _LATER_S if many else 0.0)
        builder.start()  # of two at once one ends at once
    builder.join(0.0 if many else for_s)
    with index.store.snapshot() as connection:
        coverage = index.look(connection)
    return replace(coverage, why=coverage.why or builder.why)


# search -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of hits. ``then`` is where the next one begins, None where there is no more.

    ``looked_at`` is the number of texts that were read for it. Where the time was over before the
    page was full, there are fewer hits than a page holds and ``then`` is where to go on.
    ``by_index`` is False where no index holds such words, so that texts were read one by one.
    """

    hits: Sequence[Hit]
    then: Begin | None = None
    looked_at: int = 0
    by_index: bool = True
    coverage: Coverage


def search(
    store: Store,
    words: str,
    filters: Filters | None = None,
    *,
    begin: Begin | None = None,
    limit: int = PAGE,
    for_s: float = 1.0,
    maker: str | None = None,
) -> Found:
    """Look for words (`Words`), questions first, then answers, then reasoning.

    Questions come in the order of their benchmark, of the rest the newest first. Before, what is
    new goes into the index, which is waited for for half of the time at most, and not at all where
    it lacks many; it is made further beside. Of what is not in it yet the newest few are looked
    through; the rest is not found, and `Coverage` says so.

    Parameters
    ----------
    begin
        The ``then`` of the page before.
    for_s
        Seconds after which a page is given back although it is not full, or sooner where the next
        texts, if they took as long as the last ones, would not be read by then.
    maker
        As for `make_index`.

    Raises
    ------
    StoreError
        Where the index cannot be made or read.
    """
    asked, wanted = Words(words), filters or Filters()
    hits: list[Hit] = []
    looked_at, by_index = 0, True
    then: Begin | None = None
    deadline = time.monotonic() + for_s
    with index_of(store) as index:
        coverage = _made(index, for_s / 2, maker or store.url, _SOON)
        with store.snapshot() as connection:
            for statement in index.plain:
                index._ask(connection, statement)
            last = time.monotonic()
            for kind, indexed, numbers, beyond in _batches(connection, index, asked, wanted, begin):
                now = time.monotonic()
                if then is not None and now + (now - last) > deadline:
                    break
                last, then = now, (kind, beyond)
                looked_at += len(numbers)
                by_index = by_index and indexed
                hits += _hits(connection, kind, numbers, asked, wanted)
                if len(hits) > limit:
                    hits = hits[:limit]
                    then = hits[-1].kind, hits[-1].number
                    break
            else:
                then = None
    return Found(hits=hits, then=then, looked_at=looked_at, by_index=by_index, coverage=coverage)


def count(
    store: Store,
    words: str,
    filters: Filters | None = None,
    *,
    for_s: float = 1.0,
    maker: str | None = None,
) -> tuple[int, bool]:
    """How many hits there are, `MOST_COUNTED` at most, and whether these are all."""
    found = search(store, words, filters, limit=MOST_COUNTED, for_s=for_s, maker=maker)
    return len(found.hits), found.then is None and found.coverage.complete


def _batches(
    connection: Connection, index: Index, words: Words, wanted: Filters, begin: Begin | None
) -> Iterator[tuple[Kind, bool, Sequence[int], int]]:
    """Of each kind what its index has, and what it has not yet, in the order of the hits.

    With whether an index says so, and the number behind which to go on.
    """
    first, start = begin or (KINDS[0], 0)
    left = KINDS[KINDS.index(first) :]
    for kind in (kind for kind in wanted.searched if kind in left):
        reached, begins = index.seen[kind][0], start if kind == first else _END
        matches = index.pages(connection, kind, words) if reached else None
        asks = [matches] if matches else []
        if (few := _few(connection, index, kind, wanted)) is not None:
            asks = [_of(few if matches is None else _among(matches, few, reached))]
        elif not matches or index.newest[kind] - reached <= _LAG:
            asks.append(_scan(connection, kind, reached if matches else 0))
        for ask in asks if kind == "question" else reversed(asks):
            beyond: int | None = begins
            size = portion = _FIRST_BATCH
            while beyond is not None:
                found, beyond = ask(beyond, size)
                while found:
                    some, found = found[:portion], found[portion:]
                    yield kind, matches is not None, some, some[-1]
                    portion = min(2 * portion, _LARGEST_BATCH)
                if beyond is not None:
                    yield kind, matches is not None, [], beyond
                size = min(4 * size, _LARGEST_BATCH)


def _among(matches: Ask, numbers: Sequence[int], reached: int) -> Sequence[int]:
    """Of some rows, from the last on, those that may hold the words: all if very many others do."""
    found: set[int] = set()
    beyond: int | None = numbers[0] + 1 if numbers else None
    while beyond is not None and beyond > numbers[-1]:
        if len(found) >= _LARGEST_BATCH:
            return numbers
        some, beyond = matches(beyond, _LARGEST_BATCH)
        found.update(some)
    return [one for one in numbers if one in found or one > reached]


def _of(numbers: Sequence[int]) -> Ask:
    """Goes through these rows, from the last on."""

    def page(beyond: int, size: int) -> tuple[Sequence[int], int | None]:
        left = [one for one in numbers if one < beyond]
        return left[:size], left[size - 1] if len(left) > size else None

    return page


def _scan(connection: Connection, kind: Kind, above: int) -> Ask:
    """Goes through all rows there are, above one."""
    table, _, some = _TEXTS[kind]

    def page(beyond: int, size: int) -> tuple[Sequence[int], int | None]:
        order, where = "-id", {"id>": above, "id<": beyond}
        if kind == "question":
            order, where = "id", {"id>": max(above, beyond)}
        there = rows(connection, table, "id", {**some, **where}, order=order, limit=size)
        found = [one.id for one in there]
        return found, found[-1] if len(found) == size else None

    return page


def _hits(
    connection: Connection, kind: Kind, numbers: Sequence[int], words: Words, wanted: Filters
) -> list[Hit]:
    """Those that hold the words, of which no index is sure, in the order of the numbers.

    Filters leave less than words do, and cost less than texts.
    """
    narrow = replace(wanted, kinds=KINDS) != Filters()
    places = stands(connection, kind, numbers, wanted) if narrow else {}
    texts = {
        number: text
        for number, _, text in _texts(connection, kind, {"id": places if narrow else numbers})
        if (text or kind != "reasoning") and words.occur_in(text)
    }
    if not narrow:
        places = stands(connection, kind, texts, wanted)
    return [
        replace(places[number], snippet=words.snippet(texts[number]))
        for number in numbers
        if number in places and number in texts
    ]
