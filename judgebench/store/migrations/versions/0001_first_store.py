"""The first store: items, answers, judgments, their uses, and the views for notebooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _names()
    _answers()
    _judgments()
    _bookkeeping()
    for view in (VERDICTS_V1, RESPONSES_V1, SCORES_V1):
        op.execute(view)


def _names() -> None:
    op.create_table(
        "texts",
        sa.Column("sha", sa.LargeBinary),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("exact", sa.LargeBinary),
        sa.PrimaryKeyConstraint("sha", name="pk_texts"),
    )
    op.create_table(
        "names",
        sa.Column("id", sa.Integer),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_names"),
        sa.UniqueConstraint("name", name="uq_names_name"),
    )
    op.create_table(
        "benchmarks",
        sa.Column("id", sa.Integer),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_benchmarks"),
        sa.UniqueConstraint("name", "version", name="uq_benchmarks_name_version"),
    )
    op.create_table(
        "items",
        sa.Column("id", BIG_ID),
        sa.Column("benchmark_id", sa.Integer, nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("category", sa.Text),
        sa.Column("identity", sa.LargeBinary),
        sa.Column("content_sha", sa.LargeBinary),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
        sa.UniqueConstraint("benchmark_id", "item_id", name="uq_items_benchmark_id_item_id"),
        _foreign("items", "benchmark_id", "benchmarks.id"),
        _foreign("items", "content_sha", "texts.sha"),
    )
    op.create_table(
        "models",
        sa.Column("id", sa.Integer),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("short", sa.Text, nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.UniqueConstraint("key", name="uq_models_key"),
    )
    op.create_table(
        "model_names",
        sa.Column("model_id", sa.Integer),
        sa.Column("name", sa.Text),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("newest", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("model_id", "name", name="pk_model_names"),
        _foreign("model_names", "model_id", "models.id"),
    )
    op.create_table(
        "judges",
        sa.Column("id", sa.Integer),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("short", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("official_prompt", sa.Boolean),
        sa.Column("spec", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_judges"),
        sa.UniqueConstraint("key", name="uq_judges_key"),
    )
    op.create_table(
        "judge_names",
        sa.Column("judge_id", sa.Integer),
        sa.Column("name", sa.Text),
        sa.Column("newest", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("judge_id", "name", name="pk_judge_names"),
        _foreign("judge_names", "judge_id", "judges.id"),
    )
    op.create_table(
        "stacks",
        sa.Column("id", sa.Integer),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("stack", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stacks"),
        sa.UniqueConstraint("key", name="uq_stacks_key"),
    )


def _answers() -> None:
    op.create_table(
        "responses",
        sa.Column("id", BIG_ID),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("stack_id", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("text_sha", sa.LargeBinary, nullable=False),
        sa.Column("raw_sha", sa.LargeBinary, nullable=False),
        sa.Column("reasoning_sha", sa.LargeBinary),
        sa.Column("prompt_sha", sa.LargeBinary),
        sa.Column("finish_reason", sa.Text),
        *_tokens(),
        sa.Column("logprob", sa.Double),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_responses"),
        sa.UniqueConstraint("key", "stack_id", name="uq_responses_key_stack_id"),
        _foreign("responses", "text_sha", "texts.sha"),
        _foreign("responses", "raw_sha", "texts.sha"),
        _foreign("responses", "reasoning_sha", "texts.sha"),
        _foreign("responses", "prompt_sha", "texts.sha"),
    )
    place = ("benchmark_id", "model_id", "item_id", "sample", "turn", "response_id")
    op.create_table(
        "answers",
        sa.Column("benchmark_id", sa.Integer),
        sa.Column("model_id", sa.Integer),
        sa.Column("item_id", BIG_ID),
        sa.Column("sample", sa.Integer),
        sa.Column("turn", sa.Integer),
        sa.Column("response_id", BIG_ID),
        sa.PrimaryKeyConstraint(*place, name="pk_answers"),
        _foreign("answers", "benchmark_id", "benchmarks.id"),
        _foreign("answers", "model_id", "models.id"),
        _foreign("answers", "item_id", "items.id"),
        _foreign("answers", "response_id", "responses.id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_answers_response_id", "answers", ["response_id"])
    op.create_table(
        "replies",
        sa.Column("key", sa.LargeBinary),
        sa.Column("request_sha", sa.LargeBinary, nullable=False),
        sa.Column("text_sha", sa.LargeBinary, nullable=False),
        sa.Column("reasoning_sha", sa.LargeBinary),
        sa.Column("logprobs_sha", sa.LargeBinary),
        sa.Column("finish_reason", sa.Text),
        *_tokens(),
        sa.Column("served_model", sa.Text),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_replies"),
        _foreign("replies", "request_sha", "texts.sha"),
        _foreign("replies", "text_sha", "texts.sha"),
        _foreign("replies", "reasoning_sha", "texts.sha"),
        _foreign("replies", "logprobs_sha", "texts.sha"),
        sqlite_with_rowid=False,
    )


def _judgments() -> None:
    op.create_table(
        "judgments",
        sa.Column("id", BIG_ID),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("judge_id", sa.Integer, nullable=False),
        sa.Column("case_key", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("p", sa.Double),
        sa.Column("low", sa.Double),
        sa.Column("high", sa.Double),
        sa.Column("winner", sa.SmallInteger),
        sa.Column("label_id", sa.Integer),
        sa.Column("parts", sa.Text),
        sa.Column("reason_sha", sa.LargeBinary),
        sa.Column("served_id", sa.Integer),
        sa.Column("reply_keys", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_judgments"),
        sa.UniqueConstraint("key", name="uq_judgments_key"),
        _foreign("judgments", "judge_id", "judges.id"),
        _foreign("judgments", "label_id", "names.id"),
        _foreign("judgments", "reason_sha", "texts.sha"),
        _foreign("judgments", "served_id", "names.id"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.UniqueConstraint("run_id", name="uq_runs_run_id"),
    )
    place = ("benchmark_id", "judge_id", "model_id", "opponent_id", "item_id", "shown")
    op.create_table(
        "uses",
        sa.Column("benchmark_id", sa.Integer),
        sa.Column("judge_id", sa.Integer),
        sa.Column("model_id", sa.Integer),
        sa.Column("opponent_id", sa.Integer),
        sa.Column("item_id", BIG_ID),
        sa.Column("shown", sa.SmallInteger),
        sa.Column("sample", sa.Integer),
        sa.Column("turn", sa.Integer),
        sa.Column("run_id", sa.Integer),
        sa.Column("judgment_id", BIG_ID),
        sa.Column("used_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint(*place, "sample", "turn", "run_id", "judgment_id", name="pk_uses"),
        _foreign("uses", "benchmark_id", "benchmarks.id"),
        _foreign("uses", "judge_id", "judges.id"),
        _foreign("uses", "model_id", "models.id"),
        _foreign("uses", "item_id", "items.id"),
        _foreign("uses", "run_id", "runs.id"),
        _foreign("uses", "judgment_id", "judgments.id"),
        sqlite_with_rowid=False,
    )


def _bookkeeping() -> None:
    place = ("benchmark_id", "judge_id", "model_id", "opponent_id", "item_id", "shown")
    op.create_table(
        "failures",
        sa.Column("key", sa.LargeBinary),
        sa.Column("benchmark_id", sa.Integer),
        sa.Column("judge_id", sa.Integer),
        sa.Column("model_id", sa.Integer),
        sa.Column("opponent_id", sa.Integer),
        sa.Column("item_id", BIG_ID),
        sa.Column("shown", sa.SmallInteger),
        sa.Column("sample", sa.Integer),
        sa.Column("turn", sa.Integer),
        sa.Column("boundary", sa.Text, nullable=False),
        sa.Column("message_sha", sa.LargeBinary, nullable=False),
        sa.Column("retriable", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("key", *place, "sample", "turn", name="pk_failures"),
        _foreign("failures", "message_sha", "texts.sha"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_started", sa.Text, nullable=False),
        sa.Column("heartbeat", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _tokens() -> list[sa.Column[int]]:
    kinds = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
    return [sa.Column(kind, sa.Integer) for kind in kinds]


def _foreign(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}")


# A view's name carries its version: its columns never change. What a use shows is the newest of
# its place, and a preference's value is the probability that `model` beats `opponent`.

VERDICTS_V1 = """
CREATE VIEW verdicts_v1 AS
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
       r.run_id AS run_id, j.at AS at
  FROM (SELECT uses.*, ROW_NUMBER() OVER (
                 PARTITION BY benchmark_id, judge_id, model_id, opponent_id, item_id, shown,
                              sample, turn
                 ORDER BY used_at DESC, run_id DESC, judgment_id DESC) AS age
          FROM uses) u
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

RESPONSES_V1 = """
CREATE VIEW responses_v1 AS
SELECT b.name AS benchmark, b.version AS version, i.item_id AS item_id, i.category AS category,
       (SELECT n.name FROM model_names n WHERE n.model_id = a.model_id
         ORDER BY n.newest DESC LIMIT 1) AS model,
       m.short AS model_id, a.sample AS sample, a.turn AS turn, t.body AS text,
       g.body AS reasoning, r.status AS status, r.finish_reason AS finish_reason,
       r.prompt_tokens AS prompt_tokens, r.completion_tokens AS completion_tokens,
       r.logprob AS logprob, r.source AS source, s.stack AS stack, r.at AS at
  FROM answers a
  JOIN responses r ON r.id = a.response_id
  JOIN benchmarks b ON b.id = a.benchmark_id
  JOIN items i ON i.id = a.item_id
  JOIN models m ON m.id = a.model_id
  JOIN texts t ON t.sha = r.text_sha
  LEFT JOIN texts g ON g.sha = r.reasoning_sha
  LEFT JOIN stacks s ON s.id = r.stack_id
"""

# One row for each label, and one for all scores, preferences or unreadable replies, of a judge on
# a model: how many, their share of all that judge's verdicts there, and the mean value.
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
