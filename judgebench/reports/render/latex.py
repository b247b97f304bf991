"""A document as LaTeX: tables for a paper, to be taken in with ``\\input``; names stay text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from judgebench.plain_text import printable

if TYPE_CHECKING:
    from judgebench.reports.document import Column, Document, Table

_PREAMBLE = (
    "% \\usepackage{array,booktabs,graphicx}",
    "% Letters stand as they are, in UTF-8. pdfLaTeX knows Latin ones; for others take LuaLaTeX or",
    "% XeLaTeX, with a font that has them.",
)

#: Beside what LaTeX reads as commands, what a font would join or show as something else.
_SAID = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\texttt{\char34}",
    "`": r"\textasciigrave{}",
    "≥": r"\ensuremath{\ge}",
    "�": r"\rule{0.4em}{1.4ex}",
}
_SPECIAL = re.compile(rf"[{re.escape(''.join(_SAID))}]|(?<=-)-|(?<=')'|(?<=,),|(?<= ) ")
_APART = r"\kern0pt{}"  # an empty group does not keep LuaLaTeX from making a dash of two hyphens
_FROM = 40  # characters; longer text is broken into lines
_WORD = re.compile(r"\S{25,}")
_BREAK = 24  # characters of a word after which a line may end
_PAR = "18em"


def latex(document: Document) -> str:
    """The tables, one float each, no wider than the line."""
    tables = [line for table in document.tables for line in ("", *_float(table))]
    return "\n".join([*_PREAMBLE, *tables]) + "\n"


def escaped(text: str) -> str:
    """Text that shows letter by letter, whatever it holds."""
    return _escaped(printable(text))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _said(found[0]), text)


def _said(character: str) -> str:
    if character == " ":
        return r"\ "
    return _SAID.get(character) or f"{_APART}{character}"


def _float(table: Table) -> list[str]:
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{_lines(table.title)}}}"]
    if table.subtitle:
        lines.append(_small(table.subtitle))
    if table.rows:
        lines += [r"\smallskip", *_tabular(table), r"\par\smallskip"]
    return [*lines, *map(_small, table.notes), r"\end{table}"]


def _small(text: str) -> str:
    return rf"{{\footnotesize {_lines(text)}\par}}"


def _tabular(table: Table) -> list[str]:
    broken = [
        column.wraps and any(len(row[i]) > _FROM for row in table.rows)
        for i, column in enumerate(table.columns)
    ]
    shape = "".join(_shape(*one) for one in zip(table.columns, broken, strict=True))
    titles = [escaped(column.title) for column in table.columns]
    rows = [
        [
            _lines(cell) if breaks else escaped(cell)
            for cell, breaks in zip(row, broken, strict=True)
        ]
        for row in table.rows
    ]
    return [
        # As wide as it is by itself, or as the line where that is narrower.
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{shape}}}",
        r"\toprule",
        _row(titles),
        r"\midrule",
        *map(_row, rows),
        r"\bottomrule",
        r"\end{tabular}%",
        "}",
    ]


def _shape(column: Column, breaks: bool) -> str:
    if breaks:
        return rf">{{\raggedright\arraybackslash}}p{{{_PAR}}}"
    return "r" if column.align == "right" else "l"


def _row(cells: Sequence[str]) -> str:
    # A bracket or a star after the line before would be read as an argument of its end.
    first = "{}" if cells[0].startswith(("[", "*")) else ""
    return rf"{first}{' & '.join(cells)} \\"


def _lines(text: str) -> str:
    """As `escaped`, and words without an end may be broken."""
    text, said, at = printable(text), [], 0
    for word in _WORD.finditer(text):
        parts = (word[0][i : i + _BREAK] for i in range(0, len(word[0]), _BREAK))
        said += [_escaped(text[at : word.start()]), r"\allowbreak{}".join(map(_escaped, parts))]
        at = word.end()
    return "".join([*said, _escaped(text[at:])])
