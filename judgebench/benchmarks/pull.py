"""Pulls what is missing of a benchmark's data: said first, fetched, checked, put into place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from judgebench import registry
from judgebench.benchmarks.data import (
    CALIBRATION,
    PARTIAL,
    Content,
    DataState,
    alone,
    calibration,
    check_met,
    check_pin,
    data_home,
    file_pins,
    found,
    install,
    keep_calibration,
    keep_prompts,
    published_files,
    read_source,
    staging,
    verify,
)
from judgebench.benchmarks.description import (
    Description,
    FilesSource,
    FolderSource,
    HubSource,
    RemoteFile,
    find,
)
from judgebench.benchmarks.fetch import HUB, Fetched, check_online, fetch, is_hub
from judgebench.errors import ConfigError, InputError, ProviderUnavailableError
from judgebench.plain_text import counted
from judgebench.protocols import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a pull of a version may fetch.

    ``bytes`` is the size of the files that state theirs; ``unsized`` do not. ``hosts`` are asked;
    a dataset of the Hub counts as one file without a size.
    """

    benchmark: str
    version: str
    files: int
    bytes: int
    unsized: int
    hosts: tuple[str, ...]
    licence: str

    @property
    def size(self) -> str:
        """In words: ``3.9 MB``, ``at least 3.9 MB``, ``size not stated``."""
        if self.unsized:
            return f"at least {megabytes(self.bytes)}" if self.bytes else "size not stated"
        return megabytes(self.bytes)

    def __str__(self) -> str:
        return (
            f"{self.benchmark}@{self.version}: {counted(self.files, 'file')} from "
            f"{' and '.join(self.hosts)}, {self.size}; licence: {self.licence}"
        )


def offer(description: Description, version: str) -> Offer | None:
    """What there is to fetch of a version; None if it comes with the benchmark's folder."""
    source = description.versions[version].source
    if isinstance(source, FolderSource):
        return None
    files = [*source.files, *published_files(description)]
    sets = 1 if isinstance(source, HubSource) else 0
    hosts = [urlsplit(file.url).netloc for file in files] + [_endpoint_host()] * sets
    sizes = [file.bytes for file in files]
    return Offer(
        benchmark=description.name,
        version=version,
        files=len(files) + sets,
        bytes=sum(filter(None, sizes)),
        unsized=sizes.count(None) + sets,
        hosts=tuple(sorted(set(hosts))),
        licence=description.licence,
    )


def megabytes(n: int) -> str:
    """A number of bytes in words.

    >>> [megabytes(n) for n in (7_690, 3_861_163, 120_000_000)]
    ['8 kB', '3.9 MB', '120 MB']
    """
    if n < 1_000_000:
        return f"{n / 1e3:.0f} kB"
    return f"{n / 1e6:.1f} MB" if n < 100_000_000 else f"{n / 1e6:,.0f} MB"


def check_fetchable(files: Sequence[RemoteFile]) -> None:
    """Refuse before anything is fetched what could not be fetched whole.

    Raises
    ------
    ConfigError
        For a file on the Hub where the environment says to stay offline, and for files of one name
        or without a name.
    """
    names = [file.name for file in files]
    for file in files:
        if is_hub(file.url):
            check_online(file.url)
        if file.name in {"", ".", ".."} or names.count(file.name) > 1:
            raise ConfigError(
                f"{file.url}: each file needs a name of its own, at the address's end or "
                "as its save_as"
            )


def check_dataset(source: HubSource) -> None:
    """As `check_fetchable`, for a dataset of the Hub.

    Raises
    ------
    ConfigError
        Where the environment says to stay offline, and where a folder goes by the dataset's name.
    """
    if Path(source.dataset).is_absolute():
        return
    check_online(source.dataset)
    if Path(source.dataset).exists():
        raise ConfigError(
            f"{source.dataset}: a folder of this name is here and would be taken for the dataset "
            "of the Hub; run this somewhere else"
        )


def fetch_files(
    files: Sequence[RemoteFile], kept: Path, progress: Progress, pins: Mapping[str, str]
) -> dict[str, Fetched]:
    """Fetch files, or what is missing of them; by address.

    ``pins`` are the hashes that an earlier pull has met, of files whose hash is not pinned.
    """
    fetched = {}
    for file in files:
        expected = file.sha256 or pins.get(file.url)
        fetched[file.url] = fetch(file, kept, progress, expected=expected)
        if expected is None:
            progress.say(f'{file.name}: sha256 = "{fetched[file.url].sha}" (pinned now)')
    return fetched


def lay_out(
    files: Sequence[RemoteFile], fetched: Mapping[str, Fetched], folder: Path
) -> list[Path]:
    """Put fetched files under their own names into a new folder."""
    folder.mkdir()
    laid = []
    for file in files:
        target = folder / file.name
        try:
            target.hardlink_to(fetched[file.url].path)
        except OSError:  # a file system without them
            shutil.copyfile(fetched[file.url].path, target)
        laid.append(target)
    return laid


def fetch_dataset(source: HubSource, folder: Path, progress: Progress) -> dict[str, Any]:
    """Fetch a dataset of the Hub as ``rows.jsonl``; where it came from.

    The Hub's client keeps what has come in its own cache (``HF_HOME``) and goes on with it.

    Raises
    ------
    ProviderUnavailableError
        If the Hub cannot be reached, or does not have it.
    InputError
        If its files cannot be read as rows.
    ConfigError
        If the dataset has no such configuration or split.
    """
    import datasets
    import httpx2

    name = f"{source.dataset}@{source.revision}"
    progress.stage(f"rows of {source.dataset}", None)
    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        rows = datasets.load_dataset(
            source.dataset,
            source.config,
            revision=source.revision,
            split=source.split,
            # The Hub's token is for the Hub; whoever stands in for it gets none.
            token=None if _endpoint_host() == HUB else False,
        )
        rows.to_json(folder / "rows.jsonl", force_ascii=False)
    except (OSError, httpx2.HTTPError) as error:  # the latter where a connection breaks
        raise ProviderUnavailableError(
            f"{name}: cannot be fetched from {_endpoint_host()}: {_first_line(error)}; "
            "if its terms have to be accepted, do so on its page and set HF_TOKEN; try again "
            "later, or fetch it by other means and give it to `judgebench data import`"
        ) from None
    except datasets.exceptions.DatasetGenerationError as error:
        raise InputError(
            f"{name}: its files cannot be read as rows: {_first_line(error)}"
        ) from None
    except ValueError as error:
        raise ConfigError(
            f"{name}: {_first_line(error)}; correct it in the benchmark's description"
        ) from None
    finally:
        if not bars:
            datasets.enable_progress_bars()
    progress.advance(len(rows))
    return {"dataset": source.dataset, "revision": source.revision, "split": source.split}


def _endpoint_host() -> str:
    return urlsplit(os.environ.get("HF_ENDPOINT") or f"https://{HUB}").netloc or HUB


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


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
    manifest, and has to be the same from then on. So are the questions of a dataset of the Hub,
    whose revision may be a branch that goes on.
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
        return not state.usable or said.sha256 is None or bool(state.prompts_missing)
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
    here = calibration(description).here()
    published = [file for file in published_files(description) if file.name not in here]
    files = list(source.files) if source is not None else []
    check_fetchable(published)
    check_fetchable(files)
    if isinstance(source, HubSource):
        check_dataset(source)
    pins = file_pins(home / version)
    fetched = fetch_files([*published, *files], home / PARTIAL, progress, pins)
    with staging(home) as stage:
        keep_calibration(description, lay_out(published, fetched, stage / CALIBRATION))
        keep_prompts(description, lay_out(files, fetched, stage / "data"))
        origin: Mapping[str, Any] = {"files": {file.url: fetched[file.url].sha for file in files}}
        if isinstance(source, HubSource):
            origin = fetch_dataset(source, stage / "data", progress)
        if source is not None:
            content = _read_fetched(description, folder, version, stage / "data", progress)
            if isinstance(source, HubSource) and description.versions[version].sha256 is None:
                check_met(home / version, content, f"{source.dataset}@{source.revision}")
            install(home / version, content, origin)
    for one in fetched.values():
        one.partial.discard()
    with suppress(OSError):  # it holds files of another version's pull
        (home / PARTIAL).rmdir()


def _read_fetched(
    description: Description, folder: Path, version: str, data: Path, progress: Progress
) -> Content:
    name = f"{description.name}@{version}"
    content = read_source(folder, data, version)
    if content is None:
        raise InputError(
            f"{name}: no questions in what was fetched; {folder / 'README.md'} says what was "
            "expected"
        )
    check_pin(description, version, content, "what was fetched")
    if description.versions[version].sha256 is None:
        progress.say(f'{name}: sha256 = "{content.sha}" (not pinned yet)')
    return content
