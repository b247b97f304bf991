"""From any store of the first release: all that has come since, and what both engines need.

What a table or column of today's schema lacks is added, so one step brings each of them here, and
this stays true of later schemas too.
"""

from __future__ import annotations

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Connection, Integer, inspect, text

from judgebench.store.schema import PLACE, REVISION, VIEWS, lacking, metadata


def upgrade(connection: Connection) -> None:
    """All tables as they are now; the views are left to be made."""
    op = Operations(MigrationContext.configure(connection))
    for view in reversed(VIEWS):  # SQLite renames no table that a view speaks of
        op.execute(f"DROP VIEW IF EXISTS {view}")
    older = inspect(connection).get_columns("uses")
    if "repeat" not in {column["name"] for column in older}:
        _repeats(op)
    op.execute("DROP TABLE IF EXISTS leases")  # of those who are at work, and none is: claims now
    metadata.create_all(connection)
    for table, _, columns in lacking(connection):
        for column in columns:
            default = getattr(column.server_default, "arg", None)
            new = Column(column.name, column.type, nullable=column.nullable, server_default=default)
            op.add_column(table.name, new)
    # What an older judgebench still writes that has the store open would be on no board: it fails.
    op.execute(
        "CREATE TRIGGER uses_as_of_0007 BEFORE INSERT ON uses BEGIN SELECT judgebench_0007(); END"
    )
    op.execute(f"UPDATE alembic_version SET version_num = '{REVISION}'")


def _repeats(op: Operations) -> None:
    """All that was asked before was asked once; all that failed before did so unexplained."""
    keys = {"uses": (*PLACE, "run_id", "judgment_id"), "failures": ("key", *PLACE)}
    for table, key in keys.items():
        with op.batch_alter_table(
            table, recreate="always", table_kwargs={"sqlite_with_rowid": False}
        ) as batch:
            repeat = Column("repeat", Integer, nullable=False, server_default=text("0"))
            batch.add_column(repeat, insert_after="turn")
            batch.drop_constraint(f"pk_{table}", type_="primary")
            batch.create_primary_key(f"pk_{table}", list(key))
