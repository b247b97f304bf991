"""Verdicts and responses as files that other programs read: Parquet, CSV, JSON lines.

Columns are those of ``Store.verdicts`` and ``Store.responses_table``. Of several models or judges
that share a name, each is written with digits of its id behind it (``name@0a1b2c``), so that a
reader who knows only names keeps them apart. Named parts of a score, and marks, are written as
JSON, as a stack is. A file appears whole or not at all. Text that no such file can hold (NUL, half
a surrogate pair) is written with U+FFFD in its place; the store keeps it as it was.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from judgebench.errors import StoreError, UsageError
from judgebench.store.catalog import distinct_names
from judgebench.store.codec import readable, to_json
from judgebench.store.read import CALL_COLUMNS, with_texts
from judgebench.store.store import Store
from judgebench.store.tables import RESPONSE_COLUMNS, VERDICT_COLUMNS, Columns

_WHOLE = frozenset(("sample", "turn", "repeat", "prompt_tokens", "completion_tokens"))
_REAL = frozenset(("value", "p", "low", "high", "at", "logprob"))
_YES_NO = frozenset(("official_prompt", "newest"))


def export_parquet(store: Store, folder: Path) -> list[Path]:
    """Write ``verdicts.parquet`` and ``responses.parquet``; returns their paths."""
    return _export(store, folder, "parquet", _write_parquet)


def export_csv(store: Store, folder: Path) -> list[Path]:
    """Write ``verdicts.csv`` and ``responses.csv``; an empty field is an absent value."""
    return _export(store, folder, "csv", _write_csv)


def export_jsonl(store: Store, folder: Path) -> list[Path]:
    """Write ``verdicts.jsonl`` and ``responses.jsonl``, one object a line."""
    return _export(store, folder, "jsonl", _write_jsonl)


def _export(
    store: Store, folder: Path, suffix: str, write: Callable[[Path, Columns], None]
) -> list[Path]:
    tables = {"verdicts": verdicts_of(store), "responses": responses_of(store)}
    paths = [folder / f"{name}.{suffix}" for name in tables]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, columns in zip(paths, tables.values(), strict=True):
            _write_whole(path, columns, write)
    except OSError as error:
        raise StoreError(f"the export to {folder} failed: {error.strerror or error}") from error
    return paths


def verdicts_of(store: Store, benchmark: str | None = None, version: str | None = None) -> Columns:
    """The verdicts of a benchmark, or of all, as they are exported."""
    return _all(store.verdicts, store, VERDICT_COLUMNS, benchmark, version)


def verdicts_with_text(
    store: Store, benchmark: str | None = None, version: str | None = None
) -> Columns:
    """As `verdicts_of`, with the judgment's key and `CALL_COLUMNS`: what each was read from."""
    return _all(
        lambda name, which: with_texts(store, store.judged_columns(name, which)),
        store,
        (*VERDICT_COLUMNS, "judgment", *CALL_COLUMNS),
        benchmark,
        version,
    )


def responses_of(store: Store, benchmark: str | None = None, version: str | None = None) -> Columns:
    """The answers to a benchmark, or to all, as they are exported."""
    return _all(store.responses_table, store, RESPONSE_COLUMNS, benchmark, version)


def write_table(path: Path, columns: Columns) -> None:
    """One table as a file of the kind its suffix says (one of `SUFFIXES`).

    Raises
    ------
    UsageError
        For another suffix.
    StoreError
        Where the file cannot be written.
    """
    check_suffix(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, columns, SUFFIXES[path.suffix.lower()])
    except OSError as error:
        raise StoreError(f"the export to {path} failed: {error.strerror or error}") from error


def check_suffix(path: Path) -> None:
    """Raises `UsageError` for a file whose suffix says nothing."""
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise UsageError(f"{path}: the suffix says the format; known are {known}")


def _write_whole(path: Path, columns: Columns, write: Callable[[Path, Columns], None]) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    write(unfinished, columns)
    unfinished.replace(path)


def _all(
    read: Callable[[str, str | None], Columns],
    store: Store,
    names: tuple[str, ...],
    benchmark: str | None,
    version: str | None,
) -> Columns:
    columns: Columns = {name: [] for name in names}
    known = dict.fromkeys(name for name, _ in store.benchmarks())
    for one in known if benchmark is None else (benchmark,):
        for name, values in read(one, version).items():
            columns[name].extend(map(_plain, values))
    models = distinct_names({model.id: model.name for model in store.models()})
    judges = distinct_names({judge.id: judge.name for judge in store.judges()})
    for who, called in (("model", models), ("opponent", models), ("judge", judges)):
        if who in columns:
            ids = columns[f"{who}_id"]
            columns[who] = [None if one is None else called[one] for one in ids]
    return columns


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    return to_json(value) if isinstance(value, dict | tuple | list) else value


def _rows(columns: Columns) -> Iterator[tuple[Any, ...]]:
    return zip(*columns.values(), strict=True)


def _write_parquet(path: Path, columns: Columns) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        **dict.fromkeys(_WHOLE, pa.int64()),
        **dict.fromkeys(_REAL, pa.float64()),
        **dict.fromkeys(_YES_NO, pa.bool_()),
    }
    table = pa.table(
        {name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()}
    )
    pq.write_table(table, path, compression="zstd")


def _write_csv(path: Path, columns: Columns) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        print_csv(file, columns)


def _write_jsonl(path: Path, columns: Columns) -> None:
    with path.open("w", encoding="utf-8") as file:
        print_jsonl(file, columns)


def print_csv(file: TextIO, columns: Columns) -> None:
    """An empty field is an absent value."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(_rows(columns))


def print_jsonl(file: TextIO, columns: Columns) -> None:
    """One object a line."""
    for row in _rows(columns):
        values = dict(zip(columns, map(_json_value, row), strict=True))
        file.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")


def _json_value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


SUFFIXES: Mapping[str, Callable[[Path, Columns], None]] = {
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
"""The kinds of file there are."""
