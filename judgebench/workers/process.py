"""A child process that holds a model, as seen by who asks it (`judgebench.workers.protocol`).

Nothing of it is left behind: it leads a process group of its own, which is killed with it, and it
ends by itself when the pipe of its orders does.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any, Protocol

from judgebench import extras
from judgebench.errors import ConfigError, LocalModelError
from judgebench.secret import Secret, redact, secrets_of

NEEDS = {backend: extras.EXTRAS[name].packages[0] for backend, name in extras.BACKENDS.items()}
"""The package without which a backend cannot run."""

_POLL_S = 0.2
_GRACE_S = 5.0
_LAST_BYTES = 16 * 1024
_LAST_LINES = 15


class Worker(Protocol):
    """What answers questions with one model: a process here, or several elsewhere.

    ``width`` is how many times it can be asked at once, ``pid`` its process; ``writes`` says that
    answers are in the store when it tells of them, if it was told their place.
    """

    @property
    def pid(self) -> int | None: ...

    @property
    def width(self) -> int: ...

    @property
    def writes(self) -> bool: ...

    def load(
        self, job: Mapping[str, Any], *, within_s: float | None, limit: str
    ) -> dict[str, Any]: ...

    def ask(
        self, questions: Sequence[Mapping[str, Any]], *, within_s: float | None = None
    ) -> Iterator[dict[str, Any]]: ...

    def stop(self) -> None: ...


class LastWords(threading.Thread):
    """Keeps the end of what a process says, so that no full pipe stops it.

    As text it is that, without these ``secrets`` and those of this process.
    """

    def __init__(self, pipe: IO[bytes] | None, secrets: Sequence[Secret | None] = ()) -> None:
        super().__init__(daemon=True)
        assert pipe is not None
        self._pipe, self._secrets, self._tail = pipe, secrets, b""
        self.start()

    def run(self) -> None:
        with self._pipe as stream:
            while chunk := os.read(stream.fileno(), _LAST_BYTES):
                self._tail = (self._tail + chunk)[-_LAST_BYTES:]

    def __str__(self) -> str:
        secrets = [*secrets_of(os.environ), *self._secrets]
        lines = redact(self._tail.decode("utf-8", "replace"), secrets).splitlines()
        # What a progress bar wrote over was a line too.
        words = "\n".join(f"  | {clean(line)}" for line in lines[-_LAST_LINES:])
        return f"Its last words:\n{words or '  (none)'}"


class WorkerProcess:
    """A worker by the name of its module, started at once. Its methods wait, in any thread.

    Parameters
    ----------
    model
        How the model is called, for messages.
    gpus
        ``CUDA_VISIBLE_DEVICES`` of the worker; that of this process if None.
    needs
        The package without which it cannot run.

    Raises
    ------
    ConfigError
        Where that package is not installed.
    """

    def __init__(self, module: str, *, model: str, gpus: str | None, needs: str | None) -> None:
        if needs is not None and not extras.is_installed(needs):
            raise ConfigError(
                f"{model} needs {needs}, which is not installed: {extras.install_line(needs)}"
            )
        # Threads that spin while they wait: measured at 14 times the seconds on a busy machine.
        usual = {"OMP_NUM_THREADS": str(os.cpu_count() or 1), "OMP_WAIT_POLICY": "PASSIVE"}
        chosen = {} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus}
        self._model = model
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**usual, **os.environ, **chosen},
            start_new_session=True,  # Ctrl-C is for the run; and there is no terminal to ask on
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._said = LastWords(self._process.stderr)
        self._gone = False
        self._reader = threading.Thread(target=self._read_events, daemon=True)
        self._reader.start()

    width = 1
    writes = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def load(self, job: Mapping[str, Any], *, within_s: float | None, limit: str) -> dict[str, Any]:
        """Have it load what a job describes; its event ``ready``.

        Parameters
        ----------
        within_s
            No limit if None.
        limit
            What a suite may raise where that was too short.

        Raises
        ------
        ConfigError
            Where the job cannot be done as it stands.
        LocalModelError
            Where the model cannot be loaded, or not in time, with the process's last words.
        """
        self._tell(job)
        deadline = None if within_s is None else time.monotonic() + within_s
        try:
            while (event := self._event(deadline, "loads"))["event"] == "loading":
                pass
        except TimeoutError:
            self.stop()
            raise LocalModelError(
                f"{self._model} was not loaded within {within_s:g} s: raise {limit} (a download "
                f"that broke off goes on). {self._said}"
            ) from None
        if event["event"] == "refused":
            self.stop()
            error = ConfigError if event["ours"] else LocalModelError
            raise error(f"{self._model} cannot be used: {clean(event['message'])}")
        return event

    def ask(
        self, questions: Sequence[Mapping[str, Any]], *, within_s: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """All events about some questions.

        Raises
        ------
        LocalModelError
            When the process ends before it is done, with its last words.
        TimeoutError
            When that takes longer than it may.
        """
        deadline = None if within_s is None else time.monotonic() + within_s
        self._tell({"questions": questions})
        while (event := self._event(deadline))["event"] != "done":
            yield event

    def portions(self, questions: Sequence[Mapping[str, Any]]) -> list[list[int]]:
        """Which questions are answered together, by their numbers.

        Raises
        ------
        LocalModelError
            When the process has ended.
        """
        self._tell({"portions": questions})
        found: list[list[int]] = self._event(None)["portions"]
        return found

    def stop(self) -> None:
        """End the process and everything it started; returns when all of it is gone."""
        if self._gone:  # its number may be another's by now
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S)
        self._signal(signal.SIGKILL)  # and whatever it has left behind
        self._process.wait()
        for reader in (self._reader, self._said):
            reader.join(_GRACE_S)
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._gone = True

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _tell(self, order: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError):  # nobody is there to read it
            raise self._ended("runs") from None

    def _event(self, deadline: float | None, doing: str = "runs") -> dict[str, Any]:
        """The next event; waits for it as long as the process lives, or until the deadline."""
        ended = False
        while True:
            try:
                line = self._lines.get(timeout=_POLL_S)
            except queue.Empty:
                if ended:  # a descendant may still hold the pipe open
                    raise self._ended(doing) from None
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError from None
                ended = self._process.poll() is not None
                continue
            if not line.endswith(b"\n"):
                raise self._ended(doing)
            event: dict[str, Any] = json.loads(line)
            return event

    def _ended(self, doing: str) -> LocalModelError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S)  # its pipes may close before it has ended
        self.stop()
        code = self._process.returncode
        status = f"exit status {code}"
        if code < 0:
            hint = "; often the machine ran out of memory" if -code == signal.SIGKILL else ""
            status = f"killed by {signal.Signals(-code).name}{hint}"
        return LocalModelError(
            f"the worker that {doing} {self._model} ended: {status}. {self._said}"
        )

    def _read_events(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(b"")


class WorkerProcesses:
    """Several processes of one model, each on GPUs of its own, which share what is asked.

    Each is asked a portion at a time: what one process alone would answer together. One that ends
    costs its portion, and the others go on.

    Parameters
    ----------
    gpus
        ``CUDA_VISIBLE_DEVICES`` of each, as ``0,1;2,3`` of two.
    """

    def __init__(self, module: str, *, model: str, gpus: str, needs: str | None) -> None:
        groups = gpus.split(";")
        self._each = [WorkerProcess(module, model=model, gpus=g, needs=needs) for g in groups]
        self._model = model

    width = 1
    """Whoever asks has all of them."""
    writes = False

    @property
    def pid(self) -> int:
        return self._each[0].pid

    def load(self, job: Mapping[str, Any], *, within_s: float | None, limit: str) -> dict[str, Any]:
        """As that of one process.

        Raises
        ------
        ConfigError
            Also where they do not run alike, on GPUs of two kinds.
        """
        load = partial(WorkerProcess.load, job=job, within_s=within_s, limit=limit)
        try:
            with ThreadPoolExecutor(len(self._each)) as threads:
                loading = [threads.submit(load, one) for one in self._each]
                try:
                    for loaded in as_completed(loading):
                        loaded.result()
                except BaseException:  # Ctrl-C too: the others are not waited for
                    self.stop()
                    raise
            ready = [loaded.result() for loaded in loading]
            for one in ready:
                if one["stack"] != ready[0]["stack"]:
                    kinds = " and ".join(str(x["stack"]["device"]) for x in (ready[0], one))
                    raise ConfigError(
                        f"{self._model} would run on {kinds}, and a run never mixes stacks: name "
                        "GPUs of one kind"
                    )
        except (ConfigError, LocalModelError):
            self.stop()
            raise
        return ready[0]

    def ask(
        self, questions: Sequence[Mapping[str, Any]], *, within_s: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """All events about some questions, ``within_s`` for each portion.

        Raises
        ------
        LocalModelError, TimeoutError
            Once all that can be answered is, what ended one of the processes.
        """
        portions = deque(self._each[0].portions(questions))
        said: queue.SimpleQueue[dict[str, Any] | Exception | None] = queue.SimpleQueue()

        def work(process: WorkerProcess) -> None:
            try:
                while portions:
                    with contextlib.suppress(IndexError):  # another one was faster
                        asked = [questions[n] for n in portions.popleft()]
                        for event in process.ask(asked, within_s=within_s):
                            said.put(event)
            except Exception as error:  # noqa: BLE001 - whoever asks is told
                said.put(error)
            finally:
                said.put(None)

        for process in self._each:
            threading.Thread(target=work, args=(process,), daemon=True).start()
        ended: list[Exception] = []
        going = len(self._each)
        while going:
            event = said.get()
            if event is None:
                going -= 1
            elif isinstance(event, Exception):
                ended.append(event)
            else:
                yield event
        if ended:
            raise ended[0]

    def stop(self) -> None:
        for process in self._each:
            process.stop()


@dataclass(eq=False)
class SharedWorker:
    """A worker that several ask, in turn: one process, started by the first question.

    ``start`` starts it; where it has ended, the next question starts it again.
    """

    start: Callable[[], Worker]
    width: int = field(default=1, init=False)
    writes: bool = field(default=False, init=False)
    _process: Worker | None = field(default=None, init=False)
    _ready: dict[str, Any] = field(default_factory=dict, init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)
    _asking: bool = field(default=False, init=False)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def load(self, job: Mapping[str, Any], *, within_s: float | None, limit: str) -> dict[str, Any]:
        """As that of a process; only the first loads anything.

        Raises
        ------
        ConfigError, LocalModelError
            As that of a process.
        """
        with self._turn:
            if self._process is None:
                process = self.start()
                self._ready = process.load(job, within_s=within_s, limit=limit)
                self._process = process
            return self._ready

    def ask(
        self, questions: Sequence[Mapping[str, Any]], *, within_s: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """All events about some questions, once those of others are answered.

        Raises
        ------
        LocalModelError, TimeoutError
            As that of a process; also where it ended over somebody else's question.
        """
        with self._turn:
            if self._process is None:
                raise LocalModelError("the process ended over another question")
            self._asking = True
            try:
                yield from self._process.ask(questions, within_s=within_s)
            except LocalModelError:
                self._process = None
                raise
            self._asking = False

    def stop(self) -> None:
        """End it where it is in the middle of a question; else others go on asking it."""
        if self._asking:
            self.end()

    def end(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process, self._asking = self._process, None, False
        if process is not None:
            process.stop()


METRICS: ContextVar[SharedWorker | None] = ContextVar("metrics", default=None)
"""The process that knows lm-eval's tasks (`judgebench.workers.lm_eval_task`), for a whole run."""


@contextlib.contextmanager
def metrics_worker() -> Iterator[SharedWorker]:
    """One process for all questions about lm-eval's tasks, ended with the outermost block."""
    if (outer := METRICS.get()) is not None:
        yield outer
        return
    module, needs = "judgebench.workers.lm_eval_task", "lm_eval"
    start = partial(WorkerProcess, module, model="lm_eval_task", gpus=None, needs=needs)
    shared = SharedWorker(start)
    token = METRICS.set(shared)
    try:
        yield shared
    finally:
        METRICS.reset(token)
        shared.end()


def started(module: str, *, model: str, gpus: str | None, needs: str | None) -> Worker:
    """A worker on this machine: one process, or one for each group of GPUs that is named."""
    if gpus is not None and ";" in gpus:
        return WorkerProcesses(module, model=model, gpus=gpus, needs=needs)
    return WorkerProcess(module, model=model, gpus=gpus, needs=needs)


START: ContextVar[Callable[..., Worker]] = ContextVar("start", default=started)
"""How workers of models are started: as processes here, unless a run has it otherwise."""


def clean(text: str) -> str:
    """Without keys and control characters: what a process prints is not to be trusted."""
    text = redact(text, secrets_of(os.environ))
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)
