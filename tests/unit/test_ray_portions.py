"""Portions of a model on a cluster, and nodes that are refused: without a cluster."""

from __future__ import annotations

import asyncio
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from judgebench import keys
from judgebench.config import RayExecutor
from judgebench.errors import ConfigError, LocalModelError
from judgebench.execution import ray_cluster, ray_node
from judgebench.execution.ray_cluster import (
    Portion,
    PortionQueue,
    RayCluster,
    RayWorkers,
    shared_address,
)
from judgebench.execution.ray_node import NodeWorker
from judgebench.providers.local import BatchedWorker
from judgebench.records import Item, Message, ModelSpec
from judgebench.responses.local import Place
from judgebench.store.opening import open_store
from judgebench.workers import process

STACK = {"backend": "stub"}
HOW = {"model": "the stub", "needs": None}


# what becomes of portions -------------------------------------------------------------------------


def portion(*ids: Any) -> Portion:
    return Portion([{"id": id_} for id_ in ids], queue.SimpleQueue())


def answered(*ids: Any) -> dict[str, Any]:
    return {"event": "answered", "answers": [{"id": id_} for id_ in ids]}


def test_what_a_process_ended_over_is_asked_in_halves_once_and_then_recorded() -> None:
    portions, asked = PortionQueue(), portion(*range(5))
    portions.answered(asked, [answered(3)], "killed by SIGKILL")
    assert asked.events.get() == [answered(3), {"event": "parts", "n": 2}]
    halves = list(portions.waiting)
    assert [[q["id"] for q in half.questions] for half in halves] == [[0, 1, 2], [4]]
    assert all(q["apart"] for half in halves for q in half.questions)
    portions.waiting.clear()
    portions.answered(halves[0], [answered(0)], "killed by SIGKILL")
    _, failed = asked.events.get()
    assert (failed["event"], failed["ids"], portions.waiting) == (
        "failed",
        [1, 2],
        portions.waiting,
    )
    assert "killed by SIGKILL (also in a smaller batch)" in failed["message"]
    assert not portions.waiting


def test_what_is_lost_with_its_node_goes_back_first_but_not_for_ever() -> None:
    portions, asked, other = PortionQueue(), portion(1), portion(2)
    portions.waiting.append(other)
    for _ in range(ray_cluster.LOSSES):
        portions.lost(asked, "its node has died")
        assert portions.waiting.popleft() is asked
    portions.lost(asked, "its node has died")
    assert list(portions.waiting) == [other]
    (failed,) = asked.events.get()
    assert failed["ids"] == [1]
    assert "lost 4 times; its node has died" in failed["message"]


def test_one_that_ray_killed_for_memory_comes_in_smaller_batches() -> None:
    portions, asked = PortionQueue(), portion(1, 2)
    portions.answered(asked, [], "OutOfMemory")
    assert asked.events.get() == [{"event": "parts", "n": 2}]
    assert [half.questions[0]["id"] for half in portions.waiting] == [1, 2]


# a node -------------------------------------------------------------------------------------------


class Process:
    """In place of a worker process: says what it is told to, and notes what it was asked."""

    script: list[Any]
    asked: list[list[Any]]

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def load(self, job: Any, **_: Any) -> dict[str, Any]:
        if job == "broken":
            raise LocalModelError("CUDA driver is too old")
        return {"event": "ready", "stack": STACK, "batch": 2}

    def ask(self, questions: Sequence[Any], within_s: float | None) -> Iterator[dict[str, Any]]:
        self.asked.append([question["id"] for question in questions])
        for said in self.script.pop(0):
            if isinstance(said, Exception):
                raise said
            yield said

    def stop(self) -> None: ...


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> type[Process]:
    monkeypatch.setattr(process, "WorkerProcess", Process)
    monkeypatch.setattr(ray_node, "node_id", lambda: "0123456789")
    Process.script, Process.asked = [], []
    return Process


def loaded(node: NodeWorker, job: Any = "job", **driver: str) -> dict[str, Any]:
    return node.load({**ray_node.versions(), **driver}, [], job, 60, "more")


@pytest.mark.parametrize("what", ["Python", "judgebench", "lm_eval", "transformers", "torch"])
@pytest.mark.usefixtures("worker")
def test_a_node_of_another_version_is_refused_by_name(what: str) -> None:
    said = loaded(NodeWorker("m", HOW), **{what: "0.0.1"})
    here = ray_node.versions()[what] or "none"
    assert f"it has {what} {here}, where the driver has 0.0.1: install the same" in said["fault"]
    assert "(01234567)" in said["name"]


@pytest.mark.usefixtures("worker")
def test_a_path_that_the_driver_alone_has_is_named(tmp_path: Path) -> None:
    absent = str(tmp_path / "checkpoint")
    said = NodeWorker("m", HOW).load(ray_node.versions(), [str(tmp_path), absent], "job", 60, "")
    assert said["fault"].startswith(f"{absent} is on the driver only")


@pytest.mark.usefixtures("worker")
def test_a_model_that_does_not_load_is_a_fault_of_the_node() -> None:
    said = loaded(NodeWorker("m", HOW), "broken")
    assert (said["fault"], said["ours"]) == ("CUDA driver is too old", False)


def test_a_process_that_ends_is_started_again_for_the_next_portion(worker: type[Process]) -> None:
    node = NodeWorker("m", HOW)
    loaded(node)
    worker.script = [[answered(1), LocalModelError("killed")], [TimeoutError()], [answered(2)]]
    ids = [{"id": 1}, {"id": 2}]
    assert node.ask(ids, None) == {"events": [answered(1)], "ended": "killed", "fault": None}
    assert node.ask(ids[1:], 3.0)["ended"] == "no answer within 3 s"
    assert node.ask(ids[1:], None)["events"] == [answered(2)]


def test_a_node_writes_to_the_store_and_asks_nothing_that_is_there(
    worker: type[Process], tmp_path: Path
) -> None:
    spec, url = ModelSpec(weights="w"), f"sqlite:///{tmp_path}/s.db"  # for this alone in a file
    model = keys.model_key(spec)
    with open_store(url) as store:
        store.put_model("m", spec, {})
        asked = (Message(role="user", content="?"),)
        store.put_items(
            [Item(benchmark="b", version="1", id=id_, turns=asked) for id_ in ("x", "y", "z")]
        )
    node = NodeWorker("m", HOW, url)
    assert loaded(node)["store"] is None
    place = Place(key=b"k" * 32, benchmark="b", version="1", item_ids=("x", "y"), model_key=model)
    row = dict.fromkeys(("reasoning", "prompt", "finish_reason", "logprob"))
    row |= {"text": "so", "raw": "so", "status": "ok", "turn": 0, "prompt_tokens": 1}
    row |= {"completion_tokens": 1, "id": ["t", "x", 0]}
    worker.script = [[{"event": "answered", "answers": [row]}]]
    question = {"id": ["t", "x", 0], "place": place}
    for _ in range(2):  # a portion that was lost may come again
        (event,) = node.ask([question], None)["events"]
        assert (event["event"], event["n"], [list(i) for i in event["ids"]]) == (
            "stored", 1, [["t", "x", 0]],
        )  # fmt: skip
    assert worker.asked == [[["t", "x", 0]]]
    with open_store(url, read_only=True) as store:
        assert {item for item, _ in store.answered("b", "1", model)} == {"x", "y"}


@pytest.mark.usefixtures("worker")
def test_a_node_that_cannot_reach_the_store_says_so_and_is_used(tmp_path: Path) -> None:
    said = loaded(NodeWorker("m", HOW, f"sqlite:///{tmp_path}/none.db"))
    assert (said["fault"], "none.db" in said["store"]) == (None, True)


def test_nodes_are_told_of_a_server_and_of_no_password() -> None:
    pytest.importorskip("psycopg")
    assert shared_address("sqlite:///s.db") is None
    assert shared_address("postgresql://me@db/results") == "postgresql://me@db/results"
    assert shared_address("postgresql://me:${PW}@db/results") == "postgresql://me:${PW}@db/results"
    assert shared_address("postgresql://me:hunter2@db/results") is None


# all nodes ----------------------------------------------------------------------------------------


class Ray:
    """Nodes with room for one model each; what their workers do is a function of the node."""

    exceptions = SimpleNamespace(RayError=ConnectionError, RayTaskError=ConnectionRefusedError)

    def __init__(self, **nodes: Callable[[str, Any], Any]) -> None:
        self.at = nodes
        self.taken: dict[str, Any] = {}
        self.waits: list[tuple[Any, Any]] = []
        self.lock = threading.RLock()

    def nodes(self) -> list[dict[str, Any]]:
        same = {"Alive": True, "Resources": {"CPU": 1.0}, "Labels": {"zone": "a"}}
        return [{**same, "NodeID": n, "NodeManagerHostname": n} for n in self.at]

    def available_resources(self) -> dict[str, float]:
        return {"CPU": float(len(self.at) - len(self.taken))}

    def put(self, value: Any) -> Any:
        return value

    def remote(self, **options: Any) -> Callable[[Any], Any]:
        selector = (options["label_selector"] or {}).get("ray.io/node-id", "!in()")
        not_on = selector.removeprefix("!in(").removesuffix(")").split(",")
        return lambda _: SimpleNamespace(remote=lambda *_: Actor(self, not_on))

    def place(self, actor: Actor) -> str | None:
        with self.lock:
            free = [n for n in self.at if n not in self.taken and n not in actor.not_on]
            if free:
                self.taken[free[0]] = actor
            return free[0] if free else None

    def shutdown(self) -> None: ...

    def kill(self, actor: Actor) -> None:
        with self.lock:
            actor.killed = True
            self.taken = {n: one for n, one in self.taken.items() if one is not actor}


class Actor:
    def __init__(self, ray: Ray, not_on: Sequence[str]) -> None:
        self.ray, self.not_on, self.node, self.killed = ray, not_on, None, False

    def __getattr__(self, method: str) -> Any:
        def remote(*arguments: Any) -> Any:
            future: Future[Any] = Future()

            def work() -> None:
                while self.node is None and not self.killed:
                    self.node = self.ray.place(self)  # type: ignore[assignment]
                    time.sleep(0.005)
                try:
                    if self.killed:
                        raise ConnectionError("the actor has died")
                    does = self.ray.at[str(self.node)]
                    future.set_result(does(method, arguments))
                except Exception as error:  # noqa: BLE001
                    future.set_exception(error)

            threading.Thread(target=work, daemon=True).start()
            return SimpleNamespace(future=lambda: future)

        return SimpleNamespace(remote=remote)


def node(
    name: str, *, fault: str | None = None, stack: Any = STACK, each_s: float = 0.0, dies: int = -1
) -> Callable[[str, Any], Any]:
    """What the worker of a node does; it ends with the ``dies``-th portion, counted from 0."""
    seen: list[Any] = []

    def does(method: str, arguments: Any) -> Any:
        if method == "load":
            said = {"node": name, "name": name, "fault": fault, "ours": False, "store": None}
            return said if fault else {**said, "ready": {"stack": stack, "batch": 1}}
        questions, _, plans = arguments
        if plans:
            planned = {"event": "planned", "portions": [[n] for n in range(len(questions))]}
            return {"events": [planned], "ended": None, "fault": None}
        if len(seen) == dies:
            raise ConnectionError("the actor has died")
        seen.append(questions)
        time.sleep(each_s)
        events = [
            {"event": "answered", "answers": [{"id": q["id"], "by": name} for q in questions]}
        ]
        return {"events": events, "ended": None, "fault": None}

    return does


def workers(ray: Ray, monkeypatch: pytest.MonkeyPatch) -> tuple[RayCluster, RayWorkers]:
    monkeypatch.setattr(ray_cluster, "TICK_S", 0.02)
    cluster = object.__new__(RayCluster)
    cluster.executor, cluster.store = RayExecutor(gpus_per_model=0), None
    cluster.left_out, cluster.driver, cluster.ray = {}, {}, ray
    return cluster, RayWorkers(cluster, "m", HOW)


def asked(workers: RayWorkers, n: int) -> dict[int, str]:
    """Who answered, by question."""
    try:
        workers.load({}, within_s=60, limit="")
        events = list(workers.ask([{"id": n} for n in range(n)]))
    finally:
        workers.stop()
    rows = [row for event in events for row in event["answers"]]
    assert len(rows) == n
    return {row["id"]: row["by"] for row in rows}


def test_a_slow_node_holds_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = Ray(slow=node("slow", each_s=0.5), quick=node("quick", each_s=0.01))
    _, its = workers(ray, monkeypatch)
    by = list(asked(its, 40).values())
    assert set(by) == {"slow", "quick"}
    assert by.count("quick") > 4 * by.count("slow")


def test_a_node_that_is_lost_costs_nothing_but_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray = Ray(gone=node("gone", dies=2, each_s=0.02), stays=node("stays", each_s=0.02))
    _, its = workers(ray, monkeypatch)
    assert len(asked(its, 12)) == 12
    assert "node gone: its worker was lost, what it was asked goes to another" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("ActorDiedError", ()),
        ("ActorUnavailableError", ("", None)),
        ("OutOfMemoryError", ("killed for memory",)),
        ("NodeDiedError", ("",)),
        ("ObjectLostError", ("ab" * 28, None, "")),
        ("OwnerDiedError", ("ab" * 28, None, "")),
    ],
)
def test_however_ray_says_that_a_worker_is_gone_the_run_goes_on(
    lost: str, said: Sequence[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    exceptions = pytest.importorskip("ray.exceptions")
    errors, does = [getattr(exceptions, lost)(*said)], node("a")

    def fails_once(method: str, arguments: Any) -> Any:
        if method != "load" and not arguments[2] and errors:
            raise errors.pop()
        return does(method, arguments)

    ray = Ray(a=fails_once)
    ray.exceptions = exceptions
    assert set(asked(workers(ray, monkeypatch)[1], 3).values()) == {"a"}
    assert not errors


def test_a_fault_of_our_own_on_a_node_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    exceptions = pytest.importorskip("ray.exceptions")
    does = node("a")

    def fails(method: str, arguments: Any) -> Any:
        if method != "load" and not arguments[2]:
            raise exceptions.RayTaskError(
                "ask", "Traceback", KeyError("event")
            ).as_instanceof_cause()
        return does(method, arguments)

    ray = Ray(a=fails)
    ray.exceptions = exceptions
    with pytest.raises(KeyError):
        asked(workers(ray, monkeypatch)[1], 3)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (node("other", fault="CUDA driver is too old"), "CUDA driver is too old"),
        (node("other", stack={"backend": "hf"}), "a run never mixes stacks"),
    ],
)
def test_a_node_that_cannot_be_used_is_left_out_and_told_at_the_end(
    other: Callable[[str, Any], Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = Ray(good=node("good", each_s=0.02))
    cluster, its = workers(ray, monkeypatch)
    its.load({}, within_s=60, limit="")
    ray.at["other"] = other
    events = list(its.ask([{"id": n} for n in range(20)]))
    its.stop()
    assert {row["by"] for event in events for row in event["answers"]} == {"good"}
    (warning,) = cluster.warnings()
    assert warning.startswith("node other was left out")
    assert why in warning


def test_a_model_that_is_on_no_node_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = Ray(a=node("a", fault="no torch"), b=node("b", fault="no torch"))
    _, its = workers(ray, monkeypatch)
    with pytest.raises(LocalModelError, match=r"the stub is on no node.*\n?.*node b was left out"):
        its.load({}, within_s=60, limit="")


def test_who_asks_when_all_nodes_are_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they went while nobody asked, and another one was left out for the driver's."""
    ray = Ray(good=node("good"))
    cluster, its = workers(ray, monkeypatch)
    its.load({}, within_s=60, limit="")
    cluster.left_out["old"] = ("old", "it has Python 3.9")
    ray.at.clear()
    its._inbox.put(lambda: its._drop(its._copies[0]))
    its._thread.join(60)
    assert not its._thread.is_alive()
    heard: list[BaseException] = []

    def ask() -> None:
        try:
            list(its.ask([{"id": 0}], within_s=60))
        except Exception as error:  # noqa: BLE001
            heard.append(error)

    asks = threading.Thread(target=ask, daemon=True)
    asks.start()
    asks.join(10)
    assert [type(error) for error in heard] == [LocalModelError]


def test_what_cannot_even_be_dealt_out_is_recorded_as_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def does(method: str, arguments: Any) -> Any:
        if method != "load":
            raise ConnectionError("the actor has died")
        return node("a")(method, arguments)

    _, its = workers(Ray(a=does), monkeypatch)
    its.load({}, within_s=60, limit="")
    try:
        (failed,) = list(its.ask([{"id": 0}, {"id": 1}]))
    finally:
        its.stop()
    assert (failed["event"], failed["ids"]) == ("failed", [0, 1])


# before any work ----------------------------------------------------------------------------------


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", cast("Any", None))
    with pytest.raises(ConfigError, match=r"pip install 'judgebench-harness\[ray\]'"):
        RayCluster(RayExecutor())


def test_a_cluster_that_is_not_there_is_said_at_once() -> None:
    pytest.importorskip("ray")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(ConfigError, match=f"the cluster at {address} cannot be used: .*refused"):
        RayCluster(RayExecutor(address=address))


def test_a_cluster_without_the_gpus_says_what_each_node_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster, _ = workers(Ray(a=node("a")), monkeypatch)
    cluster.executor = RayExecutor(gpus_per_model=0, nodes={"zone": "a"})
    assert cluster.slots() == 1
    cluster.executor = RayExecutor(gpus_per_model=0, nodes={"zone": "b"})
    assert not cluster.nodes()
    cluster.executor = RayExecutor(gpus_per_model=2)
    monkeypatch.setattr(ray_cluster, "RayCluster", lambda *_: cluster)
    with (
        pytest.raises(ConfigError, match=r"takes 2 GPU and 1 CPU, which none has: a \(a\) has 0"),
        ray_cluster.on_cluster(cluster.executor),
    ):
        pass


def test_paths_are_found_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m").mkdir()
    (tmp_path / "t").mkdir()
    job: Mapping[str, Any] = {
        "model": "m",  # a backend, whatever lies here
        "model_args": {"pretrained": "m", "peft": "org/adapter", "dtype": "m"},
        "tasks": [{"task": "t", "include_path": ["t"]}],
    }
    found, here = ray_cluster.with_absolute_paths(job)
    assert here == [str(tmp_path / "m"), str(tmp_path / "t")]
    assert found["model_args"] == {
        "pretrained": str(tmp_path / "m"), "peft": "org/adapter", "dtype": "m",
    }  # fmt: skip
    assert found["tasks"][0]["include_path"] == [str(tmp_path / "t")]
    assert found["model"] == "m"


def test_a_judge_is_asked_on_all_nodes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = Ray(**{name: node(name, each_s=0.1) for name in ("a", "b", "c", "d")})
    cluster, _ = workers(ray, monkeypatch)
    token = process.START.set(cluster.worker)
    try:
        judge = BatchedWorker(
            "judgebench.workers.judge", {}, model="m", gpus=None, needs=None, timeout_s=60
        )
    finally:
        process.START.reset(token)

    async def talk() -> list[dict[str, Any]]:
        first = await judge.ask({}, alike="")
        while judge._process is None or judge._process.width < 6:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        began = time.monotonic()
        rest = await asyncio.gather(*(judge.ask({}, alike="") for _ in range(16)))
        seconds.append(time.monotonic() - began)
        await judge.close()
        return [first, *rest]

    seconds: list[float] = []
    answers = asyncio.run(talk())
    assert {row["by"] for row in answers} == {"a", "b", "c", "d"}
    assert seconds[0] < 16 * 0.1 / 2, "one after the other it takes 1.6 s, on four nodes 0.4 s"
    assert not ray.taken, "all actors have ended"
