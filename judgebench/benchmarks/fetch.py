"""Fetches a file: HTTPS, of a stated size at most, continued where it broke off, checked."""

from __future__ import annotations

import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from judgebench.benchmarks.data import file_sha, written
from judgebench.benchmarks.description import RemoteFile
from judgebench.errors import ConfigError, InputError, JudgebenchError, ProviderUnavailableError
from judgebench.keys import text_sha
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
