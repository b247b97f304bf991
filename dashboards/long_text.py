"""Texts of models and judges as they are: never read as markup, folded where they are long."""

from __future__ import annotations

import re

import streamlit as st
from markdown_text import as_html, is_wanted

from judgebench.store.codec import readable

LINES = 20
CHARS = 1_800
"""About `LINES` lines of the column."""

MOST_CHARS = 200_000
"""What a browser is sent at once; all of a longer text can be downloaded."""

COLUMN_PX = 800
"""Ninety characters."""

KEY, FORMATTED = "verbatim", "formatted"
LOOK = """
[class*="st-key-formatted-"] {
  padding: 0.75rem; border: 1px solid rgba(128, 128, 128, 0.3); border-radius: 0.25rem;
}
[class*="st-key-formatted-"] * { overflow-wrap: anywhere; }
[class*="st-key-formatted-"] pre { white-space: pre-wrap; }
[class*="st-key-verbatim"] [data-testid=stText] {
  padding: 0.75rem; border: 1px solid rgba(128, 128, 128, 0.3); border-radius: 0.25rem;
}
[class*="st-key-verbatim"] [data-testid=stText] * {
  font-family: "Source Code Pro", monospace; font-size: 0.875rem; line-height: 1.5;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
"""

# Controls, and what reorders a text or has no width. Joiners and selectors are left alone: emoji
# and the scripts of half of Asia are made with them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\U000e0000-\U000e007f]"
)


def folded(text: str, key: str) -> None:
    """A text in a column; the rest of a long one comes when it is asked for.

    Parameters
    ----------
    key
        Tells the switch of this text from others on the page.
    """
    if not text.strip():
        st.text("(empty)" if not text else f"({len(text):,} blanks)")
        return
    shown = visible(text)
    start = beginning(shown)
    lines = shown.count("\n") + 1
    size = f"{lines:,} {'line' if lines == 1 else 'lines'}, {len(shown):,} characters"
    if start != shown and st.toggle(f"Show all: {size}", key=f"fold {key}"):
        start = shown[:MOST_CHARS]
    if is_wanted(start):
        with st.container(key=f"{FORMATTED} {key}", width=COLUMN_PX):
            st.html(as_html(start))
    else:
        verbatim(start, key)
    if len(shown) > MOST_CHARS and len(start) == MOST_CHARS:
        st.text(f"The first {MOST_CHARS:,} characters are shown.")
        st.download_button(
            "Download all of it", shown, "text.txt", "text/plain", key=f"all {key}",
            on_click="ignore",
        )  # fmt: skip


def folded_by_button(text: str, key: str) -> None:
    """As `folded`, where a page listens for keys: none are heard while a switch has the focus.

    All of a long text is shown, in the page's own type.
    """
    text = visible(text)
    if is_wanted(text):
        st.html(as_html(text))
        return
    lines = text.splitlines()
    short = "\n".join(lines[:LINES])[:CHARS]
    if len(short) >= len(text.strip()) or st.session_state.get("unfolded") == key:
        st.text(text)
        return
    st.text(f"{short} …")
    st.button(
        f"Show all: {len(text):,} characters, {len(lines):,} lines", key=f"{key} all",
        type="tertiary", on_click=lambda: st.session_state.update(unfolded=key),
    )  # fmt: skip


def verbatim(text: str, key: str) -> None:
    """A text letter by letter, in a column that `LOOK` makes.

    Not as `st.code`: that loads a highlighter of all languages, which holds up a page's first
    numbers by a third of a second.
    """
    with st.container(key=f"{KEY} {key}", width=COLUMN_PX):
        st.text(text, width="stretch")


def visible(text: str) -> str:
    """The text with what nobody would see written out, so that nothing is reordered or hidden.

    >>> visible("user\u202etxt")
    'user⟨U+202E⟩txt'
    """
    written = _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)
    return readable(written)  # no page can carry half a surrogate pair


def beginning(text: str) -> str:
    """The first lines, and no more characters than these lines have room for."""
    lines = text.split("\n", LINES)
    start = "\n".join(lines[:LINES])
    return start if len(start) <= CHARS else start[:CHARS]
