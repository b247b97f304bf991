"""A file that is under way: what has come of it is kept until all of it has."""

from __future__ import annotations

import hashlib
from pathlib import Path

from judgebench.benchmarks.data_home import written
from judgebench.keys import text_sha


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


def file_sha(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
