"""What boards read: a benchmark's verdicts and answers as codes, a million rows in seconds.

The same rows as those of `tables.verdicts` and `tables.responses`, in the same order. Integers stay
integers until a name is asked for, and only what is rare or long is looked up by itself: reasons,
parts of scores, marks. Of answers the texts stay where they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, bindparam, case, func, select

from judgebench.columns import Coded, Column, compact, marked, taken
from judgebench.records import AFRESH, HUMAN, WITHDRAWN
from judgebench.store import schema
from judgebench.store.codec import KINDS, ORDERS, read_marks, read_parts, stored_text
from judgebench.store.database import Prepared, chunks
from judgebench.store.met import boards_of
from judgebench.store.schema import NONE, PLACE
from judgebench.store.tables import Names, marks_shown

START = 160
"""How many characters of an answer are read beside its length."""

_Rows: TypeAlias = NDArray[np.void]

_u, _j, _reason = schema.uses.c, schema.judgments.c, schema.texts.alias("reason")
_WITHIN = tuple(name for name in PLACE if name != "benchmark_id")
_HAS_VALUE, _HAS_MORE, _LOOKED, _MARKED = 4, 8, 16, 32
# What is told in a few bits is told in one number: reading a cell takes as long as finding a row.
_TOLD = (
    _j.kind
    + case((_j.value.is_not(None), _HAS_VALUE), else_=0)
    + case((_j.reason_sha.is_not(None) | _j.parts.is_not(None), _HAS_MORE), else_=0)
    + case((_j.marks.is_(None), 0), (_j.marks == "[]", _LOOKED), else_=_LOOKED + _MARKED)
)
_VERDICT = {
    **{name: (_u[name], "i8" if name == "item_id" else "i4") for name in _WITHIN},
    "run_id": (_u.run_id, "i4"),
    "judgment_id": (_u.judgment_id, "i8"),
    "used_at": (_u.used_at, "f8"),
    "told": (_TOLD, "i4"),
    "value": (func.coalesce(_j.value, 0.0), "f8"),
    "low": (func.coalesce(_j.low, 0.0), "f8"),
    "high": (func.coalesce(_j.high, 0.0), "f8"),
    "label_id": (func.coalesce(_j.label_id, NONE), "i4"),
    "served_id": (func.coalesce(_j.served_id, NONE), "i4"),
    "judged_at": (_j.at, "f8"),
}  # fmt: skip
_ALL_VERDICTS = (
    select(*(column.label(name) for name, (column, _) in _VERDICT.items()))
    .select_from(schema.uses)
    .join(schema.judgments, _j.id == _u.judgment_id)
    .where(_u.benchmark_id == bindparam("benchmark"), _u.repeat != AFRESH)
    .order_by(*schema.uses.primary_key.columns)
)
_VERDICTS = Prepared(_ALL_VERDICTS)
_OF_BOARD = Prepared(
    _ALL_VERDICTS.where(
        _u.judge_id == bindparam("judge"),
        _u.model_id == bindparam("model"),
        _u.opponent_id == bindparam("opponent"),
    )
)
_MORE = select(_j.id, _reason.c.body, _reason.c.exact, _j.parts, _j.marks).outerjoin(
    _reason, _reason.c.sha == _j.reason_sha
)
_a, _r, _t = schema.answers.c, schema.responses.c, schema.texts.c
_ANSWERED = (_a.model_id, _a.item_id, _a.sample, _a.turn)
_EVERY_LAST = (
    select(*_ANSWERED, func.max(_a.response_id).label("response_id"))
    .where(_a.benchmark_id == bindparam("benchmark"))
    .group_by(_a.benchmark_id, *_ANSWERED)
)
_ANSWER = {
    "model_id": (_a.model_id, "i4"),
    "item_id": (_a.item_id, "i8"),
    "stack_id": (_r.stack_id, "i4"),
    "at": (_r.at, "f8"),
    "length": (func.length(_t.body), "i8"),
    "status": (_r.status, "O"),
    "start": (func.substr(_t.body, 1, START), "O"),
}


def _answers(last: Select[Any]) -> Prepared:
    newest = last.subquery()
    columns = {name: column for name, (column, _) in _ANSWER.items()}
    its = {name: newest.c[name] for name in ("model_id", "item_id")}
    return Prepared(
        select(*(column.label(name) for name, column in {**columns, **its}.items()))
        .select_from(newest)
        .join(schema.responses, _r.id == newest.c.response_id)
        .join(schema.texts, _t.sha == _r.text_sha)
        .order_by(*(newest.c[column.name] for column in _ANSWERED))
    )


_ANSWERS = _answers(_EVERY_LAST)
_ANSWERS_OF = _answers(_EVERY_LAST.where(_a.model_id == bindparam("model")))


def board_verdicts(
    connection: Connection, benchmark: str, version: str, models: Collection[str] | None = None
) -> dict[str, Column]:
    """The newest verdict of every place, in the order of `tables.verdicts`.

    Its columns but for what no board counts: ``category``, ``official_prompt``, ``p`` and what is
    the same in every row. A ``value`` that is not there is nan.

    Parameters
    ----------
    models
        By short id, whose verdicts alone are read; what they were compared with may be others.
    """
    names = Names.of(connection, benchmark, version)
    if models is None:
        asked = ((_VERDICTS, {"benchmark": number}) for number in names.benchmarks)
    else:
        asked = (
            (_OF_BOARD, {"benchmark": number, "judge": judge, "model": model, "opponent": opponent})
            for number in names.benchmarks
            for judge, model, opponent in boards_of(connection, number)
            if names.models[model].id in models
        )
    rows = _newest(_read(connection, asked, _VERDICT))
    told, order = rows["told"], rows["shown"]
    kind = told & 3
    value = np.where(told & _HAS_VALUE, rows["value"], np.nan)
    turned = (kind == KINDS.index("preference")) & (order == ORDERS.index("opponent_first"))
    judge = _named(rows["judge_id"], names.judges.__getitem__)
    scored = kind == KINDS.index("score")
    low, high = (
        _named(np.where(scored, rows[end], np.nan), lambda one: None if math.isnan(one) else one)
        for end in ("low", "high")
    )
    return _counting({
        "item_id": _named(rows["item_id"], lambda item: names.items[item][0]),
        **_models(names, "model", rows["model_id"]),
        **_models(names, "opponent", rows["opponent_id"]),
        "judge": judge.mapped(lambda one: one.name),
        "judge_id": judge.mapped(lambda one: one.id),
        "judge_kind": judge.mapped(lambda one: one.spec.kind),
        "order": Coded(order, ORDERS),
        **{name: _named(rows[name], int) for name in ("sample", "turn", "repeat")},
        "kind": Coded(kind, KINDS),
        "label": _named(rows["label_id"], names.names.get),
        "value": np.where(turned, 1.0 - value, value),
        "low": low,
        "high": high,
        "served_model": _named(rows["served_id"], names.names.get),
        "run_id": _named(rows["run_id"], names.runs.__getitem__),
        "at": rows["judged_at"],
        **_said_besides(connection, rows, judge),
    })  # fmt: skip


def _counting(columns: dict[str, Column]) -> dict[str, Column]:
    """Without the labels that their raters have taken back."""
    back = marked(columns["reason"], lambda reason: reason == WITHDRAWN)
    back &= marked(columns["judge_kind"], lambda kind: kind == HUMAN)
    back &= marked(columns["kind"], lambda kind: kind == "unreadable")
    if not back.any():
        return columns
    return {name: taken(column, np.flatnonzero(~back)) for name, column in columns.items()}


def board_answers(
    connection: Connection, benchmark: str, version: str, models: Collection[str] | None = None
) -> dict[str, Column]:
    """The newest answer of every place: how long it is, and its first `START` characters.

    ``model``, ``model_id``, ``item_id``, ``stack``, ``at``, ``length`` (characters), ``status``,
    ``start`` (what no database can hold is replaced).
    """
    names = Names.of(connection, benchmark, version)
    if models is None:
        asked = ((_ANSWERS, {"benchmark": number}) for number in names.benchmarks)
    else:
        asked = (
            (_ANSWERS_OF, {"benchmark": number, "model": model})
            for number in names.benchmarks
            for model, its in names.models.items()
            if its.id in models
        )
    rows = _read(connection, asked, _ANSWER)
    return {
        **_models(names, "model", rows["model_id"]),
        "item_id": _named(rows["item_id"], lambda item: names.items[item][0]),
        "stack": _named(rows["stack_id"], _stacks(connection).get),
        **{name: rows[name] for name in ("at", "length", "status", "start")},
    }


def _stacks(connection: Connection) -> dict[int, str]:
    known = schema.stacks.c
    return {row[0]: row[1] for row in connection.execute(select(known.id, known.stack))}


def _read(
    connection: Connection,
    asked: Iterable[tuple[Prepared, Mapping[str, int]]],
    columns: Mapping[str, tuple[Any, str]],
) -> _Rows:
    """The rows of some statements, one behind the other."""
    kinds = np.dtype([(name, kind) for name, (_, kind) in columns.items()])
    found = [np.fromiter(query.rows(connection, its), dtype=kinds) for query, its in list(asked)]
    return np.concatenate(found) if found else np.zeros(0, dtype=kinds)


def _newest(rows: _Rows) -> _Rows:
    """Of the uses of one place, which follow each other, the one recorded last."""
    starts = np.ones(len(rows), dtype=np.bool_)
    starts[1:] = np.logical_or.reduce([rows[name][1:] != rows[name][:-1] for name in _WITHIN])
    if starts.all():
        return rows
    place = np.cumsum(starts)
    ordered = np.lexsort((rows["judgment_id"], rows["run_id"], rows["used_at"], place))
    ends = np.append(place[ordered][1:] != place[ordered][:-1], True)
    return np.asarray(rows[ordered[ends]])


def _named(numbers: NDArray[Any], name_of: Callable[[Any], Any]) -> Coded:
    """The numbers as codes of what they stand for."""
    if numbers.dtype.kind == "f" or not len(numbers):
        found, codes = np.unique(numbers, return_inverse=True)
    else:
        found, codes = compact(numbers, int(numbers.max()) + 1)
    return Coded(codes.astype(np.int32), [name_of(one) for one in found.tolist()])


def _models(names: Names, who: str, numbers: NDArray[Any]) -> dict[str, Coded]:
    models = _named(numbers, names.models.get)
    return {
        who: models.mapped(lambda one: one and one.name),
        f"{who}_id": models.mapped(lambda one: one and one.id),
    }


def _said_besides(connection: Connection, rows: _Rows, judge: Coded) -> dict[str, Coded]:
    """Reasons, parts of scores and marks: looked up for those rows alone that have any."""
    told, order = rows["told"], rows["shown"]
    asked = np.flatnonzero(told & (_HAS_MORE | _MARKED))
    by_id: dict[int, list[int]] = {}
    for row, judgment in zip(asked.tolist(), rows["judgment_id"][asked].tolist(), strict=True):
        by_id.setdefault(judgment, []).append(row)
    reasons, parts, marks = _Sparse(len(rows)), _Sparse(len(rows)), _Sparse(len(rows))
    nobody_looked = [read_marks(one.spec.kind, "[]") is None for one in judge.values]
    looked = ((told & _LOOKED) > 0) & ~np.array(nobody_looked, dtype=np.bool_)[judge.codes]
    marks.codes[looked] = marks.code((), ())
    for portion in chunks(list(by_id)):
        for judgment, body, exact, named, made in connection.execute(
            _MORE.where(_j.id.in_(portion))
        ):
            for row in by_id[judgment]:
                if body is not None:
                    reasons.codes[row] = reasons.code(said := stored_text(body, exact), said)
                if named is not None:
                    parts.codes[row] = parts.code(named, read_parts(named))
                if looked[row] and told[row] & _MARKED:
                    its = read_marks(judge[row].spec.kind, made)
                    its = marks_shown(its, ORDERS[order[row]])
                    marks.codes[row] = marks.code(its, its)
    return {"reason": reasons.column(), "parts": parts.column(), "marks": marks.column()}


class _Sparse:
    """A column of which most rows have nothing."""

    def __init__(self, n: int) -> None:
        self.codes = np.zeros(n, dtype=np.int32)
        self._values: list[Any] = [None]
        self._code_of: dict[Any, int] = {}

    def code(self, known_by: Hashable, value: Any) -> int:
        if known_by not in self._code_of:
            self._code_of[known_by] = len(self._values)
            self._values.append(value)
        return self._code_of[known_by]

    def column(self) -> Coded:
        return Coded(self.codes, self._values)
