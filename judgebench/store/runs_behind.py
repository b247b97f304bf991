"""Which runs gave the verdicts of a board."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from judgebench.records import RunManifest
from judgebench.store import lookups, schema
from judgebench.store.schema import NONE
from judgebench.store.store import Store

_b, _j, _m, _r, _u = (
    table.c for table in (schema.benchmarks, schema.judges, schema.models, schema.runs, schema.uses)
)


def runs_behind(
    store: Store, benchmark: str, version: str, judges: Collection[str], opponent: str | None = None
) -> list[RunManifest]:
    """The runs in which some judges, by id, judged answers to a benchmark, in order of their start.

    Parameters
    ----------
    opponent
        The id of whom answers were compared with; None where each stood alone.
    """
    opponents = select(_m.id).where(_m.short == opponent)
    served = (
        select(_u.run_id)
        .distinct()
        .join(schema.benchmarks, _b.id == _u.benchmark_id)
        .where(
            _b.name == benchmark,
            _b.version == version,
            _u.judge_id.in_(select(_j.id).where(_j.short.in_(list(judges)))),
            _u.opponent_id == NONE if opponent is None else _u.opponent_id.in_(opponents),
        )
    )
    query = select(_r.run_id).where(_r.id.in_(served))
    with store.snapshot() as connection:
        wanted = set(connection.execute(query).scalars())
        return [run for run in lookups.runs(connection) if run.id in wanted]
