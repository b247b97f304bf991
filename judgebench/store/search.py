"""Where words stand in a store: questions, answers and what judges wrote, a page at a time.

Two indexes, one for each engine, say in which texts words may stand; the store says whether they
do. SQLite's is a file of its own beside the store (FTS5, grams of three characters), which holds
no text and may be deleted at any time. PostgreSQL's are tables of its own (``pg_trgm``), filled
in portions; no writer of the store knows of either or waits for it. Grams of two Han characters
have an index of their own. What no index holds is looked for in the store itself, as long as the
time lasts.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, NoReturn, TypeAlias

from sqlalchemy import Connection, Select, func, select

from judgebench.errors import StoreError
from judgebench.store import schema
from judgebench.store.codec import KINDS as VERDICTS
from judgebench.store.codec import ORDERS, read_item, readable, reply_keys
from judgebench.store.database import chunks
from judgebench.store.opening import located, open_store
from judgebench.store.store import Store

Kind: TypeAlias = Literal["question", "answer", "reasoning"]
KINDS: tuple[Kind, ...] = ("question", "answer", "reasoning")
Begin: TypeAlias = tuple[Kind, int | None]
Ask: TypeAlias = Callable[[int, int], tuple[Sequence[int], int | None]]
"""Numbers of rows behind one, about so many; and where to go on, None where there are no more.

Questions come in the order of their benchmark, of the rest the newest first.
"""

PAGE = 25
"""Hits on one page."""

SEARCHED_CHARS = 100_000
"""How much of the beginning of a text is searched."""

MOST_COUNTED = 1000
"""Hits that are counted at most."""

GRAM = 3
"""Characters of a gram, the unit of the index."""

OURS = (0x6A626373, 2)
"""What SQLite's header says of an index of ours: ``jbcs``, and its form. Another is made anew."""

_PORTION, _PORTION_S = 500, 2.0  # rows of one insert, and seconds of one commit
_LAG = 2000  # texts that are not in the index yet, and are looked through all the same
_FIRST_BATCH, _LARGEST_BATCH = 100, 4000
_END = 2**62
_MOST_GRAMS = 48  # of one word: a longer one is told apart by the text itself
_MOST_MATCHES = 3000  # that are put in order, where the server finds more it goes through texts
_BEFORE, _AFTER = 60, 160
_WAIT_MS, _TRY_AGAIN_S = 10_000, 60.0
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_WAYS = {"question": (">", "ASC"), "answer": ("<", "DESC"), "reasoning": ("<", "DESC")}
_SEEN = "SELECT kind, number, key, n FROM search_seen"
# Positions of grams would make the index three times as large, and save little: the texts are
# looked at anyway.
_MAKE_FILE = "\n".join(
    [
        "BEGIN IMMEDIATE;",
        "CREATE TABLE IF NOT EXISTS search_seen (kind PRIMARY KEY, number, key, n);",
        *(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS search_{kind}{which} USING"
            f" fts5(body, content='', columnsize=0, detail=none, tokenize='{cut}');"
            for kind in KINDS
            for which, cut in (("", "trigram case_sensitive 1"), ("_han", "ascii"))
        ),
        *(f"INSERT OR IGNORE INTO search_seen VALUES ('{kind}', 0, x'', 0);" for kind in KINDS),
        f"PRAGMA application_id = {OURS[0]}; PRAGMA user_version = {OURS[1]}; COMMIT",
    ]
)
# Whoever may read the store's texts may read these, and whoever may add some may make the index.
_MAKE_TABLES = "\n".join(
    [
        "CREATE EXTENSION IF NOT EXISTS pg_trgm;",
        "CREATE TABLE search_seen (kind text PRIMARY KEY, number bigint, key bytea, n bigint);",
        *(
            f"INSERT INTO search_seen VALUES ('{kind}', 0, '', 0);"
            f" CREATE TABLE search_{kind} (number bigint PRIMARY KEY, body text, han int4[]);"
            f" CREATE INDEX ON search_{kind} USING gin (body gin_trgm_ops);"
            f" CREATE INDEX ON search_{kind} USING gin (han);"
            for kind in KINDS
        ),
        """DO $$ DECLARE may record; BEGIN
             FOR may IN SELECT DISTINCT privilege_type AS what, CASE grantee WHEN 'PUBLIC'
                          THEN 'PUBLIC' ELSE quote_ident(grantee) END AS who
                FROM information_schema.role_table_grants
               WHERE table_schema = current_schema() AND table_name = 'texts'
                 AND grantee <> current_user AND privilege_type IN ('SELECT', 'INSERT')
             LOOP
               EXECUTE 'GRANT ' || CASE may.what WHEN 'SELECT' THEN 'SELECT' ELSE 'ALL' END
                 || ' ON search_seen, search_question, search_answer, search_reasoning TO '
                 || may.who;
             END LOOP; END $$""",
    ]
)
_ANOTHER = {"55P03", "40001", "40P01", "23505", "42P07"}
"""What PostgreSQL says where another process makes the index."""

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


@dataclass(frozen=True)
class Words:
    """Each of the words, and each passage in double quotes, has to occur, in any order and case.

    What models write needs no escaping: a quote without its partner, ``*``, ``%``, ``_``,
    parentheses and ``AND`` are characters like others.
    """

    text: str

    @cached_property
    def parts(self) -> tuple[str, ...]:
        found = _PART.findall(readable(self.text))
        return tuple(dict.fromkeys(quoted or word for quoted, word in found))

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(re.escape(part), re.IGNORECASE) for part in self.parts)

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

    >>> folded("Straße İ ı ſ K")
    'strasse i i s k'
    """
    return text.casefold().replace("\u0307", "").replace("ı", "i")


def bigrams(text: str) -> set[str]:
    """Every two Han characters that stand side by side.

    >>> sorted(bigrams("多瑙河 a b流"))
    ['多瑙', '瑙河']
    """
    return {first + second for run in _HAN.findall(text) for first, second in pairwise(run)}


# texts --------------------------------------------------------------------------------------------


class SearchText(NamedTuple):
    """A text with the number of its row, and a hash by which that row is known again."""

    number: int
    key: bytes
    text: str


_b, _i, _a, _r, _u, _j, _p, _m = (
    schema.benchmarks.c, schema.items.c, schema.answers.c, schema.responses.c, schema.uses.c,
    schema.judgments.c, schema.replies.c, schema.models.c,
)  # fmt: skip
_text, _thought = schema.texts.alias("text"), schema.texts.alias("thought")
_body, _thoughts = (func.substr(one.c.body, 1, SEARCHED_CHARS) for one in (_text, _thought))
_NUMBER = {"question": _i.id, "answer": _r.id, "reasoning": _j.id}
_ROWS: dict[Kind, Select[Any]] = {
    "question": select(_i.id, _i.identity, _text.c.body)
    .join(_text, _text.c.sha == _i.content_sha)
    .where(_i.identity.is_not(None)),
    # Answers of a trial on another stack stand at no place, and are found at none.
    "answer": select(_r.id, _r.key, _body)
    .join(_text, _text.c.sha == _r.text_sha)
    .where(select(_a.response_id).where(_a.response_id == _r.id).exists()),
    "reasoning": select(_j.id, _j.key, _body, _j.reply_keys)
    .select_from(schema.judgments)
    .outerjoin(_text, _text.c.sha == _j.reason_sha),
}
_SAID = (
    select(_p.key, _thoughts, _body)
    .join(_text, _text.c.sha == _p.text_sha)
    .outerjoin(_thought, _thought.c.sha == _p.reasoning_sha)
)


def question_text(content: str) -> str:
    """All that is asked: turns, options, references. Few-shot examples and metadata are not."""
    item = read_item("", "", "", None, content)
    return "\n".join([*(turn.content for turn in item.turns), *item.options, *item.references])


def _read(connection: Connection, kind: Kind, query: Select[Any]) -> Iterator[SearchText]:
    rows = connection.execute(query).all()
    said: dict[bytes, Sequence[str | None]] = {}
    if kind == "reasoning":
        keys = {key for row in rows for key in reply_keys(row[3])}
        for portion in chunks(sorted(keys)):
            for key, *texts in connection.execute(_SAID.where(_p.key.in_(portion))):
                said[key] = texts
    for number, key, body, *asked in rows:
        replies = (said.get(reply, ()) for blob in asked for reply in reply_keys(blob))
        own = question_text(body) if kind == "question" else body
        text = "\n".join(one for one in (*chain(*replies), own) if one)
        yield SearchText(number, key, text[:SEARCHED_CHARS])


def _last(connection: Connection, kind: Kind) -> int:
    """The greatest number of a kind: about how many there are."""
    return connection.execute(select(func.max(_NUMBER[kind]))).scalar() or 0


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
    def narrow(self) -> bool:
        """Whether they leave anything out but kinds."""
        return replace(self, kinds=KINDS) != Filters()

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


_other, _g = schema.models.alias("opponent"), schema.judges.c
_all, _these = schema.benchmarks.alias("all_benchmarks"), schema.judgments.alias("these")
_ITEM = (_b.name.label("benchmark"), _b.version, _i.item_id, _i.category)
_STANDS: dict[Kind, Select[Any]] = {
    "question": select(_i.id.label("number"), *_ITEM).join(
        schema.benchmarks, _b.id == _i.benchmark_id
    ),
    "answer": select(
        _r.id.label("number"), *_ITEM, _m.short.label("model"), _a.sample, _a.turn, _r.at
    )
    .select_from(schema.responses)
    .join(schema.answers, _a.response_id == _r.id)
    .join(schema.items, _i.id == _a.item_id)
    .join(schema.benchmarks, _b.id == _a.benchmark_id)
    .join(schema.models, _m.id == _a.model_id),
    "reasoning": select(
        _u.judgment_id.label("number"), *_ITEM, _m.short.label("model"),
        _other.c.short.label("opponent"), _g.short.label("judge"), _u.sample, _u.turn,
        _u.shown.label("order"), _j.at,
    )
    .select_from(schema.uses)
    .join(schema.judgments, _j.id == _u.judgment_id)
    .join(schema.items, _i.id == _u.item_id)
    .join(schema.benchmarks, _b.id == _u.benchmark_id)
    .join(schema.models, _m.id == _u.model_id)
    .join(schema.judges, _g.id == _u.judge_id)
    .outerjoin(_other, _other.c.id == _u.opponent_id)
    .distinct(),
}  # fmt: skip


def stands(
    connection: Connection, kind: Kind, numbers: Collection[int], wanted: Filters
) -> Iterator[Hit]:
    """The rows of these numbers, 10,000 at most, that the filters leave, each once."""
    if not numbers:
        return
    query = _STANDS[kind].where(
        (_u.judgment_id if kind == "reasoning" else _NUMBER[kind]).in_(numbers)
    )
    asked: list[tuple[Any, Any]] = [
        (_b.name, wanted.benchmark), (_b.version, wanted.version), (_i.category, wanted.category),
        (_m.short, wanted.model), (_g.short, wanted.judge),
        (_j.kind, wanted.verdict and VERDICTS.index(wanted.verdict)),
    ]  # fmt: skip
    query = query.where(*(column == value for column, value in asked if value is not None))
    if wanted.mark is not None:  # a JSON list of names, those of a pair with /0 or /1 behind them
        query = query.where(_j.marks.contains(f'"{wanted.mark}', autoescape=True))
    if kind == "reasoning":  # ``uses`` is read by ranges of its key, once for a batch
        judges = select(_these.c.judge_id).where(_these.c.id.in_(numbers))
        query = query.where(_u.benchmark_id.in_(select(_all.c.id)), _u.judge_id.in_(judges))
    places: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(query).mappings():
        places.setdefault(row["number"], []).append(dict(row))
    for first, *more in places.values():
        first["order"] = ORDERS[first.get("order", 0)]
        yield Hit(kind=kind, places=1 + len(more), **first)


# the index ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of the store is in its index; ``rows`` is about how many there are.

    ``why`` says why it does not grow, where nobody here may write it.
    """

    indexed: int
    rows: int
    complete: bool
    why: str = ""


class Index(ABC):
    """What the indexes of both engines have in common. To be used from one thread.

    The table ``search_seen`` says of each kind how far its index reaches: the number and the key
    of the last text in it, and how many it has passed. It is written with the texts, in one
    commit: an end at any time loses what was not in it yet, and nothing is in it twice.
    """

    numbers_again: ClassVar[bool]
    """Whether the number of a row that went may be that of another one later."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.seen: dict[str, tuple[int, bytes, int]] = {}

    def look(self, connection: Connection) -> Coverage:
        """How far it reaches: not at all where it is of a store that was replaced by another.

        The index is read before anything of the store: what another process indexes meanwhile is
        not in it.
        """
        self.seen = {kind: (n, bytes(key), m) for kind, n, key, m in self._seen(connection)}
        complete = True
        for kind in KINDS:
            column, (number, key, n) = _NUMBER[kind], self.seen.get(kind, (0, b"", 0))
            rows = list(_read(connection, kind, _ROWS[kind].where(column == number)))
            if number and (rows[0].key != key if rows else self.numbers_again):
                self.seen = {}
            # Items may be known by id alone when they are passed, and have a question later.
            there = select(func.count()).select_from(_ROWS[kind].where(column <= number).subquery())
            if kind == "question" and connection.scalar(there) != n:
                self.seen.pop(kind, None)
            new = connection.execute(_ROWS[kind].where(column > number).limit(1)).first()
            complete = complete and new is None
        indexed = sum(number for number, _, _ in self.seen.values())
        rows_there = sum(_last(connection, kind) for kind in KINDS)
        if complete and len(self.seen) == len(KINDS):
            return Coverage(indexed=rows_there, rows=rows_there, complete=True)
        return Coverage(indexed=indexed, rows=rows_there, complete=False)

    def grow(self) -> bool:
        """Take in a portion of what is new, in one commit; whether there is more.

        False as well where another process is at it, and goes on.
        """
        with self._portion() as connection:
            deadline = time.monotonic() + _PORTION_S
            if connection is None or self.look(connection).complete:
                return False
            for kind in KINDS:
                number, key, n = self.seen.get(kind, (0, b"", 0))
                if not number:
                    self._empty(connection, kind)
                while time.monotonic() < deadline:
                    query = _ROWS[kind].where(_NUMBER[kind] > number).order_by(_NUMBER[kind])
                    rows = list(_read(connection, kind, query.limit(_PORTION)))
                    if not rows:
                        break
                    number, key, n = rows[-1].number, rows[-1].key, n + len(rows)
                    texts = [
                        (r.number, folded(r.text)) for r in rows if r.text or kind != "reasoning"
                    ]
                    self._put(connection, kind, texts)
                seen = "UPDATE search_seen SET number = ?, key = ?, n = ? WHERE kind = ?"
                self._ask(connection, seen, number, key, n, kind)
        return True

    @abstractmethod
    def close(self) -> None:
        """Let go of what is open."""

    @abstractmethod
    def pages(self, connection: Connection, kind: Kind, words: Words) -> Ask | None:
        """What asks for rows in which the words may occur; None where no index narrows it down.

        To be called after `look`.
        """

    @abstractmethod
    def _portion(self) -> AbstractContextManager[Connection | None]:
        """A commit of the index, and a snapshot of the store; None where another one writes."""

    @abstractmethod
    def _ask(self, connection: Connection, sql: str, *values: Any) -> Sequence[Any]:
        """The rows of a statement to the index."""

    @abstractmethod
    def _seen(self, connection: Connection) -> Sequence[Any]:
        """The rows of ``search_seen``."""

    @abstractmethod
    def _put(self, connection: Connection, kind: Kind, texts: Sequence[tuple[int, str]]) -> None:
        """Index texts by their numbers."""

    @abstractmethod
    def _empty(self, connection: Connection, kind: Kind) -> None:
        """Take out all of a kind."""


class FileIndex(Index):
    """The index of a store in a file: a file beside it."""

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

    @contextmanager
    def _portion(self) -> Iterator[Connection | None]:
        self.connection.execute("PRAGMA busy_timeout = 0")
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                self._failed(error)
            yield None
            return
        self._ask(None, f"PRAGMA busy_timeout = {_WAIT_MS}")
        with self.store.snapshot() as connection:
            yield connection
        self._ask(None, "COMMIT")

    def _failed(self, error: sqlite3.Error) -> NoReturn:
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

    def _ask(self, connection: Connection | None, sql: str, *values: Any) -> Sequence[Any]:
        try:
            return self.connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            self._failed(error)

    def _seen(self, connection: Connection) -> Sequence[Any]:
        return self._ask(connection, _SEEN)

    def _put(self, connection: Connection, kind: Kind, texts: Sequence[tuple[int, str]]) -> None:
        pairs = ((number, " ".join(found)) for number, text in texts if (found := bigrams(text)))
        for table, rows in ((f"search_{kind}", texts), (f"search_{kind}_han", pairs)):
            for row in rows:
                self._ask(connection, f"INSERT INTO {table} (rowid, body) VALUES (?, ?)", *row)

    def _empty(self, connection: Connection, kind: Kind) -> None:
        for table in (f"search_{kind}", f"search_{kind}_han"):
            self._ask(connection, f"INSERT INTO {table} ({table}) VALUES ('delete-all')")

    def pages(self, connection: Connection, kind: Kind, words: Words) -> Ask | None:
        parts = [folded(part) for part in words.parts]
        grams = [part[n : n + GRAM] for part in parts for n in range(len(part) - GRAM + 1)]
        pairs = [pair for part in parts if len(part) < GRAM for pair in bigrams(part)]
        asked = [(f"search_{kind}", grams), (f"search_{kind}_han", pairs)]
        there = [
            (table, list(dict.fromkeys(found))[:_MOST_GRAMS]) for table, found in asked if found
        ]
        if not there:
            return None
        where = [f"{there[0][0]} MATCH ?"]
        where += [f"rowid IN (SELECT rowid FROM {one} WHERE {one} MATCH ?)" for one, _ in there[1:]]
        quoted = (('"' + gram.replace('"', '""') + '"' for gram in found) for _, found in there)
        matches = [" AND ".join(some) for some in quoted]
        comes, order = _WAYS[kind]
        query = (
            f"SELECT rowid FROM {there[0][0]} WHERE {' AND '.join(where)} AND rowid {comes} ?"
            f" ORDER BY rowid {order} LIMIT ?"
        )

        def page(beyond: int, size: int) -> tuple[list[int], int | None]:
            found = [row[0] for row in self._ask(connection, query, *matches, beyond, size)]
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
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            connection.executescript(_MAKE_FILE)
        # Spilling would lock readers out. There is no log: nothing needs checkpoints, and readers
        # wait only while one commits.
        connection.executescript("PRAGMA cache_size = -65536; PRAGMA cache_spill = OFF")
        said = (f"PRAGMA {name}" for name in ("application_id", "user_version"))
        if tuple(connection.execute(one).fetchone()[0] for one in said) == OURS:
            return connection
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
            connection.close()
            raise
    connection.close()
    path.unlink(missing_ok=True)
    return _opened(path)


class ServerIndex(Index):
    """The index of a store on a server: tables of their own, with the texts in lower case."""

    numbers_again = False  # they come from sequences
    there = any_script = False  # as `look` finds

    def close(self) -> None:
        """The connection is the store's."""

    @contextmanager
    def _portion(self) -> Iterator[Connection | None]:
        with self.store.snapshot() as connection:
            if not _on_server(connection)[0]:
                connection.exec_driver_sql(_MAKE_TABLES)
        with self.store.snapshot() as connection:
            self._ask(connection, "SELECT 1 FROM search_seen FOR UPDATE NOWAIT")
            yield connection

    def _ask(self, connection: Connection, sql: str, *values: Any) -> Sequence[Any]:
        found = connection.exec_driver_sql(sql.replace("?", "%s"), values)
        return found.all() if found.returns_rows else ()

    def _seen(self, connection: Connection) -> Sequence[Any]:
        self.there, self.any_script = _on_server(connection)
        return self._ask(connection, _SEEN) if self.there else ()

    def _put(self, connection: Connection, kind: Kind, texts: Sequence[tuple[int, str]]) -> None:
        rows = [(number, text, _pairs(text)) for number, text in texts]
        if rows:
            connection.exec_driver_sql(f"INSERT INTO search_{kind} VALUES (%s, %s, %s)", rows)

    def _empty(self, connection: Connection, kind: Kind) -> None:
        self._ask(connection, f"DELETE FROM search_{kind}")

    def pages(self, connection: Connection, kind: Kind, words: Words) -> Ask | None:
        """A frequent word stands in the newest texts already, and a rare one the index finds.

        What there is much of, and not among the newest, is gone through from these on.
        """
        parts = [folded(part) for part in words.parts]
        indexed = re.compile(r"[^\W_]{3}" if self.any_script else "[a-z0-9]{3}")
        pairs = _pairs(*parts)
        if not self.there or not (pairs or any(map(indexed.search, parts))):
            return None
        holds = " AND ".join(["body LIKE ?"] * len(parts) + ["han @> ?::int4[]"] * bool(pairs))
        values: list[Any] = ["%" + re.sub(r"([\\%_])", r"\\\1", part) + "%" for part in parts]
        asked = [*values, pairs] if pairs else values
        comes, order = _WAYS[kind]
        newest = (
            f"SELECT number, {holds} FROM (SELECT number, body, han FROM search_{kind}"
            f" WHERE number {comes} ? ORDER BY number {order} LIMIT ?) newest"
        )
        older = f"SELECT number FROM search_{kind} WHERE number + 0 {comes} ? AND {holds} LIMIT ?"

        def page(beyond: int, size: int) -> tuple[list[int], int | None]:
            if size == 2 * _FIRST_BATCH:
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
                few = self._ask(connection, older, beyond, *asked, _MOST_MATCHES + 1)
                if len(few) <= _MOST_MATCHES:
                    return sorted((row[0] for row in few), reverse=order == "DESC"), None
            rows = self._ask(connection, newest, *asked, beyond, min(20 * size, 20_000))
            found = [row[0] for row in rows if row[1]]
            return found, rows[-1][0] if rows else None

        return page


def _pairs(*texts: str) -> list[int]:
    """Two Han characters as one number, of all that stand in texts."""
    found = {pair for text in texts for pair in bigrams(text)}
    return sorted({(ord(pair[0]) << 16 ^ ord(pair[1])) & 0x7FFFFFFF for pair in found})


def _on_server(connection: Connection) -> tuple[bool, bool]:
    """Whether there are tables that this user may read, and whether all scripts have grams."""
    said = connection.exec_driver_sql(
        "SELECT CASE WHEN to_regclass('search_seen') IS NULL THEN FALSE"
        " ELSE has_table_privilege('search_seen', 'SELECT') END,"
        " (SELECT datctype NOT IN ('C', 'POSIX') FROM pg_database"
        " WHERE datname = current_database())"
    )
    row = said.one()
    return row[0], row[1]


def forget_gone(connection: Connection) -> None:
    """Take texts out of the tables on a server whose rows the store has forgotten.

    SQLite's index holds no texts: what it finds is looked up in the store.
    """
    if connection.dialect.name != "sqlite" and _on_server(connection)[0]:
        for kind, table in zip(KINDS, ("items", "responses", "judgments"), strict=True):
            connection.exec_driver_sql(
                f"DELETE FROM search_{kind} s WHERE NOT EXISTS"
                f" (SELECT FROM {table} t WHERE t.id = s.number)"
            )


def index_of(store: Store) -> AbstractContextManager[Index]:
    """The index of a store, for a moment and one thread."""
    return closing(FileIndex(store) if located(store.url).path else ServerIndex(store))


# making it ----------------------------------------------------------------------------------------


class _Builder(threading.Thread):
    """Makes the index of a store until all is in it. It may end at any time: a portion is whole."""

    started: ClassVar[dict[str, _Builder]] = {}
    turn: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, url: str) -> None:
        super().__init__(name="search index", daemon=True)
        self.url, self.why, self.again_at = url, "", 0.0
        self.error: StoreError | None = None

    def run(self) -> None:
        in_a_file = located(self.url).path is not None
        try:
            with (
                open_store(self.url, read_only=in_a_file, create=False) as store,
                index_of(store) as index,
            ):
                while index.grow():
                    pass
        except StoreError as error:
            state = getattr(getattr(error.__cause__, "orig", None), "sqlstate", None)
            if state in _NOT_HERE:
                self.why, self.again_at = _NOT_HERE[state], time.monotonic() + _TRY_AGAIN_S
            elif state not in _ANOTHER:
                self.error = error


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


def _made(index: Index, for_s: float, url: str) -> Coverage:
    with index.store.snapshot() as connection:
        coverage = index.look(connection)
    if coverage.complete:
        return coverage
    with _Builder.turn:
        builder = _Builder.started.get(url)
        if builder is None or not (builder.is_alive() or time.monotonic() < builder.again_at):
            builder = _Builder.started[url] = _Builder(url)
            builder.start()
    builder.join(for_s)
    if builder.error is not None:
        raise builder.error
    with index.store.snapshot() as connection:
        return replace(index.look(connection), why=builder.why)


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
    new goes into the index, which is waited for for half of the time at most, and made further
    beside. Of what is not in it yet the newest few are looked through; the rest is not found, and
    `Coverage` says so.

    Parameters
    ----------
    begin
        The ``then`` of the page before.
    for_s
        Seconds after which a page is given back although it is not full.
    maker
        As for `make_index`.

    Raises
    ------
    StoreError
        Where the index cannot be made or read.
    """
    asked, wanted = Words(words), filters or Filters()
    hits: list[Hit] = []
    looked_at, by_index, then = 0, True, None
    with index_of(store) as index:
        coverage = _made(index, for_s / 2, maker or store.url)
        with store.snapshot() as connection:
            deadline = time.monotonic() + for_s
            for kind, indexed, numbers, beyond in _batches(connection, index, asked, wanted, begin):
                looked_at, by_index = looked_at + len(numbers), by_index and indexed
                hits += _hits(connection, kind, numbers, asked, wanted)
                if len(hits) > limit:
                    hits = hits[:limit]
                    then = hits[-1].kind, hits[-1].number
                    break
                if beyond is not None and time.monotonic() > deadline:
                    then = kind, beyond
                    break
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
) -> Iterator[tuple[Kind, bool, Sequence[int], int | None]]:
    """Of each kind what its index has, and what it has not yet, in the order of the hits.

    With the number behind which to go on, None where there is no more.
    """
    first, from_here = begin or (KINDS[0], None)
    for kind in wanted.searched:
        if KINDS.index(kind) < KINDS.index(first):
            continue
        matches = index.pages(connection, kind, words)
        reached = index.seen.get(kind, (0,))[0] if matches else 0
        asks = [matches] if matches else []
        if not matches or _last(connection, kind) - reached <= _LAG:
            new = _scan(connection, kind, reached)
            asks = [*asks, new] if kind == "question" else [new, *asks]
        for ask in asks:
            size = _FIRST_BATCH
            beyond = (0 if kind == "question" else _END) if kind != first else from_here
            beyond = (0 if kind == "question" else _END) if beyond is None else beyond
            while beyond is not None:
                numbers, beyond = ask(beyond, size)
                for start in range(0, max(len(numbers), 1), size):
                    some, rest = numbers[start : start + size], numbers[start + size :]
                    yield kind, matches is not None, some, some[-1] if rest else beyond
                size = min(2 * size, _LARGEST_BATCH)


def _scan(connection: Connection, kind: Kind, above: int) -> Ask:
    """Goes through all rows there are, above one."""
    column, forward = _NUMBER[kind], kind == "question"

    def page(beyond: int, size: int) -> tuple[Sequence[int], int | None]:
        least, most = (max(above, beyond), _END) if forward else (above, beyond)
        query = select(column).where(column > least, column < most).limit(size)
        found = connection.scalars(query.order_by(column if forward else column.desc())).all()
        return found, found[-1] if len(found) == size else None

    return page


def _hits(
    connection: Connection, kind: Kind, numbers: Sequence[int], words: Words, wanted: Filters
) -> list[Hit]:
    """Those that hold the words, of which no index is sure, in the order of the numbers.

    Filters leave less than words do, and cost less than texts.
    """
    hits: dict[int, Hit] = {}
    if wanted.narrow:
        hits = {hit.number: hit for hit in stands(connection, kind, numbers, wanted)}
    texts = {
        row.number: row.text
        for some in chunks(hits if wanted.narrow else numbers)
        for row in _read(connection, kind, _ROWS[kind].where(_NUMBER[kind].in_(some)))
        if (row.text or kind != "reasoning") and words.occur_in(row.text)
    }
    if not wanted.narrow:
        hits = {hit.number: hit for hit in stands(connection, kind, list(texts), wanted)}
    return [
        replace(hits[number], snippet=words.snippet(texts[number]))
        for number in numbers
        if number in hits and number in texts
    ]
