"""What a version's data is fetched from, how much that is, and the fetching of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from judgebench.benchmarks.description import (
    Description,
    FilesSource,
    FolderSource,
    HubSource,
    RemoteFile,
)
from judgebench.benchmarks.fetch import Fetched, fetch
from judgebench.benchmarks.hosts import HUB, check_online, is_hub
from judgebench.benchmarks.official_files import published_files
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
    files = [
        *(source.files if isinstance(source, FilesSource) else ()),
        *published_files(description),
    ]
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
