"""Anchors: answers that a judge is asked about again, and what it said of them each time.

They stand apart from ``uses``: what a judge says of an answer for the second time is on no board.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from judgebench.records import Place
from judgebench.store import schema
from judgebench.store.codec import KINDS, ORDERS, stored_text
from judgebench.store.schema import NONE
from judgebench.store.tables import Columns, as_columns

PINNED = ""
"""The occasion on which a set was pinned: what the judge had said until then."""

LOOK_COLUMNS = (
    "occasion", "item_id", "model_key", "opponent_key", "order", "sample", "turn", "kind", "label",
    "value", "reason", "served_model", "at", "case", "judgment",
)  # fmt: skip

_a, _l, _b, _d = schema.anchors, schema.looks, schema.benchmarks, schema.judges
_ALL = (
    select(
        _a.c.id, _b.c.name, _b.c.version, _d.c.key, _d.c.short, _a.c.at,
        func.count().filter(_l.c.occasion_id == NONE),
    )
    .join(_b, _b.c.id == _a.c.benchmark_id)
    .join(_d, _d.c.id == _a.c.judge_id)
    .join(_l, _l.c.anchors_id == _a.c.id)
    .group_by(_a.c.id, _b.c.id, _d.c.id)
    .order_by(_a.c.id)
)  # fmt: skip
_j, _reason = schema.judgments, schema.texts.alias("reason")
_occasion, _label, _served = (schema.names.alias(name) for name in ("occasion", "label", "served"))
_model, _opponent = schema.models.alias("model"), schema.models.alias("opponent")
_LOOKS = (
    select(
        _occasion.c.name, schema.items.c.item_id, _model.c.key, _opponent.c.key, _l.c.shown,
        _l.c.sample, _l.c.turn, _j.c.kind, _label.c.name, _j.c.value, _reason.c.body,
        _reason.c.exact, _served.c.name, _j.c.at, _j.c.case_key, _j.c.key,
    )
    .join(_j, _j.c.id == _l.c.judgment_id)
    .join(schema.items, schema.items.c.id == _l.c.item_id)
    .join(_model, _model.c.id == _l.c.model_id)
    .outerjoin(_opponent, _opponent.c.id == _l.c.opponent_id)
    .outerjoin(_occasion, _occasion.c.id == _l.c.occasion_id)
    .outerjoin(_label, _label.c.id == _j.c.label_id)
    .outerjoin(_served, _served.c.id == _j.c.served_id)
    .outerjoin(_reason, _reason.c.sha == _j.c.reason_sha)
    .order_by(*_l.primary_key.columns)
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnchors:
    """A set of verdicts that was pinned, of one judge on one version of a benchmark.

    ``verdicts`` is how many, ``at`` the seconds at which; ``id`` is a number of this store.
    """

    id: int
    benchmark: str
    version: str
    judge_key: bytes
    judge_id: str
    at: float
    verdicts: int


def anchors(connection: Connection) -> list[StoredAnchors]:
    return [
        StoredAnchors(
            id=number,
            benchmark=benchmark,
            version=version,
            judge_key=key,
            judge_id=short,
            at=at,
            verdicts=count,
        )
        for number, benchmark, version, key, short, at, count in connection.execute(_ALL)
    ]


def pinned(connection: Connection, of: StoredAnchors) -> dict[Place, bytes]:
    """The places of a set, with the key of the case that the judge saw there."""
    said = looks(connection, of.id)
    rows = zip(_places(of, said), said["occasion"], said["case"], strict=True)
    return {place: case for place, occasion, case in rows if occasion == PINNED}


def looked(connection: Connection, of: StoredAnchors, occasion: str) -> set[Place]:
    """The places of a set about which the judge was asked on an occasion."""
    said = looks(connection, of.id)
    return {
        place
        for place, when in zip(_places(of, said), said["occasion"], strict=True)
        if when == occasion
    }


def looks(connection: Connection, number: int) -> Columns:
    """``value`` of a preference is the probability that the model beats its opponent."""
    rows = []
    for row in connection.execute(_LOOKS.where(_l.c.anchors_id == number)):
        occasion, item, model, opponent, shown, sample, turn, kind, label, value = row[:10]
        body, exact, *rest = row[10:]
        order, said = ORDERS[shown], KINDS[kind]
        if said == "preference" and order == "opponent_first":
            value = 1 - value
        reason = None if body is None else stored_text(body, exact)
        about = (occasion or PINNED, item, model, opponent, order, sample, turn)
        rows.append((*about, said, label, value, reason, *rest))
    return as_columns(LOOK_COLUMNS, rows)


def _places(of: StoredAnchors, said: Columns) -> Iterator[Place]:
    about = ("item_id", "model_key", "opponent_key", "order", "sample", "turn")
    for item, model, opponent, order, sample, turn in zip(*(said[n] for n in about), strict=True):
        yield Place(
            benchmark=of.benchmark,
            version=of.version,
            judge_key=of.judge_key,
            item_id=item,
            model_key=model,
            opponent_key=opponent,
            order=order,
            sample=sample,
            turn=turn,
        )
