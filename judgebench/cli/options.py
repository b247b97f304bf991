"""Options that several commands share, and where their results go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from judgebench.report.table import Document

Command = TypeVar("Command", bound=Callable[..., object])

DEFAULT_STORE = "sqlite:///results/judgebench.db"
FORMATS = ("table", "md", "csv", "json")


def store_option(command: Command) -> Command:
    """``--store URL``."""
    return click.option(
        "--store",
        metavar="URL",
        envvar="JUDGEBENCH_STORE",
        default=DEFAULT_STORE,
        show_default=True,
        help="Where results are kept (or JUDGEBENCH_STORE).",
    )(command)


def report_options(command: Command) -> Command:
    """``--format`` and ``--output``."""
    output = click.option(
        "--output",
        "outputs",
        metavar="PATH",
        type=click.Path(path_type=Path),
        multiple=True,
        help="Also write a file; its suffix says the format (.txt .md .csv .json). Repeatable.",
    )
    form = click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="What is printed.",
    )
    return form(output(command))


def show(document: Document, form: str, outputs: Sequence[Path] = ()) -> None:
    """Print a document to stdout and write it to files. Files are checked before any is written."""
    from judgebench.report.table import form_of, render, write

    for path in outputs:
        form_of(path)
    terminal = sys.stdout.isatty()
    width = _terminal_width() if terminal else None
    click.echo(render(document, form, width=width, colour=terminal), nl=False)
    for path in outputs:
        write(document, path)
        click.echo(f"written: {path}", err=True)


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size().columns
