"""Questions that were answered on two stacks: which, and to how many the answer is another text.

What a stack is being tried on are anchors: responses that answer a question and stand at no place,
so that no board, judge or export has them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, func, select

from judgebench import keys as content
from judgebench.records import Stack
from judgebench.store import schema
from judgebench.store.database import chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredAgain:
    """What became of a model's first answers on another stack.

    prompts
        The questions that it answered on its own, identical ones counted once.
    again
        How many of them it has answered on the other stack as well.
    changed
        How many of these with another text.
    """

    prompts: int
    again: int
    changed: int


_a, _stack = schema.answers, schema.stacks
_own, _other = schema.responses.alias("own"), schema.responses.alias("other")
_ON = (
    select(schema.responses.c.key)
    .join(_stack, _stack.c.id == schema.responses.c.stack_id)
    .where(
        schema.responses.c.key.in_(bindparam("keys", expanding=True)),
        _stack.c.key == bindparam("stack"),
    )
)
_AGAIN = (
    select(
        func.count(_own.c.key.distinct()),
        func.count(_other.c.key.distinct()),
        func.count(case((_own.c.text_sha != _other.c.text_sha, _own.c.key)).distinct()),
    )
    .select_from(_a)
    .join(schema.benchmarks, schema.benchmarks.c.id == _a.c.benchmark_id)
    .join(schema.models, schema.models.c.id == _a.c.model_id)
    .join(_own, _own.c.id == _a.c.response_id)
    .outerjoin(
        _other,
        (_other.c.key == _own.c.key)
        & (
            _other.c.stack_id
            == select(_stack.c.id).where(_stack.c.key == bindparam("other")).scalar_subquery()
        ),
    )
    .where(
        schema.benchmarks.c.name == bindparam("benchmark"),
        schema.benchmarks.c.version == bindparam("version"),
        schema.models.c.short == bindparam("model"),
        _own.c.stack_id
        == select(_stack.c.id).where(_stack.c.key == bindparam("stack")).scalar_subquery(),
        _a.c.sample == 0,
    )
)


def answered_on(connection: Connection, keys: Collection[bytes], stack: Stack) -> set[bytes]:
    found: set[bytes] = set()
    for chunk in chunks(keys):
        values = {"keys": chunk, "stack": content.stack_key(stack)}
        found.update(connection.execute(_ON, values).scalars())
    return found


def answered_again(
    connection: Connection, benchmark: str, version: str, model: str, stack: Stack, other: Stack
) -> AnsweredAgain:
    about = {
        "benchmark": benchmark,
        "version": version,
        "model": model,
        "stack": content.stack_key(stack),
        "other": content.stack_key(other),
    }
    prompts, again, changed = connection.execute(_AGAIN, about).one()
    return AnsweredAgain(prompts=prompts, again=again, changed=changed)
