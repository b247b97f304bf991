"""Batches under way: kept before they are sent, so that any machine with the store can collect."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, select

from judgebench.records import Batch, BatchState, Request
from judgebench.store import schema
from judgebench.store.codec import (
    read_request,
    stored_text,
)
from judgebench.store.database import chunks

OPEN: tuple[BatchState, ...] = ("submitting", "submitted")
"""The states in which a reply may still come."""

_b, _q, _t = schema.batches, schema.batch_requests, schema.texts
_BATCHES = (
    select(
        _b.c.batch_id, schema.runs.c.run_id, _b.c.asker, _b.c.provider, _b.c.state, _b.c.remote_id,
        _b.c.requests, _b.c.created, _b.c.ended, _t.c.body, _t.c.exact,
    )
    .join(schema.runs, schema.runs.c.id == _b.c.run_id)
    .join(_t, _t.c.sha == _b.c.note_sha)
    .order_by(_b.c.id)
)  # fmt: skip
_REQUESTS = (
    select(_q.c.key, _q.c.kind, _t.c.body, _t.c.exact, _q.c.purpose)
    .join(_b, _b.c.id == _q.c.batch_id)
    .join(_t, _t.c.sha == _q.c.request_sha)
    .where(_b.c.batch_id == bindparam("batch_id"))
)
_BATCHED = select(_q.c.key).where(_q.c.key.in_(bindparam("keys", expanding=True)))
_ASKED = (
    select(_q.c.key, _b.c.batch_id)
    .join(_b, _b.c.id == _q.c.batch_id)
    .where(_b.c.state.in_(OPEN), _q.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(_b.c.id.desc())
)


def batches(connection: Connection, states: Collection[BatchState] | None = None) -> list[Batch]:
    """In the order in which they were put; those in one of the states, or all."""
    query = _BATCHES if states is None else _BATCHES.where(_b.c.state.in_(list(states)))
    return [
        Batch(
            id=batch_id,
            run_id=run,
            asker=asker,
            provider=provider,
            state=state,
            remote_id=remote_id,
            requests=requests,
            created=created,
            ended=ended,
            note=stored_text(body, exact),
        )
        for (batch_id, run, asker, provider, state, remote_id, requests, created, ended, body,
             exact) in connection.execute(query)
    ]  # fmt: skip


def batch_requests(connection: Connection, batch_id: str) -> dict[bytes, Request]:
    """Empty for a batch that is not known."""
    return {
        key: read_request(kind, stored_text(body, exact), purpose)
        for key, kind, body, exact, purpose in connection.execute(_REQUESTS, {"batch_id": batch_id})
    }


def batched(connection: Connection, asked: Collection[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for portion in chunks(asked):
        found.update(connection.execute(_BATCHED, {"keys": portion}).scalars())
    return found


def in_batches(connection: Connection, asked: Collection[bytes]) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for portion in chunks(asked):  # of two batches with one question, the one that came first
        found.update((row[0], row[1]) for row in connection.execute(_ASKED, {"keys": portion}))
    return found
