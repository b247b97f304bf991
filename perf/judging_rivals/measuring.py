"""Run a client to its end and say what it took, told by the server and by the operating system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

SERVER = Path(__file__).with_name("server.py")


class ClientError(Exception):
    """A client that did not do what it was to do; what it said last is in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A process from its start to its end, with its children."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Whole):
    """A process that asked: its start up to the first call, and its steady state after that.

    In the steady state every call that is begun takes the place of one that was answered. It
    begins when all slots were filled once, and ends as many calls before the last, so that it
    holds whole rounds of all slots, neither the first burst nor the ebb.

    ``connections`` were used, and ``most_in_flight`` calls were under way at once, as the server
    saw them.
    """

    calls: int
    start_s: float
    start_cpu_s: float
    steady_calls: int
    steady_s: float
    steady_cpu_s: float
    connections: int
    most_in_flight: int

    @property
    def calls_per_s(self) -> float:
        return self.steady_calls / self.steady_s

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per call in the steady state."""
        return 1e3 * self.steady_cpu_s / self.steady_calls


class LoopbackServer:
    """The server in its own process, see ``server.py``."""

    def __init__(self, port: int) -> None:
        self._root = f"http://127.0.0.1:{port}"

    def base_url(self, latency_ms: int, reply: str) -> str:
        """Where ``reply`` is what every call is answered after ``latency_ms``."""
        return f"{self._root}/{latency_ms}/{quote(reply)}/v1"

    def watch(self, pid: int, *marks: int) -> None:
        """Begin to measure a process, with marks at the arrival of these calls."""
        self._get("/".join(map(str, ("watch", pid, *marks))))

    def seen(self) -> dict[str, Any]:
        return self._get("seen")

    def _get(self, path: str) -> dict[str, Any]:
        with urlopen(f"{self._root}/{path}", timeout=10) as response:
            seen: dict[str, Any] = json.load(response)
        return seen


@contextmanager
def loopback_server() -> Iterator[LoopbackServer]:
    child = subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield LoopbackServer(int(child.stdout.readline()))
    finally:
        child.kill()
        child.communicate()


def asking(
    server: LoopbackServer, command: Sequence[str], *, calls: int, slots: int, folder: Path
) -> Measured:
    """What a client took that makes so many calls, ``slots`` at once.

    Raises
    ------
    ClientError
        When it failed, or asked another number of times.
    ValueError
        For fewer than three calls a slot, which have no steady state.
    """
    if calls < 3 * slots:
        raise ValueError(f"{calls} calls are too few for {slots} slots; make it {3 * slots}")
    steady_calls = (calls // slots - 2) * slots
    marks = (1, slots + 1, slots + 1 + steady_calls)
    began = time.monotonic()
    whole = _run(command, folder, started=lambda pid: server.watch(pid, *marks))
    seen = server.seen()
    if seen["calls"] != calls:
        raise ClientError(f"{' '.join(command)}: {seen['calls']} calls, not {calls}")
    (first_at, first_cpu_s), (from_at, from_cpu_s), (to_at, to_cpu_s) = seen["marks"]
    return Measured(
        wall_s=whole.wall_s,
        cpu_s=whole.cpu_s,
        calls=calls,
        start_s=first_at - began,
        start_cpu_s=first_cpu_s,
        steady_calls=steady_calls,
        steady_s=to_at - from_at,
        steady_cpu_s=to_cpu_s - from_cpu_s,
        connections=seen["connections"],
        most_in_flight=seen["most_in_flight"],
    )


def cached(server: LoopbackServer, command: Sequence[str], *, folder: Path) -> Whole:
    """What a client takes that has all its answers already.

    Raises
    ------
    ClientError
        When it failed, or asked all the same.
    """
    whole = _run(command, folder, started=server.watch)
    if asked := server.seen()["calls"]:
        raise ClientError(f"{' '.join(command)}: {asked} calls for what it had")
    return whole


def _run(command: Sequence[str], folder: Path, *, started: Callable[[int], None]) -> Whole:
    """A process in a folder, with nothing of the user's own caches."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"JUDGEBENCH_DATA": str(folder), "XDG_CACHE_HOME": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
    with (folder / "said.txt").open("w+b") as said:
        began = time.monotonic()
        child = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            started(child.pid)
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
        wall_s = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            tail = said.read().decode(errors="replace").strip().splitlines()[-15:]
            raise ClientError("\n".join([f"{' '.join(command)}: exit {child.returncode}", *tail]))
    return Whole(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime)
