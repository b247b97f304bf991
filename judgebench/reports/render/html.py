"""A document as one page of HTML: no script, nothing fetched, and names stay text."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, fields, replace
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

from judgebench.plain_text import printable
from judgebench.reports.document import Column, Document, Table, groups
from judgebench.reports.estimates import Figure

if TYPE_CHECKING:
    from jinja2 import Environment

Axis: TypeAlias = tuple[float, float]
"""The ends between which the intervals of columns of one title are drawn."""

_WIDTH = 96  # of the drawing of an interval, in pixels
_HEIGHT = 12
_MOST_PX = 384  # of a column whose texts are broken, as in the style
_INSET = 4  # leaves the point of a value at the very end whole

_LETTER, _BESIDE, _MARGIN = 7.6, 20, 64  # pixels: of a digit or a letter, between cells, around
WIDTHS = (640, 800, 1000, 1200, 1400, 1700, 2000)
"""Of windows. In one that is narrower than a table each row is a few lines, and says its titles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisColumn(Column):
    """A column on a page; its intervals are drawn along ``axis``, where it has any."""

    axis: Axis | None

    @property
    def says(self) -> str:
        """What stands before a cell where there is no room for the head of the column."""
        ends = " to ".join(_ends(self.axis))
        return f"{self.whole_title}, drawn from {ends}" if ends else self.whole_title


def html(document: Document) -> str:
    """The page. Estimates with an interval have it drawn beside them."""
    style = _environment().get_template("page.css.jinja").render(widths=WIDTHS)
    titles = [table.title for table in document.tables[:1]]
    return _filled(
        "page.html.jinja",
        document,
        title=" · ".join([*titles, "judgebench"]),
        style=_safe(style),
        style_is=_safe(base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()),
    )


def fragment(document: Document) -> str:
    """The tables alone, for a notebook, which has a style of its own."""
    return _filled("tables.html.jinja", document)


def _filled(template: str, document: Document, **said: Any) -> str:
    axes: dict[str, Axis] = {}  # one for all columns of a title: bars can be compared
    for table in document.tables:
        for row in table.rows:
            for column, cell in zip(table.columns, row, strict=True):
                if isinstance(cell, Figure):
                    ends = *axes.get(column.title, ()), cell.low, cell.value, cell.high
                    axes[column.title] = min(ends), max(ends)
    return (
        _environment()
        .get_template(template)
        .render(
            tables=[_with_axes(table, axes) for table in document.tables],
            width=_WIDTH,
            height=_HEIGHT,
            **said,
        )
    )


def _with_axes(table: Table, axes: dict[str, Axis]) -> Table:
    columns = [
        AxisColumn(
            **{one.name: getattr(column, one.name) for one in fields(Column)},
            axis=axes[column.title]
            if any(isinstance(row[at], Figure) for row in table.rows)
            else None,
        )
        for at, column in enumerate(table.columns)
    ]
    return replace(table, columns=columns)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("judgebench.reports.render", "."),
        autoescape=True,
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    found.filters |= {
        "text": lambda text: _safe(escape(printable(text))),
        "lines": lambda text: _safe(escape(printable(text, lines=True))),
        "room": _room,
        "groups": groups,
        "ends": _ends,
        "at": _at,
    }
    return found


def _safe(text: str) -> str:
    """What is markup, or has been escaped."""
    from markupsafe import Markup

    return Markup(text)


def _room(table: Table) -> int:
    """From which window on a table is one."""
    px = _MARGIN + sum(
        min(_LETTER * max(map(_longest, (column.title, *cells))), _MOST_PX if column.wraps else 1e9)
        + _BESIDE
        + (_WIDTH + 12 if isinstance(column, AxisColumn) and column.axis else 0)
        for column, cells in zip(table.columns, zip(*table.rows, strict=True), strict=True)
    )
    return next((width for width in WIDTHS if px <= width), WIDTHS[-1])


def _longest(text: str) -> int:
    return max(map(len, text.split("\n")))


def _ends(axis: Axis | None) -> tuple[str, ...]:
    if axis is None:
        return ()
    low, high = (f"{round(end, 2) + 0.0:g}" for end in axis)  # no -0
    return (low, high) if low != high else (low,)


def _at(x: float, axis: Axis) -> str:
    low, high = axis
    share = (x - low) / (high - low) if high > low else 0.5
    return f"{_INSET + share * (_WIDTH - 2 * _INSET):.1f}"
