"""The first verdicts of every judge on every model, and the first answers of every model.

They tell what sort of thing there is, such as whether anybody has scored from 0 to 1, and are found
by one step in the key of a table for each judge and model, however many rows follow.
"""

from __future__ import annotations

from collections.abc import Collection

from judgebench.store import schema
from judgebench.store.met import boards_of
from judgebench.store.schema import NONE
from judgebench.store.store import Store
from judgebench.store.tables import (
    RESPONSE_COLUMNS,
    VERDICT_COLUMNS,
    Columns,
    Names,
    answers_where,
    as_columns,
    verdicts_where,
)

_u, _a = schema.uses.c, schema.answers.c


def first_verdicts(
    store: Store, benchmark: str, version: str, n: int, *, judges: Collection[str] | None = None
) -> Columns:
    """As `Store.verdicts`, the first ``n`` of each judge on each model by itself.

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
            for judge, model, opponent in list(boards_of(connection, number))
            if opponent == NONE and (judges is None or names.judges[judge].id in judges)
            for row in verdicts_where(
                connection,
                names,
                _u.benchmark_id == number,
                _u.judge_id == judge,
                _u.model_id == model,
                _u.opponent_id == opponent,
                most=n,
            )
        ]
    return as_columns(VERDICT_COLUMNS, rows)


def first_answers(store: Store, benchmark: str, version: str, n: int) -> Columns:
    """As `Store.responses_table`, the first ``n`` of each model."""
    with store.snapshot() as connection:
        names = Names.of(connection, benchmark, version)
        rows = [
            row
            for number in names.benchmarks
            for model in names.models
            for row in answers_where(
                connection, names, _a.benchmark_id == number, _a.model_id == model, most=n
            )
        ]
    return as_columns(RESPONSE_COLUMNS, rows)
