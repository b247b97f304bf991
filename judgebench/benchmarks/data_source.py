"""The data of a benchmark: pulled or imported into the data home, checked, read from there."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Literal
from urllib.parse import unquote, urlsplit

from judgebench import registry
from judgebench.benchmarks.content import (
    ANSWERS,
    BASELINE,
    ITEMS,
    LABELS,
    Content,
    checked,
    read_content,
)
from judgebench.benchmarks.data_home import alone, check_kept, data_home, install
from judgebench.benchmarks.description import (
    Description,
    FilesSource,
    FolderSource,
    chosen_version,
    find,
    split_version,
)
from judgebench.benchmarks.official_files import (
    CALIBRATION,
    PROMPTS,
    calibration_files,
    calibration_hashes,
    keep_calibration,
    keep_prompts,
    official_judging,
    official_prompts,
    other_than_pinned,
    prompt_hashes,
    published_files,
)
from judgebench.benchmarks.partial_file import file_sha
from judgebench.errors import ConfigError, InputError

__all__ = [
    "DataState",
    "baseline_file",
    "brought_files",
    "calibration_files",
    "check_pin",
    "content_folder",
    "data_home",
    "found",
    "import_data",
    "list_data",
    "load_content",
    "load_module",
    "official_judging",
    "official_prompts",
    "read_source",
    "verify",
]


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
    prompts, calibration = official_prompts(description), calibration_files(description)
    return DataState(
        benchmark=description.name,
        version=version,
        state=state,
        items=items,
        sha=sha,
        where=str(where) if state != "missing" else None,
        prompts=tuple(sorted(prompts)),
        prompts_missing=tuple(sorted(prompt_hashes(description).keys() - prompts.keys())),
        calibration=tuple(sorted(calibration)),
        calibration_missing=tuple(
            sorted(calibration_hashes(description).keys() - calibration.keys())
        ),
        damaged_files=tuple(other_than_pinned(description)),
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
    content = None if bundled else _read_given(folder, path, places, upstream)
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
    check_kept(where, content)
    return content


def baseline_file(description: Description, folder: Path, version: str) -> Path:
    """The file of the baseline's answers that come with a version's questions."""
    return content_folder(description, folder, version) / BASELINE


def brought_files(description: Description, folder: Path, version: str) -> tuple[Path, Path]:
    """The files of answers to be judged and of people's labels that come with the questions."""
    where = content_folder(description, folder, version)
    return where / ANSWERS, where / LABELS


def load_module(folder: Path, stem: str) -> ModuleType | None:
    """A Python file of a benchmark's folder, by its path; None if there is none."""
    file = folder / f"{stem}.py"
    if not file.is_file():
        return None
    spec = importlib.util.spec_from_file_location(f"judgebench_tasks_{folder.name}_{stem}", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file}: cannot be loaded")
    module = importlib.util.module_from_spec(spec)
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


def read_source(folder: Path, path: Path) -> Content | None:
    """What the benchmark's own ``source.py`` reads out of a file or folder."""
    module = load_module(folder, "source")
    if module is None:
        return read_content(path) if path.is_dir() else None
    content: Content | None = module.read(path)
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
    folder: Path, path: Path, places: Iterable[Path], upstream: Sequence[Path]
) -> Content | None:
    """Questions as a data home has them, or else as upstream has them."""
    for place in places:
        if (place / ITEMS).is_file():
            return read_content(place)
    # A set may be one file, or several of a folder; other versions may lie beside it.
    sets = dict.fromkeys(file for file in upstream if file.suffix != ".py")
    folders = dict.fromkeys(file.parent for file in sets)
    for place in (*sets, *folders, path):
        if (content := read_source(folder, place)) is not None:
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
