"""How fast keys are claimed by several processes: ``python perf/claims.py [STORE...]``.

STORE is the address of a store that may be filled with claims and emptied of them: a file, or a
database on a server. Without one: a new file. Each process claims its keys in portions of 256, then
gives them back; once all have keys of their own, once all want the same ones, each in an order of
its own. Every key is won by one of them, or the script ends with an error.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass

from judgebench.execution.execute import PORTION
from judgebench.store.opening import located, open_store

PROCESSES = 8
KEYS = 25_600
"""Of each process, or of all together where they want the same."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one process did: keys tried, keys won, and when; the seconds of each portion."""

    won: list[bytes]
    began: float
    ended: float
    portions: list[float]
    released_s: float


def worker(url: str, number: int, same: bool) -> None:
    order = random.Random(number)
    keys = [hashlib.sha256(f"{0 if same else number}/{n}".encode()).digest() for n in range(KEYS)]
    order.shuffle(keys)
    with open_store(url) as store:
        store.exchange([hashlib.sha256(f"warm {number}".encode()).digest()])[0]
        print("ready", flush=True)
        sys.stdin.readline()
        portions: list[float] = []
        won: list[bytes] = []
        began = time.time()
        for start in range(0, KEYS, PORTION):
            at = time.perf_counter()
            won += store.exchange(keys[start : start + PORTION])[0]
            portions.append(time.perf_counter() - at)
        ended = time.time()
        print(began, ended, *(f"{seconds:.6f}" for seconds in portions), flush=True)
        print(*(key.hex() for key in won), flush=True)
        sys.stdin.readline()  # all have claimed: what is free again is no second win
        at = time.perf_counter()
        store.release(won)
        print(time.perf_counter() - at, flush=True)


def measured(url: str, same: bool, processes: int) -> list[Measured]:
    words = [sys.executable, __file__, "--worker", url]
    started = [
        subprocess.Popen(
            [*words, str(n), str(int(same))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(processes)
    ]

    def told(process: subprocess.Popen[str]) -> list[str]:
        assert process.stdout
        return process.stdout.readline().split()

    def go_on() -> None:
        for process in started:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()

    assert all(told(process) == ["ready"] for process in started)
    go_on()
    times = [[float(word) for word in told(process)] for process in started]
    won = [[bytes.fromhex(word) for word in told(process)] for process in started]
    go_on()
    released = [float(told(process)[0]) for process in started]
    if any(process.wait() for process in started):
        raise SystemExit("a process failed")
    return [
        Measured(keys, began, ended, portions, seconds)
        for keys, (began, ended, *portions), seconds in zip(won, times, released, strict=True)
    ]


def line(url: str, same: bool, processes: int) -> str:
    found = measured(url, same, processes)
    wins = Counter(key for one in found for key in one.won)
    wanted = KEYS if same else processes * KEYS
    if len(wins) != wanted or set(wins.values()) != {1}:
        raise SystemExit(f"{len(wins)} of {wanted} keys were won, some {max(wins.values())} times")
    seconds = max(one.ended for one in found) - min(one.began for one in found)
    waits = sorted(wait for one in found for wait in one.portions)
    kind = "the same keys" if same else "own keys"
    return (
        f"{processes} processes, {kind:<14} {processes * KEYS / seconds:>9,.0f} keys/s tried"
        f"   {wanted / seconds:>9,.0f} won   a portion p50 {waits[len(waits) // 2] * 1e3:6.1f} ms"
        f"   p99 {waits[int(len(waits) * 0.99)] * 1e3:7.1f} ms   worst {waits[-1] * 1e3:7.1f} ms"
        f"   given back {sum(wins.values()) / max(one.released_s for one in found):>9,.0f} keys/s"
    )


def main(urls: list[str]) -> None:
    print(f"{os.cpu_count()} processors, of which others had {os.getloadavg()[0]:.1f} busy")
    for url in urls:
        with open_store(url):
            print(located(url).url.partition("://")[0] if "://" in url else "sqlite")
        for processes, same in ((1, False), (PROCESSES, False), (PROCESSES, True)):
            print("  " + line(url, same, processes), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], int(sys.argv[3]), bool(int(sys.argv[4])))
    else:
        parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
        parser.add_argument("stores", nargs="*", metavar="STORE", help="addresses; or a new file")
        with tempfile.TemporaryDirectory() as folder:
            main(parser.parse_args().stores or [f"sqlite:///{folder}/claims.db"])
