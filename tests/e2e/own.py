"""Suites over prompts of one's own, for tests of whole runs of the judging engine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import text

from tests.e2e import runs
from tests.postgres import beside

BENCHMARK = "sums"


def suite(
    folder: Path,
    *,
    judges: Sequence[Mapping[str, Any]],
    candidates: Sequence[Mapping[str, Any]] = (),
    items: int = 4,
    takers: Sequence[str] = ("taker",),
    benchmark: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    **parts: Any,
) -> Path:
    """Sums with their results as references, answered by ``takers`` from a file.

    ``judges`` and ``candidates`` are sections of endpoints (`endpoint`), ``benchmark`` and
    ``limits`` add to those sections, and ``parts`` are further ones.
    """
    prompts, answers = folder / "prompts.jsonl", folder / "answers.jsonl"
    _write_rows(
        prompts,
        (
            {"id": f"{n}", "prompt": f"What is {n} plus {n}?", "reference": f"{2 * n}"}
            for n in range(items)
        ),
    )
    _write_rows(
        answers,
        (
            {"item_id": f"{n}", "model": taker, "text": f"{taker} says {2 * n + n % 2}."}
            for taker in takers
            for n in range(items)
        ),
    )
    written = {
        "name": "own",
        "models": [
            *({"name": taker, "responses": str(answers)} for taker in takers),
            *({"name": section["name"], "api": _without_name(section)} for section in candidates),
        ],
        "judges": [dict(judge) for judge in judges],
        "benchmarks": [
            {
                "name": BENCHMARK,
                "items": str(prompts),
                "judges": [judge["name"] for judge in judges],
                **(benchmark or {}),
            }
        ],
        "limits": {"max_connections": 4, "max_retries": 1, "timeout_s": 20, **(limits or {})},
        "store": runs.store_url(folder),
        **parts,
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    return path


def endpoint(url: str | None = None, name: str = "small", **fields: Any) -> dict[str, Any]:
    """A judge or a candidate behind a server; ``fields`` go before what is usual here."""
    usual = {"provider": "openai_compatible", "model": "loopback"}
    at = {} if url is None else {"base_url": url}
    return {"name": name, **usual, **at, **fields}


def boards(folder: Path) -> list[dict[str, Any]]:
    """The leaderboards over a suite's store."""
    done = runs.typed(
        *("leaderboard", BENCHMARK, "--store", runs.store_url(folder), "--format", "json")
    )
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = json.loads(done.out)["boards"]
    return found


def row(folder: Path, judge: str, model: str = "taker") -> dict[str, Any]:
    """One row of a judge's board."""
    rows: list[dict[str, Any]] = [
        row for board in boards(folder) if board["judge"] == judge for row in board["rows"]
    ]
    (found,) = [row for row in rows if row["model"] == model]
    return found


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """What the store says, in SQL."""
    with beside(runs.store_url(folder)) as store:
        return [tuple(row) for row in store.execute(text(sql))]


def spent(folder: Path) -> dict[str, int]:
    """Calls on the account, by how they ended."""
    return dict(query(folder, "SELECT how, sum(calls) FROM spend_v1 GROUP BY how"))


def failures(folder: Path) -> list[tuple[str, str, int]]:
    """Kind, message and attempts of what failed."""
    return query(
        folder, "SELECT kind, body, attempts FROM failures JOIN texts ON sha = message_sha"
    )


def _without_name(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if key != "name"}


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
