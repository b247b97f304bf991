"""A process beside the server that computes one thing at a time.

A board of a million verdicts takes seconds of one core and half a gigabyte. Here it holds up no
page, and what it took is given back when nothing has been asked for a while. Lines of JSON go in
and out; it ends with the server, whose end of the pipe then closes.
"""

from __future__ import annotations

import importlib
import json
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, TypeAlias

from judgebench import errors
from judgebench.errors import JudgebenchError
from judgebench.store import open_store

IDLE_S = 60.0

PAUSE_S = 1.0
"""After an answer that somebody waited for, before anything is begun that nobody waits for: a page
asks several questions in a row, and the process has at hand what it has read for the last one."""

Question: TypeAlias = tuple[str, ...]
"""``module.function`` and its arguments after the store."""


class GaveWayError(Exception):
    """What nobody waits for was stopped for what somebody waits for."""


class ComputerError(JudgebenchError):
    """The process ended before it had answered."""

    def __init__(self) -> None:
        super().__init__(
            "the process that computes these numbers ended (of too little memory, or of a fault); "
            "the terminal of the dashboard has its last words. Reload the page to try again"
        )


class Computer:
    """The process, started when it is needed."""

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self.idle_s = idle_s
        self._turn = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._clock: threading.Timer | None = None
        self._waiting = 0
        self._waited = -math.inf
        self._gives_way: Question | None = None
        self._state = threading.Lock()

    @contextmanager
    def turn(self, question: Question, *, nobody_waits: bool = False) -> Iterator[None]:
        """Around `ask`, one question at a time.

        Parameters
        ----------
        nobody_waits
            Whether this gives way to any other question that somebody waits for, and is stopped
            for its sake.

        Raises
        ------
        GaveWayError
            Where it was stopped, or did not begin, since somebody waits or did so a moment ago.
        """
        with self._state:
            if nobody_waits and self._others_first():
                raise GaveWayError
            self._waiting += not nobody_waits
            if self._gives_way not in (None, question) and self._process is not None:
                self._process.kill()
        try:
            with self._turn:
                with self._state:
                    if nobody_waits and self._others_first():
                        raise GaveWayError
                    self._gives_way = question if nobody_waits else None
                yield
        finally:
            with self._state:
                self._gives_way = None
                if not nobody_waits:
                    self._waiting -= 1
                    self._waited = time.monotonic()

    def _others_first(self) -> bool:
        return self._waiting > 0 or time.monotonic() - self._waited < PAUSE_S

    def ask(self, url: str, question: Question) -> Any:
        """What a function of this folder says of a store; who asks has the turn.

        Raises
        ------
        JudgebenchError
            What the function raised, in the same words.
        GaveWayError
            As `turn`.
        ComputerError
            Where the process ended.
        """
        with self._state:
            process = self._running()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps([url, *question]) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        whole = line.endswith("\n")
        with self._state:
            stopped = self._gives_way is not None and self._waiting
            if whole:
                self._clock = threading.Timer(self.idle_s, self.end_if_idle)
                self._clock.daemon = True
                self._clock.start()
            else:
                self._ended()
        if not whole:
            raise GaveWayError if stopped else ComputerError
        return _read(json.loads(line))

    def _running(self) -> subprocess.Popen[str]:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
        if self._process is None or self._process.poll() is not None:
            self._ended()
            self._process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        return self._process

    def end_if_idle(self) -> None:
        """Give back what it has, unless it is at something."""
        if self._turn.acquire(blocking=False):
            try:
                with self._state:
                    self._ended()
            finally:
                self._turn.release()

    def _ended(self) -> None:
        """Let the process go, and wait until it has."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _read(answer: dict[str, Any]) -> Any:
    if "fault" in answer:
        kind = getattr(errors, answer["fault"], JudgebenchError)
        raise (kind if issubclass(kind, JudgebenchError) else JudgebenchError)(answer["said"])
    return answer["answer"]


def answers(questions: TextIO, out: TextIO) -> None:
    """Read questions until there are no more."""
    for line in questions:
        url, question, *arguments = json.loads(line)
        module, _, name = question.rpartition(".")
        try:
            with open_store(url, read_only=True) as store:
                found = getattr(importlib.import_module(module), name)(store, *arguments)
            said = {"answer": found}
        except JudgebenchError as error:
            said = {"fault": type(error).__name__, "said": str(error)}
        out.write(json.dumps(said) + "\n")
        out.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, and that ends this
    with suppress(BrokenPipeError):  # the server went while this was at work
        answers(sys.stdin, sys.stdout)
