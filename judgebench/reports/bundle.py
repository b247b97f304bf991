"""Leaderboards that others can verify: a file of the boards, and of all that they rest on.

A bundle is a zip file of three members: what was asked (``request.json``), what it came to
(``boards.json``), and the verdicts, answers and items in a store of their own (``store.db``). Who
has it computes every cell again, with no network and no other store.
"""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

from judgebench import __version__
from judgebench.errors import InputError, JudgebenchError
from judgebench.metrics.win_rate import LENGTH_CONTROLLED
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.document import Report, Rows, Table, column, table
from judgebench.reports.leaderboard import BoardRequest
from judgebench.store.copy import Part, copy
from judgebench.store.opening import open_store
from judgebench.store.store import Store

REQUEST, BOARDS, STORE = "request.json", "boards.json", "store.db"
MAX_JSON = 200_000_000
MAX_STORE = 20_000_000_000
"""Bytes of a member when unpacked: more is refused unread."""

_WHEN = (1980, 1, 1, 0, 0, 0)  # the same store gives the same bundle
_BROKEN = (
    OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError,
)  # fmt: skip
"""What a file raises that is cut, damaged, encrypted, or no archive at all."""

_TOLERANCE = 1e-9  # other versions of numpy may add up in another order
_FITTED = 1e-5  # and on another processor a fit ends a little elsewhere, where it is near enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified(Report):
    """What came of a bundle.

    cells
        How many values were computed again.
    differs
        The first that does not follow from the verdicts, in words; None where all do.
    version
        Of the judgebench that wrote it.
    """

    ROWS: ClassVar = (Rows(row=("cells", "differs", "version")),)

    cells: int
    differs: str | None
    version: str

    def tables(self) -> list[Table]:
        return [
            table(
                "bundle",
                [self],
                [
                    column("values", lambda one: f"{one.cells:,}", align="right"),
                    column("differs", lambda one: one.differs or "none", wraps=True),
                    column("written by judgebench", lambda one: one.version),
                ],
            )
        ]


def write_bundle(path: Path, store: Store, url: str, request: BoardRequest) -> None:
    """Write the boards of a request with what they rest on; whole or not at all.

    The boards are made of the excerpt that goes along, so that they follow from it.

    Raises
    ------
    StoreError
        Where the excerpt cannot be written.
    InputError
        Where the file cannot be.
    """
    meant = [board for its in request.found(store).values() for board in its]
    versions = {(board.benchmark, board.version) for board in meant}
    asked = replace(request, benchmarks=tuple(f"{n}@{v}" for n, v in sorted(versions)))
    with tempfile.TemporaryDirectory() as scratch:
        part, made = Path(scratch) / STORE, Path(scratch) / "bundle.zip"
        copy(url, str(part), Part(benchmarks=versions, verdicts_only=True))
        _settle(part)
        written = {"judgebench": __version__, "request": asked.to_json()}
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, value in ((REQUEST, written), (BOARDS, _boards(part, asked))):
                text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
                bundle.writestr(zipfile.ZipInfo(name, _WHEN), text, zipfile.ZIP_DEFLATED)
            member = zipfile.ZipInfo(STORE, _WHEN)
            member.compress_type = zipfile.ZIP_DEFLATED
            with part.open("rb") as source, bundle.open(member, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made, path.with_name(path.name + ".part"))
            path.with_name(path.name + ".part").replace(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None


def _settle(part: Path) -> None:
    """One file whose bytes say what is in it, and nothing of when or how it was made."""
    with closing(sqlite3.connect(part, isolation_level=None)) as file:
        file.execute("DELETE FROM meta")
        file.execute("PRAGMA journal_mode = DELETE")
        file.execute("VACUUM")


def verify_bundle(path: Path) -> Verified:
    """Compute every cell of a bundle again.

    Raises
    ------
    InputError
        For a file that is no bundle, or one that cannot be read.
    """
    with tempfile.TemporaryDirectory() as scratch:
        part = Path(scratch) / STORE
        written, claimed = _unpacked(path, part)
        version = str(written.get("judgebench"))
        request = _request(written, path)
        try:
            found = _boards(part, request)
        except JudgebenchError as error:
            said = f"the boards cannot be made of its verdicts: {error}"
            return Verified(cells=0, differs=said, version=version)
    cells = list(_apart(claimed, found, ""))
    differs = next((said for said in cells if said is not None), None)
    return Verified(cells=len(cells), differs=differs, version=version)


def _unpacked(path: Path, part: Path) -> tuple[dict[str, Any], Any]:
    """What was asked for and the boards that were made of it; the verdicts go to ``part``."""
    try:
        with zipfile.ZipFile(path) as bundle:
            written = _read(bundle, REQUEST, path)
            claimed = _read(bundle, BOARDS, path)
            _unpack(bundle, part, path)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except _BROKEN as error:
        raise InputError(f"{path}: cannot be read as a bundle: {error}") from None
    if not isinstance(written, dict):
        raise InputError(f"{path}: {REQUEST}: no request of boards")
    return written, claimed


def _request(written: dict[str, Any], path: Path) -> BoardRequest:
    try:
        return BoardRequest.from_json(written["request"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: {REQUEST}: no request of boards ({error})") from None


def _boards(part: Path, request: BoardRequest) -> Any:
    """The boards of an excerpt as JSON, without what would tell where it lies."""
    with open_store(str(part), read_only=True) as store:
        boards = request.chosen(store, [*chain(*request.found(store).values())])
        return json.loads(
            json.dumps(Leaderboard.of(boards, by=request.by).to_dict(), allow_nan=False)
        )


def _read(bundle: zipfile.ZipFile, name: str, path: Path) -> Any:
    try:
        if bundle.getinfo(name).file_size > MAX_JSON:
            raise InputError(f"{path}: {name} is too large for what it should be")
        return json.loads(bundle.read(name))
    except KeyError:
        raise InputError(f"{path}: no bundle of leaderboards; it has no {name}") from None
    except ValueError as error:
        raise InputError(f"{path}: {name}: no JSON: {error}") from None


def _unpack(bundle: zipfile.ZipFile, target: Path, path: Path) -> None:
    try:
        size = bundle.getinfo(STORE).file_size
    except KeyError:
        raise InputError(f"{path}: no bundle of leaderboards; it has no {STORE}") from None
    if size > MAX_STORE:
        raise InputError(f"{path}: {STORE} is too large ({size:,} bytes)")
    with bundle.open(STORE) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file)


def _apart(claimed: Any, found: Any, where: str) -> Iterator[str | None]:
    """For each value None where it follows, else what is wrong with it, in the order written."""
    if isinstance(claimed, dict) and isinstance(found, dict):
        here = f"{where}{_called(claimed)}"
        for key in [*claimed, *(key for key in found if key not in claimed)]:
            if key not in found or key not in claimed:
                who = "the board has" if key in claimed else "the board lacks"
                yield f"{here} {key}: {who} what its verdicts do not give".strip()
            else:
                yield from _apart(claimed[key], found[key], f"{here} {key}".strip() + ":")
    elif isinstance(claimed, list) and isinstance(found, list):
        if len(claimed) != len(found):
            yield f"{where} {len(claimed)} are there, and the verdicts give {len(found)}"
        for one, other in zip(claimed, found, strict=False):
            yield from _apart(one, other, where)
    elif _same(claimed, found, _FITTED if f"metrics: {LENGTH_CONTROLLED}" in where else _TOLERANCE):
        yield None
    else:
        yield f"{where} {claimed!r} does not follow from its verdicts, which give {found!r}"


def _called(value: dict[str, Any]) -> str:
    """Which board or row a part is."""
    if "judge" in value and "benchmark" in value:
        return f" {value['benchmark']}@{value.get('version')}, judged by {value['judge']}:"
    return f" {value['model']}:" if "model" in value and "metrics" in value else ""


def _same(claimed: Any, found: Any, tolerance: float) -> bool:
    if isinstance(claimed, bool) or isinstance(found, bool) or claimed is None or found is None:
        return claimed is found
    if isinstance(claimed, int | float) and isinstance(found, int | float):
        return math.isclose(claimed, found, rel_tol=tolerance, abs_tol=tolerance)
    return bool(claimed == found)
