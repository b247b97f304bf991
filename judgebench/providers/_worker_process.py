"""A child process that holds a model, as seen by who asks it: JSON lines in, JSON lines out.

Nothing of it is left behind: it leads a process group of its own, which is killed with it, and it
ends by itself when the pipe of its orders does (`judgebench.workers.parent_pipe`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from judgebench.secret import redact, secrets_of

_POLL_S = 0.5
_GRACE_S = 5.0
_LAST_BYTES = 16 * 1024
_LAST_LINES = 15
_LONGEST_LINE = 256 * 1024 * 1024


class WorkerEndedError(Exception):
    """The process is no more; says how it ended, with its last words."""


class WorkerProcess:
    """A worker by the name of its module; made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._tail = b""
        self._reader = asyncio.create_task(self._keep_tail())

    @classmethod
    async def start(cls, module: str, *, gpus: str | None) -> WorkerProcess:
        """Start it; ``gpus`` is its ``CUDA_VISIBLE_DEVICES``, None for those of this process."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(gpus),
            limit=_LONGEST_LINE,
            start_new_session=True,  # Ctrl-C is for the run; and there is no terminal to ask on
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def tell(self, order: Mapping[str, Any]) -> None:
        """Send one order.

        Raises
        ------
        WorkerEndedError
            If nobody is there to read it.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise await self._ended() from None

    async def event(self) -> dict[str, Any]:
        """The next event; waits for it as long as the process lives.

        Raises
        ------
        WorkerEndedError
            If there will be none.
        """
        assert self._process.stdout is not None
        read = asyncio.ensure_future(self._process.stdout.readline())
        try:
            while not (await asyncio.wait({read}, timeout=_POLL_S))[0]:
                if self._process.returncode is not None:
                    self._kill()  # a descendant still holds the pipe open
            line = read.result()
        finally:
            read.cancel()
        if not line.endswith(b"\n"):
            raise await self._ended()
        event: dict[str, Any] = json.loads(line)
        return event

    async def stop(self) -> None:
        """End the process and everything it started; returns when all of it is gone."""
        self._kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await asyncio.wait({self._reader}, timeout=_GRACE_S)
        self._reader.cancel()

    def last_words(self) -> str:
        """What it said last, for a message."""
        said = clean(self._tail.decode("utf-8", "replace")).splitlines()[-_LAST_LINES:]
        words = "\n".join(f"  | {line}" for line in said)
        return f"Its last words:\n{words or '  (none)'}"

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _ended(self) -> WorkerEndedError:
        with contextlib.suppress(TimeoutError):  # its pipes may close before it has ended
            await asyncio.wait_for(self._process.wait(), _GRACE_S)
        await self.stop()
        return WorkerEndedError(f"{_status(self._process.returncode)}. {self.last_words()}")

    async def _keep_tail(self) -> None:
        """Keep the end of what is said, and never let a full pipe stop the worker."""
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(_LAST_BYTES):
            self._tail = (self._tail + chunk)[-_LAST_BYTES:]


def clean(text: str) -> str:
    """Without keys and control characters: what a process prints is not to be trusted."""
    text = redact(text, secrets_of(os.environ))
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def _environment(gpus: str | None) -> dict[str, str]:
    env = dict(os.environ)
    env.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    # Threads that spin while they wait: measured at 14 times the seconds on a busy machine.
    env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if gpus is not None:
        env["CUDA_VISIBLE_DEVICES"] = gpus
    return env


def _status(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit status {code}"
    hint = "; often the machine ran out of memory" if -code == signal.SIGKILL else ""
    return f"killed by {signal.Signals(-code).name}{hint}"
