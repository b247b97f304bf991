"""A document as text for a terminal, and for a file that is read as text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from judgebench.plain_text import printable
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.estimates import Marked

_NARROWEST = 12  # what a name is broken to before columns are left out
_GAP = 3  # between two columns
_PLAIN_WIDTH = 10_000  # wide enough that nothing is wrapped in a pipe or a file


def terminal(document: Document, *, width: int | None = None, colour: bool = False) -> str:
    """The tables, as wide as the terminal; nothing is wrapped where there is none."""
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
    cells = [[_cell(cell, stars=not console.color_system) for cell in row] for row in table.lines]
    columns = [replace(column, title=printable(column.whole_title)) for column in table.columns]
    shown = _fitting(columns, cells, console.width)
    if cells:
        grid = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=False)
        for i in shown:
            column = columns[i]
            grid.add_column(
                Text(column.title),
                justify=column.align,
                no_wrap=not column.wraps,
                min_width=min(_NARROWEST, _width(i, columns, cells)),
                overflow="fold",
            )
        for row, line in zip(cells, table.lines, strict=True):
            texts = [Text(cell) for cell in row]
            for text, cell in zip(texts, line, strict=True):
                if isinstance(cell, Marked) and cell.bold:
                    text.stylize("bold", 0, len(cell.number))
            grid.add_row(*(texts[i] for i in shown))
        console.print(grid)
    left_out = [c.title for i, c in enumerate(columns) if i not in shown]
    if left_out:
        console.print(Text(f"not shown, for width: {', '.join(left_out)}", style="dim"))
    for note in table.notes:
        console.print(Text(printable(note), style="yellow"))


def _cell(cell: str, *, stars: bool) -> str:
    """On one line; where no letter can be bold, two stars stand around what is."""
    if not (stars and isinstance(cell, Marked) and cell.bold):
        return printable(cell)
    return f"**{printable(cell.number)}**{printable(cell[len(cell.number) :])}"


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
