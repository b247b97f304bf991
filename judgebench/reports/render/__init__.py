"""Documents in every form that reports have: a form is one file here and one entry of `FORMS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from judgebench.errors import UsageError, refuse_unknown
from judgebench.reports.document import Document
from judgebench.reports.render.csv import csv
from judgebench.reports.render.html import html
from judgebench.reports.render.json import json
from judgebench.reports.render.latex import latex
from judgebench.reports.render.markdown import markdown
from judgebench.reports.render.terminal import terminal

FORMS: dict[str, Callable[[Document], str]] = {
    "table": terminal,
    "md": markdown,
    "csv": csv,
    "json": json,
    "html": html,
    "latex": latex,
}

SUFFIXES = {
    ".txt": "table",
    ".md": "md",
    ".csv": "csv",
    ".json": "json",
    ".html": "html",
    ".tex": "latex",
}


def render(document: Document, form: str, *, width: int | None = None, colour: bool = False) -> str:
    """The document as text that ends with a newline.

    Parameters
    ----------
    form
        ``table``, ``md``, ``csv``, ``json``, ``html`` or ``latex``.
    width
        Of the terminal; None where there is none, and then nothing is wrapped.

    Raises
    ------
    UsageError
        For a form that is not known.
    """
    if form not in FORMS:
        refuse_unknown("format", [form], FORMS, error=UsageError)
    if form == "table":
        return terminal(document, width=width, colour=colour)
    return FORMS[form](document)


def write(document: Document, path: Path) -> None:
    """The document as a file whose suffix says the form; there whole or not at all.

    Raises
    ------
    UsageError
        For another suffix, or a place that cannot be written.
    """
    write_whole(path, render(document, form_of(path)))


def write_whole(path: Path, text: str) -> None:
    """A text as a file, there whole or not at all; raises as `write`."""
    unfinished = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None


def form_of(path: Path) -> str:
    """The form that a file's suffix asks for."""
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise UsageError(f"{path}: the suffix says the format; known are {known}")
    return SUFFIXES[path.suffix.lower()]
