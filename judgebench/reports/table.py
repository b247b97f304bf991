"""Tables for people and for programs: one document, in every form that reports have."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from judgebench.errors import UsageError, unknown_name
from judgebench.plain_text import is_unseen, printable

Align = Literal["left", "right"]

SUFFIXES = {
    ".txt": "table",
    ".md": "md",
    ".csv": "csv",
    ".json": "json",
    ".html": "html",
    ".tex": "latex",
}

_MARKDOWN = re.compile(
    r"[\\`*\[\]<>|#~$!&]|(?<![^\W_])_|_(?![^\W_])"
    r"|:(?=//)|(?<=www)\.",  # an address is no link
    re.IGNORECASE,
)
_LIST = re.compile(r"^(\d*)([-+.)])(?=[-\s]|$)")
_NARROWEST = 12  # what a name is broken to before columns are left out
_GAP = 3  # between two columns
_PLAIN_WIDTH = 10_000  # wide enough that nothing is wrapped in a pipe or a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of text.

    Where a terminal is narrow, text that ``wraps`` is broken, and then columns that are ``spare``
    are left out, the last ones first. The ``lines`` of a text stay lines on a page of HTML; in
    other forms a text is one line.
    """

    title: str
    align: Align = "left"
    wraps: bool = False
    spare: bool = False
    lines: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text under a title, with what must be known to read them."""

    title: str
    subtitle: str = ""
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One result in three shapes: tables to look at, tidy records, and JSON of the contract.

    ``exchanged``: the records are a file of another program's, whose texts stay as they are; in
    others a spreadsheet takes none for a formula.
    """

    tables: Sequence[Table]
    records: Sequence[Mapping[str, Any]]
    data: Any
    exchanged: bool = False


def render(document: Document, form: str, *, width: int | None = None, colour: bool = False) -> str:
    """The document as text that ends with a newline.

    Parameters
    ----------
    form
        ``table``, ``md``, ``csv``, ``json``, ``html`` or ``latex``.
    width
        Of the terminal; None where there is none, and then nothing is wrapped.

    Raises
    ------
    UsageError
        For a form that is not known.
    """
    if form not in FORMS:
        raise UsageError(unknown_name("format", form, FORMS))
    if form == "table":
        return _text(document, width=width, colour=colour)
    return FORMS[form](document)


def write(document: Document, path: Path) -> None:
    """The document as a file whose suffix says the form; there whole or not at all.

    Raises
    ------
    UsageError
        For another suffix, or a place that cannot be written.
    """
    form = form_of(path)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(render(document, form), encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None


def form_of(path: Path) -> str:
    """The form that a file's suffix asks for."""
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise UsageError(f"{path}: the suffix says the format; known are {known}")
    return SUFFIXES[path.suffix.lower()]


# text -------------------------------------------------------------------------------------------


def _text(document: Document, *, width: int | None, colour: bool) -> str:
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out,
        width=width or _PLAIN_WIDTH,
        force_terminal=colour,
        color_system="auto" if colour else None,
        legacy_windows=False,
    )
    for i, table in enumerate(document.tables):
        if i:
            console.print()
        _print(console, table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _print(console: Any, table: Table) -> None:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    console.print(Text(printable(table.title), style="bold"))
    if table.subtitle:
        console.print(Text(printable(table.subtitle), style="dim"))
    cells = [[printable(cell) for cell in row] for row in table.rows]
    shown = _fitting(table.columns, cells, console.width)
    if cells:
        grid = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=False)
        for i in shown:
            column = table.columns[i]
            grid.add_column(
                Text(column.title),
                justify=column.align,
                no_wrap=not column.wraps,
                min_width=min(_NARROWEST, _width(i, table.columns, cells)),
                overflow="fold",
            )
        for row in cells:
            grid.add_row(*(Text(row[i]) for i in shown))
        console.print(grid)
    left_out = [c.title for i, c in enumerate(table.columns) if i not in shown]
    if left_out:
        console.print(Text(f"not shown, for width: {', '.join(left_out)}", style="dim"))
    for note in table.notes:
        console.print(Text(printable(note), style="yellow"))


def _fitting(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> list[int]:
    """Which columns fit, when those that wrap are as narrow as they get."""
    shown = list(range(len(columns)))
    needed = {
        i: min(_NARROWEST, full) if column.wraps else full
        for i, column in enumerate(columns)
        for full in (_width(i, columns, cells),)
    }
    spare = [i for i in reversed(shown) if columns[i].spare]
    while spare and sum(needed[i] for i in shown) + _GAP * (len(shown) - 1) > width:
        shown.remove(spare.pop(0))
    return shown


def _width(i: int, columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> int:
    from rich.cells import cell_len

    return max(cell_len(text) for text in (columns[i].title, *(row[i] for row in cells)))


# other forms ------------------------------------------------------------------------------------


def _markdown(document: Document) -> str:
    return "\n".join(_markdown_table(table) for table in document.tables)


def _markdown_table(table: Table) -> str:
    lines = [f"### {_literal(table.title)}", ""]
    if table.subtitle:
        lines += [_line(table.subtitle), ""]
    if table.rows:
        rule = ["--:" if column.align == "right" else ":--" for column in table.columns]
        titles = [_literal(column.title) for column in table.columns]
        cells = [[_literal(cell) for cell in row] for row in table.rows]
        lines += [f"| {' | '.join(row)} |" for row in (titles, rule, *cells)] + [""]
    lines += [f"- {_line(note)}" for note in table.notes]
    return "\n".join(lines).rstrip("\n") + "\n"


def _literal(text: str) -> str:
    """Names of models and judges are text, never markup."""
    return _MARKDOWN.sub(r"\\\g<0>", printable(text))


def _line(text: str) -> str:
    """A line of its own, which must not begin a list, a rule or code either."""
    said = _literal(text).strip(" ")
    return _LIST.sub(r"\1\\\2", said)


def _csv(document: Document) -> str:
    out = io.StringIO()
    if document.records:
        names = list(dict.fromkeys(name for record in document.records for name in record))
        rows = [names, *([record.get(name, "") for name in names] for record in document.records)]
        cell = _as_is if document.exchanged else _harmless
        csv.writer(out, lineterminator="\n").writerows([cell(one) for one in row] for row in rows)
    return out.getvalue()


_FORMULA = re.compile(r"[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _as_is(value: Any) -> Any:
    return value


def _harmless(value: Any) -> Any:
    """A text that no spreadsheet carries out: names of models are others' [1]_.

    One that begins as a formula does has an apostrophe before it, and control characters, by which
    a cell can end, show as such. Numbers stay, those that are written as text too.

    References
    ----------
    .. [1] OWASP, CSV Injection, https://owasp.org/www-community/attacks/CSV_Injection
    """
    if not isinstance(value, str):
        return value
    text = _CONTROL.sub("�", value)
    formula = _FORMULA.match(text.lstrip()) and not _NUMBER.fullmatch(text)
    return f"'{text}" if formula else text


def _json(document: Document) -> str:
    """What a terminal would act on is escaped, which changes no value."""
    text = json.dumps(document.data, indent=1, ensure_ascii=False, allow_nan=False)
    if not text.isascii():
        text = "".join(json.dumps(c)[1:-1] if c != "\n" and is_unseen(c) else c for c in text)
    return text.replace("\x7f", "\\u007f") + "\n"


def _html(document: Document) -> str:
    from judgebench.reports.html import html

    return html(document)


def _latex(document: Document) -> str:
    from judgebench.reports.latex import latex

    return latex(document)


FORMS: Mapping[str, Callable[[Document], str]] = {
    "table": lambda document: _text(document, width=None, colour=False),
    "md": _markdown,
    "csv": _csv,
    "json": _json,
    "html": _html,
    "latex": _latex,
}
