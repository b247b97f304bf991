"""A part of a store as a store of its own: some benchmarks, and nothing that they do not need."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from judgebench.errors import StoreError
from judgebench.store.opening import store_path

_EMPTIED = (
    "anchors", "baselines", "batch_requests", "batches", "budgets", "claims", "looks", "owners",
    "replies", "reservations", "spend",
)  # fmt: skip
"""What says nothing of a verdict: what was paid, what was said on the way to it, who works."""

_OF_BENCHMARKS = ("answers", "calibrations", "failures", "items", "uses")

_UNUSED = (
    "DELETE FROM judgments WHERE id NOT IN (SELECT judgment_id FROM uses)",
    "DELETE FROM responses WHERE id NOT IN (SELECT response_id FROM answers)",
    "UPDATE responses SET raw_sha = text_sha, reasoning_sha = NULL, prompt_sha = NULL",
    "DELETE FROM runs WHERE id NOT IN (SELECT run_id FROM uses)",
    "DELETE FROM stacks WHERE id NOT IN (SELECT stack_id FROM responses)",
    "DELETE FROM models WHERE id NOT IN (SELECT model_id FROM uses UNION SELECT opponent_id FROM "
    "uses UNION SELECT model_id FROM answers UNION SELECT model_id FROM failures UNION SELECT "
    "opponent_id FROM failures UNION SELECT opponent_id FROM calibrations)",
    "DELETE FROM judges WHERE id NOT IN (SELECT judge_id FROM uses UNION SELECT judge_id FROM "
    "failures UNION SELECT judge_id FROM calibrations)",
    "DELETE FROM model_names WHERE model_id NOT IN (SELECT id FROM models)",
    "DELETE FROM judge_names WHERE judge_id NOT IN (SELECT id FROM judges)",
    "DELETE FROM names WHERE id NOT IN (SELECT label_id FROM judgments WHERE label_id IS NOT NULL "
    "UNION SELECT served_id FROM judgments WHERE served_id IS NOT NULL)",
    "DELETE FROM texts WHERE sha NOT IN (SELECT text_sha FROM responses UNION SELECT content_sha "
    "FROM items WHERE content_sha IS NOT NULL UNION SELECT reason_sha FROM judgments WHERE "
    "reason_sha IS NOT NULL UNION SELECT message_sha FROM failures UNION SELECT content_sha FROM "
    "calibrations)",
)  # fmt: skip


def write_excerpt(url: str, target: Path, benchmarks: Collection[tuple[str, str]]) -> None:
    """Write a file that holds the verdicts, answers and items of these benchmarks, and their runs.

    Replies of judges, thoughts, prompts and what was spent stay behind. A run that writes is not
    disturbed, and the copy is of one moment.

    Parameters
    ----------
    target
        Must not exist.
    benchmarks
        By name and version.

    Raises
    ------
    StoreError
        Where the copy cannot be written.
    """
    source = store_path(url).resolve()
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as whole:
            whole.execute("VACUUM INTO ?", (str(target),))
        with closing(sqlite3.connect(target, isolation_level=None)) as part:
            part.execute("PRAGMA foreign_keys = OFF")
            part.execute("BEGIN")
            part.execute("CREATE TEMP TABLE kept (id INTEGER PRIMARY KEY)")
            part.executemany(
                "INSERT INTO kept SELECT id FROM benchmarks WHERE name = ? AND version = ?",
                sorted(benchmarks),
            )
            for table in _EMPTIED:
                part.execute(f"DELETE FROM {table}")
            for table in _OF_BENCHMARKS:
                part.execute(f"DELETE FROM {table} WHERE benchmark_id NOT IN kept")
            part.execute("DELETE FROM benchmarks WHERE id NOT IN kept")
            for statement in _UNUSED:
                part.execute(statement)
            part.execute("COMMIT")
            part.execute("PRAGMA journal_mode = DELETE")
            part.execute("VACUUM")
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{target}: an excerpt of {url} cannot be written: {error}") from None
