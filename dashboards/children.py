"""Commands that a page starts: `judgebench run` and `judgebench import`, as child processes.

A child has a session of its own and outlives the page, the browser and the server. It writes what
it says to a log, and how it ended to a file beside it, so that any later server knows. It gets the
environment of the server, with its keys; what its log shows of them is taken out.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from judgebench.errors import JudgebenchError
from judgebench.plain_text import printable
from judgebench.secret import redact, secrets_of
from judgebench.store.claims import started
from judgebench.store.opening import located

TAIL_LINES, TAIL_BYTES = 24, 32_768
KEPT = 20
"""Of how many children of a store something is remembered."""

_TURN = threading.Lock()


class NotStartedError(JudgebenchError):
    """A command could not be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A command that was started from a page."""

    words: Sequence[str]
    pid: int
    process_started: str
    at: float
    file: str

    @property
    def path(self) -> Path:
        return Path(self.file)

    @property
    def code(self) -> int | None:
        """How it ended; None where it has not, or did not say so."""
        try:
            return int(self.path.with_suffix(".code").read_text("ascii"))
        except (OSError, ValueError):
            return None

    @property
    def lives(self) -> bool:
        return bool(self.process_started) and started(self.pid) == self.process_started

    @property
    def asked_to_stop(self) -> bool:
        return self.path.with_suffix(".stop").exists()

    def tail(self) -> str:
        """The last lines it said, without keys and without what would do something."""
        try:
            with self.path.with_suffix(".log").open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                said = log.read().decode("utf-8", "replace")
        except OSError as error:
            return f"its log cannot be read: {error.strerror or error}"
        lines = redact(said, secrets_of(os.environ)).splitlines()
        return printable("\n".join(lines[-TAIL_LINES:]), lines=True)


def start(url: str, *words: str) -> Child:
    """Start ``judgebench WORDS --store URL``; the one under way where that is just this.

    Raises
    ------
    NotStartedError
        Where there is no place for its log, or the system has none for another process.
    """
    with _TURN:
        for child in children(url):
            if child.lives and list(child.words) == list(words):
                return child
        try:
            return _started(url, words)
        except OSError as error:
            raise NotStartedError(
                f"the command could not be started: {error.filename or _folder(url)}: "
                f"{error.strerror or error}"
            ) from None


def _started(url: str, words: Sequence[str]) -> Child:
    from judgebench.store.postgres import without_password

    folder = _folder(url)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _forget_the_oldest(folder)
    now = time.time()
    base = folder / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{os.urandom(3).hex()}"
    command = [sys.executable, "-m", "judgebench.cli.detached", str(base.with_suffix(".code"))]
    address, secret = (url, {}) if located(url).path else without_password(url)
    with base.with_suffix(".log").open("xb") as log:
        process = subprocess.Popen(
            [*command, words[0], "--store", address, *words[1:]],
            env=os.environ | secret,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Somebody has to ask how it ended, or the system keeps what is left of it.
    threading.Thread(target=process.wait, name="waits for a command", daemon=True).start()
    child = Child(
        words=list(words),
        pid=process.pid,
        process_started=started(process.pid),
        at=now,
        file=str(base.with_suffix(".json")),
    )
    child.path.write_text(json.dumps(asdict(child)), encoding="utf-8")
    return child


def stop(child: Child) -> None:
    """As Ctrl-C would: what is under way is kept, and nothing more is sent."""
    if child.lives:
        child.path.with_suffix(".stop").touch()
        os.kill(child.pid, signal.SIGINT)


def children(url: str) -> list[Child]:
    """Those that were started on a store from here, the newest first."""
    return list(_read(_folder(url)))


def _read(folder: Path) -> Iterator[Child]:
    for file in sorted(folder.glob("*.json"), reverse=True):
        try:
            yield Child(**json.loads(file.read_text("utf-8")))
        except (OSError, ValueError, TypeError):  # gone meanwhile, or half written
            continue


def _forget_the_oldest(folder: Path) -> None:
    for child in list(_read(folder))[KEPT:]:
        if not child.lives:
            for suffix in (".json", ".log", ".code", ".stop"):
                child.path.with_suffix(suffix).unlink(missing_ok=True)


def _folder(url: str) -> Path:
    known = hashlib.sha256(os.fsencode(located(url).identity)).hexdigest()
    return Path(platformdirs.user_state_dir("judgebench")) / "started" / known[:16]


def writable(url: str) -> str:
    """Why nothing can be written to a store from here; empty where it can be."""
    return located(url).why_read_only()
