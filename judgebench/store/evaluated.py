"""Which run evaluated which model by a judge: names alone, no verdict is read for it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from judgebench.records import AFRESH
from judgebench.store import schema
from judgebench.store.schema import NONE
from judgebench.store.store import Store

_b, _j, _m, _u = schema.benchmarks.c, schema.judges.c, schema.models.c, schema.uses.c
_EVALUATED = (
    select(_m.short, schema.runs.c.run_id)
    .select_from(schema.uses)
    .join(schema.benchmarks, _b.id == _u.benchmark_id)
    .join(schema.judges, _j.id == _u.judge_id)
    .join(schema.models, _m.id == _u.model_id)
    .join(schema.runs, schema.runs.c.id == _u.run_id)
    .where(_u.repeat != AFRESH)
    .distinct()
)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A run used a judge's verdicts on a model; both by id."""

    model_id: str
    run_id: str


def evaluated(
    store: Store, benchmark: str, version: str, judge_id: str, opponent_id: str | None
) -> list[Evaluated]:
    """Of one board: a judge, and of comparisons with whom; ids are the first digits of keys."""
    wanted = [_b.name == benchmark, _b.version == version, _j.short == judge_id]
    with store.snapshot() as connection:
        if opponent_id is None:
            wanted.append(_u.opponent_id == NONE)
        else:
            whose = select(_m.id).where(_m.short == opponent_id)
            wanted.append(_u.opponent_id.in_(whose.scalar_subquery()))
        return [Evaluated(*row) for row in connection.execute(_EVALUATED.where(*wanted))]
