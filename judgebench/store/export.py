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
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from judgebench.errors import StoreError, UsageError
from judgebench.store.catalog import Columns, distinct_models, distinct_names
from judgebench.store.codec import readable, to_json
from judgebench.store.read import (
    CALL_COLUMNS,
    RESPONSE_COLUMNS,
    VERDICT_COLUMNS,
    with_texts,
)
from judgebench.store.store import Store

_TYPES = {
    **dict.fromkeys(("sample", "turn", "repeat", "prompt_tokens", "completion_tokens"), "int64"),
    **dict.fromkeys(("value", "p", "low", "high", "at", "logprob"), "float64"),
    **dict.fromkeys(("official_prompt", "newest"), "bool_"),
}
"""Columns of Parquet, by the name of pyarrow's type; the others are texts."""


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
    unfinished = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            SUFFIXES[path.suffix.lower()](file, columns)
        unfinished.replace(path)
    except OSError as error:
        raise StoreError(f"the export to {path} failed: {error.strerror or error}") from error


def write_dataset(store: Store, folder: Path, benchmark: str | None = None) -> list[Path]:
    """Parquet in folders as hives have them, which many programs read as one table; the paths.

    ``verdicts/benchmark=NAME/judge=NAME/VERSION.parquet``, and ``responses`` by benchmark alone.
    What one judge said on one benchmark is held at once.

    Raises
    ------
    UsageError
        For a folder that is not empty.
    StoreError
        Where it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: there is something already; name a new folder")
    paths = []
    for name, version in store.benchmarks():
        if benchmark not in (None, name):
            continue
        judges: list[dict[str, Any]] = [
            {"judges": [one.id]} for one in store.judges_met(name, version)
        ]
        for table, read, which in (
            ("responses", responses_of, {}),
            *(("verdicts", verdicts_of, judge) for judge in judges),
        ):
            columns = read(store, name, version, **which)
            if not columns["item_id"]:  # a judge that only failed
                continue
            said = {key: columns.pop(key)[0] for key in ("benchmark", "judge") if key in columns}
            place = folder.joinpath(table, *(f"{k}={quote(v, safe='')}" for k, v in said.items()))
            paths.append(place / f"{quote(version, safe='')}.parquet")
            write_table(paths[-1], columns)
    return paths


def check_suffix(path: Path) -> None:
    """Raises `UsageError` for a file whose suffix says nothing."""
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise UsageError(f"{path}: the suffix says the format; known are {known}")


def _all(
    read: Callable[..., Columns],
    names: tuple[str, ...],
    store: Store,
    benchmark: str | None = None,
    version: str | None = None,
    **which: Any,
) -> Columns:
    """A table of a benchmark, or of all, as it is exported."""
    columns: Columns = {name: [] for name in names}
    known = dict.fromkeys(name for name, _ in store.benchmarks())
    for one in known if benchmark is None else (benchmark,):
        for name, values in read(store, one, version, **which).items():
            columns[name].extend(map(_plain, values))
    models = distinct_models(store.models())
    judges = distinct_names({judge.id: judge.name for judge in store.judges()})
    for who, called in (("model", models), ("opponent", models), ("judge", judges)):
        if who in columns:
            ids = columns[f"{who}_id"]
            columns[who] = [None if one is None else called[one] for one in ids]
    return columns


verdicts_of = partial(_all, Store.verdicts, VERDICT_COLUMNS)
responses_of = partial(_all, Store.responses_table, RESPONSE_COLUMNS)
verdicts_with_text = partial(_all, with_texts, (*VERDICT_COLUMNS, "judgment", *CALL_COLUMNS))
"""What each was read from is beside it."""


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    return to_json(value) if isinstance(value, dict | tuple | list) else value


def _write_parquet(file: TextIO, columns: Columns) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {
        name: pa.array(values, getattr(pa, _TYPES.get(name, "string"))())
        for name, values in columns.items()
    }
    pq.write_table(pa.table(arrays), file.buffer, compression="zstd")


def _write_csv(file: TextIO, columns: Columns) -> None:
    """An empty field is an absent value."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))


def _write_jsonl(file: TextIO, columns: Columns) -> None:
    """One object a line."""
    for row in zip(*columns.values(), strict=True):
        values = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in zip(columns, row, strict=True)
        }
        file.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")


SUFFIXES: Mapping[str, Callable[[TextIO, Columns], None]] = {
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
"""The kinds of file there are, and how each is written."""
