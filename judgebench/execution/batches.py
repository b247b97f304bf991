"""Questions in batches: handed over, and known for good from then on.

What is to be asked is in the store before anything is sent, and so is what the provider calls it
before it is believed to be there: whoever opens the store can go on, wherever the first one died.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from judgebench.errors import CallError
from judgebench.providers.batch import Batches, UnheardError, new_token
from judgebench.records import Batch, BatchState, Request
from judgebench.store import Store

OPEN: tuple[BatchState, ...] = ("submitting", "submitted")
"""The states of a batch whose questions wait in it."""


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
