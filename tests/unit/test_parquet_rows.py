"""Parquet files that unpack to far more than they are: refused before they take the memory."""

from __future__ import annotations

import random
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from judgebench import rows
from judgebench.errors import InputError
from judgebench.rows import each_parquet_row, parquet_columns, read_rows
from tests.table import over_rows

LONG = "x" * 10_000


def written(path: Path, table: dict[str, Any], **options: Any) -> Path:
    file = path / "t.parquet"
    parquet.write_table(pa.table(table), file, **{"compression": "zstd", **options})
    return file


def one_text(n: int) -> pa.Array:
    """A column of one long text, which stands in the file once."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), pa.array([LONG]))


BOMBS: dict[str, Callable[[Path], Path]] = {
    "one text, everywhere": lambda path: written(path, {"text": one_text(300_000)}),
    "one text, in lists": lambda path: written(
        path, {"text": pa.ListArray.from_arrays([0, 3_000], pa.array([LONG] * 3_000))}
    ),
    "one text, in structs": lambda path: written(
        path, {"a": pa.StructArray.from_arrays([pa.array([LONG] * 3_000)], ["b"])}
    ),
    "a page of zeros": lambda path: written(
        path, {"text": ["x" * 30_000_000]}, use_dictionary=False
    ),
    "nothing, very often": lambda path: written(path, {"text": pa.nulls(20_000_000, pa.int32())}),
    "no texts, very often": lambda path: written(
        path,
        {"text": pa.repeat("", 5_000_000)},
        use_dictionary=False,
        column_encoding={"text": "DELTA_LENGTH_BYTE_ARRAY"},
    ),
}


@over_rows("name", BOMBS)
def test_what_unpacks_to_a_thousand_times_its_size_is_not_read(tmp_path: Path, name: str) -> None:
    file = BOMBS[name](tmp_path)
    assert file.stat().st_size < 64 << 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"t\.parquet: unpacks to more than 1,000 times its size"):
        read_rows(file, ["text"])
    taken_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert taken_kb < 300 << 10


def test_texts_that_are_parts_of_those_before_are_not_read(tmp_path: Path) -> None:
    encoding = {"text": "DELTA_BYTE_ARRAY"}
    file = written(tmp_path, {"text": [LONG] * 9}, use_dictionary=False, column_encoding=encoding)
    with pytest.raises(InputError, match=r"t\.parquet: text: is written as DELTA_BYTE_ARRAY"):
        read_rows(file, ["text"])


def test_what_the_end_of_a_file_says_of_its_pages_is_not_believed(tmp_path: Path) -> None:
    """The footer is written anew, as that of a small file; the pages are those of the bomb."""
    file = written(tmp_path, {"text": ["x" * 30_000_000]}, use_dictionary=False)
    said = parquet.ParquetFile(file).metadata.row_group(0).column(0).total_uncompressed_size
    data = file.read_bytes()
    true, small = varint(said), varint(100).ljust(1, b"\0")
    assert data.count(true) >= 1
    padded = small[:-1] + bytes([small[-1] | 0x80]) + b"\x80" * (len(true) - len(small) - 1) + b"\0"
    file.write_bytes(data.replace(true, padded))
    assert parquet.ParquetFile(file).metadata.row_group(0).column(0).total_uncompressed_size == 100
    with pytest.raises(InputError, match="unpacks to more than"):
        read_rows(file, ["text"])


def varint(number: int) -> bytes:
    """A whole number as the footer has it: zigzag, seven bits a byte."""
    number, found = number << 1, b""
    while True:
        number, low = number >> 7, number & 0x7F
        found += bytes([low | 0x80 * bool(number)])
        if not number:
            return found


def tables() -> dict[str, Any]:
    draw = random.Random(0)
    words = ["correct", "incorrect", "ünïcode", "", None, LONG[:100]]
    n = 3000
    return {
        "text": [draw.choice(words) for _ in range(n)],
        "whole": [draw.choice([1, 2**40, None]) for _ in range(n)],
        "real": [draw.random() for _ in range(n)],
        "yes": [draw.choice([True, False, None]) for _ in range(n)],
        "list": [[draw.choice(words) for _ in range(draw.randrange(4))] for _ in range(n)],
        "struct": [{"a": draw.choice(words), "b": [1.5] * draw.randrange(3)} for _ in range(n)],
        "deep": [[{"c": [draw.choice(words)]}] for _ in range(n)],
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "snappy", "data_page_version": "2.0"},
        {"compression": "gzip", "use_dictionary": False, "data_page_size": 500},
        {"compression": "none", "row_group_size": 700, "write_page_checksum": True},
        {"compression": "lz4", "store_schema": False, "write_statistics": False},
    ],
)
def test_honest_files_are_read_as_pyarrow_reads_them(
    tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_AT_ONCE", 999)
    file = written(tmp_path, tables(), **options)
    found = list(each_parquet_row(file))
    assert [number for number, _ in found] == list(range(1, 3001))
    assert [row for _, row in found] == parquet.read_table(file).to_pylist()
    assert parquet_columns(file) == tuple(tables())


def test_what_pandas_and_others_write_is_read(tmp_path: Path) -> None:
    import pandas as pd

    file = tmp_path / "t.parquet"
    frame = pd.DataFrame({"a": pd.Categorical(["x", "y", None]), "n": pd.Categorical([1, 2, 1])})
    frame["when"] = pd.to_datetime(["2026-01-01"] * 3)
    frame.to_parquet(file)
    assert [row for _, row in each_parquet_row(file)] == parquet.read_table(file).to_pylist()
    many = {"d": pa.array([1], pa.decimal128(30)), "b": [b"\0\xff"], "m": [[("k", "v")]]}
    many["m"] = pa.array(many["m"], pa.map_(pa.string(), pa.string()))
    file = written(tmp_path, many | {"big": pa.array(["x"], pa.large_string())})
    assert [row for _, row in each_parquet_row(file)] == parquet.read_table(file).to_pylist()


@over_rows("at", [5, 50, 500, 900])
def test_a_file_that_is_damaged_anywhere_is_refused_or_read(tmp_path: Path, at: int) -> None:
    file = written(tmp_path, {"text": ["a", "b"], "n": [1, 2]})
    data = bytearray(file.read_bytes())
    for place in range(at, min(at + 60, len(data))):
        before, data[place] = data[place], data[place] ^ 0x55
        file.write_bytes(data)
        try:
            read_rows(file, [])
        except InputError as error:
            assert "t.parquet" in str(error)
        data[place] = before
