"""Integers for keys and names: looked up once, remembered while the store is open.

Nothing is ever deleted from the tables behind them, so what is remembered stays true, except for
what a rolled-back transaction had added: `forget` drops everything then. It is also dropped when
it has grown to `MOST`, since a store may know any number of items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, select

from judgebench.errors import StoreError
from judgebench.records import Place
from judgebench.store import schema
from judgebench.store.codec import ORDERS, plain
from judgebench.store.database import Prepared, insert
from judgebench.store.schema import NONE

MOST = 50_000
"""Integers remembered at most, about 10 MB; looking one up again takes some 20 µs."""

_SELECT_NAME = Prepared(select(schema.names.c.id).where(schema.names.c.name == bindparam("name")))
_SELECT_BENCHMARK = Prepared(
    select(schema.benchmarks.c.id).where(
        and_(
            schema.benchmarks.c.name == bindparam("name"),
            schema.benchmarks.c.version == bindparam("version"),
        )
    )
)
_SELECT_ITEM = Prepared(
    select(schema.items.c.id).where(
        and_(
            schema.items.c.benchmark_id == bindparam("benchmark_id"),
            schema.items.c.item_id == bindparam("item_id"),
        )
    )
)
_SELECT_STACK = Prepared(select(schema.stacks.c.id).where(schema.stacks.c.key == bindparam("key")))
_SELECT_MODEL = Prepared(select(schema.models.c.id).where(schema.models.c.key == bindparam("key")))
_SELECT_JUDGE = Prepared(select(schema.judges.c.id).where(schema.judges.c.key == bindparam("key")))
_SELECT_RUN = Prepared(select(schema.runs.c.id).where(schema.runs.c.run_id == bindparam("run_id")))
_INSERT = {
    table: insert(table).on_conflict_do_nothing()
    for table in (
        schema.names,
        schema.benchmarks,
        schema.items,
        schema.stacks,
        schema.models,
        schema.judges,
    )
}


class Interned:
    """What has an integer in this store."""

    def __init__(self) -> None:
        self._ids: dict[Any, int] = {}

    def forget(self) -> None:
        self._ids.clear()

    def name(self, connection: Connection, name: str) -> int:
        row = {"name": plain("the name", name)}
        return self._interned(connection, ("name", name), schema.names, _SELECT_NAME, row, row)

    def benchmark(self, connection: Connection, name: str, version: str) -> int:
        row = {"name": plain("the benchmark", name), "version": plain("the version", version)}
        known = ("benchmark", name, version)
        return self._interned(connection, known, schema.benchmarks, _SELECT_BENCHMARK, row, row)

    def item(self, connection: Connection, benchmark_id: int, item_id: str) -> int:
        """An item that was never put is known by its id alone; its content may come later."""
        row = {"benchmark_id": benchmark_id, "item_id": plain("the item id", item_id)}
        known = ("item", benchmark_id, item_id)
        return self._interned(connection, known, schema.items, _SELECT_ITEM, row, row)

    def stack(self, connection: Connection, key: bytes, stack: str) -> int:
        row = {"key": key, "stack": stack}
        return self._interned(
            connection, ("stack", key), schema.stacks, _SELECT_STACK, {"key": key}, row
        )

    def new_model(self, connection: Connection, row: Mapping[str, Any]) -> int:
        known, key = ("model", row["key"]), {"key": row["key"]}
        return self._interned(connection, known, schema.models, _SELECT_MODEL, key, row)

    def new_judge(self, connection: Connection, row: Mapping[str, Any]) -> int:
        known, key = ("judge", row["key"]), {"key": row["key"]}
        return self._interned(connection, known, schema.judges, _SELECT_JUDGE, key, row)

    def model(self, connection: Connection, key: bytes) -> int:
        return self._put_before(connection, "model", key, _SELECT_MODEL, {"key": key})

    def judge(self, connection: Connection, key: bytes) -> int:
        return self._put_before(connection, "judge", key, _SELECT_JUDGE, {"key": key})

    def run(self, connection: Connection, run_id: str) -> int:
        return self._put_before(connection, "run", run_id, _SELECT_RUN, {"run_id": run_id})

    def place(self, connection: Connection, place: Place) -> dict[str, int]:
        """The coordinates of a use; an unknown model or judge is refused."""
        benchmark_id = self.benchmark(connection, place.benchmark, place.version)
        opponent = place.opponent_key
        return {
            "benchmark_id": benchmark_id,
            "model_id": self.model(connection, place.model_key),
            "opponent_id": NONE if opponent is None else self.model(connection, opponent),
            "item_id": self.item(connection, benchmark_id, place.item_id),
            "shown": ORDERS.index(place.order),
            "sample": place.sample,
            "turn": place.turn,
            "repeat": place.repeat,
        }

    def _interned(
        self,
        connection: Connection,
        known: tuple[Any, ...],
        table: Table,
        look_up: Prepared,
        key: Mapping[str, Any],
        row: Mapping[str, Any],
    ) -> int:
        found = self._ids.get(known)
        if found is None:
            there = look_up.first(connection, key)
            if there is None:
                connection.execute(_INSERT[table], row)
                there = look_up.first(connection, key)
                assert there is not None
            found = int(there[0])
            self._remember(known, found)
        return found

    def _put_before(
        self,
        connection: Connection,
        what: str,
        known: bytes | str,
        look_up: Prepared,
        key: Mapping[str, Any],
    ) -> int:
        found = self._ids.get((what, known))
        if found is None:
            there = look_up.first(connection, key)
            if there is None:
                shown = known.hex()[:12] if isinstance(known, bytes) else repr(known)
                start = "start_run" if what == "run" else f"put_{what}"
                raise StoreError(f"the store has no {what} {shown}; {start}() must come first")
            found = int(there[0])
            self._remember((what, known), found)
        return found

    def _remember(self, known: tuple[Any, ...], number: int) -> None:
        if len(self._ids) >= MOST:
            self._ids.clear()
        self._ids[known] = number
