"""Items in and out. The question of an item never changes within one version of a benchmark."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from judgebench.records import Item
from judgebench.store import schema
from judgebench.store.codec import read_item, stored_text

_i, _b, _t = schema.items.c, schema.benchmarks.c, schema.texts.c
_ITEMS = (
    select(_i.item_id, _i.category, _t.body, _t.exact)
    .join(schema.benchmarks, _b.id == _i.benchmark_id)
    .outerjoin(schema.texts, _t.sha == _i.content_sha)
    .where(_b.name == bindparam("benchmark"), _b.version == bindparam("version"))
    .order_by(_i.id)
)
_ITEM = _ITEMS.where(_i.item_id == bindparam("item_id"))
_CONTENTS = (
    select(_i.item_id, _i.category, _i.content_sha)
    .join(schema.benchmarks, _b.id == _i.benchmark_id)
    .where(_b.name == bindparam("benchmark"), _b.version == bindparam("version"))
)


def contents(connection: Connection, benchmark: str, version: str) -> dict[str, str | None]:
    """What each item is but for its id, as hex digits; None where only the id is known.

    Two items of equal content are one question that stands in the benchmark twice.
    """
    rows = connection.execute(_CONTENTS, {"benchmark": benchmark, "version": version})
    return {
        item_id: None if sha is None else f"{sha.hex()}/{category or ''}"
        for item_id, category, sha in rows
    }


def items(connection: Connection, benchmark: str, version: str) -> list[Item]:
    """In the order in which they came in; without turns where only the id is known."""
    rows = connection.execute(_ITEMS, {"benchmark": benchmark, "version": version})
    return [_item(benchmark, version, *row) for row in rows]


def item(connection: Connection, benchmark: str, version: str, item_id: str) -> Item | None:
    asked = {"benchmark": benchmark, "version": version, "item_id": item_id}
    row = connection.execute(_ITEM, asked).first()
    return None if row is None else _item(benchmark, version, *row)


def _item(
    benchmark: str, version: str, item_id: str, category: str | None, body: str | None,
    exact: bytes | None,
) -> Item:  # fmt: skip
    content = "" if body is None else stored_text(body, exact)
    return read_item(benchmark, version, item_id, category, content)
