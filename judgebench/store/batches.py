"""Batches under way: kept before they are sent, so that any machine with the store can collect."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from judgebench import keys
from judgebench.errors import StoreError
from judgebench.records import Batch, BatchState, Request
from judgebench.secret import masked
from judgebench.store import schema
from judgebench.store.codec import (
    REQUESTS,
    plain,
    purpose_json,
    read_request,
    store_text,
    stored_text,
)
from judgebench.store.database import chunks, insert
from judgebench.store.interning import Interned
from judgebench.store.texts import put_text, put_texts

OPEN: tuple[BatchState, ...] = ("submitting", "submitted")
"""The states in which a reply may still come."""

_b, _q, _t = schema.batches, schema.batch_requests, schema.texts
_PUT_BATCH = insert(_b).on_conflict_do_nothing().returning(_b.c.id)
_PUT_REQUEST = insert(_q)
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


def put_batch(
    connection: Connection, interned: Interned, batch: Batch, requests: Mapping[bytes, Request]
) -> None:
    row = {"batch_id": plain("the batch id", batch.id), **_row(connection, interned, batch)}
    number = connection.execute(_PUT_BATCH, row).scalar()
    if number is None:
        raise StoreError(f"a batch {batch.id!r} is there already; give this one another id")
    for portion in chunks(requests.items()):
        bodies = [store_text(keys.canonical_json(request)) for _, request in portion]
        put_texts(connection, bodies)
        rows = [
            {
                "batch_id": number,
                "key": key,
                "kind": REQUESTS.index(type(request)),
                "request_sha": body.sha,
                "purpose": None if request.purpose is None else purpose_json(request.purpose),
            }
            for (key, request), body in zip(portion, bodies, strict=True)
        ]
        connection.execute(_PUT_REQUEST, rows)


def update_batch(connection: Connection, interned: Interned, batch: Batch) -> None:
    this = _b.c.batch_id == batch.id
    changed = update(_b).where(this).values(**_row(connection, interned, batch))
    if not connection.execute(changed).rowcount:
        raise StoreError(f"the store has no batch {batch.id!r}; put_batch() must come first")


def _row(connection: Connection, interned: Interned, batch: Batch) -> dict[str, Any]:
    remote = None if batch.remote_id is None else masked(batch.remote_id)
    return {
        "run_id": interned.run(connection, batch.run_id),
        "asker": plain("the asker", batch.asker),
        "provider": plain("the provider", batch.provider),
        "state": batch.state,
        "remote_id": None if remote is None else plain("the provider's id of a batch", remote),
        "requests": batch.requests,
        "created": batch.created,
        "ended": batch.ended,
        "note_sha": put_text(connection, batch.note),
    }


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
