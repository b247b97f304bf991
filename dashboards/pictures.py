"""Drawings as Vega-Lite, drawn once; each with its caption in it, and two buttons that save it.

What is saved is what stands on the page, in its colours: the browser writes the file, and no server
has to be able to draw.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import altair as alt
import pandas as pd
import streamlit as st
from charts import Drawing, Ink
from open_store import seen_at, written_at

LINE = 125
"""Characters of a caption on one line of a drawing as wide as a page of 750 pixels."""

CAPTION_PX, LINE_PX = 14, 13

NAME = 80
"""Characters of a file's name."""

DRAWN = 200
"""Drawings that a server remembers: of each some tens of kilobytes."""

Draws: TypeAlias = partial[Drawing]
"""A function of a module of drawings with all that it draws."""

VegaLite: TypeAlias = dict[str, Any]
"""A specification with its tables under ``datasets``."""

_SAVE = st.components.v2.component(
    "judgebench.save_chart",
    html='<div class="save-chart">Save <button type="button" data-form="png">PNG</button>'
    '<button type="button" data-form="svg">SVG</button></div>',
    css="""
    .save-chart { font-size: 0.8rem; color: var(--st-text-color); display: flex; gap: 0.4rem; }
    .save-chart button {
      font: inherit; color: inherit; cursor: pointer; padding: 0 0.5rem; background: none;
      border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
    }
    .save-chart button:hover, .save-chart button:focus-visible {
      color: var(--st-primary-color); border-color: var(--st-primary-color); outline: none;
    }
    """,
    js=(Path(__file__).parent / "save_chart.js").read_text("utf-8"),
    isolate_styles=False,
)


def plotted(draws: Draws) -> VegaLite:
    """A drawing as a browser is sent it.

    Altair takes tenths of a second for what a page shows again and again, so a server remembers
    it by the function and by all that it is given.
    """
    return _plotted(draws, _named(draws))


def captioned(draws: Draws, caption: str, ink: Ink, *, share: float = 1.0) -> VegaLite:
    """As `plotted`, on its theme's paper with a caption below, which is data and no expression.

    ``share``: how much of the page's width it has.
    """
    drawing = plotted(draws)
    lines = broken(caption, round(LINE * share))
    return drawing | {
        "title": {
            "text": lines, "orient": "bottom", "anchor": "start", "frame": "bounds",
            "offset": CAPTION_PX, "fontSize": 11, "fontWeight": "normal", "color": ink.faint,
            "limit": 0,
        },
        # Streamlit makes all of it as high as the drawing says.
        "height": drawing["height"] + CAPTION_PX + LINE_PX * len(lines),
        "background": ink.paper,
    }  # fmt: skip


@st.cache_data(max_entries=DRAWN, show_spinner=False)
def _plotted(_draws: Draws, name: tuple[Any, ...]) -> VegaLite:
    tables: dict[str, pd.DataFrame] = {}
    # Both settings are of all threads.
    with _PLOTTING, alt.theme.enable("none"), alt.data_transformers.enable(BY_NAME, tables=tables):
        found: VegaLite = _draws().to_dict(validate=False)  # every drawing's test validates it
    # What is saved, however many marks there are; and letters that can be measured.
    return found | {"datasets": tables, "usermeta": {"embedOptions": {"renderer": "svg"}}}


_PLOTTING = threading.Lock()


def _named(draws: Draws) -> tuple[Any, ...]:
    """All that a drawing follows from."""
    return draws.func.__module__, draws.func.__qualname__, draws.args, draws.keywords


BY_NAME = "judgebench tables by name"


def _by_name(rows: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> dict[str, str]:
    """Altair's own way would write a table into the specification, and refuse one of 5,000 rows."""
    as_json = rows.to_json(date_format="iso", double_precision=15)
    name = hashlib.sha256(as_json.encode()).hexdigest()[:16]
    tables[name] = rows
    return {"name": name}


alt.data_transformers.register(BY_NAME, _by_name)


def broken(caption: str, most: int = LINE) -> list[str]:
    """A caption on lines that fit, broken between its parts.

    >>> broken(" · ".join(["of many words " * 4 + "each"] * 3))[1]
    'of many words of many words of many words of many words each'
    """
    lines = [""]
    for part in caption.split(" · "):
        together = f"{lines[-1]} · {part}" if lines[-1] else part
        lines[-1:] = (
            [together] if len(together) <= most else [lines[-1], *textwrap.wrap(part, most)]
        )
    return [line for line in lines if line]


def save_buttons(name: str, key: str) -> None:
    """Right below a drawing; ``name`` is what the files are called, without their suffix."""
    _SAVE(data={"name": file_name(name)}, key=key)


def file_name(name: str) -> str:
    """A name that every file system takes.

    >>> file_name("leaderboard trivia@v1 · judge <b>")
    'leaderboard-trivia-v1-judge-b'
    """
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[:NAME] or "chart"


def as_of(mark: str) -> str:
    """When the state of a store that a page shows was written, by its mark; empty if never.

    On a server, which does not say so: when that state was met first.

    >>> as_of("4096:1700000000000000000 ")
    '2023-11-14 22:13 UTC'
    """
    at = written_at(mark) or seen_at(mark)
    if at is None:
        return ""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
