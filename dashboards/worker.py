"""Processes beside the server that compute, one thing at a time each.

A board of a million verdicts takes seconds of one core and half a gigabyte. Here it holds up no
page, and what it took is given back when nothing has been asked for a while. They end with the
server, whose end of the pipe then closes.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import ChainMap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, is_dataclass
from functools import cache
from types import SimpleNamespace
from typing import IO, Any, get_type_hints

import numpy as np
from pydantic import ConfigDict, TypeAdapter
from pydantic_core import CoreConfig, SchemaSerializer, SchemaValidator, core_schema

from judgebench import errors
from judgebench.errors import JudgebenchError
from judgebench.store.opening import open_store
from judgebench.store.store import Store

IDLE_S = 60.0

PAUSE_S = 3.0
"""After somebody was heard of, before anything is begun that nobody waits for: a page asks several
questions in a row, the process has at hand what it has read for the last one, and the browser needs
a core to draw with."""

MOST_PAUSE_S = 30.0
"""So long at most that is put off by who is there and waits for nothing: where somebody turns pages
or labels without a pause, all pages would show the store as it was before they came."""

_AGAIN_S = 0.2


class WorkerError(JudgebenchError):
    """The process ended before it had answered."""

    def __init__(self) -> None:
        super().__init__(
            "the process that computes these numbers ended (of too little memory, or of a fault); "
            "the terminal of the dashboard has its last words. Reload the page to try again"
        )


@dataclass(frozen=True, slots=True)
class Question:
    """A function of a module, and what it is called with beside a store.

    It takes the store as its first argument, or by the name ``store`` as those of `judgebench.api`.
    What it says is a dataclass of our own whose fields are typed, or JSON.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    asked: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """All that its answer follows from, beside the store and the code."""
        where = f"{self.function.__module__}.{self.function.__qualname__}"
        return f"{where}{self.args!r}{sorted(self.asked.items())!r}"

    def of(self, store: Store) -> Any:
        if "store" in (getattr(self.function, "__kwdefaults__", None) or ()):
            return self.function(*self.args, **self.asked, store=store)
        return self.function(store, *self.args, **self.asked)


def written(answer: Any, function: Callable[..., Any] | None = None) -> str:
    """What a function said, as JSON with what it is; nan stays nan."""
    kind = type(answer) if is_dataclass(answer) else object
    serializer, _ = _forms(_declared(function) if kind is object else kind)
    return f"{kind.__module__} {kind.__qualname__}\n{serializer.to_json((answer,)).decode()}"


def read(text: str, function: Callable[..., Any] | None = None) -> Any:
    """What `written` wrote.

    Raises
    ------
    ValueError
        Where it is not that.
    """
    head, _, body = text.partition("\n")
    module, _, name = head.partition(" ")
    if module == "builtins":
        kind = _declared(function)
    else:
        ours = module.partition(".")[0] in ("judgebench",)
        kind = getattr(importlib.import_module(module), name, None) if ours else None
        if not is_dataclass(kind):
            raise ValueError(f"{head}: no answer of ours")
    (answer,) = _forms(kind)[1].validate_json(body)
    return answer


def _declared(function: Callable[..., Any] | None) -> Any:
    """What it says by its own account, where that is not a dataclass, which says itself."""
    said = SimpleNamespace(
        __annotations__={"is": getattr(function, "__annotations__", {}).get("return", Any)}
    )
    return get_type_hints(said, vars(sys.modules[getattr(function, "__module__", __name__)]))["is"]


_FORM = ConfigDict(
    ser_json_bytes="hex",
    val_json_bytes="hex",
    ser_json_inf_nan="constants",
    arbitrary_types_allowed=True,
)
_ARRAY = core_schema.no_info_plain_validator_function(
    np.asarray,
    serialization=core_schema.plain_serializer_function_ser_schema(np.ndarray.tolist),
)
"""Whole numbers come back as such, all others as floats: no report has arrays of anything else."""


HELD = (
    *("numpy.typing", "judgebench.reports.published"),
    *("judgebench.reports.samples", "judgebench.reports.slide"),
)
"""Modules of parts that reports may have, and which they load where they have one."""


@cache
def _forms(kind: Any) -> tuple[SchemaSerializer, SchemaValidator]:
    # In a tuple, since a dataclass by itself would not take another's configuration.
    adapter = TypeAdapter(tuple[kind], config=_FORM)
    if not adapter.pydantic_complete:  # reports load no module for what they may hold beside
        named = (vars(importlib.import_module(name)) for name in HELD)
        adapter.rebuild(_types_namespace=ChainMap(*named))
    schema = _with_arrays(adapter.core_schema)
    numbers = CoreConfig(ser_json_inf_nan="constants")  # in arrays too, where nothing says so
    return SchemaSerializer(schema, numbers), SchemaValidator(schema)


def _with_arrays(schema: Any) -> Any:
    """Lists of numbers where pydantic, which does not know arrays, asks for the object itself."""
    if isinstance(schema, list | tuple):
        return type(schema)(_with_arrays(part) for part in schema)
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "is-instance" and schema["cls"] is np.ndarray:
        return _ARRAY
    return {name: _with_arrays(part) for name, part in schema.items()}


class Worker:
    """A process, started when it is needed; who has its lock may ask it."""

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self.idle_s, self.lock, self.at = idle_s, threading.Lock(), ""
        self.process: subprocess.Popen[bytes] | None = None
        self._stopped, self._clock = False, threading.Timer(idle_s, self.end_if_idle)

    def begin(self) -> subprocess.Popen[bytes]:
        """Have the process there, and let it go where nothing is asked of it for a while."""
        self._clock.cancel()
        if self.process is None or self.process.poll() is not None:
            self._end()
            self.process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Many small products, in threads of ours: its own only wait for each other.
                env={"OPENBLAS_NUM_THREADS": "1", **os.environ},
            )
        self._clock = threading.Timer(self.idle_s, self.end_if_idle)
        self._clock.daemon = True
        self._clock.start()
        return self.process

    def ask(self, url: str, question: Question) -> str | None:
        """What is said of a store, as `written`; None where it was stopped.

        Raises
        ------
        JudgebenchError
            What the function raised, in the same words.
        WorkerError
            Where the process ended by itself.
        """
        self._stopped, self.at = False, question.name
        try:
            process = self.begin()
            assert process.stdin is not None and process.stdout is not None
            pickle.dump((url, question), process.stdin)
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            self.at = ""
        if line.endswith(b"\n"):
            self.begin()  # its clock anew
            return _said(json.loads(line))
        self._end()
        if self._stopped:
            return None
        raise WorkerError

    def stop(self) -> None:
        """Have what it is at given up."""
        self._stopped = True
        if self.process is not None:
            self.process.kill()

    def end_if_idle(self) -> None:
        """Give back what it has, unless it is at something."""
        if self.lock.acquire(blocking=False):
            try:
                self._end()
            finally:
                self.lock.release()

    def _end(self) -> None:
        """Let the process go, and wait until it has."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.communicate()


class Workers:
    """A process for what somebody waits for, and one for what nobody does.

    The other one gives way: it is stopped when something else is asked for that somebody waits for,
    and begins nothing while somebody waits, nor a moment after somebody was heard of.
    """

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self.front, self.back = Worker(idle_s=idle_s), Worker(idle_s=idle_s)
        self._state = threading.Lock()
        self._waiting, self._heard = 0, -math.inf

    @contextmanager
    def turn(self, question: Question, *, urgent: bool) -> Iterator[Worker]:
        """Around asking one of them, which is given: one question at a time of each."""
        if not urgent:
            latest = time.monotonic() + MOST_PAUSE_S
            while self._waiting or not (self.is_quiet() or time.monotonic() >= latest):
                time.sleep(_AGAIN_S)
            worker = self.back
            with worker.lock:
                yield worker
            return
        with self._state:
            self._waiting += 1
            if self.back.at == question.name and not self.front.at:  # it has at hand what it reads
                self.front, self.back = self.back, self.front
            elif self.back.at not in ("", question.name):
                self.back.stop()
            worker = self.back if self.back.at == question.name else self.front
        try:
            with worker.lock:
                yield worker
        finally:
            with self._state:
                self._waiting -= 1
            self.heard()

    def heard(self, in_s: float = 0.0) -> None:
        """Somebody is there, or may come in so many seconds."""
        self._heard = time.monotonic() + in_s

    def is_quiet(self) -> bool:
        """Whether nobody waits, or was heard of a moment ago."""
        return not self._waiting and time.monotonic() - self._heard >= PAUSE_S

    def end(self) -> None:
        """Give back what they have, unless they are at something."""
        self.front.end_if_idle()
        self.back.end_if_idle()


def _said(answer: dict[str, str]) -> str:
    if "fault" in answer:
        kind = getattr(errors, answer["fault"], JudgebenchError)
        raise (kind if issubclass(kind, JudgebenchError) else JudgebenchError)(answer["said"])
    return answer["answer"]


def answer_all(questions: IO[bytes], out: IO[bytes]) -> None:
    """Read questions until there are no more."""
    while True:
        try:
            url, question = pickle.load(questions)
        except EOFError:
            return
        try:
            with open_store(url, read_only=True) as store:
                said = {"answer": written(question.of(store), question.function)}
        except JudgebenchError as error:
            said = {"fault": type(error).__name__, "said": str(error)}
        out.write(json.dumps(said).encode() + b"\n")
        out.flush()


LOADS = ("judgebench.api", "judgebench.explore", "judgebench.reports.compare", "scipy.special")
"""What most answers need, loaded before anything is asked: a second of a core."""


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, and that ends this
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    for name in LOADS:
        importlib.import_module(name)
    with suppress(BrokenPipeError):  # the server went while this was at work
        answer_all(questions, answers)


if __name__ == "__main__":
    import worker

    worker.main()
