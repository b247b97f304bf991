"""Documents that are hard to print, for tests of the forms of reports."""

from __future__ import annotations

from hypothesis import strategies as st

from judgebench.reports.document import Column, Document, Table
from judgebench.reports.estimates import Figure

#: Names that would do something if they were not taken as text.
HOSTILE = (
    "<img src=x onerror=alert(1)>&amp;</td></table></main><script>alert(1)</script>",
    "</style><style>body{display:none}</style><!-- --> ]]> &#0; &lt;",
    "' onmouseover='alert(1)' \" class=\"warning\"",
    "\\input{/etc/passwd} \\end{tabular} $x^2$ %& #1 ~_^ a--b ''q'' \"q\" ?` ,, << >>",
    "[4pt] first, then \\\\[1em] & }{",
    "*starred",
    "| a | b |\n| - | - |",
    "[link](http://127.0.0.1/) ![x](x.png) `code` *b* _i_ ~~s~~ www.example.org",
    "nul \0 escape \x1b[31m override \u202e mark \u200f\u200e surrogate \ud800 end",
    "a  b   c",
    "x" * 200,
    "שלום 日本 é",
)

#: Any text, and more often than by chance text of characters that mean something somewhere.
TEXTS = st.one_of(
    st.text(max_size=40),
    st.text("\\{}&%$#_~^<>|\"'`[]*-+=.,:;!?/() \n\0\u202e1aw�≥", max_size=40),
)


def table(name: str, *, title: str = "title", subtitle: str = "", note: str = "") -> Table:
    """A table of two rows, a name and a number in each, in a column that wraps and one that not."""
    return Table(
        title=title,
        subtitle=subtitle,
        columns=[
            Column(title="model", wraps=True),
            Column(title="kappa", align="right"),
            Column(title="told as"),
        ],
        rows=[
            [name, Figure("0.500 [0.250, 0.750]", low=0.25, value=0.5, high=0.75), name],
            ["other", "–", ""],
        ],
        notes=[note] if note else [],
    )


def document(*tables: Table) -> Document:
    """The tables, and nothing else."""
    return Document(tables=tables, records=[], data={})
