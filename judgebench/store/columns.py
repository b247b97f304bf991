"""Verdicts and answers as columns: lists for reports, coded arrays for boards.

``uses`` joined to ``judgments`` is the truth. What boards read of it is kept beside it once more,
packed: a board's (benchmark, judge, model, opponent) newest verdicts are rows of ``tails``, folded
into a chunk of ``chunks`` when there are `TAIL`, and small chunks into one of `CHUNK` verdicts. A
fold is part of the transaction that puts a verdict, and readers take both from one snapshot. Both
are made of ``uses`` alone, so they can be made anew (`rebuild`) and compared (`verify`); a store
that has not been packed yet is read from ``uses``, in the same arrays.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    bindparam,
    case,
    cast,
    delete,
    func,
    select,
    tuple_,
)

from judgebench.columns import Coded, Column
from judgebench.records import AFRESH, HUMAN, WITHDRAWN, Order, Place, Verdict
from judgebench.store import schema
from judgebench.store.catalog import (
    Columns,
    Named,
    StoredJudge,
    StoredModel,
    boards_of,
    chosen,
    judges,
    models,
)
from judgebench.store.codec import (
    KINDS,
    ORDERS,
    VerdictRow,
    read_marks,
    read_parts,
    read_verdict,
    reply_keys,
    stored_text,
)
from judgebench.store.database import Prepared, chunks, insert
from judgebench.store.schema import NONE, PLACE

if TYPE_CHECKING:
    from judgebench.store.store import Store

PLACE_COLUMNS = (
    "benchmark", "version", "item_id", "category", "model", "model_id", "opponent", "opponent_id",
    "judge", "judge_id", "judge_kind", "official_prompt", "order", "sample", "turn",
)  # fmt: skip
VERDICT_COLUMNS = (
    *PLACE_COLUMNS, "kind", "label", "value", "p", "low", "high", "reason", "served_model",
    "run_id", "at", "repeat", "parts", "marks",
)  # fmt: skip
RUN_VERDICT_COLUMNS = (*VERDICT_COLUMNS, "case")
JUDGED_COLUMNS = (*VERDICT_COLUMNS, "verdict", "judgment", "reply_keys")
FAILURE_COLUMNS = (
    *PLACE_COLUMNS, "boundary", "message", "retriable", "attempts", "at", "repeat", "kind",
)  # fmt: skip
RESPONSE_COLUMNS = (
    "benchmark", "version", "item_id", "category", "model", "model_id", "sample", "turn", "text",
    "reasoning", "status", "finish_reason", "prompt_tokens", "completion_tokens", "logprob",
    "source", "stack", "newest", "at",
)  # fmt: skip
START = 160
"""How many characters of an answer `board_answers` reads beside its length."""

TAIL, CHUNK = 256, 4096
"""Verdicts of a board at which its rows are folded into a chunk, and of a chunk that stays.

Many boards never have 4,096 verdicts, and their rows would all be read one by one.
"""

Rows: TypeAlias = dict[str, NDArray[Any]]
"""Verdicts of boards as integers and doubles: equally long arrays by the names of `_FIELDS`."""

_b, _u, _j, _f, _a, _r, _t, _c, _l = (
    table.c
    for table in (
        schema.benchmarks, schema.uses, schema.judgments, schema.failures, schema.answers,
        schema.responses, schema.texts, schema.chunks, schema.tails,
    )
)  # fmt: skip
_reason, _text, _thought = (schema.texts.alias(name) for name in ("reason", "text", "thought"))
_USE = tuple(column.name for column in schema.uses.primary_key.columns)
_BOARD = PLACE[:4]
_MORE: dict[str, tuple[Any, Callable[[Names, Row[Any]], Any]]] = {
    "case": (_j.case_key, lambda names, row: row.case_key),
    "verdict": (_j.winner, lambda names, row: _verdict(row, names.names.get(row.label_id))),
    "judgment": (_j.key, lambda names, row: row.key),
    "reply_keys": (_j.reply_keys, lambda names, row: reply_keys(row.reply_keys)),
}
_USES = (
    select(
        *(_u[name] for name in PLACE), _u.used_at, _u.run_id, _u.judgment_id, _j.kind, _j.value,
        _j.p, _j.low, _j.high, _j.label_id, _j.parts, _j.marks, _reason.c.body, _reason.c.exact,
        _j.served_id, _j.at.label("judged_at"),
    )
    .join(schema.judgments, _j.id == _u.judgment_id)
    .outerjoin(_reason, _reason.c.sha == _j.reason_sha)
    .order_by(*schema.uses.primary_key.columns)
)  # fmt: skip
_FAILURES = (
    select(
        *(_f[name] for name in PLACE), _f.boundary, _reason.c.body, _reason.c.exact, _f.retriable,
        _f.attempts, _f.at, _f.kind,
    )
    .join(_reason, _reason.c.sha == _f.message_sha)
    .where(_f.repeat != AFRESH)
    .order_by(_f.benchmark_id, _f.at, *schema.failures.primary_key.columns)
)  # fmt: skip
_ANSWERS = (
    select(
        _a.benchmark_id, _a.model_id, _a.item_id, _a.sample, _a.turn, _text.c.body, _text.c.exact,
        _thought.c.body, _thought.c.exact, _r.status, _r.finish_reason, _r.prompt_tokens,
        _r.completion_tokens, _r.logprob, _r.source, schema.stacks.c.stack, _r.at,
    )
    .join(schema.responses, _r.id == _a.response_id)
    .join(_text, _text.c.sha == _r.text_sha)
    .outerjoin(_thought, _thought.c.sha == _r.reasoning_sha)
    .outerjoin(schema.stacks, schema.stacks.c.id == _r.stack_id)
    .order_by(_a.benchmark_id, _a.model_id, _a.item_id, _a.sample, _a.turn, _r.at.desc(),
              _a.response_id.desc())
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Names:
    """The names behind the integers, of one snapshot."""

    benchmarks: dict[int, tuple[str, str]]
    items: dict[int, tuple[str, str | None]]
    models: dict[int, StoredModel]
    judges: dict[int, StoredJudge]
    runs: dict[int, str]
    names: dict[int, str]

    @classmethod
    def of(cls, connection: Connection, benchmark: str | None, version: str | None) -> Names:
        i, r, n = schema.items.c, schema.runs.c, schema.names.c
        wanted = ((_b.name, benchmark), (_b.version, version))
        query = select(_b.id, _b.name, _b.version).where(
            *(column == value for column, value in wanted if value is not None)
        )
        benchmarks = {row[0]: (row[1], row[2]) for row in connection.execute(query)}
        some = select(i.id, i.item_id, i.category).where(i.benchmark_id.in_(list(benchmarks)))
        return cls(
            benchmarks=benchmarks,
            items={row[0]: (row[1], row[2]) for row in connection.execute(some)},
            models=models(connection),
            judges=judges(connection),
            runs={row[0]: row[1] for row in connection.execute(select(r.id, r.run_id))},
            names={row[0]: row[1] for row in connection.execute(select(n.id, n.name))},
        )

    def place(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """The values of `PLACE_COLUMNS`; None where a failure has no such coordinate."""
        benchmark, judge, model, opponent, item, shown, sample, turn, *_ = row
        asked, answering = self.judges.get(judge), self.models.get(model)
        against = self.models.get(opponent)
        return (
            *self.benchmarks.get(benchmark, (None, None)),
            *self.items.get(item, (None, None)),
            answering and answering.name,
            answering and answering.id,
            against and against.name,
            against and against.id,
            asked and asked.name,
            asked and asked.id,
            asked and asked.spec.kind,
            asked and asked.spec.official_prompt,
            *(None if benchmark == NONE else value for value in (ORDERS[shown], sample, turn)),
        )


# lists ------------------------------------------------------------------------------------------


def verdicts(
    connection: Connection,
    benchmark: str | None = None,
    version: str | None = None,
    *,
    judges: Collection[Named] | None = None,
    models: Collection[Named] | None = None,
    run_id: str | None = None,
    afresh: bool | None = False,
    columns: tuple[str, ...] = VERDICT_COLUMNS,
) -> Columns:
    """A preference's value is the probability that ``model`` beats ``opponent``.

    A label that its rater has taken back is none, nor is the one before it.

    Parameters
    ----------
    run_id
        What served this run, whatever came later.
    afresh
        What was asked for once more to confirm a regression, rather than what is on boards; both
        if None.
    columns
        Beside `VERDICT_COLUMNS`: ``case``, the key of what the judge saw (of imported verdicts,
        whose answers nobody knew, that of their place); ``verdict`` as a value; ``judgment`` and
        ``reply_keys``, their keys.
    """
    names = Names.of(connection, benchmark, version)
    conditions = [_u.benchmark_id.in_(list(names.benchmarks))]
    if judges is not None:
        conditions.append(_u.judge_id.in_(chosen(names.judges, judges) or []))
    if models is not None:
        conditions.append(_u.model_id.in_(chosen(names.models, models) or []))
    if run_id is not None:
        conditions.append(_u.run_id.in_([n for n, one in names.runs.items() if one == run_id]))
    rows = _verdicts(connection, names, *conditions, afresh=afresh, columns=columns)
    return as_columns(columns, list(rows))


def verdicts_beside(
    connection: Connection, benchmark: str, version: str, judge_key: bytes
) -> Columns:
    """As `verdicts`, of all judges, where one of them has a verdict; of a pair either way round.

    What it takes grows with what that judge has said, not with what the store holds.
    """
    names = Names.of(connection, benchmark, version)
    at = next(iter(names.benchmarks), NONE)
    number = next((n for n, judge in names.judges.items() if judge.key == judge_key), NONE)
    said = (_u.benchmark_id == at, _u.judge_id == number)
    model, opponent, item = _u.model_id, _u.opponent_id, _u.item_id
    one_way = select(model, opponent, item).where(*said)
    other_way = select(opponent, model, item).where(*said, opponent != NONE)
    # SQLite looks each place up only where judges are named, and the union is a table by itself.
    places = select(one_way.union(other_way).subquery())
    there = tuple_(model, opponent, item).in_(places)
    named = _u.judge_id.in_(list(names.judges))
    rows = _verdicts(connection, names, _u.benchmark_id == at, named, there)
    return as_columns(VERDICT_COLUMNS, list(rows))


def said_of(connection: Connection, benchmark: str, version: str, item_id: str) -> Columns:
    """As `verdicts`, of all judges on the single answers to one item."""
    names = Names.of(connection, benchmark, version)
    item = next((n for n, (one, _) in names.items.items() if one == item_id), NONE)
    rows = _verdicts(
        connection,
        names,
        _u.benchmark_id.in_(list(names.benchmarks)),
        _u.judge_id.in_(list(names.judges)),
        _u.model_id.in_(list(names.models)),
        _u.opponent_id == NONE,
        _u.item_id == item,
    )
    return as_columns(VERDICT_COLUMNS, list(rows))


def some_of_each(connection: Connection, benchmark: str, version: str, n: int) -> Columns:
    """As `verdicts`, the first ``n`` of every judge."""
    names = Names.of(connection, benchmark, version)
    here = _u.benchmark_id.in_(list(names.benchmarks))
    rows = (
        row
        for judge in names.judges
        for row in _verdicts(connection, names, here, _u.judge_id == judge, most=n)
    )
    return as_columns(VERDICT_COLUMNS, list(rows))


def first_verdicts(
    store: Store, benchmark: str, version: str, n: int, *, judges: Collection[str] | None = None
) -> Columns:
    """As `Store.verdicts`, the first ``n`` of each judge on each model by itself.

    They tell what sort of thing there is, such as whether anybody has scored from 0 to 1, and are
    found by one step in the key of ``uses`` for each judge and model, however many rows follow.

    Parameters
    ----------
    judges
        Only of these, by id; of all if not given.
    """
    with store.snapshot() as connection:
        names = Names.of(connection, benchmark, version)
        rows = [
            row
            for number in names.benchmarks
            for board in boards_of(connection, number)
            if board[2] == NONE and (judges is None or names.judges[board[0]].id in judges)
            for row in _verdicts(connection, names, *_at((number, *board)), most=n)
        ]
    return as_columns(VERDICT_COLUMNS, rows)


def _at(place: Sequence[int]) -> list[ColumnElement[bool]]:
    """Conditions: the first coordinates of a place are these."""
    return [_u[name] == value for name, value in zip(PLACE, place, strict=False)]


def _verdicts(
    connection: Connection,
    names: Names,
    *conditions: ColumnElement[bool],
    afresh: bool | None = False,
    most: int | None = None,
    columns: tuple[str, ...] = VERDICT_COLUMNS,
) -> Iterator[tuple[Any, ...]]:
    """What counts at each place that conditions on ``uses`` pick; ``most`` bounds the uses read."""
    more = [_MORE[name] for name in columns if name in _MORE]
    query = _USES.add_columns(*(column for column, _ in more)).where(*conditions).limit(most)
    if afresh is not None:
        query = query.where(_u.repeat == AFRESH if afresh else _u.repeat != AFRESH)
    for row in _newest(connection.execute(query)):
        judge = names.judges[row.judge_id].spec.kind
        kind, order, value = KINDS[row.kind], ORDERS[row.shown], row.value
        if judge == HUMAN and kind == "unreadable" and row.body == WITHDRAWN:
            continue
        if kind == "preference" and order == "opponent_first" and value is not None:
            value = 1 - value
        yield (
            *names.place(row),
            kind,
            names.names.get(row.label_id),
            value,
            row.p,
            row.low,
            row.high,
            _reason_of(row),
            names.names.get(row.served_id),
            names.runs[row.run_id],
            row.judged_at,
            row.repeat,
            read_parts(row.parts),
            marks_shown(read_marks(judge, row.marks), order),
            *(read(names, row) for _, read in more),
        )


def _newest(rows: Iterable[Row[Any]]) -> Iterator[Row[Any]]:
    """Of the uses of one place, which follow each other, the one recorded last."""
    for _, uses in groupby(rows, key=lambda row: tuple(row[: len(PLACE)])):
        yield max(uses, key=lambda use: (use.used_at, use.run_id, use.judgment_id))


def marks_shown(marks: tuple[str, ...] | None, order: Order) -> tuple[str, ...] | None:
    """Of the marks of what a judge was shown, those of the model's answer."""
    if marks is None or order == "single":
        return marks
    position = "/0" if order == "model_first" else "/1"
    return tuple(mark.removesuffix(position) for mark in marks if mark.endswith(position))


def _reason_of(row: Row[Any]) -> str | None:
    return None if row.body is None else stored_text(row.body, row.exact)


def _verdict(row: Row[Any], label: str | None) -> Verdict:
    its = {name: getattr(row, name) for name in ("kind", "value", "p", "low", "high", "winner")}
    return read_verdict(VerdictRow(**its, label=label, parts=row.parts, reason=_reason_of(row)))


def current(
    connection: Connection, benchmark: str, version: str
) -> dict[Place, tuple[bytes, Verdict]]:
    """What counts at each place; of a label that was taken back, that it was."""
    names = Names.of(connection, benchmark, version)
    query = _USES.add_columns(_j.key, _j.winner)
    query = query.where(_u.benchmark_id.in_(list(names.benchmarks)))
    return {
        Place(
            benchmark=benchmark,
            version=version,
            item_id=names.items[row.item_id][0],
            model_key=names.models[row.model_id].key,
            judge_key=names.judges[row.judge_id].key,
            opponent_key=None if row.opponent_id == NONE else names.models[row.opponent_id].key,
            order=ORDERS[row.shown],
            sample=row.sample,
            turn=row.turn,
            repeat=row.repeat,
        ): (row.key, _verdict(row, names.names.get(row.label_id)))
        for row in _newest(connection.execute(query))
    }


def current_at(connection: Connection, place: Mapping[str, int]) -> tuple[bytes, Verdict] | None:
    """What counts at one place, given by its integers."""
    query = _USES.add_columns(_j.key, _j.winner).where(*_at([place[name] for name in PLACE]))
    row = next(_newest(connection.execute(query)), None)
    if row is None:
        return None
    name = select(schema.names.c.name).where(schema.names.c.id == row.label_id)
    return row.key, _verdict(row, connection.execute(name).scalar())


def failures(
    connection: Connection, benchmark: str | None = None, version: str | None = None
) -> Columns:
    names = Names.of(connection, benchmark, version)
    query = _FAILURES
    if benchmark is not None or version is not None:
        query = query.where(_f.benchmark_id.in_(list(names.benchmarks)))
    rows = []
    for row in connection.execute(query):
        boundary, body, exact, retriable, attempts, at, kind = row[len(PLACE) :]
        message = stored_text(body, exact)
        repeat = None if row.benchmark_id == NONE else row.repeat
        rows.append((*names.place(row), boundary, message, retriable, attempts, at, repeat, kind))
    return as_columns(FAILURE_COLUMNS, rows)


def responses(
    connection: Connection,
    benchmark: str,
    version: str | None = None,
    *,
    models: Collection[Named] | None = None,
) -> Columns:
    """One row for each place and stack; ``newest`` marks the one of a place that came last."""
    names = Names.of(connection, benchmark, version)
    conditions = [_a.benchmark_id.in_(list(names.benchmarks))]
    if models is not None:
        conditions.append(_a.model_id.in_(chosen(names.models, models) or []))
    return as_columns(RESPONSE_COLUMNS, list(_answers(connection, names, *conditions)))


def first_answers(store: Store, benchmark: str, version: str, n: int) -> Columns:
    """As `Store.responses_table`, the first ``n`` of each model."""
    with store.snapshot() as connection:
        names = Names.of(connection, benchmark, version)
        rows = [
            row
            for number in names.benchmarks
            for model in names.models
            for row in _answers(
                connection, names, _a.benchmark_id == number, _a.model_id == model, most=n
            )
        ]
    return as_columns(RESPONSE_COLUMNS, rows)


def _answers(
    connection: Connection,
    names: Names,
    *conditions: ColumnElement[bool],
    most: int | None = None,
) -> Iterator[tuple[Any, ...]]:
    before: tuple[Any, ...] | None = None
    for row in connection.execute(_ANSWERS.where(*conditions).limit(most)):
        place = tuple(row[:5])
        model = names.models[row[1]]
        body, exact, thought, exact_thought = row[5:9]
        yield (
            *names.benchmarks[row[0]],
            *names.items[row[2]],
            model.name,
            model.id,
            *row[3:5],
            stored_text(body, exact),
            None if thought is None else stored_text(thought, exact_thought),
            *row[9:16],
            place != before,
            row[16],
        )
        before = place


def as_columns(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Columns:
    """Equally long lists by name, also where there are no rows."""
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


# who has met whom -------------------------------------------------------------------------------

_NEXT_ANSWERING = Prepared(
    select(func.min(_a.model_id)).where(
        _a.benchmark_id == bindparam("benchmark"), _a.model_id > bindparam("after")
    )
)


def models_met(connection: Connection, benchmark: str, version: str) -> list[StoredModel]:
    """Who was judged, was judged against, answered or failed to, in no particular order."""
    known = models(connection)
    return [
        known[number]
        for number in sorted(_met(connection, benchmark, version, "model"))
        if number in known
    ]


def judges_met(connection: Connection, benchmark: str, version: str) -> list[StoredJudge]:
    """Who judged, or failed to, in no particular order."""
    known = judges(connection)
    return [
        known[number]
        for number in sorted(_met(connection, benchmark, version, "judge"))
        if number in known
    ]


def _met(
    connection: Connection, benchmark: str, version: str, who: Literal["model", "judge"]
) -> set[int]:
    met: set[int] = set()
    named = select(_b.id).where(_b.name == benchmark, _b.version == version)
    for number in connection.execute(named).scalars().all():
        failed = select(_f[f"{who}_id"]).where(_f.benchmark_id == number).distinct()
        met |= set(connection.execute(failed).scalars())
        for judge, *two in boards_of(connection, number):
            met |= {judge} if who == "judge" else {*two}
        if who == "model":
            met |= set(_answering(connection, number))
    return met


def _answering(connection: Connection, benchmark: int) -> Iterator[int]:
    after = 0
    while found := _NEXT_ANSWERING.first(connection, {"benchmark": benchmark, "after": after}):
        if found[0] is None:
            return
        yield (after := found[0])


# packed -----------------------------------------------------------------------------------------

_HAS_VALUE, _HAS_MORE, _LOOKED, _MARKED = 4, 8, 16, 32
_TOLD = (
    _j.kind
    + case((_j.value.is_not(None), _HAS_VALUE), else_=0)
    + case((_j.reason_sha.is_not(None) | _j.parts.is_not(None), _HAS_MORE), else_=0)
    + case((_j.marks.is_(None), 0), (_j.marks == "[]", _LOOKED), else_=_LOOKED + _MARKED)
)
_FIELDS: dict[str, ColumnElement[Any]] = {
    **{name: _u[name] for name in (*_USE[4:], "used_at")},
    "told": _TOLD,
    **{name: func.coalesce(_j[name], 0.0) for name in ("value", "low", "high")},
    **{name: func.coalesce(_j[name], NONE) for name in ("label_id", "served_id")},
    "judged_at": _j.at,
}
_DOUBLES = ("used_at", "value", "low", "high", "judged_at")
_KINDS = np.dtype([(name, "f8" if name in _DOUBLES else "i8") for name in _FIELDS])
_HEADER = np.dtype([("least", "<i8"), ("size", "<i8")])
_WIDTHS = {1: "<u1", 2: "<u2", 4: "<u4", 8: "<i8"}
_HERE: dict[str, Any] = {name: bindparam(f"here_{name}") for name in _BOARD}
_IN_USES, _IN_CHUNKS, _IN_TAILS = (
    [of[name] == its for name, its in _HERE.items()] for of in (_u, _c, _l)
)
_COUNTED = (
    select(*(column.label(name) for name, column in _FIELDS.items()))
    .select_from(schema.uses)
    .join(schema.judgments, _j.id == _u.judgment_id)
    .where(_u.repeat != AFRESH)
    .order_by(*schema.uses.primary_key.columns)
)
_OF_USES = Prepared(_COUNTED.where(*_IN_USES))
_OF_TAIL = Prepared(
    select(*(_l[name] for name in _FIELDS))
    .where(*_IN_TAILS)
    .order_by(*schema.tails.primary_key.columns)
)
_OF_CHUNKS = Prepared(select(_c.n, _c.blob).where(*_IN_CHUNKS).order_by(_c.seq))
_SMALL = _c.n < bindparam("whole")
_OF_SMALL = Prepared(select(_c.n, _c.blob).where(*_IN_CHUNKS, _SMALL).order_by(_c.seq))
_DROP_SMALL = Prepared(delete(schema.chunks).where(*_IN_CHUNKS, _SMALL))
_DROP_CHUNKS = Prepared(delete(schema.chunks).where(*_IN_CHUNKS))
_DROP_TAIL = Prepared(delete(schema.tails).where(*_IN_TAILS))
_LONG = Prepared(select(1).where(*_IN_TAILS).offset(bindparam("fewer")).limit(1))
_PUT_CHUNK = Prepared(
    insert(schema.chunks).values(
        **_HERE,
        seq=select(func.coalesce(func.max(_c.seq), 0) + 1).where(*_IN_CHUNKS).scalar_subquery(),
    )
)
# Of the uses just put alone: what was known before has a row or lies in a chunk. If the clock makes
# one come twice, both are the same, and one of them counts.
_PUT_TAIL = Prepared(
    insert(schema.tails)
    .from_select(
        [*_BOARD, *_FIELDS],
        select(*(_u[name] for name in _BOARD), *_COUNTED.selected_columns)
        .join_from(schema.uses, schema.judgments, _j.id == _u.judgment_id)
        .where(
            *(_u[name] == bindparam(f"here_{name}", type_=_u[name].type) for name in PLACE),
            _u.run_id == bindparam("its_run", type_=_u.run_id.type),
            _j.key == bindparam("judgment_key"),
            _u.used_at >= bindparam("now", type_=_u.used_at.type),
            _u.repeat != AFRESH,
        ),
    )
    .on_conflict_do_nothing()
)


def put_tails(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """What boards read of uses that were just put, in the transaction that puts them.

    Parameters
    ----------
    rows
        For each use its place, once more as ``here_…``, ``run_id``, ``judgment_key``, and as
        ``now`` the time since which it was put.
    """
    taken = (*(f"here_{name}" for name in PLACE), "judgment_key", "now")
    its = [{name: row[name] for name in taken} | {"its_run": row["run_id"]} for row in rows]
    _PUT_TAIL.put_all(connection, its)
    for board in sorted({tuple(row[name] for name in _BOARD) for row in rows}):
        if _LONG.first(connection, _here(board) | {"fewer": TAIL - 1}):
            _fold(connection, board)


def _here(board: Sequence[int]) -> dict[str, int]:
    return {f"here_{name}": value for name, value in zip(_BOARD, board, strict=True)}


def _fold(connection: Connection, board: Sequence[int]) -> None:
    """A board's tail into a chunk, with its small chunks where that makes a whole one."""
    pieces: list[_Piece] = [_fetched(_OF_TAIL.rows(connection, _here(board)))]
    small_of_it = _here(board) | {"whole": CHUNK}
    small = [(n, blob) for n, blob in _OF_SMALL.rows(connection, small_of_it)]
    if sum(n for n, _ in small) + len(pieces[0]) >= CHUNK:
        pieces = [*small, *pieces]
        _DROP_SMALL.put(connection, small_of_it)
    _put_chunks(connection, board, _laid_out(pieces))
    _DROP_TAIL.put(connection, _here(board))


def _put_chunks(connection: Connection, board: Sequence[int], rows: Rows) -> None:
    ordered = np.argsort(_places(rows), kind="stable")
    for start in range(0, len(ordered), CHUNK):
        some = ordered[start : start + CHUNK]
        blob = _packed(_taken(rows, some))
        _PUT_CHUNK.put(connection, _here(board) | {"n": len(some), "blob": blob})


def _packed(rows: Rows) -> bytes:
    """Each column in the fewest bytes a row that say it exactly; none where all rows are alike.

    A header of the least value and the bytes a row for each of `_FIELDS`, then what each row adds
    to the least; little-endian. Doubles are taken as the integers of their bits.
    """
    header, bodies = np.zeros(len(_FIELDS), dtype=_HEADER), []
    for at, name in enumerate(_FIELDS):
        bits = np.ascontiguousarray(rows[name]).view("i8")
        least, most = int(bits.min()), int(bits.max())
        size = next((size for size in (0, 1, 2, 4) if most - least < 1 << 8 * size), 8)
        header[at] = (least if size < 8 else 0), size
        if size:
            bodies.append((bits - header[at]["least"]).astype(_WIDTHS[size]).tobytes())
    return header.tobytes() + b"".join(bodies)


_Piece: TypeAlias = "tuple[int, bytes] | NDArray[np.void]"


def _fetched(found: Iterable[tuple[Any, ...]]) -> NDArray[np.void]:
    return np.fromiter(found, dtype=_KINDS)


def _size(piece: _Piece) -> int:
    return piece[0] if isinstance(piece, tuple) else len(piece)


def _laid_out(pieces: Sequence[_Piece]) -> Rows:
    """Chunks and rows, one behind the other; a column in which all are alike has no stride."""
    pieces = [piece for piece in pieces if _size(piece)]
    ends = np.cumsum([0, *map(_size, pieces)]).tolist()
    unpacked = [list(_columns(piece)) for piece in pieces]
    rows: Rows = {}
    for at, name in enumerate(_FIELDS):
        parts = [piece[at] for piece in unpacked]
        first = parts[0][0] if parts else 0
        if all(body is None and least == first for least, body in parts):
            bits = np.broadcast_to(np.int64(first), ends[-1])
        else:
            bits = np.empty(ends[-1], dtype=np.int64)
            for start, end, (least, body) in zip(ends, ends[1:], parts, strict=False):
                if body is None:
                    bits[start:end] = least
                else:
                    np.add(body, least, out=bits[start:end], casting="unsafe", dtype=np.int64)
        rows[name] = bits.view(_KINDS[name])
    return rows


def _columns(piece: _Piece) -> Iterator[tuple[int, NDArray[Any] | None]]:
    """Of each of `_FIELDS` the least, and what each row adds to it; None where all are alike."""
    if isinstance(piece, tuple):
        n, blob = piece
        header = np.frombuffer(blob, _HEADER, len(_FIELDS))
        start = header.nbytes
        for least, size in header.tolist():
            yield least, np.frombuffer(blob, _WIDTHS[size], n, start) if size else None
            start += size * n
    else:
        for name in _FIELDS:
            bits = piece[name].view("i8")
            alike = bool((bits == bits[0]).all())
            yield (int(bits[0]), None) if alike else (0, bits)


def _places(rows: Rows) -> NDArray[np.int64]:
    """A number for each row's place, in the order of the key of ``uses``."""
    found, bound = np.zeros(len(rows["told"]), dtype=np.int64), 1
    for name in ("board", *PLACE[4:]):
        if name not in rows or not len(found) or rows[name].strides == (0,):
            continue
        least = int(rows[name].min())
        span = int(rows[name].max()) - least + 1
        if bound * span >= 2**62:
            found = np.unique(found, return_inverse=True)[1].astype(np.int64)
            bound = len(found)
        found, bound = found * span + (rows[name] - least), bound * span
    return found


def _taken(rows: Rows, which: NDArray[np.int64]) -> Rows:
    return {
        name: column[: len(which)] if column.strides == (0,) else column[which]
        for name, column in rows.items()
    }


def is_packed(connection: Connection) -> bool:
    """Whether all that boards read lies in chunks and tails."""
    said = select(schema.meta.c.value).where(schema.meta.c.name == schema.PACKED)
    return connection.execute(said).scalar() is not None


def rebuild(connection: Connection, boards: Collection[Sequence[int]] | None = None) -> None:
    """Chunks anew from ``uses``: of some boards, by their four integers, or of the whole store."""
    if boards is None:
        connection.execute(delete(schema.chunks))
        connection.execute(delete(schema.tails))
        boards = _all_boards(connection)
        insertion = insert(schema.meta).on_conflict_do_nothing()
        connection.execute(insertion, {"name": schema.PACKED, "value": "1"})
    for board in boards:
        _DROP_CHUNKS.put(connection, _here(board))
        _DROP_TAIL.put(connection, _here(board))
        found = _OF_USES.rows(connection, _here(board))
        while len(some := _fetched(islice(found, CHUNK))):
            _put_chunks(connection, board, _laid_out([some]))


def verify(connection: Connection) -> list[tuple[int, ...]]:
    """The boards whose chunks and tail are not what ``uses`` say; empty where all is well."""
    packed = {
        tuple(row)
        for of in (_c, _l)
        for row in connection.execute(select(*(of[name] for name in _BOARD)).distinct())
    }
    return [
        board
        for board in sorted(packed.union(_all_boards(connection)))
        if _all_uses(connection, board, packed=True) != _all_uses(connection, board, packed=False)
    ]


def _all_boards(connection: Connection) -> list[tuple[int, ...]]:
    numbers = connection.execute(select(_b.id)).scalars().all()
    return [(number, *board) for number in numbers for board in boards_of(connection, number)]


def _all_uses(connection: Connection, board: Sequence[int], *, packed: bool) -> list[bytes]:
    """Each use of a board once, in some order, whatever is newer."""
    rows = _laid_out(_pieces(connection, board, packed))
    table = np.stack([column.view("i8") for column in rows.values()], axis=1)
    return sorted({row.tobytes() for row in table})


# arrays -----------------------------------------------------------------------------------------

_GROUP = 65_536
"""Rows of boards that are worked on at once, at least where there are so many."""

_judgments: Any = bindparam("judgments")
_SAID = {
    engine: Prepared(
        select(asked, _j.reason_sha, _j.parts, _j.marks).join(schema.judgments, _j.id == asked)
    )
    for engine, asked in (
        ("sqlite", func.json_each(_judgments).table_valued("value").c.value),
        ("postgresql", func.unnest(cast(_judgments, ARRAY(BigInteger))).column_valued()),
    )
}
_TEXTS = select(_t.sha, _t.body, _t.exact).where(_t.sha.in_(bindparam("shas", expanding=True)))
_ANSWERED = (_a.model_id, _a.item_id, _a.sample, _a.turn)
_newest_first = func.row_number().over(
    partition_by=_ANSWERED, order_by=(_r.at.desc(), _r.id.desc())
)
_BY_AGE = (
    select(*_ANSWERED, _a.response_id, _newest_first.label("age"))
    .join_from(schema.answers, schema.responses, _r.id == _a.response_id)
    .where(_a.benchmark_id == bindparam("benchmark"))
)
_ANSWER = {"model_id": "i8", "item_id": "i8", "stack_id": "i8", "at": "f8", "length": "i8",
           "status": "O", "start": "O"}  # fmt: skip


def _newest_answers(by_age: Any) -> Prepared:
    newest = by_age.subquery()
    return Prepared(
        select(
            newest.c.model_id, newest.c.item_id, _r.stack_id, _r.at, func.length(_t.body),
            _r.status, func.substr(_t.body, 1, START),
        )
        .select_from(newest)
        .join(schema.responses, _r.id == newest.c.response_id)
        .join(schema.texts, _t.sha == _r.text_sha)
        .where(newest.c.age == 1)
        .order_by(*(newest.c[column.name] for column in _ANSWERED))
    )  # fmt: skip


_OF_ALL = _newest_answers(_BY_AGE)
_OF_MODEL = _newest_answers(_BY_AGE.where(_a.model_id == bindparam("model")))


class _Filling:
    """An array with room for all that may come; what does not come takes no memory."""

    def __init__(self, room: int, dtype: Any) -> None:
        self._room: NDArray[Any] = np.empty(room, dtype=dtype)
        self._n = 0

    def add(self, some: NDArray[Any], n: int) -> None:
        self._room[self._n : self._n + n] = some
        self._n += n

    def array(self) -> NDArray[Any]:
        return self._room[: self._n]


class _Gathered(_Filling):
    """A column of integers that comes in portions and is kept as codes of one or two bytes."""

    def __init__(self, room: int) -> None:
        super().__init__(room, np.int8)
        self._known = np.zeros(0, dtype=np.int64)  # sorted
        self._code_of = np.zeros(0, dtype=np.int64)

    def gather(self, numbers: NDArray[Any], index: NDArray[Any] | None = None) -> None:
        """The numbers, or those at the places of ``index``."""
        n = len(numbers if index is None else index)
        if not n:
            return
        one = numbers
        if one.strides == (0,) or (one == one[0]).all():
            one, index = numbers[:1], None
        if not len(self._known):
            self._learn(one)
        place = self._place(one)
        if len(new := one[self._known.take(place) != one]):
            self._learn(new)
            place = self._place(one)
        codes = self._code_of.take(place)
        self.add(codes if index is None else codes[index], n)

    def _place(self, numbers: NDArray[Any]) -> NDArray[np.int64]:
        """Where a number is among those known, if it is."""
        least, most = int(self._known[0]), int(self._known[-1])
        dense = most - least + 1 == len(self._known)
        place = numbers - least if dense else np.searchsorted(self._known, numbers)
        return np.clip(place, 0, len(self._known) - 1)

    def _learn(self, numbers: NDArray[Any]) -> None:
        known = np.concatenate([self._known, np.unique(numbers)])
        code_of = np.concatenate([self._code_of, np.arange(len(self._known), len(known))])
        ordered = np.argsort(known)
        self._known, self._code_of = known[ordered], code_of[ordered]
        if (fitting := np.min_scalar_type(-len(known))) != self._room.dtype:
            room = np.empty(len(self._room), dtype=fitting)
            room[: self._n] = self.array()
            self._room = room

    def column(self, name_of: Callable[[Any], Any]) -> Coded:
        numbers = self._known[np.argsort(self._code_of)]
        return Coded(self.array(), [name_of(number) for number in numbers.tolist()])


class _Words:
    """What most rows do not have: numbers from 1 on for what some say."""

    def __init__(self) -> None:
        self.values: list[Any] = [None]
        self._number_of: dict[Any, int] = {None: 0}

    def number(self, known_by: Any, value: Any) -> int:
        if known_by not in self._number_of:
            self._number_of[known_by] = len(self.values)
            self.values.append(value)
        return self._number_of[known_by]


def board_verdicts(
    connection: Connection,
    benchmark: str,
    version: str,
    models: Collection[str] | None = None,
    judges: Collection[str] | None = None,
) -> dict[str, Column]:
    """The newest verdict of every place, in the order of `verdicts`.

    Its columns but for what no board counts: ``category``, ``official_prompt``, ``p`` and what is
    the same in every row. A ``value`` that is not there is nan. Held at once are the arrays and
    the rows of a few boards.

    Parameters
    ----------
    models
        By short id, whose verdicts alone are read; what they were compared with may be others.
    judges
        By short id, whose verdicts alone are read.
    """
    names = Names.of(connection, benchmark, version)
    boards = [
        (number, *board)
        for number in names.benchmarks
        for board in boards_of(connection, number)
        if judges is None or names.judges[board[0]].id in judges
        if models is None or names.models[board[1]].id in models
    ]
    packed = is_packed(connection)
    room = sum(_room(connection, number, packed) for number in names.benchmarks)
    gathered = {name: _Gathered(room) for name in (*_BOARD, *_CODED)}
    words = {name: _Words() for name in ("reason", "parts", "marks")}
    value, at = _Filling(room, np.float64), _Filling(room, np.float64)
    for rows, whose in _groups(connection, boards, packed):
        rows = _told(connection, names, rows, whose[:, 1], words)
        for number, name in enumerate(_BOARD[1:], 1):
            gathered[name].gather(whose[:, number], rows["board"])
        for name in _CODED:
            gathered[name].gather(rows[name])
        value.add(rows["value"], len(rows["told"]))
        at.add(rows["judged_at"], len(rows["told"]))
    judge = gathered["judge_id"].column(names.judges.__getitem__)
    return {
        "item_id": gathered["item_id"].column(lambda item: names.items[item][0]),
        **_both(names, "model", gathered["model_id"]),
        **_both(names, "opponent", gathered["opponent_id"]),
        "judge": judge.mapped(lambda one: one.name),
        "judge_id": judge.mapped(lambda one: one.id),
        "judge_kind": judge.mapped(lambda one: one.spec.kind),
        "order": gathered["shown"].column(ORDERS.__getitem__),
        **{name: gathered[name].column(int) for name in ("sample", "turn", "repeat")},
        "kind": gathered["kind"].column(KINDS.__getitem__),
        "label": gathered["label_id"].column(names.names.get),
        "value": value.array(),
        **{name: gathered[name].column(_end) for name in ("low", "high")},
        "served_model": gathered["served_id"].column(names.names.get),
        "run_id": gathered["run_id"].column(names.runs.__getitem__),
        "at": at.array(),
        "reason": gathered["reason"].column(words["reason"].values.__getitem__),
        "parts": gathered["parts"].column(lambda n: read_parts(words["parts"].values[n])),
        "marks": gathered["marks"].column(words["marks"].values.__getitem__),
    }


_CODED = (
    "item_id", "shown", "sample", "turn", "repeat", "kind", "label_id", "low", "high", "served_id",
    "run_id", "reason", "parts", "marks",
)  # fmt: skip


def _end(bits: int) -> float | None:
    """An end of a scale, from the bits of its double."""
    end = float(np.int64(bits).view(np.float64))
    return None if math.isnan(end) else end


def _both(names: Names, who: str, numbers: _Gathered) -> dict[str, Coded]:
    known = numbers.column(names.models.get)
    return {
        who: known.mapped(lambda one: one and one.name),
        f"{who}_id": known.mapped(lambda one: one and one.id),
    }


def _room(connection: Connection, benchmark: int, packed: bool) -> int:
    """How many verdicts on a benchmark may come, at most."""
    counts = (
        [select(func.sum(_c.n)).where(_c.benchmark_id == benchmark),
         select(func.count()).select_from(schema.tails).where(_l.benchmark_id == benchmark)]
        if packed
        else [select(func.count()).select_from(schema.uses).where(_u.benchmark_id == benchmark)]
    )  # fmt: skip
    return sum(int(connection.execute(count).scalar() or 0) for count in counts)


def _groups(
    connection: Connection, boards: Sequence[Sequence[int]], packed: bool
) -> Iterator[tuple[Rows, NDArray[np.int64]]]:
    """The newest verdicts of all places of some whole boards, in order, until none is left.

    With the boards themselves, of which ``board`` says each row's.
    """
    pieces: list[_Piece] = []
    sizes: list[int] = []
    for end, board in enumerate(boards, 1):
        found = _pieces(connection, board, packed)
        pieces += found
        sizes.append(sum(map(_size, found)))
        if end == len(boards) or sum(sizes) >= _GROUP:
            rows = _laid_out(pieces)
            rows["board"] = np.repeat(np.arange(len(sizes)), sizes)
            yield _newest_of(rows), np.array(boards[end - len(sizes) : end], dtype=np.int64)
            pieces, sizes = [], []


def _pieces(connection: Connection, board: Sequence[int], packed: bool) -> list[_Piece]:
    here = _here(board)
    if not packed:
        return [_fetched(_OF_USES.rows(connection, here))]
    chunked: list[_Piece] = [(n, blob) for n, blob in _OF_CHUNKS.rows(connection, here)]
    return [*chunked, _fetched(_OF_TAIL.rows(connection, here))]


def _newest_of(rows: Rows) -> Rows:
    """Of the uses of one place the one recorded last, in the order of places."""
    place = _places(rows)
    if (place[1:] > place[:-1]).all():
        return rows
    ordered = np.argsort(place, kind="stable")
    if (np.diff(place[ordered]) == 0).any():
        ordered = np.lexsort((rows["judgment_id"], rows["run_id"], rows["used_at"], place))
    last = np.append(np.diff(place[ordered]) > 0, True)
    return _taken(rows, ordered[last])


def _told(
    connection: Connection,
    names: Names,
    rows: Rows,
    judges: NDArray[np.int64],
    words: Mapping[str, _Words],
) -> Rows:
    """What the bits tell as columns, without the labels that their raters have taken back.

    ``judges`` are those of the boards.
    """
    told = rows["told"]
    kind = told & 3
    kinds = [names.judges[judge].spec.kind for judge in judges.tolist()]
    value = np.where(told & _HAS_VALUE, rows["value"], np.nan)
    turned = (kind == KINDS.index("preference")) & (rows["shown"] == ORDERS.index("opponent_first"))
    scored = kind == KINDS.index("score")
    rows |= {
        "kind": kind,
        "value": np.where(turned, 1.0 - value, value),
        **{end: np.where(scored, rows[end], np.nan).view("i8") for end in ("low", "high")},
        **_said(connection, rows, kinds, words),
    }
    if HUMAN not in kinds:
        return rows
    back = np.array([kind == HUMAN for kind in kinds])[rows["board"]]
    back &= kind == KINDS.index("unreadable")
    back &= rows["reason"] == words["reason"].number(WITHDRAWN, WITHDRAWN)
    return _taken(rows, np.flatnonzero(~back))


def _said(
    connection: Connection, rows: Rows, kinds: Sequence[str], words: Mapping[str, _Words]
) -> Rows:
    """Reasons, parts of scores and marks: looked up for those rows alone that have any."""
    told, board = rows["told"], rows["board"]
    said = {name: np.zeros(len(told), dtype=np.int64) for name in words}
    looking = np.array([read_marks(kind, "[]") is not None for kind in kinds], dtype=np.bool_)
    looked = ((told & _LOOKED) > 0) & looking[board]
    said["marks"][looked] = words["marks"].number((), ())
    marked = looked & ((told & _MARKED) > 0)
    asked = np.flatnonzero(((told & _HAS_MORE) > 0) | marked)
    besides, which = _besides(connection, rows["judgment_id"][asked])
    reasons: dict[bytes | None, str | None] = {None: None}
    for portion in chunks({sha for sha, _, _ in besides if sha is not None}):
        for sha, body, exact in connection.execute(_TEXTS, {"shas": portion}):
            reasons[sha] = stored_text(body, exact)
    for name, known in (
        ("reason", [reasons[sha] for sha, _, _ in besides]),
        ("parts", [parts for _, parts, _ in besides]),
    ):
        numbers = [words[name].number(one, one) for one in known]
        said[name][asked] = np.array(numbers, dtype=np.int64)[which]
    for at in np.flatnonzero(marked[asked]).tolist():
        row = asked[at]
        its = read_marks(kinds[board[row]], besides[which[at]][2])
        shown = marks_shown(its, ORDERS[rows["shown"][row]])
        said["marks"][row] = words["marks"].number(shown, shown)
    return said


def _besides(
    connection: Connection, judgments: NDArray[np.int64]
) -> tuple[list[tuple[Any, ...]], NDArray[np.int64]]:
    """What judgments say besides, each once: reason, parts and marks; and which of it each says."""
    numbers, place = np.unique(judgments, return_inverse=True)
    engine, asked = connection.dialect.name, numbers.tolist()
    found = _SAID[engine].rows(
        connection, {"judgments": json.dumps(asked) if engine == "sqlite" else asked}
    )
    said: dict[tuple[Any, ...], int] = {}
    which = [(number, said.setdefault(tuple(its), len(said))) for number, *its in found]
    known, code = np.array(which, dtype=np.int64).reshape(-1, 2).T
    return list(said), code[np.argsort(known)][place]


def board_answers(
    connection: Connection, benchmark: str, version: str, models: Collection[str] | None = None
) -> dict[str, Column]:
    """The newest answer of every place: how long it is, and its first `START` characters.

    ``model``, ``model_id``, ``item_id``, ``stack``, ``at``, ``length`` (characters), ``status``,
    ``start`` (what no database can hold is replaced).
    """
    names = Names.of(connection, benchmark, version)
    known = [None] if models is None else [n for n, its in names.models.items() if its.id in models]
    found = [np.zeros(0, dtype=list(_ANSWER.items()))]
    for number in names.benchmarks:
        for model in known:
            asked = {"benchmark": number} | ({} if model is None else {"model": model})
            answers = (_OF_ALL if model is None else _OF_MODEL).rows(connection, asked)
            found.append(np.fromiter(answers, dtype=found[0].dtype))
    rows = np.concatenate(found)
    gathered = {name: _Gathered(len(rows)) for name in ("model_id", "item_id", "stack_id")}
    for name, column in gathered.items():
        column.gather(rows[name])
    stacks = schema.stacks.c
    stack_of = {row[0]: row[1] for row in connection.execute(select(stacks.id, stacks.stack))}
    return {
        **_both(names, "model", gathered["model_id"]),
        "item_id": gathered["item_id"].column(lambda item: names.items[item][0]),
        "stack": gathered["stack_id"].column(stack_of.get),
        **{name: rows[name] for name in ("at", "length", "status", "start")},
    }
