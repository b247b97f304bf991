"""The tables of a new store without six migrations, which take 0.1 s of a core each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from sqlalchemy import Connection

from judgebench.store import versions


@contextmanager
def tables_made_once() -> Iterator[None]:
    """The migrations make the first new store of this process; the next have its tables."""
    migrated, made = versions._upgrade, list[str]()

    def upgrade(connection: Connection) -> None:
        if versions.revision(connection) is not None:
            migrated(connection)
        elif made:
            for statement in made:
                connection.exec_driver_sql(statement)
        else:
            migrated(connection)
            made.extend(_as_statements(connection))

    with mock.patch.object(versions, "_upgrade", upgrade):
        yield


def _as_statements(connection: Connection) -> list[str]:
    """What makes a store that is empty but for its revision, as this one is."""
    found = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master ORDER BY rowid")
    made = [tuple(row) for row in found]
    for kind, name, _ in made:
        if kind == "table" and name != "alembic_version":
            rows = connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar()
            assert rows == 0, f"a new store has rows in {name}"
    number = versions.revision(connection)
    return [
        *(statement for _, _, statement in made if statement is not None),
        f"INSERT INTO alembic_version VALUES ('{number}')",
    ]
