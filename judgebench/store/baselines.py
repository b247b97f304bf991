"""Baselines by name: rows are added and never changed; of a name and benchmark the last counts."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from judgebench.store import schema

_l, _b, _m, _r = schema.baselines, schema.benchmarks, schema.models, schema.runs
_ALL = (
    select(_l.c.name, _b.c.name, _b.c.version, _m.c.key, _m.c.short, _r.c.run_id, _l.c.at)
    .join(_b, _b.c.id == _l.c.benchmark_id)
    .join(_m, _m.c.id == _l.c.model_id)
    .join(_r, _r.c.id == _l.c.run_id, isouter=True)
    .order_by(_l.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBaseline:
    """A model that went by a name on one version of a benchmark.

    ``model_id`` are the first twelve digits of the model's key; ``run_id`` is the run that its
    verdicts came from, None where nobody said; ``at`` the seconds at which it was set.
    """

    name: str
    benchmark: str
    version: str
    model_key: bytes
    model_id: str
    run_id: str | None
    at: float


def baselines(connection: Connection) -> list[StoredBaseline]:
    return [
        StoredBaseline(
            name=name,
            benchmark=benchmark,
            version=version,
            model_key=key,
            model_id=short,
            run_id=run_id,
            at=at,
        )
        for name, benchmark, version, key, short, run_id, at in connection.execute(_ALL)
    ]
