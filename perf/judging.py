"""Judging side by side: judgebench, the bare official client, inspect-ai and alpaca-eval.

    python perf/judging.py [--rivals FOLDER] [--full]

All ask one loopback server in one run, each in a process of its own, and ask about the same rows.
What is compared:

- ``judgebench``: a whole ``judgebench run`` of own prompts with recorded answers and a reference
  judge: every question, reply and verdict is in the store, and the board is printed;
- ``AsyncOpenAI``: the official client and nothing else, its retries off; and over aiohttp;
- ``inspect-ai``: ``eval`` of a task whose solver puts the recorded answer in place, graded by
  ``model_graded_qa``: one call for each sample, that of the grader; its log is written;
- ``alpaca-eval``: its pairwise annotator comparing answer and reference, one call for each pair;
  with its 5 threads and chunks of 128 by default, and with as many threads as connections.

The server tells when a client's calls arrive. Calls per second and CPU per call are of the steady
state, in which each new call takes the place of one that was answered; the time to the first call
and the whole run stand beside them. CPU is user and system time of the client and its children, not
of the server. Each figure is the best of the rounds, which are interleaved: other work on the
machine only adds.

The rivals are installed into environments below ``--rivals`` on first use, never into this one.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from perf.judging_rivals.contestants import (
    RIVALS,
    Contestant,
    Task,
    alpaca_eval,
    clients,
    environment,
    inspect_ai,
    write_rows,
)
from perf.judging_rivals.measuring import (
    LoopbackServer,
    Measured,
    Whole,
    asking,
    cached,
    loopback_server,
)

LATENCIES_MS = (20, 200)
CONNECTIONS = (64, 256)
OURS, BARE, RIVAL = "judgebench", "AsyncOpenAI", "inspect-ai"
FASTER_THAN_RIVAL = 6.0
OF_THE_POSSIBLE = 0.9
CACHED_ITEMS, CACHED_S = 1000, 1.0
SLOW_CALLS_PER_SLOT = 20


class Course:
    """One measurement after another, each in a folder of its own."""

    def __init__(self, server: LoopbackServer, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._count = 0

    def ask(self, client: Contestant, latency_ms: int, connections: int, calls: int) -> Measured:
        """So many calls at most, with nothing cached; the same number for each slot."""
        slots = client.slots or connections
        calls = calls // slots * slots
        task = self._task(client, latency_ms, connections, calls)
        return asking(
            self._server, client.command(task), calls=calls, slots=slots, folder=task.folder
        )

    def ask_again(self, client: Contestant, items: int, rounds: int) -> Whole:
        """Ask once, and then again with every answer cached: the quickest of the rounds."""
        task = self._task(client, 1, CONNECTIONS[0], items, cache=True)
        command = client.command(task)
        slots = client.slots or CONNECTIONS[0]
        asking(self._server, command, calls=items, slots=slots, folder=task.folder)
        again = [cached(self._server, command, folder=task.folder) for _ in range(rounds)]
        return min(again, key=lambda whole: whole.wall_s)

    def _task(
        self, client: Contestant, latency_ms: int, connections: int, rows: int, cache: bool = False
    ) -> Task:
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        return Task(
            rows=write_rows(folder / "rows.jsonl", rows),
            base_url=self._server.base_url(latency_ms, client.reply),
            connections=connections,
            folder=folder,
            cache=cache,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What was to be reached, and whether it was."""

    what: str
    reached: bool

    def __str__(self) -> str:
        return f"  {'pass' if self.reached else 'FAIL'}  {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best of a client's rounds, figure by figure."""

    calls_per_s: float
    slowest: float
    cpu_ms: float
    fastest: Measured

    @classmethod
    def of(cls, rounds: Sequence[Measured]) -> Best:
        fastest = max(rounds, key=lambda measured: measured.calls_per_s)
        cpu_ms = min(measured.cpu_ms for measured in rounds)
        slowest = min(measured.calls_per_s for measured in rounds)
        return cls(calls_per_s=fastest.calls_per_s, slowest=slowest, cpu_ms=cpu_ms, fastest=fastest)


def compare(
    course: Course, clients: Sequence[Contestant], latency_ms: int, connections: int, size: Size
) -> list[Target]:
    """Measure and print one pairing of latency and connections."""
    rounds: dict[str, list[Measured]] = {client.name: [] for client in clients}
    for number in range(size.rounds):
        for client in clients:
            if number == 0 or size.rivals_too or not client.rival:
                measured = course.ask(client, latency_ms, connections, size.calls_of(client))
                rounds[client.name].append(measured)
    found = {name: Best.of(taken) for name, taken in rounds.items()}
    possible = connections / latency_ms * 1e3
    here = f"{latency_ms} ms, {connections} connections"
    print(f"\n{here}: at most {possible:,.0f} calls/s", flush=True)
    print(
        f"  {'':<24}calls/s   times  CPU ms  most in  calls    to first call      whole run"
        f" slowest\n  {'':<24}           ours    /call   flight            s    CPU s         s"
        f"   CPU s   round"
    )
    ours = found[OURS]
    for name, its in found.items():
        run = its.fastest
        print(
            f"  {name:<24}{its.calls_per_s:8,.0f} {its.calls_per_s / ours.calls_per_s:7.2f}"
            f" {its.cpu_ms:7.2f} {run.most_in_flight:8} {run.calls:6}"
            f" {run.start_s:9.1f} {run.start_cpu_s:9.1f} {run.wall_s:9.1f} {run.cpu_s:7.1f}"
            f" {its.slowest:8,.0f}",
            flush=True,
        )
    return list(_targets(found, possible, here))


def _targets(found: dict[str, Best], possible: float, here: str) -> Iterator[Target]:
    ours, bare = found[OURS], found[BARE]
    yield Target(
        what=f"{here}: {ours.cpu_ms:.2f} CPU ms per call, the bare client {bare.cpu_ms:.2f}",
        reached=ours.cpu_ms <= bare.cpu_ms,
    )
    if RIVAL not in found:
        return
    wanted = FASTER_THAN_RIVAL * found[RIVAL].calls_per_s
    bound = OF_THE_POSSIBLE * possible
    why = f"{FASTER_THAN_RIVAL:g} times {RIVAL}" if wanted < bound else "0.9 of what is possible"
    wanted = min(wanted, bound)
    yield Target(
        what=f"{here}: {ours.calls_per_s:,.0f} calls/s, {why} is {wanted:,.0f}",
        reached=ours.calls_per_s >= wanted,
    )


def compare_cached(
    course: Course, clients: Sequence[Contestant], items: int, size: Size
) -> list[Target]:
    """Measure and print a second run in which nothing is left to ask."""
    print(f"\nagain, {items:,} items cached\n  {'':<25}wall s   CPU s   times ours")
    targets, ours_s = [], 0.0
    for client in clients:
        again = course.ask_again(client, items, 1 if client.rival else size.rounds)
        if client.name == OURS:
            ours_s = again.wall_s
            if items <= CACHED_ITEMS:
                what = f"again, {items:,} items cached: {ours_s:.2f} s, to be below {CACHED_S:g}"
                targets.append(Target(what=what, reached=ours_s < CACHED_S))
        times = again.wall_s / ours_s
        print(
            f"  {client.name:<24}{again.wall_s:7.2f} {again.cpu_s:7.2f} {times:12.1f}", flush=True
        )
    return targets


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured. ``rivals_too``: every round and the larger cache for rivals as well."""

    calls: int
    rounds: int
    rivals_too: bool

    def calls_of(self, client: Contestant) -> int:
        """How many calls a client makes; a few seconds are enough for each."""
        if client.slots is not None:
            return SLOW_CALLS_PER_SLOT * client.slots
        return 3 * max(CONNECTIONS) if client.rival else self.calls


def contestants(home: Path) -> list[Contestant]:
    """Everybody; a rival that cannot be installed is said to be missing."""
    found = clients()
    for name, make in {"inspect-ai": inspect_ai, "alpaca-eval": alpaca_eval}.items():
        try:
            found += make(environment(home, name))
        except subprocess.CalledProcessError:
            print(f"{name} is not measured: {', '.join(RIVALS[name])} could not be installed")
    return found


def measure(home: Path, size: Size) -> bool:
    """Print every comparison and whether the targets were reached; whether all were."""
    everybody = contestants(home)
    targets: list[Target] = []
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    packages = dict.fromkeys(package for packages in RIVALS.values() for package in packages)
    print(f"Python {platform.python_version()}; {', '.join(packages)}")
    print(f"best of {size.rounds} rounds{'' if size.rivals_too else ', rivals of one'}")
    with loopback_server() as server, tempfile.TemporaryDirectory() as folder:
        course = Course(server, Path(folder))
        for latency_ms in LATENCIES_MS:
            for connections in CONNECTIONS:
                targets += compare(course, everybody, latency_ms, connections, size)
        caching = [client for client in everybody if client.caches]
        targets += compare_cached(course, caching, CACHED_ITEMS, size)
        many = caching if size.rivals_too else [client for client in caching if not client.rival]
        targets += compare_cached(course, many, 10 * CACHED_ITEMS, size)
    print(f"\ntargets (load {os.getloadavg()[0]:.1f} at the end)")
    print("\n".join(map(str, targets)))
    return all(target.reached for target in targets)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--rivals",
        type=Path,
        default=Path(tempfile.gettempdir()) / "judgebench-rivals",
        help="where the rivals are installed, each into a folder of its own",
    )
    parser.add_argument("--calls", type=int, default=2048, help="rivals make fewer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="twice the calls, rivals every round")
    options = parser.parse_args()
    size = Size(
        calls=options.calls * (2 if options.full else 1),
        rounds=options.rounds,
        rivals_too=options.full,
    )
    sys.exit(0 if measure(options.rivals, size) else 1)


if __name__ == "__main__":
    main()
