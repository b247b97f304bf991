"""A worker process on a node of a cluster, and what has to be the same there as where a run is led.

Sent to the node as it is here: it may find another judgebench there, or none, and says so. Hence
nothing of judgebench is imported before that is known. Where the store is on a server, answers are
written to it here, in one commit for each batch.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from judgebench.records import Runtime
    from judgebench.responses.local import Place
    from judgebench.store.store import Store
    from judgebench.workers.process import WorkerProcess

SAME = ("lm_eval", "transformers", "torch")
"""Packages besides judgebench of which a node needs the version of the driver."""


def versions() -> dict[str, str | None]:
    """Of Python, judgebench and `SAME` here; None for what is not installed."""
    found: dict[str, str | None] = {"Python": platform.python_version(), "judgebench": None}
    try:
        from judgebench import __version__

        found["judgebench"] = __version__
    except ImportError:
        pass
    for package in SAME:
        try:
            found[package] = metadata.version(package).partition("+")[0]  # the build may be another
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def fault(driver: Mapping[str, str | None], paths: Sequence[str]) -> str | None:
    """Why this node cannot be used: a version that is not the driver's, a path that is not here.

    What the driver does not have installed may be here in any version.
    """
    here = versions()
    other = [
        f"{name} {here[name] or 'none'}, where the driver has {version}"
        for name, version in driver.items()
        if version is not None and here[name] != version
    ]
    absent = [path for path in paths if not Path(path).exists()]
    if other:
        return f"it has {'; '.join(other)}: install the same"
    if absent:
        return (
            f"{', '.join(absent)} {'is' if len(absent) == 1 else 'are'} on the driver only: put it "
            "on a path that all nodes share"
        )
    return None


def node_id() -> str:
    from ray import get_runtime_context

    return str(get_runtime_context().get_node_id())


class NodeWorker:
    """A worker process of one model; no method raises what is about the model or the node.

    ``how`` are the arguments of `WorkerProcess`; ``store`` is the address of one that answers are
    written to from here, None for a file.
    """

    def __init__(self, module: str, how: Mapping[str, Any], store: str | None = None) -> None:
        self._module = module
        self._how = how
        self._url = store
        self._store: Store | None = None
        self._process: WorkerProcess | None = None

    def load(
        self, driver: Mapping[str, str | None], paths: Sequence[str], *job: Any
    ) -> dict[str, Any]:
        """Load what a job describes: ``ready``, or the ``fault`` for which that cannot be.

        ``job`` is that, the seconds it may take, and what a suite may raise where that is too few.
        """
        node = node_id()
        said: dict[str, Any] = {"node": node, "name": f"{platform.node()} ({node[:8]})"}
        if (why := fault(driver, paths)) is not None:
            return {**said, "fault": why, "ours": True}
        from judgebench.errors import ConfigError, LocalModelError

        self._job = job
        try:
            said |= {"fault": None, "ready": self._loaded()[1], "store": self._open_store()}
        except (ConfigError, LocalModelError) as error:
            said |= {"fault": str(error), "ours": isinstance(error, ConfigError)}
        return said

    def ask(
        self, questions: Sequence[Mapping[str, Any]], within_s: float | None, plans: bool = False
    ) -> dict[str, Any]:
        """The ``events`` about some questions, and why the process ``ended`` before it was done.

        The next call starts it once more; ``fault`` is why that was not possible. One that
        ``plans`` is told which of them are answered together.
        """
        from judgebench.errors import ConfigError, LocalModelError

        events: list[dict[str, Any]] = []
        ended = None
        try:
            process, _ = self._loaded()
        except (ConfigError, LocalModelError) as error:
            return {"events": events, "ended": None, "fault": str(error)}
        questions = questions if plans else self._not_stored(questions, events)
        # Where its answer stands is no affair of the process.
        asked = [{name: v for name, v in one.items() if name != "place"} for one in questions]
        try:
            if plans:
                events.append({"event": "planned", "portions": process.portions(asked)})
            elif asked:
                for event in process.ask(asked, within_s=within_s):
                    events.append(self._stored(event, questions))  # noqa: PERF401  (till it ends)
        except LocalModelError as error:
            ended = str(error)
        except TimeoutError:
            ended = f"no answer within {within_s:g} s"
        if ended is not None:
            self.stop()
        return {"events": events, "ended": ended, "fault": None}

    def _open_store(self) -> str | None:
        """Why answers are not written from here, though they should be."""
        from judgebench.errors import JudgebenchError
        from judgebench.store.opening import open_store

        try:
            if self._url is not None and self._store is None:
                self._store = open_store(self._url, create=False)
        except JudgebenchError as error:
            return str(error)
        return None

    def _not_stored(
        self, questions: Sequence[Mapping[str, Any]], events: list[dict[str, Any]]
    ) -> Sequence[Mapping[str, Any]]:
        """The questions without those whose answers are stored, of which an event tells.

        A portion that was lost comes again, and may have been done but for the word of it.
        """
        if self._store is None or not all("place" in question for question in questions):
            return questions
        stack = self._stack()
        found = self._store.responses([question["place"].key for question in questions])
        there = {key for key, own in found.items() if any(one.stack == stack for one in own)}
        known = [question["id"] for question in questions if question["place"].key in there]
        if known:
            events.append({"event": "stored", "ids": known, "n": len(known), "tokens": 0})
        return [question for question in questions if question["place"].key not in there]

    def _stored(
        self, event: dict[str, Any], questions: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """An event about answers, as one that says that they are stored."""
        if self._store is None or event["event"] != "answered" or "place" not in questions[0]:
            return event
        rows = event["answers"]
        places = {tuple(question["id"]): question["place"] for question in questions}
        with self._store.transaction():
            for row in rows:
                place: Place = places[tuple(row["id"])]
                for key, response in place.responses(row, self._stack()):
                    self._store.put_responses({key: response})
        ids = dict.fromkeys(tuple(row["id"]) for row in rows)  # turns share one
        tokens = sum(row["completion_tokens"] or 0 for row in rows)
        return {"event": "stored", "ids": list(ids), "n": len(rows), "tokens": tokens}

    def _stack(self) -> Runtime:
        from judgebench.records import Runtime

        return Runtime(**self._ready["stack"])

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._process = None

    def _loaded(self) -> tuple[WorkerProcess, dict[str, Any]]:
        """The process and what it said when it was ready; started where there is none."""
        from judgebench.workers.process import WorkerProcess

        if self._process is None:
            process = WorkerProcess(self._module, gpus=None, **self._how)
            job, within_s, limit = self._job
            self._ready = process.load(job, within_s=within_s, limit=limit)
            self._process = process
        return self._process, self._ready
