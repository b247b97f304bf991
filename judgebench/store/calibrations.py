"""Calibrations of length that were fitted from a store's judgments: the last of its kind counts."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from judgebench.records import JsonObject
from judgebench.store import schema
from judgebench.store.codec import stored_text

_c, _b, _t = schema.calibrations, schema.benchmarks, schema.texts
_ALL = (
    select(
        _c.c.key, schema.judges.c.key, schema.models.c.key, _c.c.models, _t.c.body, _t.c.exact,
        _c.c.at,
    )
    .join(_b, _b.c.id == _c.c.benchmark_id)
    .join(schema.judges, schema.judges.c.id == _c.c.judge_id)
    .join(schema.models, schema.models.c.id == _c.c.opponent_id)
    .join(_t, _t.c.sha == _c.c.content_sha)
    .where(_b.c.name == bindparam("name"), _b.c.version == bindparam("version"))
    .order_by(_c.c.id)
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCalibration:
    """For whom it holds, the models it was fitted on by short id, and what it says.

    ``id`` are the first twelve digits of the hash of all but ``at``, the seconds at which it was
    put.
    """

    id: str
    judge_key: bytes
    opponent_key: bytes
    models: tuple[str, ...]
    content: JsonObject
    at: float


def calibrations(connection: Connection, benchmark: str, version: str) -> list[StoredCalibration]:
    rows = connection.execute(_ALL, {"name": benchmark, "version": version})
    return [
        StoredCalibration(
            id=key.hex()[:12],
            judge_key=judge,
            opponent_key=opponent,
            models=tuple(json.loads(models)),
            content=json.loads(stored_text(body, exact)),
            at=at,
        )
        for key, judge, opponent, models, body, exact, at in rows
    ]
