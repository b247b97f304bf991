"""A process that has everything loaded, and forks command lines out of itself within milliseconds.

A command can be made to end by SIGKILL at any of its steps: within a commit of the store (rows
written, not committed), right after one, right before a question is sent, and right after its reply
came. So a test can kill a run between any two of them, many times.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from sqlalchemy import Connection

from judgebench import registry
from judgebench.cli.main import run
from judgebench.execution.batch import WAITING
from judgebench.protocols import Provider
from judgebench.providers.batch import BatchClient
from judgebench.records import Reply, Request
from judgebench.store.database import Database

ROOT = Path(__file__).resolve().parents[2]
_LATE = ("judgebench.batches", "judgebench.cli.runs", "rich.console", "rich.table")
"""What commands other than the one that warms up load besides."""
PROVIDERS = ("openai_compatible", "openai", "anthropic")
STEPS = ("in a commit", "after a commit", "before a call", "after a call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command line, and at which of its steps it is killed; at none if 0.

    ``kind`` has only the steps of one name counted, ``after`` is a file without which it does not
    begin.
    """

    words: tuple[str, ...]
    kill_at: int = 0
    kind: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended: its exit code, or minus the signal; what it said; its steps."""

    pid: int
    code: int
    said: str
    steps: tuple[str, ...]

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Nursery:
    """The process, from the side of a test.

    Parameters
    ----------
    warm_up
        A command line that is carried out once in the process itself, so that what it loads is
        there for all that come later.
    executable
        The interpreter, or what stands for it: see `tests.warm`.
    """

    def __init__(self, *warm_up: str | Path, executable: str = sys.executable) -> None:
        self._words = [executable, "-m", "tests.faults.nursery", *map(str, warm_up)]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._words,
            cwd=ROOT,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._heard()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.communicate()  # the end of its input is its end

    def carry_out(self, *orders: Order) -> list[Ended]:
        """Start all of them at once; returns when all have ended."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([asdict(order) for order in orders]) + "\n")
        self._process.stdin.flush()
        return [Ended(**one | {"steps": tuple(one["steps"])}) for one in self._heard()]

    def _heard(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the nursery has ended"
        return json.loads(line)


# The other side: the process itself --------------------------------------------------------------


def main(warm_up: list[str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        code = run(warm_up)
    if code not in {0, WAITING}:
        raise SystemExit(f"the warm-up ended with {code}: {said.getvalue()}")
    for module in _LATE:
        importlib.import_module(module)
    # All is on loopback and in plain text: to read what is trusted is a fifth of a short command.
    ssl.SSLContext.load_verify_locations = lambda *_, **__: None  # type: ignore[method-assign]
    ssl.SSLContext.load_default_certs = lambda *_, **__: None  # type: ignore[method-assign]
    gc.collect()
    gc.freeze()  # a sweep in a child would copy all that is loaded
    gc.disable()
    print("[]", flush=True)
    for line in sys.stdin:
        children = [_fork(Order(**order)) for order in json.loads(line)]
        print(json.dumps([child.ended() for child in children]), flush=True)


@dataclass(frozen=True, slots=True)
class _Child:
    pid: int
    said: IO[bytes]
    steps: IO[bytes]

    def ended(self) -> dict[str, Any]:
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        steps = _all(self.steps).splitlines()
        return {"pid": self.pid, "code": code, "said": _all(self.said), "steps": steps}


def _fork(order: Order) -> _Child:
    said, steps = _file(), _file()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _be(order, said.fileno(), steps.fileno())
    return _Child(pid, said, steps)


def _be(order: Order, said: int, steps: int) -> None:
    """The child's whole life."""
    code = 70
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        _count_steps(order, steps)
        while order.after and not Path(order.after).exists():
            time.sleep(0.005)
        code = run(list(order.words))
    except BaseException:  # noqa: BLE001 - nothing of the child may go on in the nursery's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _file() -> IO[bytes]:
    """A file that is there for as long as it is open, in whatever process."""
    return tempfile.TemporaryFile()


def _all(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode()


def _count_steps(order: Order, file: int) -> None:
    """Note every step in a file, and end at one of them."""
    done = 0

    def step(name: str) -> None:
        nonlocal done
        done += order.kind in {"", name}
        os.write(file, f"{name}\n".encode())
        if order.kill_at and done == order.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    _step_at_commits(step)
    for name in PROVIDERS:
        _step_at_sends(name, step)
    for name in ("ask", "make"):
        _step_at_batches(name, step)


def _step_at_commits(step: Callable[[str], None]) -> None:
    writing = Database.writing

    @contextlib.contextmanager
    def stepping(database: Database, **how: bool) -> Iterator[Connection]:
        with writing(database, **how) as connection:
            yield connection
            step("in a commit")
        step("after a commit")

    Database.writing = stepping  # type: ignore[method-assign, assignment]


def _step_at_sends(provider: str, step: Callable[[str], None]) -> None:
    module = registry.load("providers", provider)
    make = module.make
    module.make = lambda endpoint: _Stepping(make(endpoint), step)


def _step_at_batches(name: str, step: Callable[[str], None]) -> None:
    """Uploads, and whatever else a batch interface is asked."""
    call = getattr(BatchClient, name)

    def stepping(client: BatchClient, *what: Any, **content: Any) -> Any:
        step("before a call")
        answer = call(client, *what, **content)
        step("after a call")
        return answer

    setattr(BatchClient, name, stepping)


class _Stepping:
    """A provider with a step before each question and after each reply."""

    def __init__(self, inner: Provider, step: Callable[[str], None]) -> None:
        self._inner = inner
        self._step = step

    async def complete(self, request: Request) -> Reply:
        self._step("before a call")
        reply = await self._inner.complete(request)
        self._step("after a call")
        return reply

    async def close(self) -> None:
        await self._inner.close()


if __name__ == "__main__":
    main(sys.argv[1:])
