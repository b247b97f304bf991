"""From any store of the first release: all that has come since, and what both engines need.

What a table or column of today's schema lacks is added, so this stays true of later schemas too.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from judgebench.store.schema import PLACE, lacking, metadata


def upgrade(connection: sa.Connection) -> None:
    """Over the connection, and inside the transaction, that it is given."""
    op = Operations(MigrationContext.configure(connection))
    if "repeat" not in {column["name"] for column in sa.inspect(connection).get_columns("uses")}:
        _repeats(op)
    op.execute("DROP TABLE IF EXISTS leases")  # of those who are at work, and none is: claims now
    metadata.create_all(connection)
    for table, _, columns in lacking(connection):
        for column in columns:
            default = getattr(column.server_default, "arg", None)
            new = sa.Column(
                column.name, column.type, nullable=column.nullable, server_default=default
            )
            op.add_column(table.name, new)
    # What an older judgebench still writes that has the store open would be on no board: it fails.
    op.execute(
        "CREATE TRIGGER uses_as_of_0007 BEFORE INSERT ON uses BEGIN SELECT judgebench_0007(); END"
    )


def _repeats(op: Operations) -> None:
    """All that was asked before was asked once; all that failed before did so unexplained."""
    keys = {"uses": (*PLACE, "run_id", "judgment_id"), "failures": ("key", *PLACE)}
    for table, key in keys.items():
        with op.batch_alter_table(  # SQLite changes a column by copying the table
            table, recreate="always", table_kwargs={"sqlite_with_rowid": False}
        ) as batch:
            repeat = sa.Column("repeat", sa.Integer, nullable=False, server_default=sa.text("0"))
            batch.add_column(repeat, insert_after="turn")
            batch.drop_constraint(f"pk_{table}", type_="primary")
            batch.create_primary_key(f"pk_{table}", list(key))
