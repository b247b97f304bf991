"""Reading boards of a store of millions of judgments, on both engines.

    python perf/columns.py [--judgments 5000000] [--server postgresql://user@host/database]
    python perf/columns.py --judgments 960000 --boards [--dimensions 3]

Makes a store in a temporary folder and one on a server, by SQL alone and always the same: a
benchmark of 5 judges on 50 models, and one of a tenth of it. Each reading is of a process of its
own, whose peak is the kernel's (``ru_maxrss``), with the file in memory; the best of three. CPU is
that of the process that reads. The database on the server has to be there and empty, and is left
empty. With ``--made URL`` a store that this script made before is read instead, and stays.
``--boards`` measures the leaderboards made of what is read, estimates and ranks with them, without
a panel and with one of three judges; ``--dimensions`` gives every score so many named parts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from judgebench.records import Item, JudgeSpec, ModelSpec, RunManifest
from judgebench.store import columns, open_store
from judgebench.store.opening import located

VERSION = "1"
JUDGES, MODELS = 5, 50
WHAT = {
    "all": ("large", "all rows of a benchmark", ""),
    "one": ("small", "one judge on a benchmark", "judge-0"),
}
AT_MOST = {"all": (1.0, 350.0), "one": (0.3, 350.0)}
"""Seconds, and megabytes at the peak, of what is read."""
PANEL = "mean(judge-0,judge-1,judge-2)"
BOARDS_AT_MOST = 4.0, 250.0
"""The same, of leaderboards of a million scores."""

_NUMBERS = {
    "sqlite": "(WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < :n - 1)"
    " SELECT n FROM c)",
    "postgresql": "(SELECT n FROM generate_series(0, CAST(:n AS bigint) - 1) AS g(n))",
}
_KEY = {
    "sqlite": "CAST(printf('%032d', :first + n) AS BLOB)",
    "postgresql": "convert_to(lpad((:first + n)::text, 32, '0'), 'UTF8')",
}
# Judgments come item by item, as a run makes them; one in a hundred is unreadable.
_JUDGMENTS = """
INSERT INTO judgments (id, key, judge_id, case_key, kind, value, low, high, reason_sha, served_id,
                       reply_keys, parts, marks, at)
SELECT :first + n, {key}, 1 + n % {judges}, {key}, CASE WHEN n % 101 = 0 THEN 3 ELSE 1 END,
       CASE WHEN n % 101 = 0 THEN NULL ELSE (n * 7919 % 10007) / 10007.0 END,
       CASE WHEN n % 101 = 0 THEN NULL ELSE 0.0 END, CASE WHEN n % 101 = 0 THEN NULL ELSE 1.0 END,
       CASE WHEN n % 101 = 0 THEN (SELECT sha FROM texts WHERE body = 'truncated') END, 1, {key},
       {parts}, '[]', 1700000000.25 + n * 0.001
  FROM {numbers} AS numbers
"""
_USES = """
INSERT INTO uses (benchmark_id, judge_id, model_id, opponent_id, item_id, shown, sample, turn,
                  repeat, run_id, judgment_id, used_at)
SELECT :benchmark, 1 + n / (:items * {models}), 1 + n / :items % {models}, 0,
       :item + n % :items, 0, 0, 0, 0, 1,
       :first + n % :items * {each} + n / :items % {models} * {judges} + n / (:items * {models}),
       1700000000.5 + (n % :items * {each} + n / :items % {models} * {judges}) * 0.001
  FROM {numbers} AS numbers
"""


@dataclass(frozen=True, slots=True)
class Took:
    """What one process took to read; ``mb`` are of a million bytes."""

    rows: int
    seconds: float
    cpu_s: float
    mb: float


def make(url: str, judgments: int, dimensions: int = 0) -> str:
    """A store where there is none; what it took, in words."""
    began = time.monotonic()
    each = JUDGES * MODELS
    items = {"large": judgments // each, "small": judgments // each // 10}
    with open_store(url) as store:
        with store.transaction():
            store.start_run(
                RunManifest(
                    id="run", name="made", configuration={}, versions={}, git_sha=None,
                    data_sha={}, seeds={}, started=1.0,
                )
            )  # fmt: skip
            for number in range(MODELS):
                store.put_model(f"model-{number:02d}", ModelSpec(weights=f"name:{number}"))
            for number in range(JUDGES):
                store.put_judge(f"judge-{number}", JudgeSpec(kind="rubric", model=f"j{number}"))
            for name, n in items.items():
                store.put_items(
                    [Item(benchmark=name, version=VERSION, id=f"i{i}", turns=()) for i in range(n)]
                )
        with store._database.writing() as connection:
            engine = connection.dialect.name
            connection.execute(text("INSERT INTO names (name) VALUES ('served')"))
            sha = "x'ab'" if engine == "sqlite" else r"'\xab'"
            connection.execute(text(f"INSERT INTO texts (sha, body) VALUES ({sha}, 'truncated')"))
            first = 1
            for number, n in enumerate(items.values(), 1):
                where = {"n": n * each, "first": first}
                place = {"benchmark": number, "items": n}
                place["item"] = connection.execute(
                    text("SELECT min(id) FROM items WHERE benchmark_id = :number"),
                    {"number": number},
                ).scalar_one()
                said: dict[str, Any] = {
                    "numbers": _NUMBERS[engine], "key": _KEY[engine], "judges": JUDGES,
                    "models": MODELS, "each": each, "parts": _parts(dimensions),
                }  # fmt: skip
                connection.execute(text(_JUDGMENTS.format(**said)), where)
                connection.execute(text(_USES.format(**said)), where | place)
                first += n * each
            made = time.monotonic()
        with store._database.writing() as connection:
            columns.rebuild(connection)
            packed = time.monotonic()
        with store.snapshot() as connection:
            size, n = connection.execute(
                text("SELECT CAST(sum(length(blob)) AS bigint), count(*) FROM chunks")
            ).one()
    return (
        f"made in {made - began:.0f} s, packed in {packed - made:.0f} s: {n:,} chunks of"
        f" {size / judgments:.1f} bytes a verdict"
    )


def _parts(dimensions: int) -> str:
    """Named parts of a score as SQL, each from 1 to 5."""
    if not dimensions:
        return "NULL"
    each = " || ', ' || ".join(
        f"'\"dimension-{d}\": ' || (1 + n * {7919 + d} % 10007 % 5) || '.0'"
        for d in range(dimensions)
    )
    return f"CASE WHEN n % 101 = 0 THEN NULL ELSE '{{' || {each} || '}}' END"


def read(url: str, what: str, packed: bool) -> None:
    """In a process of its own: prints `Took` as JSON."""
    if not packed:
        columns.is_packed = lambda connection: False
    benchmark, _, judge = WHAT[what]
    with open_store(url, read_only=True) as store:
        began, cpu = time.perf_counter(), time.process_time()
        judges = [one.id for one in store.judges() if one.name == judge] if judge else None
        found = store.board_verdicts(benchmark, VERSION, judges=judges)
        _print_took(len(found["value"]), began, cpu)


def make_boards(url: str, benchmark: str, panel: str) -> None:
    """As `read`: the leaderboards of a benchmark."""
    # Imported here, since rows are read without them.
    from judgebench.report.leaderboard import leaderboards
    from judgebench.report.panels import parse_panel

    panels = [parse_panel(panel)] if panel else []
    with open_store(url, read_only=True) as store:
        began, cpu = time.perf_counter(), time.process_time()
        found = leaderboards(store, benchmark, panels=panels)
        seats = sum(board.judge_id is not None for board in found)
        _print_took(seats * MODELS * found[0].rows[0].counts["items"], began, cpu)


def _print_took(rows: int, began: float, cpu: float) -> None:
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps([rows, seconds, cpu_s, peak]))


def best(url: str, what: str, *more: str) -> Took:
    """The quickest of some processes."""
    command = [sys.executable, __file__, "--read", url, "--what", what, *more]
    done = [
        subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        for _ in range(1 if "--unpacked" in more else 3)
    ]
    return min((Took(*json.loads(one.stdout)) for one in done), key=lambda took: took.seconds)


def plans(url: str) -> None:
    """How the engine finds what a board is read from."""
    with open_store(url, read_only=True) as store, store.snapshot() as connection:
        sqlite = connection.dialect.name == "sqlite"
        for name, prepared in (("chunks", columns._OF_CHUNKS), ("tail", columns._OF_TAIL)):
            sql, _ = prepared._sql(connection, tuple(columns._here((1, 1, 1, 0))))
            for found, value in columns._here((1, 1, 1, 0)).items():
                for written in (f":{found}", f"%({found})s::INTEGER", f"%({found})s"):
                    sql = sql.replace(written, str(value))
            rows = connection.execute(text(f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{sql}")).all()
            for row in rows:
                print(f"    {name}: {row[-1]}")


def measure(url: str) -> bool:
    """Read and print; whether all was quick and small enough."""
    well = True
    for what, (_, title, _) in WHAT.items():
        took = best(url, what)
        most_s, most_mb = AT_MOST[what]
        well &= took.seconds <= most_s and took.mb <= most_mb
        print(f"  {title:<44}{took.rows:10,} rows{took.seconds:8.2f} s{took.cpu_s:8.2f} s CPU"
              f"{took.mb:7.0f} MB", flush=True)  # fmt: skip
    slow = best(url, "all", "--unpacked")
    print(f"  {'all, of a store that is not packed':<44}{slow.rows:10,} rows"
          f"{slow.seconds:8.2f} s{slow.cpu_s:8.2f} s CPU{slow.mb:7.0f} MB", flush=True)  # fmt: skip
    plans(url)
    return well


def measure_boards(url: str) -> bool:
    """As `measure`, leaderboards of both benchmarks with and without a panel."""
    well = True
    for benchmark in ("small", "large"):
        for panel in ("", PANEL):
            took = best(url, benchmark, "--boards", *(["--panel", panel] if panel else []))
            well &= took.seconds <= BOARDS_AT_MOST[0] and took.mb <= BOARDS_AT_MOST[1]
            print(f"  leaderboards {'with a panel' if panel else '':<14}{took.rows:10,} scores"
                  f"{took.seconds:8.2f} s{took.cpu_s:8.2f} s CPU{took.mb:7.0f} MB",
                  flush=True)  # fmt: skip
    return well


def emptied(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--judgments", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--server")
    parser.add_argument("--made", nargs="+")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    parser.add_argument("--boards", action="store_true")
    parser.add_argument("--dimensions", type=int, default=0)
    parser.add_argument("--what", help=argparse.SUPPRESS)
    parser.add_argument("--panel", default="", help=argparse.SUPPRESS)
    parser.add_argument("--unpacked", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read and given.boards:
        make_boards(given.read, given.what, given.panel)
        return
    if given.read:
        read(given.read, given.what, not given.unpacked)
        return
    print(f"{platform.platform()}, Python {platform.python_version()},"
          f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    well = True
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        urls = given.made or [f"sqlite:///{folder}/store.db", *filter(None, [given.server])]
        for url in urls:
            engine = "SQLite" if located(url).path else "PostgreSQL"
            made = "" if given.made else make(url, given.judgments, given.dimensions)
            print(f"{engine}: {made}", flush=True)
            try:
                well &= measure_boards(url) if given.boards else measure(url)
            finally:
                if url == given.server:
                    emptied(url)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
