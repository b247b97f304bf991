"""Verdicts and answers as coded arrays, for boards.

``uses`` joined to ``judgments`` is the truth. What boards read of it is kept beside it once more,
packed: a board's (benchmark, judge, model, opponent) newest verdicts are rows of ``tails``, folded
into a chunk of ``chunks`` when there are `write.TAIL`, and small chunks into one of `write.CHUNK`
verdicts. A fold is part of the transaction that puts a verdict, and readers take both from one
snapshot. Both are made of ``uses`` alone, so they can be made anew (`rebuild`) and compared
(`verify`); a store that has not been packed yet is read from ``uses``, in the same arrays.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial, reduce
from itertools import chain, groupby, islice, product
from operator import add, eq, itemgetter
from typing import Any, TypeAlias
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    String,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    null,
    select,
    union_all,
)

from judgebench.columns import Coded, Codes, Column, compact, marked, occurring, paired, select_rows
from judgebench.records import HUMAN
from judgebench.store import catalog, schema, write
from judgebench.store.catalog import (
    boards_of,
    chosen,
    names_of,
    number_of,
    row,
    rows,
)
from judgebench.store.codec import (
    JUDGED_ELSEWHERE,
    KINDS,
    ORDERS,
    read_names,
    read_parts,
    reply_keys,
    stored_text,
)
from judgebench.store.database import Database, Prepared, chunks, insert
from judgebench.store.opening import mark_as, marks
from judgebench.store.read import TAKEN_BACK, marks_shown
from judgebench.store.schema import PLACE
from judgebench.store.write import (
    BOARD,
    COUNTED,
    FIELDS,
    HAS_MORE,
    HAS_VALUE,
    HERE,
    IN_CHUNKS,
    IN_TAILS,
    LOOKED,
    MARKED,
    NAMES,
    SMALL,
)

START = 160
"""How many characters of an answer `board_answers` reads beside its length."""

_u, _j, _a, _r, _t, _c, _l = (
    table.c
    for table in (
        schema.uses, schema.judgments, schema.answers, schema.responses, schema.texts,
        schema.chunks, schema.tails,
    )
)  # fmt: skip

BOARDS = 50
"""How many are packed in one commit."""

# packed -----------------------------------------------------------------------------------------

Rows: TypeAlias = dict[str, NDArray[np.int64]]
"""Verdicts of boards: equally long arrays by the names of `_ROW`, doubles as their bits.

A column in which all are alike may have no stride.
"""
_Piece: TypeAlias = tuple[tuple[int, ...], Rows]
"""A board's four numbers and some of its rows."""

_USED_AT = [*FIELDS].index("used_at")
_DOUBLES = ("used_at", "value", "low", "high", "judged_at")
_ROW = np.dtype([(name, "f8" if name in _DOUBLES else "i8") for name in NAMES])
_HEADER = np.dtype([("least", "<i8"), ("size", "<i8")])
_WIDTHS = {1: "<u1", 2: "<u2", 4: "<u4", 8: "<i8"}
_CHUNK = (*BOARD, "n", "blob")
_CHUNKS = select(*(_c[name] for name in _CHUNK))
_TAILS = select(*(_l[name] for name in NAMES))
_TAKE_SMALL = Prepared(
    delete(schema.chunks).where(*IN_CHUNKS, SMALL).returning(*_CHUNKS.selected_columns)
)
_DROP_CHUNKS = Prepared(delete(schema.chunks).where(*IN_CHUNKS))
_DROP_TAIL = Prepared(delete(schema.tails).where(*IN_TAILS))
_TAKE_TAIL = Prepared(delete(schema.tails).where(*IN_TAILS).returning(*_TAILS.selected_columns))
_PUT_CHUNK = Prepared(
    insert(schema.chunks).values(
        **{name: HERE[name] for name in BOARD},
        seq=select(func.coalesce(func.max(_c.seq), 0) + 1).where(*IN_CHUNKS).scalar_subquery(),
    )
)


def _here(board: Sequence[int]) -> dict[str, int]:
    """A board, or the first of its numbers, as parameters."""
    return {f"here_{name}": value for name, value in zip(BOARD, board, strict=False)}


def fold(connection: Connection, board: Sequence[int], in_small: int) -> None:
    """A board's tail into a chunk, with its small chunks where that makes a whole one."""
    tail = np.array(_TAKE_TAIL.execute(connection, _here(board)).fetchall(), dtype=_ROW)
    pieces = [_columns_of(tail)]
    if in_small + len(tail) >= write.CHUNK:
        small = _TAKE_SMALL.execute(connection, _here(board) | {"whole": write.CHUNK})
        pieces += [_unpacked(*one) for one in small]
    _put_chunks(connection, board, [_laid_out(pieces)])


def _put_chunks(connection: Connection, board: Sequence[int], pieces: Iterable[Rows]) -> None:
    """Pieces of a board, each in the order of its places; all are read before any is put."""
    put = []
    for piece in pieces:
        ordered = np.lexsort([piece[name] for name in reversed(PLACE)])
        for start in range(0, len(ordered), write.CHUNK):
            some = ordered[start : start + write.CHUNK]
            put.append({"n": len(some), "blob": _packed(_taken(piece, some))})
    for one in put:
        _PUT_CHUNK.execute(connection, _here(board) | one)


def _packed(rows: Rows) -> bytes:
    """Each column in the fewest bytes a row that say it exactly; none where all rows are alike.

    A header of the least value and the bytes a row for each of `FIELDS`, then what each row adds
    to the least; little-endian. Doubles are taken as the integers of their bits.
    """
    header, bodies = np.zeros(len(FIELDS), dtype=_HEADER), []
    for at, name in enumerate(FIELDS):
        bits = rows[name]
        least, most = int(bits.min()), int(bits.max())
        size = next((size for size in (0, 1, 2, 4) if most - least < 1 << 8 * size), 8)
        header[at] = (least if size < 8 else 0), size
        if size:
            bodies.append((bits - header[at]["least"]).astype(_WIDTHS[size]).tobytes())
    return header.tobytes() + b"".join(bodies)


def _unpacked(*chunk: Any) -> Rows:
    """A row of ``chunks``: the four numbers of a board, how many verdicts, and the blob."""
    *board, n, blob = chunk
    header = np.frombuffer(blob, _HEADER, len(FIELDS))
    least = np.concatenate([board, header["least"]])
    start, piece = header.nbytes, {}
    for at, size in enumerate([0, 0, 0, 0, *header["size"].tolist()]):
        piece[NAMES[at]] = np.ndarray(n, least.dtype, least, at * least.itemsize, (0,))
        if size:
            piece[NAMES[at]] = np.ndarray(n, _WIDTHS[size], blob, start) + least[at]
            start += size * n
    return piece


def _laid_out(pieces: Sequence[Rows]) -> Rows:
    """One behind the other."""
    pieces = [piece for piece in pieces if len(piece["told"])] or pieces[:1]
    found = {}
    for name, first in pieces[0].items():
        parts = [piece[name] for piece in pieces]
        if len(first) and all(one.strides == (0,) and one[0] == first[0] for one in parts):
            found[name] = np.broadcast_to(first[0], sum(map(len, parts)))
        else:
            found[name] = np.concatenate(parts)
    return found


def _taken(rows: Rows, which: NDArray[np.int64]) -> Rows:
    return {
        name: column[: len(which)] if column.strides == (0,) else column[which]
        for name, column in rows.items()
    }


def _used(connection: Connection, start: Sequence[int]) -> Iterator[_Piece]:
    """What ``uses`` say of the boards whose numbers begin so: pieces of a board each, in order."""
    found = _uses_of(len(start)).rows(connection, _here(start))
    while len(some := np.fromiter(islice(found, _GROUP), dtype=_ROW)):
        boards = some[list(BOARD)]
        for piece in np.split(some, np.flatnonzero(boards[1:] != boards[:-1]) + 1):
            yield piece[0].tolist()[:4], _columns_of(piece)


def _columns_of(rows: NDArray[Any]) -> Rows:
    return {name: rows[name].view(np.int64) for name in NAMES}


@cache
def _uses_of(n: int) -> Prepared:
    """The uses of the boards whose first ``n`` numbers are given, in order."""
    here = [_u[name] == its for name, its in islice(HERE.items(), n)]
    return Prepared(COUNTED.where(*here).order_by(*schema.uses.primary_key.columns))


@cache
def _most_of(n: int, packed: bool) -> Prepared:
    """How many verdicts lie of the boards whose first ``n`` numbers are given, newest or not."""
    lie = ((_c, func.sum(_c.n)), (_l, func.count())) if packed else ((_u, func.count()),)
    counts = (
        select(func.coalesce(n_rows, 0))
        .where(*(of[name] == its for name, its in islice(HERE.items(), n)))
        .scalar_subquery()
        for of, n_rows in lie
    )
    return Prepared(select(reduce(add, counts)))


@cache
def _packed_of(n: int) -> Prepared:
    """The chunks of the boards whose first ``n`` numbers are given, in order, with their tails.

    Rows of both: what a tail has beyond a board is nothing in a chunk, and the other way round.
    """
    lie = (
        (_c, _CHUNKS.add_columns(_c.seq, *(null().label(name) for name in FIELDS))),
        (
            _l,
            select(
                *(_l[name] for name in BOARD),
                null(),
                null(),
                literal_column("0"),
                *(_l[name] for name in FIELDS),
            ),
        ),
    )
    here = (
        found.where(*(of[name] == its for name, its in islice(HERE.items(), n)))
        for of, found in lie
    )
    return Prepared(union_all(*here).order_by(*BOARD, "seq"))


def _pieces(connection: Connection, start: Sequence[int], packed: bool) -> Iterator[_Piece]:
    """All that lies of the boards whose numbers begin so, in the order of boards."""
    if not packed:
        yield from _used(connection, start)
        return
    found = _packed_of(len(start)).rows(connection, _here(start), as_they_come=True)
    for board, its in groupby(found, key=itemgetter(0, 1, 2, 3)):
        tail = []
        for one in its:
            if one[4] is None:
                tail.append((*board, *one[7:]))
            else:
                yield board, _unpacked(*one[:6])
        if tail:
            yield board, _columns_of(np.array(tail, dtype=_ROW))


def unpack(connection: Connection) -> None:
    """Uses come from elsewhere: until they are packed again, boards are read from themselves."""
    for table in (schema.chunks, schema.tails):
        connection.execute(delete(table))
    said = schema.meta.c.name.in_((schema.PACKED, schema.UNPACKED))
    connection.execute(delete(schema.meta).where(said))
    mark_as(connection, schema.UNPACKED, uuid4().hex)


def pack(store: Database) -> None:
    """Pack all boards, some in a commit: who writes meanwhile waits for no more than that."""
    while True:
        with store.reading() as connection:
            since = marks(connection).get(schema.UNPACKED)
            boards = all_boards(connection)
        for some in chunks(boards, BOARDS):
            with store.writing() as connection:
                rebuild(connection, some)
        with store.writing() as connection:
            if marks(connection).get(schema.UNPACKED) == since:  # nobody else has begun again
                mark_as(connection, schema.PACKED)
                return


def rebuild(connection: Connection, boards: Iterable[Sequence[int]]) -> None:
    """Chunks anew from ``uses``, of boards by their four integers."""
    for board in boards:
        _DROP_CHUNKS.execute(connection, _here(board))
        _DROP_TAIL.execute(connection, _here(board))
        used = _used(connection, board)
        _put_chunks(connection, board, (piece for _, piece in used))


def verify(connection: Connection) -> list[tuple[int, ...]]:
    """The boards whose chunks and tail are not what ``uses`` say; empty where all is well."""
    packed = {
        tuple(board)
        for table in (schema.chunks, schema.tails)
        for board in rows(connection, table, " ".join(BOARD), distinct=True)
    }
    return [
        board
        for board in sorted(packed.union(all_boards(connection)))
        if _all_uses(connection, board, packed=True) != _all_uses(connection, board, packed=False)
    ]


def all_boards(connection: Connection) -> list[tuple[int, ...]]:
    """The four integers of each board of the store."""
    numbers = names_of(connection, schema.benchmarks, "name")
    return [(number, *board) for number in numbers for board in boards_of(connection, number)]


def _all_uses(connection: Connection, board: Sequence[int], *, packed: bool) -> set[bytes]:
    """Each use of a board, whatever is newer."""
    return {
        use.tobytes()
        for _, piece in _pieces(connection, board, packed)
        for use in np.stack([*piece.values()], axis=1)
    }


def judge_replies(
    connection: Connection, benchmark: str, version: str
) -> dict[str, tuple[int, int, list[float]]]:
    """By the judge's id, how many judgments of a benchmark could be read, and what they took.

    That is of how many replies all its judgments were read, and the seconds of those of each
    together, where every reply says them. Equal answers have one judgment, asked for once.
    """
    judges, nobody = catalog.judges(connection), row(connection, schema.replies, "key") is None
    at, pieces = number_of(connection, benchmark, version), defaultdict[int, list[Rows]](list)
    for (_, judge, *_), piece in _pieces(connection, [at], schema.PACKED in marks(connection)):
        pieces[judge].append({name: piece[name] for name in ("judgment_id", "told")})
    found = {}
    for judge, its in pieces.items():
        said = _laid_out(its)
        first = int(said["judgment_id"].min())
        numbers, n = said["judgment_id"] - first, int(said["judgment_id"].max()) - first + 1
        read = len(occurring(numbers[said["told"] & 3 != KINDS.index("unreadable")], n))
        took = [] if nobody else [*_reply_seconds(connection, occurring(numbers, n) + first)]
        timed = [sum(one) for one in took if one and all(seconds > 0.0 for seconds in one)]
        found[judges[judge].id] = read, sum(map(len, took)), timed
    return found


def _reply_seconds(connection: Connection, judgments: NDArray[np.int64]) -> Iterator[list[float]]:
    """What each of some judgments took, reply by reply, as far as the replies are there."""
    for start in range(0, len(judgments), _GROUP):
        where = {"id": judgments[start : start + _GROUP].tolist()}
        said = rows(connection, schema.judgments, "reply_keys", where)
        keys = [reply_keys(one.reply_keys) for one in said]
        asked = {"key": dict.fromkeys(key for its in keys for key in its)}
        took = dict(rows(connection, schema.replies, "key seconds", asked))
        yield from ([took[key] for key in its if key in took] for its in keys)


def used(connection: Connection) -> list[tuple[int, int, float]]:
    """By benchmark, how many uses there are, and the seconds of the last: an eighth of a count.

    Nothing where ``uses`` have to be counted: of a store that is not packed, of one with verdicts
    that were asked for afresh, which are on no board, and of a server, which would send all.
    """
    confirmed = select(schema.runs.c.id).where(schema.runs.c.manifest.contains('"confirms"'))
    if (
        connection.dialect.name != "sqlite"
        or schema.PACKED not in marks(connection)
        or connection.execute(confirmed.limit(1)).first()
    ):
        return []
    found: dict[int, tuple[int, float]] = {}
    tails = rows(connection, schema.tails, "benchmark_id count() max(used_at)")
    packed = connection.execute(select(_c.benchmark_id, _c.n, _c.blob))
    for at, n, newest in chain(tails, ((at, n, _last_used(n, blob)) for at, n, blob in packed)):
        so_far, last = found.get(at, (0, newest))
        found[at] = so_far + n, max(last, newest)
    return [(at, *its) for at, its in found.items()]


def _last_used(n: int, blob: bytes) -> float:
    """The newest ``used_at`` in a chunk, without the rest."""
    header = np.frombuffer(blob, _HEADER, len(FIELDS))
    least, size = header[_USED_AT].tolist()
    if size:
        start = header.nbytes + n * int(header["size"][:_USED_AT].sum())
        least += int(np.ndarray(n, _WIDTHS[size], blob, start).max())
    return float(np.int64(least).view(np.float64))


# arrays -----------------------------------------------------------------------------------------

_GROUP = 65_536
"""Rows of boards, or judgments, that are read at once, at least where there are so many."""

_FEW_ROWS = 2**14
"""Rows of boards that are worked on by themselves: their columns stay in a processor's cache."""

_ENDS = ("low", "high")
_COMMON = (
    *(name for name in PLACE[1:] if name != "item_id"), "label_id", "served_id", "run_id", "told",
    *_ENDS,
)  # fmt: skip
"""What many rows have in common."""
_NO_END = int(np.float64(np.nan).view(np.int64))
_MORE = (_j.reason_sha, _j.parts, _j.marks)


def _said_alike(number: ColumnElement[Any], together: ColumnElement[Any]) -> Prepared:
    """What judgments have to say besides, once for all that say the same, with their ids."""
    ids = select(cast(number, BigInteger))
    alike = select(*_MORE, together.label("ids")).where(_j.id.in_(ids)).group_by(*_MORE).subquery()
    its = alike.c
    return Prepared(
        select(_t.body, _t.exact, its.parts, its.marks, its.ids).outerjoin_from(
            alike, schema.texts, _t.sha == its.reason_sha
        )
    )


_SAID = {
    "sqlite": _said_alike(
        func.json_each(bindparam("judgments")).table_valued("value").c.value,
        func.json_group_array(_j.id),
    ),
    "postgresql": _said_alike(
        func.json_array_elements_text(cast(bindparam("judgments"), JSON)),
        cast(func.json_agg(_j.id), String),
    ),
}
_i = schema.items.c
_ITEM_IDS = Prepared(select(_i.id, _i.item_id).where(_i.benchmark_id == bindparam("at")))
_ANSWERS = (
    select(_a.model_id, _a.item_id, _a.sample, _a.turn, _r.stack_id, _r.at, _r.id, _r.status)
    .join(schema.responses, _r.id == _a.response_id)
    .join(schema.texts, _t.sha == _r.text_sha)
    .where(_a.benchmark_id == bindparam("at"))
    .order_by(_a.model_id, _a.item_id, _a.sample, _a.turn)
)
_ANSWERED_AT = ["model_id", "item_id", "sample", "turn"]
_ANSWER = [
    *((name, "i8") for name in (*_ANSWERED_AT, "stack_id")),
    ("at", "f8"), ("id", "i8"), ("status", "O"),
]  # fmt: skip
_LENGTH = {"length": func.length(_t.body), "start": func.substr(_t.body, 1, START)}
_WHOLE = {"body": _t.body, "exact": _t.exact}


@cache
def _answers_of(texts: bool, of_all: bool) -> Prepared:
    """The answers to a benchmark, whole or their beginnings, of all models or of one."""
    its = _ANSWERS if of_all else _ANSWERS.where(_a.model_id == bindparam("model"))
    return Prepared(its.add_columns(*(_WHOLE if texts else _LENGTH).values()))


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
    known, asked = catalog.models(connection), catalog.judges(connection)
    among: list[list[int]] = []
    if judges is not None or models is not None:
        among.append(sorted(asked if judges is None else chosen(asked, judges) or ()))
    if models is not None:
        among.append(sorted(chosen(known, models) or ()))
    at = number_of(connection, benchmark, version)
    packed = schema.PACKED in marks(connection)  # else they lie in `uses` alone
    starts = [(at, *some) for some in product(*among)]
    counts = (_most_of(len(some), packed).execute(connection, _here(some)) for some in starts)
    most = sum(int(n) for count in counts for (n,) in count.fetchall())
    items = dict(_ITEM_IDS.execute(connection, {"at": at}).fetchall())
    lying = (piece for start in starts for piece in _pieces(connection, start, packed))
    numbers = range(min(items, default=0), max(items, default=0) + 1)
    its, said = _gathered(lying, most, numbers)
    names = names_of(connection, schema.names, "name")
    runs = names_of(connection, schema.runs, "run_id")
    judge = said["judge_id"].mapped(asked.get)
    judge_kind = judge.mapped(lambda one: one and one.spec.kind)
    columns: dict[str, Column] = {
        "item_id": _coded(its.pop("item_id"), lambda place: items[numbers[place]]),
        **_both("model", said["model_id"].mapped(known.get)),
        **_both("opponent", said["opponent_id"].mapped(known.get)),
        **_both("judge", judge),
        "judge_kind": judge_kind,
        "order": said["shown"].mapped(ORDERS.__getitem__),
        **{name: said[name] for name in ("sample", "turn", "repeat")},
        "kind": said["told"].mapped(lambda told: KINDS[told & 3]),
        "label": said["label_id"].mapped(names.get),
        "value": its["value"],
        **{name: said[name] for name in _ENDS},
        "served_model": said["served_id"].mapped(names.get),
        "run_id": said["run_id"].mapped(runs.get),
        "at": its["judged_at"],
        **_said(connection, its, said, judge_kind),
    }
    if HUMAN not in judge_kind.values:
        return columns
    of = ("judge_kind", "kind", "reason")
    back = [marked(columns[n], partial(eq, w)) for n, w in zip(of, TAKEN_BACK, strict=True)]
    gone = np.logical_and.reduce(back)
    return select_rows(columns, np.flatnonzero(~gone))


def _gathered(
    pieces: Iterable[_Piece], most: int, items: range
) -> tuple[dict[str, Any], dict[str, Coded]]:
    """Whole columns of what counts, of so many rows at most: places of items, and two of doubles.

    Also ``row`` and ``judgment`` of those that have more to say. What rows have in common, where
    they belong and `_ENDS`, are columns that share one code, which few rows have to themselves.
    """
    # Each is made once, as long as it can be: what grows is moved, and all its pages come anew.
    found: dict[str, NDArray[Any]] = {
        "item_id": np.empty(most, np.min_scalar_type(len(items))),
        "code": np.empty(most, np.int16),
        **{name: np.empty(most) for name in ("value", "judged_at")},
    }
    more: dict[str, list[NDArray[Any]]] = {name: [np.zeros(0, int)] for name in ("row", "judgment")}
    codes: dict[tuple[int, ...], int] = {}
    n = 0
    for some in _groups(pieces):
        told = some["told"]
        # What a scale's ends are is read of scores alone.
        score = told & 3 == KINDS.index("score")
        if not score.all():
            for name in _ENDS:
                some[name] = np.where(score, some[name], _NO_END)
        # The probability that the model wins, whatever was shown first; nan where there is none.
        turned = told & 3 == KINDS.index("preference")
        turned &= some["shown"] == ORDERS.index("opponent_first")
        value = some["value"].view(np.float64)
        value = np.where(turned, 1.0 - value, value) if turned.any() else value
        code = _common(some, codes)
        if len(codes) > np.iinfo(found["code"].dtype).max:
            found["code"] = found["code"].astype(np.int64)
        here = slice(n, n + len(told))
        found["item_id"][here] = some["item_id"] - items.start
        found["code"][here] = code
        found["value"][here] = value
        found["value"][here][told & HAS_VALUE == 0] = np.nan
        found["judged_at"][here] = some["judged_at"].view(np.float64)
        rows = np.flatnonzero(told & (HAS_MORE | MARKED))
        more["row"].append(rows + n)
        more["judgment"].append(some["judgment_id"][rows])
        n = here.stop
    its: dict[str, Any] = {name: np.concatenate(parts) for name, parts in more.items()}
    its |= {name: column[:n] for name, column in found.items()}
    shared = Codes(its.pop("code"))
    said = zip(*codes, strict=True) if codes else ((),) * len(_COMMON)
    common = {name: Coded(shared, one) for name, one in zip(_COMMON, said, strict=True)}
    for name in _ENDS:
        ends = np.array(common[name].values, np.int64).view(np.float64).tolist()
        common[name] = Coded(shared, [None if math.isnan(end) else end for end in ends])
    return its, common


def _common(rows: Rows, codes: dict[tuple[int, ...], int]) -> NDArray[np.int64]:
    """Of each row the code of what it has in common with others; ``codes`` has those there are."""
    varying = [rows[name] for name in _COMMON if rows[name].strides != (0,)]
    changes = np.zeros(len(rows["told"]), np.bool_)
    for column in varying:
        changes[1:] |= column[1:] != column[:-1]
    changes[0] = True
    starts = np.flatnonzero(changes)  # of rows that have all in common with those before them
    code, n = np.zeros(len(starts), np.int64), 1
    for column in (column[starts] for column in varying):
        least, most = int(column.min()), int(column.max())
        if least < most:
            few = most - least < _GROUP
            finer, width = (column - least, most - least + 1) if few else _numbered(column)
            there, code = compact(code.astype(np.int64) * width + finer, n * width)
            n = len(there)
    first = np.zeros(n, np.int64)
    first[code[::-1]] = starts[::-1]
    its = zip(*(rows[name][first].tolist() for name in _COMMON), strict=True)
    number = np.array([codes.setdefault(one, len(codes)) for one in its])
    return np.repeat(number[code], np.diff(starts, append=len(changes)))


_FEW = 8


def _numbered(column: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """A code for each row's number, and how many codes there are; most columns have few."""
    code, rest = np.zeros(len(column), np.int64), np.ones(len(column), np.bool_)
    for n in range(_FEW):
        alike = rest & (column == column[rest.argmax()])
        code[alike] = n
        rest ^= alike
        if not rest.any():
            return code, n + 1
    found, code = np.unique(column, return_inverse=True)
    return code, len(found)


def _groups(pieces: Iterable[_Piece]) -> Iterator[Rows]:
    """What counts of some whole boards at a time, in order, until none is left."""
    group: list[Rows] = []
    n = 0
    for _, its in groupby(pieces, key=itemgetter(0)):
        board = [rows for _, rows in its]
        group += board
        n += sum(len(rows["told"]) for rows in board)
        if n >= _FEW_ROWS:
            yield _newest_of(_laid_out(group), PLACE, _RECORDED)
            group, n = [], 0
    if group:
        yield _newest_of(_laid_out(group), PLACE, _RECORDED)


_RECORDED = ("used_at", "run_id", "judgment_id")


def _newest_of(rows: Rows, place: Sequence[str], recorded: Sequence[str]) -> Rows:
    """Of the rows of one place the one recorded last, in the order of places."""
    keys = [rows[name] for name in place if rows[name].strides != (0,)] or [rows["item_id"]]
    rising = np.zeros(max(0, len(keys[0]) - 1), dtype=np.bool_)
    for key in reversed(keys):
        rising = (key[1:] > key[:-1]) | (key[1:] == key[:-1]) & rising
    if rising.all():
        return rows
    ordered = np.lexsort((*(rows[name] for name in reversed(recorded)), *reversed(keys)))
    changes = [key[ordered[1:]] != key[ordered[:-1]] for key in keys]
    return _taken(rows, ordered[np.append(np.logical_or.reduce(changes), True)])


def _coded(numbers: NDArray[Any], value_of: Callable[[int], Any]) -> Coded:
    some = numbers[:1] if numbers.strides == (0,) else numbers
    if not len(some):
        return Coded(numbers, ())
    least, most = int(some.min()), int(some.max())
    if least == most:
        return Coded(np.zeros(len(numbers), np.int8), [value_of(least)])
    found, codes = compact(numbers - least if least else numbers, most - least + 1)
    kind = np.min_scalar_type(-len(found))
    return Coded(
        codes.astype(kind, copy=False), [value_of(one) for one in (found + least).tolist()]
    )


def _both(who: str, its: Coded) -> dict[str, Coded]:
    return {
        who: its.mapped(lambda one: one and one.name),
        f"{who}_id": its.mapped(lambda one: one and one.id),
    }


def _said(
    connection: Connection,
    its: Mapping[str, NDArray[Any]],
    said: Mapping[str, Coded],
    judge_kind: Coded,
) -> dict[str, Coded]:
    """Reasons, parts of scores and marks: looked up for those rows alone that have any."""
    looked = paired(said["told"], judge_kind).mapped(
        lambda one: one[0] & LOOKED > 0 and one[1] not in JUDGED_ELSEWHERE
    )
    judgments, place = np.unique(its["judgment"], return_inverse=True)
    texts: dict[Any, int] = {}
    code = np.zeros(len(judgments), np.int64)
    for some in np.split(judgments, range(_GROUP, len(judgments), _GROUP)):
        given = {"judgments": json.dumps(some.tolist())}
        for *one, alike in _SAID[connection.dialect.name].rows(connection, given):
            ids = np.array(json.loads(alike), np.int64)
            code[np.searchsorted(judgments, ids)] = texts.setdefault(tuple(one), len(texts))
    codes, at = code[place], its["row"]
    shown = np.asarray(said["shown"].values, np.int64)[said["shown"].codes[at]]
    shown_to = np.array(looked.values, np.bool_)[looked.codes[at]]
    order = Coded(np.where(shown_to, shown + 1, 0), (None, *ORDERS))
    more = paired(Coded(codes, [*texts]), order)
    row = np.array(looked.values, np.min_scalar_type(-2 - len(more.values)))[looked.codes]
    row[at] = more.codes + 2
    silence = ((None, None, None, None), None), ((None, None, None, "[]"), "single")
    told = Coded(row, [*silence, *more.values])
    return {
        "reason": told.mapped(lambda one: one[0][0] and stored_text(*one[0][:2])),
        "parts": told.mapped(lambda one: read_parts(one[0][2])),
        "marks": told.mapped(
            lambda one: one[1] and one[0][3] and marks_shown(read_names(one[0][3]), one[1])
        ),
    }


def board_answers(
    connection: Connection,
    benchmark: str,
    version: str,
    models: Collection[str] | None = None,
    texts: bool = False,
) -> dict[str, Column]:
    """The newest answer of every place: how long it is, and its first `START` characters.

    ``model``, ``model_id``, ``item_id``, ``stack``, ``at``, ``length`` (characters), ``status``,
    ``start`` (what no database can hold is replaced), and if asked for ``text``, the whole.
    """
    at = number_of(connection, benchmark, version)
    known = catalog.models(connection)
    told = _WHOLE if texts else _LENGTH  # what is read in full needs no measuring there
    its: list[dict[str, Any]] = [{"at": at}]
    if models is not None:
        its = [{"at": at, "model": one} for one in sorted(chosen(known, models) or ())]
    query = _answers_of(texts, models is None)
    kinds = [*_ANSWER, *((name, "O") for name in told)]
    rows = chain.from_iterable(query.rows(connection, one) for one in its)
    read = np.fromiter(rows, dtype=np.dtype(kinds))
    newest = _newest_of({name: read[name] for name, _ in kinds}, _ANSWERED_AT, ("at", "id"))
    if texts:
        bodies = newest["body"]
        length = np.fromiter(map(len, bodies), np.int64, len(bodies))
        measured: dict[str, Column] = {"length": length, "start": [body[:START] for body in bodies]}
        measured["text"] = [*map(stored_text, bodies, newest["exact"])]
    else:
        measured = {"length": newest["length"].astype(np.int64), "start": newest["start"]}
    items = dict(_ITEM_IDS.execute(connection, {"at": at}).fetchall())
    stacks = names_of(connection, schema.stacks, "stack")
    return {
        **_both("model", _coded(newest["model_id"], known.get)),
        "item_id": _coded(newest["item_id"], items.get),
        "stack": _coded(newest["stack_id"], stacks.get),
        **{name: newest[name] for name in ("at", "status")},
        **measured,
    }
