"""The tables of a store, as they are now. ``migrations/`` says how an older store gets here.

What is known by content has its 32-byte key as a unique column; integers stand for keys and names
wherever rows are many. Long text is kept once in ``texts``. Both engines have this schema; nothing
in it is known to SQLite alone but ``WITHOUT ROWID``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    text,
)

APPLICATION_ID = 0x6A626368
"""``jbch``: what SQLite's header says of a file that is ours."""

REVISION = "0007"
"""The newest migration. A store at this revision is opened without importing Alembic."""

NONE = 0
"""Stands for "no opponent", "no stack", "no judge" in primary keys, where NULL cannot stand."""

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)

PLACE = (
    "benchmark_id", "judge_id", "model_id", "opponent_id", "item_id", "shown", "sample", "turn",
    "repeat",
)  # fmt: skip
"""Where a verdict stands: the columns that ``uses`` and ``failures`` have in common."""

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows for INTEGER only


_key = partial(Column, "key", LargeBinary, nullable=False, unique=True)
_repeat = partial(Column, "repeat", Integer, primary_key=True, server_default=text("0"))
_count = partial(Column, type_=BigInteger, nullable=False)


def _text_of(name: str, *, nullable: bool = True) -> Column[bytes]:
    return Column(name, LargeBinary, ForeignKey("texts.sha"), nullable=nullable)


texts = Table(
    "texts",
    metadata,
    Column("sha", LargeBinary, primary_key=True),
    Column("body", Text, nullable=False),  # readable: what no database can hold is replaced
    Column("exact", LargeBinary),  # the text as it was, where it differs from body
)
names = Table(
    "names",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)
benchmarks = Table(
    "benchmarks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    UniqueConstraint("name", "version"),
)
items = Table(
    "items",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("benchmark_id", Integer, ForeignKey("benchmarks.id"), nullable=False),
    Column("item_id", Text, nullable=False),
    Column("category", Text),
    Column("identity", LargeBinary),  # hash of what may never change; null: known by its id alone
    _text_of("content_sha"),
    UniqueConstraint("benchmark_id", "item_id"),
)
models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    _key(),
    Column("short", Text, nullable=False),  # the key's first twelve digits
    Column("spec", Text, nullable=False),
)
model_names = Table(
    "model_names",
    metadata,
    Column("model_id", Integer, ForeignKey("models.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("tags", Text, nullable=False),
    Column("newest", Integer, nullable=False),  # the greatest of a model is its name now
)
judges = Table(
    "judges",
    metadata,
    Column("id", Integer, primary_key=True),
    _key(),
    Column("short", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("official_prompt", Boolean),
    Column("spec", Text, nullable=False),
)
judge_names = Table(
    "judge_names",
    metadata,
    Column("judge_id", Integer, ForeignKey("judges.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("newest", Integer, nullable=False),
)
stacks = Table(
    "stacks",
    metadata,
    Column("id", Integer, primary_key=True),
    _key(),
    Column("stack", Text, nullable=False),
)
runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Text, nullable=False, unique=True),
    Column("started", Double, nullable=False),
    Column("state", Text, nullable=False),
    Column("manifest", Text, nullable=False),
)
responses = Table(
    "responses",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("stack_id", Integer, nullable=False),
    Column("status", Text, nullable=False),
    _text_of("text_sha", nullable=False),
    _text_of("raw_sha", nullable=False),
    _text_of("reasoning_sha"),
    _text_of("prompt_sha"),
    Column("finish_reason", Text),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("cache_write_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("logprob", Double),
    Column("source", Text, nullable=False),
    Column("at", Double, nullable=False),
    UniqueConstraint("key", "stack_id"),
)
answers = Table(  # where a response stands; one response may answer the same question twice
    "answers",
    metadata,
    Column("benchmark_id", Integer, ForeignKey("benchmarks.id"), primary_key=True),
    Column("model_id", Integer, ForeignKey("models.id"), primary_key=True),
    Column("item_id", BigId, ForeignKey("items.id"), primary_key=True),
    Column("sample", Integer, primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("response_id", BigId, ForeignKey("responses.id"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)
replies = Table(
    "replies",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    _text_of("request_sha", nullable=False),
    _text_of("text_sha", nullable=False),
    _text_of("reasoning_sha"),
    _text_of("logprobs_sha"),
    Column("finish_reason", Text),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("cache_write_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("served_model", Text),
    Column("seconds", Double, nullable=False),
    Column("scores", Text),  # JSON, where the question was for numbers
    Column("left_out", Text),  # JSON, where something that was asked for was not sent
    Column("at", Double, nullable=False),
    sqlite_with_rowid=False,
)
judgments = Table(
    "judgments",
    metadata,
    Column("id", BigId, primary_key=True),
    _key(),
    Column("judge_id", Integer, ForeignKey("judges.id"), nullable=False),
    Column("case_key", LargeBinary, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("value", Double),
    Column("p", Double),
    Column("low", Double),
    Column("high", Double),
    Column("winner", SmallInteger),
    Column("label_id", Integer, ForeignKey("names.id")),
    Column("parts", Text),
    _text_of("reason_sha"),
    Column("served_id", Integer, ForeignKey("names.id")),
    Column("reply_keys", LargeBinary, nullable=False),
    Column("marks", Text),  # JSON; null: nobody looked for any
    Column("at", Double, nullable=False),
)
uses = Table(  # a board, one judge on one benchmark, is one range of the primary key
    "uses",
    metadata,
    Column("benchmark_id", Integer, ForeignKey("benchmarks.id"), primary_key=True),
    Column("judge_id", Integer, ForeignKey("judges.id"), primary_key=True),
    Column("model_id", Integer, ForeignKey("models.id"), primary_key=True),
    Column("opponent_id", Integer, primary_key=True),
    Column("item_id", BigId, ForeignKey("items.id"), primary_key=True),
    Column("shown", SmallInteger, primary_key=True),
    Column("sample", Integer, primary_key=True),
    Column("turn", Integer, primary_key=True),
    _repeat(),
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("judgment_id", BigId, ForeignKey("judgments.id"), primary_key=True, index=True),
    Column("used_at", Double, nullable=False),  # later than every earlier use of its place
    sqlite_with_rowid=False,
)
# What boards read of `uses` and `judgments`, kept once more: the newest as rows, the rest packed.
tails = Table(
    "tails",
    metadata,
    *(Column(key.name, key.type, primary_key=True) for key in uses.primary_key.columns),
    Column("used_at", Double, nullable=False),
    Column("told", SmallInteger, nullable=False),  # the kind, and in bits what there is beside it
    Column("value", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("label_id", Integer, nullable=False),
    Column("served_id", Integer, nullable=False),
    Column("judged_at", Double, nullable=False),
    sqlite_with_rowid=False,
)
chunks = Table(
    "chunks",
    metadata,
    *(Column(name, Integer, primary_key=True) for name in PLACE[:4]),
    Column("seq", Integer, primary_key=True),
    Column("n", Integer, nullable=False),
    Column("blob", LargeBinary, nullable=False),  # `columns` packs it
)
failures = Table(  # one judgment may be missing in many places: equal answers have one key
    "failures",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("benchmark_id", Integer, primary_key=True),
    Column("judge_id", Integer, primary_key=True),
    Column("model_id", Integer, primary_key=True),
    Column("opponent_id", Integer, primary_key=True),
    Column("item_id", BigId, primary_key=True),
    Column("shown", SmallInteger, primary_key=True),
    Column("sample", Integer, primary_key=True),
    Column("turn", Integer, primary_key=True),
    _repeat(),
    Column("boundary", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="other"),
    _text_of("message_sha", nullable=False),
    Column("retriable", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("at", Double, nullable=False),
    sqlite_with_rowid=False,
)
spend = Table(  # counters, to which every call adds
    "spend",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("benchmark_id", Integer, ForeignKey("benchmarks.id"), primary_key=True),
    # The item is left out: a hundred thousand calls stay a handful of rows, and what one item took
    # can be told from its replies.
    Column("model_id", Integer, ForeignKey("models.id"), primary_key=True),
    Column("judge_id", Integer, primary_key=True),  # NONE: the call was for an answer
    Column("how", SmallInteger, primary_key=True),
    Column("provider_id", Integer, ForeignKey("names.id"), primary_key=True),
    Column("requested_id", Integer, ForeignKey("names.id"), primary_key=True),
    _count("calls"),
    _count("unpriced_calls"),
    _count("prompt_tokens"),
    _count("completion_tokens"),
    _count("cached_tokens"),
    _count("cache_write_tokens", server_default="0"),  # came later
    _count("reasoning_tokens"),
    Column("cost_usd", Double, nullable=False),  # of the calls with a price
    sqlite_with_rowid=False,
)
batches = Table(
    "batches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("batch_id", Text, nullable=False, unique=True),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("asker", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("remote_id", Text),
    Column("requests", Integer, nullable=False),
    Column("created", Double, nullable=False),
    Column("ended", Double),
    _text_of("note_sha", nullable=False),
)
batch_requests = Table(  # what another machine needs to collect: the questions, and what for
    "batch_requests",
    metadata,
    Column("batch_id", Integer, ForeignKey("batches.id"), primary_key=True),
    Column("key", LargeBinary, primary_key=True, index=True),
    Column("kind", SmallInteger, nullable=False),
    _text_of("request_sha", nullable=False),  # the text that the reply will name as well
    Column("purpose", Text),
    sqlite_with_rowid=False,
)
calibrations = Table(  # several for one judge and opponent: the last counts
    "calibrations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("benchmark_id", Integer, ForeignKey("benchmarks.id"), nullable=False),
    Column("judge_id", Integer, ForeignKey("judges.id"), nullable=False),
    Column("opponent_id", Integer, ForeignKey("models.id"), nullable=False),
    Column("models", Text, nullable=False),  # JSON: the first twelve digits of their keys
    _text_of("content_sha", nullable=False),
    Column("at", Double, nullable=False),
)
baselines = Table(  # several for one name and benchmark: the last counts
    "baselines",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("benchmark_id", Integer, ForeignKey("benchmarks.id"), nullable=False),
    Column("model_id", Integer, ForeignKey("models.id"), nullable=False),
    Column("run_id", Integer, ForeignKey("runs.id")),
    Column("at", Double, nullable=False),
)
anchors = Table(  # several sets for one judge and benchmark: the last counts
    "anchors",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("benchmark_id", Integer, ForeignKey("benchmarks.id"), nullable=False),
    Column("judge_id", Integer, ForeignKey("judges.id"), nullable=False),
    Column("at", Double, nullable=False),
)
looks = Table(  # what the judge said of the answers of a set, at each occasion
    "looks",
    metadata,
    Column("anchors_id", Integer, ForeignKey("anchors.id"), primary_key=True),
    Column("occasion_id", Integer, primary_key=True),  # a name; NONE: when they were pinned
    Column("model_id", Integer, ForeignKey("models.id"), primary_key=True),
    Column("opponent_id", Integer, primary_key=True),
    Column("item_id", BigId, ForeignKey("items.id"), primary_key=True),
    Column("shown", SmallInteger, primary_key=True),
    Column("sample", Integer, primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("judgment_id", BigId, ForeignKey("judgments.id"), nullable=False),
    sqlite_with_rowid=False,
)
owners = Table(  # who is at work: `claims.Owner`
    "owners",
    metadata,
    Column("token", LargeBinary, primary_key=True),
    Column("host", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("boot", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", Text, nullable=False),
    Column("heartbeat", Double, nullable=False),  # by the clock of the database
    sqlite_with_rowid=False,
)
claims = Table(  # what is being worked on, and by whom: keys of judgments and answers, hashed names
    "claims",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("owner", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
budgets = Table(  # what projects have spent, by month of the database's clock (UTC)
    "budgets",
    metadata,
    Column("project", Text, primary_key=True),
    Column("month", Text, primary_key=True),  # as 2026-11
    Column("spent_usd", Double, nullable=False),
    Column("cap_usd", Double, nullable=False),  # as the last one who asked said
    sqlite_with_rowid=False,
)
reservations = Table(  # what those at work have set aside of it
    "reservations",
    metadata,
    Column("project", Text, primary_key=True),
    Column("owner", LargeBinary, primary_key=True),
    Column("usd", Double, nullable=False),
    sqlite_with_rowid=False,
)
rates = Table(  # how far the time is dealt out in which a provider may be asked
    "rates",
    metadata,
    Column("door", LargeBinary, primary_key=True),
    Column("taken_until", Double, nullable=False),  # by the clock of the database
    Column("leased_at", Double, nullable=False),
    sqlite_with_rowid=False,
)
meta = Table(  # what is said of the store itself, by name
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
# A server would look each reference of a row up when that row comes, and each row that refers to
# one that goes: there they are checked together instead (`database.hanging_references`).
for _table in metadata.tables.values():
    for _reference in _table.foreign_key_constraints:
        _reference.ddl_if(dialect="sqlite")

PACKED = "columns"
"""The row of ``meta`` that is there once `chunks` and `tails` say all that boards read."""

UNPACKED = "columns_anew"
"""The row of ``meta`` that is another each time somebody begins to pack all boards anew."""

STORE_ID = "store_id"
"""The row of ``meta`` that tells this store from every other one."""
UNFINISHED, REDACTED = "unfinished_copy", "redacted"
"""Rows of ``meta`` that say what a copy is not: whole yet, or with its texts."""


@cache
def identity(table: Table) -> list[str]:
    """The columns that tell a row from the others of its table."""
    unique = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    if unique:
        return unique[0].columns.keys()
    return [c.name for c in table.c if (c.name != "id" if "id" in table.c else c.primary_key)]


def lacking(connection: Connection) -> Iterator[tuple[Table, bool, list[Column[Any]]]]:
    """Each table that is not as it is now: whether it is there at all, and the columns it lacks."""
    known = inspect(connection)
    names = known.get_table_names()
    for table in metadata.sorted_tables:
        found = known.get_columns(table.name) if table.name in names else []
        there = {column["name"] for column in found}
        missing = [column for column in table.c if column.name not in there]
        if missing:
            yield table, bool(there), missing


# Views for people who read with SQL. A view's name carries its version: its columns never change.
# What a use shows is the newest of its place, and a preference's value is the probability that
# `model` beats `opponent`.

_MODEL = "(SELECT n.name FROM model_names n WHERE n.model_id = {} ORDER BY n.newest DESC LIMIT 1)"
_JUDGE = "(SELECT n.name FROM judge_names n WHERE n.judge_id = {} ORDER BY n.newest DESC LIMIT 1)"


VIEWS = {
    "verdicts_v2": f"""
CREATE VIEW verdicts_v2 AS
SELECT b.name AS benchmark, b.version AS version, i.item_id AS item_id, i.category AS category,
       {_MODEL.format("u.model_id")} AS model, m.short AS model_id,
       {_MODEL.format("u.opponent_id")} AS opponent, o.short AS opponent_id,
       {_JUDGE.format("u.judge_id")} AS judge, g.short AS judge_id, g.kind AS judge_kind,
       g.official_prompt AS official_prompt,
       CASE u.shown WHEN 0 THEN 'single' WHEN 1 THEN 'model_first' ELSE 'opponent_first' END
         AS "order",
       u.sample AS sample, u.turn AS turn,
       CASE j.kind WHEN 0 THEN 'preference' WHEN 1 THEN 'score' WHEN 2 THEN 'label'
         ELSE 'unreadable' END AS kind,
       l.name AS label,
       CASE WHEN j.kind = 0 AND u.shown = 2 THEN 1 - j.value ELSE j.value END AS value,
       j.p AS p, j.low AS low, j.high AS high, t.body AS reason, s.name AS served_model,
       r.run_id AS run_id, j.at AS at, u.repeat AS repeat, j.parts AS parts,
       CASE WHEN g.kind IN ('human', 'imported') THEN NULL ELSE j.marks END AS marks
  FROM (SELECT uses.*, ROW_NUMBER() OVER (
                 PARTITION BY {", ".join(PLACE)}
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
""",
    # Who reads the first version knows of no repeats: it goes on showing one row for each of its
    # places, what was said when the judge was asked first.
    "verdicts_v1": """
CREATE VIEW verdicts_v1 AS
SELECT benchmark, version, item_id, category, model, model_id, opponent, opponent_id, judge,
       judge_id, judge_kind, official_prompt, "order", sample, turn, kind, label, value, p, low,
       high, reason, served_model, run_id, at
  FROM verdicts_v2
 WHERE repeat = 0
""",
    "responses_v1": f"""
CREATE VIEW responses_v1 AS
SELECT b.name AS benchmark, b.version AS version, i.item_id AS item_id, i.category AS category,
       {_MODEL.format("a.model_id")} AS model, m.short AS model_id, a.sample AS sample,
       a.turn AS turn, t.body AS text, g.body AS reasoning, r.status AS status,
       r.finish_reason AS finish_reason, r.prompt_tokens AS prompt_tokens,
       r.completion_tokens AS completion_tokens, r.logprob AS logprob, r.source AS source,
       s.stack AS stack, r.at AS at
  FROM answers a
  JOIN responses r ON r.id = a.response_id
  JOIN benchmarks b ON b.id = a.benchmark_id
  JOIN items i ON i.id = a.item_id
  JOIN models m ON m.id = a.model_id
  JOIN texts t ON t.sha = r.text_sha
  LEFT JOIN texts g ON g.sha = r.reasoning_sha
  LEFT JOIN stacks s ON s.id = r.stack_id
""",
    # One row for each label, and one for all scores, preferences or unreadable replies, of a judge
    # on a model: how many, their share of all that judge's verdicts there, and the mean value.
    "scores_v1": """
CREATE VIEW scores_v1 AS
SELECT benchmark, version, judge, judge_id, model, model_id, opponent, opponent_id, kind, label,
       COUNT(*) AS n,
       CAST(COUNT(*) AS DOUBLE PRECISION) / SUM(COUNT(*)) OVER (
         PARTITION BY benchmark, version, judge_id, model_id, opponent_id) AS share,
       AVG(value) AS mean_value, MIN(low) AS low, MAX(high) AS high
  FROM verdicts_v1
 GROUP BY benchmark, version, judge, judge_id, model, model_id, opponent, opponent_id, kind, label
""",
    "spend_v2": f"""
CREATE VIEW spend_v2 AS
SELECT r.run_id AS run_id, b.name AS benchmark, b.version AS version,
       {_MODEL.format("s.model_id")} AS model, m.short AS model_id,
       {_JUDGE.format("s.judge_id")} AS judge, g.short AS judge_id,
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
""",
    "spend_v1": """
CREATE VIEW spend_v1 AS
SELECT run_id, benchmark, version, model, model_id, judge, judge_id, how, provider,
       requested_model, calls, unpriced_calls, prompt_tokens, completion_tokens, cached_tokens,
       reasoning_tokens, cost_usd
  FROM spend_v2
""",
}
"""In the order in which they can be made."""
