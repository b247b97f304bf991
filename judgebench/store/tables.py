"""What reports read: columns of equal length, of the newest use of every place.

Integers are joined to names here rather than in SQL: a board is one range of the primary key of
``uses`` and one look-up in ``judgments`` for each row, and names are few.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select, tuple_

from judgebench.records import AFRESH, HUMAN, WITHDRAWN, Order, Place, Verdict
from judgebench.store import schema
from judgebench.store.catalog import (
    Named,
    StoredJudge,
    StoredModel,
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
from judgebench.store.schema import NONE, PLACE

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

Columns = dict[str, list[Any]]

_u, _j, _f, _a, _r = (
    schema.uses, schema.judgments, schema.failures, schema.answers, schema.responses
)  # fmt: skip
_reason = schema.texts.alias("reason")
_USES = (
    select(
        *(_u.c[name] for name in PLACE), _u.c.used_at, _u.c.run_id, _u.c.judgment_id, _j.c.key,
        _j.c.kind, _j.c.value, _j.c.p, _j.c.low, _j.c.high, _j.c.winner, _j.c.label_id,
        _j.c.parts, _j.c.marks, _reason.c.body, _reason.c.exact, _j.c.served_id,
        _j.c.at.label("judged_at"),
    )
    .join(_j, _j.c.id == _u.c.judgment_id)
    .outerjoin(_reason, _reason.c.sha == _j.c.reason_sha)
    .order_by(*_u.primary_key.columns)
)  # fmt: skip
_FAILURES = (
    select(
        *(_f.c[name] for name in PLACE), _f.c.boundary, _reason.c.body, _reason.c.exact,
        _f.c.retriable, _f.c.attempts, _f.c.at, _f.c.kind,
    )
    .join(_reason, _reason.c.sha == _f.c.message_sha)
    .order_by(_f.c.benchmark_id, _f.c.at, *_f.primary_key.columns)
)  # fmt: skip
_text, _thought = schema.texts.alias("text"), schema.texts.alias("thought")
_ANSWERS = (
    select(
        _a.c.benchmark_id, _a.c.model_id, _a.c.item_id, _a.c.sample, _a.c.turn,
        _text.c.body, _text.c.exact, _thought.c.body, _thought.c.exact, _r.c.status,
        _r.c.finish_reason, _r.c.prompt_tokens, _r.c.completion_tokens, _r.c.logprob,
        _r.c.source, schema.stacks.c.stack, _r.c.at,
    )
    .join(_r, _r.c.id == _a.c.response_id)
    .join(_text, _text.c.sha == _r.c.text_sha)
    .outerjoin(_thought, _thought.c.sha == _r.c.reasoning_sha)
    .outerjoin(schema.stacks, schema.stacks.c.id == _r.c.stack_id)
    .order_by(_a.c.benchmark_id, _a.c.model_id, _a.c.item_id, _a.c.sample, _a.c.turn,
              _a.c.response_id.desc())
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
        b, i, r, n = schema.benchmarks.c, schema.items.c, schema.runs.c, schema.names.c
        query = select(b.id, b.name, b.version)
        if benchmark is not None:
            query = query.where(b.name == benchmark)
        if version is not None:
            query = query.where(b.version == version)
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


def verdicts(
    connection: Connection,
    benchmark: str,
    version: str | None = None,
    *,
    judges: Collection[Named] | None = None,
    models: Collection[Named] | None = None,
    afresh: bool = False,
) -> Columns:
    """A preference's value is the probability that ``model`` beats ``opponent``.

    A label that its rater has taken back is none, nor is the one before it.
    """
    names = Names.of(connection, benchmark, version)
    query = _USES.where(
        _u.c.benchmark_id.in_(list(names.benchmarks)), (_u.c.repeat == AFRESH) == afresh
    )
    if (wanted := chosen(names.judges, judges)) is not None:
        query = query.where(_u.c.judge_id.in_(wanted))
    if (wanted := chosen(names.models, models)) is not None:
        query = query.where(_u.c.model_id.in_(wanted))
    return _verdicts(connection, names, query)


def verdicts_beside(
    connection: Connection, benchmark: str, version: str, judge_key: bytes
) -> Columns:
    """As `verdicts`, of all judges, where one of them has a verdict; of a pair either way round.

    What it takes grows with what that judge has said, not with what the store holds.
    """
    names = Names.of(connection, benchmark, version)
    at = next(iter(names.benchmarks), NONE)
    number = next((n for n, judge in names.judges.items() if judge.key == judge_key), NONE)
    said = (_u.c.benchmark_id == at, _u.c.judge_id == number)
    model, opponent, item = _u.c.model_id, _u.c.opponent_id, _u.c.item_id
    one_way = select(model, opponent, item).where(*said)
    other_way = select(opponent, model, item).where(*said, opponent != NONE)
    # SQLite looks each place up only where judges are named, and the union is a table by itself.
    places = select(one_way.union(other_way).subquery())
    query = _USES.where(
        _u.c.benchmark_id == at,
        _u.c.judge_id.in_(list(names.judges)),
        tuple_(model, opponent, item).in_(places),
        _u.c.repeat != AFRESH,
    )
    return _verdicts(connection, names, query)


def said_of(connection: Connection, benchmark: str, version: str, item_id: str) -> Columns:
    """As `verdicts`, of all judges on the single answers to one item."""
    names = Names.of(connection, benchmark, version)
    item = next((n for n, (one, _) in names.items.items() if one == item_id), NONE)
    query = _USES.where(
        _u.c.benchmark_id.in_(list(names.benchmarks)),
        _u.c.judge_id.in_(list(names.judges)),
        _u.c.model_id.in_(list(names.models)),
        _u.c.opponent_id == NONE,
        _u.c.item_id == item,
        _u.c.repeat != AFRESH,
    )
    return _verdicts(connection, names, query)


def some_of_each(connection: Connection, benchmark: str, version: str, n: int) -> Columns:
    """As `verdicts`, the first ``n`` of every judge."""
    names = Names.of(connection, benchmark, version)
    rows: list[tuple[Any, ...]] = []
    for judge in names.judges:
        query = _USES.where(
            _u.c.benchmark_id.in_(list(names.benchmarks)),
            _u.c.judge_id == judge,
            _u.c.repeat != AFRESH,
        ).limit(n)
        rows += _rows(connection, names, query)
    return as_columns(VERDICT_COLUMNS, rows)


def verdicts_where(
    connection: Connection, names: Names, *conditions: ColumnElement[bool], most: int
) -> Iterator[tuple[Any, ...]]:
    """The first rows of `verdicts` that conditions on ``uses`` pick, each of `VERDICT_COLUMNS`."""
    return _rows(connection, names, _USES.where(_u.c.repeat != AFRESH, *conditions).limit(most))


def answers_where(
    connection: Connection, names: Names, *conditions: ColumnElement[bool], most: int
) -> list[tuple[Any, ...]]:
    """The first rows of `responses` that conditions on ``answers`` pick."""
    return _answers(connection, names, _ANSWERS.where(*conditions).limit(most))


def _verdicts(connection: Connection, names: Names, query: Select[Any]) -> Columns:
    return as_columns(VERDICT_COLUMNS, list(_rows(connection, names, query)))


def _rows(connection: Connection, names: Names, query: Select[Any]) -> Iterator[tuple[Any, ...]]:
    for row in _newest(connection, query):
        if not _withdrawn(names, row):
            yield (*names.place(row), *_verdict_columns(names, row))


def _withdrawn(names: Names, row: Row[Any]) -> bool:
    taken_back = KINDS[row.kind] == "unreadable" and row.body == WITHDRAWN
    return taken_back and names.judges[row.judge_id].spec.kind == HUMAN


def run_verdicts(connection: Connection, run_id: str, benchmark: str, version: str) -> Columns:
    """As `verdicts`, of the uses of one run alone, whatever came later.

    ``case`` is the key of what the judge saw; of imported verdicts, whose answers nobody knew, that
    of their place.
    """
    names = Names.of(connection, benchmark, version)
    number = next((n for n, known in names.runs.items() if known == run_id), None)
    query = _USES.add_columns(_j.c.case_key).where(
        _u.c.benchmark_id.in_(list(names.benchmarks)), _u.c.run_id == number, _u.c.repeat != AFRESH
    )
    rows = [
        (*names.place(row), *_verdict_columns(names, row), row.case_key)
        for row in _newest(connection, query)
        if not _withdrawn(names, row)
    ]
    return as_columns(RUN_VERDICT_COLUMNS, rows)


def judged(
    connection: Connection,
    benchmark: str | None = None,
    version: str | None = None,
    *,
    judges: Collection[Named] | None = None,
    models: Collection[Named] | None = None,
    run_id: str | None = None,
    afresh: bool = False,
) -> Columns:
    """As `verdicts`, with each as a value, the judgment's key, and those of its replies.

    Parameters
    ----------
    run_id
        What served this run, whatever came later.
    afresh
        Also what was asked for once more to confirm a regression.
    """
    names = Names.of(connection, benchmark, version)
    query = _USES.add_columns(_j.c.reply_keys).where(_u.c.benchmark_id.in_(list(names.benchmarks)))
    if not afresh:
        query = query.where(_u.c.repeat != AFRESH)
    if (wanted := chosen(names.judges, judges)) is not None:
        query = query.where(_u.c.judge_id.in_(wanted))
    if (wanted := chosen(names.models, models)) is not None:
        query = query.where(_u.c.model_id.in_(wanted))
    if run_id is not None:
        numbers = [n for n, known in names.runs.items() if known == run_id]
        query = query.where(_u.c.run_id.in_(numbers))
    rows = [
        (
            *names.place(row),
            *_verdict_columns(names, row),
            _verdict(row, names.names.get(row.label_id)),
            row.key,
            reply_keys(row.reply_keys),
        )
        for row in _newest(connection, query)
        if not _withdrawn(names, row)
    ]
    return as_columns(JUDGED_COLUMNS, rows)


def _verdict_columns(names: Names, row: Row[Any]) -> tuple[Any, ...]:
    kind, value = KINDS[row.kind], row.value
    if kind == "preference" and ORDERS[row.shown] == "opponent_first" and value is not None:
        value = 1 - value
    return (
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
        _marks_of(row, names.judges[row.judge_id].spec.kind),
    )


def _marks_of(row: Row[Any], judge_kind: str) -> tuple[str, ...] | None:
    """Those of a pair say of which answer shown they are."""
    return marks_shown(read_marks(judge_kind, row.marks), ORDERS[row.shown])


def marks_shown(marks: tuple[str, ...] | None, order: Order) -> tuple[str, ...] | None:
    """Of the marks of what a judge was shown, those of the model's answer."""
    if marks is None or order == "single":
        return marks
    position = "/0" if order == "model_first" else "/1"
    return tuple(mark.removesuffix(position) for mark in marks if mark.endswith(position))


def _reason_of(row: Row[Any]) -> str | None:
    return None if row.body is None else stored_text(row.body, row.exact)


def _newest(connection: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    """Of the uses of one place, which follow each other, the one recorded last."""
    newest: Row[Any] | None = None
    for row in connection.execute(query):
        if newest is not None and row[: len(PLACE)] == newest[: len(PLACE)]:
            newest = max(newest, row, key=lambda use: (use.used_at, use.run_id, use.judgment_id))
            continue
        if newest is not None:
            yield newest
        newest = row
    if newest is not None:
        yield newest


def current(
    connection: Connection, benchmark: str, version: str
) -> dict[Place, tuple[bytes, Verdict]]:
    """What counts at each place; of a label that was taken back, that it was."""
    names = Names.of(connection, benchmark, version)
    query = _USES.where(_u.c.benchmark_id.in_(list(names.benchmarks)))
    found: dict[Place, tuple[bytes, Verdict]] = {}
    for row in _newest(connection, query):
        place = Place(
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
        )
        found[place] = row.key, _verdict(row, names.names.get(row.label_id))
    return found


def current_at(connection: Connection, place: Mapping[str, int]) -> tuple[bytes, Verdict] | None:
    """What counts at one place, given by its integers."""
    query = _USES.where(*(_u.c[name] == place[name] for name in PLACE))
    row = next(_newest(connection, query), None)
    if row is None:
        return None
    name = select(schema.names.c.name).where(schema.names.c.id == row.label_id)
    return row.key, _verdict(row, connection.execute(name).scalar())


def _verdict(row: Row[Any], label: str | None) -> Verdict:
    return read_verdict(
        VerdictRow(
            kind=row.kind,
            value=row.value,
            p=row.p,
            low=row.low,
            high=row.high,
            winner=row.winner,
            label=label,
            parts=row.parts,
            reason=_reason_of(row),
        )
    )


def failures(
    connection: Connection, benchmark: str | None = None, version: str | None = None
) -> Columns:
    names = Names.of(connection, benchmark, version)
    query = _FAILURES.where(_f.c.repeat != AFRESH)
    if benchmark is not None or version is not None:
        query = query.where(_f.c.benchmark_id.in_(list(names.benchmarks)))
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
    query = _ANSWERS.where(_a.c.benchmark_id.in_(list(names.benchmarks)))
    if (wanted := chosen(names.models, models)) is not None:
        query = query.where(_a.c.model_id.in_(wanted))
    return as_columns(RESPONSE_COLUMNS, _answers(connection, names, query))


def _answers(connection: Connection, names: Names, query: Select[Any]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    before: tuple[Any, ...] | None = None
    for row in connection.execute(query):
        place = tuple(row[:5])
        item, model = names.items[row[2]], names.models[row[1]]
        body, exact, thought, exact_thought = row[5:9]
        rows.append(
            (
                *names.benchmarks[row[0]],
                *item,
                model.name,
                model.id,
                *row[3:5],
                stored_text(body, exact),
                None if thought is None else stored_text(thought, exact_thought),
                *row[9:16],
                place != before,
                row[16],
            )
        )
        before = place
    return rows


def as_columns(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Columns:
    """Equally long lists by name, also where there are no rows."""
    if not rows:
        return {name: [] for name in names}
    columns = zip(*rows, strict=True)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}
