"""Which models and judges a benchmark has met, told without reading its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, bindparam, func, select, tuple_

from judgebench.store import schema
from judgebench.store.catalog import StoredJudge, StoredModel, judges, models
from judgebench.store.database import Prepared

_b, _a, _f, _u = schema.benchmarks.c, schema.answers.c, schema.failures.c, schema.uses.c
BOARD = (_u.judge_id, _u.model_id, _u.opponent_id)
_SOME_BOARD = (
    select(*BOARD).where(_u.benchmark_id == bindparam("benchmark")).order_by(*BOARD).limit(1)
)
_FIRST_BOARD = Prepared(_SOME_BOARD)
_NEXT_BOARD = Prepared(
    _SOME_BOARD.where(
        tuple_(*BOARD) > tuple_(bindparam("judge"), bindparam("model"), bindparam("opponent"))
    )
)
_NEXT_ANSWERING = Prepared(
    select(func.min(_a.model_id)).where(
        _a.benchmark_id == bindparam("benchmark"), _a.model_id > bindparam("after")
    )
)


def benchmark_numbers(connection: Connection, benchmark: str, version: str) -> list[int]:
    """Of the benchmark of this name and version; none where the store does not hold it."""
    wanted = select(_b.id).where(_b.name == benchmark, _b.version == version)
    return list(connection.execute(wanted).scalars())


def boards_of(connection: Connection, benchmark: int) -> Iterator[Sequence[int]]:
    """Judge, model and opponent of each board: one step in the key of ``uses`` for each."""
    board = _FIRST_BOARD.first(connection, {"benchmark": benchmark})
    while board is not None:
        yield board
        judge, model, opponent = board
        board = _NEXT_BOARD.first(
            connection,
            {"benchmark": benchmark, "judge": judge, "model": model, "opponent": opponent},
        )


def models_met(connection: Connection, benchmark: str, version: str) -> list[StoredModel]:
    """Who was judged, was judged against, answered or failed to, in no particular order."""
    known = models(connection)
    met: set[int] = set()
    for number in benchmark_numbers(connection, benchmark, version):
        for _, model, opponent in boards_of(connection, number):
            met |= {model, opponent}
        met |= set(_answering(connection, number))
        failed = select(_f.model_id).where(_f.benchmark_id == number).distinct()
        met |= set(connection.execute(failed).scalars())
    return [known[number] for number in sorted(met & known.keys())]


def judges_met(connection: Connection, benchmark: str, version: str) -> list[StoredJudge]:
    """Who judged, or failed to, in no particular order."""
    known = judges(connection)
    met: set[int] = set()
    for number in benchmark_numbers(connection, benchmark, version):
        met |= {judge for judge, _, _ in boards_of(connection, number)}
        failed = select(_f.judge_id).where(_f.benchmark_id == number).distinct()
        met |= set(connection.execute(failed).scalars())
    return [known[number] for number in sorted(met & known.keys())]


def _answering(connection: Connection, benchmark: int) -> Iterator[int]:
    after = 0
    while found := _NEXT_ANSWERING.first(connection, {"benchmark": benchmark, "after": after}):
        if found[0] is None:
            return
        yield (after := found[0])
