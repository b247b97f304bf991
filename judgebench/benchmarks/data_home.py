"""Where pulled and imported data is kept, and how it gets there: by one rename, one at a time.

    HOME/trivia_judging/v1/items.jsonl …     questions of a version, with a manifest of their source
    HOME/trivia_judging/prompts/short.txt    official prompts, each known by its hash
    HOME/alpaca_eval/calibration/…           files of a published calibration, as published
    HOME/alpaca_eval/.partial/…              what has come of files that are being fetched

HOME is ``JUDGEBENCH_DATA``, or a folder in the user's cache. No benchmark text is in the package.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from judgebench.benchmarks.content import Content, write_content
from judgebench.errors import ConfigError, InputError

MANIFEST = "manifest.json"
PARTIAL = ".partial"
_STAGE = ".new-"


def data_home() -> Path:
    """Where pulled and imported data is kept."""
    if configured := os.environ.get("JUDGEBENCH_DATA"):
        return Path(configured).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("judgebench")) / "data"


@contextmanager
def alone(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a benchmark's folder: who else would change it waits, however this process ends."""
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{folder}: another process is pulling or importing; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        _sweep(folder)
        yield
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove what a killed process left, once a version that it was replacing is back."""
    for left in folder.glob(f"{_STAGE}*"):
        with written(folder):
            for version in left.glob("old/*"):
                if not (folder / version.name).exists():
                    version.rename(folder / version.name)
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """A folder beside the target, so that moving out of it is one rename."""
    with written(parent):
        parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=parent))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def install(target: Path, content: Content, origin: Mapping[str, Any]) -> None:
    """Put a version's questions into the data home, whole or not at all."""
    with written(target), staging(target.parent) as stage:
        new, old = stage / "new", stage / "old" / target.name
        new.mkdir()
        old.parent.mkdir()
        write_content(content, new)
        manifest = {"sha256": content.sha, "at": int(time.time()), **origin}
        (new / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except BaseException:
            if old.exists() and not target.exists():
                old.rename(target)
            raise


def check_kept(target: Path, content: Content) -> None:
    """Refuse questions that are not those that were put into the data home.

    Raises
    ------
    InputError
        Where the manifest of a version has another hash, or is no manifest.
    """
    said = _manifest(target).get("sha256", content.sha)
    if said != content.sha:
        raise InputError(
            f"{target}: these are not the questions that were put here: SHA-256 {content.sha}, but "
            f"{MANIFEST} says {said}; pull or import them again"
        )


def file_pins(target: Path) -> dict[str, str]:
    """The hashes that an earlier pull of a version has met, by address."""
    try:
        return dict(_manifest(target).get("files", {}))
    except InputError:  # the pull is what repairs it
        return {}


def keep(target: Path, content: bytes) -> None:
    """Put one file into the data home, whole or not at all."""
    with written(target), staging(target.parent) as stage:
        (stage / "new").write_bytes(content)
        (stage / "new").replace(target)


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn a fault of the disk into a sentence.

    Raises
    ------
    ConfigError
        For anything that keeps the data home from being written.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{path}: the data home cannot be written ({error.strerror or error}); "
            "make room, or set JUDGEBENCH_DATA to a folder that can"
        ) from None


def _manifest(target: Path) -> Mapping[str, Any]:
    file = target / MANIFEST
    if not file.is_file():
        return {}
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{file}: cannot be read ({error}); pull or import the data again"
        ) from None
    if not isinstance(said, dict):
        raise InputError(f"{file}: is no manifest; pull or import the data again")
    return said
