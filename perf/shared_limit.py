"""Four processes share the requests of a minute: ``python perf/shared_limit.py [--items 1600]``.

A suite whose judge may be asked 600 times a minute, in four shards at once on one store: a file,
then a database on a server, where one is installed. The judge's server counts whatever minute has
just passed and answers 429 to what is above 600. Takes three minutes for each store. Ends with 1
where it had to, or where some minute, while all four had something to ask, saw less than 570.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.providers.rate_limit import RateLimit, SharedRate
from judgebench.records import ChatRequest, Reply, Request
from judgebench.store.opening import open_store
from tests.e2e import own, runs
from tests.loopback import Ask, Loopback, Reaction
from tests.postgres import binaries, running

ROOT = Path(__file__).resolve().parents[1]
PER_MINUTE, LEAST, SHARDS, MINUTE_S, DELAY_S = 600, 570, 4, 60.0, 0.3
ALONE, MANY = 64_000, 2_000_000  # one process: requests, and how many a minute are allowed
SETTLED_S = 5.0  # after the last one began


class Counting:
    """What a server sees that enforces its limit over whatever minute has just passed."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.refused = 0
        self._minute: deque[float] = deque()

    def __call__(self, ask: Ask) -> Reaction:
        now = time.monotonic()
        while self._minute and self._minute[0] <= now - MINUTE_S:
            self._minute.popleft()
        if len(self._minute) >= PER_MINUTE:
            self.refused += 1
            return Reaction(status=429, delay_s=DELAY_S)
        self._minute.append(now)
        self.times.append(now)
        return Reaction(text='{"score": 5, "reason": "so"}', delay_s=DELAY_S)

    def minutes(self, since: float, until: float) -> Iterator[int]:
        """How many requests were in each minute that begins with one of them."""
        last = 0
        for first, at in enumerate(self.times):
            if at < since or at + MINUTE_S > until:
                continue
            while last < len(self.times) and self.times[last] < at + MINUTE_S:
                last += 1
            yield last - first


@contextmanager
def store(server: bool, folder: Path) -> Iterator[None]:
    with ExitStack() as kept:
        if server:
            its = kept.enter_context(running())
            runs.keep_at(folder, its.url(kept.enter_context(its.database("store"))))
        yield


def measured(folder: Path, items: int) -> bool:
    seen = Counting()
    with Loopback(seen) as server:
        judge = own.endpoint(
            server.url, "grader", kind="rubric", requests_per_minute=PER_MINUTE, max_connections=8
        )
        path = own.suite(folder, items=items, judges=[judge], benchmark={"scale": [1, 10]})
        words = [sys.executable, "-m", "judgebench.cli.main", "run", str(path), "--quiet"]
        with open_store(runs.store_url(folder)):  # four that make one at once wait for each other
            pass
        processes = [
            subprocess.Popen(
                [*words, "--shard", f"{n + 1}/{SHARDS}"], cwd=ROOT, stderr=subprocess.DEVNULL
            )
            for n in range(SHARDS)
        ]
        ended: list[float] = []
        while len(ended) < SHARDS:
            time.sleep(0.1)
            gone = [p for p in processes if p.poll() is not None]
            ended += [time.monotonic()] * (len(gone) - len(ended))
    codes = [process.returncode for process in processes]
    with open_store(runs.store_url(folder), read_only=True) as its:
        began = max(run.started for run in its.runs()) - time.time() + time.monotonic() + SETTLED_S
    again = own.spent(folder).get("retried", 0)
    minutes = list(seen.minutes(began, ended[0]))
    print(
        f"  {len(seen.times)} requests of {items}, exit codes {codes}; in any minute "
        f"{min(minutes)} to {max(minutes)} of {PER_MINUTE} allowed ({len(minutes)} minutes looked "
        f"at); {seen.refused} answered 429, {again} asked again; all done in "
        f"{ended[-1] - seen.times[0]:.0f} s, {len(seen.times) / PER_MINUTE * MINUTE_S:.0f} s at "
        "the limit",
        flush=True,
    )
    return not seen.refused and min(minutes) >= LEAST and max(minutes) <= PER_MINUTE


class Prompt:
    """A provider that answers at once."""

    async def complete(self, request: Request) -> Reply:
        return Reply(text="so")

    async def close(self) -> None: ...


def alone(url: str) -> str:
    """What it costs one process: CPU of a request, and leases of the store."""
    request = ChatRequest(provider="p", model="m", messages=())
    leases = 0

    async def through(limit: RateLimit) -> float:
        began = time.process_time()
        for _ in range(ALONE // 64):
            await asyncio.gather(*(limit.complete(request) for _ in range(64)))
        return time.process_time() - began

    def lease(seconds: float) -> tuple[float, float]:
        nonlocal leases
        leases += 1
        return its.lease_time(b"alone", seconds)

    own, shared = [], []
    with open_store(url) as its:
        for _ in range(3):
            limit = RateLimit(Prompt(), 64, requests_per_minute=MANY)
            own.append(asyncio.run(through(limit)))
            leases = 0
            rate = SharedRate(lease, MANY)
            limit = RateLimit(Prompt(), 64, requests_per_minute=MANY, shared=rate.take)
            shared.append(asyncio.run(through(limit)))
    more = (min(shared) - min(own)) / ALONE * 1e6
    return (
        f"  one process alone, {ALONE:,} requests of {MANY:,} allowed: {leases} leases, "
        f"{min(own) / ALONE * 1e6:.1f} µs of CPU a request by itself, {more:+.1f} µs where it "
        "shares"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=1600)
    items = parser.parse_args().items
    whole = True
    print(f"{os.cpu_count()} processors, of which others had {os.getloadavg()[0]:.1f} busy")
    for server in (False, True):
        if server and binaries() is None:
            print("no PostgreSQL server is installed")
            continue
        print("a database on a server" if server else "a file", flush=True)
        with tempfile.TemporaryDirectory() as folder, store(server, Path(folder)):
            whole &= measured(Path(folder), items)
            print(alone(runs.store_url(Path(folder))), flush=True)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
