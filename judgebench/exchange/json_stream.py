"""A large JSON object read member by member, and a long list in it element by element."""

from __future__ import annotations

import codecs
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from judgebench.errors import InputError

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
    try:
        with path.open("rb") as file:
            yield from _object(_Text(path, file), lists)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


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
