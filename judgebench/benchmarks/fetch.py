"""Fetches a file: HTTPS only, of a stated size at most, and checked against its hash."""

from __future__ import annotations

import hashlib
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from judgebench.benchmarks.description import RemoteFile
from judgebench.errors import ConfigError, InputError, ProviderUnavailableError
from judgebench.protocols import Progress

MAX_BYTES = 2_000_000_000
TIMEOUT_S = 60.0
_CHUNK = 1 << 18
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def fetch(file: RemoteFile, folder: Path, progress: Progress, *, expected: str | None) -> str:
    """Put a file into a folder; its SHA-256.

    Raises
    ------
    ConfigError
        For an address that is not HTTPS (plain HTTP is allowed on this machine alone).
    ProviderUnavailableError
        If it cannot be had.
    InputError
        If it is not the file that was expected: larger, shorter, or other content.
    """
    check_address(file.url)
    target = folder / file.name
    opener = urllib.request.build_opener(_SafeRedirects())
    request = urllib.request.Request(file.url, headers={"User-Agent": "judgebench"})
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer, target.open("wb") as out:
            sha = _copy(answer, out, file, progress)
    except (urllib.error.URLError, HTTPException, OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error
        raise ProviderUnavailableError(
            f"{file.url}: cannot be fetched: {reason}; try again later, or fetch it by other "
            "means and give it to `judgebench data import`"
        ) from None
    if expected is not None and sha != expected:
        raise InputError(
            f"{file.url}: this is not the file that was expected: SHA-256 {sha}, "
            f"but {expected} is pinned; nothing was kept"
        )
    return sha


def file_sha(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_address(url: str) -> None:
    """Refuse what is not HTTPS, and addresses that carry a password."""
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (parts.scheme == "https" or local) or parts.username is not None:
        raise ConfigError(f"{parts.scheme}://{parts.hostname}{parts.path}: only HTTPS is fetched")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where we would have gone ourselves."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _copy(answer: Any, out: IO[bytes], file: RemoteFile, progress: Progress) -> str:
    limit = file.bytes or MAX_BYTES
    digest = hashlib.sha256()
    size = 0
    progress.stage(f"fetching {file.name}", file.bytes)
    while chunk := answer.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise InputError(f"{file.url}: larger than the {limit:,} bytes expected; stopped")
        digest.update(chunk)
        out.write(chunk)
        progress.advance(len(chunk))
    if file.bytes is not None and size != file.bytes:
        raise InputError(f"{file.url}: {size:,} bytes came of {file.bytes:,}; try again")
    return digest.hexdigest()
