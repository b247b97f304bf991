"""Rows of a JSONL, CSV or Parquet file, each knowing where it stands.

Everything that comes from a file of somebody else's passes here first, so that whatever is wrong
with it is named by file, line and field, with what to do.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from judgebench.errors import InputError, UsageError, unknown_name
from judgebench.parquet_rows import each_parquet_row

JSONL = (".jsonl", ".ndjson")
CSV = (".csv",)
PARQUET = (".parquet", ".pq")

ALSO_CALLED: Mapping[str, tuple[str, ...]] = {"item_id": ("item",), "text": ("answer", "output")}
"""Columns that must be there, and what they are called by others who have none of that name."""

_MOST_WHOLE = 2**31 - 1
MOST_FILE_BYTES = 256 << 20
MOST_LINE_BYTES = 64 << 20
"""Of a line, a field, a text: no answer is as long, and what reads it takes many times as much."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; ``where`` is its file and line, or its number in a file without lines."""

    where: str
    values: Mapping[str, Any]

    def wrong(self, field: str, message: str) -> InputError:
        """An error about a field of this row, to be raised."""
        return InputError(f"{self.where}: {field}: {message}")

    def has(self, field: str) -> bool:
        """Whether something stands in the field; an empty text is nothing."""
        return self.values.get(field) not in (None, "")

    def text(self, field: str) -> str:
        """A name or id: text that is not blank, or a whole number, as text."""
        value = self.values.get(field)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is None or value == "":
            raise self.wrong(field, "is missing")
        if not isinstance(value, str):
            raise self.wrong(field, f"a text has to stand here, not {_shown(value)}")
        if not value.strip():
            raise self.wrong(field, "is blank")
        return value

    def optional_text(self, field: str) -> str | None:
        return self.text(field) if self.has(field) else None

    def long_text(self, field: str) -> str:
        """A text that may be empty, blank, or huge."""
        value = self.values.get(field)
        if not isinstance(value, str):
            said = "is missing" if value is None else f"a text, not {_shown(value)}"
            raise self.wrong(field, f"{said}; an answer that is empty is written as an empty text")
        return value

    def number(self, field: str) -> float:
        value = self.values.get(field)
        if value is None or value == "":
            raise self.wrong(field, "is missing")
        try:
            found = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            found = math.nan
        if not math.isfinite(found):
            raise self.wrong(field, f"a number has to stand here, not {_shown(value)}")
        return found

    def whole(self, field: str, default: int = 0) -> int:
        """A whole number from 0 to what a column of a store holds."""
        if not self.has(field):
            return default
        found = self.number(field)
        if found < 0 or not found.is_integer():
            raise self.wrong(field, f"a whole number from 0, not {_shown(self.values.get(field))}")
        if found > _MOST_WHOLE:
            raise self.wrong(field, f"{_shown(self.values[field])} is more than {_MOST_WHOLE:,}")
        return int(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the table of a file differs from ours.

    Parameters
    ----------
    columns
        Their name of a column -> ours.
    given
        What our columns say in every row of a file that does not have them.
    wide
        Our column whose values are the names of theirs, ``across``: a row is one of ours for each
        of these in which something stands, which is our ``value``.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    given: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    wide: str | None = None
    across: tuple[str, ...] = ()

    def laid_out(self, rows: Iterable[Row], path: Path) -> Iterator[Row]:
        """The rows as ours.

        Raises
        ------
        InputError
            For a column that is named and in no row, and for one that the file has already.
        """
        if not (self.columns or self.given or self.wide):
            yield from rows
            return
        seen: dict[str, None] = {}
        for row in rows:
            seen |= dict.fromkeys(map(str, row.values))
            yield from self._widened(self._filled(self._renamed(row)))
        for column in (*self.columns, *self.across):
            if seen and column not in seen:
                raise InputError(f"{path}: {unknown_name('column', column, seen)}")

    def _renamed(self, row: Row) -> Row:
        ours = {self.columns[name]: row.values[name] for name in self.columns if name in row.values}
        others = {name: row.values[name] for name in row.values if name not in self.columns}
        for name in ours:
            if name in others:
                theirs = next(one for one, called in self.columns.items() if called == name)
                raise row.wrong(name, f"stands here beside {theirs!r}, which is to be called so")
        return Row(row.where, {**others, **ours})

    def _filled(self, row: Row) -> Row:
        for name in self.given:
            if row.has(name):
                raise row.wrong(name, "stands in the file: do not say it for all rows as well")
        return Row(row.where, {**row.values, **self.given})

    def _widened(self, row: Row) -> Iterator[Row]:
        if self.wide is None:
            yield row
            return
        for name in (self.wide, "value"):
            if row.has(name) and name not in self.across:
                raise row.wrong(name, f"stands in a table that has a column for each {self.wide}")
        others = {name: row.values[name] for name in row.values if name not in self.across}
        for name in self.across:
            if row.has(name):
                said = {self.wide: name, "value": row.values[name]}
                yield Row(f"{row.where}: column {name!r}", {**others, **said})


OURS = Layout()


def read_rows(path: Path, required: Sequence[str], layout: Layout = OURS) -> list[Row]:
    """The rows of a file, by its suffix; as `each_row`, and all of them at once."""
    return list(each_row(path, required, layout=layout))


def each_row(
    path: Path, required: Sequence[str], *, not_finite: bool = False, layout: Layout = OURS
) -> Iterator[Row]:
    """The rows of a file, by its suffix, one after another.

    Parameters
    ----------
    required
        Columns that must be there, under their name or another that is understood
        (`ALSO_CALLED`). Others are kept too.
    not_finite
        Whether NaN and Infinity, which Python writes into JSON and JSON has not, are numbers.
    layout
        How the file's table becomes one of ours.

    Raises
    ------
    InputError
        For a file that is not there, is cut off, is no UTF-8, or lacks a column; names the line.
    UsageError
        For a suffix that says nothing.
    """
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        rows = _parquet(path)
    elif suffix in CSV:
        rows = _csv(path)
    elif suffix in JSONL:
        rows = _jsonl(path, not_finite)
    else:
        known = ", ".join((*JSONL, *CSV, *PARQUET))
        raise UsageError(f"{path}: the suffix says what a file is; known are {known}")
    row = None
    for row in layout.laid_out(rows, path):
        yield _with_required(row, required, layout)
    if row is None:
        raise InputError(f"{path}: there is no row in it")


def _with_required(row: Row, required: Sequence[str], layout: Layout) -> Row:
    """The row, with what is called otherwise under our name."""
    for column in required:
        if column in row.values:
            continue
        also = [name for name in ALSO_CALLED.get(column, ()) if name in row.values]
        if not also:
            theirs = next((one for one, ours in layout.columns.items() if ours == column), None)
            if theirs is not None:
                here = (name for name in map(str, row.values) if name not in layout.given)
                raise row.wrong(column, unknown_name("column", theirs, here))
            have = ", ".join(map(str, row.values)) or "none"
            raise row.wrong(column, f"is missing. Columns here: {have}")
        if len(also) > 1:
            raise row.wrong(column, f"is missing; {' or '.join(also)}? Call one of them {column!r}")
        row = Row(row.where, {**row.values, column: row.values[also[0]]})
    return row


def whole_file(path: Path) -> bytes:
    """All of a file that has to be read at once, as JSON has.

    Raises
    ------
    InputError
        For a file that is not there or too large.
    """
    with _reading(path), path.open("rb") as file:
        data = file.read(MOST_FILE_BYTES + 1)
    if len(data) > MOST_FILE_BYTES:
        raise InputError(
            f"{path}: is larger than {MOST_FILE_BYTES >> 20} MB and can only be read at once; "
            "write it as JSON lines or split it"
        )
    return data


def text_file(path: Path, what: str, says: str) -> str:
    """A text of a person's, such as a rubric; line ends and blanks around it are no part of it.

    Parameters
    ----------
    what, says
        What it is, and what it says, for a message.

    Raises
    ------
    InputError
        For a file that is not there, no text, or empty.
    """
    try:
        with _reading(path):
            text = path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start + 1} is no UTF-8; save the {what} as a UTF-8 text"
        ) from None
    if not text:
        raise InputError(f"{path}: a {what} says {says}, and nothing stands here")
    return text


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: byte {error.start + 1} ({data[error.start]:#04x}) is no UTF-8; save the "
            "file as UTF-8, or convert it: iconv -f LATIN1 -t UTF-8"
        ) from None


def _jsonl(path: Path, not_finite: bool) -> Iterator[Row]:
    constant = float if not_finite else _no_number
    for number, line in enumerate(_lines(path), 1):
        torn = not line.endswith(b"\n")
        line = line.removesuffix(b"\n")
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            values = json.loads(_decoded(line, where), parse_constant=constant)
        except (ValueError, RecursionError) as error:
            if torn:
                raise InputError(
                    f"{where}: the last line is cut off after {len(line)} bytes; the file was not "
                    "written or copied to its end: fetch it again, or delete this line"
                ) from None
            raise InputError(f"{where}: this line is not JSON ({error})") from None
        if not isinstance(values, dict):
            raise InputError(f"{where}: an object has to stand here, not {_shown(values)}")
        yield Row(where, values)


def _lines(path: Path) -> Iterator[bytes]:
    """One after another, each with its end; a file may be larger than what there is of memory."""
    with _reading(path), path.open("rb") as file:
        number = 0
        while line := file.readline(MOST_LINE_BYTES + 1):
            number += 1
            if len(line) > MOST_LINE_BYTES:
                raise too_long(f"{path}:{number}: this line")
            yield line if number > 1 else line.removeprefix(b"\xef\xbb\xbf")


def too_long(what: str) -> InputError:
    """The error about a line or text that is longer than any answer."""
    return InputError(
        f"{what} is longer than {MOST_LINE_BYTES >> 20} MB; no answer is, so it is not read: look "
        "at how the file was written, each row should stand on a line of its own"
    )


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON; leave the field out or write null")


def _csv(path: Path) -> Iterator[Row]:
    csv.field_size_limit(MOST_LINE_BYTES)  # 128 KiB unless told
    reader = csv.reader(_csv_lines(path), strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for fields in reader:
            where, line = f"{path}:{line}", reader.line_num + 1
            if not fields:
                continue
            if header is None:
                header = _header(fields, where)
                continue
            if len(fields) != len(header):
                raise InputError(
                    f"{where}: {len(fields)} fields, but the header names {len(header)}; the line "
                    "is cut off, or a text with commas or line breaks is not in quotes"
                )
            yield Row(where, dict(zip(header, fields, strict=True)))
    except csv.Error as error:
        raise InputError(
            f"{path}:{line}: {error}; a quote is not closed, or the file is cut off"
        ) from None


def _csv_lines(path: Path) -> Iterator[str]:
    """As text, with the ends of lines as they are: they may stand within a field."""
    for number, line in enumerate(_lines(path), 1):
        text = line.decode("ascii") if line.isascii() else _decoded(line, f"{path}:{number}")
        yield from io.StringIO(text, newline="") if "\r" in text else [text]


def _header(fields: list[str], where: str) -> list[str]:
    names = [name.strip() for name in fields]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{where}: {twice[0]}: this column stands here twice")
    return names


def _parquet(path: Path) -> Iterator[Row]:
    for number, values in each_parquet_row(path):
        where = f"{path}: row {number}"
        for column, value in values.items():
            if isinstance(value, str) and len(value) > MOST_LINE_BYTES:
                raise too_long(f"{where}: {column}: this text")
        yield Row(where, {k: _none_for_nan(v) for k, v in values.items()})


def _none_for_nan(value: Any) -> Any:
    """pandas writes what is absent from a column of numbers as nan."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
