"""How what takes long grows with what there is: 10^3 to 10^6, ten times more each.

    python perf/growth.py [--most 1000000] [--engine sqlite|postgresql]

Verdicts appended through the queue of the thread that writes (each with its reply and spending, to
a tenth of ``--most``: a million take minutes); all rows of a benchmark read into columns, in a
process of its own, from a store made by SQL (half of its verdicts are that benchmark's);
Bradley-Terry strengths of 200 models with ranks, from rows. CPU stands beside the clock, since
others may be at work. 10^7 is in large_store.txt, whose code makes these stores (from 10^4 on).
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import large_store
import store_commits
from rankings import compare, made_up, rank_models, timed

LEAST = 1_000


@contextmanager
def store(engine: str) -> Iterator[str]:
    given = argparse.Namespace(folder=None, server=None)
    with large_store.place(engine, given) as url:
        yield url


def line(what: str, n: int, seconds: float, cpu_s: float) -> None:
    each = 1e6 * cpu_s / n
    print(f"  {what:<34}{n:>12,}{seconds:10.3f} s{cpu_s:10.3f} s CPU{each:9.2f} µs each",
          flush=True)  # fmt: skip


def append(engine: str, n: int) -> None:
    with store(engine) as url:
        before = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        seconds, _ = store_commits.through_the_queue(url, n, "grows")
        # With the making of what is put.
        line("appended", n, seconds, sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - before)


def read(engine: str, n: int) -> None:
    with store(engine) as url:
        large_store.make(url, n, 0)
        took = large_store.best(url, "all")
    line("all rows of a benchmark, read", took.rows or 1, took.seconds, took.cpu_s)


def rank(n: int) -> None:
    prompts = max(10, n // 200)
    arrays = made_up(n, 200, prompts)

    def work() -> None:
        rank_models(compare(*arrays, n_models=200, n_prompts=prompts))

    cpu_s, wall_s, _ = timed(work, 3)
    line("Bradley-Terry, 200 models, ranks", n, wall_s, cpu_s)


def sizes(most: int) -> Iterator[int]:
    n = LEAST
    while n <= most:
        yield n
        n *= 10


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    given = parser.parse_args()
    began = time.monotonic()
    print(
        f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}; {given.engine}"
    )
    for n in sizes(given.most // 10):
        append(given.engine, n)
    for n in sizes(given.most):
        if n > LEAST:
            read(given.engine, n)
    for n in sizes(given.most):
        rank(n)
    print(f"load {os.getloadavg()[0]:.1f} at the end, after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
