"""The store, opened read-only for the moment of a read, which holds up no run beside it.

And by what its states are told apart.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from judgebench import DEFAULT_STORE
from judgebench.errors import StoreError
from judgebench.store.opening import Location, located, open_store
from judgebench.store.store import Store

_first_seen: dict[str, float] = {}
"""When a mark of a store on a server was met first."""


def store_url(arguments: Sequence[str] | None = None) -> str:
    """``--store URL`` after ``--``, else JUDGEBENCH_STORE, else the default."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for place, argument in enumerate(given):
        if argument.startswith("--store="):
            return argument.removeprefix("--store=")
        if argument == "--store" and place + 1 < len(given):
            return given[place + 1]
    return os.environ.get("JUDGEBENCH_STORE") or DEFAULT_STORE


def shown_url(url: str) -> str:
    """The store's file, without the folders of an absolute path, or its server and database."""
    where = located(url)
    if where.path is None:
        return where.name.partition("://")[2].rpartition("@")[2]
    return where.path.name if where.path.is_absolute() else where.name


class NoStoreError(StoreError):
    """There is nothing yet where the store should be."""


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """For one read.

    Raises
    ------
    NoStoreError
        Where there is no file, or a database without a store.
    StoreError
        Where it cannot be read.
    """
    where = located(url)
    if where.path is not None:
        _look_at(where)
    try:
        store = open_store(url, read_only=True)
    except StoreError:
        if where.path is None and not where.exists():
            raise NoStoreError(where.name) from None
        raise
    with store:
        yield store


def _look_at(where: Location) -> None:
    assert where.path is not None
    try:
        where.path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise NoStoreError(where.name) from None
    except OSError as error:
        raise StoreError(
            f"the store {where.name} cannot be read: {error.strerror or error}; change its "
            "permissions or give another path with --store"
        ) from error


_TURN = threading.Lock()


@contextmanager
def computing(url: str) -> Iterator[Store]:
    """As `opened`, one reader at a time: of many verdicts each takes much memory, and two at once
    are no sooner done.
    """
    with _TURN, opened(url) as store:
        yield store


def mark_of(url: str) -> str:
    """A string that differs whenever anything was committed to the store; see `Location.mark`.

    Empty where there is no store, or none that can be asked: whoever opens it says why.
    """
    where = located(url)
    if where.path is not None:
        return where.mark()
    try:
        mark = where.mark()
    except StoreError:
        return ""
    _first_seen.setdefault(mark, time.time())
    return mark


def written_at(mark: str) -> float | None:
    """When a file was last written, of the mark of its state; None for one of a server.

    >>> written_at("4096:1700000000000000000 ")
    1700000000.0
    """
    times = (int(time) / 1e9 for time in re.findall(r"(?:^| )\d+:(\d+)(?= |$)", mark))
    return max(times, default=None)


def seen_at(mark: str) -> float | None:
    """When a state of a store on a server was met first; None for one that never was."""
    return _first_seen.get(mark)
