"""The store, opened read-only for the moment of a read, which holds up no run beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from judgebench.errors import StoreError
from judgebench.store import Store, open_store
from judgebench.store.location import store_path


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
