"""The models and judges a store knows, with the names they go or went by."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlalchemy import Connection, select

from judgebench.records import JudgeSpec, ModelSpec
from judgebench.store import schema
from judgebench.store.codec import read_spec

_SHORT, _LONG = 6, 12  # digits of a key that tell two of one name apart

Named: TypeAlias = "str | bytes"
"""A model or judge as people say it: a name, the first twelve digits of its key, or its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A model: what it is, its newest name, all its names with the tags each carries."""

    key: bytes
    id: str
    name: str
    spec: ModelSpec
    tags: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJudge:
    """A judge: what it is, its newest name, all its names."""

    key: bytes
    id: str
    name: str
    spec: JudgeSpec
    names: tuple[str, ...] = ()


def models(connection: Connection) -> dict[int, StoredModel]:
    """By the integer that stands for them."""
    named: dict[int, list[tuple[str, str]]] = {}
    n, m = schema.model_names.c, schema.models.c
    newest_first = select(n.model_id, n.name, n.tags).order_by(n.newest.desc())
    for model, name, tags in connection.execute(newest_first):
        named.setdefault(model, []).append((name, tags))
    query = select(m.id, m.key, m.short, m.spec).order_by(m.id)
    return {
        number: StoredModel(
            key=key,
            id=short,
            name=named[number][0][0],
            spec=read_spec(ModelSpec, spec),
            tags=json.loads(named[number][0][1]),
            names=tuple(name for name, _ in named[number]),
        )
        for number, key, short, spec in connection.execute(query)
    }


def judges(connection: Connection) -> dict[int, StoredJudge]:
    """By the integer that stands for them."""
    named: dict[int, list[str]] = {}
    n, j = schema.judge_names.c, schema.judges.c
    newest_first = select(n.judge_id, n.name).order_by(n.newest.desc())
    for judge, name in connection.execute(newest_first):
        named.setdefault(judge, []).append(name)
    query = select(j.id, j.key, j.short, j.spec).order_by(j.id)
    return {
        number: StoredJudge(
            key=key,
            id=short,
            name=named[number][0],
            spec=read_spec(JudgeSpec, spec),
            names=tuple(named[number]),
        )
        for number, key, short, spec in connection.execute(query)
    }


def distinct_names(name_of: Mapping[str, str]) -> dict[str, str]:
    """Id -> a name that means nothing else: what shares its name gets digits of its id behind it.

    >>> distinct_names({"0a1b2c3d4e5f": "m", "f5e4d3c2b1a0": "m", "123456789abc": "other"})
    {'0a1b2c3d4e5f': 'm@0a1b2c', 'f5e4d3c2b1a0': 'm@f5e4d3', '123456789abc': 'other'}
    """
    plain = Counter(name_of.values())
    told = {
        one: name if plain[name] == 1 else f"{name}@{one[:_SHORT]}" for one, name in name_of.items()
    }
    again = Counter(told.values())  # equal digits, or a name that was written like that
    return {
        one: name if again[name] == 1 else f"{name_of[one]}@{one[:_LONG]}"
        for one, name in told.items()
    }


def chosen(
    known: Mapping[int, StoredModel] | Mapping[int, StoredJudge], wanted: Collection[Named] | None
) -> list[int] | None:
    """The integers of what was asked for by name, short id or key; None where all are wanted."""
    if wanted is None:
        return None
    asked = {wanted} if isinstance(wanted, str | bytes) else set(wanted)
    return [
        number
        for number, entry in known.items()
        if not asked.isdisjoint((*entry.names, entry.id, entry.key))
    ]
