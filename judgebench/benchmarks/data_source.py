"""The data home: benchmark data and official prompts, pulled or imported, checked, kept.

    HOME/trivia_judging/v1/items.jsonl …     questions of a version, with a manifest of their source
    HOME/trivia_judging/prompts/short.txt    official prompts, each known by its hash
    HOME/alpaca_eval/calibration/…           files of a published calibration, as published

HOME is ``JUDGEBENCH_DATA``, or a folder in the user's cache. No benchmark text is in the package.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from judgebench import registry
from judgebench.benchmarks.content import (
    BASELINE,
    Content,
    checked,
    read_content,
    write_content,
)
from judgebench.benchmarks.description import (
    Description,
    FilesSource,
    FolderSource,
    HubSource,
    Judging,
    chosen_version,
    find,
    split_version,
)
from judgebench.benchmarks.fetch import fetch, file_sha
from judgebench.benchmarks.prompt_text import read_texts
from judgebench.errors import ConfigError, InputError
from judgebench.keys import text_sha
from judgebench.protocols import Progress
from judgebench.template import PromptText

MANIFEST = "manifest.json"
_PROMPT_SUFFIXES = {".json", ".py", ".txt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataState:
    """What there is of one version of a benchmark.

    ``state`` is ``bundled`` (comes with the benchmark's folder), ``ready``, ``missing``, or
    ``damaged`` (the questions are not the ones that are pinned; ``note`` says what to do).
    """

    benchmark: str
    version: str
    state: Literal["bundled", "ready", "missing", "damaged"]
    items: int
    sha: str | None
    where: str | None
    prompts: tuple[str, ...]
    prompts_missing: tuple[str, ...]
    licence: str
    note: str

    @property
    def usable(self) -> bool:
        return self.state in {"bundled", "ready"}


def data_home() -> Path:
    """Where pulled and imported data is kept."""
    if configured := os.environ.get("JUDGEBENCH_DATA"):
        return Path(configured).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("judgebench")) / "data"


def list_data(extra_paths: Iterable[Path] = ()) -> list[DataState]:
    """The state of every version of every benchmark."""
    extra = tuple(extra_paths)
    return [
        verify(f"{name}@{version}", extra_paths=extra)
        for name in registry.benchmark_folders(extra)
        for version in find(name, extra)[0].versions
    ]


def verify(name_at_version: str, *, extra_paths: Iterable[Path] = ()) -> DataState:
    """Read a version's questions again and compare them with what is pinned."""
    description, folder, version = _found(name_at_version, extra_paths)
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
    official = official_prompts(description)
    wanted = _official_hashes(description)
    return DataState(
        benchmark=description.name,
        version=version,
        state=state,
        items=items,
        sha=sha,
        where=str(where) if state != "missing" else None,
        prompts=tuple(sorted(official)),
        prompts_missing=tuple(sorted(wanted.keys() - official.keys())),
        licence=description.licence,
        note=note,
    )


def import_data(name_at_version: str, path: Path, *, extra_paths: Iterable[Path] = ()) -> DataState:
    """Take in a file or folder that somebody has: questions, official prompts, or both.

    Raises
    ------
    InputError
        If nothing in it belongs to the benchmark, or the questions are not those that are pinned.
    """
    description, folder, version = _found(name_at_version, extra_paths)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    bundled = isinstance(description.versions[version].source, FolderSource)
    content = None if bundled else _read_source(folder, path)
    prompts = _matching_prompts(description, path)
    calibration = _matching_calibration(description, path)
    if content is None and not prompts and not calibration:
        raise InputError(
            f"{path}: nothing in it belongs to {description.name}; "
            f"{folder / 'README.md'} says which files do"
        )
    if content is not None:
        _check_pin(description, version, content, str(path))
        _install(description, version, content, {"imported": path.name})
    _keep_prompts(description, prompts)
    _keep_calibration(description, calibration)
    return verify(f"{description.name}@{version}", extra_paths=extra_paths)


def pull(
    name_at_version: str, progress: Progress, *, extra_paths: Iterable[Path] = ()
) -> DataState:
    """Fetch a version's data from where its description says.

    A file without a pinned hash is pinned by its first pull: the hash is said, kept in the
    manifest, and has to be the same from then on.
    """
    description, folder, version = _found(name_at_version, extra_paths)
    source = description.versions[version].source
    if isinstance(source, FolderSource):
        progress.say(
            f"{description.name}@{version} comes with its folder; there is nothing to pull"
        )
        return verify(f"{description.name}@{version}", extra_paths=extra_paths)
    with _staging(data_home() / description.name) as stage:
        if isinstance(source, FilesSource):
            origin = _fetch_all(source, stage, progress, _pins(description, version))
        else:
            origin = _from_hub(source, stage)
        content = _read_source(folder, stage)
        if content is None:
            raise InputError(
                f"{description.name}@{version}: no questions in what was fetched; "
                f"{folder / 'README.md'} says what was expected"
            )
        _check_pin(description, version, content, "what was fetched")
        if description.versions[version].sha256 is None:
            progress.say(f'{description.name}@{version}: sha256 = "{content.sha}" (not pinned yet)')
        _keep_prompts(description, _matching_prompts(description, stage))
        _pull_calibration(description, stage, progress)
    _install(description, version, content, origin)
    return verify(f"{description.name}@{version}", extra_paths=extra_paths)


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
    _check_pin(description, version, content, str(where))
    return content


def baseline_file(description: Description, folder: Path, version: str) -> Path:
    """The file of the baseline's answers that come with a version's questions."""
    return content_folder(description, folder, version) / BASELINE


def official_prompts(description: Description) -> dict[str, PromptText]:
    """The official prompts that are here, by name; only texts whose hash is the pinned one.

    They are in the data home, or in an installed package whose files hold them.
    """
    found = {}
    folder = _prompt_folder(description)
    judging = official_judging(description)
    package = _package_folder(judging.package)
    for name, official in judging.official.items():
        files = [folder / f"{name}.txt"]
        if package is not None and official.source.endswith(".txt"):
            files.append(package / official.source)
        for file in files:
            if not file.is_file():
                continue
            text = file.read_bytes().decode("utf-8", errors="replace")
            if text_sha(text) == official.sha256:
                found[name] = PromptText(name=f"official/{name}", text=text, official=True)
    return found


def official_judging(description: Description) -> Judging:
    """What is said about official prompts; a small benchmark takes that of the one it is like."""
    judging = description.judging
    return judging if judging.official_from is None else find(judging.official_from)[0].judging


def calibration_files(description: Description) -> dict[str, Path]:
    """The files of the published calibration that the data home has, by name.

    Only those whose content is what is pinned.
    """
    folder = _calibration_folder(description)
    return {
        name: folder / name
        for name, sha in _calibration_hashes(description).items()
        if (folder / name).is_file() and file_sha(folder / name) == sha
    }


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


def _found(name_at_version: str, extra_paths: Iterable[Path]) -> tuple[Description, Path, str]:
    name, version = split_version(name_at_version)
    description, folder = find(name, extra_paths)
    return description, folder, chosen_version(description, version)


def _how_to_get(description: Description, version: str) -> str:
    name = f"{description.name}@{version}"
    return f"judgebench data pull {name}, or judgebench data import {name} PATH"


def _check_pin(description: Description, version: str, content: Content, where: str) -> None:
    pinned = description.versions[version].sha256
    if pinned is not None and content.sha != pinned:
        raise InputError(
            f"{where}: these are not the questions of {description.name}@{version}: "
            f"SHA-256 {content.sha}, but {pinned} is pinned; "
            "fetch them again, or give other questions a version of their own"
        )


def _read_source(folder: Path, path: Path) -> Content | None:
    """What the benchmark's own ``source.py`` reads out of a file or folder."""
    module = load_module(folder, "source")
    if module is None:
        return read_content(path) if path.is_dir() else None
    found: Content | None = module.read(path)
    return None if found is None else checked(found, str(path))


def _fetch_all(
    source: FilesSource, stage: Path, progress: Progress, pins: Mapping[str, str]
) -> dict[str, Any]:
    shas = {}
    for file in source.files:
        expected = file.sha256 or pins.get(file.url)
        shas[file.url] = fetch(file, stage, progress, expected=expected)
        if expected is None:
            progress.say(f'{file.name}: sha256 = "{shas[file.url]}" (pinned now)')
    return {"files": shas}


def _from_hub(source: HubSource, stage: Path) -> dict[str, Any]:
    import datasets

    rows = datasets.load_dataset(
        source.dataset, source.config, revision=source.revision, split=source.split
    )
    rows.to_json(stage / "rows.jsonl", force_ascii=False)
    return {"dataset": source.dataset, "revision": source.revision, "split": source.split}


def _pins(description: Description, version: str) -> dict[str, str]:
    """The hashes that an earlier pull has met."""
    manifest = data_home() / description.name / version / MANIFEST
    if not manifest.is_file():
        return {}
    return dict(json.loads(manifest.read_text(encoding="utf-8")).get("files", {}))


def _install(
    description: Description, version: str, content: Content, origin: Mapping[str, Any]
) -> None:
    """Put a version into the data home, whole or not at all."""
    target = data_home() / description.name / version
    with _staging(target.parent) as stage:
        new = stage / "new"
        new.mkdir()
        write_content(content, new)
        manifest = {"sha256": content.sha, "at": int(time.time()), **origin}
        (new / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        if target.exists():
            target.rename(stage / "old")
        new.rename(target)


def _prompt_folder(description: Description) -> Path:
    return data_home() / (description.judging.official_from or description.name) / "prompts"


def _official_hashes(description: Description) -> dict[str, str]:
    official = official_judging(description).official
    return {name: prompt.sha256 for name, prompt in official.items()}


def _package_folder(name: str | None) -> Path | None:
    """Where a package is installed, without importing it; None if it is not."""
    spec = None if name is None else importlib.util.find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _matching_prompts(description: Description, path: Path) -> dict[str, str]:
    """Official prompts among the texts of a file or folder, by what they are."""
    wanted = {sha: name for name, sha in _official_hashes(description).items()}
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return {
        wanted[text_sha(text)]: text
        for file in files
        if wanted and file.suffix in _PROMPT_SUFFIXES and file.is_file()
        for text in read_texts(file).found.values()
        if text_sha(text) in wanted
    }


def _keep_prompts(description: Description, prompts: Mapping[str, str]) -> None:
    folder = _prompt_folder(description)
    for name, text in prompts.items():
        folder.mkdir(parents=True, exist_ok=True)
        with _staging(folder) as stage:
            (stage / "text").write_bytes(text.encode("utf-8"))
            (stage / "text").replace(folder / f"{name}.txt")


def _calibration_folder(description: Description) -> Path:
    return data_home() / description.name / "calibration"


def _calibration_hashes(description: Description) -> dict[str, str]:
    published = description.published
    files = [] if published is None else published.calibration
    return {file.name: file.sha256 for file in files if file.sha256 is not None}


def _matching_calibration(description: Description, path: Path) -> dict[str, Path]:
    """Files of the published calibration in a file or folder, by what they are."""
    wanted = {sha: name for name, sha in _calibration_hashes(description).items()}
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    shas = {file: file_sha(file) for file in files if wanted and file.is_file()}
    return {wanted[sha]: file for file, sha in shas.items() if sha in wanted}


def _keep_calibration(description: Description, files: Mapping[str, Path]) -> None:
    folder = _calibration_folder(description)
    for name, file in files.items():
        folder.mkdir(parents=True, exist_ok=True)
        with _staging(folder) as stage:
            shutil.copyfile(file, stage / name)
            (stage / name).replace(folder / name)


def _pull_calibration(description: Description, stage: Path, progress: Progress) -> None:
    """Fetch what is not here yet; every file is pinned."""
    here = calibration_files(description)
    published = description.published
    for file in [] if published is None else published.calibration:
        if file.name not in here:
            fetch(file, stage, progress, expected=file.sha256)
            _keep_calibration(description, {file.name: stage / file.name})


@contextmanager
def _staging(parent: Path) -> Iterator[Path]:
    """A folder beside the target, so that moving out of it is one rename."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
    except OSError as error:
        raise ConfigError(
            f"{parent}: the data home cannot be written ({error.strerror}); "
            "set JUDGEBENCH_DATA to a folder that can"
        ) from None
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
