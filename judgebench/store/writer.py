"""A thread that writes, so that an event loop never waits for a disk, a server or another writer.

What has come while the last commit was made is the next one (group commit): no time is waited for
more to come. An entry is done when it is committed. What was paid for and cannot be stored is kept
in a journal, which the next opening of the store takes in: a second after something begins to be
waited for, and where the store fails or is left.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from glob import escape
from io import FileIO
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Connection

from judgebench import keys
from judgebench.errors import StoreBusyError, StoreError, StoreGoneError
from judgebench.protocols import MAY_WAIT, Paid, Waiting
from judgebench.records import Reply, Request, Spend, TokenLogprob, Usage
from judgebench.secret import masked, masked_tokens
from judgebench.store.codec import REQUESTS, purpose_json, read_purpose, read_request, to_json
from judgebench.store.database import Database
from judgebench.store.write import Numbers, Writing

GROUP = 1024
"""Entries of one commit at most."""

ROOM_S = 0.25
"""Between two tries while the disk is full, or the server is gone."""

LEAVING_S = 1.0
"""How long leaving waits for what is still to be written; what is paid for is in the journal."""

FORM = 1


@dataclass(slots=True, eq=False)
class Entry:
    """Something to be written. ``tell`` is called with all entries of a commit that share it."""

    work: Callable[[Writing], Any]
    tell: Callable[[list[Entry]], None]
    paid: Paid | None = None
    about: Any = None
    value: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class Writer:
    """The thread, which begins with the first entry and has a connection of its own.

    ``idle`` is held while it writes: whoever writes beside it takes it.
    """

    another: Callable[[], Database]
    journal: Journal
    idle: threading.Lock = field(default_factory=threading.Lock)
    _queue: deque[Entry] = field(default_factory=deque)
    _there: threading.Condition = field(default_factory=threading.Condition)
    _group: list[Entry] = field(default_factory=list)
    _ended: bool = False
    _thread: threading.Thread | None = None

    def submit(self, entry: Entry) -> None:
        with self._there:
            self._queue.append(entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
                self._thread.start()
            self._there.notify()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Nothing is written by the thread inside."""
        if not self.idle.acquire(timeout=-1 if MAY_WAIT.get() else 0.05):
            raise StoreBusyError("the store is being written to")
        try:
            yield
        finally:
            self.idle.release()

    def close(self) -> None:
        """Write what is left; where that takes longer, keep what is paid for in the journal."""
        if self._thread is not None:
            with self._there:
                self._ended = True
                self._there.notify()
            self._thread.join(LEAVING_S)
            self.journal.keep(self._paid())  # none, where the thread came to its end

    def waiting(self) -> tuple[int, int]:
        """How many entries are still to be written, and how many of them are paid for."""
        return len(self._group) + len(self._queue), len(self._paid())

    def _paid(self) -> list[Paid]:
        return [entry.paid for entry in [*self._group, *self._queue] if entry.paid is not None]

    def _run(self) -> None:
        database, numbers = None, Numbers()
        with ExitStack() as opened:
            while True:
                with self._there:
                    while not self._queue and not self._ended:
                        self._there.wait()
                    n = min(GROUP, len(self._queue))
                    group = self._group = [self._queue.popleft() for _ in range(n)]
                if not group:
                    return
                try:
                    if database is None:
                        database = opened.enter_context(closing(self.another()))
                        database.on_wait = self._waits
                    self._commit(database, numbers, group)
                except BaseException as error:  # noqa: BLE001 - who waits for it is told
                    for entry in group:
                        entry.error = entry.error or error
                    self._keep_paid()
                self._group = []
                for tell in dict.fromkeys(entry.tell for entry in group):
                    tell([entry for entry in group if entry.tell == tell])

    def _waits(self, seconds: float) -> str:
        """Somebody else holds the store: what is said of those that wait."""
        if seconds >= Waiting.SAID_AFTER_S:
            self._keep_paid()
        return f"{self.waiting()[0]} to be stored, none is lost meanwhile"

    def _keep_paid(self) -> None:
        with suppress(StoreError):  # where that is full as well it is still held, and waits
            self.journal.keep(self._paid())

    def _commit(self, database: Database, numbers: Numbers, group: list[Entry]) -> None:
        """All of them, or each by itself where one of them cannot be written."""
        waiting = None
        while True:
            try:
                with ExitStack() as held:

                    def begin() -> Connection:
                        held.enter_context(self.idle)
                        return held.enter_context(database.writing())

                    writing = Writing(begin, numbers)
                    for entry in group:  # which makes rows of values; others write meanwhile
                        entry.value = entry.work(writing)
                    writing.flush()
            except BaseException as error:  # noqa: BLE001 - it is told to whom it is due
                numbers.clear()
                if isinstance(error, StoreGoneError) or getattr(error, "again", False):
                    waiting = waiting or Waiting()
                    waiting.goes_on(f"{error}; {self._waits(waiting.seconds)}")
                    time.sleep(ROOM_S)
                    continue
                if len(group) > 1:
                    for entry in group:
                        self._commit(database, numbers, [entry])
                    return
                group[0].error = error
                if group[0].paid is not None and isinstance(error, StoreError):
                    with suppress(StoreError):  # what is told is why the store cannot be written
                        self.journal.keep([group[0].paid])
                return
            self.journal.stored(group)
            return


class Journal:
    """Replies that are paid for and not stored yet, in a file of this process.

    It goes away when all that it holds is stored. The next opening of the store takes in what other
    processes have left; a reply that the store has by then is not counted twice.
    """

    def __init__(self, place: Path, store_id: str) -> None:
        self._place = place
        self._store_id = store_id
        self._kept: set[bytes] = set()
        self._file: FileIO | None = None
        self._lock = threading.Lock()

    @property
    def path(self) -> Path | None:
        """Where it is, while there is one."""
        return None if self._file is None else Path(self._file.name)

    def keep(self, paid: Sequence[Paid]) -> None:
        """Raises `StoreError` where it cannot be written either."""
        with self._lock:
            new = [one for one in paid if one.key not in self._kept]
            if not new:
                return
            try:
                self._add("".join(map(_line, new)).encode())
            except OSError as error:
                raise StoreError(
                    f"{len(new)} replies that are paid for could not be kept in {self._place}-paid "
                    f"either ({error.strerror}); make room"
                ) from error
            self._kept |= {one.key for one in new}

    def _add(self, lines: bytes) -> None:
        """All of them, or none: what was cut is taken back, and one that is empty goes."""
        if self._file is None:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            path = self._place.with_name(f"{self._place.name}-paid-{uuid.uuid4().hex[:12]}")
            file = path.open("xb", buffering=0)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)  # while we live, nobody else takes it in
            except OSError:
                file.close()
                raise
            self._file = file
        file = self._file
        end = os.fstat(file.fileno()).st_size
        try:
            if not end:
                head = to_json({"judgebench_journal": FORM, "store": self._store_id})
                lines = f"{head}\n".encode() + lines
            while lines:
                lines = lines[file.write(lines) :]
            os.fsync(file.fileno())
        except OSError:
            file.seek(end)
            file.truncate()
            raise

    def stored(self, entries: Sequence[Entry]) -> None:
        """These are in the store now."""
        if self._file is None:
            return
        with self._lock:
            self._kept -= {entry.paid.key for entry in entries if entry.paid is not None}
            if not self._kept:
                Path(self._file.name).unlink(missing_ok=True)
                self._file.close()
                self._file = None

    def left(self) -> Iterator[tuple[Path, list[Paid]]]:
        """What others have left, each file while it is held; a file that was taken in is removed.

        Raises
        ------
        StoreError
            For a file that is none of ours, or another store's: it is left as it is.
        """
        for path in sorted(self._place.parent.glob(f"{escape(self._place.name)}-paid-*")):
            with suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:  # its process lives
                    continue
                if os.fstat(file.fileno()).st_size:  # one that is empty is just begun, or was never
                    yield path, self._read(path, file)
                elif time.time() - os.fstat(file.fileno()).st_mtime < 60:
                    continue
                path.unlink(missing_ok=True)

    def _read(self, path: Path, file: TextIO) -> list[Paid]:
        try:
            head = json.loads(file.readline() or "{}")
            if head.get("judgebench_journal") != FORM:
                raise ValueError("it does not begin as one of ours does")
            lines = [line for line in file if line.endswith("\n")]  # the last one may be cut
            paid = [_paid(json.loads(line)) for line in lines]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{path} cannot be read as a journal of replies ({error}); it was left as it is: "
                "move it away to go on without what is in it"
            ) from error
        if head.get("store") != self._store_id:
            raise StoreError(
                f"{path} holds {len(paid)} replies of another store; it was left as it is: move it "
                "to where that store is, and open that one"
            )
        return paid


def _line(paid: Paid) -> str:
    said = asdict(paid.reply)
    del said["key"]  # stands before it
    if said["logprobs"] is not None:  # without the tokens of a key, of which none is one by itself
        hidden = masked_tokens(token["token"] for token in said["logprobs"])
        said["logprobs"] = None if any(hidden) else said["logprobs"]
    spend = paid.spend
    row = {
        "key": paid.key.hex(),
        "kind": REQUESTS.index(type(paid.request)),
        "request": keys.canonical_json(paid.request),
        "reply": said,
        "spend": None
        if spend is None
        else {
            "purpose": purpose_json(spend.purpose),
            "usage": asdict(spend.usage),
            **{name: getattr(spend, name) for name in _SPENT},
        },
    }
    return masked(to_json(row)) + "\n"


_SPENT = ("how", "provider", "model", "cost_usd", "calls")


def _paid(row: dict[str, Any]) -> Paid:
    said, spend = row["reply"], row["spend"]
    if said["logprobs"] is not None:
        said["logprobs"] = tuple(
            TokenLogprob(**{**token, "top": tuple(map(tuple, token["top"]))})
            for token in said["logprobs"]
        )
    if said["scores"] is not None:
        said["scores"] = tuple(said["scores"])
    said |= {"usage": Usage(**said["usage"]), "left_out": tuple(said["left_out"])}
    request: Request = read_request(row["kind"], row["request"], None)
    return Paid(
        key=bytes.fromhex(row["key"]),
        request=request,
        reply=Reply(**said),
        spend=None
        if spend is None
        else Spend(
            purpose=read_purpose(spend["purpose"]),
            usage=Usage(**spend["usage"]),
            **{name: spend[name] for name in _SPENT},
        ),
    )
