"""Everything a store has of one item: its answers, and what judges said of them, in time.

Rows say what there is; the texts behind them are read for those that are shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select, tuple_

from judgebench.records import AFRESH, Item, Order, Stack, Verdict
from judgebench.store import schema
from judgebench.store.catalog import StoredJudge, StoredModel, judges, models
from judgebench.store.codec import (
    ORDERS,
    VerdictRow,
    read_item,
    read_marks,
    read_spec,
    read_verdict,
    reply_keys,
    stored_text,
)
from judgebench.store.database import chunks
from judgebench.store.met import BOARD, boards_of
from judgebench.store.schema import NONE, PLACE
from judgebench.store.store import Store

_t, _i, _b, _a, _r, _u, _j, _p = (
    schema.texts.c, schema.items.c, schema.benchmarks.c, schema.answers.c, schema.responses.c,
    schema.uses.c, schema.judgments.c, schema.replies.c,
)  # fmt: skip
_label, _served = schema.names.alias("label"), schema.names.alias("served")
_thought, _reason = schema.texts.alias("thought"), schema.texts.alias("reason")

_ITEM = (
    select(_i.id, _i.benchmark_id, _i.category, _t.body, _t.exact)
    .join(schema.benchmarks, _b.id == _i.benchmark_id)
    .outerjoin(schema.texts, _t.sha == _i.content_sha)
)
_ANSWERS = (
    select(
        _a.model_id, _a.sample, _a.turn, _r.id, _r.status, _r.finish_reason, _r.source,
        _r.completion_tokens, schema.stacks.c.stack, _r.at,
    )
    .select_from(schema.answers)
    .join(schema.responses, _r.id == _a.response_id)
    .outerjoin(schema.stacks, schema.stacks.c.id == _r.stack_id)
    .order_by(_a.model_id, _a.sample, _a.turn, _r.id.desc())
)  # fmt: skip
_BOARD = (_u.judge_id, _u.model_id, _u.opponent_id)
_USES = (
    select(
        *(_u[name] for name in PLACE), _u.used_at, _u.judgment_id, schema.runs.c.run_id,
        _j.kind, _j.value, _j.p, _j.low, _j.high, _j.winner, _label.c.name.label("label"),
        _j.parts, _j.marks, _reason.c.body, _reason.c.exact, _served.c.name.label("served"), _j.at,
        _j.reply_keys,
    )
    .select_from(schema.uses)
    .join(schema.judgments, _j.id == _u.judgment_id)
    .join(schema.runs, schema.runs.c.id == _u.run_id)
    .outerjoin(_label, _label.c.id == _j.label_id)
    .outerjoin(_served, _served.c.id == _j.served_id)
    .outerjoin(_reason, _reason.c.sha == _j.reason_sha)
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAnswer:
    """An answer, without its text. ``newest``: of its model, sample and turn, none came later."""

    number: int
    model: StoredModel
    sample: int
    turn: int
    newest: bool
    status: str
    finish_reason: str | None
    completion_tokens: int | None
    source: str
    stack: Stack | None
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldVerdict:
    """What a judge said at a place, without what it wrote.

    ``counts``: it is the one that boards show there. ``runs`` are those that it serves, in the
    order in which they took it. ``afresh``: asked for once more to confirm a regression.
    """

    number: int
    judge: StoredJudge
    model: StoredModel
    opponent: StoredModel | None
    order: Order
    sample: int
    turn: int
    repeat: int
    verdict: Verdict
    marks: tuple[str, ...] | None
    served_model: str | None
    counts: bool
    runs: tuple[str, ...]
    at: float
    reply_keys: tuple[bytes, ...]

    @property
    def afresh(self) -> bool:
        return self.repeat == AFRESH


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemHistory:
    """An item with all its answers, by model, and all its verdicts, the newest first."""

    item: Item
    answers: Sequence[ToldAnswer]
    verdicts: Sequence[ToldVerdict]


@dataclass(frozen=True, slots=True)
class ToldText:
    """A text with what was thought before it."""

    text: str
    thoughts: str | None = None


def item_history(store: Store, benchmark: str, version: str, item_id: str) -> ItemHistory | None:
    """None for an item that the store does not know."""
    with store.snapshot() as connection:
        found = connection.execute(_at(_ITEM, benchmark, version, item_id)).first()
        if found is None:
            return None
        number, of_benchmark, category, body, exact = found
        content = "" if body is None else stored_text(body, exact)
        known = models(connection)
        return ItemHistory(
            item=read_item(benchmark, version, item_id, category, content),
            answers=list(_answers(connection, known, of_benchmark, number)),
            verdicts=_verdicts(connection, known, of_benchmark, number),
        )


def _at(query: Select[Any], benchmark: str, version: str, item_id: str) -> Select[Any]:
    return query.where(_b.name == benchmark, _b.version == version, _i.item_id == item_id)


def _answers(
    connection: Connection, known: dict[int, StoredModel], benchmark: int, item: int
) -> Iterator[ToldAnswer]:
    before: tuple[Any, ...] | None = None
    for portion in chunks(sorted(known)):  # by the key of the table, which begins with the model
        query = _ANSWERS.where(
            _a.benchmark_id == benchmark, _a.model_id.in_(portion), _a.item_id == item
        )
        for row in connection.execute(query):
            place = tuple(row[:3])
            yield ToldAnswer(
                number=row.id,
                model=known[row.model_id],
                sample=row.sample,
                turn=row.turn,
                newest=place != before,
                status=row.status,
                finish_reason=row.finish_reason,
                completion_tokens=row.completion_tokens,
                source=row.source,
                stack=None if row.stack is None else read_spec(Stack, row.stack),
                at=row.at,
            )
            before = place


def _verdicts(
    connection: Connection, known: dict[int, StoredModel], benchmark: int, item: int
) -> list[ToldVerdict]:
    asked = judges(connection)
    told = [
        one
        for boards in chunks(list(boards_of(connection, benchmark)))
        for uses in _at_places(connection, benchmark, boards, item)
        for one in _told(asked, known, uses)
    ]
    return sorted(told, key=lambda one: (-one.at, -one.number))


def _at_places(
    connection: Connection, benchmark: int, boards: list[Sequence[int]], item: int
) -> Collection[list[Any]]:
    """The uses of an item on some boards, those of one place together."""
    query = _USES.where(
        _u.benchmark_id == benchmark, tuple_(*BOARD).in_(boards), _u.item_id == item
    )
    places: dict[tuple[Any, ...], list[Any]] = {}
    for row in connection.execute(query):
        places.setdefault(tuple(row[: len(PLACE)]), []).append(row)
    return places.values()


def _told(
    asked: dict[int, StoredJudge], known: dict[int, StoredModel], uses: list[Any]
) -> Iterator[ToldVerdict]:
    """A verdict for each judgment of a place; which of them counts is told as boards tell it."""
    counting = max(uses, key=lambda use: (use.used_at, use.run_id, use.judgment_id)).judgment_id
    for number in dict.fromkeys(use.judgment_id for use in uses):
        serving = sorted(
            (use for use in uses if use.judgment_id == number), key=lambda u: u.used_at
        )
        row = serving[0]
        judge = asked[row.judge_id]
        reason = None if row.body is None else stored_text(row.body, row.exact)
        yield ToldVerdict(
            number=number,
            judge=judge,
            model=known[row.model_id],
            opponent=None if row.opponent_id == NONE else known[row.opponent_id],
            order=ORDERS[row.shown],
            sample=row.sample,
            turn=row.turn,
            repeat=row.repeat,
            verdict=read_verdict(
                VerdictRow(
                    row.kind, row.value, row.p, row.low, row.high, row.winner, row.label,
                    row.parts, reason,
                )
            ),
            marks=read_marks(judge.spec.kind, row.marks),
            served_model=row.served,
            counts=number == counting and row.repeat != AFRESH,
            runs=tuple(dict.fromkeys(use.run_id for use in serving)),
            at=row.at,
            reply_keys=reply_keys(row.reply_keys),
        )  # fmt: skip


def item_categories(store: Store, benchmark: str | None, version: str | None) -> list[str]:
    """Of the items of a benchmark, or of all, in alphabetical order."""
    query = select(_i.category).join(schema.benchmarks, _b.id == _i.benchmark_id).distinct()
    if benchmark is not None:
        query = query.where(_b.name == benchmark)
    if version is not None:
        query = query.where(_b.version == version)
    with store.snapshot() as connection:
        return sorted(name for name in connection.execute(query).scalars() if name)


def neighbours(
    store: Store, benchmark: str, version: str, item_id: str
) -> tuple[str | None, str | None]:
    """The items before and after one, in the order in which they came."""
    with store.snapshot() as connection:
        found = connection.execute(_at(_ITEM, benchmark, version, item_id)).first()
        if found is None:
            return None, None
        others = select(_i.item_id).where(_i.benchmark_id == found.benchmark_id).limit(1)
        before = others.where(_i.id < found.id).order_by(_i.id.desc())
        after = others.where(_i.id > found.id).order_by(_i.id)
        return connection.execute(before).scalar(), connection.execute(after).scalar()


def answer_texts(store: Store, numbers: Collection[int]) -> dict[int, ToldText]:
    """The final text of answers, and what was thought before it, by their numbers."""
    query = (
        select(_r.id, _t.body, _t.exact, _thought.c.body, _thought.c.exact)
        .join(schema.texts, _t.sha == _r.text_sha)
        .outerjoin(_thought, _thought.c.sha == _r.reasoning_sha)
    )
    with store.snapshot() as connection:
        return {
            number: _text(*texts)
            for portion in chunks(numbers)
            for number, *texts in connection.execute(query.where(_r.id.in_(portion)))
        }


def reply_texts(store: Store, keys: Collection[bytes]) -> dict[bytes, ToldText]:
    """What judges wrote, and what they thought before it, by the keys of the replies."""
    query = (
        select(_p.key, _t.body, _t.exact, _thought.c.body, _thought.c.exact)
        .join(schema.texts, _t.sha == _p.text_sha)
        .outerjoin(_thought, _thought.c.sha == _p.reasoning_sha)
    )
    with store.snapshot() as connection:
        return {
            key: _text(*texts)
            for portion in chunks(keys)
            for key, *texts in connection.execute(query.where(_p.key.in_(portion)))
        }


def _text(
    body: str, exact: bytes | None, thought: str | None, exact_thought: bytes | None
) -> ToldText:
    return ToldText(
        stored_text(body, exact), None if thought is None else stored_text(thought, exact_thought)
    )
