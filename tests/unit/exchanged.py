"""What the tests of imports and reports share: files of rows, and stores made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from judgebench.exchange.pipeline import ImportReport
from judgebench.exchange.tables import read_response_files, read_verdict_files
from judgebench.store.store import Store

Rows = Iterable[Mapping[str, Any]]


def rows_file(path: Path, rows: Rows) -> Path:
    path.write_text(
        "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def label(item: object, model: str, judge: str, value: str, **more: Any) -> dict[str, Any]:
    """A row of a verdicts file about a benchmark that nobody describes."""
    return {
        "benchmark": "made_up",
        "item_id": str(item),
        "model": model,
        "judge": judge,
        "kind": "label",
        "value": value,
        **more,
    }


def coded(model: str, judge: str, codes: str) -> list[dict[str, Any]]:
    """``"+-?."``: correct, incorrect, unreadable, no verdict; one letter an item."""
    words = {"+": "correct", "-": "incorrect"}
    return [
        label(i, model, judge, words[code])
        if code in words
        else label(i, model, judge, "", reason="two verdicts") | {"kind": "unreadable"}
        for i, code in enumerate(codes)
        if code != "."
    ]


def import_verdicts(store: Store, path: Path, **options: Any) -> ImportReport:
    """Take in one file of verdicts, with options of `read_verdict_files`."""
    return read_verdict_files([path], **options)[0].take_in(store)


def import_responses(store: Store, path: Path, **options: Any) -> ImportReport:
    """Take in one file of answers, with options of `read_response_files`."""
    return read_response_files([path], **options)[0].take_in(store)
