"""Models by what their names are tagged with; a name that was dropped since keeps its tags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from judgebench.store import schema
from judgebench.store.store import Store

_m, _n = schema.models.c, schema.model_names.c
_TAGGED = (
    select(_m.short, _n.name, _n.tags)
    .join(schema.model_names, _n.model_id == _m.id)
    .where(_n.tags != "{}")
    .order_by(_n.newest)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A name of a model with its tags; ``model_id`` are the first twelve digits of its key."""

    model_id: str
    name: str
    tags: Mapping[str, str]


def tagged(store: Store) -> list[Tagged]:
    """Every name that carries tags, the newest last."""
    with store.snapshot() as connection:
        return [
            Tagged(model_id=short, name=name, tags=json.loads(tags))
            for short, name, tags in connection.execute(_TAGGED)
        ]
