"""Pulls what is missing of a benchmark's data: said first, fetched, checked, put into place.

Fetches a file: HTTPS, of a stated size at most, continued where it broke off, checked.
"""

from __future__ import annotations

import os
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any
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
    file_sha,
    found,
    install,
    keep_calibration,
    keep_prompts,
    published_files,
    read_source,
    staging,
    verify,
    written,
)
from judgebench.benchmarks.description import (
    Description,
    FilesSource,
    FolderSource,
    HubSource,
    RemoteFile,
    find,
)
from judgebench.errors import ConfigError, InputError, JudgebenchError, ProviderUnavailableError
from judgebench.keys import text_sha
from judgebench.plain_text import counted
from judgebench.protocols import Meter, Progress

HUB = "huggingface.co"
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
"""Either of them keeps us from the Hub, as it does the Hub's own libraries."""

_YES = {"1", "ON", "TRUE", "YES"}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# Both hand large files to storage under another of their names.
_OWNERS = ((HUB, "hf.co"), ("github.com", "githubusercontent.com"))


def check_address(url: str) -> None:
    """Refuse what is not HTTPS (plain HTTP is for this machine alone), and passwords in addresses.

    Raises
    ------
    ConfigError
        Without the password.
    """
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (parts.scheme == "https" or local) or parts.username is not None:
        raise ConfigError(f"{parts.scheme}://{parts.hostname}{parts.path}: only HTTPS is fetched")


def check_redirect(url: str, target: str) -> None:
    """Refuse a redirect to where the file's host is not at home.

    Raises
    ------
    ProviderUnavailableError
        For another owner's host, plain HTTP or a password. The query of the target may be a key
        and is not shown.
    """
    try:
        check_address(target)
        same = _owner(url) == _owner(target)
    except (ConfigError, ValueError):
        same = False
    if not same:
        raise ProviderUnavailableError(
            f"{url}: leads to another place ({_host(target)}), which is not followed; fetch it by "
            "other means and give it to `judgebench data import`"
        )


def is_hub(url: str) -> bool:
    """Whether it is the Hugging Face Hub's, or the stand-in's that HF_ENDPOINT names."""
    endpoint = urlsplit(os.environ.get("HF_ENDPOINT", ""))
    return _owner(url) == HUB or (bool(endpoint.netloc) and urlsplit(url).netloc == endpoint.netloc)


def check_online(what: str) -> None:
    """Refuse to ask the Hub where the environment says not to.

    Raises
    ------
    ConfigError
        Naming the variable, and the way without a network.
    """
    for name in OFFLINE:
        if os.environ.get(name, "").upper() in _YES:
            raise ConfigError(
                f"{what}: {name} is set, so nothing is fetched from the Hub; unset it, or fetch "
                "the files on another machine and give them to `judgebench data import`"
            )


def authorization(url: str) -> str | None:
    """The header that shows ``HF_TOKEN``, to the Hub itself and over HTTPS alone."""
    parts = urlsplit(url)
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token or (parts.scheme, parts.netloc) != ("https", HUB):
        return None
    if not (token.isascii() and token.isprintable()):  # http.client would show it in its error
        raise ConfigError("HF_TOKEN holds characters that no token has; set it again, or unset it")
    return f"Bearer {token}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "no host"
    except ValueError:
        return "no host"


def _owner(url: str) -> str:
    host = urlsplit(url).hostname or ""
    for names in _OWNERS:
        if any(host == name or host.endswith(f".{name}") for name in names):
            return names[0]
    return host


class PartialFile:
    """What there is of a file, in a folder of the data home.

    Its name comes of the address and the hash that is expected, so that a new pin begins a new
    file. The ``validator`` (RFC 9110: a strong ETag, or Last-Modified) tells whether a server
    still has the content that the first part is of.
    """

    def __init__(self, folder: Path, url: str, expected: str | None) -> None:
        name = text_sha(f"{url}\n{expected or ''}")[:32]
        self.path = folder / f"{name}.part"
        self._pinned = expected is not None
        self._noted = folder / f"{name}.validator"

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def validator(self) -> str | None:
        return self._noted.read_text(encoding="latin-1") if self._noted.is_file() else None

    @property
    def can_go_on(self) -> bool:
        """Whether a second part could be told from one of other content, by its hash if need be."""
        return self.size > 0 and (self._pinned or self.validator is not None)

    def begin(self, validator: str | None) -> None:
        """Start from nothing, with content that the validator stands for."""
        self.discard()
        with written(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if validator is not None:
                self._noted.write_text(validator, encoding="latin-1")
            self.path.touch()

    def append(self, chunk: bytes) -> None:
        with written(self.path), self.path.open("ab") as out:
            out.write(chunk)

    def discard(self) -> None:
        """Keep nothing of it. The content goes first: a validator alone says nothing."""
        self.path.unlink(missing_ok=True)
        self._noted.unlink(missing_ok=True)

    def sha(self) -> str:
        return file_sha(self.path)


MAX_BYTES = 2_000_000_000
MAX_TRIES = 5
TIMEOUT_S = 60.0
LONGEST_WAIT_S = 60.0
_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that has come whole; it stays where it is until the caller has done with it."""

    partial: PartialFile
    sha: str

    @property
    def path(self) -> Path:
        return self.partial.path


def fetch(
    file: RemoteFile,
    kept: Path,
    progress: Progress,
    *,
    expected: str | None,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Bring a file into a folder, going on with what an earlier attempt has left there.

    Two processes must not fetch into one folder at once.

    Raises
    ------
    ConfigError
        For an address that is not HTTPS (plain HTTP is allowed on this machine alone), for the
        Hub's where the environment says to stay offline, and where the folder cannot be written.
    ProviderUnavailableError
        If it cannot be had. What came is kept.
    InputError
        If it is not the file that was expected: larger, shorter, or other content. Nothing is kept.
    """
    check_address(file.url)
    partial = PartialFile(kept, file.url, expected)
    if expected is not None and partial.size and partial.sha() == expected:
        progress.say(f"{file.name}: all of it is here since an earlier attempt")
        return Fetched(partial=partial, sha=expected)
    if is_hub(file.url):
        check_online(file.url)
    while True:
        continued = partial.can_go_on
        _persistently(file, partial, progress, sleep)
        sha = partial.sha()
        if expected is None or sha == expected:
            return Fetched(partial=partial, sha=sha)
        partial.discard()
        if not continued:
            raise InputError(
                f"{file.url}: this is not the file that was expected: SHA-256 {sha}, "
                f"but {expected} is pinned; nothing was kept"
            )
        progress.say(f"{file.name}: its parts do not belong together; starting again")


class _AgainError(Exception):
    """Asking again may help; ``wait_s`` is what the server asks for."""

    def __init__(self, message: str, *, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def _persistently(
    file: RemoteFile, partial: PartialFile, progress: Progress, sleep: Callable[[float], None]
) -> None:
    import tenacity

    def wait_s(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.wait_s if isinstance(error, _AgainError) else 0.0
        return min(max(2.0 ** (state.attempt_number - 1), asked), LONGEST_WAIT_S)

    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        progress.say(f"{file.name}: {error}; again in {state.upcoming_sleep:.0f} s")

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_AgainError),
        wait=wait_s,
        stop=tenacity.stop_after_attempt(MAX_TRIES),
        sleep=sleep,
        before_sleep=tell,
        reraise=True,
    )
    try:
        retrying(_attempt, file, partial, progress)
    except _AgainError as error:
        raise ProviderUnavailableError(
            f"{file.url}: cannot be fetched: {error}; what came is kept and the same command goes "
            "on with it, or fetch it by other means and give it to `judgebench data import`"
        ) from None


def _attempt(file: RemoteFile, partial: PartialFile, progress: Progress) -> None:
    """One request, for what is missing."""
    offset = partial.size if partial.can_go_on else 0
    try:
        with _open(file.url, offset, partial.validator) as answer:
            _receive(answer, offset, file, partial, progress)
    except urllib.error.HTTPError as error:
        with error:
            if not (error.code == 416 and offset):
                raise _refusal(file.url, error) from None
            if _range_of(error.headers) != (None, offset):
                partial.discard()
                raise _AgainError("it has become shorter") from None
            # Nothing comes after what is here: it was complete.
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise ProviderUnavailableError(f"{file.url}: {error.reason}") from None
        raise _AgainError(str(error.reason)) from None
    except ValueError:
        raise ProviderUnavailableError(f"{file.url}: leads to what is no address") from None
    except (HTTPException, OSError) as error:
        raise _AgainError(str(error) or type(error).__name__) from None


def _open(url: str, offset: int, validator: str | None) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "judgebench"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
        if validator is not None:
            request.add_header("If-Range", validator)
    _authorize(request)
    return urllib.request.build_opener(SafeRedirects(url)).open(request, timeout=TIMEOUT_S)


def _receive(
    answer: HTTPResponse, offset: int, file: RemoteFile, partial: PartialFile, progress: Progress
) -> None:
    if answer.status == 206:
        start, total = _range_of(answer.headers)
        if start != offset:
            partial.discard()
            raise _AgainError("it sent another part than was asked for")
    else:
        total = answer.length
        offset = 0
        partial.begin(_validator(answer.headers))
    _check_size(file, partial, total, at_least=offset)
    progress.stage(f"bytes of {file.name}", total or file.bytes)
    progress.advance(offset)
    size = offset
    # A body is read to its stated end and not beyond, whatever else a server sends.
    while chunk := answer.read1(_CHUNK if total is None else min(_CHUNK, total - size)):
        size += len(chunk)
        _check_size(file, partial, None, at_least=size)
        partial.append(chunk)
        progress.advance(len(chunk))
        progress.meter(Meter())
    if total is not None and size < total:
        raise _AgainError(f"the connection broke after {size:,} of {total:,} bytes")
    _check_size(file, partial, size, at_least=size)


def _check_size(
    file: RemoteFile, partial: PartialFile, total: int | None, *, at_least: int
) -> None:
    limit = file.bytes or MAX_BYTES
    if max(total or 0, at_least) > limit:
        partial.discard()
        raise InputError(f"{file.url}: larger than the {limit:,} bytes expected; nothing was kept")
    if total is not None and file.bytes is not None and total < file.bytes:
        partial.discard()
        raise InputError(
            f"{file.url}: {total:,} bytes came of {file.bytes:,} expected; nothing was kept"
        )


def _refusal(url: str, error: urllib.error.HTTPError) -> Exception:
    if error.code in {408, 425, 429} or error.code >= 500:
        asked = error.headers.get("Retry-After", "")
        wait_s = float(asked) if asked.isascii() and asked.isdigit() else 0.0
        return _AgainError(f"{error.code} {error.reason}", wait_s=wait_s)
    gated = error.code in {401, 403} and is_hub(url)
    hint = (
        "accept its terms on its page and set HF_TOKEN"
        if gated
        else "fetch it by other means and give it to `judgebench data import`"
    )
    # The reason of a redirect that is not followed is its address, which may hold a key.
    reason = error.reason if error.code >= 400 else "leads to another place"
    return ProviderUnavailableError(f"{url}: cannot be fetched: {error.code} {reason}; {hint}")


def _range_of(headers: Any) -> tuple[int | None, int | None]:
    """First byte and size of the whole, of a ``Content-Range``; None for what it does not say."""
    match = _RANGE.fullmatch(headers.get("Content-Range") or "")
    if match is None:
        return None, None
    start, total = match.groups()
    return int(start) if start else None, int(total) if total != "*" else None


def _validator(headers: Any) -> str | None:
    etag: str = headers.get("ETag") or ""
    if etag.startswith('"'):  # a weak one, W/"…", may stand for other bytes
        return etag
    modified: str | None = headers.get("Last-Modified")
    return modified


def _authorize(request: urllib.request.Request) -> None:
    if (header := authorization(request.full_url)) is not None:
        request.add_unredirected_header("Authorization", header)


class SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where the same owner is at home; each gets its own headers."""

    def __init__(self, url: str) -> None:
        self._url = url

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any
    ) -> Any:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except (JudgebenchError, ValueError):  # of which urllib does not know that they come
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        check_redirect(self._url, newurl)
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None:
            _authorize(request)
        return request


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
