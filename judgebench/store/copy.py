"""Stores elsewhere: copied, cut, merged, looked through, written as files for other programs.

And verdicts taken out of one.

Nothing here knows a table by more than what `schema` says of it. Where stores meet, a row is told
by keys and names, in whose place each store has numbers of its own.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    FromClause,
    LargeBinary,
    MetaData,
    Select,
    Subquery,
    Table,
    Text,
    and_,
    case,
    cast,
    delete,
    false,
    func,
    not_,
    null,
    or_,
    select,
    text,
    true,
    tuple_,
    union,
    union_all,
)

from judgebench.errors import StoreError, UsageError
from judgebench.keys import judge_key, judgment_key, model_key, stack_key
from judgebench.protocols import NoProgress, Progress
from judgebench.records import (
    AFRESH,
    REFUSED,
    TRUNCATED,
    WITHDRAWN,
    JudgeSpec,
    ModelSpec,
    Runtime,
)
from judgebench.secret import MASKED
from judgebench.store import catalog, columns, schema
from judgebench.store.catalog import Columns, distinct_models, distinct_names
from judgebench.store.codec import JUDGED_ELSEWHERE, KINDS, read_spec, readable, to_json
from judgebench.store.database import Database, chunks, hanging_references, insert, upsert
from judgebench.store.opening import mark_as, marks, open_database
from judgebench.store.read import CALL_COLUMNS, RESPONSE_COLUMNS, VERDICT_COLUMNS, with_texts
from judgebench.store.schema import NONE, PLACE, identity
from judgebench.store.search import forget_gone
from judgebench.store.store import Store

PORTION = 2000
"""Rows of one commit, and of what is held at once."""

_QUIET = NoProgress()
_KEY = 32
_STAY = ("leases", "owners", "claims", "reservations", "rates", "meta", "chunks", "tails")
"""Tables of one store alone: who works at it, what it is, and what is packed of its uses."""

_Row = dict[str, Any]
_j, _u, _l, _p, _f, _a = (
    schema.judgments, schema.uses, schema.looks, schema.replies, schema.failures, schema.anchors,
)  # fmt: skip

TABLES = sorted(
    (table for table in schema.metadata.sorted_tables if table.name not in _STAY),
    key=lambda table: table is _f,  # whose references are no foreign keys
)
"""All tables that move, each after those that it needs."""


def _named(column: Any) -> Table | None:
    """The table that a column names a row of."""
    return None if isinstance(column.type, Text) else catalog.REFERS.get(column.name)


_NAMING = {
    target: [column for table in TABLES for column in table.c if _named(column) is target]
    for target in TABLES
}
"""The columns that name rows of a table."""


def _called_so(named: Collection[tuple[str, str]]) -> Select[Any]:
    """The numbers of benchmarks, by names and versions."""
    its = schema.benchmarks.c
    return select(its.id).where(tuple_(its.name, its.version).in_(list(named)))


def _read_from(connection: Connection) -> Subquery:
    """The key of each reply that judgments were read from, with the judgment and its judge."""
    keys = _j.c.reply_keys
    longest = connection.execute(select(func.max(func.length(keys)))).scalar() or _KEY
    return union_all(
        *(
            select(_j.c.id, _j.c.judge_id, func.substr(keys, at, _KEY).label("key")).where(
                func.length(keys) >= at
            )
            for at in range(1, longest, _KEY)
        )
    ).subquery()


# a part of a store --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What of a store is meant; all of it where nothing is said.

    benchmarks
        Names and versions.
    models
        Keys: what was judged of these, with the answers of those that they were compared with.
    since
        Seconds: what was judged, failed or spent from then on, with the answers it is about.
    redact
        Items, answers, prompts, replies and reasons stay behind. Verdicts, ids, names, categories,
        lengths and hashes go along: in place of an answer stands a text of its length.
    verdicts_only
        What verdicts rest on, and not how they were had: no replies, thoughts, prompts or spending.
    """

    benchmarks: Collection[tuple[str, str]] = ()
    models: Collection[bytes] = ()
    since: float = 0.0
    redact: bool = False
    verdicts_only: bool = False


_ALL = Part()
_OWNED = {
    schema.model_names: schema.model_names.c.model_id,
    schema.judge_names: schema.judge_names.c.judge_id,
    _l: _l.c.anchors_id,
}
"""What goes along with a row that it names, and is no reason for that one to go along."""

_OF_MODELS = (_u, _f, _l, schema.answers, schema.baselines, schema.spend)
_SINCE: Mapping[Table, Any] = {
    _u: _u.c.used_at,
    _f: _f.c.at,
    schema.spend: select(schema.runs.c.started)
    .where(schema.runs.c.id == schema.spend.c.run_id)
    .scalar_subquery(),
}
"""When it was, of what does not hold from then on: a calibration goes along with later verdicts."""

_HOW_THEY_WERE_HAD = ("anchors", "baselines", "looks", "spend")
_NOTHING: ColumnElement[Any] = cast(null(), LargeBinary)
_ANSWER_ALONE: Mapping[Any, ColumnElement[Any]] = {
    schema.responses.c.raw_sha: schema.responses.c.text_sha,
    schema.responses.c.reasoning_sha: _NOTHING,
    schema.responses.c.prompt_sha: _NOTHING,
}
_WORDS = {hashlib.sha256(word.encode()).digest() for word in (WITHDRAWN, TRUNCATED, REFUSED)}
"""Reasons that are words of ours: by them it is told whether a verdict counts."""

_CALIBRATED = select(schema.calibrations.c.content_sha)
_REDACTED = "(redacted) "


class _Cut:
    """The rows of a store that belong to a part of it."""

    def __init__(self, connection: Connection, part: Part = _ALL) -> None:
        bare = part.redact or part.verdicts_only
        self.connection = connection
        self.part = part
        self.whole = not (part.benchmarks or part.models or part.since or part.verdicts_only)
        self.left_out = {
            *(() if self.whole and not bare else ("batches", "batch_requests")),
            *(("replies",) if bare else ()),
            *(_HOW_THEY_WERE_HAD if part.verdicts_only else ()),
        }
        self.instead: dict[Any, ColumnElement[Any]] = {**_ANSWER_ALONE} if bare else {}
        if part.redact:
            self.instead[schema.items.c.content_sha] = _NOTHING
        m = schema.models.c
        self.benchmarks: Any = _called_so(part.benchmarks) if part.benchmarks else None
        self.models: Any = select(m.id).where(m.key.in_(part.models)) if part.models else None
        self.met: Any = self.models
        if part.models or part.since:
            self._meet()

    def _meet(self) -> None:
        """The models and benchmarks that verdicts or answers of this part are about."""
        stood, said = schema.answers, schema.responses.c
        judged = [
            select(_u.c.benchmark_id, who).where(*self._own(_u))
            for who in (_u.c.model_id, _u.c.opponent_id)
        ]
        answered = select(stood.c.benchmark_id, stood.c.model_id).where(
            said.id == stood.c.response_id,
            said.at >= self.part.since,
            *self._own(stood),
        )
        met = self.connection.execute(union(*judged, answered)).all()
        self.met = {model for _, model in met}
        if self.benchmarks is None:
            self.benchmarks = {benchmark for benchmark, _ in met}

    def _own(self, table: Table) -> Iterator[ColumnElement[bool]]:
        """What a row says itself of whether it is meant."""
        its = table.c
        models = self.met if table is schema.answers else self.models
        if "benchmark_id" in its and self.benchmarks is not None:
            yield its.benchmark_id.in_(self.benchmarks)
        if table in _OF_MODELS and models is not None:
            yield its.model_id.in_(models)
        if table in _SINCE:
            yield _SINCE[table] >= self.part.since

    def where(self, table: Table) -> ColumnElement[bool]:
        """By what it says itself, by what it belongs to, or since something that is meant names it.

        Of an opponent or judge that is in no part by itself nothing but its name goes along.
        """
        if table.name in self.left_out:
            return false()
        if self.whole and not (self.part.redact and table is schema.texts):
            return true()
        if "benchmark_id" in table.c:
            return and_(true(), *self._own(table))
        if table in _OWNED:
            [owner] = (key.column for key in _OWNED[table].foreign_keys)
            owners = select(owner).where(self.where(owner.table))
            return and_(_OWNED[table].in_(owners), *self._own(table))
        naming = [
            select(self.instead.get(column, column)).where(self.where(column.table))
            for column in _NAMING[table]
            if column is not _OWNED.get(column.table)
        ]
        if table is _p:
            read, judged = self._read, select(_j.c.id).where(self.where(_j))
            naming = [select(read.c.key).where(read.c.id.in_(judged))]
        named = next(iter(table.primary_key))
        return named.in_(union(*naming)) if naming else false()

    @cached_property
    def _read(self) -> Subquery:
        return _read_from(self.connection)

    def rows(self, table: Table, skip: int = 0) -> Iterator[list[_Row]]:
        """A portion at a time, in the order of the primary key.

        Where texts are left out, one that says nothing and is as long stands for each.
        """
        its = [self.instead.get(column, column) for column in table.c]
        query = select(*its).where(self.where(table)).order_by(*table.primary_key).offset(skip)
        hides = self.part.redact and table is schema.texts
        shown = _WORDS.union(self.connection.execute(_CALIBRATED).scalars()) if hides else ()
        names = table.c.keys()
        with self.connection.execute(query, execution_options={"yield_per": PORTION}) as found:
            for some in found.partitions():
                rows: list[_Row] = [dict(zip(names, row, strict=True)) for row in some]
                for row in rows if hides else ():
                    if row["sha"] not in shown:
                        n = len(row["body"])
                        row |= {"body": (_REDACTED * (n // len(_REDACTED) + 1))[:n], "exact": None}
                yield rows

    def counts(self) -> dict[str, int]:
        """How many rows there are, by table; each is asked alone, as a cut may name thousands."""
        return {table.name: _count(self.connection, table, self.where(table)) for table in TABLES}

    def digest(self, table: Table) -> int:
        """The sum of the hashes of its rows, in whatever order they lie."""
        return sum(_hashed(row) for rows in self.rows(table) for row in rows)


def _hashed(row: _Row) -> int:
    said = repr([None if value != value else value for value in row.values()])
    return int.from_bytes(hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()[:16])


def _count(connection: Connection, source: FromClause, *conditions: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(source).where(*conditions)
    return int(connection.execute(query).scalar_one())


# copying ------------------------------------------------------------------------------------------


def copy(
    source: str, target: str, part: Part = _ALL, progress: Progress = _QUIET
) -> dict[str, int]:
    """Copy a store, or a part of it, from any engine to any; how many rows each table has there.

    The copy is of one moment of the source, and disturbs nobody who writes to it. It is compared
    with it at the end, by what its rows say. Interrupted, the same call goes on.

    Raises
    ------
    StoreError
        Where the target holds something else, or is the source, and where the two do not agree.
    """
    with ExitStack() as opened:
        old = opened.enter_context(closing(open_database(source, read_only=True)))
        new = opened.enter_context(closing(open_database(target, unfinished=True)))
        if old.place() == new.place():
            raise StoreError(f"{old.name} and {new.name} are one store; nothing was copied")
        cut = _Cut(opened.enter_context(old.reading()), part)
        opened.enter_context(new.unchecked())  # what was copied before may lack what has come since
        _begin(cut, old, new)
        _fill(cut, new, progress)
        if other := _other(cut, new, progress):
            progress.say(f"{old.name} has changed since the copy began: {', '.join(other)} anew")
            with new.writing() as connection:
                for name in other:
                    connection.execute(delete(schema.metadata.tables[name]))
            _fill(cut, new, progress)
            if other := _other(cut, new, progress):
                raise StoreError(
                    f"the copy {new.name} does not say what {old.name} says: {', '.join(other)}"
                    " differ; remove it and copy again, and look with `judgebench store check`"
                )
        with new.writing() as connection:
            _count_on(connection)
            if part.redact or schema.REDACTED in marks(cut.connection):
                mark_as(connection, schema.REDACTED)
        if not part.verdicts_only:  # a part for others is the same however it was filled
            columns.pack(new)
        with new.writing() as connection:
            connection.execute(delete(schema.meta).where(schema.meta.c.name == schema.UNFINISHED))
            return _Cut(connection).counts()


def _begin(cut: _Cut, old: Database, new: Database) -> None:
    """Write into the target what it is to be a copy of; refuse what is none of that."""
    of = replace(cut.part, benchmarks=sorted(cut.part.benchmarks), models=sorted(cut.part.models))
    mark = repr((marks(cut.connection).get(schema.STORE_ID) or old.name, of))
    with new.writing() as connection:
        columns.unpack(connection)
        there = marks(connection).get(schema.UNFINISHED)
        if there not in (None, mark):
            raise StoreError(
                f"{new.name} is the unfinished copy of another store or part; give another place,"
                " or remove it"
            )
        if there is None and any(
            connection.execute(select(1).select_from(t).limit(1)).first() for t in TABLES
        ):
            raise StoreError(
                f"{new.name} holds a store already, and a copy goes to a new place; `judgebench"
                " store merge` adds one store to another"
            )
        mark_as(connection, schema.UNFINISHED, mark)


def _fill(cut: _Cut, new: Database, progress: Progress) -> None:
    """Copy what is not there yet: the rows that follow on as many as there are."""
    with new.reading() as connection:
        there = _Cut(connection).counts()
    wanted = cut.counts()
    progress.stage("copying", sum(wanted.values()))
    for table in (one for one in TABLES if wanted[one.name] > there[one.name]):
        for rows in cut.rows(table, there[table.name]):
            with new.writing() as connection:
                connection.execute(insert(table).on_conflict_do_nothing(), rows)
            progress.advance(len(rows))


def _other(cut: _Cut, new: Database, progress: Progress) -> list[str]:
    """The tables of a copy that do not say what they should."""
    found = []
    progress.stage("comparing", len(TABLES))
    with new.reading() as connection:
        there = _Cut(connection)
        for table in TABLES:
            if cut.digest(table) != there.digest(table):
                found.append(table.name)
            progress.advance()
    return found


def _count_on(connection: Connection) -> None:
    """A server numbers on from what it gave itself, and not from what was copied."""
    if connection.dialect.name != "sqlite":
        for table in (one for one in TABLES if "id" in one.c):
            sequence = func.pg_get_serial_sequence(table.name, "id")
            most = select(func.max(table.c.id)).scalar_subquery()
            connection.execute(select(func.setval(sequence, most)))


# merging ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of merging: new rows by table, and at how many places two answers met.

    Where both stores have an answer to one question that differs, that of the first stands, and
    what was judged of the other's is on no board.
    """

    new: Mapping[str, int]
    differing: int


def merge(into: str, others: Sequence[str], progress: Progress = _QUIET) -> Merged:
    """Add what other stores hold to one. Merged again, it changes nothing.

    Raises
    ------
    StoreError
        Where an item differs in two of them: nothing is changed then. And for copies that have no
        texts, or are not finished.
    """
    with ExitStack() as opened:
        rest = [opened.enter_context(closing(open_database(o, read_only=True))) for o in others]
        store = opened.enter_context(closing(open_database(into)))  # made if all others are there
        views = {one: opened.enter_context(one.reading()) for one in rest}
        for one, connection in views.items():
            if one.place() == store.place():
                raise StoreError(f"{one.name} is the store that others are merged into")
            if schema.REDACTED in marks(connection):
                raise StoreError(
                    f"{one.name} is a copy without its texts; merge the store that it was made of"
                )
        with store.reading() as here:
            _refuse_other_items({store: here, **views})
            before = _Cut(here).counts()
        differing = 0
        for one, connection in views.items():
            progress.stage(f"merging {one.name}", sum(_Cut(connection).counts().values()))
            differing += _add(store, connection, progress)
        said, stood = schema.responses.c, schema.answers.c
        answered = select(said.key).where(stood.response_id == said.id)
        done = union(select(_j.c.key), select(_p.c.key), answered)
        with store.writing() as connection:  # what failed in one and was done in another is done
            connection.execute(delete(_f).where(_f.c.key.in_(done)))
            after = _Cut(connection).counts()
        columns.pack(store)
    return Merged({name: after[name] - before[name] for name in after}, differing)


def _refuse_other_items(stores: Mapping[Database, Connection]) -> None:
    named = {
        tuple(row)
        for connection in stores.values()
        for row in catalog.rows(connection, schema.benchmarks, "name version")
    }
    for name, version in sorted(named):
        known: dict[str, tuple[bytes, str]] = {}
        its = {"benchmark.name": name, "benchmark.version": version, "identity>": b""}
        for store, connection in stores.items():
            for item, fixed in catalog.rows(connection, schema.items, "item_id identity", its):
                there, where = known.setdefault(item, (fixed, store.name))
                if there != fixed:
                    raise StoreError(
                        f"item {item!r} of {name}@{version} is one in {where} and another in"
                        f" {store.name} (its question, references or category); nothing was merged:"
                        " `judgebench store copy --only` takes the rest of a store to a new one"
                    )


def _add(store: Database, source: Connection, progress: Progress) -> int:
    """Put what one store holds into another, which has other numbers for the same.

    Returns at how many places, of model and item, two answers met.
    """
    cut = _Cut(source)
    for table in (schema.model_names, schema.judge_names):
        newest = table.c.newest  # what is called something goes on being called so
        least, most = (select(func.coalesce(of(newest), 0)) for of in (func.min, func.max))
        with store.reading() as here:
            behind = here.execute(least).scalar_one() - source.execute(most).scalar_one() - 1
        cut.instead[newest] = newest + behind
    differing: set[tuple[int, int]] = set()
    for table in TABLES:
        for rows in cut.rows(table):
            n = len(rows)
            if table is _u:
                rows = [row for row in rows if differing.isdisjoint(_answers_of(row))]
            with store.writing() as here:
                if table is schema.answers:  # another may stand in the place of a response
                    its = {row["response_id"] for row in rows}
                    there = _numbers(source, here, table, schema.responses, its, "text_sha")
                    others = [row for row in rows if row["response_id"] not in there]
                    differing.update((row["model_id"], row["item_id"]) for row in others)
                _renumber(source, here, table, rows)
                if table is _u:
                    columns.unpack(here)
                _put(here, table, rows)
            progress.advance(n)
    return len(differing)


def _answers_of(row: _Row) -> Iterator[tuple[int, int]]:
    """Model and item of the answers that a verdict is about."""
    return ((row[who], row["item_id"]) for who in ("model_id", "opponent_id"))


def _renumber(source: Connection, here: Connection, table: Table, rows: list[_Row]) -> None:
    """Put the numbers of the store that they go to into rows."""
    for name in rows[0] if rows else ():
        target = _named(table.c[name])
        if target is not None and "id" in target.c:
            numbers = {row[name] for row in rows} - {None, NONE}
            there = _numbers(source, here, table, target, numbers)
            for row in rows:
                row[name] = there.get(row[name], row[name])


def _numbers(
    source: Connection,
    here: Connection,
    table: Table,
    target: Table,
    numbers: set[int],
    *alike: str,
) -> dict[int, int]:
    """Number in the one store -> number in the other, of what a table names.

    Of those alone that are ``alike`` in these columns too.
    """
    names = [*identity(target), *alike]
    asked = f"id {' '.join(names)}"
    rows = [row._asdict() for row in catalog.rows(source, target, asked, {"id": numbers})]
    if lacking := numbers - {row["id"] for row in rows}:
        raise StoreError(
            f"a row of {table.name} needs one of {target.name} (number {min(lacking)}) that"
            " is not in its store; `judgebench store check` looks through it"
        )
    _renumber(source, here, target, rows)
    known = {tuple(row[name] for name in names): row["id"] for row in rows}
    its = {name: {row[name] for row in rows} for name in names}
    found = ((number, tuple(told)) for number, *told in catalog.rows(here, target, asked, its))
    return {known[told]: number for number, told in found if told in known}


_WITHOUT_KEY = (schema.calibrations, schema.baselines, _a)
_SAYS: Mapping[Table, Callable[[Any], Any]] = {
    schema.items: lambda its: case((its.identity.is_(None), 0), else_=1),
    schema.runs: lambda its: case({"running": 0, "interrupted": 1}, value=its.state, else_=2),
    schema.batches: lambda its: case(
        (its.ended.is_not(None), 2), (its.remote_id.is_not(None), 1), else_=0
    ),
    schema.spend: lambda its: its.calls,
    schema.budgets: lambda its: its.spent_usd,
    _f: lambda its: its.at,
}
"""How much a row says: the one that says more stands. What a run took only grows, in one store."""


def _put(here: Connection, table: Table, rows: list[_Row]) -> None:
    """Add rows that are new, or say more than the one of their identity that is there."""
    names = identity(table)
    if table in _WITHOUT_KEY:
        there = {tuple(row) for row in catalog.rows(here, table, " ".join(names))}
        rows = [row for row in rows if tuple(row[name] for name in names) not in there]
    new = [{name: value for name, value in row.items() if name != "id"} for row in rows]
    put, says = insert(table), _SAYS.get(table)
    over = says and upsert(put, where=says(put.excluded) > says(table.c))
    if new:
        here.execute(put.on_conflict_do_nothing() if over is None else over, new)


# looking through, tidying -------------------------------------------------------------------------


def check(url: str, progress: Progress = _QUIET) -> list[str]:
    """What is wrong with a store, a sentence each; nothing where all is well.

    Each text is held against its hash; each model, judge, stack, reply and judgment against its
    key, but for what was made of more than is kept: labels, imported verdicts, hidden secrets.
    """
    with closing(open_database(url, read_only=True, unfinished=True)) as store:
        found = store.damage()
        with store.reading() as connection:
            connection.execution_options(yield_per=PORTION)
            said = marks(connection)
            if schema.UNFINISHED in said:
                found.append("unfinished copy: run the same `judgebench store copy` again")
            for one, other in hanging_references(connection):
                found.append(f"{one}: at least one row needs one of {other} that is not there")
            for table, shown, is_right in _held_against(connection):
                if table is schema.texts and schema.REDACTED in said:
                    continue
                progress.stage(f"looking through {table.name}", None)
                n, first = 0, b""
                for rows in chunks(catalog.rows(connection, table, shown), PORTION):
                    wrong = [row[0] for row in rows if not is_right(*row)]
                    n, first = n + len(wrong), first or next(iter(wrong), b"")
                    progress.advance(len(rows))
                if n:
                    found.append(
                        f"{table.name}: {n} whose content is not theirs, the first"
                        f" {first.hex()[:12]}"
                    )
            if schema.PACKED in said and (boards := columns.verify(connection)):
                found.append(
                    f"{len(boards)} boards are packed otherwise than their verdicts are:"
                    " `judgebench store vacuum` packs them anew"
                )
    return found


def _held_against(connection: Connection) -> Iterator[tuple[Table, str, Callable[..., bool]]]:
    """What is known by its content, first what it is known by, and whether that is right."""
    yield schema.texts, "sha body exact", partial(_is_text, (b"",))
    request = partial(_is_text, (b"request\n", b"score request\n"))
    yield _p, "key request.body request.exact", lambda *its: MASKED in its[1] or request(*its)
    yield schema.models, "key spec", partial(_is_spec, ModelSpec, model_key)
    yield schema.judges, "key spec", partial(_is_spec, JudgeSpec, judge_key)
    yield schema.stacks, "key stack", partial(_is_spec, Runtime, stack_key)
    found = catalog.rows(connection, _u, "repeat", distinct=True)
    repeats = dict.fromkeys((0, AFRESH, *(repeat for (repeat,) in found)))
    looked = catalog.rows(connection, _l, "occasion.name", distinct=True)
    occasions = dict.fromkeys((None, *(name for (name,) in looked)))  # the most usual one first
    for (manifest,) in catalog.rows(connection, schema.runs, "manifest"):
        occasions |= dict.fromkeys(_OCCASION.findall(manifest))
    yield _j, "key judge.key judge.kind case_key", partial(_is_judgment, repeats, occasions)


_OCCASION = re.compile(r'"occasion":\s*"([^"]+)"')


def _is_text(kinds: Iterable[bytes], key: bytes, body: str, exact: bytes | None) -> bool:
    said = body.encode() if exact is None else exact
    return key in {hashlib.sha256(kind + said).digest() for kind in kinds}


def _is_spec(kind: type[Any], key_of: Callable[[Any], bytes], key: bytes, spec: str) -> bool:
    try:
        return MASKED in spec or key_of(read_spec(kind, spec)) == key
    except (TypeError, ValueError):  # it says what no such thing can say
        return False


def _is_judgment(
    repeats: Iterable[int], occasions: Iterable[str | None],
    key: bytes, judge: bytes, kind: str, case_key: bytes,
) -> bool:  # fmt: skip
    return kind in JUDGED_ELSEWHERE or any(
        judgment_key(judge, case_key, repeat=repeat, occasion=occasion) == key
        for occasion in occasions
        for repeat in repeats
    )


def vacuum(url: str) -> tuple[int, int]:
    """Give back the room of what was removed, and pack what boards read anew.

    Returns the bytes that the store took before and after.
    """
    with closing(open_database(url, create=False)) as store:
        with store.writing() as connection:
            columns.unpack(connection)
        columns.pack(store)
        return store.vacuum()


# forgetting ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What goes, or went.

    judges
        Of each judge, by its key: ``judge``, ``judgments``, ``elsewhere`` (as many of them as were
        made by people, or imported, so that nobody can be asked), ``replies`` (how many questions
        it takes to have them again), ``prompt_tokens`` and ``completion_tokens`` of those that
        state them, ``uncounted`` (replies that state none).
    verdicts
        Places at which the judgments served, over all runs.
    shared
        Judgments that stay, since other runs or benchmarks use them.
    pinned
        Judgments that stay, since they are anchors of their judge.
    needed_replies
        Replies that stay, since verdicts that stay were read from them.
    earlier
        Places at which an earlier judgment, or a later one, counts from then on.
    anchors, failures
        What was pinned, and what had failed, of judges that go as a whole.
    """

    judges: Sequence[Mapping[str, Any]]
    verdicts: int
    runs: tuple[str, ...]
    shared: int
    pinned: int
    needed_replies: int
    earlier: int
    anchors: int
    failures: int

    @property
    def judgments(self) -> int:
        return sum(one["judgments"] for one in self.judges)


_ids = MetaData()
_chosen, _gone, _unneeded, _unnamed = (
    Table(name, _ids, Column("one", kind, primary_key=True), prefixes=["TEMPORARY"])
    for name, kind in (
        ("chosen_judgments", BigInteger),
        ("gone_judgments", BigInteger),
        ("gone_replies", LargeBinary),
        ("gone_texts", LargeBinary),
    )
)
_DIGITS = re.compile(r"[0-9a-f]{8,64}")
_UNREADABLE = KINDS.index("unreadable")


def forget(
    connection: Connection,
    *,
    judges: Collection[bytes] = (),
    runs: Collection[str] = (),
    judgments: Collection[str] = (),
    benchmarks: Collection[tuple[str, str]] = (),
    unreadable: bool = False,
    remove: bool,
) -> Forgotten:
    """Verdicts out again: judgments, where they served, and what nothing else was read from.

    What several arguments name is what all of them mean.

    What was spent on them, the runs with their manifests, judges, models and answers stay. What
    goes is put together in temporary tables first, so that it can be counted without anything
    being removed, and each table of the store is read once whatever the number of rows. To remove,
    it has to be called where references are not looked up row by row (`Database.removing`).

    Parameters
    ----------
    judges
        By key. Named alone, everything of them goes, also their anchors and failures.
    runs
        By id: only what served these runs. A judgment that serves another one as well stays.
    judgments
        By the first digits of their keys, eight at least.
    benchmarks
        Names and versions: only what served on these.
    unreadable
        Only what no verdict could be read from.

    Raises
    ------
    UsageError
        For digits that are no judgment's key, too few, or begin none or several.
    """
    if connection.dialect.name != "sqlite":  # else who only reads may not even count
        connection.execute(text("SET TRANSACTION READ WRITE"))
    _ids.create_all(connection, checkfirst=False)
    g, r = schema.judges.c, schema.runs.c
    narrow = bool(runs or benchmarks)
    alone = not (narrow or judgments or unreadable)
    theirs = select(g.id).where(g.key.in_(judges))
    here = and_(
        _u.c.run_id.in_(select(r.id).where(r.run_id.in_(runs))) if runs else true(),
        _u.c.benchmark_id.in_(_called_so(benchmarks)) if benchmarks else true(),
    )
    called = [_called(connection, digits) for digits in judgments]
    meant = select(_j.c.id).where(
        _j.c.judge_id.in_(theirs) if judges else true(),
        _j.c.kind == _UNREADABLE if unreadable else true(),
        _j.c.id.in_(called) if called else true(),
        _j.c.id.in_(select(_u.c.judgment_id).where(here)) if narrow else true(),
    )
    whole = theirs.where(true() if alone else false())
    looks = _l.c.anchors_id.in_(select(_a.c.id).where(_a.c.judge_id.in_(whole)))
    chosen, gone, unneeded = (select(table.c.one) for table in (_chosen, _gone, _unneeded))
    _put_ids(connection, _chosen, meant)
    _put_ids(connection, _gone, chosen)
    served = select(_u.c.judgment_id).where(_u.c.judgment_id.in_(chosen), not_(here))
    shared = _keep(connection, _gone, served)
    pinned = _keep(connection, _gone, select(_l.c.judgment_id).where(not_(looks)))
    read = _read_from(connection).c
    _put_ids(connection, _unneeded, select(read.key).where(read.id.in_(gone)).distinct())
    still = select(read.key).where(read.key.in_(unneeded), read.id.not_in(gone))
    needed = _keep(connection, _unneeded, still)
    used = and_(here, _u.c.judgment_id.in_(chosen if narrow else gone))
    goes = {
        _l: looks,
        _a: _a.c.judge_id.in_(whole),
        _f: _f.c.judge_id.in_(whole),
        _u: used,
        _j: _j.c.id.in_(gone),
        _p: _p.c.key.in_(unneeded),
    }
    place, other = [_u.c[name] for name in PLACE], _u.alias()
    there = select(1).where(
        *(other.c[column.name] == column for column in place),
        other.c.judgment_id.not_in(chosen),
    )
    earlier = select(*place).where(used, there.exists()).distinct().subquery()
    ran = select(r.run_id).where(r.id.in_(select(_u.c.run_id).where(used))).order_by(r.id)
    found = Forgotten(
        judges=_by_judge(connection, read),
        verdicts=_count(connection, _u, used),
        runs=tuple(connection.execute(ran).scalars()),
        shared=shared,
        pinned=pinned,
        needed_replies=needed,
        earlier=_count(connection, earlier),
        anchors=_count(connection, _l, looks, _l.c.occasion_id == NONE),
        failures=_count(connection, _f, goes[_f]),
    )
    if remove:
        _remove(connection, goes)
    _ids.drop_all(connection, checkfirst=False)
    return found


def _called(connection: Connection, written: str) -> int:
    """The judgment whose key begins so, as a person writes it."""
    digits = written.lower()
    if not _DIGITS.fullmatch(digits):
        raise UsageError(
            f"{written!r} is no key of a judgment: 8 to 64 hexadecimal digits, as `judgebench "
            "replies JUDGE` shows them"
        )
    least, most = (bytes.fromhex(digits.ljust(2 * _KEY, end)) for end in "0f")
    between = select(_j.c.id).where(_j.c.key.between(least, most)).limit(2)
    found = connection.execute(between).scalars().all()
    if len(found) != 1:
        many = "several judgments begin" if found else "no judgment begins"
        raise UsageError(f"{many} with {digits}; `judgebench replies JUDGE` shows their keys")
    return int(found[0])


def _put_ids(connection: Connection, table: Table, rows: Select[Any] | CompoundSelect[Any]) -> None:
    connection.execute(insert(table).from_select(["one"], rows))


def _keep(connection: Connection, table: Table, needed: Any) -> int:
    """Take out of what goes what something that stays needs; how many that were."""
    return connection.execute(delete(table).where(table.c.one.in_(needed))).rowcount


def _by_judge(connection: Connection, read: Any) -> list[_Row]:
    """A reply that several judges were read from is told of the first."""
    gone, g = select(_gone.c.one), schema.judges.c
    first = select(func.min(read.judge_id).label("judge_id"), read.key).group_by(read.key)
    its = first.where(read.id.in_(gone), read.key.in_(select(_unneeded.c.one))).subquery().c
    asked, said = _p.c.prompt_tokens, _p.c.completion_tokens
    sums = {
        "replies": func.count(),
        "prompt_tokens": func.sum(asked),
        "completion_tokens": func.sum(said),
        "uncounted": func.count(case((or_(asked.is_(None), said.is_(None)), 1))),
    }
    took = select(its.judge_id, *sums.values()).where(_p.c.key == its.key).group_by(its.judge_id)
    found = {judge: [n or 0 for n in counted] for judge, *counted in connection.execute(took)}
    judged = (
        select(g.id, g.key, g.kind, func.count())
        .join(_j, _j.c.judge_id == g.id)
        .where(_j.c.id.in_(gone))
        .group_by(g.id, g.key, g.kind)
        .order_by(g.id)
    )
    return [
        {"judge": key, "judgments": n, "elsewhere": n if kind in JUDGED_ELSEWHERE else 0}
        | dict(zip(sums, found.get(judge, [0] * len(sums)), strict=True))
        for judge, key, kind, n in connection.execute(judged)
    ]


def _remove(connection: Connection, goes: Mapping[Table, ColumnElement[bool]]) -> None:
    texts = schema.texts
    named = (
        select(column).where(goes[column.table], column.is_not(None))
        for column in _NAMING[texts]
        if column.table in goes
    )
    _put_ids(connection, _unnamed, union(*named))
    board = select(*(_u.c[name] for name in PLACE[:4])).where(goes[_u]).distinct()
    boards = connection.execute(board).all()
    for table, condition in goes.items():
        connection.execute(delete(table).where(condition))
    columns.rebuild(connection, boards)
    unnamed = select(_unnamed.c.one)
    still = (select(column).where(column.in_(unnamed)) for column in _NAMING[texts])
    _keep(connection, _unnamed, union(*still))
    connection.execute(delete(texts).where(texts.c.sha.in_(unnamed)))
    forget_gone(connection)


# files that other programs read -------------------------------------------------------------------

# Columns are those of `Store.verdicts` and `Store.responses_table`. Of several models or judges
# that share a name, each is written with digits of its id behind it (``name@0a1b2c``), so that a
# reader who knows only names keeps them apart. Named parts of a score, and marks, are written as
# JSON, as a stack is. A file appears whole or not at all. Text that no such file can hold (NUL,
# half a surrogate pair) is written with U+FFFD in its place; the store keeps it as it was.

_TYPES = {
    **dict.fromkeys(("sample", "turn", "repeat", "prompt_tokens", "completion_tokens"), "int64"),
    **dict.fromkeys(("value", "p", "low", "high", "at", "logprob"), "float64"),
    **dict.fromkeys(("official_prompt", "newest"), "bool_"),
}
"""Columns of Parquet, by the name of pyarrow's type; the others are texts."""


def write_table(path: Path, columns: Columns) -> None:
    """One table as a file of the kind its suffix says (one of `SUFFIXES`).

    Raises
    ------
    UsageError
        For another suffix.
    StoreError
        Where the file cannot be written.
    """
    check_suffix(path)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            SUFFIXES[path.suffix.lower()](file, columns)
        unfinished.replace(path)
    except OSError as error:
        raise StoreError(f"the export to {path} failed: {error.strerror or error}") from error


def write_dataset(store: Store, folder: Path, benchmark: str | None = None) -> list[Path]:
    """Parquet in folders as hives have them, which many programs read as one table; the paths.

    ``verdicts/benchmark=NAME/judge=NAME/VERSION.parquet``, and ``responses`` by benchmark alone.
    What one judge said on one benchmark is held at once.

    Raises
    ------
    UsageError
        For a folder that is not empty.
    StoreError
        Where it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: there is something already; name a new folder")
    paths = []
    for name, version in store.benchmarks():
        if benchmark not in (None, name):
            continue
        judges: list[dict[str, Any]] = [
            {"judges": [one.id]} for one in store.judges_met(name, version)
        ]
        for table, read, which in (
            ("responses", responses_of, {}),
            *(("verdicts", verdicts_of, judge) for judge in judges),
        ):
            columns = read(store, name, version, **which)
            if not columns["item_id"]:  # a judge that only failed
                continue
            said = {key: columns.pop(key)[0] for key in ("benchmark", "judge") if key in columns}
            place = folder.joinpath(table, *(f"{k}={quote(v, safe='')}" for k, v in said.items()))
            paths.append(place / f"{quote(version, safe='')}.parquet")
            write_table(paths[-1], columns)
    return paths


def check_suffix(path: Path) -> None:
    """Raises `UsageError` for a file whose suffix says nothing."""
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise UsageError(f"{path}: the suffix says the format; known are {known}")


def _exported(
    read: Callable[..., Columns],
    names: tuple[str, ...],
    store: Store,
    benchmark: str | None = None,
    version: str | None = None,
    **which: Any,
) -> Columns:
    """A table of a benchmark, or of all, as it is exported."""
    columns: Columns = {name: [] for name in names}
    known = dict.fromkeys(name for name, _ in store.benchmarks())
    for one in known if benchmark is None else (benchmark,):
        for name, values in read(store, one, version, **which).items():
            columns[name].extend(map(_plain, values))
    models = distinct_models(store.models())
    judges = distinct_names({judge.id: judge.name for judge in store.judges()})
    for who, called in (("model", models), ("opponent", models), ("judge", judges)):
        if who in columns:
            ids = columns[f"{who}_id"]
            columns[who] = [None if one is None else called[one] for one in ids]
    return columns


verdicts_of = partial(_exported, Store.verdicts, VERDICT_COLUMNS)
responses_of = partial(_exported, Store.responses_table, RESPONSE_COLUMNS)
verdicts_with_text = partial(_exported, with_texts, (*VERDICT_COLUMNS, "judgment", *CALL_COLUMNS))
"""What each was read from is beside it."""


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    return to_json(value) if isinstance(value, dict | tuple | list) else value


def _write_parquet(file: TextIO, columns: Columns) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {
        name: pa.array(values, getattr(pa, _TYPES.get(name, "string"))())
        for name, values in columns.items()
    }
    pq.write_table(pa.table(arrays), file.buffer, compression="zstd")


def _write_csv(file: TextIO, columns: Columns) -> None:
    """An empty field is an absent value."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))


def _write_jsonl(file: TextIO, columns: Columns) -> None:
    """One object a line."""
    for row in zip(*columns.values(), strict=True):
        values = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in zip(columns, row, strict=True)
        }
        file.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")


SUFFIXES: Mapping[str, Callable[[TextIO, Columns], None]] = {
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
"""The kinds of file there are, and how each is written."""
