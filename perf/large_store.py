"""Reading a store of ten million judgments, on both engines.

    python perf/large_store.py [--engine sqlite|postgresql|both] [--judgments 10000000]
    python perf/large_store.py --boards --judgments 1920000 [--dimensions 3]

Makes a store in a temporary folder and one on a PostgreSQL server of its own (of Debian's package,
its files in memory where there is room), by SQL alone and always the same: 5 judges on 50 models,
half of all verdicts on one benchmark, and the other half on ten alike. There are no answers and no
texts but a reason. Each reading is of a process of its own, whose peak is the kernel's
(``ru_maxrss``), with the files in the page cache, since nobody may drop that here; the best of
three. CPU is that of the process that reads. Pages are what they ask a store before any number is
computed. With ``--server URL`` an empty database is filled and emptied again, on a server that is
there; with ``--made URL`` a store that this script made before is read, and stays.

``--boards`` measures the leaderboards made of what is read instead, estimates and ranks with them,
without a panel and with one of three judges; ``--dimensions`` gives scores so many named parts.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.records import Item, JudgeSpec, ModelSpec, RunManifest
from judgebench.store import columns
from judgebench.store.opening import located, open_store

VERSION = "1"
JUDGES, MODELS = 5, 50
LARGE, SMALL = "large", [f"small-{number}" for number in range(10)]
BOARDS = {"all": (LARGE, ""), "unpacked": (LARGE, ""), "one": (SMALL[0], "judge-0")}
"""What is read of which benchmark, and of which judge alone."""

PAGES = {
    "overview": ("holdings", "verdicts_used", "failure_kinds", "last_numbers"),
    "leaderboard": ("benchmarks", "boards_met", "last_numbers"),
    "runs": ("runs_under_way", "last_numbers"),
    "compare": ("benchmarks", "boards_met", "tagged", "models"),
}
"""The methods of a store that a page calls, with what they are given."""

WHAT = {
    "all": ("all rows of a benchmark", 1.0, 350.0),
    "one": ("one judge on a benchmark", 0.3, 350.0),
    **{page: (f"what the page {page} asks first", 2.0, 350.0) for page in PAGES},
    "unpacked": ("all, of a store that is not packed", math.inf, 350.0),
}
"""Seconds, and megabytes at the peak, of what is read."""

LEADERBOARDS = {
    f"{benchmark} {panel}": (f"leaderboards{' with a panel' if panel else ''}", 4.0, 250.0)
    for benchmark in (SMALL[0], LARGE)
    for panel in ("", "mean(judge-0,judge-1,judge-2)")
}
"""The same of leaderboards, of a million scores at most."""

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


def make(url: str, judgments: int, dimensions: int) -> str:
    """A store where there is none; what it took, in words."""
    began = time.monotonic()
    each = JUDGES * MODELS
    items = {LARGE: judgments // 2 // each}
    items |= dict.fromkeys(SMALL, judgments // 2 // each // max(1, len(SMALL)))
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
                if not n:  # a store too small for ten more benchmarks
                    continue
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
            if engine == "postgresql":  # what comes through the queue goes on from here
                after = "pg_get_serial_sequence('judgments', 'id'), max(id)"
                connection.execute(text(f"SELECT setval({after}) FROM judgments"))
            made = time.monotonic()
        columns.pack(store._database)
        packed = time.monotonic()
        with store.snapshot() as connection:
            size, n = connection.execute(
                text("SELECT CAST(sum(length(blob)) AS bigint), count(*) FROM chunks")
            ).one()
    return (
        f"{first - 1:,} judgments, {located(url).size() / 1e9:.2f} GB, made in"
        f" {made - began:.0f} s, packed in {packed - made:.0f} s: {n:,} chunks of"
        f" {size / judgments:.1f} bytes a verdict"
    )


def _parts(dimensions: int) -> str:
    """Named parts of a score as SQL, each from 1 to 5."""
    each = " || ', ' || ".join(
        f"'\"dimension-{d}\": ' || (1 + n * {7919 + d} % 10007 % 5) || '.0'"
        for d in range(dimensions)
    )
    return f"CASE WHEN n % 101 <> 0 THEN '{{' || {each} || '}}' END" if dimensions else "NULL"


def read(url: str, what: str) -> None:
    """In a process of its own: prints `Took` as JSON."""
    if what in LEADERBOARDS:
        # Imported here, since rows are read without them.
        from judgebench.reports.boards import parse_panel
        from judgebench.reports.leaderboard import leaderboards
    if what == "unpacked":
        columns.__dict__["marks"] = lambda connection: {}
    began, cpu, n = time.perf_counter(), time.process_time(), 0
    with open_store(url, read_only=True) as store:
        if what in PAGES:
            for name in PAGES[what]:
                method, *its = name.split()
                getattr(store, method)(*its)
        elif what in LEADERBOARDS:
            benchmark, panel = what.split(" ")
            made = leaderboards(store, benchmark, panels=[parse_panel(panel)] if panel else [])
            assignments = sum(board.judge_id is not None for board in made)
            n = assignments * MODELS * made[0].rows[0].counts["items"]
        else:
            benchmark, judge = BOARDS[what]
            judges = [one.id for one in store.judges() if one.name == judge] if judge else None
            n = len(store.board_verdicts(benchmark, VERSION, judges=judges)["value"])
        took = time.perf_counter() - began
        cpu = time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps([n, took, cpu, peak]))


def best(url: str, what: str) -> Took:
    """The quickest of some processes."""
    done = [
        subprocess.run(
            [sys.executable, __file__, "--read", url, "--what", what],
            stdout=subprocess.PIPE, text=True, check=True,
        )
        for _ in range(1 if what == "unpacked" else 3)
    ]  # fmt: skip
    return min((Took(*json.loads(one.stdout)) for one in done), key=lambda took: took.seconds)


def plans(url: str) -> None:
    """How the engine finds what a board is read from."""
    with open_store(url, read_only=True) as store, store.snapshot() as connection:
        sqlite = connection.dialect.name == "sqlite"
        here = columns._here((1, 1))
        sql, *_ = columns._packed_of(len(here))._sql(connection, tuple(here))
        for name, value in here.items():
            for written in (f":{name}", f"%({name})s::INTEGER", f"%({name})s"):
                sql = sql.replace(written, str(value))
        rows = connection.execute(text(f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{sql}")).all()
        for row in rows:
            print(f"    {row[-1]}")


def measure(url: str, whats: Mapping[str, tuple[str, float, float]]) -> bool:
    """Read and print; whether all was quick and small enough."""
    well = True
    for what, (title, most_s, most_mb) in whats.items():
        took = best(url, what)
        well &= took.seconds <= most_s and took.mb <= most_mb
        n = f"{took.rows:,} {'scores' if what in LEADERBOARDS else 'rows'}" if took.rows else ""
        print(f"  {title:<36}{n:>15}{took.seconds:8.2f} s{took.cpu_s:8.2f} s CPU"
              f"{took.mb:7.0f} MB", flush=True)  # fmt: skip
    if whats is WHAT:
        plans(url)
    return well


@contextmanager
def place(engine: str, given: argparse.Namespace) -> Iterator[str]:
    """The address of an empty store, which goes in the end."""
    # Imported here, since the processes that read do without, and their peak is measured.
    import psycopg

    from tests.postgres import running

    if engine == "sqlite":
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            yield f"sqlite:///{folder}/store.db"
    elif given.server:
        yield given.server
        with psycopg.connect(given.server, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    else:
        with running() as server:
            server.make("large")
            yield server.url("large")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--judgments", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--server")
    parser.add_argument("--made")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    parser.add_argument("--boards", action="store_true")
    parser.add_argument("--dimensions", type=int, default=0)
    parser.add_argument("--what", choices=[*WHAT, *LEADERBOARDS], help=argparse.SUPPRESS)
    given = parser.parse_args()
    whats = LEADERBOARDS if given.boards else WHAT
    if given.read:
        read(given.read, given.what)
        return
    print(f"{platform.platform()}, Python {platform.python_version()},"
          f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    if given.made:
        sys.exit(0 if measure(given.made, whats) else 1)
    well = True
    for engine in ("sqlite", "postgresql") if given.engine == "both" else (given.engine,):
        with place(engine, given) as url:
            made = make(url, given.judgments, given.dimensions)
            print(f"{'SQLite' if located(url).path else 'PostgreSQL'}: {made}", flush=True)
            well &= measure(url, whats)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
