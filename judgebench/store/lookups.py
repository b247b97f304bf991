"""What a run asks of the store: is this key known, and what was said."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, FromClause, bindparam, func, select

from judgebench.records import Judgment, Reply, Response, RunManifest, Stack, Usage
from judgebench.store import schema
from judgebench.store.codec import (
    TOKENS,
    VerdictRow,
    read_logprobs,
    read_manifest,
    read_names,
    read_scores,
    read_spec,
    read_verdict,
    reply_keys,
    stored_text,
)
from judgebench.store.database import Prepared, chunks

_text, _raw, _reasoning, _prompt, _logprobs, _reason = (
    schema.texts.alias(name)
    for name in ("text", "raw", "reasoning", "prompt", "logprobs", "reason")
)
_label, _served = schema.names.alias("label"), schema.names.alias("served")


def _both(alias: FromClause) -> list[Any]:
    return [alias.c.body, alias.c.exact]


_j, _r, _p = schema.judgments, schema.responses, schema.replies
_JUDGED = select(_j.c.key).where(_j.c.key.in_(bindparam("keys", expanding=True)))
_JUDGMENT = (
    select(
        _j.c.key, schema.judges.c.key, _j.c.case_key, _j.c.kind, _j.c.value, _j.c.p, _j.c.low,
        _j.c.high, _j.c.winner, _label.c.name, _j.c.parts, *_both(_reason), _j.c.reply_keys,
        _served.c.name, _j.c.marks, _j.c.at,
    )
    .join(schema.judges, schema.judges.c.id == _j.c.judge_id)
    .outerjoin(_label, _label.c.id == _j.c.label_id)
    .outerjoin(_served, _served.c.id == _j.c.served_id)
    .outerjoin(_reason, _reason.c.sha == _j.c.reason_sha)
    .where(_j.c.key == bindparam("key"))
)  # fmt: skip
_REPLY = Prepared(
    select(
        *_both(_text), _p.c.finish_reason, *_both(_reasoning), *_both(_logprobs),
        *(_p.c[name] for name in TOKENS), _p.c.served_model, _p.c.seconds,
        _p.c.scores, _p.c.left_out,
    )
    .join(_text, _text.c.sha == _p.c.text_sha)
    .outerjoin(_reasoning, _reasoning.c.sha == _p.c.reasoning_sha)
    .outerjoin(_logprobs, _logprobs.c.sha == _p.c.logprobs_sha)
    .where(_p.c.key == bindparam("key"))
)  # fmt: skip
_ANSWERS = (
    select(
        _r.c.key, schema.benchmarks.c.name, schema.benchmarks.c.version, schema.items.c.item_id,
        schema.models.c.key, schema.answers.c.sample, schema.answers.c.turn, *_both(_text),
        *_both(_raw), _r.c.status, *_both(_reasoning), *_both(_prompt), _r.c.finish_reason,
        *(_r.c[name] for name in TOKENS), _r.c.logprob, schema.stacks.c.stack, _r.c.source,
        _r.c.id,
    )
    .join(schema.answers, schema.answers.c.response_id == _r.c.id)
    .join(schema.benchmarks, schema.benchmarks.c.id == schema.answers.c.benchmark_id)
    .join(schema.items, schema.items.c.id == schema.answers.c.item_id)
    .join(schema.models, schema.models.c.id == schema.answers.c.model_id)
    .join(_text, _text.c.sha == _r.c.text_sha)
    .join(_raw, _raw.c.sha == _r.c.raw_sha)
    .outerjoin(_reasoning, _reasoning.c.sha == _r.c.reasoning_sha)
    .outerjoin(_prompt, _prompt.c.sha == _r.c.prompt_sha)
    .outerjoin(schema.stacks, schema.stacks.c.id == _r.c.stack_id)
    .order_by(_r.c.id.desc(), schema.answers.c.benchmark_id, schema.answers.c.item_id)
)  # fmt: skip
_RESPONSES = _ANSWERS.where(_r.c.key.in_(bindparam("keys", expanding=True)))
_ANSWERS_TO = _ANSWERS.where(
    schema.benchmarks.c.name == bindparam("benchmark"),
    schema.benchmarks.c.version == bindparam("version"),
    schema.models.c.key == bindparam("model"),
    schema.items.c.item_id.in_(bindparam("items", expanding=True)),
)

_PLACES = (
    select(schema.items.c.item_id, schema.answers.c.sample)
    .select_from(schema.answers)
    .join(schema.benchmarks, schema.benchmarks.c.id == schema.answers.c.benchmark_id)
    .join(schema.items, schema.items.c.id == schema.answers.c.item_id)
    .join(schema.models, schema.models.c.id == schema.answers.c.model_id)
    .where(
        schema.benchmarks.c.name == bindparam("benchmark"),
        schema.benchmarks.c.version == bindparam("version"),
        schema.models.c.key == bindparam("model"),
        schema.answers.c.turn == 0,
    )
)

_judge, _benchmark = schema.judges.c, schema.benchmarks.c
_LEFT_OUT = (
    select(_j.c.reply_keys)
    .join(schema.uses, schema.uses.c.judgment_id == _j.c.id)
    .where(
        schema.uses.c.benchmark_id
        == select(_benchmark.id)
        .where(
            _benchmark.name == bindparam("benchmark"), _benchmark.version == bindparam("version")
        )
        .scalar_subquery(),
        schema.uses.c.judge_id
        == select(_judge.id).where(_judge.short == bindparam("judge")).scalar_subquery(),
        _j.c.reply_keys != b"",
    )
    .limit(1)
)


def _optional_text(body: str | None, exact: bytes | None) -> str | None:
    return None if body is None else stored_text(body, exact)


def judged(connection: Connection, keys: Collection[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for chunk in chunks(keys):
        found.update(connection.execute(_JUDGED, {"keys": chunk}).scalars())
    return found


def judgment(connection: Connection, key: bytes) -> Judgment | None:
    row = connection.execute(_JUDGMENT, {"key": key}).first()
    if row is None:
        return None
    (found, judge, case, kind, value, p, low, high, winner, label, parts, body, exact, replies,
     served, marks, at) = row  # fmt: skip
    reason = _optional_text(body, exact)
    verdict = VerdictRow(kind, value, p, low, high, winner, label, parts, reason)
    return Judgment(
        key=found,
        judge_key=judge,
        case_key=case,
        verdict=read_verdict(verdict),
        reply_keys=reply_keys(replies),
        served_model=served,
        at=at,
        marks=() if marks is None else read_names(marks),
    )


def reply(connection: Connection, key: bytes) -> Reply | None:
    row = _REPLY.first(connection, {"key": key})
    if row is None:
        return None
    (body, exact, finish_reason, thought, exact_thought, logprobs, exact_logprobs, prompt_tokens,
     completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, served_model,
     seconds, scores, left_out) = row  # fmt: skip
    stored_logprobs = _optional_text(logprobs, exact_logprobs)
    return Reply(
        text=stored_text(body, exact),
        finish_reason=finish_reason,
        reasoning=_optional_text(thought, exact_thought),
        logprobs=None if stored_logprobs is None else read_logprobs(stored_logprobs),
        usage=Usage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cached_tokens=cached_tokens,
            cache_write_tokens=cache_write_tokens,
            reasoning_tokens=reasoning_tokens,
        ),
        served_model=served_model,
        seconds=seconds,
        scores=None if scores is None else read_scores(scores),
        left_out=() if left_out is None else read_names(left_out),
    )


def responses(connection: Connection, keys: Collection[bytes]) -> dict[bytes, list[Response]]:
    """Newest stack first. A response that stands in several places is told with the first."""
    found: dict[bytes, list[Response]] = {}
    seen: set[int] = set()
    for chunk in chunks(keys):
        for row in connection.execute(_RESPONSES, {"keys": chunk}):
            key, response_id = row[0], row[-1]
            if response_id not in seen:
                seen.add(response_id)
                found.setdefault(key, []).append(_response(*row[1:-1]))
    return found


def answers_to(
    connection: Connection, benchmark: str, version: str, model: bytes, items: Collection[str]
) -> list[Response]:
    """All answers of a model to some items of a benchmark, of all stacks, the newest first."""
    about = {"benchmark": benchmark, "version": version, "model": model}
    return [
        _response(*row[1:-1])
        for chunk in chunks(sorted(items))
        for row in connection.execute(_ANSWERS_TO, {**about, "items": chunk})
    ]


def answered(
    connection: Connection, benchmark: str, version: str, model: bytes
) -> set[tuple[str, int]]:
    """Item and sample of every answer of a model that stands on a benchmark."""
    about = {"benchmark": benchmark, "version": version, "model": model}
    return {(item, sample) for item, sample in connection.execute(_PLACES, about)}


def newest_answer(connection: Connection) -> int:
    return connection.execute(select(func.max(schema.responses.c.id))).scalar() or 0


def left_out(connection: Connection, judge: str, benchmark: str, version: str) -> tuple[str, ...]:
    values = {"judge": judge, "benchmark": benchmark, "version": version}
    asked = connection.execute(_LEFT_OUT, values).scalar()
    said = None if asked is None else reply(connection, reply_keys(asked)[0])
    return () if said is None else said.left_out


def _response(
    benchmark: str, version: str, item_id: str, model_key: bytes, sample: int, turn: int,
    body: str, exact: bytes | None, raw: str, exact_raw: bytes | None, status: Any,
    thought: str | None, exact_thought: bytes | None, prompt: str | None,
    exact_prompt: bytes | None, finish_reason: str | None, prompt_tokens: int | None,
    completion_tokens: int | None, cached_tokens: int | None, cache_write_tokens: int | None,
    reasoning_tokens: int | None, logprob: float | None, stack: str | None, source: str,
) -> Response:  # fmt: skip
    return Response(
        benchmark=benchmark,
        version=version,
        item_id=item_id,
        model_key=model_key,
        text=stored_text(body, exact),
        raw=stored_text(raw, exact_raw),
        status=status,
        sample=sample,
        turn=turn,
        reasoning=_optional_text(thought, exact_thought),
        prompt=_optional_text(prompt, exact_prompt),
        finish_reason=finish_reason,
        usage=Usage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cached_tokens=cached_tokens,
            cache_write_tokens=cache_write_tokens,
            reasoning_tokens=reasoning_tokens,
        ),
        logprob=logprob,
        stack=None if stack is None else read_spec(Stack, stack),
        source=source,
    )


def benchmarks(connection: Connection) -> list[tuple[str, str]]:
    b = schema.benchmarks.c
    return [
        (row[0], row[1]) for row in connection.execute(select(b.name, b.version).order_by(b.id))
    ]


def runs(connection: Connection) -> list[RunManifest]:
    query = select(schema.runs.c.manifest).order_by(schema.runs.c.started, schema.runs.c.id)
    return [read_manifest(text) for text in connection.execute(query).scalars()]


def run(connection: Connection, run_id: str) -> RunManifest | None:
    query = select(schema.runs.c.manifest).where(schema.runs.c.run_id == run_id)
    text = connection.execute(query).scalar()
    return None if text is None else read_manifest(text)
