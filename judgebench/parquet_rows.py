"""The rows of a Parquet file by somebody else, within bounds: what a file unpacks to is its claim.

A text that stands once in a dictionary may be every value of a column, a page of zeros packs to
nothing, and a run of equal values takes no room at all, so that 64 KB can hold gigabytes. What
stands before each page says how large it is unpacked, and dictionaries are not written out before
their rows are weighed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from judgebench.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ColumnChunkMetaData, ParquetFile

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
            yield from enumerate(_rows(table, path, bound), 1)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (pa.ArrowException, OSError, EOFError) as error:
        raise InputError(
            f"{path}: is no whole Parquet file: {error}; fetch or write it again"
        ) from None


def _rows(table: ParquetFile, path: Path, bound: _Bound) -> Iterator[dict[str, Any]]:
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
