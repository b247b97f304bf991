"""Calibrations of length that were fitted from the store's own judgments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calibrations",
        sa.Column("id", sa.Integer),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("benchmark_id", sa.Integer, nullable=False),
        sa.Column("judge_id", sa.Integer, nullable=False),
        sa.Column("opponent_id", sa.Integer, nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("content_sha", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calibrations"),
        _foreign("benchmark_id", "benchmarks.id"),
        _foreign("judge_id", "judges.id"),
        _foreign("opponent_id", "models.id"),
        _foreign("content_sha", "texts.sha"),
    )


def _foreign(column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_calibrations_{column}")
