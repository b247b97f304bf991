"""Which schema a store has, and bringing an older one up to ours.

Alembic costs a third of a second to import and is needed only where something must change.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from judgebench.errors import StoreError
from judgebench.store.engine import Database
from judgebench.store.schema import REVISION

MIGRATIONS = Path(__file__).with_name("migrations")

OLDER: frozenset[str] = frozenset({"0001", "0002", "0003", "0004", "0005"})
"""Revisions before `REVISION` that stores in the field may have."""

READABLE: Mapping[str, Mapping[str, str]] = {
    "0005": {
        table: f"SELECT *, {none} AS cache_write_tokens FROM main.{table}"
        for table, none in (("responses", "NULL"), ("replies", "NULL"), ("spend", "0"))
    }
}
"""Revisions that are read without being changed: what stands for a table that has grown since.

A column that the table has by now comes first, so that a writer may bring it up to date meanwhile.
"""


def revision(connection: Connection) -> str | None:
    """The store's revision; None for one that has no tables yet."""
    tables = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
    if not connection.execute(text(tables)).scalar():
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def bring_up_to_date(database: Database) -> None:
    """Create the tables of a new store, or migrate an older one, in one transaction.

    Raises
    ------
    StoreError
        For a store that a newer judgebench wrote, and for an unfinished one, or one older than
        those that can be read as they are, that was opened for reading only.
    """
    found = _looked_up(database)
    if found == REVISION:
        return
    if found is not None and found not in OLDER:
        raise StoreError(
            f"the store {database.path} was written by a newer judgebench (its schema is {found},"
            f" this version knows {REVISION}); upgrade judgebench-harness, or give another path"
            " with --store"
        )
    if database.read_only and found is not None and found in READABLE:
        _stand_in(database, READABLE[found])
        return
    if database.read_only:
        state = "was not finished being made" if found is None else f"has the older schema {found}"
        raise StoreError(
            f"the store {database.path} {state} and is opened for reading only; open it once for"
            " writing, as `judgebench run` and `judgebench import` do"
        )
    with database.writing() as connection:
        if revision(connection) != REVISION:  # another process may have been quicker
            _upgrade(connection)


def _looked_up(database: Database) -> str | None:
    try:
        with database.reading() as connection:
            return revision(connection)
    except OperationalError as error:  # pragma: no cover - reading() words it first
        raise StoreError(f"the store {database.path} cannot be read") from error


def _stand_in(database: Database, views: Mapping[str, str]) -> None:
    """Let this connection, and no other, see tables as they are now: nothing is written."""
    with database.reading() as connection:
        for table, select in views.items():
            connection.execute(text(f"CREATE TEMP VIEW {table} AS {select}"))


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    # A '%' in the path would be read as an interpolation.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
