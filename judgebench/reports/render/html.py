"""A document as one page of HTML: no script, nothing fetched, and names stay text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, TypeAlias

from judgebench.plain_text import printable, printable_lines
from judgebench.reports.estimates import Figure

if TYPE_CHECKING:
    from judgebench.reports.document import Column, Document, Table

Axes: TypeAlias = Mapping[str, tuple[float, float]]
"""The ends between which the intervals of columns of one title are drawn."""

WARNING = "warning: "
_WIDTH = 96  # of the drawing of an interval, in pixels
_HEIGHT = 12
_MOST_PX = 384  # of a column whose texts are broken, as in the style below
_INSET = 4  # leaves the point of a value at the very end whole

_LETTER, _BESIDE, _MARGIN = 7.6, 20, 64  # pixels: of a digit or a letter, between cells, around
WIDTHS = (640, 800, 1000, 1200, 1400, 1700, 2000)
"""Of windows. In one that is narrower than a table each row is a few lines, and says its titles."""

_IN_LINES = """
@media (max-width: %(below)dpx) {
  .from%(width)d thead { display: none; }
  .from%(width)d, .from%(width)d tbody { display: block; }
  .from%(width)d tr {
    display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr));
    gap: 0.3rem 1.2rem; padding: 0.5rem 0; border-bottom: 1px solid var(--line);
  }
  .from%(width)d td, .from%(width)d td.one, .from%(width)d td.many {
    display: block; padding: 0; border: 0; max-width: 100%%; text-align: left;
    white-space: pre-wrap; overflow-wrap: anywhere;
  }
  .from%(width)d td:not(:empty)::before {
    content: attr(data-is); display: block; font-size: 0.8rem; color: var(--quiet);
  }
  .from%(width)d svg { display: block; margin: 0.2rem 0 0; }
}"""

_STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1c1f24; --quiet: #5b6470; --line: #d9dde3; --head: #f5f6f8;
  --interval: #8fb0dc; --value: #1f5fae; --warn: #b26a00; --warn-page: #fff6e5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15181c; --text: #e4e7eb; --quiet: #9aa3af; --line: #333a43; --head: #1e2329;
    --interval: #45648c; --value: #8fc0ff; --warn: #e0a24a; --warn-page: #2b2416;
  }
}
body {
  margin: 0 auto; padding: 1.5rem; width: fit-content; min-width: min(40rem, 100%);
  max-width: 100%; box-sizing: border-box;
  background: var(--page); color: var(--text); font: 15px/1.45 system-ui, sans-serif;
}
h1 { margin: 0 0 1.5rem; font-size: 0.85rem; font-weight: 500; color: var(--quiet); }
h2 { margin: 0; font-size: 1.15rem; }
h2, p, li, td, th { overflow-wrap: anywhere; white-space: pre-wrap; }
section { margin: 0 0 2.5rem; }
p { margin: 0.15rem 0 0; max-width: 75rem; color: var(--quiet); }
div { margin: 0.75rem 0; overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td {
  padding: 0.3rem 0.6rem; text-align: left; vertical-align: top; overflow: clip;
  border-bottom: 1px solid var(--line);
}
th { background: var(--head); font-weight: 600; vertical-align: bottom; }
th, td.one { overflow-wrap: normal; white-space: pre; }
td.many { overflow-wrap: break-word; max-width: 24rem; }
.end { text-align: right; }
svg { width: 96px; height: 12px; margin-left: 0.75rem; vertical-align: -1px; }
line { stroke: var(--interval); stroke-width: 4; stroke-linecap: butt; }
circle { fill: var(--value); }
small {
  display: flex; justify-content: space-between; width: 96px; margin-left: auto;
  font-weight: 400; color: var(--quiet);
}
ul { margin: 0; padding: 0; max-width: 75rem; list-style: none; }
li { padding: 0.2rem 0.75rem; border-left: 3px solid var(--line); }
li.warning { border-color: var(--warn); background: var(--warn-page); }
@media print { body { padding: 0; } div { overflow: visible; } section { break-inside: avoid; } }
""" + "".join(_IN_LINES % {"width": width, "below": width - 1} for width in WIDTHS)


def html(document: Document) -> str:
    """The page. Estimates with an interval have it drawn beside them."""
    axes = _axes(document.tables)
    titles = [table.title for table in document.tables[:1]]
    style_is = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    lines = [
        "<!doctype html>",
        '<html lang="en" dir="ltr">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{style_is}'; base-uri 'none'; form-action 'none'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(' · '.join([*titles, 'judgebench']))}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        "<h1>judgebench</h1>",
        "<main>",
        *(line for i, table in enumerate(document.tables, 1) for line in _section(i, table, axes)),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def fragment(document: Document) -> str:
    """The tables alone, for a notebook, which has a style of its own."""
    axes = _axes(document.tables)
    return "\n".join(
        line for i, table in enumerate(document.tables, 1) for line in _section(i, table, axes)
    )


def _text(text: str) -> str:
    return escape(printable(text))


def _section(i: int, table: Table, axes: Axes) -> list[str]:
    lines = [f'<section aria-labelledby="t{i}">', f'<h2 id="t{i}">{_text(table.title)}</h2>']
    if table.subtitle:
        lines.append(f"<p>{_text(table.subtitle)}</p>")
    if table.rows:
        drawn = [
            any(isinstance(row[at], Figure) for row in table.rows)
            for at in range(len(table.columns))
        ]
        lines += [
            # What scrolls sideways has to be reachable from the keyboard.
            f'<div tabindex="0" role="region" aria-labelledby="t{i}">',
            f'<table role="table"{_from(table, drawn)}>',
            '<thead role="rowgroup"><tr role="row">',
            *(_head(*one, axes) for one in zip(table.columns, drawn, strict=True)),
            "</tr></thead>",
            '<tbody role="rowgroup">',
        ]
        for row in table.rows:
            cells = zip(table.columns, row, drawn, strict=True)
            lines += ['<tr role="row">', *(_cell(*one, axes) for one in cells), "</tr>"]
        lines += ["</tbody>", "</table>", "</div>"]
    if table.notes:
        lines += ["<ul>", *(_note(note) for note in table.notes), "</ul>"]
    return [*lines, "</section>"]


def _from(table: Table, drawn: Sequence[bool]) -> str:
    """The class that says from which window on a table is one; none for the widest of all."""
    px = _MARGIN + sum(
        min(_LETTER * max(map(_longest, (column.title, *cells))), _MOST_PX if column.wraps else 1e9)
        + _BESIDE
        + (_WIDTH + 12 if is_drawn else 0)
        for column, is_drawn, cells in zip(
            table.columns, drawn, zip(*table.rows, strict=True), strict=True
        )
    )
    width = next((width for width in WIDTHS if px <= width), WIDTHS[-1])
    return f' class="from{width}"'


def _longest(text: str) -> int:
    return max(map(len, text.split("\n")))


def _head(column: Column, is_drawn: bool, axes: Axes) -> str:
    how = ' class="end"' if column.align == "right" else ""
    axis = ""
    if is_drawn:
        ends = _ends(axes[column.title])
        axis = f"<small>{''.join(f'<span>{end}</span>' for end in ends)}</small>"
    return f'<th scope="col" role="columnheader"{how}>{_text(column.title)}{axis}</th>'


def _cell(column: Column, cell: str, is_drawn: bool, axes: Axes) -> str:
    how = "many" if column.wraps else "one"
    how += " end" if column.align == "right" else ""
    drawing = _drawing(cell, axes[column.title]) if is_drawn else ""
    text = escape(printable_lines(cell)) if column.lines else _text(cell)
    title = column.title
    if is_drawn:
        title += f", drawn from {' to '.join(_ends(axes[title]))}"
    return f'<td role="cell" class="{how}" data-is="{_text(title)}">{text}{drawing}</td>'


def _ends(axis: tuple[float, float]) -> tuple[str, ...]:
    low, high = (f"{round(end, 2) + 0.0:g}" for end in axis)  # no -0
    return (low, high) if low != high else (low,)


def _note(note: str) -> str:
    how = ' class="warning"' if note.startswith(WARNING) else ""
    return f"<li{how}>{_text(note)}</li>"


# intervals --------------------------------------------------------------------------------------


def _axes(tables: Sequence[Table]) -> Axes:
    """One axis for all columns of a title, so that bars can be compared across tables."""
    found: dict[str, tuple[float, float]] = {}
    for table in tables:
        for row in table.rows:
            for column, cell in zip(table.columns, row, strict=True):
                if isinstance(cell, Figure):
                    ends = *found.get(column.title, ()), cell.low, cell.value, cell.high
                    found[column.title] = min(ends), max(ends)
    return found


def _drawing(cell: str, axis: tuple[float, float]) -> str:
    """The interval as a bar and the value as a point; as wide where there is nothing to draw."""
    inside = ""
    if isinstance(cell, Figure):
        low, value, high = (_at(x, axis) for x in (cell.low, cell.value, cell.high))
        middle = _HEIGHT // 2
        inside = (
            f'<line x1="{low}" x2="{high}" y1="{middle}" y2="{middle}"/>'
            f'<circle cx="{value}" cy="{middle}" r="3"/>'
        )
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" aria-hidden="true">{inside}</svg>'


def _at(x: float, axis: tuple[float, float]) -> str:
    low, high = axis
    share = (x - low) / (high - low) if high > low else 0.5
    return f"{_INSET + share * (_WIDTH - 2 * _INSET):.1f}"
