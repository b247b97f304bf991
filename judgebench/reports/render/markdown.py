"""A document as Markdown, whose names stay text."""

from __future__ import annotations

import re

from judgebench.plain_text import printable
from judgebench.reports.document import Document, Table
from judgebench.reports.estimates import Marked

_MARKDOWN = re.compile(
    r"[\\`*\[\]<>|#~$!&]|(?<![^\W_])_|_(?![^\W_])"
    r"|:(?=//)|(?<=www)\.",  # an address is no link
    re.IGNORECASE,
)
_LIST = re.compile(r"^(\d*)([-+.)])(?=[-\s]|$)")


def markdown(document: Document) -> str:
    """The tables under their titles."""
    return "\n".join(_table(table) for table in document.tables)


def _table(table: Table) -> str:
    lines = [f"### {_literal(table.title)}", ""]
    if table.subtitle:
        lines += [_line(table.subtitle), ""]
    if table.rows:
        rule = ["--:" if column.align == "right" else ":--" for column in table.columns]
        titles = [_literal(column.whole_title) for column in table.columns]
        cells = [[_cell(cell) for cell in row] for row in table.lines]
        lines += [f"| {' | '.join(row)} |" for row in (titles, rule, *cells)] + [""]
    lines += [f"- {_line(note)}" for note in table.notes]
    return "\n".join(lines).rstrip("\n") + "\n"


def _literal(text: str) -> str:
    """Names of models and judges are text, never markup."""
    return _MARKDOWN.sub(r"\\\g<0>", printable(text))


def _cell(cell: str) -> str:
    if not (isinstance(cell, Marked) and cell.bold):
        return _literal(cell)
    return f"**{_literal(cell.number)}**{_literal(cell[len(cell.number) :])}"


def _line(text: str) -> str:
    """A line of its own, which must not begin a list, a rule or code either."""
    said = _literal(text).strip(" ")
    return _LIST.sub(r"\1\\\2", said)
