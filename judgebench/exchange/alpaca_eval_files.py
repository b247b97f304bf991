"""Files of AlpacaEval and what stands in their rows: JSON, JSON lines, CSV, TSV, result folders."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from judgebench.errors import InputError, UsageError
from judgebench.rows import CSV, JSONL, MOST_LINE_BYTES, Row, each_row, whole_file

ANNOTATIONS, OUTPUTS, REFERENCES = "annotations", "model_outputs", "reference_outputs"
JSON, TSV = ".json", ".tsv"
SUFFIXES = (JSON, *JSONL, *CSV, TSV)
_AS_TEXT = (*CSV, TSV)


def found_files(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and of folders what AlpacaEval writes there, each once.

    In a folder, however deep, these are ``annotations``, ``model_outputs`` and
    ``reference_outputs`` with one of the suffixes.

    Raises
    ------
    InputError
        For a folder without any.
    UsageError
        For a file of another suffix.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(
                one
                for one in path.rglob("*")
                if one.stem in (ANNOTATIONS, OUTPUTS, REFERENCES)
                and one.suffix.lower() in SUFFIXES
                and one.is_file()
            )
            if not inside:
                raise InputError(
                    f"{path}: no {ANNOTATIONS}.json or {OUTPUTS}.json in this folder or below; "
                    "AlpacaEval writes them to results/<model>/<judge>/ and results/<model>/"
                )
            found |= dict.fromkeys(inside)
        elif path.suffix.lower() not in SUFFIXES:
            raise UsageError(
                f"{path}: the suffix says what a file is; known are {', '.join(SUFFIXES)}"
            )
        else:
            found[path] = None
    return list(found)


def rows_of(path: Path) -> list[Row]:
    """The rows of a file.

    Raises
    ------
    InputError
        For a file that is not there, is cut off, or holds no list of objects.
    """
    suffix = path.suffix.lower()
    if suffix == JSON:
        rows = list(_json(path))
    elif suffix == TSV:
        rows = list(_tsv(path))
    else:
        return list(each_row(path, ()))
    if not rows:
        raise InputError(f"{path}: there is no row in it")
    return rows


def kind_of(path: Path, rows: Sequence[Row]) -> str:
    """Whether a file holds judged pairs or answers.

    Raises
    ------
    InputError
        Where it holds neither.
    """
    columns = {name for row in rows for name in row.values}
    if {"preference", "output_1", "output_2"} <= columns:
        return ANNOTATIONS
    if "output" in columns:
        return REFERENCES if path.stem == REFERENCES else OUTPUTS
    lacking = sorted({"preference", "output_1", "output_2"} - columns)
    raise InputError(
        f"{path}: neither judged pairs (instruction, output_1, output_2, preference) nor answers "
        f"(instruction, output); {', '.join(lacking)} and output are missing. Columns here: "
        + (", ".join(sorted(map(str, columns))) or "none")
    )


def preference_of(row: Row, path: Path) -> float | None:
    """The probability that the model's answer is better; None where there is no preference.

    AlpacaEval writes 1 where the baseline is better, 2 where the model is, what lies between for
    1 + the probability; 1.5 for a tie, and once wrote 0; null, in its cache -1, for none.

    Raises
    ------
    InputError
        For anything else: upstream leaves such rows out of its numbers without a word.
    """
    value: Any = row.values.get("preference")
    if isinstance(value, str) and path.suffix.lower() in _AS_TEXT:
        if value == "":
            return None
        try:
            value = float(value)
        except ValueError:
            raise row.wrong("preference", f"{value!r} is no number") from None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise row.wrong("preference", f"a number has to stand here, not {value!r:.60}")
    if not math.isfinite(value):
        raise row.wrong(
            "preference", f"{value} is no preference; where there is none, null has to stand here"
        )
    if value == -1:
        return None
    if value == 0:
        return 0.5
    if not 1 <= value <= 2:
        raise row.wrong(
            "preference",
            f"{value!r} is outside 1 to 2 (1: the baseline's answer is better, 2: the model's)",
        )
    return float(value) - 1.0


def seconds_of(row: Row, path: Path) -> float:
    """What a judgment took, as upstream divides it up; 0 where it does not say."""
    for field in ("preference_time_per_example", "time_per_example"):
        value = row.values.get(field)
        if isinstance(value, str) and value and path.suffix.lower() in _AS_TEXT:
            return row.number(field)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return float(value)
    return 0.0


def _json(path: Path) -> Iterator[Row]:
    try:
        read = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: this is not whole JSON ({error}); the file was cut off, or is no JSON list"
        ) from None
    if not isinstance(read, list):
        raise InputError(f"{path}: a list of objects has to stand here, as AlpacaEval writes it")
    for number, values in enumerate(read, 1):
        where = f"{path}: row {number}"
        if not isinstance(values, Mapping):
            raise InputError(f"{where}: an object has to stand here, not {values!r:.60}")
        yield Row(where, values)


def _tsv(path: Path) -> Iterator[Row]:
    csv.field_size_limit(MOST_LINE_BYTES)  # 128 KiB unless told
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter="\t", strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for fields in reader:
            where, line = f"{path}:{line}", reader.line_num + 1
            if header is None:
                header = fields
            elif len(fields) != len(header):
                raise InputError(
                    f"{where}: {len(fields)} fields, but the header names {len(header)}"
                )
            else:
                yield Row(where, dict(zip(header, fields, strict=True)))
    except csv.Error as error:
        raise InputError(f"{path}:{line}: {error}; the file may be cut off") from None


def _text(path: Path) -> str:
    try:
        return whole_file(path).removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start + 1} is no UTF-8") from None
