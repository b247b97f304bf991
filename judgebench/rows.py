"""Rows of a JSONL, JSON, CSV, TSV or Parquet file, each knowing where it stands.

Also the members of a large JSON object and of a zip file, one after another.

Everything that comes from a file of somebody else's passes here first, so that whatever is wrong
with it is named by file, line and field, with what to do.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, overload

from judgebench.errors import InputError, UsageError, refuse_unknown, unknown_name

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ColumnChunkMetaData, ParquetFile

JSONL = (".jsonl", ".ndjson")
CSV = (".csv",)
TSV = (".tsv",)
JSON = (".json",)
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

    def refuse(self, field: str, faults: Mapping[str, object]) -> None:
        """Raise with the first fault of a field that there is: what is wrong, and whether it is."""
        for message, wrong in faults.items():
            if wrong:
                raise self.wrong(field, message)

    def has(self, field: str) -> bool:
        """Whether something stands in the field; an empty text is nothing."""
        return self.values.get(field) not in (None, "")

    @overload
    def text(self, field: str) -> str: ...
    @overload
    def text(self, field: str, default: None) -> str | None: ...
    def text(self, field: str, default: str | None = "") -> str | None:
        """A name or id: text that is not blank, or a whole number, as text.

        Nothing has to stand there where the default is None.
        """
        value = self.values.get(field)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is None or value == "":
            if default is None:
                return None
            raise self.wrong(field, "is missing")
        if not isinstance(value, str):
            raise self.wrong(field, f"a text has to stand here, not {_shown(value)}")
        if not value.strip():
            raise self.wrong(field, "is blank")
        return value

    def one_of(self, field: str, what: str, known: Collection[str]) -> str:
        """One of the names that are known; ``what`` they name is said of another."""
        if (said := self.text(field)) not in known:
            raise self.wrong(field, unknown_name(what, said, known))
        return said

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
            odd = isinstance(value, bool) or (isinstance(value, str) and "_" in value)
            found = math.nan if odd else float(value)
        except (TypeError, ValueError, OverflowError):
            found = math.nan
        if not math.isfinite(found):
            raise self.wrong(field, f"a number has to stand here, not {_shown(value)}")
        return found

    def whole(self, field: str, default: int = 0) -> int:
        """A whole number from 0 to what a column of a store holds."""
        if self.values.get(field) in (None, ""):
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
        seen: dict[str, None] = {}
        for row in rows:
            seen |= dict.fromkeys(map(str, row.values))
            yield from self._widened(self._filled(self._renamed(row)))
        wanted = (*self.columns, *self.across) if seen else ()
        refuse_unknown("column", wanted, seen, error=InputError, about=f"{path}: ")

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


@contextmanager
def at_hand(given: Any) -> Iterator[list[Path]]:
    """Files as they are named; a file of rows that are at hand: mappings, or a DataFrame.

    Raises
    ------
    InputError
        For what is no table; and what is wrong with a row is said with its number.
    """
    if isinstance(given, str | Path):
        given = [given]
    if hasattr(given, "to_dict"):
        given = given.astype(object).where(given.notna(), None).to_dict("records")
    try:
        rows = list(given)
    except TypeError as error:
        raise InputError(f"these are neither files nor rows of a table: {error}") from None
    if all(isinstance(row, str | Path) for row in rows):
        yield [Path(row) for row in rows]
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        try:
            plain = [{name: _none_for_nan(row[name]) for name in row} for row in rows]
            lines = [json.dumps(row, default=lambda scalar: scalar.item()) for row in plain]
        except (TypeError, AttributeError, IndexError) as error:
            raise InputError(f"these are neither files nor rows of a table: {error}") from None
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        try:
            yield [path]
        except InputError as error:
            raise InputError(str(error).replace(f"{folder}/", "")) from None


def read_rows(path: Path, required: Sequence[str], layout: Layout = OURS) -> list[Row]:
    """The rows of a file, by its suffix; as `each_row`, and all of them at once."""
    return list(each_row(path, required, layout=layout))


def each_row(
    path: Path,
    required: Sequence[str],
    *,
    not_finite: bool = False,
    layout: Layout = OURS,
    spread: Mapping[str, Callable[[Row], Iterable[Row]]] = MappingProxyType({}),
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
    spread
        Columns of theirs, and what makes several rows of one that has such a column, first of all.

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
    elif suffix in (*CSV, *TSV):
        rows = _csv(path, "," if suffix in CSV else "\t")
    elif suffix in JSONL:
        rows = _jsonl(path, not_finite)
    elif suffix in JSON:
        rows = _json(path)
    else:
        known = ", ".join((*JSONL, *JSON, *CSV, *TSV, *PARQUET))
        raise UsageError(f"{path}: the suffix says what a file is; known are {known}")
    row = None
    if spread:
        rows = (
            ours
            for row in rows
            for ours in next(
                (made(row) for name, made in spread.items() if name in row.values), [row]
            )
        )
    needed = {*required}
    for row in rows if layout == OURS else layout.laid_out(rows, path):
        yield row if row.values.keys() >= needed else with_required(row, required, layout)
    if row is None:
        raise InputError(f"{path}: there is no row in it")


def with_required(row: Row, required: Sequence[str], layout: Layout = OURS) -> Row:
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
    with reading(path), path.open("rb") as file:
        data = file.read(MOST_FILE_BYTES + 1)
    if len(data) > MOST_FILE_BYTES:
        raise InputError(
            f"{path}: is larger than {MOST_FILE_BYTES >> 20} MB and can only be read at once; "
            "write it as JSON lines or split it"
        )
    return data


def text_file(path: Path, what: str, says: str, *, whole: bool = False) -> str:
    """A text of a person's, such as a rubric; line ends and blanks around it are no part of it.

    Parameters
    ----------
    what, says
        What it is, and what it says, for a message.
    whole
        Whether they are, as where the text goes on behind it.

    Raises
    ------
    InputError
        For a file that is not there, no text, or empty.
    """
    try:
        with reading(path):
            text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start + 1} is no UTF-8; save the {what} as a UTF-8 text"
        ) from None
    if not text.strip():
        raise InputError(f"{path}: a {what} says {says}, and nothing stands here")
    return text if whole else text.strip()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What is wrong with opening or reading a file is said of it."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _no_utf8(error: UnicodeDecodeError, where: str) -> InputError:
    data = error.object
    theirs = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "LATIN1"
    return InputError(
        f"{where}: byte {error.start + 1} ({data[error.start]:#04x}) is no UTF-8; save the "
        f"file as UTF-8, or convert it: iconv -f {theirs} -t UTF-8"
    )


def _jsonl(path: Path, not_finite: bool) -> Iterator[Row]:
    constant = float if not_finite else _no_number
    decode = json.JSONDecoder(parse_constant=constant, object_pairs_hook=_each_once).decode
    for number, line in enumerate(_lines(path), 1):
        torn = not line.endswith(b"\n")
        line = line.removesuffix(b"\n")
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            values = decode(line.decode())
        except UnicodeDecodeError as error:
            raise _no_utf8(error, where) from None
        except (ValueError, RecursionError) as error:
            if torn and isinstance(error, json.JSONDecodeError):
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
    with reading(path), path.open("rb") as file:
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


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a name that stands twice nobody can say which value is meant."""
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{_shown(twice)} stands here twice")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON; leave the field out or write null")


def _json(path: Path) -> Iterator[Row]:
    """A list of objects, which is read at once."""
    try:
        text = whole_file(path).removeprefix(b"\xef\xbb\xbf").decode()
        read = json.loads(text, object_pairs_hook=_each_once)
    except UnicodeDecodeError as error:
        raise _no_utf8(error, str(path)) from None
    except (ValueError, RecursionError) as error:
        if not isinstance(error, json.JSONDecodeError):
            raise InputError(f"{path}: this is not JSON ({error})") from None
        raise InputError(
            f"{path}: this is not whole JSON ({error}); the file was cut off, or is no JSON list"
        ) from None
    if not isinstance(read, list):
        raise InputError(f"{path}: a list of objects has to stand here")
    for number, values in enumerate(read, 1):
        where = f"{path}: row {number}"
        if not isinstance(values, dict):
            raise InputError(f"{where}: an object has to stand here, not {_shown(values)}")
        yield Row(where, values)


def _csv(path: Path, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(MOST_LINE_BYTES)  # 128 KiB unless told
    reader = csv.reader(_csv_lines(path), strict=True, delimiter=delimiter)
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
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise _no_utf8(error, f"{path}:{number}") from None
        yield from io.StringIO(text, newline="") if "\r" in text else [text]


def _header(fields: list[str], where: str) -> list[str]:
    names = [name.strip() for name in fields]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{where}: {twice[0]}: this column stands here twice")
    if len(names) == 1 and (other := [mark for mark in ";\t|" if mark in names[0]]):
        raise InputError(
            f"{where}: one column, {_shown(names[0])}: columns are separated by commas in .csv and "
            f"by tabs in .tsv, not by {other[0]!r}"
        )
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


# Parquet files ----------------------------------------------------------------------------------
#
# What a file of somebody else's unpacks to is its claim. A text that stands once in a dictionary
# may be every value of a column, a page of zeros packs to nothing, and a run of equal values takes
# no room at all, so that 64 KB can hold gigabytes. What stands before each page says how large it
# is unpacked, and dictionaries are not written out before their rows are weighed.

MOST_TIMES = 1000
SMALL = 16 << 20
"""What unpacks to no more may have been packed as tightly as it likes."""
_AT_ONCE = 1 << 14
_VALUE = 8  # bytes that a value takes besides its text
_LONGEST_HEADER = 1 << 20
_PREFIXES = 7  # DELTA_BYTE_ARRAY: a value is as long a part of the one before as it says
_DATA, _DICTIONARY, _DATA_2 = 5, 7, 8
_ENCODING = {_DATA: 2, _DATA_2: 4}


def each_parquet_row(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows with their numbers, from 1.

    Raises
    ------
    InputError
        For what is no whole Parquet file, or unpacks to more than 1,000 times its size (and 16 MB).
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with path.open("rb") as file:
            bound = _Bound(path, max(SMALL, MOST_TIMES * path.stat().st_size))
            table = ParquetFile(file)
            _weigh_pages(table, file, bound)
            yield from enumerate(_parquet_rows(table, path, bound), 1)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (pa.ArrowException, OSError, EOFError) as error:
        raise InputError(
            f"{path}: is no whole Parquet file: {error}; fetch or write it again"
        ) from None


def _parquet_rows(table: ParquetFile, path: Path, bound: _Bound) -> Iterator[dict[str, Any]]:
    """Read twice, side by side: as it is packed, to be weighed, and then as Python has it."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    bound.left = bound.most
    with ParquetFile(path, read_dictionary=_texts(table)) as compact:
        packed = (  # a group at a time: each has dictionaries of its own
            batch
            for group in range(table.num_row_groups)
            for batch in compact.iter_batches(batch_size=_AT_ONCE, row_groups=[group])
        )
        plain = table.iter_batches(batch_size=_AT_ONCE)
        weighed = read = 0
        while True:
            while weighed < read + _AT_ONCE and (batch := next(packed, None)) is not None:
                names = batch.schema.names
                bound.take(_weight(pa.StructArray.from_arrays(batch.columns, names)))
                weighed += batch.num_rows
            if (batch := next(plain, None)) is None:
                return
            read += batch.num_rows
            yield from batch.to_pylist()


def parquet_columns(path: Path) -> tuple[str, ...]:
    """The names of the columns; raises `InputError` for what is no whole Parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return tuple(parquet.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path}: is no whole Parquet file: {error}; fetch or write it again"
        ) from None


class _Bound:
    """How many bytes a file may still unpack to."""

    def __init__(self, path: Path, most: int) -> None:
        self.path, self.most, self.left = path, most, most

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise InputError(
                f"{self.path}: unpacks to more than {MOST_TIMES:,} times its size; no table of "
                "answers or verdicts does, so it is not read. If it should: write it again without "
                "compression, or as JSON lines"
            )


def _texts(table: ParquetFile) -> list[str]:
    """The columns of texts, also within lists and structs, by their paths."""
    schema = table.schema
    each = (schema.column(place) for place in range(len(schema)))
    return [
        column.path
        for column in each
        if column.physical_type == "BYTE_ARRAY" and column.logical_type.type != "DECIMAL"
    ]


def _weight(array: pa.Array) -> int:
    """The bytes that values take as Python has them, with every dictionary written out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, size = array.type, _VALUE * len(array)
    if pa.types.is_dictionary(kind):
        if not _is_text(kind.value_type):
            return size
        length = pc.binary_length(array.dictionary).cast(pa.int64())
        return size + int(pc.sum(length.take(array.indices)).as_py() or 0)
    if pa.types.is_struct(kind):
        return size + sum(_weight(array.field(place)) for place in range(kind.num_fields))
    if pa.types.is_map(kind):
        return size + _weight(array.keys) + _weight(array.items)
    if pa.types.is_nested(kind):
        return size + _weight(array.flatten())
    return size + int(array.nbytes)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    return any(is_one(kind) for is_one in (*texts, pa.types.is_large_binary))


# pages ------------------------------------------------------------------------------------------


def _weigh_pages(table: ParquetFile, file: IO[bytes], bound: _Bound) -> None:
    """Refuse a file whose pages unpack to too much, by what stands before each of them.

    What the end of the file says of them may be another thing: readers go by the pages.
    """
    for group in range(table.metadata.num_row_groups):
        columns = table.metadata.row_group(group)
        for place in range(columns.num_columns):
            _weigh_column(columns.column(place), file, bound)


def _weigh_column(column: ColumnChunkMetaData, file: IO[bytes], bound: _Bound) -> None:
    at, values = column.data_page_offset, 0
    if column.has_dictionary_page and 0 < (column.dictionary_page_offset or 0) < at:
        at = column.dictionary_page_offset
    end = at + column.total_compressed_size
    while at < end and values < column.num_values:
        file.seek(at)
        header = _Thrift(file.read(min(_LONGEST_HEADER, end - at)))
        said = header.struct()
        unpacked, packed = said.get(2), said.get(3)
        if (
            not isinstance(unpacked, int)
            or not isinstance(packed, int)
            or min(unpacked, packed) < 0
        ):
            raise EOFError("a page does not say how large it is")
        n = 0
        for kind in (_DATA, _DICTIONARY, _DATA_2):
            page = said.get(kind)
            if isinstance(page, dict):
                n = max(n, page.get(1, 0))
                if page.get(_ENCODING.get(kind, 0)) == _PREFIXES:
                    raise InputError(
                        f"{bound.path}: {column.path_in_schema}: is written as DELTA_BYTE_ARRAY, "
                        "which says nothing of the size that it unpacks to; write it with another "
                        "encoding, or as JSON lines"
                    )
        bound.take(unpacked + _VALUE * max(0, n))
        values += n if _DICTIONARY not in said else 0
        at += header.at + packed


class _Thrift:
    """Reads a struct of Thrift's compact protocol [1]_: whole numbers and structs, by field.

    .. [1] apache/thrift, doc/specs/thrift-compact-protocol.md.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > 8:
            raise EOFError("the header of a page is nested too deeply")
        found: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._signed()
            found[field] = self._value(head & 15, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2:
                return None
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._signed()
            case 7:
                return self._skip(8)
            case 8:
                return self._skip(self._number())
            case 9 | 10:
                head = self._byte()
                n = head >> 4 if head >> 4 < 15 else self._number()
                return self._several(n, (head & 15,), depth)
            case 11:
                n = self._number()
                kinds = self._byte() if n else 0
                return self._several(n, (kinds >> 4, kinds & 15), depth)
            case 12:
                return self.struct(depth + 1)
        raise EOFError("the header of a page cannot be read")

    def _several(self, n: int, kinds: tuple[int, ...], depth: int) -> None:
        for _ in range(n):
            for kind in kinds:  # one that is true or false takes a byte here
                self._value(3 if kind in {1, 2} else kind, depth + 1)

    def _skip(self, n: int) -> None:
        self.at += n
        if self.at > len(self.data):
            raise EOFError("the header of a page is cut off")

    def _byte(self) -> int:
        self._skip(1)
        return self.data[self.at - 1]

    def _number(self) -> int:
        found = shift = 0
        while shift < 70:
            byte = self._byte()
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
            shift += 7
        raise EOFError("the header of a page cannot be read")

    def _signed(self) -> int:
        found = self._number()
        return (found >> 1) ^ -(found & 1)


_READ = 1 << 20
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
        if len(rest) > MOST_FILE_BYTES:
            raise self.wrong(f"one value of more than {MOST_FILE_BYTES >> 20} million characters")
        data = self._file.read(max(_READ, len(rest)))
        self._ended = not data
        try:
            more = self._decode.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise self.wrong(f"no UTF-8: {error.reason}") from None
        self._before += self._at
        self._text, self._at = rest + more, 0
        return bool(data)


_ZSTANDARD = 93
_LOCAL = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1


@contextmanager
def zip_members(path: Path) -> Iterator[ZipMembers]:
    """The members of a zip file.

    Raises
    ------
    InputError
        For what is no whole zip file, or is one made to do harm.
    """
    with reading(path):
        file = path.open("rb")
    with file:
        try:
            opened = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise InputError(
                f"{path}: is no whole zip file ({error}); it was not written or copied to its end:"
                " fetch it again"
            ) from None
        with opened:
            found = ZipMembers(path, file, opened)
            found.check()
            yield found


class ZipMembers:
    """An open zip file; the last member of a name counts, as a log is rewritten by appending.

    They are read in memory and within bounds: nothing is ever unpacked to a path. Inspect
    compresses with Zstandard (method 93), which Python's own zipfile knows from 3.14 on; here
    pyarrow reads it.
    """

    def __init__(self, path: Path, file: IO[bytes], opened: zipfile.ZipFile) -> None:
        self.path, self._file, self._zip = path, file, opened

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

    def check(self) -> None:
        """Refuse what no log is."""
        packed = 0
        for info in self._zip.infolist():
            packed += info.compress_size
            if info.flag_bits & _ENCRYPTED:
                raise self._wrong(info.filename, "is encrypted; decrypt the file first")
            tight = info.file_size > max(SMALL, MOST_TIMES * max(1, info.compress_size))
            if tight or info.file_size > MOST_FILE_BYTES:
                raise self._wrong(
                    info.filename,
                    f"unpacks to more than {MOST_FILE_BYTES >> 20} MB, or to more than "
                    f"{MOST_TIMES} times its size; no sample of a log does, so it is not read",
                )
        if packed > self.path.stat().st_size:
            raise InputError(
                f"{self.path}: its members together are larger than the file; no log is, so it is "
                "not read"
            )

    def _wrong(self, name: str, message: str) -> InputError:
        return InputError(f"{self.path}: {name!r:.200}: {message}")
