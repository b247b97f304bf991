"""From any store of the first release: all that has come since, and what both engines need.

What a table or column of today's schema lacks is added, so this stays true of later schemas too: a
migration after it looks whether it is still needed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from judgebench.store.schema import PLACE, lacking, metadata

revision = "0007"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    older = sa.inspect(connection)
    if "repeat" not in {column["name"] for column in older.get_columns("uses")}:
        _repeats()
    op.execute("DROP TABLE IF EXISTS leases")  # of those who are at work, and none is: claims now
    metadata.create_all(connection)
    for table in metadata.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    for table, _, columns in lacking(connection):
        for column in columns:
            new = sa.Column(
                column.name,
                column.type,
                nullable=column.nullable,
                server_default=getattr(column.server_default, "arg", None),
            )
            op.add_column(table.name, new)
    # What an older judgebench still writes that has the store open would be on no board: it fails.
    op.execute(
        "CREATE TRIGGER uses_as_of_0007 BEFORE INSERT ON uses BEGIN SELECT judgebench_0007(); END"
    )


def _repeats() -> None:
    """All that was asked before was asked once; all that failed before did so unexplained."""
    keys = {"uses": (*PLACE, "run_id", "judgment_id"), "failures": ("key", *PLACE)}
    for table, key in keys.items():
        with op.batch_alter_table(
            table, recreate="always", table_kwargs={"sqlite_with_rowid": False}
        ) as batch:
            repeat = sa.Column("repeat", sa.Integer, nullable=False, server_default=sa.text("0"))
            batch.add_column(repeat, insert_after="turn")
            batch.drop_constraint(f"pk_{table}", type_="primary")
            batch.create_primary_key(f"pk_{table}", list(key))
