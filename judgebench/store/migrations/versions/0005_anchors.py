"""Anchors: answers that a judge is asked about again, and what it said of them each time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_PLACE = (
    "anchors_id",
    "occasion_id",
    "model_id",
    "opponent_id",
    "item_id",
    "shown",
    "sample",
    "turn",
)


def upgrade() -> None:
    op.create_table(
        "anchors",
        sa.Column("id", sa.Integer),
        sa.Column("benchmark_id", sa.Integer, nullable=False),
        sa.Column("judge_id", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_anchors"),
        _foreign("anchors", "benchmark_id", "benchmarks.id"),
        _foreign("anchors", "judge_id", "judges.id"),
    )
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "looks",
        sa.Column("anchors_id", sa.Integer, nullable=False),
        sa.Column("occasion_id", sa.Integer, nullable=False),
        sa.Column("model_id", sa.Integer, nullable=False),
        sa.Column("opponent_id", sa.Integer, nullable=False),
        sa.Column("item_id", number, nullable=False),
        sa.Column("shown", sa.SmallInteger, nullable=False),
        sa.Column("sample", sa.Integer, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("judgment_id", number, nullable=False),
        sa.PrimaryKeyConstraint(*_PLACE, name="pk_looks"),
        _foreign("looks", "anchors_id", "anchors.id"),
        _foreign("looks", "model_id", "models.id"),
        _foreign("looks", "item_id", "items.id"),
        _foreign("looks", "judgment_id", "judgments.id"),
        sqlite_with_rowid=False,
    )


def _foreign(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}")
