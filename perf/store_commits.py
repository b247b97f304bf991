"""How fast a store takes whole judgments: ``python perf/store_commits.py [COUNT] [URL]``.

A judgment is a reply with its question (two texts of 250 characters), what it took, the verdict and
where it serves. They come out of an event loop with 256 of them under way, through the queue of the
thread that writes; then from four processes at once. Then the look-ups of a run planned again.
Without a URL: a file, as it is by default and with ``?synchronous=full``.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.protocols import Paid
from judgebench.records import (
    ChatRequest,
    JudgeSpec,
    Judgment,
    Message,
    ModelSpec,
    Purpose,
    Reply,
    RunManifest,
    RunVerdict,
    Score,
    Spend,
    Usage,
    VerdictSlot,
)
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.written import keep

ITEMS = 5_000
UNDER_WAY = 256
PROCESSES = 4
USAGE = Usage(prompt_tokens=100, completion_tokens=20)


def begun(store: Store, run: str) -> tuple[bytes, bytes]:
    store.start_run(
        RunManifest(
            id=run, name="perf", configuration={}, versions={}, git_sha=None, data_sha={},
            seeds={}, started=time.time(),
        )
    )  # fmt: skip
    return store.put_model("m", ModelSpec(weights="m")), store.put_judge("j", JudgeSpec(kind="k"))


def judgment_of(
    run: str, number: int, model: bytes, judge: bytes
) -> tuple[Paid, Judgment, RunVerdict]:
    place = VerdictSlot(
        benchmark="b", version="1", item_id=str(number % ITEMS), model_key=model,
        judge_key=judge, sample=number // ITEMS + os.getpid() % 10_000 * 1_000,
    )  # fmt: skip
    key = hashlib.sha256(f"{run} {number}".encode()).digest()
    asked = Message(role="user", content=f"{run} {number} ".ljust(250, "x"))
    purpose = Purpose(run_id=run, place=place)
    paid = Paid(
        key=key,
        request=ChatRequest(provider="p", model="jm", messages=(asked,)),
        reply=Reply(text=f"{run} {number} ".ljust(250, "y"), usage=USAGE, served_model="jm"),
        spend=Spend(
            purpose=purpose, how="live", provider="p", model="jm", usage=USAGE, cost_usd=0.001
        ),
    )
    judgment = Judgment(
        key=hashlib.sha256(key).digest(), judge_key=judge, case_key=key,
        verdict=Score(value=0.5, low=0, high=1), reply_keys=(key,), served_model="jm",
        at=time.time(),
    )  # fmt: skip
    return paid, judgment, RunVerdict(run_id=run, place=place, judgment_key=judgment.key)


async def timed(
    store: Store, paid: Paid, judgment: Judgment, use: RunVerdict, waits: list[float]
) -> None:
    def put(into: Any) -> None:
        into.put_reply(paid.key, paid.request, paid.reply, paid.spend)
        into.put_judgment(judgment, [use])

    began = time.perf_counter()
    await keep(store, put, paid=paid)
    waits.append(time.perf_counter() - began)


def through_the_queue(
    url: str, count: int, run: str, ready: Callable[[], object] = bool
) -> tuple[float, float]:
    """Seconds, and seconds of CPU in the loop's thread; from ``ready`` on, with the store open."""
    with open_store(url) as store:
        model, judge = begun(store, run)
        made = [judgment_of(run, number, model, judge) for number in range(count)]

        async def all_of_them() -> None:
            rest = iter(made)

            async def slot() -> None:
                for each in rest:
                    await timed(store, *each, [])

            await asyncio.gather(*(slot() for _ in range(UNDER_WAY)))

        ready()
        began, cpu = time.perf_counter(), time.thread_time()
        asyncio.run(all_of_them())
        return time.perf_counter() - began, time.thread_time() - cpu


def paced(url: str, count: int, run: str, rate: float) -> list[float]:
    """How long each waited where so many come in a second."""
    waits: list[float] = []
    with open_store(url) as store:
        model, judge = begun(store, run)
        made = [judgment_of(run, number, model, judge) for number in range(count)]

        async def all_of_them() -> None:
            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for number, each in enumerate(made):
                    if (early := began + number / rate - time.perf_counter()) > 0:
                        await asyncio.sleep(early)
                    group.create_task(timed(store, *each, waits))

        asyncio.run(all_of_them())
    return sorted(waits)


def _beside(url: str, count: int, number: int, ready: Any) -> None:
    through_the_queue(url, count, f"beside {number} {time.time()}", ready.wait)


def beside_each_other(url: str, count: int) -> float:
    """Seconds in which so many processes put ``count`` each."""
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(PROCESSES + 1)
    children = [
        spawn.Process(target=_beside, args=(url, count, number, ready))
        for number in range(PROCESSES)
    ]
    for child in children:
        child.start()
    ready.wait()
    began = time.perf_counter()
    for child in children:
        child.join()
    return time.perf_counter() - began


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(name: str, url: str, count: int) -> None:
    took, cpu = through_the_queue(url, count, f"run {time.time()}")
    print(
        f"{name:28}{count / took:10,.0f} judgments/s, {UNDER_WAY} under way;"
        f" {1e6 * cpu / count:.0f} µs each in the loop's thread"
    )
    slow = paced(url, min(count, 5_000), f"paced {time.time()}", 1_000)
    print(
        f"{'':28}{1e3 * slow[len(slow) // 2]:10.1f} ms added at the median at 1,000/s, p99"
        f" {1e3 * slow[int(len(slow) * 0.99)]:.1f}, worst {1e3 * slow[-1]:.1f}"
    )
    each = count // PROCESSES
    beside = beside_each_other(url, each)
    print(f"{'':28}{PROCESSES * each / beside:10,.0f} judgments/s from {PROCESSES} processes")
    with open_store(url) as store:
        keys = [hashlib.sha256(f"nobody {n}".encode()).digest() for n in range(20_000)]
        took = seconds(lambda: store.judged(keys))
        print(f"{'':28}{1e6 * took / len(keys):10.1f} µs a key that is looked up with others")
        took = seconds(lambda: [store.reply(key) for key in keys[:2_000]])
        print(f"{'':28}{1e6 * took / 2_000:10.1f} µs a reply that is looked up alone")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument(
        "asked", nargs="*", metavar="COUNT|URL",
        help="how many (40,000), and the addresses of stores; "
        "without one: a file, as it is by default and with ?synchronous=full",
    )  # fmt: skip
    words = parser.parse_args().asked
    numbers = [int(word) for word in words if word.isdigit()]
    urls = [word for word in words if not word.isdigit()]
    total = numbers[0] if numbers else 40_000
    if urls:
        for address in urls:
            measure(address.partition(":")[0], address, total)
    else:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            measure("SQLite", f"sqlite:///{Path(folder) / 'normal.db'}", total)
            full = f"sqlite:///{Path(folder) / 'full.db'}?synchronous=full"
            measure("SQLite, synchronous=full", full, total)
