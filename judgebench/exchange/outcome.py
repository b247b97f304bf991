"""What an import did, and the run it is kept under."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from judgebench.errors import StoreBusyError
from judgebench.execution.manifest import alive, new_manifest
from judgebench.protocols import Meter, at_once
from judgebench.records import JsonObject, RunManifest
from judgebench.store import Store

IMPORT_LEASE = "import"

PORTION = 1000
"""Rows of an import in one commit: some tenths of a second."""

BETWEEN_S = 0.02
"""Between two commits of an import: time for all who wait, who look every hundredth of a second."""

Write: TypeAlias = tuple[int, Callable[[], object]]
"""How many rows, and what writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """Counts of an import.

    rows
        In the file.
    new
        Stored now, of which ``changed`` follow an earlier label of the same rater, and ``looks``
        are what a judge said of anchors again.
    known
        In the store already, or twice in the file.
    run_id
        The run that the new ones stand under; None where nothing was new.
    """

    rows: int
    new: int
    known: int
    changed: int = 0
    looks: int = 0
    run_id: str | None = None
    warnings: tuple[str, ...] = ()

    def summary(self, rows: str) -> str:
        """In one line; ``rows`` is what they are called."""
        changed = f" ({self.changed} changed)" if self.changed else ""
        changed += f" ({self.looks} another look at anchors)" if self.looks else ""
        return f"{self.rows} {rows}, {self.new} new{changed}, {self.known} known already"


def import_manifest(
    what: str, paths: Sequence[Path], counts: Mapping[str, int], cut: RunManifest | None = None
) -> RunManifest:
    """A run that ends as it begins; the files, known by their content, are its configuration.

    Where an import of them was ``cut``, it is that run, which goes on; its counts are those of the
    files as they were then.
    """
    named = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    comma = "" if len(paths) == 1 else ","
    begun = new_manifest(
        f"import {what}{comma} {named}", _configuration(what, paths), data_sha={}, seed=0
    )
    manifest = replace(begun, seeds={}, ended=time.time(), state="done", counts=dict(counts))
    if cut is None:
        return manifest
    return replace(
        manifest,
        id=cut.id,
        name=cut.name,
        configuration=cut.configuration,
        started=cut.started,
        counts=cut.progress["counts"],
    )


def cut_import(store: Store, what: str, paths: Sequence[Path]) -> RunManifest | None:
    """The import of these very files that was cut, if one was: the lease of imports is held."""
    cut = [
        run
        for run in store.runs()
        if run.configuration.get("import") == what and run.state != "done"
    ]
    said = _configuration(what, paths) if cut else {}
    return next((run for run in cut if said.items() <= run.configuration.items()), None)


def _configuration(what: str, paths: Sequence[Path]) -> JsonObject:
    if len(paths) == 1:
        return {"import": what, "file": paths[0].name, "sha256": _sha(paths[0])}
    return {
        "import": what,
        "files": [{"file": str(path), "sha256": _sha(path)} for path in paths],
    }


def put_in_portions(
    store: Store, manifest: RunManifest, cut: RunManifest | None, writes: Iterable[Write]
) -> None:
    """Write an import under a run of its own, some rows at a time, so that others get between.

    All of it was found good before: what is wrong with a file is in nobody's store. What is one
    portion is one commit. What is more is under way in the meantime, as other runs are, and if it
    is cut its run says so; importing the same files again stores the rest under the same run.

    Parameters
    ----------
    cut
        The run that goes on, which ``manifest`` is of; None for a new one.
    writes
        How many rows, and what writes them, in the order in which they need each other. They are
        called inside a transaction, and taken from the iterator outside of any.

    Raises
    ------
    KeyboardInterrupt
        Saying so where a part is stored.
    """
    portions = _portions(writes)
    first, second = next(portions, []), next(portions, None)
    if second is None and cut is None:
        _commit(store, first, manifest, store.start_run)
        return
    under_way = _UnderWay(manifest)
    with store.lease(alive(manifest)):
        begin = store.start_run if cut is None else store.update_run
        _commit(store, first, under_way.so_far(first), begin)
        try:
            for portion in chain([second] if second else [], portions):
                _pause(BETWEEN_S)
                _commit(store, portion, under_way.so_far(portion), store.update_run)
            store.update_run(replace(manifest, ended=time.time()))
        except KeyboardInterrupt:
            with suppress(StoreBusyError), at_once():
                store.update_run(under_way.as_cut())
            raise KeyboardInterrupt(
                "interrupted; a part of the import is stored, and shown: import the same again, "
                "which stores the rest"
            ) from None


_pause = time.sleep


def _portions(writes: Iterable[Write]) -> Iterator[list[Write]]:
    """At least `PORTION` rows each, but for the last one."""
    portion: list[Write] = []
    rows = 0
    for write in writes:
        portion.append(write)
        rows += write[0]
        if rows >= PORTION:
            yield portion
            portion, rows = [], 0
    if portion:
        yield portion


def _commit(
    store: Store,
    portion: Sequence[Write],
    manifest: RunManifest,
    tell: Callable[[RunManifest], None],
) -> None:
    """The run is told first: what is written names it."""
    with store.transaction():
        tell(manifest)
        for _, write in portion:
            write()


class _UnderWay:
    """The manifest of an import that takes several commits."""

    def __init__(self, manifest: RunManifest) -> None:
        self._finished = manifest
        self.began = time.time()
        self.done = 0
        self.manifest = manifest

    def so_far(self, portion: Sequence[Write]) -> RunManifest:
        """With a portion that is about to be written."""
        self.done += sum(rows for rows, _ in portion)
        progress = {
            "stage": self._finished.name,
            "total": None,
            "done": self.done,
            "waiting": 0,
            "failed": {},
            "began": self.began,
            "at": time.time(),
            **asdict(Meter()),
            "counts": dict(self._finished.counts),
        }
        self.manifest = replace(self._finished, progress=progress)
        return replace(self.manifest, state="running", ended=None, counts={})

    def as_cut(self) -> RunManifest:
        return replace(self.manifest, state="interrupted", ended=time.time(), counts={})


def taken_in_before(store: Store, what: str, path: Path) -> bool:
    """Whether an import of this very content is in the store."""
    sha = _sha(path)
    whole = (manifest.configuration for manifest in store.runs() if manifest.state == "done")
    return any(c.get("import") == what and c.get("sha256") == sha for c in whole)


def _sha(path: Path) -> str:
    with path.open("rb") as file:  # may be larger than what there is of memory
        return hashlib.file_digest(file, "sha256").hexdigest()
