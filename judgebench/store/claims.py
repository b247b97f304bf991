"""Claims: what one process works on, no other does at the same time.

Whoever is at work is an owner, and says every ten seconds that it lives, by the clock of the
database. A claim is a key with its owner: of a judgment or answer that is being asked for, or the
hash of a name, which makes it a lease. What a dead owner claimed, and the money that it had
reserved, is free: at once on the same host, where its process can be looked up; elsewhere when it
has not said for a minute that it lives. Who waits sees that for itself as well, since a clock may
jump: for two renewals, or for a minute whatever the clock says.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Double, case, delete, func, inspect, literal_column, select

from judgebench.errors import MAY_WAIT, StoreBusyError, StoreError, StoreGoneError, at_once
from judgebench.protocols import Drawn
from judgebench.store.database import NOW, Database, insert, upsert
from judgebench.store.schema import budgets, claims, judgments, owners, rates, reservations

_T = TypeVar("_T")

RENEW_S = 10.0
STALE_S = 60.0
OPEN_S = 0.5
"""So much of the time that is past is still dealt out (`Claims.lease_time`)."""

_LOOK_S = 0.2
_PROC = Path("/proc")
_CLAIM = {
    "sqlite": "INSERT OR IGNORE INTO claims (key, owner) SELECT ?, token FROM owners"
    " WHERE token = ?",
    # In one order for all, or they would wait for each other's keys. Whoever takes this owner for
    # dead waits for its row, and then sees these.
    "postgresql": "INSERT INTO claims (key, owner) SELECT k, o.token FROM unnest(%b::bytea[]) AS k,"
    " (SELECT token FROM owners WHERE token = %b FOR KEY SHARE) AS o ORDER BY k"
    " ON CONFLICT DO NOTHING",
}
_RELEASE = {
    "sqlite": "DELETE FROM claims WHERE key = ? AND owner = ?",
    "postgresql": "DELETE FROM claims WHERE key = ANY(%b::bytea[]) AND owner = %b",
}
_AS_THE_OTHERS = """DO $$ BEGIN
EXECUTE 'ALTER TABLE rates OWNER TO ' || quote_ident(
    (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'claims'::regclass));
END $$"""
"""A table that one member of a team makes is the whole team's."""


# processes ----------------------------------------------------------------------------------------


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


@cache
def this_process() -> Process:
    link = _PROC / "self" / "ns" / "pid"
    namespace = str(link.stat().st_ino) if link.exists() else ""
    boot_id = _PROC / "sys" / "kernel" / "random" / "boot_id"
    if boot_id.exists():
        boot = boot_id.read_text("ascii").strip()
    else:
        boot = _said_by("sysctl", "-n", "kern.boottime")
    pid = os.getpid()
    return Process(
        host=platform.node(), namespace=namespace, boot=boot, pid=pid, started=started(pid)
    )


os.register_at_fork(after_in_child=this_process.cache_clear)


def is_dead(process: Process, *, one_machine: bool = True) -> bool | None:
    """Whether a process has ended; None where that cannot be seen from here.

    Where all processes are of one machine, another boot was before this one. On a server it may be
    that of another machine which has the same name.
    """
    here = this_process()
    rebooted = process.boot != here.boot
    if rebooted and not one_machine:
        return None
    if process.host != here.host or (process.namespace != here.namespace and not rebooted):
        return None
    return rebooted or started(process.pid) != process.started


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


def _said_by(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


# owners -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner(Process):
    """A process at work; ``age_s`` is how long ago it said so, by the clock of the database."""

    token: bytes
    heartbeat: float
    age_s: float
    one_machine: bool = True

    def has_gone(self, watched_s: float | None = None) -> bool:
        """``watched_s`` is for how long it was seen not to be renewed, if somebody looked."""
        if (dead := is_dead(self, one_machine=self.one_machine)) is not None:
            return dead
        stale = self.age_s > STALE_S
        return stale if watched_s is None else watched_s > (2 * RENEW_S if stale else STALE_S)


def key_of(name: str) -> bytes:
    """The key that is claimed by whoever holds the lease of that name."""
    return hashlib.sha256(name.encode()).digest()


def holder(connection: Connection, key: bytes) -> Owner | None:
    """Who has claimed a key."""
    of = (claims.c.owner == owners.c.token) & (claims.c.key == key)
    return next(_owners(connection, of), None)


def _owners(connection: Connection, *which: Any) -> Iterator[Owner]:
    now = literal_column(NOW[connection.dialect.name], Double)
    found = select(owners, (now - owners.c.heartbeat).label("age_s")).where(*which)
    one_machine = connection.dialect.name == "sqlite"
    for row in connection.execute(found):
        yield Owner(**row._mapping, one_machine=one_machine)


class Claims:
    """What one user of a store claims, as one owner; its claims end with it.

    To be used from one thread at a time. It becomes an owner with its first claim.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._renewal: threading.Thread | None = None
        self._ended = threading.Event()
        self._error: StoreError | None = None
        """Of the last renewal, if that failed. It does no harm as long as nobody takes what is
        claimed; it is the cause that is named if somebody does.
        """
        self._me = uuid.uuid4().bytes
        self._watched: dict[bytes, tuple[float, float]] = {}
        self._looked = -_LOOK_S
        self._has_rates = False

    def exchange(
        self, keys: Collection[bytes], done: Collection[bytes] = ()
    ) -> tuple[set[bytes], set[bytes]]:
        """Keep every other process from working on some keys, and give others back, in one commit.

        Returns which are ours now, and of which there is a judgment by then. Each key is won by one
        owner. One that is ours already is won again, so that a claim that was cut short may be made
        once more. What a dead process had claimed is free: at once on the same host, elsewhere when
        it has not said for a minute that it lives.
        """
        if not keys and not done:
            return set(), set()
        if self._renewal is None:
            self._begin()
        won, judged = self._write(partial(_exchanged, self._me, sorted(keys), done))
        lost = [key for key in keys if key not in won]
        if lost and self._free_the_dead():
            more, its = self._write(partial(_exchanged, self._me, sorted(lost), ()))
            won, judged = won | more, judged | its
        return won, judged

    def _begin(self) -> None:
        self._renewal = threading.Thread(target=self._renew, name="claims", daemon=True)
        self._renewal.start()
        self._free_the_dead()

    def _renew(self) -> None:
        """Say every ten seconds, in a thread, that the owner lives; its last error is kept."""
        pause_s = RENEW_S
        while not self._ended.wait(pause_s):
            pause_s = RENEW_S
            try:
                with at_once():
                    _write_beside(self._database.another, partial(_renew, token=self._me))
            except StoreBusyError:  # who works says that it waits
                pause_s = min(_LOOK_S, RENEW_S)
            except StoreError as error:
                self._error = error
            else:
                self._error = None

    def _write(self, write: Callable[[Connection], _T]) -> _T:
        """One commit, which is made again where a server went in the middle of it."""
        while True:
            try:
                with self._database.writing(in_turn=False) as connection:
                    return write(connection)
            except StoreGoneError:
                if not MAY_WAIT.get():
                    raise

    def release(self, keys: Collection[bytes], *, soon: bool = False) -> bool:
        """Give claims back; all that are left go back when the store is closed.

        ``soon`` is as soon as nobody else writes, without waiting for that. Returns whether all of
        them were still ours, as far as that is known.
        """
        write = partial(_released, self._me, keys)
        return self._write_soon(write) if soon else self._write(write)

    def _write_soon(self, write: Callable[[Connection], bool]) -> bool:
        """Ctrl-C does not wait for others to be done; while this process lives, a thread does."""
        try:
            with at_once():
                return self._write(write)
        except StoreError:
            later = (self._database.another, write)
            threading.Thread(target=_write_later, args=later, daemon=True).start()
            return True

    def claimed_by(self, key: bytes) -> str | None:
        """Who works on a key, in words; None for nobody."""
        owner = self._holder(key)
        return None if owner is None else str(owner)

    def is_leased(self, name: str) -> bool:
        """Whether somebody who lives holds the lease of that name."""
        owner = self._holder(key_of(name))
        return owner is not None and not owner.has_gone()

    def _free_the_dead(self) -> bool:
        """Free what dead owners hold; whether there was one. Looks a few times a second at most."""
        if time.monotonic() - self._looked < _LOOK_S:
            return False
        self._looked = time.monotonic()
        with self._database.reading() as connection:
            others = list(_owners(connection, owners.c.token != self._me))
        return bool([o for o in others if self._freed(o, self._unchanged_s(o))])

    def _holder(self, key: bytes) -> Owner | None:
        with self._database.reading() as connection:
            return holder(connection, key)

    def _freed(self, owner: Owner, watched_s: float | None) -> bool:
        """Whether an owner had gone; then what it held is free."""
        if not owner.has_gone(watched_s):
            return False
        self._write(partial(_buried, owner))
        return True

    def _unchanged_s(self, owner: Owner) -> float:
        """For how long it was seen not to say that it lives, by a clock that cannot jump."""
        now = time.monotonic()
        heartbeat, since = self._watched.get(owner.token, (None, now))
        self._watched[owner.token] = owner.heartbeat, since if heartbeat == owner.heartbeat else now
        return now - self._watched[owner.token][1]

    # leases -------------------------------------------------------------------------------------

    @contextmanager
    def lease(
        self,
        name: str,
        *,
        wait_s: float | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> Iterator[None]:
        """Keep every other process from holding the lease of that name while the block runs.

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
        key, began = key_of(name), time.monotonic()
        told: bytes | None = None
        while True:
            owner = self._holder(key)
            # Who does not wait has watched since it looked first, if it looks again.
            watched_s = None if owner is None else self._unchanged_s(owner)
            if owner is None or self._freed(owner, watched_s):
                if self.exchange([key])[0]:
                    break
                continue  # another one was quicker
            if wait_s is not None and time.monotonic() - began >= wait_s:
                raise StoreBusyError(
                    f"{name!r} is being worked on by {owner}; wait for it, or end it, and run again"
                )
            if on_wait is not None and told != owner.token:
                on_wait(f"waiting for {owner}, which works on {name!r}")
                told = owner.token
            time.sleep(_LOOK_S)
        try:
            yield
        finally:
            interrupted = isinstance(sys.exc_info()[1], KeyboardInterrupt)
            kept = self.release([key], soon=interrupted)
        if not kept:
            raise StoreError(
                f"the lease of {name!r} was lost to another process, which took this one for dead"
                " (was the machine asleep?); what was committed is kept, run again"
            ) from self._error

    # budgets ------------------------------------------------------------------------------------

    def draw(
        self, project: str, cap_usd: float, *, spent: float, held: float, wanted: float, more: float
    ) -> Drawn:
        """Reserve money of a project's budget for this month, and count what was spent of it.

        What is spent and reserved by all never exceeds the cap. What a dead process had reserved is
        free again.

        Parameters
        ----------
        cap_usd
            What the project may cost in a month, by the clock of the database (UTC).
        spent
            US dollars to be counted as spent.
        held
            What calls under way may still take: it stays reserved.
        wanted, more
            What is to be reserved beside it, and how much more is welcome: at most a sixteenth of
            what is left then.
        """
        if self._renewal is None:
            self._begin()
        drawn = self._write(partial(self._drawn, project, cap_usd, spent, held, wanted, more))
        if not drawn.fits and self._free_the_dead():
            drawn = self._write(partial(self._drawn, project, cap_usd, 0.0, held, wanted, more))
        return drawn

    def _drawn(
        self,
        project: str,
        cap: float,
        spent: float,
        held: float,
        wanted: float,
        more: float,
        connection: Connection,
    ) -> Drawn:
        _renew(connection, self._me)
        month = datetime.fromtimestamp(self._database.now(), UTC).strftime("%Y-%m")
        row = insert(budgets).values(project=project, month=month, spent_usd=spent, cap_usd=cap)
        # The row is locked until the commit, so what others reserve stands still.
        counted = upsert(row, added=["spent_usd"]).returning(budgets.c.spent_usd)
        total = connection.execute(counted).scalar_one()
        of_others = (reservations.c.project == project) & (reservations.c.owner != self._me)
        others = select(func.sum(reservations.c.usd)).where(of_others)
        left = cap - total - (connection.execute(others).scalar() or 0.0)
        fits = held + wanted <= left
        reserved = held + (wanted + min(more, (left - held - wanted) / 16) if fits else 0.0)
        mine = insert(reservations).values(project=project, owner=self._me, usd=reserved)
        connection.execute(upsert(mine))
        return Drawn(fits=fits, reserved_usd=reserved, spent_usd=total, month=month)

    # rates --------------------------------------------------------------------------------------

    def lease_time(self, door: bytes, seconds: float) -> tuple[float, float]:
        """Take the next piece of the time in which a provider may be asked; nobody else has it.

        Of what is past, the last half second is still to be had, so that nothing is lost by whoever
        comes a little late.

        Returns
        -------
        tuple
            When it begins, and when it was taken, by the clock of the database.
        """
        if not self._has_rates:  # a store may have been made before this table was
            with self._database.writing() as connection:  # in turn: two would make it at once
                if not inspect(connection).has_table(rates.name):
                    rates.create(connection)
                    if connection.dialect.name == "postgresql":
                        connection.exec_driver_sql(_AS_THE_OTHERS)
            self._has_rates = True
        return self._write(partial(_leased, door, seconds))

    def _give_back(self) -> None:
        """All that is claimed, as soon as nobody else writes."""
        if self._renewal is not None and not self._ended.is_set():
            self._ended.set()
            self._renewal.join()
            self._write_soon(partial(_ended, self._me))


def _exchanged(
    owner: bytes, keys: list[bytes], done: Collection[bytes], connection: Connection
) -> tuple[set[bytes], set[bytes]]:
    """Which of the keys are an owner's now, and which have a judgment.

    A judgment is committed before its claim is given back, so it is looked for after the claim.
    What is done goes last: whoever waits for one of them is not waited for any more.
    """
    engine, won, judged = connection.dialect.name, set(keys), set[bytes]()
    if keys:
        rows: Any = [(key, owner) for key in keys] if engine == "sqlite" else (keys, owner)
        if connection.exec_driver_sql(_CLAIM[engine], rows).rowcount != len(keys):
            known = connection.execute(select(1).where(owners.c.token == owner)).first()
            if known is None:  # for the first time, or it was taken for dead
                _renew(connection, owner)
                connection.exec_driver_sql(_CLAIM[engine], rows)
            mine = select(claims.c.key).where(claims.c.owner == owner, claims.c.key.in_(keys))
            won = set(connection.execute(mine).scalars())
        there = select(judgments.c.key).where(judgments.c.key.in_(keys))
        judged = set(connection.execute(there).scalars())
    if done:
        gone: Any = [(key, owner) for key in done] if engine == "sqlite" else ([*done], owner)
        connection.exec_driver_sql(_RELEASE[engine], gone)
    return won, judged


def _released(owner: bytes, keys: Collection[bytes], connection: Connection) -> bool:
    """Whether all of them were still its own."""
    engine = connection.dialect.name
    rows: Any = [(key, owner) for key in keys] if engine == "sqlite" else ([*keys], owner)
    return not keys or connection.exec_driver_sql(_RELEASE[engine], rows).rowcount == len(keys)


def _leased(door: bytes, seconds: float, connection: Connection) -> tuple[float, float]:
    """In one statement, so that the row is locked no longer than it takes.

    What was dealt out by a clock that went back since is forgotten.
    """
    now = literal_column(NOW[connection.dialect.name], Double)
    free = now - OPEN_S
    row = insert(rates).values(door=door, taken_until=free + seconds, leased_at=now)
    taken = (rates.c.taken_until > free) & (rates.c.leased_at < now + 1.0)
    later = {
        "taken_until": case((taken, rates.c.taken_until), else_=free) + seconds,
        "leased_at": now,
    }
    dealt = row.on_conflict_do_update(index_elements=["door"], set_=later)
    until, at = connection.execute(dealt.returning(rates.c.taken_until, rates.c.leased_at)).one()
    return until - seconds, at


def _ended(owner: bytes, connection: Connection) -> bool:
    """Free all that an owner holds; the owner first, so that nothing is claimed in its name."""
    for column in (owners.c.token, claims.c.owner, reservations.c.owner):
        connection.execute(delete(column.table).where(column == owner))
    return True


def _buried(owner: Owner, connection: Connection) -> None:
    """Free what an owner held, unless somebody else has, or it said meanwhile that it lives."""
    same = (owners.c.token == owner.token) & (owners.c.heartbeat == owner.heartbeat)
    if connection.execute(delete(owners).where(same)).rowcount:
        _ended(owner.token, connection)


def _renew(connection: Connection, token: bytes) -> None:
    """Say that an owner lives; one that is not known, or was taken for dead, is there again."""
    now = literal_column(NOW[connection.dialect.name], Double)
    row = insert(owners).values(token=token, heartbeat=now, **asdict(this_process()))
    beat = row.on_conflict_do_update(index_elements=["token"], set_={"heartbeat": now})
    connection.execute(beat)


def _write_later(another: Callable[[], Database], write: Callable[[Connection], object]) -> None:
    with suppress(StoreError):  # then it ends with the process, which everybody can see
        _write_beside(another, write)


def _write_beside(another: Callable[[], Database], write: Callable[[Connection], object]) -> None:
    with closing(another()) as database, database.writing(in_turn=False) as connection:
        write(connection)
