"""The records of a document as CSV."""

from __future__ import annotations

import csv as table
import io
import re
from typing import Any

from judgebench.reports.document import Document

_FORMULA = re.compile(r"[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def csv(document: Document) -> str:
    """A line for each record, under the names of all their columns."""
    out = io.StringIO()
    if document.records:
        names = list(dict.fromkeys(name for record in document.records for name in record))
        rows = [names, *([record.get(name, "") for name in names] for record in document.records)]
        cell = _as_is if document.exchanged else harmless
        table.writer(out, lineterminator="\n").writerows([cell(one) for one in row] for row in rows)
    return out.getvalue()


def _as_is(value: Any) -> Any:
    return value


def harmless(value: Any, *, lines: bool = False) -> Any:
    """A text that no spreadsheet carries out: names of models are others' [1]_.

    One that begins as a formula does has an apostrophe before it, and control characters, by which
    a cell can end, show as such. Numbers stay, those that are written as text too; ``lines`` says
    that line feeds and tabs stay as well, which no cell ends by that is quoted.

    References
    ----------
    .. [1] OWASP, CSV Injection, https://owasp.org/www-community/attacks/CSV_Injection
    """
    if not isinstance(value, str):
        return value
    text = (_CONTROL_IN_LINES if lines else _CONTROL).sub("�", value)
    formula = _FORMULA.match(text.lstrip()) and not _NUMBER.fullmatch(text)
    return f"'{text}" if formula else text
