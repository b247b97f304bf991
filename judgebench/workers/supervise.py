"""Run a command so that nothing of it outlives the process that started this one.

    python -m judgebench.workers.supervise -- COMMAND ARGUMENT…

Standard input is a pipe whose other end only the starter holds. When it closes, because the starter
said so or was killed, the command and all of its descendants get SIGTERM, and after a few seconds
SIGKILL. The exit status is the command's own, 128 + the signal if it died of one.

It starts in a few milliseconds and stays small for as long as a server runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

GRACE_S = 5.0
_CANNOT_START = 127
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36


def supervise(command: Sequence[str]) -> int:
    """Run the command until it ends or standard input does; its exit status."""
    prctl = _prctl()
    if prctl is not None:
        prctl(_SET_CHILD_SUBREAPER, 1)  # a daemonised grandchild becomes ours, to be ended too

    def die_with_us() -> None:
        if prctl is not None:
            prctl(_SET_PDEATHSIG, signal.SIGKILL)

    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    try:
        child = subprocess.Popen(  # the command is the user's own, from their suite
            command, stdin=subprocess.DEVNULL, preexec_fn=die_with_us, process_group=0
        )
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror or error}\n")
        return _CANNOT_START
    while child.poll() is None:
        ready, _, _ = select.select([0, wake_read], [], [])
        told = os.read(wake_read, 64) if wake_read in ready else b""
        if any(number != signal.SIGCHLD for number in told):
            break
        if 0 in ready and not os.read(0, 4096):
            break
        _reap(child)
    _end_everything(child)
    status = child.wait()
    return status if status >= 0 else 128 - status


def _end_everything(child: subprocess.Popen[bytes]) -> None:
    """SIGTERM to all descendants, then SIGKILL to those that are left."""
    import psutil  # needed at the end alone, and as large as all that runs before it

    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + GRACE_S
        told: set[psutil.Process] = set()
        while (alive := _descendants()) and time.monotonic() < deadline:
            for process in alive - told:  # also those that were forked meanwhile
                with contextlib.suppress(psutil.Error):
                    process.send_signal(number)
            told |= alive
            _reap(child)
            time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)  # orphans, where no system hands them to us


def _reap(child: subprocess.Popen[bytes]) -> None:
    """Collect adopted orphans, but leave the child's own status to Popen."""
    child.poll()
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid == child.pid:
                child.poll()
            else:
                os.waitpid(ended.si_pid, os.WNOHANG)


def _descendants() -> set[psutil.Process]:
    """Living processes that come from this one, at any depth."""
    import psutil

    found = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            if process.status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
                found.add(process)
    return found


def _prctl() -> Callable[[int, int], int] | None:
    """Linux's prctl, looked up before any fork."""
    return ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    if not arguments:
        sys.exit("usage: python -m judgebench.workers.supervise -- COMMAND [ARGUMENT ...]")
    sys.exit(supervise(arguments))
