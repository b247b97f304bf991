"""Run by Alembic: migrates over the connection, and inside the transaction, that it is given."""

from __future__ import annotations

from alembic import context

from judgebench.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a column by copying the table
    transactional_ddl=True,
)
context.run_migrations()
