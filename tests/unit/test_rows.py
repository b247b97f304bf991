"""Files of others: every fault is named by file, line and field, with what to do."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from judgebench import rows as rows_read
from judgebench.errors import InputError, UsageError
from judgebench.rows import read_rows
from tests.table import over_rows


def written(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))
    return path


def refused(path: Path, required: tuple[str, ...] = ("a",)) -> str:
    with pytest.raises(InputError) as error:
        read_rows(path, required)
    return str(error.value).replace(f"{path}", path.name)


def test_one_table_in_three_kinds_of_file(tmp_path: Path) -> None:
    text = 'a line\nand "another", ünïcode'
    jsonl = [{"a": text, "n": 1}, {"a": "", "n": 2}]
    lines = "\n".join(json.dumps(row) for row in jsonl)
    first = written(tmp_path, "t.jsonl", f"\ufeff{lines}\r\n\n")
    quoted = text.replace('"', '""')
    second = written(tmp_path, "t.csv", f'\ufeffa,n\r\n"{quoted}",1\r\n,2\r\n')
    third = tmp_path / "t.parquet"
    parquet.write_table(pa.Table.from_pylist(jsonl), third)
    for path in (first, second, third):
        rows = read_rows(path, ["a", "n"])
        assert [row.long_text("a") for row in rows] == [text, ""]
        assert [row.whole("n") for row in rows] == [1, 2]


def test_where_a_row_stands(tmp_path: Path) -> None:
    broken = written(tmp_path, "t.csv", 'a,n\n"two\nlines",1\nx,2\n')
    assert [row.where for row in read_rows(broken, ["a"])] == [f"{broken}:2", f"{broken}:4"]


@over_rows(
    ("data", "said"),
    [
        (b'{"a": 1}\n{"a": "caf\xe9"}\n', "t.jsonl:2: byte 11 (0xe9) is no UTF-8; save"),
        (b'{"a": 1}\n{"a": "half', "t.jsonl:2: the last line is cut off after 11 bytes; the file"),
        (b'{"a": 1}\nnope\n{"a": 1}\n', "t.jsonl:2: this line is not JSON ("),
        (b'{"a": NaN}\n', "t.jsonl:1: this line is not JSON (NaN is no JSON; leave"),
        (b"[" * 100_000 + b"\n{}", "t.jsonl:1: this line is not JSON ("),
        (b'{"a": ' + b"[" * 100_000, "t.jsonl:1: this line is not JSON (maximum recursion"),
        (b'{"a": Infinity}', "t.jsonl:1: this line is not JSON (Infinity is no JSON; leave"),
        (b'{"a": 1, "b": 2, "a": 1}', "t.jsonl:1: this line is not JSON ('a' stands here twice)"),
        (
            '{"a": 1}'.encode("utf-16"),
            "t.jsonl:1: byte 1 (0xff) is no UTF-8; save the file as "
            "UTF-8, or convert it: iconv -f UTF-16 -t UTF-8",
        ),
        (b"[1, 2]\n", "t.jsonl:1: an object has to stand here, not [1, 2]"),
        (b'{"b": 1}\n', "t.jsonl:1: a: is missing. Columns here: b"),
        (b"", "t.jsonl: there is no row in it"),
        (b"\n\n", "t.jsonl: there is no row in it"),
    ],
)
def test_faults_of_jsonl(tmp_path: Path, data: bytes, said: str) -> None:
    assert refused(written(tmp_path, "t.jsonl", data)).startswith(said)


@over_rows(
    ("data", "said"),
    [
        (b'[{"a": 1}, {"a"', "t.json: this is not whole JSON ("),
        (b'[{"a": 1, "b": 2, "a": 1}]', "t.json: this is not JSON ('a' stands here twice)"),
        (b"[" * 100_000, "t.json: this is not JSON (maximum recursion"),
        (b'{"a": 1}', "t.json: a list of objects has to stand here"),
        (b"[1]", "t.json: row 1: an object has to stand here, not 1"),
    ],
)
def test_faults_of_json(tmp_path: Path, data: bytes, said: str) -> None:
    """Cut off is what ends too early, and nothing else."""
    assert refused(written(tmp_path, "t.json", data)).startswith(said)


@over_rows(
    ("data", "said"),
    [
        (b"a,b\n1,2\ncaf\xe9,2\n", "t.csv:3: byte 4 (0xe9) is no UTF-8"),
        (b"a,b\n1,2\n3", "t.csv:3: 1 fields, but the header names 2; the line is cut off"),
        (b'a,b\n1,"2\n', "t.csv:2: unexpected end of data; a quote is not closed"),
        (b"a,a\n1,2\n", "t.csv:1: a: this column stands here twice"),
        (
            b"a;b\n1;2\n",
            "t.csv:1: one column, 'a;b': columns are separated by commas in .csv and "
            "by tabs in .tsv, not by ';'",
        ),
        (b"a\tb\n1\t2\n", "t.csv:1: one column, 'a\\tb': columns are separated by commas"),
        (b"b\n1\n", "t.csv:2: a: is missing. Columns here: b"),
        (b"a\n", "t.csv: there is no row in it"),
    ],
)
def test_faults_of_csv(tmp_path: Path, data: bytes, said: str) -> None:
    assert refused(written(tmp_path, "t.csv", data)).startswith(said)


def test_faults_of_files(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.jsonl") == "none.jsonl: there is no such file"
    (tmp_path / "folder.csv").mkdir()
    assert refused(tmp_path / "folder.csv").startswith("folder.csv: cannot be read: Is a dir")
    cut = refused(written(tmp_path, "t.parquet", b"PAR1 and no more"))
    assert cut.startswith("t.parquet: is no whole Parquet file:")
    with pytest.raises(UsageError, match=r"the suffix says what a file is; known are \.jsonl"):
        read_rows(written(tmp_path, "t.xlsx", "a"), [])


def test_a_huge_text_is_read(tmp_path: Path) -> None:
    huge = "x" * 3_000_000
    for name, data in (("t.jsonl", json.dumps({"a": huge})), ("t.csv", f"a\n{huge}\n")):
        (row,) = read_rows(written(tmp_path, name, data), ["a"])
        assert row.long_text("a") == huge


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("t.jsonl", '{"a": 1}\n{"a": "' + "x" * 100 + '"}', "t.jsonl:2: this line is longer than"),
        ("t.csv", "a\n1\n" + "x" * 100, "t.csv:3: this line is longer than"),
        ("t.csv", 'a\n"' + "x\n" * 50 + '"', "t.csv:2: field larger than field limit (63)"),
    ],
)
def test_a_line_that_is_longer_than_any_answer_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, data: str, said: str
) -> None:
    monkeypatch.setattr(rows_read, "MOST_LINE_BYTES", 63)
    assert refused(written(tmp_path, name, data)).startswith(said)


def test_a_text_in_a_table_that_is_longer_than_any_answer_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_read, "MOST_LINE_BYTES", 63)
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.Table.from_pylist([{"a": "x" * 63}, {"a": "x" * 64}]), path)
    assert refused(path).startswith("t.parquet: row 2: a: this text is longer than")


def test_a_line_of_a_gigabyte_takes_no_gigabyte(tmp_path: Path) -> None:
    """The file has a hole in it, which takes no room; reading it would take 4 GB."""
    for name in ("t.jsonl", "t.csv"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(1 << 30)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert refused(tmp_path / name).startswith(f"{name}:1: this line is longer than 64 MB")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 200 << 10


def test_lines_may_end_in_any_way(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        found = read_rows(
            written(tmp_path, "t.csv", f'\ufeffa,b{end}1,"x{end}y"{end}2,ü{end}'), ["a"]
        )
        assert [row.values for row in found] == [{"a": "1", "b": f"x{end}y"}, {"a": "2", "b": "ü"}]


@over_rows(
    ("value", "read", "said"),
    [
        (True, "text", "a: a text has to stand here, not True"),
        (1.5, "text", "a: a text has to stand here, not 1.5"),
        ("  ", "text", "a: is blank"),
        (None, "text", "a: is missing"),
        (None, "long_text", "a: is missing; an answer that is empty is written as an empty"),
        (3, "long_text", "a: a text, not 3; an answer"),
        ("x", "number", "a: a number has to stand here, not 'x'"),
        (True, "number", "a: a number has to stand here, not True"),
        ("1_0", "number", "a: a number has to stand here, not '1_0'"),
        ("inf", "number", "a: a number has to stand here, not 'inf'"),
        ([1], "number", "a: a number has to stand here, not [1]"),
        ("", "number", "a: is missing"),
        (-1, "whole", "a: a whole number from 0, not -1"),
        (0.5, "whole", "a: a whole number from 0, not 0.5"),
    ],
)
def test_faults_of_fields(tmp_path: Path, value: object, read: str, said: str) -> None:
    path = written(tmp_path, "t.jsonl", json.dumps({"a": value}))
    (row,) = read_rows(path, ["a"])
    with pytest.raises(InputError) as error:
        getattr(row, read)("a")
    assert str(error.value).startswith(f"{path}:1: {said}")


def test_a_whole_number_is_an_id_too(tmp_path: Path) -> None:
    (row,) = read_rows(written(tmp_path, "t.jsonl", '{"a": 17, "b": null}'), ["a"])
    assert row.text("a") == "17"
    assert row.text("b", None) is None
    assert row.whole("b") == 0


def test_a_file_that_is_read_at_once_has_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_read, "MOST_FILE_BYTES", 20)
    path = written(tmp_path, "model_outputs.json", '[{"output": "too long"}]')
    with pytest.raises(InputError, match=r"model_outputs\.json: is larger than 0 MB"):
        read_rows(path, ())
