"""The members of a zip file by somebody else, one after another, in memory and within bounds.

Nothing is ever unpacked to a path. Inspect compresses with Zstandard (method 93), which Python's
own zipfile knows from 3.14 on; here pyarrow reads it.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from types import TracebackType

from judgebench.errors import InputError

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
        try:
            self._file = path.open("rb")
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such file") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
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
