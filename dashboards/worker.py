"""A process beside the server that computes one thing at a time.

A board of a million verdicts takes seconds of one core and half a gigabyte. Here it holds up no
page, and what it took is given back when nothing has been asked for a while. It ends with the
server, whose end of the pipe then closes.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import IO, Any, get_type_hints

import numpy as np
from pydantic import ConfigDict, TypeAdapter
from pydantic_core import CoreConfig, SchemaSerializer, SchemaValidator, core_schema

from judgebench import errors
from judgebench.errors import JudgebenchError
from judgebench.store import Store, open_store

IDLE_S = 60.0

PAUSE_S = 1.0
"""After an answer that somebody waited for, before anything is begun that nobody waits for: a page
asks several questions in a row, and the process has at hand what it has read for the last one."""

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
    """A function of a module, and what it is called with after a store.

    What it says has to be JSON, or a dataclass whose fields are typed.
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
        return self.function(store, *self.args, **self.asked)

    def written(self, answer: Any) -> str:
        """An answer as JSON; nan stays nan."""
        serializer, _ = _forms(self.function)
        return serializer.to_json((answer,)).decode()

    def read(self, text: str) -> Any:
        """What `written` wrote.

        Raises
        ------
        ValueError
            Where it is not that.
        """
        _, validator = _forms(self.function)
        (answer,) = validator.validate_json(text)
        return answer


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


@cache
def _forms(function: Callable[..., Any]) -> tuple[SchemaSerializer, SchemaValidator]:
    said = SimpleNamespace(__annotations__={"is": function.__annotations__["return"]})
    kind: Any = get_type_hints(said, vars(sys.modules[function.__module__]))["is"]
    # In a tuple, since a dataclass by itself would not take another's configuration.
    schema = _with_arrays(TypeAdapter(tuple[kind], config=_FORM).core_schema)
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
    """The process, started when it is needed."""

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self.idle_s = idle_s
        self.process: subprocess.Popen[bytes] | None = None
        self._turn, self._state = threading.Lock(), threading.RLock()
        self._clock: threading.Timer | None = None
        self._waiting, self._answered = 0, -math.inf
        self._gives_way = ""

    @contextmanager
    def turn(self, name: str, *, urgent: bool) -> Iterator[None]:
        """Around `ask`, one question at a time.

        What is not urgent gives way to any other question that is, and is stopped for its sake: it
        does not begin while one waits, nor a moment after.
        """
        with self._state:
            self._waiting += urgent
            if urgent and self._gives_way not in ("", name) and self.process is not None:
                self.process.kill()
        try:
            while True:
                with self._turn:
                    with self._state:
                        begins = urgent or self.is_quiet()
                        self._gives_way = name if begins and not urgent else ""
                    if begins:
                        yield
                        return
                time.sleep(_AGAIN_S)
        finally:
            with self._state:
                self._gives_way = ""
                if urgent:
                    self._waiting, self._answered = self._waiting - 1, time.monotonic()

    def is_quiet(self) -> bool:
        """Whether nobody waits, or did so a moment ago."""
        return not self._waiting and time.monotonic() - self._answered >= PAUSE_S

    def ask(self, url: str, question: Question) -> str | None:
        """What is said of a store, as JSON; who asks has the turn. None where it was stopped.

        Raises
        ------
        JudgebenchError
            What the function raised, in the same words.
        WorkerError
            Where the process ended by itself.
        """
        with self._state:
            process = self.begin()
        assert process.stdin is not None and process.stdout is not None
        try:
            pickle.dump((url, question), process.stdin)
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        whole = line.endswith(b"\n")
        with self._state:
            stopped = self._gives_way and self._waiting
            if whole:
                self._rest()
            else:
                self.end()
        if not whole and not stopped:
            raise WorkerError
        return _said(json.loads(line)) if whole else None

    def begin(self) -> subprocess.Popen[bytes]:
        """Have the process there."""
        with self._state:
            if self._clock is not None:
                self._clock.cancel()
            if self.process is None or self.process.poll() is not None:
                self.end()
                self.process = subprocess.Popen(
                    [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            return self.process

    def _rest(self) -> None:
        """Give back what it has after a while."""
        self._clock = threading.Timer(self.idle_s, self.end_if_idle)
        self._clock.daemon = True
        self._clock.start()

    def end_if_idle(self) -> None:
        """Give back what it has, unless it is at something."""
        if self._turn.acquire(blocking=False):
            try:
                self.end()
            finally:
                self._turn.release()

    def end(self) -> None:
        """Let the process go, and wait until it has."""
        with self._state:
            process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.communicate()


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
                said = {"answer": question.written(question.of(store))}
        except JudgebenchError as error:
            said = {"fault": type(error).__name__, "said": str(error)}
        out.write(json.dumps(said).encode() + b"\n")
        out.flush()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, and that ends this
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    with suppress(BrokenPipeError):  # the server went while this was at work
        answer_all(questions, answers)


if __name__ == "__main__":
    import worker

    worker.main()
