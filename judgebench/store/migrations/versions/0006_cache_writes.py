"""Tokens that a provider wrote to its cache of prompts, which cost more than others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("responses", "replies"):
        op.add_column(table, sa.Column("cache_write_tokens", sa.Integer))
    # With a default, since a release that does not know the column may still be writing.
    counter = sa.Column(
        "cache_write_tokens", sa.BigInteger, nullable=False, server_default=sa.text("0")
    )
    op.add_column("spend", counter)
    op.execute(SPEND_V2)


SPEND_V2 = """
CREATE VIEW spend_v2 AS
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
       s.cache_write_tokens AS cache_write_tokens, s.reasoning_tokens AS reasoning_tokens,
       s.cost_usd AS cost_usd
  FROM spend s
  JOIN runs r ON r.id = s.run_id
  JOIN benchmarks b ON b.id = s.benchmark_id
  JOIN models m ON m.id = s.model_id
  JOIN names p ON p.id = s.provider_id
  JOIN names q ON q.id = s.requested_id
  LEFT JOIN judges g ON g.id = s.judge_id
"""
