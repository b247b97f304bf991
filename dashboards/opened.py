"""The store, opened read-only for the moment of a read, which holds up no run beside it.

And by what its states are told apart.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from judgebench.errors import StoreError
from judgebench.store import Store, open_store
from judgebench.store.opening import store_path


class NoStoreError(StoreError):
    """There is no file yet where the store should be."""


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """For one read.

    Raises
    ------
    NoStoreError
        Where there is no file.
    StoreError
        Where it cannot be read.
    """
    path = store_path(url)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise NoStoreError(str(path)) from None
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be read: {error.strerror or error}; change its permissions "
            "or give another path with --store"
        ) from error
    with open_store(url, read_only=True) as store:
        yield store


_TURN = threading.Lock()


@contextmanager
def computing(url: str) -> Iterator[Store]:
    """As `opened`, one reader at a time: of many verdicts each takes much memory, and two at once
    are no sooner done.
    """
    with _TURN, opened(url) as store:
        yield store


def mark_of(url: str) -> str:
    """A string that differs whenever anything was committed to the store.

    It is made of size and time of the file and its log, so that asking costs microseconds
    whatever the store holds. An empty log is no log: readers make one.
    """
    path = store_path(url)
    return " ".join(_mark(file) for file in (path, path.with_name(path.name + "-wal")))


def _mark(file: Path) -> str:
    try:
        seen = file.stat()
    except OSError:  # a log goes when its last user goes; why else, whoever opens it says
        return ""
    return f"{seen.st_size}:{seen.st_mtime_ns}" if seen.st_size else ""
