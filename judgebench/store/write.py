"""Rows in. Each function runs inside a transaction that its caller has begun."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, select, update

from judgebench import keys
from judgebench.errors import StoreError
from judgebench.records import (
    Failure,
    JudgeSpec,
    Judgment,
    ModelSpec,
    Reply,
    Request,
    Response,
    RunManifest,
    Use,
)
from judgebench.secret import masked
from judgebench.store import schema
from judgebench.store.codec import (
    logprobs_json,
    plain,
    spec_json,
    store_verdict,
    to_json,
    usage_columns,
)
from judgebench.store.database import Prepared, chunks, insert
from judgebench.store.interning import Interned
from judgebench.store.schema import NONE, PLACE
from judgebench.store.texts import Texts, put_optional_text, put_text, put_texts, word

_PUT_RESPONSE = Prepared(
    insert(schema.responses).on_conflict_do_nothing().returning(schema.responses.c.id)
)
_RESPONSE_ID = select(schema.responses.c.id).where(
    and_(
        schema.responses.c.key == bindparam("key"),
        schema.responses.c.stack_id == bindparam("stack_id"),
    )
)
_PUT_ANSWER = Prepared(insert(schema.answers).on_conflict_do_nothing())
# An anchor gives way to an answer on its stack: which answer is the newest is told by its number.
_DROP_ANCHOR = Prepared(
    delete(schema.responses).where(
        schema.responses.c.key == bindparam("key"),
        schema.responses.c.stack_id == bindparam("stack_id"),
        ~select(schema.answers.c.response_id)
        .where(schema.answers.c.response_id == schema.responses.c.id)
        .exists(),
    )
)
_PUT_REPLY = Prepared(insert(schema.replies).on_conflict_do_nothing())
_PUT_JUDGMENT = Prepared(
    insert(schema.judgments).on_conflict_do_nothing().returning(schema.judgments.c.id)
)
_JUDGMENT_ID = select(schema.judgments.c.id).where(schema.judgments.c.key == bindparam("key"))
_u = schema.uses.c
_STEP_S = 1e-6  # what a double can tell apart at the seconds of this century
# The clock may have been set back since a place was used: what is used now is newer all the same.
_AFTER_THE_LAST = (
    select(func.max(_u.used_at) + _STEP_S)
    .where(*(_u[name] == bindparam(f"here_{name}") for name in PLACE))
    .where(_u.used_at >= bindparam("now"))
    .scalar_subquery()
)
_PUT_USE = Prepared(
    insert(schema.uses)
    .values(used_at=func.coalesce(_AFTER_THE_LAST, bindparam("now")))
    .on_conflict_do_nothing()
)
_CLEAR_FAILURE = Prepared(
    delete(schema.failures).where(schema.failures.c.key == bindparam("cleared"))
)
_PUT_FAILURE = insert(schema.failures)
_PUT_FAILURE = _PUT_FAILURE.on_conflict_do_update(
    index_elements=[column.name for column in schema.failures.primary_key],
    set_={
        column.name: _PUT_FAILURE.excluded[column.name]
        for column in schema.failures.c
        if not column.primary_key
    }
    | {"attempts": schema.failures.c.attempts + _PUT_FAILURE.excluded.attempts},
)
_PUT_RUN = insert(schema.runs).on_conflict_do_nothing()


def put_model(
    connection: Connection, interned: Interned, name: str, spec: ModelSpec, tags: Mapping[str, str]
) -> bytes:
    key = keys.model_key(spec)
    row = {"key": key, "short": key.hex()[:12], "spec": spec_json(spec)}
    model = interned.new_model(connection, row)
    _put_name(connection, schema.model_names, "model_id", model, name, {"tags": to_json(tags)})
    return key


def put_judge(connection: Connection, interned: Interned, name: str, spec: JudgeSpec) -> bytes:
    key = keys.judge_key(spec)
    row = {
        "key": key,
        "short": key.hex()[:12],
        "kind": plain("the judge's kind", spec.kind),
        "official_prompt": spec.official_prompt,
        "spec": spec_json(spec),
    }
    judge = interned.new_judge(connection, row)
    _put_name(connection, schema.judge_names, "judge_id", judge, name, {})
    return key


def _put_name(
    connection: Connection, table: Any, owner: str, owner_id: int, name: str, more: dict[str, str]
) -> None:
    """The newest name counts; naming it so again changes nothing."""
    row = {owner: owner_id, "name": plain("the name", name), **more}
    columns = [table.c[column] for column in row]
    newest = select(*columns).where(table.c[owner] == owner_id).order_by(table.c.newest.desc())
    current = connection.execute(newest.limit(1)).mappings().first()
    if current is not None and dict(current) == row:
        return
    count = select(func.coalesce(func.max(table.c.newest), 0)).where(table.c[owner] == owner_id)
    row["newest"] = connection.execute(count).scalar_one() + 1
    connection.execute(
        insert(table).on_conflict_do_update(
            index_elements=[owner, "name"], set_={**more, "newest": row["newest"]}
        ),
        row,
    )


def put_responses(
    connection: Connection, interned: Interned, responses: Mapping[bytes, Response]
) -> None:
    for portion in chunks(responses.items()):
        _put_some_responses(connection, interned, portion)


def put_stack_anchors(
    connection: Connection, interned: Interned, responses: Mapping[bytes, Response]
) -> None:
    """Responses that stand at no place."""
    for portion in chunks(responses.items()):
        for row in _response_rows(connection, interned, portion):
            _PUT_RESPONSE.first(connection, row)


def _put_some_responses(
    connection: Connection, interned: Interned, responses: Sequence[tuple[bytes, Response]]
) -> None:
    rows = _response_rows(connection, interned, responses)
    same = [{name: row[name] for name in ("key", "stack_id")} for row in rows]
    _DROP_ANCHOR.put_all(connection, same)
    places = []
    for (_, response), row, this in zip(responses, rows, same, strict=True):
        benchmark = interned.benchmark(connection, response.benchmark, response.version)
        new = _PUT_RESPONSE.first(connection, row)
        response_id = new[0] if new else connection.execute(_RESPONSE_ID, this).scalar_one()
        places.append(
            {
                "benchmark_id": benchmark,
                "model_id": interned.model(connection, response.model_key),
                "item_id": interned.item(connection, benchmark, response.item_id),
                "sample": response.sample,
                "turn": response.turn,
                "response_id": response_id,
            }
        )
    _PUT_ANSWER.put_all(connection, places)
    _CLEAR_FAILURE.put_all(connection, ({"cleared": key} for key, _ in responses))


def _response_rows(
    connection: Connection, interned: Interned, responses: Sequence[tuple[bytes, Response]]
) -> list[dict[str, Any]]:
    """Their texts are put first, since the rows name them."""
    texts = Texts()
    for _, response in responses:
        for text in (response.text, response.raw, response.reasoning, response.prompt):
            texts.add(text)
    put_texts(connection, texts.values())
    now = time.time()
    return [
        {
            "key": key,
            "stack_id": NONE
            if response.stack is None
            else interned.stack(
                connection, keys.stack_key(response.stack), spec_json(response.stack)
            ),
            "status": response.status,
            "text_sha": texts.sha(response.text),
            "raw_sha": texts.sha(response.raw),
            "reasoning_sha": texts.sha(response.reasoning),
            "prompt_sha": texts.sha(response.prompt),
            "finish_reason": word(response.finish_reason),
            **usage_columns(response.usage),
            "logprob": response.logprob,
            "source": plain("the source", masked(response.source)),
            "at": now,
        }
        for key, response in responses
    ]


def put_reply(connection: Connection, key: bytes, request: Request, reply: Reply) -> None:
    logprobs = None if reply.logprobs is None else logprobs_json(reply.logprobs)
    row = {
        "key": key,
        "request_sha": put_text(connection, keys.canonical_json(request)),
        "text_sha": put_text(connection, reply.text),
        "reasoning_sha": put_optional_text(connection, reply.reasoning),
        "logprobs_sha": put_optional_text(connection, logprobs),
        "finish_reason": word(reply.finish_reason),
        **usage_columns(reply.usage),
        "served_model": word(reply.served_model),
        "seconds": reply.seconds,
        "scores": None if reply.scores is None else to_json(reply.scores),
        "left_out": to_json(reply.left_out) if reply.left_out else None,
        "at": time.time(),
    }
    _PUT_REPLY.put(connection, row)
    _CLEAR_FAILURE.put(connection, {"cleared": key})  # a line of a batch fails by this key


def put_judgment(
    connection: Connection, interned: Interned, judgment: Judgment, uses: Sequence[Use]
) -> None:
    known = _put_some_judgments(connection, interned, [judgment])
    put_uses(connection, interned, uses, known)


def put_judgments(
    connection: Connection, interned: Interned, judgments: Sequence[tuple[Judgment, Use]]
) -> None:
    for portion in chunks(judgments):
        known = _put_some_judgments(connection, interned, [judgment for judgment, _ in portion])
        put_uses(connection, interned, (use for _, use in portion), known)


def _put_some_judgments(
    connection: Connection, interned: Interned, judgments: Sequence[Judgment]
) -> dict[bytes, int]:
    """The integers of those that are new, by key."""
    known = {}
    for judgment in judgments:
        verdict = store_verdict(judgment.verdict)
        label, served = verdict.label, word(judgment.served_model)
        new = _PUT_JUDGMENT.first(
            connection,
            {
                "key": judgment.key,
                "judge_id": interned.judge(connection, judgment.judge_key),
                "case_key": judgment.case_key,
                "kind": verdict.kind,
                "value": verdict.value,
                "p": verdict.p,
                "low": verdict.low,
                "high": verdict.high,
                "winner": verdict.winner,
                "label_id": None if label is None else interned.name(connection, label),
                "parts": verdict.parts,
                "reason_sha": put_optional_text(connection, verdict.reason),
                "served_id": None if served is None else interned.name(connection, served),
                "reply_keys": b"".join(judgment.reply_keys),
                "marks": to_json(judgment.marks),
                "at": judgment.at,
            },
        )
        if new:
            known[judgment.key] = int(new[0])
    _CLEAR_FAILURE.put_all(connection, ({"cleared": judgment.key} for judgment in judgments))
    return known


def put_uses(
    connection: Connection,
    interned: Interned,
    uses: Iterable[Use],
    known: Mapping[bytes, int] | None = None,
) -> None:
    """``known`` tells the integers of judgments that were just stored."""
    ids = dict(known or {})
    now = time.time()
    rows = []
    for use in uses:
        judgment = use.judgment_key
        if judgment not in ids:
            ids[judgment] = judgment_id(connection, judgment)
        place = interned.place(connection, use.place)
        place["judge_id"] = interned.judge(connection, use.place.judge_key)
        rows.append(
            {
                **place,
                **{f"here_{name}": place[name] for name in PLACE},
                "run_id": interned.run(connection, use.run_id),
                "judgment_id": ids[judgment],
                "now": now,
            }
        )
    _PUT_USE.put_all(connection, rows)


def judgment_id(connection: Connection, key: bytes) -> int:
    """The integer of a judgment, which has to be there."""
    found = connection.execute(_JUDGMENT_ID, {"key": key}).scalar()
    if found is None:
        raise StoreError(
            f"the store has no judgment {key.hex()[:12]}; put_judgment() must come before"
        )
    return int(found)


_NOWHERE = dict.fromkeys(PLACE, NONE)


def put_failure(connection: Connection, interned: Interned, failure: Failure) -> None:
    place = dict(_NOWHERE)
    if failure.place is not None:
        place |= interned.place(connection, failure.place)
        if failure.place.judge_key:
            place["judge_id"] = interned.judge(connection, failure.place.judge_key)
    row = {
        "key": failure.key,
        "boundary": failure.boundary,
        "kind": failure.kind,
        "message_sha": put_text(connection, failure.message),
        "retriable": failure.retriable,
        "attempts": failure.attempts,
        "at": failure.at,
        **place,
    }
    connection.execute(_PUT_FAILURE, row)


def start_run(connection: Connection, manifest: RunManifest) -> None:
    row = {"run_id": plain("the run id", manifest.id), **_run_columns(manifest)}
    if not connection.execute(_PUT_RUN, row).rowcount:
        raise StoreError(f"a run {manifest.id!r} was started before; give this one another id")


def update_run(connection: Connection, manifest: RunManifest) -> None:
    this = schema.runs.c.run_id == manifest.id
    changed = connection.execute(update(schema.runs).where(this).values(**_run_columns(manifest)))
    if not changed.rowcount:
        raise StoreError(f"the store has no run {manifest.id!r}; start_run() must come first")


def _run_columns(manifest: RunManifest) -> dict[str, Any]:
    return {
        "started": manifest.started,
        "state": manifest.state,
        "manifest": spec_json(manifest),
    }
