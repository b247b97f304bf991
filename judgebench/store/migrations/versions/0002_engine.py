"""What judging at scale needs: repeats, marks, scores, kinds of failure, spending, batches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PLACE = ("benchmark_id", "judge_id", "model_id", "opponent_id", "item_id", "shown", "sample",
         "turn", "repeat")  # fmt: skip


def upgrade() -> None:
    for view in ("scores_v1", "verdicts_v1"):  # SQLite renames no table that a view speaks of
        op.execute(f"DROP VIEW {view}")
    _repeats()
    _details()
    _spend()
    _batches()
    for view in (VERDICTS_V1, SCORES_V1, VERDICTS_V2, SPEND_V1):
        op.execute(view)


def _repeats() -> None:
    """All that was asked before was asked once; all that failed before did so unexplained."""
    keys = {"uses": (*PLACE, "run_id", "judgment_id"), "failures": ("key", *PLACE)}
    for table, key in keys.items():
        with op.batch_alter_table(
            table, recreate="always", table_kwargs={"sqlite_with_rowid": False}
        ) as batch:
            repeat = sa.Column("repeat", sa.Integer, nullable=False, server_default=sa.text("0"))
            batch.add_column(repeat, insert_after="turn")
            if table == "failures":
                batch.add_column(_text("kind", default="other"), insert_after="boundary")
            batch.drop_constraint(f"pk_{table}", type_="primary")
            batch.create_primary_key(f"pk_{table}", list(key))


def _details() -> None:
    op.add_column("judgments", sa.Column("marks", sa.Text))
    op.add_column("replies", sa.Column("scores", sa.Text))
    op.add_column("replies", sa.Column("left_out", sa.Text))


def _spend() -> None:
    key = ("run_id", "benchmark_id", "model_id", "judge_id", "how", "provider_id", "requested_id")
    op.create_table(
        "spend",
        sa.Column("run_id", sa.Integer),
        sa.Column("benchmark_id", sa.Integer),
        sa.Column("model_id", sa.Integer),
        sa.Column("judge_id", sa.Integer),
        sa.Column("how", sa.SmallInteger),
        sa.Column("provider_id", sa.Integer),
        sa.Column("requested_id", sa.Integer),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("calls", "unpriced_calls", "prompt_tokens", "completion_tokens",
                         "cached_tokens", "reasoning_tokens")
        ),
        sa.Column("cost_usd", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint(*key, name="pk_spend"),
        _foreign("spend", "run_id", "runs.id"),
        _foreign("spend", "benchmark_id", "benchmarks.id"),
        _foreign("spend", "model_id", "models.id"),
        _foreign("spend", "provider_id", "names.id"),
        _foreign("spend", "requested_id", "names.id"),
        sqlite_with_rowid=False,
    )  # fmt: skip


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Integer),
        _text("batch_id"),
        sa.Column("run_id", sa.Integer, nullable=False),
        _text("asker"),
        _text("provider"),
        _text("state"),
        sa.Column("remote_id", sa.Text),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("ended", sa.Double),
        sa.Column("note_sha", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sa.UniqueConstraint("batch_id", name="uq_batches_batch_id"),
        _foreign("batches", "run_id", "runs.id"),
        _foreign("batches", "note_sha", "texts.sha"),
    )
    op.create_table(
        "batch_requests",
        sa.Column("batch_id", sa.Integer),
        sa.Column("key", sa.LargeBinary),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("request_sha", sa.LargeBinary, nullable=False),
        sa.Column("purpose", sa.Text),
        sa.PrimaryKeyConstraint("batch_id", "key", name="pk_batch_requests"),
        _foreign("batch_requests", "batch_id", "batches.id"),
        _foreign("batch_requests", "request_sha", "texts.sha"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_batch_requests_key", "batch_requests", ["key"])


def _text(name: str, *, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def _foreign(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}")


def _verdicts(name: str, uses: str, more: str = "") -> str:
    """Of each place the newest use, and a preference told from the side of ``model``."""
    return f"""
CREATE VIEW {name} AS
SELECT b.name AS benchmark, b.version AS version, i.item_id AS item_id, i.category AS category,
       (SELECT n.name FROM model_names n WHERE n.model_id = u.model_id
         ORDER BY n.newest DESC LIMIT 1) AS model,
       m.short AS model_id,
       (SELECT n.name FROM model_names n WHERE n.model_id = u.opponent_id
         ORDER BY n.newest DESC LIMIT 1) AS opponent,
       o.short AS opponent_id,
       (SELECT n.name FROM judge_names n WHERE n.judge_id = u.judge_id
         ORDER BY n.newest DESC LIMIT 1) AS judge,
       g.short AS judge_id, g.kind AS judge_kind, g.official_prompt AS official_prompt,
       CASE u.shown WHEN 0 THEN 'single' WHEN 1 THEN 'model_first' ELSE 'opponent_first' END
         AS "order",
       u.sample AS sample, u.turn AS turn,
       CASE j.kind WHEN 0 THEN 'preference' WHEN 1 THEN 'score' WHEN 2 THEN 'label'
         ELSE 'unreadable' END AS kind,
       l.name AS label,
       CASE WHEN j.kind = 0 AND u.shown = 2 THEN 1 - j.value ELSE j.value END AS value,
       j.p AS p, j.low AS low, j.high AS high, t.body AS reason, s.name AS served_model,
       r.run_id AS run_id, j.at AS at{more}
  FROM (SELECT uses.*, ROW_NUMBER() OVER (
                 PARTITION BY {", ".join(PLACE)}
                 ORDER BY used_at DESC, run_id DESC, judgment_id DESC) AS age
          FROM {uses}) u
  JOIN judgments j ON j.id = u.judgment_id
  JOIN benchmarks b ON b.id = u.benchmark_id
  JOIN items i ON i.id = u.item_id
  JOIN models m ON m.id = u.model_id
  JOIN judges g ON g.id = u.judge_id
  JOIN runs r ON r.id = u.run_id
  LEFT JOIN models o ON o.id = u.opponent_id
  LEFT JOIN names l ON l.id = j.label_id
  LEFT JOIN names s ON s.id = j.served_id
  LEFT JOIN texts t ON t.sha = j.reason_sha
 WHERE u.age = 1
"""


# Who reads the first version knows of no repeats: it goes on showing one row for each of its
# places, what was said when the judge was asked first.
VERDICTS_V1 = _verdicts("verdicts_v1", "uses WHERE repeat = 0")
VERDICTS_V2 = _verdicts(
    "verdicts_v2",
    "uses",
    """,
       u.repeat AS repeat, j.parts AS parts,
       CASE WHEN g.kind IN ('human', 'imported') THEN NULL ELSE j.marks END AS marks""",
)

SCORES_V1 = """
CREATE VIEW scores_v1 AS
SELECT benchmark, version, judge, judge_id, model, model_id, opponent, opponent_id, kind, label,
       COUNT(*) AS n,
       COUNT(*) * 1.0 / SUM(COUNT(*)) OVER (
         PARTITION BY benchmark, version, judge_id, model_id, opponent_id) AS share,
       AVG(value) AS mean_value, MIN(low) AS low, MAX(high) AS high
  FROM verdicts_v1
 GROUP BY benchmark, version, judge, judge_id, model, model_id, opponent, opponent_id, kind, label
"""

SPEND_V1 = """
CREATE VIEW spend_v1 AS
SELECT r.run_id AS run_id, b.name AS benchmark, b.version AS version,
       (SELECT n.name FROM model_names n WHERE n.model_id = s.model_id
         ORDER BY n.newest DESC LIMIT 1) AS model,
       m.short AS model_id,
       (SELECT n.name FROM judge_names n WHERE n.judge_id = s.judge_id
         ORDER BY n.newest DESC LIMIT 1) AS judge,
       g.short AS judge_id,
       CASE s.how WHEN 0 THEN 'live' WHEN 1 THEN 'batch' WHEN 2 THEN 'recorded'
         WHEN 3 THEN 'retried' ELSE 'wasted' END AS how,
       p.name AS provider, q.name AS requested_model, s.calls AS calls,
       s.unpriced_calls AS unpriced_calls, s.prompt_tokens AS prompt_tokens,
       s.completion_tokens AS completion_tokens, s.cached_tokens AS cached_tokens,
       s.reasoning_tokens AS reasoning_tokens, s.cost_usd AS cost_usd
  FROM spend s
  JOIN runs r ON r.id = s.run_id
  JOIN benchmarks b ON b.id = s.benchmark_id
  JOIN models m ON m.id = s.model_id
  JOIN names p ON p.id = s.provider_id
  JOIN names q ON q.id = s.requested_id
  LEFT JOIN judges g ON g.id = s.judge_id
"""
