"""Large JSON by somebody else: an object member by member, a list in it element by element.

Also the members of a zip file, one after another, in memory and within bounds: nothing is ever
unpacked to a path. Inspect compresses with Zstandard (method 93), which Python's own zipfile knows
from 3.14 on; here pyarrow reads it.
"""

from __future__ import annotations

import codecs
import json
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from judgebench.errors import InputError
from judgebench.rows import reading

_READ = 1 << 20
MOST_CHARACTERS = 256 << 20
"""Of one value."""
_SPACE = " \t\n\r"


def members(path: Path, lists: Collection[str]) -> Iterator[tuple[str, Any]]:
    """The members of the object that a file holds, in their order.

    Parameters
    ----------
    lists
        The members whose elements come one by one, each with the name of the member.

    Raises
    ------
    InputError
        For a file that is not there, is cut off, or holds no JSON object; says where.
    """
    with reading(path), path.open("rb") as file:
        yield from _object(_Text(path, file), lists)


def _object(text: _Text, lists: Collection[str]) -> Iterator[tuple[str, Any]]:
    text.expect("{")
    if text.take("}"):
        return
    while True:
        name = text.value()
        if not isinstance(name, str):
            raise text.wrong("the name of a member has to stand here")
        text.expect(":")
        if name in lists and text.take("["):
            if not text.take("]"):
                yield name, text.value()
                while text.take(","):
                    yield name, text.value()
                text.expect("]")
        else:
            yield name, text.value()
        if not text.take(","):
            text.expect("}")
            return


class _Text:
    """What of the file is at hand, and where in it we are."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file = path, file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder()
        self._text, self._at, self._before = "", 0, 0
        self._ended = False

    def take(self, mark: str) -> bool:
        """Whether this character comes next; then it is passed."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                break
            if not self._more():
                return False
        found = self._text[self._at] == mark
        self._at += found
        return found

    def expect(self, mark: str) -> None:
        if not self.take(mark):
            raise self.wrong(f"{mark!r} has to stand here")

    def value(self) -> Any:
        self.take("")  # passes blanks
        while True:
            try:
                found, end = self._json.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                further = getattr(error, "pos", self._at) - self._at
                if self._more():
                    continue
                message = str(getattr(error, "msg", error))
                raise self.wrong(message, self._at + further) from None
            if end < len(self._text) or not self._more():  # a number may go on
                self._at = end
                return found

    def wrong(self, message: str, at: int | None = None) -> InputError:
        at = self._at if at is None else at
        where = f"{self._path}: character {self._before + at}"
        written = self._text.rstrip(_SPACE)
        # What was written to its end closes the object, and what is wrong stands before that.
        if self._ended and (at >= len(written) or not written.endswith("}")):
            return InputError(
                f"{where}: the file is cut off; it was not written or copied to its end: fetch it "
                "again"
            )
        return InputError(f"{where}: this is not JSON ({message})")

    def _more(self) -> bool:
        """Read on, twice as much as is at hand; whether there was anything."""
        if self._ended:
            return False
        rest = self._text[self._at :]
        if len(rest) > MOST_CHARACTERS:
            raise self.wrong(f"one value of more than {MOST_CHARACTERS >> 20} million characters")
        data = self._file.read(max(_READ, len(rest)))
        self._ended = not data
        try:
            more = self._decode.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise self.wrong(f"no UTF-8: {error.reason}") from None
        self._before += self._at
        self._text, self._at = rest + more, 0
        return bool(data)


MOST_BYTES = 256 << 20
"""Of one member, unpacked, as the directory states it; no more than stated is ever unpacked."""
_MOST_TIMES = 1000
_SMALL = 16 << 20  # what is no larger may have been packed as tightly as it likes
_ZSTANDARD = 93
_LOCAL = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1


class ZipMembers:
    """An open zip file; the last member of a name counts, as a log is rewritten by appending.

    Raises
    ------
    InputError
        For what is no whole zip file, or is one made to do harm.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path):
            self._file = path.open("rb")
        try:
            self._zip = zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            self._file.close()
            raise InputError(
                f"{path}: is no whole zip file ({error}); it was not written or copied to its end:"
                " fetch it again"
            ) from None
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ZipMembers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._zip.close()
        self._file.close()

    @property
    def names(self) -> list[str]:
        return list(self._zip.NameToInfo)

    def read(self, name: str) -> bytes:
        """The member's content, its check sum seen to be right."""
        info = self._zip.NameToInfo[name]
        try:
            if info.compress_type == _ZSTANDARD:
                content = self._zstandard(info)
            else:
                with self._zip.open(info) as member:
                    content = member.read(info.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError) as error:
            raise self._wrong(name, f"cannot be unpacked ({error}); fetch the file again") from None
        if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
            raise self._wrong(name, "is not what was packed; fetch the file again")
        return content

    def _zstandard(self, info: zipfile.ZipInfo) -> bytes:
        import pyarrow as pa

        self._file.seek(info.header_offset)
        header = self._file.read(_LOCAL.size)
        mark, name, extra = _LOCAL.unpack(header) if len(header) == _LOCAL.size else (b"", 0, 0)
        if mark != b"PK\3\4":
            raise zipfile.BadZipFile("no member begins where the directory says so")
        self._file.seek(name + extra, 1)
        packed = self._file.read(info.compress_size)
        try:
            stream = pa.CompressedInputStream(pa.BufferReader(packed), "zstd")
            content: bytes = stream.read(info.file_size + 1)
        except pa.ArrowException as error:
            raise zipfile.BadZipFile(str(error)) from None
        return content

    def _check(self) -> None:
        packed = 0
        for info in self._zip.infolist():
            packed += info.compress_size
            if info.flag_bits & _ENCRYPTED:
                raise self._wrong(info.filename, "is encrypted; decrypt the file first")
            large = info.file_size > _SMALL
            if large and info.file_size > _MOST_TIMES * max(1, info.compress_size):
                raise self._too_large(info.filename)
            if info.file_size > MOST_BYTES:
                raise self._too_large(info.filename)
        if packed > self.path.stat().st_size:
            raise InputError(
                f"{self.path}: its members together are larger than the file; no log is, so it is "
                "not read"
            )

    def _wrong(self, name: str, message: str) -> InputError:
        return InputError(f"{self.path}: {name!r:.200}: {message}")

    def _too_large(self, name: str) -> InputError:
        return self._wrong(
            name,
            f"unpacks to more than {MOST_BYTES >> 20} MB, or to more than {_MOST_TIMES} times its "
            "size; no sample of a log does, so it is not read",
        )
