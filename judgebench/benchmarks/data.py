"""The data of a benchmark: pulled or imported into the data home, checked, read from there."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from judgebench import registry
from judgebench.benchmarks.description import (
    Description,
    FilesSource,
    FolderSource,
    Judging,
    RemoteFile,
    chosen_version,
    find,
    split_version,
)
from judgebench.benchmarks.official import read_texts
from judgebench.errors import ConfigError, InputError
from judgebench.keys import content_key, text_sha
from judgebench.registry import PARTIAL as PARTIAL
from judgebench.registry import data_home as data_home
from judgebench.rows import each_parquet_row
from judgebench.template import PromptText

ITEMS = "items.jsonl"
BASELINE = "baseline.jsonl"
ANSWERS = "brought_answers.jsonl"
LABELS = "brought_labels.jsonl"

_FILES = {
    "items": (ITEMS, ("id", "question")),
    "fewshot": ("fewshot.jsonl", ("question", "answer")),
    "baseline": (BASELINE, ("item_id", "text")),
    "answers": (ANSWERS, ("item_id", "model", "text")),
    "labels": (LABELS, ("item_id", "model", "judge")),
}
"""Where each part of a `Content` stands, and the texts that its rows have to have."""

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Content:
    """Questions in their order, and what comes with them.

    ``fewshot`` are the examples that may stand before a question, ``baseline`` the answers that
    models are compared with, in the form of a file of recorded answers. A benchmark about judging
    brings ``answers`` of several models, and ``labels`` of people in the form of a file of labels,
    which need not name the benchmark.
    """

    items: tuple[Row, ...]
    fewshot: tuple[Row, ...] = ()
    baseline: tuple[Row, ...] = ()
    answers: tuple[Row, ...] = ()
    labels: tuple[Row, ...] = ()

    @cached_property
    def sha(self) -> str:
        """SHA-256 of all of it: what pins a version, whatever file it came in."""
        parts = {"items": self.items, "fewshot": self.fewshot}
        brought = {"baseline": self.baseline, "answers": self.answers, "labels": self.labels}
        # A version without them keeps its pin.
        parts |= {name: rows for name, rows in brought.items() if rows}
        return content_key("benchmark", parts).hex()


def read_content(folder: Path) -> Content:
    """The content in a folder.

    Raises
    ------
    InputError
        Naming the file and line, for a torn or malformed line or an id that stands twice.
    """
    parts: dict[str, tuple[Row, ...]] = {}
    for part, (file, texts) in _FILES.items():
        if file != ITEMS and not (folder / file).exists():
            continue
        rows = []
        for where, row in records(folder / file):
            for name in texts:
                if not isinstance(row, dict) or not isinstance(row.get(name), str):
                    raise InputError(f"{where}: {name}: a text has to stand here")
            rows.append(row)
        parts[part] = tuple(rows)
    return checked(Content(**parts), str(folder / ITEMS))


def checked(content: Content, where: str) -> Content:
    """Content whose ids are unique, whose references are text, and whose baseline knows all."""
    seen: set[str] = set()
    for number, row in enumerate(content.items, 1):
        if row["id"] in seen:
            raise InputError(f"{where}:{number}: the id {row['id']!r} stands here twice")
        references = row.get("references", [])
        if not isinstance(references, list) or not all(isinstance(r, str) for r in references):
            raise InputError(f"{where}:{number}: references: a list of texts has to stand here")
        seen.add(row["id"])
    if not content.items:
        raise InputError(f"{where}: there is no question in it")
    for name, rows in ((ANSWERS, content.answers), (LABELS, content.labels)):
        if unknown := [row["item_id"] for row in rows if row["item_id"] not in seen]:
            raise InputError(f"{name}: {unknown[0]!r} is the id of no question")
    answered = [row["item_id"] for row in content.baseline]
    if all("model" in row and row["item_id"] in seen for row in content.baseline):
        answered = list(seen) if len({*answered}) == len(answered) else answered  # of some items
    if content.baseline and sorted(answered) != sorted(seen):  # each once
        raise InputError(
            f"{BASELINE}: {len(answered)} answers of the baseline to {len(seen)} questions; each "
            "question has one"
        )
    return content


def write_content(content: Content, folder: Path) -> None:
    """The content as files that `read_content` reads."""
    for part, (file, _) in _FILES.items():
        rows: tuple[Row, ...] = getattr(content, part)
        lines = (json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
        if rows or file == ITEMS:
            (folder / file).write_text("".join(lines), encoding="utf-8")


def records(path: Path) -> Iterator[tuple[str, Any]]:
    """The lines of a file of JSON lines, or the rows of a Parquet table, each with its place.

    Raises
    ------
    InputError
        Naming the line that is none.
    """
    if path.suffix == ".parquet":
        for number, row in each_parquet_row(path):
            yield f"{path}:{number}", row
        return
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError:
            raise InputError(f"{path}:{number}: this line is not JSON") from None
        yield f"{path}:{number}", row


MANIFEST = "manifest.json"
_STAGE = ".new-"


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
    if (said := _manifest(target).get("sha256", content.sha)) != content.sha:
        raise InputError(
            f"{target}: these are not the questions that were put here: SHA-256 {content.sha}, but "
            f"{MANIFEST} says {said}; pull or import them again"
        )


def file_pins(target: Path) -> dict[str, str]:
    """The hashes that an earlier pull of a version has met, by address."""
    return dict(_met(target).get("files", {}))


def check_met(target: Path, content: Content, what: str) -> None:
    """Refuse questions of a dataset that are not those that an earlier pull of it has met.

    Parameters
    ----------
    what
        The dataset, with the revision that is asked for.

    Raises
    ------
    InputError
        Saying what to do to have the new ones.
    """
    met = _met(target)
    if met.get("dataset") is not None and met.get("sha256") != content.sha:
        raise InputError(
            f"{what} has other questions now: SHA-256 {content.sha}, and an earlier pull, of "
            f"revision {met.get('revision')}, has met {met.get('sha256')}; those stay in {target}. "
            "Name the revision that they are of in the benchmark's description, or give the new "
            "ones a version of their own; to go on with the new ones alone, remove that folder "
            "and pull again"
        )


def _met(target: Path) -> Mapping[str, Any]:
    """The manifest of an earlier pull; empty where there is none."""
    try:
        return _manifest(target)
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


def file_sha(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


PROMPTS = "prompts"
CALIBRATION = "calibration"
_PROMPT_SUFFIXES = {".json", ".jsonl", ".py", ".txt", ".yaml"}


def official_judging(description: Description) -> Judging:
    """What is said about official prompts; a small benchmark takes that of the one it is like."""
    judging = description.judging
    return judging if judging.official_from is None else find(judging.official_from)[0].judging


@dataclass(frozen=True, slots=True)
class PinnedFiles:
    """Files of a benchmark in the data home, each known by the hash of its content.

    ``shas`` are by name, which with ``suffix`` is the file's.
    """

    folder: Path
    shas: Mapping[str, str]
    suffix: str = ""

    def here(self, *, damaged: bool = False) -> dict[str, Path]:
        """Those whose content is what is pinned, by name; or those that hold something else."""
        files = {name: self.folder / f"{name}{self.suffix}" for name in self.shas}
        return {
            name: file
            for name, file in files.items()
            if file.is_file() and (file_sha(file) != self.shas[name]) is damaged
        }

    def damaged(self) -> list[str]:
        """Files that go by a pinned file's name and hold something else."""
        return list(map(str, self.here(damaged=True).values()))

    def keep(self, given: Iterable[tuple[str, Callable[[], bytes]]]) -> list[str]:
        """Take in what is pinned of what is given, as hash and content; the names."""
        wanted = {sha: name for name, sha in self.shas.items()}
        kept = {wanted[sha]: content for sha, content in given if sha in wanted}
        for name, content in kept.items():
            keep(self.folder / f"{name}{self.suffix}", content())
        return list(kept)


def prompt_files(description: Description) -> PinnedFiles:
    """The official prompts of a benchmark, or of the one that it takes them from."""
    official = official_judging(description).official
    folder = data_home() / (description.judging.official_from or description.name) / PROMPTS
    return PinnedFiles(folder, {name: one.sha256 for name, one in official.items()}, ".txt")


def calibration(description: Description) -> PinnedFiles:
    """The files of the published calibration."""
    shas = {file.name: file.sha256 for file in published_files(description) if file.sha256}
    return PinnedFiles(data_home() / description.name / CALIBRATION, shas)


def official_prompts(description: Description) -> dict[str, PromptText]:
    """The official prompts that are here, by name; only texts whose hash is the pinned one.

    They are in the data home, or in an installed package whose files hold them.
    """
    judging = official_judging(description)
    home = data_home() / (description.judging.official_from or description.name) / PROMPTS
    package = None if judging.package is None else _package_folder(judging.package)
    found = {}
    for name, official in judging.official.items():
        places = [home / f"{name}.txt"]
        if package is not None and official.source.endswith(".txt"):
            places.append(package / official.source)
        for file in places:
            if name not in found and file.is_file() and file_sha(file) == official.sha256:
                text = file.read_bytes().decode()
                found[name] = PromptText(name=f"official/{name}", text=text, official=True)
    return found


def own_wording(description: Description) -> dict[str, PromptText]:
    """Our own wording of the templates that a benchmark is judged by, beside it."""
    judging = official_judging(description)
    rows = chain.from_iterable(judging.content.get("templates", {}).values())
    names = {row.get("own", row["name"]) for row in rows}
    folder = registry.benchmark_folders()[description.judging.official_from or description.name]
    files = {name: folder / PROMPTS / f"{name}.txt" for name in names}
    return {
        f"own/{name}": PromptText(name=f"own/{name}", text=file.read_text(encoding="utf-8"))
        for name, file in files.items()
        if file.is_file()
    }


def published_files(description: Description) -> list[RemoteFile]:
    """Where the files of the published calibration are fetched from."""
    boards = [] if description.published is None else description.published.boards
    return [file for board in boards for file in board.calibration]


def keep_prompts(description: Description, files: Iterable[Path]) -> list[str]:
    """Take in the official prompts among the texts of files, by what they are; their names."""
    return prompt_files(description).keep(
        (text_sha(text), partial(text.encode, "utf-8")) for text in _texts(files)
    )


def keep_calibration(description: Description, files: Iterable[Path]) -> list[str]:
    """Take in the files of the published calibration, by what they are; their names."""
    pinned = calibration(description)
    return pinned.keep((file_sha(file), file.read_bytes) for file in files if pinned.shas)


def _texts(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        if file.suffix in _PROMPT_SUFFIXES:
            # Data comes in files of these kinds as well: what is no file of prompts has none.
            with suppress(InputError):
                texts = read_texts(file)
                yield from (*texts.found.values(), *texts.composed.values())


def _package_folder(name: str) -> Path | None:
    """Where a package is installed, without importing it; None if it is not."""
    spec = importlib.util.find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class DataState:
    """What there is of one version of a benchmark.

    ``state`` is of the questions: ``bundled`` (they come with the benchmark's folder), ``ready``,
    ``missing``, or ``damaged`` (they are not the ones that are pinned; ``note`` says what to do).
    ``damaged_files`` are prompts and files of a calibration that are not what is pinned; they
    count as missing too.
    """

    benchmark: str
    version: str
    state: Literal["bundled", "ready", "missing", "damaged"]
    items: int
    sha: str | None
    where: str | None
    prompts: tuple[str, ...]
    prompts_missing: tuple[str, ...]
    calibration: tuple[str, ...]
    calibration_missing: tuple[str, ...]
    damaged_files: tuple[str, ...]
    licence: str
    note: str

    @property
    def usable(self) -> bool:
        return self.state in {"bundled", "ready"}

    @property
    def damaged(self) -> bool:
        """Whether anything that is here is not what is pinned."""
        return self.state == "damaged" or bool(self.damaged_files)


def list_data() -> list[DataState]:
    """The state of every version of every benchmark."""
    return [
        verify(f"{name}@{version}")
        for name in registry.benchmark_folders()
        for version in find(name)[0].versions
    ]


def verify(name_at_version: str) -> DataState:
    """Read a version's questions again and compare them with what is pinned."""
    description, folder, version = found(name_at_version)
    where = content_folder(description, folder, version)
    state: Literal["bundled", "ready", "missing", "damaged"] = "missing"
    items, sha, note = 0, None, _how_to_get(description, version)
    if where.is_dir():
        bundled = isinstance(description.versions[version].source, FolderSource)
        try:
            content = load_content(description, folder, version)
        except InputError as error:
            state, note = "damaged", str(error)
        else:
            state, note = "bundled" if bundled else "ready", ""
            items, sha = len(content.items), content.sha
    pinned = calibration(description)
    prompts = official_prompts(description)
    own_prompts = description.judging.official_from is None
    return DataState(
        benchmark=description.name,
        version=version,
        state=state,
        items=items,
        sha=sha,
        where=str(where) if state != "missing" else None,
        prompts=tuple(sorted(prompts)),
        prompts_missing=tuple(sorted(prompt_files(description).shas.keys() - prompts.keys())),
        calibration=tuple(sorted(pinned.here())),
        calibration_missing=tuple(sorted(pinned.shas.keys() - pinned.here().keys())),
        damaged_files=(
            # Prompts taken from another benchmark are that one's.
            *(prompt_files(description).damaged() if own_prompts else ()),
            *pinned.damaged(),
        ),
        licence=description.licence,
        note=note,
    )


def import_data(
    name_at_version: str,
    path: Path,
    *,
    say: Callable[[str], None] = lambda message: None,
) -> DataState:
    """Take in a file or folder that somebody has: questions, official prompts, calibration.

    A folder may be a checkout of upstream's repository or a folder of it, one of upstream's files,
    or a data home (or a part of one) that was pulled on another machine.

    Raises
    ------
    InputError
        If nothing in it belongs to the benchmark, or the questions are not those that are pinned.
    """
    description, folder, version = found(name_at_version)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    places = _places(description, version, path)
    upstream = _of_upstream(description, version, path)
    files = list(dict.fromkeys([*upstream, *(file for place in places for file in _files(place))]))
    bundled = isinstance(description.versions[version].source, FolderSource)
    content = None if bundled else _read_given(folder, path, version, places, upstream)
    if content is not None:
        _check_files(description, version, files)
        check_pin(description, version, content, str(path))
    with alone(data_home() / description.name, say):
        if content is not None:
            target = content_folder(description, folder, version)
            install(target, content, {"imported": path.name})
        kept = keep_prompts(description, files) + keep_calibration(description, files)
    if content is None and not kept:
        raise InputError(
            f"{path}: nothing in it belongs to {description.name}; "
            f"{folder / 'README.md'} says which files do"
        )
    return verify(f"{description.name}@{version}")


def content_folder(description: Description, folder: Path, version: str) -> Path:
    """Where a version's questions stand, or would."""
    source = description.versions[version].source
    if isinstance(source, FolderSource):
        return folder / source.path
    return data_home() / description.name / version


def load_content(description: Description, folder: Path, version: str) -> Content:
    """A version's questions, checked against what is pinned.

    Raises
    ------
    InputError
        If they are not there, cannot be read or are others; says what to do.
    """
    where = content_folder(description, folder, version)
    if not where.is_dir():
        raise InputError(
            f"{description.name}@{version}: its data is not here; "
            f"{_how_to_get(description, version)}"
        )
    content = read_content(where)
    check_pin(description, version, content, str(where))
    if (where / MANIFEST).is_file():
        check_kept(where, content)
    return content


def load_module(folder: Path, stem: str) -> ModuleType | None:
    """A Python file of a benchmark's folder, by its path; None if there is none."""
    file = folder / f"{stem}.py"
    if not file.is_file():
        return None
    spec = importlib.util.spec_from_file_location(f"judgebench_tasks_{folder.name}_{stem}", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file}: cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its own dataclasses look it up
    spec.loader.exec_module(module)
    return module


def found(name_at_version: str) -> tuple[Description, Path, str]:
    """The description, folder and version that a name stands for."""
    name, version = split_version(name_at_version)
    description, folder = find(name)
    return description, folder, chosen_version(description, version)


def check_pin(description: Description, version: str, content: Content, where: str) -> None:
    """Refuse questions that are not the pinned ones, and a part of a version for the whole."""
    pinned, items = description.versions[version].sha256, description.versions[version].items
    if items is not None and len(content.items) != items:
        raise InputError(
            f"{where}: {len(content.items)} questions; {description.name}@{version} has {items}, "
            "and a part of them is another test: give what you have a version of its own"
        )
    of_sha = {one.sha256: name for name, one in description.versions.items()}
    if pinned is None and content.sha in of_sha:
        other = f"{description.name}@{of_sha[content.sha]}"
        raise InputError(f"{where}: these are the questions of {other}")
    if pinned is not None and content.sha != pinned:
        raise InputError(
            f"{where}: these are not the questions of {description.name}@{version}: "
            f"SHA-256 {content.sha}, but {pinned} is pinned; "
            "fetch them again, or give other questions a version of their own"
        )


def read_source(folder: Path, path: Path, version: str = "") -> Content | None:
    """What the benchmark's own ``source.py`` reads out of a file or folder.

    Where versions are parts of one set, its ``of_version`` takes out the one that is meant.
    """
    module = load_module(folder, "source")
    if module is None:
        return read_content(path) if path.is_dir() else None
    content: Content | None = module.read(path)
    if content is not None and hasattr(module, "of_version"):
        content = module.of_version(content, version)
    return None if content is None else checked(content, str(path))


def _check_files(description: Description, version: str, files: Iterable[Path]) -> None:
    """That what is called as a pinned file is that file, where its hash alone tells the questions.

    Questions with a hash of their own may come in any file.
    """
    source = description.versions[version].source
    if not isinstance(source, FilesSource) or description.versions[version].sha256 is not None:
        return
    pinned = {file.name: file.sha256 for file in source.files if file.sha256 is not None}
    for file in files:
        if file.name in pinned and (sha := file_sha(file)) != pinned[file.name]:
            raise InputError(
                f"{file}: SHA-256 {sha}, but {pinned[file.name]} is pinned; fetch it again"
            )


def _how_to_get(description: Description, version: str) -> str:
    name = f"{description.name}@{version}"
    return f"judgebench data pull {name}, or judgebench data import {name} PATH"


def _read_given(
    folder: Path, path: Path, version: str, places: Iterable[Path], upstream: Sequence[Path]
) -> Content | None:
    """Questions as a data home has them, or else as upstream has them."""
    for place in places:
        if (place / ITEMS).is_file():
            return read_content(place)
    # A set may be one file, or several of a folder; other versions may lie beside it.
    sets = dict.fromkeys(file for file in upstream if file.suffix != ".py")
    folders = dict.fromkeys(file.parent for file in sets)
    for place in (*sets, *folders, path):
        if (content := read_source(folder, place, version)) is not None:
            return content
    return None


def _of_upstream(description: Description, version: str, path: Path) -> list[Path]:
    """A version's files where upstream's repository has them, in a checkout or a folder of it."""
    source = description.versions[version].source
    own = source.files if isinstance(source, FilesSource) else ()
    found = []
    for remote in (*own, *published_files(description)):
        parts = PurePosixPath(unquote(urlsplit(remote.url).path)).parts[1:]
        places = (path.joinpath(*parts[n:]) for n in range(len(parts)))
        found += [file for file in places if file.is_file()][:1]
    return found


def _places(description: Description, version: str, path: Path) -> list[Path]:
    """Where what belongs to a version may stand: here, or as in a data home."""
    names = [description.name, description.judging.official_from or description.name]
    homes = [path, *(path / name for name in dict.fromkeys(names))]
    inner = (version, PROMPTS, CALIBRATION)
    return [path, *(home / name for home in homes for name in inner if (home / name).is_dir())]


def _files(place: Path) -> list[Path]:
    return sorted(f for f in place.iterdir() if f.is_file()) if place.is_dir() else [place]
