"""Opening a store: is there one, is it ours, can it be kept there, is its schema the newest."""

from __future__ import annotations

from judgebench.errors import StoreError
from judgebench.store.engine import Database
from judgebench.store.location import refuse_network_file_systems, store_path
from judgebench.store.refusals import make_folder, refuse_foreign_file, refuse_unwritable
from judgebench.store.store import Store
from judgebench.store.versions import bring_up_to_date


def open_store(
    url: str, *, read_only: bool = False, create: bool = True, wait_s: float | None = None
) -> Store:
    """Open a store, and make it where there is none yet.

    Parameters
    ----------
    url
        ``sqlite:///relative/path.db``, ``sqlite:////absolute/path.db``, or a bare path.
    read_only
        Open without ever writing; the store must be there.
    create
        Whether to make a store that is not there.
    wait_s
        How long a write waits while others write; for as long as it takes if None, which is said.

    Raises
    ------
    ConfigError
        For a URL that names no SQLite file.
    StoreError
        For a file that is no store, or a newer one, or in a place where none can be kept.
    """
    path = store_path(url)
    refuse_network_file_systems(path)
    there = refuse_foreign_file(path)
    if not there and (read_only or not create):
        found = f"the file {path} is empty" if path.exists() else f"there is no store at {path}"
        raise StoreError(
            f"{found}; `judgebench run` and `judgebench import` make one there (--store or"
            " JUDGEBENCH_STORE say where)"
        )
    if not read_only:
        make_folder(path.parent)
        refuse_unwritable(path)
    database = Database(path, read_only=read_only, wait_s=wait_s)
    try:
        bring_up_to_date(database)
    except BaseException:
        database.close()
        raise
    return Store(url, database)
