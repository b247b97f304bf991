"""What Ray costs: ``python perf/ray_overhead.py [--items 10000]``.

Two nodes on this machine, each with one copy of a stand-in for a model that takes 20 ms an item,
eight items at a time. The answers go through the same code as those of a local model, and into a
store, portion by portion. The possible rate is that of two copies that do nothing but wait.
Memory is that of the driver, over what it took before the first portion and the list of items; it
is measured at a tenth of the items and at all of them. Ends with 1 below 0.9 of the possible rate,
or where memory grew with the items by more than 16 MiB.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench import keys
from judgebench.records import Item, Message, ModelSpec, Response, Runtime
from judgebench.store.opening import open_store
from judgebench.workers.protocol import Answer, BatchAnswerer, Question, Refusal, serve

ROOT = Path(__file__).resolve().parents[1]
ITEM_S, BATCH, COPIES = 0.02, 8, 2
LEAST, GROWTH_MIB = 0.9, 16
SPEC = ModelSpec(weights="stub")
MODEL = keys.model_key(SPEC)


class Stub(BatchAnswerer):
    """Waits as long as a model would take, and answers with the question's number."""

    batch = BATCH

    def stack(self) -> Runtime:
        return Runtime(backend="stub")

    def refusal(self, question: Question) -> Refusal | None:
        return None

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        time.sleep(ITEM_S * len(questions))
        return [{"text": f"the answer to {question['id']}" * 4} for question in questions]


@contextmanager
def two_nodes() -> Iterator[str]:
    """The address of a cluster whose head runs nothing."""
    os.environ |= {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": os.urandom(20).hex(),
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": str(ROOT),
    }
    from ray.cluster_utils import Cluster

    room = {"object_store_memory": 80 << 20}
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **room}
    )
    try:
        for _ in range(COPIES):
            cluster.add_node(num_cpus=1, **room)
        yield cluster.address
    finally:
        cluster.shutdown()


def measured(address: str, sizes: Sequence[int], folder: Path) -> list[tuple[float, float, float]]:
    """Items a second, the driver's MiB above the start and CPU seconds, for each size."""
    from judgebench.config import RayExecutor
    from judgebench.execution.ray_cluster import RayWorkers, on_cluster

    found = []
    executor = RayExecutor(address=address, gpus_per_model=0)
    with on_cluster(executor) as cluster, open_store(f"sqlite:///{folder}/s.db") as store:
        workers = RayWorkers(cluster, "perf.ray_overhead", {"model": "the stub", "needs": None})
        workers.load({}, within_s=60, limit="nothing")
        while workers.width < COPIES + 2:
            time.sleep(0.1)
        store.put_model("stub", SPEC, {})
        here = psutil.Process()
        for n, size in enumerate([BATCH * 4, *sizes]):  # the first is to warm up
            questions = [{"id": f"{n}-{i}"} for i in range(size)]
            store.put_items([item(one["id"]) for one in questions])
            before, most = here.memory_info().rss, 0
            cpu, began, answered = sum(here.cpu_times()[:2]), time.perf_counter(), 0
            for event in workers.ask(questions):
                rows = {row["id"].encode(): response(row) for row in event["answers"]}
                store.put_responses(rows)
                answered += len(rows)
                most = max(most, here.memory_info().rss)
            seconds = time.perf_counter() - began
            assert answered == size
            cpu = sum(here.cpu_times()[:2]) - cpu
            found.append((size / seconds, (most - before) / 2**20, cpu))
        workers.stop()
    return found[1:]


def item(id_: str) -> Item:
    return Item(benchmark="b", version="1", id=id_, turns=(Message(role="user", content=id_),))


def response(row: Answer) -> Response:
    return Response(
        benchmark="b", version="1", item_id=row["id"], model_key=MODEL,
        text=row["text"], raw=row["text"], stack=Runtime(backend="stub"),
    )  # fmt: skip


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--items", type=int, default=10_000)
    items = arguments.parse_args().items
    sizes = (items // 10, items)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, two_nodes() as address:
        found = measured(address, sizes, Path(folder))
    possible = COPIES / ITEM_S
    print(
        f"{COPIES} copies that take {1000 * ITEM_S:.0f} ms an item, {BATCH} at a time; "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load before and after "
        f"{load:.1f} and {os.getloadavg()[0]:.1f}\n"
    )
    print(f"{'items':>7} {'items/s':>8} {'of possible':>12} {'driver MiB':>11} {'CPU ms/item':>12}")
    for size, (rate, mib, cpu) in zip(sizes, found, strict=True):
        share, each = rate / possible, 1000 * cpu / size
        print(f"{size:>7,} {rate:>8.1f} {share:>12.3f} {mib:>11.1f} {each:>12.2f}")
    grown = found[1][1] - found[0][1]
    is_met = found[1][0] >= LEAST * possible and grown <= GROWTH_MIB
    print(f"\nat least {LEAST} of the possible rate, memory flat: {'met' if is_met else 'NOT met'}")
    return 0 if is_met else 1


if __name__ == "__main__":
    if len(sys.argv) == 1 and not sys.stdin.isatty() and os.environ.get("RAY_RAYLET_PID"):
        serve(lambda job: Stub())
    sys.exit(main())
