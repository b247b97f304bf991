"""A document as text for a terminal, and for a file that is read as text.

Where a table is too wide, its titles go on several lines, then columns that can be spared are left
out, then what wraps (names, mostly) stands on a line of its own above each row, and in the end the
row is written out in words. No other column is cut.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from judgebench.plain_text import printable
from judgebench.reports.document import Column, Document
from judgebench.reports.estimates import Marked

_NARROWEST, _LONGEST_WORD = 12, 24  # what a name is broken to, and a word of it that is not broken
_GAP, _LEAST_GAP = 3, 2  # between two columns, and where names stand above
_BELOW = (0, 0, 0, 2)  # how far in a row stands below its names
_PLAIN_WIDTH = 10_000  # wide enough that nothing is wrapped in a pipe or a file


def terminal(document: Document, *, width: int | None = None, colour: bool = False) -> str:
    """The tables, as wide as the terminal; nothing is wrapped where there is none."""
    if width is None and not colour and (plain := _plain(document)) is not None:
        return plain
    from rich.console import Console
    from rich.text import Text

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
        console.print(Text(printable(table.title), style="bold"))
        if table.subtitle:
            console.print(Text(printable(table.subtitle), style="dim"))
        columns = [replace(column, title=printable(column.whole_title)) for column in table.columns]
        rows = []
        for line in table.lines:
            row = []
            for cell in line:
                text = Text(printable(cell))
                if isinstance(cell, Marked) and cell.bold:
                    if console.color_system:
                        text.stylize("bold", 0, len(cell.number))
                    else:  # where no letter can be bold, two stars stand around what is
                        rest = printable(cell[len(cell.number) :])
                        text = Text(f"**{printable(cell.number)}**{rest}")
                row.append(text)
            rows.append(row)
        layout = _fitting(columns, [[text.plain for text in row] for row in rows], console.width)
        for part in layout.parts(rows) if rows else ():
            console.print(part)
        there = {*layout.shown, *layout.above}
        if left_out := [column.title for i, column in enumerate(columns) if i not in there]:
            console.print(Text(f"not shown, for width: {', '.join(left_out)}", style="dim"))
        for note in table.notes:
            console.print(Text(printable(note), style="yellow"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _plain(document: Document) -> str | None:
    """As for a pipe or a file; None where that has lines that are too long for it."""
    from rich.cells import cell_len

    lines: list[str] = []
    for i, table in enumerate(document.tables):
        lines += [""] * bool(i) + [printable(table.title)]
        lines += [printable(table.subtitle)] * bool(table.subtitle)
        rows = [[printable(column.whole_title) for column in table.columns]]
        for line in table.lines:
            rows.append([printable(cell) for cell in line])
            for at, cell in enumerate(line):
                if isinstance(cell, Marked) and cell.bold:
                    number, rest = cell.number, cell[len(cell.number) :]
                    rows[-1][at] = f"**{printable(number)}**{printable(rest)}"
        widths = [max(map(cell_len, its)) for its in zip(*rows, strict=True)]
        its = [*zip((column.align for column in table.columns), widths, strict=True)]
        for row in rows if len(rows) > 1 else ():
            cells = []
            for text, (align, width) in zip(row, its, strict=True):
                kept = text.rstrip() if align == "right" else text
                room = " " * (width - cell_len(kept))
                cells.append(room + kept if align == "right" else kept + room)
            lines.append((" " * _GAP).join(cells))
            if row is rows[0]:
                lines.append("─" * (sum(widths) + _GAP * (len(widths) - 1)))
        lines += map(printable, table.notes)
    if any(cell_len(line) > _PLAIN_WIDTH for line in lines):
        return None
    return "\n".join(line.rstrip() for line in lines) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How a table is laid out: the places of its columns, and the least that each needs.

    above
        Columns whose texts stand above each row, where they do not fit beside.
    in_words
        Whether even the others do not fit, so that each cell stands after its title.
    """

    columns: Sequence[Column]
    shown: Sequence[int]
    narrowest: Sequence[int]
    above: Sequence[int] = ()
    in_words: bool = False

    def parts(self, texts: Sequence[Sequence[Any]]) -> Iterator[Any]:
        """What is printed, from the top."""
        from rich import box
        from rich.align import Align
        from rich.padding import Padding
        from rich.rule import Rule
        from rich.table import Table as RichTable
        from rich.text import Text

        if not (self.above or self.in_words):
            grid = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=False)
            for i in self.shown:
                column, least = self.columns[i], self.narrowest[i]
                grid.add_column(
                    Align(Text(column.title), column.align, vertical="bottom"),
                    justify=column.align,
                    width=None if column.wraps else least,
                    min_width=least if column.wraps else None,
                    overflow="fold",
                )
            for row in texts:
                grid.add_row(*(row[i] for i in self.shown))
            yield grid
            return
        names = " · ".join(self.columns[i].title for i in self.above)
        if names:
            yield Text(names)
        if not self.in_words:
            yield Padding(self._row([Text(column.title) for column in self.columns]), _BELOW)
        yield Rule(style="")
        for row in texts:
            if names:
                yield Text(" · ").join(row[i] for i in self.above if row[i])
            if any(row[i] for i in self.shown):  # what heads other rows has names alone
                yield Padding(self._in_words(row) if self.in_words else self._row(row), _BELOW)

    def _row(self, texts: Sequence[Any]) -> Any:
        """One row, or the titles, of what stands below names."""
        from rich.table import Table as RichTable

        grid = RichTable.grid(padding=(0, _LEAST_GAP, 0, 0))
        for i in self.shown:
            column = self.columns[i]
            grid.add_column(justify=column.align, width=self.narrowest[i], vertical="bottom")
        grid.add_row(*(texts[i] for i in self.shown))
        return grid

    def _in_words(self, texts: Sequence[Any]) -> Any:
        from rich.text import Text

        said = [
            Text(f"{self.columns[i].title} ").append_text(texts[i]) for i in self.shown if texts[i]
        ]
        return Text(", ").join(said)


def _fitting(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> _Layout:
    """The layout in which as much fits as can, when what wraps is as narrow as it gets."""
    from rich.cells import cell_len

    narrowest = []
    for i, column in enumerate(columns):
        widest = max((cell_len(row[i]) for row in cells), default=0)
        if column.wraps:
            word = max((cell_len(one) for row in cells for one in row[i].split()), default=0)
            widest = min(widest, max(_NARROWEST, min(word, _LONGEST_WORD)))
        narrowest.append(max(widest, *map(cell_len, column.title.split() or [""])))

    def lacks(its: Sequence[int], widths: Sequence[int]) -> bool:
        return sum(widths[i] for i in its) + gap * (len(its) - 1) > room

    shown, above, gap, room = list(range(len(columns))), list[int](), _GAP, width
    for beside in (True, False):  # what wraps beside the rest, or above it
        if not beside:
            above = [i for i in shown if columns[i].wraps]
            shown = [i for i, column in enumerate(columns) if not column.wraps]
            gap, room = _LEAST_GAP, width - _BELOW[-1]
        spare = [i for i in shown if columns[i].spare]
        while spare and lacks(shown, narrowest):  # the last ones go first, until the others fit
            shown.remove(spare.pop())
        in_words = bool(cells) and lacks(shown, narrowest)
        if not in_words:
            break
    for i in shown:  # titles on one line where there is room
        wider = [*narrowest]
        wider[i] = max(wider[i], cell_len(columns[i].title))
        narrowest = narrowest if lacks(shown, wider) else wider
    return _Layout(
        columns=columns, shown=shown, narrowest=narrowest, above=above, in_words=in_words
    )
