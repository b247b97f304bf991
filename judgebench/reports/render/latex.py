"""A document as LaTeX: tables for a paper, to be taken in with ``\\input``; names stay text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from judgebench.plain_text import printable
from judgebench.reports.document import groups
from judgebench.reports.estimates import Marked

if TYPE_CHECKING:
    from judgebench.reports.document import Column, Document, Table

_PREAMBLE = (
    "% \\usepackage{array,booktabs,graphicx}",
    "% Letters stand as they are, in UTF-8. pdfLaTeX knows Latin ones; for others take LuaLaTeX or",
    "% XeLaTeX, without fontenc and with a font that has them.",
)
_BEGIN = r"""\documentclass{article}
\usepackage[margin=2cm]{geometry}
\usepackage{array,booktabs,caption,graphicx,iftex}
\setlength{\emergencystretch}{3em}
% \letter{CODE}{LETTER}: where no font here has a letter its code is shown, and nothing is lost.
\newcommand{\code}[1]{{\scriptsize\texttt{U+#1}}}
\ifPDFTeX
\usepackage[T1]{fontenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\newcommand{\letter}[2]{%
  \ifcsname u8:\detokenize{#2}\endcsname\else\DeclareUnicodeCharacter{#1}{\code{#1}}\fi}
\else
\usepackage{fontspec}
\IfFontExistsTF{Noto Serif CJK SC}{\newfontfamily\wide{Noto Serif CJK SC}}{\newcommand{\wide}{}}
\newcommand{\found}[1]{{\upshape\wide
  \iffontchar\font"#1 \symbol{"#1}\hspace{0pt plus 0.1em}\else\code{#1}\fi}}
\newcommand{\sought}[1]{\iffontchar\font"#1 \else\begingroup\lccode`\~="#1
  \lowercase{\endgroup\protected\def~}{\found{#1}}\catcode"#1=13 \fi}
\newcommand{\letter}[2]{\AtBeginDocument{\sought{#1}}}
\fi"""

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
_WORD = re.compile(r"\S{20,}")
_PIECE = re.compile(r"[^-/_.:@]{1,24}[-/_.:@]{0,24}|[-/_.:@]{1,24}")  # after each a line may end
_PAR = "18em"


def latex(document: Document) -> str:
    """The tables, one float each, no wider than the line."""
    alone = document.standalone
    tables = [line for table in document.tables for line in ("", *_table(table, floats=not alone))]
    if alone:
        letters = sorted(set(filter(_beyond_ascii, "".join(tables))))
        said = [rf"\letter{{{ord(one):04X}}}{{{one}}}" for one in letters]
        return (
            "\n".join([_BEGIN, *said, r"\begin{document}", *tables, "", r"\end{document}"]) + "\n"
        )
    return "\n".join([*_PREAMBLE, *tables]) + "\n"


def _beyond_ascii(letter: str) -> bool:
    return not letter.isascii()


def escaped(text: str) -> str:
    """Text that shows letter by letter, whatever it holds."""
    return _escaped(printable(text))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _said(found[0]), text)


def _said(character: str) -> str:
    if character == " ":
        return r"\ "
    return _SAID.get(character) or f"{_APART}{character}"


def _table(table: Table, *, floats: bool) -> list[str]:
    """A float, or what stands where it is and goes on on the next page."""
    if not (table.columns or table.notes):
        return [rf"\paragraph{{{_lines(table.title)}.}} {_lines(table.subtitle)}"]
    begin = [r"\begin{table}", r"\centering"] if floats else [r"{\centering"]
    caption = r"\caption" if floats else r"\captionof{table}"
    lines = [*begin, rf"{caption}{{{_lines(table.title)}}}"]
    if table.label:
        lines.append(rf"\label{{{table.label}}}")
    if table.subtitle:
        lines.append(_small(table.subtitle))
    if table.rows:
        lines += [r"\smallskip", *_tabular(table), r"\par\smallskip"]
    return [*lines, *map(_small, table.notes), r"\end{table}" if floats else r"\par}"]


def _small(text: str) -> str:
    return rf"{{\footnotesize\raggedright {_lines(text)}\par}}"


def _tabular(table: Table) -> list[str]:
    broken = [
        column.wraps and any(len(row[i]) > _FROM for row in table.rows)
        for i, column in enumerate(table.columns)
    ]
    shape = "".join(_shape(*one) for one in zip(table.columns, broken, strict=True))
    titles = [escaped(column.title) for column in table.columns]
    rows = [_row([*map(_cell, row, broken)]) for row in table.rows]
    for at, heading in sorted(table.sections.items(), reverse=True):
        span = rf"\multicolumn{{{len(titles)}}}{{l}}{{\emph{{{escaped(heading)}}}}} \\"
        rows[at:at] = [*([r"\midrule"] if at else []), *([span] if heading else [])]
    return [
        # As wide as it is by itself, or as the line where that is narrower.
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{shape}}}",
        r"\toprule",
        *_spans(table.columns),
        _row(titles),
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}%",
        "}",
    ]


def _spans(columns: Sequence[Column]) -> list[str]:
    """The names of groups of columns, and a rule under each."""
    cells, rules, at = [], [], 1
    for name, n in groups(columns):
        cells.append(rf"\multicolumn{{{n}}}{{c}}{{{escaped(name)}}}")
        rules += [rf"\cmidrule(lr){{{at}-{at + n - 1}}}"] if name else []
        at += n
    return [_row(cells), " ".join(rules)] if cells else []


def _cell(cell: str, breaks: bool) -> str:
    if not isinstance(cell, Marked):
        return _lines(cell) if breaks else escaped(cell)
    number = rf"\textbf{{{escaped(cell.number)}}}" if cell.bold else escaped(cell.number)
    beside = rf"\,{{\scriptsize {escaped(cell.interval)}}}" if cell.interval else ""
    marks = rf"\textsuperscript{{{escaped(','.join(cell.marks))}}}" if cell.marks else ""
    return number + beside + marks


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
        pieces = r"\allowbreak{}".join(map(_escaped, _PIECE.findall(word[0])))
        said += [_escaped(text[at : word.start()]), pieces]
        at = word.end()
    return "".join([*said, _escaped(text[at:])])
