"""A worker process on a node of a cluster, and what has to be the same there as where a run is led.

Sent to the node as it is here: it may find another judgebench there, or none, and says so. Hence
nothing of judgebench is imported before that is known.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

    return get_runtime_context().get_node_id()


class NodeWorker:
    """A worker process of one model; no method raises what is about the model or the node.

    ``how`` are the arguments of `WorkerProcess`.
    """

    def __init__(self, module: str, how: Mapping[str, Any]) -> None:
        self._module = module
        self._how = how
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
            return {**said, "fault": None, "ready": self._loaded()[1]}
        except (ConfigError, LocalModelError) as error:
            return {**said, "fault": str(error), "ours": isinstance(error, ConfigError)}

    def portions(self, questions: Sequence[Mapping[str, Any]]) -> list[list[int]]:
        return self._loaded()[0].portions(questions)

    def ask(self, questions: Sequence[Mapping[str, Any]], within_s: float | None) -> dict[str, Any]:
        """The ``events`` about some questions, and why the process ``ended`` before it was done.

        The next call starts it once more; ``fault`` is why that was not possible.
        """
        from judgebench.errors import ConfigError, LocalModelError

        events: list[dict[str, Any]] = []
        try:
            process, _ = self._loaded()
        except (ConfigError, LocalModelError) as error:
            return {"events": events, "ended": None, "fault": str(error)}
        ended = None
        try:
            for event in process.ask(questions, within_s=within_s):
                events.append(event)  # noqa: PERF402  (what came before an end is kept)
        except LocalModelError as error:
            ended = str(error)
        except TimeoutError:
            ended = f"no answer within {within_s:g} s"
        if ended is not None:
            self.stop()
        return {"events": events, "ended": ended, "fault": None}

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
