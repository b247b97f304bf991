"""Stores elsewhere: copied, cut, merged, looked through. And verdicts taken out of one.

Nothing here knows a table by more than what `schema` says of it. Wherever stores meet, a row is
told by keys and names, in whose place each store has numbers of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    UniqueConstraint,
    and_,
    case,
    delete,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    text,
    true,
    tuple_,
    union,
)

from judgebench.errors import StoreError, UsageError
from judgebench.keys import judge_key, judgment_key, model_key, stack_key
from judgebench.protocols import NoProgress, Progress
from judgebench.records import (
    AFRESH,
    HUMAN,
    REFUSED,
    TRUNCATED,
    WITHDRAWN,
    JudgeSpec,
    ModelSpec,
    Stack,
)
from judgebench.secret import MASKED
from judgebench.store import schema
from judgebench.store.codec import KINDS, read_spec, reply_keys
from judgebench.store.database import Database, chunks, hanging_references, insert
from judgebench.store.opening import marks, open_database
from judgebench.store.schema import NONE, PLACE

PORTION = 2000
"""Rows of one commit, and of what is held at once."""

_MOST = 50_000  # numbers of a table that are remembered at once
_QUIET = NoProgress()
_STREAM = {"yield_per": PORTION}
_KEY = 32
_STAY = ("leases", "owners", "claims", "reservations", "meta", "chunks", "tails")
"""Tables of one store alone: who works at it, what it is, and what is packed of its uses."""

_Row = dict[str, Any]
_NAMED: Mapping[str, Table] = {
    key.parent.name: key.column.table
    for table in schema.metadata.sorted_tables
    for key in table.foreign_keys
    if key.column.name == "id"
} | {"stack_id": schema.stacks, "occasion_id": schema.names}


def _numbers(column: Column[Any]) -> Table | None:
    """The table whose numbers stand in a column; where none may, the database knows no reference"""
    return _NAMED.get(column.name) if isinstance(column.type, Integer) else None


def _identity(table: Table) -> list[str]:
    """The columns that tell a row from the others of its table, in any store."""
    unique = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    if unique:
        return [column.name for column in unique[0].columns]
    return [c.name for c in table.c if (c.name != "id" if "id" in table.c else c.primary_key)]


def _in_order() -> Iterator[Table]:
    """All tables that move, each after those that it needs."""
    left = [table for table in schema.metadata.sorted_tables if table.name not in _STAY]
    while left:
        table = next(one for one in left if not {*map(_numbers, one.c)} & {*left} - {one})
        left.remove(table)
        yield table


TABLES = tuple(_in_order())


def _leads(column: Any) -> Table | None:
    """The table that a column names a row of."""
    named = next((key.column.table for key in column.foreign_keys), None)
    return _numbers(column) if named is None else named


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
    since: float | None = None
    redact: bool = False
    verdicts_only: bool = False


_ALL = Part()
_OWNED = {"model_names": "model_id", "judge_names": "judge_id", "looks": "anchors_id"}
_OF_MODELS = ("uses", "failures", "spend", "baselines", "looks")
_SET_ONCE = ("calibrations", "baselines", "anchors")
"""What holds from then on goes along with later verdicts."""

_BATCHES = ("batches", "batch_requests")
_ANSWER_ALONE = {"responses": {"raw_sha": "text_sha", "reasoning_sha": None, "prompt_sha": None}}
_NO_TEXTS = _ANSWER_ALONE | {"items": {"content_sha": None}}
_WORDS = {hashlib.sha256(word.encode()).digest() for word in (WITHDRAWN, TRUNCATED, REFUSED)}
"""Reasons that are words of ours: by them it is told whether a verdict counts."""

_HOW_THEY_WERE_HAD = (*_BATCHES, "anchors", "baselines", "looks", "replies", "spend")
_REDACTED = "(redacted) "


class _Cut:
    """The rows of a store that belong to a part of it."""

    def __init__(self, connection: Connection, part: Part) -> None:
        self.connection = connection
        self.part = part
        restricted = part.benchmarks or part.models or part.since is not None
        self.whole = not (restricted or part.verdicts_only)
        self._where: dict[Table, ColumnElement[bool]] = {}
        self.left_out: tuple[str, ...] = () if self.whole else _BATCHES
        self.instead: Mapping[str, Mapping[str, str | None]] = {}
        if part.redact:
            self.left_out, self.instead = (*_BATCHES, "replies"), _NO_TEXTS
        if part.verdicts_only:
            self.left_out, self.instead = _HOW_THEY_WERE_HAD, _ANSWER_ALONE
        models = schema.models.c
        keyed = select(models.id).where(models.key.in_(list(part.models)))
        self.models = list(connection.execute(keyed).scalars())
        self.met: list[int] | None = None
        self.benchmarks: list[int] | None = None
        if part.benchmarks:
            its = schema.benchmarks.c
            meant = tuple_(its.name, its.version).in_(list(part.benchmarks))
            self.benchmarks = list(connection.execute(select(its.id).where(meant)).scalars())
        if part.models or part.since is not None:
            self._meet()
        calibrated = select(schema.calibrations.c.content_sha)
        self.readable: set[bytes] = set()
        if part.redact:
            self.readable = _WORDS.union(connection.execute(calibrated).scalars())

    def _meet(self) -> None:
        """The models and benchmarks that verdicts or answers of this part are about."""
        used, stood, said = schema.uses, schema.answers, schema.responses.c
        judged = select(used.c.benchmark_id, used.c.model_id, used.c.opponent_id)
        judged = judged.where(*self._own(used)).distinct()
        answered = select(stood.c.benchmark_id, stood.c.model_id).distinct()
        if self.models:
            answered = answered.where(stood.c.model_id.in_(self.models))
        if self.part.since is not None:
            answered = answered.join(schema.responses, said.id == stood.c.response_id)
            answered = answered.where(said.at >= self.part.since)
        met = [*self.connection.execute(judged), *self.connection.execute(answered)]
        self.met = sorted({model for row in met for model in row[1:]})
        if self.benchmarks is None:
            self.benchmarks = sorted({row[0] for row in met})

    def _own(self, table: Table) -> Iterator[ColumnElement[bool]]:
        """What a row says itself of whether it is meant."""
        its, since = table.c, self.part.since
        if self.benchmarks is not None and "benchmark_id" in its:
            yield its.benchmark_id.in_(self.benchmarks)
        if self.models and table.name in _OF_MODELS:
            yield its.model_id.in_(self.models)
        elif self.met is not None and table is schema.answers:
            yield its.model_id.in_(self.met)
        if since is not None and table is schema.spend:
            runs = schema.runs.c
            yield its.run_id.in_(select(runs.id).where(runs.started >= since))
        at = None if table.name in _SET_ONCE else its.get("used_at", its.get("at"))
        if since is not None and at is not None:
            yield at >= since

    def where(self, table: Table) -> ColumnElement[bool]:
        if table not in self._where:
            self._where[table] = self._meant(table)
        return self._where[table]

    def _meant(self, table: Table) -> ColumnElement[bool]:
        """By what it says itself, by what it belongs to, or since something that is meant names it.

        Of an opponent or judge that is in no part by itself nothing but its name goes along.
        """
        if table.name in self.left_out:
            return false()
        if self.whole and not (self.part.redact and table is schema.texts):
            return true()
        if table.name in _OWNED:
            column = table.c[_OWNED[table.name]]
            owner = _NAMED[column.name]
            owners = select(owner.c.id).where(self.where(owner))
            return and_(column.in_(owners), *self._own(table))
        if "benchmark_id" in table.c:
            return and_(true(), *self._own(table))
        if table is schema.replies:
            return table.c.key.in_(union(*self._read()))
        naming = [
            select(column).where(self.where(other))
            for other in TABLES
            if other.name not in _OWNED or _NAMED[_OWNED[other.name]] is not table
            for column in map(self._kept, other.c)
            if column is not None and _leads(column) is table
        ]
        if not naming:
            return false()
        return table.c["sha" if table is schema.texts else "id"].in_(union(*naming))

    def _read(self) -> list[Select[Any]]:
        """The keys of the replies that judgments were read from."""
        keys = schema.judgments.c.reply_keys
        longest = self.connection.execute(select(func.max(func.length(keys)))).scalar() or 0
        meant = self.where(schema.judgments)
        starts = range(1, max(longest, _KEY), _KEY)
        return [select(func.substr(keys, at, _KEY)).where(meant) for at in starts]

    def _kept(self, column: Any) -> Any:
        """What stands in a column; None where it is left empty."""
        instead = self.instead.get(column.table.name, {})
        name = instead.get(column.name, column.name)
        return None if name is None else column.table.c[name]

    def rows(self, table: Table, after: Sequence[Any] | None = None) -> Iterator[list[_Row]]:
        """In the order of the primary key, a portion at a time."""
        kept = [self._kept(column) for column in table.c]
        columns = [null() if one is None else one for one in kept]
        key = list(table.primary_key.columns)
        query = select(*columns).where(self.where(table)).order_by(*key)
        if after is not None:
            values = [literal(value, column.type) for value, column in zip(after, key, strict=True)]
            query = query.where(tuple_(*key) > tuple_(*values))
        for some in self._portions(query, table):
            yield [dict(zip(table.c.keys(), row, strict=True)) for row in some]

    def _portions(self, query: Select[Any], table: Table) -> Iterator[list[list[Any]]]:
        """Where texts are left out, one that says nothing and is as long stands for each."""
        hides = self.part.redact and table is schema.texts
        with self.connection.execute(query, execution_options=_STREAM) as found:
            for some in found.partitions():
                rows: list[list[Any]] = [[None if v != v else v for v in row] for row in some]
                for row in rows if hides else ():
                    if row[0] not in self.readable:
                        n = len(row[1])
                        row[1:] = [(_REDACTED * (n // len(_REDACTED) + 1))[:n], None]
                yield rows

    def count(self, table: Table) -> int:
        query = select(func.count()).select_from(table).where(self.where(table))
        return int(self.connection.execute(query).scalar_one())

    def digest(self, table: Table) -> tuple[int, int]:
        """How many rows a table has, and the sum of their hashes, in which no number has a part."""
        source: FromClause = table
        columns: list[Any] = []
        for kept in (self._kept(column) for column in table.c if column.name != "id"):
            told, source = ([null()], source) if kept is None else _told(kept, source)
            columns += told
        labelled = [column.label(f"c{number}") for number, column in enumerate(columns)]
        query = select(*labelled).select_from(source).where(self.where(table))
        n = total = 0
        for some in self._portions(query, table):
            n += len(some)
            for row in some:
                hashed = hashlib.sha256(repr(row).encode("utf-8", "surrogatepass")).digest()
                total = (total + int.from_bytes(hashed[:16], "big")) % (1 << 128)
        return n, total


def _told(column: Any, source: FromClause) -> tuple[list[Any], FromClause]:
    """What tells the row that a column names, and the tables to have it from."""
    target = _numbers(column)
    if target is None:
        return [column], source
    other = target.alias()
    source, told = source.outerjoin(other, other.c.id == column), []
    for name in _identity(target):
        more, source = _told(other.c[name], source)
        told += more
    return told, source


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
        said = marks(cut.connection)
        opened.enter_context(new.unchecked())  # what was copied may lack what has come since
        _begin(cut, old, new)
        progress.stage("copying", sum(map(cut.count, TABLES)))
        for table in TABLES:
            for rows in cut.rows(table, _last(new, table)):
                with new.writing() as connection:
                    connection.execute(insert(table).on_conflict_do_nothing(), rows)
                progress.advance(len(rows))
        progress.stage("comparing", len(TABLES))
        if other := _other(cut, new, progress):
            progress.say(f"{old.name} has changed since the copy began: {', '.join(other)} anew")
            with new.removing() as connection:
                for name in other:
                    table = schema.metadata.tables[name]
                    connection.execute(delete(table))
                    for rows in cut.rows(table):
                        connection.execute(insert(table), rows)
            if other := _other(cut, new, progress):
                raise StoreError(
                    f"the copy {new.name} does not say what {old.name} says: {', '.join(other)}"
                    " differ; remove it and copy again, and look with `judgebench store check`"
                )
        with new.writing() as connection:
            _count_on(connection)
            done = schema.meta.c.name == schema.UNFINISHED
            connection.execute(delete(schema.meta).where(done))
            if not part.verdicts_only:  # a part for others is the same however it was filled
                _pack(connection)
            if part.redact or schema.REDACTED in said:
                mark = {"name": schema.REDACTED, "value": "1"}
                connection.execute(insert(schema.meta).on_conflict_do_nothing(), mark)
            return {table.name: _Cut(connection, _ALL).count(table) for table in TABLES}


def _begin(cut: _Cut, old: Database, new: Database) -> None:
    """Write into the target what it is to be a copy of; refuse what is none of that."""
    number = select(schema.meta.c.value).where(schema.meta.c.name == schema.STORE_ID)
    part = cut.part
    models = sorted(key.hex() for key in part.models)
    about = [sorted(part.benchmarks), models, part.since, part.redact, part.verdicts_only]
    mark = json.dumps([cut.connection.execute(number).scalar() or old.name, about])
    with new.writing() as connection:
        _unpack(connection)
        there = marks(connection).get(schema.UNFINISHED)
        if there == mark:
            return
        if there is not None:
            raise StoreError(
                f"{new.name} is the unfinished copy of another store or part; give another place,"
                " or remove it"
            )
        if any(connection.execute(select(1).select_from(t).limit(1)).first() for t in TABLES):
            raise StoreError(
                f"{new.name} holds a store already, and a copy goes to a new place; `judgebench"
                " store merge` adds one store to another"
            )
        connection.execute(schema.meta.insert(), {"name": schema.UNFINISHED, "value": mark})


def _pack(connection: Connection, boards: Collection[Sequence[int]] | None = None) -> None:
    from judgebench.store import columns  # numpy

    columns.rebuild(connection, boards)


def _unpack(connection: Connection) -> None:
    """Uses come from elsewhere: until they are packed again, boards are read from themselves."""
    for table in (schema.chunks, schema.tails):
        connection.execute(delete(table))
    connection.execute(delete(schema.meta).where(schema.meta.c.name == schema.PACKED))


def _last(new: Database, table: Table) -> Sequence[Any] | None:
    """The primary key up to which a table is copied; None where two engines order it otherwise."""
    key = list(table.primary_key.columns)
    if any(isinstance(column.type, Text) for column in key):
        return None
    last = select(*key).order_by(*(column.desc() for column in key)).limit(1)
    with new.reading() as connection:
        return connection.execute(last).first()


def _other(cut: _Cut, new: Database, progress: Progress) -> list[str]:
    """The tables of a copy that do not say what they should."""
    found = []
    with new.reading() as connection:
        there = _Cut(connection, _ALL)
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
        store = opened.enter_context(closing(open_database(into)))
        rest = [opened.enter_context(closing(open_database(o, read_only=True))) for o in others]
        views = [(one, opened.enter_context(one.reading())) for one in rest]
        for one, connection in views:
            if one.place() == store.place():
                raise StoreError(f"{one.name} is the store that others are merged into")
            if schema.REDACTED in marks(connection):
                raise StoreError(
                    f"{one.name} is a copy without its texts; merge the store that it was made of"
                )
        for number, (one, connection) in enumerate(views):
            with store.reading() as here:
                _refuse_other_items(store, here, one, connection)
            for other, there in views[:number]:
                _refuse_other_items(other, there, one, connection)
        before = _counts(store)
        with store.writing() as connection:
            _unpack(connection)
        differing = 0
        for one, connection in views:
            its = _Merging(connection)
            progress.stage(f"merging {one.name}", sum(map(its.cut.count, TABLES)))
            for table in TABLES:
                its.begin(store, table)
                for rows in its.cut.rows(table):
                    its.put(store, table, rows)
                    progress.advance(len(rows))
            differing += len(its.differing)
        with store.writing() as connection:
            _clear_failures(connection)
            _pack(connection)
        after = _counts(store)
    return Merged({name: after[name] - before[name] for name in after}, differing)


def _counts(store: Database) -> dict[str, int]:
    with store.reading() as connection:
        its = _Cut(connection, _ALL)
        return {table.name: its.count(table) for table in TABLES}


def _refuse_other_items(
    one: Database, here: Connection, other: Database, there: Connection
) -> None:
    b, i = schema.benchmarks.c, schema.items.c
    known = select(b.name, b.version, b.id)
    found = {tuple(row[:2]): row[2] for row in there.execute(known)}
    for name, version, number in here.execute(known).all():
        if (name, version) not in found:
            continue
        items = select(i.item_id, i.identity).where(i.identity.is_not(None))
        ours = {row[0]: row[1] for row in here.execute(items.where(i.benchmark_id == number))}
        theirs = there.execute(items.where(i.benchmark_id == found[name, version]))
        for item, identity in theirs:
            if ours.get(item, identity) != identity:
                raise StoreError(
                    f"item {item!r} of {name}@{version} is one in {one.name} and another in"
                    f" {other.name} (its question, references or category); nothing was merged:"
                    " `judgebench store copy --only` takes the rest of a store to a new one"
                )


def _clear_failures(connection: Connection) -> None:
    """What failed in one store and was done in the other is done."""
    f, r = schema.failures.c, schema.responses
    answered = select(r.c.key).join(schema.answers, schema.answers.c.response_id == r.c.id)
    done = (select(schema.judgments.c.key), select(schema.replies.c.key), answered)
    connection.execute(delete(schema.failures).where(or_(*(f.key.in_(keys) for keys in done))))


_WITHOUT_KEY = ("calibrations", "baselines", "anchors")


def _put(table: Table) -> Any:
    """Add a row that is new, or that says more than the one of its identity that is there.

    What a run took only grows, and grows in one store: the greater of two counters is the later.
    """
    put, names = insert(table), _identity(table)
    old, new = table.c, put.excluded
    take: dict[str, Any] = {c.name: new[c.name] for c in table.c if c.name not in ("id", *names)}
    match table.name:
        case "spend" | "budgets":
            take = {
                name: case((new[name] > old[name], new[name]), else_=old[name]) for name in take
            }
            better: ColumnElement[bool] = true()
        case "items":
            better = and_(old.identity.is_(None), new.identity.is_not(None))
        case "runs":
            better = or_(
                and_(old.state == "running", new.state != "running"),
                and_(old.state == "interrupted", or_(new.state == "done", new.state == "failed")),
            )
        case "failures":
            better = new.at > old.at
        case "batches":
            sent = and_(old.remote_id.is_(None), new.remote_id.is_not(None))
            better = and_(old.ended.is_(None), or_(new.ended.is_not(None), sent))
        case _:
            return put.on_conflict_do_nothing()
    return put.on_conflict_do_update(index_elements=names, set_=take, where=better)


class _Merging:
    """Rows of one store on their way into another, which has other numbers for the same."""

    def __init__(self, source: Connection) -> None:
        self.source = source
        self.cut = _Cut(source, _ALL)
        self.differing: set[tuple[int, int]] = set()  # model and item, at which two answers met
        self._other_answers: set[int] = set()
        self._known: dict[Table, dict[int, int]] = {}
        self._there: set[tuple[Any, ...]] = set()
        self._oldest: dict[int, int] = {}

    def begin(self, store: Database, table: Table) -> None:
        """Have at hand what is there of a table, where rows have to be held against it."""
        with store.reading() as connection:
            if "newest" in table.c:
                owner = table.c[_OWNED[table.name]]
                oldest = select(owner, func.min(table.c.newest)).group_by(owner)
                self._oldest = {row[0]: row[1] for row in connection.execute(oldest)}
                most = select(func.coalesce(func.max(table.c.newest), 0))
                self._newest = self.source.execute(most).scalar_one()
            elif table.name in _WITHOUT_KEY:
                columns = [table.c[name] for name in _identity(table)]
                self._there = {tuple(row) for row in connection.execute(select(*columns))}

    def put(self, store: Database, table: Table, rows: list[_Row]) -> None:
        """One portion, in one commit."""
        if table is schema.answers:
            others = [row for row in rows if row["response_id"] in self._other_answers]
            self.differing.update((row["model_id"], row["item_id"]) for row in others)
        elif table is schema.uses:
            rows = [row for row in rows if self.differing.isdisjoint(_answers_of(row))]
        with store.writing() as connection:
            self._renumber(connection, table, rows)
            if table is schema.responses:
                self._compare(connection, rows)
            elif "newest" in table.c:  # what is called something goes on being called so
                for row in rows:
                    oldest = self._oldest.get(row[_OWNED[table.name]])
                    row["newest"] += 0 if oldest is None else oldest - self._newest - 1
            elif table.name in _WITHOUT_KEY:
                names = _identity(table)
                rows = [row for row in rows if tuple(row[n] for n in names) not in self._there]
            for row in rows:
                row.pop("id", None)
            if rows:
                connection.execute(_put(table), rows)

    def _compare(self, connection: Connection, rows: list[_Row]) -> None:
        """Remember the answers that another one stands in the place of."""
        said = schema.responses.c
        for some in chunks(rows):
            texts = {(row["key"], row["stack_id"]): (row["id"], row["text_sha"]) for row in some}
            there = select(said.key, said.stack_id, said.text_sha)
            there = there.where(tuple_(said.key, said.stack_id).in_(list(texts)))
            for key, stack, sha in connection.execute(there):
                number, ours = texts[key, stack]
                if sha != ours:
                    self._other_answers.add(number)

    def _renumber(self, connection: Connection, table: Table, rows: list[_Row]) -> None:
        """Put the numbers of the store that they go to into rows."""
        named: dict[Table, list[str]] = {}
        for column in table.c:
            target = _numbers(column)
            if target is not None and rows and column.name in rows[0]:
                named.setdefault(target, []).append(column.name)
        for target, names in named.items():
            numbers = {row[name] for row in rows for name in names} - {None, NONE}
            there = self._here(connection, target, numbers)
            if lacking := numbers - there.keys():
                raise StoreError(
                    f"a row of {table.name} needs one of {target.name} (number {min(lacking)}) that"
                    " is not in its store; `judgebench store check` looks through it"
                )
            for row in rows:
                row.update({name: there.get(row[name], row[name]) for name in names})

    def _here(self, connection: Connection, table: Table, numbers: set[int]) -> dict[int, int]:
        """Number in the source -> number in the store, of what both of them have."""
        known = self._known.setdefault(table, {})
        if len(known) > _MOST:
            known.clear()
        names = _identity(table)
        columns = [table.c[name] for name in names]
        for some in chunks(numbers - known.keys()):
            its = select(table.c.id, *columns).where(table.c.id.in_(some))
            rows = [dict(row._mapping) for row in self.source.execute(its)]
            self._renumber(connection, table, rows)
            told = {tuple(row[name] for name in names): row["id"] for row in rows}
            there = select(table.c.id, *columns).where(tuple_(*columns).in_(list(told)))
            for number, *values in connection.execute(there):
                known[told[tuple(values)]] = number
        return known


def _answers_of(row: _Row) -> Iterator[tuple[int, int]]:
    """Model and item of the answers that a verdict is about."""
    return ((row[who], row["item_id"]) for who in ("model_id", "opponent_id"))


# looking through, tidying -------------------------------------------------------------------------


def check(url: str, progress: Progress = _QUIET) -> list[str]:
    """What is wrong with a store, a sentence each; nothing where all is well.

    Each text is held against its hash; each model, judge, stack, reply and judgment against its
    key, but for what was made of more than is kept: labels, imported verdicts, hidden secrets.
    """
    with closing(open_database(url, read_only=True, unfinished=True)) as store:
        found = store.damage()
        with store.reading() as connection:
            said = marks(connection)
            if schema.UNFINISHED in said:
                found.append("unfinished copy: run the same `judgebench store copy` again")
            for table, other in hanging_references(connection):
                found.append(f"{table}: at least one row needs one of {other} that is not there")
            for what, query, is_right in _held_against(connection, schema.REDACTED in said):
                n, first = 0, ""
                progress.stage(f"looking through {what}", None)
                for rows in connection.execute(query, execution_options=_STREAM).partitions():
                    wrong = [row[0].hex()[:12] for row in rows if not is_right(*row)]
                    n, first = n + len(wrong), first or next(iter(wrong), "")
                    progress.advance(len(rows))
                if n:
                    found.append(f"{what}: {n} whose content is not theirs, the first {first}")
            if schema.PACKED in said and (boards := _packed_otherwise(connection)):
                found.append(
                    f"{boards} boards are packed otherwise than their verdicts are: `judgebench "
                    "store vacuum` packs them anew"
                )
    return found


def _packed_otherwise(connection: Connection) -> int:
    from judgebench.store import columns  # numpy

    return len(columns.verify(connection))


_OCCASION = re.compile(r'"occasion":\s*"([^"]+)"')


def _held_against(
    connection: Connection, redacted: bool
) -> Iterator[tuple[str, Select[Any], Callable[..., bool]]]:
    """What is known by its content, first what it is known by, and whether that is right."""
    t, j, g, u = schema.texts.c, schema.judgments.c, schema.judges.c, schema.uses.c
    if not redacted:
        yield "texts", select(t.sha, t.body, t.exact), _is_text
        replies = schema.replies.c
        asked = select(replies.key, t.body, t.exact).join(
            schema.texts, t.sha == replies.request_sha
        )
        yield "replies", asked, _is_request
    specs: tuple[tuple[Table, type[Any], Callable[[Any], bytes]], ...] = (
        (schema.models, ModelSpec, model_key),
        (schema.judges, JudgeSpec, judge_key),
        (schema.stacks, Stack, stack_key),
    )
    for table, kind, key_of in specs:
        spec = table.c["stack" if table is schema.stacks else "spec"]
        yield table.name, select(table.c.key, spec), partial(_is_spec, kind, key_of)
    repeats = sorted({0, AFRESH, *connection.execute(select(u.repeat).distinct()).scalars()})
    manifests = connection.execute(select(schema.runs.c.manifest)).scalars()
    occasions = {name for manifest in manifests for name in _OCCASION.findall(manifest)}
    looked = select(schema.names.c.name).where(
        schema.names.c.id.in_(select(schema.looks.c.occasion_id))
    )
    occasions.update(connection.execute(looked).scalars())
    asked = select(j.key, g.key, j.case_key).join(schema.judges, g.id == j.judge_id)
    asked = asked.where(g.kind.not_in((HUMAN, "imported")))
    yield "judgments", asked, partial(_is_judgment, repeats, [None, *sorted(occasions)])


def _is_text(sha: bytes, body: str, exact: bytes | None) -> bool:
    return hashlib.sha256(body.encode() if exact is None else exact).digest() == sha


def _is_request(key: bytes, body: str, exact: bytes | None) -> bool:
    asked = body.encode() if exact is None else exact
    keys = (hashlib.sha256(kind + asked).digest() for kind in (b"request\n", b"score request\n"))
    return MASKED in body or key in keys


def _is_spec(kind: type[Any], key_of: Callable[[Any], bytes], key: bytes, spec: str) -> bool:
    try:
        return MASKED in spec or key_of(read_spec(kind, spec)) == key
    except (TypeError, ValueError):  # it says what no such thing can say
        return False


def _is_judgment(
    repeats: Sequence[int], occasions: Sequence[str | None],
    key: bytes, judge: bytes, case_key: bytes,
) -> bool:  # fmt: skip
    return any(
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
            _pack(connection)
        return store.vacuum()


# forgetting ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgettable:
    """What is to be forgotten; what several of them name is what all of them mean.

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
    """

    judges: Collection[bytes] = ()
    runs: Collection[str] = ()
    judgments: Collection[str] = ()
    benchmarks: Collection[tuple[str, str]] = ()
    unreadable: bool = False

    @property
    def whole_judges(self) -> bool:
        return bool(self.judges) and not (self.narrow or self.judgments or self.unreadable)

    @property
    def narrow(self) -> bool:
        """Whether judgments are meant in some places alone."""
        return bool(self.runs or self.benchmarks)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeForgotten:
    """What goes of one judge: to have it again its model is asked ``replies`` questions.

    Tokens are those that replies state; ``uncounted`` state none. ``elsewhere`` are judgments of a
    judge that cannot be asked: of people, or imported.
    """

    judge: bytes
    judgments: int = 0
    elsewhere: int = 0
    replies: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What goes, or went.

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

    judges: tuple[JudgeForgotten, ...] = ()
    verdicts: int = 0
    runs: tuple[str, ...] = ()
    shared: int = 0
    pinned: int = 0
    needed_replies: int = 0
    earlier: int = 0
    anchors: int = 0
    failures: int = 0

    @property
    def judgments(self) -> int:
        return sum(one.judgments for one in self.judges)

    @property
    def replies(self) -> int:
        return sum(one.replies for one in self.judges)


_DIGITS = re.compile(r"[0-9a-f]{8,64}")


def digits_of(written: str) -> str:
    """The first digits of a judgment's key, as a person writes them.

    Raises
    ------
    UsageError
        For what is none, or too short to mean one.
    """
    if not _DIGITS.fullmatch(written.lower()):
        raise UsageError(
            f"{written!r} is no key of a judgment: 8 to 64 hexadecimal digits, as `judgebench "
            "replies JUDGE` shows them"
        )
    return written.lower()


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
_j, _u, _l, _p, _f, _a = (
    schema.judgments, schema.uses, schema.looks, schema.replies, schema.failures, schema.anchors,
)  # fmt: skip
_UNREADABLE = KINDS.index("unreadable")


def forget(connection: Connection, wanted: Forgettable, *, remove: bool) -> Forgotten:
    """Verdicts out again: judgments, where they served, and what nothing else was read from.

    What was spent on them, the runs with their manifests, judges, models and answers stay. What
    goes is put together in temporary tables first, so that it can be counted without anything
    being removed, and each table of the store is read once whatever the number of rows. To remove,
    it has to be called where references are not looked up row by row (`Database.removing`).

    Raises
    ------
    UsageError
        For digits that begin no judgment's key, or several.
    """
    if connection.dialect.name != "sqlite":  # else who only reads may not even count
        connection.execute(text("SET TRANSACTION READ WRITE"))
    _ids.create_all(connection, checkfirst=False)
    found = _Forgetting(connection, wanted).forget(remove)
    _ids.drop_all(connection, checkfirst=False)
    return found


class _Forgetting:
    def __init__(self, connection: Connection, wanted: Forgettable) -> None:
        self.connection = connection
        self.wanted = wanted
        runs, which = schema.runs.c, schema.benchmarks.c
        of_runs = select(runs.id).where(runs.run_id.in_(wanted.runs))
        named = tuple_(which.name, which.version).in_(list(wanted.benchmarks))
        of_benchmarks = _u.c.benchmark_id.in_(select(which.id).where(named))
        self.here = and_(
            _u.c.run_id.in_(of_runs) if wanted.runs else true(),
            of_benchmarks if wanted.benchmarks else true(),
        )
        its = schema.judges.c
        known = connection.execute(select(its.id, its.key, its.kind)).all()
        self.judges = {number: key for number, key, _ in known}
        self.elsewhere = {number for number, _, kind in known if kind in (HUMAN, "imported")}
        whole = wanted.judges if wanted.whole_judges else ()
        self.whole = [number for number, key in self.judges.items() if key in whole]

    def forget(self, remove: bool) -> Forgotten:
        shared, pinned = self._choose()
        needed = self._choose_replies()
        used: ColumnElement[bool] = _u.c.judgment_id.in_(select(_gone.c.one))
        if self.wanted.narrow:
            used = and_(self.here, _u.c.judgment_id.in_(select(_chosen.c.one)))
        looks = _l.c.anchors_id.in_(select(_a.c.id).where(_a.c.judge_id.in_(self.whole)))
        runs = schema.runs.c
        served = select(runs.run_id).where(runs.id.in_(select(_u.c.run_id).where(used)))
        found = Forgotten(
            judges=tuple(self._by_judge()),
            verdicts=self._count(_u, used),
            runs=tuple(self.connection.execute(served.order_by(runs.id)).scalars()),
            shared=shared,
            pinned=pinned,
            needed_replies=needed,
            earlier=self._others(used),
            anchors=self._count(_l, looks, _l.c.occasion_id == NONE),
            failures=self._count(_f, _f.c.judge_id.in_(self.whole)),
        )
        if remove:
            self._remove(used, looks)
        return found

    def _choose(self) -> tuple[int, int]:
        """All judgments that are meant, and of them those that go.

        What is needed beside what is meant stays: for other verdicts, and as anchors; how many.
        """
        wanted, its = self.wanted, select(_j.c.id)
        if wanted.judges:
            numbers = [number for number, key in self.judges.items() if key in wanted.judges]
            its = its.where(_j.c.judge_id.in_(numbers))
        if wanted.unreadable:
            its = its.where(_j.c.kind == _UNREADABLE)
        if wanted.judgments:
            its = its.where(_j.c.id.in_([self._called(digits) for digits in wanted.judgments]))
        if wanted.narrow:
            its = its.where(_j.c.id.in_(select(_u.c.judgment_id).where(self.here)))
        self._put(_chosen, its)
        chosen = select(_chosen.c.one)
        there = select(_u.c.judgment_id).where(_u.c.judgment_id.in_(chosen), not_(self.here))
        anchors = select(_l.c.judgment_id).where(_l.c.judgment_id.in_(chosen))
        serves = _chosen.c.one.in_(there) if wanted.narrow else false()
        is_pinned = false() if self.whole else _chosen.c.one.in_(anchors)
        self._put(_gone, chosen.where(not_(serves), not_(is_pinned)))
        return self._count(_chosen, serves), self._count(_chosen, is_pinned, not_(serves))

    def _called(self, digits: str) -> int:
        """The judgment whose key begins so."""
        least, most = (bytes.fromhex(digits.ljust(2 * _KEY, end)) for end in "0f")
        between = select(_j.c.id).where(_j.c.key.between(least, most)).limit(2)
        found = self.connection.execute(between).scalars().all()
        if len(found) != 1:
            many = "several judgments begin" if found else "no judgment begins"
            raise UsageError(f"{many} with {digits}; `judgebench replies JUDGE` shows their keys")
        return int(found[0])

    def _choose_replies(self) -> int:
        """Those that nothing that stays was read from; how many are needed on."""
        going = select(_gone.c.one)
        read = select(_j.c.reply_keys).where(_j.c.reply_keys != b"")
        go, stay = (read.where(_j.c.id.in_(going)), read.where(_j.c.id.not_in(going)))
        blobs = self.connection.execute(go).scalars()
        found = {key for blob in blobs for key in reply_keys(blob)}
        blobs = self.connection.execute(stay.where(true() if found else false())).scalars()
        needed = {key for blob in blobs for key in reply_keys(blob) if key in found}
        for some in chunks(found - needed):
            self.connection.execute(insert(_unneeded), [{"one": key} for key in some])
        return len(needed)

    def _by_judge(self) -> Iterator[JudgeForgotten]:
        reply = select(_p.c.key, _p.c.prompt_tokens, _p.c.completion_tokens)
        reply = reply.join(_unneeded, _unneeded.c.one == _p.c.key)
        took = {key: tokens for key, *tokens in self.connection.execute(reply)}
        judged: dict[int, list[bytes]] = {}
        query = select(_j.c.judge_id, _j.c.reply_keys).join(_gone, _gone.c.one == _j.c.id)
        for judge, blob in self.connection.execute(query.order_by(_j.c.judge_id, _j.c.id)):
            judged.setdefault(judge, []).append(blob)
        for judge, blobs in judged.items():
            keys = {key for blob in blobs for key in reply_keys(blob)}
            tokens = [took.pop(key) for key in keys if key in took]
            yield JudgeForgotten(
                judge=self.judges[judge],
                judgments=len(blobs),
                elsewhere=len(blobs) if judge in self.elsewhere else 0,
                replies=len(tokens),
                prompt_tokens=sum(asked or 0 for asked, _ in tokens),
                completion_tokens=sum(said or 0 for _, said in tokens),
                uncounted=sum(asked is None or said is None for asked, said in tokens),
            )

    def _others(self, used: ColumnElement[bool]) -> int:
        """Places of what goes at which the judge said something else that stays."""
        other = _u.alias("other")
        place = [_u.c[name] for name in PLACE]
        there = select(1).where(
            *(other.c[column.name] == column for column in place),
            other.c.judgment_id.not_in(select(_chosen.c.one)),
        )
        return self._count(select(*place).where(used, there.exists()).distinct().subquery())

    def _remove(self, used: ColumnElement[bool], looks: ColumnElement[bool]) -> None:
        goes = {
            _l: looks,
            _a: _a.c.judge_id.in_(self.whole),
            _f: _f.c.judge_id.in_(self.whole),
            _u: used,
            _j: _j.c.id.in_(select(_gone.c.one)),
            _p: _p.c.key.in_(select(_unneeded.c.one)),
        }
        naming = [column for t in TABLES for column in t.c if _leads(column) is schema.texts]
        named = union(
            *(select(column).where(goes[column.table]) for column in naming if column.table in goes)
        ).subquery()
        self._put(_unnamed, select(named.c[0]).where(named.c[0].is_not(None)))
        board = [_u.c[name] for name in PLACE[:4]]
        boards = self.connection.execute(select(*board).where(used).distinct()).all()
        for table, condition in goes.items():
            self.connection.execute(delete(table).where(condition))
        _pack(self.connection, boards)
        unnamed = select(_unnamed.c.one)
        for column in naming:
            still = select(column).where(column.in_(unnamed))
            self.connection.execute(delete(_unnamed).where(_unnamed.c.one.in_(still)))
        self.connection.execute(delete(schema.texts).where(schema.texts.c.sha.in_(unnamed)))
        from judgebench.store.search import forget_gone  # which stands on the whole store

        forget_gone(self.connection)

    def _put(self, table: Table, rows: Select[Any]) -> None:
        self.connection.execute(insert(table).from_select(["one"], rows))

    def _count(self, table: FromClause, *conditions: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(table).where(*conditions)
        return int(self.connection.execute(query).scalar_one())
