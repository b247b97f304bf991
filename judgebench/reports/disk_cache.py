"""Numbers that took long, kept on disk: a server that starts again has them at once.

A file is named by everything that its content follows from: what was asked, the state of the store,
the code, and what benchmarks say of themselves outside the store (descriptions, published figures,
pulled data). What is not there any more is computed again; nothing here is the only copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import judgebench
from judgebench import registry
from judgebench.registry import PARTIAL, data_home
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.estimates import Figure
from judgebench.store.opening import located

FORM = 2
MOST = 256
"""Files that are kept; the oldest go first."""

LIBRARIES = ("numpy", "scipy", "scikit-learn", "statsmodels", "evalica")
"""What numbers are computed with beside our own code."""


def name_of(store: str, mark: str, question: str, *folders: Path) -> str:
    """Of a question to a state of a store, as it would be answered here and now.

    Parameters
    ----------
    store
        `Location.identity`.
    folders
        With code beside judgebench's own that makes answers.
    """
    said = [FORM, store, mark, question, *_code(folders), *_of_packages(), *_outside()]
    return hashlib.sha256(json.dumps(said).encode("utf-8", "surrogateescape")).hexdigest()


@cache
def _code(folders: tuple[Path, ...]) -> tuple[str, ...]:
    """Ours, file by file, and the versions of what it calls. It does not change while it runs."""
    package = Path(judgebench.__file__).parent
    ours = sorted(_seen(file) for folder in (package, *folders) for file in folder.rglob("*.py"))
    return (sys.version, *_installed(), *ours)


def _of_packages() -> list[str]:
    """The code of metrics that packages offer: while one is written, its version stays."""
    files = registry.entry_point_files("metrics")
    return [*registry.entry_point_names("metrics"), *map(_seen, files)]


def _installed() -> list[str]:
    """Of `LIBRARIES` those that are there, as the folders are called that say so: with versions."""
    folders = (one.name for where in filter(None, sys.path) for one in Path(where).glob("*-info"))
    return sorted(one for one in folders if one.partition("-")[0].replace("_", "-") in LIBRARIES)


def _outside() -> Iterator[str]:
    """What boards take from elsewhere: folders of benchmarks, and what was pulled for them."""
    for folder in (*registry.benchmark_folders().values(), data_home()):
        for parent, below, files in os.walk(folder):
            below[:] = sorted(name for name in below if name not in (PARTIAL, "__pycache__"))
            yield from (_seen(Path(parent, file)) for file in sorted(files))
    # An official prompt may come with a package: one was installed, or taken away.
    yield _seen(Path(sysconfig.get_path("purelib")))


def _seen(file: Path) -> str:
    try:
        found = file.stat()
    except OSError as error:  # it went between being listed and being looked at, or leads nowhere
        return f"{file} {error.errno}"
    return f"{file} {found.st_size} {found.st_mtime_ns}"


class DiskCache:
    """A folder of answers, each a text.

    Where it cannot be written, nothing is kept and everything is computed each time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str) -> str | None:
        """What is kept under a name; None if nothing is, or nothing that can be read."""
        try:
            return self._path(name).read_text(encoding="utf-8")
        except (OSError, ValueError):  # absent, not ours to read, or no text
            return None

    def put(self, name: str, answer: str) -> bool:
        """Keep an answer, whole or not at all; whether it could be."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, stage = tempfile.mkstemp(dir=self.folder, suffix=".new")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(answer)
            Path(stage).replace(self._path(name))
            self._sweep()
        except OSError:
            return False
        return True

    def _sweep(self) -> None:
        files = sorted(self.folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        for file in files[:-MOST]:
            file.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def usual_folder(name: str = "pages") -> Path:
    """In the user's cache."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("judgebench")) / name


class Answer(NamedTuple):
    """What a command shows, and what it says besides."""

    notes: list[str]
    document: Document


KEPT_FROM = 2**20
"""Bytes of a store in a file from which on answers of commands are kept."""


def kept(store: str, question: object, compute: Callable[[], Answer]) -> Answer:
    """The answer to a question to a store, as it was computed for this state of it before.

    Parameters
    ----------
    store
        A path or URL. Of one on a server, and of a small one, nothing is kept.
    question
        All that the answer follows from beside the store, as JSON can have it.
    """
    where = located(store)
    if where.path is None or not where.path.is_file() or where.path.stat().st_size < KEPT_FROM:
        return compute()
    mark = where.mark()
    name = name_of(where.identity, mark, json.dumps(question))
    disk = DiskCache(usual_folder("reports"))
    try:
        return read(disk.get(name) or "")
    except (LookupError, RecursionError, TypeError, ValueError):  # nothing is kept, or not by us
        answer = compute()
    if where.mark() == mark:  # else it may be of a later state
        disk.put(name, written(answer))
    return answer


def written(answer: Answer) -> str:
    """An answer as text; the numbers of the cells of its tables with them."""
    document = answer.document

    def cell(text: str) -> Any:
        drawn = isinstance(text, Figure)
        return [str(text), text.low, text.value, text.high] if drawn else text  # type: ignore[attr-defined]

    tables = [
        {
            "title": one.title,
            "subtitle": one.subtitle,
            "columns": [asdict(column) for column in one.columns],
            "rows": [[cell(text) for text in row] for row in one.rows],
            "notes": list(one.notes),
        }
        for one in document.tables
    ]
    said = [answer.notes, tables, list(document.records), document.data, document.exchanged]
    return json.dumps(said)


def read(text: str) -> Answer:
    """What `written` wrote, as it was."""

    def cell(said: Any) -> str:
        if isinstance(said, str):
            return said
        shown, low, value, high = said
        return Figure(shown, low=low, value=value, high=high)

    notes, tables, records, data, exchanged = json.loads(text)
    document = Document(
        tables=[
            Table(
                title=one["title"],
                subtitle=one["subtitle"],
                columns=[Column(**column) for column in one["columns"]],
                rows=[[cell(said) for said in row] for row in one["rows"]],
                notes=one["notes"],
            )
            for one in tables
        ],
        records=records,
        data=data,
        exchanged=exchanged,
    )
    return Answer(notes, document)
