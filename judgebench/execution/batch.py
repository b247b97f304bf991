"""Questions in batches: handed over, known for good from then on, and collected on any machine.

What is to be asked is in the store before anything is sent, and so is what the provider calls it
before it is believed to be there: whoever opens the store can go on, wherever the first one died.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from judgebench.config import ApiModel, Endpoint, JudgeConfig, Limits, PriceConfig, check
from judgebench.errors import (
    CallError,
    ConfigError,
    JudgebenchError,
    StoreError,
    UsageError,
    unknown_name,
)
from judgebench.protocols import Progress
from judgebench.providers.batch import (
    Absent,
    Answered,
    Batches,
    Failed,
    Found,
    Line,
    Standing,
    Stray,
    Unasked,
    Undecided,
    UnheardError,
    batches_of,
    new_token,
)
from judgebench.providers.prices import price_of
from judgebench.records import (
    Batch,
    BatchState,
    Failure,
    How,
    Price,
    Request,
    RunManifest,
    Spend,
    Usage,
)
from judgebench.store.read import OPEN
from judgebench.store.store import Store
from judgebench.yaml_file import Written, expanded


def endpoint_of(
    manifest: RunManifest, batch: Batch, *, judges: bool, environment: Mapping[str, str]
) -> Endpoint:
    """Where the questions of a batch were asked, out of the manifest of its run.

    Variables are filled in from ``environment``, and only those that are needed for it: another
    machine may have the keys of one provider and not of the next.

    Parameters
    ----------
    judges
        Whether it judges; a model of that name answers otherwise.

    Raises
    ------
    ConfigError
        For a variable that is not set, or a suite that no longer names the asker.
    """
    written = manifest.configuration
    source = Path(f"the suite of run {manifest.id}")

    def filled(part: Any) -> Any:
        return expanded(Written(source, part, {}, kept=True), environment)

    section = _section(written, batch, judges, source, filled)
    limits = check(Limits, filled(written.get("limits") or {}), source)
    endpoint: Endpoint = check(JudgeConfig if judges else ApiModel, section, source)
    stated = endpoint.price
    if stated is None and (of_model := (written.get("prices") or {}).get(endpoint.model)):
        stated = check(PriceConfig, filled(of_model), source)
    timeout_s = endpoint.timeout_s or limits.timeout_s
    return endpoint.model_copy(update={"timeout_s": timeout_s, "price": stated})


def _section(
    written: Mapping[str, Any],
    batch: Batch,
    judges: bool,
    source: Path,
    filled: Callable[[Any], Any],
) -> Any:
    """The asker's part of the suite, filled in."""
    names = []
    for part in written.get("judges" if judges else "models") or ():
        name = filled(part["name"])
        if name == batch.asker:
            return filled(part if judges else part.get("api"))
        names.append(name)
    what = "judge" if judges else "model"
    raise ConfigError(f"{source}: {unknown_name(what, batch.asker, names)}")


def submit(
    store: Store,
    run_id: str,
    asker: str,
    provider: str,
    interface: Batches,
    requests: Mapping[bytes, Request],
) -> list[Batch]:
    """Submit questions, in as few batches as the provider allows; returns those that are there.

    Questions that are in an open batch already are left out. A batch of which nothing was heard is
    returned as ``submitting``: `collect` finds out what became of it.

    Raises
    ------
    CallError
        When the provider refuses; the batch in question is kept as ``failed``, its questions and
        those that were to follow are free again, and what was submitted before stays.
    StoreError
        When the store cannot be written; nothing is sent then.
    """
    waiting = store.in_batches(requests.keys())
    free = {key: request for key, request in requests.items() if key not in waiting}
    return [
        _submitted(store, interface, part, run_id=run_id, asker=asker, provider=provider)
        for part in interface.split(free)
    ]


def _submitted(
    store: Store,
    interface: Batches,
    requests: Mapping[bytes, Request],
    *,
    run_id: str,
    asker: str,
    provider: str,
) -> Batch:
    batch = Batch(
        id=new_token(),
        run_id=run_id,
        asker=asker,
        provider=provider,
        requests=len(requests),
        created=time.time(),
    )
    with store.lease(lease_of(batch)), _to_its_end():
        store.put_batch(batch, requests)
        try:
            remote_id = interface.submit(batch.id, requests)
        except UnheardError as error:
            batch = replace(batch, note=str(error))
        except CallError as error:
            failed = replace(batch, state="failed", ended=time.time(), note=str(error))
            store.update_batch(failed)
            raise
        else:
            batch = replace(batch, state="submitted", remote_id=remote_id)
        store.update_batch(batch)
    return batch


@contextmanager
def _to_its_end() -> Iterator[None]:
    """A first Ctrl-C (or SIGTERM) takes effect after the block, a second one at once.

    A batch that is being handed over would have to be looked for.
    """
    if threading.current_thread() is not threading.main_thread():  # signals go elsewhere
        yield
        return
    interrupted = False

    def note(*_: object) -> None:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        interrupted = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if interrupted:
            raise KeyboardInterrupt


def lease_of(batch: Batch) -> str:
    """The name of the lease under which a batch is submitted, collected or called off."""
    return f"batch {batch.id}"


def duration(seconds: float) -> str:
    """A time in the two units that say something: ``3 h 20 min``.

    >>> [duration(s) for s in (5.2, 130, 12_000, 100_000)]
    ['5 s', '2 min', '3 h 20 min', '1 d 3 h']
    """
    minutes, rest_s = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{rest_s} s"


def clock_time(seconds: float) -> str:
    """A moment in seconds since 1970, to the minute."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(eq=False)
class BatchReplies:
    """Takes the lines of one batch.

    Parameters
    ----------
    requests
        The questions of the batch, by request key.
    price
        None where it is not known: then what the batch took has no cost, and is not 0.
    refusal
        Why the provider refused the batch as a whole, if it did.
    """

    store: Store
    requests: Mapping[bytes, Request]
    price: Price | None
    refusal: str | None = None
    _replied: set[bytes] = field(default_factory=set, init=False)
    _errors: dict[bytes, CallError] = field(default_factory=dict, init=False)
    _spends: list[Spend] = field(default_factory=list, init=False)
    _strays: Counter[str] = field(default_factory=Counter, init=False)
    _notes: Counter[str] = field(default_factory=Counter, init=False)
    _ended: Counter[str] = field(default_factory=Counter, init=False)

    @property
    def replies(self) -> int:
        return len(self._replied)

    @property
    def failed(self) -> int:
        return len(self._failures())

    @property
    def unasked(self) -> int:
        """Questions that cost nothing and are free again."""
        return len(self.requests) - self.replies - self.failed

    def take(self, line: Line) -> None:
        """Of several replies to one question the first counts, and any goes before an error."""
        match line:
            case Answered(key, reply):
                if key not in self._replied:
                    self.store.put_reply(key, self.requests[key], reply)
                    self._replied.add(key)
                    self._spent("batch", key, reply.usage)
                    if reply.note is not None:
                        self._notes[reply.note] += 1
            case Failed(key, error):
                self._errors.setdefault(key, error)
            case Unasked(_, why):
                self._ended[why] += 1
            case Stray(why):
                self._strays[why] += 1

    def settle(self, *, now: float) -> None:
        """Store what failed, where it serves, and what all of it took; ``now`` in seconds."""
        for key, error in self._errors.items():
            self._spent("retried" if error.charged is None else "wasted", key, error.charged)
        for key, error in self._failures().items():
            purpose = self.requests[key].purpose
            if purpose is None or self.store.reply(key) is not None:
                continue
            failure = Failure(
                key=key,
                boundary="provider",
                kind=error.kind,
                message=str(error),
                retriable=error.retriable,
                place=purpose.place,
                at=now,
            )
            self.store.put_failure(failure)
        if self._spends:
            self.store.put_spend(self._spends)

    def says(self) -> str:
        """In a line, for people and for the batch's note."""
        parts = [f"{self.replies:,} {'reply' if self.replies == 1 else 'replies'}"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.unasked:
            reasons = ", ".join(self._ended) or "without a line"
            parts.append(f"{self.unasked:,} not asked ({reasons}), free again")
        odd = (*self._strays.items(), *self._notes.items())
        parts += [f"{n:,} times {why}" for why, n in odd]
        if self.refusal is not None:
            parts.append(f"the provider refused the batch: {self.refusal}")
        return "; ".join(parts)

    def _failures(self) -> dict[bytes, CallError]:
        """The questions without a reply, and why; all of them where the batch was refused."""
        errors = {k: e for k, e in self._errors.items() if k not in self._replied}
        if self.refusal is not None:
            error = CallError(
                f"the provider refused the batch: {self.refusal}", retriable=True, kind="request"
            )
            errors = {k: error for k in self.requests if k not in self._replied} | errors
        return errors

    def _spent(self, how: How, key: bytes, usage: Usage | None) -> None:
        """``usage`` is None for what surely was not charged."""
        request = self.requests[key]
        if request.purpose is None:
            return
        cost: float | None = 0.0
        if usage is not None:
            cost = None if self.price is None else self.price.cost(usage, batch=True)
        spend = Spend(
            purpose=request.purpose,
            how=how,
            provider=request.provider,
            model=request.model,
            usage=usage or Usage(),
            cost_usd=cost,
        )
        self._spends.append(spend)


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
    interface_of: Callable[[Endpoint], Batches] = batches_of,
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


@dataclass(eq=False)
class _Visits:
    """Looks at batches one by one; the connections are shared by those of one asker."""

    store: Store
    environment: Mapping[str, str]
    interface_of: Callable[[Endpoint], Batches]
    clock: Callable[[], float]
    _endpoints: dict[tuple[str, str, bool], tuple[Endpoint, Batches]] = field(
        default_factory=dict, init=False
    )

    def close(self) -> None:
        for _, interface in self._endpoints.values():
            interface.close()

    def look(self, batch: Batch, *, call_off: bool) -> Look:
        with ExitStack() as stack:
            try:
                stack.enter_context(self.store.lease(lease_of(batch), wait_s=0))
            except StoreError as error:
                return Look(batch=batch, says=str(error), exit_code=WAITING)
            # Another process may have settled it since it was listed.
            now = next(b for b in self.store.batches() if b.id == batch.id)
            if now.state not in OPEN:
                return Look(batch=now, says=f"{now.state} by another process", exit_code=0)
            try:
                return self._look(now, call_off=call_off)
            except StoreError:
                raise
            except JudgebenchError as error:
                return Look(batch=now, says=str(error), exit_code=error.exit_code)

    def _look(self, batch: Batch, *, call_off: bool) -> Look:
        requests = self.store.batch_requests(batch.id)
        endpoint, interface = self._endpoint(batch, requests)
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
        return self._collected(batch, standing, requests, endpoint, interface)

    def _endpoint(
        self, batch: Batch, requests: Mapping[bytes, Request]
    ) -> tuple[Endpoint, Batches]:
        purposes = (request.purpose for request in requests.values())
        judges = any(p is not None and p.place.judge_key != b"" for p in purposes)
        key = (batch.run_id, batch.asker, judges)
        if key not in self._endpoints:
            manifest = self.store.run(batch.run_id)
            if manifest is None:
                raise StoreError(
                    f"the store has no run {batch.run_id!r}, which batch {batch.id} is of"
                )
            endpoint = endpoint_of(manifest, batch, judges=judges, environment=self.environment)
            self._endpoints[key] = endpoint, self.interface_of(endpoint)
        return self._endpoints[key]

    def _found(self, batch: Batch, interface: Batches, *, call_off: bool) -> Batch | Look:
        """The batch with its remote id, where its submission was not heard of."""
        others = {b.remote_id for b in self.store.batches() if b.remote_id is not None}
        match interface.find(batch.id, batch.requests, others=others):
            case Found(remote_id):
                batch = replace(batch, state="submitted", remote_id=remote_id, note="")
                self.store.update_batch(batch)
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
                if self.clock() - batch.created < UNHEARD_S:
                    says = (
                        "its submission broke off a moment ago; if it does not show up by "
                        f"{clock_time(batch.created + UNHEARD_S)}, its questions are free again"
                    )
                    return Look(batch=batch, says=says, exit_code=WAITING)
                return self._settle(
                    batch, "failed", "it never arrived; its questions are free again"
                )

    def _collected(
        self,
        batch: Batch,
        standing: Standing,
        requests: Mapping[bytes, Request],
        endpoint: Endpoint,
        interface: Batches,
    ) -> Look:
        """Store what came of a batch that has ended."""
        remote_id = batch.remote_id or ""
        found = BatchReplies(self.store, requests, price_of(endpoint), standing.refusal)
        for line in interface.results(remote_id, batch.id, requests):
            found.take(line)
        state: BatchState = "collected"
        if standing.cancelled:
            state = "cancelled"
        elif standing.refusal is not None and not found.replies:
            state = "failed"
        with self.store.transaction():
            found.settle(now=self.clock())
            look = self._settle(batch, state, found.says())
        return replace(look, replies=found.replies, failed=found.failed, unasked=found.unasked)

    def _settle(self, batch: Batch, state: BatchState, note: str) -> Look:
        settled = replace(batch, state=state, ended=self.clock(), note=note)
        self.store.update_batch(settled)
        return Look(batch=settled, says=f"{state}: {note}", exit_code=0)

    def _waits(self, batch: Batch, standing: Standing) -> str:
        """Where a batch stands that is under way, and for how long."""
        parts = [f"{standing.word} for {duration(self.clock() - batch.created)}"]
        if standing.done is not None and standing.total:
            parts.append(f"{standing.done:,} of {standing.total:,} done")
        if standing.expires is not None:
            parts.append(f"ends by {clock_time(standing.expires)} at the latest")
        return ", ".join(parts)
