"""How what takes long grows with what there is: 10^3 to 10^7, ten times more each.

    python perf/growth.py [--most 10000000] [--engine sqlite|postgresql|both]

Stores of so many judgments are made by SQL, as in large_store.py, half of them on one benchmark.
Of each all rows of that benchmark are read into columns, and its leaderboards are made with
intervals and ranks, each in a process of its own, whose peak is the kernel's; then 20,000
judgments come through the queue of the thread that writes, each with its reply and spending.
Bradley-Terry strengths of 200 models with ranks are from so many rows in memory. CPU, without that
of a server, stands beside the clock, since others may be at work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.stats.bradley_terry import compare
from judgebench.stats.ranking import rank_models
from perf import large_store, store_commits
from perf.rankings import made_up, timed

LEAST = 1_000
APPENDED = 20_000
READINGS = {"all": "rows of a benchmark", f"{large_store.LARGE} ": "leaderboards"}
"""What large_store.py reads, and in which words."""


@contextmanager
def store(engine: str) -> Iterator[str]:
    given = argparse.Namespace(folder=None, server=None)
    with large_store.place(engine, given) as url:
        yield url


def line(what: str, n: int, seconds: float, cpu_s: float, mb: float = 0.0) -> None:
    peak = f"{mb:9.0f} MB" if mb else ""
    print(f"  {what:<34}{n:>12,}{seconds:10.3f} s{cpu_s:10.3f} s CPU{peak}", flush=True)


def grown(engine: str, n: int) -> None:
    """What is read of a store of ``n`` judgments, and then what is appended to it."""
    with store(engine) as url:
        large_store.make(url, n, 0)
        for what, title in READINGS.items():
            took = large_store.best(url, what)
            line(f"{title}, {engine}", n, took.seconds, took.cpu_s, took.mb)
        appended = subprocess.run(
            [sys.executable, __file__, "--append", url],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        line(f"{APPENDED:,} appended to it, {engine}", n, *json.loads(appended.stdout))


def append(url: str) -> None:
    """In a process of its own: prints seconds, of CPU (what is put is made in it), and MB."""
    before = time.process_time()
    seconds, _ = store_commits.through_the_queue(url, APPENDED, "grows")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps([seconds, time.process_time() - before, peak]))


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
    parser.add_argument("--most", type=int, default=10_000_000)
    parser.add_argument("--engine", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--append", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.append:
        append(given.append)
        return
    began = time.monotonic()
    print(
        f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    for engine in ("sqlite", "postgresql") if given.engine == "both" else (given.engine,):
        for n in sizes(given.most):
            grown(engine, n)
    for n in sizes(given.most):
        rank(n)
    print(f"load {os.getloadavg()[0]:.1f} at the end, after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
