"""What an import did, and the run it is kept under."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from judgebench.records import RunManifest
from judgebench.run.manifest import new_manifest
from judgebench.store import Store

IMPORT_LEASE = "import"


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


def import_manifest(what: str, path: Path, counts: Mapping[str, int]) -> RunManifest:
    """A run that ends as it begins; the file, known by its content, is its configuration."""
    configuration = {"import": what, "file": path.name, "sha256": _sha(path)}
    begun = new_manifest(f"import {what} {path.name}", configuration, data_sha={}, seed=0)
    return replace(begun, seeds={}, ended=time.time(), state="done", counts=dict(counts))


def import_manifest_of(what: str, paths: Sequence[Path], counts: Mapping[str, int]) -> RunManifest:
    """As `import_manifest`, for files that are taken in together."""
    if len(paths) == 1:
        return import_manifest(what, paths[0], counts)
    files = [{"file": str(path), "sha256": _sha(path)} for path in paths]
    configuration = {"import": what, "files": files}
    begun = new_manifest(f"import {what}, {len(paths)} files", configuration, data_sha={}, seed=0)
    return replace(begun, seeds={}, ended=time.time(), state="done", counts=dict(counts))


def taken_in_before(store: Store, what: str, path: Path) -> bool:
    """Whether an import of this very content is in the store."""
    sha = _sha(path)
    configurations = (manifest.configuration for manifest in store.runs())
    return any(c.get("import") == what and c.get("sha256") == sha for c in configurations)


def _sha(path: Path) -> str:
    with path.open("rb") as file:  # may be larger than what there is of memory
        return hashlib.file_digest(file, "sha256").hexdigest()
