"""Local models on the nodes of a Ray cluster, for a run that is led from here.

A model is held by an actor, since Ray gives a task's GPU to the next one while a model is still on
it. What an actor is asked is a portion: some questions and nothing else, that any other actor of
the model could be asked as well. Each is asked one portion at a time, so that a slow node holds no
other, and what was lost with its node goes back. Ray places the actors, and finds room for one
more whenever a node joins. The store says what is done. Where it is on a server, nodes write their
answers to it; all else, and all to a file, the driver writes.

Models behind an API are asked by the driver alone: one process makes hundreds of calls a second,
more than a provider takes.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from judgebench import extras
from judgebench.config import RayExecutor
from judgebench.errors import ConfigError, LocalModelError
from judgebench.execution import ray_node
from judgebench.plain_text import printable
from judgebench.store.opening import SERVERS
from judgebench.workers.process import START, Worker, WorkerProcess, clean

TICK_S = 1.0
"""Between two looks for room for one more."""

REACHED_S = 5.0
LOSSES = 3
"""So often a portion is lost with its node, then it is recorded as failed; and so often in a row an
actor is lost before its model was loaded, then the model cannot be loaded."""

_MODULES = frozenset(f"judgebench.workers.{name}" for name in ("generate", "judge", "reward"))
"""What holds a model; others are processes of the driver's machine."""

_PATHS = ("pretrained", "peft", "delta", "lora_local_path", "tokenizer")

Event = dict[str, Any]
Question = Mapping[str, Any]


class RayCluster:
    """A cluster while a run uses it; ``left_out`` are nodes that could not be used, and why.

    ``store`` is the address of one on a server, which nodes write to.

    Raises
    ------
    ConfigError
        Where Ray is not installed, or no cluster can be reached.
    """

    def __init__(self, executor: RayExecutor, store: str | None = None) -> None:
        self.executor = executor
        self.store = store
        self.left_out: dict[str, tuple[str, str]] = {}
        self.ray = _connected(executor.address)
        self.ray.cloudpickle.register_pickle_by_value(ray_node)
        self.driver = ray_node.versions()

    @property
    def needs(self) -> dict[str, float]:
        """What a model takes, as Ray calls it."""
        asked = {"GPU": self.executor.gpus_per_model, "CPU": self.executor.cpus_per_model}
        return {name: float(n) for name, n in asked.items() if n}

    def nodes(self) -> list[dict[str, Any]]:
        """Those that could hold a model."""
        return [
            one
            for one in self.ray.nodes()
            if one["Alive"]
            and one["NodeID"] not in self.left_out
            and _times(one["Resources"], self.needs)
            and self.executor.nodes.items() <= one["Labels"].items()
        ]

    def slots(self) -> int:
        """How many models have room on its nodes."""
        return sum(_times(one["Resources"], self.needs) for one in self.nodes())

    def actor(self, module: str, how: Mapping[str, Any]) -> Any:
        """One more worker, where Ray finds room on a node that is not left out."""
        not_on = {"ray.io/node-id": f"!in({','.join(self.left_out)})"} if self.left_out else {}
        remote = self.ray.remote(
            num_cpus=self.executor.cpus_per_model,
            num_gpus=self.executor.gpus_per_model,
            max_restarts=0,  # its portion goes to another, which need not wait for it
            label_selector={**self.executor.nodes, **not_on} or None,
        )
        return remote(ray_node.NodeWorker).remote(module, how, self.store)

    def leave_out(self, node_id: str, name: str, why: str) -> None:
        """Use a node no more; said now and at the end."""
        if node_id not in self.left_out:
            self.left_out[node_id] = (name, why)
            say(f"node {name} is left out: {why}")

    def warnings(self) -> list[str]:
        return [f"node {name} was left out: {why}" for name, why in self.left_out.values()]

    def worker(self, module: str, *, model: str, gpus: str | None, needs: str | None) -> Worker:
        """In place of a process here; which GPUs it has, Ray says."""
        if module not in _MODULES:
            return WorkerProcess(module, model=model, gpus=gpus, needs=needs)
        return RayWorkers(self, module, {"model": model, "needs": needs})


def _connected(address: str) -> Any:
    """Ray, once it is on the cluster."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")  # whoever reaches a cluster can run anything
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ConfigError(f"executor: ray is not installed: {extras.install_line('ray')}") from None
    ray._private.worker.print_to_stdstream = lambda *_, **__: None  # our standard output is ours
    host, _, port = address.rpartition(":")
    ends = signal.getsignal(signal.SIGTERM)
    alone: dict[str, Any] = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        if port.isdecimal():  # Ray would wait for a minute
            socket.create_connection((host, int(port)), REACHED_S).close()
        ray.init(
            address=address,
            logging_level=logging.ERROR,
            log_to_driver=False,
            **(alone if address == "local" else {}),
        )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        ray.shutdown()
        raise ConfigError(
            f"executor: ray: address: the cluster at {address} cannot be used: "
            f"{clean(str(error)).strip()} (--executor local works on this machine)"
        ) from None
    if threading.current_thread() is threading.main_thread():  # Ray has set a handler of its own
        signal.signal(signal.SIGTERM, ends)
    return ray


def _times(there: Mapping[str, float], needed: Mapping[str, float]) -> int:
    """How often something fits."""
    return min(int(there.get(name, 0.0) // n) for name, n in needed.items())


def say(message: str) -> None:
    """To whoever looks on, from the thread that hears of it."""
    print(printable(message, lines=True), file=sys.stderr)


@contextmanager
def on_cluster(executor: RayExecutor, store: str | None = None) -> Iterator[RayCluster]:
    """Models that are loaded inside are on the cluster.

    Raises
    ------
    ConfigError
        As `RayCluster`, and where none of its nodes has what a model takes.
    """
    cluster = RayCluster(executor, store)
    try:
        if not cluster.nodes():
            raise ConfigError(f"executor: ray: {_too_small(cluster)}")
        token = START.set(cluster.worker)
        try:
            yield cluster
        finally:
            START.reset(token)
    finally:
        cluster.ray.shutdown()


def _too_small(cluster: RayCluster) -> str:
    """That no node can hold a model, with what each of them has."""
    wanted = " and ".join(f"{n:g} {name}" for name, n in cluster.needs.items())
    has = [
        f"{one['NodeManagerHostname']} ({one['NodeID'][:8]}) has "
        + " and ".join(f"{one['Resources'].get(name, 0):g} {name}" for name in cluster.needs)
        for one in cluster.ray.nodes()
        if one["Alive"] and one["NodeID"] not in cluster.left_out
    ]
    labelled = ", ".join(f"{name}: {value}" for name, value in cluster.executor.nodes.items())
    return (
        f"a model takes {wanted}{labelled and f' of a node with {labelled}'}, which none has: "
        f"{'; '.join(has) or 'none is there'}"
    )


def shared_address(url: str) -> str | None:
    """That of a store on a server, for nodes to write to; None for a file.

    A password in an address is not handed on: nodes have it from where libpq looks for it, and
    without that the driver writes alone.
    """
    if not url.startswith(SERVERS):
        return None
    from judgebench.store.postgres import without_password

    address, password = without_password(url)
    return None if password else address


# one model on all nodes ---------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Portion:
    """Questions that are answered together, and who is told of them.

    ``plans`` asks which of them are that, and nothing else. ``losses`` counts how often they were
    lost with a node; ``apart`` says that a process ended over them, and that they are asked in
    smaller batches now.
    """

    questions: Sequence[Question]
    events: queue.SimpleQueue[list[Event] | BaseException]
    within_s: float | None = None
    plans: bool = False
    losses: int = 0
    apart: bool = False

    def halves(self, questions: Sequence[Question]) -> list[Portion]:
        """What is left of them, in batches of half the size."""
        size = max(1, -(-len(self.questions) // 2))
        alone = [{**question, "apart": True} for question in questions]
        return [
            replace(self, questions=alone[n : n + size], apart=True)
            for n in range(0, len(alone), size)
        ]


@dataclass(eq=False, slots=True)
class _Copy:
    """An actor: where it is, once its model is loaded, and what it works on."""

    actor: Any
    node: str = ""
    name: str = ""
    portion: Portion | None = None


@dataclass(slots=True)
class PortionQueue:
    """Which portions wait and what becomes of those that were asked; knows nothing of Ray."""

    waiting: deque[Portion] = field(default_factory=deque)

    def answered(self, portion: Portion, events: list[Event], ended: str | None) -> None:
        """Hand on what was said; what a process ended over is asked once more, then recorded."""
        said = {_id(x) for event in events for x in _about(event)}
        left = [one for one in portion.questions if _id(one["id"]) not in said]
        if portion.plans and ended is not None:
            self.lost(portion, ended)
            return
        if ended is not None and left and not portion.apart:
            portion.events.put(
                [*events, {"event": "parts", "n": len(parts := portion.halves(left))}]
            )
            self.waiting.extendleft(reversed(parts))
            return
        if ended is not None and left:
            events = [*events, _failed(left, f"{ended} (also in a smaller batch)")]
        portion.events.put(events)

    def lost(self, portion: Portion, why: str) -> None:
        """What was under way on a node that is gone goes back."""
        portion.losses += 1
        if portion.losses > LOSSES:
            portion.events.put([_failed(portion.questions, f"lost {LOSSES + 1} times; {why}")])
        else:
            self.waiting.appendleft(portion)


def _id(one: Any) -> Any:
    return tuple(one) if isinstance(one, list) else one


def _about(event: Event) -> Iterator[Any]:
    yield from event.get("ids", ())
    yield from (answer["id"] for answer in event.get("answers", ()))


def _failed(questions: Sequence[Question], why: str) -> Event:
    ids = [question["id"] for question in questions]
    return {"event": "failed", "ids": ids, "kind": "local_model", "message": why}


class RayWorkers:
    """A model on as many nodes as have room, as one `Worker`.

    All that happens to actors and portions is done by one thread, in the order in which it is heard
    of. Those who ask wait for it, and hand over one portion more for each that they got back: so
    memory does not grow with what is asked.
    """

    pid = None

    def __init__(self, cluster: RayCluster, module: str, how: Mapping[str, Any]) -> None:
        self._cluster = cluster
        self._module = module
        self._how = how
        self._copies: list[_Copy] = []
        self._portions = PortionQueue()
        self._ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._listeners = {self._ready}
        self._inbox: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._stack: Any = None
        self._misconfigured = True
        self._losses = 0
        self._last_look = 0.0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="ray portions", daemon=True)

    @property
    def writes(self) -> bool:
        return self._cluster.store is not None

    @property
    def width(self) -> int:
        """One portion for each model that is loaded, and two that wait for a turn."""
        loaded = sum(1 for copy in self._copies if copy.node)
        return loaded + 2 if loaded else 1

    def load(self, job: Mapping[str, Any], *, within_s: float | None, limit: str) -> dict[str, Any]:
        """Load a model wherever there is room; its event ``ready`` from the first node.

        Raises
        ------
        ConfigError, LocalModelError
            Where no node can load it.
        """
        given, paths = with_absolute_paths(job)
        # All turns together: a portion that a process ended over comes again in smaller batches.
        given["tasks"] = [{**task, "whole": True} for task in given.get("tasks", ())]
        self._load = (self._cluster.driver, paths, self._cluster.ray.put(given), within_s, limit)
        self._thread.start()
        try:
            return _next_events(self._ready)[0]
        except BaseException:
            self.stop()
            raise
        finally:
            self._listeners.discard(self._ready)

    def ask(
        self, questions: Sequence[Question], *, within_s: float | None = None
    ) -> Iterator[Event]:
        """All events about some questions, portion by portion as they come.

        Raises
        ------
        LocalModelError
            Where no node is left that has the model.
        """
        events: queue.SimpleQueue[list[Event] | BaseException] = queue.SimpleQueue()
        self._listeners.add(events)
        if self._error is not None:  # it ended while nobody listened
            events.put(self._error)
        try:
            portions: Sequence[Sequence[int]] = [range(len(questions))]
            if within_s is None:  # else it is a batch already
                self._give(Portion(questions, events, plans=True))
                said = _next_events(events)
                yield from (event for event in said if event["event"] == "failed")
                portions = said[-1].get("portions", ())
            rest, open_ = iter(portions), 0
            while True:
                while open_ < self.width and (numbers := next(rest, None)) is not None:
                    self._give(Portion([questions[n] for n in numbers], events, within_s))
                    open_ += 1
                if not open_:
                    return
                for event in _next_events(events):
                    if event["event"] == "parts":
                        open_ += event["n"]
                    else:
                        yield event
                open_ -= 1
        finally:
            self._listeners.discard(events)

    def _give(self, portion: Portion) -> None:
        self._inbox.put(partial(self._portions.waiting.append, portion))

    def stop(self) -> None:
        """End all actors, and so their processes."""
        self._inbox.put(partial(self._end, LocalModelError("the model was stopped")))
        if self._thread.ident is not None:
            self._thread.join()

    # in the thread ----------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while self._error is None:
                if time.monotonic() - self._last_look >= TICK_S:
                    self._last_look = time.monotonic()
                    self._grow()
                self._hand_out()
                with suppress(queue.Empty):
                    self._inbox.get(timeout=TICK_S)()
        except BaseException as error:  # noqa: BLE001 - told to whoever waits, in their threads
            self._end(error)
        finally:
            for copy in self._copies:
                self._cluster.ray.kill(copy.actor)

    def _end(self, error: BaseException) -> None:
        self._error = error
        for events in list(self._listeners):
            events.put(error)

    def _call(
        self, copy: _Copy, then: Callable[[_Copy, Any], None], method: str, *args: Any
    ) -> None:
        done = getattr(copy.actor, method).remote(*args).future()
        done.add_done_callback(lambda future: self._inbox.put(partial(then, copy, future)))

    def _grow(self) -> None:
        """Actors for the room there is, and one for a node that may join."""
        if not self._cluster.nodes() and not any(copy.node for copy in self._copies):
            self._no_node_left()
        elif self._listeners:
            pending = sum(1 for copy in self._copies if not copy.node)
            for _ in range(
                max(1, _times(self._cluster.ray.available_resources(), self._cluster.needs))
                - pending
            ):
                copy = _Copy(self._cluster.actor(self._module, self._how))
                self._copies.append(copy)
                self._call(copy, self._loaded, "load", *self._load)

    def _no_node_left(self) -> None:
        said = "\n".join(self._cluster.warnings()) or _too_small(self._cluster)
        never = self._stack is None and self._misconfigured and self._cluster.left_out
        error = ConfigError if never else LocalModelError
        self._end(error(f"{self._how['model']} is on no node of the cluster: {said}"))

    def _loaded(self, copy: _Copy, future: Any) -> None:
        if copy not in self._copies:
            return
        if (error := future.exception()) is not None:
            self._losses += 1
            self._drop(copy)
            if self._losses > LOSSES and not any(one.node for one in self._copies):
                self._end(LocalModelError(f"{self._how['model']}: {clean(str(error))}"))
            return
        said = future.result()
        if said["fault"] is not None:
            self._misconfigured &= said["ours"]
            self._leave_out(copy, said["node"], said["name"], said["fault"])
        elif self._stack not in (None, said["ready"]["stack"]):
            why = "it runs another stack than the first node, and a run never mixes stacks"
            self._leave_out(copy, said["node"], said["name"], why)
        else:
            copy.node, copy.name, self._losses = said["node"], said["name"], 0
            if said["store"] is not None:
                say(f"node {copy.name} sends its answers to the driver: {said['store']}")
            if self._stack is None:
                self._stack = said["ready"]["stack"]
                self._ready.put([said["ready"]])

    def _leave_out(self, copy: _Copy, node_id: str, name: str, why: str) -> None:
        """No actor goes there any more, those that wait for a place included."""
        self._cluster.leave_out(node_id, name, why)
        for one in [one for one in self._copies if one is copy or not one.node]:
            self._drop(one)
        self._last_look = 0.0

    def _drop(self, copy: _Copy) -> None:
        self._copies.remove(copy)
        self._cluster.ray.kill(copy.actor)

    def _hand_out(self) -> None:
        for copy in self._copies:
            if not self._portions.waiting:
                return
            if copy.node and copy.portion is None:
                portion = copy.portion = self._portions.waiting.popleft()
                asked = (portion.questions, portion.within_s, portion.plans)
                self._call(copy, self._answered, "ask", *asked)

    def _answered(self, copy: _Copy, future: Any) -> None:
        portion, copy.portion = copy.portion, None
        assert portion is not None
        if (error := future.exception()) is not None:
            told = (
                self._cluster.ray.exceptions
            )  # of a kill for memory, a result that went with it …
            if not isinstance(error, told.RayError) or isinstance(error, told.RayTaskError):
                raise error
            why = clean(str(error)).partition("\n")[0]
            say(f"node {copy.name}: its worker was lost, what it was asked goes to another: {why}")
            self._drop(copy)
            if "OutOfMemory" in f"{type(error).__name__} {error}":  # by Ray: the node has not died
                self._portions.answered(portion, [], why)
            else:
                self._portions.lost(portion, why)
            return
        said = future.result()
        if said["fault"] is not None:
            self._portions.waiting.appendleft(portion)
            self._leave_out(copy, copy.node, copy.name, said["fault"])
            return
        self._portions.answered(portion, said["events"], said["ended"])


def _next_events(events: queue.SimpleQueue[Any]) -> list[Event]:
    said = events.get()
    if isinstance(said, BaseException):
        raise said
    found: list[Event] = said
    return found


# paths --------------------------------------------------------------------------------------------


def with_absolute_paths(job: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A job whose paths are found from every folder, and those of them that are here."""
    paths: list[str] = []

    def here(path: Any) -> Any:
        if isinstance(path, str) and Path(path).exists():
            paths.append(path := str(Path(path).absolute()))
        return path

    def within(section: Mapping[str, Any]) -> dict[str, Any]:
        return {name: here(v) if name in _PATHS else v for name, v in section.items()}

    found = within(job)
    if "model_args" in job:
        found["model_args"] = within(job["model_args"])
    if "tasks" in job:
        found["tasks"] = [
            {**task, "include_path": [here(path) for path in task["include_path"]]}
            for task in job["tasks"]
        ]
    return found, paths
