"""Leases: what one process does, no other does at the same time.

A lease names its owner. A dead owner's lease on the same host is broken at once; on another host,
where nobody can look, when it has not been renewed for a minute. Who waits for it sees that for
itself as well, since a clock may jump: for two renewals by the clocks of both, or for a minute
whatever they say. Renewing is the work of a small thread with a connection of its own.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from judgebench.errors import StoreBusyError, StoreError
from judgebench.protocols import at_once
from judgebench.store.database import Database, insert
from judgebench.store.processes import Process, is_dead, this_process
from judgebench.store.schema import leases

RENEW_S = 10.0
STALE_S = 60.0
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who holds a lease, and when that was last renewed."""

    process: Process
    token: str
    heartbeat: float

    def has_gone(self, now: float, watched_s: float | None = None) -> bool:
        """``watched_s`` is for how long it was seen not to be renewed, if somebody looked."""
        dead = is_dead(self.process)
        if dead is not None:
            return dead
        stale = now - self.heartbeat > STALE_S
        if watched_s is None:
            return stale
        return watched_s > (2 * RENEW_S if stale else STALE_S)


@contextmanager
def lease(
    database: Database,
    name: str,
    *,
    wait_s: float | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold a lease while the block runs.

    Parameters
    ----------
    wait_s
        How long to wait for a living owner; None for as long as it takes.
    on_wait
        Told once of each owner that is waited for.

    Raises
    ------
    StoreBusyError
        If ``wait_s`` is over.
    StoreError
        At the end of the block, if the lease was lost meanwhile.
    """
    token = uuid.uuid4().hex
    _acquire(database, name, token, wait_s, on_wait)
    ended = threading.Event()
    renewal = _Renewal(database, name, token, ended)
    renewal.start()
    interrupted = False
    try:
        yield
    except KeyboardInterrupt:
        interrupted = True
        raise
    finally:
        ended.set()
        if interrupted:
            kept = _let_go_soon(database, name, token)
        else:
            renewal.join()
            kept = _let_go(database, name, token)
    if not kept:
        raise StoreError(
            f"the lease of {name!r} was lost to another process, which took this one for dead"
            " (was the machine asleep?); what was committed is kept, run again"
        ) from renewal.error


def _acquire(
    database: Database,
    name: str,
    token: str,
    wait_s: float | None,
    on_wait: Callable[[str], None] | None,
) -> None:
    deadline = None if wait_s is None else time.monotonic() + wait_s
    told: str | None = None
    watch = _Watch()
    # Who does not wait cannot watch either.
    watched_s = watch.unchanged_s if wait_s != 0 else _not_at_all
    while (owner := _owner_after_try(database, name, token, watched_s)) is not None:
        if deadline is not None and time.monotonic() >= deadline:
            raise StoreBusyError(
                f"{name!r} is being worked on by {owner.process}; wait for it, or end it, and run"
                " again"
            )
        if on_wait is not None and told != owner.token:
            on_wait(f"waiting for {owner.process}, which works on {name!r}")
            told = owner.token
        time.sleep(_LOOK_S)


class _Watch:
    """For how long an owner was seen not to renew its lease, by a clock that cannot jump."""

    def __init__(self) -> None:
        self._seen: tuple[str, float] | None = None
        self._since = 0.0

    def unchanged_s(self, owner: Owner) -> float | None:
        now = time.monotonic()
        if self._seen != (owner.token, owner.heartbeat):
            self._seen, self._since = (owner.token, owner.heartbeat), now
        return now - self._since


def _not_at_all(_: Owner) -> float | None:
    return None


def _owner_after_try(
    database: Database, name: str, token: str, watched_s: Callable[[Owner], float | None]
) -> Owner | None:
    """Who has the lease; None when we have it now."""
    with database.reading() as connection:
        owner = holder(connection, name)
    if owner is not None and not owner.has_gone(time.time(), watched_s(owner)):
        return owner
    with database.writing() as connection:
        owner = holder(connection, name)  # another process may have been quicker
        if owner is not None and not owner.has_gone(time.time(), watched_s(owner)):
            return owner
        process = this_process()
        row = {
            "token": token,
            "host": process.host,
            "namespace": process.namespace,
            "boot": process.boot,
            "pid": process.pid,
            "process_started": process.started,
            "heartbeat": time.time(),
        }
        taken = insert(leases).on_conflict_do_update(index_elements=["name"], set_=row)
        connection.execute(taken, {"name": name, **row})
    return None


def _let_go(database: Database, name: str, token: str) -> bool:
    """Give a lease back; False where it was lost."""
    with database.writing() as connection:
        this = (leases.c.name == name) & (leases.c.token == token)
        return bool(connection.execute(delete(leases).where(this)).rowcount)


def _let_go_soon(database: Database, name: str, token: str) -> bool:
    """Ctrl-C does not wait for others to be done; while this process lives, a thread of it does."""
    try:
        with at_once():
            return _let_go(database, name, token)
    except StoreBusyError:
        threading.Thread(
            target=_let_go_later, args=(database.another, name, token), daemon=True
        ).start()
        return True


def _let_go_later(another: Callable[[], Database], name: str, token: str) -> None:
    try:
        database = another()
        try:
            _let_go(database, name, token)
        finally:
            database.close()
    except StoreError:  # then it ends with the process, which everybody can see
        return


def holder(connection: Connection, name: str) -> Owner | None:
    row = connection.execute(select(leases).where(leases.c.name == name)).first()
    if row is None:
        return None
    process = Process(
        host=row.host,
        namespace=row.namespace,
        boot=row.boot,
        pid=row.pid,
        started=row.process_started,
    )
    return Owner(process=process, token=row.token, heartbeat=row.heartbeat)


class _Renewal(threading.Thread):
    """Says every ten seconds that the owner lives; keeps its last error.

    An error while renewing does no harm as long as nobody takes the lease; it is the cause that
    the owner names if somebody does.
    """

    def __init__(self, database: Database, name: str, token: str, ended: threading.Event) -> None:
        super().__init__(name=f"lease-{name}", daemon=True)
        self._another = database.another
        self._this = (leases.c.name == name) & (leases.c.token == token)
        self._ended = ended
        self.error: StoreError | None = None

    def run(self) -> None:
        pause_s = RENEW_S
        while not self._ended.wait(pause_s):
            pause_s = RENEW_S
            try:
                with at_once():
                    self._renew()
            except StoreBusyError:  # who works says that it waits
                pause_s = min(_LOOK_S, RENEW_S)
            except StoreError as error:
                self.error = error
            else:
                self.error = None

    def _renew(self) -> None:
        database = self._another()
        try:
            with database.writing() as connection:
                beat = update(leases).where(self._this).values(heartbeat=time.time())
                connection.execute(beat)
        finally:
            database.close()
