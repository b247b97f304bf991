"""Who a process is, so that a number used again is not taken for the one who had it before."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process, told apart from every other one there was or will be.

    ``namespace`` is the set of process numbers that ``pid`` belongs to: containers on one host
    each have their own. ``started`` is in whatever unit the system counts in.
    """

    host: str
    namespace: str
    boot: str
    pid: int
    started: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> Process:
    return _process(os.getpid())


@cache
def _process(pid: int) -> Process:
    return Process(
        host=platform.node(), namespace=_namespace(), boot=_boot(), pid=pid, started=started(pid)
    )


def is_dead(process: Process) -> bool | None:
    """Whether a process has ended; None where that cannot be seen from here."""
    here = this_process()
    if process.host != here.host:
        return None
    if process.boot != here.boot:
        return True  # the machine was started anew since
    if process.namespace != here.namespace:
        return None
    return started(process.pid) != process.started


def started(pid: int) -> str:
    """When a process began; empty if there is none of that number, or only what is left of one."""
    if (_PROC / "self" / "stat").exists():
        try:
            stat = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
        state, *others = stat.rpartition(")")[2].split()  # the name before may hold anything
        return "" if state in "ZX" else others[18]
    return _said_by("ps", "-o", "lstart=", "-p", str(pid))


def _namespace() -> str:
    link = _PROC / "self" / "ns" / "pid"
    return str(link.stat().st_ino) if link.exists() else ""


def _boot() -> str:
    boot_id = _PROC / "sys" / "kernel" / "random" / "boot_id"
    if boot_id.exists():
        return boot_id.read_text("ascii").strip()
    return _said_by("sysctl", "-n", "kern.boottime")


def _said_by(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip()
