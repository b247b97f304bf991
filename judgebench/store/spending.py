"""What calls took, added up by run, benchmark, model, judge and by how the reply was had."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, cast, func, select

from judgebench.records import AFRESH
from judgebench.store import schema
from judgebench.store.catalog import judges, models
from judgebench.store.codec import HOWS, KINDS, TOKENS
from judgebench.store.schema import NONE
from judgebench.store.tables import Columns, as_columns

COUNTERS = ("calls", "unpriced_calls", *TOKENS, "cost_usd")
SPEND_COLUMNS = (
    "run_id", "benchmark", "version", "model", "model_id", "judge", "judge_id", "how", "provider",
    "requested_model", *COUNTERS,
)  # fmt: skip

_s, _b, _r = schema.spend, schema.benchmarks, schema.runs
_provider, _requested = schema.names.alias("provider"), schema.names.alias("requested")
_SPENT = (
    select(
        _r.c.run_id, _b.c.name, _b.c.version, _s.c.model_id, _s.c.judge_id, _s.c.how,
        _provider.c.name, _requested.c.name, *(_s.c[name] for name in COUNTERS),
    )
    .join(_r, _r.c.id == _s.c.run_id)
    .join(_b, _b.c.id == _s.c.benchmark_id)
    .join(_provider, _provider.c.id == _s.c.provider_id)
    .join(_requested, _requested.c.id == _s.c.requested_id)
    .order_by(*_s.primary_key.columns)
)  # fmt: skip


def spent(connection: Connection, run_id: str | None = None) -> Columns:
    """Of one run, or of all in the order in which they were started; ``judge`` is None for answers.

    ``cost_usd`` is that of the calls with a price, so it is a lower bound where ``unpriced_calls``
    is not 0; tokens are those that the other side stated.
    """
    answering, asked = models(connection), judges(connection)
    query = _SPENT if run_id is None else _SPENT.where(_r.c.run_id == run_id)
    rows = []
    for run, benchmark, version, model, judge, how, *rest in connection.execute(query):
        judging = asked.get(judge)
        rows.append(
            (
                run,
                benchmark,
                version,
                answering[model].name,
                answering[model].id,
                judging and judging.name,
                judging and judging.id,
                HOWS[how],
                *rest,
            )
        )
    return as_columns(SPEND_COLUMNS, rows)


JUDGE_SPEND_COLUMNS = ("judge_id", "how", "calls", "unpriced_calls", "cost_usd")
JUDGE_VERDICT_COLUMNS = ("judge_id", "kind", "verdicts")
JUDGE_REPLY_COLUMNS = ("judge_id", "verdict", "seconds")

_KEY = 32
"""Bytes of a reply's key; a judgment has those of its replies one behind the other."""

_u, _j, _p = schema.uses, schema.judgments, schema.replies


def judge_spend(connection: Connection, benchmark: str, version: str) -> Columns:
    """What calls for verdicts on a benchmark took, over all runs, by judge and ``how``."""
    counted = [_s.c[name] for name in JUDGE_SPEND_COLUMNS[2:]]
    query = (
        select(_s.c.judge_id, _s.c.how, *(cast(func.sum(one), one.type) for one in counted))
        .join(_b, _b.c.id == _s.c.benchmark_id)
        .where(_b.c.name == benchmark, _b.c.version == version, _s.c.judge_id != NONE)
        .group_by(_s.c.judge_id, _s.c.how)
        .order_by(_s.c.judge_id, _s.c.how)
    )
    short = _short_ids(connection)
    rows = [(short[judge], HOWS[how], *rest) for judge, how, *rest in connection.execute(query)]
    return as_columns(JUDGE_SPEND_COLUMNS, rows)


def judge_verdicts(connection: Connection, benchmark: str, version: str) -> Columns:
    """How many different judgments a benchmark's verdicts are, by judge and kind.

    Equal answers have one judgment, which was asked for once.
    """
    judged = _judged(benchmark, version).subquery()
    query = (
        select(judged.c.judge_id, _j.c.kind, func.count())
        .join(_j, _j.c.id == judged.c.judgment_id)
        .group_by(judged.c.judge_id, _j.c.kind)
        .order_by(judged.c.judge_id, _j.c.kind)
    )
    short = _short_ids(connection)
    rows = [(short[judge], KINDS[kind], n) for judge, kind, n in connection.execute(query)]
    return as_columns(JUDGE_VERDICT_COLUMNS, rows)


def judge_replies(connection: Connection, benchmark: str, version: str) -> Columns:
    """Every reply that a benchmark's judgments were read from, and the seconds it took.

    ``verdict`` is a number that those of one judgment share; 0 seconds are not known.
    """
    judged = _judged(benchmark, version).subquery()
    short, longest, at = _short_ids(connection), _KEY, 0
    rows: list[tuple[str, int, float]] = []
    while at < longest:
        query = (
            select(judged.c.judge_id, _j.c.id, _p.c.seconds, func.length(_j.c.reply_keys))
            .join(_j, _j.c.id == judged.c.judgment_id)
            .join(_p, _p.c.key == func.substr(_j.c.reply_keys, at + 1, _KEY))
        )
        for judge, judgment, seconds, length in connection.execute(query):
            longest = max(longest, length)
            rows.append((short[judge], judgment, seconds))
        at += _KEY
    return as_columns(JUDGE_REPLY_COLUMNS, rows)


def _judged(benchmark: str, version: str) -> Select[Any]:
    """The judgments of a benchmark that count on boards, each once."""
    return (
        select(_u.c.judge_id, _u.c.judgment_id)
        .distinct()
        .join(_b, _b.c.id == _u.c.benchmark_id)
        .where(_b.c.name == benchmark, _b.c.version == version, _u.c.repeat != AFRESH)
    )


def _short_ids(connection: Connection) -> dict[int, str]:
    its = schema.judges.c
    return {row.id: row.short for row in connection.execute(select(its.id, its.short))}
