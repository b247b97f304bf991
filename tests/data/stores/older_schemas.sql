-- 0002
DROP VIEW scores_v1;
DROP VIEW verdicts_v1;
CREATE TABLE _alembic_tmp_uses (
	benchmark_id INTEGER NOT NULL,
	judge_id INTEGER NOT NULL,
	model_id INTEGER NOT NULL,
	opponent_id INTEGER NOT NULL,
	item_id INTEGER NOT NULL,
	shown SMALLINT NOT NULL,
	sample INTEGER NOT NULL,
	turn INTEGER NOT NULL,
	repeat INTEGER DEFAULT 0 NOT NULL,
	run_id INTEGER NOT NULL,
	judgment_id INTEGER NOT NULL,
	used_at DOUBLE NOT NULL,
	CONSTRAINT pk_uses PRIMARY KEY (benchmark_id, judge_id, model_id, opponent_id, item_id, shown, sample, turn, repeat, run_id, judgment_id),
	CONSTRAINT fk_uses_item_id FOREIGN KEY(item_id) REFERENCES items (id),
	CONSTRAINT fk_uses_judge_id FOREIGN KEY(judge_id) REFERENCES judges (id),
	CONSTRAINT fk_uses_model_id FOREIGN KEY(model_id) REFERENCES models (id),
	CONSTRAINT fk_uses_run_id FOREIGN KEY(run_id) REFERENCES runs (id),
	CONSTRAINT fk_uses_judgment_id FOREIGN KEY(judgment_id) REFERENCES judgments (id),
	CONSTRAINT fk_uses_benchmark_id FOREIGN KEY(benchmark_id) REFERENCES benchmarks (id)
)
 WITHOUT ROWID;
INSERT INTO _alembic_tmp_uses (benchmark_id, judge_id, model_id, opponent_id, item_id, shown, sample, turn, run_id, judgment_id, used_at) SELECT uses.benchmark_id, uses.judge_id, uses.model_id, uses.opponent_id, uses.item_id, uses.shown, uses.sample, uses.turn, uses.run_id, uses.judgment_id, uses.used_at
FROM uses;
DROP TABLE uses;
ALTER TABLE _alembic_tmp_uses RENAME TO uses;
CREATE TABLE _alembic_tmp_failures (
	"key" BLOB NOT NULL,
	benchmark_id INTEGER NOT NULL,
	judge_id INTEGER NOT NULL,
	model_id INTEGER NOT NULL,
	opponent_id INTEGER NOT NULL,
	item_id INTEGER NOT NULL,
	shown SMALLINT NOT NULL,
	sample INTEGER NOT NULL,
	turn INTEGER NOT NULL,
	repeat INTEGER DEFAULT 0 NOT NULL,
	boundary TEXT NOT NULL,
	kind TEXT DEFAULT 'other' NOT NULL,
	message_sha BLOB NOT NULL,
	retriable BOOLEAN NOT NULL,
	attempts INTEGER NOT NULL,
	at DOUBLE NOT NULL,
	CONSTRAINT pk_failures PRIMARY KEY ("key", benchmark_id, judge_id, model_id, opponent_id, item_id, shown, sample, turn, repeat),
	CONSTRAINT fk_failures_message_sha FOREIGN KEY(message_sha) REFERENCES texts (sha)
)
 WITHOUT ROWID;
INSERT INTO _alembic_tmp_failures ("key", benchmark_id, judge_id, model_id, opponent_id, item_id, shown, sample, turn, boundary, message_sha, retriable, attempts, at) SELECT failures."key", failures.benchmark_id, failures.judge_id, failures.model_id, failures.opponent_id, failures.item_id, failures.shown, failures.sample, failures.turn, failures.boundary, failures.message_sha, failures.retriable, failures.attempts, failures.at
FROM failures;
DROP TABLE failures;
ALTER TABLE _alembic_tmp_failures RENAME TO failures;
ALTER TABLE judgments ADD COLUMN marks TEXT;
ALTER TABLE replies ADD COLUMN scores TEXT;
ALTER TABLE replies ADD COLUMN left_out TEXT;
CREATE TABLE spend (
	run_id INTEGER NOT NULL,
	benchmark_id INTEGER NOT NULL,
	model_id INTEGER NOT NULL,
	judge_id INTEGER NOT NULL,
	how SMALLINT NOT NULL,
	provider_id INTEGER NOT NULL,
	requested_id INTEGER NOT NULL,
	calls BIGINT NOT NULL,
	unpriced_calls BIGINT NOT NULL,
	prompt_tokens BIGINT NOT NULL,
	completion_tokens BIGINT NOT NULL,
	cached_tokens BIGINT NOT NULL,
	reasoning_tokens BIGINT NOT NULL,
	cost_usd DOUBLE NOT NULL,
	CONSTRAINT pk_spend PRIMARY KEY (run_id, benchmark_id, model_id, judge_id, how, provider_id, requested_id),
	CONSTRAINT fk_spend_run_id FOREIGN KEY(run_id) REFERENCES runs (id),
	CONSTRAINT fk_spend_benchmark_id FOREIGN KEY(benchmark_id) REFERENCES benchmarks (id),
	CONSTRAINT fk_spend_model_id FOREIGN KEY(model_id) REFERENCES models (id),
	CONSTRAINT fk_spend_provider_id FOREIGN KEY(provider_id) REFERENCES names (id),
	CONSTRAINT fk_spend_requested_id FOREIGN KEY(requested_id) REFERENCES names (id)
)
 WITHOUT ROWID;
CREATE TABLE batches (
	id INTEGER NOT NULL,
	batch_id TEXT NOT NULL,
	run_id INTEGER NOT NULL,
	asker TEXT NOT NULL,
	provider TEXT NOT NULL,
	state TEXT NOT NULL,
	remote_id TEXT,
	requests INTEGER NOT NULL,
	created DOUBLE NOT NULL,
	ended DOUBLE,
	note_sha BLOB NOT NULL,
	CONSTRAINT pk_batches PRIMARY KEY (id),
	CONSTRAINT uq_batches_batch_id UNIQUE (batch_id),
	CONSTRAINT fk_batches_run_id FOREIGN KEY(run_id) REFERENCES runs (id),
	CONSTRAINT fk_batches_note_sha FOREIGN KEY(note_sha) REFERENCES texts (sha)
);
CREATE TABLE batch_requests (
	batch_id INTEGER NOT NULL,
	"key" BLOB NOT NULL,
	kind SMALLINT NOT NULL,
	request_sha BLOB NOT NULL,
	purpose TEXT,
	CONSTRAINT pk_batch_requests PRIMARY KEY (batch_id, "key"),
	CONSTRAINT fk_batch_requests_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id),
	CONSTRAINT fk_batch_requests_request_sha FOREIGN KEY(request_sha) REFERENCES texts (sha)
)
 WITHOUT ROWID;
CREATE INDEX ix_batch_requests_key ON batch_requests ("key");
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
                 PARTITION BY benchmark_id, judge_id, model_id, opponent_id, item_id, shown, sample, turn, repeat
                 ORDER BY used_at DESC, run_id DESC, judgment_id DESC) AS age
          FROM uses WHERE repeat = 0) u
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
 WHERE u.age = 1;
CREATE VIEW scores_v1 AS
SELECT benchmark, version, judge, judge_id, model, model_id, opponent, opponent_id, kind, label,
       COUNT(*) AS n,
       COUNT(*) * 1.0 / SUM(COUNT(*)) OVER (
         PARTITION BY benchmark, version, judge_id, model_id, opponent_id) AS share,
       AVG(value) AS mean_value, MIN(low) AS low, MAX(high) AS high
  FROM verdicts_v1
 GROUP BY benchmark, version, judge, judge_id, model, model_id, opponent, opponent_id, kind, label;
CREATE VIEW verdicts_v2 AS
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
       r.run_id AS run_id, j.at AS at,
       u.repeat AS repeat, j.parts AS parts,
       CASE WHEN g.kind IN ('human', 'imported') THEN NULL ELSE j.marks END AS marks
  FROM (SELECT uses.*, ROW_NUMBER() OVER (
                 PARTITION BY benchmark_id, judge_id, model_id, opponent_id, item_id, shown, sample, turn, repeat
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
 WHERE u.age = 1;
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
  LEFT JOIN judges g ON g.id = s.judge_id;
UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';
-- 0003
CREATE TABLE calibrations (
	id INTEGER NOT NULL,
	"key" BLOB NOT NULL,
	benchmark_id INTEGER NOT NULL,
	judge_id INTEGER NOT NULL,
	opponent_id INTEGER NOT NULL,
	models TEXT NOT NULL,
	content_sha BLOB NOT NULL,
	at DOUBLE NOT NULL,
	CONSTRAINT pk_calibrations PRIMARY KEY (id),
	CONSTRAINT fk_calibrations_benchmark_id FOREIGN KEY(benchmark_id) REFERENCES benchmarks (id),
	CONSTRAINT fk_calibrations_judge_id FOREIGN KEY(judge_id) REFERENCES judges (id),
	CONSTRAINT fk_calibrations_opponent_id FOREIGN KEY(opponent_id) REFERENCES models (id),
	CONSTRAINT fk_calibrations_content_sha FOREIGN KEY(content_sha) REFERENCES texts (sha)
);
UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002';
-- 0004
CREATE TABLE baselines (
	id INTEGER NOT NULL,
	name TEXT NOT NULL,
	benchmark_id INTEGER NOT NULL,
	model_id INTEGER NOT NULL,
	run_id INTEGER,
	at DOUBLE NOT NULL,
	CONSTRAINT pk_baselines PRIMARY KEY (id),
	CONSTRAINT fk_baselines_benchmark_id FOREIGN KEY(benchmark_id) REFERENCES benchmarks (id),
	CONSTRAINT fk_baselines_model_id FOREIGN KEY(model_id) REFERENCES models (id),
	CONSTRAINT fk_baselines_run_id FOREIGN KEY(run_id) REFERENCES runs (id)
);
UPDATE alembic_version SET version_num='0004' WHERE alembic_version.version_num = '0003';
-- 0005
CREATE TABLE anchors (
	id INTEGER NOT NULL,
	benchmark_id INTEGER NOT NULL,
	judge_id INTEGER NOT NULL,
	at DOUBLE NOT NULL,
	CONSTRAINT pk_anchors PRIMARY KEY (id),
	CONSTRAINT fk_anchors_benchmark_id FOREIGN KEY(benchmark_id) REFERENCES benchmarks (id),
	CONSTRAINT fk_anchors_judge_id FOREIGN KEY(judge_id) REFERENCES judges (id)
);
CREATE TABLE looks (
	anchors_id INTEGER NOT NULL,
	occasion_id INTEGER NOT NULL,
	model_id INTEGER NOT NULL,
	opponent_id INTEGER NOT NULL,
	item_id INTEGER NOT NULL,
	shown SMALLINT NOT NULL,
	sample INTEGER NOT NULL,
	turn INTEGER NOT NULL,
	judgment_id INTEGER NOT NULL,
	CONSTRAINT pk_looks PRIMARY KEY (anchors_id, occasion_id, model_id, opponent_id, item_id, shown, sample, turn),
	CONSTRAINT fk_looks_anchors_id FOREIGN KEY(anchors_id) REFERENCES anchors (id),
	CONSTRAINT fk_looks_model_id FOREIGN KEY(model_id) REFERENCES models (id),
	CONSTRAINT fk_looks_item_id FOREIGN KEY(item_id) REFERENCES items (id),
	CONSTRAINT fk_looks_judgment_id FOREIGN KEY(judgment_id) REFERENCES judgments (id)
)
 WITHOUT ROWID;
UPDATE alembic_version SET version_num='0005' WHERE alembic_version.version_num = '0004';
-- 0006
ALTER TABLE responses ADD COLUMN cache_write_tokens INTEGER;
ALTER TABLE replies ADD COLUMN cache_write_tokens INTEGER;
ALTER TABLE spend ADD COLUMN cache_write_tokens BIGINT DEFAULT 0 NOT NULL;
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
  LEFT JOIN judges g ON g.id = s.judge_id;
UPDATE alembic_version SET version_num='0006' WHERE alembic_version.version_num = '0005';
