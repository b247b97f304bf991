"""Where texts that were found stand: at which items, of which models and judges; and filters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Select, select

from judgebench.store import schema
from judgebench.store.codec import KINDS as VERDICTS
from judgebench.store.codec import ORDERS
from judgebench.store.database import chunks
from judgebench.store.search_texts import KINDS, Kind


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
        return any(
            value is not None
            for value in (
                self.benchmark,
                self.version,
                self.category,
                self.model,
                self.judge,
                self.verdict,
                self.mark,
            )
        )

    @property
    def searched(self) -> list[Kind]:
        """The kinds that these filters leave, in the order of the hits."""
        left: tuple[Kind, ...] = KINDS
        if self.model:
            left = ("answer", "reasoning")
        if self.judge or self.verdict or self.mark:
            left = ("reasoning",)
        return [kind for kind in left if kind in self.kinds]


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


_b, _i, _a, _r, _u, _j = (
    schema.benchmarks.c, schema.items.c, schema.answers.c, schema.responses.c, schema.uses.c,
    schema.judgments.c,
)  # fmt: skip
_ITEM = (_b.name, _b.version, _i.item_id, _i.category)
_QUESTIONS = select(*_ITEM, _i.id).join(schema.benchmarks, _b.id == _i.benchmark_id)
_ANSWERS = (
    select(*_ITEM, _r.id, schema.models.c.short, _a.sample, _a.turn, _r.at)
    .select_from(schema.responses)
    .join(schema.answers, _a.response_id == _r.id)
    .join(schema.items, _i.id == _a.item_id)
    .join(schema.benchmarks, _b.id == _a.benchmark_id)
    .join(schema.models, schema.models.c.id == _a.model_id)
)
_JUDGMENTS = select(_j.id, _j.judge_id, _j.at)
_USES = select(
    _u.judgment_id, _u.benchmark_id, _u.judge_id, _u.model_id, _u.opponent_id, _u.item_id,
    _u.shown, _u.sample, _u.turn,
).distinct()  # fmt: skip


def stands(
    connection: Connection, kind: Kind, numbers: Collection[int], wanted: Filters
) -> Iterator[Hit]:
    """The rows of these numbers that the filters leave, each once."""
    return _STANDS[kind](connection, numbers, wanted)


def _of_item(query: Select[Any], wanted: Filters) -> Select[Any]:
    for column, value in (
        (_b.name, wanted.benchmark),
        (_b.version, wanted.version),
        (_i.category, wanted.category),
    ):
        if value is not None:
            query = query.where(column == value)
    return query


def _questions(connection: Connection, numbers: Collection[int], wanted: Filters) -> Iterator[Hit]:
    for portion in chunks(numbers):
        query = _of_item(_QUESTIONS.where(_i.id.in_(portion)), wanted)
        for *item, number in connection.execute(query):
            yield _hit("question", number, item)


def _answers(connection: Connection, numbers: Collection[int], wanted: Filters) -> Iterator[Hit]:
    for portion in chunks(numbers):
        query = _of_item(_ANSWERS.where(_r.id.in_(portion)), wanted)
        if wanted.model is not None:
            query = query.where(schema.models.c.short == wanted.model)
        found: dict[int, list[Any]] = {}
        for row in connection.execute(query):
            found.setdefault(row[4], []).append(row)
        for number, rows in found.items():
            *item, _, model, sample, turn, at = rows[0]
            yield _hit(
                "answer", number, item, model=model, sample=sample, turn=turn, at=at,
                places=len(rows),
            )  # fmt: skip


def _reasoning(connection: Connection, numbers: Collection[int], wanted: Filters) -> Iterator[Hit]:
    """``uses`` is read by ranges of its key: what the filters leave of it, once for a batch."""
    judged = {
        row[0]: row for portion in chunks(numbers) for row in _judged(connection, portion, wanted)
    }
    if not judged:
        return
    query = _USES.where(
        _u.benchmark_id.in_(_benchmarks(connection, wanted)),
        _u.judge_id.in_({row.judge_id for row in judged.values()}),
        _u.judgment_id.in_(list(judged)),
    )
    models = {
        row[0]: row[1]
        for row in connection.execute(select(schema.models.c.id, schema.models.c.short))
    }
    if wanted.model is not None:
        query = query.where(
            _u.model_id.in_([n for n, short in models.items() if short == wanted.model])
        )
    uses = connection.execute(query).all()
    items = {
        row[4]: row[:4]
        for portion in chunks({use.item_id for use in uses})
        for row in connection.execute(_of_item(_QUESTIONS.where(_i.id.in_(portion)), wanted))
    }
    judges = dict(connection.execute(select(schema.judges.c.id, schema.judges.c.short)).all())
    found: dict[int, list[Any]] = {}
    for use in uses:
        if use.item_id in items:
            found.setdefault(use.judgment_id, []).append(use)
    for number, places in found.items():
        use = places[0]
        yield _hit(
            "reasoning", number, items[use.item_id], model=models[use.model_id],
            opponent=models.get(use.opponent_id), judge=judges[use.judge_id], sample=use.sample,
            turn=use.turn, order=ORDERS[use.shown], at=judged[number].at, places=len(places),
        )  # fmt: skip


def _judged(connection: Connection, numbers: list[int], wanted: Filters) -> Sequence[Any]:
    query = _JUDGMENTS.where(_j.id.in_(numbers))
    if wanted.judge is not None:
        of = select(schema.judges.c.id).where(schema.judges.c.short == wanted.judge)
        query = query.where(_j.judge_id.in_(of))
    if wanted.verdict is not None:
        query = query.where(_j.kind == VERDICTS.index(wanted.verdict))
    if wanted.mark is not None:  # a JSON list of names, those of a pair with /0 or /1 behind them
        query = query.where(_j.marks.contains(f'"{wanted.mark}', autoescape=True))
    return connection.execute(query).all()


def _benchmarks(connection: Connection, wanted: Filters) -> list[int]:
    query = select(_b.id)
    if wanted.benchmark is not None:
        query = query.where(_b.name == wanted.benchmark)
    if wanted.version is not None:
        query = query.where(_b.version == wanted.version)
    return list(connection.execute(query).scalars())


def _hit(kind: Kind, number: int, item: Sequence[Any], **more: Any) -> Hit:
    benchmark, version, item_id, category = item
    return Hit(
        kind=kind, number=number, benchmark=benchmark, version=version, item_id=item_id,
        category=category, **more,
    )  # fmt: skip


_Stands: TypeAlias = Callable[[Connection, Collection[int], Filters], Iterator[Hit]]
_STANDS: dict[Kind, _Stands] = {
    "question": _questions,
    "answer": _answers,
    "reasoning": _reasoning,
}
