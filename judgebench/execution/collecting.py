"""Batches looked after: collected where they have ended, called off where that is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from judgebench.errors import CallError, JudgebenchError, StoreError, UsageError, unknown_name
from judgebench.execution.asker import Asker, asker_of
from judgebench.execution.batches import OPEN, clock_time, duration, lease_of
from judgebench.execution.harvest import Harvest
from judgebench.protocols import Progress
from judgebench.providers.batch import (
    Absent,
    Batches,
    Found,
    Standing,
    Undecided,
)
from judgebench.records import Batch, BatchState, Request
from judgebench.store import Store

UNHEARD_S = 900.0
"""How long a batch whose submission broke off may take to show up; only then it is absent."""

WAITING = 75
"""Exit code while something is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was found when a batch was looked at.

    ``done`` is whether it is settled: its replies are stored and what got none is free again.
    ``says`` is for people. ``exit_code`` is that of what stood in the way, 75 while it is under
    way.
    """

    batch: Batch
    says: str
    exit_code: int
    replies: int = 0
    failed: int = 0
    unasked: int = 0

    @property
    def done(self) -> bool:
        return self.exit_code == 0


def collect(
    store: Store,
    *,
    environment: Mapping[str, str],
    progress: Progress,
    only: Collection[str] | None = None,
    call_off: bool = False,
    interface_of: Callable[[Asker], Batches] = Asker.interface,
    clock: Callable[[], float] = time.time,
) -> list[Look]:
    """Look at the open batches, store what has come, and free what never will.

    Needs nothing but the store and the keys that the suites name: the machine that submitted may be
    gone. Again: nothing is stored or counted twice. Batches that another process works on are
    left to it, and one that cannot be reached does not keep the others from being collected.

    Parameters
    ----------
    only
        Ids, or beginnings of ids, of ours or of the provider's; all open batches if None.
    call_off
        Ask the provider to end them early. What is through by then is paid for, and is collected.

    Raises
    ------
    UsageError
        For an id that no open batch has.
    StoreError
        When the store cannot be written; what was stored before stays.
    """
    batches = chosen(store.batches(OPEN), only)
    visits = _Visits(store, environment, interface_of, clock)
    looks = []
    progress.stage("looking at batches", len(batches))
    try:
        for batch in batches:
            look = visits.look(batch, call_off=call_off)
            looks.append(look)
            progress.advance()
    finally:
        visits.close()
    return looks


def chosen(batches: list[Batch], only: Collection[str] | None) -> list[Batch]:
    """The batches that are meant by beginnings of their ids, of ours or the provider's.

    Raises
    ------
    UsageError
        For a beginning that none or several have.
    """
    if only is None:
        return batches
    picked: dict[str, Batch] = {}
    for wanted in only:
        found = [b for b in batches if b.id.startswith(wanted) or _is(b.remote_id, wanted)]
        if not found:
            raise UsageError(unknown_name("open batch", wanted, [b.id for b in batches]))
        if len(found) > 1:
            raise UsageError(f"{wanted!r} begins several: {', '.join(b.id for b in found)}")
        picked[found[0].id] = found[0]
    return list(picked.values())


def _is(remote_id: str | None, wanted: str) -> bool:
    return remote_id is not None and remote_id.startswith(wanted)


class _Visits:
    """Looks at batches one by one; the connections are shared by those of one asker."""

    def __init__(
        self,
        store: Store,
        environment: Mapping[str, str],
        interface_of: Callable[[Asker], Batches],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._environment = environment
        self._interface_of = interface_of
        self._clock = clock
        self._doors: dict[tuple[str, str, bool], tuple[Asker, Batches]] = {}

    def close(self) -> None:
        for _, interface in self._doors.values():
            interface.close()

    def look(self, batch: Batch, *, call_off: bool) -> Look:
        with ExitStack() as stack:
            try:
                stack.enter_context(self._store.lease(lease_of(batch), wait_s=0))
            except StoreError as error:
                return Look(batch=batch, says=str(error), exit_code=WAITING)
            # Another process may have settled it since it was listed.
            now = next(b for b in self._store.batches() if b.id == batch.id)
            if now.state not in OPEN:
                return Look(batch=now, says=f"{now.state} by another process", exit_code=0)
            try:
                return self._look(now, call_off=call_off)
            except StoreError:
                raise
            except JudgebenchError as error:
                return Look(batch=now, says=str(error), exit_code=error.exit_code)

    def _look(self, batch: Batch, *, call_off: bool) -> Look:
        requests = self._store.batch_requests(batch.id)
        asker, interface = self._door(batch, requests)
        if batch.remote_id is None:
            found = self._found(batch, interface, call_off=call_off)
            if isinstance(found, Look):
                return found
            batch = found
        remote_id = batch.remote_id
        assert remote_id is not None
        try:
            standing = interface.state(remote_id)
            if call_off and not standing.ended:
                interface.cancel(remote_id)
                standing = interface.state(remote_id)
        except CallError as error:
            if call_off and error.status == 404:
                return self._settle(batch, "cancelled", f"given up: {error}")
            raise
        if not standing.ended:
            return Look(batch=batch, says=self._waits(batch, standing), exit_code=WAITING)
        return self._harvested(batch, standing, requests, asker, interface)

    def _door(self, batch: Batch, requests: Mapping[bytes, Request]) -> tuple[Asker, Batches]:
        purposes = (request.purpose for request in requests.values())
        judges = any(p is not None and p.place.judge_key != b"" for p in purposes)
        key = (batch.run_id, batch.asker, judges)
        if key not in self._doors:
            manifest = self._store.run(batch.run_id)
            if manifest is None:
                raise StoreError(
                    f"the store has no run {batch.run_id!r}, which batch {batch.id} is of"
                )
            asker = asker_of(manifest, batch, judges=judges, environment=self._environment)
            self._doors[key] = asker, self._interface_of(asker)
        return self._doors[key]

    def _found(self, batch: Batch, interface: Batches, *, call_off: bool) -> Batch | Look:
        """The batch with its remote id, where its submission was not heard of."""
        others = {b.remote_id for b in self._store.batches() if b.remote_id is not None}
        match interface.find(batch.id, batch.requests, others=others):
            case Found(remote_id):
                batch = replace(batch, state="submitted", remote_id=remote_id, note="")
                self._store.update_batch(batch)
                return batch
            case Undecided(candidates):
                says = (
                    "its submission broke off, and whether it arrived shows when "
                    f"{', '.join(candidates)} ended; until then its questions are not asked again"
                )
                return Look(batch=batch, says=says, exit_code=WAITING)
            case Absent():
                if call_off:
                    return self._settle(batch, "cancelled", "the provider has no such batch")
                if self._clock() - batch.created < UNHEARD_S:
                    says = (
                        "its submission broke off a moment ago; if it does not show up by "
                        f"{clock_time(batch.created + UNHEARD_S)}, its questions are free again"
                    )
                    return Look(batch=batch, says=says, exit_code=WAITING)
                return self._settle(
                    batch, "failed", "it never arrived; its questions are free again"
                )

    def _harvested(
        self,
        batch: Batch,
        standing: Standing,
        requests: Mapping[bytes, Request],
        asker: Asker,
        interface: Batches,
    ) -> Look:
        """Store what came of a batch that has ended."""
        remote_id = batch.remote_id or ""
        harvest = Harvest(self._store, requests, asker.price, standing.refusal)
        for line in interface.results(remote_id, batch.id, requests):
            harvest.take(line)
        state: BatchState = "collected"
        if standing.cancelled:
            state = "cancelled"
        elif standing.refusal is not None and not harvest.replies:
            state = "failed"
        with self._store.transaction():
            harvest.settle(now=self._clock())
            look = self._settle(batch, state, harvest.says())
        return replace(
            look, replies=harvest.replies, failed=harvest.failed, unasked=harvest.unasked
        )

    def _settle(self, batch: Batch, state: BatchState, note: str) -> Look:
        settled = replace(batch, state=state, ended=self._clock(), note=note)
        self._store.update_batch(settled)
        return Look(batch=settled, says=f"{state}: {note}", exit_code=0)

    def _waits(self, batch: Batch, standing: Standing) -> str:
        """Where a batch stands that is under way, and for how long."""
        parts = [f"{standing.word} for {duration(self._clock() - batch.created)}"]
        if standing.done is not None and standing.total:
            parts.append(f"{standing.done:,} of {standing.total:,} done")
        if standing.expires is not None:
            parts.append(f"ends by {clock_time(standing.expires)} at the latest")
        return ", ".join(parts)
