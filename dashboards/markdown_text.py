"""Markdown of models and judges, formatted: nothing in it is followed, fetched or executed.

Texts are shown letter by letter unless a reader asks for this. A link is its words and its
address, an image its description and its address, both as text; HTML, LaTeX and all that Streamlit
would read into a string stay letters. What is sent to a browser has the tags below and nothing of
the text in any attribute.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape

import streamlit as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

MOST_CHARS = 50_000
"""A longer text stays as it is written."""

ASKED = "formatted"
"""In the URL, and in the session."""

HELP = (
    "Read Markdown: headings, lists, tables, code. Links and images are not followed; HTML and "
    "LaTeX stay as they are written."
)
TAGS = frozenset(
    ["p", "strong", "em", "s", "ul", "ol", "li", "blockquote", "pre", "code", "table", "thead",
     "tbody", "tr", "th", "td", "hr", "br"]
)  # fmt: skip


def choose() -> None:
    """A switch that formats the texts of a page; the URL says so too."""
    wanted = st.toggle("Formatted", value=_wanted(), key="choose formatted", help=HELP)
    _remember(wanted=wanted)


def choose_by_button() -> None:
    """As `choose`, where a page listens for keys: none are heard while a switch has the focus."""
    if st.button("Texts as written" if _wanted() else "Format texts", help=HELP, type="tertiary"):
        _remember(wanted=not _wanted())
        st.rerun()


def is_wanted(text: str) -> bool:
    """Whether the reader has asked for it, and the text is not too long."""
    return _wanted() and bool(text.strip()) and len(text) <= MOST_CHARS


def _wanted() -> bool:
    return st.query_params.get(ASKED, st.session_state.get(ASKED, "0")) == "1"


def _remember(*, wanted: bool) -> None:
    st.session_state[ASKED] = "01"[wanted]
    if wanted:
        st.query_params[ASKED] = "1"
    else:
        st.query_params.pop(ASKED, None)


def as_html(text: str) -> str:
    """A text as HTML of `TAGS` alone, in which every letter of it is escaped.

    >>> as_html("**see** [this](http://example.org/?a&b) <b>")
    '<p><strong>see</strong> this (http://example.org/?a&amp;b) &lt;b&gt;</p>\\n'
    """
    reader = _reader()
    tokens = reader.parse(text)
    in_heading = False
    for token in tokens:
        if token.children is not None:
            token.children = list(_literal(token.children))
            if in_heading:  # the page's headings are its own
                ends = Token("strong_open", "strong", 1), Token("strong_close", "strong", -1)
                token.children = [ends[0], *token.children, ends[1]]
        in_heading = token.type == "heading_open"
        _plain(token)
    html: str = reader.renderer.render(tokens, reader.options, {})
    return html


@cache
def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(
        ["table", "strikethrough"]
    )
    for block in ("fence", "code_block"):
        reader.add_render_rule(block, _code)
    return reader


def _code(_: object, tokens: list[Token], at: int, *__: object) -> str:
    return f"<pre><code>{escape(tokens[at].content)}</code></pre>\n"


def _plain(token: Token) -> None:
    """Without attributes but the number of a list's first entry; a heading is a paragraph."""
    token.attrs = {name: value for name, value in token.attrs.items() if name == "start"}
    if token.type in ("heading_open", "heading_close"):
        token.type, token.tag = token.type.replace("heading", "paragraph"), "p"


def _literal(parts: list[Token]) -> Iterator[Token]:
    """What stands in a line, with links and images as text."""
    addresses: list[str] = []
    for part in parts:
        if part.type == "link_open":
            addresses.append(str(part.attrs.get("href", "")))
        elif part.type == "link_close":
            yield _text(f" ({addresses.pop()})")
        elif part.type == "image":
            yield _text(f"{part.content} ({part.attrs.get('src', '')})")
        else:
            _plain(part)
            yield part


def escaped(words: str) -> str:
    """Words of others where Streamlit reads Markdown, as on a button.

    >>> escaped("*not* :red[so]")
    '\\\\*not\\\\* \\\\:red\\\\[so\\\\]'
    """
    return "".join(f"\\{c}" if c.isascii() and not (c.isalnum() or c == " ") else c for c in words)


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
