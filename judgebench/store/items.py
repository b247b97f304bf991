"""Items in and out. The question of an item never changes within one version of a benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from judgebench import keys
from judgebench.errors import InputError
from judgebench.records import Item
from judgebench.store import schema
from judgebench.store.codec import item_json, messages, plain, read_item, store_text, stored_text
from judgebench.store.database import CHUNK, chunks, insert
from judgebench.store.interning import Interned
from judgebench.store.texts import put_texts

_i, _b, _t = schema.items.c, schema.benchmarks.c, schema.texts.c
_KNOWN = (
    select(_i.item_id, _i.category, _i.identity, _i.content_sha)
    .where(_i.benchmark_id == bindparam("benchmark_id"))
    .where(_i.item_id.in_(bindparam("item_ids", expanding=True)))
)
_PUT_ITEM = insert(schema.items)
_PUT_ITEM = _PUT_ITEM.on_conflict_do_update(
    index_elements=["benchmark_id", "item_id"],
    set_={name: _PUT_ITEM.excluded[name] for name in ("category", "identity", "content_sha")},
)
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


class _Kept(NamedTuple):
    """What the store has of an item; without an identity it is known by its id alone."""

    category: str | None
    identity: bytes | None
    content_sha: bytes | None


def put_items(connection: Connection, interned: Interned, items: Sequence[Item]) -> None:
    """Raises `InputError` for an item whose question, references or category have changed.

    An item without turns is known by its id alone; it neither changes one that has them nor
    stands in the way of one that comes later.
    """
    for portion in chunks(items):
        of_benchmark: dict[int, list[Item]] = {}
        for item in portion:
            benchmark = interned.benchmark(connection, item.benchmark, item.version)
            of_benchmark.setdefault(benchmark, []).append(item)
        for benchmark, some in of_benchmark.items():
            _put_some(connection, benchmark, some)


def check_items(connection: Connection, items: Iterable[Item]) -> None:
    """Raises as `put_items` would, all of them together, and writes nothing."""
    identities: dict[tuple[str, str, str], bytes] = {}
    benchmarks = dict[tuple[str, str], int | None]()
    rest = iter(items)
    while portion := list(islice(rest, CHUNK)):
        of_benchmark: dict[tuple[str, str], list[Item]] = {}
        for item in portion:
            of_benchmark.setdefault((item.benchmark, item.version), []).append(item)
        for (name, version), some in of_benchmark.items():
            if (name, version) not in benchmarks:
                named = select(_b.id).where(_b.name == name, _b.version == version)
                benchmarks[name, version] = connection.execute(named).scalar()
            number = benchmarks[name, version]
            known = {} if number is None else _known(connection, number, some)
            for item in some:
                before, at = known.get(item.id), (name, version, item.id)
                was = identities.get(at, before.identity if before else None)
                if (identity := _identity(item)) is not None:
                    _refuse_changed(item, identity, was)
                    identities[at] = identity


def _known(connection: Connection, benchmark: int, items: Sequence[Item]) -> dict[str, _Kept]:
    asked = {
        "benchmark_id": benchmark,
        "item_ids": [plain("the item id", item.id) for item in items],
    }
    return {row[0]: _Kept(*row[1:]) for row in connection.execute(_KNOWN, asked)}


def _refuse_changed(item: Item, identity: bytes, before: bytes | None) -> None:
    if before is not None and identity != before:
        raise InputError(
            f"item {item.id!r} of {item.benchmark}@{item.version} differs from the one in the"
            " store (its question, references or category); items of one version never change:"
            " name the changed ones as a new version"
        )


def _put_some(connection: Connection, benchmark: int, items: Sequence[Item]) -> None:
    known = _known(connection, benchmark, items)
    texts, rows = [], []
    for item in items:
        before, identity = known.get(item.id), _identity(item)
        if before and before.identity and identity is None:
            continue
        if identity is not None:
            _refuse_changed(item, identity, before.identity if before else None)
        content = store_text(item_json(item)) if identity else None
        category = None if item.category is None else plain("the category", item.category)
        now = _Kept(category, identity, content.sha if content else None)
        if now == before:
            continue
        if content:
            texts.append(content)
        rows.append({"benchmark_id": benchmark, "item_id": item.id, **now._asdict()})
        known[item.id] = now
    put_texts(connection, texts)
    if rows:
        connection.execute(_PUT_ITEM, rows)


def _identity(item: Item) -> bytes | None:
    if not item.turns:
        return None
    fixed: dict[str, Any] = {
        "turns": messages(item.turns),
        "references": item.references,
        "category": item.category,
    }
    if item.options:
        fixed["options"] = item.options
    if item.subcategory is not None:
        fixed["subcategory"] = item.subcategory
    return keys.content_key("item", fixed)


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
