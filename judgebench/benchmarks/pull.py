"""Pulls what is missing of a benchmark's data: said first, fetched, checked, put into place."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from judgebench import registry
from judgebench.benchmarks.content import Content
from judgebench.benchmarks.data_home import (
    PARTIAL,
    alone,
    data_home,
    file_pins,
    install,
    staging,
)
from judgebench.benchmarks.data_source import DataState, check_pin, found, read_source, verify
from judgebench.benchmarks.description import (
    Description,
    FilesSource,
    FolderSource,
    HubSource,
    find,
)
from judgebench.benchmarks.official_files import (
    CALIBRATION,
    calibration_files,
    keep_calibration,
    keep_prompts,
    published_files,
)
from judgebench.benchmarks.upstream import (
    Offer,
    check_dataset,
    check_fetchable,
    fetch_dataset,
    fetch_files,
    lay_out,
    offer,
)
from judgebench.errors import InputError
from judgebench.protocols import Progress


def offers() -> list[Offer]:
    """What can be pulled: every version that does not come with its benchmark's folder."""
    described = [find(name)[0] for name in registry.benchmark_folders()]
    all_of = [
        offer(description, version) for description in described for version in description.versions
    ]
    return [one for one in all_of if one is not None]


def pull(name_at_version: str, progress: Progress) -> DataState:
    """Fetch what is missing of a version's data from where its description says.

    A file without a pinned hash is pinned by its first pull: the hash is said, kept in the
    manifest, and has to be the same from then on.
    """
    description, folder, version = found(name_at_version)
    name = f"{description.name}@{version}"
    source = description.versions[version].source
    offered = offer(description, version)
    if offered is None or isinstance(source, FolderSource):
        progress.say(f"{name} comes with its folder; there is nothing to pull")
        return verify(name)
    with alone(data_home() / description.name, progress.say):
        state = verify(name)
        questions = _source_is_needed(description, version, state)
        if not questions and not state.calibration_missing:
            progress.say(f"{name} is here as it is pinned; there is nothing to pull")
            return state
        progress.say(str(offered))
        _fetch_and_install(description, folder, version, source if questions else None, progress)
    return verify(name)


def _source_is_needed(description: Description, version: str, state: DataState) -> bool:
    """Whether questions or prompts are to be fetched.

    Where neither the questions nor all files are pinned, only the source can say whether what is
    here is still what it has.
    """
    said = description.versions[version]
    if not isinstance(said.source, FilesSource):
        return not state.usable or said.sha256 is None
    shas = {file.url: file.sha256 for file in said.source.files}
    of_these_files = None not in shas.values() and shas == file_pins(
        data_home() / description.name / version
    )
    settled = said.sha256 is not None or of_these_files
    return not (state.usable and settled) or bool(state.prompts_missing)


def _fetch_and_install(
    description: Description,
    folder: Path,
    version: str,
    source: FilesSource | HubSource | None,
    progress: Progress,
) -> None:
    """Fetch all that is missing, then put it into its places.

    Files stay in the folder of partial files until everything has its place, so that an
    interruption loses none of them.
    """
    home = data_home() / description.name
    here = calibration_files(description)
    calibration = [file for file in published_files(description) if file.name not in here]
    files = list(source.files) if isinstance(source, FilesSource) else []
    check_fetchable(calibration)
    check_fetchable(files)
    if isinstance(source, HubSource):
        check_dataset(source)
    pins = file_pins(home / version)
    fetched = fetch_files([*calibration, *files], home / PARTIAL, progress, pins)
    with staging(home) as stage:
        keep_calibration(description, lay_out(calibration, fetched, stage / CALIBRATION))
        keep_prompts(description, lay_out(files, fetched, stage / "data"))
        origin: Mapping[str, Any] = {"files": {file.url: fetched[file.url].sha for file in files}}
        if isinstance(source, HubSource):
            origin = fetch_dataset(source, stage / "data", progress)
        if source is not None:
            content = _read_fetched(description, folder, version, stage / "data", progress)
            install(home / version, content, origin)
    for one in fetched.values():
        one.partial.discard()
    with suppress(OSError):  # it holds files of another version's pull
        (home / PARTIAL).rmdir()


def _read_fetched(
    description: Description, folder: Path, version: str, data: Path, progress: Progress
) -> Content:
    name = f"{description.name}@{version}"
    content = read_source(folder, data)
    if content is None:
        raise InputError(
            f"{name}: no questions in what was fetched; {folder / 'README.md'} says what was "
            "expected"
        )
    check_pin(description, version, content, "what was fetched")
    if description.versions[version].sha256 is None:
        progress.say(f'{name}: sha256 = "{content.sha}" (not pinned yet)')
    return content
